"""Small files that are made to cost time or memory: `inspect` and `optimize` stay in bounds."""

from __future__ import annotations

import pickle
import struct
import tracemalloc

import pytest

from fuzz_pickles import OPTIMIZE
from inspecting import SCANNERS, inspect_with

MEMORY = 2_000_000  # bytes; what a file of a few hundred may cost at most

HUGE = {
    "BINUNICODE8": b"\x80\x04\x8d" + struct.pack("<Q", 2**63 - 1) + b"x.",
    "BINBYTES8": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "BYTEARRAY8": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
    "BINBYTES": b"\x80\x03B" + struct.pack("<I", 2**32 - 1) + b"x.",
    "LONG4": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    "FRAME": b"\x80\x04\x95" + struct.pack("<Q", 2**63 - 1) + b"N.",
    "LONG_BINPUT": b"\x80\x02]r" + struct.pack("<I", 2**32 - 1) + b".",
    "PUT": b"(lp" + b"9" * 18 + b"\n.",
    "LONG_BINGET": b"\x80\x02]q\x00j" + struct.pack("<I", 2**32 - 1) + b".",
}


def laughs(levels: int, width: int) -> bytes:
    """A pickle of `width ** levels` objects for whoever does not see that they are shared."""
    obj: list[object] = ["ha"]
    for _ in range(levels):
        obj = [obj] * width
    return pickle.dumps(obj)


@pytest.fixture
def peak():
    """The memory that was taken since the test began, but not by what is imported on first use."""
    for scanner in SCANNERS:
        inspect_with(scanner, pickle.dumps(None)).as_dict()
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE)
def test_declared_lengths_are_not_believed_by_inspect(scanner, data, peak):
    inspection = inspect_with(scanner, data)
    inspection.as_dict()
    assert inspection.size == len(data)
    assert peak() < MEMORY


@pytest.mark.parametrize("optimize", OPTIMIZE.values(), ids=OPTIMIZE)
@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE)
def test_declared_lengths_are_not_believed_by_optimize(optimize, data, peak):
    try:
        result = optimize(data)
    except ValueError:
        result = b""
    assert len(result) <= len(data)
    assert peak() < MEMORY


@pytest.mark.parametrize("scanner", SCANNERS)
def test_a_billion_laughs(scanner, peak):
    data = laughs(levels=30, width=10)
    inspection = inspect_with(scanner, data)
    inspection.as_dict(depth=100)
    assert inspection.objects == 32  # lists and the string: what loading makes
    assert peak() < MEMORY


@pytest.mark.parametrize("optimize", OPTIMIZE.values(), ids=OPTIMIZE)
def test_optimize_of_a_billion_laughs(optimize, peak):
    data = laughs(levels=30, width=10)
    assert len(optimize(data)) <= len(data)
    assert peak() < MEMORY


@pytest.mark.parametrize("scanner", SCANNERS)
def test_nesting_costs_what_any_objects_do(scanner, peak):
    depth = 5_000
    deep = b"]" * depth + b"a" * (depth - 1) + b"."
    assert inspect_with(scanner, deep).objects == depth
    nested = peak()
    tracemalloc.reset_peak()
    wide = b"(" + b"]" * depth + b"l."
    assert inspect_with(scanner, wide).objects == depth + 1
    assert nested < 2 * peak()
