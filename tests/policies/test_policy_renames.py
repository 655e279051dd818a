"""The renames of a policy: in all loads under it, in check, in its file."""

from __future__ import annotations

import collections
import gc
import io
import pickle

import pytest

import quickpickle
from quickpickle import Policy, PolicyError
from quickpickle.rules.renames import Renames

OLD = b"\x80\x04\x8c\x03old\x8c\x05Thing\x93)\x81."
NEW = f"{__name__}.Thing"
RENAMES = {"old.Thing": NEW}


class Thing:
    pass


class Other:
    pass


POLICY = Policy().allow(NEW).rename(RENAMES)


def loads_of(module, policy, **options):
    """Each way to load under a policy."""
    yield module.loads(OLD, policy=policy, **options)
    yield module.load(io.BytesIO(OLD), policy=policy, **options)
    unpickler = module.Unpickler(io.BytesIO(OLD * 2), policy=policy, **options)
    yield unpickler.load()
    yield unpickler.load()


def test_all_loads(unpickling):
    assert [type(obj) for obj in loads_of(unpickling, POLICY)] == [Thing] * 4
    for _ in range(3):  # what is kept for the next loads() is not mixed up
        assert type(unpickling.loads(OLD, policy=POLICY)) is Thing
        with pytest.raises(ModuleNotFoundError):
            unpickling.loads(OLD)
        with pytest.raises(PolicyError) as caught:
            unpickling.loads(OLD, policy=Policy().allow(NEW))
        assert caught.value.name == "old.Thing"


def test_load_and_others(tmp_path):
    path = tmp_path / "old.pkl"
    path.write_bytes(OLD * 2)
    assert type(quickpickle.load(path, policy=POLICY)) is Thing
    assert [type(obj) for obj in quickpickle.load_all(path, policy=POLICY)] == [Thing] * 2
    found = quickpickle.recover(b"(" + OLD[:-1], policy=POLICY)
    assert [type(obj) for obj in found.value] == [Thing]
    with quickpickle.install(policy=POLICY):
        assert type(pickle.loads(OLD)) is Thing
        assert type(pickle.load(io.BytesIO(OLD))) is Thing
        assert type(pickle.Unpickler(io.BytesIO(OLD)).load()) is Thing


def test_the_rules_are_about_the_new_names(unpickling):
    for policy in (Policy().allow("old.Thing"), Policy(), Policy().allow("old.*")):
        with pytest.raises(PolicyError) as caught:
            unpickling.loads(OLD, policy=policy.rename(RENAMES))
        assert caught.value.name == NEW
    with pytest.raises(PolicyError):
        unpickling.loads(OLD, policy=Policy.plain().rename({"old.Thing": "os.system"}))
    with pytest.raises(PolicyError):
        unpickling.loads(OLD, policy=POLICY.forbid(NEW))


def test_with_the_keyword(unpickling):
    """Both count, and the keyword decides where both have a name."""
    policy = POLICY.allow(Other).rename({"gone": "collections"}).allow("collections.Counter")
    assert type(unpickling.loads(OLD, policy=policy, renames={"x": "y"})) is Thing
    assert type(unpickling.loads(OLD, policy=policy, renames={})) is Thing
    loaded = loads_of(unpickling, policy, renames={"old.Thing": f"{__name__}.Other"})
    assert [type(obj) for obj in loaded] == [Other] * 4
    data = b"\x80\x04\x8c\x04gone\x8c\x07Counter\x93."
    found = unpickling.loads(data, policy=policy, renames={"old.Thing": f"{__name__}.Other"})
    assert found is collections.Counter
    assert type(unpickling.loads(OLD, policy=policy)) is Thing


def test_check_agrees():
    for data in (OLD, io.BytesIO(OLD)):
        assert POLICY.check(data) == []
    plain = Policy().allow(NEW)
    assert [error.name for error in plain.check(OLD)] == ["old.Thing"]
    assert plain.check(OLD, renames=RENAMES) == []
    other = {"old.Thing": f"{__name__}.Other"}
    assert [error.name for error in POLICY.check(OLD, renames=other)] == [f"{__name__}.Other"]
    with pytest.raises(TypeError, match="renames must be a dict"):
        plain.check(OLD, renames=[])


def test_check_of_a_path(tmp_path):
    (tmp_path / "old.pkl").write_bytes(OLD)
    assert POLICY.check(tmp_path / "old.pkl") == []


