"""The presets of class Policy: lists of the names of one library each, with their checks.

The list of a library is in the module with its name, which is imported when a policy is used for
the first time, so that no load imports it. It holds names and functions only. The library itself is
imported by nobody but the pickle's own names: a check runs after these were found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Final

from ..policy_names import PLAIN, Rule

_CONTAINS: Final[dict[str, tuple[str, ...]]] = {
    "plain": (),
    "numpy": ("plain",),
    "pandas": ("numpy",),
    "sklearn": ("numpy",),
    "torch": ("plain",),
}

PRESETS: Final = tuple(_CONTAINS)
"""The classmethods of Policy without arguments, smaller ones first."""

ROOTS: Final = {
    "numpy": "numpy",
    "sklearn": "sklearn",
    "scipy": "sklearn",
    "torch": "torch",
    **dict.fromkeys(("pandas", "pyarrow", "pytz", "dateutil", "zoneinfo"), "pandas"),
}
"""The first part of a name, and the preset that may have a check for it."""


def needed(preset: str) -> frozenset[str]:
    """The preset, and those that it contains."""
    return frozenset({preset}).union(*map(needed, _CONTAINS[preset]))


def implied(presets: Iterable[str]) -> frozenset[str]:
    """Those of them that another of them contains."""
    return frozenset().union(*(needed(preset) - {preset} for preset in presets))


def table_of(preset: str) -> Mapping[str, Rule]:
    """Its own names."""
    if preset == "plain":
        return PLAIN
    table: Mapping[str, Rule] = import_module(f".{preset}", __name__).NAMES
    return table


def import_all() -> None:
    """Any of them may be asked for a name during a load."""
    for preset in _CONTAINS:
        table_of(preset)


def preset_with(full: str) -> str | None:
    """The preset that has a name."""
    preset = ROOTS.get(full.partition(".")[0])
    return preset if preset is not None and full in table_of(preset) else None


def find_rule(full: str) -> Rule | None:
    """The rule of a name, whichever preset has it."""
    preset = preset_with(full)
    return None if preset is None else table_of(preset)[full]
