"""The shortcuts of loading: objects that need not be made, the collector, and the layouts.

Most of them are the compiled implementation's. The outcome is that of the interpreter's unpickler.
"""

from __future__ import annotations

import ast
import codecs
import contextlib
import dataclasses
import gc
import io
import itertools
import pickle
import random
import sys
import sysconfig
import tracemalloc
import uuid
from collections import OrderedDict, namedtuple
from datetime import date, datetime, time

import pytest

from conftest import part
from differential import PYPY, assert_same_load, describe
from unpickling.load_cases import ITEMS, named, text, with_arguments
from without_layouts import run_without_layouts

MANY = 20_000


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y


class Node(ast.AST):
    """Other code makes it, by REDUCE, and its dict is of its own."""


class SlotsPoint:
    __slots__ = ("x", "y")


class WithSetstate:
    def __setstate__(self, state):
        self.state = state


class WithProperty:
    """Its property is not called when a state is set."""

    @property
    def x(self):
        return "from the property"


class ManyAttributes:
    pass


class OfDict(dict):
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlots:
    x: int
    y: str


Pair = namedtuple("Pair", "x y")


class PairWithNew(Pair):
    def __new__(cls, x, y):
        return super().__new__(cls, y, x)


CLASSES = [type(f"Class{i}", (), {"__module__": __name__}) for i in range(200)]
for _class in CLASSES:
    globals()[_class.__name__] = _class


def instance(name, state, module=__name__):
    return named(name, module) + b")\x81" + state + b"b"


def state_dict(*names, memoize=b""):
    items = b"".join([text(name) + b"K" + bytes([i]) for i, name in enumerate(names)])
    return b"}" + memoize + (items + b"s" if len(names) == 1 else b"(" + items + b"u")


# --- states that are read after they were given to an instance


@pytest.mark.parametrize("names", [("x",), ("x", "y"), ("y", "x"), ("__setstate__", "x")])
@pytest.mark.parametrize("between", [b"", b"c__builtin__\nlist\n)R0", state_dict("z") + b"0"])
@pytest.mark.parametrize("cls", ["Point", "WithProperty", "WithSetstate", "OfDict"])
def test_a_state_that_is_read_again(unpickling, names, between, cls):
    first = instance(cls, state_dict("x", "y"))
    again = instance(cls, state_dict(*names, memoize=b"q\x07"))
    for data in (
        b"(" + first + again + between + b"h\x07t.",
        b"(" + first + again + again + between + b"h\x07h\x07t.",
        b"(" + again + instance(cls, state_dict("y", "x")) + b"h\x07t.",
        b"(" + again + b"h\x07h\x07t.",
        b"(" + again + b"0" + between + b"h\x07t.",
        # The state of the state's own instance is itself.
        b"(" + again + b"h\x07" + state_dict("self") + b"0t.",
    ):
        assert_same_load(unpickling, b"\x80\x04" + data)


@pytest.mark.parametrize("between", [b"", b"c__builtin__\nlist\n)R0"])
def test_a_state_of_slots_that_is_read_again(unpickling, between):
    state = b"N" + state_dict("y", "x", memoize=b"\x94") + b"\x86\x94"
    one = instance("SlotsPoint", state)
    for numbers in ((0,), (1,), (0, 1), (3,), (1, 3), (2,)):
        gets = b"".join([b"h" + bytes([number]) for number in numbers])
        assert_same_load(unpickling, b"\x80\x04(" + one + one + between + gets + b"t.")


def test_states_of_many_classes_are_read_again(unpickling):
    """So many that what is known of a class makes room for that of another."""
    pickles = [instance(cls.__name__, state_dict("x", "y", memoize=b"\x94")) for cls in CLASSES]
    gets = b"".join([b"h" + bytes([i]) for i in range(len(CLASSES))])
    assert_same_load(unpickling, b"\x80\x04(" + b"".join(pickles * 2) + gets + b"t.")


def test_a_state_is_the_same_object_each_time(unpickling):
    data = b"\x80\x04(" + instance("Point", state_dict("x", "y", memoize=b"\x94")) + b"h\0h\0t."
    for obj, one, other in (unpickling.loads(data), unpickling.load(io.BytesIO(data))):
        assert one is other
        assert one == vars(obj) == {"x": 0, "y": 1}
        assert vars(obj) is not one


