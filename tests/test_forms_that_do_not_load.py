"""Forms of code that keep objects from being loaded, and the near ones that do not.

As in test_what_does_not_load.py; here each advice is followed, too.
"""

from __future__ import annotations

import collections
import enum
import functools
import ipaddress
import pickle
import random
import types
from dataclasses import dataclass

import pytest

from quickpickle import _implementation, diagnose, diagnosis, pure
from quickpickle.diagnosis import checks, load_advice, round_trip


@pytest.fixture(params=["installed", "python"])
def strict(request, monkeypatch):
    """Finds what does not load, without loading it: the paths and the hints."""
    if request.param == "python":
        monkeypatch.setattr(diagnosis, "implementation", "python")
    return lambda obj: [(one.path, one.hint) for one in diagnose(obj, strict=True)]


@pytest.fixture(params=[pure, _implementation], ids=["pure", "installed"])
def functions(request, monkeypatch):
    monkeypatch.setattr(round_trip, "_implementation", request.param)


def found_by_loading(obj):
    return [(one.path, one.hint) for one in diagnose(obj, round_trip=True)]


# --- __getattr__


class Inner:
    def __init__(self):
        self.inner = {}


class OwnItems(collections.UserDict):
    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class ConstantItem(Inner):
    def __getattr__(self, name):
        return self["all"]

    def __getitem__(self, key):
        return self.inner[key]


class ReprInAMessage(Inner):
    def __getattr__(self, name):
        raise AttributeError(f"{self!r} has no {name}")

    def __repr__(self):
        return f"<{self.inner}>"


class FormatInAMessage(ReprInAMessage):
    def __getattr__(self, name):
        raise AttributeError(f"{self} has no {name}")


class TextInAMessage(ReprInAMessage):
    def __getattr__(self, name):
        raise AttributeError("no " + name + " in " + str(self))


class Length(Inner):
    def __getattr__(self, name):
        if len(self):
            return 1
        raise AttributeError(name)

    def __len__(self):
        return len(self.inner)


class VariablesOf(Inner):
    def __getattr__(self, name):
        return vars(self)["inner"][name]


class InnersOfItsDict(Inner):
    def __getattr__(self, name):
        return getattr(self.__dict__["inner"], name)


class OfItsDictOrNone(Inner):
    def __getattr__(self, name):
        return self.__dict__.get(name)


class DefaultReprInAMessage(Inner):
    def __getattr__(self, name):
        raise AttributeError(f"{self!r} and {self} and " + str(self) + f" have no {name}")


class PlainReprInAMessage(ReprInAMessage):
    def __repr__(self):
        return "<plain>"


def set_up(obj, name):
    vars(obj).setdefault("inner", {})


class SetUpFirst(Inner):
    def __getattr__(self, name):
        set_up(self, name)
        if name in self.inner:
            return self.inner[name]
        raise AttributeError(name)


class GuardedItems(OwnItems):
    def __getattr__(self, name):
        if name.startswith("__") or name == "data":
            raise AttributeError(name)
        return self[name]


class GuardedDict(Inner):
    def __getattr__(self, name):
        try:
            return self.__dict__["inner"][name]
        except KeyError:
            raise AttributeError(name) from None


# --- hashes in a cycle


class InItsSet:
    def __init__(self):
        self.name = "a"
        self.others = {self}

    def __hash__(self):
        return hash(repr(self))

    def __repr__(self):
        return f"<{self.name}>"


class ByText(InItsSet):
    def __hash__(self):
        return hash(str(self))


class ByDict(InItsSet):
    def __hash__(self):
        return hash(self.__dict__["name"])


class ByPlainText(InItsSet):
    __repr__ = object.__repr__

    def __hash__(self):
        return len(str(self)) and 1


class Compared:
    def __init__(self, name):
        self.name = name
        self.others = []

    def __hash__(self):
        return 1

    def __eq__(self, other):
        return self.name == other.name


def two_of_one_hash():
    first, second = Compared("a"), Compared("b")
    first.others.append({first, second})
    return first


# --- exceptions


class ByNameError(Exception):
    def __init__(self, *, code):
        super().__init__(code)
        self.code = code


class ByNameWithReduceError(ByNameError):
    def __reduce__(self):
        return functools.partial(ByNameWithReduceError, code=self.code), ()


class ByDefaultNameError(Exception):
    def __init__(self, text, *, code=1):
        super().__init__(text)


@dataclass(frozen=True)
class FrozenError(Exception):
    code: int


@dataclass(frozen=True)
class FrozenWithStateError(Exception):
    code: int

    def __setstate__(self, state):
        for name, value in state.items():
            object.__setattr__(self, name, value)


class RefusesError(Exception):
    def __setattr__(self, name, value):
        raise TypeError(f"{name} is fixed")


def with_attribute(obj):
    vars(obj)["one"] = 1
    return obj


# --- calls of the class


class Named(types.SimpleNamespace):
    def __init__(self, name):
        super().__init__(name=name)


class NamedOrNot(types.SimpleNamespace):
    def __init__(self, name=None):
        super().__init__(name=name)


