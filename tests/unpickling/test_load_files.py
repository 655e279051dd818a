"""Every kind of file: what is read, where the position is afterwards, and what goes wrong."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import socket
import sys
import threading

import pytest

from differential import (
    assert_same_load,
    describe,
    is_without_the_memory,
    load_outcome,
    only_c,
    outcome,
)
from quickpickle.format import opcodes as op
from unpickling.load_cases import frame, text

OBJECTS = [
    None,
    [1, "two", 3.0, b"four", {"five": (6, 7)}, bytearray(b"eight")],
    {str(i): [i, str(i) * 20] for i in range(3000)},
    [b"x" * 70_000, "y" * 70_000, bytearray(b"z" * 70_000), list(range(20_000))],
    "é" * 200_000,
    b"b" * 3_000_000,
    bytearray(b"b" * 3_000_000),
]


def objects(protocol, is_slow):
    """Fewer where each byte takes a call: lines, below protocol 1, from what has no buffer."""
    return OBJECTS[:2] if is_slow and protocol < 4 else OBJECTS


class OnlyNeeded:
    """A file with `read` and `readline` only, which notes what is asked of it."""

    def __init__(self, data):
        self.file = io.BytesIO(data)
        self.asked = []

    def read(self, n):
        self.asked.append(n)
        return self.file.read(n)

    def readline(self):
        return self.file.readline()

    def tell(self):
        return self.file.tell()


class WithReadinto(OnlyNeeded):
    def readinto(self, buffer):
        return self.file.readinto(buffer)


class WithPeek(WithReadinto):
    def peek(self, n):
        data = self.file.read(100)
        self.file.seek(-len(data), 1)
        return data


class PeekNotImplemented(WithReadinto):
    def peek(self, n):
        raise NotImplementedError


class PeekNothing(WithReadinto):
    def peek(self, n):
        return b""


class PeekEverything(WithReadinto):
    def peek(self, n):
        position = self.file.tell()
        data = self.file.read()
        self.file.seek(position)
        return data


class BytesLike(OnlyNeeded):
    """Whose methods return what is not bytes, but has a buffer."""

    def read(self, n):
        return bytearray(super().read(n))

    def readline(self):
        return memoryview(super().readline())


class Short(OnlyNeeded):
    """Gives a few bytes at a time, as a pipe may."""

    def read(self, n):
        return super().read(min(n, 7))


class ShortReadinto(Short):
    def readinto(self, buffer):
        return self.file.readinto(memoryview(buffer)[:1000])


def buffered(data):
    return io.BufferedReader(io.BytesIO(data))


def buffered_little(data):
    return io.BufferedReader(io.BytesIO(data), 10)


class Raw(io.RawIOBase):
    def __init__(self, data):
        self.file = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.file.readinto(buffer)

    def tell(self):
        return self.file.tell()


FILES = [
    io.BytesIO, OnlyNeeded, WithReadinto, WithPeek, PeekNotImplemented, PeekNothing, PeekEverything,
    buffered, buffered_little, Raw,
]  # fmt: skip
OF_OURS = [*FILES, BytesLike, Short, ShortReadinto]


@pytest.mark.costly
@pytest.mark.parametrize("make", OF_OURS, ids=lambda make: make.__name__)
def test_pickles_in_a_row(unpickling, protocol, make):
    """The position is right behind each."""
    data, ends = b"", []
    varied = objects(protocol, make in (Raw, Short, ShortReadinto))
    for obj in varied:
        data += pickle.dumps(obj, protocol)
        ends.append(len(data))
    file = make(data + b"what follows")
    for obj, end in zip(varied, ends, strict=True):
        assert unpickling.load(file) == obj
        assert file.tell() == end
    assert file.read(4) == b"what"


@pytest.mark.costly
@pytest.mark.parametrize("make", OF_OURS, ids=lambda make: make.__name__)
def test_by_one_unpickler(unpickling, protocol, make):
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol)
    varied = objects(protocol, make in (Raw, Short, ShortReadinto))
    for obj in (*varied, *varied):
        pickler.dump(obj)
    loaded_from = make(file.getvalue())
    unpickler = unpickling.Unpickler(loaded_from)
    loaded = [unpickler.load() for _ in range(2 * len(varied))]
    half = len(varied)
    assert loaded[:half] == varied
    assert all(a is b for a, b in zip(loaded[:half], loaded[half:], strict=True))
    with pytest.raises(EOFError):
        unpickler.load()


@pytest.mark.costly
@pytest.mark.parametrize("make", OF_OURS, ids=lambda make: make.__name__)
def test_what_ends_too_early(unpickling, make):
    for protocol in (0, 2, 4, 5):
        data = pickle.dumps(OBJECTS[1], protocol)
        for size in range(len(data)):
            with pytest.raises((EOFError, pickle.UnpicklingError)) as caught:
                unpickling.load(make(data[:size]))
            text = str(caught.value)
            assert "Ran out of input" in text or "truncated" in text or "frame" in text


@pytest.mark.costly
@only_c
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_frames_that_are_wrong(unpickling, make):
    """Too short, too long, one in another: as by the interpreter's own, from the same file."""
    bodies = [
        b"K\5.", text("abc") + b".", b"X\3\0\0\0abc.", b"C\3abc.", b"I12\n.", b"cos\nsep\n.",
        b"\x96\3\0\0\0\0\0\0\0abc.", frame(2) + b"N.", b"N0" + frame(1) + b"N.", b"\x8a\2\1\1.",
        b"C\3abc" + frame(2) + b"N.", b"B\0\0\0\0.", b"](K\1K\2e.",
    ]  # fmt: skip
    for body in bodies:
        for size in range(len(body) + 3):
            data = frame(size) + body + b"K\7." + frame(3) + b"K\6."
            results = []
            for module in (unpickling, pickle):
                file = make(data)
                unpickler = module.Unpickler(file)
                first = load_outcome(unpickler.load)
                position = file.tell() if type(first) is list else None
                second = load_outcome(unpickler.load) if type(first) is list else None
                results.append((first, position, second))
            ours, theirs = results
            assert ours == theirs or is_without_the_memory(ours[0], theirs[0]), (body, size)
            assert_same_load(unpickling, data)


