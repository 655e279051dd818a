"""Both implementations decide alike: the compiled one does much without asking the Guard."""

from __future__ import annotations

import io
import itertools
import pickle
import random
import sys
from collections import OrderedDict, defaultdict, deque
from typing import NamedTuple

import pytest

import quickpickle.unpickling as pure
from conftest import in_parts, part
from differential import describe, without_addresses
from quickpickle import Policy, PolicyError
from quickpickle.format import opcodes as op
from quickpickle.rules.policy_names import PLAIN

from . import listed
from .attacks import call, number, proto, stack_global, text
from .test_policy import ALL, HERE, HONEST, here, new, state


class Refusal(NamedTuple):
    rule: str
    name: str | None
    offset: int
    message: str


def outcome(unpickling, data, policy):
    try:
        return describe(unpickling.loads(data, policy=policy))
    except PolicyError as error:
        return Refusal(error.rule, error.name, error.offset, without_addresses(str(error)))
    except Exception as error:
        return type(error), without_addresses(str(error))


def assert_alike(native, data, policy=ALL):
    expected = outcome(pure, data, policy)
    assert outcome(native, data, policy) == expected, data
    return expected


def assert_all_alike(native, made, ends, policy):
    """Assert it of what is made, and with each of the ends behind it; return what is made.

    A load that was refused at an opcode of `made` comes to no end: then none is tried.
    """
    data = proto(4, made)
    found = assert_alike(native, data, policy)
    if type(found) is not Refusal or found.offset == len(data) - 1:
        for end in ends:
            assert_alike(native, proto(4, made + end), policy)
    return found


VALUES = {
    "a str": text("2001:db8::1"),
    "a long str": text("1" * 201),
    "a very long str": text("1" * 10_001),
    "'latin1'": text("latin1"),
    "0": number(0),
    "-1": number(-1),
    "2**63 - 1": number(2**63 - 1),
    "2**63": number(2**63),
    "2**200": number(2**200),
    "a float": op.BINFLOAT + b"\x40" + bytes(7),
    "None": op.NONE,
    "True": op.NEWTRUE,
    "()": op.EMPTY_TUPLE,
    "(1,)": number(1) + op.TUPLE1,
    "[]": op.EMPTY_LIST,
    "a dict": op.EMPTY_DICT + text("k") + number(1) + op.SETITEM,
    "four bytes": op.SHORT_BINBYTES + b"\4\x07\xe0\2\x1d",
    "no date": op.SHORT_BINBYTES + b"\4\x07\xe1\2\x1d",
    "six bytes": op.SHORT_BINBYTES + b"\6\x17\x3b\0\x0f\x42\x3f",
    "no time": op.SHORT_BINBYTES + b"\6\x17\x3c\0\0\0\0",
    "ten bytes": op.SHORT_BINBYTES + b"\x0a\x07\xe0\x82\x1d\1\2\3\0\0\1",
    "no datetime": op.SHORT_BINBYTES + b"\x0a\x07\xe0\2\x1e\1\2\3\0\0\1",
    "a timedelta": call(stack_global("datetime:timedelta"), number(0)),
    "utc": call(
        stack_global("datetime:timezone"), call(stack_global("datetime:timedelta"), number(0))
    ),
    "a zone": new("Zone"),
    "object": stack_global("builtins:object"),
    "list": stack_global("builtins:list"),
    "Plain": here("Plain"),
    "Bytes": here("Bytes"),
    "a range": call(stack_global("builtins:range"), number(0), number(9), number(1)),
    "a long range": call(stack_global("builtins:range"), number(0), number(10**9), number(1)),
    "a deque": call(stack_global("collections:deque")),
}  # fmt: skip
SINGLE = list(VALUES)
PAIRS = [
    *itertools.product(["0", "a float", "a str", "()"], VALUES),
    *itertools.product(["four bytes", "ten bytes", "six bytes"], VALUES),
    ("a zone", "a zone"),
]  # fmt: skip
TRIPLES = [
    *itertools.product(["0", "2**63 - 1", "2**63", "a str", "None", "()"], repeat=3),
    ("Plain", "object", "None"),
    ("Bytes", "object", "None"),
    ("list", "object", "None"),
    ("Plain", "list", "[]"),
]
ARGUMENTS = [(), *((name,) for name in SINGLE), *PAIRS, *TRIPLES, ("0",) * 4, ("a str",) * 4]
OWN = ["Plain", "Data", "Frozen", "FrozenSlots", "Point", "Bytes", "Int", "List", "Dict", "Set"]
OWN += ["Ordered", "Zone", "Color", "Flags", "Single", "called", "single", "registry"]
NAMES = {full: stack_global(":".join(full.rsplit(".", 1))) for full in PLAIN}
NAMES |= {f"{HERE}.{name}": here(name) for name in OWN}
SIX_BYTES = op.SHORT_BINBYTES + b"\6"


