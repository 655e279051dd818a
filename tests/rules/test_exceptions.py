"""Exceptions: the compiled implementation writes most of them by a plan, from fields of C.

Each test pickles exceptions as the plan has them, and with the one thing changed that it must not
hide.
"""

import builtins
import gc
import io
import pickle
import sys
from typing import ClassVar

import pytest

from differential import (
    PYPY,
    assert_same,
    assert_same_hooks,
    assert_same_when_it_changes,
    outcome,
)
from models import Act


class RefusedError(Exception):
    """With an argument more than it gives to its base, and an attribute."""

    def __init__(self, reason, code, file=None):
        super().__init__(reason, code)
        self.code = code


class BareError(ValueError):
    pass


class ChangingError(ValueError):
    pass


class WithSlotError(OSError):
    __slots__ = ("extra",)


class WithGetstateError(KeyError):
    def __getstate__(self):
        return {"state": 1}


class WithGetattrError(KeyError):
    asked: ClassVar[list[str]] = []

    def __getattr__(self, name):
        WithGetattrError.asked.append(name)
        raise AttributeError(name)


class WithReduceError(OSError):
    def __reduce__(self):
        return WithReduceError, ("reduced",)


class Borrowed:
    """No exception: the function refuses it."""

    __reduce__ = BaseException.__reduce__


class BorrowedBackError(OSError):
    """An OSError without the function of one."""

    __reduce__ = BaseException.__reduce__


class SubDict(dict):
    pass


class SubTuple(tuple):
    __slots__ = ()


def with_attributes(error, **attributes):
    vars(error).update(attributes)
    return error


def with_notes(error, *notes):
    for note in notes:
        error.add_note(note)
    return error


def with_args(error, args):
    error.args = args
    return error


def with_dict(error, attributes):
    error.__dict__ = attributes
    return error


def of_every_class():
    names = sorted(vars(builtins))
    classes = [getattr(builtins, name) for name in names]
    errors = [cls for cls in classes if isinstance(cls, type) and issubclass(cls, BaseException)]
    return [error() for error in errors if not outcome_is_error(error)]


def outcome_is_error(cls):
    return not isinstance(outcome(cls), BaseException)


SHARED = ["shared"]

OBJECTS = {
    "of every class": of_every_class,
    "arguments": lambda: [ValueError(*"abcdefg"[:size]) for size in range(7)],
    "no leaves": lambda: [ValueError([i], (i,), {i: [i]}, "last") for i in range(3)],
    "with more arguments": lambda: [
        RefusedError("a", 1),
        RefusedError(["a"], 2, "file"),
        BareError(),
        BareError([]),
    ],
    "of the system": lambda: [
        OSError(),
        OSError("a"),
        OSError(2, "b"),
        OSError(2, "b", "file"),
        OSError(2, "b", b"file", None, "other"),
        OSError(2, "b", ["file"], None, ("other",)),
        OSError(2, ["b"], "file" * 500),
        OSError(1, 2, 3, 4, 5, 6),
        FileNotFoundError(2, "b", "file"),
        BlockingIOError(11, "b", 3),
        with_args(OSError(2, "b", "file"), (1, 2, 3)),
        with_args(OSError(2, "b", "file"), ("a", [2])),
        with_attributes(OSError(2, "b", "file"), code=[1]),
        WithSlotError(2, "b", "file"),
        BorrowedBackError(2, "b", "file"),
    ],
    "with fields of their own": lambda: [
        ImportError("a", name="b", path="c"),
        SyntaxError("a", ("file", 1, 2, "text")),
        UnicodeDecodeError("utf-8", b"abc", 1, 2, "reason"),
        UnicodeEncodeError("utf-8", "abc", 1, 2, "reason"),
        StopIteration(1),
        SystemExit(3),
        AttributeError("a", name="b", obj=1),
        NameError("a", name="b"),
        ExceptionGroup("a", [ValueError("b"), OSError(2, "c", "file")]),
        BaseExceptionGroup("a", [KeyboardInterrupt(), ExceptionGroup("b", [BareError([])])]),
    ],
    "attributes": lambda: [
        with_attributes(ValueError("a"), code=1, other="x"),
        with_attributes(BareError([1]), code=[1], other=(2,)),
        with_attributes(ValueError()),
        with_dict(ValueError("a"), {}),
        with_dict(ValueError("a"), SubDict(a=1)),
        with_attributes(ValueError("a"), **{f"a{i}": [i] for i in range(1001)}),
        with_notes(ValueError("a"), "note"),
        with_notes(RefusedError("a", 1), "note", "another"),
        with_attributes(ValueError("a"), __notes_="no notes", __note__=1, __notes__=2),
    ],
    "a method among the attributes": lambda: [
        with_attributes(ValueError("a"), **{name: None})
        for name in ("__reduce__", "__reduce_ex__", "__getstate__", "__class__", "__notes__")
    ],
    "parts that are shared": lambda: [
        [error := ValueError(SHARED, "x"), error.args, error, error.args],
        [args := ("a", SHARED), with_args(ValueError(), args), with_args(OSError(), args)],
        [with_args(ValueError(), args := ([1], 2)), args, args[0]],
        [attributes := {"a": [1]}, with_dict(ValueError(1), attributes), attributes],
        [with_dict(ValueError(1), attributes := {"a": 1}), with_dict(BareError(2), attributes)],
        [with_args(ValueError(), SubTuple((1, [2])))],
    ],
    "an exception in itself": lambda: [
        [error := ValueError(parts := []), parts.append(error)],
        with_attributes(error := ValueError(1), again=[error]),
    ],
    "methods of their own": lambda: [
        WithGetstateError("a"),
        with_attributes(WithGetstateError("a"), b=1),
        WithReduceError("a"),
        WithGetattrError("a"),
    ],
    "borrowed": lambda: [Borrowed()],
}


