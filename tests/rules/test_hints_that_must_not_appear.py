"""Cases that are near to the cause of a hint and must not have it: a wrong one leads astray."""

from __future__ import annotations

import ctypes
import enum
import errno
import functools
import json
import multiprocessing.queues
import re
import sched
import threading
import types
import weakref
from dataclasses import FrozenInstanceError
from pathlib import Path
from pickle import PicklingError, UnpicklingError

import pytest

from quickpickle.format import foreign
from quickpickle.rules import (
    advice,
    hints,
    loading_early,
    loading_hints,
    loading_kinds,
    loading_names,
)
from quickpickle.rules.hints import find_file_hint, find_hint
from quickpickle.rules.load_facts import Facts
from quickpickle.rules.loading_hints import find_load_hint, find_read_hint

HERE = __name__


class Plain:
    pass


class Slots:
    __slots__ = ("one",)


class Keeps:
    """Takes care of its lock itself."""

    def __init__(self):
        self.lock = threading.Lock()

    def __getstate__(self):
        return {}


class Color(enum.Enum):
    RED = 1


class OwnError(Exception):
    pass


def function():
    pass


def local():
    def inner():
        pass

    return inner


def frames_of(name, error):
    """The error, as it comes out of a function of the user's."""
    space = {"error": error}
    exec(f"def {name}(): raise error", space)
    try:
        space[name]()
    except type(error) as caught:
        return caught


def gone(module, **attributes):
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    vars(error).update(attributes)
    return error


def at(opcode, module=HERE, name="X", **others):
    return Facts(opcode, module, name, **others)


