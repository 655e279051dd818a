"""deterministic=True: the same value, the same bytes."""

from __future__ import annotations

import array
import collections
import copy
import copyreg
import datetime as dt
import decimal
import fractions
import gc
import io
import os
import pickle
import pickletools
import subprocess
import sys
import threading
import uuid
import weakref
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import IMPLEMENTATIONS, examples
from differential import PYPY, only_counted, only_cpython
from graphs import SETTINGS as GRAPH_SETTINGS
from models import (
    Color,
    Data,
    DictSub,
    FrozensetSub,
    Plain,
    Point,
    SetSub,
    Slots,
    SlotsAndDict,
    StrSub,
)

SETTINGS = settings(GRAPH_SETTINGS, max_examples=examples(200))


class Ordered:
    """Compared and hashed by what it holds."""

    def __init__(self, *held):
        self.held = held

    def __eq__(self, other):
        return type(other) is Ordered and self.held == other.held

    def __hash__(self):
        # A member of a set that it leads back to has no attributes yet, while it is read.
        return hash(vars(self).get("held", 1))


@dataclass(frozen=True, slots=True)
class Frozen:
    first: Any
    second: Any = None


class SetState:
    def __init__(self, state):
        self.__dict__ = state

    def __setstate__(self, state):
        self.__dict__ = state


class Fresh:
    """Reduced to a set that is made anew each time, of members that are too."""

    def __init__(self, *names):
        self.names = names

    def __reduce__(self):
        return make_fresh, ({Ordered(name) for name in self.names},)

    def __eq__(self, other):
        return type(other) is Fresh and self.names == other.names

    def __hash__(self):
        return hash(self.names)


def make_fresh(members):
    return Fresh(*sorted(member.held[0] for member in members))


def dumps(implementation, obj, protocol=pickle.DEFAULT_PROTOCOL, **options):
    return implementation.dumps(obj, protocol, deterministic=True, **options)


def assert_deterministic(
    implementation, obj, protocol=pickle.DEFAULT_PROTOCOL, *, is_copied_whole=True
):
    """Assert that an object's round trip and its deep copy are written as the object is, and that
    the other implementation writes the same; return the bytes."""
    written = dumps(implementation, obj, protocol)
    assert dumps(implementation, pickle.loads(written), protocol) == written
    # deepcopy makes two of a set or namedtuple that leads back to itself, pickle one.
    if is_copied_whole:
        assert dumps(implementation, copy.deepcopy(obj), protocol) == written
    for other in IMPLEMENTATIONS.values():
        assert dumps(other, obj, protocol) == written
        file = io.BytesIO()
        other.dump(obj, file, protocol, deterministic=True)
        assert file.getvalue() == written
    return written


def anew(text):
    """The same string as another object."""
    return "".join(list(text)) if len(text) > 1 else text


# --- what is shared


@pytest.mark.parametrize(
    ("shared", "apart"),
    [
        (lambda s: [s, s], lambda s: [s, anew(s)]),
        (lambda s: [s.encode()] * 2, lambda s: [s.encode(), s.encode()]),
        (lambda s: [(s, 1)] * 2, lambda s: [(s, 1), (anew(s), 1)]),
        (lambda s: [((s,), 1)] * 2, lambda s: [((s,), 1), ((anew(s),), 1)]),
        (lambda s: [(s, *range(20))] * 2, lambda s: [(s, *range(20)), (s, *range(20))]),
        (lambda s: [frozenset([s, 1])] * 2, lambda s: [frozenset([s, 1]), frozenset([1, s])]),
        (lambda s: [(2**99, s)] * 2, lambda s: [(2**99, s), (2**98 * 2, s)]),
        (lambda s: [complex(len(s), 2)] * 2, lambda s: [complex(len(s), 2), complex(len(s), 2)]),
        (lambda s: [range(len(s))] * 2, lambda s: [range(len(s)), range(len(s))]),
        (lambda s: [dt.date(1, 2, len(s))] * 2, lambda s: [dt.date(1, 2, len(s)) for _ in "12"]),
        (
            lambda s: [dt.datetime(1, 2, 3, tzinfo=dt.timezone(dt.timedelta(0, 60)))] * 2,
            lambda s: [dt.datetime(1, 2, 3, tzinfo=dt.timezone(dt.timedelta(0, 60))) for _ in "12"],
        ),
        (
            lambda s: [decimal.Decimal(len(s))] * 2,
            lambda s: [decimal.Decimal(len(s)) for _ in "12"],
        ),
        (
            lambda s: [(fractions.Fraction(len(s)),)] * 2,
            lambda s: [(fractions.Fraction(len(s)),) for _ in "12"],
        ),
    ],
)
def test_which_equal_values_are_one_object_does_not_show(implementation, protocol, shared, apart):
    expected = assert_deterministic(implementation, shared("some text"), protocol)
    assert assert_deterministic(implementation, apart("some text"), protocol) == expected


