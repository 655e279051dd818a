"""Plans: instances that the compiled implementation writes without asking them, unnoticed.

Each test pickles instances several times, first as their class is planned for, then with the one
thing changed that the plan must not hide.
"""

import ast
import collections
import copyreg
import ctypes
import dataclasses
import datetime as dt
import decimal
import functools
import gc
import io
import pickle
import signal
import subprocess
import sys
import types
import uuid
import weakref
from typing import Any, NamedTuple

import pytest

from cases import for_each
from conftest import IMPLEMENTATIONS
from differential import (
    PYPY,
    assert_same,
    assert_same_when_it_changes,
    only_c,
    only_counted,
    outcome,
)
from models import Act
from quickpickle.rules.reductions import only_globals


class Plain:
    def __init__(self, *args, **attributes):
        self.__dict__.update(attributes)


class Slots:
    __slots__ = ("first", "second", "third")

    def __init__(self, *values):
        for name, value in zip(Slots.__slots__, values, strict=False):
            setattr(self, name, value)


class OneSlot:
    __slots__ = ("only",)


class MoreSlots(Slots):
    __slots__ = ("__private", "fourth")

    def __init__(self, *values):
        Slots.__init__(self, *values)
        self.__private = self.fourth = 4


class SlotsAndDict(Slots):
    pass


class NoSlots:
    __slots__ = ()


class SlotOfTheDict:
    """Below protocol 2 its instances are refused."""

    __slots__ = ("__dict__",)


class NoSlotsButADict(Plain):
    __slots__ = ()


class MadeOtherwise(Plain):
    def __new__(cls, *args, **attributes):
        return object.__new__(cls)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    first: Any
    second: Any = 2
    variable: dataclasses.InitVar[int] = 0


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenOne:
    only: Any


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenNone:
    pass


class Named(NamedTuple):
    first: Any
    second: Any


class NamedFour(NamedTuple):
    first: Any
    second: Any
    third: Any
    fourth: Any


class NamedNone(NamedTuple):
    pass


class NamedWithDict(Named):
    pass


class NamedIterates(Named):
    __slots__ = ()

    def __iter__(self):
        return iter("changed")


class NamedGetnewargs(Named):
    __slots__ = ()

    def __getnewargs__(self):
        return 1, 2


class GetState:
    def __init__(self, state):
        self.state = state

    def __getstate__(self):
        return self.state

    def __setstate__(self, state):
        self.state = state


class ListOfMine(list):
    pass


class DictOfMine(dict):
    pass


class ListWithoutDict(list):
    __slots__ = ()


class DictWithSlot(dict):
    __slots__ = ("slot",)


class ListIterates(list):
    def __iter__(self):
        return iter("changed")


class DictItems(dict):
    def items(self):
        return [("other", "items")]


class DictGetattr(dict):
    def __getattr__(self, name):
        return self[name] if name in self else object.__getattribute__(self, name)


def with_attributes(obj, **attributes):
    vars(obj).update(attributes)
    return obj


class Reduces:
    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return Reduces, self.args


class Meta(type):
    pass


class OfMeta(metaclass=Meta):
    def __init__(self):
        self.attribute = 1


class Zone(dt.tzinfo):
    def utcoffset(self, moment):
        return dt.timedelta(0)


class DequeOfMine(collections.deque):
    pass


class OrderedDictOfMine(collections.OrderedDict):
    pass


class DecimalOfMine(decimal.Decimal):
    pass


class DateOfMine(dt.date):
    pass


class UuidOfMine(uuid.UUID):
    pass


UTC = dt.UTC
ZONE = Zone()
OBJECTS = {
    "plain": lambda: [Plain(a=1, b="x"), Plain(b=2, a=3), Plain(), Plain(c=[]), Plain(a=1, b="y")],
    "many attributes": lambda: [Plain(**{f"a{i}": i for i in range(count)}) for count in range(40)],
    "long attribute": lambda: [Plain(**{"a" * 2000: 1}), Plain(**{"b" * 70000: 2})],
    "1000 attributes": lambda: Plain(**{f"a{i}": [i] for i in range(1001)}),
    "slots": lambda: [Slots(1, "2", [3]), Slots(1), Slots(), Slots(1, 2, 3), OneSlot(), NoSlots()],
    "private slots": lambda: [MoreSlots(1, 2, 3), SlotsAndDict(1), DictWithSlot(a=1)],
    "frozen": lambda: [Frozen(1), Frozen([1], (2,)), FrozenOne(1), FrozenOne([]), FrozenNone()],
    "namedtuple": lambda: [Named(1, [2]), Named("a", "b"), NamedFour(1, 2, 3, "4"), NamedNone()],
    "namedtuple's subclasses": lambda: [NamedWithDict(1, 2), NamedIterates(1, 2)],
    "namedtuple's __getnewargs__": lambda: NamedGetnewargs(3, 4),
    "__getstate__": lambda: [GetState(state) for state in ({"a": 1}, None, 0, [1], (1, {}), "")],
    "__reduce__": lambda: [Reduces(), Reduces(1, "a"), Reduces([])],
    "a class of a metaclass": lambda: [OfMeta(), OfMeta()],
    "dates": lambda: [dt.date(1, 1, 1), dt.date.max, DateOfMine(2000, 2, 29)],
    "times": lambda: [
        dt.time(1, 2, 3, 4),
        dt.time(1, tzinfo=UTC),
        dt.time(1, fold=1),
        dt.time(2, tzinfo=ZONE, fold=1),
    ],
    "datetimes": lambda: [
        dt.datetime(2000, 1, 2, 3, 4, 5, 6),
        dt.datetime(2000, 1, 2, tzinfo=UTC),
        dt.datetime(2000, 1, 2, tzinfo=UTC, fold=1),
        dt.datetime(2000, 1, 2, tzinfo=ZONE),
        dt.datetime(2000, 1, 2, tzinfo=ZONE, fold=1),
        dt.timedelta(1, 2, 3),
        dt.timezone(dt.timedelta(hours=1), "name"),
    ],
    "decimals": lambda: (
        [decimal.Decimal(text) for text in ("1.50", "-0", "NaN", "Infinity", "1e1000", "9" * 300)]
        + [DecimalOfMine("1.5")]
    ),
    "ordered dicts": lambda: [
        collections.OrderedDict(a=1, b=[2]),
        collections.OrderedDict(),
        collections.OrderedDict({1: 1}),
        collections.OrderedDict(zip(range(2001), "ab" * 1001, strict=False)),
        OrderedDictOfMine(a=1),
    ],
    "deques": lambda: [
        *(collections.deque(range(size)) for size in (0, 1, 2, 999, 1000, 1001, 2001)),
        *(collections.deque(["a", [1]] * size) for size in (1, 500, 501)),
        *(collections.deque("abc", maxlen) for maxlen in (0, 1, 3, 255, 256, 65536, sys.maxsize)),
        *(collections.deque("abc", maxlen) for maxlen in (2**31, 2**62) if maxlen <= sys.maxsize),
        collections.deque([collections.deque(), collections.deque([[]], 5)]),
        DequeOfMine("ab"),
        DequeOfMine("ab", 1),
    ],
    "list subclasses": lambda: [
        *(ListOfMine(range(size)) for size in (0, 1, 2, 999, 1000, 1001, 2001)),
        *(ListOfMine([*"ab" * size, [1], "c"]) for size in (0, 1, 499)),
        *(ListOfMine([[1]] * size) for size in (1, 2, 998, 1000, 1001)),
        ListOfMine([ListOfMine(), DictOfMine(a=ListOfMine("abc"))]),
        with_attributes(ListOfMine("ab"), a=1),
        ListWithoutDict([1, [2]]),
        ListIterates("abc"),
    ],
    "dict subclasses": lambda: [
        *(
            DictOfMine((i, str(i)) for i in range(size))
            for size in (0, 1, 2, 999, 1000, 1001, 2001)
        ),
        *(DictOfMine((i, [i]) for i in range(size)) for size in (1, 2, 999, 1000, 1001)),
        *(DictOfMine({"a": 1, (key, "b"): 2, "c": 3}) for key in (1, "a", None)),
        DictOfMine({(1, 2): [3]}),
        DictOfMine(a=1, b=[2], c="3"),
        with_attributes(DictOfMine(a=1), b=2),
        DictItems(a=1),
        DictGetattr(a=[1]),
    ],
    "defaultdicts": lambda: [
        collections.defaultdict(list, a=[1]),
        collections.defaultdict(list, a=1),
        collections.defaultdict(list),
        collections.defaultdict(None, b=2),
        collections.defaultdict(None),
        collections.defaultdict(int, {i: i for i in range(1000)}),
        collections.defaultdict(int, {i: [i] for i in range(1001)}),
        collections.defaultdict(dict, {1: collections.defaultdict(dict, {2: {}})}),
    ],
    "dicts of other kinds": lambda: [
        collections.Counter("abca"),
        types.SimpleNamespace(a=1),
    ],
    "syntax trees": lambda: ast.parse(
        "def f(x: int = 1):\n    return [x, 'text', f'{x}', b'', ...]"
    ),
    "a slot of the dict": lambda: with_attributes(SlotOfTheDict(), a=1),
    "classes with no slots": lambda: [
        *(cls(a=value) for cls in (NoSlotsButADict, MadeOtherwise, Plain) for value in (1, [2])),
        NoSlotsButADict(),
        MadeOtherwise(),
        Plain(),
    ],
    "uuids": lambda: [
        uuid.UUID(int=1),
        uuid.UUID(int=2**128 - 1),
        uuid.UUID(int=2, is_safe=uuid.SafeUUID.safe),
        uuid.UUID(int=3, is_safe=uuid.SafeUUID.unsafe),
        UuidOfMine(int=4),
        uuid.UUID(int=2**31),
    ],
    "exceptions": lambda: [ValueError("a"), KeyError(), OSError(2, "b")],
}