# The text of a hint, an error, and what is known: the first begins with what must not appear.
NO_MEMBER = ValueError("7 is not a valid Color")
LOADING = {
    "NumPy 2": ("numpy._core is named", gone("numpy"), at("GLOBAL", "numpy.core", "a")),
    "pathlib": ("Paths are in", gone("pathlib2"), at("GLOBAL", "pathlib2", "Path")),
    "Python 2": ("is a module of Python 2", gone("Queue"), at("GLOBAL", "Queue", "a", proto=4)),
    "gone from Python": ("is no part of Python", gone("cgi2"), at("GLOBAL", "cgi2", "a", proto=4)),
    "line ends": ("went through text", gone("no_such"), at("GLOBAL", "no_such", "a", proto=4)),
    "moved": ("If that is the one", gone("no_such"), at("GLOBAL", "no_such", "InNoModule")),
    "a near module": ("It has ", gone("json.zzz"), at("GLOBAL", "json.zzz", "a", proto=4)),
    "to install": ("Here is no ", gone("other"), at("GLOBAL", "no_such", "a", proto=4)),
    "an import": ("The import of", gone("no_such"), at("GLOBAL", "no_such", "a", proto=4)),
    "a name by a hook": (
        "but has no",
        frames_of("find_it", AttributeError("Can't get attribute 'X'")),
        at("GLOBAL"),
    ),
    "an attribute of another": (
        "but has no",
        AttributeError("'NoneType' object has no attribute 'y'"),
        at("GLOBAL"),
    ),
    "a near name": (
        "It has",
        AttributeError("Can't get attribute 'Zzz'"),
        at("GLOBAL", name="Zzz"),
    ),
    "in a function": (
        "inside a function",
        AttributeError("Can't get attribute 'locals'"),
        at("GLOBAL", name="locals"),
    ),
    "__main__": ("The program that wrote", AttributeError("Can't get attribute 'X'"), at("GLOBAL")),
    "being imported": ("is still being", AttributeError("Can't get attribute 'X'"), at("GLOBAL")),
    "a path": (
        "The path was pickled",
        NotImplementedError("cannot instantiate"),
        at("REDUCE", "mylib", "WindowsPath", target=Plain),
    ),
    "an enum's other error": (
        "has no member",
        TypeError("7 is not a valid Color"),
        at("REDUCE", target=Color),
    ),
    "no enum": ("has no member", NO_MEMBER, at("REDUCE", target=Plain)),
    "an exception by NEWOBJ": (
        "An exception is pickled",
        TypeError("missing 1 required positional argument"),
        at("NEWOBJ", target=OwnError),
    ),
    "an exception that raises itself": (
        "An exception is pickled",
        frames_of("__init__", TypeError("missing 1 required positional argument")),
        at("REDUCE", target=OwnError),
    ),
    "__new__ with another error": (
        "__new__ takes other",
        TypeError("an int is required"),
        at("NEWOBJ", target=Plain),
    ),
    "a class's other error": (
        "takes other arguments",
        ValueError("missing 1 required positional argument"),
        at("REDUCE", target=Plain),
    ),
    "a function's other error": (
        "takes other arguments",
        TypeError("unsupported operand"),
        at("REDUCE", target=function),
    ),
    "a call of a class that calls a number": (
        "any more, but of type",
        frames_of("__init__", TypeError("'int' object is not callable")),
        at("REDUCE", target=Plain),
    ),
    "another object that is not callable": (
        "any more, but of type",
        TypeError("'str' object is not callable"),
        at("REDUCE", target=5),
    ),
    "a type that is wanted elsewhere": (
        "any more, but of type",
        UnpicklingError("NEWOBJ class argument must be a type, not int"),
        at("NEWOBJ", target=Plain),
    ),
    "an abstract class of its own": (
        "is abstract: it was",
        frames_of("__new__", TypeError("Can't instantiate abstract class X")),
        at("NEWOBJ", target=Plain),
    ),
    "a base of its own": (
        "derives from another builtin class",
        frames_of("__new__", TypeError("object.__new__(X) is not safe, use int.__new__()")),
        at("REDUCE", target=Plain),
    ),
    "getattr with another error": (
        "it was renamed or removed",
        TypeError("attribute name must be string, not 'int'"),
        at("REDUCE", "builtins", "getattr", target=getattr),
    ),
    "an attribute of no object": (
        "it was renamed or removed",
        AttributeError("no attribute"),
        at("REDUCE", "builtins", "getattr", target=getattr),
    ),
    "items of a dict": (
        "and the pickle has items for it",
        TypeError("'X' object does not support item assignment"),
        at("SETITEMS", "builtins", "dict"),
    ),
    "items, and another error": (
        "and the pickle has items for it",
        TypeError("unhashable type: 'list'"),
        at("SETITEMS", name="Plain"),
    ),
    "no Placeholder": (
        "is a Placeholder, for what is not found",
        AttributeError("'PlaceholderText' object has no attribute 'y'"),
        at("BUILD", target=Plain()),
    ),
    "a Placeholder that is called": (
        "is a Placeholder, for what is not found",
        frames_of("call", TypeError("unsupported operand type(s) for +: 'Placeholder' and 'int'")),
        at("REDUCE", target=Plain),
    ),
    "not frozen": ("is frozen", AttributeError("cannot assign"), at("BUILD", target=Slots())),
    "frozen elsewhere": (
        "is frozen",
        FrozenInstanceError("cannot assign"),
        at("REDUCE", target=Plain),
    ),
    "__setstate__ with another error": (
        "does not take the state",
        frames_of("__setstate__", OSError("no disk")),
        at("BUILD", target=Plain()),
    ),
    "deeper than __setstate__": (
        "does not take the state",
        frames_of("connect", KeyError("host")),
        at("BUILD", target=Plain()),
    ),
    "__setstate__ of a call": (
        "does not take the state",
        frames_of("__setstate__", KeyError("a")),
        at("REDUCE", target=Plain),
    ),
    "no parameter": ("has to take one", TypeError("__init__() takes"), at("BUILD", target=Plain())),
    "a dict as a state": (
        "had a __setstate__",
        UnpicklingError("slot state is not a dict"),
        at("BUILD", target=Plain()),
    ),
    "no slots": ("has __slots__", AttributeError("one"), at("BUILD", target=Plain())),
    "bytes as names": (
        "With encoding",
        TypeError("attribute name must be string, not 'bytes'"),
        at("BUILD", target=Plain()),
    ),
    "another recursion": (
        "A __getattr__ asks",
        frames_of("__getattribute__", RecursionError("maximum recursion depth")),
        at("BUILD", target=Plain()),
    ),
    "one __getattr__": (
        "A __getattr__ asks",
        frames_of("__getattr__", RecursionError("maximum recursion depth")),
        at("BUILD", target=Plain()),
    ),
    "__hash__ with another error": (
        "An object is in a set",
        frames_of("__hash__", TypeError("unhashable type: 'list'")),
        at("SETITEMS", target={}),
    ),
    "no __hash__": (
        "An object is in a set",
        frames_of("__eq__", AttributeError("one")),
        at("SETITEMS", target={}),
    ),
    "a text of Python 3": (
        "This is a str of Python 2",
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a"),
        at("BINUNICODE"),
    ),
    "another encoding": (
        "This is a str of Python 2",
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a"),
        at("STRING", encoding="utf-8"),
    ),
    "latin1": (
        "This str of Python 2 is not",
        UnicodeDecodeError("latin1", b"\xff", 0, 1, "a"),
        at("STRING", encoding="latin1"),
    ),
    "a protocol of damage": (
        "A later version",
        ValueError("unsupported pickle protocol: 200"),
        at("PROTO"),
    ),
    "buffers of a user": (
        "Its large buffers",
        ValueError("no *buffers* argument was given"),
        at("NEXT_BUFFER"),
    ),
    "buffers enough": (
        "It has more out-of-band",
        UnpicklingError("not enough out-of-band buffers, says a hook"),
        at("NEXT_BUFFER"),
    ),
    "a persistent id of a hook": (
        "Some of its objects",
        frames_of("persistent_load", UnpicklingError("persistent id instruction")),
        at("BINPERSID"),
    ),
    "the memo of a hook": (
        "It refers to an object",
        frames_of("persistent_load", UnpicklingError("Memo value not found at index 1")),
        at("BINPERSID"),
    ),
}