@pytest.mark.costly
@pytest.mark.parametrize("name", NAMES)
def test_calls(native_unpickling, name):
    policy = ALL.allow(f"{HERE}.called")
    accepted = 0
    for names in part(ARGUMENTS):
        args = b"".join([VALUES[each] for each in names])
        short = bytes([133 + len(names) - 1]) if 1 <= len(names) <= 3 else None
        for opcode in (op.REDUCE, op.NEWOBJ):
            made = NAMES[name] + op.MARK + args + op.TUPLE + opcode
            # Twice, as more is known of a class the second time; then it is changed.
            ends = made, text("x") + number(1) + op.SETITEM
            found = assert_all_alike(native_unpickling, made, ends, policy)
            accepted += type(found) is list
            if short is not None:
                tail = short + op.MEMOIZE + opcode
                made = NAMES[name] + args + tail
                assert_all_alike(native_unpickling, made, [made * 2], policy)
                names_first = NAMES[name] + op.MEMOIZE + args + short + opcode
                by_memo = b"h\0" + args + tail
                assert_all_alike(native_unpickling, names_first, [by_memo], policy)
    if in_parts:  # there may be none among a part of the arguments
        return
    rule = PLAIN.get(name)
    is_there = not name.startswith("pathlib._local.") or sys.version_info >= (3, 13)
    assert accepted or not is_there or (rule is not None and rule.call is None)


STATES = [
    state(),
    state(int=number(5)),
    state(int=number(-5)),
    state(int=number(1 << 127)),
    state(int=number(1 << 128)),
    state(int=text("5")),
    state(int=number(5), is_safe=number(0)),
    state(int=number(5), more=number(0)),
    state(a=number(1), b=number(2)),
    op.EMPTY_DICT + number(1) + number(2) + op.SETITEM,
    op.EMPTY_DICT + number(1) + number(2) + op.TUPLE2 + number(2) + op.SETITEM,
    op.NONE + state(a=number(1)) + op.TUPLE2,
    op.NONE + state(a=number(1), __class__=number(1)) + op.TUPLE2,
    state(left=number(1)) + state(right=number(1)) + op.TUPLE2,
    op.EMPTY_LIST + op.MARK + number(1) + number(2) + op.APPENDS,
    op.EMPTY_LIST,
    number(1),
    op.NONE,
    state(__setstate__=here("called")),
]
STATEFUL = [
    *(here(name) for name in [*OWN, "Slots", "SetsState", "Borg", "Prefilled", "Sinks", "Sneaky"])
]
STATEFUL += [NAMES["uuid.UUID"], NAMES["collections.OrderedDict"], NAMES["fractions.Fraction"]]


@pytest.mark.costly
@pytest.mark.parametrize("cls", STATEFUL)
@pytest.mark.parametrize("index", range(len(STATES)))
def test_states(native_unpickling, cls, index):
    policy = ALL.allow(f"{HERE}.called", f"{HERE}.DEFAULT")
    build = STATES[index] + op.BUILD
    made = cls + op.EMPTY_TUPLE + op.NEWOBJ
    foreign = here("DEFAULT") + b"0"
    for data in (
        made + build,
        (made + build) * 4,
        made + STATES[0] + op.BUILD + build,
        made + build + STATES[-1] + op.BUILD + build,
        cls + op.EMPTY_TUPLE + op.REDUCE + build,
        foreign + (made + build) * 3,
        here("single") + op.EMPTY_TUPLE + op.REDUCE + b"0" + (made + build) * 3,
    ):
        assert_alike(native_unpickling, proto(4, data), policy)
    assert vars(listed.DEFAULT) == {}


