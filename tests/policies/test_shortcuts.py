"""Decisions that are made once, or in compiled code, are those that were made without that.

See compiled/load_names.pxi, compiled/load_checked.pxi, compiled/load_tools.pxi and the presets.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import random
import sys
from collections import OrderedDict, defaultdict, deque
from types import SimpleNamespace

import pytest

from conftest import UNPICKLERS
from quickpickle import Policy, PolicyError
from quickpickle.format import opcodes as op
from quickpickle.rules.presets.states import attributes

from . import listed
from .attacks import call, number, proto, stack_global, text
from .test_alike import assert_alike
from .test_policy import ALL, HERE, here, new, state

HELD = {"list": [], "dict": {}, "set": set(), "deque": deque(), "defaultdict": defaultdict()}
HELD["OrderedDict"] = OrderedDict()


@pytest.fixture
def tools():
    pytest.importorskip("quickpickle.compiled.unpickling")
    from quickpickle.compiled.unpickling import Tools

    return Tools()


# --- names


def test_a_load_of_a_file_knows_no_names_of_the_last_one(unpickling):
    policy = ALL.allow(f"{HERE}.the_class")
    for made in (new("Plain"), call(here("the_class")), new("Plain")):
        assert unpickling.load(io.BytesIO(proto(4, made)), policy=policy)
    for _ in range(2):
        with pytest.raises(PolicyError, match="no listed name"):
            unpickling.load(io.BytesIO(proto(4, call(call(here("the_class"))))), policy=policy)


def test_a_name_of_python_2_stands_for_another_one_below_protocol_3_only(unpickling):
    args = op.BINFLOAT + bytes(8) + op.BINFLOAT + bytes(8)
    renamed = op.GLOBAL + b"__builtin__\ncomplex\n" + op.MARK + args + op.TUPLE + op.REDUCE
    own = op.GLOBAL + b"builtins\ncomplex\n" + op.MARK + args + op.TUPLE + op.REDUCE
    for _ in range(3):
        for version, made in ((2, renamed), (2, own), (4, own)):
            assert unpickling.loads(proto(version, made), policy=Policy.plain()) == 0
        with pytest.raises(PolicyError, match="__builtin__"):
            unpickling.loads(proto(4, renamed), policy=Policy.plain())
        with pytest.raises(PolicyError, match="__builtin__"):
            unpickling.loads(proto(2, renamed), policy=Policy.plain(), fix_imports=False)


def test_an_instance_by_two_names_that_allow_different_things(unpickling, monkeypatch):
    """Neither name says alone what the object may do; the answer is that of a first load."""
    monkeypatch.setattr(listed, "again", listed.called, raising=False)
    policy = Policy().allow(f"{HERE}.called", f"{HERE}.again")
    for names in (("called", "again"), ("again", "called"), ("again", "again"), ("called",) * 2):
        data = proto(4, op.MARK + b"".join(call(here(name)) for name in names) + op.TUPLE)
        for _ in range(2):
            assert unpickling.loads(data, policy=policy) == (0, 0)


def test_names_that_are_found_after_the_guard_was_asked(native_unpickling):
    """Some names are met before the Guard is asked, some later: it knows all of them."""
    asked = call(stack_global("fractions:Fraction"), text("1/3")) + op.POP
    made = [new("Plain") + op.POP, new("Slots") + op.POP, asked]
    for _ in range(2):
        for order in ((0, 1, 2), (2, 0, 1), (0, 2, 1)):
            parts = b"".join(made[i] for i in order)
            assert_alike(native_unpickling, proto(4, parts + new("Plain")))
            assert_alike(native_unpickling, proto(4, parts + new("Slots") + op.NONE + op.BUILD))
            assert_alike(native_unpickling, proto(4, parts + here("Plain") + op.NONE + op.BUILD))


@pytest.mark.parametrize("kind", HELD)
def test_containers_that_somebody_else_holds_get_no_items(unpickling, monkeypatch, kind):
    held = HELD[kind]
    monkeypatch.setattr(listed, "REGISTRY", held, raising=False)
    code = {"list": op.APPEND, "deque": op.APPEND, "set": op.ADDITEMS}.get(kind, op.SETITEM)
    items = {op.ADDITEMS: op.MARK + number(1), op.APPEND: number(1)}.get(code, number(1) * 2)
    data = proto(4, call(here("registry")) + items + code)
    for _ in range(2):
        with pytest.raises(PolicyError) as caught:
            unpickling.loads(data, policy=ALL)
        assert caught.value.rule == "objects changed"
    assert not held


def test_items_beside_a_function(native_unpickling):
    """A function that was found is no container: items of others need no question."""
    for made in (op.EMPTY_LIST + number(1) + op.APPEND, op.EMPTY_DICT + number(1) * 2 + op.SETITEM):
        assert_alike(native_unpickling, proto(4, here("called") + made + op.TUPLE2))
    assert_alike(native_unpickling, proto(4, here("called") + number(1) + op.APPEND))
    assert_alike(native_unpickling, proto(4, here("called") + number(1) * 2 + op.SETITEM))


def test_a_name_that_leads_to_another_object_is_decided_again(unpickling, monkeypatch):
    policy = Policy().allow(f"{HERE}.Plain")
    data = proto(4, here("Plain"))
    for _ in range(2):
        assert unpickling.loads(data, policy=policy) is listed.Plain
    monkeypatch.setattr(listed, "Plain", listed.Other)
    with pytest.raises(PolicyError, match=r"leads to .*Other, which is not listed"):
        unpickling.loads(data, policy=policy)
    monkeypatch.undo()
    assert unpickling.loads(data, policy=policy) is listed.Plain


class Changing(list):
    __module__, __qualname__ = HERE, "Changing"

    def __new__(cls, *args):
        return super().__new__(cls)

    def __init__(self, *args):
        super().__init__()


def test_calls_of_a_class_that_has_changed_are_decided_again(unpickling, monkeypatch):
    """Without a method of its own the arguments go to one of C, which checks look at."""
    monkeypatch.setattr(listed, "Changing", Changing, raising=False)
    policy = Policy().allow(f"{HERE}.Changing")
    data = proto(4, call(here("Changing"), text("abc")))
    for _ in range(2):
        assert unpickling.loads(data, policy=policy) == []
    monkeypatch.delattr(Changing, "__init__")
    for _ in range(2):
        with pytest.raises(PolicyError) as caught:
            unpickling.loads(data, policy=policy)
        assert caught.value.rule == "arguments"
    monkeypatch.undo()


def test_the_guard_is_told_of_names_that_were_found_before(unpickling):
    policy = Policy.plain().allow(f"{HERE}.*")
    instance = op.MARK + here("Plain") + op.OBJ
    factory = call(stack_global("collections:defaultdict"), here("List"))
    for _ in range(3):
        assert type(unpickling.loads(proto(4, instance), policy=policy)) is listed.Plain
        made = unpickling.loads(proto(4, factory), policy=policy)
        assert made.default_factory is listed.List
        with pytest.raises(PolicyError) as caught:
            unpickling.loads(proto(4, here("Plain"), op.NONE, op.BUILD), policy=policy)
        assert caught.value.rule == "objects changed"


def test_an_instance_with_a_name_stays_as_it_is(unpickling):
    policy = ALL.allow(f"{HERE}.DEFAULT")
    data = proto(4, here("Plain"), op.POP, here("DEFAULT"), state(x=number(1)), op.BUILD)
    for _ in range(3):
        assert unpickling.loads(proto(4, here("DEFAULT")), policy=policy) is listed.DEFAULT
        with pytest.raises(PolicyError) as caught:
            unpickling.loads(data, policy=policy)
        assert caught.value.rule == "objects changed"
    assert not vars(listed.DEFAULT)


def test_a_dict_that_other_code_sees_before_it_has_its_items(unpickling, monkeypatch):
    """A hash looks at the memo, which makes the dict while its keys are weighed."""
    seen = []

    class Key:
        __module__, __qualname__ = HERE, "Key"

        def __hash__(self):
            if not seen:
                seen.append(unpickler.memo.copy()[200])
            return 1

    monkeypatch.setattr(listed, "Key", Key, raising=False)
    keys = b"".join(here("Key") + op.EMPTY_TUPLE + op.NEWOBJ + number(i) for i in range(300))
    made = op.EMPTY_DICT + op.BINPUT + b"\xc8" + op.MARK + keys + op.SETITEMS
    unpickler = unpickling.Unpickler(io.BytesIO(proto(4, made)), policy=ALL.allow(f"{HERE}.Key"))
    found = unpickler.load()
    assert found is seen[0]
    assert [*found.values()] == [*range(300)]


# --- checks of presets


ESTIMATOR = "sklearn.tree._classes:DecisionTreeClassifier"


def refused_alike(native, *parts, policy=None):
    """The rule by which both refuse, in the first load and in those that follow."""
    policy = Policy.sklearn() | ALL.allow(f"{HERE}.called") if policy is None else policy
    data = proto(4, *parts)
    return {getattr(assert_alike(native, data, policy), "rule", None) for _ in range(3)}


def test_estimators_wait_for_their_states(native_unpickling):
    version = text(pytest.importorskip("sklearn").__version__)
    made = stack_global(ESTIMATOR) + op.EMPTY_TUPLE + op.NEWOBJ
    assert refused_alike(native_unpickling, made) == {"states"}
    assert refused_alike(native_unpickling, made, op.NONE, op.TUPLE2) == {"states"}
    assert refused_alike(native_unpickling, call(here("called"), made)) == {"arguments"}
    args = number(1) + op.TUPLE1
    assert refused_alike(native_unpickling, stack_global(ESTIMATOR), args, op.NEWOBJ) == {
        "arguments"
    }
    method = made + state(fit=number(1)) + op.BUILD
    assert refused_alike(native_unpickling, method) == {"states"}
    given = made + state(_sklearn_version=version) + op.BUILD
    assert refused_alike(native_unpickling, given + state(b=number(1)) + op.BUILD) == {"states"}
    array = call(
        stack_global("numpy._core.multiarray:_reconstruct"),
        stack_global("numpy:ndarray"), number(0) + op.TUPLE1, op.SHORT_BINBYTES + b"\1b",
    )  # fmt: skip
    assert refused_alike(native_unpickling, op.MARK, array, made, op.TUPLE) == {"states"}


def test_dtypes_are_in_use_when_something_else_was_done(native_unpickling):
    """A dtype gets its state at once: a call, an instance and a state end that."""
    numpy = pytest.importorskip("numpy")
    version = text(pytest.importorskip("sklearn").__version__)
    dtype = call(stack_global("numpy:dtype"), text("f8"), op.NEWFALSE, op.NEWTRUE)
    parts = b"".join(pickle.dumps(part, 2)[2:-1] for part in numpy.dtype("f8").__reduce__()[2])
    build = op.MARK + parts + op.TUPLE + op.BUILD
    estimator = stack_global(ESTIMATOR) + op.EMPTY_TUPLE + op.NEWOBJ
    given = state(_sklearn_version=version) + op.BUILD
    fraction = call(stack_global("fractions:Fraction"), text("1/3")) + op.POP
    assert refused_alike(native_unpickling, dtype, build) == {None}
    assert refused_alike(native_unpickling, dtype, fraction, build) == {"states"}
    kept = estimator + op.BINPUT + b"\0" + op.POP
    late = op.BINGET + b"\0" + given + op.POP
    # Both are refused at the state of the dtype: nothing waits for its state any more.
    assert refused_alike(native_unpickling, kept, dtype, late, build) == {"states"}
    assert refused_alike(native_unpickling, dtype, kept, build, late) == {"states"}


def test_estimators_of_somebody_else_stay_as_they_are(unpickling):
    pytest.importorskip("sklearn")
    from sklearn.tree import DecisionTreeClassifier

    held = DecisionTreeClassifier()
    known = vars(held).copy()

    class Persistent(unpickling.Unpickler):
        def persistent_load(self, pid):
            return held

    build = op.NONE + op.BINPERSID + state(a=number(1)) + op.BUILD
    data = proto(4, stack_global(ESTIMATOR), op.POP, build)
    with pytest.raises(PolicyError) as caught:
        Persistent(io.BytesIO(data), policy=Policy.sklearn()).load()
    assert caught.value.rule == "objects changed"
    assert vars(held) == known


def test_what_a_call_of_a_preset_returns_may_be_held(native_unpickling):
    pytest.importorskip("numpy")
    held = call(stack_global("numpy.ma.core:MaskedConstant"))
    rules = refused_alike(native_unpickling, held, op.NONE, op.BUILD, policy=Policy.numpy())
    assert rules == {"objects changed"}


def test_what_a_call_of_a_listed_function_returns_may_be_held(native_unpickling):
    for held in (here("Single") + op.POP + call(here("single")), new("Single")):
        rules = refused_alike(native_unpickling, held, state(x=number(1)), op.BUILD, policy=ALL)
        assert rules == {"objects changed"}


def test_a_state_that_the_pickle_keeps(unpickling):
    """The list of its trees is not the one that the pickle may change later."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    forest = ensemble.RandomForestClassifier(2, max_depth=1).fit([[0.0], [1.0]] * 4, [0, 1] * 4)
    data = pickle.dumps(forest, 4)
    assert data.endswith(op.BUILD + op.STOP)
    number_ = (100_000).to_bytes(4, "little")
    kept = op.LONG_BINPUT + number_ + op.BUILD + op.LONG_BINGET + number_ + op.TUPLE2 + op.STOP
    # No frames, as their sizes change.
    parts = [(code.name, place) for code, _, place in pickletools.genops(data)]
    start = next(place + 9 for name, place in parts if name == "FRAME")
    found, given = unpickling.loads(proto(4, data[start:-2] + kept)[:-1], policy=Policy.sklearn())
    assert type(found.estimators_) is type(given["estimators_"]) is list
    assert found.estimators_ is not given["estimators_"]


