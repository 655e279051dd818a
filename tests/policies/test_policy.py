"""class Policy, and what loads do under one that lists the user's own classes."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys

import pytest

import quickpickle
from quickpickle import Policy, PolicyError
from quickpickle.format import opcodes as op
from quickpickle.rules.policy_names import ANY, PLAIN
from quickpickle.rules.presets import find_rule

from . import listed
from .attacks import call, glob, number, proto, stack_global, text, tree

HERE = listed.__name__
ALL = Policy.plain().allow(f"{HERE}.*", f"{HERE}.new_list", f"{HERE}.registry", f"{HERE}.single")


def here(name):
    return stack_global(f"{HERE}:{name}")


def new(name):
    return here(name) + op.EMPTY_TUPLE + op.NEWOBJ


def state(**items):
    made = op.EMPTY_DICT
    for key, value in items.items():
        made += text(key) + value + op.SETITEM
    return made


def refused(unpickling, rule, *parts, policy=ALL, version=4, **options):
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(proto(version, *parts), policy=policy, **options)
    assert caught.value.rule == rule, caught.value
    return caught.value


# --- the class


def test_it_is_a_value():
    policy = Policy.plain().allow(listed.Plain, "a.b.C", "p.*").forbid("p.q.R").limit(depth=7)
    assert policy == eval(repr(policy), {"Policy": Policy})
    assert hash(policy) == hash(eval(repr(policy), {"Policy": Policy}))
    assert policy != Policy.plain()
    assert policy != 1
    for protocol in range(6):
        assert pickle.loads(pickle.dumps(policy, protocol)) == policy
    with pytest.raises(AttributeError):
        policy.names = ()
    with pytest.raises(AttributeError):
        del policy._content
    with pytest.raises(TypeError):
        type("Own", (Policy,), {})
    assert Policy.plain() | Policy().allow("a.b") == Policy.plain().allow("a.b")
    assert (Policy().limit(depth=1, objects=9) | Policy().limit(depth=5, objects=8)).limits[1:] == (
        *(9, 5),
    )
    with pytest.raises(TypeError):
        Policy() | 1
    assert Policy().limit(memory=5).limits.memory == 5
    for wrong in (-1, 1.5, True):
        with pytest.raises(ValueError, match="depth must be"):
            Policy().limit(depth=wrong)


@pytest.mark.parametrize(
    "name",
    [
        *("builtins.eval", "os.system", "os.*", "subprocess.Popen", "builtins.getattr"),
        *("operator.attrgetter", "functools.partial", "functools.*", "pickle.loads", "importlib.*"),
        *(
            "types.FunctionType",
            "ctypes.*",
            "builtins.*.x".replace(".*", ".type"),
            "_operator.call",
        ),
        *("itertools.starmap", "a.b.__class__", "a.b.__init__.__globals__", "codecs.decode"),
    ],
)
def test_allow_refuses_what_runs_code(name):
    with pytest.raises(ValueError, match="dangerous=True"):
        Policy().allow(name)
    policy = Policy().allow(name, dangerous=True)
    assert name in repr(policy)
    assert eval(repr(policy), {"Policy": Policy}) == policy


@pytest.mark.parametrize(
    "name", ["", "name", "a..b", ".a.b", "a.b.", "*", ".*", "a.*.b", "a b.c", 5]
)
def test_allow_refuses_what_is_no_name(name):
    with pytest.raises((ValueError, TypeError)):
        Policy().allow(name)


def test_allow_of_what_no_pickle_can_name():
    class Local:
        pass

    with pytest.raises(ValueError, match="not found as"):
        Policy().allow(Local)
    with pytest.raises(ValueError, match="not found as"):
        Policy().allow(lambda: None)
    with pytest.raises(TypeError):
        Policy().allow(listed)


def test_a_policy_is_needed(unpickling):
    for wrong in (True, "plain", Policy):
        with pytest.raises(TypeError, match="policy must be a Policy"):
            unpickling.loads(b"N.", policy=wrong)
        with pytest.raises(TypeError, match="policy must be a Policy"):
            unpickling.load(io.BytesIO(b"N."), policy=wrong)
        with pytest.raises(TypeError, match="policy must be a Policy"):
            unpickling.Unpickler(io.BytesIO(b"N."), policy=wrong)
    assert unpickling.loads(b"N.", policy=None) is None


def test_the_error(unpickling):
    error = refused(unpickling, "names", glob("os.system"), policy=Policy())
    assert (error.name, error.path, error.offset) == ("os.system", "obj", 2)
    assert "os.system" in str(error)
    assert "policy.allow('os.system', dangerous=True)" in str(error)
    for protocol in range(6):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert (str(copy), copy.rule, copy.offset) == (str(error), "names", 2)
    assert isinstance(error, pickle.UnpicklingError)


def test_the_advice_is_true(unpickling):
    data = pickle.dumps(listed.Data(1, "x"), 4)
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(data, policy=Policy())
    advice = caught.value.advice
    policy = eval(advice, {"policy": Policy()})
    assert unpickling.loads(data, policy=policy) == listed.Data(1, "x")


# --- names


def test_patterns_stand_for_classes_that_are_defined_there(unpickling):
    policy = Policy().allow(f"{HERE}.*")
    assert unpickling.loads(proto(4, here("Plain")), policy=policy) is listed.Plain
    assert unpickling.loads(proto(4, here("Plain.Inner")), policy=policy) is listed.Plain.Inner
    for name in (
        *("called", "os", "os.system", "OrderedDict", "dataclass", "Any", "REGISTRY", "DEFAULT"),
        *("Plain.__init__", "Plain.__class__", "tzinfo", "Color.RED", "enum.Enum", "CALLS.append"),
    ):
        refused(unpickling, "names", here(name), policy=policy)
    other = HERE.rpartition(".")[0] + ".attacks"
    refused(unpickling, "names", stack_global(f"{other}:proto"), policy=policy)
    refused(unpickling, "names", stack_global(f"{HERE}x:Plain"), policy=policy)


def test_nothing_is_imported_before_that_is_decided(unpickling):
    sys.modules.pop("antigravity", None)
    for policy in (Policy(), Policy.plain(), ALL, ALL.forbid("antigravity.*")):
        refused(unpickling, "names", stack_global("antigravity:fly"), policy=policy)
        refused(unpickling, "names", stack_global(f"{HERE}x.antigravity:fly"), policy=policy)
    assert "antigravity" not in sys.modules


def test_forbid(unpickling):
    policy = ALL.forbid(listed.Plain)
    assert unpickling.loads(proto(4, here("Other")), policy=policy) is listed.Other
    refused(unpickling, "names", here("Plain"), policy=policy)
    refused(unpickling, "names", here("Other"), policy=policy.forbid(f"{HERE}.*"))
    assert unpickling.loads(proto(4, here("Plain")), policy=policy.allow(listed.Plain))
    refused(unpickling, "names", glob("uuid.UUID"), policy=Policy.plain().forbid("uuid.UUID"))
    refused(unpickling, "names", here("Plain"), policy=policy | ALL)


def test_an_attribute_that_leads_elsewhere(unpickling):
    policy = Policy().allow(f"{HERE}.OrderedDict", f"{HERE}.REGISTRY", f"{HERE}.DEFAULT")
    error = refused(unpickling, "names", here("OrderedDict"), policy=policy)
    assert "leads to collections.OrderedDict" in str(error)
    # The policy lists that by its own name too, with its own rule.
    assert unpickling.loads(
        proto(4, call(here("OrderedDict"))), policy=policy | Policy.plain()
    ) == {}  # fmt: skip
    refused(unpickling, "names", here("REGISTRY"), policy=policy)
    assert unpickling.loads(proto(4, here("DEFAULT")), policy=policy) is listed.DEFAULT


def test_a_hook_is_asked_for_listed_names_only(unpickling):
    asked = []

    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            asked.append((module, name))
            return listed.Other

    assert type(Own(io.BytesIO(proto(4, new("Plain"))), policy=ALL).load()) is listed.Other
    with pytest.raises(PolicyError):
        Own(io.BytesIO(proto(4, stack_global("os:system"))), policy=ALL).load()
    assert asked == [(HERE, "Plain")]

    class Without(unpickling.Unpickler):
        pass

    with pytest.raises(PolicyError, match="leads to"):
        Without(io.BytesIO(proto(4, here("OrderedDict"))), policy=Policy().allow(
            f"{HERE}.OrderedDict")).load()  # fmt: skip


@pytest.mark.parametrize("code", [0xF1, 0xF1F1, 0xF1F1F1])
def test_the_extension_registry(unpickling, code):
    copyreg.add_extension(HERE, "Plain", code)
    try:
        data = pickle.dumps(listed.Plain, 2)
        assert b"Plain" not in data
        assert unpickling.loads(data, policy=ALL) is listed.Plain
        assert code not in copyreg._extension_cache
        copyreg._extension_cache[code] = eval
        assert unpickling.loads(data, policy=ALL) is listed.Plain
        refused(unpickling, "names", data[2:-1], policy=Policy(), version=2)
    finally:
        copyreg._extension_cache.pop(code, None)
        copyreg.remove_extension(HERE, "Plain", code)


def test_names_of_python_2(unpickling):
    assert unpickling.loads(proto(2, call(glob("__builtin__.set"), b"]")), policy=ALL) == set()
    refused(unpickling, "names", call(glob("__builtin__.set"), b"]"), version=3)
    refused(unpickling, "names", glob("__builtin__.set"), version=2, fix_imports=False)


# --- calls


def test_only_what_was_found_by_name_is_called(unpickling):
    policy = ALL.allow(f"{HERE}.called")
    listed.CALLS.clear()
    assert unpickling.loads(proto(4, call(here("called"), number(1))), policy=policy) == 1
    assert listed.CALLS == [(1,)]
    refused(unpickling, "calls", call(new("Plain")), policy=policy)
    refused(unpickling, "calls", call(op.NONE), policy=policy)
    # An object that comes from a hook is no listed name.

    class Own(unpickling.Unpickler):
        def persistent_load(self, pid):
            return listed.called

    data = proto(4, text("x") + op.BINPERSID)
    assert Own(io.BytesIO(data), policy=policy).load() is listed.called
    with pytest.raises(PolicyError) as caught:
        Own(io.BytesIO(proto(4, call(text("x") + op.BINPERSID))), policy=policy).load()
    assert caught.value.rule == "calls"
    assert listed.CALLS == [(1,)]


def test_methods_are_never_taken_from_what_the_pickle_has_put_there(unpickling):
    policy = ALL.allow(f"{HERE}.called")
    listed.CALLS.clear()
    for name, change in {
        "__setstate__": number(1) + op.BUILD,
        "append": number(1) + op.APPEND,
        "extend": op.MARK + number(1) + op.APPENDS,
        "add": op.MARK + number(1) + op.ADDITEMS,
    }.items():
        inner = state(**{name: here("called")})
        for data in (
            new("Plain") + inner + op.BUILD + change,
            new("Sinks") + state(inner=inner) + op.BUILD + change,
        ):
            with pytest.raises((PolicyError, AttributeError)):
                unpickling.loads(proto(4, data), policy=policy)
    refused(
        unpickling,
        "calls",
        new("Sneaky") + b"N" + state(append=here("called")) + b"\x86b" + number(1) + op.APPEND,
        policy=policy,
    )
    assert listed.CALLS == []


def test_classes_derived_from_types_of_c(unpickling):
    size = number(10**12)
    endless = call(glob("builtins.range"), number(0), size, number(1))
    for cls, args in {
        "Bytes": size, "Int": text("9" * 4000), "List": endless, "Set": endless,
        "Ordered": endless, "Dict": endless,
    }.items():  # fmt: skip
        refused(unpickling, "arguments", call(here(cls), args))
        refused(unpickling, "arguments", op.MARK + here(cls) + args + op.OBJ)
    refused(unpickling, "arguments", here("Bytes") + size + b"\x85" + op.NEWOBJ)
    refused(unpickling, "arguments", here("Bytes") + size + b"\x85}" + op.NEWOBJ_EX)
    refused(
        unpickling,
        "arguments",
        call(glob("copyreg.__newobj__"), here("Bytes"), size),
    )
    refused(
        unpickling,
        "arguments",
        new("List") + call(glob("builtins.slice"), b"N", b"N", b"N") + endless + op.SETITEM,
    )
    refused(unpickling, "arguments", call(here("Plain"), endless))


def test_members_of_enums(unpickling):
    for member in (listed.Color.RED, listed.Color.BLUE, listed.Flags.A, listed.Flags(3)):
        for protocol in range(6):
            data = pickle.dumps([member, member], protocol)
            assert unpickling.loads(data, policy=ALL)[1] is member
    before = dict(listed.Flags._value2member_map_)
    for value in (4, -1, 1 << 100):
        refused(unpickling, "arguments", call(here("Flags"), number(value)))
    refused(unpickling, "arguments", here("Color") + number(1) + b"\x85" + op.NEWOBJ)
    refused(unpickling, "arguments", call(here("Color"), text("Made"), op.EMPTY_LIST))
    refused(
        unpickling,
        "arguments",
        call(glob("copyreg._reconstructor"), here("Color"), glob("builtins.object"), b"N"),
    )
    refused(unpickling, "hashing", call(here("Color"), tree(60)))
    assert dict(listed.Flags._value2member_map_) == before
    member = call(glob("builtins.getattr"), here("Color"), text("RED"))
    assert unpickling.loads(proto(4, member), policy=ALL) is listed.Color.RED
    refused(unpickling, "names", call(glob("builtins.getattr"), here("Color"), text("mro")))


# --- provenance


@pytest.mark.parametrize(
    "made",
    [
        here("Plain"),
        here("Plain.Inner"),
        here("Color"),
        here("DEFAULT"),
        here("single"),
        call(here("single")),
        new("Single"),
        call(here("Single")),
        call(here("Color"), number(1)),
        call(here("registry")),
        call(glob("builtins.getattr"), here("Color"), text("RED")),
        text("x") + op.BINPERSID,
        b"\x97",
    ],
)
def test_what_was_there_before_stays(unpickling, made):
    policy = ALL.allow(f"{HERE}.DEFAULT")
    held = listed.Plain()

    class Own(unpickling.Unpickler):
        def persistent_load(self, pid):
            return held

    def snapshot():
        return [
            dict(vars(obj))
            for obj in (
                *(listed, listed.Plain, listed.Plain.Inner, listed.Color, listed.Color.RED),
                *(listed.DEFAULT, listed.SINGLE, listed.single, held),
            )
        ] + [dict(listed.REGISTRY), bytes(buffer)]

    buffer = bytearray(b"buffer")
    before = snapshot()
    inner = state(attacked=number(1))
    for change in (
        inner + op.BUILD,
        b"}(" + inner[1:-1] + b"ub",
        op.NONE + inner + b"\x86" + op.BUILD,
        op.NONE + op.EMPTY_DICT + op.MARK + inner[1:-1] + b"u\x86b",
        number(0) + number(1) + op.SETITEM,
        op.MARK + number(0) + number(1) + op.SETITEMS,
        number(1) + op.APPEND,
        op.MARK + number(1) + op.APPENDS,
        op.MARK + number(1) + op.ADDITEMS,
    ):
        for between in (b"", b"q\1", op.DUP, b"q\1" + new("Plain") + b"0h\1"):
            data = proto(5, b"]" + new("Plain") + inner + b"ba0" + made + between + change)
            with pytest.raises(PolicyError):
                Own(io.BytesIO(data), policy=policy, buffers=[buffer]).load()
            assert snapshot() == before


def test_what_a_call_has_made_may_be_changed(unpickling):
    data = proto(4, call(here("new_list")) + number(2) + op.APPEND)
    assert unpickling.loads(data, policy=ALL) == [1, 2]
    made = unpickling.loads(
        proto(4, call(here("Plain")) + state(a=number(1)) + op.BUILD), policy=ALL
    )
    assert made.a == 1


def test_attributes_that_instances_share(unpickling):
    for given in (state(a=number(1)), op.NONE + state(a=number(1)) + op.TUPLE2):
        refused(unpickling, "objects changed", new("Borg") + given + op.BUILD)
    assert listed.Borg.shared == {}


def test_the_class_of_an_instance_stays(unpickling):
    for name in ("__class__", "__dict__"):
        refused(
            unpickling,
            "states",
            new("Plain") + b"N" + state(**{name: here("Other")}) + b"\x86" + op.BUILD,
        )


def test_objects_of_another_memo(unpickling):
    held = {"x": 1}
    unpickler = unpickling.Unpickler(io.BytesIO(proto(4, b"h\0" + b"K\1K\1s")), policy=ALL)
    unpickler.memo = {0: held}
    with pytest.raises(PolicyError):
        unpickler.load()
    assert held == {"x": 1}
    unpickler = unpickling.Unpickler(io.BytesIO(proto(4, b"h\0)R")), policy=ALL)
    unpickler.memo = {0: listed.Plain}
    with pytest.raises(PolicyError):
        unpickler.load()


def test_one_unpickler_keeps_what_it_has_found(unpickling):
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 4)
    first = listed.Plain()
    pickler.dump(first)
    pickler.dump([first, listed.Plain()])
    file.seek(0)
    unpickler = unpickling.Unpickler(file, policy=ALL)
    one = unpickler.load()
    two = unpickler.load()
    assert two[0] is one
    assert type(two[1]) is listed.Plain


# --- costs


def test_objects_are_counted(unpickling):
    data = pickle.dumps(list(range(100)), 4)
    count = 1 + 1 + 1 + 100  # the list, its entry in the memo, the mark
    assert unpickling.loads(data, policy=Policy().limit(objects=count))
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(data, policy=Policy().limit(objects=count - 1))
    assert caught.value.rule == "objects"


@pytest.mark.costly
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True], "b": ("x", b"y"), "c": {1, 2}},
        [listed.Data(i, str(i)) for i in range(9)],
        [listed.Frozen(i, (i, i)) for i in range(9)],
        [listed.FrozenSlots(i, (i, i)) for i in range(9)],
        [listed.Point(1, 2)] * 3,
        {(1, (2, 3)): {"x": {}}},
    ],
)
def test_both_count_alike(protocol, value):
    from conftest import UNPICKLERS

    data = pickle.dumps(value, protocol)
    for limit in ("objects", "memory"):
        least = []
        for module in UNPICKLERS.values():
            low, high = 0, 1 << 20
            while low < high:
                middle = (low + high) // 2
                try:
                    module.loads(data, policy=ALL.limit(**{limit: middle}))
                except PolicyError as error:
                    assert error.rule == limit  # noqa: PT017
                    low = middle + 1
                else:
                    high = middle
            least.append(low)
        assert len(set(least)) == 1, (limit, least)


def test_memory(unpickling):
    policy = ALL.limit(memory=1_000_000)
    refused(unpickling, "memory", b"]" * 100_000, policy=policy)
    assert unpickling.loads(pickle.dumps(b"x" * 900_000), policy=policy)
    refused(unpickling, "memory", pickle.dumps(b"x" * 1_100_000), b"N", policy=policy)
    # One list, and many copies of it.
    copies = b"]q\1(" + b"K\1" * 1000 + b"e" + b"0" + (glob("builtins.set") + b"h\1\x85R0") * 50
    refused(unpickling, "memory", copies, policy=policy)
    states = state(**{f"a{i}": b"N" for i in range(1000)}) + b"q\1" + b"0"
    states += (new("Plain") + b"h\1b0") * 50
    refused(unpickling, "memory", states, policy=policy)


@pytest.mark.parametrize("code", [b"\x8e", b"\x8d", b"\x96", b"B", b"X"])
def test_declared_lengths(unpickling, code):
    size = (10**9).to_bytes(4 if code in b"BX" else 8, "little")
    with pytest.raises(PolicyError) as caught:
        unpickling.load(io.BytesIO(code + size), policy=Policy().limit(memory=10**8))
    assert caught.value.rule == "memory"


def test_hashes_of_instances(unpickling):
    bomb = op.NONE
    for _ in range(60):
        bomb += b"q\1" + b"0" + new("Frozen") + state(left=b"h\1", right=b"h\1") + op.BUILD
    refused(unpickling, "hashing", op.EMPTY_DICT + bomb + op.NONE + op.SETITEM)
    bomb = op.NONE
    for _ in range(60):
        bomb += b"q\1" + b"0" + new("FrozenSlots") + b"]h\1ah\1a" + op.BUILD
    refused(unpickling, "hashing", op.EMPTY_SET + op.MARK + bomb + op.ADDITEMS)


@pytest.mark.costly
def test_large_numbers_as_keys(unpickling):
    large = op.LONG4 + (1 << 16).to_bytes(4, "little") + b"\1" * (1 << 16)
    numbers = [op.LONG4 + b"\0\7\0\0" + b"\1" * 0x6FF + end for end in (b"\1", b"\3")]
    fraction = call(glob("fractions.Fraction"), *numbers)
    for made in (large, call(here("Int"), large), large + b"N\x86", fraction):
        keys = op.EMPTY_SET + op.MARK + made + b"q\1" + b"h\1" * 400_000 + op.ADDITEMS
        refused(unpickling, "hashing", keys)


def with_equal_hashes(kind, i):
    multiple = (i + 1) * ((1 << 61) - 1)
    if kind == "ints":
        return number(multiple << 10)
    if kind == "uuids":
        return (
            stack_global("uuid:UUID")
            + op.EMPTY_TUPLE
            + op.NEWOBJ
            + state(int=number(multiple))
            + b"b"
        )
    if kind == "decimals":
        return call(stack_global("decimal:Decimal"), text(str(multiple)))
    return number(multiple) + op.TUPLE1


@pytest.mark.costly
@pytest.mark.parametrize("kind", ["ints", "uuids", "decimals", "tuples"])
@pytest.mark.parametrize("way", ["set", "sets", "dict", "setitem", "DICT", "frozenset", "list"])
def test_keys_with_equal_hashes(unpickling, kind, way):
    """To put n of them into a dict or set takes n**2 / 2 comparisons."""
    keys = [with_equal_hashes(kind, i) for i in range(5000)]
    if way == "set":
        parts = [op.EMPTY_SET, op.MARK, *keys, op.ADDITEMS]
    elif way == "sets":
        parts = [op.EMPTY_SET]
        for i in range(0, len(keys), 100):
            parts += [op.MARK, *keys[i : i + 100], op.ADDITEMS]
    elif way == "dict":
        parts = [op.EMPTY_DICT, op.MARK, *(key + op.NONE for key in keys), op.SETITEMS]
    elif way == "setitem":
        parts = [op.EMPTY_DICT, *(key + op.NONE + op.SETITEM for key in keys)]
    elif way == "DICT":
        parts = [op.MARK, *(key + op.NONE for key in keys), op.DICT]
    elif way == "frozenset":
        parts = [op.MARK, *keys, op.FROZENSET]
    else:
        listed_keys = op.EMPTY_LIST + op.MARK + b"".join(keys) + op.APPENDS
        parts = [call(stack_global("builtins:frozenset"), listed_keys)]
    refused(unpickling, "hashing", *parts)


@pytest.mark.costly
@pytest.mark.parametrize("step", [1, 3, 1 << 40, (1 << 62) + 1, (1 << 80) + 1])
def test_many_keys_with_their_own_hashes(unpickling, step):
    for value in (
        {i * step: i for i in range(20_000)},
        {(i * step, "a"): i for i in range(20_000)},
        {frozenset({i * step}) for i in range(20_000)},
    ):
        assert unpickling.loads(pickle.dumps(value), policy=Policy.plain()) == value


# --- honest pickles


HONEST = [
    listed.Plain(),
    [listed.Plain(), listed.Other()],
    listed.Data(1, "x"),
    [listed.Data(i, "x") for i in range(5)],
    listed.Frozen(1, (2, 3)),
    {listed.Frozen(1, (2, 3)): 1},
    [listed.FrozenSlots(i, (2, 3)) for i in range(5)],
    listed.Bytes(b"xyz"),
    listed.Int(7),
    listed.List([1, 2]),
    listed.Dict(a=1),
    listed.Set({1, 2}),
    listed.Ordered(a=1),
    listed.Point(1, [2]),
    listed.Plain.Inner,
    listed.Color.RED,
]


@pytest.mark.parametrize("value", HONEST)
def test_classes_that_are_listed(unpickling, protocol, value):
    data = pickle.dumps(value, protocol)
    assert pickle.dumps(unpickling.loads(data, policy=ALL), protocol) == data
    assert pickle.dumps(unpickling.load(io.BytesIO(data), policy=ALL), protocol) == data


def test_states(unpickling, protocol):
    made = listed.SetsState()
    made.x = [1]
    assert unpickling.loads(pickle.dumps(made, protocol), policy=ALL).state == {"x": [1]}
    if protocol >= 2:
        slots = listed.Slots()
        slots.a, slots.b = 1, [2]
        for copy in unpickling.loads(pickle.dumps([slots, slots], protocol), policy=ALL):
            assert (copy.a, copy.b) == (1, [2])


def test_a_zone_of_ones_own(unpickling, protocol):
    import datetime as dt

    moment = dt.datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=listed.Zone(), fold=1)
    data = pickle.dumps([moment, moment.timetz()], protocol)
    assert unpickling.loads(data, policy=ALL) == [moment, moment.timetz()]
    with pytest.raises(PolicyError):
        unpickling.loads(data, policy=Policy.plain())


def test_load_from_a_path(tmp_path):
    path = tmp_path / "model.pkl"
    quickpickle.dump([listed.Plain], path)
    assert quickpickle.load(path, policy=ALL) == [listed.Plain]
    with pytest.raises(PolicyError):
        quickpickle.load(path, policy=Policy.plain())


def test_buffers(unpickling):
    buffers = []
    data = pickle.dumps(pickle.PickleBuffer(b"xyz"), 5, buffer_callback=buffers.append)
    assert bytes(unpickling.loads(data, policy=Policy(), buffers=buffers)) == b"xyz"


# --- install()


@pytest.fixture
def uninstalled():
    quickpickle.uninstall()
    yield
    quickpickle.uninstall()


def test_install(uninstalled):
    good, bad = pickle.dumps({1}, 2), pickle.dumps(eval, 2)
    policy = Policy.plain()
    with quickpickle.install(policy=policy):
        for load in (
            *(pickle.loads, lambda data: pickle.load(io.BytesIO(data))),
            *(lambda data: pickle.Unpickler(io.BytesIO(data)).load(), reduction_loads),
        ):
            assert load(good) == {1}
            with pytest.raises(PolicyError):
                load(bad)

        class Own(pickle.Unpickler):
            def find_class(self, module, name):
                return super().find_class(module, name)

        with pytest.raises(PolicyError):
            Own(io.BytesIO(bad)).load()
        assert pickle.loads(bad, policy=None) is eval
        assert quickpickle.loads(bad) is eval
        # Another install() does not lift it.
        with quickpickle.install(), pytest.raises(PolicyError):
            pickle.loads(bad)
        with pytest.raises(PolicyError):
            pickle.loads(bad)
        quickpickle.install(policy=policy)
        for other in (Policy(), Policy.plain().allow("a.b")):
            with pytest.raises(RuntimeError, match="uninstall"):
                quickpickle.install(policy=other)
    assert pickle.loads(bad) is eval
    with pytest.raises(TypeError, match="policy must be a Policy"):
        quickpickle.install(policy="plain")
    with quickpickle.install():
        assert pickle.loads is quickpickle.loads
        with pytest.raises(RuntimeError, match="uninstall"):
            quickpickle.install(policy=policy)


def reduction_loads(data):
    from multiprocessing.reduction import ForkingPickler

    return ForkingPickler.loads(data)


def test_joined_policies_and_their_text():
    both = Policy().allow("a.b", dangerous=True) | Policy().allow("c.d", dangerous=True)
    assert both == Policy().allow("a.b", "c.d", dangerous=True)
    assert repr(both) == "Policy().allow('a.b', 'c.d', dangerous=True)"
    two = Policy.pandas() | Policy.sklearn()
    assert repr(two) == "Policy.pandas() | Policy.sklearn()"
    assert repr(two.allow("a.b")) == "(Policy.pandas() | Policy.sklearn()).allow('a.b')"


def test_the_limits_of_every_policy():
    assert Policy().limits == Policy.plain().limits == (8 << 30, 50_000_000, 1000)


def test_the_rules_of_names_that_are_listed():
    """The checks of arguments stay, but for names that are allowed as dangerous."""
    for full in ("uuid.UUID", "decimal.Decimal"):
        module, _, name = full.rpartition(".")
        assert Policy().allow(full).rule_for(module, name) is PLAIN[full]
        assert Policy().allow(full, dangerous=True).rule_for(module, name) is ANY
    assert Policy().allow("numpy.dtype").rule_for("numpy", "dtype") is find_rule("numpy.dtype")
    assert Policy().allow("a.b").rule_for("a", "b") is ANY


def test_the_path_is_in_the_text(unpickling):
    with pytest.raises(PolicyError) as caught:
        unpickling.loads(pickle.dumps({"key": [print]}), policy=Policy.plain())
    assert caught.value.path is not None
    assert f" ({caught.value.path})" in str(caught.value)
    assert "None" not in str(PolicyError("text", rule="a rule"))
