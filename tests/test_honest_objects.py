"""Objects in which strict=True and round_trip=True have nothing to find.

Each of the second part is near to a finding, and loads all the same.
"""

from __future__ import annotations

import argparse
import array
import ast
import collections
import decimal
import email
import enum
import functools
import http.cookiejar
import http.cookies
import inspect
import json
import logging
import random
import re
import statistics
import string
import subprocess
import textwrap
import time
import types
import typing
import urllib.parse
import xml.etree.ElementTree as ET
import zoneinfo
from dataclasses import InitVar, dataclass, field
from typing import Any

import pytest

import models
from policies import listed
from policies.test_honest import VALUES
from quickpickle import diagnose, diagnosis
from quickpickle.rules.versions import PY315


def add_note(error):
    error.add_note("a note")
    return error


def cookies():
    jar = http.cookies.SimpleCookie()
    jar["a"] = "1"
    jar["a"]["path"] = "/"
    return jar


STANDARD = [
    *VALUES,
    *(ValueError("a"), OSError(2, "no", "a"), KeyError(), UnicodeDecodeError("a", b"", 0, 1, "b")),
    *(ImportError("a", name="b"), StopIteration(1), ExceptionGroup("a", [ValueError()])),
    *(add_note(ValueError("a")), add_note(OSError(2, "a")), json.JSONDecodeError("a", "b", 0)),
    *(subprocess.CalledProcessError(1, ["a"]), SystemExit(1), KeyboardInterrupt()),
    *(argparse.Namespace(a=1), types.SimpleNamespace(a=[1]), functools.partial(int, "1")),
    *(ast.parse("a = b + 1"), inspect.signature(textwrap.dedent), random.Random(1)),
    *(decimal.Context(prec=3), statistics.NormalDist(), string.Template("$a"), cookies()),
    *(email.message_from_string("a: b\n\nc"), ET.fromstring("<a b='c'>d</a>")),
    *(logging.LogRecord("a", 1, "b", 1, "c", (), None), logging.Formatter(), logging.Filter("a")),
    *(textwrap.TextWrapper(), array.array("i", [1, 2])),
    # On 3.15 one that was loaded cannot be pickled again: its __getstate__ fails.
    *([] if PY315 else [urllib.parse.urlparse("http://a/b?c")]),
    *(types.GenericAlias(list, int), typing.Optional[int], re.compile("a"), time.gmtime(0)),  # noqa: UP045
    *(collections.ChainMap({"a": 1}), collections.UserDict(a=1), collections.UserList([1])),
    *(collections.UserString("a"), zoneinfo.ZoneInfo("UTC"), subprocess.CompletedProcess("a", 0)),
    http.cookiejar.DefaultCookiePolicy(),
    *(models.Data(1), models.SlotsData(1), models.FrozenData(1), models.Point(1, 2)),
    *(models.Color.RED, models.Flags.A, models.NewArgs(1, a=2)),
    *(models.ListSub([1]), models.DictSub(a=1), models.SetSub([1]), models.StrSub("a")),
    *(listed.Frozen(1, 2), listed.FrozenSlots(1, 2), listed.Bytes(b"a"), listed.Int(1)),
]


@pytest.mark.parametrize("native", [False, True])
def test_objects_of_the_standard_library(monkeypatch, native):
    if not native:
        monkeypatch.setattr(diagnosis, "implementation", "python")
    for obj in STANDARD:
        assert diagnose([obj, {"a": obj}], strict=True) == [], obj
    assert diagnose(STANDARD, strict=True) == []


@pytest.mark.parametrize("obj", STANDARD, ids=lambda obj: type(obj).__name__)
def test_they_come_back(obj):
    assert diagnose([obj], round_trip=True) == []


# --- near to what is found


class Guarded:
    def __init__(self):
        self.wrapped = 1

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.wrapped, name)


class Classwide:
    wrapped = 1

    def __init__(self):
        self.other = 2

    def __getattr__(self, name):
        return getattr(self.wrapped, name)


class MakesFirst(Guarded):
    def __new__(cls):
        self = object.__new__(cls)
        self.wrapped = 1
        return self

    def __getattr__(self, name):
        return getattr(self.wrapped, name)


class SetsState(Guarded):
    def __getattr__(self, name):
        return getattr(self.wrapped, name)

    def __setstate__(self, state):
        vars(self).update(state)


class Empty:
    def __getattr__(self, name):
        return self.data[name]


