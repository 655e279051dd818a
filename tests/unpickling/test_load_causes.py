"""Hints of loads in their whole kind: for each cause the cases of it, and those that are none."""

from __future__ import annotations

import enum
import io
import json
import pickle
import sys
import types
import urllib.error

import pytest

from quickpickle.format import foreign

CPYTHON = sys.implementation.name == "cpython"
pytestmark = [
    pytest.mark.skipif(not CPYTHON, reason="the errors of PyPy's unpickler are others"),
    # From 3.14 on an HTTPError that is not closed warns when it is freed, maybe in a later test.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HERE = __name__


def failure(load, *args, **options):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        load(*args, **options)
    return caught.value


def hint_of(error):
    (note,) = error.__notes__
    return note.partition("\n")[2]


def instance(cls, state=b"}U\1aK\1s"):
    """A pickle of an instance, in a list, with a state."""
    return b"\x80\2]c" + f"{HERE}\n{cls}\n".encode() + b")\x81" + state + b"ba."


# --- __getattr__


class ByMethod:
    def __getattr__(self, name):
        return self.find(name)

    def find(self, name):
        return self.names[name]


class ByProperty:
    def __getattr__(self, name):
        return self.inner.attribute

    @property
    def inner(self):
        return self.absent


class ByHelper:
    def __getattr__(self, name):
        return look_into(self, name)


def look_into(obj, name):
    return obj.names[name]


class AnswersNone:
    def __getattr__(self, name):
        return None


class AnswersText:
    def __getattr__(self, name):
        return "a text"


class AskingItself:
    def __getattr__(self, name):
        return self.__dict__["names"][name]


class AttrDict(dict):
    def __getattr__(self, name):
        return self[name]


class ShortAttrDict(dict):
    __getattr__ = dict.__getitem__


class RaisesValueError:
    def __getattr__(self, name):
        raise ValueError(name)


class Chained:
    """Each object asks another one: it does not call itself, there are only too many."""

    depth = 0

    def __getattr__(self, name):
        Chained.depth += 1
        return getattr(Chained(), f"{name}{Chained.depth}")


class Guarded:
    def __getattr__(self, name):
        raise AttributeError(name)

    def __setstate__(self, state):
        raise KeyError("__setstate__")


class FailsElsewhere:
    """The state is set, and what that calls fails."""

    def __getattr__(self, name):
        if name == "__setstate__":
            return self.__class__.restore
        raise AttributeError(name)

    @staticmethod
    def restore(state):
        raise KeyError("d")


def recurse_in_setstate(obj):
    return recurse_in_setstate(obj)


class Recurses:
    def __setstate__(self, state):
        recurse_in_setstate(self)


GETATTR = {
    "ByMethod": "A __getattr__ asks for an attribute that a new object does not have",
    "ByProperty": "A __getattr__ asks for an attribute that a new object does not have",
    "ByHelper": "A __getattr__ asks for an attribute that a new object does not have",
    "AnswersNone": "AnswersNone.__getattr__ for __setstate__, and it answers with what is no",
    "AnswersText": "AnswersText.__getattr__ for __setstate__, and it answers with what is no",
    "AskingItself": "before the object has its attributes, and it raises KeyError",
    "AttrDict": "before the object has its attributes, and it raises KeyError",
    "ShortAttrDict": "before the object has its attributes, and it raises KeyError",
    "RaisesValueError": "before the object has its attributes, and it raises ValueError",
    "Chained": None,
    "FailsElsewhere": None,
    "Recurses": None,
}


@pytest.mark.parametrize("name", GETATTR)
def test_getattr_that_is_asked_too_early(unpickling, name):
    data = instance(name)
    error = failure(unpickling.loads, data)
    assert type(error) is type(failure(pickle.loads, data))
    assert error.path == "obj[0]"
    expected = GETATTR[name]
    assert (expected in hint_of(error)) if expected else not hint_of(error)


def test_the_error_of_a_setstate_is_no_fault_of_getattr(unpickling):
    assert "__getattr__" not in hint_of(failure(unpickling.loads, instance("Guarded")))


# --- __setstate__


class Helped:
    def __setstate__(self, state):
        self.restore(state)

    def restore(self, state):
        self.value = state["gone"]


class HelpedByFunction:
    def __setstate__(self, state):
        restore(self, state)


def restore(obj, state):
    (obj.one,) = state["a"], state["a"]


class HelpedElsewhere:
    def __setstate__(self, state):
        json.loads("{")


class HelpedByDisk:
    def __setstate__(self, state):
        self.restore()

    def restore(self):
        raise OSError("no disk")


@pytest.mark.parametrize(
    ("name", "is_state"),
    [
        ("Helped", True),
        ("HelpedByFunction", True),
        ("HelpedElsewhere", False),
        ("HelpedByDisk", False),
    ],
)
def test_a_setstate_that_fails_in_a_helper(unpickling, name, is_state):
    hint = hint_of(failure(unpickling.loads, instance(name)))
    assert hint.startswith(f"{HERE}.{name}.__setstate__ does not take the state") is is_state
    assert bool(hint) is is_state


# --- sets, dicts, items


class Node:
    def __init__(self, name):
        self.name = name
        self.others = set()

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        return self.name == other.name


class DictNode(Node):
    def __hash__(self):
        return hash(vars(self)["name"])


class EqualNode(Node):
    def __hash__(self):
        return 1


class EqualDictNode(EqualNode):
    __hash__ = EqualNode.__hash__

    def __eq__(self, other):
        return vars(self)["name"] == vars(other)["name"]


class SlotsNode:
    __slots__ = ("name", "others")
    __hash__ = EqualNode.__hash__
    __eq__ = Node.__eq__

    def __init__(self, name):
        self.name = name
        self.others = set()


class NeverEqual(Node):
    __hash__ = EqualNode.__hash__

    def __eq__(self, other):
        return REGISTRY[self.name]  # a fault that is not the pickle's


class BadHash(Node):
    def __hash__(self):
        return REGISTRY["hashes"]


REGISTRY = {}


def in_a_cycle(cls):
    first, second = cls("a"), cls("b")
    others = set.__new__(set)
    first.others = second.others = others
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cls, "__hash__", object.__hash__)
        others.update((first, second))
        return pickle.dumps([first], 4)