def test_the_memo_has_the_states(unpickling):
    data = b"\x80\x04" + instance("Point", state_dict("x", "y", memoize=b"\x94")) + b"."
    for cls in (unpickling.Unpickler, type("Sub", (unpickling.Unpickler,), {})):
        unpickler = cls(io.BytesIO(data + b"\x80\x04h\0."))
        obj = unpickler.load()
        assert unpickler.memo.copy() == {0: {"x": 0, "y": 1}}
        obj.x = 5
        assert unpickler.load() == {"x": 0, "y": 1}


class MadeWithKeywords:
    def __new__(cls, *, k=0):
        return object.__new__(cls)

    def __getnewargs_ex__(self):
        return (), {"k": 1}


def test_bytes_after_a_file(unpickling):
    """The next load asks nothing of the file of the one before."""
    obj = MadeWithKeywords()
    obj.a, obj.b = 1, 2
    data = pickle.dumps([obj, b"x" * 100_000, "more", 1.5], 4)
    unpickling.load(io.BytesIO(pickle.dumps(1)))
    assert len(unpickling.loads(data)) == 4


class ChangesAnother:
    """When it is freed it changes the instance `other`."""

    other = None
    change = None

    def __del__(self):
        if ChangesAnother.other is not None and self is not ChangesAnother.other:
            ChangesAnother.change(ChangesAnother.other)


class HasAttributes:
    """It has these attributes before it gets a state."""

    def __new__(cls, **attributes):
        self = super().__new__(cls)
        vars(self).update(attributes)
        return self


def made_with(attributes, state):
    arguments = [text(key) + value for key, value in attributes.items()]
    keywords = b"}(" + b"".join(arguments) + b"u"
    return named("HasAttributes", __name__) + b")" + keywords + b"\x92" + state + b"b"


@pytest.mark.parametrize("before", [{}, {"x": b"K\7"}, {"y": b"K\7"}, {"z": b"K\7", "x": b"K\7"}])
@pytest.mark.parametrize(
    "state",
    [
        state_dict("x"),
        state_dict("x", "y"),
        b"}(K\1K\2" + text("x") + b"K\3(tK\4u",
        state_dict("not interned", "x", memoize=b"q\7"),
        b"N" + state_dict("y", "x") + b"\x86",
    ],
)
def test_attributes_from_before_the_state(unpickling, before, state):
    with_some = made_with(before, state)
    without = made_with({}, state)
    many = with_some * 10 + without * 10 + (with_some + without) * 10
    assert_same_load(unpickling, b"\x80\4(" + many + b"t.")


class ChangesTheState:
    """When it is freed it changes the state that is being set."""

    def __init__(self, state, change):
        self.state = state
        self.change = change

    def __del__(self):
        if self.change == "clear":
            self.state.clear()
        elif self.change == "grow":
            self.state.update(dict.fromkeys(range(100)))
        else:
            self.state.pop(self.change, None)


@pytest.mark.parametrize("change", ["clear", "grow", "x", "y"])
@pytest.mark.skipif(PYPY, reason="PyPy frees objects later")
def test_a_state_that_changes_while_it_is_set(unpickling, change):
    """It is set as it was, or as the interpreter's unpickler sets it."""
    state = state_dict("x", "y", "w", memoize=b"q\7")
    value = named("ChangesTheState", __name__) + b"h\7" + text(change) + b"\x86R"
    one = state + b"0" + made_with({"a": b"K\1", "x": value}, b"h\7")
    data = b"\x80\4(" + one * 10 + b"t."
    expected = {"a": 1, "x": 0, "y": 1, "w": 2}, vars(pickle.loads(data)[0])
    for obj in unpickling.loads(data):
        assert vars(obj) in expected


