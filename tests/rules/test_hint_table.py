"""A table of objects that cannot be pickled: where the error says so, and what it advises.

Where a hint names something to keep in place of the object, the test pickles that. Where it says
that quickpickle.cloud pickles the object, the test does so.
"""

from __future__ import annotations

import argparse
import asyncio
import bz2
import collections
import concurrent.futures
import contextlib
import csv
import ctypes
import functools
import gzip
import hashlib
import hmac
import io
import json
import logging
import lzma
import multiprocessing
import multiprocessing.managers
import multiprocessing.pool
import multiprocessing.process
import multiprocessing.sharedctypes
import os
import pickle
import queue
import random
import re
import selectors
import socketserver
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import types
import unittest.mock
import weakref
import zipfile
import zlib
import zoneinfo
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

import quickpickle
from differential import PYPY
from quickpickle.rules import advice

OPENED = ExitStack()  # what has to be closed


@pytest.fixture(autouse=True)
def close():
    yield
    OPENED.close()


def opened(resource):
    OPENED.callback(resource.close)
    return resource


class Row(NamedTuple):
    make: Any
    path: str  # a regular expression: for what is behind obj['x'], or for all with @ for that
    hint: str  # the beginning
    instead: Any = None  # from the object to what the hint says to keep
    cloud: bool = False  # whether the hint says that quickpickle.cloud pickles it


# --- names that lead elsewhere: a module of the user's


WORKSHOP = """if True:
    import collections, dataclasses, enum, functools, typing

    class Again:
        pass

    def again():
        pass

    Pair = collections.namedtuple("Couple", "a b")
    Hue = enum.Enum("Colour", "RED")
    UserId = typing.NewType("UserNumber", int)
    T = typing.TypeVar("U")
    Options = typing.TypedDict("Settings", {"a": int})

    def wraps(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)
        return wrapper

    def hides(function):
        def wrapper(*args):
            return function(*args)
        return wrapper

    class Task:
        def __init__(self, run):
            self.run = run

    class Named:
        def __init__(self, run):
            self.run = run
        def __reduce__(self):
            return self.run.__qualname__

    @wraps
    def wrapped():
        pass

    @hides
    def hidden():
        pass

    @Task
    def task():
        pass

    @Named
    def named():
        pass

    @hides
    class Hidden:
        pass

    class Owner:
        @property
        def width(self):
            return 1

        @functools.cached_property
        def height(self):
            return 1

        @functools.singledispatchmethod
        def dispatched(self, one):
            pass

    def _length(self):
        return 1

    Owner.length = property(_length)

    @functools.lru_cache
    def cached():
        pass

    @functools.singledispatch
    def dispatched(x):
        pass

    def derives(cls):
        class Derived(cls):
            pass
        Derived.__qualname__ = cls.__qualname__
        return Derived

    @derives
    class Derived:
        pass

    before = []

    def remembers(cls):
        before.append(cls)
        return cls

    @dataclasses.dataclass(slots=True)
    @remembers
    class Slotted:
        a: int = 0

        def one(self):
            pass

    @functools.wraps(len)
    def renames():
        pass

    class Lost:
        def __reduce__(self):
            return "LOST"

    def local_function():
        def inner():
            pass
        return inner

    def local_class():
        class Inner:
            pass
        return Inner

    def local_wrapped():
        return functools.lru_cache(local_function())

    def made_class():
        return type("Made", (), {"__module__": __name__})

    def made_dataclass():
        return dataclasses.make_dataclass("Made", ["a"])

    other_name = wraps(wrapped)
    nameless_types = [typing.TypeVar("V"), typing.NewType("Metres", int)]
    nameless = lambda: 0
    renamed = again
    del again
"""


def load_workshop():
    module = sys.modules["workshop"]
    exec(WORKSHOP, vars(module))
    return module


@pytest.fixture(autouse=True)
def workshop(monkeypatch):
    monkeypatch.setitem(sys.modules, "workshop", types.ModuleType("workshop"))
    return load_workshop()


def reloaded(name):
    before = getattr(sys.modules["workshop"], name)
    load_workshop()
    return before


def reloaded_function():
    module = sys.modules["workshop"]
    before = module.local_class
    load_workshop()
    return before


def of_workshop(name):
    return getattr(sys.modules["workshop"], name)