def test_attribute_names_that_are_not_interned(implementation):
    one, other = Plain(), Plain()
    one.__dict__[anew("name")] = other.name = anew("name")
    assert_deterministic(implementation, [one, other, "name"])


def test_equal_values_of_other_types_keep_their_type(implementation, protocol):
    for obj in (
        [(1,), (True,), (1.0,), (2,)],
        [(0.0,), (-0.0,)],
        [frozenset([1]), frozenset([True]), frozenset([1.0])],
        [complex(0.0, 0.0), complex(-0.0, 0.0)],
        [range(0), range(1, 1)],
        [decimal.Decimal("1.0"), decimal.Decimal("1.00")],
        ["a", b"a", StrSub("a"), bytearray(b"a")],
        [(), frozenset(), [], {}, set()],
        [("a",), (StrSub("a"),)],
        [dt.datetime(1, 2, 3, fold=0), dt.datetime(1, 2, 3, fold=int(protocol >= 4))],
    ):
        written = assert_deterministic(implementation, obj, protocol)
        assert repr(pickle.loads(written)) == repr(obj)
        assert list(map(type, pickle.loads(written))) == list(map(type, obj))


@only_cpython
@pytest.mark.parametrize("make", [float, complex, decimal.Decimal])
def test_nans_are_not_equal_so_tuples_of_them_are_not_one(implementation, make):
    members = {(make("nan"),), (make("nan"),)}
    assert len(members) == len({*map(make, ["nan", "nan"])}) == 2
    written = assert_deterministic(implementation, members)
    assert len(pickle.loads(written)) == 2
    written = assert_deterministic(implementation, {make("nan"), make("nan")})
    assert len(pickle.loads(written)) == 2


def test_state_that_a_protocol_leaves_out_makes_no_difference(implementation):
    assert_deterministic(implementation, [dt.time(1, fold=0), dt.time(1, fold=1)], 3)


def test_sharing_of_mutable_objects_shows(implementation, protocol):
    shared = [1]
    one = assert_deterministic(implementation, [shared, shared], protocol)
    two = assert_deterministic(implementation, [[1], [1]], protocol)
    assert one != two
    first, second = pickle.loads(one)
    assert first is second


def test_tuples_of_mutable_objects_are_the_same_if_these_are(implementation):
    shared = [1]
    tuples = [(shared, "a"), (shared, "a"), ([1], "a")]
    written = assert_deterministic(implementation, tuples)
    first, second, third = pickle.loads(written)
    assert first is second
    assert first[0] is not third[0]


def test_cycles(implementation, protocol):
    if protocol < 2:
        pytest.skip("an instance in its own arguments has no end below protocol 2")
    through_list: list[Any] = []
    through_list.append((through_list, "x"))
    in_tuple = ([],)
    in_tuple[0].append(in_tuple)
    instance = Plain()
    instance.members = frozenset([instance, 1])
    instance.again = frozenset([1, instance])
    for obj in (through_list, in_tuple, instance, instance.members):
        assert_deterministic(implementation, obj, protocol)


