"""Objects of classes that the user lists: how they are made and changed, and what is asked of them.

Methods are those of the class, never what the pickle has put into an object. The Guard calls some
of these functions on this module, or on what takes its place where nothing may run
(rules/policy_doubles.py): reduce, newobj, newobj_ex, instantiate, set_items, find_method,
attributes_of, shares_attributes, is_slot, set_slot.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from .errors import c_type_name
from .loading_errors import ABSENT
from .objects import instantiate, newobj, newobj_ex, reduce, set_items
from .policy import PolicyError

__all__ = ["instantiate", "newobj", "newobj_ex", "reduce", "set_items"]

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


# --- methods and states


def find_method(obj: Any, name: str) -> Any:
    """A method of an object's class; None where it has none."""
    cls = type(obj)
    found = definition_of(cls, name)[1]
    get = getattr(type(found), "__get__", None)
    return found if get is None else get(found, obj, cls)


def definition_of(cls: type, name: str) -> tuple[type | None, Any]:
    """The class that a method of another one comes from, and the method; None for none."""
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
        return base, found
    return None, None


def call_for_each(by: Any, obj: Any, name: str, items: list[Any]) -> None:
    """Call a method with each of the items."""
    method = by.find_method(obj, name)
    if method is None:
        raise AttributeError(f"'{c_type_name(type(obj))}' object has no attribute '{name}'")
    for item in items:
        method(item)


def set_state(by: Any, obj: Any, state: Any) -> None:
    """As objects.build, but what the pickle has put into the instance is never called."""
    cls = type(obj)
    setstate = by.find_method(obj, "__setstate__")
    if setstate is not None:
        setstate(state)
        return
    slots = ABSENT
    if type(state) is tuple and len(state) == 2:
        state, slots = state
    if state is not None:
        if type(state) is not dict:
            raise _refused("states", "a state that is no dict", cls)
        attributes = by.attributes_of(obj)
        if type(attributes) is not dict or count_of(attributes) > NEW_DICT:
            raise _shared(cls)
        intern = sys.intern
        for key, value in list(state.items()):
            attributes[intern(key) if type(key) is str else key] = value
    if slots is not ABSENT:
        if type(slots) is not dict:
            raise _refused("states", "slots that are no dict", cls)
        for key, value in list(slots.items()):
            if type(key) is not str or (
                key.startswith("__") and key.endswith("__") and not by.is_slot(obj, key)
            ):
                raise _refused("states", "a slot without a common name", cls)
            if not by.is_slot(obj, key) and by.shares_attributes(obj):
                raise _shared(cls)
            by.set_slot(obj, key, value)


def _shared(cls: type) -> PolicyError:
    return _refused("objects changed", f"the attributes of {article(cls)} are not its own", cls)


def _refused(rule: str, refused: str, cls: type) -> PolicyError:
    return PolicyError(refused, rule=rule, name=full_name(cls))


def attributes_of(obj: Any) -> Any:
    """The dict of an instance."""
    return object.__getattribute__(obj, "__dict__")


def shares_attributes(obj: Any) -> bool:
    """Whether somebody else has the dict of an instance too."""
    try:
        attributes = attributes_of(obj)
    except AttributeError:  # it has none
        return False
    return count_of(attributes) > NEW_DICT


def is_slot(obj: Any, name: str) -> bool:
    return is_slot_of(type(obj), name)


def is_slot_of(cls: type, name: str) -> bool:
    found = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    return type(found) is _Member


set_slot: Final = setattr
