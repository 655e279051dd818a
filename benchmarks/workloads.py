"""The objects that are pickled in the benchmarks: one function for each, all of them in WORKLOADS.

Every function builds its object anew, from a random.Random(0) of its own, so it comes out the
same whatever ran before. Most take the standard library's C pickler 2 to 20 ms; pyperformance's
and the last few are small, because there the fixed costs of a dump are what counts.

The sizes of large containers are no multiples of 1000 (the length of a batch), nor one more:
there the two picklers of the standard library write different bytes.
"""

from __future__ import annotations

import ast
import bisect
import enum
import heapq
import inspect
import queue
import random
import shlex
import string
import textwrap
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

Workload = Callable[[], object]

WORKLOADS: Final[dict[str, Workload]] = {}


def _workload(function: Workload) -> Workload:
    WORKLOADS[function.__name__] = function
    return function


def _text(rng: random.Random, shortest: int, longest: int, alphabet: str) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(shortest, longest)))


def _word(rng: random.Random) -> str:
    return _text(rng, 4, 12, string.ascii_lowercase)


# --- The classes of the instances below. They are at module level, to be found by their names.


@dataclass
class Point:
    """What most programs pickle: an instance whose state is its __dict__."""

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


# --- Objects of the kind and size that pyperformance's pickle benchmark uses


def _profile(rng: random.Random) -> dict[str, Any]:
    return {
        "account": rng.randrange(10**9),
        "active": True,
        "avatar": None,
        "badges": [rng.randrange(10_000) for _ in range(6)],
        "bio": "",
        "born": date(1980, 1, 1) + timedelta(days=rng.randrange(9000)),
        "city": _word(rng),
        "country": "PT",
        "email": f"{_word(rng)}@example.org",
        "first_name": _word(rng),
        "followers": rng.randrange(5000),
        "following": rng.randrange(500),
        "groups": 0,
        "id": rng.randrange(2**31),
        "language": "pt_PT",
        "last_login": rng.randrange(2**31),
        "last_name": _word(rng),
        "likes": rng.randrange(100),
        "messages": 0,
        "nickname": "",
        "options": rng.randrange(2**40),
        "photos": 12,
        "postcode": "1100-148",
        "rating": 0,
        "session": _text(rng, 11, 11, string.ascii_letters),
        "status": "single",
        "street": "",
        "timezone": 1,
        "visits": rng.randrange(1000),
    }


@_workload
def pyperformance_record() -> object:
    """A dict of 29 short strings and numbers (there: DICT)."""
    return _profile(random.Random(0))


@_workload
def pyperformance_tuple() -> object:
    """A tuple of a list of 270 integers and a number (there: TUPLE)."""
    rng = random.Random(0)
    return [rng.randrange(2**31) for _ in range(270)], 60


@_workload
def pyperformance_record_group() -> object:
    """Three such dicts in a list (there: DICT_GROUP)."""
    rng = random.Random(0)
    return [_profile(rng) for _ in range(3)]


@_workload
def pyperformance_list() -> object:
    """Lists of small integers in lists of two in a list of ten (there: pickle_list)."""
    return [[[*range(10)] for _ in range(2)] for _ in range(10)]


@_workload
def pyperformance_dict() -> object:
    """A hundred dicts of ten integers and None in a dict (there: pickle_dict)."""
    return {start: dict.fromkeys(range(start, start + 10)) for start in range(100)}


# --- Atoms


@_workload
def small_ints() -> object:
    """300,000 integers of one byte."""
    rng = random.Random(0)
    return [rng.randrange(256) for _ in range(300_000)]


@_workload
def ints_32_bit() -> object:
    """200,000 integers of 32 bits, half of them negative."""
    rng = random.Random(0)
    return [rng.randrange(-(2**31), 2**31) for _ in range(200_000)]


@_workload
def big_ints() -> object:
    """30,000 integers of 64 to 512 bits."""
    rng = random.Random(0)
    return [rng.choice((-1, 1)) * rng.getrandbits(rng.randint(64, 512)) for _ in range(30_000)]