SOURCE = "".join(
    re.sub(r'"\s+f?"', "", Path(module.__file__).read_text("utf-8"))
    for module in (
        *(hints, loading_hints, loading_names, loading_kinds, loading_early),
        *(foreign, advice),
    )
)


@pytest.mark.parametrize("case", LOADING)
def test_of_loading(case):
    text, error, facts = LOADING[case]
    assert text in SOURCE  # there is such a hint
    assert text not in (find_load_hint(error, facts) or "")


READING = [
    (hints.find_file_hint, loading_hints._TEXT_FILE, TypeError("read() takes 1 argument")),
    (find_read_hint, loading_hints._TEXT_FILE, UnicodeDecodeError("utf-8", b"a", 0, 1, "b")),
    (find_read_hint, loading_hints._CLOSED, ValueError("negative seek position")),
    (find_read_hint, loading_hints._WRITE_ONLY, OSError(errno.EIO, "Input/output error")),
    (find_read_hint, loading_hints._NO_WRITER, OSError(errno.EPIPE, "Broken pipe")),
    (find_read_hint, loading_hints._DOES_NOT_BLOCK, BlockingIOError()),
    (find_read_hint, loading_hints._CUT_OFF, EOFError("Ran out of input")),
    (find_read_hint, loading_hints._CUT_OFF, ValueError("Compressed file ended before the end")),
    (find_file_hint, hints._TEXT_FILE, TypeError("a bytes-like object is required")),
    (find_file_hint, hints._CLOSED, ValueError("write would block")),
    (find_file_hint, hints._NO_ROOM, OSError(errno.EFBIG, "File too large")),
    (find_file_hint, hints._READ_ONLY, OSError(errno.EACCES, "Permission denied")),
    (find_file_hint, hints._NO_READER, OSError(errno.ETIMEDOUT, "Connection timed out")),
]


@pytest.mark.parametrize(("find", "text", "error"), READING)
def test_of_files(find, text, error):
    assert find(error) != text


def renamed(obj, **names):
    for name, value in names.items():
        setattr(obj, name, value)
    return obj


def helper(self):
    pass


def of_this_module(make):
    """Another object with the name of something in this module."""
    made = make()
    made.__qualname__ = "Plain" if isinstance(made, type) else "function"
    made.__module__ = HERE
    return made


def with_helper():
    return type("Plain", (), {"helper": helper})


class Plain2:
    helper = helper


class Workers(multiprocessing.queues.JoinableQueue):
    """Takes care of its locks itself."""

    def __init__(self):
        pass

    def __getstate__(self):
        return {}