def test_a_hook_gives_an_object_another_name_in_a_later_load(unpickling):
    """The name that an earlier load has found it by allows more: it does not count alone."""

    class Hooked(unpickling.Unpickler):
        pass

    named = proto(4, new("Plain"))
    renamed = proto(4, stack_global("uuid:UUID"), op.EMPTY_TUPLE, op.NEWOBJ, state(x=number(1)))
    for order in (named + named + renamed + op.BUILD, named + renamed + op.BUILD):
        data = order.replace(op.STOP + op.BUILD, op.BUILD + op.STOP)
        unpickler = Hooked(io.BytesIO(data), policy=ALL)
        for _ in range(order.count(named)):
            assert type(unpickler.load()) is listed.Plain
        unpickler.find_class = lambda module, name: listed.Plain
        with pytest.raises(PolicyError) as caught:
            unpickler.load()
        assert caught.value.rule == "states"


def test_names_of_another_policy_end_before_a_load(unpickling):
    """Their end may run a load under a third policy, whose limits are not those of this load."""
    found = []

    class Callable:
        def __del__(self):
            found.append(unpickling.loads(proto(4, op.NONE), policy=Policy.plain()))

    listed.ending = Callable()
    data = proto(4, here("ending"), op.POP, op.NONE)
    assert unpickling.loads(data, policy=Policy().allow(f"{HERE}.ending")) is None
    del listed.ending
    with pytest.raises(PolicyError, match="more than 5 objects"):
        unpickling.loads(pickle.dumps([*range(9)]), policy=Policy.plain().limit(objects=5))
    assert found == [None]


