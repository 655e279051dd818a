"""Faults from outside, each at every place: writes that fail, and memory that cannot be had.

After each the exception comes out, the Pickler is as it was before, and its next dump is whole.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import errno
import functools
import gc
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
import types
import warnings
from collections import OrderedDict
from dataclasses import dataclass

import pytest

import quickpickle.pure
from leak_counts import REPEATED, lost_by, only_new_objects

pytestmark = pytest.mark.slow

try:
    import _testcapi
except (ImportError, OSError):  # left out by some builders of CPython; PyPy would compile it
    _testcapi = None


@dataclass
class Record:
    name: str
    values: list


class Slots:
    __slots__ = ("one", "two")


class Stateful:
    def __getstate__(self):
        return {"state": [1, "two"]}


class Reduced:
    def __reduce__(self):
        return list, (), None, iter(["a", "b"])


def varied(protocol=None):
    """One of everything that allocates in its own way."""
    slots = Slots()
    slots.one, slots.two = 1.5, [slots]
    if protocol in (0, 1):  # which refuse slots
        slots = [slots.one, [1]]
    cyclic = ([], "in a cycle")
    cyclic[0].append(cyclic)
    return [
        ["text", "é", 2**70, -1, 1.5, b"bytes", bytearray(b"array"), None, True],
        {"key": {1, 2}, ("t", 1): frozenset("f"), "nested": {"a": (), "b": (1, 2, 3, 4)}},
        cyclic,
        slots,
        Stateful(),
        Reduced(),
        Record("name", [Record("inner", [])]),
        OrderedDict(a=1),
        dt.datetime(2026, 1, 2),
        1j,
        len,
        Record,
        pickle.UnpicklingError("an", "exception"),
        [str(i) for i in range(50)],
    ]


class Hooked:
    """Mixed into a Pickler: hooks of every kind, that take part without changing anything."""

    dispatch_table = copyreg.dispatch_table.copy()

    def persistent_id(self, obj):
        return ("id", [1]) if type(obj) is float else None

    def reducer_override(self, obj):
        return NotImplemented


@pytest.fixture(params=["plain", "hooks"])
def pickler_class(request, implementation):
    base = implementation.Pickler
    return base if request.param == "plain" else type("WithHooks", (Hooked, base), {})


class Failing:
    """A file whose write fails at its `at`-th call, having taken a part of the data or not."""

    def __init__(self, error=None, takes=None):
        self.data = bytearray()
        self.calls = 0
        self.at = 0
        self.error = error
        self.takes = takes

    def write(self, data):
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        taken = len(data) if self.takes is None else min(self.takes, len(data))
        self.data += memoryview(data)[:taken]
        return taken

    def begin(self, at):
        self.data.clear()
        self.calls, self.at = 0, at


FAULTS = {
    "disk full": (OSError(errno.ENOSPC, "No space left on device"), None),
    "Ctrl-C": (KeyboardInterrupt(), None),
    "exit": (SystemExit(3), None),
    "disk full after parts": (OSError(errno.ENOSPC, "No space left on device"), 30_000),
    "Ctrl-C after bytes": (KeyboardInterrupt(), 7),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_write_fails_in_turn(pickler_class, protocol, fault):
    error, takes = FAULTS[fault]
    obj = varied(protocol)
    if takes != 7:
        obj += [b"b" * 70_000, [str(i) for i in range(10_000)], "s" * 70_000, "last"]
    elif protocol == 0:
        obj = obj[:2]
    known = ["known"]
    file = Failing(error, takes)
    pickler = pickler_class(file, protocol)
    pickler.dump(known)
    before = pickler.memo.copy()
    file.begin(0)
    pickler.dump(obj)
    whole, calls = bytes(file.data), file.calls
    assert calls >= (1 if protocol == 0 and takes is None else 2)
    for at in range(1, calls + 1):
        pickler.memo = before
        file.begin(at)
        with pytest.raises(type(error)) as caught:
            pickler.dump(obj)
        assert caught.value is error
        assert file.calls == at
        assert whole.startswith(file.data)
        assert pickler.memo.copy() == before
    file.begin(0)
    pickler.dump(obj)
    assert file.data == whole


def test_a_write_that_blocks(implementation, protocol):
    """Others run meanwhile; the dump goes on when the write does, and Ctrl-C ends it."""
    entered, leave = threading.Event(), threading.Event()

    class Blocks(io.BytesIO):
        def write(self, data):
            entered.set()
            assert leave.wait(30)
            return super().write(data)

    file = Blocks()
    obj = varied(protocol)
    thread = threading.Thread(target=implementation.dump, args=(obj, file, protocol))
    thread.start()
    assert entered.wait(30)
    assert implementation.dumps("meanwhile", protocol) == pickle.dumps("meanwhile", protocol)
    leave.set()
    thread.join(30)
    assert file.getvalue() == pickle.dumps(obj, protocol)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="the system has no such signals")
def test_ctrl_c_while_a_write_blocks(implementation, protocol):
    """A full pipe that nobody reads."""
    done = threading.Event()

    def handle(number, frame):
        if not done.is_set():
            raise KeyboardInterrupt

    def interrupt():
        while not done.wait(0.1):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    reading, writing = os.pipe()
    handler = signal.signal(signal.SIGINT, handle)
    thread = threading.Thread(target=interrupt)
    try:
        with open(writing, "wb", buffering=0) as file:
            pickler = implementation.Pickler(file, protocol)
            thread.start()
            with pytest.raises(KeyboardInterrupt):
                pickler.dump(["x" * 10_000_000, b"y" * 100_000])
            done.set()
            assert pickler.memo.copy() == {}
    finally:
        done.set()
        thread.join()
        signal.signal(signal.SIGINT, handler)
        os.close(reading)


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="the system has no such files")
def test_a_file_that_does_not_block(implementation, protocol):
    """It says None where it takes nothing, which is no reason to lose the rest in silence."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb"), open(writing, "wb", buffering=0) as file:
        pickler = implementation.Pickler(file, protocol)
        with pytest.raises(BlockingIOError, match="does not block"):
            pickler.dump(["x" * 10_000_000, "y"])
        assert pickler.memo.copy() == {}