@pytest.mark.costly
@pytest.mark.parametrize("cls", ["Dict", "List", "Set", "Ordered", "Plain", "Sneaky", "Sinks"])
def test_items(native_unpickling, cls):
    policy = ALL.allow(f"{HERE}.REGISTRY", f"{HERE}.ORDERED")
    nested = VALUES["a deque"]
    keys = [
        number(1),
        text("k"),
        number(1) + op.TUPLE1,
        number(1) + number(2) + number(3) + op.TUPLE3,
    ]
    keys += [VALUES["2**200"], op.EMPTY_LIST]
    targets = [here(cls) + op.EMPTY_TUPLE + op.NEWOBJ, here(cls) + op.EMPTY_TUPLE + op.REDUCE]
    for name in ("collections.OrderedDict", "collections.deque", "collections.defaultdict"):
        targets += [call(NAMES[name]), call(NAMES[name]) + op.MEMOIZE]
    targets += [op.EMPTY_DICT, op.EMPTY_LIST, op.EMPTY_SET, here("REGISTRY"), here("ORDERED")]
    targets += [call(here("registry")), call(NAMES["collections.defaultdict"], VALUES["list"])]
    for target, key, value in itertools.product(targets, keys, [number(1), nested, key_of_all()]):
        for change in (
            key + value + op.SETITEM,
            op.MARK + key + value + op.SETITEMS,
            value + op.APPEND,
            op.MARK + value + key + op.APPENDS,
            op.MARK + key + key + op.ADDITEMS,
        ):
            assert_alike(native_unpickling, proto(4, target + change), policy)
    assert listed.REGISTRY == listed.ORDERED == {}


def key_of_all():
    return call(NAMES["collections.defaultdict"])


def test_a_mark_between_a_container_and_its_items(native_unpickling):
    """The error of a mark comes before what the hashes would cost."""
    deep = op.EMPTY_TUPLE + (op.DUP + op.TUPLE2) * 60
    for made, code in (
        (op.EMPTY_SET, op.ADDITEMS), (op.EMPTY_DICT, op.SETITEMS), (op.EMPTY_LIST, op.APPENDS)
    ):  # fmt: skip
        for between in (op.MARK * 2, op.MARK + deep + op.MARK, op.MARK * 2 + deep + op.NONE):
            assert_alike(native_unpickling, proto(4, made + between + deep + deep + code))
            assert_alike(native_unpickling, proto(4, made + between + deep + code))


@pytest.mark.costly
@pytest.mark.parametrize("value", HONEST, ids=lambda value: type(value).__name__)
def test_each_limit(native_unpickling, value):
    """The same limit is reached, at the same opcode."""
    for protocol in range(2, 6):
        data = pickle.dumps([value, value, (value, {"k": value})], protocol)
        if len(data) > 2000:
            pytest.skip("it takes long")
        for count in range(140):
            assert_alike(native_unpickling, data, ALL.limit(objects=count))
        for memory in range(0, 128 * 60, 37):
            assert_alike(native_unpickling, data, ALL.limit(memory=memory))


@pytest.mark.parametrize("seed", range(20))
def test_damaged(native_unpickling, seed):
    rng = random.Random(seed)
    for value in HONEST:
        data = bytearray(pickle.dumps([value, value], rng.randrange(6)))
        for _ in range(3):
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            assert_alike(native_unpickling, bytes(data), ALL.limit(memory=10**7, objects=10**5))


# --- what one load has approved, and the next one finds again