@pytest.mark.parametrize(
    ("cls", "method"),
    [
        (Node, "__hash__"),
        (DictNode, "__hash__"),
        (EqualNode, "__eq__"),
        (EqualDictNode, "__eq__"),
        (SlotsNode, "__eq__"),
    ],
)
def test_a_set_that_leads_to_its_member(unpickling, cls, method):
    error = failure(unpickling.loads, in_a_cycle(cls))
    hint = hint_of(error)
    assert f"to which it leads itself, so its {method} is called before it has" in hint


@pytest.mark.parametrize("cls", [NeverEqual, BadHash])
def test_an_object_that_has_its_attributes_has_another_fault(unpickling, cls):
    first, second = cls("a"), cls("b")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cls, "__hash__", object.__hash__)
        data = pickle.dumps([{first, second}], 4)
    error = failure(unpickling.loads, data)
    assert type(error) is KeyError
    assert not hint_of(error)


class BadAttribute:
    """Its hash asks for what no object of it has."""

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return hash(self.name.absent)


class OfParent:
    """Its hash asks its parent, which is empty by then."""

    def __init__(self, parent):
        self.parent = parent

    def __hash__(self):
        return hash(self.parent.name)


def test_an_attribute_that_is_never_there(unpickling):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BadAttribute, "__hash__", object.__hash__)
        data = pickle.dumps([{BadAttribute("a")}], 4)
    error = failure(unpickling.loads, data)
    assert type(error) is AttributeError
    assert not hint_of(error)


def test_a_hash_of_an_object_that_is_empty(unpickling):
    node = Node("a")
    node.others.add(OfParent(node))
    hint = hint_of(failure(unpickling.loads, pickle.dumps([node], 4)))
    assert "to which it leads itself, so its __hash__ is called before it has" in hint


class CountingDict(dict):
    def __init__(self):
        self.changes = 0

    def __setitem__(self, key, value):
        self.changes += 1
        super().__setitem__(key, value)


class CountingList(list):
    def __init__(self):
        self.changes = 0

    def extend(self, items):
        self.changes += 1
        super().extend(items)

    def append(self, item):
        vars(self)["changes"] += 1
        super().append(item)


