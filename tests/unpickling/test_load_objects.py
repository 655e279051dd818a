"""How objects are made and given their state: which calls, in which order, with what."""

from __future__ import annotations

import functools
import itertools
import pickle
import sys

import pytest

from differential import assert_same_load, describe, load_outcome, only_c
from quickpickle.format import opcodes as op
from unpickling import load_cases
from unpickling.load_cases import made, named, text

pytestmark = only_c

LOGGING = ["Logging", "Extends", "Appends", "Adds", "Sets", "SetsAttributes", "SetsState"]
TYPES = [*LOGGING, "ManyList", "ManyDict", "ManySet", "Plain", "Slots", "SlotsAndDict", "New"]
FILLING = [b"Na", b"(e", b"(NNe", b"(\x90", b"(NK\1\x90", b"K\1Ns", b"(u", b"(K\1NK\2Nu", b"(Nu"]


@pytest.mark.parametrize("name", TYPES)
def test_items(unpickling, name):
    for filling in FILLING:
        assert_same_load(unpickling, made(name) + filling + b".")
    for two in itertools.product(FILLING[:4], FILLING[4:]):
        assert_same_load(unpickling, made(name) + b"".join(two) + b".")


def state(*items: bytes) -> bytes:
    return op.EMPTY_DICT + op.MARK + b"".join(items) + op.SETITEMS


A_1 = text("a") + b"K\1"
STATES = [
    op.NONE, op.EMPTY_DICT, state(A_1), state(b"K\1K\2"), state(A_1, text("own") + b"K\2"),
    op.NONE + state(A_1) + op.TUPLE2, state(A_1) + op.NONE + op.TUPLE2,
    op.NONE + op.NONE + op.TUPLE2, state(A_1) + state(text("own") + b"K\3") + op.TUPLE2,
    op.NONE + state(text("nosuch") + b"K\1") + op.TUPLE2, op.NONE + state(b"K\1K\1") + op.TUPLE2,
    op.EMPTY_TUPLE, state(A_1) + op.TUPLE1, op.EMPTY_LIST, b"K\0", text("a"),
    made("LyingDict") + text("a") + b"K\1" + op.SETITEM,
    made("LyingTuple", op.NONE + state(A_1) + op.TUPLE2), made("ManyDict"),
    state(made("SubStr", text("a")) + b"K\1"), op.NONE + op.EMPTY_LIST + op.TUPLE2,
    state(text("a") + b"K\1", text("a") + b"K\2"), state(text("__class__") + b"K\1"),
    state(text("__dict__") + b"}"), op.NONE + state(text("__dict__") + b"}") + op.TUPLE2,
    op.NONE + state(text("base") + b"K\1") + op.TUPLE2,
    op.NONE + state(text("_SlotsAndDict__private") + b"K\1") + op.TUPLE2,
]  # fmt: skip


@pytest.mark.parametrize("name", [*TYPES, "NoAttributes", "Unhashable", "OldStyle"])
def test_states(unpickling, name):
    for given in STATES:
        for new in (op.REDUCE, op.NEWOBJ, op.EMPTY_DICT + op.NEWOBJ_EX):
            assert_same_load(unpickling, named(name) + op.EMPTY_TUPLE + new + given + b"b.")


def test_states_of_what_is_no_instance(unpickling):
    for obj in load_cases.ITEMS.values():
        for given in STATES:
            assert_same_load(unpickling, obj + given + b"b.")


def test_names_of_attributes_are_interned(unpickling):
    name = "a name that nobody has interned " + "x" * len(unpickling.__name__)
    data = named("Plain") + b")\x81}" + text(name) + b"\x94K\1sbh\0\x86."
    ours = unpickling.loads(data)
    key = next(iter(vars(ours[0])))
    assert key is ours[1] is sys.intern("".join(list(name)))
    again = unpickling.loads(data)  # now there is one, which is not the string in the memo
    assert next(iter(vars(again[0]))) is key is not again[1]
    assert_same_load(unpickling, data)


