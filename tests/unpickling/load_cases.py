"""Parts that the tests of loading share: opcodes with arguments, stacks, classes in pickles."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from typing import Any

from quickpickle.format import opcodes as op


class Plain:
    pass


class Slots:
    __slots__ = ("a", "b")


class Base:
    __slots__ = ("base",)


class SlotsAndDict(Base):
    __slots__ = ("__dict__", "__private", "own")


class New:
    """Whose `__new__` notes its arguments."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        self.arguments = args, kwargs
        return self


class Logging:
    """Notes all that is done to it, in order."""

    def __init__(self, *args: Any) -> None:
        vars(self)["log"] = [("init", args)]

    def _note(self, *what: Any) -> None:
        vars(self).setdefault("log", []).append(what)


class Extends(Logging):
    def extend(self, items: Any) -> None:
        self._note("extend", type(items).__name__, list(items))

    def append(self, item: Any) -> None:
        self._note("append", item)


class Appends(Logging):
    def append(self, item: Any) -> None:
        self._note("append", item)


class Adds(Logging):
    def add(self, item: Any) -> None:
        self._note("add", item)


class Sets(Logging):
    def __setitem__(self, key: Any, value: Any) -> None:
        self._note("setitem", key, value)


class SetsAttributes(Logging):
    def __setattr__(self, name: str, value: Any) -> None:
        self._note("setattr", name, value)


class SetsState(Logging):
    def __setstate__(self, state: Any) -> None:
        self._note("setstate", state)


class ManyList(list[Any]):
    def extend(self, items: Any) -> None:
        list.append(self, ("extend", list(items)))

    def append(self, item: Any) -> None:
        list.append(self, ("append", item))


