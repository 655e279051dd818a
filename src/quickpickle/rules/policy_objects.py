"""Objects of classes that the user lists: how many hold them, their names, their own methods.

Nothing here asks an object itself, which may have been given anything by the pickle.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from .errors import c_type_name
from .loading_errors import ABSENT
from .policy import PolicyError

module_of: Final = vars(type)["__module__"].__get__
qualname_of: Final = vars(type)["__qualname__"].__get__
_Member: Final = type(vars(type("S", (), {"__slots__": ("slot",)}))["slot"])


# --- names


def full_name(cls: type) -> str:
    return f"{module_of(cls)}.{qualname_of(cls)}"


def article(cls: type) -> str:
    return f"an object of type {full_name(cls)}"


# --- references


def _no_count(obj: object) -> int:
    return 1 << 30


count_of: Final[Callable[[object], int]] = getattr(sys, "getrefcount", _no_count)


def _count_of_new() -> int:
    result = object()
    return count_of(result)


NEW: Final = _count_of_new() if count_of is not _no_count else 0


class _Sample:
    pass


def _count_of_new_dict() -> int:
    obj = _Sample()
    attributes = object.__getattribute__(obj, "__dict__")
    return count_of(attributes)


NEW_DICT: Final = _count_of_new_dict() if count_of is not _no_count else 1 << 30


def is_plainly_made(cls: type) -> bool:
    for base in cls.__mro__:
        if "__new__" in vars(base):
            return base is object
    return False


def find_method(obj: Any, name: str) -> Any:
    """A method of an object's class: never what was put into the instance under its name."""
    cls = type(obj)
    for base in cls.__mro__:
        found = vars(base).get(name, ABSENT)
        if found is ABSENT:
            continue
        if type(found) is _Member:
            raise PolicyError(
                f"{article(cls)} has a slot in the place of the method {name}",
                rule="calls",
                name=full_name(cls),
            )
        get = getattr(type(found), "__get__", None)
        return found if get is None else get(found, obj, cls)
    return None


def call_for_each(obj: Any, name: str, items: list[Any]) -> None:
    method = find_method(obj, name)
    if method is None:
        raise AttributeError(f"'{c_type_name(type(obj))}' object has no attribute '{name}'")
    for item in items:
        method(item)


def is_slot(cls: type, name: str) -> bool:
    found = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    return type(found) is _Member