def test_other_keys_are_not_interned(unpickling):
    name = "another name " + "y" * len(unpickling.__name__)
    first, second = unpickling.loads(b"}" + text(name) + b"Ns}" + text(name) + b"Ns\x86.")
    assert next(iter(first)) is not next(iter(second))


ARGUMENTS = [
    op.EMPTY_TUPLE, b"K\1" + op.TUPLE1, b"K\1K\2" + op.TUPLE2, op.NONE, op.EMPTY_LIST,
    op.EMPTY_DICT,
    text("a"), made("LyingTuple", b"K\1" + op.TUPLE1), made("LyingTuple", b"(K\1K\2t"),
]  # fmt: skip
KEYWORDS = [
    op.EMPTY_DICT, state(A_1), state(b"K\1K\2"), op.NONE, op.EMPTY_TUPLE, op.EMPTY_LIST,
    made("LyingDict") + text("a") + b"K\1" + op.SETITEM,
    state(made("SubStr", text("a")) + b"K\1"), state(A_1, b"K\1K\2"), state(b"K\1K\2", b"NN"),
]  # fmt: skip
CLASSES = [
    named("New"), named("Plain"), named("function"), named("fails"), named("SetsState"), op.NONE,
    named("int", "builtins"), named("object", "builtins"), named("list", "builtins"), text("New"),
    named("len", "builtins"), named("GeneratorType", "types"), named("FunctionType", "types"),
    named("bool", "builtins"), named("type", "builtins"), named("NoneType", "types"),
    named("ManyList"), named("LyingTuple"), named("SubStr"), named("OldStyle"), made("Plain"),
    named("OSError", "builtins"), named("date", "datetime"), named("zip", "builtins"),
    named("partial", "functools"),
]  # fmt: skip


@pytest.mark.costly
def test_arguments(unpickling):
    for cls, arguments in itertools.product(CLASSES, ARGUMENTS):
        assert_same_load(unpickling, cls + arguments + b"R.")
        assert_same_load(unpickling, cls + arguments + b"\x81.")
        for keywords in KEYWORDS:
            data = cls + arguments + keywords + b"\x92."
            theirs = load_outcome(lambda: pickle.loads(data))  # noqa: B023
            if theirs[0] is SystemError:  # of C functions that get a subclass of dict
                continue
            assert_same_load(unpickling, data)


def test_arguments_without_a_tuple(unpickling):
    for cls in CLASSES:
        for arguments in (b"", b"K\1", b"K\1K\2"):
            assert_same_load(unpickling, b"(" + cls + arguments + b"o.")
            if cls.startswith(op.GLOBAL):
                assert_same_load(unpickling, b"(" + arguments + b"i" + cls[1:] + b".")


class Meta(type):
    """Notes what is asked of its classes."""

    asked: list[str] = []  # noqa: RUF012

    def __getattribute__(cls, name):
        Meta.asked.append(name)
        return super().__getattribute__(name)


class WithMeta(metaclass=Meta):
    def __new__(cls, *args):
        return super().__new__(cls)


class WithMetaAndInit(metaclass=Meta):
    def __getinitargs__(self):
        return ()

    def __init__(self, *args):
        Meta.asked.append("init")


@pytest.mark.parametrize("name", ["WithMeta", "WithMetaAndInit"])
def test_what_is_asked_of_a_class(unpickling, name):
    cls = named(name, __name__)
    for data in (cls + b")R.", cls + b")\x81.", b"(" + cls + b"o.", b"(i" + cls[1:] + b"."):
        results = []
        for module in (unpickling, pickle):
            Meta.asked.clear()
            module.loads(data)
            results.append([name for name in Meta.asked if name in ("init", "__getinitargs__")])
        assert results[0] == results[1], data