class ManyDict(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        dict.__setitem__(self, key, ("setitem", value))


class ManySet(set[Any]):
    def add(self, item: Any) -> None:
        set.add(self, ("add", item))

    def update(self, *items: Any) -> None:
        set.add(self, ("update", items))


class LyingTuple(tuple[Any, ...]):
    """Has other items than it says."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(("a lie",))

    def __len__(self) -> int:
        return 17

    def __getitem__(self, index: Any) -> Any:
        return "a lie"


class LyingDict(dict[Any, Any]):
    def items(self) -> Any:
        return [("a lie", 1)]

    def keys(self) -> Any:
        return ["a lie"]

    def __iter__(self) -> Iterator[Any]:
        return iter(["a lie"])

    def __getitem__(self, key: Any) -> Any:
        return "a lie"


class SubStr(str):
    __slots__ = ()


class OldStyle:
    """As classes of Python 2 that are made with arguments although there are none."""

    made_by = ""

    def __init__(self, *args: Any) -> None:
        self.arguments = args

    def __getinitargs__(self) -> tuple[Any, ...]:
        return ()


class Unhashable:
    __hash__ = None  # type: ignore[assignment]


class NoAttributes:
    """Whose `__dict__` is what it likes."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise LookupError("no attributes")


def function(*args: Any, **kwargs: Any) -> Any:
    return [args, kwargs]


def fails(*args: Any) -> Any:
    raise LookupError("on purpose")


def u1(n: int) -> bytes:
    return bytes([n])


def u4(n: int) -> bytes:
    return struct.pack("<I", n)


def u8(n: int) -> bytes:
    return struct.pack("<Q", n)


def text(string: str) -> bytes:
    """A SHORT_BINUNICODE."""
    data = string.encode("utf-8", "surrogatepass")
    return op.SHORT_BINUNICODE + u1(len(data)) + data


def named(name: str, module: str = __name__) -> bytes:
    """A GLOBAL."""
    return op.GLOBAL + f"{module}\n{name}\n".encode()


def made(name: str, *arguments: bytes) -> bytes:
    """An instance, by REDUCE."""
    return named(name) + op.MARK + b"".join(arguments) + op.TUPLE + op.REDUCE


def frame(size: int) -> bytes:
    return op.FRAME + u8(size)


# Each opcode with arguments, good and bad ones, and with none.
ARGUMENTS: dict[bytes, list[bytes]] = {
    op.INT: [b"1\n", b"01\n", b"00\n", b"-7\n", b"x\n", b"\n", b"", b"1"],
    op.LONG: [b"1L\n", b"1\n", b"L\n", b"x\n", b"\n", b""],
    op.FLOAT: [b"1.5\n", b"nan\n", b"x\n", b"1x\n", b"\n", b"1"],
    op.STRING: [b"'a'\n", b"'\\x41\\n'\n", b"'a\n", b"a\n", b"\n", b"'a'", b"'\xff'\n"],
    op.UNICODE: [b"a\\u1234\xe4\n", b"\\u12\n", b"\n", b"", b"a"],
    op.PERSID: [b"id\n", b"\xff\n", b"\n", b"id"],
    op.GLOBAL: [
        b"builtins\nlist\n", b"builtins\nnosuch\n", b"nosuch_module\na\n", b"__builtin__\nxrange\n",
        b"\xff\na\n", b"builtins\n\xff\n", b"\na\n", b"builtins\n\n", b"builtins\nlist",
        b"builtins", b"builtins\nlist.append\n", b"",
    ],
    op.INST: [
        b"builtins\nlist\n", b"builtins\nlen\n", b"builtins\nnosuch\n", b"nosuch_module\na\n",
        b"__builtin__\nlong\n", b"\xff\na\n", b"builtins\n\xff\n", b"\na\n", b"builtins\nlist", b"",
    ],
    op.GET: [b"0\n", b"1\n", b"-1\n", b"x\n", b"\n", b"", b"99999999999999999999\n"],
    op.PUT: [b"0\n", b"1\n", b"7\n", b"-1\n", b"x\n", b"\n", b"", b"99999999999999999999\n"],
    op.BINGET: [b"\0", b"\1", b"\xff", b""],
    op.BINPUT: [b"\0", b"\1", b"\xff", b""],
    op.LONG_BINGET: [u4(0), u4(1), u4(0xFFFFFFFF), b"\0\0"],
    op.LONG_BINPUT: [u4(0), u4(1), u4(300), b"\0\0"],
    op.BINFLOAT: [struct.pack(">d", 1.5), b"\0" * 7],
    op.BININT: [struct.pack("<i", -5), struct.pack("<i", 1 << 30), b"\0\0\0"],
    op.BININT1: [b"\0", b"\xff", b""],
    op.BININT2: [b"\1\2", b"\xff\xff", b"\1"],
    op.BINSTRING: [u4(2) + b"ab", u4(0), u4(3) + b"ab", u4(1) + b"\xff", u4(0xFFFFFFFF), b"\0"],
    op.SHORT_BINSTRING: [b"\2ab", b"\0", b"\3ab", b"\1\xff", b""],
    op.BINUNICODE: [u4(2) + b"ab", u4(0), u4(3) + b"ab", u4(1) + b"\xff", u4(3) + b"\xed\xa0\x80"],
    op.SHORT_BINUNICODE: [b"\2ab", b"\2\xc3\xa4", b"\0", b"\3ab", b"\1\xff", b""],
    op.BINUNICODE8: [u8(2) + b"ab", u8(0), u8(3) + b"ab", u8((1 << 64) - 1), u8(sys.maxsize)],
    op.BINBYTES: [u4(2) + b"ab", u4(0), u4(3) + b"ab", b"\0"],
    op.SHORT_BINBYTES: [b"\2ab", b"\0", b"\3ab", b""],
    op.BINBYTES8: [u8(2) + b"ab", u8(0), u8(3) + b"ab", u8((1 << 64) - 1)],
    op.BYTEARRAY8: [u8(2) + b"ab", u8(0), u8(3) + b"ab", u8((1 << 64) - 1)],
    op.PROTO: [b"\0", b"\2", b"\3", b"\5", b"\6", b"\xff", b""],
    op.LONG1: [b"\0", b"\1\xff", b"\2\0\1", b"\3ab", b"\x09" + b"\xff" * 8 + b"\x7f", b""],
    op.LONG4: [u4(0), u4(1) + b"\x80", u4(3) + b"ab", u4(0xFFFFFFFF), b"\0"],
    op.EXT1: [b"\0", b"\xf0", b"\xf1", b""],
    op.EXT2: [b"\0\0", b"\xf0\0", b"\0"],
    op.EXT4: [u4(0), u4(0xF0), u4(0xFFFFFFFF), b"\0"],
    op.FRAME: [u8(0), u8(1), u8(100), u8((1 << 64) - 1), u8(sys.maxsize), b"\0"],
}  # fmt: skip

OPCODES: dict[str, bytes] = {
    name: code for name, code in vars(op).items() if name.isupper() and isinstance(code, bytes)
}


def with_arguments() -> Iterator[tuple[str, bytes]]:
    """Every opcode with each of its arguments."""
    for name, code in OPCODES.items():
        for argument in ARGUMENTS.get(code, [b""]):
            yield name, code + argument


# Objects that may lie on the stack: an opcode, or several, for each kind.
ITEMS: dict[str, bytes] = {
    "None": op.NONE,
    "int": op.BININT1 + b"\5",
    "str": text("append"),
    "module": text("builtins"),
    "bytes": op.SHORT_BINBYTES + b"\2ab",
    "bytearray": op.BYTEARRAY8 + u8(1) + b"a",
    "tuple": op.EMPTY_TUPLE,
    "tuple1": op.BININT1 + b"\1" + op.TUPLE1,
    "list": op.EMPTY_LIST,
    "dict": op.EMPTY_DICT,
    "state": op.EMPTY_DICT + text("a") + op.NONE + op.SETITEM,
    "numbered": op.EMPTY_DICT + op.BININT1 + b"\1" + op.NONE + op.SETITEM,
    "slots": op.NONE + op.EMPTY_DICT + text("a") + op.NONE + op.SETITEM + op.TUPLE2,
    "set": op.EMPTY_SET,
    "class": named("Plain"),
    "function": named("function"),
    "instance": named("Plain") + op.EMPTY_TUPLE + op.NEWOBJ,
    "slotted": named("Slots") + op.EMPTY_TUPLE + op.NEWOBJ,
}
