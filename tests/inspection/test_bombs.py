"""Small files that are made to cost time or memory: `inspect` and `optimize` stay in bounds."""

from __future__ import annotations

import pickle
import struct

import pytest

from fuzzing.fuzz_pickles import OPTIMIZE
from inspection_checks import COLUMNS, SCANNERS, check_sums, inspect_with

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
    """A pickle of `width ** levels` objects, if one does not see that they are shared."""
    obj: list[object] = ["ha"]
    for _ in range(levels):
        obj = [obj] * width
    return pickle.dumps(obj)


@pytest.fixture
def peak():
    """The memory that was taken since the test began, but not by what is imported on first use."""
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy has none")
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
def test_nested_objects_cost_no_more_than_others(scanner, peak):
    import tracemalloc

    depth = 5_000
    deep = b"]" * depth + b"a" * (depth - 1) + b"."
    assert inspect_with(scanner, deep).objects == depth
    nested = peak()
    tracemalloc.reset_peak()
    wide = b"(" + b"]" * depth + b"l."
    assert inspect_with(scanner, wide).objects == depth + 1
    assert nested < 2 * peak()


# Nested lists, memoized, referred to, thrown away, among others, with names, in several pickles.
SAMPLES = {
    "nested": b"\x80\x04" + b"]\x94" * 9 + b"a" * 8 + b".",
    "graph": pickle.dumps([{"a": (1, [2], pickle.PickleError)}, {3}, [None] * 40, b"x" * 300], 4),
    "references": b"]q\x00]q\x01h\x000(h\x01h\x00]]1a.",
    "text": b"(lp0\n(lp1\nag0\na(dp2\nV1\nI2\nsa.",
    "pickles": b"".join(pickle.dumps([i], 2) for i in range(5)),
    "damaged": b"\x80\x04]\x94]\x94\xff",
}


def columns(inspection):
    scanner, error = inspection._scanner, inspection.error
    return [list(getattr(scanner, name)) for name in COLUMNS], error and (error.offset, str(error))


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
def test_no_more_objects_than_allowed(data):
    """Wherever the limit is: what comes before it is whole, and the scanners do not differ."""
    for limit in range(130):
        found = {name: inspect_with(name, data, max_objects=limit) for name in SCANNERS}
        for inspection in found.values():
            check_sums(inspection)
            assert columns(inspection) == columns(found["python"])
            assert len(inspection._scanner.kind) <= limit + 6  # the file, a pickle, the unread
    assert columns(inspection) == columns(inspect_with("python", data))


@pytest.mark.parametrize("scanner", SCANNERS)
def test_the_limit_is_for_more_than_that(scanner):
    deep = b"]" * 1000 + b"a" * 999 + b"."
    assert inspect_with(scanner, deep, max_objects=1000).error is None
    inspection = inspect_with(scanner, deep, max_objects=999)
    assert inspection.error.offset == 1000
    assert str(inspection.error) == (
        "there are more than 999 objects (set max_objects higher for them), at offset 1,000"
    )
    assert inspection.root.children()[-1].type == "unread"


@pytest.mark.parametrize("scanner", SCANNERS)
def test_a_pickle_counts_as_twenty_objects(scanner):
    inspection = inspect_with(scanner, b"N." * 1000, max_objects=501)
    assert inspection.error.offset == 2 * len(inspection.pickles)
    assert len(inspection.pickles) == 24


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scanner", "depth", "most"), [("python", 30_000, 350), ("native", 3_000_000, 90)]
)
def test_the_memory_of_an_object(scanner, depth, most, peak):
    """In bytes; what columns have in reserve is in it, and not used."""
    if scanner not in SCANNERS:
        pytest.skip("it is not built")
    data = b"]\x94" * depth + b"a" * (depth - 1) + b"."
    assert inspect_with(scanner, data).depth == depth
    assert peak() < most * depth