class Dice(random.Random):
    def __init__(self, sides, seed):
        super().__init__(seed)
        self.sides = sides


class Address(ipaddress.IPv4Address):
    def __init__(self, address, name):
        super().__init__(address)


class Flat(frozenset):
    def __new__(cls, *items):
        return super().__new__(cls, items)


# --- members of enums


class Code:
    def __init__(self, number):
        self.number = number


@dataclass(frozen=True)
class EqualCode:
    number: int


class Codes(enum.Enum):
    FIRST = Code(1)


class Sentinels(enum.Enum):
    NOTHING = object()


class EqualCodes(enum.Enum):
    FIRST = EqualCode(1)


class Kinds(enum.Enum):
    NUMBER = int
    TEXT = "text"


class Looked(enum.Enum):
    FIRST = Code(1)

    @classmethod
    def _missing_(cls, value):
        return cls.FIRST


# --- states and reductions


class ListState:
    def __getstate__(self):
        return [1]


class TooMany:
    def __reduce__(self):
        return TooMany, (1,)


class Fails:
    def __reduce__(self):
        return int, ("no number",)


G, H = checks.GETATTR, checks.HASH
CALLED = checks.advice_of_a_call
FORMS = {
    "an item": (OwnItems, G),
    "an item of a constant": (ConstantItem, G),
    "a repr in a message": (ReprInAMessage, G),
    "a text in a message": (FormatInAMessage, G),
    "str()": (TextInAMessage, G),
    "len()": (Length, G),
    "vars()": (VariablesOf, G),
    "an attribute of an item of __dict__": (InnersOfItsDict, G),
    "__dict__.get()": (OfItsDictOrNone, G),
    "a hash of a repr": (InItsSet, H),
    "a hash of a text": (ByText, H),
    "a hash of an item of __dict__": (ByDict, H),
    "arguments by name": (lambda: ByNameError(code=1), checks.EXCEPTION_OF_NAMES),
    "a frozen exception": (lambda: FrozenError(1), checks.REFUSED),
    "an exception that refuses": (lambda: with_attribute(RefusesError()), checks.REFUSED),
    "a namespace": (lambda: Named("a"), CALLED(0)),
    "a generator of random numbers": (lambda: Dice(6, 1), CALLED(0)),
    "an address": (lambda: Address("127.0.0.1", "here"), CALLED(1)),
    "a value of an enum": (lambda: Codes.FIRST, checks.ENUM),
    "an object() of an enum": (lambda: Sentinels.NOTHING, checks.ENUM),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form(strict, name):
    make, hint = FORMS[name]
    obj = {"x": [make()]}
    with pytest.raises(Exception):  # noqa: B017, PT011
        pickle.loads(pickle.dumps(obj))
    assert strict(obj) == [("obj['x'][0]", hint)]


@pytest.mark.parametrize("name", FORMS)
def test_a_form_by_loading(functions, name):
    make, hint = FORMS[name]
    assert found_by_loading({"x": [make()]}) == [("obj['x'][0]", hint)]


NEAR = {
    "the repr of object": DefaultReprInAMessage,
    "a repr without attributes": PlainReprInAMessage,
    "a function that sets it": SetUpFirst,
    "items that are guarded": GuardedItems,
    "a dict that is guarded": GuardedDict,
    "a hash without attributes": ByPlainText,
    "an argument by name that has a default": lambda: ByDefaultNameError("a"),
    "a frozen exception with a __setstate__": lambda: FrozenWithStateError(1),
    "a refusal without attributes": lambda: RefusesError("a"),
    "a __reduce__ with functools.partial": lambda: ByNameWithReduceError(code=1),
    "a namespace with a default": lambda: NamedOrNot("a"),
    "a value that is compared": lambda: EqualCodes.FIRST,
    "a class as a value": lambda: list(Kinds),
    "a member that is looked for": lambda: Looked.FIRST,
}


@pytest.mark.parametrize("name", NEAR)
def test_a_near_form(strict, name):
    obj = {"x": [NEAR[name]()]}
    pickle.loads(pickle.dumps(obj))
    assert strict(obj) == []


BY_LOADING = {
    "compared too early": (two_of_one_hash, checks.COMPARED),
    "a state that is a list": (ListState, load_advice.STATE),
    "a __reduce__ with too many": (TooMany, CALLED(1)),
    "a __reduce__ that fails": (Fails, load_advice.REDUCED),
    "a __new__ that fails": (lambda: Flat(1, 2), CALLED(1)),
}


@pytest.mark.parametrize("name", BY_LOADING)
def test_what_only_a_load_finds(functions, name):
    make, hint = BY_LOADING[name]
    obj = {"x": [make()]}
    assert found_by_loading(obj) == [("obj['x'][0]", hint)]
    assert diagnose(obj, strict=True) == []


class InAFrozenset(InItsSet):
    def __init__(self):
        self.name = "a"
        self.others = {"of": frozenset([(self, 1)])}


def test_a_frozenset_names_the_member_that_it_is_in(functions):
    obj = InAFrozenset()
    assert found_by_loading([obj]) == [("obj[0]", H)]
    obj = InAFrozenset()
    obj.others["of"] = collections.Counter([obj])
    assert found_by_loading([obj]) == [("obj[0]", H)]


# --- places in what is no plain container


class FailureError(Exception):
    def __init__(self, code, text):
        super().__init__(text)


class Items(list):
    pass


class Values(dict):
    pass


class OwnState:
    def __init__(self, inner):
        self.inner, self.left_out = [inner], FailureError(1, "a")

    def __getstate__(self):
        return {"kept": self.inner}

    def __setstate__(self, state):
        self.inner = state["kept"]


class OwnReduce(OwnState):
    def __reduce__(self):
        return OwnReduce, (self.inner[0],)


Couple = collections.namedtuple("Couple", "first second")


def attached(error):
    other = ValueError("a")
    other.inner = error
    return other


def of_numpy(error):
    array = pytest.importorskip("numpy").empty(2, object)
    array[1] = error
    return array


def of_pandas(kind):
    def make(error):
        pandas = pytest.importorskip("pandas")
        return pandas.DataFrame({"a": [1, error]}) if kind == "frame" else pandas.Series([1, error])

    return make


PLACES = {
    "OrderedDict": (lambda one: collections.OrderedDict(a=one), "obj[0]['a']"),
    "defaultdict": (lambda one: collections.defaultdict(list, a=[one]), "obj[0]['a'][0]"),
    "deque": (lambda one: collections.deque([1, one]), "obj[0][1]"),
    "namedtuple": (lambda one: Couple(1, one), "obj[0].second"),
    "list of a subclass": (lambda one: Items([one]), "obj[0][0]"),
    "dict of a subclass": (lambda one: Values(a=one), "obj[0]['a']"),
    "key of a subclass": (lambda one: Values({one: 1}), "list(obj[0])[0]"),
    "partial": (lambda one: functools.partial(print, one), "obj[0].args[0]"),
    "keywords of partial": (lambda one: functools.partial(print, a=one), "obj[0].keywords['a']"),
    "args": (lambda one: ValueError("a", one), "obj[0].args[1]"),
    "attribute of an exception": (attached, "obj[0].inner"),
    "namespace": (lambda one: types.SimpleNamespace(a=one), "obj[0].a"),
    "a state": (OwnState, "obj[0].inner[0]"),
    "arguments": (OwnReduce, "obj[0].inner[0]"),
    "array": (of_numpy, "obj[0].flat[1]"),
    "frame": (of_pandas("frame"), "obj[0]['a'].iloc[1]"),
    "series": (of_pandas("series"), "obj[0].iloc[1]"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_place(functions, name):
    make, path = PLACES[name]
    error = FailureError(1, "a")
    obj = [make(error)]
    assert found_by_loading(obj) == [(path, checks.EXCEPTION)]
    assert eval(path, {"obj": obj}) is error


def test_each_place_of_one_object(functions):
    error = FailureError(1, "a")
    obj = {"a": [error], "b": collections.deque([error]), "c": 1}
    assert [path for path, _ in found_by_loading(obj)] == ["obj['a'][0]", "obj['b'][0]"]


def test_two_in_one(functions):
    obj = collections.OrderedDict(a=FailureError(1, "a"), b=1, c=FailureError(2, "b"))
    assert [path for path, _ in found_by_loading(obj)] == ["obj['a']", "obj['c']"]


# --- hashes that are kept


class Keeps:
    def __init__(self, name, size):
        self.name, self.key = name, hash(name)

    def __hash__(self):
        return self.key


class KeepsFirst(Keeps):
    def __init__(self, name, size):
        self.key, self.name = hash((name, 1)), name


class KeepsThird(Keeps):
    def __init__(self, name, size):
        self.name, self.size, self.key = name, size, hash((name, size))


class KeepsFourth(Keeps):
    def __init__(self, name, size):
        self.name, self.size, self.rest, self.key = name, size, None, hash((name, size))


class KeepsByVariable(Keeps):
    def __init__(self, name, size):
        self.name = name
        made, self.size = hash(name), size
        self.key = made


class KeepsTwice(Keeps):
    def __init__(self, name, size):
        self.name = name
        self.other = self.key = hash(self.name)


class KeepsSize(Keeps):
    """The hash of an int is the same in each process."""

    def __init__(self, name, size):
        self.name, self.size, self.key = name, size, hash(size)


class KeepsAnother(Keeps):
    def __init__(self, name, size):
        self.key, self.name = size, hash(name)


KEEPS = [Keeps, KeepsFirst, KeepsThird, KeepsFourth, KeepsByVariable, KeepsTwice]


@pytest.mark.parametrize("cls", KEEPS)
def test_a_hash_in_an_assignment_of_several(strict, cls):
    ((path, hint),) = strict([cls("a", 1)])
    assert path == "obj[0]"
    assert hint.startswith("It keeps its hash in key,")


@pytest.mark.parametrize("cls", [KeepsSize, KeepsAnother])
def test_a_number_in_an_assignment_of_several(strict, cls):
    assert strict([cls("a", 1)]) == []
