"""Bytes to opcodes: the length of each opcode's argument, and the opcodes of a pickle in turn."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from typing import Any, Final

from . import opcodes as op

# The argument of an opcode: so many bytes, up to 8, or one of these. The lower half of the first
# four is the width of their count.
COUNTED1: Final = 0x11  # a count of 1 byte, and as many bytes
COUNTED4: Final = 0x14
COUNTED4_SIGNED: Final = 0x34
COUNTED8: Final = 0x18
LINE: Final = 0x40  # text to the end of the line
TWO_LINES: Final = 0x41
NO_OPCODE: Final = 0xFF

_ARGUMENTS: Final = {
    1: op.BININT1 + op.BINGET + op.BINPUT + op.PROTO + op.EXT1,
    2: op.BININT2 + op.EXT2,
    4: op.BININT + op.LONG_BINGET + op.LONG_BINPUT + op.EXT4,
    8: op.BINFLOAT + op.FRAME,
    COUNTED1: op.SHORT_BINBYTES + op.SHORT_BINSTRING + op.SHORT_BINUNICODE + op.LONG1,
    COUNTED4: op.BINBYTES + op.BINUNICODE,
    COUNTED4_SIGNED: op.BINSTRING + op.LONG4,
    COUNTED8: op.BINBYTES8 + op.BINUNICODE8 + op.BYTEARRAY8,
    LINE: op.FLOAT + op.INT + op.LONG + op.PERSID + op.STRING + op.UNICODE + op.GET + op.PUT,
    TWO_LINES: op.GLOBAL + op.INST,
}


def _by_code() -> bytes:
    table = bytearray([NO_OPCODE]) * 256
    for name, opcode in vars(op).items():
        if name.isupper():
            table[opcode[0]] = 0
    for argument, codes in _ARGUMENTS.items():
        for code in codes:
            table[code] = argument
    return bytes(table)


ARGUMENT_OF: Final = _by_code()
"""The argument of each opcode, by its code."""

_COUNTS: Final = {
    COUNTED1: struct.Struct("<B"),
    COUNTED4: struct.Struct("<I"),
    COUNTED4_SIGNED: struct.Struct("<i"),
    COUNTED8: struct.Struct("<Q"),
}


def decode(data: bytes, pos: int = 0) -> Iterator[tuple[int, int, int]]:
    """Each opcode from `pos` to STOP: its code, where it begins, and where it ends.

    Raises ValueError where that is no whole pickle. Arguments are not looked at, but for their
    length.

    >>> list(decode(b"K\\x05."))
    [(75, 0, 2), (46, 2, 3)]
    """
    if not (yield from walk(data, pos)):
        raise _not_whole(data)


def walk(data: Any, pos: int = 0) -> Generator[tuple[int, int, int], None, bool]:
    """The same; where that is no whole pickle, as far as it goes. Returns whether it is.

    `data` may be a mapped file too.
    """
    size = len(data)
    while pos < size:
        code = data[pos]
        argument = ARGUMENT_OF[code]
        if argument < COUNTED1:
            end = pos + 1 + argument
        elif argument in _COUNTS:
            count = _COUNTS[argument]
            end = pos + 1 + count.size
            if end > size:
                break
            length = count.unpack_from(data, pos + 1)[0]
            if length < 0:
                break
            end += length
        elif argument == NO_OPCODE:
            break
        else:
            end = data.find(b"\n", pos) + 1
            if argument == TWO_LINES and end:
                end = data.find(b"\n", end) + 1
            if not end:
                break
        if end > size:
            break
        yield code, pos, end
        if code == op.STOP[0]:
            return True
        pos = end
    return False


def _not_whole(data: bytes) -> ValueError:
    """The error of a damaged pickle, in the words of pickletools."""
    import pickletools  # large, and hardly ever needed

    try:
        for _ in pickletools.genops(data):
            pass
    except ValueError as error:
        return error
    return ValueError("not a whole pickle")
