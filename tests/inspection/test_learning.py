"""The narrowest policy of a pickle: it loads the pickle, and lists nothing that is not needed."""

from __future__ import annotations

import copyreg
import functools
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import models
import quickpickle
from conftest import UNPICKLERS
from fuzzing import fuzz_inspect, fuzz_loads
from graphs import SETTINGS, graphs, trees
from inspection_checks import SCANNERS, inspect_with
from policies import listed
from policies.test_honest import VALUES
from quickpickle import Policy, PolicyError
from quickpickle.inspection.learning import learn

PLAIN = Policy.plain()


class Outer:
    class Inner:
        class Deep:
            def __init__(self):
                self.values = [1]

    class Other:
        pass

    @staticmethod
    def new():
        return []


@pytest.fixture(params=SCANNERS)
def inspect(request):
    return lambda data: inspect_with(request.param, data)


ALIKE = (models.Data, models.Point, models.Color, models.ListSub, models.DictSub, models.GetState)

OBJECTS = [
    VALUES,
    [models.Data(1, [2]), models.SlotsData(1), models.FrozenData(1), models.DataPoint(1)],
    [models.Plain(a=1), models.Slots(), models.SlotsAndDict(), models.Point(1, 2)],
    [models.ListSub([1]), models.DictSub(a=1), models.TupleSub((1,)), models.StrSub("x")],
    [models.SetSub({1}), models.FrozensetSub({1})],
    [models.Color.RED, models.Color.GREEN, models.Flags.A | models.Flags.B],
    [models.GetState(1), models.NewArgs(1), models.Reduced(1, 2)],
    [models.ReducedWithItems(1, 2, 3)],
    [models.Plain, models.Act, learn, len, os.getcwd],
    [Outer(), Outer.Inner(), Outer.Inner.Deep(), Outer.Inner.Deep(), Outer.Other(), Outer.new],
    [Outer.Inner.Deep, Outer.Inner.Deep(), "Inner", "Deep"],
]


@pytest.mark.parametrize("obj", OBJECTS, ids=range(len(OBJECTS)))
def test_it_loads_what_it_was_learned_from(unpickling, inspect, protocol, obj):
    try:
        data = pickle.dumps(obj, protocol)
    except TypeError:  # slots below protocol 2
        assert protocol < 2
        return
    policy, left_out = learn(inspect(data), dangerous=True)
    assert not left_out
    assert policy.check(data) == []
    loaded = unpickling.loads(data, policy=policy)
    expected = pickle.loads(data)
    assert [type(one) for one in loaded] == [type(one) for one in expected]
    assert [getattr(one, "__dict__", one) for one in loaded if type(one) in ALIKE] == [
        getattr(one, "__dict__", one) for one in expected if type(one) in ALIKE
    ]


@SETTINGS
@given(obj=graphs() | trees, protocol=st.integers(0, 5))
def test_graphs(obj, protocol):
    try:
        data = pickle.dumps(obj, protocol)
    except RecursionError:  # such as keywords for __new__ that lead back, below protocol 4
        return
    except TypeError:  # slots below protocol 2
        assert protocol < 2
        return
    policy, left_out = learn(quickpickle.inspect(data))
    if left_out:
        policy = learn(quickpickle.inspect(data), dangerous=True).policy
    if "functools.partial" in left_out:
        # Keywords for __new__ in protocols 2 and 3: what the pickle has made is called.
        with pytest.raises(PolicyError) as caught:
            quickpickle.loads(data, policy=policy)
        assert caught.value.rule == "calls"
        return
    # Methods of values, and the type of None.
    assert left_out.keys() <= {"builtins.getattr", "builtins.type"}
    for module in UNPICKLERS.values():
        try:
            module.loads(data, policy=policy)
        except PolicyError as error:  # each policy refuses cycles of deques and defaultdicts
            if "deep into others" not in str(error):
                raise
            return
    # No part of it is there in vain.
    content = policy._content
    presets = PLAIN if content.presets else Policy()
    for name in content.names:
        with pytest.raises(PolicyError):
            quickpickle.loads(data, policy=presets | policy.forbid(name))
    if content.presets:
        with pytest.raises(PolicyError):
            quickpickle.loads(data, policy=Policy().allow(*content.names, dangerous=True))


def test_seeds_of_the_fuzzers():
    count = 0
    for data in fuzz_inspect.seeds() + fuzz_loads.seeds():
        try:
            quickpickle.loads(data)
        except Exception:
            continue
        quickpickle.loads(data, policy=quickpickle.inspect(data).policy(dangerous=True))
        count += 1
    assert count > 80