@pytest.mark.parametrize("change", ["class", "dict", "attribute"])
@pytest.mark.skipif(PYPY, reason="PyPy frees objects later")
def test_a_state_is_as_it_was_before_other_code_changed_its_instance(
    unpickling, change, monkeypatch
):
    other = ChangesAnother()
    monkeypatch.setitem(globals(), "other_instance", other)
    changes = {
        "class": lambda obj: setattr(obj, "__class__", Point),
        "dict": lambda obj: vars(obj).update({1: 1}),
        "attribute": lambda obj: setattr(obj, "x", 99),
    }
    state = b"}\x94(" + text("x") + b"K\5" + text("y") + b"K\6ub"
    body = b"(" + named("other_instance", __name__) + state
    body += named("ChangesAnother", __name__) + b")\x81" + state + b"0h\0t."
    monkeypatch.setattr(ChangesAnother, "change", staticmethod(changes[change]))
    monkeypatch.setattr(ChangesAnother, "other", other)
    try:
        result = unpickling.load(io.BytesIO(b"\x80\x04" + body))
    finally:
        ChangesAnother.other = None
    assert result[-1] == {"x": 5, "y": 6}


@pytest.mark.parametrize("action", ["clear", "assign"])
def test_a_load_that_fails_after_its_memo_was_cleared(unpickling, action):
    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            if action == "clear":
                self.memo.clear()
            else:
                self.memo = {}
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        Sub(io.BytesIO(b"\x80\x04}\x94" + text("a") + b"Q" + b"K\1" * 10 + b".")).load()


def test_numbers_that_were_put_in_advance(unpickling):
    data = b"\x80\x04(" + text("PRE") + b"q\4q\3" + named("Point", __name__) + b")\x81"
    assert_same_load(unpickling, data + (text("m") + b"\x94") * 4 + b"h\4t.")


# From 3.15 on the reference gives another number to what MEMOIZE enters after a gap.
NUMBERS_ARE_IN_TURN = sys.version_info >= (3, 15)


def random_numbers(rng):
    """A pickle whose entries of the memo have numbers in turn, but for some, and are read again."""
    data = b"\x80\x04(" + named("list", "builtins") + b")R"
    count, known = 0 if NUMBERS_ARE_IN_TURN else rng.choice([0, 250]), []
    data += text("first") + b"p%d\n" % count if count else b""
    often = 0 if NUMBERS_ARE_IN_TURN else rng.choice([0, 0, 1, 5])
    for _ in range(rng.randrange(2, 40)):
        number = count
        if rng.randrange(10) < often:
            number = max(0, count + rng.randrange(-3, 6))
        kind = rng.randrange(5)
        value = [b"K\1", text("word"), b"]", b")", b"N\x85", b"}"][rng.randrange(6)]
        if kind == 0:
            data += value + b"\x94"
            number = len(set(known))
        elif kind == 1 and number < 256:
            data += value + b"q" + bytes([number])
        elif kind == 2:
            data += value + b"p%d\n" % number
        elif kind == 3:
            call = named("list", "builtins") + text("ab") + b"\x85"
            data += call + b"r" + number.to_bytes(4, "little") + b"R"
        else:
            data += value + b"r" + number.to_bytes(4, "little")
        known.append(number)
        count = max(count, number + 1)
        if rng.randrange(4) == 0:
            number = max(0, rng.choice(known) + rng.choice([0, 0, 0, 1]))
            data += rng.choice([b"j" + number.to_bytes(4, "little"), b"g%d\n" % number])
    return data + b"t."


@pytest.mark.parametrize("seed", range(40))
def test_numbers_of_the_memo_in_turn_and_not(unpickling, seed):
    rng = random.Random(seed)
    for _ in range(50):
        assert_same_load(unpickling, random_numbers(rng))


@pytest.mark.costly
def test_pickles_of_many_frames(unpickling):
    """Objects of one frame are read again in later ones."""
    points = [Point(i, str(i)) for i in range(3000)]
    states = [vars(point) for point in points]
    obj = [points, [SlotsPoint() for _ in range(3000)], states[::7], points[::-1]]
    for one in obj[1]:
        one.x, one.y = points[5], (1, "text")
    for protocol in (2, 4, 5):
        data = pickle.dumps(obj, protocol)
        assert len(data) > 100_000
        assert_same_load(unpickling, data)


def opened(path, buffering):
    return path.open("rb", buffering)


