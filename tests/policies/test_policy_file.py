"""A Policy to a file of TOML and back."""

from __future__ import annotations

import io
import itertools
import os
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from quickpickle import Policy

pytestmark = pytest.mark.once

PLAIN = Policy.plain()
POLICIES = [
    Policy(),
    PLAIN,
    PLAIN.allow(date, "myapp.models.*", "myapp.orders.Order", "myapp.orders.Order.Line"),
    Policy().allow("builtins.eval", "os.*", dangerous=True),
    PLAIN.allow("a.b", "a.c").allow("a.b", "a.d", dangerous=True),
    PLAIN.forbid("myapp.*", "uuid.UUID", "a.__class__"),
    # Joined policies forbid what they also allow, and the order of the two does not matter.
    Policy().allow("a.b", "a.*") | Policy().forbid("a.b", "a.*"),
    Policy().allow("os.system", dangerous=True) | Policy().forbid("os.system"),
    PLAIN.limit(memory=0, objects=1, depth=2),
    PLAIN.limit(depth=1 << 80),
    PLAIN.allow("a.b").rename({"old.a": "a", "old.b": "c:D.E"}),
    Policy().allow("módulo.Clase", "日本.語", "_.__private"),
]


def text_of(policy):
    file = io.StringIO()
    policy.to_file(file)
    return file.getvalue()


def from_text(text):
    return Policy.from_file(io.StringIO(text))


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_to_a_file_and_back(policy, tmp_path):
    path = tmp_path / "policy.toml"
    policy.to_file(path)
    copy = Policy.from_file(path)
    assert copy == policy
    assert copy.limits == policy.limits
    assert repr(copy) == repr(policy)
    assert Policy.from_file(str(path)) == policy
    with open(path, "rb") as file:
        assert Policy.from_file(file) == policy
    assert path.read_text("utf-8") == text_of(copy)
    assert b"\r" not in path.read_bytes()


def test_every_policy_that_is_made_of_a_few_steps():
    steps = [
        lambda policy: policy.allow("a.b", "p.*"),
        lambda policy: policy.allow("a.b", "q.c", dangerous=True),
        lambda policy: policy.forbid("a.b", "p.*"),
        lambda policy: policy.limit(objects=5),
        lambda policy: policy | Policy().forbid("q.c"),
        lambda policy: policy | PLAIN,
    ]
    seen = set()
    for chosen in itertools.permutations(steps, 4):
        policy = Policy()
        for step in chosen:
            policy = step(policy)
        assert from_text(text_of(policy)) == policy
        seen.add(policy)
    assert len(seen) > 20


def test_the_text():
    policy = PLAIN.allow("myapp.b.B", "myapp.a.A").allow("builtins.eval", dangerous=True)
    assert text_of(policy.forbid("myapp.c.*").limit(objects=1_000_000)) == (
        "# A policy for loads of pickles: quickpickle.Policy.from_file reads it.\n"
        "\n"
        "limit = { objects = 1_000_000 }\n"
        "\n"
        "forbid = [\n"
        '    "myapp.c.*",\n'
        "]\n"
        "\n"
        'presets = ["plain"]\n'
        "\n"
        "allow = [\n"
        '    "myapp.a.A",\n'
        '    "myapp.b.B",\n'
        "]\n"
        "\n"
        "dangerous = [\n"
        '    "builtins.eval",\n'
        "]\n"
    )


def test_a_file_that_is_cut_short_is_no_wider_policy():
    policy = PLAIN.allow("a.b", "a.c").forbid("a.b", "p.*").limit(objects=5)
    text = text_of(policy.allow("builtins.eval", dangerous=True))
    for end in range(len(text)):
        try:
            found = from_text(text[:end])
        except ValueError:
            continue
        is_listed = any(found.rule_for(*name) for name in [("a", "c"), ("datetime", "date")])
        if is_listed:
            assert found.limits.objects == 5
            assert (found | PLAIN.allow("a.b")).rule_for("a", "b") is None


def test_what_people_write_by_hand():
    policy = from_text(
        """
        # those of the shop
        presets = [ 'plain' ]
        allow = ["shop.Order", "shop.Order",  # twice, by a merge
                 "shop.models.*"]

        [limit]
        depth = 10
        """
    )
    assert policy == PLAIN.allow("shop.Order", "shop.models.*").limit(depth=10)
    assert from_text("") == Policy()
    assert Policy.from_file(io.BytesIO(b"\xef\xbb\xbfallow = ['a.b']\r\n")) == Policy().allow("a.b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("allow = a.b", "this is no TOML: .*line 1"),
        (
            'allows = ["a.b"]',
            r"allows \(line 1\): no such key; there are limit, forbid, presets, allow",
        ),
        ('\nallow = "a.b"', r"allow \(line 2\): it is to be a list of names"),
        ("allow = [1]", r"allow.*: expected a name, found 1"),
        ('allow = [["a.b"]]', "allow.*: expected a name, found"),
        ('allow = [\n"a.b",\n"name"]', r"allow \(line 3\): 'name' is no dotted name"),
        ('forbid = ["*"]', r"forbid \(line 1\): '\*' is no dotted name"),
        ('dangerous = ["a b.c"]', r"dangerous \(line 1\): 'a b.c' is no dotted name"),
        ('allow = [\n\n"os.system"]', r"allow \(line 3\): 'os.system' runs commands; .*dangerous"),
        ('allow = ["functools.*"]', "'functools.\\*' calls what it is given"),
        ('allow = ["os.system"]\ndangerous = ["os.system"]', "'os.system' runs commands"),
        ('allow = ["a.b"]\ndangerous = ["a.b"]', "'a.b' is in allow too"),
        ('presets = ["plane"]', r"presets \(line 1\): there is no 'plane'; there are .*plain"),
        ("limit = 5", r"limit \(line 1\): it is to be a table"),
        ("[limit]\ndepht = 5", r"limit \(line 2\): there is no 'depht'; there are memory, objects"),
        ("limit.depth = -1", "limit: depth is to be a whole number"),
        ("[limit]\ndepth = true", r"limit \(line 2\): depth is to be a whole number"),
        ("[limit]\ndepth = 1.5", "depth is to be a whole number"),
    ],
)
def test_what_is_wrong_with_a_file(text, message, tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        Policy.from_file(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        Policy.from_file(tmp_path / "none.toml")
    with pytest.raises(ValueError, match="not in UTF-8, from byte 1 on"):
        Policy.from_file(io.BytesIO(b"#\xff"))
    for wrong in (5, None, b"allow = []"):
        with pytest.raises(TypeError, match="expected a path or a file"):
            Policy.from_file(wrong)
        with pytest.raises(TypeError, match="expected a path or a file"):
            Policy().to_file(wrong)


def test_the_example_of_the_documentation():
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    policy = Policy.plain().allow("myapp.models.*", "myapp.orders.Order").limit(objects=1_000_000)
    policy = policy.rename({"shop.orders": "myapp.orders"})
    assert from_text(example) == policy
    assert example in text_of(policy)


def test_other_readers_read_it(tmp_path):
    path = tmp_path / "policy.toml"
    POLICIES[4].to_file(os.fspath(path))
    assert tomllib.loads(path.read_text("utf-8")) == {
        "presets": ["plain"],
        "allow": ["a.c"],
        "dangerous": ["a.b", "a.d"],
    }
