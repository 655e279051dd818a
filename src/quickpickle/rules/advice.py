"""The advice for objects of types that cannot be pickled, by the full names of the types.

Each entry is of a type whose instances do not pickle, whatever they hold: an object of it decides
what is said, even where the dump has failed at something inside it. See rules/hints.py.
"""

from __future__ import annotations

import sys
from typing import Final

_LEAVE_OUT: Final = "leave it out in __getstate__, and make a new one in __setstate__"
_PASS: Final = "leave it out in __getstate__, and give the loaded object the one in use there"

_CLOUD: Final = "quickpickle.cloud pickles it."

_LOCK: Final = f"A lock works in the process that made it: {_LEAVE_OUT}."
_THREAD: Final = f"A thread runs in one process only: {_LEAVE_OUT}."
_QUEUE: Final = f"A queue holds locks: keep list(q.queue) in its place, or {_LEAVE_OUT}."
_SIMPLE_QUEUE: Final = f"A queue holds locks: {_LEAVE_OUT}."
_INHERITED: Final = (
    "This is shared with a child process when that is made: pass it as an argument of Process, or "
    "to a Pool's initializer."
)
_FILE: Final = "An open file belongs to its process: keep its name and position, and open it again."
STANDARD_STREAM: Final = (
    "sys.{0} belongs to its process: leave it out in __getstate__, and take sys.{0} again. "
    f"{_CLOUD}"
)
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
_MODULE: Final = (
    f"A module is imported, not pickled: keep its name, and import it where it is used. {_CLOUD}"
)
_DATABASE: Final = (
    "A database connection belongs to its process: keep what it was opened with, and connect again."
)
_CURSOR: Final = "A cursor belongs to its connection: keep the rows (fetchall()), or the query."
_LOOP: Final = f"An event loop belongs to its thread: {_LEAVE_OUT}."
_FUTURE: Final = "A future or task belongs to its event loop: await it, and keep its result."
_ASYNCIO: Final = f"This belongs to an event loop: {_LEAVE_OUT}."
_WEAK_SET: Final = f"A WeakSet holds weak references: keep list(it) in its place. {_CLOUD}"
_WEAK_DICT: Final = "A weak dictionary holds weak references: keep dict(it) in its place."
_WEAKREF: Final = (
    "A weak reference cannot be written: keep the object itself, or leave the reference out in "
    "__getstate__ and make it anew in __setstate__."
)
_CONTEXT: Final = "A context variable is a global name: leave it out in __getstate__."
_MAPPED: Final = "A memory map belongs to its process: keep the file's name, or bytes(m)."
_MATCH: Final = "A match refers to a search: keep match.group() or match.groupdict() in its place."
_PROCESS: Final = "A process cannot be handed on: keep its pid, arguments or output."
POINTER: Final = (
    "A pointer has a meaning in this process only: keep what it points to, as bytes or a value."
)
_WINDOW: Final = (
    "A window lives on the screen of its process: keep the values shown, not the widget."
)
_DESCRIPTOR: Final = f"An open descriptor belongs to its process: {_LEAVE_OUT}."
_MAPPING_PROXY: Final = f"A read-only view of a dict cannot be written: keep dict(view). {_CLOUD}"
_DICT_VIEW: Final = f"A view of a dict cannot be written: keep list(view). {_CLOUD}"
_BUFFER_VIEW: Final = (
    f"A memoryview belongs to its buffer: keep bytes(view), or the buffer itself. {_CLOUD}"
)
_HANDLER: Final = "A logging handler holds a lock: keep the configuration, and make a new one."
_LOGGER: Final = (
    "A logger is pickled by its name, which logging.getLogger() does not know this one by: make it "
    f"with getLogger(). {_CLOUD}"
)
_CODE: Final = (
    f"Code objects cannot be written: keep the source, or use marshal within one version. {_CLOUD}"
)
_POOL: Final = f"A pool of workers belongs to its process: {_PASS}."
_SSL: Final = f"A TLS context holds keys and sockets of its process: {_LEAVE_OUT}."
_ITERATOR: Final = "This iterator cannot be written: keep list(it), or what it was made from."
_CELL: Final = f"A cell holds a variable of a closure: keep its cell_contents. {_CLOUD}"
_HASH: Final = "A running hash cannot be written: keep its hexdigest()."
_COMPRESSOR: Final = (
    "A compressor at work cannot be written: keep what went in or came out, and make a new one."
)
_DESCRIBES: Final = "keep the class that it is in, which is pickled by name"
_CACHED: Final = (
    "A cached_property belongs to a class: let that be at the top of a module, and keep the class, "
    "which is pickled by name."
)
_PICKLER: Final = "A Pickler belongs to its file: make a new one."
_UNPICKLER: Final = "An Unpickler belongs to its file: make a new one."

