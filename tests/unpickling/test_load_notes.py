"""Exceptions of loads: one note, `path` and `offset`, and a hint where the cause is known."""

# ruff: noqa: B023  # functions that are called before the loop goes on

from __future__ import annotations

import dataclasses
import enum
import functools
import gzip
import io
import lzma
import operator
import pathlib
import pickle
import pickletools
import random
import re
import socket
import sys
import types

import pytest

import quickpickle
from conftest import UNPICKLERS
from quickpickle.format import foreign
from quickpickle.format import opcodes as op
from quickpickle.rules.load_facts import Facts
from quickpickle.rules.loading_hints import find_load_hint, find_read_hint

HERE = __name__
ON_WINDOWS = sys.platform == "win32"
CPYTHON = sys.implementation.name == "cpython"

pytestmark = pytest.mark.skipif(not CPYTHON, reason="the errors of PyPy's unpickler are others")


# --- what is in the pickles


class Plain:
    pass


class Holder:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Changed:
    def __setstate__(self, state):
        self.value = state["value"]


class Broken:
    def __setstate__(self, state):
        raise OSError("no disk")


class OddSetState:
    def __setstate__(self):
        raise AssertionError


class Wraps:
    def __init__(self, wrapped):
        self.wrapped = wrapped

    def __getattr__(self, name):
        return getattr(self.wrapped, name)


class Member:
    def __init__(self):
        self.number = 1
        self.others = {self: 2}

    def __hash__(self):
        return hash(self.number)