def test_numbers_of_uuids_after_others(native_unpickling):
    """The third one is made by the plan of its class."""

    def made(value):
        state = op.EMPTY_DICT + op.MARK + text("int") + number(value) + op.SETITEMS
        return stack_global("uuid:UUID") + op.EMPTY_TUPLE + op.NEWOBJ + state + op.BUILD + op.POP

    for value, rule in ((0, None), ((1 << 128) - 1, None), (1 << 128, "states"), (-1, "states")):
        data = made(1) * 3 + made(value) + op.NONE
        assert refused_alike(native_unpickling, data, policy=Policy.plain()) == {rule}


# --- costs


KEPT = op.BINBYTES + (5000).to_bytes(4, "little") + bytes(5000) + op.BINPUT + b"\xc8" + op.POP
KEPT_ARGS = op.BINGET + b"\xc8"


@pytest.mark.costly
def test_copies_of_calls_before_a_state_that_a_preset_checks(native_unpickling):
    numpy = pytest.importorskip("numpy")
    array = numpy.array(["x" * 50] * 20)
    data = pickle.dumps([array.dtype, array], 2)
    # Calls that need no question, behind the dtype; then comes a state that does.
    place = next(at for code, _, at in pickletools.genops(data) if code.name == "BUILD") + 1
    copies = KEPT + call(stack_global("builtins:bytearray"), KEPT_ARGS) * 10
    data = data[:place] + copies + data[place:]
    limits = range(48_000, 68_000, 200)
    policies = [Policy.numpy().limit(memory=memory) for memory in limits]
    found = [assert_alike(native_unpickling, data, policy) for policy in policies]
    assert {getattr(each, "rule", None) for each in found} == {"memory", None}