class Order:
    """Notes what is done with all its instances, in order."""

    log: list = []  # noqa: RUF012

    def __new__(cls, *args):
        cls.log.append(("new", args))
        return super().__new__(cls)

    def __init__(self, *args):
        self.log.append(("init", args))

    def __setstate__(self, state):
        self.log.append(("setstate", state))

    def __setitem__(self, key, value):
        self.log.append(("setitem", key, value))

    def extend(self, items):
        self.log.append(("extend", items))

    def __hash__(self):
        self.log.append("hash")
        return 1

    def __eq__(self, other):
        self.log.append("eq")
        return False


class OrderExtending(Order):
    def __reduce__(self):
        return Order, (1,), "state", iter([1, 2]), iter([("a", 1), ("b", 2)])


@pytest.mark.parametrize("protocol", range(6))
def test_the_order_of_calls(unpickling, protocol):
    many = [object.__new__(OrderExtending) for _ in range(5)]
    data = pickle.dumps([many, many], protocol)
    as_keys = b"(" + (named("Order", __name__) + b")\x81K\1") * 4 + b"d."
    as_members = b"(" + (named("Order", __name__) + b")\x81") * 4 + b"\x91."
    as_set = b"\x8f(" + (named("Order", __name__) + b")\x81") * 4 + b"\x90."
    for whole in (data, as_keys, as_members, as_set):
        results = []
        for module in (unpickling, pickle):
            Order.log.clear()
            module.loads(whole)
            results.append(describe(list(Order.log)))
        assert results[0] == results[1]


def test_duplicate_keys_and_members(unpickling):
    assert_same_load(unpickling, b"}(K\1K\2\x88K\3G?\xf0\0\0\0\0\0\0K\4u.")
    assert_same_load(unpickling, b"(K\1K\2\x88K\3G?\xf0\0\0\0\0\0\0K\4d.")
    assert_same_load(unpickling, b"\x8f(K\1\x88G?\xf0\0\0\0\0\0\0\x90.")
    assert_same_load(unpickling, b"(K\1\x88G?\xf0\0\0\0\0\0\0\x91.")


def test_recursive_objects(unpickling):
    a_list: list = []
    a_list.append((a_list, {1: a_list}))
    a_tuple = ([],)
    a_tuple[0].append(a_tuple)
    plain = load_cases.Plain()
    plain.me, plain.inner = plain, [plain, {"x": plain}]
    a_set: set = set()
    member = load_cases.Plain()
    member.owner = a_set
    a_set.add(member)
    for obj in (a_list, a_tuple, plain, a_set):
        for protocol in range(2, 6):
            assert type(assert_same_load(unpickling, pickle.dumps(obj, protocol))) is list


def test_what_it_returns_is_what_was_pickled(unpickling):
    """With subclasses of everything, in every protocol."""
    for name in TYPES[7:]:
        obj = getattr(load_cases, name)()
        for protocol in range(6):
            try:
                data = pickle.dumps(obj, protocol)
            except TypeError:  # slots, below protocol 2
                continue
            assert load_outcome(lambda: unpickling.loads(data)) == describe(obj)  # noqa: B023


# --- a __setstate__ in C, which the compiled loader calls without asking the rules


class OfC(functools.partial):
    """Has the __setstate__ of partial, and a __dict__ that may have another one."""


def instance_of_c(own):
    made = OfC(len)
    if own != "none":
        made.__setstate__ = {"list": list, "of None": None, "that fails": int}[own]
    return made


@pytest.mark.parametrize("own", ["none", "list", "of None", "that fails"])
def test_a_setstate_in_c(unpickling, own):
    function = named("instance_of_c", __name__)
    good = b"(" + named("abs") + b")}Nt"
    for data in (good, b"N", b"K\1", b"}", b")", good + b"K\1\x86"):
        assert_same_load(unpickling, function + text(own) + b"\x85R" + data + b"b.")