@pytest.mark.costly
@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_bytes(implementation, protocol, name):
    if protocol < 2 and name in ("slots", "private slots"):
        pytest.skip("protocols 0 and 1 have no slots")
    make = OBJECTS[name]
    assert_same(implementation, make, protocol)
    # Once more, and all of them twice, the second time by reference.
    objects = make()
    assert_same(implementation, lambda: [objects, [objects, (objects,)]], protocol)
    # The parts are shared, and frames end between them.
    assert_same(implementation, lambda: ["x" * 65500, objects, "x" * 65500, objects], protocol)
    if isinstance(objects, list):
        for size in range(65430, 65550, 3):
            assert_same(implementation, lambda size=size: [b"x" * size, *objects], protocol)


@pytest.mark.costly
@pytest.mark.parametrize("name", OBJECTS)
def test_several_dumps_and_the_memo_in_between(implementation, protocol, name):
    """A dict that is not made has a number all the same, and a copy of the memo an entry for it."""
    if protocol < 2 and name in ("slots", "private slots", "a slot of the dict"):
        pytest.skip("protocols 0 and 1 have no slots")
    objects = OBJECTS[name]()

    def dump(pickler_class):
        first, second = io.BytesIO(), io.BytesIO()
        pickler = pickler_class(first, protocol)
        pickler.dump(objects)
        pickler.dump([objects, OBJECTS["plain"]()])
        heir = pickler_class(second, protocol)
        heir.memo = pickler.memo
        heir.dump([objects, OBJECTS["plain"]()])
        return first.getvalue(), second.getvalue(), len(pickler.memo.copy())

    assert dump(implementation.Pickler) == dump(pickle.Pickler)


class Taker:
    """A file whose write is Python code, which may do anything."""

    def __init__(self):
        self.taken = b""

    def write(self, data):
        self.taken += bytes(data)


@pytest.mark.costly
@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("kind", ["memory", "disk", "Python"])
def test_a_frame_that_ends_within_an_object(implementation, name, kind, tmp_path):
    """For every end of a frame, and every kind of file."""
    objects = OBJECTS[name]()
    for size in range(65480, 65550, 7):
        obj = [objects, b"x" * size, objects, objects]
        # An object of its own each time, so that it is not a reference that is met at the end.
        obj = [b"x" * size, OBJECTS[name](), b"y" * size, OBJECTS[name](), obj]
        expected = pickle.dumps(obj, 5)
        if kind == "disk":
            with open(tmp_path / "file", "wb") as file:
                implementation.dump(obj, file, 5)
            assert (tmp_path / "file").read_bytes() == expected
        elif kind == "memory":
            file = io.BytesIO()
            implementation.dump(obj, file, 5)
            assert file.getvalue() == expected
        else:
            taker = Taker()
            implementation.dump(obj, taker, 5)
            assert taker.taken == expected


@pytest.mark.skipif(PYPY, reason="PyPy has no ctypes.pythonapi")
@pytest.mark.parametrize("name", ["datetimes", "uuids", "decimals", "namedtuple", "slots"])
def test_ctrl_c_where_every_frame_ends_within_an_object(implementation, name):
    """Wherever the frames end, a signal is seen when the next object begins."""
    interrupt = ctypes.pythonapi["PyErr_SetInterrupt"]  # runs no code of Python
    interrupt.argtypes, interrupt.restype = [ctypes.py_object], None
    objects = OBJECTS[name]() * 20_000
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for size in range(65480, 65520, 3):
            obj = [pickle.PickleBuffer(b""), b"x" * size, objects]
            with pytest.raises(KeyboardInterrupt):
                implementation.dumps(obj, 5, buffer_callback=interrupt)
    finally:
        signal.signal(signal.SIGINT, previous)