class Catches(Guarded):
    def __getattr__(self, name):
        try:
            return getattr(self.wrapped, name)
        except RecursionError:
            raise AttributeError(name) from None


class DefaultNew:
    def __new__(cls, number=1, *, size=2):
        return super().__new__(cls)


class WithNewArgs:
    def __new__(cls, number):
        return super().__new__(cls)

    def __getnewargs__(self):
        return (1,)


class Wide(int):
    def __new__(cls, value, unit="m"):
        return super().__new__(cls, value)


class Titled(set):
    def __init__(self, items=(), title=""):
        super().__init__(items)


class Bounded(collections.deque):
    def __init__(self, items=(), maxlen=3):
        super().__init__(items, maxlen)


class ByReduce(dict):
    def __init__(self, parent, items=()):
        super().__init__(items)
        self.parent = parent

    def __setitem__(self, key, value):
        self.parent.append(key)
        super().__setitem__(key, value)

    def __reduce__(self):
        return ByReduce, (self.parent, list(self.items()))


class Careful(dict):
    def __init__(self):
        super().__init__()
        self.changes = []

    def __setitem__(self, key, value):
        if "changes" in vars(self):
            self.changes.append(key)
        super().__setitem__(key, value)


class Tracked(dict):
    def __init__(self):
        super().__init__()
        self.changes = []

    def __setitem__(self, key, value):
        self.changes.append(key)
        super().__setitem__(key, value)


class Started(collections.OrderedDict):
    def __init__(self):
        super().__init__()
        self.changes = []

    def __setitem__(self, key, value):
        self.changes.append(key)
        super().__setitem__(key, value)


def started():
    obj = Started()
    obj["a"] = 1
    obj.changes.clear()
    obj.changes.append("a")
    return obj


class Checked:
    __slots__ = ("one",)

    def __init__(self):
        self.one = 1

    def __setattr__(self, name, value):
        if name != "one":
            raise AttributeError(name)
        object.__setattr__(self, name, value)


@dataclass(frozen=True)
class FrozenBase:
    one: int = 1


@dataclass(frozen=True)
class FrozenChild(FrozenBase):
    two: int = 2


@dataclass(frozen=True, slots=True)
class SlotsBase:
    one: int = 1


@dataclass(frozen=True)
class SlotsChild(SlotsBase):
    two: int = 2


@dataclass
class Initial:
    one: InitVar[int]
    two: list[Any] = field(default_factory=list)

    def __post_init__(self, one):
        self.two.append(one)


class Person:
    def __init__(self, name, parent=None):
        self.name = name
        self.parent = parent
        self.children = set()

    def __hash__(self):
        return hash(self.name)

    def add(self, name):
        self.children.add(Person(name, self))
        return self


class Unhashed:
    """Its hash needs no attributes."""

    def __init__(self):
        self.others = {self}

    def __hash__(self):
        return 1


class ByAddress:
    def __init__(self):
        self.others = {self: 1}


class KeepsNumber:
    def __init__(self, number):
        self.number = number
        self._hash = hash((number,))

    def __hash__(self):
        return self._hash


class DropsHash:
    def __init__(self, text):
        self.text = text
        self._hash = hash(text)

    def __hash__(self):
        return self._hash

    def __getstate__(self):
        return {"text": self.text}


class NotYet:
    def __init__(self, text):
        self.text = text
        self._hash = None

    def __hash__(self):
        if self._hash is None:
            self._hash = hash(self.text)
        return self._hash


class PasswordHash:
    """Its _hash is no hash of the object."""

    def __init__(self):
        self._hash = 12
        self.name = "a"


class PassesError(Exception):
    def __init__(self, code, text="a"):
        super().__init__(code, text)


class AnyArgumentsError(Exception):
    def __init__(self, *args, **options):
        super().__init__("made", 1)


