"""Policy.check: the verdict of a load, without one."""

from __future__ import annotations

import copyreg
import gzip
import io
import os
import pickle
import sys

import pytest

import quickpickle
from cases import for_each
from conftest import UNPICKLERS, part
from quickpickle import Policy, PolicyError
from quickpickle.format import opcodes as op

from . import listed
from .attacks import ATTACKS, call, glob, number, proto, stack_global, text, tree
from .test_honest import VALUES, damaged
from .test_policy import ALL, HERE, HONEST, here, new, state

PLAIN = Policy.plain()
DAMAGED = int(os.environ.get("QUICKPICKLE_DAMAGED", "3000"))


@pytest.fixture(autouse=True)
def extension():
    copyreg.add_extension("os", "system", 0xF0)
    yield
    copyreg.remove_extension("os", "system", 0xF0)


def verdict(function):
    """The outcome of a load or a check, in a form in which the two can be compared."""
    try:
        found = function()
    except PolicyError as error:
        return "refused", str(error), error.rule, error.name, error.offset
    except Exception as error:
        return "damaged", type(error), str(error)
    if isinstance(found, list) and found and isinstance(found[0], PolicyError):
        error = found[0]
        return "refused", str(error), error.rule, error.name, error.offset
    return ("loaded",)


def agree(data, policy=PLAIN, **options):
    """The verdict of both loaders and of the check."""
    found = {
        verdict(lambda module=module: [module.loads(data, policy=policy, **options)])
        for module in UNPICKLERS.values()
    }
    found.add(verdict(lambda: policy.check(data, **options)))
    assert len(found) == 1, (data, found)
    return found.pop()


# --- the same verdict


@pytest.mark.costly
@pytest.mark.parametrize("policy", [PLAIN, Policy(), ALL, PLAIN.limit(memory=1000, objects=20)])
def test_attacks(policy):
    for data in part(list(ATTACKS.values())):
        agree(data, policy)


@pytest.mark.costly
@for_each("name", ATTACKS)
def test_an_attack_is_refused_once(name):
    """A consequence of a refusal is not counted as another refusal."""
    found = PLAIN.check(ATTACKS[name])
    assert len(found) == 1, [str(error) for error in found]


def test_honest_pickles(protocol):
    for value in VALUES:
        assert agree(pickle.dumps([value, value], protocol)) == ("loaded",)
    for value in HONEST:
        assert agree(pickle.dumps([value, value], protocol), ALL) == ("loaded",)
        assert agree(pickle.dumps([value, value], protocol), PLAIN)[0] == "refused"