@_workload
def floats() -> object:
    """200,000 floats."""
    rng = random.Random(0)
    return [rng.uniform(-1e6, 1e6) for _ in range(200_000)]


@_workload
def bools_and_none() -> object:
    """300,000 times True, False or None."""
    return random.Random(0).choices((True, False, None), k=300_000)


@_workload
def ascii_strings() -> object:
    """50,000 distinct strings of up to 40 ASCII characters."""
    rng = random.Random(0)
    return [_text(rng, 5, 40, string.ascii_letters + string.digits) for _ in range(50_000)]


@_workload
def non_ascii_strings() -> object:
    """30,000 distinct strings of up to 40 Latin, Cyrillic, Chinese and emoji characters."""
    rng = random.Random(0)
    alphabets = ("abcdeéüñßø", "абвгдежзик", "的一是不了人我在有他", "😀😁🚀🌍🎉🔥💡🎈📦🧪")
    return [_text(rng, 5, 40, rng.choice(alphabets)) for _ in range(30_000)]


@_workload
def repeated_words() -> object:
    """150,000 words out of a vocabulary of 2,000: references to the memo."""
    rng = random.Random(0)
    return rng.choices([_word(rng) for _ in range(2000)], k=150_000)


@_workload
def bytes_objects() -> object:
    """40,000 bytes objects of up to 300 bytes."""
    rng = random.Random(0)
    return [rng.randbytes(rng.randint(1, 300)) for _ in range(40_000)]


# --- Containers


@_workload
def tuples() -> object:
    """20,000 tuples of an integer, a string and a float."""
    rng = random.Random(0)
    return [(rng.randrange(1000), _word(rng), rng.random()) for _ in range(20_000)]


@_workload
def nested_lists() -> object:
    """Lists of four lists each, nine deep, with integers at the bottom."""

    def nest(depth: int) -> list[Any]:
        return [nest(depth - 1) for _ in range(4)] if depth else [1, 2, 3]

    return nest(8)


@_workload
def large_dict() -> object:
    """A dict of 40,500 strings to integers."""
    rng = random.Random(0)
    return {f"{_word(rng)}-{i}": rng.randrange(100_000) for i in range(40_500)}


@_workload
def sets() -> object:
    """4,800 sets and frozensets of 10 integers, and one set of 50,500."""
    # Of integers because the order of strings in a set differs from process to process.
    rng = random.Random(0)
    small = [kind(rng.sample(range(1000), 10)) for kind in (set, frozenset) for _ in range(2400)]
    return [*small, set(rng.sample(range(10**6), 50_500))]


@_workload
def json_like_records() -> object:
    """5,000 records of the kind that json.loads gives: dicts with the same keys."""
    rng = random.Random(0)
    return [
        {
            "id": i,
            "name": _word(rng),
            "email": f"{_word(rng)}@example.org",
            "score": rng.random(),
            "active": rng.random() < 0.5,
            "referrer": None,
            "tags": [_word(rng) for _ in range(3)],
            "address": {"street": _word(rng), "zip": rng.randrange(10_000, 99_999)},
        }
        for i in range(5000)
    ]


@_workload
def ordered_dicts() -> object:
    """4,000 OrderedDicts of five items."""
    rng = random.Random(0)
    return [OrderedDict((f"key{j}", rng.random()) for j in range(5)) for _ in range(4000)]


# --- Instances


def _points(make: Callable[[int, float, str], object], count: int) -> list[object]:
    rng = random.Random(0)
    return [make(rng.randrange(1000), rng.random(), _word(rng)) for _ in range(count)]


@_workload
def dataclasses() -> object:
    """8,000 instances of a dataclass."""
    return _points(Point, 8000)


@_workload
def dataclasses_slots() -> object:
    """5,000 instances of a dataclass with slots."""
    return _points(SlotsPoint, 5000)


@_workload
def dataclasses_frozen() -> object:
    """8,000 instances of a frozen dataclass."""
    return _points(FrozenPoint, 8000)