@pytest.mark.costly
def test_copies_of_namedtuples(native_unpickling):
    args = KEPT_ARGS * 2 + op.TUPLE2
    pairs = {
        "at once": (here("Point") + args + op.NEWOBJ) * 10,
        "of a tuple": args
        + op.BINPUT
        + b"\0"
        + (here("Point") + op.BINGET + b"\0" + op.NEWOBJ) * 10,
    }
    for made in pairs.values():
        data = proto(4, op.MARK, KEPT.replace(op.BINBYTES, op.BINUNICODE, 1), made, op.TUPLE)
        limits = range(80_000, 120_000, 1000)
        found = [assert_alike(native_unpickling, data, ALL.limit(memory=most)) for most in limits]
        assert {getattr(each, "rule", None) for each in found} == {"memory", None}


@pytest.mark.costly
def test_copies_of_calls_whose_results_somebody_holds(native_unpickling, monkeypatch):
    def held(data):
        return listed.SINGLE

    held.__module__, held.__qualname__ = HERE, "held"
    monkeypatch.setattr(listed, "held", held, raising=False)
    copies = call(here("held"), KEPT_ARGS) * 10
    data = proto(4, op.MARK, KEPT, copies, op.TUPLE)
    limits = range(40_000, 60_000, 500)
    policy = ALL.allow(f"{HERE}.held")
    found = [assert_alike(native_unpickling, data, policy.limit(memory=most)) for most in limits]
    assert {getattr(each, "rule", None) for each in found} == {"memory", None}


