"""The pickle data stream: the bytes at hand, the file that has more, and the unpickling machine.

`data` has bytes of the pickle, and `pos` says which of them is next. Behind them is the file, which
is asked for exactly what an opcode needs: so what follows the pickle stays there. A frame (see PEP
3154) is read in one piece. A file with a `peek` shows what it will give next; of that as much is
read from it as was used. Where `read` is None, `data` is all there is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Final

from ..rules import objects
from ..rules.loading import as_bytes, find_class, has_bytes
from ..rules.loading_errors import (
    ABSENT,
    end_of_file,
    frame_exhausted,
    no_mark,
    read_overflow,
    stack_underflow,
    truncated,
    unexpected_mark_found,
)
from ..rules.mapping import LEAST_MAPPED, Mapping
from ..rules.versions import FRAMES_ARE_CHECKED

if TYPE_CHECKING:
    from ..rules.missing import Missing
    from ..rules.renames import Renames

_PEEKED: Final = 128 * 1024  # what is asked of peek(); more than that is read at once
_PIECE: Final = 1024 * 1024  # what is read at once of a length that may be a lie


class Stream:
    """One or more pickles being read: the bytes, the stack, and the memo."""

    __slots__ = (
        "base",
        "buffers",
        "data",
        "encoding",
        "errors",
        "fix_imports",
        "frame_end",
        "guard",
        "is_between",
        "is_hooked",
        "is_reading",
        "known",
        "mapping",
        "memo",
        "missing",
        "objects",
        "passed",
        "peek",
        "persistent_load",
        "pos",
        "prefetched",
        "proto",
        "read",
        "readinto",
        "readline",
        "renames",
        "size",
        "stack",
        "stacks",
        "unpickler",
    )

    def __init__(
        self,
        data: bytes,
        *,
        fix_imports: bool = True,
        encoding: str = "ASCII",
        errors: str = "strict",
        buffers: Iterator[Any] | None = None,
    ) -> None:
        self.data = data
        self.base = 0  # how many bytes lie before `data`
        self.pos = 0
        self.size = len(data)  # where `data` ends, or the frame in it
        self.frame_end = 0  # where `pos` is before it, there is a frame around it
        self.prefetched = len(data)  # up to here the file's position is behind `data`
        self.read: Callable[[int], Any] | None = None
        self.readline: Any = None
        self.readinto: Any = None
        self.peek: Any = None
        self.mapping: Mapping | None = None  # of the file
        # For errors: see scanning/faults.py.
        self.is_between = False  # the last opcode is done, and the next is not read
        self.is_reading = False  # the file is asked for something
        self.known = 0  # where an opcode begins, counted as `base` is
        self.passed = 0  # bytes of the payload that is being read, which are not in `data`
        self.fix_imports = fix_imports
        self.encoding = encoding
        self.errors = errors
        self.buffers = buffers
        self.unpickler: Any = None  # asked for find_class(), if it is there
        self.is_hooked = False  # whether that has a find_class() of its own
        self.persistent_load: Any = ABSENT
        self.renames: Renames | None = None
        self.guard: Any = None  # rules/enforcement.py: of a load under a policy
        self.objects: Any = objects  # what makes objects, and gives them their states; or the guard
        self.missing: Missing | Any = None  # with missing="placeholder": that, or the guard
        self.proto = 0
        self.memo: dict[int, Any] = {}
        self.stack: list[Any] = []  # what is above the last mark
        self.stacks: list[list[Any]] = []  # for each mark, what is below it

    # --- the bytes

    def fill(self, count: int) -> int:
        """Have `count` bytes at hand, and return where they begin.

        To be called where `pos + count` is more than `size`.
        """
        pos = self.pos
        if count > sys.maxsize - pos:
            raise read_overflow()
        self._leave_frame()
        if count <= self.size - pos:
            return pos
        if self.read is None:
            raise truncated()
        self.check_length(count)
        self.skip_consumed()
        if self.peek is not None and count < _PEEKED:
            self.is_reading = True
            try:
                data = as_bytes(self.peek(_PEEKED))
            except NotImplementedError:
                self.is_reading = False
                self.peek = None
            else:
                self.is_reading = False
                self._take(data, 0)
                if count <= self.size:
                    return 0
        data = self._read(count)
        self._take(data, len(data))
        if len(data) < count:
            raise truncated()
        return 0

    def next_opcode(self) -> int:
        """Have one more byte at hand, and return where it is."""
        self.is_between = True
        try:
            pos = self.fill(1)
        except UnpicklingError:
            pass
        else:
            self.is_between = False
            self.known = self.base + pos
            return pos
        raise end_of_file()

    def line(self) -> bytes:
        """The argument that ends at a newline, without that."""
        pos = self.pos
        end = self.data.find(b"\n", pos, self.size)
        if end < 0:
            self._leave_frame()
            end = self.data.find(b"\n", pos)
        if end < 0:
            if self.read is None:
                raise truncated()
            self.skip_consumed()
            self.is_reading = True
            data = as_bytes(self.readline())
            self.is_reading = False
            self._take(data, len(data))
            pos = 0
            end = len(data) - 1
            if data[-1:] != b"\n":
                raise truncated()
        self.pos = end + 1
        return self.data[pos:end]

    def payload(self, count: int) -> bytes:
        """`count` bytes, of which a part may be at hand and the rest in the file."""
        pos = self.pos
        end = pos + count
        if end > self.size:
            self._leave_frame()
        if end <= self.size and pos < len(self.data):
            self.pos = end
            return self.data[pos:end]
        if self.read is None:  # also of no bytes at the very end, as the reference has it
            raise truncated()
        self.check_length(count)
        start = self.data[pos:]
        self.pos = len(self.data)
        self.skip_consumed()
        rest = self._read(count - len(start))
        if len(rest) != count - len(start):
            self.passed = len(rest)
            raise truncated()
        self.base += len(rest)
        return start + rest if start else rest

    def payload_into(self, target: bytearray, count: int) -> None:
        """The same, appended to `target`, by the file's `readinto` where it has one."""
        at_hand = self.size - self.pos
        if self.readinto is None or count <= at_hand:  # also where there is no file
            target += self.payload(count)
            return
        self.check_length(count)
        self._leave_frame()
        target += self.payload(min(count, self.size - self.pos))
        self.skip_consumed()
        while len(target) < count:
            done = len(target)
            end = min(count, done + max(_PIECE, done))
            if end < count and has_bytes(getattr(self.readinto, "__self__", None), count - done):
                end = count
            target += bytes(end - done)
            self.is_reading = True
            with memoryview(target) as view, view[done:] as part:
                taken = self.readinto(part)
            if not isinstance(taken, int):
                raise TypeError("an integer is required")
            if taken < 0:
                raise ValueError("readinto() returned negative size")
            self.is_reading = False
            if taken == 0:
                raise truncated()
            self.passed += taken
            del target[done + taken :]
        self.base += self.passed
        self.passed = 0

    def mapped(self, count: int, is_writable: bool) -> memoryview | None:
        """The same as a view of the mapped file; None where they have to be read.

        Bytes that are at hand are in a frame, or in the first bytes of a file.
        """
        mapping = self.mapping
        if mapping is None or count < LEAST_MAPPED or count <= self.size - self.pos:
            return None
        if self.stack or not self.stacks or not self.stacks[-1]:
            return None
        self._leave_frame()
        file = mapping.file
        start = file.tell() - self.prefetched + self.pos
        entries = mapping.entries(self.stacks[-1][-1], start, count)
        if entries is None:
            return None
        reads = mapping.reads(self.memo, start + count)
        if reads is None or any(len(self.memo) + i in reads for i in entries):
            return None
        file.seek(start + count)
        self._take(b"", 0)
        return mapping.view(start, count, is_writable)

    def check_length(self, count: int) -> None:
        """Before so many bytes are read from a file: whether the policy lets them in."""
        if self.guard is not None:
            self.guard.check_length(count)

    def skip_consumed(self) -> None:
        """Read from the file what was peeked at and used, so that its position is right."""
        consumed = self.pos - self.prefetched
        if consumed > 0 and self.read is not None:
            self.is_reading = True
            self.read(consumed)
            self.is_reading = False
            self.prefetched = self.pos

    def _take(self, data: bytes, prefetched: int) -> None:
        self.base += max(self.pos, self.prefetched)
        self.data = data
        self.pos = self.frame_end = 0
        self.size = len(data)
        self.prefetched = prefetched

    def _read(self, count: int) -> bytes:
        """Up to `count` bytes of the file: fewer at its end only.

        A file may give less than it was asked for. And no more than a piece is asked for until as
        much was there: what was declared may be a lie.
        """
        assert self.read is not None
        self.is_reading = True
        first = min(count, _PIECE)
        if count > first and has_bytes(getattr(self.read, "__self__", None), count):
            first = count
        data = as_bytes(self.read(first))
        if len(data) >= count or not data:
            self.is_reading = False
            return data
        pieces = [data]
        done = len(data)
        while done < count:
            data = as_bytes(self.read(min(count - done, max(_PIECE, done))))
            if not data:
                break
            pieces.append(data)
            done += len(data)
        self.is_reading = False
        return b"".join(pieces)

    # --- frames

    def enter_frame(self, count: int) -> None:
        """Have a frame of `count` bytes at hand."""
        if count > self.size - self.pos:
            self.pos = self.fill(count)
        self.known = self.base + self.pos
        if FRAMES_ARE_CHECKED:
            self.frame_end = self.size = self.pos + count

    def _leave_frame(self) -> None:
        """The frame is over; where frames are checked, an opcode must not go on behind it."""
        if self.pos < self.frame_end:
            raise frame_exhausted()
        self.frame_end = 0
        self.size = len(self.data)

    # --- the stack

    def pop_mark(self) -> list[Any]:
        """Take off the last mark, and return what is above it."""
        if not self.stacks:
            raise no_mark()
        items = self.stack
        self.stack = self.stacks.pop()
        return items

    def underflow(self) -> UnpicklingError:
        """The error of an opcode that needs more than there is above the last mark."""
        return unexpected_mark_found() if self.stacks else stack_underflow()

    # --- hooks

    def find_class(self, module_name: str, name: str) -> Any:
        """Find a class or function that an opcode names; under a policy only if that lists it."""
        if self.renames is not None:
            module_name, name = self.renames(module_name, name)
        finder = self.guard or self.missing
        if finder is None:
            return self.find_anything(module_name, name)
        return finder.find(
            module_name, name, self.proto, self.fix_imports, self.find_anything, self.is_hooked
        )

    def find_anything(self, module_name: str, name: str) -> Any:
        """Find a class or function, by the Unpickler where there is one."""
        if self.unpickler is None:
            return find_class(module_name, name, self.proto, self.fix_imports, self.renames)
        return self.unpickler.find_class(module_name, name)
