"""None, bool, int and float: the opcode of each value. They are not memoized."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from ..format.opcodes import (
    BINFLOAT,
    BININT,
    BININT1,
    BININT2,
    FLOAT,
    INT,
    LONG,
    LONG1,
    LONG4,
    NEWFALSE,
    NEWTRUE,
    NONE,
)

Encoder = Callable[[Any], bytes]

_BYTES: Final = [bytes([i]) for i in range(256)]
_SMALL_INTS: Final = [BININT1 + byte for byte in _BYTES]
_pack_binint2 = struct.Struct("<cH").pack
_pack_binint = struct.Struct("<ci").pack
_pack_binfloat = struct.Struct(">cd").pack


@cache
def scalar_encoders(protocol: int, binary: bool) -> dict[type, Encoder]:
    """For None, bool, int and float the function that gives the opcode of a value.

    `binary` is false for protocol 0 alone, unless the attribute `bin` of a Pickler was set.

    >>> scalar_encoders(2, True)[int](300)
    b'M,\\x01'
    """
    false, true = (NEWFALSE, NEWTRUE) if protocol >= 2 else (INT + b"00\n", INT + b"01\n")
    encode_big_int = _encode_long if protocol >= 2 else _encode_long_text

    def encode_binary_int(value: int) -> bytes:
        if 0 <= value <= 0xFF:
            return _SMALL_INTS[value]
        if 0 <= value <= 0xFFFF:
            return _pack_binint2(BININT2, value)
        if -0x80000000 <= value <= 0x7FFFFFFF:
            return _pack_binint(BININT, value)
        return encode_big_int(value)

    def encode_text_int(value: int) -> bytes:
        if -0x80000000 <= value <= 0x7FFFFFFF:
            return b"%b%d\n" % (INT, value)
        return encode_big_int(value)

    return {
        type(None): lambda value: NONE,
        bool: lambda value: true if value else false,
        int: encode_binary_int if binary else encode_text_int,
        float: _encode_binary_float if binary else _encode_text_float,
    }


def _encode_long(value: int) -> bytes:
    """Little-endian two's complement, in as few bytes as keep the sign."""
    # For a negative value ~value needs as many bits, without the odd case of -128, -32768, ...
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    data = value.to_bytes(size, "little", signed=True)
    if size < 256:
        return LONG1 + _BYTES[size] + data
    if size <= 0x7FFFFFFF:
        return LONG4 + struct.pack("<i", size) + data
    raise OverflowError("int too large to pickle")


def _encode_long_text(value: int) -> bytes:
    return b"%b%bL\n" % (LONG, repr(value).encode("ascii"))


def _encode_binary_float(value: float) -> bytes:
    return _pack_binfloat(BINFLOAT, value)


def _encode_text_float(value: float) -> bytes:
    return b"%b%b\n" % (FLOAT, repr(value).encode("ascii"))