@pytest.mark.costly
@pytest.mark.parametrize("protocol_of_file", [2, 5])
def test_files_of_the_system(unpickling, tmp_path, protocol_of_file):
    path = tmp_path / "file"
    data = b"".join(pickle.dumps(obj, protocol_of_file) for obj in OBJECTS)
    path.write_bytes(data)
    for buffering in (-1, 0, 1000, 1 << 20):
        with open(path, "rb", buffering=buffering) as file:
            assert [unpickling.load(file) for _ in OBJECTS] == OBJECTS
            assert file.tell() == len(data)
    with gzip.open(tmp_path / "file.gz", "wb") as packed:
        packed.write(data)
    with gzip.open(tmp_path / "file.gz", "rb") as packed:
        assert [unpickling.load(packed) for _ in OBJECTS] == OBJECTS
    with open(path, encoding="latin-1") as as_text, pytest.raises(TypeError):
        unpickling.load(as_text)


def written_slowly(write, close, data):
    def run():
        for i in range(0, len(data), 5000):
            write(data[i : i + 5000])
        close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.costly
@pytest.mark.parametrize("buffering", [0, -1])
def test_pipes(unpickling, protocol, buffering):
    varied = objects(protocol, buffering == 0)
    data = b"".join(pickle.dumps(obj, protocol) for obj in varied)
    reading, writing = os.pipe()
    thread = written_slowly(lambda part: os.write(writing, part), lambda: os.close(writing), data)
    with open(reading, "rb", buffering=buffering) as file:
        assert [unpickling.load(file) for _ in varied] == varied
        with pytest.raises(EOFError):
            unpickling.load(file)
    thread.join()


@pytest.mark.costly
@pytest.mark.parametrize("buffering", [0, None])
def test_sockets(unpickling, protocol, buffering):
    varied = objects(protocol, buffering == 0)
    data = b"".join(pickle.dumps(obj, protocol) for obj in varied)
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb", buffering=buffering) as file:
        thread = written_slowly(theirs.sendall, lambda: theirs.shutdown(socket.SHUT_WR), data)
        assert [unpickling.load(file) for _ in varied] == varied
        thread.join()


