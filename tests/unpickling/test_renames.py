"""`renames`: names in a pickle that stand for others."""

from __future__ import annotations

import collections
import copyreg
import io
import pickle
import types

import pytest

import quickpickle
from quickpickle import Policy, PolicyError
from quickpickle.format import opcodes as op
from quickpickle.rules.renames import Renames

HERE = __name__


class Thing:
    class Inner:
        pass


class Other:
    class Inner:
        pass


def named(module, name):
    """By each of the opcodes for names: the class itself."""
    texts = [op.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in (module, name)]
    lines = f"{module}\n{name}\n".encode()
    return {
        "GLOBAL": b"\x80\4" + op.GLOBAL + lines + b".",
        "STACK_GLOBAL": b"\x80\4" + b"".join(texts) + op.STACK_GLOBAL + b".",
    }


MAP = {
    "old": HERE,
    "gone.package": "collections",
    f"{HERE}.Thing": f"{HERE}.Other",
    "old.Class": f"{HERE}.Thing",
    "nested.Class": f"{HERE}:Thing.Inner",
}
CASES = {
    ("old", "Other"): Other,
    ("old", "Class"): Thing,  # the longer name counts
    (HERE, "Thing"): Other,
    (HERE, "Thing.Inner"): Other.Inner,
    (HERE, "Other.Inner"): Other.Inner,
    ("nested", "Class"): Thing.Inner,
    ("gone.package", "OrderedDict"): collections.OrderedDict,
    ("gone.package.abc", "Set"): collections.abc.Set,
    ("json", "JSONDecoder"): __import__("json").JSONDecoder,
}


def ways(unpickling, data, **options):
    yield lambda: unpickling.loads(data, **options)
    yield lambda: unpickling.load(io.BytesIO(data), **options)
    yield lambda: unpickling.Unpickler(io.BytesIO(data), **options).load()


@pytest.mark.parametrize("case", CASES, ids=".".join)
def test_names(unpickling, case):
    for data in named(*case).values():
        for load in ways(unpickling, data, renames=MAP):
            assert load() is CASES[case]


@pytest.mark.parametrize("protocol_number", range(6))
def test_a_class_in_a_class_in_each_protocol(unpickling, protocol_number):
    """Protocols before 4 have no names with dots, but the new ones do."""
    header = op.PROTO + bytes([protocol_number]) if protocol_number >= 2 else b""
    data = header + op.GLOBAL + b"nested\nClass\n."
    for load in ways(unpickling, data, renames=MAP):
        assert load() is Thing.Inner
    policy = Policy().allow(f"{HERE}.Thing.Inner")
    for load in ways(unpickling, data, renames=MAP, policy=policy):
        assert load() is Thing.Inner
    for load in ways(unpickling, data, renames=MAP, policy=Policy()):
        with pytest.raises(PolicyError):
            load()
    assert unpickling.loads(data, renames=MAP, missing="placeholder") is Thing.Inner

    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            return super().find_class(module, name)

    assert Own(io.BytesIO(data), renames=MAP).load() is Thing.Inner
    with pytest.raises(AttributeError, match=r"Thing\.Gone"):
        unpickling.loads(data, renames={"nested.Class": f"{HERE}:Thing.Gone"})
    # A name of the pickle's own with a dot is none there, with renames or without.
    if protocol_number < 4:
        data = header + op.GLOBAL + f"{HERE}\nOther.Inner\n.".encode()
        for load in ways(unpickling, data, renames={"old": "new"}):
            with pytest.raises(AttributeError):
                load()


def test_instances(unpickling, protocol):
    data = pickle.dumps([Thing(), Other()], protocol)
    for load in ways(unpickling, data, renames={f"{HERE}.Thing": f"{HERE}.Other"}):
        assert [type(obj) for obj in load()] == [Other, Other]
    old = b"(i" + f"old\nThing\n".encode() + b"."  # noqa: F541
    assert type(unpickling.loads(old, renames={"old": HERE})) is Thing


def test_it_is_as_if_the_pickle_had_the_new_names(unpickling):
    """So the names of Python 2 are those of the new ones, and not of the old."""
    for options in ({}, {"fix_imports": False}):
        for new in ("copy_reg", "copyreg"):
            data = op.GLOBAL + f"{new}\n_reconstructor\n.".encode()
            renamed = op.GLOBAL + b"old\n_reconstructor\n."
            try:
                expected = pickle.loads(data, **options)
            except ImportError as error:
                with pytest.raises(type(error)):
                    unpickling.loads(renamed, renames={"old": new}, **options)
            else:
                assert unpickling.loads(renamed, renames={"old": new}, **options) is expected
    data = op.GLOBAL + b"copy_reg\nThing\n."
    assert unpickling.loads(data, renames={"copy_reg": HERE}) is Thing


def test_a_find_class_gets_the_new_names(unpickling):
    asked = []

    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            asked.append((module, name))
            return super().find_class(module, name)

    for data in named("old", "Thing").values():
        assert Own(io.BytesIO(data), renames={"old": HERE}).load() is Thing
    assert asked == [(HERE, "Thing")] * 2
    # A name that the user looks up is not renamed.
    assert Own(io.BytesIO(b""), renames={HERE: "old"}).find_class(HERE, "Thing") is Thing


