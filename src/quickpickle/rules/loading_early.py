"""Hints for objects that a load asks for something before they have their attributes.

A load makes an object without `__init__`, and asks its `__getattr__` for `__setstate__`; it puts it
into a set or dict that is in its own state; and it gives it its items before its attributes. None
of the objects' code is run here: what they have by then is read from their dicts and slots.
"""

from __future__ import annotations

from types import FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

from .hints import full_name
from .load_facts import Facts, message_of
from .reductions import ABSENT, dict_of, find, mro_of
from .versions import HEAP_TYPE

_flags_of: Final = type.__dict__["__flags__"].__get__

_LOOKED_AT: Final = 100  # frames at the end of an endless recursion
_ABSENCES: Final = (AttributeError, KeyError)  # of attributes, by their names or in __dict__
_ADDERS: Final = {"append", "extend", "add", "update", "__setitem__"}
_ADDING: Final = {"APPEND", "APPENDS", "ADDITEMS", "SETITEM", "SETITEMS"}

_GUARD: Final = (
    'let it raise AttributeError for names that begin with "__", and for the attributes that it '
    "uses."
)


def of_recursion(frames: list[Any]) -> str | None:
    """A `__getattr__` that is asked for an attribute while it looks for the same one."""
    asked: list[tuple[Any, Any, Any]] = []
    for frame in frames[-_LOOKED_AT:]:
        if frame.f_code.co_name == "__getattr__":
            asked.append((frame.f_code, *_first_two(frame)))
    if len(asked) < 3:
        return None
    code, obj, name = asked[-1]
    again = [one for one in asked if one[0] is code and one[1] is obj and one[2] == name]
    if type(name) is not str or len(again) < 2:
        return None
    return (
        "A __getattr__ asks for an attribute that a new object does not have yet, and so calls "
        f"itself: {_GUARD}"
    )


def _first_two(frame: Any) -> tuple[Any, Any]:
    """The first two arguments of a function that runs; a name that is no str is none."""
    obj, name = (_argument(frame, number) for number in (0, 1))
    return obj, name if type(name) is str else None


def _argument(frame: Any, number: int) -> Any:
    code = frame.f_code
    if number >= code.co_argcount:
        return ABSENT
    return frame.f_locals.get(code.co_varnames[number], ABSENT)


def of_getattr(error: Exception, facts: Facts, frames: list[Any]) -> str | None:
    """A `__getattr__` that does not raise AttributeError where it is asked for `__setstate__`."""
    if facts.target is ABSENT or isinstance(error, AttributeError):
        return None
    cls = type(facts.target)
    getter = find(cls, "__getattr__")
    if getter is ABSENT or find(cls, "__setstate__") is not ABSENT:
        return None
    name = full_name(cls)
    if not frames:
        if type(getter) is FunctionType:
            message = message_of(error)
            if not isinstance(error, TypeError) or "object is not callable" not in message:
                return None
            return (
                f"A load asks {name}.__getattr__ for __setstate__, and it answers with what is no "
                f"method: {_GUARD}"
            )
        is_asked = error.args == ("__setstate__",)
    else:
        is_own = type(getter) is FunctionType and frames[0].f_code is getter.__code__
        is_asked = is_own and _first_two(frames[0])[1] == "__setstate__"
    if not is_asked:
        return None
    return (
        f"A load asks {name}.__getattr__ for __setstate__ before the object has its attributes, "
        f"and it raises {type(error).__name__}: {_GUARD}"
    )


def of_hash(error: Exception, frames: list[Any]) -> str | None:
    """An object whose hash or equality is asked for before it has its attributes."""
    if type(error) not in _ABSENCES:
        return None
    for frame in frames:
        method = frame.f_code.co_name
        if method == "__hash__":
            if not _is_empty(_argument(frame, 0)) and not _is_empty(getattr(error, "obj", None)):
                continue
        elif method != "__eq__" or not any(_is_empty(_argument(frame, i)) for i in (0, 1)):
            continue
        return (
            "An object is in a set, or a key of a dict, to which it leads itself, so its "
            f"{method} is called before it has its attributes: let __reduce__ give what is "
            f"{'hashed' if method == '__hash__' else 'compared'} to __new__ or __init__."
        )
    return None


def of_items(error: Exception, facts: Facts, frames: list[Any]) -> str | None:
    """A container whose own methods use attributes that it does not have yet."""
    if facts.opcode not in _ADDING or type(error) not in _ABSENCES or not frames:
        return None
    method = frames[0].f_code.co_name
    obj = _argument(frames[0], 0)
    if method not in _ADDERS or not _is_empty(obj):
        return None
    return (
        f"{full_name(type(obj))} gets its items before its attributes, so its {method}() finds "
        "none: let __reduce__ give the items to the class, as an argument."
    )


def _is_empty(obj: Any) -> bool:
    """Whether an object of a class of somebody's has none of its attributes."""
    if obj is ABSENT or isinstance(obj, type):
        return False
    has_place = False
    for base in mro_of(type(obj)):
        for name, descriptor in dict_of(base).items():
            if type(descriptor) is MemberDescriptorType and _flags_of(base) & HEAP_TYPE:
                has_place = True
                try:
                    descriptor.__get__(obj)
                except AttributeError:
                    continue
                return False
            if name == "__dict__" and type(descriptor) is GetSetDescriptorType:
                has_place = True
                if descriptor.__get__(obj):
                    return False
    return has_place