def test_uuids_that_are_not_as_they_are_made(implementation, protocol, monkeypatch):
    if protocol < 2:
        pytest.skip("protocols 0 and 1 have no slots")

    def make(**attributes):
        made = uuid.UUID(int=5)
        for name, value in attributes.items():
            object.__setattr__(made, name, value)
        return [uuid.UUID(int=5), made]

    for value in (True, -1, "text", [1], 1.5):
        assert_same(implementation, lambda value=value: make(int=value), protocol)
    assert_same(implementation, lambda: make(is_safe=None), protocol)
    assert_same(implementation, lambda: [uuid.UUID(int=5), uuid.UUID.__new__(uuid.UUID)], protocol)

    objects = make()
    assert_same(implementation, lambda: objects, protocol)
    code = uuid.UUID.__getstate__.__code__
    try:
        uuid.UUID.__getstate__.__code__ = (lambda self: {"int": 7}).__code__
        assert_same(implementation, lambda: objects, protocol)
    finally:
        uuid.UUID.__getstate__.__code__ = code
    assert_same(implementation, lambda: objects, protocol)
    with monkeypatch.context() as patch:
        patch.setattr(uuid.UUID, "__getstate__", lambda self: {"int": 8})
        assert_same(implementation, lambda: objects, protocol)
    assert_same(implementation, lambda: objects, protocol)


SPECIAL = ("__reduce_ex__", "__getstate__", "__reduce__", "__slots__")


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("place", [0, 1, 3, 20])
@pytest.mark.parametrize("shared", [False, True])
def test_a_method_among_the_attributes(implementation, protocol, special, place, shared):
    """The bytes that were written before the attribute is found are dropped."""
    text = "".join(["a value that ", "is met again"])

    def make():
        attributes = {f"name{i}": [i] if i % 3 == 2 else text for i in range(place)}
        answer = {"__getstate__": lambda: {"state": text}}.get(
            special, lambda *protocol: (Plain, (text,))
        )
        odd = Plain(**attributes, **{special: answer}, last=text)
        usual = Plain(**attributes, last=text)
        return [odd, usual, odd, text] if shared else [usual, odd, usual, Plain(last=text)]

    assert_same(implementation, make, protocol)


def reconstructed_otherwise(cls, base, state):
    return object.__new__(cls)


COPYREG = {
    "_reduce_ex": lambda obj, protocol: (Plain, (), {"changed": protocol}),
    "_reconstructor": reconstructed_otherwise,
}


@pytest.mark.parametrize("name", COPYREG)
def test_copyreg_that_changes(implementation, protocol, monkeypatch, name):
    def make():
        return [Plain(a=1), Plain(b=[2]), Plain()]

    assert_same(implementation, make, protocol)
    monkeypatch.setattr(copyreg, name, COPYREG[name])
    assert_same(implementation, make, protocol)
    monkeypatch.undo()
    assert_same(implementation, make, protocol)

    def change_in_the_middle():
        monkeypatch.undo()
        return [*make(), Act(lambda: monkeypatch.setattr(copyreg, name, COPYREG[name])), *make()]

    assert_same(implementation, change_in_the_middle, protocol)


def test_code_of_copyreg_that_changes(implementation, protocol, monkeypatch):
    objects = [Plain(a=1), Plain(b=[2])]
    assert_same(implementation, lambda: objects, protocol)
    code = (lambda self, proto: (dict, (), None, None, iter([("changed", proto)]))).__code__
    monkeypatch.setattr(copyreg._reduce_ex, "__code__", code)
    assert_same(implementation, lambda: objects, protocol)


def test_keys_that_are_no_strings(implementation, protocol):
    class Liar(str):
        def __eq__(self, other):
            return True

        __hash__ = str.__hash__

    def make(key):
        obj = Plain(a=1)
        obj.__dict__[key] = 2
        return [Plain(a=1), obj]

    for key in (1, None, (1,), Liar("x")):
        if protocol > 1 or type(key) is not Liar:
            assert_same(implementation, lambda key=key: make(key), protocol)


def test_fields_that_change(implementation, protocol, monkeypatch):
    objects = [Frozen(1), Frozen([2])]
    assert_same(implementation, lambda: objects, protocol)
    fields = Frozen.__dataclass_fields__
    monkeypatch.setattr(fields["second"], "name", "first")
    assert_same(implementation, lambda: objects, protocol)
    monkeypatch.undo()
    monkeypatch.setattr(fields["second"], "_field_type", "none")
    assert_same(implementation, lambda: objects, protocol)
    monkeypatch.undo()
    field = fields.pop("first")
    try:
        assert_same(implementation, lambda: objects, protocol)
    finally:
        fields["first"] = field


CHANGES = {
    Plain: {"__getstate__": lambda self: 1, "__slots__": ("x",), "__getattr__": lambda *args: 1},
    Slots: {"__getstate__": lambda self: 1, "first": property(lambda self: "property")},
    Frozen: {"__getstate__": lambda self: 1, "__getattribute__": object.__getattribute__},
    Named: {"__getnewargs__": lambda self: (3, 4), "__getnewargs_ex__": lambda self: ((5, 6), {})},
    GetState: {"__getstate__": lambda self: 7, "__reduce__": lambda self: (int, ())},
    Reduces: {"__reduce__": lambda self: (int, (8,)), "__reduce_ex__": lambda *args: (int, (9,))},
}


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls, changes in CHANGES.items() for name in changes]
)
def test_a_class_that_changes(implementation, protocol, monkeypatch, cls, name):
    def make():
        return [cls(1, 2) if cls is not GetState else cls({"a": 1}) for _ in range(2)]

    def change():
        monkeypatch.setattr(cls, name, CHANGES[cls][name], raising=False)

    assert_same_when_it_changes(implementation, make, protocol, (change, monkeypatch.undo), Act)


def test_a_metaclass_that_changes(implementation, protocol, monkeypatch):
    make = OBJECTS["a class of a metaclass"]
    assert_same(implementation, make, protocol)

    monkeypatch.setattr(Meta, "__reduce__", lambda self: (int, (11,)), raising=False)
    assert_same(implementation, make, protocol)


def test_values_set_while_others_are_written(implementation, protocol):
    """A reduction's state is made before any of it is written."""

    def make_slots():
        obj = Slots()
        obj.first = Act(lambda: setattr(obj, "third", ["new"]))
        obj.second = ["kept"]
        obj.third = ["old"]
        return [obj, obj]

    def move_slots():
        obj, holder = Slots(), []

        def move():
            holder.append(obj.third)
            obj.third = None

        obj.first, obj.second, obj.third = Act(move), 1, ["moved"]
        return [obj, holder]

    def make_plain():
        obj = Plain()
        obj.first = Act(lambda: setattr(obj, "third", ["new"]))
        obj.second = 1
        obj.third = ["old"]
        return [obj, obj]

    for make in (make_slots, move_slots, make_plain):
        assert_same(implementation, make, protocol)


FRESH_CHANGES = {
    "nothing": lambda obj: None,
    "dict made": lambda obj: vars(obj),
    "set": lambda obj: setattr(obj, "third", ["new"]),
    "set before": lambda obj: setattr(obj, "first", ["new"]),
    "added": lambda obj: setattr(obj, "fifth", 5),
    "deleted": lambda obj: delattr(obj, "fourth"),
    "deleted before": lambda obj: delattr(obj, "first"),
    "another dict": lambda obj: setattr(obj, "__dict__", {"second": 1, "third": 2}),
    "another class": lambda obj: setattr(obj, "__class__", GetState),
}


