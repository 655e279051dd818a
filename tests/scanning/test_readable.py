"""Paths into reductions, as people read them: the load paths and those of `inspect`."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import functools
import pickle
import random
import sys
import time
import types
import typing

import pytest

import quickpickle
from inspection_checks import SCANNERS
from quickpickle.scanning import places

CPYTHON = sys.implementation.name == "cpython"
pytestmark = pytest.mark.skipif(not CPYTHON, reason="the reductions of PyPy are others")


class Boom:
    """Fails while it is loaded, where a test says so."""

    def __init__(self):
        self.value = 1

    def __hash__(self):
        return 1


class PlainError(Exception):
    pass


class ReducedError(Exception):
    def __reduce__(self):
        return type(self), ((self.args[1], self.args[0]),)


class Pair(collections.namedtuple("Pair", "first second")):
    pass


class Triple(tuple):
    pass


class OwnTriple(tuple):
    def __getnewargs__(self):
        return ([*self, 0],)


class Bag(set):
    pass


class OwnBag(set):
    def __reduce__(self):
        return type(self), ([(1, item) for item in self],)


class Call(functools.partial):
    pass


class OwnCall(functools.partial):
    def __reduce__(self):
        return type(self), (self.func,), (self.func, ([self.args],), self.keywords, None)

    def __setstate__(self, state):
        super().__setstate__((state[0], state[1][0][0], state[2], state[3]))


class Cover(enum.Enum):
    """A member of it has a value that is an object."""

    ONE = Boom()


@dataclasses.dataclass(frozen=True, slots=True)
class Compact:
    kind: typing.ClassVar[int] = 1
    first: int
    second: object


@dataclasses.dataclass(frozen=True, slots=True)
class Wider(Compact):
    third: object = None


class Owner:
    def method(self):
        pass


def with_boom(obj):
    obj.part = Boom()
    return obj


# The path, and what makes the object.
PLAIN = {
    "a set": ("list(obj)[0]", lambda: {Boom()}),
    "a frozenset": ("list(obj)[0]", lambda: frozenset([Boom()])),
    "a subclass of set": ("list(obj)[0]", lambda: Bag([Boom()])),
    "an exception": ("obj.args[1]", lambda: ValueError(1, Boom())),
    "an exception of the user's": ("obj.args[0]['a']", lambda: PlainError({"a": Boom()})),
    "an attribute of an exception": ("obj.part", lambda: with_boom(PlainError(1))),
    "a file's error": ("obj.filename", lambda: OSError(2, "no", Boom())),
    "a partial": ("obj.args[0]", lambda: functools.partial(print, Boom())),
    "a keyword": ("obj.keywords['k']", lambda: functools.partial(print, k=Boom())),
    "an attribute of a partial": ("obj.part", lambda: with_boom(functools.partial(print))),
    "a subclass of partial": ("obj.args[1]", lambda: Call(print, 1, Boom())),
    "a method": ("obj.__self__.part", lambda: with_boom(Owner()).method),
    "the method of a partial": (
        "obj.func.__self__.part",
        lambda: functools.partial(with_boom(Owner()).method),
    ),
    "a deque": ("obj[1]", lambda: collections.deque([1, Boom()], 3)),
    "a defaultdict": ("obj['a']", lambda: collections.defaultdict(list, a=Boom())),
    "a factory": (
        "obj.default_factory.__self__.part",
        lambda: collections.defaultdict(with_boom(Owner()).method),
    ),
    "a Counter": ("list(obj)[0]", lambda: collections.Counter([Boom()])),
    "a count": ("obj['a']", lambda: collections.Counter(a=Boom())),
    "a slice": ("obj.stop", lambda: slice(1, Boom())),
    "a namedtuple": ("obj.second", lambda: Pair(1, Boom())),
    "a dataclass with slots": ("obj.second", lambda: Compact(1, Boom())),
    "one that derives from it": ("obj.third['a']", lambda: Wider(1, 2, {"a": Boom()})),
    "a subclass of tuple": ("obj[1]", lambda: Triple([1, Boom()])),
    "a member of an enum": ("obj.value", lambda: Cover.ONE),
    "a namespace": ("obj.a", lambda: types.SimpleNamespace(a=Boom())),
    "in a list of them": ("obj['e'][0].args[1].args[0]", lambda: {
        "e": [ValueError(1, functools.partial(print, Boom()))]
    }),
    "a tuple with a __getnewargs__": (
        "obj.__reduce_ex__({})[1][1:][0][0]", lambda: OwnTriple([Boom()]),
    ),
    # Their reductions are their own: there is no other name for the parts.
    "an exception with a __reduce__": (
        "obj.__reduce_ex__({})[1][0][0]", lambda: ReducedError(1, Boom()),
    ),
    "a set with a __reduce__": ("obj.__reduce_ex__({})[1][0][0][1]", lambda: OwnBag([Boom()])),
    "a partial with a __reduce__": (
        "obj.__reduce_ex__({})[2][1][0][0][0]", lambda: OwnCall(print, Boom()),
    ),
}  # fmt: skip


def table(name, content, **options):
    pandas = pytest.importorskip("pandas")
    return getattr(pandas, name)(content, **options)


def array(values, **options):
    numpy = pytest.importorskip("numpy")
    return numpy.array(values, dtype=object, **options)


def masked(values):
    array([])
    import numpy.ma

    return numpy.ma.array(values, dtype=object)


def structured(value):
    numpy = pytest.importorskip("numpy")
    return numpy.array([(1, value)], dtype=[("a", "i4"), ("b", "O")])


def index(*values):
    return table("Index", list(values), dtype=object)


def categories():
    return table("Categorical", [Boom()])


SCIENTIFIC = {
    "an array": ("obj.flat[1]", lambda: array([1, Boom()])),
    "of two dimensions": ("obj.flat[2]", lambda: array([[1, 2], [Boom(), 4]])),
    "of Fortran": ("obj.flat[2]", lambda: array([[1, 2], [Boom(), 4]], order="F")),
    "a masked array": ("obj.data.flat[1]", lambda: masked([1, Boom()])),
    "a structured array": ("obj.flat[0][1]", lambda: structured(Boom())),
    "a table": ("obj['a'].iloc[1]", lambda: table("DataFrame", {"a": [1, Boom()]})),
    "a table of several blocks": (
        "obj['a'].iloc[1]",
        lambda: table(
            "DataFrame", {"q": [1.5, 2], "z": [Boom, "x"], "a": ["x", Boom()], "w": [1, 2]}
        ),
    ),
    "columns without names": ("obj[1].iloc[0]", lambda: table("DataFrame", [[1, Boom()]])),
    "columns of objects": (
        "obj['zz'].iloc[1]",
        lambda: table("DataFrame", {"a": [1, Boom()]}).set_axis(index("zz"), axis=1),
    ),
    "columns of one name": (
        "obj.iloc[:, 1].iloc[0]",
        lambda: table("DataFrame", [[1, Boom()]], columns=["a", "a"]),
    ),
    "in a table in a list": (
        "obj['t'][0]['a'].iloc[1]",
        lambda: {"t": [table("DataFrame", {"a": [1, Boom()]})]},
    ),
    "a Series": ("obj.iloc[1]", lambda: table("Series", [1, Boom()])),
    "an Index": ("obj[1]", lambda: index(1, Boom())),
    "the index of a table": (
        "obj.index[0]", lambda: table("DataFrame", {"a": [1]}, index=index(Boom())),
    ),
    "the columns of a table": (
        "obj.columns[0]", lambda: table("DataFrame", [[1]], columns=index(Boom())),
    ),
    "a category": (
        "obj['a'].array.dtype.categories[0]", lambda: table("DataFrame", {"a": categories()}),
    ),
    "a category of a Series": (
        "obj.array.dtype.categories[0]", lambda: table("Series", categories()),
    ),
}  # fmt: skip
KINDS = {**PLAIN, **SCIENTIFIC}


def refuse(self, state):
    raise LookupError("it fails")


def failure_of(load, data, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Boom, "__setstate__", refuse, raising=False)
        with pytest.raises(LookupError) as caught:
            load(data)
    return caught.value


def every_node(node):
    yield node
    for child in node.children():
        yield from every_node(child)


@pytest.mark.costly
@pytest.mark.parametrize("kind", KINDS)
def test_paths_are_as_people_write_them(unpickling, protocol, kind, monkeypatch):
    path, make = KINDS[kind]
    obj = make()
    data = pickle.dumps(obj, protocol)
    path = path.format(protocol)
    if protocol < 2:  # which write the tuple itself
        path = {"a namedtuple": "obj[1]", "a tuple with a __getnewargs__": "obj[0]"}.get(kind, path)
    error = failure_of(unpickling.loads, data, monkeypatch)
    assert error.path == path
    if kind != "an exception with a __reduce__":  # which is of another shape each time
        assert type(eval(path, {"obj": obj, "list": list})) is Boom
    for scanner in SCANNERS.values():
        assert places.path_in_data(scanner, data, error.offset) == path
    found = quickpickle.inspect(data)
    paths = [node.path for node in every_node(found.root) if node.type.endswith(".Boom")]
    assert path in paths


def test_from_protocol_4_on_sets_are_opcodes(unpickling):
    """So a call of set() is a part of the reduction of something else."""
    data = b"\x80\4cbuiltins\nset\n](cno_such_module\nX\ne\x85R."
    with pytest.raises(ModuleNotFoundError) as caught:
        unpickling.loads(data)
    assert caught.value.path == "obj.__reduce_ex__(4)[1][0][0]"


def test_a_class_in_a_class_is_no_method():
    data = b"\x80\2c__builtin__\ngetattr\ncno_such_module\nX\nU\1a\x86R."
    for scanner in SCANNERS.values():
        path = places.path_in_data(scanner, data, data.index(b"cno_such"))
        assert path == "obj.__reduce_ex__(2)[1][0]"


def test_a_part_of_a_table_that_is_cut_off_has_no_path(unpickling, monkeypatch):
    """Its place is known when the table has its state."""
    data = pickle.dumps(table("DataFrame", {"a": [1, Boom()]}), 2)
    offset = failure_of(unpickling.loads, data, monkeypatch).offset
    for size in range(offset + 1, len(data) - 2, 7):
        assert failure_of(unpickling.loads, data[:size], monkeypatch).path is None
    assert failure_of(unpickling.loads, data[:-1], monkeypatch).path == "obj['a'].iloc[1]"


def test_times_and_values_have_their_names():
    zone = dt.timezone(dt.timedelta(hours=1), "a" * 50)
    data = pickle.dumps([dt.datetime(2026, 1, 1, tzinfo=zone)], 4)
    paths = {node.path for node in every_node(quickpickle.inspect(data).root)}
    assert "obj[0].tzinfo" in paths


@pytest.mark.costly
@pytest.mark.parametrize("names", [True, False])
def test_labels_are_read_once(names):
    """Also of a table with many columns: reading them for each would take minutes."""
    size = 5000
    labels = [f"c{i}" for i in range(size)] if names else range(size)
    frame = table("DataFrame", [[str(i) for i in range(size)]], columns=labels).astype(object)
    found = quickpickle.inspect(pickle.dumps(frame, 4))
    started = time.process_time()
    paths = [node.path for node in every_node(found.root) if node.text == repr(str(size - 1))]
    assert paths == [f"obj['c{size - 1}'].iloc[0]" if names else f"obj[{size - 1}].iloc[0]"]
    assert time.process_time() - started < 30


@pytest.mark.parametrize("kind", ["a table", "columns of objects", "a Series", "a category"])
def test_damaged_tables(kind):
    """Whatever is in the labels and the places of the columns, there is a path."""
    rng = random.Random(1)
    sources = [pickle.dumps(SCIENTIFIC[kind][1](), number) for number in (2, 4)]
    for _ in range(150):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        for node in every_node(quickpickle.inspect(bytes(data)).root):
            assert node.path
        for scanner in SCANNERS.values():
            places.path_in_data(scanner, bytes(data), rng.randrange(len(data)))


def test_a_block_in_no_table():
    """The functions of pandas may be called with anything."""
    data = b"\x80\2cpandas._libs.internals\n_unpickle_block\n]K\1a]\x86R."
    paths = {node.path for node in every_node(quickpickle.inspect(data).root)}
    assert {"obj.values[0]", "obj.mgr_locs"} <= paths


@pytest.mark.costly
def test_the_parts_of_a_large_object_are_named_in_linear_time():
    class_ = b"c" + f"{__name__}\nPlainError\n".encode()
    count = 20_000
    items = b"(" + b"]" * count + b"e"
    state = b"}(" + b"".join(b"J" + i.to_bytes(4, "little") + b"]" for i in range(count)) + b"u"
    found = quickpickle.inspect(b"\x80\2" + class_ + b")R" + items + state + b"b.")
    (root,) = (node for node in every_node(found.root) if node.path == "obj")
    started = time.process_time()
    assert sum(1 for _ in every_node(root)) > 3 * count
    assert time.process_time() - started < 20
