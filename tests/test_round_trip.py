"""diagnose(round_trip=True): what can be pickled, and does not load or comes back different."""

from __future__ import annotations

import pathlib
import threading

import pytest

from models import Plain
from quickpickle import diagnose
from quickpickle.diagnosis import round_trip


class FailureError(Exception):
    def __init__(self, code, text):
        super().__init__(text)


class FineError(Exception):
    def __init__(self, code, text):
        super().__init__(code, text)


class Asks:
    def __init__(self):
        self.data = {}

    def __getattr__(self, name):
        return self.data[name]


class Guards(Asks):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self.data[name]


class New:
    def __new__(cls, number):
        return object.__new__(cls)


class NewWithArguments(New):
    def __getnewargs__(self):
        return (1,)


class InItsSet:
    def __init__(self):
        self.number = 1
        self.others = {self}

    def __hash__(self):
        return self.number


class InItsDict(InItsSet):
    def __init__(self):
        self.number = 1
        self.others = {self: 1}


class Slots:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


class Another:
    def __reduce__(self):
        return list, ()


class Counts:
    def __init__(self, number=0):
        self.number = number

    def __reduce__(self):
        return Counts, (self.number + 1,)


class Restores:
    def __getstate__(self):
        return {"old": 1}

    def __setstate__(self, state):
        self.new = state["new"]


class Breaks:
    def __reduce__(self):
        return int, ("no number",)


EXCEPTION = "An exception is made again with its args"
GETATTR = "Its __getattr__ is asked before"
HASH = "It is in a set, or a key of a dict"
DIFFERENT = "It comes back different"
TABLE = {
    "exception": (lambda: {"e": [FailureError(1, "no")]}, "obj['e'][0]", TypeError, EXCEPTION),
    "attributes": (lambda: (1, Asks()), "obj[1]", RecursionError, GETATTR),
    "arguments": (lambda: Plain(a=New(1)), "obj.a", TypeError, "Its __new__ takes arguments"),
    "own set": (lambda: [InItsSet()], "obj[0]", AttributeError, HASH),
    "own dict": (lambda: [InItsDict()], "obj[0]", AttributeError, HASH),
    "slot": (lambda: Slots([FailureError(1, "no")]), "obj.value[0]", TypeError, EXCEPTION),
    "key": (lambda: {Another(): 1}, "list(obj)[0]", None, "It comes back as another type, list."),
    "member": (lambda: [{Counts()}], "list(obj[0])[0]", None, DIFFERENT),
    "another type": (lambda: [Another()], "obj[0]", None, "It comes back as another type, list."),
    "another value": (lambda: {"c": Counts()}, "obj['c']", None, DIFFERENT),
    "state": (lambda: [Restores()], "obj[0]", KeyError, "Its __setstate__ has failed"),
    "a function": (lambda: [Breaks()], "obj[0]", ValueError, "A load calls what its __reduce__"),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_what_does_not_come_back(implementation, monkeypatch, case):
    monkeypatch.setattr(round_trip._implementation, "dumps", implementation.dumps)
    make, path, kind, hint = case
    obj = make()
    assert diagnose(obj) == []
    (problem,) = diagnose(obj, round_trip=True)
    assert problem.path == path
    assert problem.type is type(eval(path, {"obj": obj}))
    assert problem.on_load
    assert type(problem.exception) is (type(None) if kind is None else kind)
    assert problem.hint is None if hint is None else problem.hint.startswith(hint)


@pytest.mark.parametrize(
    "obj",
    [
        [1, {"a": (2.5, None)}, {3}],
        FineError(1, "no"),
        Guards(),
        NewWithArguments(1),
        Slots([Plain(a=1)]),
        Plain(a=Plain()),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_what_comes_back(obj):
    assert diagnose([obj, obj], round_trip=True) == []


def test_all_of_them_with_what_cannot_be_pickled():
    obj = {"a": [FailureError(1, "no"), threading.Lock()], "b": Asks(), "c": Another()}
    problems = diagnose(obj, round_trip=True)
    assert [problem.path for problem in problems] == [
        "obj['a'][1]",
        "obj['a'][0]",
        "obj['b']",
        "obj['c']",
    ]
    assert repr(problems).startswith(
        "1 place that cannot be pickled, 2 places that do not load and 1 surprise:\n"
    )
    assert repr(diagnose([FailureError(1, "")], round_trip=True)).startswith(
        "1 place that does not load:\n"
    )


def test_an_object_in_its_own_cycle():
    obj = [FailureError(1, "no")]
    obj.append(obj)
    assert [problem.path for problem in diagnose(obj, round_trip=True)] == ["obj[0]"]


def test_the_limit():
    problems = diagnose([FailureError(1, ""), FailureError(2, "")], round_trip=True, max_problems=1)
    assert len(problems) == 1
    assert not problems.complete


# --- what strict=True finds of these, without loading


class ReducesError(FailureError):
    def __reduce__(self):
        return ReducesError, (1, "no")


def raised(error, cause=None):
    try:
        raise error from cause
    except Exception as caught:
        return caught


def strict(obj):
    return [(problem.path, problem.hint) for problem in diagnose(obj, strict=True)]


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda: FailureError(1, "no"), EXCEPTION),
        (lambda: raised(ValueError()), "Pickling loses its __traceback__:"),
        (
            lambda: raised(ValueError(), KeyError()),
            "Pickling loses its __cause__ and __traceback__:",
        ),
        (lambda: raised(FineError(1, "no")), "Pickling loses its __traceback__:"),
    ],
)
def test_exceptions_that_surprise(make, hint):
    ((path, found),) = strict({"e": [make()]})
    assert path == "obj['e'][0]"
    assert found.startswith(hint)


@pytest.mark.parametrize("error", [FineError(1, "no"), ReducesError(1, "no"), ValueError(1, 2)])
def test_exceptions_that_do_not(error):
    assert strict([error]) == []
    assert diagnose([error], round_trip=True) == []


def test_paths_of_one_platform():
    ((path, hint),) = strict([pathlib.PurePosixPath("a"), pathlib.Path("a")])
    assert path == "obj[1]"
    assert hint.startswith("It loads on systems of this kind only")
    assert ("pathlib._local" in hint) == (pathlib.Path.__module__ == "pathlib._local")