class Attributes:
    """Its instances have no dict until somebody asks for it."""

    def __init__(self, second):
        self.first = ["first"]
        self.second = second
        self.third = ["third"]
        self.fourth = 4


@pytest.mark.parametrize("change", FRESH_CHANGES)
@pytest.mark.parametrize("deep", [False, True])
def test_attributes_that_lie_beside_their_instance(implementation, protocol, change, deep):
    def make():
        obj = Attributes(None)
        act = Act(lambda: FRESH_CHANGES[change](obj))
        obj.second = [[act], "text"] if deep else act
        return [Attributes([1]), obj, Attributes("2"), obj]

    if sys.version_info >= (3, 14) or change not in ("added", "deleted", "deleted before"):
        assert_same(implementation, make, protocol)
    else:  # the standard pickler may crash
        result = outcome(lambda: implementation.dumps(make(), protocol))
        assert isinstance(result, bytes) or result[0] is RuntimeError


def test_an_instance_dict_handed_back(implementation, protocol):
    """Written with its instance, it is known by the time that a reduction has it."""

    def make(shared):
        obj = Attributes([1])
        holder = [obj]
        rest = Reduces.__new__(Reduces)
        rest.__class__ = HandsBack
        rest.holder = holder
        return [obj, obj, rest, "rest"] if shared else [holder, rest, "rest", obj.third]

    for shared in (False, True):
        assert_same(implementation, lambda shared=shared: make(shared), protocol)


def test_references_to_objects_of_an_abandoned_plan(implementation, protocol):
    """Written once, handed back later: also if what came in between was undone."""

    def make():
        odd = Plain(name="x", last=1, __getstate__=lambda: {"state": 1})
        rest = HandsBackFirst()
        rest.root = [[["met", "once"]], Plain(name="x", last=1), odd, rest]
        return rest.root

    assert_same(implementation, make, protocol)


class HandsBackFirst:
    def __reduce__(self):
        return list, (self.root[0],)


class HandsBack(Reduces):
    def __reduce__(self):
        return list, ([vars(self.holder[0])],)


def test_a_failed_dump_of_fresh_instances(implementation, protocol):
    good = [Attributes([i]) for i in range(50)]
    bad = [*[Attributes([i]) for i in range(50)], lambda: 1]

    def use(pickler_class):
        file = io.BytesIO()
        pickler = pickler_class(file, protocol)
        pickler.dump(good)
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickler.dump(bad)
        return pickler, file

    pickler, file = use(implementation.Pickler)
    assert len(pickler.memo.copy()) == len(set(pickler.memo.copy()))
    file.seek(0)
    file.truncate()
    pickler.dump([*bad[:-1], *good])
    expected = io.BytesIO()
    theirs = pickle.Pickler(expected, protocol)
    theirs.dump(good)
    expected.seek(0)
    expected.truncate()
    theirs.dump([*bad[:-1], *good])
    assert file.getvalue() == expected.getvalue()


def test_ordered_dicts_that_are_more(implementation, protocol):
    def with_attribute():
        obj = collections.OrderedDict(a=1)
        obj.attribute = 2
        return obj

    def moved():
        obj = collections.OrderedDict(a=1, b=2)
        obj.move_to_end("a")
        return [obj, obj]

    def changed():
        obj = collections.OrderedDict(a=1, b=2)
        obj["c"] = Act(lambda: obj.move_to_end("a"))
        return obj

    for make in (with_attribute, moved, changed):
        assert_same(implementation, make, protocol)


def test_deques_that_refer_to_themselves_or_change(implementation, protocol):
    def itself():
        obj = collections.deque([1], 9)
        obj.extend([obj, [obj]])
        return [obj, obj]

    def changed():
        obj = collections.deque([1, Act(lambda: obj.append(3)), 2])
        return [obj]

    def emptied():
        obj = collections.deque([1, [2], Act(lambda: obj.clear())])
        return [obj, [3]]

    for make in (itself, changed, emptied):
        assert_same(implementation, make, protocol)


def test_a_reduce_that_cannot_be_looked_up(implementation, protocol):
    class Hidden:
        @property
        def __reduce__(self):
            raise AttributeError("not here")

    class Static:
        @staticmethod
        def __reduce__():
            return int, ()

    for cls in (Hidden, Static):
        cls.__qualname__ = cls.__name__
        globals()[cls.__name__] = cls
        try:
            assert_same(implementation, lambda cls=cls: [cls(), cls()], protocol)
        finally:
            del globals()[cls.__name__]


def test_a_module_with_a_dot_in_a_name(implementation, protocol, monkeypatch):
    class Dotted:
        pass

    Dotted.__qualname__ = "Plain.Dotted"
    monkeypatch.setitem(globals(), "Plain.Dotted", Dotted)
    assert_same(implementation, lambda: Dotted, protocol)


def test_shared_strings_of_types_of_c(implementation, protocol):
    """A type may make its name anew for each request, and it is gone the moment after."""
    make = lambda: [dt.date, [dt.date(1, 1, 1)], dt.time, "datetime", "x" * 5]  # noqa: E731
    assert_same(implementation, lambda: [make() for _ in range(100)], protocol)


# --- names


def test_a_module_that_has_another_class_by_then(implementation, protocol, monkeypatch):
    make = lambda: [Plain(a=1), Plain]  # noqa: E731
    assert_same(implementation, make, protocol)
    monkeypatch.setattr(sys.modules[__name__], "Plain", Slots)
    assert_same(implementation, make, protocol)


def test_a_module_of_another_kind(implementation, protocol, monkeypatch):
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            if name == "Plain":
                raise AttributeError(name)
            return super().__getattribute__(name)

    module = Lazy(__name__)
    module.__dict__.update(vars(sys.modules[__name__]))
    obj = Plain(a=1)
    monkeypatch.setitem(sys.modules, __name__, module)
    assert_same(implementation, lambda: obj, protocol)