class RegisteredDict(dict):
    def __setitem__(self, key, value):
        REGISTRY[key]


class Filled(list):
    """Has attributes from its __new__ on."""

    def __new__(cls):
        self = super().__new__(cls)
        self.here = 1
        return self

    def extend(self, items):
        return self.absent

    append = extend


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("cls", [CountingDict, CountingList, RegisteredDict, Filled])
def test_items_before_attributes(unpickling, protocol, cls, count):
    obj = cls()
    if isinstance(obj, dict):
        for i in range(count):
            dict.__setitem__(obj, i, i)
    else:
        list.extend(obj, range(count))
    if protocol < 2:
        return  # which hand the items to the class
    error = failure(unpickling.loads, pickle.dumps([obj], protocol))
    assert error.path == "obj[0]"
    expected = f"{HERE}.{cls.__name__} gets its items before its attributes, so its "
    if cls is RegisteredDict:  # it has no attributes at all, so this is not known
        assert type(error) is KeyError
    elif cls is Filled:
        assert not hint_of(error)
    else:
        assert hint_of(error).startswith(expected)


# --- exceptions


class OfResponseError(Exception):
    def __init__(self, response):
        super().__init__(response.status)


class OfLongResponseError(Exception):
    def __init__(self, response, code=None):
        super().__init__(
            "status",
            response["status"],
        )


class OfTwoError(Exception):
    def __init__(self, pair):
        self.first, self.second = pair
        super().__init__(self.first)


class FailsLaterError(Exception):
    def __init__(self, number):
        super().__init__(number)
        self.entry = REGISTRY[number]


class FailsBehindError(Exception):
    # fmt: off
    def __init__(self, number):
        super().__init__(number); self.entry = REGISTRY[number]  # noqa: E702
    # fmt: on


class WithoutSuperError(Exception):
    def __init__(self, number):
        self.entry = REGISTRY[number]


EXCEPTIONS = {
    "OfResponseError": True,
    "OfLongResponseError": True,
    "OfTwoError": True,
    "FailsLaterError": False,
    "FailsBehindError": False,
    "WithoutSuperError": False,
}


def exception(name):
    return b"\x80\2]c" + f"{HERE}\n{name}\n".encode() + b"K\7\x85Ra."


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_whose_init_fails(unpickling, name):
    hint = hint_of(failure(unpickling.loads, exception(name)))
    if not EXCEPTIONS[name]:
        assert not hint
        return
    assert f"let {HERE}.{name}.__init__ pass all its arguments on" in hint
    renames = {f"{HERE}.{name}": "builtins.Exception"}
    assert f"renames={renames}" in hint
    (loaded,) = unpickling.loads(exception(name), renames=renames)
    assert (type(loaded), loaded.args) == (Exception, (7,))


def test_an_exception_of_a_library(unpickling, protocol):
    original = urllib.error.HTTPError("u", 404, "no", {}, None)
    data = pickle.dumps([original], max(protocol, 2))
    original.close()  # or it warns
    hint = hint_of(failure(unpickling.loads, data))
    assert "__init__ pass" not in hint
    assert "urllib.error.HTTPError takes other ones, so pickle str(error)" in hint
    renames = {"urllib.error.HTTPError": "builtins.Exception"}
    if protocol >= 3:  # before it is urllib2, of Python 2
        assert f"renames={renames}" in hint
        (loaded,) = unpickling.loads(data, renames=renames)
        assert (type(loaded), loaded.code) == (Exception, 404)


# --- enums, dates


class Access(enum.Flag):
    READ = 1


class Kind(enum.Enum):
    ONE = 1

    @classmethod
    def _missing_(cls, value):
        raise ValueError("a fault of its own")


def test_a_member_that_is_gone(unpickling):
    data = b"\x80\2]c" + f"{HERE}\nAccess\nK\3\x85Ra.".encode("latin-1")
    hint = hint_of(failure(unpickling.loads, data))
    assert hint.startswith(f"{HERE}.Access has no member with this value")
    assert "boundary=enum.KEEP" in hint
    data = b"\x80\2]c" + f"{HERE}\nKind\nK\3\x85Ra.".encode("latin-1")
    assert not hint_of(failure(unpickling.loads, data))


