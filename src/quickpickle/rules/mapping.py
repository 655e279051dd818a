"""`load(path, mmap=True)`: which bytes of a pickle may stay in its file.

In protocol 5 NumPy writes an array as a call of its function `_frombuffer`, with the bytes of the
array as the first argument. Where they are in the pickle, the reference makes them bytes or a
bytearray, of which the array becomes a view. Here they may be a view of the file instead, as if
they had been written out of band. Nothing but that function must get them. So they stay in the file
only where all of this holds:

- They are an argument of their own: not in a frame, and of some size.
- A mark lies below them on the stack, and NumPy's function below the mark.
- The opcodes that follow make the other arguments and the tuple, and call the function.
- Nobody reads the bytes or the tuple from the memo later.
"""

from __future__ import annotations

import sys
from io import BufferedReader
from typing import Any, Final

from ..format import opcodes as op
from ..format.decode import walk
from .loading_errors import ABSENT
from .versions import PY313

LEAST_MAPPED: Final = 64 * 1024
"""Fewer bytes are read: a page of memory or two would be taken anyway."""

_ARGUMENTS: Final = 16 * 1024  # the other arguments must be written in so many bytes

# NumPy 2 and NumPy 1.
_MODULES: Final = ("numpy._core.numeric", "numpy.core.numeric")

# How many objects an opcode takes from the stack, and how many it leaves there. Of MARKED it takes
# what is above the mark too. Arguments with other opcodes are not followed.
_EFFECTS: Final = {
    **dict.fromkeys(
        op.NONE + op.NEWTRUE + op.NEWFALSE + op.BININT + op.BININT1 + op.BININT2 + op.LONG1
        + op.BINFLOAT + op.SHORT_BINUNICODE + op.BINUNICODE + op.SHORT_BINBYTES + op.BINBYTES
        + op.EMPTY_TUPLE + op.EMPTY_LIST + op.EMPTY_DICT + op.BINGET + op.LONG_BINGET + op.GLOBAL,
        (0, 1),
    ),
    **dict.fromkeys(op.TUPLE1, (1, 1)),
    **dict.fromkeys(op.TUPLE2 + op.STACK_GLOBAL + op.REDUCE + op.NEWOBJ + op.BUILD, (2, 1)),
    **dict.fromkeys(op.APPEND, (2, 1)),
    **dict.fromkeys(op.TUPLE3 + op.SETITEM, (3, 1)),
    **dict.fromkeys(op.FRAME, (0, 0)),
}  # fmt: skip
_MARKED: Final = {op.TUPLE[0]: (0, 1), op.APPENDS[0]: (1, 1), op.SETITEMS[0]: (1, 1)}
_PUTS: Final = frozenset(op.PUT + op.BINPUT + op.LONG_BINPUT)


class Mapping:
    """A file of some size in memory. Changes are made there only, and do not get into the file.

    Opcodes are read from `file`: they might change while they are looked at, if they were in memory
    that others can write.
    """

    __slots__ = ("_reads", "_reads_are_known", "_view", "data", "file")

    def __init__(self, file: BufferedReader) -> None:
        import mmap  # some systems have none

        options: Any = {}
        if PY313 and sys.platform != "win32":
            options["trackfd"] = False  # else the file would stay open as long as the view
        self.file = file
        self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY, **options)
        self._view = memoryview(self.data)
        self._reads: frozenset[int] | None = None
        self._reads_are_known = False

    def entries(self, function: Any, start: int, count: int) -> list[int] | None:
        """The entries of the memo that will have `count` bytes of the file, or arguments with them.

        `function` lies below the mark that they are above. Entries are counted from the next one.
        None where the bytes have to be read.
        """
        if start + count > len(self.data) or not any(
            function is vars(sys.modules[name]).get("_frombuffer", ABSENT)
            for name in _MODULES
            if name in sys.modules
        ):
            return None
        end = start + count
        return _followed(self.data[end : end + _ARGUMENTS])

    def view(self, start: int, count: int, is_writable: bool) -> memoryview:
        """So many bytes of the file. Others can only write to them there if it is said so."""
        view = self._view[start : start + count]
        return view if is_writable else view.toreadonly()

    def reads(self, memo: dict[int, Any], pos: int) -> frozenset[int] | None:
        """The entries of the memo that are read behind `pos`, or behind where this was asked first.

        None where there may be others, or where entries do not come in turn.
        """
        if not self._reads_are_known:
            self._reads_are_known = True
            if max(memo, default=-1) == len(memo) - 1:
                self._reads = _find_reads(self.data, pos)
        return self._reads


def _followed(data: bytes) -> list[int] | None:
    """See `Mapping.entries`: by the opcodes behind the bytes."""
    entries: list[int] = []
    memoized = 0
    heights = [1]  # of the stack above the mark of the arguments, and above those that follow
    is_whole = False  # whether the tuple is made: it is alone then
    for code, _, _ in walk(data):
        if code == op.FRAME[0]:
            continue
        if code == op.MEMOIZE[0]:
            if is_whole or heights == [1]:
                entries.append(memoized)
            memoized += 1
            continue
        if is_whole:
            return entries if code == op.REDUCE[0] else None
        if code == op.MARK[0]:
            heights.append(0)
            continue
        if code in _MARKED:
            if len(heights) == 1:
                if code != op.TUPLE[0]:
                    return None
                is_whole = True
                continue
            heights.pop()
            takes, leaves = _MARKED[code]
        elif code in _EFFECTS:
            takes, leaves = _EFFECTS[code]
        else:
            return None
        if heights[-1] - takes < (len(heights) == 1):  # it would take the bytes
            return None
        heights[-1] += leaves - takes
    return None


def _find_reads(data: Any, pos: int) -> frozenset[int] | None:
    reads = set()
    code = -1
    for code, start, end in walk(data, pos):
        if code == op.BINGET[0] or code == op.LONG_BINGET[0]:
            reads.add(int.from_bytes(data[start + 1 : end], "little"))
        elif code == op.GET[0] or code in _PUTS:
            return None
    return frozenset(reads) if code == op.STOP[0] else None
