"""The kind of a name that a pickle has: it is harmless, it can run code, or it is unknown.

Only a name that a policy of this package lists is harmless. So a name that nobody has looked at is
unknown, and not harmless.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from .dangers import danger_of
from .policy import Policy
from .presets import PRESETS

DANGEROUS: Final = "dangerous"
UNKNOWN: Final = "unknown"
HARMLESS: Final = "harmless"

KINDS: Final = (DANGEROUS, UNKNOWN, HARMLESS)
"""In the order in which they are shown."""

MAYBE: Final = "unknown, so it may"
"""The mark on an unknown name, where that on a dangerous one is its danger."""

PROMISE: Final = (
    "Marked are names that can run code, and unknown ones, as they may. No mark is no promise: "
    "only a load under a policy also checks how a name is used."
)


def kind_of(module: str, name: str) -> tuple[str, str | None]:
    """The kind of a name, and its danger, in a few words, if that is known."""
    danger = danger_of(module, name)
    if danger is not None:
        return DANGEROUS, danger
    is_listed = _lists().rule_for(module, name) is not None
    return HARMLESS if is_listed else UNKNOWN, None


@cache
def _lists() -> Policy:
    policy = Policy()
    for preset in PRESETS:
        policy |= getattr(Policy, preset)()
    return policy
