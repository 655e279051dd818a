"""Facts about how the instances of a class are pickled and made; none of its code is called."""

from __future__ import annotations

import collections
import copyreg
import datetime as dt
import decimal
import fractions
import functools
import inspect
import ipaddress
import pathlib
import random
import types
from collections.abc import Callable
from types import FunctionType, MemberDescriptorType
from typing import Any, Final

from ..rules.reductions import ABSENT, find, mro_of

# Of these, __reduce__ says: call the class with a few arguments.
_CALLED: Final = (
    *(set, frozenset, bytearray, collections.deque, collections.defaultdict),
    *(collections.OrderedDict, collections.Counter, dt.date, dt.time),
    *(dt.datetime, dt.timedelta, dt.timezone, dt.tzinfo),
    *(decimal.Decimal, fractions.Fraction, pathlib.PurePath),
    *(types.SimpleNamespace, random.Random, functools.partial),
    *(ipaddress.IPv4Address, ipaddress.IPv6Address),
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


def wants_names(*functions: FunctionType | None) -> bool:
    """Whether one of the functions has an argument that goes by its name only."""
    for function in functions:
        if function is not None:
            try:
                parameters = inspect.signature(function).parameters.values()
            except (TypeError, ValueError):
                continue
            if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters):
                return True
    return False


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def is_frozen(cls: type) -> bool:
    """Whether a dataclass refuses that attributes are set."""
    for base in mro_of(cls):
        if "__setattr__" in vars(base):
            return bool(getattr(vars(base).get("__dataclass_params__"), "frozen", False))
    return False
