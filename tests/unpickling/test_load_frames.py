"""Tracebacks of errors while loading have all frames of the user's, and none of ours."""

from __future__ import annotations

import io
import pickle
import traceback

import pytest

from quickpickle.rules import tracebacks
from unpickling.load_cases import named

pytestmark = pytest.mark.skipif(not tracebacks.PLACE, reason="QUICKPICKLE_DEBUG is set")


def fail(*args):
    raise LookupError("somebody's")


def fail_after_another(*args):
    try:
        fail()
    except LookupError as error:
        raise ValueError("in its place") from error


class Fails:
    __setstate__ = __setitem__ = extend = append = fail

    def __hash__(self):
        fail()


class BadFile:
    def read(self, n):
        fail()

    readline = read


class LaterBadFile(io.BytesIO):
    def read(self, n):
        if n > 1:
            fail()
        return super().read(n)


class BadProperty:
    @property
    def read(self):
        fail()


def buffers():
    yield b""
    fail()


def hooked(module, data, **hooks):
    return type("Hooked", (module.Unpickler,), hooks)(io.BytesIO(data))


INSTANCE = named("Fails", __name__) + b")\x81"
FAILING = {
    "reduce": lambda m: m.loads(named("fail", __name__) + b")R."),
    "chained": lambda m: m.loads(named("fail_after_another", __name__) + b")R."),
    "setstate": lambda m: m.loads(INSTANCE + b"}b."),
    "setitem": lambda m: m.loads(INSTANCE + b"K\1K\2s."),
    "setitems": lambda m: m.loads(INSTANCE + b"(K\1K\2u."),
    "append": lambda m: m.loads(INSTANCE + b"K\1a."),
    "hash": lambda m: m.loads(b"}" + INSTANCE + b"Ns."),
    "file": lambda m: m.load(BadFile()),
    "file of an Unpickler": lambda m: m.Unpickler(BadFile()).load(),
    "file later": lambda m: m.load(LaterBadFile(b"X\1\0\0\0a.")),
    "property": lambda m: m.Unpickler(BadProperty()),
    "buffers": lambda m: m.loads(b"\x97\x97.", buffers=buffers()),
    "find_class": lambda m: hooked(m, b"ca\nb\n.", find_class=fail).load(),
    "persistent_load": lambda m: hooked(m, b"NQ.", persistent_load=fail).load(),
}
OF_OURS = {
    "truncated": lambda m: m.loads(b"K"),
    "empty": lambda m: m.load(io.BytesIO()),
    "underflow": lambda m: m.Unpickler(io.BytesIO(b".")).load(),
    "unknown": lambda m: m.loads(b"\xff"),
    "no bytes": lambda m: m.loads(None),
    "no file": lambda m: m.Unpickler(None),
    "no file to load": lambda m: m.load(None),
    "no text": lambda m: m.loads(b"N.", encoding=None),
    "no module": lambda m: m.loads(b"cnosuch_module\na\n."),
    "no attribute": lambda m: m.loads(b"\x80\4cbuiltins\nlist.nosuch\n."),
    "find_class": lambda m: m.Unpickler(io.BytesIO()).find_class("builtins", "nosuch"),
    "persistent_load": lambda m: m.Unpickler(io.BytesIO()).persistent_load(1),
    "no persistent_load": lambda m: m.loads(b"NQ."),
    "memo": lambda m: setattr(m.Unpickler(io.BytesIO()), "memo", 5),
    "deleted memo": lambda m: delattr(m.Unpickler(io.BytesIO()), "memo"),
    "deleted method": lambda m: delattr(m.Unpickler(io.BytesIO()), "persistent_load"),
    "pickled": lambda m: pickle.dumps(m.Unpickler(io.BytesIO())),
}


def caught(module, action):
    try:
        action(module)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("name", [*FAILING, *(f"ours: {name}" for name in OF_OURS)])
def test_no_frames_of_ours(unpickling, name):
    is_ours = name.startswith("ours: ")
    error = caught(unpickling, OF_OURS[name[6:]] if is_ours else FAILING[name])
    for each in chain(error):
        names = [f.f_code.co_filename for f, _ in traceback.walk_tb(each.__traceback__)]
        assert not [name for name in names if name.startswith(tracebacks.PLACE)]
    functions = [f.f_code.co_name for f, _ in traceback.walk_tb(error.__traceback__)]
    if not is_ours:
        assert functions[-1] in ("fail", "fail_after_another")
    if name != "ours: no module":
        assert functions[:2] == ["caught", "<lambda>"]


def test_errors_of_ours_have_no_context(unpickling):
    """But where the interpreter's own has one: from 3.14 on, of a name with dots."""
    for name, action in OF_OURS.items():
        if name not in ("pickled", "deleted method"):
            ours = caught(unpickling, action)
            try:
                theirs = caught(pickle, action)
            except AssertionError:
                continue
            assert (ours.__context__ is None) == (theirs.__context__ is None), name
            assert ours.__cause__ is None