@pytest.mark.costly
def test_hashes_of_many_containers_count_in_one_sum(native_unpickling):
    """A tuple of 5,000 is hashed again and again: some 2,000 times are allowed."""
    long = op.MARK + (op.BININT1 + b"\1") * 5000 + op.TUPLE + op.BINPUT + b"\0"
    again = op.EMPTY_DICT + op.BINGET + b"\0" + op.NONE + op.SETITEM + op.POP
    asked = call(stack_global("fractions:Fraction"), text("1/3")) + op.POP
    for count in (1990, 2010):
        for parts in (again * count, asked + again * count, again * 500 + asked + again * count):
            found = assert_alike(native_unpickling, proto(4, long + parts + op.NONE))
    assert found.rule == "hashing"


@pytest.mark.costly
def test_hashes_of_states_that_are_no_names(native_unpickling):
    long = op.MARK + (op.BININT1 + b"\1") * 5000 + op.TUPLE
    kept = op.EMPTY_DICT + long + op.NONE + op.SETITEM + op.BINPUT + b"\0"
    again = new("Plain") + op.BINGET + b"\0" + op.BUILD + op.POP
    for count, rule in ((1990, None), (2010, "hashing")):
        found = assert_alike(native_unpickling, proto(4, kept, again * count))
        assert getattr(found, "rule", None) == rule


def test_copies_of_calls_without_arguments(native_unpickling):
    made = op.MARK + new("Plain") * 3 + text("x" * 300) + op.TUPLE1 + op.TUPLE
    for memory in range(0, 3000, 50):
        assert_alike(native_unpickling, proto(4, made), ALL.limit(memory=memory))


# --- attributes of a preset's instances


class Base:
    pass


class Own(Base):
    pass


def check(guard, name):
    return attributes(guard, Own(), {name: 1})


def test_attributes_are_looked_for_again_when_a_base_changes(tools, monkeypatch):
    from quickpickle.rules.enforcement import Guard

    for used in (tools, None):
        guard = Guard(Policy())
        guard.tools = used
        for _ in range(2):
            assert check(guard, "name") is None
            guard.begin_anew()
        monkeypatch.setattr(Base, "name", property(lambda self: 1), raising=False)
        assert check(guard, "name") == "name is no attribute but a part of the class"
        monkeypatch.undo()
        guard.begin_anew()
        assert check(guard, "name") is None
        assert check(guard, "__init__") is not None


def test_names_of_attributes_are_str(tools):
    class Like(str):
        __slots__ = ()

    state = {"a": 1, "b": 2}
    assert tools.are_known(state, {"a", "b", "c"})
    assert not tools.are_known(state, {"a"})
    assert not tools.are_known({Like("a"): 1}, {"a"})
    assert not tools.are_known({1: 1}, {1})


# --- arrays, texts and trees


def test_states_of_dtypes_that_only_equal_those_seen_before(unpickling):
    numpy = pytest.importorskip("numpy")
    policy = Policy.numpy()
    made = call(stack_global("numpy:dtype"), text("f8"), op.NEWFALSE, op.NEWTRUE)
    state = numpy.dtype("f8").__reduce__()[2]
    good = op.MARK + b"".join(pickle.dumps(part, 2)[2:-1] for part in state) + op.TUPLE + op.BUILD
    for _ in range(2):
        assert unpickling.loads(proto(4, made + good), policy=policy) == "f8"
    for i, part in enumerate(state):
        for other in (float(part) if type(part) is int else 0, True, "x", None):
            if type(other) is type(part):
                continue
            parts = [*state[:i], other, *state[i + 1 :]]
            bad = b"".join(pickle.dumps(each, 2)[2:-1] for each in parts)
            with pytest.raises(PolicyError) as caught:
                unpickling.loads(
                    proto(4, made + op.MARK + bad + op.TUPLE + op.BUILD), policy=policy
                )
            assert caught.value.rule == "states"