@pytest.mark.costly
@pytest.mark.parametrize("buffering", [0, 16, -1])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_files_whose_rest_is_looked_at(unpickling, protocol, buffering, tmp_path):
    """The reads of the memo lie in other pieces of the file than what they read."""
    path = tmp_path / "pickles"
    points = [Point(i, (i, str(i))) for i in range(2000)]
    objects = [
        [points, vars(points[5]), b"x" * 200_000, vars(points[1]), points[7].y, 2.5],
        [Point(1, 2), "y" * 65_536, vars(points[2])],
        [date(2024, 1, 2)] * 3 + [Pair(1, 2)] * 3,
    ]
    whole = b"before" + b"".join([pickle.dumps(obj, protocol) for obj in objects]) + b"after"
    path.write_bytes(whole)
    results = []
    for module in (unpickling, pickle):
        with opened(path, buffering) as file:
            assert file.read(6) == b"before"
            results.append([describe(module.load(file)) for _ in objects])
            assert file.read() == b"after"
    assert results[0] == results[1]


def test_a_line_that_is_longer_than_a_piece(unpickling, tmp_path):
    path = tmp_path / "long"
    state = state_dict("x", "y", memoize=b"q\x07")
    data = b"\x80\x02(" + instance("Point", state) + b"V" + b"a" * 200_000 + b"\nh\x07t."
    path.write_bytes(data)
    with path.open("rb") as file:
        obj, text_, state_ = unpickling.load(file)
    assert (vars(obj), len(text_), state_) == ({"x": 0, "y": 1}, 200_000, {"x": 0, "y": 1})


def test_text_that_reads_the_memo(unpickling, tmp_path):
    path = tmp_path / "text"
    data = b"\x80\x02(" + instance("Point", state_dict("x", "y", memoize=b"q\x07")) + b"g7\nt."
    path.write_bytes(data)
    assert_same_load(unpickling, data)
    with path.open("rb") as file:
        assert unpickling.load(file)[1] == {"x": 0, "y": 1}


# --- dicts that are made when their items come


OPCODES = [b"}", b"\x94", b"q\1", b"(", b"K\1", b"u", b"s", b"0", b"1", b"2", b"h\0", b"h\1", b"b"]
OPCODES += [b"\x85", b"\x86", b"t", b"]", b"a", b"e", b"N", b")", b"d", text("x"), b"\x81"]


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(20))
def test_dicts_among_any_opcodes(unpickling, seed):
    rng = random.Random(seed)
    for _ in range(300):
        middle = b"".join(rng.choices(OPCODES, k=rng.randrange(8)))
        start = rng.choice([b"", named("Point", __name__) + b")\x81"])
        data = b"\x80\x04" + start + b"}" + rng.choice([b"", b"\x94", b"q\1", b"\x94q\1"]) + middle
        assert_same_load(
            unpickling, data + rng.choice([b".", b"t.", b"\x86.", b"b.", b"u.", b"s."])
        )


def test_other_code_that_looks_at_the_memo_meanwhile(unpickling):
    """It finds a dict whose items are still to come, and that is the one which gets them."""
    seen = []

    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            seen.append(self.memo.copy()[0])
            return pid

    data = b"\x80\x04}\x94(" + text("a") + b"K\1Q" + text("b") + b"K\2u."
    obj = Sub(io.BytesIO(data)).load()
    assert seen[0] is obj
    assert obj == {"a": 1, "b": 2}


# --- dicts with the keys of the last one


def test_dicts_of_the_same_keys(unpickling):
    records = [{"a": i, "b": [i], "c": str(i)} for i in range(50)]
    records += [{"c": 1, "b": 2, "a": 3}, {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3, 4: 5}]
    for obj in (records, [dict.fromkeys(map(str, range(n))) for n in (3, 127, 128, 129, 130, 3)]):
        for protocol in range(6):
            assert_same_load(unpickling, pickle.dumps(obj * 2, protocol))


def test_a_dict_that_was_changed_is_no_pattern(unpickling):
    """Other code changes each dict as soon as it is there."""
    record = b"(" + text("a") + b"q\1K\1" + text("b") + b"q\2K\2u"
    again = b"}q\3(h\1K\5h\2K\6u"
    for change in (b"h\0c__builtin__\nlen\nh\0\x85R0", b"h\0" + text("c") + b"K\7s0"):
        data = b"\x80\x04(}q\0" + record + change + again * 3 + b"t."
        assert_same_load(unpickling, data)


