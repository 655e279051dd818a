"""Which parts of an object do not load, or come back different: for diagnose(round_trip=True)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from .. import _implementation
from ..rules.reductions import ABSENT, find
from ..rules.steps import ATTRIBUTE, ITEM, KEY, MEMBER, VALUE, Step
from ..rules.tracebacks import drop_frames
from .checks import (
    GETATTR,
    HASH,
    ITEMS,
    NEW,
    SLOTS,
    advice_of,
    advice_of_exceptions,
    is_made_of_args,
)
from .classes import function_of, is_reduced_by_object

_DIFFERENT: Final = (
    "It comes back different: its pickle is not that of what is loaded from it. See its "
    "__reduce__, __getstate__ and __setstate__."
)
_OTHER_TYPE: Final = "It comes back as another type, {0}."
_args_of: Final = vars(BaseException)["args"].__get__
_SETSTATE: Final = "Its __setstate__ has failed, which gets what __getstate__ has returned."


class Fault(NamedTuple):
    """A part that fails, and the steps that lead to it."""

    steps: list[Step]
    obj: Any
    error: Exception | None
    hint: str | None


def find_faults(root: Any, protocol: int) -> Iterator[Fault]:
    """The innermost parts of an object that pickle, and do not load or come back different.

    Whatever is inside a part that comes back as it was is not looked at.
    """
    seen: set[int] = set()
    # The parts on the way, each with its members still to come and whether one of them failed.
    way: list[_Part] = []
    part = _try(root, None, protocol)
    while True:
        if part is not None and id(part.obj) not in seen:
            seen.add(id(part.obj))
            way.append(part)
        part = None
        if not way:
            return
        step = next(way[-1].members, None)
        if step is not None:
            if id(step.child) not in seen:
                part = _try(step.child, step, protocol)
            continue
        steps = [one.step for one in way if one.step is not None]
        done = way.pop()
        if done.is_fault and not done.has_inner:
            yield Fault(steps, done.obj, done.error, done.hint)
        if way and (done.is_fault or done.has_inner):
            way[-1].has_inner = True


class _Part:
    __slots__ = ("error", "has_inner", "hint", "is_fault", "members", "obj", "step")

    def __init__(self, obj: Any, step: Step | None) -> None:
        self.obj = obj
        self.step = step
        self.members = _members(obj)
        self.has_inner = False
        self.is_fault = True
        self.error: Exception | None = None
        self.hint: str | None = None


def _try(obj: Any, step: Step | None, protocol: int) -> _Part | None:
    """The part, if it does not come back as it was."""
    part = _Part(obj, step)
    try:
        data = _implementation.dumps(obj, protocol)
        before = _implementation.dumps(obj, protocol, deterministic=True)
    except MemoryError:
        raise
    except Exception:  # the walk tells of it
        part.is_fault = False
        return part
    try:
        copy = _implementation.loads(data)
        after = _implementation.dumps(copy, protocol, deterministic=True)
    except MemoryError:
        raise
    except Exception as error:
        drop_frames(error)
        part.hint = _hint(obj, error, protocol)
        part.error = error.with_traceback(None)
        return part
    if type(copy) is not type(obj):
        part.hint = _OTHER_TYPE.format(type(copy).__qualname__)
    elif before != after:
        part.hint = _DIFFERENT
        if isinstance(obj, BaseException) and _has_other_args(obj, copy, protocol):
            part.hint = advice_of_exceptions(type(obj))
    else:
        return None
    return part


def _hint(obj: Any, error: Exception, protocol: int) -> str | None:
    """The advice about an object that does not load."""
    cls = type(obj)
    names = _functions_of(error)  # before the frames go
    hint = advice_of(obj, protocol)
    if hint is not None:
        return hint
    if "__getattr__" in names or _has_no_method(cls, error, names):
        return GETATTR
    if "__hash__" in names:
        return HASH
    if "__setattr__" in names:
        return SLOTS
    for name in ("__setitem__", "extend", "append"):
        if name in names and isinstance(obj, (dict, list)):
            return ITEMS.format(name)
    if issubclass(cls, BaseException) and (isinstance(error, TypeError) or "__init__" in names):
        return advice_of_exceptions(cls)
    if isinstance(error, TypeError) and "__new__" in str(error):
        return NEW
    return _SETSTATE if "__setstate__" in names else None


def _has_no_method(cls: type, error: Exception, names: set[str]) -> bool:
    """Whether a load has asked __getattr__ for a __setstate__, and did not get one."""
    if find(cls, "__getattr__") is ABSENT or find(cls, "__setstate__") is not ABSENT:
        return False
    if isinstance(error, KeyError):
        return error.args == ("__setstate__",)
    is_call = type(error) is TypeError and str(error).endswith("object is not callable")
    return is_call and not names and is_reduced_by_object(cls)


def _has_other_args(error: Any, copy: Any, protocol: int) -> bool:
    """Whether the code of its class has changed the args of an exception that was loaded."""
    cls = type(error)
    has_code = function_of(cls, "__init__") or function_of(cls, "__new__")
    if not has_code or not is_made_of_args(cls):
        return False
    held, made = (_args_of(one) for one in (error, copy))
    try:
        loaded = _implementation.loads(_implementation.dumps(held, protocol))
        before, after = (
            _implementation.dumps(one, protocol, deterministic=True) for one in (loaded, made)
        )
    except MemoryError:
        raise
    except Exception:  # one of its args does not load, which is another fault
        return False
    return before != after


def _functions_of(error: Exception) -> set[str]:
    """The names of the functions in which an exception was."""
    names = set()
    traceback = error.__traceback__
    while traceback is not None:
        names.add(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return names


def _members(obj: Any) -> Iterator[Step]:
    """The steps to what an object holds."""
    cls = type(obj)
    if cls in (list, tuple):
        for number, item in enumerate(obj):
            yield Step(ITEM, item, number)
    elif cls is dict:
        for number, (key, value) in enumerate(list(obj.items())):
            yield Step(KEY, key, number)
            yield Step(VALUE, value, number, key)
    elif cls in (set, frozenset):
        for number, member in enumerate(list(obj)):
            yield Step(MEMBER, member, number)
    else:
        attributes = getattr(obj, "__dict__", None)
        for name, value in list(attributes.items()) if type(attributes) is dict else ():
            yield Step(ATTRIBUTE, value, None, name)
        for base in cls.__mro__:
            for name in _slots(base):
                value = getattr(obj, name, ABSENT)
                if value is not ABSENT:
                    yield Step(ATTRIBUTE, value, None, name)


def _slots(cls: type) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in ("__dict__", "__weakref__")]