def test_states_of_structures_that_were_seen_before(unpickling):
    numpy = pytest.importorskip("numpy")
    policy = Policy.numpy()
    fields = [("a", "i4"), ("b", "f8")]
    data = pickle.dumps(numpy.dtype(fields), 2)
    for _ in range(3):
        assert unpickling.loads(data, policy=policy) == fields
    moved = data.replace(b"K\x04\x86", b"K\x05\x86")  # the end of the record is inside of it
    assert moved != data
    with pytest.raises(PolicyError):
        unpickling.loads(moved, policy=policy)


def dtype_of(kind, *parts):
    made = call(stack_global("numpy:dtype"), text(kind), op.NEWFALSE, op.NEWTRUE)
    given = b"".join(pickle.dumps(part, 2)[2:-1] for part in parts)
    return proto(4, made, op.MARK, given, op.TUPLE, op.BUILD)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (("U5", 3, "<", None, None, None, 20, 4, 8), ("U9", 3, "<", None, None, None, 20, 4, 8)),
        (
            ("f8", 3, "<", None, None, None, -1, -1, 0),
            ("f8", 3, "<", None, None, None, -1, -1, 0, (None, ())),
        ),
        (
            ("M8", 4, "<", None, None, None, -1, -1, 0, (None, (b"D", 1, 1, 1))),
            ("M8", 4, "<", None, None, None, -1, -1, 0, (None, (b"Q", 1, 1, 1))),
        ),
        (
            ("M8", 4, "<", None, None, None, -1, -1, 0, (None, (b"D", 1, 1, 1))),
            ("M8", 4, "<", None, None, None, -1, -1, 0, ({"a": 1}, (b"D", 1, 1, 1))),
        ),
    ],
)
def test_states_of_dtypes_that_differ_from_those_seen_before(unpickling, good, bad):
    pytest.importorskip("numpy")
    policy = Policy.numpy()
    for _ in range(2):
        unpickling.loads(dtype_of(*good), policy=policy)
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(dtype_of(*bad), policy=policy)
    assert caught.value.rule == "states"


def check_structure(numpy, dtype, names, fields, *others):
    from quickpickle.rules.enforcement import Guard
    from quickpickle.rules.presets.numpy_dtypes import check_dtype_state

    guard = Guard(Policy.numpy())
    made = numpy.dtype(dtype, copy=True)
    guard.fresh[id(made)] = made
    return check_dtype_state(guard, made, (3, "|", None, names, fields, *others))


def test_states_of_structures_that_differ_from_those_seen_before():
    numpy = pytest.importorskip("numpy")
    i4, f4 = numpy.dtype("i4"), numpy.dtype("f4")
    fields = {"a": (i4, 0), "b": (f4, 4)}
    good = "V8", ("a", "b"), fields, 8, 1, 16
    for _ in range(2):
        assert check_structure(numpy, *good) is None
    swapped = {"a": (f4, 0), "b": (i4, 4)}
    assert check_structure(numpy, "V8", ("a", "b"), swapped, 8, 1, 16) is None
    for names, other, *others in (
        (("a", "b"), fields, 7, 1, 16),
        (("a", "b"), fields, 8, 3, 16),
        (("a", "b"), fields, 8, 1, 17),
        (("a", "b"), {"a": (i4, 0), "b": (f4, 5)}, 8, 1, 16),
        (("a", "b"), {"a": (i4, 0), "b": (numpy.dtype("f8"), 4)}, 8, 1, 16),
        (("a", "b"), {**fields, "c": (i4, 0)}, 8, 1, 16),
        (("a", "c"), fields, 8, 1, 16),
        (("a", "a"), fields, 8, 1, 16),
    ):
        assert check_structure(numpy, "V8", names, other, *others) is not None, (names, other)