def test_what_a_policy_is():
    assert POLICY.renames == RENAMES
    POLICY.renames["x"] = "y"  # a copy
    assert POLICY.renames == RENAMES
    assert Policy().renames == {}
    assert Policy().rename({}) == Policy()
    same = Policy().rename(dict(RENAMES)).allow(NEW)
    assert (same, hash(same), repr(same)) == (POLICY, hash(POLICY), repr(POLICY))
    assert Policy().allow(NEW) != POLICY
    assert repr(POLICY) == f"Policy().allow({NEW!r}).rename({RENAMES!r})"
    assert eval(repr(POLICY.limit(depth=3))) == POLICY.limit(depth=3)
    for policy in (POLICY, Policy()):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(policy, protocol)) == policy
    one = Policy().rename({"b": "c", "a": "b"})
    assert one == Policy().rename({"a": "b"}).rename({"b": "c"})
    assert Policy().rename({"a": "b"}).rename({"a": "c"}).renames == {"a": "c"}
    assert POLICY.allow("a.b").forbid("c.d").limit(depth=1).renames == RENAMES


def test_joined():
    one, two = Policy().rename({"a": "b"}), Policy().rename({"c": "d", "a": "b"})
    assert (one | two).renames == {"a": "b", "c": "d"}
    assert one | two == two | one
    with pytest.raises(ValueError, match="renames 'a' to 'b', the other to 'x'"):
        one | Policy().rename({"a": "x"})


@pytest.mark.parametrize(
    ("renames", "error"),
    [
        ([], TypeError),
        ({1: "a"}, TypeError),
        ({"a": None}, TypeError),
        ({"": "a"}, ValueError),
        ({"a..b": "a"}, ValueError),
        ({"a": "b\n"}, ValueError),
        ({"a\0": "b"}, ValueError),
        ({"\ud800": "b"}, ValueError),
    ],
)
def test_what_is_refused(renames, error):
    with pytest.raises(error, match="renames"):
        Policy().rename(renames)


def text_of(policy):
    file = io.StringIO()
    policy.to_file(file)
    return file.getvalue()


@pytest.mark.parametrize(
    "policy",
    [
        POLICY,
        Policy().rename({"old.module": "new.module", "a": "new.module:Outer.Inner"}),
        Policy.plain().limit(depth=3).forbid("a.b").allow("c.d").rename({"my-script": "x"}),
        Policy().rename({'a"b\\c': "d.日本", "\U00020000": "y"}),
    ],
)
def test_to_a_file_and_back(policy, tmp_path):
    assert Policy.from_file(io.StringIO(text_of(policy))) == policy
    policy.to_file(tmp_path / "policy.toml")
    assert Policy.from_file(tmp_path / "policy.toml") == policy


def test_the_text():
    policy = Policy.plain().rename({"old.module": "new.module", "a.B": "c:D.E"})
    assert text_of(policy).partition("\n\n")[2] == (
        'presets = ["plain"]\n\n[renames]\n"a.B" = "c:D.E"\n"old.module" = "new.module"\n'
    )
    assert "renames" not in text_of(Policy.plain())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("renames = 1", r"renames \(line 1\): it is to be a table"),
        ("[renames]\nold.module = 'x'", "renames.*write the old name in quotes.*'old'"),
        ("[renames]\n'a.b' = 1", r"renames \(line 2\): expected a name, found 1"),
        ("[renames]\n'a..b' = 'c'", "renames.*'a..b', which is no dotted name"),
        ("[renames]\n'a' = ''", "renames.*'', which is no dotted name"),
        ("[renames]\n'a' = \"b\\n\"", "renames.*no dotted name"),
    ],
)
def test_a_wrong_file(text, message):
    with pytest.raises(ValueError, match=message):
        Policy.from_file(io.StringIO(text))


def test_a_file_that_was_cut_short_renames_less():
    policy = Policy().allow("a.b").rename({"c": "a", "d": "e"})
    text = text_of(policy)
    for size in range(len(text)):
        try:
            found = Policy.from_file(io.StringIO(text[:size]))
        except ValueError:
            continue
        assert found.renames.items() <= policy.renames.items()


def test_no_names_are_kept_from_load_to_load(unpickling):
    """A policy lives as long as the process, and strangers choose the names in pickles."""
    policy = Policy().rename(RENAMES)
    for i in range(100):
        with pytest.raises(PolicyError):
            unpickling.loads(OLD.replace(b"Thing", b"Th%03d" % i), policy=policy)
    gc.collect()
    kept = [len(obj._found) for obj in gc.get_objects() if type(obj) is Renames]
    assert sum(kept) < 50