# --- memory


def fail_allocations(start, stop, action):
    """The exception of `action` where the allocations from `start` to `stop` fail, or None."""
    set_nomemory, remove_hooks = _testcapi.set_nomemory, _testcapi.remove_mem_hooks
    error = None
    callbacks = gc.callbacks[:]  # of Hypothesis, which have no memory either
    gc.callbacks.clear()
    set_nomemory(start, stop)
    try:
        action()
        remove_hooks()
    except BaseException as caught:
        remove_hooks()
        error = caught
    # The frames hold this one, and so the errors, of which the interpreter keeps some for good:
    # the same one may come up twice in a chain.
    chain = []
    raised = error
    while raised is not None and not any(raised is other for other in chain):
        chain.append(raised)
        raised.__traceback__ = None
        raised = raised.__context__
    gc.callbacks.extend(callbacks)
    return error


def without_memory(test):
    """A test that lets allocations fail: in a process of its own, where they are only the test's.

    pytest-xdist has a thread beside the tests, and a crash would end the tests that follow.
    """

    @functools.wraps(test)
    def run(**arguments):
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that there are other threads
            child = os.fork()
        if child == 0:
            try:
                test(**arguments)
            except BaseException:
                os.write(writing, traceback.format_exc()[-4000:].encode())
            else:
                os.write(writing, b"done")
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, "rb") as file:
            result = file.read().decode()
        _, status = os.waitpid(child, 0)
        assert result == "done", result or f"the process ended with {status}"

    has_all = hasattr(_testcapi, "set_nomemory") and hasattr(os, "fork")
    reason = "this interpreter has no _testcapi, or this system no fork()"
    return pytest.mark.skipif(not has_all, reason=reason)(run)