def test_deep_values(implementation):
    doubled: tuple[Any, ...] = ("x",)
    for _ in range(60):
        doubled = (doubled, doubled)
    written = dumps(implementation, doubled)  # deepcopy would not come to an end
    assert len(written) < 1000
    assert dumps(implementation, pickle.loads(written)) == written
    deep: Any = ()
    for i in range(20_000):
        deep = (deep, str(i % 7))
    written = dumps(implementation, deep)
    assert dumps(implementation, pickle.loads(written)) == written


def test_deep_sets(implementation):
    deep: Any = frozenset()
    for i in range(5_000):
        deep = frozenset([deep, i])
    written = dumps(implementation, deep)
    assert dumps(implementation, pickle.loads(written)) == written


@pytest.mark.costly
def test_sets_of_objects_with_sets_nested_deep(implementation):
    deep: Any = Ordered(1)
    for i in range(200):
        deep = Ordered(Shallow([deep, Ordered(i)]))
    written = dumps(implementation, {deep, Ordered("x")})
    assert dumps(implementation, pickle.loads(written)) == written


class Shallow(frozenset):
    """Hashed without a look at its members, which would recurse."""

    def __hash__(self):
        return 1

    def __eq__(self, other):
        return self is other


def test_an_instance_dict_that_is_reached_twice(implementation, protocol):
    if protocol < 2:
        pytest.skip("copyreg makes another reduction")
    for instance in (Plain(), SlotsAndDict()):
        instance.first = 1
        assert_deterministic(implementation, [instance, instance.__dict__], protocol)
        assert_deterministic(implementation, [instance.__dict__, instance], protocol)
        instance.own = instance.__dict__
        assert_deterministic(implementation, instance, protocol)


@only_cpython
def test_a_state_that_setstate_may_keep_is_shared(implementation):
    state = {"a": 1}
    written = assert_deterministic(implementation, [SetState(state), state])
    one, other = pickle.loads(written)
    assert one.__dict__ is other


def test_instances_that_share_their_dict(implementation):
    one, other = Plain(), Plain()
    one.name = "x"
    other.__dict__ = one.__dict__
    assert_deterministic(implementation, [one, other])


# --- sets


@pytest.mark.parametrize(
    "expected",
    [
        [-1, 3, 20, 2**70],
        ["a", "b", "é", "\ud800", "\U00010000"],
        [b"", b"a\xff", b"b"],
    ],
)
def test_sets_are_sorted(implementation, expected):
    for cls in (set, frozenset):
        written = assert_deterministic(implementation, cls(expected[::-1]), 4)
        arguments = [
            argument
            for opcode, argument, _ in pickletools.genops(written)
            if opcode.name not in ("PROTO", "FRAME") and argument is not None
        ]
        assert arguments == expected


