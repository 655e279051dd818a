"""Hints for objects that cannot be pickled: a line for each of the most frequent causes."""

from __future__ import annotations

import errno
import io
import re
from types import FunctionType
from typing import Any, Final

from .reductions import mro_of

_module_of: Final = type.__dict__["__module__"].__get__
_qualname_of: Final = type.__dict__["__qualname__"].__get__

_LEAVE_OUT: Final = "leave it out in __getstate__, and make a new one in __setstate__"
_PASS: Final = "leave it out in __getstate__, and give the loaded object the one in use there"

_LOCK: Final = f"A lock works in the process that made it: {_LEAVE_OUT}."
_THREAD: Final = f"A thread runs in one process only: {_LEAVE_OUT}."
_QUEUE: Final = f"A queue holds locks: pickle list(q.queue) in its place, or {_LEAVE_OUT}."
_FILE: Final = "An open file belongs to its process: keep its name and position, and open it again."
_SOCKET: Final = "A connection belongs to its process: keep the address, and connect again."
_GENERATOR: Final = (
    "A generator has a running frame, which cannot be written: make a list of what it gives, or "
    "keep what it was made from."
)
_COROUTINE: Final = (
    "A coroutine has a running frame, which cannot be written: keep the function and its arguments."
)
_FRAME: Final = (
    "Frames and tracebacks cannot be written: keep traceback.format_exception(error), or a "
    "traceback.TracebackException."
)
_MODULE: Final = "A module is imported, not pickled: keep its name, and import it where it is used."
_DATABASE: Final = (
    "A database connection belongs to its process: keep what it was opened with, and connect again."
)
_CURSOR: Final = "A cursor belongs to its connection: keep the rows (fetchall()), or the query."
_ASYNCIO: Final = f"This belongs to a running event loop: {_LEAVE_OUT}, or keep the result."
_WEAKREF: Final = (
    "A weak reference cannot be written: keep the object itself, or leave the reference out in "
    "__getstate__ and make it anew in __setstate__."
)
_CONTEXT: Final = "A context variable is a global name: leave it out in __getstate__."
_MAPPED: Final = "A memory map belongs to its process: keep the file's name, or bytes(m)."
_MATCH: Final = "A match refers to a search: keep match.group() or match.groupdict() in its place."
_PROCESS: Final = "A process cannot be handed on: keep its pid, arguments or output."
_POINTER: Final = (
    "A pointer has a meaning in this process only: keep what it points to, as bytes or a value."
)
_WINDOW: Final = (
    "A window lives on the screen of its process: keep the values shown, not the widget."
)
_DESCRIPTOR: Final = f"An open descriptor belongs to its process: {_LEAVE_OUT}."
_MAPPING_PROXY: Final = "A read-only view of a dict cannot be written: keep dict(view)."
_DICT_VIEW: Final = "A view of a dict cannot be written: keep list(view)."
_BUFFER_VIEW: Final = "A memoryview belongs to its buffer: keep bytes(view), or the buffer itself."
_LOGGER: Final = (
    "A stream handler holds a lock and a stream: keep the configuration, not the handler."
)
_CODE: Final = "Code objects cannot be written: keep the source, or use marshal within one version."
_POOL: Final = f"A pool of workers belongs to its process: {_PASS}."
_SSL: Final = f"A TLS context holds keys and sockets of its process: {_LEAVE_OUT}."
_ITERATOR: Final = "This iterator cannot be written: keep list(it), or what it was made from."
_CELL: Final = "This holds the variables of a closure: pickle the values themselves."