def test_what_an_earlier_load_has_named_is_not_called(unpickling):
    policy = ALL.allow(f"{HERE}.the_class")
    assert unpickling.loads(proto(4, new("Plain")), policy=policy)
    data = proto(4, call(call(here("the_class"))))
    for _ in range(2):
        with pytest.raises(PolicyError) as caught:
            unpickling.loads(data, policy=policy)
        assert caught.value.rule == "calls"


def test_one_object_by_two_names_in_turn(unpickling):
    """The name by which an earlier load has found an object says nothing about this one."""
    one, other = "collections:OrderedDict", f"{HERE}:OrderedDict"
    policy = ALL.allow(f"{HERE}.OrderedDict")
    for name in (one, other, one, other, other, one):
        data = proto(4, call(stack_global(name)))
        assert unpickling.loads(data, policy=policy) == {}
    data = proto(4, call(stack_global(one)) + call(stack_global(other)) + op.TUPLE2)
    for _ in range(2):
        assert unpickling.loads(data, policy=policy) == ({}, {})


def test_a_name_that_stands_for_another_object_meanwhile(unpickling, monkeypatch):
    data = proto(4, here("Plain"))
    for _ in range(2):
        assert unpickling.loads(data, policy=ALL) is listed.Plain
    monkeypatch.setattr(listed, "Plain", sys.exit)
    for _ in range(2):
        with pytest.raises(PolicyError, match="is no class"):
            unpickling.loads(proto(4, here("Plain") + op.EMPTY_TUPLE + op.REDUCE), policy=ALL)


def test_a_class_that_is_changed_between_loads(unpickling, monkeypatch):
    data = proto(4, call(here("List"), VALUES["a str"]))
    for _ in range(2):
        with pytest.raises(PolicyError):
            unpickling.loads(data, policy=ALL)
        monkeypatch.setattr(listed.List, "__init__", lambda *args: None, raising=False)
        monkeypatch.setattr(listed.List, "__new__", lambda *args: [], raising=False)
        assert unpickling.loads(data, policy=ALL) == []
        monkeypatch.undo()


def test_what_it_found_is_given_up(unpickling, monkeypatch):
    freed = []
    finalized = type("Finalized", (), {"__del__": lambda self: freed.append(1)})()
    monkeypatch.setattr(listed, "SINGLE", finalized)
    del finalized
    data = proto(4, here("single") + op.EMPTY_TUPLE + op.REDUCE)
    assert unpickling.loads(data, policy=ALL) is listed.SINGLE
    monkeypatch.undo()
    assert freed == [1]


def test_other_policies_in_turn(unpickling):
    data = proto(4, new("Plain"))
    for _ in range(3):
        assert unpickling.loads(data, policy=ALL)
        with pytest.raises(PolicyError):
            unpickling.loads(data, policy=Policy.plain())


def test_a_load_within_a_load(unpickling, monkeypatch):
    inner = proto(4, new("Other"))

    def setstate(self, state):
        with pytest.raises(PolicyError):
            unpickling.loads(proto(4, stack_global("os:system")), policy=ALL)
        self.inner = unpickling.loads(inner, policy=ALL)

    monkeypatch.setattr(listed.SetsState, "__setstate__", setstate)
    data = proto(4, b"(" + (new("SetsState") + number(1) + op.BUILD) * 3 + b"t")
    for _ in range(2):
        made = unpickling.loads(data, policy=ALL)
        assert [type(each.inner) for each in made] == [listed.Other] * 3


@pytest.mark.parametrize("end", [b"(K\2K\3e", b"K\2a", b"(K\2K\3u", b"K\2K\3s", b"(K\2\x90"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: deque([1]),
        lambda: defaultdict(list, a=1),
        lambda: [1],
        lambda: {1: 1},
        OrderedDict,
        set,
    ],
    ids=["deque", "defaultdict", "list", "dict", "OrderedDict", "set"],
)
def test_containers_of_others_stay_unchanged(unpickling, make, end):
    """Those that a persistent id stands for, whose types are heap types on some versions."""
    obj = make()

    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            return obj

    with pytest.raises(PolicyError):
        Sub(io.BytesIO(b"\x80\x04K\1Q" + end + b"."), policy=Policy.plain()).load()
    assert obj == make()