def test_a_policy_sees_the_new_names(unpickling):
    policy = Policy().allow(f"{HERE}.Thing")
    for data in named("old", "Thing").values():
        for load in ways(unpickling, data, renames={"old": HERE}, policy=policy):
            assert load() is Thing
        with pytest.raises(PolicyError, match=r"old\.Thing"):
            unpickling.loads(data, policy=policy)
    for data in named(HERE, "Thing").values():
        for load in ways(unpickling, data, renames={HERE: "os"}, policy=policy):
            with pytest.raises(PolicyError, match=r"os\.Thing"):
                load()
    # More than once, and one after the other under the same policy.
    part = op.GLOBAL + b"old\nThing\n)\x81"
    data = b"\x80\2(" + part * 3 + b"l."
    for renames in ({"old": HERE}, {"old": HERE, "x": "y"}):
        made = unpickling.loads(data, renames=renames, policy=policy)
        assert [type(obj) for obj in made] == [Thing] * 3
    with pytest.raises(PolicyError):
        unpickling.loads(data, policy=policy)


def test_extension_codes_are_names_of_this_process(unpickling):
    copyreg.add_extension(HERE, "Thing", 0xF3)
    try:
        assert unpickling.loads(b"\x80\2\x82\xf3.", renames={HERE: "os"}) is Thing
    finally:
        copyreg.remove_extension(HERE, "Thing", 0xF3)


def test_the_next_load_has_none(unpickling):
    for data in named("old", "Thing").values():
        assert unpickling.loads(data, renames={"old": HERE}) is Thing
        assert unpickling.load(io.BytesIO(data), renames={"old": HERE}) is Thing
        for load in ways(unpickling, data):
            with pytest.raises(ModuleNotFoundError):
                load()
        for load in ways(unpickling, data, renames={"old": "not_there"}):
            with pytest.raises(ModuleNotFoundError):
                load()
        for load in ways(unpickling, data, renames={}):
            with pytest.raises(ModuleNotFoundError):
                load()


def test_an_unpickler_keeps_them(unpickling):
    data = named("old", "Thing")["GLOBAL"]
    names = {"old": HERE}
    unpickler = unpickling.Unpickler(io.BytesIO(data * 2), renames=names)
    assert unpickler.load() is Thing
    names.clear()
    assert unpickler.load() is Thing


@pytest.mark.parametrize(
    "renames", [["old"], "old", {"old": 1}, {1: "new"}, {b"old": "new"}, 7], ids=repr
)
def test_what_is_no_dict_of_names(unpickling, renames):
    for load in ways(unpickling, b"N.", renames=renames):
        with pytest.raises(TypeError, match="renames must "):
            load()


@pytest.mark.parametrize("renames", [{"": "a"}, {"a": ""}, {"a.": "b"}, {"a": "b..c"}], ids=repr)
def test_names_that_are_none(unpickling, renames):
    for load in ways(unpickling, b"N.", renames=renames):
        with pytest.raises(ValueError, match="which is no dotted name"):
            load()


def test_a_mapping(unpickling):
    renames = types.MappingProxyType({"old": HERE})
    assert unpickling.loads(named("old", "Thing")["GLOBAL"], renames=renames) is Thing


def test_a_note_has_both_names(unpickling):
    data = b"\x80\4](" + named("old", "Gone")["GLOBAL"][2:-1] + b"e."
    with pytest.raises(AttributeError) as caught:
        unpickling.loads(data, renames={"old": HERE})
    line, hint = caught.value.__notes__[0].split("\n")
    assert line == f"unpickling failed at obj[0] (byte 4, looking up old.Gone as {HERE}.Gone)"
    assert hint.startswith(f"{HERE} is there, but has no Gone")


def test_paths(tmp_path):
    for name in ("plain", "packed.gz"):
        quickpickle.dump([Thing(), b"x" * 100_000], tmp_path / name)
        for options in ({}, {"mmap": True}) if name == "plain" else ({},):
            renames = {f"{HERE}.Thing": f"{HERE}.Other"}
            assert type(quickpickle.load(tmp_path / name, renames=renames, **options)[0]) is Other


def test_installed():
    data = named("old", "Thing")["GLOBAL"]
    with quickpickle.install(renames={"old": HERE}):
        assert pickle.loads(data) is Thing
        assert pickle.load(io.BytesIO(data)) is Thing
        assert pickle.Unpickler(io.BytesIO(data)).load() is Thing
        with pytest.raises(RuntimeError, match="other renames"):
            quickpickle.install(renames={"old": "new"})
        with pytest.raises(RuntimeError, match="another policy"):
            quickpickle.install(policy=Policy())
        quickpickle.install()
    with (
        quickpickle.install(renames={"old": HERE}, policy=Policy()),
        pytest.raises(PolicyError),
    ):
        pickle.loads(data)
    with pytest.raises(TypeError):
        quickpickle.install(renames=7)


def test_a_name_without_an_end():
    assert Renames({"a": "b"})("c" * 10, "d." * 100) == ("c" * 10, "d." * 100)
