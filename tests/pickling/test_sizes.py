"""Sizes that are more than can be counted, or held: an exception, and no write past an end.

Some are lied about: a buffer of sys.maxsize bytes that are not there, which nothing may read.
Tests of faults that only show where a size has 32 bits take much of the 4 GB that there are. Each
runs in a process of its own; `tools/i386` runs them.
"""

from __future__ import annotations

import ctypes
import pickle
import subprocess
import sys
import textwrap
from pickle import PickleBuffer
from types import ModuleType
from typing import Any

import pytest

import quickpickle.pure
from conftest import IMPLEMENTATIONS
from quickpickle import optimization as compact
from quickpickle.scanning.scan import Scanner

SCANNERS: dict[str, Any] = {"python": Scanner}
if "native" in IMPLEMENTATIONS:
    from quickpickle.compiled import core, inspection

    SCANNERS["native"] = inspection.Scanner

_here = ctypes.create_string_buffer(16)


def huge(size: int = sys.maxsize, readonly: bool = False) -> PickleBuffer:
    """A buffer that says that it has so many bytes."""
    view = memoryview((ctypes.c_char * size).from_address(ctypes.addressof(_here))).cast("B")
    return PickleBuffer(view.toreadonly() if readonly else view)


# The Python implementation has the second from the interpreter, of a bytearray or bytes object.
TOO_LARGE = (MemoryError, OverflowError)


class Counting:
    """A file that takes all it is given, and looks at none of it."""

    def __init__(self, fails_at: int = 10**30) -> None:
        self.count = 0
        self.fails_at = fails_at

    def write(self, data: Any) -> int:
        if self.count >= self.fails_at:
            raise OSError("full")
        size = memoryview(data).nbytes
        self.count += size
        return size


@pytest.mark.parametrize("options", [{}, {"compact": True}], ids=str)
@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_buffers_that_fit_into_no_bytes_object(implementation, options, readonly, count):
    """Two are counted as -2 bytes where that wraps, which with what is around them are a few."""
    buffers = [huge(readonly=readonly) for _ in range(count)]
    with pytest.raises(TOO_LARGE):
        implementation.dumps(["before", *buffers, "behind"], 5, **options)
    assert implementation.dumps("after", 5) == pickle.dumps("after", 5)


@pytest.mark.parametrize("short_of", [0, 1, 8])
def test_a_buffer_that_hardly_fits(implementation, short_of):
    with pytest.raises(TOO_LARGE):
        implementation.dumps(huge(sys.maxsize - short_of), 5)