@pytest.mark.costly
def test_damaged_pickles():
    """`QUICKPICKLE_DAMAGED` says how many: 200,000 take some minutes."""
    policy = PLAIN.limit(memory=20_000_000, objects=100_000)
    counts = {"refused": 0, "damaged": 0, "loaded": 0}
    for data in damaged(DAMAGED, 22):
        counts[agree(data, policy)[0]] += 1
    assert all(count > DAMAGED // 100 for count in counts.values()), counts


def test_damaged_pickles_of_classes_that_are_listed():
    """Their own errors are not seen; all others are."""
    policy = ALL.limit(memory=20_000_000, objects=100_000)
    sources = [pickle.dumps([value, value], protocol) for value in HONEST for protocol in range(6)]
    counts = {"refused": 0, "damaged": 0, "loaded": 0}
    for data in damaged(2000, 23, sources * 3):
        loaded = verdict(lambda data=data: [quickpickle.loads(data, policy=policy)])
        checked = verdict(lambda data=data: policy.check(data))
        counts[loaded[0]] += 1
        if loaded[0] == "refused" or checked[0] != "loaded":
            assert checked == loaded, data
    assert all(count > 20 for count in counts.values()), counts


@pytest.mark.parametrize(
    "parts",
    [
        call(here("Plain"), number(1)),
        new("Plain") + number(1) + op.BUILD,
        new("Plain") + b"N" + state(__class__=here("Other")) + b"\x86" + op.BUILD,
        new("Slots") + b"N" + state(b=number(1)) + b"\x86" + op.BUILD,
        new("Slots") + b"N" + state(c=number(1)) + b"\x86" + op.BUILD,
        new("Slots") + state(a=number(1)) + op.BUILD,
        new("Sneaky") + b"N" + state(append=number(1)) + b"\x86b" + number(1) + op.APPEND,
        new("Plain") + number(1) + op.APPEND,
        new("Plain") + number(1) + number(1) + op.SETITEM,
        new("List") + number(1) + number(1) + op.SETITEM,
        new("List") + number(1) + op.APPEND + number(0) + number(1) + op.SETITEM,
        new("List") + call(glob("builtins.slice"), b"N", b"N", b"N") + b"]" + op.SETITEM,
        op.EMPTY_SET + op.MARK + new("List") + op.ADDITEMS,
        op.EMPTY_SET + op.MARK + new("Data") + op.ADDITEMS,
        new("Set") + op.MARK + op.EMPTY_LIST + op.ADDITEMS,
        new("Set") + op.MARK + tree(60) + op.ADDITEMS,
        new("Dict") + tree(60) + b"N" + op.SETITEM,
        op.EMPTY_DICT + call(here("Point"), tree(60), b"N") + b"N" + op.SETITEM,
        op.EMPTY_DICT + new("Frozen") + state(left=tree(60)) + b"bN" + op.SETITEM,
        op.EMPTY_DICT + new("FrozenSlots") + b"]" + tree(60) + b"abN" + op.SETITEM,
        call(here("Bytes"), number(10**12)),
        call(here("Int"), text("9" * 4000)),
        call(here("Flags"), number(4)),
        call(here("Flags"), number(3)),
        call(here("Color"), number(1)) + state(a=number(1)) + op.BUILD,
        here("Color") + number(1) + b"\x85" + op.NEWOBJ,
        call(glob("builtins.getattr"), here("Color"), text("RED")),
        call(glob("builtins.getattr"), here("Color"), text("RED")) + state() + op.BUILD,
        call(glob("builtins.getattr"), here("Color"), text("mro")),
        call(glob("copyreg._reconstructor"), here("Plain"), glob("builtins.object"), b"N"),
        call(glob("copyreg._reconstructor"), here("Color"), glob("builtins.object"), b"N"),
        call(glob("copyreg._reconstructor"), here("Plain"), glob("builtins.set"), op.EMPTY_SET),
        call(glob("copyreg._reconstructor"), here("List"), glob("builtins.list"), b"]"),
        call(glob("copyreg.__newobj__"), here("Plain")),
        here("Plain") + state(a=number(1)) + op.BUILD,
        here("Plain.Inner") + op.EMPTY_TUPLE + op.REDUCE,
        op.EMPTY_DICT + here("Plain") + b"N" + op.SETITEM,
        call(glob("collections.defaultdict"), here("Plain")),
        call(glob("collections.defaultdict"), new("Plain")),
        op.MARK + here("Plain") + op.OBJ,
        op.MARK + op.INST + f"{HERE}\nPlain\n".encode() + state(a=b"N") + op.BUILD,
        here("called") + op.EMPTY_TUPLE + op.NEWOBJ,
        here("new_list") + op.EMPTY_TUPLE + op.NEWOBJ,
        here("Plain") + op.EMPTY_TUPLE + state() + op.NEWOBJ_EX,
        here("DEFAULT") + state(a=number(1)) + op.BUILD,
        op.EMPTY_DICT + here("DEFAULT") + b"N" + op.SETITEM,
        here("REGISTRY"),
        call(glob("datetime.time"), op.SHORT_BINBYTES + b"\6\1\2\3\0\0\0", call(here("Zone"))),
        op.MARK + tree(60) + b"N" + op.DICT,
        tree(60) + b"N" + op.DICT,
        tree(60) + op.FROZENSET,
    ],
)
def test_classes_that_are_listed(parts):
    agree(proto(4, parts), ALL.allow(f"{HERE}.DEFAULT"))


def test_options():
    name = b"c__builtin__\nset\n."
    assert agree(name) == ("loaded",)
    assert agree(name, fix_imports=False)[0] == "refused"
    assert agree(b"U\1\xff.") == agree(b"U\1\xff.", encoding="ASCII")
    assert agree(b"U\1\xff.")[0] == "damaged"
    assert agree(b"U\1\xff.", encoding="latin1") == ("loaded",)
    assert agree(b"U\1\xff.", errors="replace") == ("loaded",)
    assert agree(b"\x97.")[0] == "damaged"
    assert agree(b"\x97.", buffers=[b"x"]) == ("loaded",)
    assert agree(b"\x97K\1a.", buffers=[bytearray()])[0] == "refused"
    assert agree(b"Px\n.")[0] == "damaged"
    with pytest.raises(TypeError):
        PLAIN.check(b"N.", encoding=5)
    with pytest.raises(TypeError):
        PLAIN.check(5)


# --- all violations


def test_all_violations():
    class_ = here("Plain")
    data = proto(
        4,
        op.EMPTY_LIST + op.MARK,
        call(glob("textwrap.dedent"), text("x")),
        class_ + b"q\1" + op.EMPTY_TUPLE + op.NEWOBJ + state(a=number(1)) + op.BUILD,
        b"h\1)\x81",
        call(glob("builtins.bytes"), number(10**12)),
        op.EMPTY_LIST + state() + op.BUILD,
        glob("uuid.UUID") + op.EMPTY_TUPLE + op.NEWOBJ + op.NONE + op.BUILD,
        call(op.NONE),
        glob("builtins.set") + number(1) + op.APPEND,
        op.APPENDS,
    )
    found = PLAIN.check(data)
    assert [(error.rule, error.name) for error in found] == [
        ("names", "textwrap.dedent"),
        ("names", f"{HERE}.Plain"),
        ("arguments", "builtins.bytes"),
        ("states", "builtins.list"),
        ("states", "uuid.UUID"),
        ("calls", None),
        ("objects changed", "builtins.type"),
    ]
    offsets = [error.offset for error in found]
    assert offsets == sorted(set(offsets))
    for error in found:
        assert error.__traceback__ is None
        assert error.__context__ is None
    policy = PLAIN
    for error in found[:2]:
        policy = eval(error.advice, {"policy": policy})
    assert [error.offset for error in policy.check(data)] == offsets[2:]


def test_what_follows_from_a_refusal_is_none():
    unknown = call(glob("a.b"))
    for parts in (
        call(unknown),
        unknown + b")\x81",
        unknown + b")}\x92",
        op.MARK + unknown + op.OBJ,
        unknown + state(a=number(1)) + op.BUILD,
        unknown + number(1) + op.APPEND + number(1) + number(2) + op.SETITEM,
        unknown + op.MARK + number(1) + op.ADDITEMS,
        call(glob("fractions.Fraction"), unknown, number(1)),
        call(glob("collections.OrderedDict"), b"](" + unknown + number(1) + b"\x86e"),
        call(glob("collections.OrderedDict"), b"](" + unknown + b"e"),
        call(glob("builtins.set"), unknown),
        call(glob("collections.Counter"), op.EMPTY_DICT + unknown + b"Ns"),
        glob("builtins.set") + unknown + op.REDUCE,
        glob("uuid.UUID") + b")\x81" + state(int=unknown) + op.BUILD + b"q\1h\1Nb",
        op.EMPTY_DICT + unknown + unknown + op.SETITEM,
        call(glob("copyreg._reconstructor"), unknown, glob("builtins.object"), b"N"),
        call(glob("builtins.getattr"), unknown, text("x")),
        unknown + b"q\1h\1\x86h\1\x85R",
    ):
        names = [(error.rule, error.name) for error in PLAIN.check(proto(4, parts))]
        assert set(names) <= {("names", "a.b"), ("calls", None)}, parts
        assert names[0] == ("names", "a.b")
        assert names.count(("calls", None)) == (b"\x86h\1\x85R" in parts)


def test_nothing_is_known_of_what_a_function_would_return():
    parts = call(here("single")) + b"q\1" + number(1) + op.APPEND + state() + op.BUILD
    parts += call(glob("fractions.Fraction"), b"h\1", number(1)) + call(b"h\1")
    assert ALL.check(proto(4, parts)) == []


def test_a_limit_ends_it():
    data = proto(4, glob("a.b") + op.POP, op.EMPTY_DICT + tree(60) + b"Ns", glob("c.d"))
    assert [error.rule for error in PLAIN.check(data)] == ["names", "hashing"]
    data = proto(4, glob("a.b") + op.POP, op.NONE * 1000, glob("c.d"))
    assert [error.rule for error in PLAIN.limit(objects=100).check(data)] == ["names", "objects"]


def test_violations_cost_memory_too():
    data = proto(4, glob("a.b") * 100_000)
    found = PLAIN.limit(memory=20_000_000).check(data)
    assert 1000 < len(found) < 50_000


def test_damage_behind_a_violation():
    found = PLAIN.check(glob("a.b") + b"\xff.")
    assert [error.name for error in found] == ["a.b"]
    assert "was not checked: UnpicklingError: invalid load key" in found[0].__notes__[0]
    with pytest.raises(pickle.UnpicklingError, match="invalid load key"):
        PLAIN.check(op.NONE + b"\xff.")
    with pytest.raises(EOFError):
        PLAIN.check(b"")


# --- nothing runs


class Meta(type):
    def __call__(cls, *args, **kwargs):
        listed.CALLS.append("Meta.__call__")
        return super().__call__(*args, **kwargs)


def _noting(name, calls=listed.CALLS):
    def method(self, *args, **kwargs):
        calls.append(name)
        return getattr(object, name)(self, *args) if hasattr(object, name) else None

    return method


METHODS = (
    *("__init__", "__setattr__", "__getattribute__", "__hash__", "__eq__", "__del__"),
    *("__setstate__", "__setitem__", "append", "extend", "add", "__call__", "__len__", "__iter__"),
    *("__getattr__", "__bool__", "__repr__", "__index__"),
)


class Noting(metaclass=Meta):
    def __new__(cls, *args, **kwargs):
        listed.CALLS.append("__new__")
        return super().__new__(cls)

    for _name in METHODS:
        locals()[_name] = _noting(_name)


def noting_instance():
    listed.CALLS.append("noting_instance")
    return Noting()


def test_no_code_of_the_user_runs():
    module = __name__
    policy = PLAIN.allow(f"{module}.*", f"{module}.noting_instance", f"{module}.HELD")
    cls = stack_global(f"{module}:Noting")
    function = stack_global(f"{module}:noting_instance")
    held = stack_global(f"{module}:HELD")
    for made in (
        call(cls, number(1)),
        cls + b")\x81",
        cls + b")}\x92",
        op.MARK + cls + op.OBJ,
        op.MARK + op.INST + f"{module}\nNoting\n".encode(),
        call(glob("copyreg._reconstructor"), cls, glob("builtins.object"), b"N"),
        call(glob("copyreg.__newobj__"), cls),
        call(function),
        held,
    ):
        for change in (
            state(a=number(1)) + op.BUILD,
            op.NONE + state(a=number(1)) + b"\x86" + op.BUILD,
            number(1) + op.APPEND,
            op.MARK + number(1) + op.APPENDS,
            op.MARK + number(1) + op.ADDITEMS,
            number(1) + number(2) + op.SETITEM,
            b"q\1}h\1Ns",
            b"q\1}h\1Nh\1Ns",
            b"q\1\x8f(h\1h\1\x90",
            b"q\1(h\1\x91",
            b"q\1" + call(glob("builtins.set"), b"]h\1a"),
            b"q\1" + call(glob("collections.defaultdict"), b"h\1"),
            b"q\1" + call(glob("collections.deque")) + b"h\1a",
            b"q\1" + call(b"h\1"),
        ):
            data = proto(4, made, change)
            listed.CALLS.clear()
            policy.check(data)
            # A name of an instance: that is asked for its own name, as in a load.
            asked = {"__getattribute__", "__getattr__"} if made is held else set()
            assert set(listed.CALLS) <= asked, data
    with pytest.raises(PolicyError):
        quickpickle.loads(proto(4, call(cls)), policy=policy.forbid(f"{module}.Noting"))
    quickpickle.loads(proto(4, call(cls)), policy=policy)
    assert "__new__" in listed.CALLS  # it would be seen


HELD = object.__new__(Noting)


def test_nothing_is_imported_that_is_not_listed():
    sys.modules.pop("antigravity", None)
    assert PLAIN.check(proto(4, stack_global("antigravity:fly")))
    assert "antigravity" not in sys.modules


# --- where from


def test_files(tmp_path):
    good, bad = pickle.dumps({1: [2]}), pickle.dumps([os.getcwd])
    path = tmp_path / "model.pkl"
    for data in (good, bad):
        path.write_bytes(data)
        expected = [(error.name, error.offset) for error in PLAIN.check(data)]
        file = io.BytesIO(b"N." + data + b"rest")
        assert PLAIN.check(file) == []
        for source in (path, str(path), file, bytearray(data), memoryview(data)):
            found = PLAIN.check(source)
            assert [(error.name, error.offset) for error in found] == expected
        assert file.read() == b"rest"
        with gzip.open(tmp_path / "model.pkl.gz", "wb") as compressed:
            compressed.write(data)
        found = PLAIN.check(tmp_path / "model.pkl.gz")
        assert [(error.name, error.offset) for error in found] == expected
    compressed = gzip.compress(good)
    path.write_bytes(compressed[:-8] + b"\0" * 8)
    with pytest.raises(OSError, match="CRC") as caught:
        PLAIN.check(path)
    assert "while checking" in caught.value.__notes__[-1]
    with pytest.raises(OSError, match="No such file"):
        PLAIN.check(tmp_path / "missing.pkl")
