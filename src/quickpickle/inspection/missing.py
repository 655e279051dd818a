"""Which names of a pickle would not be found here, as far as that is known without an import.

Modules that are imported already are looked into, without running any code of theirs. Of others the
finders of this Python say whether there is a file; no package is imported to find a module in it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from importlib.util import find_spec
from inspect import getattr_static
from types import ModuleType
from typing import Any, Final

_MOST_LOOKED_FOR: Final = 1000  # modules: names in a stranger's file cost no more than that
_ABSENT: Final = object()


class Finder:
    """Looks for names, and for each module once."""

    def __init__(self) -> None:
        self._modules: dict[str, str | None] = {}

    def why_missing(self, module: str, name: str) -> str | None:
        """Why a name is not found, in a few words; None where it is, or where nobody knows.

        >>> Finder().why_missing("sys", "Nothing"), Finder().why_missing("no_such_module", "Name")
        ('sys has no Nothing', 'there is no module no_such_module')
        """
        if module.endswith("…") or name.endswith("…"):  # cut off
            return None
        if module.endswith("\r") or name.endswith("\r"):  # of GLOBAL, whose names are lines
            return "the file went through text, which has changed its line ends"
        found = sys.modules.get(module)
        if found is not None:
            return _why_not_in(found, module, name)
        if module not in self._modules:
            if len(self._modules) >= _MOST_LOOKED_FOR:
                return None
            self._modules[module] = _why_no_module(module)
        return self._modules[module]


def _why_not_in(module: Any, module_name: str, name: str) -> str | None:
    """Of a module that is imported."""
    place, obj = module_name, module
    for part in name.split("."):
        if isinstance(obj, ModuleType):
            # Code may find more names than there are.
            if type(obj) is not ModuleType or "__getattr__" in vars(obj):
                return None
            inner = vars(obj).get(part, _ABSENT)
        elif type(obj) is type:
            inner = getattr_static(obj, part, _ABSENT)
        else:
            return None
        if inner is _ABSENT:
            if place == "__main__":
                return f"the program that runs has no {part}: it was in the one that wrote the file"
            return f"{place} has no {part}"
        place, obj = f"{place}.{part}", inner
    return None


def _why_no_module(module: str) -> str | None:
    """Of a module that is not imported."""
    package, _, rest = module.partition(".")
    try:
        if sys.modules.get(package) is not None:
            paths = getattr_static(sys.modules[package], "__path__", None)
        else:
            spec = find_spec(package)  # of a name without a dot: this imports nothing
            if spec is None:
                return f"there is no module {package}"
            paths = spec.submodule_search_locations
        return _why_no_part(package, rest.split("."), paths) if rest else None
    except Exception:  # of a finder: then nobody knows
        return None


def _why_no_part(package: str, parts: Iterable[str], paths: Any) -> str | None:
    """Of a module in a package, by its files. The package may have others by its own code."""
    for part in parts:
        full = f"{package}.{part}"
        if sys.modules.get(full) is not None:
            paths = getattr_static(sys.modules[full], "__path__", None)
        else:
            spec = None if paths is None else PathFinder.find_spec(full, list(paths))
            if spec is None:
                return f"{package} has no file for {full}"
            paths = spec.submodule_search_locations
        package = full
    return None
