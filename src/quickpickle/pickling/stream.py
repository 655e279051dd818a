"""The pickle data stream: frames, the file they go to, and the numbers of the memo.

Opcodes collect in `buffer`. From protocol 4 on they go out in frames (PEP 3154): a frame is
closed at the first object that begins when it has FRAME_SIZE_TARGET bytes or more. A payload
of that size goes to the file as it is, between two frames. Below protocol 4 there are no
frames, but the buffer is emptied at the same places, so that it stays small.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pickle import PicklingError
from typing import TYPE_CHECKING, Any

from ..format.opcodes import (
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
from ..rules.progress import Pace
from ..rules.versions import PY315
from .memo import Memo

if TYPE_CHECKING:
    from ..rules.order import Order

from ..format.limits import FRAME_SIZE_MIN, FRAME_SIZE_TARGET
from ..rules.digests import Pieces
from ..rules.nesting import FAST_NESTING_LIMIT, FEW, cyclic_error, endless_error
from ..rules.sending import REPORTING, WRITING, Payload, send_rest


class Stream:
    """One pickle being written: `buffer` takes the opcodes of the current frame.

    `buffer` stays the same object from beginning to end, so functions that write much may hold it.
    """

    fast = False
    last_goes_alone = PY315  # a single item that is left over goes without a batch
    order: Order | None = None  # of the members of sets; None: as they come
    outside = ""  # what is running that is not about an object, such as WRITING
    sending = WRITING  # what sending is; "" where that is to memory of our own
    nested_user_code = 0  # reductions and persistent ids around the current object
    _fast_nesting = 0
    _fast_ids: set[int] | None = None

    def __init__(
        self,
        write: Callable[[Payload], object],
        memo: Memo,
        protocol: int,
        *,
        fix_imports: bool,
        buffer_callback: Callable[[Any], object] | None,
        reduction_limit: int,
    ) -> None:
        self.protocol = protocol
        self.bin = protocol > 0
        self.fix_imports = fix_imports
        self.buffer_callback = buffer_callback
        self.reduction_limit = reduction_limit
        # With a low limit, what can have no end has to be told from what can earlier.
        self.few = FEW if reduction_limit >= 2 * FEW else reduction_limit // 2
        self.endless_types: dict[type, bool] = {}  # see may_be_endless
        self.memo = memo
        self.buffer = bytearray()
        self._write = write
        self.pace: Pace | None = None
        self.sent = 0  # bytes
        self._memo_start = len(memo.objects)
        self._head = b"%b%c" % (PROTO, protocol) if protocol >= 2 else b""  # before any frame

    # --- the memo

    def memoize(self, obj: object) -> None:
        """Give `obj`, the topmost item of the unpickler's stack, the memo's next number."""
        if self.fast:
            return
        # This runs for most objects, so the memo is not asked by way of a method.
        numbers = self.memo.numbers
        number = len(numbers)
        self.memo.objects.append(obj)
        numbers[id(obj)] = number
        if self.protocol >= 4:
            self.buffer += MEMOIZE
        elif not self.bin:
            self.buffer += b"%b%d\n" % (PUT, number)
        elif number < 256:
            self.buffer += BINPUT + bytes([number])
        elif number <= 0xFFFFFFFF:
            self.buffer += LONG_BINPUT + struct.pack("<I", number)
        else:
            raise PicklingError("memo id too large for LONG_BINPUT")

    def get(self, number: int) -> None:
        """Write a reference to an object by its number in the memo."""
        if not self.bin:
            self.buffer += b"%b%d\n" % (GET, number)
        elif number < 256:
            self.buffer += BINGET + bytes([number])
        elif number <= 0xFFFFFFFF:
            self.buffer += LONG_BINGET + struct.pack("<I", number)
        else:
            raise PicklingError("memo id too large for LONG_BINGET")

    def number(self, obj: object) -> int:
        """The number that `obj` has in the memo; a very high one if it is not there."""
        return self.memo.numbers.get(id(obj), sys.maxsize)

    # --- frames and the file

    def payload(self, header: bytes, data: Payload, size: int) -> None:
        """Write an opcode whose last argument is `data`, `size` bytes long."""
        if size < FRAME_SIZE_TARGET:
            self.buffer += header
            self.buffer += data
        else:
            self.end_frame(header)
            self.send(data, size)
            self.look_at_progress()

    def payload_in_pieces(self, header: bytes, data: Pieces) -> None:
        """The same, where `data` is not in one place."""
        if data.size < FRAME_SIZE_TARGET:
            self.buffer += header
            for piece in data.pieces:
                self.buffer += piece
        else:
            self.end_frame(header)
            for piece in data.pieces:
                self.send(piece, len(piece))

    def end_frame(self, after: bytes = b"") -> None:
        """Send the current frame to the file, and then the bytes `after` it."""
        buffer = self.buffer
        if self.protocol >= 4 and len(buffer) >= FRAME_SIZE_MIN:
            header = FRAME + struct.pack("<Q", len(buffer))
        else:
            header = b""
        data = b"".join((self._head, header, buffer, after))
        buffer.clear()
        self._head = b""
        if data:
            self.send(data, len(data))

    def send(self, data: Payload, size: int) -> None:
        """Hand `data`, `size` bytes, to the file: again and again where it takes only a part."""
        parts: list[int] = []
        self.outside = self.sending
        try:
            send_rest(self._write, data, size, self._write(data), parts)
        except BaseException:
            self.sent += sum(parts)
            raise
        self.outside = ""
        self.sent += size

    def send_all(self, write: Callable[[Payload], object], data: bytes) -> None:
        """Hand a whole pickle to another file, in place of what went to memory before."""
        self._write = write
        self.sending = WRITING
        self.sent = 0
        self.send(data, len(data))

    # --- progress

    @property
    def objects(self) -> int:
        """How many objects this dump has memoized."""
        return len(self.memo.objects) - self._memo_start

    def look_at_progress(self) -> None:
        """Tell how far this has come, if somebody wants to know and it is time."""
        if self.pace is not None:
            self.outside = REPORTING
            self.pace.look(self.objects, self.sent)
            self.outside = ""

    # --- what may never end

    def enter_user_code(self, obj: object) -> None:
        """Note that what begins here was returned by the user's own code, asked about `obj`.

        Where it ends, `nested_user_code` is counted down again.
        """
        self.nested_user_code += 1
        if self.nested_user_code > self.reduction_limit:
            raise endless_error(self.reduction_limit, obj)

    # --- fast mode

    def enter_fast(self, obj: object) -> None:
        """Note that a container begins, where there is no memo to notice a cycle."""
        self._fast_nesting += 1
        if self._fast_nesting < FAST_NESTING_LIMIT:
            return
        if self._fast_ids is None:
            self._fast_ids = set()
        if id(obj) in self._fast_ids:
            raise cyclic_error(obj)
        self._fast_ids.add(id(obj))

    def leave_fast(self, obj: object) -> None:
        """Note that a container ends."""
        if self._fast_nesting >= FAST_NESTING_LIMIT and self._fast_ids is not None:
            self._fast_ids.remove(id(obj))
        self._fast_nesting -= 1