def test_what_the_collector_tracks(unpickling):
    for value in (1, [], (), ([],), "a", {}, {"a": 1}):
        data = pickle.dumps([{"a": 1, "b": value, "c": 2} for _ in range(3)])
        ours, theirs = unpickling.loads(data), pickle.loads(data)
        assert len(ours) == 3
        for one, other in zip(ours, theirs, strict=True):
            assert gc.is_tracked(one) >= gc.is_tracked(other)


# --- classes of which more is known


@pytest.mark.parametrize(
    "obj",
    [
        [FrozenSlots(i, str(i)) for i in range(5)],
        [Pair(i, [i]) for i in range(5)],
        [PairWithNew(i, [i]) for i in range(5)],
        [uuid.UUID(int=i) for i in range(5)],
        [date(2024, 1, i + 1) for i in range(5)],
        [datetime(2024, 1, 1, 2, 3, i, fold=i % 2) for i in range(5)],
        [time(1, 2, i) for i in range(5)],
        [OrderedDict(a=i) for i in range(5)],
    ],
    ids=lambda obj: type(obj[0]).__name__,
)
def test_classes_with_plans(unpickling, obj):
    for protocol in range(2, 6):
        data = pickle.dumps(obj, protocol)
        assert unpickling.loads(data) == pickle.loads(data)
        assert_same_load(unpickling, data)


@pytest.mark.parametrize(
    "data",
    [b"", b"abc", b"\1\2\3\4\5", b"\7\xe8\0\1", b"\7\xe8\r\1", b"\7\xe8\1\xff", b"\7\xe8\x81\1"],
)
def test_bytes_that_are_no_date(unpickling, data):
    made = named("date", "datetime") + b"C" + bytes([len(data)]) + data + b"\x85R"
    assert_same_load(unpickling, b"\x80\x04(" + made * 3 + b"t.")


ZONES = {  # what comes behind the bytes; the first two entries of the memo are UTC and a list
    "none": b"\x85",
    "shared": b"h\0\x86",
    "new": named("UTC", "datetime") + b"\x86",
    "None": b"N\x86",
    "a list": b"h\1\x86",
    "a missing entry": b"h\xff\x86",
    "the bytes themselves": b"h\2\x86",
    "too many": b"h\0h\0\x87",
}


@pytest.mark.costly
@pytest.mark.parametrize("zone", ZONES)
def test_dates_and_what_the_memo_has_of_them(unpickling, zone):
    """With and without numbers for the bytes and for the arguments, read later or not."""
    data = {
        "datetime": bytes([7, 232, 1, 2, 3, 4, 5, 0, 0, 0]),
        "date": bytes([7, 232, 1, 2]),
        "time": bytes([1, 2, 3, 0, 0, 0]),
    }
    first = named("UTC", "datetime") + b"\x940]\x940"
    for name, numbered, later in itertools.product(
        data, itertools.product([b"", b"\x94"], repeat=3), [b"", b"h\2", b"h\3", b"h\4", b"h\6"]
    ):
        end = numbered[1] + b"R" + numbered[2]
        one = b"C" + bytes([len(data[name])]) + data[name] + numbered[0] + ZONES[zone] + end
        made = named(name, "datetime") + one
        for count in (1, 2):
            assert_same_load(unpickling, b"\x80\x04" + first + b"(" + made * count + later + b"t.")


def test_a_plan_ends_when_its_class_changes(unpickling, monkeypatch):
    """A state is given in another way from the instance on after which the class was changed."""

    def change(cls):
        cls.__setstate__ = lambda self, state: self.__dict__.update(changed=state)

    monkeypatch.setitem(globals(), "change_class", change)
    one = instance("Point", state_dict("x", "y"))
    changed = named("change_class", __name__) + named("Point", __name__) + b"\x85R0"
    results = []
    for load in (pickle.loads, unpickling.loads, lambda data: unpickling.load(io.BytesIO(data))):
        try:
            found = load(b"\x80\x04(" + one * 3 + changed + one * 2 + b"t.")
        finally:
            del Point.__setstate__
        results.append([vars(obj) for obj in found])
    assert results[0] == results[1] == results[2]
    assert results[0][3] == {"changed": {"x": 0, "y": 1}}


