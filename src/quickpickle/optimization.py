"""Pickles without the memo entries that nothing refers to: `compact=True`, and `optimize`.

Most entries of a pickle's memo are never read: a pickler cannot know whether an object will turn
up again. Here they are left out and the others renumbered, by the rules of
`pickletools.optimize`, whose bytes these are.
"""

from __future__ import annotations

import struct
from pickle import HIGHEST_PROTOCOL
from typing import Any, Final

from .format.decode import decode
from .format.limits import FRAME_SIZE_MIN, FRAME_SIZE_TARGET
from .format.opcodes import (
    BINGET,
    BINPUT,
    FRAME,
    GET,
    LONG_BINGET,
    LONG_BINPUT,
    MEMOIZE,
    PROTO,
    PUT,
)
from .rules.tracebacks import drops_frames, make_public

_NUMBERS: Final = {1: struct.Struct("<B"), 4: struct.Struct("<I")}
_PUTS: Final = PUT + BINPUT + LONG_BINPUT + MEMOIZE
_GETS: Final = GET + BINGET + LONG_BINGET
_NOTED: Final = frozenset(_PUTS + _GETS + FRAME + PROTO)


@drops_frames
def optimize(data: Any, /) -> bytes:
    """Return an equivalent pickle without the memo entries that nothing refers to.

    In place of `pickletools.optimize`: the same bytes, in a small part of the time. The pickle
    may be of any protocol and from any pickler; it is not run. Bytes behind its end are left
    out.

    Parameters
    ----------
    data
        The pickle: bytes, or anything else with a buffer.

    Raises
    ------
    TypeError
        `data` has no buffer.
    ValueError
        It is no whole pickle, or of a later protocol than this Python's; or it refers to memo
        entries that it does not have, as the later pickles of one Pickler may.

    Of the opcodes' arguments only their lengths and the memo's numbers are looked at.

    >>> import pickle
    >>> optimize(pickle.dumps([1, 2], protocol=2))
    b'\\x80\\x02](K\\x01K\\x02e.'

    Source: https://docs.python.org/3/library/pickletools.html#pickletools.optimize
    """
    if type(data) is not bytes:
        data = bytes(memoryview(data))
    notes = _Notes(data)
    if notes.protocol > HIGHEST_PROTOCOL:
        raise ValueError(f"pickle protocol must be <= {HIGHEST_PROTOCOL}")
    return _rewrite(data, notes)


class _Notes:
    """The findings of the first pass: all that the second one may have to change."""

    def __init__(self, data: bytes) -> None:
        self.protocol = 0  # the one that it needs
        self.used: set[int] = set()  # the numbers of the entries that are referred to
        self.opcodes: list[tuple[int, int, int]] = []  # start, end, the number of the entry
        stored: set[int] = set()
        for code, start, end in decode(data):
            if code not in _NOTED:
                continue
            number = -1
            if code in _PUTS:
                number = len(stored) if code == MEMOIZE[0] else _memo_number(data, start, end)
                stored.add(number)
            elif code in _GETS:
                number = _memo_number(data, start, end)
                if number not in stored:
                    raise ValueError(
                        f"at position {start}: memo entry {number} is referred to, "
                        "and not stored before"
                    )
                self.used.add(number)
                self.protocol = max(self.protocol, int(code != GET[0]))
            elif code == PROTO[0]:
                self.protocol = max(self.protocol, data[start + 1])
                if start:
                    continue
            self.opcodes.append((start, end, number))
        self.end = end  # of the pickle


def _rewrite(data: bytes, notes: _Notes) -> bytes:
    protocol = notes.protocol
    output = _Output(data, protocol)
    numbers: dict[int, int] = {}  # the new ones, by the old ones
    next_number = 0
    done = 0
    for start, end, number in notes.opcodes:
        output.copy(done, start)
        done = end
        code = data[start]
        if code in _GETS:
            output.put(_memo_opcode(protocol, numbers[number], GET, BINGET, LONG_BINGET))
        elif code in _PUTS and number in notes.used:
            numbers[number] = next_number
            if protocol >= 4:
                output.put(MEMOIZE)
            else:
                output.put(_memo_opcode(protocol, next_number, PUT, BINPUT, LONG_BINPUT))
            next_number += 1
    output.copy(done, notes.end)
    output.end_frame()
    return bytes(output.written)


def _memo_number(data: bytes, start: int, end: int) -> int:
    if data[start] in PUT + GET:
        return int(data[start + 1 : end - 1])
    return int.from_bytes(data[start + 1 : end], "little")


def _memo_opcode(protocol: int, number: int, text: bytes, short: bytes, long: bytes) -> bytes:
    if protocol == 0:
        return b"%b%d\n" % (text, number)
    if number < 256:
        return short + bytes([number])
    return long + struct.pack("<I", number)


class _Output:
    """The new pickle: opcodes of `data`, and others, in frames from protocol 4 on.

    A frame ends where it is full and an opcode begins, or where one comes that is too large for
    a frame.
    """

    def __init__(self, data: bytes, protocol: int) -> None:
        self.written = bytearray()
        self._data = data
        self._framed = protocol >= 4
        self._frame = bytearray()
        if data[:1] == PROTO:  # before any frame
            self.written += data[:2]

    def put(self, opcode: bytes) -> None:
        """Write an opcode."""
        if len(self._frame) >= FRAME_SIZE_TARGET:
            self.end_frame()
        self._frame += opcode

    def copy(self, start: int, end: int) -> None:
        """Write the opcodes that lie there."""
        if not self._framed or len(self._frame) + end - start <= FRAME_SIZE_TARGET:
            self._frame += memoryview(self._data)[start:end]
            return
        for _, opcode, opcode_end in decode(self._data, start):
            if opcode == end:
                break
            if opcode_end - opcode > FRAME_SIZE_TARGET:
                self.end_frame()
                self.written += memoryview(self._data)[opcode:opcode_end]
            else:
                self.put(self._data[opcode:opcode_end])

    def end_frame(self) -> None:
        """End the current frame: as CPython does, without a header where it is short."""
        if self._framed and len(self._frame) >= FRAME_SIZE_MIN:
            self.written += FRAME + struct.pack("<Q", len(self._frame))
        self.written += self._frame
        self._frame.clear()


make_public(optimize)
