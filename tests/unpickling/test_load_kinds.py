"""Hints of loads whose names lead to something else than when the pickle was written."""

from __future__ import annotations

import abc
import functools
import io
import pickle
import re
import sys
import types

import pytest

from quickpickle import Policy

CPYTHON = sys.implementation.name == "cpython"
pytestmark = pytest.mark.skipif(not CPYTHON, reason="the errors of PyPy's unpickler are others")
HERE = __name__
ELSEWHERE = f"load with renames={{'{HERE}.Changing': '…'}}"


def hint_of(load, *args, **options):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        load(*args, **options)
    (note,) = caught.value.__notes__
    return note.partition("\n")[2]


class Changing:
    """Each test puts something else into the place of this class."""

    def __init__(self):
        self.one = 1


DATA = {protocol: pickle.dumps([Changing()], protocol) for protocol in range(6)}


class Abstract(abc.ABC):
    @abc.abstractmethod
    def method(self):
        pass


class Number(int):
    pass


def function():
    pass


@pytest.fixture
def change(monkeypatch):
    def put(obj):
        monkeypatch.setattr(sys.modules[HERE], "Changing", obj)

    return put


@pytest.mark.parametrize(
    "obj",
    [function, 5, None, types, object(), len],
    ids=["function", "int", "None", "module", "object", "builtin"],
)
def test_a_class_that_is_none_any_more(unpickling, protocol, change, obj):
    change(obj)
    kind = type(obj).__name__
    hint = hint_of(unpickling.loads, DATA[protocol])
    assert hint.startswith(f"{HERE}.Changing is no class any more, but of type ")
    assert kind in hint
    assert hint.endswith(f"{ELSEWHERE}.")
    renames = {f"{HERE}.Changing": f"{HERE}.Number"}
    if protocol >= 2:
        assert type(unpickling.loads(DATA[protocol], renames=renames)[0]) is Number


def test_a_function_that_is_none_any_more(unpickling, protocol, change):
    data = pickle.dumps([Calls("Changing")], protocol)
    for obj, kind in ((7, "int"), (re.compile("a"), "re.Pattern"), (Number(7), f"{HERE}.Number")):
        change(obj)
        hint = hint_of(unpickling.loads, data)
        start = f"{HERE}.Changing is no class or function any more, but of type {kind}"
        assert hint.startswith(start)
        assert hint.endswith(f"{ELSEWHERE}.")


class Calls:
    """Is pickled as a call of what has a name in this module."""

    def __init__(self, name, *args):
        self.name = name
        self.args = args

    def __reduce__(self):
        return vars(sys.modules[HERE])[self.name], self.args


def test_a_class_that_is_abstract_now(unpickling, protocol, change):
    Abstract.__qualname__ = "Changing"
    change(Abstract)
    hint = hint_of(unpickling.loads, DATA[protocol])
    assert hint.startswith(f"{HERE}.Changing is abstract: it was changed")
    assert "'…'}, or give it those." in hint


@pytest.mark.parametrize("protocol_number", [0, 1])
def test_another_builtin_base(unpickling, change, protocol_number):
    change(Number)
    hint = hint_of(unpickling.loads, DATA[protocol_number])
    assert hint.startswith(f"{HERE}.Changing derives from another builtin class than it did")


def test_a_fault_of_the_users_is_not_taken_for_one_of_these(unpickling, protocol, change):
    class Fails:
        number = 5

        def __new__(cls):
            return cls.number()

    Fails.__qualname__ = "Changing"
    change(Fails)
    if protocol >= 2:
        assert hint_of(unpickling.loads, DATA[protocol]) == ""


# --- members


class Holder:
    class Inner:
        pass

    def method(self):
        pass

    @classmethod
    def of_class(cls):
        pass


@pytest.mark.parametrize("name", ["method", "of_class"])
def test_a_method_that_is_gone(unpickling, protocol, monkeypatch, name):
    data = pickle.dumps([getattr(Holder(), name)], protocol)
    monkeypatch.delattr(Holder, name)
    hint = hint_of(unpickling.loads, data)
    assert hint.startswith(f"{HERE}.Holder has no {name}: it was renamed or removed")
    monkeypatch.setattr(Holder, name, function, raising=False)
    assert unpickling.loads(data)


@pytest.mark.parametrize("protocol_number", [0, 1, 2, 3])
def test_a_class_in_a_class_that_is_gone(unpickling, monkeypatch, protocol_number):
    data = pickle.dumps([Holder.Inner], protocol_number)
    monkeypatch.delattr(Holder, "Inner")
    assert hint_of(unpickling.loads, data).startswith(f"{HERE}.Holder has no Inner: it was renamed")


class Raises:
    @property
    def value(self):
        raise AttributeError("a fault of its own")