class ReducesError(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code

    def __reduce__(self):
        return ReducesError, (self.code, *self.args)


class Singleton(enum.Enum):
    MISSING = "missing"


class Cached:
    @functools.cached_property
    def value(self):
        return [1]


def cached():
    obj = Cached()
    assert obj.value
    return obj


class HasOnItsClass(Classwide):
    def __getattr__(self, name):
        if hasattr(self, "wrapped"):
            return getattr(getattr(self, "wrapped", None), name)
        raise AttributeError(name)


class LoadsFirst:
    """It makes the attribute before it asks for it."""

    def __init__(self):
        self.data = {}
        self.other = 1

    def load(self):
        vars(self)["data"] = {}

    def __getattr__(self, name):
        self.load()
        if name in self.data:
            return self.data[name]
        raise AttributeError(name)


class LoadsByFunction(LoadsFirst):
    def __getattr__(self, name):
        LoadsFirst.load(self)
        if name in self.data:
            return self.data[name]
        raise AttributeError(name)


class SetsFirst(LoadsFirst):
    def __getattr__(self, name):
        self.data = {}
        if name in self.data:
            return self.data[name]
        raise AttributeError(name)


class ByDefault(LoadsFirst):
    @property
    def wrapped(self):
        return vars(self).get("other", 2)

    def __getattr__(self, name):
        return getattr(self.wrapped, name)


class ItemsGuarded(dict):
    def __init__(self):
        super().__init__(a=1)
        vars(self)["one"] = 1

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class ItemsMissing(ItemsGuarded):
    def __getattr__(self, name):
        return self[name]

    def __missing__(self, name):
        raise AttributeError(name)


class ItemsByDict(dict):
    """It has no attributes, so it is not asked for a __setstate__."""

    __getattr__ = dict.__getitem__


class NothingButState:
    def __init__(self):
        self.one = 1

    def __getattr__(self, name):
        return None

    def __setstate__(self, state):
        vars(self).update(state)

    def __getstate__(self):
        return vars(self)


class KeyInATuple:
    """The tuples are not in its own cycle, or ask it for no hash."""

    def __init__(self):
        self.name = "a"
        self.edges = {("b", 1): (self, 1)}

    def __hash__(self):
        return hash(self.name)


class HasNumber:
    """Its hash is a number that is no hash."""

    def __init__(self, text):
        self.text = text
        self.number = len(text)

    def __hash__(self):
        return self.number


class HashOfLength(HasNumber):
    def __init__(self, text):
        self.text = text
        self.number = hash(len(text))


class HashOfAnother(HasNumber):
    def __init__(self, text):
        self.text = text
        text = 3
        self.number = hash(text)


class HashOfWhatIsConverted(HasNumber):
    def __init__(self, text):
        self.text = str(text)
        self.number = hash(text)


class HashOfNumbers(HasNumber):
    def __init__(self, text):
        self.text = text
        self.parts = (1, 2.5)
        self.number = hash((self.parts, 3))


class HashInItsDict(HasNumber):
    def __init__(self, given):
        self.text = "a"
        self.number = given["hash"]


class OwnHash(HasNumber):
    def __init__(self, text):
        self.text = text
        self.number = self.hash(self.text)

    def hash(self, text):
        return len(text)


class NumbersInATuple(tuple):
    def __new__(cls, items=()):
        self = super().__new__(cls, items)
        self._hash = tuple.__hash__(self)
        return self

    def __hash__(self):
        return self._hash


class UpperError(Exception):
    """Its args change once only."""

    def __init__(self, text):
        super().__init__(text.upper())


NEAR = [
    *(HasOnItsClass(), LoadsFirst(), LoadsByFunction(), SetsFirst(), ByDefault()),
    *(ItemsGuarded(), ItemsMissing(), ItemsByDict(a=1), NothingButState()),
    *(KeyInATuple(), {(KeyInATuple(), 1): 2}, HasNumber("a"), HashOfLength("a")),
    *(HashOfAnother("a"), HashOfWhatIsConverted(3), HashOfNumbers("a"), HashInItsDict({"hash": 3})),
    *(OwnHash("a"), NumbersInATuple([1, 2]), UpperError("a")),
    *(Guarded(), Classwide(), MakesFirst(), SetsState(), Empty(), Catches()),
    *(DefaultNew(), WithNewArgs(1), Wide(1), Titled([1]), Bounded([1])),
    *(ByReduce([], {"a": 1}), Tracked(), started(), Checked()),
    *(FrozenChild(), SlotsChild(), Initial(1), {Person("a").add("b")}, Person("a").add("b")),
    *(ByAddress(), Unhashed(), KeepsNumber(1), DropsHash("a"), NotYet("a"), PasswordHash()),
    *(PassesError(1), ReducesError(1, "a"), AnyArgumentsError(1)),
    *(Singleton.MISSING, cached()),
]


@pytest.mark.parametrize("obj", NEAR, ids=lambda obj: type(obj).__name__)
@pytest.mark.parametrize("native", [False, True])
def test_what_is_near_to_a_finding(monkeypatch, native, obj):
    if not native:
        monkeypatch.setattr(diagnosis, "implementation", "python")
    assert diagnose([obj], strict=True) == []
    assert diagnose([obj], round_trip=True) == []
