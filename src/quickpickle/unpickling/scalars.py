"""None, bool, int, float, strings, bytes and buffers: what one opcode makes of its argument."""

from __future__ import annotations

import sys
from struct import Struct
from typing import Final

from ..rules.loading import (
    decode_long,
    decode_string,
    next_buffer,
    parse_float,
    parse_int,
    parse_long,
    parse_string,
    parse_unicode,
    readonly_buffer,
)
from ..rules.loading_errors import negative_count, too_large
from ..rules.versions import BINSTRING_IS_SIGNED
from .stream import Stream

_unpack_int: Final = Struct("<i").unpack_from
_unpack_short: Final = Struct("<H").unpack_from
_unpack_count4: Final = Struct("<I").unpack_from
_unpack_count8: Final = Struct("<Q").unpack_from
_unpack_float: Final = Struct(">d").unpack_from

# --- constants and numbers


def load_none(stream: Stream) -> None:
    stream.stack.append(None)


def load_true(stream: Stream) -> None:
    stream.stack.append(True)


def load_false(stream: Stream) -> None:
    stream.stack.append(False)


def load_int(stream: Stream) -> None:
    stream.stack.append(parse_int(stream.line()))


def load_long(stream: Stream) -> None:
    stream.stack.append(parse_long(stream.line()))


def load_float(stream: Stream) -> None:
    stream.stack.append(parse_float(stream.line()))


def load_binint(stream: Stream) -> None:
    pos = stream.pos
    if pos + 4 > stream.size:
        pos = stream.fill(4)
    stream.stack.append(_unpack_int(stream.data, pos)[0])
    stream.pos = pos + 4


def load_binint1(stream: Stream) -> None:
    pos = stream.pos
    if pos >= stream.size:
        pos = stream.fill(1)
    stream.stack.append(stream.data[pos])
    stream.pos = pos + 1


def load_binint2(stream: Stream) -> None:
    pos = stream.pos
    if pos + 2 > stream.size:
        pos = stream.fill(2)
    stream.stack.append(_unpack_short(stream.data, pos)[0])
    stream.pos = pos + 2


def load_long1(stream: Stream) -> None:
    stream.stack.append(decode_long(_text(stream, count1(stream))))


def load_long4(stream: Stream) -> None:
    stream.stack.append(decode_long(_text(stream, _signed_count4(stream, "LONG"))))


def load_binfloat(stream: Stream) -> None:
    pos = stream.pos
    if pos + 8 > stream.size:
        pos = stream.fill(8)
    stream.stack.append(_unpack_float(stream.data, pos)[0])
    stream.pos = pos + 8


# --- the counts of bytes


def count1(stream: Stream) -> int:
    """The argument of one byte."""
    pos = stream.pos
    if pos >= stream.size:
        pos = stream.fill(1)
    stream.pos = pos + 1
    return stream.data[pos]


def count2(stream: Stream) -> int:
    """The argument of two bytes."""
    pos = stream.pos
    if pos + 2 > stream.size:
        pos = stream.fill(2)
    stream.pos = pos + 2
    return _unpack_short(stream.data, pos)[0]  # type: ignore[no-any-return]


def count4(stream: Stream) -> int:
    """The argument of four bytes, unsigned."""
    pos = stream.pos
    if pos + 4 > stream.size:
        pos = stream.fill(4)
    stream.pos = pos + 4
    return _unpack_count4(stream.data, pos)[0]  # type: ignore[no-any-return]


def signed4(stream: Stream) -> int:
    """The argument of four bytes, signed."""
    pos = stream.pos
    if pos + 4 > stream.size:
        pos = stream.fill(4)
    stream.pos = pos + 4
    return _unpack_int(stream.data, pos)[0]  # type: ignore[no-any-return]


def count8(stream: Stream) -> int:
    """The argument of eight bytes, unsigned."""
    pos = stream.pos
    if pos + 8 > stream.size:
        pos = stream.fill(8)
    stream.pos = pos + 8
    return _unpack_count8(stream.data, pos)[0]  # type: ignore[no-any-return]


def checked(count: int, what: str) -> int:
    """A declared length, if there can be as much."""
    if count > sys.maxsize:
        raise too_large(what)
    return count


def _count4(stream: Stream, what: str) -> int:
    return checked(count4(stream), what)


def _signed_count4(stream: Stream, what: str) -> int:
    count = signed4(stream)
    if count < 0:
        raise negative_count(what)
    return count


# --- strings and bytes


def _text(stream: Stream, count: int) -> bytes:
    """So many bytes, all at hand."""
    start = stream.pos
    if count > stream.size - start:
        start = stream.fill(count)
    stream.pos = end = start + count
    return stream.data[start:end]


def load_short_binunicode(stream: Stream) -> None:
    start = stream.pos
    if start >= stream.size:
        start = stream.fill(1)
    count = stream.data[start]
    start += 1
    end = start + count
    if end > stream.size:
        stream.pos = start
        start = stream.fill(count)
        end = start + count
    stream.pos = end
    stream.stack.append(str(stream.data[start:end], "utf-8", "surrogatepass"))


def load_binunicode(stream: Stream) -> None:
    data = _text(stream, _count4(stream, "BINUNICODE"))
    stream.stack.append(str(data, "utf-8", "surrogatepass"))


def load_binunicode8(stream: Stream) -> None:
    data = _text(stream, checked(count8(stream), "BINUNICODE"))
    stream.stack.append(str(data, "utf-8", "surrogatepass"))


def load_unicode(stream: Stream) -> None:
    stream.stack.append(parse_unicode(stream.line()))


def load_string(stream: Stream) -> None:
    data = parse_string(stream.line())
    stream.stack.append(decode_string(data, stream.encoding, stream.errors))


def load_binstring(stream: Stream) -> None:
    read = _signed_count4 if BINSTRING_IS_SIGNED else _count4
    count = read(stream, "BINSTRING")
    data = _text(stream, count)
    stream.stack.append(decode_string(data, stream.encoding, stream.errors))


def load_short_binstring(stream: Stream) -> None:
    data = _text(stream, count1(stream))
    stream.stack.append(decode_string(data, stream.encoding, stream.errors))


def load_short_binbytes(stream: Stream) -> None:
    _push_bytes(stream, count1(stream))


def load_binbytes(stream: Stream) -> None:
    _push_bytes(stream, _count4(stream, "BINBYTES"))


def load_binbytes8(stream: Stream) -> None:
    _push_bytes(stream, checked(count8(stream), "BINBYTES"))


def _push_bytes(stream: Stream, count: int) -> None:
    view = stream.mapped(count, False)
    data = stream.payload(count) if view is None else view
    if count == 1:  # a new object, as in the reference: not the one that all slices share
        data = b"".join((b"", data))
    stream.stack.append(data)


def load_bytearray8(stream: Stream) -> None:
    count = checked(count8(stream), "BYTEARRAY8")
    view = stream.mapped(count, True)
    if view is not None:
        stream.stack.append(view)
        return
    data = bytearray()
    stream.payload_into(data, count)
    stream.stack.append(data)


# --- out-of-band buffers


def load_next_buffer(stream: Stream) -> None:
    stream.stack.append(next_buffer(stream.buffers))


def load_readonly_buffer(stream: Stream) -> None:
    stack = stream.stack
    if not stack:
        raise stream.underflow()
    stack[-1] = readonly_buffer(stack[-1])