SETS = [
    {1, "a", b"a", None, 2.5, (1, "x"), frozenset([2, "y"]), False, (), frozenset()},
    {frozenset([1, "a"]), frozenset(["a", 2]), frozenset([frozenset([3, "b"]), "c"])},
    {(1, ("a", frozenset([1, "q"]))), (1, ("a", frozenset([2, "q"])))},
    {Color.RED, Color.GREEN},
    {int, str, Plain, len, Color},
    {Frozen(1, "a"), Frozen("b", frozenset([Frozen(1), Frozen("2")])), Frozen(frozenset("abc"))},
    {Point(1, "b"), Point("b", 1), (1, "b")},
    {decimal.Decimal(1), decimal.Decimal("2.50"), fractions.Fraction(1, 3)},
    {dt.date(2020, 1, 1), dt.date(2021, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
    {uuid.UUID(int=1), uuid.UUID(int=2), StrSub("x"), StrSub("y"), Ordered("x"), Ordered(2, "z")},
    {Ordered(Ordered("a"), frozenset([Ordered(1), Ordered("b")])), Ordered("x"), Ordered("y")},
    {(Ordered(1), 1), (Ordered("2"), 1), frozenset([Ordered("z"), Ordered("y")])},
    {FrozensetSub("abc"), FrozensetSub("de"), "x"},
    {Fresh("a", "b", "c"), Fresh("d", "e"), "x"},
    {complex(1, 2), complex(2, 1), range(3), range(4), ..., NotImplemented},
    set(range(1000)),
    set(map(str, range(1001))),
    {Ordered(i) for i in range(1001)},
    {(i, str(i)) for i in range(2000)},
]


@pytest.mark.costly
@pytest.mark.parametrize("obj", SETS, ids=range(len(SETS)))
def test_sets(implementation, protocol, obj):
    written = assert_deterministic(implementation, obj, protocol)
    assert pickle.loads(written) == obj
    assert_deterministic(implementation, [frozenset(obj), obj, SetSub(obj)], protocol)


def test_subclasses_of_sets(implementation, protocol):
    obj = [SetSub("abcdef"), FrozensetSub("abcdef"), SetSub([Ordered("x"), Ordered("y")])]
    obj[0].attribute = {"b", "a", "c"}
    obj[0].itself = obj[0]
    assert_deterministic(implementation, obj, protocol)


def test_members_that_lead_back_to_their_set(implementation):
    def make(order):
        nodes = [Plain() for _ in range(30)]
        for i in order:
            nodes[i].number = i
        for i in order:
            ends = [(i * 7 + 1) % 30, (i * 3 + 2) % 30, (i + 1) % 30]
            nodes[i].next = {nodes[end] for end in (ends if i % 2 else reversed(ends))}
        for node in nodes:
            node.__dict__ = {"number": node.number, "next": node.next}
        return nodes

    one = assert_deterministic(implementation, make(range(30)))
    assert dumps(implementation, make(range(29, -1, -1))) == one
    assert_deterministic(implementation, set(make(range(30))))


def test_members_that_differ_only_in_where_else_they_are(implementation):
    """Those that were written already come in that order."""
    alike = [Plain() for _ in range(20)]
    assert_deterministic(implementation, [alike, set(alike), frozenset(alike)])


def test_sets_within_sets_that_lead_into_each_other(implementation):
    def make(names):
        left, right = set(), set()
        for name in names:
            one, other = Plain(), Plain()
            one.__dict__.update(name=name, to=right)
            other.__dict__.update(name=name, to=left)
            left.add(one)
            right.add(other)
        return [left, right]

    one = assert_deterministic(implementation, make("abcdef"), is_copied_whole=False)
    assert dumps(implementation, make("fedcba")) == one


def test_reductions_without_end_are_refused(implementation, monkeypatch):
    monkeypatch.setattr(implementation.Pickler, "reduction_limit", 100)
    with pytest.raises(RecursionError, match="reduction_limit"):
        dumps(implementation, Endless())


class Endless:
    def __reduce__(self):
        return frozenset, ([frozenset([Endless(), Endless()]), 1],)


def test_a_set_that_changes_is_refused(implementation):
    members: set[Any] = set()

    class Intruder:
        def __reduce__(self):
            members.add(object)
            return int, ()

    members |= {Intruder(), "a"}
    with pytest.raises(RuntimeError, match="set changed size during iteration"):
        dumps(implementation, members)


# --- other objects


def test_arrays(implementation):
    numpy = pytest.importorskip("numpy")
    plain = numpy.arange(24.0).reshape(4, 6)
    for obj in (
        plain,
        plain.T,
        plain[::2],
        plain[:, ::3].T,
        plain[::-1],
        numpy.array(5),
        numpy.array([1, "a", (1, "b")], dtype=object),
        numpy.zeros(3, dtype="i4,f8"),
        plain.astype(">f8"),
        numpy.float64(1.5),
    ):
        assert_deterministic(implementation, [obj, obj], 5)
    assert_deterministic(implementation, [plain[0], plain[1]], 5)


def test_buffers(implementation):
    data = bytes(range(100))
    assert_deterministic(implementation, [bytearray(data), array.array("i", [1, 2])], 5)
    for buffer in (pickle.PickleBuffer(data), pickle.PickleBuffer(bytearray(data))):
        written = dumps(implementation, [buffer, data, (buffer, 1)], 5)
        assert dumps(implementation, pickle.loads(written), 5) == written
    buffers: list[Any] = []
    written = dumps(implementation, [pickle.PickleBuffer(data)], 5, buffer_callback=buffers.append)
    assert bytes(pickle.loads(written, buffers=buffers)[0]) == data


def test_methods_functions_and_modules_of_the_standard_library(implementation):
    obj = [Data.__init__, len, "".join, collections.OrderedDict(a=1), collections.Counter("abca")]
    obj += [collections.deque("abc"), collections.defaultdict(list, a=[1]), ValueError("x")]
    obj += [b"".join, copyreg.pickle]
    written = dumps(implementation, obj)
    assert dumps(implementation, pickle.loads(written)) == written


@pytest.mark.costly
def test_dicts_keep_their_order(implementation, protocol):
    one = assert_deterministic(implementation, {"a": 1, "b": 2}, protocol)
    assert one != assert_deterministic(implementation, {"b": 2, "a": 1}, protocol)
    for size in (1, 2, 999, 1000, 1001, 2000, 2001):
        for obj in (list(range(size)), {i: str(i) for i in range(size)}):
            assert pickle.loads(assert_deterministic(implementation, obj, protocol)) == obj


# --- the Pickler


def test_several_dumps(implementation):
    file = io.BytesIO()
    pickler = implementation.Pickler(file, 4, deterministic=True)
    pickler.dump(["text", ("a", 1)])
    length = file.tell()
    pickler.dump([anew("text"), (anew("a"), 1)])
    assert file.getvalue()[length:] == (
        b"\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00]\x94(h\x01h\x03e."
    )
    unpickler = pickle.Unpickler(io.BytesIO(file.getvalue()))
    assert unpickler.load() == unpickler.load() == ["text", ("a", 1)]
    pickler.clear_memo()
    file.seek(0)
    file.truncate()
    pickler.dump([anew("text"), (anew("a"), 1)])
    assert file.getvalue() == dumps(implementation, ["text", ("a", 1)], 4)


def test_the_memo_of_another_pickler(implementation):
    first = implementation.Pickler(io.BytesIO())
    first.dump(["text", ("a", 1)])
    file = io.BytesIO()
    second = implementation.Pickler(file, 4, deterministic=True)
    second.memo = first.memo
    second.dump([anew("text"), (anew("a"), 1)])
    assert file.getvalue() == b"\x80\x04\x95\x09\x00\x00\x00\x00\x00\x00\x00]\x94(h\x01h\x03e."


def test_a_dump_that_fails_is_forgotten(implementation):
    file = io.BytesIO()
    pickler = implementation.Pickler(file, deterministic=True)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickler.dump(["text", ("a", "text"), {Ordered(1), Ordered(lambda: 0)}])
    file.seek(0)
    file.truncate()
    pickler.dump(["text", ("a", "text")])
    assert file.getvalue() == dumps(implementation, ["text", ("a", "text")])


def test_hooks(implementation):
    class Hooked(implementation.Pickler):
        dispatch_table = {Ordered: lambda obj: (Ordered, tuple(map(str, obj.held)))}  # noqa: RUF012

        def persistent_id(self, obj):
            return obj.name if type(obj) is Plain else None

        def reducer_override(self, obj):
            return (str, ("override",)) if obj is Color.RED else NotImplemented

    def write(order):
        named = []
        for name in "abc":
            named.append(Plain())
            named[-1].name = name
        members = [*named, Ordered(3), Ordered(2), Color.RED, Frozen(named[0]), Frozen(named[1])]
        file = io.BytesIO()
        Hooked(file, deterministic=True).dump({members[i] for i in order})
        return file.getvalue()

    written = write(range(8))
    assert write(range(7, -1, -1)) == written
    assert b"override" in written
    assert b"Plain" not in written


def test_fast_mode_is_refused(implementation):
    pickler = implementation.Pickler(io.BytesIO(), deterministic=True)
    pickler.fast = 1
    with pytest.raises(ValueError, match="fast mode"):
        pickler.dump(1)
    pickler.fast = 0
    pickler.dump(1)


def test_to_a_path(implementation, tmp_path):
    implementation.dump({"a", "b"}, tmp_path / "set.pkl", deterministic=True)
    assert (tmp_path / "set.pkl").read_bytes() == dumps(implementation, {"a", "b"})


def test_in_several_threads(implementation):
    expected = dumps(implementation, SETS[0])
    results: list[bytes] = []

    def work():
        results.extend(dumps(implementation, SETS[0]) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 200


@only_counted
def test_a_pickler_is_freed(implementation):
    import gc
    import weakref

    class Sub(implementation.Pickler):
        pass

    pickler = Sub(io.BytesIO(), deterministic=True)
    pickler.dump(SETS[5])
    reference = weakref.ref(pickler)
    gc.disable()
    try:
        del pickler
        assert reference() is None
    finally:
        gc.enable()


# --- generated graphs

hashable_atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from(["", "a", "first", "é", "\ud800", "x" * 300]).map(anew),
    st.text(max_size=3),
    st.sampled_from([b"", b"a", b"\xff" * 300]).map(lambda data: bytes(bytearray(data))),
    st.complex_numbers(allow_nan=False),
    st.sampled_from([1, 2]).map(lambda n: dt.timedelta(n)),
    st.sampled_from(["1", "1.0"]).map(decimal.Decimal),
    st.dates(),
    st.sampled_from([..., int, Plain, len, Color.RED, Color.GREEN]),
)
atoms = hashable_atoms | st.binary(max_size=3).map(bytearray)


def hashable(obj):
    try:
        hash(obj)
    except TypeError:
        return False
    return True


def with_attributes(obj, values):
    for name, value in zip(["first", "second", "third"], values, strict=False):
        setattr(obj, name, value)
    return obj


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "dict": lambda items: dict(enumerate(items)),
    "dict by node": lambda items: {k: [k] for k in items if hashable(k)},
    "DictSub": lambda items: DictSub((str(i), item) for i, item in enumerate(items)),
    "OrderedDict": lambda items: collections.OrderedDict(enumerate(items)),
    "deque": collections.deque,
    "Data": lambda items: Data(*items[:2], third=list(items[2:])) if items else Data(None),
    "Frozen": lambda items: Frozen(*items[:2]) if items else Frozen(None),
    "Ordered": lambda items: Ordered(*items),
    "Point": lambda items: Point(tuple(items), None),
    "Slots": lambda items: with_attributes(Slots(), items[:2]),
    "SlotsAndDict": lambda items: with_attributes(SlotsAndDict(), items),
    "set": lambda items: {item for item in items if hashable(item)},
    "frozenset": lambda items: frozenset(item for item in items if hashable(item)),
    "SetSub": lambda items: SetSub(item for item in items if hashable(item)),
}


@st.composite
def graphs(draw, cycles=True):
    nodes = draw(st.lists(atoms, min_size=1, max_size=8))
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(sorted(CONTAINERS)))
        members = draw(st.lists(st.sampled_from(nodes), max_size=5))
        node = CONTAINERS[kind](members)
        if isinstance(node, Slots):  # no value, so two in a set that hold the same have no order
            node.first = f"node {len(nodes)}"
        nodes.append(node)
    mutable = [node for node in nodes if isinstance(node, list | dict | Data | SlotsAndDict)]
    if cycles and mutable:
        pairs = st.tuples(st.sampled_from(mutable), st.sampled_from(nodes))
        for source, target in draw(st.lists(pairs, max_size=3)):
            if isinstance(source, list):
                source.append(target)
            elif isinstance(source, dict):
                source["link"] = target
            else:
                source.third = target
    return draw(st.sampled_from([nodes, nodes[-1], (nodes[-1], nodes)]))


