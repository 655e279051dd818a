"""Instances of classes of every usual kind, and of types of the standard library."""

from __future__ import annotations

import ast
import bisect
import enum
import heapq
import inspect
import queue
import random
import shlex
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from workloads.workload import word, workload

# --- The classes. They are at module level, to be found by their names.


@dataclass
class Point:
    """The kind of object that most programs pickle: its state is its __dict__."""

    x: int
    y: float
    label: str


@dataclass(slots=True)
class SlotsPoint:
    """State by way of copyreg: a pair of None and a dict of the slots."""

    x: int
    y: float
    label: str


@dataclass(frozen=True)
class FrozenPoint:
    """Pickled as Point is: the unpickler does not go through __setattr__."""

    x: int
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class FrozenSlotsPoint:
    """Has a __getstate__ written in Python, which dataclasses adds."""

    x: int
    y: float
    label: str


class NamedPoint(NamedTuple):
    """Has a __getnewargs__ written in Python, which namedtuple adds."""

    x: int
    y: float
    label: str


class Session:
    """Leaves a member out of its state, as objects with locks, files or caches do."""

    def __init__(self, user: str, visits: int) -> None:
        self.user = user
        self.visits = visits
        self.cache: dict[str, str] = {}

    def __getstate__(self) -> dict[str, object]:
        state = self.__dict__.copy()
        del state["cache"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.cache = {}


class Money:
    """Says itself how it is rebuilt, as classes with a constructor do that always has to run."""

    def __init__(self, cents: int, currency: str) -> None:
        self.cents = cents
        self.currency = currency

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return Money, (self.cents, self.currency)


@dataclass
class Department:
    """A member that many employees share."""

    name: str
    floor: int


@dataclass
class Employee:
    """Shares its department, manager and skills with others."""

    name: str
    department: Department
    manager: Employee | None
    skills: list[str]


class Node:
    """A node of a tree that knows its parent: every edge is a cycle."""

    def __init__(self, value: int, parent: Node | None) -> None:
        self.value = value
        self.parent = parent
        self.children: list[Node] = []


class Color(enum.Enum):
    """A few members, used over and over."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Level(enum.IntEnum):
    """The same, with integers."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass
class Order:
    """A bit of everything."""

    number: int
    customer: str
    placed: datetime
    total: Decimal
    lines: list[tuple[str, int, float]]
    tags: set[int] = field(default_factory=set)


# --- Instances


def _points(make: Callable[[int, float, str], object], count: int) -> list[object]:
    rng = random.Random(0)
    return [make(rng.randrange(1000), rng.random(), word(rng)) for _ in range(count)]


@workload("instances")
def dataclasses() -> object:
    """8,000 instances of a dataclass."""
    return _points(Point, 8000)


@workload("instances")
def dataclasses_slots() -> object:
    """5,000 instances of a dataclass with slots."""
    return _points(SlotsPoint, 5000)


@workload("instances")
def dataclasses_frozen() -> object:
    """8,000 instances of a frozen dataclass."""
    return _points(FrozenPoint, 8000)


@workload("instances")
def dataclasses_frozen_slots() -> object:
    """5,000 instances of a frozen dataclass with slots."""
    return _points(FrozenSlotsPoint, 5000)


@workload("instances")
def namedtuples() -> object:
    """8,000 instances of a namedtuple."""
    return _points(NamedPoint, 8000)


@workload("instances")
def getstate_instances() -> object:
    """8,000 instances of a class with a __getstate__ in Python."""
    rng = random.Random(0)
    return [Session(word(rng), rng.randrange(1000)) for _ in range(8000)]


@workload("instances")
def reduce_instances() -> object:
    """8,000 instances of a class with a __reduce__ in Python."""
    rng = random.Random(0)
    currencies = ("EUR", "USD", "JPY")
    return [Money(rng.randrange(10**6), rng.choice(currencies)) for _ in range(8000)]


def make_departments(rng: random.Random) -> list[Department]:
    return [Department(word(rng), rng.randrange(20)) for _ in range(50)]


@workload("instances")
def shared_members() -> object:
    """6,000 instances that share departments, managers and skills."""
    rng = random.Random(0)
    departments = make_departments(rng)
    skills = [word(rng) for _ in range(200)]

    def employ(manager: Employee | None) -> Employee:
        return Employee(word(rng), rng.choice(departments), manager, rng.sample(skills, 5))

    managers = [employ(None) for _ in range(100)]
    return managers + [employ(rng.choice(managers)) for _ in range(5900)]


@workload("instances")
def tree_with_parents() -> object:
    """A binary tree of 8,191 instances, each with a reference to its parent."""

    def grow(value: int, parent: Node | None) -> Node:
        node = Node(value, parent)
        if value < 2**12:
            node.children = [grow(2 * value, node), grow(2 * value + 1, node)]
        return node

    return grow(1, None)


@workload("instances")
def orders() -> object:
    """2,000 instances that hold a bit of everything: what an application might store."""
    rng = random.Random(0)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return [
        Order(
            number,
            word(rng),
            start + timedelta(seconds=rng.randrange(10**8)),
            Decimal(rng.randrange(10**6)) / 100,
            [(word(rng), rng.randint(1, 9), rng.random()) for _ in range(3)],
            {rng.randrange(100) for _ in range(3)},
        )
        for number in range(2000)
    ]


# --- Types of the standard library


@workload("standard library")
def datetimes() -> object:
    """12,000 datetimes: naive, in UTC and in another time zone."""
    rng = random.Random(0)
    zones = (None, UTC, timezone(timedelta(hours=5, minutes=30)))
    starts = [datetime(2000, 1, 1, tzinfo=zone) for zone in zones]
    return [
        rng.choice(starts) + timedelta(microseconds=rng.randrange(10**15)) for _ in range(12_000)
    ]


@workload("standard library")
def dates() -> object:
    """12,000 dates."""
    rng = random.Random(0)
    return [date.fromordinal(rng.randint(700_000, 740_000)) for _ in range(12_000)]


@workload("standard library")
def decimals() -> object:
    """10,000 Decimals with two places."""
    rng = random.Random(0)
    return [Decimal(rng.randrange(10**8)) / 100 for _ in range(10_000)]


@workload("standard library")
def uuids() -> object:
    """5,000 UUIDs."""
    rng = random.Random(0)
    return [UUID(int=rng.getrandbits(128), version=4) for _ in range(5000)]


@workload("standard library")
def enums() -> object:
    """40,000 pairs of members of an Enum and an IntEnum."""
    rng = random.Random(0)
    return list(
        zip(rng.choices(list(Color), k=40_000), rng.choices(list(Level), k=40_000), strict=True)
    )


@workload("standard library")
def syntax_trees() -> object:
    """The syntax trees of five modules of the standard library (of the running Python's)."""
    modules = (bisect, heapq, queue, shlex, textwrap)
    return [ast.parse(inspect.getsource(module)) for module in modules]
