"""Frames, and the file: what is written when, and files that take less than they are given."""

from __future__ import annotations

import ctypes
import io
import os
import pickle
import pickletools
import signal
import socket
import subprocess
import sys
import types

import pytest

from differential import PYPY, assert_same

TARGET = 64 * 1024
NEAR_TARGET = [TARGET + delta for delta in (-12, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2)]


@pytest.mark.parametrize("size", NEAR_TARGET)
def test_objects_about_as_large_as_a_frame(implementation, protocol, size):
    for obj in (
        "x" * size,
        b"x" * size,
        bytearray(size),
        ["x" * size, 1],
        [1, b"x" * size, b"x" * size, {}],
        ("x" * (size // 2), "y" * (size - size // 2), None),
        [bytearray(size), bytearray(size)],
    ):
        assert_same(implementation, lambda o=obj: o, protocol)


@pytest.mark.parametrize("size", [TARGET // 2 + delta for delta in range(-12, 3)])
def test_frame_boundaries_between_objects(implementation, size):
    for step in range(6):
        obj = ["x" * size, "y" * (size - step), ["z"], {"k": "v" * TARGET}, None, (1, 2)]
        assert_same(implementation, lambda o=obj: o, 4)


@pytest.mark.costly
def test_many_frames(implementation, protocol):
    assert_same(implementation, lambda: [str(i) for i in range(100_000)], protocol)


def test_a_frame_of_less_than_four_bytes_is_left_out(implementation):
    assert implementation.dumps(None, 4) == b"\x80\x04N."
    assert b"\x95" not in implementation.dumps(5, 4)
    assert b"\x95" in implementation.dumps(300, 4)


class Recorder:
    """A file that keeps what it was given, as it was given, and says what it took."""

    def __init__(self, takes=lambda size: size):
        self.writes = []
        self.takes = takes
        self.data = bytearray()

    def write(self, data):
        view = memoryview(data).cast("B")
        taken = self.takes(len(view))
        self.writes.append(data)
        self.data += view[:taken] if type(taken) is int and taken >= 0 else view
        return taken


OBJECT = [
    ["x"] * 30_000,
    b"b" * 70_000,
    "s" * 70_000,
    bytearray(70_000),
    list(range(30_000)),
    {i: str(i) for i in range(3000)},
]


def test_large_objects_go_to_the_file_without_a_copy(implementation):
    large = bytes(100_000)
    array = bytearray(100_000)
    file = Recorder()
    implementation.Pickler(file, 5).dump([large, array, pickle.PickleBuffer(array)])
    assert any(data is large for data in file.writes)
    assert any(data is array for data in file.writes)
    assert any(type(data) is memoryview and data.obj is array for data in file.writes)
    assert bytes(file.data) == pickle.dumps([large, array, pickle.PickleBuffer(array)], 5)


def test_the_argument_of_write_does_not_change_later(implementation, protocol):
    file = Recorder()
    implementation.Pickler(file, protocol).dump(OBJECT)
    assert b"".join(bytes(data) for data in file.writes) == pickle.dumps(OBJECT, protocol)


@pytest.mark.costly
def test_the_buffer_stays_small(implementation, protocol):
    # Unlike CPython's, below protocol 4 too.
    file = Recorder()
    implementation.Pickler(file, protocol).dump([f"item {i}" for i in range(100_000)])
    assert max(len(data) for data in file.writes) < 2 * TARGET


@pytest.mark.costly
@pytest.mark.parametrize(
    "takes",
    [
        lambda size: 1,
        lambda size: min(size, 7),
        lambda size: max(1, size // 2),
        lambda size: max(1, size - 1),
        lambda size: size,
        lambda size: size + 1,
        lambda size: None,
        lambda size: "all",
        lambda size: -1,
        lambda size: True,
    ],
    ids=["1", "7", "half", "all-but-one", "all", "too-many", "None", "str", "negative", "True"],
)
def test_short_writes(implementation, protocol, takes):
    file = Recorder(takes)
    obj = OBJECT if takes(100) != 1 else ["small", b"b" * 70_000]
    if protocol == 0 and takes(100) == 1:
        obj = ["small"]
    implementation.dump(obj, file, protocol)
    assert bytes(file.data) == pickle.dumps(obj, protocol)


def test_a_write_that_takes_nothing(implementation):
    with pytest.raises(OSError, match="took none of"):
        implementation.dump([1, 2, 3], Recorder(lambda size: 0))


def test_a_write_that_counts_with_an_integer_of_its_own(implementation, protocol):
    class Count:
        def __init__(self, value):
            self.value = value

        def __index__(self):
            return self.value

    class File:
        data = b""

        def write(self, data):
            self.data += bytes(memoryview(data).cast("B")[:5])
            return Count(min(5, memoryview(data).nbytes))

    file = File()
    implementation.dump(["a", b"b" * 100], file, protocol)
    assert file.data == pickle.dumps(["a", b"b" * 100], protocol)


def test_unbuffered_file(implementation, protocol, tmp_path):
    with open(tmp_path / "pickle", "wb", buffering=0) as file:
        implementation.dump(OBJECT, file, protocol)
    assert (tmp_path / "pickle").read_bytes() == pickle.dumps(OBJECT, protocol)


def test_pipe_and_socket(implementation):
    import threading

    obj = ["x" * 1000, b"y" * 300_000]
    for kind in ("pipe", "socket"):
        if kind == "pipe":
            reading, writing = os.pipe()
            source, sink = os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0)
        else:
            left, right = socket.socketpair()
            source, sink = left.makefile("rb"), right.makefile("wb", buffering=0)
            left.close()
            right.close()
        received = []
        with source:
            thread = threading.Thread(target=lambda s=source, r=received: r.append(pickle.load(s)))
            thread.start()
            with sink:
                implementation.dump(obj, sink)
            thread.join()
        assert received == [obj]


@pytest.mark.costly
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=repr)
def test_a_failing_write_leaves_the_pickler_usable(implementation, protocol, error):
    class Full:
        failing = False

        def __init__(self):
            self.data = b""

        def write(self, data):
            if self.failing:
                raise error
            self.data += data

    file = Full()
    pickler = implementation.Pickler(file, protocol)
    known = ["known"]
    pickler.dump(known)
    before = pickler.memo.copy()
    assert len(before) == 2
    for obj in (["new", known], ["x" * 100, b"b" * 100_000], [str(i) for i in range(100_000)]):
        file.failing = True
        with pytest.raises(type(error)):
            pickler.dump(obj)
        assert pickler.memo.copy() == before
        file.failing, file.data = False, b""
        pickler.dump([known, "new"])
        pickletools.dis(file.data, io.StringIO(), memo={0: None, 1: None})
        pickler.memo = before
        assert pickler.memo.copy() == before


@pytest.mark.skipif(PYPY, reason="PyPy has no ctypes.pythonapi")
def test_ctrl_c_in_the_middle(implementation):
    """Signals that came while no code of Python ran are looked at between two frames."""
    interrupt = ctypes.pythonapi.PyErr_SetInterrupt  # runs no code of Python either
    interrupt.restype = None
    file = types.SimpleNamespace(write=interrupt)
    pickler = implementation.Pickler(file, 5)
    # A process started in the background ignores SIGINT.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            pickler.dump(["x" * 1000] + [str(i) for i in range(50_000)])
    finally:
        signal.signal(signal.SIGINT, handler)
    assert pickler.memo.copy() == {}


@pytest.mark.skipif(PYPY, reason="PyPy has no ctypes.pythonapi")
def test_ctrl_c_before_a_write(implementation, protocol):
    """A write that blocks ends by what comes then, not by what came while no code of Python ran."""
    interrupt = ctypes.pythonapi.PyErr_SetInterrupt
    interrupt.restype = None
    written = []
    pickler = implementation.Pickler(types.SimpleNamespace(write=written.append), protocol)
    pickler.persistent_id = interrupt
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            pickler.dump(1)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert written == []


def test_a_file_with_a_write_of_its_own(implementation, protocol, tmp_path):
    """That of the class is called without asking the file, where it has no other."""
    for file in (io.BytesIO(), open(tmp_path / "file", "wb")):  # noqa: SIM115  # closed below
        with file:
            implementation.dump("before", file, protocol)
            taken = []
            file.write = taken.append
            implementation.dump(["a" * 10], file, protocol)
            del file.write
            implementation.dump("after", file, protocol)
            assert b"".join(map(bytes, taken)) == pickle.dumps(["a" * 10], protocol)
            if isinstance(file, io.BytesIO):
                written = file.getvalue()
        if not isinstance(file, io.BytesIO):
            written = (tmp_path / "file").read_bytes()
        assert written == pickle.dumps("before", protocol) + pickle.dumps("after", protocol)
        with pytest.raises(ValueError, match="closed"):
            implementation.dump("too late", file, protocol)


@pytest.mark.parametrize("buffer_size", [1, 40, 8192])
def test_a_buffered_file_on_a_file_in_python(implementation, protocol, buffer_size):
    """It is called within the write that has the buffer of the dump, and may dump or fail there."""

    class Raw(io.RawIOBase):
        written, fails = b"", False

        def writable(self):
            return True

        def write(self, data):
            if self.fails:
                raise OSError("no room")
            self.written += data  # a view of what is being written
            assert implementation.dumps(objects, protocol) == expected
            other = io.BytesIO()
            implementation.dump(objects, other, protocol)
            assert other.getvalue() == expected
            return len(data)

    objects = ["x" * 50, 3.5, {"a": "y" * 10_000, "b": "z" * 70_000}, list(range(3000))]
    expected = pickle.dumps(objects, protocol)
    raw = Raw()
    file = io.BufferedWriter(raw, buffer_size)
    for obj in (1, objects, "x" * 100):
        implementation.dump(obj, file, protocol)
        raw.fails = True
        with pytest.raises(OSError, match="no room"):
            implementation.dump("y" * 10_000, file, protocol)
        raw.fails = False
        file.flush()
    for obj in (1, objects, "x" * 100):
        assert pickle.dumps(obj, protocol) in raw.written


@pytest.mark.costly
def test_frames_that_go_to_a_file_together(implementation, protocol, tmp_path):
    """A file of the standard library gets several frames at once: all of them, in order."""
    objects = [str(i) * (i % 30) for i in range(300_000)]
    objects[1000] = objects[200_000] = bytes(70_000)
    expected = pickle.dumps(objects, protocol)
    assert len(expected) > 4_000_000
    with open(tmp_path / "file", "wb") as file:
        implementation.dump(objects, file, protocol)
        implementation.Pickler(file, protocol).dump(objects)
    assert (tmp_path / "file").read_bytes() == expected * 2


MEASURE = """
import gc, importlib, resource, sys
module, kind, path = sys.argv[1:]
dump = importlib.import_module(module).dump
gc.disable()
class Instance:
    def __init__(self, i):
        self.number, self.items = i, [i]
objects = [f"string {i}" if kind == "strings" else Instance(i) for i in range(400_000)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(path, "wb") as file:
    dump(objects, file, 5)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted in other units")
@pytest.mark.parametrize("kind", ["strings", "instances"])
def test_the_memory_that_a_dump_to_a_file_adds(implementation, kind, tmp_path):
    """At most a quarter of what the standard pickler adds, with the compiled implementation."""
    if not implementation.__name__.startswith("quickpickle.compiled"):
        pytest.skip("the Python implementation has a memo of Python objects")
    added = {}
    for module in ("pickle", implementation.__name__):
        command = [sys.executable, "-c", MEASURE, module, kind, str(tmp_path / "file")]
        added[module] = int(subprocess.check_output(command))
    assert added[implementation.__name__] * 4 <= added["pickle"]