# An import that fails for lack of memory is a PicklingError before 3.14, as with the standard.
_NO_MEMORY = (MemoryError, pickle.PicklingError)
_LAST = 25  # dumps that succeed one after the other: there is no allocation left to fail


@without_memory
def test_no_memory_where_payloads_were_held_back(implementation):
    """An int was given up twice, as Cython's list comprehensions do where there is no memory."""
    words = ["word" * 100, "word" * 100]  # so that the place of what is held is no small int
    obj = [words, words, bytearray(70_000)]
    expected = implementation.dumps(obj, 5, compact=True)
    at = succeeded = 0
    while succeeded < _LAST:
        results = []
        error = fail_allocations(
            at,
            at + 1,
            lambda: results.append(implementation.dumps(obj, 5, compact=True)),  # noqa: B023
        )
        if error is None:
            assert results == [expected]
        else:
            assert isinstance(error, _NO_MEMORY), error
        succeeded = succeeded + 1 if error is None else 0
        assert len({10**6 + i for i in range(3000)}) == 3000  # in the memory that was given up
        at += 1


@without_memory
def test_a_tuple_for_which_there_is_no_memory(implementation):
    """It had begun, and has no number: what later lies at its address is not taken for it."""

    def nest(i):
        tuples = [(i, [i])]
        for j in range(18):  # more than the stack of work can hold at first
            tuples.append((tuples[-1], [j], i))
        return tuples

    for at in range(6):
        picklers = {}
        nested = []
        for i in range(1500):
            pickler = implementation.Pickler(types.SimpleNamespace(write=len))
            nested.append(nest(i))
            picklers.update((id(obj), pickler) for obj in nested[-1])
            fail_allocations(at, at + 1, lambda: pickler.dump(nested[-1][-1]))  # noqa: B023
        nested.clear()
        gc.collect()
        strings = ["x" * size + str(i) for i in range(6000) for size in range(0, 60, 6)]
        for text in strings:
            if id(text) in picklers:
                picklers[id(text)].dump(text)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_objects_removed_while_memory_runs_out(implementation):
    """Up to CPython 3.11 to raise a MemoryError may run the collector."""
    program = """
import gc, importlib, io, resource, sys
pickler = importlib.import_module(sys.argv[1])
large = bytes(1 << 28)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), -1))

def collected(phase, info):
    global count, junk
    if phase == "start":
        count += 1
        if count == at:
            inner.clear()
            junk = [[i] for i in range(100)]

inner, failed, count, at = [], 0, 0, 0
gc.callbacks.append(collected)
for at in range(1, 40):
    inner = [*([float(i)] for i in range(1000)), bytes(60_000), large, 7]
    count = 0
    threshold = gc.get_threshold()
    gc.collect()
    count = 0
    gc.set_threshold(1)
    try:
        pickler.dumps(inner)
    except MemoryError:
        failed += 1
    except RuntimeError:
        pass  # it changed
    finally:
        gc.set_threshold(*threshold)
assert failed
"""
    command = [sys.executable, "-c", program, implementation.__name__]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONMALLOC": "debug"})


class ManySlots:
    __slots__ = tuple(f"slot{i}" for i in range(40))


@without_memory
def test_values_of_slots_for_which_there_is_no_memory(implementation):
    def make():
        obj = ManySlots()
        for name in obj.__slots__:
            setattr(obj, name, name)
        obj.slot20 = [[1]]  # what is before it needs no stack
        return obj

    implementation.dumps([make(), make()])
    for at in range(60):
        items = [make(), make()]
        fail_allocations(at, at + 1, lambda: implementation.dumps(items))  # noqa: B023