# Of the object's type or one of its bases; nothing is imported for it.
BY_TYPE: Final = {
    "_thread.lock": _LOCK,
    "_thread.RLock": _LOCK,
    "threading.Condition": _LOCK,
    "threading.Event": _LOCK,
    "threading.Semaphore": _LOCK,
    "threading.Barrier": _LOCK,
    "multiprocessing.synchronize.SemLock": _INHERITED,
    "multiprocessing.synchronize.Condition": _INHERITED,
    "multiprocessing.synchronize.Event": _INHERITED,
    "multiprocessing.sharedctypes.SynchronizedBase": _INHERITED,
    "threading.Thread": _THREAD,
    "_thread._local": "Thread-local data is each thread's own: leave it out in __getstate__.",
    "_thread._ThreadHandle": _THREAD,
    "_queue.SimpleQueue": _SIMPLE_QUEUE,
    "queue.Queue": _QUEUE,
    "multiprocessing.queues.Queue": _INHERITED,
    "multiprocessing.queues.SimpleQueue": _INHERITED,
    "_io.TextIOWrapper": _FILE,
    "_io.FileIO": _FILE,
    "_io.BufferedReader": _FILE,
    "_io.BufferedWriter": _FILE,
    "_io.BufferedRandom": _FILE,
    "_io.BufferedRWPair": _FILE,
    "tempfile._TemporaryFileWrapper": _FILE,
    "zipfile.ZipFile": _FILE,
    "gzip.GzipFile": _FILE,
    "bz2.BZ2File": _FILE,
    "lzma.LZMAFile": _FILE,
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
    "sqlalchemy.orm.session.Session": _DATABASE,
    "asyncio.events.AbstractEventLoop": _LOOP,
    "asyncio.streams.StreamReader": _ASYNCIO,
    "asyncio.streams.StreamWriter": _ASYNCIO,
    "_asyncio.Future": _FUTURE,
    "_asyncio.Task": _FUTURE,
    "asyncio.futures.Future": _FUTURE,
    "asyncio.tasks.Task": _FUTURE,
    "concurrent.futures._base.Future": "Wait for a future, and keep its result().",
    "concurrent.futures._base.Executor": _POOL,
    "multiprocessing.pool.Pool": _POOL,
    "multiprocessing.process.BaseProcess": _PROCESS,
    "multiprocessing.process.AuthenticationString": (
        "It is the key to this program's processes: leave it out in __getstate__."
    ),
    "multiprocessing.managers.BaseManager": (
        "A manager belongs to the process that made it: pass on its proxies."
    ),
    "subprocess.Popen": _PROCESS,
    "weakref.ReferenceType": _WEAKREF,
    "builtins.weakref": _WEAKREF,
    "builtins.weakproxy": _WEAKREF,
    "builtins.weakcallableproxy": _WEAKREF,
    "weakref.ProxyType": _WEAKREF,
    "weakref.CallableProxyType": _WEAKREF,
    "weakref.WeakMethod": _WEAKREF,
    "weakref.WeakSet": _WEAK_SET,
    "_weakrefset.WeakSet": _WEAK_SET,
    "weakref.WeakKeyDictionary": _WEAK_DICT,
    "weakref.WeakValueDictionary": _WEAK_DICT,
    "_contextvars.ContextVar": _CONTEXT,
    "_contextvars.Context": _CONTEXT,
    "_contextvars.Token": _CONTEXT,
    "mmap.mmap": _MAPPED,
    "re.Match": _MATCH,
    "_sre.SRE_Scanner": "A search at work cannot be written: keep its matches' groups, as a list.",
    "_ctypes._Pointer": POINTER,
    "_ctypes.CFuncPtr": POINTER,
    "_ctypes.Array": "An array of ctypes has a class without a name: keep list(it) or bytes(it).",
    **dict.fromkeys(
        ("_ctypes.CField", "ctypes.CField"),
        f"A field belongs to a class of ctypes: {_DESCRIBES}.",
    ),
    "ctypes.CDLL": (
        "A loaded library has addresses of this process: keep its name, and load it again."
    ),
    "multiprocessing.heap.Arena": _INHERITED,
    "builtins.PyCapsule": POINTER,
    "_tkinter.tkapp": _WINDOW,
    "tkinter.Misc": _WINDOW,
    "logging.Handler": _HANDLER,
    "logging.Logger": _LOGGER,
    "_csv.reader": _ITERATOR,
    "_csv.writer": "A writer belongs to its file: make a new one.",
    "hmac.HMAC": _HASH,
    "_hashlib.HASH": _HASH,
    "_hashlib.HMAC": _HASH,
    "_blake2.blake2b": _HASH,
    "_blake2.blake2s": _HASH,
    "_md5.md5": _HASH,
    "_sha1.sha1": _HASH,
    "zlib.Compress": _COMPRESSOR,
    "zlib.Decompress": _COMPRESSOR,
    "_bz2.BZ2Compressor": _COMPRESSOR,
    "_bz2.BZ2Decompressor": _COMPRESSOR,
    "_lzma.LZMACompressor": _COMPRESSOR,
    "_lzma.LZMADecompressor": _COMPRESSOR,
    "_random.Random": "Keep the generator's getstate(), and give it to setstate().",
    "random.SystemRandom": (
        "SystemRandom has no state: leave it out in __getstate__, and make a new one."
    ),
    "zoneinfo.ZoneInfo": (
        "A zone of ZoneInfo.from_file() cannot be pickled: use ZoneInfo(key), or keep the "
        "file's name and read it again."
    ),
    "os._Environ": f"The environment belongs to its process: keep dict(os.environ). {_CLOUD}",
    "argparse.ArgumentParser": (
        f"A parser holds functions that have no name: keep what parse_args() returns. {_CLOUD}"
    ),
    "builtins.property": f"A property belongs to a class: {_DESCRIBES}. {_CLOUD}",
    # Before Python 3.12 it holds a lock, so cloudpickle takes it only since.
    "functools.cached_property": f"{_CACHED} {_CLOUD}" if sys.version_info >= (3, 12) else _CACHED,
    "builtins.staticmethod": f"A staticmethod belongs to a class: keep its __func__. {_CLOUD}",
    "builtins.classmethod": f"A classmethod belongs to a class: keep its __func__. {_CLOUD}",
    "_struct.Struct": "A Struct is made of its format: keep that, and make a new one.",
    "posix.DirEntry": "An entry of a directory refers to a scan: keep entry.path.",
    "nt.DirEntry": "An entry of a directory refers to a scan: keep entry.path.",
    "http.client.HTTPResponse": (
        "A response is read from a connection: keep what its read() returns."
    ),
    "selectors.BaseSelector": _DESCRIPTOR,
    "socketserver.BaseServer": (
        "A server belongs to its process: keep the address, and make a new one."
    ),
    "contextlib._GeneratorContextManagerBase": (
        "It has a running generator: keep the function that made it, and its arguments."
    ),
    "unittest.mock.NonCallableMock": (
        f"A mock has a class of its own, without a name: use a types.SimpleNamespace. {_CLOUD}"
    ),
    "pickle.Pickler": _PICKLER,
    "_pickle.Pickler": _PICKLER,
    "pickle._Pickler": _PICKLER,
    "quickpickle.Pickler": _PICKLER,
    "pickle._Unpickler": _UNPICKLER,
    "_pickle.Unpickler": _UNPICKLER,
    "quickpickle.Unpickler": _UNPICKLER,
}