# By the full names of types, of the object's or one of its bases; nothing is imported for it.
_BY_TYPE: Final = {
    "_thread.lock": _LOCK,
    "_thread.RLock": _LOCK,
    "threading.Condition": _LOCK,
    "threading.Event": _LOCK,
    "threading.Semaphore": _LOCK,
    "threading.Barrier": _LOCK,
    "multiprocessing.synchronize.SemLock": (
        "A lock of multiprocessing goes to a child when the child is made: pass it as an argument."
    ),
    "threading.Thread": _THREAD,
    "_thread._local": "Thread-local data is each thread's own: leave it out in __getstate__.",
    "_thread._ThreadHandle": _THREAD,
    "_queue.SimpleQueue": _QUEUE,
    "queue.Queue": _QUEUE,
    "multiprocessing.queues.Queue": _QUEUE,
    "_io.TextIOWrapper": _FILE,
    "_io.FileIO": _FILE,
    "_io.BufferedReader": _FILE,
    "_io.BufferedWriter": _FILE,
    "_io.BufferedRandom": _FILE,
    "_io.BufferedRWPair": _FILE,
    "tempfile._TemporaryFileWrapper": _FILE,
    "zipfile.ZipFile": _FILE,
    "tarfile.TarFile": _FILE,
    "posix.ScandirIterator": _ITERATOR,
    "socket.socket": _SOCKET,
    "_socket.socket": _SOCKET,
    "ssl.SSLSocket": _SOCKET,
    "_ssl._SSLSocket": _SOCKET,
    "_ssl._SSLContext": _SSL,
    "select.epoll": _DESCRIPTOR,
    "select.poll": _DESCRIPTOR,
    "builtins.generator": _GENERATOR,
    "builtins.async_generator": _GENERATOR,
    "builtins.coroutine": _COROUTINE,
    "builtins.coroutine_wrapper": _COROUTINE,
    "builtins.frame": _FRAME,
    "builtins.traceback": _FRAME,
    "builtins.module": _MODULE,
    "builtins.code": _CODE,
    "builtins.cell": _CELL,
    "builtins.mappingproxy": _MAPPING_PROXY,
    "builtins.dict_keys": _DICT_VIEW,
    "builtins.dict_values": _DICT_VIEW,
    "builtins.dict_items": _DICT_VIEW,
    "builtins.memoryview": _BUFFER_VIEW,
    "sqlite3.Connection": _DATABASE,
    "sqlite3.Cursor": _CURSOR,
    "sqlite3.Row": "A row refers to its cursor: keep tuple(row) or dict(row).",
    "psycopg.Connection": _DATABASE,
    "psycopg.Cursor": _CURSOR,
    "psycopg2.extensions.connection": _DATABASE,
    "psycopg2.extensions.cursor": _CURSOR,
    "pymysql.connections.Connection": _DATABASE,
    "MySQLdb.connections.Connection": _DATABASE,
    "duckdb.DuckDBPyConnection": _DATABASE,
    "_duckdb.DuckDBPyConnection": _DATABASE,
    "pymongo.synchronous.mongo_client.MongoClient": _DATABASE,
    "redis.client.Redis": _DATABASE,
    "sqlalchemy.engine.base.Engine": _DATABASE,
    "sqlalchemy.engine.base.Connection": _DATABASE,
    "asyncio.events.AbstractEventLoop": _ASYNCIO,
    "asyncio.locks._ContextManagerMixin": _ASYNCIO,
    "asyncio.mixins._LoopBoundMixin": _ASYNCIO,
    "_asyncio.Future": _ASYNCIO,
    "_asyncio.Task": _ASYNCIO,
    "asyncio.futures.Future": _ASYNCIO,
    "asyncio.tasks.Task": _ASYNCIO,
    "concurrent.futures._base.Future": "Wait for a future, and keep its result().",
    "concurrent.futures._base.Executor": _POOL,
    "multiprocessing.pool.Pool": _POOL,
    "multiprocessing.process.BaseProcess": _PROCESS,
    "subprocess.Popen": _PROCESS,
    "weakref.ReferenceType": _WEAKREF,
    "builtins.weakref": _WEAKREF,
    "builtins.weakproxy": _WEAKREF,
    "builtins.weakcallableproxy": _WEAKREF,
    "weakref.ProxyType": _WEAKREF,
    "weakref.CallableProxyType": _WEAKREF,
    "weakref.WeakMethod": _WEAKREF,
    "weakref.WeakSet": _WEAKREF,
    "_weakrefset.WeakSet": _WEAKREF,
    "weakref.WeakKeyDictionary": _WEAKREF,
    "weakref.WeakValueDictionary": _WEAKREF,
    "_contextvars.ContextVar": _CONTEXT,
    "_contextvars.Context": _CONTEXT,
    "_contextvars.Token": _CONTEXT,
    "mmap.mmap": _MAPPED,
    "re.Match": _MATCH,
    "re.Scanner": _MATCH,
    "_sre.SRE_Scanner": _MATCH,
    "_ctypes._Pointer": _POINTER,
    "_ctypes.CFuncPtr": _POINTER,
    "_ctypes._SimpleCData": _POINTER,
    "builtins.PyCapsule": _POINTER,
    "_tkinter.tkapp": _WINDOW,
    "tkinter.Misc": _WINDOW,
    "logging.StreamHandler": _LOGGER,
    "_csv.reader": _ITERATOR,
    "_csv.writer": _FILE,
    "_hashlib.HASH": "A running hash cannot be written: keep its hexdigest().",
    "_random.Random": "Keep the generator's getstate(), and give it to setstate().",
    "pickle.Pickler": "A Pickler belongs to its file: make a new one.",
    "_pickle.Pickler": "A Pickler belongs to its file: make a new one.",
    "_pickle.Unpickler": "An Unpickler belongs to its file: make a new one.",
}