@pytest.mark.parametrize("name", OBJECTS)
def test_the_same_bytes(implementation, protocol, name):
    make = OBJECTS[name]
    assert_same(implementation, make, protocol)
    assert_same(implementation, lambda: [each := make(), (each, each), each[:]], protocol)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_frame_that_ends_within_an_exception(implementation, name):
    if name in ("borrowed", "a method among the attributes"):
        pytest.skip("is refused")
    objects = OBJECTS[name]()
    for size in range(65440, 65550, 11):
        assert_same(implementation, lambda size=size: [b"x" * size, objects], 5)
        for module_file in (io.BytesIO, Written):
            ours, theirs = module_file(), module_file()
            implementation.dump([b"x" * size, objects], ours, 5)
            pickle.dump([b"x" * size, objects], theirs, 5)
            assert ours.getvalue() == theirs.getvalue()


class Written:
    """A file in Python, which sees each write."""

    def __init__(self):
        self.parts = []

    def write(self, data):
        self.parts.append(bytes(data))

    def getvalue(self):
        return self.parts


@pytest.mark.parametrize("options", [{"compact": True}, {"deterministic": True}])
@pytest.mark.parametrize("name", ["arguments", "attributes", "of the system", "no leaves"])
def test_options(protocol, options, name):
    """Both implementations give the same, and equal objects come back."""
    native = pytest.importorskip("quickpickle.compiled.core", exc_type=ImportError)
    from quickpickle import pure

    objects = OBJECTS[name]()
    for _ in range(2):
        data = native.dumps(objects, protocol, **options)
        assert data == pure.dumps(objects, protocol, **options)
    if name != "of the system":  # whose arguments may mean something else when they are given anew
        for loaded, obj in zip(pickle.loads(data), objects, strict=True):
            assert (type(loaded), loaded.args, vars(loaded)) == (type(obj), obj.args, vars(obj))


def test_hooks(implementation, protocol):
    objects = [*OBJECTS["arguments"](), *OBJECTS["of the system"](), RefusedError([1], 2)]
    for cls in (BareError, FileNotFoundError):
        assert_same_hooks(implementation, [*objects, BareError("a")], protocol, cls)


def test_tables(implementation, protocol):
    def reduced(obj):
        return str, ("from the table",)

    seen = []
    for module in (implementation, pickle):
        file = io.BytesIO()
        pickler = module.Pickler(file, protocol)
        pickler.dispatch_table = {BareError: reduced}
        pickler.dump([BareError(1), ValueError(2)])
        pickler.dispatch_table[ValueError] = reduced
        pickler.dump([BareError(1), ValueError(3)])
        seen.append(file.getvalue())
    assert seen[0] == seen[1]