@pytest.mark.parametrize("failing", [1, 5])  # not for ever: that ends CPython itself
@pytest.mark.parametrize("protocol", [0, 2, 5], ids="protocol{}".format)
@without_memory
def test_every_allocation_fails_in_turn(pickler_class, protocol, failing, implementation):
    obj = varied(protocol)
    known = ["known"]
    chunks = []  # a BytesIO that cannot grow is closed by that
    pickler = pickler_class(types.SimpleNamespace(write=chunks.append), protocol)
    pickler.dump(known)
    before = pickler.memo.copy()

    def begin():
        chunks.clear()
        pickler.memo = before

    begin()
    pickler.dump(obj)
    whole = b"".join(chunks)

    def dump():
        pickler.dump(obj)

    def every_one():
        start = succeeded = 0
        while succeeded < _LAST:
            begin()
            error = fail_allocations(start, start + failing, dump)
            if error is None:
                succeeded += 1
                assert b"".join(chunks) == whole
            else:
                succeeded = 0
                assert isinstance(error, _NO_MEMORY), error
                assert pickler.memo.copy() == before
                if start % 10 == 0:
                    begin()
                    pickler.dump(obj)
                    assert b"".join(chunks) == whole
            start += 1
        return start

    count = every_one()
    native = None if implementation is quickpickle.pure else implementation.Pickler
    assert count > _LAST + 20
    # Each failure is repeated, as what the interpreter keeps for itself grows a little at first.
    # In Python there are references to lose only in the interpreter.
    if protocol == 5 and failing == 1 and pickler_class is native:
        with only_new_objects():
            for start in range(count):

                def repeat(start=start):
                    for _ in range(REPEATED):
                        begin()
                        fail_allocations(start, start + 1, dump)

                assert lost_by(repeat) < REPEATED, start


@without_memory
def test_every_allocation_of_dumps_fails_in_turn(implementation, protocol):
    obj = varied(protocol)
    whole = implementation.dumps(obj, protocol)
    start = succeeded = 0
    while succeeded < _LAST:
        error = fail_allocations(start, start + 1, lambda: implementation.dumps(obj, protocol))
        succeeded = succeeded + 1 if error is None else 0
        assert error is None or isinstance(error, _NO_MEMORY), error
        start += 1
    assert start > _LAST + 20
    assert implementation.dumps(obj, protocol) == whole


@without_memory
def test_a_path_is_untouched_where_memory_runs_out(implementation, tmp_path):
    """The target is what it was, or the whole new file; nothing is left beside it."""
    path = tmp_path / "target.pickle"
    name = str(path)
    obj = varied()
    whole = implementation.dumps(obj)
    start = succeeded = failed = 0
    while succeeded < _LAST:
        path.write_bytes(b"old")
        error = fail_allocations(start, start + 1, lambda: implementation.dump(obj, name))
        if error is None:
            succeeded += 1
            assert path.read_bytes() == whole
        else:
            succeeded, failed = 0, failed + 1
            # The interpreter's files have exceptions of their own for it.
            assert isinstance(error, (*_NO_MEMORY, OSError, RuntimeError)), error
            assert path.read_bytes() in (b"old", whole)
        assert os.listdir(tmp_path) == ["target.pickle"]
        start += 1
    assert failed > 50


def test_writes_to_a_path_fail_in_turn(implementation, tmp_path, monkeypatch):
    path = tmp_path / "target.pickle"
    path.write_bytes(b"old")
    obj = [*varied(), b"b" * 100_000, [str(i) for i in range(40_000)]]

    class Fails:
        def __reduce__(self):
            raise KeyboardInterrupt

    for at in range(len(obj) + 1):
        with pytest.raises(KeyboardInterrupt):
            implementation.dump([*obj[:at], Fails(), *obj[at:]], path)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["target.pickle"]
    gc.collect()
    implementation.dump(obj, path)
    assert path.read_bytes() == implementation.dumps(obj)
    assert sys.exc_info() == (None, None, None)