def test_an_import_of_ones_own(implementation, protocol, monkeypatch):
    imported = []
    original = __import__

    def own(name, *args, **kwargs):
        imported.append(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr("builtins.__import__", own)
    implementation.dumps(Plain, protocol)
    assert __name__ in imported


# --- other code that runs at odd moments


@pytest.mark.costly
@only_counted
def test_a_collection_in_the_middle(implementation, protocol):
    """Making an instance's dict may run the garbage collector, and that anyone's code."""
    items = []

    class Cycle:
        def __init__(self):
            self.cycle = self

        def __del__(self):
            items[:] = [Plain(new=str(i)) for i in range(300)]

    for _ in range(20):
        items[:] = [Plain(a=str(i), b=[str(i)], c=(str(i), Slots())) for i in range(300)]
        Cycle()
        threshold = gc.get_threshold()
        gc.set_threshold(1)
        try:
            data = implementation.dumps([items, items[5:9], list(items)], max(protocol, 2))
        except RuntimeError as error:  # where lists are watched
            assert "changed size" in str(error)  # noqa: PT017
        else:
            pickle.loads(data)
        finally:
            gc.set_threshold(*threshold)
        gc.collect()


@pytest.mark.costly
@pytest.mark.parametrize("takes", [1, 10**9])
def test_the_last_write_may_free_everything(implementation, takes):
    """The bytes that were written are read no more then."""
    graph = [Attributes([str(i)]) for i in range(100)]
    written = []

    class File:
        def write(self, data):
            graph.clear()
            graph.extend([str(i)] for i in range(1000))
            written.append(bytes(data[:takes]))
            return len(written[-1])

    expected = pickle.dumps(graph, 5)
    implementation.dump(graph, File(), 5)
    assert b"".join(written) == expected


@pytest.mark.costly
@only_c
@pytest.mark.parametrize("action", ["clear", "move", "replace"])
def test_a_write_that_changes_the_object(implementation, action):
    """Between two frames; what goes out of the graph then is met no more, or met elsewhere."""

    def dump(pickle_dump):
        graph = {
            "lists": [[str(i), (str(i), [str(-i)])] for i in range(9000)],
            "objects": [Plain(a=str(i), b=[i]) for i in range(9000)],
            "rest": [],
        }
        written = []

        class File:
            def write(self, data):
                written.append(bytes(data))
                lists = graph["lists"]
                if action == "clear":
                    lists[100:] = [None] * len(lists[100:])
                elif action == "move":
                    graph["rest"].extend(lists[:50])
                    graph["rest"].extend(graph["objects"][:50])
                    lists[:50] = graph["objects"][:50] = ["gone"] * 50
                else:
                    for i in range(0, 9000, 7):
                        lists[i] = [str(i)]
                        graph["objects"][i].a = [str(i)]

        pickle_dump(graph, File(), 5)
        return b"".join(written)

    assert dump(implementation.dump) == dump(pickle.dump)


# --- a reducer_override that is declared to be for classes and functions only: only_globals


class AsFunction:
    __class__ = property(lambda self: types.FunctionType)


class Disguised:
    """Not a function, but says that it is one."""

    def __init__(self, cls=types.FunctionType):
        self.cls = cls

    @property
    def __class__(self):
        return self.cls

    def __reduce__(self):
        return Plain, ()


class Undisguised:
    pass


class DisguisedLater(Undisguised):
    def __reduce__(self):
        return Plain, ()


class SubDict(dict):
    pass


def functions_as_text(cls, file, declare=lambda hook: hook):
    """A Pickler as cloudpickle's: its hook concerns what is, or says it is, a class or function."""

    @declare
    def reducer_override(self, obj):
        asked.append(obj)
        if issubclass(type(obj), type):
            return (str, (obj.__name__,)) if obj in (Plain, Slots, dt.date) else NotImplemented
        if isinstance(obj, types.FunctionType):
            return str, ("function",)
        return NotImplemented

    asked = []
    return type("Sub", (cls,), {"reducer_override": reducer_override, "asked": asked})(file, 5)


def plans_of_each_kind():
    date = dt.date(2024, 1, 1)
    return [
        Plain(a=1), Plain(b=[Plain]), Slots(1, 2, 3), OneSlot(), MoreSlots(1), Frozen(1, [2]),
        Named(1, [2]), date, dt.timedelta(1), decimal.Decimal(2), collections.OrderedDict(a=1),
        uuid.UUID(int=5), collections.deque([1]), SubDict(a=[1]), Act(int), Disguised(),
        DisguisedLater(), SlotsAndDict(1), range(3), 1j, object(), Disguised(int), len, assert_same,
        [Plain, dt.date, Disguised, Disguised(type)], ast.parse("a = 1 + b"),
        types.SimpleNamespace(),
    ]  # fmt: skip


@pytest.mark.parametrize("table", [None, {}, collections.ChainMap({}, copyreg.dispatch_table)])
def test_a_hook_for_classes_and_functions_writes_the_same(implementation, table):
    results = []
    for cls, declare in (
        (pickle.Pickler, only_globals()),
        (implementation.Pickler, lambda hook: hook),
        (implementation.Pickler, only_globals()),
    ):
        file = io.BytesIO()
        pickler = functions_as_text(cls, file, declare)
        if table is not None:
            pickler.dispatch_table = table
        for _ in range(3):  # no plans yet, then plans, whose classes are in the memo
            pickler.dump(plans_of_each_kind() * 2)
            pickler.clear_memo()
        results.append(file.getvalue())
        # Each object that it could decide about was given to it.
        globals_ = [obj for obj in pickler.asked if isinstance(obj, type | types.FunctionType)]
        results.append(len(globals_))
    assert results[0] == results[2] == results[4]
    assert results[1] == results[3] == results[5]


def test_only_classes_and_functions_are_asked_for():
    if "native" not in IMPLEMENTATIONS:
        pytest.skip("quickpickle.compiled is not there")
    core = IMPLEMENTATIONS["native"]
    pickler = functions_as_text(core.Pickler, io.BytesIO(), only_globals())
    pickler.dump([Plain(), SubDict(), dt.date(2024, 1, 1)])
    pickler.clear_memo()
    pickler.asked.clear()
    pickler.dump([[Plain(a=i), SubDict(), dt.date.fromordinal(i + 1)] for i in range(100)])
    assert {type(obj) for obj in pickler.asked} <= {type, Plain, SubDict, dt.date}
    assert len(pickler.asked) < 8


def test_a_class_that_begins_to_disguise_its_instances(implementation):
    results = []
    for cls in (pickle.Pickler, implementation.Pickler):
        file = io.BytesIO()
        pickler = functions_as_text(cls, file, only_globals())
        pickler.dump([DisguisedLater() for _ in range(3)])
        DisguisedLater.__bases__ = (AsFunction,)
        try:
            pickler.dump([DisguisedLater() for _ in range(3)])
        finally:
            DisguisedLater.__bases__ = (Undisguised,)
        pickler.dump([DisguisedLater() for _ in range(3)])
        results.append(file.getvalue())
    assert results[0] == results[1]
    assert results[0].count(b"function") == 1  # the others refer to it


def test_a_hook_that_overrides_the_declared_one_is_called_with_everything(implementation):
    class Declared(implementation.Pickler):
        @only_globals()
        def reducer_override(self, obj):
            return NotImplemented

    class Sub(Declared):
        def reducer_override(self, obj):
            return (str, ("plain",)) if type(obj) is Plain else super().reducer_override(obj)

    class Wrapped(Declared):
        @functools.wraps(Declared.reducer_override)
        def reducer_override(self, obj):
            return (str, ("plain",)) if type(obj) is Plain else NotImplemented

    def of_an_instance(file):
        pickler = Declared(file)
        hook = Sub(file).reducer_override
        pickler.reducer_override = lambda obj: hook(obj)
        return pickler

    for make in (Sub, Wrapped, of_an_instance):
        file = io.BytesIO()
        pickler = make(file)
        for _ in range(2):
            pickler.dump([Plain(), Plain()])
        file.seek(0)
        unpickler = pickle.Unpickler(file)
        assert [unpickler.load() for _ in range(2)] == [["plain"] * 2] * 2


# --- a dispatch table that is a ChainMap, as cloudpickle's


class Meta(type):
    """Classes that are equal to others."""

    def __eq__(cls, other):
        return other in (Plain, Meta.made)

    def __hash__(cls):
        return hash(Plain)


Meta.made = Meta("made", (), {})


def reduced(obj):
    return str, ("from the table",)


def missing(table, key):
    return reduced


class SubChainMap(collections.ChainMap):
    def __missing__(self, key):
        return reduced


def with_missing():
    table = collections.ChainMap({}, {})
    table.__missing__ = lambda key: reduced
    return table


def with_maps(maps):
    table = collections.ChainMap()
    table.maps = maps
    return table


CHAINS = {
    "empty": collections.ChainMap,
    "first": lambda: collections.ChainMap({Plain: reduced}, {}),
    "second": lambda: collections.ChainMap({}, {dt.date: reduced}),
    "a function as a key": lambda: collections.ChainMap({reduced: reduced}, {Slots: reduced}),
    "a class that is equal": lambda: collections.ChainMap({}, {Meta.made: reduced}),
    "a subclass": SubChainMap,
    "__missing__": with_missing,
    "other mappings": lambda: collections.ChainMap(collections.defaultdict(lambda: reduced)),
    "a chain in it": lambda: collections.ChainMap(collections.ChainMap({Plain: reduced})),
    "many": lambda: collections.ChainMap(*({} for _ in range(9)), {Plain: reduced}),
    "a tuple": lambda: with_maps(({}, {Plain: reduced})),
    "no maps": lambda: with_maps([]),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("place", ["class", "instance"])
def test_a_chain_map(implementation, name, place):
    results = []
    for cls in (pickle.Pickler, implementation.Pickler):
        file = io.BytesIO()
        table = CHAINS[name]()
        pickler = type("Sub", (cls,), {"dispatch_table": table} if place == "class" else {})(file)
        if place == "instance":
            pickler.dispatch_table = table

        def dump(pickler=pickler):
            pickler.dump([Plain(a=1), Slots(1, 2, 3), dt.date(2024, 1, 1), SubDict(), 1j] * 2)
            pickler.clear_memo()

        def change(table=table):
            table.maps = [{}, {SubDict: reduced}]

        results += [outcome(dump), outcome(dump)]
        outcome(lambda: pickler.dump([Plain(), Act(change), Plain(), SubDict()]))  # noqa: B023
        results += [file.getvalue()]
    assert results[:3] == results[3:]


def test_an_entry_that_comes_while_a_chain_map_is_in_use(implementation):
    results = []
    for cls in (pickle.Pickler, implementation.Pickler):
        file = io.BytesIO()
        pickler = cls(file)
        entries = {}
        pickler.dispatch_table = collections.ChainMap({}, entries)
        add = Act(lambda: entries.update({Plain: reduced}))  # noqa: B023
        remove = Act(lambda: entries.clear())  # noqa: B023
        pickler.dump([Plain(), add, Plain(), remove, Plain(), SubDict()])
        results.append(file.getvalue())
    assert results[0] == results[1]
    assert results[0].count(b"from the table") == 1


class TakesAway:
    """A key of a dispatch table that does something when it is compared with SubDict."""

    def __init__(self, action):
        self.action = action

    def __hash__(self):
        return hash(SubDict)

    def __eq__(self, other):
        if other is SubDict:
            self.action()
        return False


@pytest.mark.parametrize("chain", [False, True])
def test_an_odd_key_that_comes_while_a_dispatch_table_is_in_use(implementation, chain):
    """Memory is used again then: what a sanitizer sees, if not the bytes."""
    results = []
    for cls in (pickle.Pickler, implementation.Pickler):
        file = io.BytesIO()
        pickler = cls(file)
        entries = {Slots: reduced}
        pickler.dispatch_table = collections.ChainMap({}, entries) if chain else entries
        box, later = [[1], [2]], []

        def take(box=box, later=later):
            box.clear()
            later.extend([[[3], [4]]] * 2)

        key = TakesAway(take)
        add = Act(lambda: entries.update({key: reduced}))  # noqa: B023
        pickler.dump([Plain(), SubDict(), add, box, SubDict(), later, Act(int), later])
        results.append(file.getvalue())
        assert later
    assert results[0] == results[1]


class FromScratch:
    def __init__(self, action):
        self.action = action

    def __reduce_ex__(self, protocol):
        self.action()
        return list, ()  # nothing else runs until the next object is written


@pytest.mark.parametrize("kept", [False, True])
def test_maps_that_are_replaced_while_a_chain_map_is_in_use(implementation, kept):
    """Whether the dicts that were looked at are there still (when they would be asked), or not."""
    results = []
    for cls in (pickle.Pickler, implementation.Pickler):
        file = io.BytesIO()
        pickler = cls(file)
        table = collections.ChainMap({}, {})
        maps = table.maps[:] if kept else []
        pickler.dispatch_table = table

        def change(table=table, maps=maps):
            table.maps = [{}, {Plain: reduced}]
            maps += [{i: i} for i in range(1000)]  # in the memory of those that were given up

        pickler.dump([Plain(), FromScratch(change), Plain(), [Plain(), SubDict()]])
        results.append(file.getvalue())
    assert results[0] == results[1]
    assert results[0].count(b"from the table") == 1


def test_a_table_whose_entry_goes_while_it_is_called(implementation):
    results = []
    for cls in (pickle.Pickler, implementation.Pickler):
        file = io.BytesIO()
        pickler = cls(file)

        def reduce(obj, pickler=pickler):
            pickler.dispatch_table.maps[0].clear()
            return str, ("from the table",)

        pickler.dispatch_table = collections.ChainMap({complex: reduce}, copyreg.dispatch_table)
        del reduce
        pickler.dump([1j, 2j, complex(3)])
        results.append(file.getvalue())
    assert results[0] == results[1]


@pytest.mark.parametrize("name", ["__getitem__", "__missing__", "__getattribute__"])
def test_a_chain_map_whose_class_was_changed(implementation, monkeypatch, name):
    def changed(table, key):
        return reduced if name != "__getattribute__" else object.__getattribute__(table, key)

    results = []
    for cls in (pickle.Pickler, implementation.Pickler):
        file = io.BytesIO()
        pickler = cls(file)
        pickler.dispatch_table = collections.ChainMap({})
        pickler.dump([Plain()])
        monkeypatch.setattr(collections.ChainMap, "anything", 1, raising=False)  # as copyreg does
        pickler.dump([Plain()])
        with monkeypatch.context() as patch:
            patch.setattr(collections.ChainMap, name, changed, raising=False)
            pickler.dump([Plain()])
        pickler.dump([Plain()])
        results.append(file.getvalue())
    assert results[0] == results[1]


# --- subclasses of list and dict


@pytest.mark.costly
@pytest.mark.parametrize("position", [0, 1, 500, 998, 999, 1000, 1500])
@pytest.mark.parametrize("size", [1, 2, 999, 1000, 1001, 1501])
def test_items_that_change_while_they_are_written(implementation, protocol, size, position):
    def make(cls):
        act = Act(lambda: obj.append(1) if cls is ListOfMine else obj.update({"new": 1}))
        values = [act if i == min(position, size - 1) else i for i in range(size)]
        obj = ListOfMine(values) if cls is ListOfMine else DictOfMine(enumerate(values))
        return [obj, "after", obj]

    for cls in (ListOfMine, DictOfMine):
        expected = outcome(lambda: pickle.dumps(make(cls), protocol))  # noqa: B023
        assert outcome(lambda: implementation.dumps(make(cls), protocol)) == expected  # noqa: B023


@pytest.mark.parametrize("where", ["key", "value"])
def test_items_that_are_handed_back(implementation, protocol, where):
    """Written as leaves before other code ran, which puts them elsewhere."""

    def make():
        cell = []
        obj = DictOfMine({"".join(["a", "b"]): "".join(["c", "d"])})
        act = Act(lambda: cell.extend(obj if where == "key" else obj.values()))
        obj["act"] = act
        return [obj, cell]

    assert implementation.dumps(make(), protocol) == pickle.dumps(make(), protocol)


def test_an_instance_with_items_of_its_own(implementation, protocol):
    assert_same(implementation, lambda: [DictOfMine(a=1)], protocol)
    for name in ("items", "__getstate__", "__reduce_ex__"):
        action = {
            "items": lambda: iter([("other", "items")]),
            "__getstate__": lambda: None,
            "__reduce_ex__": lambda protocol: (int, ()),
        }[name]
        obj = DictOfMine(a=1)
        vars(obj)[name] = action
        expected = outcome(lambda: pickle.dumps(obj, protocol))  # noqa: B023
        assert outcome(lambda: implementation.dumps(obj, protocol)) == expected  # noqa: B023


@pytest.mark.parametrize("name", ["items", "__iter__", "__reduce__", "__getstate__"])
def test_a_list_or_dict_subclass_that_changes(implementation, protocol, name):
    obj = [ListOfMine("ab"), DictOfMine(a=1)]
    before = implementation.dumps(obj, protocol)
    methods = {
        "items": lambda self: iter([("other", "items")]),
        "__iter__": lambda self: iter("other"),
        "__reduce__": lambda self: (int, ()),
        "__getstate__": lambda self: {"a": 1},
    }
    for cls in (ListOfMine, DictOfMine):
        setattr(cls, name, methods[name])
    try:
        expected = outcome(lambda: pickle.dumps(obj, protocol))
        assert outcome(lambda: implementation.dumps(obj, protocol)) == expected
    finally:
        for cls in (ListOfMine, DictOfMine):
            delattr(cls, name)
    assert implementation.dumps(obj, protocol) == before == pickle.dumps(obj, protocol)


def test_a_dict_that_is_no_dict(implementation, protocol):
    """An instance's __dict__ may be of a subclass, which is written as such."""

    def make():
        items = [Plain(), Plain(), Plain()]
        for obj in items[1:]:
            obj.__dict__ = collections.OrderedDict(x=1, y=[2])
            obj.__dict__.move_to_end("x")
        return [*items, items[1].__dict__]

    implementation.dumps(make(), protocol)
    if not PYPY:  # there it becomes another one
        assert_same(implementation, make, protocol)


def test_a_tuple_around_an_instance_that_is_begun_anew(implementation):
    """The bytes of the plan are dropped; that the tuple has begun is still known."""

    def make():
        obj = Plain()
        vars(obj)["__special"] = 1
        items = []
        outer = (obj, bytes(bytearray(b"0123456789")), items)
        items.append(outer)
        return outer

    implementation.dumps(Plain())
    assert_same(implementation, make, 5)


class WithSlot:
    __slots__ = ("x",)


class NamesSlotAgain(WithSlot):
    __slots__ = ("x", "y")


class NamesSlotTwice:
    __slots__ = ("x", "x", "y")


@pytest.mark.parametrize("cls", [NamesSlotAgain, NamesSlotTwice])
def test_a_slot_that_is_named_twice(implementation, protocol, cls):
    def make():
        objects = [cls(), cls()]
        for obj in objects:
            obj.x, obj.y = "x", ["y"]
        return objects

    assert_same(implementation, make, protocol)


# --- a plan that cannot be made


def run_with_odd_modules(program, implementation):
    """A process in which modules of the standard library are replaced, with both picklers."""
    start = """
import importlib, pickle, sys
implementation = importlib.import_module(sys.argv[1])

def check(*objects):
    for obj in objects:
        for protocol in range(6):
            for made in (obj, [obj, obj]):
                assert implementation.dumps(made, protocol) == pickle.dumps(made, protocol), obj
"""
    subprocess.run([sys.executable, "-c", start + program, implementation.__name__], check=True)


REPLACED = {
    "datetime without its part in C": """
import datetime
theirs = datetime.date
del sys.modules["datetime"]
sys.modules["_datetime"] = None
import datetime as pure
assert pure.date is not theirs
check(pure.date(1, 2, 3), pure.timedelta(1), pure.time(1, fold=1), pure.datetime(1, 2, 3))
""",
    "datetime replaced": """
import datetime, types
kept = datetime
dates = [kept.date(1, 2, 3), kept.timedelta(1), kept.time(1), kept.datetime(1, 2, 3)]
sys.modules["datetime"] = types.SimpleNamespace(**vars(kept))
check(*dates)
sys.modules["datetime"] = types.ModuleType("datetime")
vars(sys.modules["datetime"]).update(
    {name: value for name, value in vars(kept).items() if name != "datetime_CAPI"}
)
check(*dates)
""",
    "decimal without its part in C": """
import decimal
theirs = decimal.Decimal("1.5")
del sys.modules["decimal"]
sys.modules["_decimal"] = None
import decimal as pure
assert type(theirs) is not pure.Decimal
check(pure.Decimal("1.5"), [pure.Decimal(1), pure.Decimal(2)])
""",
    "None in the place of every module": """
import collections, datetime, decimal, uuid, ast, dataclasses
objects = [
    datetime.date(1, 2, 3), decimal.Decimal(1), uuid.UUID(int=5), collections.OrderedDict(a=1),
    collections.deque([1]), collections.defaultdict(list, a=1), ast.parse("a"),
]
expected = [[pickle.dumps([o, o], protocol) for protocol in range(6)] for o in objects]
names = ["datetime", "_datetime", "_decimal", "_collections", "_ast", "dataclasses", "numpy"]
modules = {name: sys.modules.get(name) for name in names}
for instead in (None, 5, object()):
    sys.modules.update(dict.fromkeys(names, instead))
    ours = []
    for obj in objects:
        ours.append([])
        for protocol in range(6):
            try:
                ours[-1].append(implementation.dumps([obj, obj], protocol))
            except (pickle.PicklingError, ModuleNotFoundError):
                ours[-1].append(None)  # its class cannot be imported
    for mine, theirs in zip(ours, expected):
        assert all(a in (None, b) for a, b in zip(mine, theirs))
""",
    "a class in Python by the name of one in C": """
import types
class Fake:
    def __init__(self, *args): self.args = args
    def __reduce__(self): return Fake, self.args
Fake.__module__ = "__main__"
for module, names in {
    "datetime": ["date", "time", "datetime", "timedelta"], "_decimal": ["Decimal"],
    "_collections": ["OrderedDict", "deque", "defaultdict"], "_ast": ["AST"],
    "numpy": ["ndarray", "dtype"],
}.items():
    fake = types.ModuleType(module)
    vars(fake).update(dict.fromkeys(names, Fake))
    sys.modules[module] = fake
check(Fake(1), Fake("a", [2]))
""",
}


@pytest.mark.parametrize("name", REPLACED)
@only_c
def test_a_module_that_is_replaced(implementation, name):
    run_with_odd_modules(REPLACED[name], implementation)


class OddSlotNames:
    pass


@pytest.mark.parametrize("names", [5, ("a",), [5], [None], "ab"])
def test_odd_slot_names(implementation, protocol, names, monkeypatch):
    monkeypatch.setattr(OddSlotNames, "__slotnames__", names, raising=False)
    assert_same(implementation, OddSlotNames, protocol)
    assert_same(implementation, lambda: [OddSlotNames()] * 2, protocol)


class OddMeta(type):
    def __getattribute__(cls, name):
        if name == "__reduce_ex__":
            raise ValueError("no")
        return super().__getattribute__(name)


class OfOddMeta(metaclass=OddMeta):
    pass


def test_a_metaclass_that_raises(implementation, protocol):
    assert_same(implementation, lambda: [OfOddMeta(), OfOddMeta()], protocol)


# --- None and absent


class NoNewArgs(collections.namedtuple("NoNewArgs", "a b")):
    __slots__ = ()
    __getnewargs__ = None


class NoNewArgsEx(collections.namedtuple("NoNewArgsEx", "a b")):
    __slots__ = ()
    __getnewargs_ex__ = None


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenNoNewArgs:
    a: int = 1
    __getnewargs__ = None


class StatefulNoNewArgs:
    __getnewargs_ex__ = None

    def __getstate__(self):
        return {"a": 1}


NONE_METHODS = {
    f"{name} of {kind.__name__}": type(
        f"None{i}", (kind,), {name: None, "__module__": __name__, "__qualname__": f"None{i}"}
    )
    for i, (kind, name) in enumerate(
        (kind, name)
        for kind in (object, list, dict, collections.OrderedDict, collections.deque, ValueError)
        for name in (
            *("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__"),
            *("__getattr__", "__slotnames__", "__setstate__", "__dict__", "__iter__", "items"),
        )
    )
}
globals().update({cls.__name__: cls for cls in NONE_METHODS.values()})


@for_each("name", NONE_METHODS)
@only_c
def test_a_method_that_is_none(implementation, protocol, name):
    cls = NONE_METHODS[name]
    assert_same(implementation, cls, protocol)
    assert_same(implementation, lambda: [cls(), cls()], protocol)


@pytest.mark.parametrize("cls", [NoNewArgs, NoNewArgsEx])
def test_a_namedtuple_whose_arguments_are_none(implementation, protocol, cls):
    assert_same(implementation, lambda: [cls(1, 2), cls(3, 4)], protocol)


@pytest.mark.parametrize("cls", [FrozenNoNewArgs, StatefulNoNewArgs])
def test_a_class_whose_arguments_are_none(implementation, protocol, cls):
    assert_same(implementation, lambda: [cls(), cls()], protocol)


# --- a reduction function for a metaclass


class Registered(type):
    pass


class OfRegistered(metaclass=Registered):
    pass


class TupleOfRegistered(collections.namedtuple("Pair", "a b"), metaclass=Registered):
    __slots__ = ()


class SlotsOfRegistered(metaclass=Registered):
    __slots__ = ("a",)

    def __init__(self):
        self.a = 1


def class_by_name(name):
    return globals()[name]


def reduce_class(cls):
    return class_by_name, (cls.__qualname__,)


@pytest.mark.parametrize("where", ["copyreg", "class", "ChainMap", "instance"])
@pytest.mark.parametrize(
    "make",
    [OfRegistered, functools.partial(TupleOfRegistered, 1, 2), SlotsOfRegistered],
    ids=["plain", "namedtuple", "slots"],
)
def test_a_reduction_function_for_a_metaclass(implementation, protocol, where, make, monkeypatch):
    if make is SlotsOfRegistered and protocol < 2:
        pytest.skip("protocols 0 and 1 have no slots")
    table = {Registered: reduce_class}
    if where == "copyreg":
        monkeypatch.setitem(copyreg.dispatch_table, Registered, reduce_class)
        data = assert_same(implementation, lambda: [make(), make()], protocol)
    else:
        files = []
        for module in (implementation, pickle):
            bases = (module.Pickler,)
            mapping = collections.ChainMap({}, table) if where == "ChainMap" else table
            cls = type("P", bases, {} if where == "instance" else {"dispatch_table": mapping})
            files.append(io.BytesIO())
            pickler = cls(files[-1], protocol)
            if where == "instance":
                pickler.dispatch_table = table
            pickler.dump([make(), make()])
        data = files[0].getvalue()
        assert data == files[1].getvalue()
    assert b"class_by_name" in data


# --- what the cache keeps alive


def test_a_plan_keeps_nothing_of_a_class_alive(implementation):
    """Local classes with a payload: the plans once kept the defaults of dataclasses."""

    class Payload:
        pass

    def use(i):
        payload = Payload()
        payloads.append(weakref.ref(payload))

        @dataclasses.dataclass(frozen=True, slots=True)
        class Frozen:
            default: object = payload
            value: int = i

        class Plain:
            kept = payload

            def __init__(self):
                self.value = i

        class Stateful(Plain):
            def __getstate__(self):
                return {"value": i}

        class Reduced(Plain):
            def __reduce__(self, kept=payload):
                return int, (i,)

        class Slots:
            __slots__ = ("value",)
            kept = payload

            def __init__(self):
                self.value = i

        class Pair(collections.namedtuple("Pair", "a b", defaults=(payload, 2))):
            __slots__ = ()

        class List(list):
            kept = payload

        classes = [Frozen, Plain, Stateful, Reduced, Slots, Pair, List]
        for cls in classes:
            name = f"{cls.__name__}{i}"
            cls.__qualname__ = name
            cls.__module__ = __name__
            globals()[name] = cls
        objects = [cls() for cls in classes if cls is not Frozen and cls is not Pair]
        objects += [Frozen(1), Pair(1, 2), Frozen(2)]
        for protocol in (2, 4, 5):
            implementation.dumps([objects, objects], protocol)
        for cls in classes:
            del globals()[cls.__qualname__]

    payloads = []
    for i in range(20):
        use(i)
    gc.collect()
    assert [each() for each in payloads] == [None] * len(payloads)