@pytest.mark.parametrize("year", [b"\xd4\x81", b"\xc3\xa4"])
def test_dates_of_python_2(unpickling, year):
    data = b"\x80\2]cdatetime\ndatetime\nU\n" + year + b"\1\1\0\0\0\0\0\0\x85Ra."
    hint = hint_of(failure(unpickling.loads, data, encoding="utf-8"))
    assert hint == 'Dates of Python 2 are bytes in a str: load with encoding="latin1".'
    wrong = data.replace(b"\x85R", b"K\1K\2\x87R")  # of other arguments, whatever the encoding
    for encoding in ("latin1", "bytes"):
        assert "Dates" not in hint_of(failure(unpickling.loads, wrong, encoding=encoding))
    zone = b"\x80\2]cdatetime\ntimezone\nK\1\x85Ra."
    assert not hint_of(failure(unpickling.loads, zone, encoding="utf-8"))
    assert not hint_of(failure(unpickling.loads, b"\x80\2]cdatetime\ndate\n)Ra."))


# --- modules


def named(module, name, protocol=4):
    return b"\x80" + bytes([protocol]) + f"]c{module}\n{name}\na.".encode()


def test_the_main_module_of_a_worker(unpickling, monkeypatch):
    monkeypatch.delitem(sys.modules, "__mp_main__", raising=False)
    data = named("__mp_main__", "Order")
    hint = hint_of(failure(unpickling.loads, data))
    assert "A worker process of multiprocessing wrote it" in hint
    assert "install" not in hint
    monkeypatch.setattr(sys.modules["__main__"], "Order", Node, raising=False)
    hint = hint_of(failure(unpickling.loads, data))
    assert hint.endswith("load with renames={'__mp_main__': '__main__'}.")
    assert unpickling.loads(data, renames={"__mp_main__": "__main__"}) == [Node]


@pytest.mark.parametrize("protocol_number", [3, 4, 5])
def test_modules_of_python_2_in_later_protocols(unpickling, protocol_number):
    data = named("copy_reg", "_reconstructor", protocol_number)
    hint = hint_of(failure(unpickling.loads, data))
    assert "copy_reg is a module of Python 2" in hint
    assert hint.endswith("load with renames={'copy_reg': 'copyreg'}.")
    assert unpickling.loads(data, renames={"copy_reg": "copyreg"})
    hint = hint_of(failure(unpickling.loads, named("__builtin__", "xrange", protocol_number)))
    assert hint.endswith("load with renames={'__builtin__.xrange': 'builtins.range'}.")
    # A module of the user's own that is called as one of Python 2 was.
    hint = hint_of(failure(unpickling.loads, named("commands", "Ban", protocol_number)))
    assert "Python 2" not in hint
    assert "Here is no commands" in hint


