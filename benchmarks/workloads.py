"""The objects that are pickled in the benchmarks: one function for each, all of them in WORKLOADS.

Every function builds its object anew, from a random.Random(0) of its own, so it comes out the
same whatever ran before. Most take the standard library's C pickler 2 to 20 ms; pyperformance's
and the last few are small, because there the fixed costs of a dump are what counts.

Those that need a library import it themselves, so the others run without it.

The sizes of large containers are no multiples of 1000 (the length of a batch), nor one more:
there the two picklers of the standard library write different bytes.
"""

from __future__ import annotations

import ast
import bisect
import enum
import heapq
import inspect
import pickle
import queue
import random
import shlex
import string
import textwrap
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

Build = Callable[[], object]


class Workload(NamedTuple):
    """A function that builds an object, and the hooks of the Pickler that writes it."""

    build: Build
    group: str
    """Its heading, here and in the chart."""
    hooks: type | None
    """Methods for a subclass of Pickler, and of Unpickler: both get them as their first base."""

    def __call__(self) -> object:
        return self.build()

    @property
    def description(self) -> str:
        return self.build.__doc__ or ""


WORKLOADS: Final[dict[str, Workload]] = {}


def _workload(group: str, hooks: type | None = None) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        WORKLOADS[build.__name__] = Workload(build, group, hooks)
        return build

    return add


def _text(rng: random.Random, shortest: int, longest: int, alphabet: str) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(shortest, longest)))


def _word(rng: random.Random) -> str:
    return _text(rng, 4, 12, string.ascii_lowercase)


# --- The classes of the instances below. They are at module level, to be found by their names.


class Options(dict[str, Any]):
    """A dict of ones own."""


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


@dataclass
class Connection:
    """Cannot be pickled, other than by a Pickler that knows it."""

    url: str

    def __reduce__(self) -> str:
        raise TypeError("a connection is no data")


@dataclass
class Job:
    """Holds on to what cannot be pickled."""

    name: str
    connection: Connection
    arguments: list[int]


# --- Hooks of subclasses of Pickler and Unpickler. The methods are written as one writes them.
# Those of Pickler are asked about every object, or nearly so: the call is most of what they cost.

DEPARTMENTS: Final[dict[str, Department]] = {}  # what the database of a program would hold


class StoredDepartments:
    """Departments stay in the database, and the pickle names them: so do ZODB and PyTorch."""

    def persistent_id(self, obj: object) -> tuple[str, str] | None:
        if isinstance(obj, Department):
            return "department", obj.name
        return None

    def persistent_load(self, pid: tuple[str, str] | str) -> Department:
        if isinstance(pid, str):  # as protocol 0 has it
            pid = ast.literal_eval(pid)
        return DEPARTMENTS[pid[1]]


