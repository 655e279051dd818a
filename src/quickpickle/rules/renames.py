"""Names in a pickle that stand for others: the `renames` of loads, and of policies.

The pickle is read as if it had the new names: a policy, a `find_class` and the names of Python 2
(`fix_imports`) come after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_EXAMPLE: Final = "such as {'old.module': 'new.module', 'old.module.Class': 'new.module.Other'}"


class Renames:
    """Old dotted names and the new ones. The longest name that fits is the one that counts.

    >>> Renames({"a": "b", "a.C": "d.E"})("a.x", "C"), Renames({"a": "b", "a.C": "d.E"})("a", "C.D")
    (('b.x', 'C'), ('d', 'E.D'))
    """

    __slots__ = ("_found", "_names", "_paths")

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._found: dict[tuple[str, str], tuple[str, str]] = {}
        self._paths: set[tuple[str, str]] = set()  # new names with dots

    def with_another(self, old: str, new: str) -> Renames:
        """These and one more, or one in the place of another."""
        return Renames({**self._names, old: new})

    def __call__(self, module: str, name: str) -> tuple[str, str]:
        """The module and the name to look for."""
        key = module, name
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(module, name)
        return found

    def _find(self, module: str, name: str) -> tuple[str, str]:
        old = f"{module}.{name}"
        while old not in self._names:
            old = old.rpartition(".")[0]
            if not old:
                return module, name
        new = self._names[old]
        if len(old) <= len(module):
            return new + module[len(old) :], name
        rest = name[len(old) - len(module) - 1 :]
        if ":" in new:
            module, _, name = new.partition(":")
        else:
            module, _, name = new.rpartition(".")
        if "." in name + rest:
            self._paths.add((module, name + rest))
        return module, name + rest

    def has_made(self, module: str, name: str) -> bool:
        """Whether this is a new name with dots, of a class in a class.

        Its parts are looked up one after the other, also below protocol 4, which has no such names.
        """
        return (module, name) in self._paths


def make_renames(
    renames: Mapping[str, str] | None, of_policy: Mapping[str, str] | None = None
) -> Renames | None:
    """Of the argument `renames`, which is checked, and of a policy; None where there are none.

    Where both have a name, that of the argument counts.
    """
    if renames is not None:
        check_renames(renames)
    names = {**(of_policy or {}), **(renames or {})}
    return Renames(names) if names else None


def check_renames(renames: Mapping[str, str], *, in_policy: bool = False) -> None:
    """Raise TypeError where this is no mapping of dotted names to dotted names, and ValueError
    where a name is none. Those of a policy have to be printable, as they are written to files.
    """
    if not isinstance(renames, Mapping):
        raise TypeError(f"renames must be a dict, {_EXAMPLE}, not {type(renames).__name__}")
    for old, new in renames.items():
        if not isinstance(old, str) or not isinstance(new, str):
            raise TypeError(f"renames must have names as str, {_EXAMPLE}")
        for name in (old, new):
            is_dotted = all(name.replace(":", ".", 1).split("."))
            if not is_dotted or (in_policy and not name.isprintable()):
                raise ValueError(f"renames has {name!r}, which is no dotted name: {_EXAMPLE}")