def test_a_part_of_a_package_of_several_projects(unpickling, tmp_path, monkeypatch):
    (tmp_path / "several_projects" / "one").mkdir(parents=True)
    (tmp_path / "several_projects" / "one" / "__init__.py").write_text("")
    (tmp_path / "one_project").mkdir()
    (tmp_path / "one_project" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("several_projects", "one_project"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    hint = hint_of(failure(unpickling.loads, named("several_projects.other", "X")))
    assert hint.startswith("Here is no several_projects.other: install")
    hint = hint_of(failure(unpickling.loads, named("one_project.other", "X")))
    assert hint.startswith("one_project is installed, but has no one_project.other")


# --- what is no pickle

P4 = pickle.dumps([1, "a"], 4)
FOREIGN = {
    "cp1252": (P4.decode("cp1252").encode(), "went through text"),
    "cp437": (P4.decode("cp437").encode(), "went through text"),
    "UTF-16": (P4.decode("latin1").encode("utf-16"), "went through text"),
    "UTF-16 without a mark": (P4.decode("latin1").encode("utf-16-le"), "went through text"),
    "UTF-16, high byte first": (P4.decode("cp1252").encode("utf-16-be"), "went through text"),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + P4.decode("latin1").encode(), "went through text"),
    "ASCII": (P4.decode("ascii", "ignore").encode(), None),
    "question marks": (P4.decode("latin1").encode("ascii", "replace"), "went through text"),
    "one newline": (
        pickle.dumps(["a" * 9 + "\n", 2.5], 4).replace(b"\n", b"\r\n"), "went through text",
    ),
    "a comment before HTML": (b"<!-- a\n page --> <html>", "This is HTML"),
    "a comment": (b"<!-- a -->\n<svg>", "XML or HTML"),
    "HTML with a mark": (b"\xef\xbb\xbf<!DOCTYPE html>", "This is HTML"),
    "lzma": (__import__("lzma").compress(b"abc", format=2), "lzma.open"),
    "safetensors": (
        (64).to_bytes(8, "little") + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        "safetensors",
    ),
    "safetensors, P": (b"P" + bytes(7) + b'{"__metadata__":{"format":"pt"}}\n', "safetensors"),
    "not found": (b"Page not found\n", "text, and no pickle: 'Page not found'"),
    "denied": (b"Permission denied\nfoo\n", "text, and no pickle: 'Permission denied'"),
    "log in": (b"Please log in", "text, and no pickle: 'Please log in'"),
    "a word": (b"Forbidden", "text, and no pickle: 'Forbidden'"),
    "a number and words": (b"404 Not Found", "text, and no pickle: '404 Not Found'"),
    "a text that has opcodes": (b"Gateway Timeout", "text, and no pickle: 'Gateway Timeout'"),
    "words like opcodes": (b"Just a moment, please", "text, and no pickle"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_pickle(unpickling, kind):
    data, expected = FOREIGN[kind]
    for call in (lambda: unpickling.loads(data), lambda: unpickling.load(io.BytesIO(data))):
        hint = hint_of(failure(call))
        assert (expected in hint) if expected else "text" not in hint


def test_pickles_are_not_taken_for_text():
    for value in ("hello world", "Page not found", ["Not Found"], {"Some words": "More words"}):
        for protocol in range(6):
            data = pickle.dumps(value, protocol)
            assert foreign.recognise(data) is None
            assert not foreign.has_doubled_newlines(data)
    for data in (b"Pan id\n.", b"Pan id of it\n0N.", b"Vhello wor", b"Not.", b"(lp0\nVa b\n"):
        assert foreign.recognise(data) is None


def test_a_newline_by_chance(unpickling):
    """A pickle may have the bytes of a line end of Windows."""
    data = pickle.dumps(["a\r\n", 2.5], 4)
    assert not foreign.has_doubled_newlines(data)
    error = failure(unpickling.loads, data[:-3])
    assert "text" not in hint_of(error)


def test_persistent_ids_stay_persistent_ids(unpickling):
    hint = hint_of(failure(unpickling.loads, b"Pan id\n."))
    assert "under an id" in hint


@pytest.mark.parametrize("protocol_number", [0, 1])
def test_old_protocols_that_are_cut_off(unpickling, protocol_number):
    data = pickle.dumps(["first", "x" * 50], protocol_number)
    cut = data.index(b"xxx") + 3
    hint = hint_of(failure(unpickling.loads, data[:cut]))
    assert hint.startswith("The pickle is cut off")
    assert f"{cut} bytes" in hint
    # A list of one item has no mark, so the item has no place before it is there.
    data = pickle.dumps({"a key of some length": ["x" * 50]}, protocol_number)
    error = failure(unpickling.loads, data[: data.index(b"xxx") + 3])
    assert error.path is None
    assert hint_of(error).startswith("The pickle is cut off")
    # Nothing was right before: it may be anything.
    assert "cut off" not in hint_of(failure(unpickling.loads, b"X\xff\0\0\0abc"))


def test_a_module_without_a_file_is_not_of_a_library(unpickling, monkeypatch):
    module = types.ModuleType("made_by_hand")
    module.Lost = type("Lost", (Exception,), {"__module__": "made_by_hand"})
    module.Lost.__init__ = OfTwoError.__init__
    monkeypatch.setitem(sys.modules, "made_by_hand", module)
    hint = hint_of(failure(unpickling.loads, b"\x80\2]cmade_by_hand\nLost\n)Ra."))
    assert "let made_by_hand.Lost.__init__ pass all its arguments on" in hint
