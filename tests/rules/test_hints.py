"""The advice in an exception: for real objects of each cause that is named."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import contextvars
import ctypes
import errno
import io
import mmap
import pickle
import queue
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import ExitStack, suppress

import pytest

from differential import PYPY, outcome
from quickpickle.rules import advice, hints

OPENED = ExitStack()  # what has to be closed


def a_file(*args):
    return opened(tempfile.TemporaryFile(*args))


def opened(resource):
    OPENED.callback(resource.close)
    return resource


@pytest.fixture(autouse=True)
def close():
    yield
    OPENED.close()


def a_generator():
    yield


async def a_coroutine():
    pass


def a_traceback():
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__


def a_local_function():
    def local():
        pass

    return local


def a_local_class():
    class Local:
        pass

    return Local


def a_task():
    async def main():
        task = asyncio.ensure_future(asyncio.sleep(0))
        await task
        return task

    return asyncio.run(main())


def a_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process


def a_connection():
    return opened(sqlite3.connect(":memory:"))


CAUSES = {
    "lock": (threading.Lock, "A lock"),
    "recursive lock": (threading.RLock, "A lock"),
    "lock of _thread": (_thread.allocate_lock, "A lock"),
    "lambda": (lambda: lambda: 0, "A lambda"),
    "local function": (a_local_function, "Functions are pickled by name"),
    "local class": (a_local_class, "Classes are pickled by name"),
    "instance of a local class": (lambda: a_local_class()(), "Classes are pickled by name"),
    "module": (lambda: sys, "A module"),
    "generator": (a_generator, "A generator"),
    "coroutine": (lambda: opened(a_coroutine()), "A coroutine"),
    "frame": (sys._getframe, "Frames"),
    "traceback": (a_traceback, "Frames"),
    "code": (lambda: a_generator.__code__, "Code objects"),
    "text file": (lambda: a_file("w"), "An open file"),
    "raw file": (lambda: a_file("wb", 0), "An open file"),
    "buffered file": (lambda: io.BufferedReader(io.BytesIO()), "An open file"),
    "socket": (lambda: opened(socket.socket()), "A connection"),
    "database connection": (a_connection, "A database connection"),
    "cursor": (lambda: opened(a_connection().cursor()), "A cursor"),
    "thread-local data": (threading.local, "Thread-local data"),
    "queue": (queue.SimpleQueue, "A queue"),
    "task": (a_task, "A future or task"),
    "weak reference": (lambda: weakref.ref(a_generator), "A weak reference"),
    "context variable": (lambda: contextvars.ContextVar("v"), "A context variable"),
    "context": (contextvars.copy_context, "A context variable"),
    "memory map": (lambda: opened(mmap.mmap(-1, 16)), "A memory map"),
    "match": (lambda: re.match("a", "a"), "A match"),
    "pointer": (lambda: ctypes.pointer(ctypes.c_int(3)), "A pointer"),
    "dict view": ({}.keys, "A view"),
    "mapping proxy": (lambda: vars(type), "A read-only view"),
    "memoryview": (lambda: memoryview(b"a"), "A memoryview"),
}
if PYPY:
    del CAUSES["queue"], CAUSES["task"]  # made in Python there: what they hold is refused
    del CAUSES["pointer"]  # its ctypes says otherwise why not, which no hint is for


def skip_what_pypy_pickles(implementation, obj):
    if PYPY and isinstance(outcome(lambda: implementation.dumps(obj)), bytes):
        pytest.skip("PyPy pickles it")


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
@pytest.mark.parametrize("number", [2, 5])
def test_the_note_has_advice(implementation, number, cause):
    make, beginning = cause
    obj = [1, make()]
    skip_what_pypy_pickles(implementation, obj)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        implementation.dumps(obj, number)
    (note,) = caught.value.__notes__
    where, hint = note.split("\n")
    assert where.startswith("pickling failed at obj[1]")
    assert hint.startswith(beginning)
    assert hint.endswith(".")


def test_the_hint_is_that_of_the_instance_where_its_class_is_not_found(implementation):
    # Which of them is refused depends on the version.
    with pytest.raises((TypeError, pickle.PicklingError)) as caught:
        implementation.dumps([threading.Lock()], 0)
    where, hint = caught.value.__notes__[0].split("\n")
    assert where == "pickling failed at obj[0] (type _thread.lock)"
    assert hint.startswith("A lock")


# These hold one of the above, so the path leads into them; the hint is that of what is in there.
HOLDERS = {
    "thread": lambda: threading.Thread(target=print),
    "condition": threading.Condition,
    "event": threading.Event,
    "queue": queue.Queue,
    "process": a_process,
    "executor": lambda: concurrent.futures.ThreadPoolExecutor(1),
    "future": concurrent.futures.Future,
    "event loop": lambda: opened(asyncio.new_event_loop()),
    "weak set": lambda: weakref.WeakSet([a_generator]),
}


@pytest.mark.parametrize("make", HOLDERS.values(), ids=HOLDERS)
def test_objects_that_hold_one_of_them(implementation, make):
    obj = {"x": make()}
    skip_what_pypy_pickles(implementation, obj)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        implementation.dumps(obj)
    (note,) = caught.value.__notes__
    assert "obj['x']" in note.split("\n")[0]
    assert note.count("\n") == 1


def test_a_name_that_leads_elsewhere(implementation):
    def decorated():
        pass

    decorated.__qualname__ = "a_generator"
    with pytest.raises(Exception) as caught:  # noqa: PT011
        implementation.dumps([decorated])
    assert "by its name, which leads elsewhere" in caught.value.__notes__[0]


def test_nothing_to_say(implementation):
    class Raises:
        def __reduce__(self):
            raise ValueError("its own reason")

    with pytest.raises(ValueError, match="its own reason") as caught:
        implementation.dumps([Raises()])
    assert "\n" not in caught.value.__notes__[0]


def test_each_is_one_line_and_a_sentence():
    texts = {*advice.BY_TYPE.values()} | {
        value for name, value in vars(hints).items() if name.isupper() and isinstance(value, str)
    }
    for text in texts:
        assert "\n" not in text
        assert len(text) <= 150


def test_a_metaclass_is_not_asked(implementation):
    class Meta(type):
        def __getattribute__(cls, name):
            if name in ("__module__", "__qualname__", "__name__", "__mro__") and armed:
                raise AssertionError("asked")
            return type.__getattribute__(cls, name)

    class Raises(metaclass=Meta):
        def __reduce_ex__(self, protocol):
            armed.append(1)
            raise ValueError("no")

    armed = []
    with suppress(ValueError):
        implementation.dumps([Raises()])
    with pytest.raises(ValueError, match="no") as caught:
        implementation.dumps([Raises()])
    assert "Raises)" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (TypeError("write() argument must be str, not bytes"), hints._TEXT_FILE),
        (TypeError("string argument expected, got 'bytes'"), hints._TEXT_FILE),
        (TypeError("another message"), None),
        (ValueError("must be str, not bytes"), None),
        (TypeError(1), None),
        (TypeError(), None),
        (io.UnsupportedOperation("write"), hints._READ_ONLY),
        (ValueError("write to closed file"), hints._CLOSED),
        (ValueError("write to closed file", 1), hints._CLOSED),
        (ValueError(1, "write to closed file"), None),
        (ValueError("another message"), None),
        (RuntimeError("write to closed file"), None),
        (OSError(errno.ENOSPC, "No space left on device"), hints._NO_ROOM),
        (OSError(errno.ENOSPC, "No space left on device", "name"), hints._NO_ROOM),
        (OSError(errno.EBADF, "Bad file descriptor"), hints._READ_ONLY),
        (OSError(errno.EPIPE, "Broken pipe"), hints._NO_READER),
        (OSError(errno.ECONNRESET, "Connection reset by peer"), hints._NO_READER),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), hints._DOES_NOT_BLOCK),
        (OSError(errno.EAGAIN, "use os.set_blocking"), None),
        (OSError(errno.ENOSPC, "use os.set_blocking"), hints._NO_ROOM),
        (OSError(errno.EPERM, "Operation not permitted"), None),
        (OSError(errno.ENOSPC), None),
        (OSError([], "not a number"), None),
        (RuntimeError(errno.ENOSPC, "No space left on device"), None),
    ],
    ids=repr,
)
def test_file_hints(error, hint):
    assert hints.find_file_hint(error) == hint


@pytest.mark.parametrize(
    ("obj", "error", "hint"),
    [
        ([], RecursionError("more than 10 nested reductions or persistent ids"), hints._ENDLESS),
        ([], RecursionError("maximum recursion depth exceeded"), None),
        ([], ValueError("nested reductions"), None),
        ({}, RuntimeError("dictionary changed size during iteration"), hints._CHANGED),
        ({}, RuntimeError("dictionary changed size during iteration", 1), hints._CHANGED),
        ({}, RuntimeError(1, "dictionary changed size during iteration"), None),
        ({}, RuntimeError("another message"), None),
        ({}, ValueError("dictionary changed size during iteration"), None),
        ([], RecursionError(), None),
        ([], RuntimeError(1), None),
        (_thread.allocate_lock(), TypeError(), advice._LOCK),
        (_thread.allocate_lock(), KeyboardInterrupt(), None),
    ],
    ids=lambda value: repr(value)[:40].partition(" at ")[0],
)
def test_hints_by_the_error(obj, error, hint):
    assert hints.find_hint(obj, error) == hint