def test_what_is_in_it(inspect, protocol):
    def policy_of(obj):
        return inspect(pickle.dumps(obj, protocol)).policy()

    assert policy_of([1, "x", {"a": (1.5, None)}]) == Policy()
    assert policy_of(VALUES) == PLAIN
    name = f"{__name__}.Outer"
    assert policy_of(Outer) == Policy().allow(name)
    # copyreg's function is on the list of plain().
    needed = PLAIN if protocol < 2 else Policy()
    inner = [f"{name}.Inner"] if protocol >= 4 else [name, f"{name}.Inner"]
    assert policy_of(Outer.Inner()) == needed.allow(*inner)


def test_names_that_run_code(inspect, protocol):
    data = pickle.dumps([os.system, functools.partial, Outer, [].append], protocol)
    inspection = inspect(data)
    system = f"{os.system.__module__}.system"
    learned = learn(inspection)
    assert learned.policy == Policy().allow(f"{__name__}.Outer")
    assert learned.left_out == {
        system: "runs commands",
        "functools.partial": "calls what it is given",
        "builtins.getattr": "reaches any attribute, and so any function",
    }
    assert inspection.policy() == learned.policy
    learned = learn(inspection, dangerous=True)
    assert learned.left_out == {}
    assert learned.policy == Policy().allow(f"{__name__}.Outer").allow(
        system, "functools.partial", "builtins.getattr", dangerous=True
    )


def test_names_that_no_policy_can_list(inspect):
    data = b"\x80\x04(\x8c\x01a\x8c\x03b-c\x93\x8c\x00\x8c\x01b\x93\x82\xf0cos\n" + b"x" * 600
    data += b"\nccollections\nOrderedDict\nl."
    learned = learn(inspect(data), dangerous=True)
    assert learned.policy == PLAIN
    assert (
        set(learned.left_out)
        == {*("a.b-c", ".b", "copyreg.extension 240, not registered", "os." + "x" * 80 + "…")}
        or len(learned.left_out) == 4
    )


def test_names_of_the_extension_registry(unpickling, inspect):
    copyreg.add_extension(listed.__name__, "Plain", 0x77)
    try:
        data = pickle.dumps(listed.Plain, 2)
        policy = inspect(data).policy()
        assert policy == Policy().allow(listed.Plain)
        assert unpickling.loads(data, policy=policy) is listed.Plain
    finally:
        copyreg.remove_extension(listed.__name__, "Plain", 0x77)


def test_names_of_python_2(unpickling, inspect):
    data = b"\x80\x02(c__builtin__\nxrange\nK\x01K\x02K\x01\x87Rc__builtin__\nset\n]\x85Rl."
    policy = inspect(data).policy()
    assert policy == PLAIN
    assert unpickling.loads(data, policy=policy) == [range(1, 2), set()]


def test_the_bounds_are_those_of_every_policy_unless_more_is_needed(inspect, monkeypatch):
    data = pickle.dumps([1] * 100) + pickle.dumps([])
    inspection = inspect(data)
    assert inspection.policy().limits == Policy().limits

    class Large:
        def __getattr__(self, name):
            return getattr(inspection, name)

        pickles = [inspection.pickles[0]._replace(opcodes=60_000_000, size=9 << 30)]  # noqa: RUF012

    limits = learn(Large()).policy.limits
    assert limits.objects == 60_000_000
    assert limits.memory == (9 << 30) + 128 * 60_000_000


def test_several_pickles_in_a_file(unpickling, inspect):
    data = pickle.dumps(Outer(), 2) + pickle.dumps(Outer.Inner.Deep(), 3) + pickle.dumps(VALUES)
    policy = inspect(data).policy()
    names = ("Outer", "Outer.Inner", "Outer.Inner.Deep")
    assert policy == PLAIN.allow(*(f"{__name__}.{name}" for name in names))


def test_a_call_of_getattr_with_other_arguments(inspect):
    getattr_ = b"c__builtin__\ngetattr\n"
    for arguments in (
        b")",
        b"K\x01K\x02\x86",
        b"cos\npath\nK\x02\x86",
        b"]U\x01x\x86",
        b"K\x01\x85",
    ):
        learned = learn(inspect(b"\x80\x02" + getattr_ + arguments + b"R."))
        assert "builtins.getattr" in learned.left_out
    learned = learn(inspect(b"\x80\x02" + getattr_ + b"."))  # it is named, not called
    assert "builtins.getattr" in learned.left_out
