"""Small classes whose instances the tests pickle, where any class of their kind will do.

A test that changes its class, or that needs to know how an attribute got into an instance, has a
class of its own. So have the tests of plans and of re-entrance: what the compiled implementation
remembers of a class, and what the interpreter does, would otherwise depend on the tests before.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Plain:
    def __init__(self, **attributes: object) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)


class Slots:
    __slots__ = ("first", "second")


class SlotsAndDict(Slots):
    pass


@dataclass
class Data:
    first: Any
    second: Any = None
    third: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class SlotsData:
    first: Any
    second: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class FrozenData:
    first: Any
    second: Any = None


@dataclass
class DataPoint:
    x: int
    y: object = None


Point = collections.namedtuple("Point", "x y")


class ListSub(list):
    pass


class DictSub(dict):
    pass


class TupleSub(tuple):
    pass


class SetSub(set):
    pass


class FrozensetSub(frozenset):
    pass


class StrSub(str):
    pass


class Color(enum.Enum):
    RED = 1
    GREEN = (1, 2)


class Flags(enum.Flag):
    A = 1
    B = 2


class GetState:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __getstate__(self) -> dict[str, Any]:
        return {"wrapped": (self.value,)}


class NewArgs:
    def __new__(cls, *args: Any, **kwargs: Any) -> NewArgs:
        self = object.__new__(cls)
        self.new_args, self.new_kwargs = args, kwargs
        return self

    def __getnewargs_ex__(self) -> Any:
        return self.new_args, self.new_kwargs


class Reduced:
    """Rebuilt by a call of its class, with arguments that may lead back to it."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __reduce__(self) -> Any:
        return Reduced, self.args


class Call:
    """Is pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


class ReducedWithItems:
    """Rebuilt from arguments, with state, list items and dict items."""

    def __init__(self, *args: Any) -> None:
        self.args = args
        self.listed: list[Any] = []
        self.mapped: dict[Any, Any] = {}

    def append(self, item: Any) -> None:
        self.listed.append(item)

    def extend(self, items: Any) -> None:
        self.listed.extend(items)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.mapped[key] = value

    def __reduce__(self) -> Any:
        state = {"args": self.args} if len(self.args) % 2 else None
        return ReducedWithItems, self.args, state, iter(self.listed), iter(self.mapped.items())


class Act:
    """Calls a function when it is reduced."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __reduce__(self) -> Any:
        self.action()
        return int, ()


class Endless:
    """Has a reduction without end."""

    def __reduce__(self) -> Any:
        return Endless, (Endless(),)