@pytest.mark.costly
@SETTINGS
@given(graph=graphs(), protocol=st.integers(2, 5))
def test_graphs_with_cycles(implementation, graph, protocol):
    assert_deterministic(implementation, graph, protocol, is_copied_whole=False)


@SETTINGS
@given(graph=graphs(cycles=False), protocol=st.integers(2, 5))
def test_graphs(implementation, graph, protocol):
    assert_deterministic(implementation, graph, protocol)


@SETTINGS
@given(graph=graphs(cycles=False), protocol=st.integers(2, 5))
def test_graphs_are_read_back_equal(implementation, graph, protocol):
    read = pickle.loads(dumps(implementation, graph, protocol))
    assert dumps(implementation, read) == dumps(implementation, graph)
    plain = pickle.loads(pickle.dumps(graph, protocol))
    assert dumps(implementation, plain) == dumps(implementation, graph)


values = st.recursive(
    hashable_atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.frozensets(inner, max_size=4),
        st.builds(Frozen, inner, inner),
        st.builds(Ordered, inner, inner),
    ),
    max_leaves=12,
)


@st.composite
def sets_of_values(draw):
    return draw(st.frozensets(values, max_size=6))


@pytest.mark.costly
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@SETTINGS
@given(members=sets_of_values(), protocol=st.integers(0, 5))
def test_nested_sets(implementation, members, protocol):
    written = assert_deterministic(implementation, members, protocol)
    assert pickle.loads(written) == members


