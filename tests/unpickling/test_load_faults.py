"""Faults from outside, each at every place of a load: reads that fail, and a lack of memory.

After each the exception comes out, the Unpickler is as it was before, and the next load is whole.
"""

from __future__ import annotations

import collections
import copyreg
import datetime as dt
import errno
import io
import pickle
import sys
import types

import pytest

import quickpickle.pure
from conftest import UNPICKLERS
from differential import describe
from leak_counts import REPEATED, lost_by, only_new_objects
from models import Data, Plain, Point, Slots, SlotsAndDict, SlotsData
from pickling.test_injected_faults import fail_allocations, varied, without_memory
from quickpickle.format import opcodes as op
from quickpickle.rules.mapping import Mapping

pytestmark = pytest.mark.slow


class WithArguments:
    def __init__(self, **attributes):
        vars(self).update(attributes)

    def __getnewargs_ex__(self):
        return (), {}


def with_slots(cls, *values):
    obj = cls()
    obj.first, obj.second = values
    return obj


def instances():
    data = [Data(i, str(i), [i]) for i in range(20)]
    slots = [with_slots(Slots, i, [i]) for i in range(5)]
    both = [with_slots(SlotsAndDict, i, i / 3) for i in range(5)]
    for i, obj in enumerate(both):
        obj.third = i
    return [data, slots, both, [SlotsData(i) for i in range(5)], data[3], slots[2]]


def nested():
    lists, dicts = [], {}
    for i in range(100):
        lists, dicts = [i, lists], {i: dicts, "key": i}
    return [lists, dicts, tuple([(i, (i,), (i, i, i), (i,) * 5) for i in range(20)])]


def strings():
    texts = ["", "a", "\xe4", "\u20ac", "\U0001f600", "ascii" * 100, "\u20ac" * 300, "\ud800"]
    return [*texts, {text: text for text in texts}, b"", b"a", b"b" * 300, bytearray(b"c" * 300)]


def numbers():
    return [0, 255, 256, 65535, -1, 2**31, -(2**40), 2**63, 2**200, -(2**3000), 1.5, -0.0, 1j, True]


def sets():
    return [{1, "two", (3,)}, frozenset([1, frozenset("abc")]), set(range(100)), set(), frozenset()]


def large():
    return [b"b" * 70_000, "t" * 70_000, [*map(str, range(30))], bytearray(b"a" * 70_000), "end"]


def of_classes():
    return [
        *(Point(1, "two"), dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4), Data, len),
        *(dt.timedelta(1), collections.OrderedDict(a=[1]), collections.Counter("abc")),
        *(WithArguments(a=[1], b=2), Plain(x=1), complex, types.SimpleNamespace(a=1)),
        *(pickle.UnpicklingError("an", "exception"), range(3)),
    ]


def line(opcode, text):
    return opcode + text + b"\n"


PLAIN = line(op.GLOBAL, b"models\nPlain")
FEW = [instances, nested, strings, numbers, sets, of_classes]
PICKLES = {
    **{
        f"{f.__name__}, protocol {n}": (f, n)
        for f in FEW
        for n in (1, 2, 4)
        if n > 1 or f is not instances
    },
    **{f"varied, protocol {n}": (lambda n=n: varied(n), n) for n in (0, 1, 2, 3, 4, 5)},
    "large": (large, 5),
    "large, protocol 2": (lambda: large()[1:3], 2),
}
OPCODES = {
    "lines": b"(I1\nI01\nL70000000000000L\nF1.5\nVt\\u20ac\nS'a'\nS'\\xe4'\np0\ng0\nlp1\n.",
    "strings of Python 2": b"(U\1aT\5\0\0\0bcdefU\2\xe4\xe4t.",
    "numbers of the memo": b"(Nr\0\0\x22\0]r\0\0\1\0K\1r\0\0\x21\0j\0\0\x22\0"
    + b"j\0\0\1\0Np7\ng7\n\x94t.",
    "much in the memo": b"(" + b"]\x94" * 600 + b"h\5h\0l.",
    "much read from the memo": b"(" + b"]\x94" * 600 + PLAIN + b")\x81h\5h\0j\x22\1\0\0l.",
    "states that are read": b"(" + PLAIN + b"\x94h\0)\x81}\x94(\x8c\1aK\1ubh\0)\x81h\1bh\1t.",
    "states with slots": b"(" + PLAIN + b")\x81}\x8c\1aK\1s}\x8c\1b]s\x86bt.",
    "states that are pending": b"(" + PLAIN + b")\x81}}00}(\x8c\1aK\1ub}2t.",
    "states with other keys": b"(" + PLAIN + b")\x81}(\x8c\1a\x8c\1bK\1K\2ub)N}(NN]tt.",
    "old instances": b"((i" + PLAIN[1:] + b"(" + PLAIN + b"o(cbuiltins\nlist\n(K\1lot.",
    "extensions": b"(\x82\xf0\x83\xf0\xf0\x84\xf0\xf0\xf0\x70t.",
    "keyword arguments": b"(" + PLAIN + b")}\x8c\1xK\1s\x92t.",
    "marks": b"(((N1(N0(0(NNd0(NNNt0N2lll.",
    "dicts": b"((NNd}(K\1NK\2]u}NNst.",
}  # fmt: skip