def test_a_property_that_fails_is_there(unpickling):
    data = f"cbuiltins\ngetattr\n(c{HERE}\nRaises\n)\x81\x8c\5valuetR.".encode("latin-1")
    assert hint_of(unpickling.loads, data) == ""


# --- items


class Items:
    pass


@pytest.mark.parametrize(
    ("items", "base", "method"),
    [
        (b"K\1K\2s", "dict", "__setitem__"),
        (b"(K\1K\2u", "dict", "__setitem__"),
        (b"K\1a", "list", "append"),
        (b"(K\1e", "list", "append"),
        (b"(K\1\x90", "set", "add"),
    ],
)
def test_items_of_a_class_that_has_another_base(unpickling, items, base, method):
    data = f"\x80\4]c{HERE}\nItems\n)\x81".encode("latin-1") + items + b"a."
    hint = hint_of(unpickling.loads, data)
    assert hint.startswith(f"{HERE}.Items has no {method}(), and the pickle has items for it")
    assert f"derive from {base} again" in hint


class Refuses(dict):
    def __setitem__(self, key, value):
        raise TypeError("it does not support item assignment")


def test_items_that_a_class_refuses(unpickling):
    data = f"\x80\4c{HERE}\nRefuses\n)\x81K\1K\2s.".encode("latin-1")
    assert hint_of(unpickling.loads, data) == ""


# --- arguments


def takes(one, two):
    return one


cached = functools.lru_cache(takes)
partly = functools.partial(takes, 1)
method = functools.partial(types.MethodType(takes, 1), 2)


@pytest.mark.parametrize("name", ["takes", "cached", "partly", "method"])
@pytest.mark.parametrize(
    ("count", "remedy"), [(0, "give new ones a default"), (4, "let it take those too")]
)
def test_a_function_in_another(unpickling, name, count, remedy):
    args = b"(" + b"K\1" * count + b"t"
    data = b"\x80\4]c" + f"{HERE}\n{name}\n".encode() + args + b"Ra."
    if name == "method" and count == 0:
        assert unpickling.loads(data) == [1]
        return
    hint = hint_of(unpickling.loads, data)
    assert hint.startswith("takes() takes other arguments than the pickle has: it was changed")
    assert hint.endswith(f"To load this pickle, {remedy}.")


def test_a_library_is_not_to_be_changed(unpickling):
    hint = hint_of(unpickling.loads, b"\x80\4]cfractions\nFraction\n(K\1K\2K\3K\4tRa.")
    assert hint.endswith("use the version of Python that wrote it.")
    hint = hint_of(unpickling.loads, b"\x80\4]c_pytest.mark\nMarkGenerator\nK\1\x85Ra.")
    assert hint.endswith("use the version of _pytest that wrote it.")


class Tree:
    def __setstate__(self, state):
        self.nodes = state["nodes"]


def put_library(monkeypatch, **members):
    """A library in C, with a class Tree that has these."""
    library = types.ModuleType("library")
    library.__file__ = "/site-packages/library.so"
    library.Tree = type("Tree", (), {"__module__": "library", **members})
    monkeypatch.setitem(sys.modules, "library", library)


def test_the_state_of_a_library(unpickling, monkeypatch):
    """Of Cython, whose frames have full names."""
    code = Tree.__setstate__.__code__.replace(co_name="library.Tree.__setstate__")
    put_library(monkeypatch, __setstate__=types.FunctionType(code, {}))
    hint = hint_of(unpickling.loads, b"\x80\4]clibrary\nTree\n)\x81}K\1K\2sba.")
    assert hint.startswith("library.Tree.__setstate__ does not take the state")
    assert hint.endswith("Use the version of library that wrote it.")
    hint = hint_of(unpickling.loads, f"\x80\4]c{HERE}\nTree\n)\x81}}K\1K\2sba.".encode("latin-1"))
    assert hint.endswith("Let it take the old states too.")


def refuses(*args):
    raise TypeError("__cinit__() takes exactly 3 positional arguments (1 given)")


@pytest.mark.parametrize(
    ("name", "file", "is_meant"),
    [
        ("library.Tree.__cinit__", "library.pyx", True),
        ("library.Tree.__cinit__", "library.py", False),
        ("library.Tree.grow", "library.pyx", False),
    ],
)
def test_a_constructor_of_cython(unpickling, monkeypatch, name, file, is_meant):
    code = refuses.__code__.replace(co_name=name, co_filename=file)
    put_library(monkeypatch, __new__=types.FunctionType(code, {}))
    hint = hint_of(unpickling.loads, b"\x80\4]clibrary\nTree\nK\1\x85Ra.")
    assert hint.startswith("library.Tree takes other arguments") is is_meant
    assert hint.endswith("use the version of library that wrote it.") is is_meant