_LAMBDA: Final = (
    "A lambda has no name to be found under: write a function with def at the top of a module, "
    "or functools.partial of one."
)
_LOCAL_FUNCTION: Final = (
    "Functions are pickled by name, and this one is inside another: move it to the top of its "
    "module."
)
_LOCAL_CLASS: Final = (
    "Classes are pickled by name, and this one is inside a function: move it to the top of its "
    "module."
)
_OTHER_NAME: Final = (
    "It is pickled by its name, which leads elsewhere: let its __module__ and __qualname__ say "
    "where it is, or keep the name it had."
)
_ENDLESS: Final = (
    "Some __reduce__ hands out a new object each time: return only what the object holds, or give "
    "the Pickler a higher reduction_limit."
)
_CHANGED: Final = (
    "Another thread, or a __reduce__, changes it meanwhile: pickle a copy, or hold a lock."
)

_NOT_FOUND: Final = re.compile(r"not found as|not the same object as|attribute lookup .* failed$")


def find_hint(obj: Any, error: BaseException) -> str | None:
    """A line that says what to do about an object that could not be pickled, if there is one.

    >>> import threading
    >>> find_hint(threading.Lock(), TypeError("cannot pickle '_thread.lock' object"))
    'A lock works in the process that made it: leave it out in __getstate__, and make a new one in \
__setstate__.'
    """
    if not isinstance(error, Exception):
        return None  # Ctrl-C is nobody's fault
    cls = type(obj)
    message = error.args[0] if error.args and type(error.args[0]) is str else ""
    if type(error) is RecursionError and "nested reductions" in message:
        return _ENDLESS
    if type(error) is RuntimeError and message.endswith("changed size during iteration"):
        return _CHANGED
    if cls is FunctionType or issubclass(cls, type):
        name = obj.__qualname__ if cls is FunctionType else _qualname_of(obj)
        if cls is FunctionType and obj.__name__ == "<lambda>":
            return _LAMBDA
        if "<locals>" in name:
            return _LOCAL_FUNCTION if cls is FunctionType else _LOCAL_CLASS
    for base in mro_of(cls):
        hint = _BY_TYPE.get(_full_name(base))
        if hint is not None:
            return hint
    return _OTHER_NAME if _NOT_FOUND.search(message) else None


_TEXT_FILE: Final = (
    'The file takes text, and a pickle is bytes: open it in binary mode, with "wb" (or use '
    "sys.stdout.buffer, io.BytesIO)."
)
_READ_ONLY: Final = 'The file is not open for writing: open it with "wb".'
_CLOSED: Final = "The file is closed: let dump() run before that, inside its `with`."
_NO_ROOM: Final = "There is no room left where the file is: make some, or write elsewhere."
_NO_READER: Final = "Whoever reads at the other end has gone."
_DOES_NOT_BLOCK: Final = (
    "The file does not wait until there is room: use os.set_blocking(fd, True) or "
    "sock.setblocking(True)."
)
_BY_ERRNO: Final = {
    errno.ENOSPC: _NO_ROOM,
    getattr(errno, "EDQUOT", errno.ENOSPC): _NO_ROOM,
    errno.EBADF: _READ_ONLY,
    errno.EPIPE: _NO_READER,
    errno.ECONNRESET: _NO_READER,
    errno.EAGAIN: _DOES_NOT_BLOCK,
}

_WANTS_TEXT: Final = re.compile(
    r"must be str, not |(?:string|unicode) argument expected|can only concatenate str "
)


def find_file_hint(error: BaseException) -> str | None:
    """A line that says what to do about a file whose `write` has failed, if there is one.

    >>> find_file_hint(ValueError("write to closed file"))
    'The file is closed: let dump() run before that, inside its `with`.'
    """
    message = error.args[0] if error.args and type(error.args[0]) is str else ""
    if isinstance(error, TypeError) and _WANTS_TEXT.search(message):
        return _TEXT_FILE
    if isinstance(error, io.UnsupportedOperation):
        return _READ_ONLY
    if isinstance(error, ValueError):
        return _CLOSED if "closed" in message else None
    if isinstance(error, OSError) and len(error.args) > 1:
        hint = _BY_ERRNO.get(error.args[0]) if type(error.args[0]) is int else None
        # The exception of send_rest has it in its message.
        return None if hint is _DOES_NOT_BLOCK and "set_blocking" in str(error.args[1]) else hint
    return None


def full_name(cls: type) -> str:
    """The module and the name of a class, without "builtins".

    >>> full_name(int), full_name(re.Pattern)
    ('int', 're.Pattern')
    """
    return _full_name(cls).removeprefix("builtins.")


def _full_name(cls: type) -> str:
    # Asked of type: a metaclass may have another answer.
    module = _module_of(cls)
    return f"{module}.{_qualname_of(cls)}" if type(module) is str else str(_qualname_of(cls))