class WithName:
    """Neither its name nor itself is asked."""

    @property
    def __name__(self):
        raise AssertionError("asked")

    def __call__(self):
        raise AssertionError("asked")


def by_exec(text, **names):
    space = dict(names)
    exec(text, space)
    return space["made"]


# The hint that must not appear, the object, its error and what it is in.
NOT_FOUND = PicklingError("Can't pickle it: it's not found as module.name")
WRITING = {
    "no lambda": (hints._LAMBDA, local(), NOT_FOUND),
    "a lambda with another error": (hints._LAMBDA, lambda: 0, ValueError("no")),
    "no function": (hints._LOCAL_FUNCTION, type("Inner", (), {}), NOT_FOUND),
    "a function at the top": (hints._LOCAL_FUNCTION, function, NOT_FOUND),
    "no class": (hints._LOCAL_CLASS, local(), NOT_FOUND),
    "a function that is not hidden": (hints._HIDDEN_BY_FUNCTION, function, NOT_FOUND),
    "a class that is not hidden": (hints._HIDDEN_CLASS, Plain, NOT_FOUND),
    "a class that was not made again": (hints._MADE_AGAIN_CLASS, Plain, NOT_FOUND),
    "a function that was not made again": (
        hints._MADE_AGAIN,
        renamed(local(), __qualname__="function"),
        NOT_FOUND,
    ),
    "a class with its name": (hints._MADE_AT_RUN_TIME.format("Plain"), Plain, NOT_FOUND),
    "another variable": (hints._OTHER_VARIABLE.partition("{")[0], Plain, NOT_FOUND),
    "a class that shares a function with another": (
        hints._DERIVED_CLASS,
        of_this_module(with_helper),
        NOT_FOUND,
    ),
    "a class of the user's at run time": (
        "builtins makes the class",
        of_this_module(lambda: type("Plain", (), {})),
        NOT_FOUND,
    ),
    "a class in C without a name": (
        "builtins makes the class at run time",
        type(iter([])),
        NOT_FOUND,
    ),
    "a class in C without a name, at the top": (
        "The class was made at run time",
        type(iter([])),
        NOT_FOUND,
    ),
    "an instance whose class has its name": (
        "The class was made at run time",
        WithName(),
        NOT_FOUND,
    ),
    "a lambda by exec": (hints._MADE_BY_EXEC, by_exec("made = lambda: 0"), NOT_FOUND),
    "a class by exec": (hints._MADE_BY_EXEC, by_exec("class made: pass"), NOT_FOUND),
    "a function of a module by exec": (
        hints._MADE_BY_EXEC,
        by_exec("def made(): pass", __name__=HERE),
        NOT_FOUND,
    ),
    "an import that fails elsewhere": (
        hints._OTHER_NAME,
        Plain(),
        ModuleNotFoundError("No module named 'no_such_module'"),
    ),
    "a queue that takes care of its locks": (
        advice._INHERITED,
        Workers(),
        TypeError("cannot pickle"),
    ),
    "a recursion of the user's": (hints._ENDLESS, Plain(), RecursionError("nested calls")),
    "a change of another kind": (hints._CHANGED, {}, RuntimeError("changed during iteration")),
    "a lock that its owner leaves out": (advice._LOCK, Keeps(), ValueError("no")),
    "a name for a lock": (advice._LOCK, types.SimpleNamespace(lock=1), TypeError("lock")),
    "bytes for a view": (advice._BUFFER_VIEW, b"a", TypeError("cannot pickle memoryview")),
    "a list for a view": (advice._DICT_VIEW, [1], TypeError("cannot pickle dict_keys")),
    "no module": (advice._MODULE, types.SimpleNamespace(a=json), ValueError("no")),
    "no pointer": (advice.POINTER, Plain(), ValueError("ctypes objects containing pointers")),
    "Ctrl-C": (advice._LOCK, threading.Lock(), KeyboardInterrupt()),
}


@pytest.mark.parametrize("case", WRITING)
def test_of_writing(case):
    text, obj, error = WRITING[case]
    assert find_hint(obj, error) != text
    assert not (find_hint(obj, error) or "").startswith(text)


