"""Classes and functions that the tests list in a policy, or do not."""

from __future__ import annotations

import enum
import os  # noqa: F401  # an attribute that leads elsewhere
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any, ClassVar

CALLS: list[Any] = []
REGISTRY: dict[str, Any] = {}
ORDERED: OrderedDict[str, Any] = OrderedDict()


class Plain:
    class Inner:
        pass


class Other:
    pass


class Slots:
    __slots__ = ("__weakref__", "a", "b")


@dataclass
class Data:
    a: int
    b: str = ""


@dataclass(frozen=True)
class Frozen:
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class FrozenSlots:
    left: Any
    right: Any


class SetsState:
    def __setstate__(self, state: Any) -> None:
        self.state = state


class Bytes(bytes):
    pass


class Int(int):
    pass


class List(list):
    pass


class Dict(dict):
    pass


class Set(set):
    pass


class Ordered(OrderedDict):
    pass


class Zone(tzinfo):
    def utcoffset(self, moment: Any) -> timedelta:
        return timedelta(hours=1)

    def dst(self, moment: Any) -> None:
        return None


Point = namedtuple("Point", "x y")


class Color(enum.Enum):
    RED = 1
    BLUE = "blue"


class Flags(enum.IntFlag):
    A = 1
    B = 2


class Single:
    """Whose `__new__` returns the only instance."""

    def __new__(cls) -> Single:
        return SINGLE


SINGLE: Any = object.__new__(Single)


class Prefilled:
    """Whose instances have attributes before they get a state."""

    def __new__(cls) -> Prefilled:
        self = super().__new__(cls)
        vars(self)["z"] = 1
        return self


class Borg:
    """Whose instances share their attributes."""

    shared: ClassVar[dict[str, Any]] = {}

    def __new__(cls) -> Borg:
        self = super().__new__(cls)
        self.__dict__ = cls.shared
        return self


class Sinks:
    """Looks for methods in what it has, as proxies do."""

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self)["inner"][name]
        except KeyError:
            raise AttributeError(name) from None


class Sneaky:
    __slots__ = ("append",)


def single() -> Any:
    return SINGLE


def registry() -> Any:
    return REGISTRY


def the_class() -> Any:
    return Plain


def new_list() -> list[Any]:
    return [1]


def called(*args: Any) -> Any:
    CALLS.append(args)
    return len(args)


DEFAULT = Plain()