class ReopenedConnections:
    """The reader of the pickle opens connections again: so do cloudpickle and Ray."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, Connection):
            return Connection, (obj.url,)
        return NotImplemented


class AllowedClasses:
    """The reader of the pickle decides what it imports: so does PyTorch."""

    allowed = frozenset(
        {__name__, "_codecs", "builtins", "copyreg", "datetime", "decimal", "uuid"}
        | {"__builtin__", "copy_reg"}  # as protocols before 3 have them
    )

    def find_class(self, module: str, name: str) -> Any:
        if module not in self.allowed:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)  # type: ignore[misc]


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


@_workload("like pyperformance")
def pyperformance_record() -> object:
    """A dict of 29 short strings and numbers (there: DICT)."""
    return _profile(random.Random(0))


@_workload("like pyperformance")
def pyperformance_tuple() -> object:
    """A tuple of a list of 270 integers and a number (there: TUPLE)."""
    rng = random.Random(0)
    return [rng.randrange(2**31) for _ in range(270)], 60


@_workload("like pyperformance")
def pyperformance_record_group() -> object:
    """Three such dicts in a list (there: DICT_GROUP)."""
    rng = random.Random(0)
    return [_profile(rng) for _ in range(3)]


@_workload("like pyperformance")
def pyperformance_list() -> object:
    """Lists of small integers in lists of two in a list of ten (there: pickle_list)."""
    return [[[*range(10)] for _ in range(2)] for _ in range(10)]


@_workload("like pyperformance")
def pyperformance_dict() -> object:
    """A hundred dicts of ten integers and None in a dict (there: pickle_dict)."""
    return {start: dict.fromkeys(range(start, start + 10)) for start in range(100)}


# --- Atoms


@_workload("atoms")
def small_ints() -> object:
    """300,000 integers of one byte."""
    rng = random.Random(0)
    return [rng.randrange(256) for _ in range(300_000)]


@_workload("atoms")
def ints_32_bit() -> object:
    """200,000 integers of 32 bits, half of them negative."""
    rng = random.Random(0)
    return [rng.randrange(-(2**31), 2**31) for _ in range(200_000)]


@_workload("atoms")
def big_ints() -> object:
    """30,000 integers of 64 to 512 bits."""
    rng = random.Random(0)
    return [rng.choice((-1, 1)) * rng.getrandbits(rng.randint(64, 512)) for _ in range(30_000)]


@_workload("atoms")
def floats() -> object:
    """200,000 floats."""
    rng = random.Random(0)
    return [rng.uniform(-1e6, 1e6) for _ in range(200_000)]


@_workload("atoms")
def bools_and_none() -> object:
    """300,000 times True, False or None."""
    return random.Random(0).choices((True, False, None), k=300_000)


@_workload("atoms")
def ascii_strings() -> object:
    """50,000 distinct strings of up to 40 ASCII characters."""
    rng = random.Random(0)
    return [_text(rng, 5, 40, string.ascii_letters + string.digits) for _ in range(50_000)]


@_workload("atoms")
def non_ascii_strings() -> object:
    """30,000 distinct strings of up to 40 Latin, Cyrillic, Chinese and emoji characters."""
    rng = random.Random(0)
    alphabets = ("abcdeéüñßø", "абвгдежзик", "的一是不了人我在有他", "😀😁🚀🌍🎉🔥💡🎈📦🧪")
    return [_text(rng, 5, 40, rng.choice(alphabets)) for _ in range(30_000)]


@_workload("atoms")
def repeated_words() -> object:
    """150,000 words out of a vocabulary of 2,000: references to the memo."""
    rng = random.Random(0)
    return rng.choices([_word(rng) for _ in range(2000)], k=150_000)


@_workload("atoms")
def bytes_objects() -> object:
    """40,000 bytes objects of up to 300 bytes."""
    rng = random.Random(0)
    return [rng.randbytes(rng.randint(1, 300)) for _ in range(40_000)]


# --- Containers


@_workload("containers")
def tuples() -> object:
    """20,000 tuples of an integer, a string and a float."""
    rng = random.Random(0)
    return [(rng.randrange(1000), _word(rng), rng.random()) for _ in range(20_000)]


@_workload("containers")
def nested_lists() -> object:
    """Lists of four lists each, nine deep, with integers at the bottom."""

    def nest(depth: int) -> list[Any]:
        return [nest(depth - 1) for _ in range(4)] if depth else [1, 2, 3]

    return nest(8)


@_workload("containers")
def large_dict() -> object:
    """A dict of 40,500 strings to integers."""
    rng = random.Random(0)
    return {f"{_word(rng)}-{i}": rng.randrange(100_000) for i in range(40_500)}


@_workload("containers")
def sets() -> object:
    """4,800 sets and frozensets of 10 integers, and one set of 50,500."""
    # Of integers because the order of strings in a set differs from process to process.
    rng = random.Random(0)
    small = [kind(rng.sample(range(1000), 10)) for kind in (set, frozenset) for _ in range(2400)]
    return [*small, set(rng.sample(range(10**6), 50_500))]


@_workload("containers")
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


@_workload("containers")
def ordered_dicts() -> object:
    """4,000 OrderedDicts of five items."""
    rng = random.Random(0)
    return [OrderedDict((f"key{j}", rng.random()) for j in range(5)) for _ in range(4000)]


@_workload("containers")
def deques() -> object:
    """4,000 deques of five numbers, every other one with a maxlen."""
    rng = random.Random(0)
    return [deque((rng.random() for _ in range(5)), 5 if i % 2 else None) for i in range(4000)]


@_workload("containers")
def dict_subclasses() -> object:
    """4,000 instances of a subclass of dict with five items, and 1,000 defaultdicts of lists."""
    rng = random.Random(0)
    options = [Options((f"key{j}", rng.random()) for j in range(5)) for _ in range(4000)]
    groups = [defaultdict(list, {_word(rng): [rng.random()]}) for _ in range(1000)]
    return options, groups


# --- Instances


def _points(make: Callable[[int, float, str], object], count: int) -> list[object]:
    rng = random.Random(0)
    return [make(rng.randrange(1000), rng.random(), _word(rng)) for _ in range(count)]


@_workload("instances")
def dataclasses() -> object:
    """8,000 instances of a dataclass."""
    return _points(Point, 8000)


@_workload("instances")
def dataclasses_slots() -> object:
    """5,000 instances of a dataclass with slots."""
    return _points(SlotsPoint, 5000)


@_workload("instances")
def dataclasses_frozen() -> object:
    """8,000 instances of a frozen dataclass."""
    return _points(FrozenPoint, 8000)


@_workload("instances")
def dataclasses_frozen_slots() -> object:
    """5,000 instances of a frozen dataclass with slots."""
    return _points(FrozenSlotsPoint, 5000)


@_workload("instances")
def namedtuples() -> object:
    """8,000 instances of a namedtuple."""
    return _points(NamedPoint, 8000)


@_workload("instances")
def getstate_instances() -> object:
    """8,000 instances of a class with a __getstate__ in Python."""
    rng = random.Random(0)
    return [Session(_word(rng), rng.randrange(1000)) for _ in range(8000)]


@_workload("instances")
def reduce_instances() -> object:
    """8,000 instances of a class with a __reduce__ in Python."""
    rng = random.Random(0)
    currencies = ("EUR", "USD", "JPY")
    return [Money(rng.randrange(10**6), rng.choice(currencies)) for _ in range(8000)]


def _departments(rng: random.Random) -> list[Department]:
    return [Department(_word(rng), rng.randrange(20)) for _ in range(50)]


@_workload("instances")
def shared_members() -> object:
    """6,000 instances that share departments, managers and skills."""
    rng = random.Random(0)
    departments = _departments(rng)
    skills = [_word(rng) for _ in range(200)]

    def employ(manager: Employee | None) -> Employee:
        return Employee(_word(rng), rng.choice(departments), manager, rng.sample(skills, 5))

    managers = [employ(None) for _ in range(100)]
    return managers + [employ(rng.choice(managers)) for _ in range(5900)]


@_workload("instances")
def tree_with_parents() -> object:
    """A binary tree of 8,191 instances, each with a reference to its parent."""

    def grow(value: int, parent: Node | None) -> Node:
        node = Node(value, parent)
        if value < 2**12:
            node.children = [grow(2 * value, node), grow(2 * value + 1, node)]
        return node

    return grow(1, None)


@_workload("instances")
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


@_workload("standard library")
def datetimes() -> object:
    """12,000 datetimes: naive, in UTC and in another time zone."""
    rng = random.Random(0)
    zones = (None, UTC, timezone(timedelta(hours=5, minutes=30)))
    starts = [datetime(2000, 1, 1, tzinfo=zone) for zone in zones]
    return [
        rng.choice(starts) + timedelta(microseconds=rng.randrange(10**15)) for _ in range(12_000)
    ]


@_workload("standard library")
def dates() -> object:
    """12,000 dates."""
    rng = random.Random(0)
    return [date.fromordinal(rng.randint(700_000, 740_000)) for _ in range(12_000)]


@_workload("standard library")
def decimals() -> object:
    """10,000 Decimals with two places."""
    rng = random.Random(0)
    return [Decimal(rng.randrange(10**8)) / 100 for _ in range(10_000)]


@_workload("standard library")
def uuids() -> object:
    """5,000 UUIDs."""
    rng = random.Random(0)
    return [UUID(int=rng.getrandbits(128), version=4) for _ in range(5000)]


@_workload("standard library")
def enums() -> object:
    """40,000 pairs of members of an Enum and an IntEnum."""
    rng = random.Random(0)
    return list(
        zip(rng.choices(list(Color), k=40_000), rng.choices(list(Level), k=40_000), strict=True)
    )


@_workload("standard library")
def syntax_trees() -> object:
    """The syntax trees of five modules of the standard library (of the running Python's)."""
    modules = (bisect, heapq, queue, shlex, textwrap)
    return [ast.parse(inspect.getsource(module)) for module in modules]


# --- Libraries


@_workload("libraries")
def numpy_small_arrays() -> object:
    """2,000 NumPy arrays of ten floats."""
    import numpy as np

    return [row.copy() for row in np.random.default_rng(0).random((2000, 10))]


@_workload("libraries")
def numpy_numbers() -> object:
    """2,000 records with three numbers of NumPy's types."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [
        {"loss": np.float64(loss), "grade": np.float32(grade), "count": np.int64(count)}
        for loss, grade, count in zip(
            rng.random(2000), rng.random(2000), rng.integers(1000, size=2000), strict=True
        )
    ]


@_workload("libraries")
def numpy_large_array() -> object:
    """A NumPy array of 16 MB."""
    import numpy as np

    return np.random.default_rng(0).random((2000, 1000))


@_workload("libraries")
def numpy_fortran_array() -> object:
    """A NumPy array of 16 MB, in Fortran order."""
    import numpy as np

    return np.asfortranarray(np.random.default_rng(0).random((2000, 1000)))


@_workload("libraries")
def pandas_dataframe() -> object:
    """A pandas DataFrame of 20,000 rows: numbers, strings, dates, categories."""
    import numpy as np
    import pandas as pd

    rng = random.Random(0)
    numbers = np.random.default_rng(0)
    rows = 20_000
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "score": numbers.random(rows),
            "name": [_word(rng) for _ in range(rows)],
            "placed": pd.date_range("2020-01-01", periods=rows, freq="min"),
            "level": pd.Categorical(rng.choices(("low", "middle", "high"), k=rows)),
        }
    )


@_workload("libraries")
def networkx_graph() -> object:
    """A networkx graph of 2,100 nodes and 8,000 edges, with weights."""
    import networkx as nx

    rng = random.Random(0)
    graph = nx.gnm_random_graph(2100, 8000, seed=0)
    for _, _, attributes in graph.edges(data=True):
        attributes["weight"] = rng.random()
    return graph


@_workload("libraries")
def sklearn_forest() -> object:
    """A scikit-learn forest of 20 trees, fitted to 300 rows."""
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    rows = np.random.default_rng(0).random((300, 8))
    classes = (rows[:, 0] + rows[:, 1] > 1).astype(int)
    return RandomForestClassifier(n_estimators=20, random_state=0).fit(rows, classes)


# --- Subclasses of Pickler and Unpickler


@_workload("subclasses", hooks=StoredDepartments)
def with_persistent_id() -> object:
    """3,000 instances with departments that persistent_id knows, and 1,000 records."""
    rng = random.Random(0)
    departments = _departments(rng)
    DEPARTMENTS.update((department.name, department) for department in departments)
    employees = [
        Employee(_word(rng), rng.choice(departments), None, [_word(rng)]) for _ in range(3000)
    ]
    records = [
        {"id": i, "name": _word(rng), "score": rng.random(), "department": rng.choice(departments)}
        for i in range(1000)
    ]
    return employees, records


@_workload("subclasses", hooks=ReopenedConnections)
def with_reducer_override() -> object:
    """4,000 instances, 20 of which only reducer_override knows a way to pickle, in records."""
    rng = random.Random(0)
    connections = [Connection(f"db://{_word(rng)}.example.org") for _ in range(20)]
    return [
        {
            "id": i,
            "job": Job(_word(rng), rng.choice(connections), [rng.randrange(100) for _ in range(3)]),
            "started": datetime.fromtimestamp(rng.randrange(10**9), UTC),
        }
        for i in range(4000)
    ]


@_workload("subclasses", hooks=AllowedClasses)
def with_find_class() -> object:
    """3,000 instances and 1,000 records, of eight classes that find_class looks up."""
    rng = random.Random(0)
    departments = _departments(rng)
    employees = [
        Employee(_word(rng), rng.choice(departments), None, [_word(rng)]) for _ in range(3000)
    ]
    records = [
        {
            "id": UUID(int=rng.getrandbits(128), version=4),
            "price": Decimal(rng.randrange(10**6)) / 100,
            "placed": datetime.fromtimestamp(rng.randrange(10**9), UTC),
            "point": Point(rng.randrange(1000), rng.random(), _word(rng)),
        }
        for _ in range(1000)
    ]
    return employees, records


# --- Very small and very large: what a dump costs as such, and what copying costs


@_workload("very small, very large")
def one_small_dict() -> object:
    """A dict of three items."""
    return {"id": 1234, "name": "quickpickle", "ok": True}


@_workload("very small, very large")
def one_int() -> object:
    """An integer."""
    return 42


@_workload("very small, very large")
def one_dataclass() -> object:
    """An instance of a dataclass."""
    return Point(1, 2.0, "three")


@_workload("very small, very large")
def bytes_50_mb() -> object:
    """A bytes object of 50 MB."""
    # Not zeros: the memory of those is one page, over and over.
    return random.Random(0).randbytes(50_000_000)
