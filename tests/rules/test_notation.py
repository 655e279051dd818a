"""literal: the repr of short keys, and None for others."""

from __future__ import annotations

import ast
import math

import pytest

from models import StrSub, TupleSub
from quickpickle.rules.notation import can_follow_a_dot, literal

pytestmark = pytest.mark.once


def nested(depth):
    key = 1
    for _ in range(depth):
        key = (key,)
    return key


@pytest.mark.parametrize(
    "key",
    [
        *("", "a", "it's", "x" * (78), b"", b"x" * (77)),
        *(None, True, False, 0, -1, 2**265, 10**80 - 1, 1 - 10**79, 1.5, -0.0, 1e300),
        *((), (1,), (1, 2), tuple(range(8)), ("a", (None, (1.5, ())))),
        *(nested(1), nested(4)),
    ],
    ids=repr,
)
def test_short_keys(key):
    text = literal(key)
    assert text == repr(key)
    assert ast.literal_eval(text) == key


@pytest.mark.parametrize(
    "key",
    [
        *("x" * (79), b"x" * (78), "\0" * 30, "x" * 10_000),
        *(10**80, -(10**79), 2**300, math.inf, -math.inf, math.nan),
        *(tuple(range(9)), ("x" * 40, "y" * 40), nested(5)),
        *([], frozenset(), object(), 1j, StrSub("a"), TupleSub(), (1, []), ([], 1)),
    ],
    ids=lambda key: repr(key)[:30].partition(" at ")[0],
)
def test_keys_without_a_short_literal(key):
    assert literal(key) is None


def test_can_follow_a_dot():
    assert can_follow_a_dot("name")
    assert can_follow_a_dot("é")
    assert not can_follow_a_dot("class")
    assert not can_follow_a_dot("a b")
    assert not can_follow_a_dot("")