@_workload
def dataclasses_frozen_slots() -> object:
    """5,000 instances of a frozen dataclass with slots."""
    return _points(FrozenSlotsPoint, 5000)


@_workload
def namedtuples() -> object:
    """8,000 instances of a namedtuple."""
    return _points(NamedPoint, 8000)


@_workload
def getstate_instances() -> object:
    """8,000 instances of a class with a __getstate__ in Python."""
    rng = random.Random(0)
    return [Session(_word(rng), rng.randrange(1000)) for _ in range(8000)]


@_workload
def shared_members() -> object:
    """6,000 instances that share departments, managers and skills."""
    rng = random.Random(0)
    departments = [Department(_word(rng), rng.randrange(20)) for _ in range(50)]
    skills = [_word(rng) for _ in range(200)]

    def employ(manager: Employee | None) -> Employee:
        return Employee(_word(rng), rng.choice(departments), manager, rng.sample(skills, 5))

    managers = [employ(None) for _ in range(100)]
    return managers + [employ(rng.choice(managers)) for _ in range(5900)]


@_workload
def tree_with_parents() -> object:
    """A binary tree of 8,191 instances, each with a reference to its parent."""

    def grow(value: int, parent: Node | None) -> Node:
        node = Node(value, parent)
        if value < 2**12:
            node.children = [grow(2 * value, node), grow(2 * value + 1, node)]
        return node

    return grow(1, None)


@_workload
def orders() -> object:
    """2,000 instances that hold a bit of everything: what an application might store."""
    rng = random.Random(0)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return [
        Order(
            number,
            _word(rng),
            start + timedelta(seconds=rng.randrange(10**8)),
            Decimal(rng.randrange(10**6)) / 100,
            [(_word(rng), rng.randint(1, 9), rng.random()) for _ in range(3)],
            {rng.randrange(100) for _ in range(3)},
        )
        for number in range(2000)
    ]


# --- Types of the standard library


@_workload
def datetimes() -> object:
    """12,000 datetimes: naive, in UTC and in another time zone."""
    rng = random.Random(0)
    zones = (None, UTC, timezone(timedelta(hours=5, minutes=30)))
    starts = [datetime(2000, 1, 1, tzinfo=zone) for zone in zones]
    return [
        rng.choice(starts) + timedelta(microseconds=rng.randrange(10**15)) for _ in range(12_000)
    ]


@_workload
def dates() -> object:
    """12,000 dates."""
    rng = random.Random(0)
    return [date.fromordinal(rng.randint(700_000, 740_000)) for _ in range(12_000)]


@_workload
def decimals() -> object:
    """10,000 Decimals with two places."""
    rng = random.Random(0)
    return [Decimal(rng.randrange(10**8)) / 100 for _ in range(10_000)]


@_workload
def uuids() -> object:
    """5,000 UUIDs."""
    rng = random.Random(0)
    return [UUID(int=rng.getrandbits(128), version=4) for _ in range(5000)]


@_workload
def enums() -> object:
    """40,000 pairs of members of an Enum and an IntEnum."""
    rng = random.Random(0)
    return list(
        zip(rng.choices(list(Color), k=40_000), rng.choices(list(Level), k=40_000), strict=True)
    )


@_workload
def syntax_trees() -> object:
    """The syntax trees of five modules of the standard library (of the running Python's)."""
    modules = (bisect, heapq, queue, shlex, textwrap)
    return [ast.parse(inspect.getsource(module)) for module in modules]


# --- Very small and very large: what a dump costs as such, and what copying costs


@_workload
def one_small_dict() -> object:
    """A dict of three items."""
    return {"id": 1234, "name": "quickpickle", "ok": True}


@_workload
def one_int() -> object:
    """An integer."""
    return 42


@_workload
def one_dataclass() -> object:
    """An instance of a dataclass."""
    return Point(1, 2.0, "three")


@_workload
def bytes_50_mb() -> object:
    """A bytes object of 50 MB."""
    return bytes(50_000_000)