class PeculiarError(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")


class HonestError(Exception):
    def __init__(self, number):
        super().__init__(number)
        raise TypeError("takes 3 positional arguments, it says")


class Color(enum.Enum):
    RED = 1


class Needs:
    def __new__(cls, value):
        return super().__new__(cls)


class Raises:
    def __new__(cls, *args):
        raise TypeError("missing 1 required thing")


class NeedsInit:
    def __init__(self, value):
        pass


class Slots:
    __slots__ = ("here",)


@dataclasses.dataclass(frozen=True)
class Frozen:
    __slots__ = ("value",)
    value: int


def function(value):
    return value


def fails():
    raise LookupError("by itself")


class Appends(list):
    def extend(self, items):
        raise LookupError("not these")

    append = extend


class Sets(dict):
    def __setitem__(self, key, value):
        raise LookupError("not these")


class Hashes:
    def __hash__(self):
        raise LookupError("no hash")


class NewModule:
    pass


class Unpacks:
    def __setstate__(self, state):
        self.one, self.two = state


class Counts:
    def __setstate__(self, state):
        self.size = len(state)


class Indexes:
    def __setstate__(self, state):
        self.first = state[0]


class Names:
    def __setstate__(self, state):
        self.name = state.name


class FixedError(Exception):
    def __init__(self):
        super().__init__("fixed")


class KeywordError(Exception):
    def __init__(self, *, code):
        super().__init__()


class Keywords:
    def __new__(cls, *, value):
        return super().__new__(cls)


class Fields:
    def __init__(self):
        self.fields = {"a": 1}

    def __getattr__(self, name):
        if name in self.fields:
            return name
        raise AttributeError(name)


class InFrozenset:
    def __init__(self):
        self.key = "a"
        self.others = frozenset([self])

    def __hash__(self):
        return hash(self.key)


# --- how they are written


def name(path, module=HERE):
    return op.GLOBAL + module.encode() + b"\n" + path.encode() + b"\n"


def text(value):
    data = value.encode()
    return op.SHORT_BINUNICODE + bytes([len(data)]) + data


def p4(*parts):
    return b"\x80\4" + b"".join(parts) + b"."


def p2(*parts):
    return b"\x80\2" + b"".join(parts) + b"."


def new(path, state=None):
    return name(path) + b")\x81" + (b"" if state is None else state + b"b")


def within(part):
    """In the place of an attribute, in a dict, in a list."""
    models = op.EMPTY_DICT + text("models") + b"](K\1" + part + b"es"
    return p4(new("Holder", b"}" + text("held") + models + b"s"))


WITHIN = "obj.held['models'][1]"
ITEMS = b"](K\1K\2" + new("Plain") + b"e"

CASES = {
    # names
    "no module": (within(name("X", "no_such_module")), {}, WITHIN, "Here is no no_such_module"),
    "by STACK_GLOBAL": (
        within(text("no_such_module") + text("X") + b"\x93"),
        {},
        WITHIN,
        "add its folder to sys.path",
    ),
    "by INST": (p4(b"](", b"(i" + b"no_such_module\nX\n", b"e"), {}, "obj[0]", "add its folder"),
    "a package with another name": (
        within(name("X", "skimage_no.a")),
        {},
        WITHIN,
        "Here is no skimage_no",
    ),
    "a module of a package": (
        within(name("X", "json.nothing_like_it")),
        {},
        WITHIN,
        "json.* is installed, but has no json.nothing_like_it: load with the version",
    ),
    "a near miss of a module": (
        within(name("X", "json.decoders")),
        {},
        WITHIN,
        "renames={'json.decoders': 'json.decoder'}",
    ),
    "moved within its package": (
        within(name("JSONDecoder", "json.old")),
        {},
        WITHIN,
        "renames={'json.old.JSONDecoder': 'json.decoder.JSONDecoder'}",
    ),
    "a class of the user's, moved": (
        within(name("NewModule", "gone_module")),
        {},
        WITHIN,
        f"renames={{'gone_module.NewModule': '{HERE}.NewModule'}}",
    ),
    "no such class": (
        within(name("NoSuchName")),
        {},
        WITHIN,
        "is there, but has no NoSuchName: it was renamed or removed",
    ),
    "a near miss of a class": (
        within(name("Holders")),
        {},
        WITHIN,
        f"renames={{'{HERE}.Holders': '{HERE}.Holder'}}",
    ),
    "gone from __main__": (
        within(name("VeryPrivate", "__main__")),
        {},
        WITHIN,
        "The program that wrote the pickle had VeryPrivate in its own script",
    ),
    "gone from __main__, but somewhere": (
        within(name("NewModule", "__main__")),
        {},
        WITHIN,
        f"renames={{'__main__.NewModule': '{HERE}.NewModule'}}",
    ),
    "in a function": (
        p4(b"](" + text(HERE) + text("function.<locals>.Inner") + b"\x93", b"e"),
        {},
        "obj[0]",
        "inside a function",
    ),
    "an import that fails": (
        within(name("X", "unpickling.broken_module")),
        {},
        WITHIN,
        "what it imports is not: install what has no_such_module_at_all",
    ),
    "a name of Python 2": (
        p2(b"](", name("_reconstructor", "copy_reg"), b"e"),
        {"fix_imports": False},
        "obj[0]",
        "leave out fix_imports=False",
    ),
    "an extension code": (p4(b"](\x82\7e"), {}, "obj[0]", None),
    # calls
    "a call that fails": (within(name("fails") + b")R"), {}, WITHIN, None),
    "an argument too few": (within(name("function") + b")R"), {}, WITHIN, "function() takes other"),
    "a class, an argument too few": (
        within(name("NeedsInit") + b")R"),
        {},
        WITHIN,
        "NeedsInit takes other arguments than the pickle has",
    ),
    "an exception": (
        lambda n: pickle.dumps([PeculiarError(1, "a")], n),
        {},
        "obj[0]",
        "let .*PeculiarError.__init__ pass all its arguments on",
    ),
    "an exception that fails by itself": (
        within(name("HonestError") + b"K\1\x85R"),
        {},
        WITHIN,
        None,
    ),
    "NEWOBJ": (within(name("Needs") + b")\x81"), {}, WITHIN, "__getnewargs__"),
    "NEWOBJ_EX": (
        within(name("Needs") + b")}" + text("other") + b"K\1s\x92"),
        {},
        WITHIN,
        "__getnewargs_ex__",
    ),
    "__new__ that fails by itself": (within(name("Raises") + b")\x81"), {}, WITHIN, None),
    "OBJ": (p4(b"]((" + name("Raises") + b"oe"), {}, "obj[0]", None),
    "a member of an enum": (
        within(name("Color") + b"K\7\x85R"),
        {},
        WITHIN,
        "Color has no member with this value",
    ),
    "no class": (within(b"K\1)\x81"), {}, WITHIN, None),
    "not callable": (within(b"K\1)R"), {}, WITHIN, None),
    # states
    "a changed __setstate__": (
        within(new("Changed", b"}" + text("other") + b"K\1s")),
        {},
        WITHIN,
        "Changed.__setstate__ does not take the state",
    ),
    "a __setstate__ that fails by itself": (within(new("Broken", b"}")), {}, WITHIN, None),
    "a __setstate__ without a parameter": (
        within(new("OddSetState", b"}")),
        {},
        WITHIN,
        "OddSetState.__setstate__ has to take one argument",
    ),
    "the __setstate__ is gone": (
        within(new("Plain", b"K\1")),
        {},
        WITHIN,
        "Plain had a __setstate__",
    ),
    "slots": (
        within(new("Slots", b"N}" + text("gone") + b"K\1s\x86")),
        {},
        WITHIN,
        "Slots has __slots__, without one of",
    ),
    "a frozen dataclass with slots": (
        within(new("Frozen", b"N}" + text("value") + b"K\1s\x86")),
        {},
        WITHIN,
        "Frozen is frozen, and its slots",
    ),
    "__getattr__": (
        lambda n: pickle.dumps([1, Wraps(2)], max(n, 2)),
        {},
        "obj[1]",
        "A __getattr__ asks for an attribute that a new object does not have",
    ),
    "__hash__": (
        lambda n: pickle.dumps([Member()], max(n, 2)),
        {},
        "obj[0].others",
        "its __hash__ is called before it has its attributes",
    ),
    "a __hash__ that fails by itself": (
        p4(b"](}" + new("Hashes") + b"K\1se"),
        {},
        "obj[0]",
        None,
    ),
    "a key that has no hash": (p4(b"](}]K\1se"), {}, "obj[0]", None),
    "a member without a hash": (p4(b"](\x8f(]\x90e"), {}, "obj[0]", None),
    "in a frozenset": (p4(b"](K\1(]\x91e"), {}, "obj[1]", None),
    "items of a list": (p4(b"](" + new("Appends") + b"(K\1K\2ee"), {}, "obj[0]", None),
    "items of a dict": (p4(b"](" + new("Sets") + b"K\1K\2se"), {}, "obj[0]", None),
    # Python 2
    "a str of Python 2": (p2(b"]U\1\xe4a"), {}, "obj[0]", 'encoding="latin1"'),
    "a long str of Python 2": (p2(b"](K\1T\1\0\0\0\xe4e"), {}, "obj[1]", 'encoding="latin1"'),
    "a str of Python 2 in protocol 0": (b"(lp0\nS'\\xe4'\na.", {}, "obj[0]", 'encoding="latin1"'),
    "a str that is not UTF-8": (
        p2(b"]U\1\xe4a"),
        {"encoding": "utf-8"},
        "obj[0]",
        "is not utf-8",
    ),
    # buffers, persistent ids
    "no buffers": (p4(b"](\x97e"), {}, "obj[0]", "pass them as buffers="),
    "too few buffers": (
        p4(b"](\x97\x97e"),
        {"buffers": [b"a"]},
        "obj[1]",
        "more out-of-band buffers than were given",
    ),
    "an iterator of buffers that fails": (
        p4(b"](\x97e"),
        {"buffers": map(operator.truediv, [1], [0])},
        "obj[0]",
        None,
    ),
    "a persistent id": (within(b"K\1Q"), {}, WITHIN, "under an id"),
    "a persistent id in protocol 0": (b"(lp0\nPan id\na.", {}, "obj[0]", "under an id"),
    # more of each kind
    "a class in a class": (within(name("Holder.Inner")), {}, WITHIN, "has no Holder.Inner"),
    "a module of three parts": (
        within(name("X", "no_such.package.part")), {}, WITHIN, "Here is no no_such",
    ),
    "a module that is no package": (
        within(name("X", "json.decoder.more")), {}, WITHIN, "has no json.decoder.more",
    ),
    "a near miss of a function": (
        within(name("functions")), {}, WITHIN, f"renames={{'{HERE}.functions': '{HERE}.function'}}",
    ),
    "a name with the line end of Windows": (
        within(name("Holder\r")), {}, WITHIN, "went through text",
    ),
    "a module with the line end of Windows": (
        within(name("X", "no_such_module\r")), {}, WITHIN, "went through text",
    ),
    "Queue of Python 2": (
        p2(b"](", name("Queue", "Queue"), b"e"), {"fix_imports": False}, "obj[0]",
        "Queue is a module of Python 2: leave out fix_imports=False",
    ),
    "__builtin__ of Python 2": (
        p2(b"](", name("set", "__builtin__"), b"e"), {"fix_imports": False}, "obj[0]",
        "__builtin__ is a module of Python 2",
    ),
    "INST, an argument too many": (
        p4(b"](", b"(K\1K\2i" + HERE.encode() + b"\nNeedsInit\n", b"e"), {}, "obj[0]",
        "NeedsInit takes other arguments",
    ),
    "OBJ, an argument too many": (
        p4(b"](", b"(" + name("NeedsInit") + b"K\1K\2o", b"e"), {}, "obj[0]",
        "NeedsInit takes other arguments",
    ),
    "a function, an argument too many": (
        within(name("fails") + b"K\1\x85R"), {}, WITHIN, "fails() takes other arguments",
    ),
    "an exception without arguments": (
        within(name("FixedError") + b"K\1\x85R"), {}, WITHIN, "FixedError.__init__ pass all",
    ),
    "an exception with keywords": (
        within(name("KeywordError") + b")R"), {}, WITHIN, "KeywordError.__init__ pass all",
    ),
    "__new__ with keywords": (within(name("Keywords") + b")\x81"), {}, WITHIN, "__getnewargs_ex__"),
    "a state that is too long": (
        within(new("Unpacks", b"(K\1K\2K\3t")), {}, WITHIN, "Unpacks.__setstate__ does not take",
    ),
    "a state without a length": (
        within(new("Counts", b"K\1")), {}, WITHIN, "Counts.__setstate__ does not take the state",
    ),
    "a state without items": (
        within(new("Indexes", b")")), {}, WITHIN, "Indexes.__setstate__ does not take the state",
    ),
    "a state without attributes": (
        within(new("Names", b"K\1")), {}, WITHIN, "Names.__setstate__ does not take the state",
    ),
    "a list as a state": (within(new("Plain", b"]")), {}, WITHIN, "Plain had a __setstate__"),
    "__getattr__ by a test": (
        lambda n: pickle.dumps([1, Fields()], max(n, 2)), {}, "obj[1]", "A __getattr__ asks for",
    ),
    "__hash__ in a frozenset": (
        lambda n: pickle.dumps([InFrozenset()], max(n, 4)), {}, "obj[0].others",
        "its __hash__ is called before it has its attributes",
    ),
    "a member of an enum by its text": (
        within(name("Color") + text("BLUE") + b"\x85R"), {}, WITHIN, "Color has no member",
    ),
    "a str of Python 2 in a key": (
        p2(b"]}U\1\xe4K\1sa"), {}, "list(obj[0])[0]", 'encoding="latin1"',
    ),
    "a str that is not UTF-16": (
        p2(b"]U\1\xe4a"), {"encoding": "utf-16"}, "obj[0]", "is not utf-16",
    ),
    "a buffer behind the others": (
        p4(b"](\x97\x97\x97e"), {"buffers": [b"a", b"b"]}, "obj[2]", "more out-of-band buffers",
    ),
    "the memo, in a tuple": (p4(b"](K\1j\7\0\0\0e"), {}, "obj", "earlier pickle"),
    # numbers and texts
    "no UTF-8": (p4(b"](X\1\0\0\0\xffe"), {}, "obj[0]", None),
    "no int": (b"(lp0\nIabc\na.", {}, "obj[0]", None),
    "no float": (b"(lp0\nFabc\na.", {}, "obj[0]", None),
    # damaged pickles
    "the memo": (p4(b"](K\1h\7e"), {}, "obj", "earlier pickle"),
    "a protocol": (b"\x80\7N.", {}, None, "A later version of Python wrote it, with protocol 7"),
    "a protocol that will not come": (b"\x80\xf7N.", {}, None, None),
    "no opcode": (p4(b"](K\1\xffe"), {}, "obj", None),
    "an empty stack": (p4(b"0"), {}, None, None),
    "no mark": (p4(b"]K\1e"), {}, None, None),
    "cut off in an opcode": (
        b"\x80\4](K\1X\x20\0\0\0abc",
        {},
        "obj[1]",
        "14 bytes are there, and at least 29 are missing",
    ),
    "cut off in a frame": (
        b"\x80\4\x95\x20\0\0\0\0\0\0\0](K\1",
        {},
        None,
        "15 bytes are there, and at least 28 are missing",
    ),
    "cut off in a line": (b"\x80\2](Iabc", {}, "obj", "The pickle is cut off after 8 bytes"),
    "cut off between opcodes": (b"\x80\4](K\1", {}, "obj", "it ends after 6 bytes"),
    "a length that is damaged": (b"\x80\4](\x8d\0\0\0\0\0\0\xff\1", {}, "obj", None),
    "nothing": (b"", {}, None, "There is nothing in it"),
}  # fmt: skip
assert sum(path is not None and hint is not None for _, _, path, hint in CASES.values()) >= 60


def data_of(case, protocol=4):
    data = CASES[case][0]
    return data if type(data) is bytes else data(protocol)


def failure(load, *args, **options):
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        load(*args, **options)
    return caught.value


def options_of(case):
    options = dict(CASES[case][1])
    if case == "an iterator of buffers that fails":  # a new one each time
        options["buffers"] = map(operator.truediv, [1], [0])
    return options


def hint_of(error):
    (note,) = error.__notes__
    line, _, hint = note.partition("\n")
    return line, hint


def matches(hint, expected):
    """Whether a hint has a text, in which only .* is a pattern."""
    return re.search(re.escape(expected).replace(r"\.\*", ".*"), hint) is not None


@pytest.mark.parametrize("case", CASES)
def test_each_failure_has_its_place_and_its_hint(unpickling, case):
    _, _, path, expected = CASES[case]
    data = data_of(case)
    reference = failure(pickle.loads, data, **options_of(case))
    error = failure(unpickling.loads, data, **options_of(case))
    assert type(error) is type(reference)
    assert str(error) == str(reference)
    assert error.path == path
    line, hint = hint_of(error)
    place = f"byte {error.offset:,}"
    if path is None:
        assert re.fullmatch(rf"unpickling failed at {place} \(.+\)", line), line
    else:
        assert line.startswith(f"unpickling failed at {path} ({place}, ")
    if expected is None:
        assert not hint
    else:
        assert matches(hint, expected), hint


def opcode_offsets(data):
    found = []
    try:
        for _, _, offset in pickletools.genops(data):
            found.append(offset)
    except Exception:
        pass
    return found


class Unseekable:
    """A file in Python that gives what it is asked for."""

    def __init__(self, data):
        self._file = io.BytesIO(data)

    def read(self, n):
        return self._file.read(n)

    def readline(self):
        return self._file.readline()


class Lazy(Unseekable):
    """One with a `peek` that shows little, and cannot seek."""

    def peek(self, n):
        here = self._file.tell()
        data = self._file.read(20)
        self._file.seek(here)
        return data


class OnePiece(io.RawIOBase):
    """A stream like a pipe, which gives all its bytes in one piece."""

    def __init__(self, data):
        super().__init__()
        self._file = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._file.readinto(buffer)


class OnlySeeks(Unseekable):
    def seekable(self):
        return True

    def tell(self):
        return self._file.tell()

    def seek(self, position):
        self._file.seek(position)


@pytest.mark.costly
@pytest.mark.parametrize("case", CASES)
def test_files_tell_the_same(unpickling, case, tmp_path):
    data = data_of(case)
    known = failure(unpickling.loads, data, **options_of(case))
    (tmp_path / "data").write_bytes(b"before" + data)
    with (
        open(tmp_path / "data", "rb") as buffered,
        open(tmp_path / "data", "rb", 0) as raw,
        gzip.open(io.BytesIO(gzip.compress(b"before" + data))) as compressed,
    ):
        for file in (buffered, raw, compressed, io.BytesIO(b"before" + data), OnlySeeks(data)):
            if not isinstance(file, OnlySeeks):
                file.seek(6)
            for load in (
                lambda: unpickling.load(file, **options_of(case)),
                lambda: unpickling.Unpickler(file, **options_of(case)).load(),
            ):
                start = file.tell()
                error = failure(load)
                end = file.tell()
                assert (error.path, error.offset) == (known.path, known.offset)
                assert hint_of(error)[0] == hint_of(known)[0]
                if data:
                    assert hint_of(error)[1] == hint_of(known)[1]
                # The position is what it is after the reference.
                file.seek(start)
                failure(lambda: pickle.load(file, **options_of(case)))
                if file is buffered or file is raw:
                    assert file.tell() == end
                file.seek(start)


@pytest.mark.costly
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("make", [Unseekable, Lazy])
def test_files_that_cannot_seek_tell_what_is_known(unpickling, case, make):
    data = data_of(case)
    known = failure(unpickling.loads, data, **options_of(case))
    error = failure(unpickling.load, make(data), **options_of(case))
    assert type(error) is type(known)
    assert error.path is None
    line, _ = hint_of(error)
    assert line.startswith(f"unpickling failed at byte {error.offset:,} (")
    # Within the opcode, if it is not known where that begins.
    following = [offset for offset in opcode_offsets(data) if offset > known.offset]
    assert known.offset <= error.offset < min(following, default=len(data) + 1)


@pytest.mark.parametrize("case", ["NEWOBJ", "a changed __setstate__", "a call that fails"])
def test_streams_in_frames_are_exact(unpickling, case):
    """As of a pipe or a socket: the frame is at hand."""
    part = data_of(case)[2:]
    data = b"\x80\4\x95" + len(part).to_bytes(8, "little") + part
    known = failure(unpickling.loads, data)
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rb") as file:
        ours.sendall(data)
        error = failure(unpickling.load, file)
    assert error.path is None
    assert error.offset == known.offset
    words = {"NEWOBJ": "calling", "a changed __setstate__": "setting the state of an object"}
    assert words.get(case, "calling an object") in error.__notes__[0]


@pytest.mark.costly
def test_every_place_where_a_pickle_can_be_cut(unpickling):
    value = [{"a": [1] * 20, "b": (Holder(x=1.5), b"x" * 300)}, {"é" * 200, 2**100}, "end"]
    for protocol in range(6):
        data = pickle.dumps(value, protocol)
        offsets = opcode_offsets(data)
        for size in range(len(data)):
            error = failure(unpickling.loads, data[:size])
            last = max([offset for offset in offsets if offset < size], default=0)
            if protocol >= 4 and size > 2:  # the frame is asked for as a whole
                last = 2
            assert error.offset == (size if type(error) is EOFError else last), (protocol, size)


@pytest.mark.costly
def test_the_offset_is_that_of_the_opcode(unpickling):
    """Behind many objects, where there is no path, in a frame and without one."""
    value = [["x", 1] for _ in range(200_000)]
    data = pickle.dumps([value, Plain()], 4)
    end = data.rindex(b"e.")
    for frame in (b"", b"\x95" + (5).to_bytes(8, "little")):
        broken = data[:end] + frame + b"K\1bae."
        # The last frame ends before its time, which is an error of its own from 3.14 on.
        if frame:
            broken = pickle.dumps([value], 2)[:-2] + frame + b"K\1bae."
        error = failure(unpickling.loads, broken)
        assert error.path is None
        assert error.offset == len(broken) - 4
        # In protocol 2 there is no frame from which to count.
        whole = pickle.dumps([value], 2)[:-2]
        error = failure(unpickling.loads, whole + b"K\1be.")
        assert error.offset == len(whole) + 2


def test_the_second_pickle_of_an_unpickler(unpickling):
    """Offsets are counted from its own beginning; it may refer to the first."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 2)
    shared = ["shared"]
    pickler.dump(shared)
    start = file.tell()
    pickler.dump([1, shared, Changed()])
    data = file.getvalue()
    end = data.rindex(b"e.")
    data = data[:end] + b"}b" + data[end:]
    unpickler = unpickling.Unpickler(io.BytesIO(data))
    assert unpickler.load() == shared
    error = failure(unpickler.load)
    assert error.offset == end + 1 - start
    line, hint = hint_of(error)
    assert line == f"unpickling failed at byte {error.offset} (setting the state of an object)"
    assert "Changed.__setstate__" in hint
    # The Unpickler goes on as that of the standard library.
    file = io.BytesIO(data)
    standard = pickle.Unpickler(file)
    standard.load()
    failure(standard.load)
    assert file.tell() >= end


# --- faults that are not the pickle's


class Fails(Unseekable):
    def __init__(self, data, error, at=1):
        super().__init__(data)
        self.error, self.at, self.calls = error, at, 0

    def read(self, n):
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        return super().read(n)


def test_a_read_that_fails(unpickling):
    data = pickle.dumps(list(map(str, range(100))), 2)
    for at, after in ((1, 0), (5, 4)):
        error = failure(unpickling.load, Fails(data, LookupError("no"), at))
        line, hint = hint_of(error)
        assert line == f"reading failed after {after} bytes"
        assert not hint
        assert error.path is None
        assert error.offset == after


class CannotReread(io.BytesIO):
    """Fails where more is read than a load has taken."""

    is_failing = False

    def read(self, n):
        if self.is_failing and n > 100:
            raise OSError("no more")
        return super().read(n)


@pytest.mark.costly
@pytest.mark.parametrize("module", [gzip, lzma])
@pytest.mark.parametrize("size", [2_000, 2_000_000])
def test_a_compressed_file_that_is_cut_off_behind_the_fault(unpickling, tmp_path, module, size):
    data = p4(b"](", name("X", "no_such_module"), b"B\xe8\3\0\0", bytes(1000), b"e")
    path = tmp_path / "data"
    path.write_bytes(module.compress(data + random.Random(1).randbytes(size))[: -size // 2])
    with module.open(path) as file:
        error = failure(unpickling.load, file)
    assert (type(error), error.path, error.offset) == (ModuleNotFoundError, "obj[0]", 4)
    assert hint_of(error)[1].startswith("Here is no no_such_module")


def test_a_file_that_fails_when_it_is_read_once_more(unpickling):
    file = CannotReread(b"before" + p4(b"](", name("fails"), b")R", b"e"))
    file.seek(6)

    def fail():
        file.is_failing = True
        raise LookupError("nothing there")

    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            return fail

    error = failure(Own(file).load)
    assert type(error) is LookupError
    assert (error.path, error.offset) == ("obj[0]", 4 + len(name("fails")) + 1)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupts(unpickling, kind):
    error = kind()
    caught = failure(unpickling.load, Fails(b"N.", error))
    assert hint_of(caught) == ("reading was interrupted after 0 bytes", "")
    vars(error).clear()
    data = pickle.dumps([1, Holder(x=2)], 2)

    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            raise error

    caught = failure(Own(io.BytesIO(data)).load)
    assert caught is error
    assert caught.path == "obj[1]"
    assert hint_of(caught)[1] == ""


def test_files_of_the_wrong_kind(unpickling, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(pickle.dumps([1, "a"]))
    with open(path, encoding="utf-8") as as_text:
        assert "binary mode" in hint_of(failure(unpickling.load, as_text))[1]
    assert "binary mode" in hint_of(failure(unpickling.load, io.StringIO("abc")))[1]
    with open(tmp_path / "other", "wb") as written:
        assert "not open for reading" in hint_of(failure(unpickling.load, written))[1]
    closed = open(path, "rb")  # noqa: SIM115
    closed.close()
    assert "The file is closed" in hint_of(failure(unpickling.load, closed))[1]
    at_end = io.BytesIO(b"N.")
    at_end.read()
    assert "file.seek(0)" in hint_of(failure(unpickling.load, at_end))[1]


def test_arguments_that_are_wrong_have_no_note(unpickling):
    for call in (
        lambda: unpickling.loads("text"),
        lambda: unpickling.load(1),
        lambda: unpickling.loads(b"N.", encoding=1),
        lambda: unpickling.Unpickler.__new__(unpickling.Unpickler).load(),
    ):
        assert not hasattr(failure(call), "__notes__")


# --- exceptions that have attributes of their own, or take none


class StubbornError(Exception):
    def __setattr__(self, name, value):
        raise AssertionError


class HasPathError(Exception):
    path = "its own"
    offset = property(lambda self: "its own too")


class HasNotesError(Exception):
    __notes__ = ()


def raise_it(kind):
    raise globals()[kind]("a", "b")


@pytest.mark.parametrize("kind", ["StubbornError", "HasPathError", "HasNotesError"])
def test_exceptions_of_the_users(unpickling, kind):
    error = failure(unpickling.loads, p4(b"](", name("raise_it"), text(kind), b"\x85Re"))
    assert error.args == ("a", "b")
    if kind == "HasPathError":
        assert (error.path, error.offset) == ("its own", "its own too")
    else:
        assert (error.path, error.offset) == ("obj[0]", error.offset)
        assert type(error.offset) is int
    assert error.__notes__[0].startswith("unpickling failed at obj[0] (byte ")


def test_errors_of_imports_have_a_path_and_an_offset(unpickling, tmp_path, monkeypatch):
    (tmp_path / "syntax_it_has_not.py").write_text("a = = 1\n")
    (tmp_path / "imports_nothing.py").write_text("from json import nothing_like_this\n")
    monkeypatch.syspath_prepend(tmp_path)
    error = failure(unpickling.loads, within(name("X", "no_such_module")))
    assert (error.name, error.path) == ("no_such_module", WITHIN)
    error = failure(unpickling.loads, within(name("X", "syntax_it_has_not")))
    assert type(error) is SyntaxError
    assert error.offset == 5  # its own
    assert error.path == WITHIN
    error = failure(unpickling.loads, within(name("X", "imports_nothing")))
    assert type(error) is ImportError
    assert error.path.endswith("__init__.py")  # its own
    assert "try `import imports_nothing`" in hint_of(error)[1]


# --- loads and dumps in one another


class Archive:
    """Holds a pickle, and loads it where it gets its state."""

    def __init__(self, data):
        self.data = data

    def __setstate__(self, state):
        quickpickle.loads(state["data"])


class Dumping:
    def __setstate__(self, state):
        quickpickle.dumps([1, lambda: 0])


class LoadsInDump:
    def __reduce__(self):
        quickpickle.loads(p4(b"](" + name("fails") + b")Re"))
        raise AssertionError


def test_a_load_in_a_load(unpickling):
    inner = p4(b"](" + name("fails") + b")Re")
    state = b"}" + text("data") + op.SHORT_BINBYTES + bytes([len(inner)]) + inner + b"s"
    error = failure(unpickling.loads, p4(b"](K\1" + new("Archive", state) + b"e"))
    assert error.path == "obj[1]"
    line, hint = hint_of(error)
    assert re.fullmatch(
        r"unpickling failed at obj\[1\] \(byte \d+, setting the state of .*Archive\), in whose own "
        r"load it failed at obj\[0\] \(byte \d+, calling .*fails\)",
        line,
    )
    assert not hint


def test_a_dump_in_a_load(unpickling):
    error = failure(unpickling.loads, p4(b"](" + new("Dumping", b"}") + b"e"))
    line, hint = hint_of(error)
    assert error.path == "obj[0]"
    assert ", in whose own dump it failed at obj[1] (type function)" in line
    assert "lambda" in hint


def test_a_load_in_a_dump(implementation):
    error = failure(implementation.dumps, [1, LoadsInDump()])
    line, _ = hint_of(error)
    assert line.startswith("pickling failed at obj[1] (type ")
    assert ", in whose own load it failed at obj[0] (byte " in line
    assert error.path == "obj[1]"
    assert not hasattr(error, "offset")


def test_the_same_exception_twice(unpickling):
    error = failure(unpickling.loads, within(name("fails") + b")R"))
    kept = [error]

    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            raise kept[0]

    before = list(error.__notes__)
    again = failure(Own(io.BytesIO(p4(b"](", name("X"), b"e"))).load)
    assert again is error
    assert len(error.__notes__) == len(before) == 1
    assert error.path == "obj[0]"


def test_a_policy_error_has_it_in_its_message(unpickling):
    data = within(name("system", "os") + text("true") + b"\x85R")
    error = failure(unpickling.loads, data, policy=quickpickle.Policy())
    assert type(error) is quickpickle.PolicyError
    assert not hasattr(error, "__notes__")
    policy = quickpickle.Policy().allow(f"{HERE}.Holder", f"{HERE}.Changed")
    data = within(new("Changed", b"}"))
    error = failure(unpickling.loads, data, policy=policy)
    assert type(error) is KeyError
    assert error.path == WITHIN
    assert "Changed.__setstate__" in hint_of(error)[1]


def test_hooks(unpickling):
    class Own(unpickling.Unpickler):
        def find_class(self, module, name):
            return super().find_class(module, name)

        def persistent_load(self, pid):
            raise KeyError(pid)

    error = failure(Own(io.BytesIO(within(b"K\1Q"))).load)
    assert (type(error), error.path) == (KeyError, WITHIN)
    assert hint_of(error)[1] == ""
    error = failure(Own(io.BytesIO(within(name("Holders")))).load)
    assert "renames=" in hint_of(error)[1]


def test_a_reference_to_the_traceback_is_not_kept(unpickling):
    import gc
    import weakref

    class Local:
        pass

    def fail():
        local = Local()
        alive.append(weakref.ref(local))
        failure(unpickling.loads, within(name("fails") + b")R"))

    alive = []
    fail()
    gc.collect()
    assert alive[0]() is None


# --- what is no pickle

FOREIGN = {
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    "gzip": (gzip.compress(b"abc"), "gzip.open"),
    "bzip2": (b"BZh91AY&SY\x89q", "bz2.open"),
    "xz": (b"\xfd7zXZ\0\0\4", "lzma.open"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x58", "zstd"),
    "lz4": (b"\x04\x22\x4d\x18\x64", "LZ4"),
    "zlib": (b"x\x9cK\x04\0", "zlib.decompress"),
    "a torch file": (
        b"PK\3\4" + b"\0" * 22 + (16).to_bytes(2, "little") + b"\0\0archive/data.pkl\n",
        "torch.load",
    ),
    "npz": (b"PK\3\4" + b"\0" * 22 + (5).to_bytes(2, "little") + b"\0\0a.npy\n", "numpy.load"),
    "a ZIP archive": (b"PK\3\4" + b"\0" * 22 + b"\5\0\0\0a.txt\n", "zipfile"),
    "npy": (b"\x93NUMPY\1\0v\0{'descr'", "numpy.load"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\0\0", "HDF5"),
    "Parquet": (b"PAR1\x15\4\x15\n", "read_parquet"),
    "JSON": (b'{"a": 1}', "json.load"),
    "a list in JSON": (b'[\n  {"a": 1}]', "json.load"),
    "HTML": (b"<!DOCTYPE html>\n<html>", "HTML"),
    "XML": (b"<?xml version='1.0'?>", "XML"),
    "UTF-8": (pickle.dumps([1], 4).decode("latin1").encode(), "went through text"),
    "replaced characters": (
        pickle.dumps([1], 4).decode("utf-8", "replace").encode(),
        "went through text",
    ),
    "base64": (b"gASVFAAAAAAAAABdlChLAUsCZS4=\n", "base64.b64decode"),
    "hexadecimal": (b"80045d942e", "bytes.fromhex"),
    "repr": (repr(pickle.dumps([1], 4)).encode(), "ast.literal_eval"),
    "newlines in protocol 0": (b"(lp0\r\nS'a'\r\np1\r\na.", "went through text"),
    "newlines in a name": (b"cjson\r\nJSONDecoder\r\n.", "went through text"),
    "newlines in a binary pickle": (
        pickle.dumps(["a\nb"] * 3 + ["c\nd", "\n" * 10], 4).replace(b"\n", b"\r\n"),
        "went through text",
    ),
    "joblib": (p4(text("joblib.numpy_pickle"), b"0N")[:-1] + b"\xff\xff", "joblib.load"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_pickle(unpickling, kind):
    data, expected = FOREIGN[kind]
    reference = failure(pickle.loads, data)
    for call in (
        lambda: unpickling.loads(data),
        lambda: unpickling.load(io.BytesIO(data)),
        lambda: unpickling.load(io.BufferedReader(OnePiece(data))),
    ):
        error = failure(call)
        assert type(error) is type(reference)
        assert str(error) == str(reference)
        assert expected in hint_of(error)[1]


def test_what_has_been_loaded_is_not_taken_for_something_else(unpickling):
    """A pickle may begin as other things do, if it goes on as a pickle."""
    for data in (b"PAR1\n0N.", b"PK\3\4\n0N."):

        class Own(unpickling.Unpickler):
            def persistent_load(self, pid):
                return pid

        assert Own(io.BytesIO(data)).load() is None
        error = failure(Own(io.BytesIO(data[:-1] + name("fails") + b")R.")).load)
        assert hint_of(error)[1] == ""
    for protocol in range(6):
        data = pickle.dumps({"a": [1, 2.5, "x"], "b": {3}, "c": b"PK"}, protocol)
        assert foreign.recognise(data) is None
        assert not foreign.has_doubled_newlines(data)
        assert not foreign.is_of_joblib(data)


# --- hints that must not appear


def test_hints_hold_for_their_cause_only():
    facts = Facts("GLOBAL", "numpy._core.multiarray", "_reconstruct", proto=4)
    error = ModuleNotFoundError("No module named 'numpy._core'", name="numpy._core")
    assert "since NumPy 2" in find_load_hint(error, facts)
    error = ModuleNotFoundError("No module named 'numpy'", name="numpy")
    assert find_load_hint(error, facts) == "Here is no numpy: pip install numpy."
    error = ModuleNotFoundError("…", name="numpy._core.gone")
    assert "since NumPy 2" not in find_load_hint(error, facts._replace(module="numpy._core.gone"))
    facts = Facts("GLOBAL", "pathlib._local", "PosixPath", proto=4)
    error = ModuleNotFoundError("…", name="pathlib._local")
    assert "renames={'pathlib._local': 'pathlib'}" in find_load_hint(error, facts)
    for missing, expected in (("distutils", "3.12"), ("cgi", "3.13")):
        error = ModuleNotFoundError("…", name=missing)
        hint = find_load_hint(error, Facts("GLOBAL", missing, "X", proto=4))
        assert hint == (
            f"{missing} is no part of Python since {expected}: load it with an earlier version, or "
            'with missing="placeholder".'
        )
    error = ModuleNotFoundError("…", name="sklearn")
    hint = find_load_hint(error, Facts("GLOBAL", "sklearn.tree", "X", proto=4))
    assert hint == "Here is no sklearn: pip install scikit-learn."
    # The errors of other opcodes.
    assert find_load_hint(error, Facts("REDUCE", HERE, "fails")) is None
    assert find_load_hint(TypeError("f() missing 1 required"), Facts("BUILD", target=1)) is None
    assert find_load_hint(UnicodeDecodeError("ascii", b"a", 0, 1, "x"), Facts("BINUNICODE")) is None
    assert find_load_hint(AttributeError("'X' object has no attribute 'y'"), facts) is None
    assert find_load_hint(RecursionError(), Facts("BUILD", target=Plain())) is None
    assert find_load_hint(KeyboardInterrupt(), Facts("BUILD")) is None
    assert find_load_hint(UnicodeDecodeError("x", b"a", 0, 1, "x"), Facts("STRING")) is not None
    latin = Facts("STRING", encoding="latin1")
    assert find_load_hint(UnicodeDecodeError("x", b"a", 0, 1, "x"), latin) is None
    assert find_read_hint(UnicodeDecodeError("x", b"a", 0, 1, "x"), io.BytesIO()) is None
    assert find_read_hint(TypeError("read() takes 1 positional argument")) is None
    assert find_read_hint(ValueError("odd")) is None
    assert find_read_hint(OSError(5, "I/O error")) is None


def test_a_class_is_suggested_only_if_it_is_the_only_one(monkeypatch):
    for key in ("one_module", "other_module"):
        module = types.ModuleType(key)
        module.__file__ = f"/home/somebody/{key}.py"
        module.Moved = type("Moved", (), {"__module__": key})
        monkeypatch.setitem(sys.modules, key, module)
        hint = find_load_hint(
            ModuleNotFoundError("…", name="gone"), Facts("GLOBAL", "gone", "Moved", proto=4)
        )
        assert ("one_module.Moved" in hint) is (key == "one_module")
    monkeypatch.delitem(sys.modules, "other_module")
    # A class of somebody else's library.
    sys.modules["one_module"].__file__ = "/usr/lib/site-packages/one_module.py"
    hint = find_load_hint(
        ModuleNotFoundError("…", name="gone"), Facts("GLOBAL", "gone", "Moved", proto=4)
    )
    assert "one_module" not in hint


def test_a_module_that_is_being_imported(monkeypatch):
    module = types.ModuleType("half_module")
    module.__spec__ = types.SimpleNamespace(_initializing=True)
    monkeypatch.setitem(sys.modules, "half_module", module)
    error = AttributeError("Can't get attribute 'X' on <module>")
    hint = find_load_hint(error, Facts("GLOBAL", "half_module", "X", proto=4))
    assert "still being imported" in hint


def test_paths_of_another_system(unpickling):
    kind = "PosixPath" if ON_WINDOWS else "WindowsPath"
    error = failure(unpickling.loads, within(name(kind, "pathlib") + text("a") + b"\x85R"))
    assert f"'pathlib.{kind}': 'pathlib.Pure{kind}'" in hint_of(error)[1]
    own = type(pathlib.Path()).__name__
    facts = Facts("REDUCE", "pathlib", own, pathlib.Path)
    assert find_load_hint(TypeError("odd"), facts) is None


def test_nothing_is_imported_before_a_load_fails():
    import subprocess

    for implementation in UNPICKLERS:
        pure = "1" if implementation == "python" else "0"
        script = (
            "import sys, pickle, io, quickpickle\n"
            "data = pickle.dumps([1, {'a': 2}])\n"
            "quickpickle.loads(data); quickpickle.load(io.BytesIO(data))\n"
            "names = [m for m in sys.modules if m.startswith('quickpickle.') and\n"
            "         m.rpartition('.')[2] in ('faults', 'loading_hints', 'foreign', 'places')]\n"
            "assert not names, names\n"
        )
        env = {**__import__("os").environ, "QUICKPICKLE_PURE": pure}
        subprocess.run([sys.executable, "-c", script], env=env, check=True)


def test_loads_at_the_recursion_limit(unpickling):
    """The exception comes out, with a note or without."""
    data = within(name("fails") + b")R")

    def descend(depth):
        if depth:
            return descend(depth - 1)
        return failure(unpickling.loads, data)

    limit = sys.getrecursionlimit()
    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1
    kinds = set()
    for room in range(5, 60):
        try:
            kinds.add(type(functools.partial(descend, limit - used - room)()))
        except RecursionError:
            kinds.add(RecursionError)
    assert kinds <= {LookupError, RecursionError}