@pytest.mark.parametrize("options", [{}, {"compact": True}], ids=str)
def test_progress_of_a_dump_larger_than_memory(implementation, options):
    """3 times half of what a Py_ssize_t counts."""
    if options and implementation is quickpickle.pure:
        pytest.skip("it has all of it in memory")
    figures: list[tuple[int, int]] = []
    file = Counting()
    implementation.dump(
        [huge(sys.maxsize // 2 + 1) for _ in range(3)],
        file,
        5,
        progress=lambda *args: figures.append(args),
        **options,
    )
    assert file.count > sys.maxsize
    assert figures[-1][1] == file.count


def test_the_note_of_a_failed_dump_larger_than_memory(implementation):
    file = Counting(fails_at=sys.maxsize)
    with pytest.raises(OSError, match="full") as info:
        implementation.dump([huge(sys.maxsize // 2 + 1) for _ in range(3)], file, 5)
    assert any(f"after {file.count:,} bytes" in note for note in info.value.__notes__)


@pytest.mark.parametrize("optimize", [compact.optimize, quickpickle.optimize])
def test_optimize_of_more_than_fits_into_memory(optimize):
    with pytest.raises(TOO_LARGE):
        optimize(huge())


NUMBERS = [2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 10**10 - 1, 10**10, 2**64]


@pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="it is not built")
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("get", [0, 1, *NUMBERS])
def test_numbers_in_decimal_of_more_than_32_bits(number, get):
    data = b"(lp%d\na(lp1\nag%d\na." % (number, get)
    assert outcome(core.optimize, data) == outcome(compact.optimize, data)
    data = b"(lp0\na(lp%d\nag%d\na." % (number, get)
    assert outcome(core.optimize, data) == outcome(compact.optimize, data)


def outcome(function: Any, data: bytes) -> Any:
    try:
        return function(data)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="it is not built")
@pytest.mark.parametrize("protocol", range(6))
def test_sound_pickles_are_optimized_in_c(protocol, monkeypatch):
    """The bound of 32 bits was -1 once, and the Python implementation did all of it."""
    data = pickle.dumps([("a", "b"), "a", ["c"] * 3], protocol)
    expected = compact.optimize(data)
    monkeypatch.setattr(core, "optimize_odd", None)
    assert core.optimize(data) == expected


@pytest.mark.parametrize("name", SCANNERS)
def test_a_way_with_any_number_of_ends(name):
    data = pickle.dumps([[[[1]]]], 4)
    scanner = SCANNERS[name](len(data), lambda *args: False, False, 1000)
    scanner.feed(data, 0)
    scanner.finish()
    last = len(scanner.kind) - 1
    nodes, are_left_out = scanner.way(last, 100)
    assert len(nodes) > 3
    assert scanner.way(last, 1) == ([*nodes[:2], *nodes[-2:]], True)
    for ends in (sys.maxsize, sys.maxsize // 2 + 1, sys.maxsize // 2):
        assert scanner.way(last, ends) == (nodes, False) == (nodes, are_left_out)


# --- where a size has 32 bits

ON_32_BITS = pytest.mark.skipif(
    sys.maxsize > 2**32, reason="these numbers wrap where a size has 32 bits: see tools/i386"
)

START = """
import itertools, sys
from importlib import import_module
from pickle import PickleBuffer

used = import_module(sys.argv[1])

class Given:  # made one after the other, so that there is room for each
    def __init__(self, items):
        self.items = items
    def __reduce__(self):
        return list, (), None, iter(self.items)

def parts(count):
    part = bytearray(100_000_000)
    return (PickleBuffer(part) for _ in range(count))

def is_shifted(data, sign, bits):
    # More digits than the interpreter reads into an int.
    size = bits // 8 + 1
    frame, argument = (size + 6).to_bytes(8, "little"), size.to_bytes(4, "little")
    assert data[:16] == b"\\x80\\x04\\x95" + frame + b"\\x8b" + argument
    assert len(data) == size + 17
    assert data.count(0, 16) == size - 1
    assert data[-2:] == sign.to_bytes(1, "little", signed=True) + b"."
    print("written")

try:
"""
END = """
except MemoryError:
    print("MemoryError")
"""


def said_in_a_process_of_its_own(module: ModuleType, code: str) -> str:
    code = START + textwrap.indent(textwrap.dedent(code), "    ") + END
    command = [sys.executable, "-c", code, module.__name__]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-500:]}"
    return done.stdout.strip()


@ON_32_BITS
@pytest.mark.slow
@pytest.mark.parametrize(("sign", "bits"), [(1, 2**31), (-1, 2**31 + 8), (1, 2**32)])
def test_ints_of_2_to_the_31_bits(implementation, sign, bits):
    """The last one is one of those that the standard pickler has no size for."""
    code = f"is_shifted(used.dumps({sign} << {bits}, 4), {sign}, {bits})"
    assert said_in_a_process_of_its_own(implementation, code) == "written"


@ON_32_BITS
@pytest.mark.slow
@pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="it is not built")
@pytest.mark.parametrize(
    "code",
    {
        "the key of a tuple": "used.dumps((0,) * 477_300_000, 4, deterministic=True)",
        # The interpreter's own `encode`, and so its pickler, crashes on these.
        "UTF-8 of Latin-1": "used.dumps('\\xe9' * 1_100_000_000, 4)",
        "UTF-8 of two bytes": "used.dumps('\\u20ac' * 720_000_000, 4)",
        "the sum of payloads": "used.dumps(list(parts(43)), 5, compact=True)",
        # 1.7 and 1.8 GB, and half of the first: 2 ** 32 and a few.
        "the buffer": """
            strings = ("\\xe9" * size for size in [900_000_000])
            used.dumps(Given(itertools.chain(parts(17), strings)), 5)
        """,
        "room for numbers": """
            used.dumps(Given(itertools.repeat(("a",), 179_000_000)), 0, compact=True)
        """,
        "marks": """
            used.optimize(b"]" + b"\\x94" * (2**30 + 8) + b"j\\x02\\0\\0\\x40.")
        """,
    }.items(),
    ids=lambda item: item[0],
)
def test_sizes_that_wrap(code):
    assert said_in_a_process_of_its_own(core, code[1]) == "MemoryError"


@ON_32_BITS
@pytest.mark.slow
@pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="it is not built")
def test_an_entry_far_away_from_many_others():
    """Room for one and a half times as many, of 4 bytes: 2 ** 32 and a few."""
    code = """
        scanner = used.Scanner(2**40, None, False, 1000)
        scanner.feed(b"]", 0)
        piece, at = b"\\x94" * 10_000_000, 1
        for _ in range(36):
            at = scanner.feed(piece, at)
        scanner.feed(b"r" + (716_000_000).to_bytes(4, "little"), at)
    """
    assert said_in_a_process_of_its_own(inspection, code) == "MemoryError"