def in_workshop(obj):
    obj.__module__ = "workshop"
    return obj


def assigned(obj, name):
    """The user follows the advice."""
    setattr(sys.modules["workshop"], name, obj)
    return obj


def made_by_exec():
    space = {}
    exec("def root(): pass", space)
    return space["root"]


NAMES = {
    "lambda": Row(lambda: of_workshop("nameless"), "", "A lambda has no name", cloud=True),
    "local function": Row(
        lambda: of_workshop("local_function")(), "", "Functions are pickled by name", cloud=True
    ),
    "local class": Row(
        lambda: of_workshop("local_class")(), "", "Classes are pickled by name", cloud=True
    ),
    "instance of a local class": Row(
        lambda: of_workshop("local_class")()(), "", "Classes are pickled by name", cloud=True
    ),
    "cached local function": Row(
        lambda: of_workshop("local_wrapped")(), "", "Functions are pickled by name"
    ),
    "class of before a reload": Row(
        lambda: reloaded("Again"), "", "Its class was made again, by a reload", cloud=True
    ),
    "instance of before a reload": Row(
        lambda: reloaded("Again")(),
        "",
        "Its class was made again, by a reload",
        lambda obj: of_workshop(type(obj).__name__)(),
        cloud=True,
    ),
    "function of before a reload": Row(
        reloaded_function,
        "",
        "It was made again, by a reload",
        lambda obj: of_workshop(obj.__name__),
        cloud=True,
    ),
    "function under functools.wraps of before a reload": Row(
        lambda: reloaded("wrapped").__wrapped__,
        "",
        "It is pickled by its name, under which is what a decorator has made of it",
        lambda obj: of_workshop("wrapped"),
        cloud=True,
    ),
    "class under a decorator of before a reload": Row(
        lambda: reloaded("Hidden").__closure__[0].cell_contents,
        "",
        "A decorator has put something else under the name of this class",
        cloud=True,
    ),
    "function under functools.lru_cache": Row(
        lambda: of_workshop("cached").__wrapped__,
        "",
        "It is pickled by its name, under which is what a decorator has made of it",
        lambda obj: of_workshop("cached"),
        cloud=True,
    ),
    "function under functools.singledispatch": Row(
        lambda: of_workshop("dispatched").__wrapped__,
        "",
        "It is pickled by its name, under which is what a decorator has made of it",
        lambda obj: of_workshop("dispatched"),
        cloud=True,
    ),
    "class of which a decorator makes a subclass": Row(
        lambda: of_workshop("Derived").__base__(),
        "",
        "Another class, made of this one, as by a decorator, has its name",
        lambda obj: of_workshop("Derived")(),
        cloud=True,
    ),
    "class of which a decorator makes one with slots": Row(
        lambda: of_workshop("before")[0],
        "",
        "Another class, made of this one, as by a decorator, has its name",
        lambda obj: of_workshop("Slotted"),
        cloud=True,
    ),
    "function with the name of another one": Row(
        lambda: of_workshop("renames"),
        "",
        "It is pickled by its name, which leads elsewhere",
        cloud=True,
    ),
    "function under another name than that of its functools.wraps": Row(
        lambda: of_workshop("other_name"),
        "",
        "It is pickled by its own name, 'wrapped', and its module has it as 'other_name'",
        cloud=True,
    ),
    "type variable of no name": Row(
        lambda: of_workshop("nameless_types")[0],
        "",
        "It is pickled by its name: assign it to 'V' at the top of its module",
        lambda obj: assigned(obj, obj.__name__),
        cloud=True,
    ),
    "NewType of no name": Row(
        lambda: of_workshop("nameless_types")[1],
        "",
        "It is pickled by its name: assign it to 'Metres' at the top of its module",
        lambda obj: assigned(obj, obj.__name__),
    ),
    "type of Python's that types has": Row(
        lambda: types.FunctionType,
        "",
        "builtins does not have it: keep 'FunctionType', the name that it has in types",
        lambda obj: "FunctionType",
        cloud=True,
    ),
    "array type of ctypes": Row(
        lambda: in_workshop(ctypes.c_int * 1231),
        "",
        "The class was made at run time: assign it to 'c_int_Array_1231'",
        lambda obj: assigned(obj, obj.__name__),
    ),
    "name that a __reduce__ returns": Row(
        lambda: of_workshop("Lost")(),
        "",
        "Its __reduce__ returns a name, under which it is not found",
        lambda obj: assigned(obj, "LOST"),
    ),
    "class of a module that is not there": Row(
        lambda: type("Lost", (), {"__module__": "no_such_module"})(),
        "",
        "Its module, 'no_such_module', cannot be imported: put that into sys.modules",
        cloud=True,
    ),
    "class that a library makes": Row(
        lambda: type("Client", (json.JSONDecoder,), {"__module__": "json.decoder"}),
        "",
        "json makes the class at run time, so that no module has it",
        cloud=True,
    ),
    "class that a library makes, with a dot in its name": Row(
        lambda: type("a.Client", (json.JSONDecoder,), {"__module__": "json.decoder"}),
        "",
        "json makes the class at run time, so that no module has it",
        cloud=True,
    ),
    "function made by exec": Row(
        lambda: made_by_exec(),
        "",
        "The function was made at run time, as by exec(), so that no module has it",
        cloud=True,
    ),
    "function under functools.wraps": Row(
        lambda: of_workshop("wrapped").__wrapped__,
        "",
        "It is pickled by its name, under which is what a decorator has made of it",
        lambda obj: of_workshop("wrapped"),
        cloud=True,
    ),
    "function in a wrapper": Row(
        lambda: of_workshop("hidden").__closure__[0].cell_contents,
        "",
        "It is pickled by its name, under which is what a decorator has made of it",
        cloud=True,
    ),
    "object of a class that decorates": Row(
        lambda: of_workshop("task"),
        r"\.run",
        "It is pickled by its name, under which is the Task that wraps it: let "
        "Task.__reduce__ return that name, 'task'.",
        lambda obj: of_workshop("named"),
        cloud=True,
    ),
    "class under a decorator": Row(
        lambda: of_workshop("Hidden").__closure__[0].cell_contents(),
        "",
        "A decorator has put something else under the name of this class: let it return the class",
        cloud=True,
    ),
    "getter of a property": Row(
        lambda: of_workshop("Owner").width.fget,
        "",
        "It is pickled by its name, under which is the property that wraps it: write it with a "
        "name of its own",
        lambda obj: of_workshop("_length"),
        cloud=True,
    ),
    "function of a cached property": Row(
        lambda: vars(of_workshop("Owner"))["height"].func,
        "",
        "It is pickled by its name, under which is the cached_property that wraps it",
        cloud=True,
    ),
    "namedtuple": Row(
        lambda: of_workshop("Pair")(1, 2),
        "",
        "It is pickled by its own name, 'Couple', and its module has it as 'Pair'",
        cloud=True,
    ),
    "enumeration": Row(
        lambda: of_workshop("Hue").RED,
        "",
        "It is pickled by its own name, 'Colour', and its module has it as 'Hue'",
        cloud=True,
    ),
    "typed dict": Row(
        lambda: of_workshop("Options"),
        "",
        "It is pickled by its own name, 'Settings', and its module has it as 'Options'",
    ),
    "NewType": Row(
        lambda: of_workshop("UserId"),
        "",
        "It is pickled by its own name, 'UserNumber', and its module has it as 'UserId'",
    ),
    "type variable": Row(
        lambda: of_workshop("T"),
        "",
        "It is pickled by its own name, 'U', and its module has it as 'T'",
        cloud=True,
    ),
    "function that was renamed": Row(
        lambda: of_workshop("renamed"),
        "",
        "It is pickled by its own name, 'again', and its module has it as 'renamed'",
        cloud=True,
    ),
    "class made at run time": Row(
        lambda: of_workshop("made_class")()(),
        "",
        "The class was made at run time: assign it to 'Made' at the top of the module that its",
        cloud=True,
    ),
    "dataclass made at run time": Row(
        lambda: of_workshop("made_dataclass")()(1),
        "",
        "The class was made at run time: assign it to 'Made' at the top of a module, and the name"
        if sys.version_info < (3, 12)
        else "The class was made at run time: assign it to 'Made' at the top of the module that",
        lambda obj: assigned(in_workshop(type(obj)), "Made") and obj,
        cloud=True,
    ),
}
if sys.version_info < (3, 14):  # later it is an object
    NAMES["method of functools.singledispatchmethod"] = Row(
        lambda: of_workshop("Owner")().dispatched,
        "",
        "functools makes it inside a function, so that it has no name",
    )