CHANGES = {
    "__reduce__": lambda self: (int, (8,)),
    "__reduce_ex__": lambda self, protocol: (int, (9,)),
    "__getstate__": lambda self: {"state": 1},
    "__getattribute__": lambda self, name: ValueError.__getattribute__(self, name),
    "__notes__": ["of the class"],
    "args": property(lambda self: ("other",)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_class_that_changes(implementation, protocol, monkeypatch, name):
    def change():
        monkeypatch.setattr(ChangingError, name, CHANGES[name], raising=False)

    def make():
        return [with_attributes(ChangingError("a", 1), b=1), ChangingError()]

    changes = (change, monkeypatch.undo)
    acting = lambda change: ChangingError(Act(change))  # noqa: E731
    assert_same_when_it_changes(implementation, make, protocol, changes, acting)


@pytest.mark.parametrize("name", ["__newobj__", "__newobj_ex__", "Another"])
def test_a_class_that_is_renamed(implementation, protocol, monkeypatch, name):
    """The name of a class decides how its instances are pickled, even that of an exception."""
    monkeypatch.setitem(globals(), name, ChangingError)

    def rename(name=name):
        # Not as an assignment does it, which gives the class another version.
        for attribute in ("__name__", "__qualname__"):
            vars(type)[attribute].__set__(ChangingError, name)

    def make():
        return [ChangingError(ChangingError), ChangingError(ChangingError, 1)]

    def make_and_rename():
        rename("ChangingError")
        return [*make(), ChangingError(Act(rename)), *make()]

    try:
        assert_same(implementation, make, protocol)
        assert_same(implementation, make_and_rename, protocol)
        assert_same(implementation, make, protocol)
    finally:
        rename("ChangingError")


def test_parts_replaced_while_others_are_written(implementation, protocol):
    """A reduction has the arguments and the dict that there were when it was made."""

    def make(change):
        error = with_attributes(ValueError(["first"], None, ["last"]), code=[1])
        error.args = (error.args[0], Act(lambda: change(error)), error.args[2])
        return [error, error.args, error]

    def empty(error):
        error.args = ()
        vars(error).clear()

    for change in (
        lambda error: setattr(error, "args", (["new"],)),
        lambda error: setattr(error, "__dict__", {"new": 1}),
        lambda error: setattr(error, "code", ["new"]),
        lambda error: setattr(error, "__class__", BareError),
        empty,
        lambda error: gc.collect(),
    ):
        assert_same(implementation, lambda change=change: make(change), protocol)

    def make_without_dict():
        error = ValueError()
        error.args = (Act(lambda: setattr(error, "late", 1)), [2])
        return [error, error]

    assert_same(implementation, make_without_dict, protocol)


def test_a_file_name_replaced_while_others_are_written(implementation, protocol):
    def make():
        error = OSError(2, "a", "file", None, ["other"])
        error.filename = Act(lambda: setattr(error, "filename2", None))
        return [error, error.filename2]

    assert_same(implementation, make, protocol)


@pytest.mark.skipif(PYPY, reason="counts what the memo holds")
def test_an_exception_that_is_its_own_argument(implementation, protocol):
    """It has no end, which both notice. It is no tuple in itself, so there is no reference."""
    error = ValueError()
    error.args = ([1], error)
    with pytest.raises(RecursionError):
        implementation.dumps(error, protocol)
    error.args = ()


def test_deep_exceptions(implementation, protocol):
    error = ValueError("innermost")
    for i in range(200):
        error = OSError(i, error, "file") if i % 2 else ValueError(error)
    data = implementation.dumps(error, protocol)
    for i in reversed(range(200)):
        parts = error.args
        assert len(parts) == 1 + i % 2
        error = parts[i % 2]
    assert data == implementation.dumps(pickle.loads(data), protocol)


@pytest.mark.skipif(sys.version_info >= (3, 16), reason="its layouts are not known")
def test_they_are_planned():
    core = pytest.importorskip("quickpickle.compiled.core", exc_type=ImportError)
    from quickpickle.rules import plans

    assert "exceptions" in core.known_layouts()
    for error in (
        ValueError(),
        OSError(),
        RefusedError("a", 1),
        ExceptionGroup("a", [BareError()]),
    ):
        assert plans.find_plan(error).kind == plans.EXCEPTION
    for error in (ImportError(), WithReduceError(), Borrowed()):
        assert plans.find_plan(error).kind != plans.EXCEPTION