HASH_SEED_PROGRAM = """
import hashlib, importlib, sys
sys.path[:] = {path!r}
modules = [importlib.import_module(name) for name in {modules!r}]
from pickling import test_deterministic as tests
for protocol in range(6):
    for obj in [*tests.SETS, tests.SETS]:
        data, *others = [module.dumps(obj, protocol, deterministic=True) for module in modules]
        assert all(other == data for other in others)
        print(hashlib.sha256(data).hexdigest())
"""


@pytest.mark.slow
def test_the_same_in_other_processes_and_with_other_hash_seeds():
    modules = [implementation.__name__ for implementation in IMPLEMENTATIONS.values()]
    program = HASH_SEED_PROGRAM.format(path=sys.path, modules=modules)
    outputs = set()
    for seed in range(10):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        outputs.add(
            subprocess.run(
                [sys.executable, "-c", program], env=environment, stdout=-1, check=True
            ).stdout
        )
    assert len(outputs) == 1
    assert outputs.pop().count(b"\n") == 6 * (len(SETS) + 1)


class Hashed:
    def __init__(self, *items):
        self.items = list(items)

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other


def test_both_implementations_order_a_set_that_leads_back_to_itself(protocol):
    first, second = Hashed(0), Hashed(1)
    members = {first, "a", second}
    second.items.append(members)
    obj = [{first: 1, "a": 1}, members]
    found = {i.dumps(obj, protocol, deterministic=True) for i in IMPLEMENTATIONS.values()}
    assert len(found) == 1


def test_nothing_is_kept_of_members_without_an_order(implementation, protocol):
    class Kept:
        pass

    Kept.__qualname__ = "Kept"
    globals()["Kept"] = Kept
    try:
        kept = Kept()
        first = Hashed(kept, [{Hashed(1), Hashed(2)}])
        second = Hashed(kept, [{Hashed(3), Hashed(4)}])
        implementation.dumps({first, second}, protocol, deterministic=True)
        reference = weakref.ref(kept)
        del kept, first, second
        for _ in range(3 if PYPY else 1):
            gc.collect()
        assert reference() is None
    finally:
        del globals()["Kept"]


def test_the_state_of_an_instance_whose_dict_is_no_dict(implementation, protocol):
    obj = Hashed(1)
    vars(obj)["more"] = 2
    obj.__dict__ = collections.OrderedDict(vars(obj))
    plain = [Hashed(0), obj]
    for options in ({"deterministic": True}, {"deterministic": True, "compact": True}):
        loaded = pickle.loads(implementation.dumps(plain, protocol, **options))
        assert list(vars(loaded[1]).items()) == [("items", [1]), ("more", 2)]
    found = {i.dumps(plain, protocol, deterministic=True) for i in IMPLEMENTATIONS.values()}
    assert len(found) == 1