def test_a_patched_setstate_is_called(unpickling, monkeypatch):
    calls = []
    original = uuid.UUID.__setstate__

    def setstate(self, state):
        calls.append(state)
        original(self, state)

    monkeypatch.setattr(uuid.UUID, "__setstate__", setstate)
    data = pickle.dumps([uuid.UUID(int=i) for i in range(4)])
    assert unpickling.loads(data) == pickle.loads(data)
    assert len(calls) == 8


def test_more_attributes_than_instances_have_room_for(unpickling):
    for count in (1, 29, 30, 31, 40, 300):
        objects = [ManyAttributes() for _ in range(3)]
        for i, obj in enumerate(objects):
            vars(obj).update({f"name{i + k}": k for k in range(count)})
        for protocol in range(2, 6):
            ours = unpickling.loads(pickle.dumps(objects, protocol))
            assert [list(vars(obj).items()) for obj in ours] == [
                list(vars(obj).items()) for obj in objects
            ]


def test_a_package_that_is_not_imported_is_imported_first(unpickling, monkeypatch):
    module = type(sys)("no_such_package.part")
    module.thing = 1
    monkeypatch.setitem(sys.modules, "no_such_package.part", module)
    assert_same_load(unpickling, b"\x80\x04" + named("thing", "no_such_package.part") + b".")
    monkeypatch.setitem(sys.modules, "no_such_package", type(sys)("no_such_package"))
    assert unpickling.loads(b"\x80\x04" + named("thing", "no_such_package.part") + b".") == 1


def test_names_are_interned_as_by_the_interpreter(unpickling):
    name = "a_name_that_nobody_else_has"
    data = b"\x80\x04(" + instance("Point", state_dict(name)) * 2 + b"t."
    for obj in unpickling.loads(data):
        assert next(iter(vars(obj))) is sys.intern(name)


# --- the collector