def test_structures_in_one_another_count_the_ones_seen_before(unpickling):
    numpy = pytest.importorskip("numpy")
    dtype = numpy.dtype([("x", "i4")])
    for _ in range(31):
        dtype = numpy.dtype([("x", dtype)])
    pickles = [pickle.dumps(dtype, 2), pickle.dumps(numpy.dtype([("x", dtype)]), 2)]
    for _ in range(3):
        assert unpickling.loads(pickles[0], policy=Policy.numpy()) == dtype
        with pytest.raises(PolicyError, match="in one another"):
            unpickling.loads(pickles[1], policy=Policy.numpy())


def test_bytes_that_stand_for_no_value_in_arrays_after_others(native_unpickling):
    """The dtype was asked about before: not all of its bytes are values."""
    numpy = pytest.importorskip("numpy")
    for kind in ("?", "U1", [("x", "?", (2,))], [("x", "i4"), ("y", "U1")]):
        one = numpy.zeros(1, kind)
        bad = numpy.frombuffer(b"\xff" * one.nbytes, numpy.dtype(f"V{one.nbytes}")).view(kind)
        for protocol in (2, 4, 5):
            data = pickle.dumps([one, one + 0 if kind == "?" else one.copy(), bad], protocol)
            assert assert_alike(native_unpickling, data, Policy.numpy()).rule in (
                "states", "arguments"
            )  # fmt: skip


@pytest.mark.parametrize("rows", [3, 200])
def test_rows_that_two_blocks_have(rows):
    numpy = pytest.importorskip("numpy")
    from quickpickle.rules.presets.pandas_frames import _are_all_rows

    places = numpy.arange(rows)
    assert _are_all_rows([places[2:], places[:2]], rows)
    assert not _are_all_rows([places[2:], places[1:3]], rows)
    assert not _are_all_rows([places + 1], rows)
    assert not _are_all_rows([places - 1], rows)


def test_texts_that_count_as_ascii_are_valid():
    arrow = pytest.importorskip("pyarrow")
    pytest.importorskip("numpy")
    from quickpickle.rules.presets.pandas_arrays import is_ascii

    rng = random.Random(0)
    kinds = {True: 0, False: 0}
    for _ in range(3000):
        data = bytes(rng.choice(b"abc\x7f\x80\xc3\xa9") for _ in range(rng.randrange(8)))
        if rng.random() < 0.7:
            data = bytes(byte & 0x7F for byte in data)
        offsets = sorted(rng.randrange(-1, len(data) + 2) for _ in range(rng.randrange(1, 6)))
        if rng.random() < 0.2:
            rng.shuffle(offsets)
        if rng.random() < 0.7:
            offsets = [min(max(place, 0), len(data)) for place in offsets]
        length = rng.randrange(len(offsets))
        places = b"".join(place.to_bytes(4, sys.byteorder, signed=True) for place in offsets)
        start = rng.randrange(len(offsets) - length)
        valid = arrow.py_buffer(b"\xff") if rng.random() < 0.1 else None
        buffers = [valid, arrow.py_buffer(places), arrow.py_buffer(data)]
        try:
            array = arrow.Array.from_buffers(arrow.string(), length, buffers, offset=start)
        except arrow.ArrowInvalid:
            continue
        found = is_ascii(array)
        kinds[found] += 1
        if found:
            array.validate(full=True)
    assert min(kinds.values()) > 300


def test_the_shape_of_a_tree_in_one_pass(tools):
    numpy = pytest.importorskip("numpy")
    from quickpickle.rules.presets.sklearn_trees import _columns_of, shape_of

    rng = random.Random(0)
    guard = SimpleNamespace(notes={})
    kinds = {True: 0, False: 0}
    for size in ("i8", "i4", "i2", "i1") * 500:
        dtype = numpy.dtype([(name, size) for name in ("left_child", "right_child", "feature")])
        dtype = numpy.dtype([("threshold", "f8"), *((name, size) for name in dtype.names)])
        nodes = make_tree(numpy, rng, dtype)
        if rng.random() < 0.6:
            for _ in range(rng.randrange(1, 3)):
                field = rng.choice(["left_child", "right_child", "feature"])
                nodes[field][rng.randrange(len(nodes))] = rng.randrange(-2, len(nodes) + 2)
        found = tools.shape_of_tree(nodes, dtype.itemsize, *_columns_of(guard, dtype))
        assert found == shape_of(nodes["left_child"], nodes["right_child"], nodes["feature"])
        kinds[found is not None] += 1
    assert min(kinds.values()) > 300