if sys.version_info >= (3, 12):

    def type_parameter():
        namespace = {"__name__": "workshop"}
        exec("class Box[T]: pass", namespace)
        return namespace["Box"].__type_params__[0]

    NAMES["type parameter"] = Row(
        type_parameter, "", "A type parameter has no name in a module", cloud=True
    )
    NAMES["alias with a type parameter"] = Row(
        lambda: list[type_parameter()],
        ".*",
        "A type parameter has no name in a module",
        cloud=True,
    )


# --- objects of the standard library


def future():
    result = concurrent.futures.Future()
    result.set_result(42)
    return result


def process_of_a_command():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process


def event_loop():
    return opened(asyncio.new_event_loop())


def task_of_a_loop():
    async def main():
        task = asyncio.ensure_future(asyncio.sleep(0, 42))
        await task
        return task

    return asyncio.run(main())


def executor(cls):
    made = cls(1)
    OPENED.callback(made.shutdown)
    return made


def thread_pool():
    pool = multiprocessing.pool.ThreadPool(1)
    OPENED.callback(pool.join)
    OPENED.callback(pool.close)
    return pool


def temporary_file(open_, *args):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        OPENED.callback(os.unlink, file.name)
    return opened(open_(file.name, *args))


def first_entry():
    with os.scandir(os.path.dirname(__file__)) as entries:
        return next(entries)