@pytest.mark.skipif(PYPY, reason="PyPy collects in another way")
class TestCollector:
    @pytest.mark.parametrize("enabled", [True, False])
    @pytest.mark.parametrize("fails", [True, False])
    def test_is_as_it_was(self, unpickling, enabled, fails):
        seen = []

        class Sub(unpickling.Unpickler):
            def find_class(self, module, name):
                seen.append(gc.isenabled())
                return super().find_class(module, name)

        data = pickle.dumps([Point(1, 2), [[]] * 3])
        data = data[:-1] + b"\xff" if fails else data
        try:
            if not enabled:
                gc.disable()
            for load in (unpickling.loads, lambda data: Sub(io.BytesIO(data)).load()):
                try:
                    load(data)
                except pickle.UnpicklingError:
                    assert fails
                assert gc.isenabled() is enabled
        finally:
            gc.enable()
        assert seen == [enabled]

    def test_ordered_dicts(self, unpickling, monkeypatch):
        """Keys that other code hashes, and values that are given up, see the collector as it is."""
        seen = []

        class Watches:
            def __hash__(self):
                seen.append(("hash", gc.isenabled()))
                return 1

            def __eq__(self, other):
                seen.append(("eq", gc.isenabled()))
                return True

            def __del__(self):
                seen.append(("del", gc.isenabled()))

        monkeypatch.setitem(globals(), "Watches", Watches)
        start = b"\x80\x04" + named("OrderedDict", "collections") + b")R"
        made = named("Watches", __name__) + b")\x81"
        for items in (
            made + b"K\1" + made + b"K\2",
            text("a") + made + text("a") + b"K\2" + text("b") + made,
            text("a") + made + text("a") + made + text("a") + b"N",
        ):
            loaded = unpickling.loads(start + b"(" + items + b"u.")
            expected = pickle.loads(start + b"(" + items + b"u.")
            assert [*loaded.keys()] == [*expected.keys()]
            unpickling.loads(start + text("a") + made + b"s(" + items + b"u.")
            del loaded, expected
        assert {enabled for _, enabled in seen} == {True}
        assert {name for name, _ in seen} == {"hash", "eq", "del"}

    def test_arguments_that_other_code_gives_up(self, unpickling, monkeypatch):
        """The tuple of arguments is freed after the call, where the collector is as it was."""
        seen = []

        class Watches:
            def __del__(self):
                seen.append(gc.isenabled())
                gc.collect()

        monkeypatch.setitem(globals(), "Watches", Watches)
        made = named("Watches", __name__) + b")\x81"
        data = (
            b"\x80\x04("
            + b"".join(
                named("type", "builtins") + made + end
                for end in (b"\x85R", b"\x85\x94R", b"\x85q\x01R", b"\x85r\x02\0\0\0R")
            )
            + b"("
            + named("type", "builtins")
            + b"("
            + made
            + b"tR"
            + b"t]t."
        )
        loaded = unpickling.loads(data)
        assert loaded[0] is Watches
        assert seen == [True] * 5

    def test_other_code_that_turns_it_off(self, unpickling, monkeypatch):
        monkeypatch.setitem(globals(), "turn_off", gc.disable)
        data = b"\x80\x04(" + named("turn_off", __name__) + b")R" + b"]" * 3 + b"t."
        try:
            unpickling.loads(data)
            assert not gc.isenabled()
        finally:
            gc.enable()

    def test_a_load_of_many_objects_is_not_looked_at(self, native_unpickling):
        """One collection may follow, of the few objects that are young then."""
        if "generations" not in native_unpickling.known_layouts():
            pytest.skip("where the oldest objects are is not known here")
        data = pickle.dumps([[i] for i in range(MANY)])
        counts = []

        def note(phase, info):
            if phase == "stop":
                counts.append(info)

        gc.collect()
        gc.callbacks.append(note)
        try:
            obj = native_unpickling.loads(data)
            _ = [[] for _ in range(10)]
        finally:
            gc.callbacks.remove(note)
        assert len(counts) <= 1
        assert {id(one) for one in gc.get_objects(1)}.issuperset(map(id, obj))

    def test_no_python_code_runs_while_it_is_off(self, native_unpickling):
        """From 3.12 on a collection that is due would run in it, whether it is off or not."""
        wrong = []

        def look(frame, event, argument):
            if event == "call" and not gc.isenabled():
                wrong.append(frame.f_code)

        few = [ITEMS[name] for name in ("str", "tuple1", "list", "dict", "class", "instance")]
        stacks = [b"".join(pair) for pair in itertools.product([b"", b"(", *few], repeat=2)]
        tried = [stack + data for stack in part(stacks) for _, data in with_arguments()]
        sys.setprofile(look)
        try:
            for data in tried:
                with contextlib.suppress(Exception):
                    native_unpickling.loads(data + b".")
                with contextlib.suppress(Exception):
                    native_unpickling.load(io.BytesIO(data))
        finally:
            sys.setprofile(None)
        assert wrong == []
        assert gc.isenabled()

    def test_a_collection_while_it_is_off(self, unpickling):
        """By an error handler, which is called in the middle of a string."""
        original = codecs.lookup_error("surrogatepass")

        def collect(error):
            gc.collect()
            return original(error)

        codecs.register_error("surrogatepass", collect)
        obj = [[[] for _ in range(MANY)], "\ud800", [[] for _ in range(MANY)]]
        data = pickle.dumps(obj)
        try:
            loaded = unpickling.loads(data)
        finally:
            codecs.register_error("surrogatepass", original)
        assert loaded == obj
        for generation in range(3):
            gc.collect(generation)
        tracked = {id(one) for one in gc.get_objects()}
        assert tracked.issuperset(map(id, loaded[0] + loaded[2]))
        unpickling.loads(data)
        gc.collect()

    def test_owners_come_first(self, native_unpickling):
        """Also where other code makes them: what comes before its owner looks like garbage."""
        if "generations" not in native_unpickling.known_layouts():
            pytest.skip("where objects lie in the collector's lists is not known here")
        nodes = [Node() for _ in range(1000)]
        for i, node in enumerate(nodes):
            node.first, node.number, node.second = [i], i, [[i]]
        data = pickle.dumps(nodes)
        gc.collect()
        gc.disable()
        try:
            loaded = native_unpickling.loads(data)
            places = {id(one): i for i, one in enumerate(gc.get_objects(0))}
        finally:
            gc.enable()
        for node in loaded[1:]:  # what a class is like is learned at its first instance
            place = places[id(vars(node))]
            assert place == places[id(node)] + 1
            assert place < places[id(node.first)] < places[id(node.second)]
        gc.collect()
        assert [*map(vars, loaded)] == [*map(vars, nodes)]

    @pytest.mark.costly
    def test_garbage_does_not_pile_up(self, unpickling):
        """Cycles that were loaded and dropped are freed without a call of gc.collect()."""
        obj = [[] for _ in range(2000)]
        for one in obj:
            one.append(one)
        data = pickle.dumps(obj)
        del obj, one
        gc.collect()
        before = most = len(gc.get_objects())
        for _ in range(200):
            unpickling.loads(data)
            most = max(most, len(gc.get_objects()))
        assert most - before < 60 * 2000

    def test_finds_what_was_loaded(self, unpickling):
        """Cycles that were loaded are freed when nobody has them any more."""
        obj = [[] for _ in range(MANY)]
        for one in obj:
            one.append(one)
        data = pickle.dumps(obj)
        del obj, one
        gc.collect()
        before = len(gc.get_objects())
        loaded = unpickling.loads(data)
        assert len(gc.get_objects()) - before > MANY
        del loaded
        gc.collect()
        assert abs(len(gc.get_objects()) - before) < 1000


