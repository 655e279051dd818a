"""find_holders: whatever holds an object goes by a name."""

from __future__ import annotations

import collections
import functools
import gc
import io
import multiprocessing.reduction
import pickle
import sys
import types
import typing

import pytest

from quickpickle.rules.holders import find_holders, find_subclasses

PYPY = sys.implementation.name == "pypy"
pytestmark = pytest.mark.skipif(PYPY, reason="no gc.is_tracked")

CODE = """
import collections, functools, pickle

class Class:
    plain = held
    static = staticmethod(held)
    klass = classmethod(held)
    prop = property(held)
    in_dict = {"key": [held]}
    class Inner:
        plain = held
    def method(self, first, dumps=held, *, keyword=held): pass
    def annotated(self, dumps: held) -> held: pass

def outer():
    variable = held
    def inner(): return variable
    return inner

closure = outer()
partial = functools.partial(held, protocol=4)
argument = functools.partial(print, held)
Codec = collections.namedtuple("Codec", "encode decode")

class Registry:
    def __init__(self):
        self._codecs = {"pickle": Codec(held, None)}
        self.first = self.second = held
        self.more = {"deep": [held, held], "itself": self}

class Slots:
    __slots__ = ("slot",)

registry = Registry()
method = registry.__init__
slots = Slots()
slots.slot = held
ordered = collections.OrderedDict(key=held)
queue = collections.deque([held])
twice = [held, (held, "between"), held]
by_key = {int: held, ("a", 1): held, object(): held, Class: {True: held}}

def decorate(function):
    @functools.wraps(pickle.dumps)
    def wrapper(): return function
    return wrapper

wrapped = decorate(held)
nested = ({"a": [0, held]},)
def function(): pass
function.attribute = held
"""

NAMES = {
    "Class.plain",
    "Class.static",
    "Class.klass",
    "Class.prop",
    "Class.in_dict['key'][0]",
    "Class.Inner.plain",
    "Class.method(dumps=)",
    "Class.method(keyword=)",
    "outer.<locals>.inner.<locals>.variable",
    "partial",
    "argument.args[0]",
    "method.__self__._codecs['pickle'].encode",
    "method.__self__.first",
    "method.__self__.second",
    "method.__self__.more['deep'][0]",
    "method.__self__.more['deep'][1]",
    "registry._codecs['pickle'].encode",
    "registry.first",
    "registry.second",
    "registry.more['deep'][0]",
    "registry.more['deep'][1]",
    "slots.slot",
    "ordered",
    "queue",
    "twice[0]",
    "twice[1][0]",
    "twice[2]",
    "by_key[int]",
    "by_key[('a', 1)]",
    "by_key[<object>]",
    "by_key[Class][True]",
    "decorate.<locals>.wrapper.<locals>.function",
    "nested[0]['a'][1]",
    "function.attribute",
    "held",
}


def a_function():
    pass


class AClass:
    pass


@pytest.mark.parametrize("held", [pickle.dumps, pickle.Pickler, a_function, AClass])
@pytest.mark.parametrize("is_collected", [False, True])
def test_all_that_holds(monkeypatch, held, is_collected):
    """After a collection, containers of what is never freed are unknown to the collector."""
    module = types.ModuleType("holding")
    module.held = held
    exec(CODE, module.__dict__)
    monkeypatch.setitem(sys.modules, "holding", module)
    if is_collected:
        gc.collect()
    names = [found.name for found in find_holders(held) if found.module == "holding"]
    assert set(names) == NAMES


def test_a_module_that_is_not_in_sys_modules():
    module = types.ModuleType("hidden")
    module.held = held = types.FunctionType(a_function.__code__, {})
    assert ("hidden", "held") in set(find_holders(held))


def test_what_only_a_running_function_holds():
    class Local:
        pass

    local = Local()
    local.attribute = held = types.FunctionType(a_function.__code__, {})
    name = "test_what_only_a_running_function_holds.<locals>.Local"
    assert set(find_holders(held)) == {(__name__, f"<{name}>.attribute")}


def test_what_describes_is_no_holder():
    held = type("Held", (), {})

    def function(one: held) -> held: ...

    hint = typing.Optional[held], list[held]  # noqa: UP045
    assert not set(find_holders(held)), hint


def test_no_code_of_the_holders_is_run():
    held = types.FunctionType(a_function.__code__, {})

    class Hostile:
        def __init__(self):
            object.__setattr__(self, "attribute", held)

        def __getattribute__(self, name):
            raise AssertionError(name)

        __eq__ = __hash__ = __repr__ = __iter__ = __getattribute__

        @property
        def __class__(self):
            raise AssertionError("__class__")

    hostile = Hostile()
    names = {found.name.rpartition(">")[2] for found in find_holders(held)}
    assert names == {".attribute", ".held"}  # the second in the closure of __init__
    del hostile


def test_subclasses():
    class One(pickle.Pickler):
        pass

    class Two(One):
        pass

    names = {found.name.rpartition(".")[2] for found in find_subclasses([pickle.Pickler])}
    assert {"One", "Two", multiprocessing.reduction.ForkingPickler.__name__} <= names
    assert Two(io.BytesIO())


def test_a_circle_of_holders():
    held = types.FunctionType(a_function.__code__, {})
    circle: list[object] = [held]
    circle.append({"again": circle})
    assert set(find_holders(held)) == set()
    holder = functools.partial(print, circle)
    assert set(find_holders(held)) == set()
    assert isinstance(holder, collections.abc.Callable)


def test_ten_places_of_an_object(monkeypatch):
    """A network of objects would have more ways to a name than can be followed."""
    module = types.ModuleType("holding")
    held = types.FunctionType(a_function.__code__, {})
    module.places = [held] * 30
    monkeypatch.setitem(sys.modules, "holding", module)
    names = [found.name for found in find_holders(held) if found.module == "holding"]
    assert names == [f"places[{i}]" for i in range(10)]