class Reads:
    """A file in Python, that reads what it is asked for; its `at`-th call fails."""

    def __init__(self, data):
        self.file = io.BytesIO(data)
        self.calls = self.at = 0
        self.error = OSError(errno.EIO, "of the file")

    def begin(self, at=0):
        self.file.seek(0)
        self.calls, self.at = 0, at

    def _called(self):
        self.calls += 1
        if self.calls == self.at:
            raise self.error

    def read(self, n):
        self._called()
        return self.file.read(n)

    def readline(self):
        self._called()
        return self.file.readline()


class ReadsInto(Reads):
    def readinto(self, buffer):
        self._called()
        return self.file.readinto(buffer)


class ReadsLittle(ReadsInto):
    def read(self, n):
        self._called()
        return self.file.read(min(n, 30_000))

    def readinto(self, buffer):
        self._called()
        return self.file.readinto(memoryview(buffer)[:30_000])


class Peeks(ReadsInto):
    def peek(self, n):
        self._called()
        here = self.file.tell()
        data = self.file.read(50)
        self.file.seek(here)
        return data


class Raw(io.RawIOBase):
    """A raw stream for a BufferedReader."""

    def __init__(self, reads):
        super().__init__()
        self.reads = reads

    def readable(self):
        return True

    def seekable(self):
        return False

    def readinto(self, buffer):
        return self.reads.readinto(memoryview(buffer)[:1000])


FILES = {"read": Reads, "readinto": ReadsInto, "little": ReadsLittle, "peek": Peeks}


class Hooks:
    """Mixed into an Unpickler."""

    def find_class(self, module_name, name):
        return super().find_class(module_name, name)

    def persistent_load(self, pid):
        return ["loaded", pid]


def data_of(kind):
    if kind in OPCODES:
        return b"\x80\2" + OPCODES[kind] if kind != "lines" else OPCODES[kind]
    make, protocol = PICKLES[kind]
    return pickle.dumps(make(), protocol)


def two_pickles_of(kind):
    """A file with two pickles. There are entries in the memo before the second one, if it lets."""
    if kind in OPCODES:
        return b"N." + data_of(kind)
    make, protocol = PICKLES[kind]
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol)
    pickler.dump(["known"])
    pickler.dump(make())
    return file.getvalue()


@pytest.fixture(autouse=True)
def extensions():
    codes = {"Plain": 0xF0, "Data": 0xF0F0, "Slots": 0x70F0F0F0}
    for name, code in codes.items():
        copyreg.add_extension("models", name, code)
    yield
    for name, code in codes.items():
        copyreg.remove_extension("models", name, code)


OPTIONS = {"encoding": "latin1"}
KINDS = [*PICKLES, *OPCODES]


@pytest.mark.parametrize("kind", KINDS)
def test_the_pickles_are_whole(unpickling, kind):
    data = data_of(kind)
    assert describe(unpickling.loads(data, **OPTIONS)) == describe(pickle.loads(data, **OPTIONS))


# --- reads