def test_an_owner_that_takes_care_of_it():
    """The lock in it is at fault, but it is not said of the owner."""
    owner = Keeps()
    assert find_hint(owner.lock, TypeError("cannot pickle"), [owner]) == advice._LOCK
    assert find_hint(1, TypeError("cannot pickle"), [owner]) is None


BY_VALUE = "quickpickle.cloud"


def with_default():
    def inner(lock=threading.Lock()):  # noqa: B008
        pass

    return inner


def with_cell():
    lock = threading.Lock()
    return lambda: lock


def with_attribute():
    class Inner:
        lock = threading.Lock()

    return Inner


def with_method():
    lock = threading.Lock()

    class Inner:
        @property
        def lock(self):
            return lock

    return Inner


def with_structure():
    class Inner(ctypes.Structure):
        _fields_ = (("a", ctypes.c_int),)

    return Inner


LOCK = threading.Lock()
GLOBAL = by_exec("def made(): return LOCK", LOCK=LOCK)


@pytest.mark.parametrize(
    "make",
    [
        *(with_default, with_cell, with_attribute, with_method, with_structure),
        *(lambda: with_attribute()(), lambda: GLOBAL, lambda: [with_cell()][0]),
    ],
)
def test_no_word_of_what_cloudpickle_refuses(make):
    pytest.importorskip("cloudpickle")
    from quickpickle import cloud

    obj = make()
    hint = find_hint(obj, NOT_FOUND)
    assert hint is not None
    assert BY_VALUE not in hint
    with pytest.raises((TypeError, PicklingError)):
        cloud.dumps(obj)


class Lost:
    def __reduce__(self):
        return "LOST"


class LostInC(Lost):
    """Its __reduce__ is nobody's to change."""

    __reduce__ = object.__reduce__


def test_a_class_that_is_found_is_not_at_fault():
    hint = find_hint(Lost(), NOT_FOUND)
    assert hint is not None
    assert hint.startswith("Its __reduce__ returns a name")
    assert find_hint(LostInC(), NOT_FOUND) is None


def test_a_word_of_what_cloudpickle_takes():
    """The same without the lock; and what leaves its lock out is not refused."""
    for obj in (local(), by_exec("def made(): return json", json=json), type("Inner", (), {})):
        assert BY_VALUE in (find_hint(obj, NOT_FOUND) or "")
    keeps = Keeps()
    assert BY_VALUE in (find_hint(lambda: keeps, NOT_FOUND) or "")


def queue_of_a_library():
    """Without advice of its own; nobody writes a __getstate__ for it."""
    return sched.scheduler()


def test_a_function_of_a_library_cannot_be_changed():
    """It is pickled by value under the name of the user's function, with all that it holds."""
    around = [GLOBAL, functools.singledispatch(GLOBAL)]
    for held in (LOCK, weakref.WeakKeyDictionary(), json):
        assert find_hint(held, TypeError("cannot pickle"), around) is None
        assert find_hint(held, TypeError("cannot pickle"), around[::-1]) is not None


HOLDERS = {
    "a function": ([GLOBAL, {}], "make or import it inside the function"),
    "a function, deeper": ([GLOBAL, {}, [], ()], "make or import it inside the function"),
    "a class": ([Plain, {}], "make or import it inside a method"),
    "an instance": ([Plain()], advice._LEAVE_OUT),
    "an instance in a function": ([GLOBAL, {}, Plain(), {}], advice._LEAVE_OUT),
    "an instance of a class by value": ([Plain(), Plain, {}, Plain()], advice._LEAVE_OUT),
    "an object of a library in a class": (
        [Plain, {}, queue_of_a_library(), {}],
        "make or import it inside a method",
    ),
    "an object of a library": ([queue_of_a_library()], advice._LEAVE_OUT),
    "a list": ([[]], advice._LEAVE_OUT),
    "nothing": ([], advice._LEAVE_OUT),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_holds_it_decides_what_to_do(holder):
    around, text = HOLDERS[holder]
    hint = find_hint(LOCK, TypeError("cannot pickle"), around)
    assert hint is not None
    assert hint.startswith("A lock works in the process that made it: ")
    assert text in hint
    # Of what is not left out in __getstate__ it is the same everywhere.
    assert find_hint(json, TypeError("cannot pickle"), around) == advice._MODULE