def test_a_placeholder_in_a_state(unpickling):
    state = b"}\x8c\5nodescno_such\nnodes\n)Rs"
    data = f"\x80\4]c{HERE}\nSums\n)\x81".encode("latin-1") + state + b"ba."
    hint = hint_of(unpickling.loads, data, missing="placeholder")
    assert hint.startswith("The state or an item is a Placeholder, for what is not found")
    (made,) = unpickling.loads(data, missing="placeholder", policy=Policy.plain())
    assert made.name == f"{HERE}.Sums"


class Sums:
    def __setstate__(self, state):
        self.sum = state["nodes"] + 1


# --- modules whose import fails


@pytest.mark.parametrize(
    "source",
    ["import json\njson.no_such", "x = = 1", "no_such", "raise ValueError('size changed')"],
)
def test_an_import_that_fails(unpickling, source, tmp_path, monkeypatch):
    (tmp_path / "fails_here.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    hint = hint_of(unpickling.loads, named("fails_here", "X"))
    assert hint.startswith("The import of fails_here fails, with a pickle or without")


def test_a_module_with_a_getattr_of_its_own(unpickling, tmp_path, monkeypatch):
    source = "def __getattr__(name):\n    raise AttributeError('no ' + name)\nclass Order: pass"
    (tmp_path / "answers.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    hint = hint_of(unpickling.loads, named("answers", "Orders"))
    assert hint.startswith("answers is there, but has no Orders. It has Order")


def test_an_error_of_find_class_is_none_of_an_import(unpickling):
    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            raise LookupError(name)

    assert hint_of(Own(io.BytesIO(named("json", "X"))).load) == ""


# --- names of __main__, of functions and of Python 2


def named(module, name, protocol=4):
    return b"\x80" + bytes([protocol]) + f"]c{module}\n{name}\na.".encode()


def test_a_near_name_in_main(unpickling, monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__file__", "script.py", raising=False)
    hint = hint_of(unpickling.loads, named("__main__", "Invoices"))
    assert "script.py has none" in hint
    assert "renames" not in hint
    monkeypatch.setattr(main, "Invoice", type("Invoice", (), {}), raising=False)
    hint = hint_of(unpickling.loads, named("__main__", "Invoices"))
    renames = {"__main__.Invoices": "__main__.Invoice"}
    assert hint.endswith(f"It has Invoice: if that is the same, load with renames={renames}.")
    assert unpickling.loads(named("__main__", "Invoices"), renames=renames)


@pytest.mark.parametrize("name", ["make.<locals>.Inner", "<lambda>"])
def test_names_in_functions(unpickling, name):
    hint = hint_of(unpickling.loads, named(HERE, name))
    assert hint.startswith("It was defined inside a function, or is a lambda")
    assert hint.endswith(f"load with renames={{'{HERE}.{name}': '…'}}.")
    renames = {f"{HERE}.{name}": f"{HERE}.function"}
    assert unpickling.loads(named(HERE, name), renames=renames) == [function]


@pytest.mark.parametrize("protocol_number", [3, 4, 5])
def test_names_of_python_2_that_have_one_place_in_python_3(unpickling, protocol_number):
    data = named("urllib2", "URLError", protocol_number)
    hint = hint_of(unpickling.loads, data)
    renames = {"urllib2.URLError": "urllib.error.URLError"}
    assert hint.endswith(f"load with renames={renames}.")
    assert unpickling.loads(data, renames=renames)
    hint = hint_of(unpickling.loads, named("__builtin__", "file", protocol_number))
    assert hint.startswith("Python 3 has no builtin file")


def test_modules_that_went_with_python_2(unpickling):
    expected = "sets is no part of Python since 3.0: load it with an earlier version, or with"
    assert hint_of(unpickling.loads, named("sets", "NotElsewhere", 2)).startswith(expected)
    hint = hint_of(unpickling.loads, named("exceptions", "NotElsewhere", 2))
    assert hint.startswith("Python 3 has no builtin NotElsewhere.")
    # Python 2 has not written that.
    assert hint_of(unpickling.loads, named("sets", "NotElsewhere")).startswith("Here is no sets")


@pytest.mark.skipif(sys.platform == "win32", reason="the other way round")
def test_modules_of_another_system(unpickling):
    hint = hint_of(unpickling.loads, named("nt", "getcwd"))
    assert hint.endswith("load with renames={'nt.getcwd': 'posix.getcwd'}.")
    assert unpickling.loads(named("nt", "getcwd"), renames={"nt.getcwd": "posix.getcwd"})
    for module, name in (("nt", "startfile"), ("winreg", "X")):
        hint = hint_of(unpickling.loads, named(module, name))
        assert hint.startswith(f"{module} is of the standard library, but of another system")


def test_an_import_of_what_was_left_out(unpickling, tmp_path, monkeypatch):
    """As `bz2` needs `_bz2`."""
    (tmp_path / "needs_registry.py").write_text("import winreg")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "winreg", None)
    hint = hint_of(unpickling.loads, named("needs_registry", "X"))
    assert "needs_registry is there, but what it imports is not: winreg is of the" in hint
