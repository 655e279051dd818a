"""The arguments of classes that the user lists: sizes, where a type of C takes them."""

from __future__ import annotations

from enum import EnumMeta, Flag
from typing import Any

from .policy_names import PLAIN, VALUES
from .policy_objects import full_name


def owner_of(cls: type, name: str) -> type | None:
    """The type of C with a check whose `__new__` or `__init__` the class has, if that is one."""
    for base in cls.__mro__:
        if name in vars(base):
            return base if base in VALUES or full_name(base) in PLAIN else None
    return None


def complaint_of(
    guard: Any, base: type, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    """The complaint about arguments that a type of C gets by a class derived from it."""
    if base is object:
        return None
    if kwargs:
        return f"keywords for {base.__name__}"
    if not args:
        return None
    rule = PLAIN.get(full_name(base))
    if base in VALUES and base is not complex:
        if len(args) == 1 and (
            type(args[0]) is base
            or (base in (set, frozenset, tuple, list) and type(args[0]) in (list, tuple))
            or (base is float and type(args[0]) is int)
        ):
            if base in (set, frozenset):
                guard.weigh(args[0])
            return None
        return f"what is no {base.__name__}"
    if rule is None or rule.call is None:
        return None
    return rule.call(guard, args)


def enum_complaint(cls: EnumMeta, args: tuple[Any, ...], is_called: bool) -> str | None:
    """Members are found by their value, and none is made."""
    if not is_called or len(args) != 1:
        return "more than a value"
    if issubclass(cls, Flag):
        if type(args[0]) is not int:
            return "a value that is no int"
        known = 0
        for member in cls.__members__.values():
            known |= member.value
        # A value with other bits would become a member, and stay.
        if args[0] < 0 or args[0] & ~known:
            return "a value of no member"
    return None


def is_endless(values: Any) -> bool:
    return any(type(value) is range and _is_long(value) for value in values)


def _is_long(value: range) -> bool:
    try:
        return len(value) > 1_000_000
    except OverflowError:
        return True