def zone_from_a_file():
    # Version 1 of the format, UTC.
    file = io.BytesIO(
        b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + bytes(6) + b"UTC\0"
    )
    return zoneinfo.ZoneInfo.from_file(file)


def server():
    made = socketserver.TCPServer(("localhost", 0), None)
    OPENED.callback(made.server_close)
    return made


class WithPointer(ctypes.Structure):
    _fields_ = [("next", ctypes.c_void_p)]


@contextlib.contextmanager
def a_context():
    yield


class Referred:
    """The class of the object that weak references refer to."""


REFERRED = Referred()
SHARED = "This is shared with a child process"
POOL = "A pool of workers"
FILE = "An open file belongs"
HASH = "A running hash"
COMPRESSOR = "A compressor at work"
WEAK = r"list\(@\.data\)\[0\]|@\._remove"
POINTER = "A pointer has a meaning"


def standard(name):
    stream = opened(open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    for attribute in (name, f"__{name}__"):
        OPENED.callback(setattr, sys, attribute, getattr(sys, attribute))
        setattr(sys, attribute, stream)
    return stream


OBJECTS = {
    "thread": Row(lambda: threading.Thread(target=print), ".*", "A thread runs"),
    "timer": Row(lambda: threading.Timer(1, print), ".*", "A thread runs"),
    "event": Row(threading.Event, r"\._cond(\..*)?", "A lock works"),
    "condition": Row(threading.Condition, r"\..*", "A lock works"),
    "semaphore": Row(threading.Semaphore, r"\._cond(\..*)?", "A lock works"),
    "queue": Row(
        queue.Queue, r"\.mutex|\.not_empty.*", "A queue holds locks", lambda obj: list(obj.queue)
    ),
    "priority queue": Row(queue.PriorityQueue, r"\..*", "A queue holds locks"),
    "simple queue": Row(queue.SimpleQueue, ".*", "A queue holds locks"),
    "zip file": Row(lambda: opened(zipfile.ZipFile(io.BytesIO(), "w")), r"\..*", FILE),
    "zip file on disk": Row(lambda: temporary_file(zipfile.ZipFile, "w"), r"\..*", FILE),
    "gzip file": Row(lambda: temporary_file(gzip.GzipFile, "wb"), r"\..*", FILE),
    "bz2 file": Row(lambda: temporary_file(bz2.BZ2File, "wb"), r".*", FILE),
    "lzma file": Row(lambda: temporary_file(lzma.LZMAFile, "wb"), r".*", FILE),
    "future": Row(future, r"\._condition\..*", "Wait for a future", lambda obj: obj.result()),
    "thread executor": Row(lambda: executor(concurrent.futures.ThreadPoolExecutor), r"\..*", POOL),
    "process executor": Row(
        lambda: executor(concurrent.futures.ProcessPoolExecutor), r"\..*", POOL
    ),
    "thread pool": Row(thread_pool, "", POOL),
    "process of a command": Row(
        process_of_a_command, r"\._.*", "A process cannot be handed on", lambda obj: obj.pid
    ),
    "process": Row(
        lambda: multiprocessing.Process(target=print),
        r"\._config\['authkey'\]",
        "A process cannot be handed on",
        lambda obj: obj.pid,
    ),
    "key of a process": Row(
        lambda: multiprocessing.current_process().authkey, "", "It is the key to this program's"
    ),
    "manager": Row(
        multiprocessing.managers.BaseManager, r"\._authkey", "A manager belongs to the process"
    ),
    "queue between processes": Row(lambda: multiprocessing.Queue(), "", SHARED),
    "joinable queue between processes": Row(lambda: multiprocessing.JoinableQueue(), "", SHARED),
    "simple queue between processes": Row(lambda: multiprocessing.SimpleQueue(), "", SHARED),
    "lock between processes": Row(lambda: multiprocessing.Lock(), "", SHARED),
    "event between processes": Row(lambda: multiprocessing.Event(), r"\._cond", SHARED),
    "value between processes": Row(lambda: multiprocessing.Value("i"), "", SHARED),
    "array between processes": Row(lambda: multiprocessing.Array("i", 3), "", SHARED),
    "bare value between processes": Row(
        lambda: multiprocessing.sharedctypes.RawValue("i"), r"\._wrapper\..*", SHARED
    ),
    "weak set": Row(lambda: weakref.WeakSet([Referred]), WEAK, "A WeakSet", list, cloud=True),
    "weak key dictionary": Row(
        lambda: weakref.WeakKeyDictionary({Referred: 1}), WEAK, "A weak dictionary", dict
    ),
    "weak value dictionary": Row(
        lambda: weakref.WeakValueDictionary({1: Referred}), r"\._remove", "A weak dictionary", dict
    ),
    "weak reference": Row(lambda: weakref.ref(REFERRED), "", "A weak reference", lambda obj: obj()),
    "weak method": Row(lambda: weakref.WeakMethod(ARGUMENTS.parse_args), "", "A weak reference"),
    "stream handler": Row(logging.StreamHandler, r"\.lock", "A logging handler"),
    "file handler": Row(
        lambda: temporary_file(logging.FileHandler), r"\.(lock|stream)", "A logging handler"
    ),
    "logger": Row(
        lambda: logging.Logger("nobody"),
        "",
        "A logger is pickled by its name",
        lambda obj: logging.getLogger(obj.name),
        cloud=True,
    ),
    "adapter of a logger": Row(
        lambda: logging.LoggerAdapter(logging.Logger("nobody"), {}),
        r"\.logger",
        "A logger is pickled by its name",
        cloud=True,
    ),
    "event loop": Row(event_loop, r"\..*", "An event loop"),
    "future of a loop": Row(lambda: event_loop().create_future(), "", "A future or task"),
    "task of a loop": Row(task_of_a_loop, "", "A future or task", lambda obj: obj.result()),
    "stream of a loop": Row(
        lambda: asyncio.StreamReader(loop=event_loop()), r"\._loop\..*", "This belongs to an event"
    ),
    "environment": Row(
        lambda: os.environ, r"\.encodekey", "The environment belongs", dict, cloud=True
    ),
    "system's random numbers": Row(random.SystemRandom, "", "SystemRandom has no state"),
    "time zone from a file": Row(
        zone_from_a_file, "", "A zone of ZoneInfo.from_file()", lambda obj: zoneinfo.ZoneInfo("UTC")
    ),
    "property": Row(
        lambda: property(len), "", "A property belongs", lambda obj: Referred, cloud=True
    ),
    "cached property": Row(
        lambda: vars(of_workshop("Owner"))["height"],
        r"\.(func|lock)",
        "A cached_property belongs",
        lambda obj: Referred,
        cloud=sys.version_info >= (3, 12),
    ),
    "Pickler": Row(lambda: quickpickle.Pickler(io.BytesIO()), ".*", "A Pickler belongs"),
    "Unpickler": Row(lambda: quickpickle.Unpickler(io.BytesIO()), ".*", "An Unpickler belongs"),
    "pickler of pickle": Row(lambda: pickle.Pickler(io.BytesIO()), "", "A Pickler belongs"),
    "staticmethod": Row(
        lambda: staticmethod(len), "", "A staticmethod", lambda obj: obj.__func__, cloud=True
    ),
    "classmethod": Row(
        lambda: classmethod(len), "", "A classmethod", lambda obj: obj.__func__, cloud=True
    ),
    "Struct": Row(
        lambda: struct.Struct("i"), "", "A Struct is made of its format", lambda obj: obj.format
    ),
    "entry of a directory": Row(first_entry, "", "An entry of a directory", lambda obj: obj.path),
    "array of ctypes": Row(lambda: (ctypes.c_int * 3)(), "", "An array of ctypes", list),
    "string buffer of ctypes": Row(
        lambda: ctypes.create_string_buffer(3), "", "An array of ctypes", bytes
    ),
    "field of ctypes": Row(
        lambda: WithPointer.__dict__[WithPointer._fields_[0][0]],
        "",
        "A field belongs to a class of ctypes",
        lambda obj: WithPointer,
    ),
    "array of pointers": Row(lambda: (ctypes.c_char_p * 2)(), "", POINTER),
    "structure with a pointer": Row(WithPointer, "", POINTER),
    "string of ctypes": Row(lambda: ctypes.c_char_p(b"a"), "", POINTER, lambda obj: obj.value),
    "library": Row(lambda: ctypes.PyDLL(None), r"\._FuncPtr", "A loaded library"),
    "function of a library": Row(lambda: ctypes.pythonapi.Py_IsInitialized, "", POINTER),
    "standard output": Row(
        lambda: standard("stdout"), "", "sys.stdout belongs to its process", cloud=True
    ),
    "standard error": Row(
        lambda: standard("stderr"), "", "sys.stderr belongs to its process", cloud=True
    ),
    "standard input": Row(lambda: standard("stdin"), "", "sys.stdin belongs to its process"),
    "hash": Row(hashlib.sha256, "", HASH, lambda obj: obj.hexdigest()),
    "BLAKE2": Row(hashlib.blake2b, "", HASH, lambda obj: obj.hexdigest()),
    "HMAC": Row(
        lambda: hmac.new(b"", digestmod="sha256"), r"\..*", HASH, lambda obj: obj.hexdigest()
    ),
    "compressor": Row(zlib.compressobj, "", COMPRESSOR),
    "decompressor": Row(zlib.decompressobj, "", COMPRESSOR),
    "compressor of bz2": Row(bz2.BZ2Compressor, "", COMPRESSOR),
    "compressor of lzma": Row(lzma.LZMACompressor, "", COMPRESSOR),
    "reader of csv": Row(lambda: csv.reader([]), "", "This iterator", list),
    "reader of dicts": Row(lambda: csv.DictReader([]), r"\.reader", "This iterator", list),
    "writer of dicts": Row(
        lambda: csv.DictWriter(io.StringIO(), ["a"]), r"\.writer", "A writer belongs to its file"
    ),
    "context manager": Row(a_context, r"\.gen", "It has a running generator"),
    "TLS context": Row(lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "", "A TLS context"),
    "selector": Row(lambda: opened(selectors.DefaultSelector()), r"\.\w+", "An open descriptor"),
    "server": Row(server, r"\..*", "A server belongs"),
    "mock": Row(unittest.mock.Mock, "", "A mock has a class of its own", cloud=True),
    "magic mock": Row(unittest.mock.MagicMock, "", "A mock has a class of its own", cloud=True),
    "matches": Row(lambda: re.finditer("a", "a"), ".*", "A search at work"),
    "keys of the environment": Row(
        lambda: os.environ.keys(), r"\._mapping\.encodekey", "The environment", cloud=True
    ),
    "module": Row(lambda: json, "", "A module is imported", lambda obj: obj.__name__, cloud=True),
    "code": Row(lambda: a_context.__wrapped__.__code__, "", "Code objects", cloud=True),
    "cell": Row(
        lambda: types.CellType(1), "", "A cell holds", lambda obj: obj.cell_contents, cloud=True
    ),
    "read-only view": Row(
        lambda: types.MappingProxyType({}), "", "A read-only view", dict, cloud=True
    ),
    "memoryview": Row(lambda: memoryview(b""), "", "A memoryview", bytes, cloud=True),
    "items of an OrderedDict": Row(
        lambda: collections.OrderedDict().items(), "", "A view of a dict", list, cloud=True
    ),
}
ARGUMENTS = argparse.ArgumentParser()
if sys.version_info < (3, 14):  # it holds a lambda
    OBJECTS["argument parser"] = Row(
        argparse.ArgumentParser,
        r"\._registries\['type'\]\[None\]",
        "A parser holds functions",
        lambda obj: obj.parse_args([]),
        cloud=True,
    )
TABLE = {**NAMES, **OBJECTS}


def failure(implementation, obj):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        implementation.dumps(obj)
    return caught.value


def test_a_class_with_its_own_way_is_looked_into(implementation):
    class Worker(threading.Thread):
        def __getstate__(self):
            return {"source": self.source}

    worker = Worker()
    worker.source = io.BufferedReader(io.BytesIO())
    globals()["Worker"] = Worker
    Worker.__qualname__ = "Worker"
    try:
        (note,) = failure(implementation, worker).__notes__
    finally:
        del globals()["Worker"]
    assert note.endswith(f"obj.source (type _io.BufferedReader)\n{advice._FILE}")


def test_a_class_that_goes_by_the_name_of_its_base(implementation):
    """As those of SQLAlchemy's sessionmaker."""
    session = type("OrderedDict", (collections.OrderedDict,), {"__module__": "collections"})
    (note,) = failure(implementation, session).__notes__
    assert "\n" not in note


def test_a_function_of_a_library_that_has_no_name(implementation):
    function = functools.singledispatch(len).register
    (note,) = failure(implementation, function).__notes__
    assert "\nfunctools makes it inside a function" in note


def test_an_object_of_a_class_that_a_library_makes(implementation):
    """As the clients of boto3, which hold locks."""
    names = {"__module__": "json.decoder"}
    client = type("Client", (json.JSONDecoder,), names)()
    hint = failure(implementation, client).__notes__[0].split("\n")[1]
    assert hint.startswith("json makes the class at run time")
    assert hint.endswith("quickpickle.cloud pickles it by value.")
    client.lock = threading.Lock()
    hint = failure(implementation, client).__notes__[0].split("\n")[1]
    assert hint.startswith("json makes the class at run time")
    assert "quickpickle.cloud" not in hint


def test_a_function_of_cython(implementation):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        result = connection.execute(sqlalchemy.text("select 1"))
        getter = result._row_getter
    found = [one for one in getter if "cython" in type(one).__name__] if getter else []
    if not found:
        pytest.skip("it is without its compiled modules, or of another version")
    (note,) = failure(implementation, found).__notes__
    assert note.endswith(
        "\nsqlalchemy makes it inside a function, so that it has no name: leave out what holds it "
        "in __getstate__."
    )


@pytest.mark.costly
@pytest.mark.skipif(PYPY, reason="its objects are made of others")
@pytest.mark.parametrize("name", TABLE)
def test_path_and_hint(implementation, name):
    row = TABLE[name]
    obj = {"x": row.make()}
    error = failure(implementation, obj)
    (note,) = error.__notes__
    _, hint = note.split("\n")
    assert hint.startswith(row.hint)
    path = row.path if "@" in row.path else f"@(?:{row.path})"
    assert re.fullmatch(path.replace("@", r"obj\['x'\]"), error.path)
    # In an object of the user's it is the same.
    error = failure(implementation, [types.SimpleNamespace(x=obj["x"])])
    assert "obj[0].x" in error.path
    assert error.__notes__[0].endswith(f"\n{hint}")


@pytest.mark.costly
@pytest.mark.skipif(PYPY, reason="its objects are made of others")
@pytest.mark.parametrize("name", TABLE)
def test_what_the_hint_says_is_so(implementation, name):
    row = TABLE[name]
    obj = row.make()
    (note,) = failure(implementation, obj).__notes__
    assert ("quickpickle.cloud" in note) == row.cloud
    if row.instead is not None:
        implementation.dumps(row.instead(obj))
    if row.cloud:
        pytest.importorskip("cloudpickle")
        from quickpickle import cloud

        cloud.loads(cloud.dumps(obj))


def test_the_table_is_long_enough():
    assert len(TABLE) >= 60