@pytest.mark.parametrize("hooked", [False, True], ids=["plain", "hooks"])
@pytest.mark.parametrize("file", [*FILES, "buffered"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_read_fails_in_turn(unpickling, kind, file, hooked):
    data = two_pickles_of(kind)
    base = unpickling.Unpickler
    cls = type("WithHooks", (Hooks, base), {}) if hooked else base
    reads = FILES[file](data) if file != "buffered" else ReadsInto(data)

    def begin():
        reads.begin()
        unpickler = cls(io.BufferedReader(Raw(reads)) if file == "buffered" else reads, **OPTIONS)
        unpickler.load()
        reads.calls = 0
        return unpickler, unpickler.memo.copy()

    unpickler, before = begin()
    unpickler.load()
    expected = describe(unpickling.loads(data_of(kind), **OPTIONS))
    calls = reads.calls
    assert file == "buffered" or calls > 0
    for at in range(1, calls + 1) if calls < 100 else [*range(1, 40), *range(40, calls + 1, 37)]:
        unpickler, before = begin()
        reads.at = at
        with pytest.raises(OSError, match="of the file") as caught:
            unpickler.load()
        assert caught.value is reads.error
        assert reads.calls == at
        assert unpickler.memo.copy() == before
        assert describe(unpickling.loads(data_of(kind), **OPTIONS)) == expected


# --- memory


def loads_of(unpickling, kind):
    """Functions that load in one way each, after what need not be made again; and its memo."""
    data = data_of(kind)
    cls = type("WithHooks", (Hooks, unpickling.Unpickler), {})
    for name, file in [
        *((name, cls(data)) for name, cls in FILES.items()),
        ("bytes", io.BytesIO(data)),
        ("buffered", io.BufferedReader(io.BytesIO(data))),
    ]:

        def load(file=file):
            return unpickling.load(file, **OPTIONS)

        def begin(file=file):
            (file.begin if isinstance(file, Reads) else lambda: file.seek(0))()

        yield name, begin, load, None
    yield "loads", lambda: None, lambda: unpickling.loads(data, **OPTIONS), None

    data = two_pickles_of(kind)
    for name, made in ("Unpickler", unpickling.Unpickler), ("hooks", cls):
        file = io.BytesIO(data)
        unpickler = made(file, **OPTIONS)

        def begin(file=file, unpickler=unpickler):
            file.seek(0)
            unpickler.__init__(file, **OPTIONS)  # which forgets what was read, and the memo
            unpickler.load()

        yield name, begin, unpickler.load, lambda unpickler=unpickler: unpickler.memo.copy()


WAYS = [*FILES, "bytes", "buffered", "loads", "Unpickler", "hooks"]
FAILING = [*((way, 1) for way in WAYS), *((way, 5) for way in ("buffered", "loads", "hooks"))]
FAILING_IN_PYTHON = [("loads", 1), ("hooks", 1), ("little", 1)]


@pytest.mark.parametrize("kind", KINDS)
@without_memory
def test_every_allocation_fails_in_turn(unpickling, kind, monkeypatch):
    """In one process for all ways of loading: to fork takes longer than most of them."""
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    cases = FAILING
    if unpickling is quickpickle.pure:
        # It takes long, and little can go wrong but what is the interpreter's.
        cases = [] if kind.startswith("much") else FAILING_IN_PYTHON
    # Python has many more of them, most of the interpreter's own: a part of them fails.
    step = 23 if unpickling is quickpickle.pure else 1
    for way, begin, load, memo in loads_of(unpickling, kind):
        for failing in [count for name, count in cases if name == way]:
            try:
                later = max(step, 7) if way in FILES else step
                assert fail_in_turn(begin, load, memo, failing, step, later)
                assert not unraisable
            except BaseException as error:
                error.add_note(f"by {way}, where {failing} allocations fail")
                raise


def fail_in_turn(begin, load, memo, failing, step, later):
    """Let so many allocations fail at each place; returns how many loads ended by it.

    `later` is the step behind the first 500 places. A file in Python has most of the others, some
    ten for each opcode, which are alike; those of the loader all fail in other ways of loading.
    """
    begin()
    expected = describe(load())
    known, result = None, [None]

    def load_once():
        result[0] = load()  # to append to a list might fail

    start = succeeded = failed = 0
    while succeeded < 25:
        begin()
        known = memo() if memo else None
        result[0] = None
        error = fail_allocations(start, start + failing, load_once)
        if error is None:
            succeeded += 1
            assert describe(result[0]) == expected, start
        else:
            succeeded, failed = 0, failed + 1
            assert isinstance(error, MemoryError), (start, error)
            assert memo is None or memo() == known, start
            begin()
            assert describe(load()) == expected, start
        start += step if start < 500 else later
    return failed


# Without those that take long, and without old instances: where a class has no attribute, CPython
# 3.11 loses what the message would be made of. So does its own unpickler.
SHORT = [
    *(kind for kind in OPCODES if not kind.startswith(("much", "old"))),
    *("instances, protocol 2", "strings, protocol 4", "numbers, protocol 2", "sets, protocol 4"),
]


@pytest.mark.skipif("native" not in UNPICKLERS, reason="Python itself loses no references")
@pytest.mark.parametrize(
    ("kind", "way"),
    [*((kind, way) for kind in SHORT for way in ("loads", "hooks")), ("lines", "little")],
)
@without_memory
def test_nothing_is_lost_where_allocations_fail(kind, way):
    """Each failure is repeated: what the interpreter keeps for itself grows a little at first."""
    unpickling = UNPICKLERS["native"]
    begin, load, _ = next(rest for name, *rest in loads_of(unpickling, kind) if name == way)
    start = succeeded = 0
    with only_new_objects():
        while succeeded < 25:
            errors = []

            def repeat():
                # A collection frees the tuples that were kept, and CPython 3.11 crashes where an
                # iterator over a dict's items gets none.
                begin()
                load()
                for _ in range(REPEATED):
                    begin()
                    failed = fail_allocations(start, start + 1, load) is not None  # noqa: B023
                    errors.append(failed)  # noqa: B023

            assert any(lost_by(repeat) < REPEATED for _ in range(3)), start
            succeeded = succeeded + 1 if not any(errors) else 0
            start += 1
    assert start > 25


@without_memory
def test_no_memory_for_arrays_that_stay_in_the_file(unpickling, tmp_path, monkeypatch):
    np = pytest.importorskip("numpy")
    array = np.arange(100_000)
    (tmp_path / "data").write_bytes(pickle.dumps([array, "text", array[:-1], b"b" * 70_000], 5))
    with open(tmp_path / "data", "rb") as file:
        mapping = Mapping(file)
        start = succeeded = 0
        while succeeded < 25:
            file.seek(0)
            result = [None]

            def load(result=result):
                result[0] = unpickling.load_mapped(mapping)

            error = fail_allocations(start, start + 1, load)
            succeeded = succeeded + 1 if error is None else 0
            if error is None:
                assert np.array_equal(result[0][0], array)
                assert result[0][3] == b"b" * 70_000
            else:
                assert isinstance(error, MemoryError)
            start += 1
    assert start > 40
