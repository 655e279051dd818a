"""Facts about the instances of a class, read from its code, none of which is called.

A fact is sure, or it is not stated: the effect of a function behind its first branch is not known.
"""

from __future__ import annotations

import collections
import copyreg
import datetime as dt
import decimal
import dis
import fractions
import inspect
import pathlib
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any, Final

from ..rules.reductions import ABSENT, find, mro_of

# These `except` clauses may catch the error of an attribute that is not there.
_CATCHING: Final = {
    *("AttributeError", "Exception", "BaseException", "RecursionError", "RuntimeError"),
}
# Of these, __reduce__ says: call the class with a few arguments.
_CALLED: Final = (
    *(set, frozenset, bytearray, collections.deque, collections.defaultdict),
    *(collections.OrderedDict, collections.Counter, dt.date, dt.time),
    *(dt.datetime, dt.timedelta, dt.timezone, dt.tzinfo),
    *(decimal.Decimal, fractions.Fraction, pathlib.PurePath),
)
# Of these, __getnewargs__ gives the value alone.
_VALUES: Final = (str, bytes, int, float, complex, tuple)


def is_reduced_by_object(cls: type) -> bool:
    """Whether instances are pickled as object has it: the class, a state, and items."""
    return cls not in copyreg.dispatch_table and all(
        find(cls, name) is find(object, name) for name in ("__reduce_ex__", "__reduce__")
    )


def is_reduced_to_a_call(cls: type) -> bool:
    """Whether instances are pickled as a call of their class, as a type of Python's has it."""
    names = ("__reduce_ex__", "__reduce__")
    return cls not in copyreg.dispatch_table and any(
        issubclass(cls, base) and all(find(cls, name) is find(base, name) for name in names)
        for base in _CALLED
    )


def has_plain_state(cls: type) -> bool:
    """Whether the attributes are the state, and are set one by one."""
    plain = find(cls, "__getstate__") is find(object, "__getstate__")
    return plain and find(cls, "__setstate__") is ABSENT


def slot_names(cls: type) -> list[str]:
    """The names of the slots of a class and its bases, as they are pickled."""
    return list(copyreg._slotnames(cls))  # type: ignore[attr-defined]


def attributes_of(obj: Any) -> dict[str, Any]:
    """The attributes that are pickled as the state; none of the user's code is asked."""
    cls = type(obj)
    attributes: dict[str, Any] = {}
    if find(cls, "__dict__") is not ABSENT:
        held = object.__getattribute__(obj, "__dict__")
        attributes = dict(held) if isinstance(held, dict) else {}
    for name in slot_names(cls):
        slot = find(cls, name)
        if type(slot) is MemberDescriptorType:
            try:
                attributes[name] = slot.__get__(obj)
            except AttributeError:
                continue
    return attributes


def function_of(cls: type, name: str) -> FunctionType | None:
    """The function in Python that a class has under a name."""
    found = find(cls, name)
    if type(found) is staticmethod:
        found = found.__func__
    return found if type(found) is FunctionType else None


def new_arguments(cls: type) -> int | None:
    """With how many arguments a load calls __new__; None where the class decides."""
    if find(cls, "__getnewargs_ex__") is not ABSENT:
        return None
    given = find(cls, "__getnewargs__")
    if given is ABSENT:
        return 0
    return 1 if any(find(base, "__getnewargs__") is given for base in _VALUES) else None


def takes(*functions: FunctionType | None) -> Callable[[int], bool]:
    """Whether all of the functions can be called with `self` and so many other arguments."""
    signatures = []
    for function in functions:
        if function is not None:
            try:
                signatures.append(inspect.signature(function))
            except (TypeError, ValueError):
                continue
    known: dict[int, bool] = {}

    def answer(count: int) -> bool:
        if count not in known:
            known[count] = all(_binds(signature, count + 1) for signature in signatures)
        return known[count]

    return answer


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def needs_attribute(cls: type, name: str) -> bool:
    """Whether a method in Python, whatever it is called with, first asks for an attribute of the
    instance that a new one does not have, and lets the error out."""
    function = function_of(cls, name)
    if function is None or function_of(cls, "__new__") is not None:
        return False  # what is made by a __new__ may have it
    asks_others = name != "__getattr__" and find(cls, "__getattr__") is not ABSENT
    if asks_others or function_of(cls, "__getattribute__") is not None:
        return False
    for instruction, on_self in _beginning(function.__code__):
        if on_self and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOOKUP_METHOD"):
            found = find(cls, instruction.argval)
            if found is ABSENT or type(found) is MemberDescriptorType:
                return not _may_catch(function.__code__)
            if type(found) is not FunctionType:
                return False  # a property may do anything
    return False


def _may_catch(code: CodeType) -> bool:
    """Whether a function may catch the error of an attribute that is not there."""
    before: list[Any] = []  # the names that were loaded last
    handlers = checks = 0
    for instruction in dis.get_instructions(code):
        handlers += instruction.opname == "PUSH_EXC_INFO"
        if instruction.opname == "CHECK_EXC_MATCH":
            checks += 1
            if not _CATCHING.isdisjoint(before[-4:]):
                return True
        elif instruction.opname.startswith("LOAD_"):
            before.append(instruction.argval)
    return handlers > checks  # a bare `except`, `finally` or `with`


def always_raises(function: FunctionType | None) -> bool:
    """Whether a function does nothing but to raise an exception."""
    if function is None:
        return False
    return any(one.opname == "RAISE_VARARGS" for one, _ in _beginning(function.__code__))


def _beginning(code: CodeType) -> Iterator[tuple[dis.Instruction, bool]]:
    """The instructions up to the first branch, and whether each is about the first argument.

    A `with` or `try` counts as a branch where it shows.
    """
    if not code.co_argcount:
        return
    first = code.co_varnames[0]
    is_first = False
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if "JUMP" in name or name in ("FOR_ITER", "SETUP_FINALLY", "BEFORE_WITH", "SEND"):
            return
        if name.startswith("RETURN_V") or name == "RETURN_CONST":
            return
        yield instruction, is_first
        if name in ("COPY", "DUP_TOP"):
            continue
        last = (
            instruction.argval[-1:] if type(instruction.argval) is tuple else (instruction.argval,)
        )
        is_first = name.startswith("LOAD_FAST") and last == (first,)


def is_frozen(cls: type) -> bool:
    """Whether a dataclass refuses that attributes are set."""
    for base in mro_of(cls):
        if "__setattr__" in vars(base):
            return bool(getattr(vars(base).get("__dataclass_params__"), "frozen", False))
    return False