def shape_both(tools, rows):
    numpy = pytest.importorskip("numpy")
    from quickpickle.rules.presets.sklearn_trees import _columns_of, shape_of

    dtype = numpy.dtype(
        [(name, "i8") for name in ("left_child", "right_child", "feature", "threshold")]
    )
    nodes = numpy.array([(*row, 0) for row in rows], dtype)
    columns = _columns_of(SimpleNamespace(notes={}), dtype)
    found = tools.shape_of_tree(nodes, dtype.itemsize, *columns)
    assert found == shape_of(*[nodes[name] for name in dtype.names[:3]])
    return found


def test_a_tree_with_a_node_that_is_its_own_child(tools):
    leaf = (-1, -1, -2)
    assert shape_both(tools, [(3, 4, 0), (1, 2, 0), leaf, leaf, leaf]) is None
    assert shape_both(tools, [(1, 2, 0), leaf, (3, 4, 5), leaf, leaf]) == (2, 0, 5)


def test_the_deepest_tree(tools):
    for depth, expected in ((10_000, (10_000, 0, 0)), (10_001, None)):
        rows = []
        for i in range(depth):
            rows += [(2 * i + 1, 2 * i + 2, 0), (-1, -1, -2)]
        # The leaf of a node lies behind it, and then the next node.
        assert shape_both(tools, [*rows, (-1, -1, -2)]) == expected


def make_tree(numpy, rng, dtype):
    """A tree of up to 41 nodes, each with two children behind it or none."""
    open_, rows, count = [0], {}, 1
    while open_:
        node = open_.pop(rng.randrange(len(open_)))
        if count < 40 and rng.random() < 0.7:
            # The nodes behind are numbered as they come, so a child is behind its parent.
            rows[node] = (count, count + 1, rng.randrange(8))
            open_ += [count, count + 1]
            count += 2
        else:
            rows[node] = (-1, -1, -2)
    nodes = numpy.zeros(count, dtype)
    for node, row in rows.items():
        for field, value in zip(("left_child", "right_child", "feature"), row, strict=True):
            nodes[field][node] = value
    return nodes


@pytest.mark.skipif(len(UNPICKLERS) < 2, reason="only one implementation")
def test_columns_outside_of_a_record(tools):
    for column in ((0, 3), (5, 4), (-1, 4)):
        with pytest.raises(ValueError, match="outside"):
            tools.shape_of_tree(bytes(8), 8, column, (0, 4), (0, 4))
    for given in ((0, 0), (0,), "x", None):
        with pytest.raises((TypeError, ValueError)):
            tools.shape_of_tree(bytes(8), 8, given, (0, 4), (0, 4))
    assert tools.shape_of_tree(b"", 8, *[(0, 4)] * 3) is None


@pytest.mark.parametrize(
    ("classes", "outputs", "said"),
    [
        ([], 1, "numbers of classes"),
        ([0], 1, "numbers of classes"),
        ([-1], 1, "numbers of classes"),
        ([(1 << 20) + 1], 1, "numbers of classes"),
        ([1, 1], 1, "numbers of classes"),
        ([2, 0], 2, "numbers of classes"),
        ([1.0], 1, "numbers of classes"),
        ([1 << 20] * 100, 100, "the memory that the policy allows"),
        ([], 0, "numbers of features, classes and outputs"),
    ],
)
def test_a_tree_is_refused_before_it_is_made(unpickling, classes, outputs, said):
    """The class is called with these arguments otherwise, and may take any memory."""
    numpy = pytest.importorskip("numpy")
    made = pytest.importorskip("sklearn.tree._tree").Tree
    kind = "i8" if all(type(count) is int for count in classes) else "f8"

    class Call:
        def __reduce__(self):
            return made, (4, numpy.array(classes, kind), outputs)

    with pytest.raises(PolicyError, match=said) as caught:
        unpickling.loads(pickle.dumps(Call()), policy=Policy.sklearn().limit(memory=10**8))
    assert caught.value.rule == "arguments"


@pytest.mark.parametrize("kind", ["no threshold", "a float", "an unsigned int", "no feature"])
def test_records_that_are_no_nodes(kind):
    numpy = pytest.importorskip("numpy")
    from quickpickle.rules.presets.sklearn_trees import _columns_of

    fields = {"left_child": "i8", "right_child": "i8", "feature": "i8", "threshold": "f8"}
    assert _columns_of(SimpleNamespace(notes={}), numpy.dtype([*fields.items()]))
    if kind.startswith("no "):
        del fields[kind.removeprefix("no ")]
    else:
        fields["feature"] = "f8" if kind == "a float" else "u8"
    assert _columns_of(SimpleNamespace(notes={}), numpy.dtype([*fields.items()])) is None