@pytest.mark.costly
def test_objects_are_as_large_as_the_interpreters(unpickling, protocol):
    """Numbers around every power of two, strings, and dicts of strings of all sizes."""
    numbers = [sign * 2**bits + i for bits in range(70) for i in range(-2, 3) for sign in (1, -1)]
    strings = ["x" * i for i in range(300)] + ["\xe9" * i for i in range(2, 300)]
    dicts = [{f"{i} {j}": j for j in range(i)} for i in range(300)]
    objects = [numbers, [*map(float, numbers)], strings, dicts, [*map(str, numbers)]]
    for obj in objects:
        data = pickle.dumps(obj, protocol)
        ours, theirs = unpickling.loads(data), pickle.loads(data)
        assert ours == theirs == obj
        assert [*map(sys.getsizeof, ours)] == [*map(sys.getsizeof, theirs)]
        assert [*map(hash, map(repr, ours))] == [*map(hash, map(repr, theirs))]
        if obj is numbers or obj is strings:
            assert [one is two for one, two in zip(ours, theirs, strict=True)] == [
                one is two for one, two in zip(pickle.loads(data), theirs, strict=True)
            ]
            assert [*map(hash, ours)] == [*map(hash, theirs)]
            assert [one + one[:1] if obj is strings else one - 1 for one in ours] == [
                one + one[:1] if obj is strings else one - 1 for one in theirs
            ]


class Weighed:
    """Of no other test: what others do with a class may make its instances larger."""

    def __init__(self, x: int, y: float) -> None:
        self.x = x
        self.y = y


@pytest.mark.skipif(PYPY, reason="tracemalloc is CPython's")
def test_instances_take_less_memory(native_unpickling, tmp_path):
    """No dict for an instance where the state is used by nobody else."""
    objects = [Weighed(i, float(i)) for i in range(MANY)]
    path = tmp_path / "objects"
    path.write_bytes(pickle.dumps(objects))

    def load_file(load):
        with path.open("rb") as file:
            return load(file)

    def peak(load):
        gc.collect()
        tracemalloc.start()
        try:
            kept = load()
            assert len(kept) == MANY
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    data = path.read_bytes()
    del objects
    ours = peak(lambda: native_unpickling.loads(data))
    theirs = peak(lambda: pickle.loads(data))
    assert ours <= 0.65 * theirs
    assert peak(lambda: load_file(native_unpickling.load)) <= 0.75 * peak(
        lambda: load_file(pickle.load)
    )


# --- the layouts


def expected_layouts():
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return set()
    return {"lists", "dicts", "values", "generations", "strs", "floats", "ints"}


@pytest.mark.skipif(sys.version_info >= (3, 16), reason="its layouts are not known")
def test_all_layouts_are_known_here(native_unpickling):
    """Else all would be slower, and no other test would fail."""
    assert native_unpickling.known_layouts() == expected_layouts()


def test_without_the_layouts_all_is_loaded_as_before(native_unpickling):
    names = ["test_load_opcodes", "test_load_objects", "test_load_shortcuts"]
    # Not the tests of what the layouts save, and not those that run tests.
    tests = "native and not layouts and not memory and not Collector"
    run_without_layouts("quickpickle.compiled.unpickling", names, tests)
