"""None, bool, int, float, str, bytes, bytearray and buffers: what has no members.

The first four are not memoized: `scalar_encoders` gives a function for each of their types.
The others are written and memoized by a function each, which returns None; below the protocol
that brought an opcode for it, a type returns a reduction (see rules/reductions.py) instead.
"""

from __future__ import annotations

import codecs
import struct
from pickle import PicklingError
from typing import Any

from ..format.limits import FRAME_SIZE_TARGET
from ..format.opcodes import (
    BINBYTES,
    BINBYTES8,
    BINUNICODE,
    BINUNICODE8,
    BYTEARRAY8,
    NEXT_BUFFER,
    READONLY_BUFFER,
    SHORT_BINBYTES,
    SHORT_BINUNICODE,
    UNICODE,
)
from ..rules.digests import Pieces
from ..rules.errors import buffer_needs_protocol_5
from ..rules.scalars import _BYTES
from .stream import Stream

_pack_uint4 = struct.Struct("<I").pack
_pack_uint8 = struct.Struct("<Q").pack


def save_str(stream: Stream, obj: str) -> None:
    if not stream.bin:
        # A line cannot hold these as they are: the escape sign itself, the end of the line, and
        # the character that Windows takes for the end of a text file.
        text = obj.replace("\\", "\\u005c")
        for character in "\0\n\r\x1a":
            text = text.replace(character, f"\\u{ord(character):04x}")
        data = text.encode("raw-unicode-escape") + b"\n"
        if stream.protocol >= 4:  # with `bin` set to 0: part of its frame, however long it is
            stream.buffer += UNICODE + data
        else:
            stream.payload(UNICODE, data, len(data))
        stream.memoize(obj)
        return
    data = obj.encode("utf-8", "surrogatepass")
    size = len(data)
    if size <= 0xFF and stream.protocol >= 4:
        stream.buffer += SHORT_BINUNICODE + _BYTES[size] + data
    elif size <= 0xFFFFFFFF:
        stream.payload(BINUNICODE + _pack_uint4(size), data, size)
    elif stream.protocol >= 4:
        stream.payload(BINUNICODE8 + _pack_uint8(size), data, size)
    else:
        raise OverflowError(
            "serializing a string larger than 4 GiB requires pickle protocol 4 or higher"
        )
    stream.memoize(obj)


def save_bytes(stream: Stream, obj: bytes) -> tuple[Any, ...] | None:
    if stream.protocol < 3:
        if not obj:
            return bytes, ()
        return codecs.encode, (str(obj, "latin1"), "latin1")
    stream.payload(_bytes_header(stream, len(obj)), obj, len(obj))
    stream.memoize(obj)
    return None


def save_bytearray(stream: Stream, obj: bytearray) -> tuple[Any, ...] | None:
    if stream.protocol < 5:
        return bytearray, (bytes(obj),) if obj else ()
    if len(obj) < FRAME_SIZE_TARGET:
        data = bytes(obj)  # in one step, as another thread may change its size
        stream.payload(_bytearray_header(len(data)), data, len(data))
    else:
        with memoryview(obj):  # not copied; so it keeps its size until it is written
            stream.payload(_bytearray_header(len(obj)), obj, len(obj))
    stream.memoize(obj)
    return None


def save_picklebuffer(stream: Stream, obj: Any) -> None:
    """In band as bytes or bytearray, out of band as a reference to the next buffer (PEP 574)."""
    if stream.protocol < 5:
        raise buffer_needs_protocol_5()
    with memoryview(obj) as view:
        if not view.contiguous:
            raise PicklingError(
                "PickleBuffer can not be pickled when pointing to a non-contiguous buffer"
            )
        if stream.buffer_callback is not None and not stream.buffer_callback(obj):
            stream.buffer += NEXT_BUFFER
            if view.readonly:
                stream.buffer += READONLY_BUFFER
            return
        size = view.nbytes
        header = _bytes_header(stream, size) if view.readonly else _bytearray_header(size)
        # A contiguous buffer of any shape and order is written as it lies in memory.
        # (An empty one of many dimensions cannot be cast.)
        flat = view if view.c_contiguous else obj.raw()
        stream.payload(header, flat.cast("B") if size else b"", size)
    stream.memoize(obj)


def save_pieces(stream: Stream, obj: Pieces) -> None:
    stream.payload_in_pieces(_bytearray_header(obj.size), obj)


def _bytes_header(stream: Stream, size: int) -> bytes:
    if size <= 0xFF:
        return SHORT_BINBYTES + _BYTES[size]
    if size <= 0xFFFFFFFF:
        return BINBYTES + _pack_uint4(size)
    if stream.protocol >= 4:
        return BINBYTES8 + _pack_uint8(size)
    raise OverflowError(
        "serializing a bytes object larger than 4 GiB requires pickle protocol 4 or higher"
    )


def _bytearray_header(size: int) -> bytes:
    return BYTEARRAY8 + _pack_uint8(size)