def test_no_more_is_read_than_needed(unpickling):
    """A pipe whose writer waits for an answer must not block."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as file, open(writing, "wb", buffering=0) as other:
        for protocol in range(6):
            for obj in (1, "text", [1, 2, {"a": b"b"}], "x" * 5000):
                other.write(pickle.dumps(obj, protocol))
                assert unpickling.load(file) == obj


@only_c
@pytest.mark.parametrize("make", [OnlyNeeded, WithReadinto])
def test_what_is_asked_of_a_file(unpickling, make):
    """Frames and payloads are asked for at once, and nothing else."""
    data = pickle.dumps([["x"] * 100, {"y": 2}, "z" * 5000], 5)
    ours, theirs = make(data), make(data)
    unpickling.load(ours)
    pickle.load(theirs)
    assert sum(ours.asked) == sum(theirs.asked)


@only_c
def test_lengths_that_are_too_large_in_frames(unpickling):
    """Which error comes first: that of the length, or that of the frame."""
    for code in (op.BINUNICODE8, op.BINBYTES8, op.BYTEARRAY8, op.FRAME):
        for length in (sys.maxsize, (1 << 64) - 1, 1 << 63):
            for size in (9, 10, 14, 3):
                data = frame(size) + code + length.to_bytes(8, "little") + b"abcdefgh."
                assert_same_load(unpickling, data)


# --- files that fail


class Fails(OnlyNeeded):
    """Raises at its n-th call."""

    left = 0

    def step(self):
        if self.left == 0:
            raise LookupError("the file has failed")
        self.left -= 1

    def read(self, n):
        self.step()
        return super().read(n)

    def readline(self):
        self.step()
        return super().readline()


class FailsWithReadinto(Fails):
    def readinto(self, buffer):
        self.step()
        return self.file.readinto(buffer)


class FailsWithPeek(FailsWithReadinto):
    def peek(self, n):
        self.step()
        return WithPeek.peek(self, n)


VARIED = [1, "two", b"x" * 300, bytearray(b"y" * 300), {"a": (1.5, None)}, 2**100, range, [[]]]


@pytest.mark.parametrize("make", [Fails, FailsWithReadinto, FailsWithPeek])
def test_each_call_of_a_file_fails_in_turn(unpickling, protocol, make):
    data = pickle.dumps(VARIED, protocol)
    failures = 0
    while True:
        file = make(data)
        file.left = failures
        unpickler = unpickling.Unpickler(file)
        try:
            assert unpickler.load() == VARIED
            break
        except LookupError:
            failures += 1
            assert unpickler.memo.copy() == {}
            unpickler.__init__(io.BytesIO(data))
            assert unpickler.load() == VARIED
    assert failures > 3


@only_c
def test_each_call_fails_as_by_the_standard_one(unpickling):
    """With the same exception; an UnpicklingError of a file may be taken for the end."""
    for error in (LookupError("x"), pickle.UnpicklingError("x"), EOFError("x"), OSError(5, "x")):
        for data in (b"K\5.", b"cos\nsep\n.", frame(3) + b"K\5.", b"C\3abc.", b"X\3\0\0\0abc."):
            for n in range(7):
                results = []
                for module in (unpickling, pickle):
                    file = Fails(data)
                    file.left = n

                    def step(file=file, error=error):
                        if file.left == 0:
                            raise error
                        file.left -= 1

                    file.step = step
                    results.append(outcome(lambda: module.load(file)))  # noqa: B023
                assert results[0] == results[1], (data, n, error)


RESULTS = [None, "text", 5, [b"x"], b"", object()]


@only_c
@pytest.mark.parametrize("result", RESULTS, ids=lambda r: type(r).__name__)
def test_wrong_results_of_methods(unpickling, result):
    class Wrong(OnlyNeeded):
        def read(self, n):
            return result

    ours = outcome(lambda: unpickling.load(Wrong(b"")))
    assert ours == outcome(lambda: pickle.load(Wrong(b"")))

    class WrongLine(OnlyNeeded):
        def readline(self):
            return result

    ours = outcome(lambda: unpickling.load(WrongLine(b"cos\n")))
    assert ours == outcome(lambda: pickle.load(WrongLine(b"cos\n")))


@pytest.mark.parametrize("result", [None, "text", -1, -(1 << 70), 1.5], ids=str)
def test_wrong_results_of_readinto(unpickling, result):
    class Wrong(OnlyNeeded):
        def readinto(self, buffer):
            return result

    with pytest.raises((TypeError, ValueError, OverflowError)):
        unpickling.load(Wrong(b"\x96\5\0\0\0\0\0\0\0abcde."))


def test_a_readinto_that_says_too_much(unpickling):
    class Wrong(OnlyNeeded):
        def readinto(self, buffer):
            return len(buffer) + 1000

    result = outcome(lambda: unpickling.load(Wrong(b"\x96\5\0\0\0\0\0\0\0.")))
    assert type(result) is bytearray or issubclass(result[0], Exception)


@pytest.mark.parametrize("result", [None, "text", 5], ids=str)
def test_wrong_results_of_peek(unpickling, result):
    class Wrong(OnlyNeeded):
        def peek(self, n):
            return result

    with pytest.raises(TypeError, match="bytes-like"):
        unpickling.load(Wrong(b"N."))


def test_a_read_that_gives_too_much(unpickling):
    class Much(OnlyNeeded):
        def read(self, n):
            return self.file.read(n + 1000)

    assert describe(unpickling.load(Much(b"](K\1K\2e."))) == describe([1, 2])


# --- lengths that are not there


# Not more than can be counted, where that is another error.
_COUNT4 = b"\xff\xff\xff\x7f" if sys.maxsize > 2**32 else b"\0\0\0\x40"
_COUNT8 = b"\0\0\0\0\0\1\0\0" if sys.maxsize > 2**32 else b"\0\0\0\x40\0\0\0\0"
LIES = [
    *(opcode + _COUNT4 for opcode in (op.BINBYTES, op.BINUNICODE, op.BINSTRING, op.LONG4)),
    *(opcode + _COUNT8 for opcode in (op.BINBYTES8, op.BINUNICODE8, op.BYTEARRAY8, op.FRAME)),
]


def assert_cheaply_truncated(unpickling, file, lie):
    tracemalloc = pytest.importorskip("tracemalloc")
    tracemalloc.start()
    try:
        with pytest.raises(pickle.UnpicklingError, match="truncated"):
            unpickling.load(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20, lie


@pytest.mark.parametrize("make", OF_OURS, ids=lambda make: make.__name__)
def test_declared_lengths_are_not_believed(unpickling, make):
    """They cost what is there, and no more: the largest piece that is asked for is small."""
    for lie in LIES:
        file = make(lie + b"x" * 100)
        assert_cheaply_truncated(unpickling, file, lie)
        if isinstance(file, OnlyNeeded):
            assert max(file.asked) <= 4 << 20


def test_declared_lengths_of_bytes_are_not_believed(unpickling):
    for lie in LIES:
        with pytest.raises(pickle.UnpicklingError, match="truncated"):
            unpickling.loads(lie + b"x" * 100)


@pytest.mark.parametrize("make", [io.BytesIO, OnlyNeeded, WithReadinto, Short, buffered])
@pytest.mark.parametrize("kind", [bytes, bytearray, str])
def test_large_payloads(unpickling, make, kind):
    obj = "x" * 5_000_000 if kind is str else kind(b"x" * 5_000_000)
    if make is Short:
        obj = obj[:50_000]
    assert unpickling.load(make(pickle.dumps(obj, 5))) == obj


@pytest.fixture(params=[-1, 0, 100_000], ids="buffering={}".format)
def open_regular(request, tmp_path):
    """Opens a regular file with this content: it is known how much that has."""

    def open_it(data):
        path = tmp_path / "large.pkl"
        path.write_bytes(data)
        return open(path, "rb", buffering=request.param)

    return open_it


@pytest.mark.costly
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "obj",
    [b"\xff" * 3_000_000, bytearray(b"b" * 3_000_000), "x" * 3_000_000, "é" * 3_000_000],
    ids=["bytes", "bytearray", "ASCII", "not ASCII"],
)
def test_large_payloads_of_regular_files(unpickling, open_regular, protocol, obj):
    data = pickle.dumps([1, obj, obj[:100], obj], protocol)
    with open_regular(data + data + b"rest") as file:
        for end in len(data), 2 * len(data):
            loaded = unpickling.load(file)
            assert loaded == [1, obj, obj[:100], obj]
            assert type(loaded[1]) is type(obj)
            assert file.tell() == end
        assert file.read() == b"rest"


def test_declared_lengths_are_not_believed_of_regular_files(unpickling, open_regular):
    for lie in LIES:
        with open_regular(b"K\1." + lie + b"x" * 2_000_000) as file:
            assert unpickling.load(file) == 1
            assert_cheaply_truncated(unpickling, file, lie)


@pytest.mark.parametrize("wrong", [0, 1_500_000, 2_999_999])
def test_a_large_str_that_is_not_valid(unpickling, open_regular, wrong):
    """The next load goes on behind it, as in the reference."""
    content = bytearray(b"x" * 3_000_000)
    content[wrong] = 0xFF
    data = b"X" + len(content).to_bytes(4, "little") + content + b"K\1."
    results = []
    for load in pickle.load, unpickling.load:
        with open_regular(data) as file:
            results.append((outcome(lambda: load(file)), file.tell(), load(file)))  # noqa: B023
    assert results[0] == results[1]


def test_a_large_str_in_a_frame_that_ends_in_it(unpickling, open_regular):
    """Up to 3.13 the rest of the frame is lost, later it is an error: as in the reference."""
    for size in 1_500_000, 2_500_000:
        payload = b"X" + size.to_bytes(4, "little") + b"x" * size
        data = b"\x80\4" + frame(1_000_000) + payload + b"y" * 2_000_000
        results = []
        for load in pickle.load, unpickling.load:
            with open_regular(data + b".") as file:
                results.append(outcome(lambda: load(file)))  # noqa: B023
        assert results[0] == results[1]
