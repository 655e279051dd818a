"""How many bytes of a pickle are missing that is cut off, as far as its own lengths say so.

And whether it went through text instead, which makes it longer.
"""

from __future__ import annotations

from typing import Final

from ..format import foreign
from ..format import opcodes as op
from ..format.decode import ARGUMENT_OF, LINE, walk
from .source import Source

LOOKED_AT: Final = 1 << 16  # bytes that are searched for marks of what has written or damaged them
MOST_MISSING: Final = 1 << 40  # where a length says that there are more, it is damaged itself
_MOST_FRAMES: Final = 100_000  # that are passed over
_MOST_UNFRAMED: Final = 8  # opcodes between two frames


def end_of_opcode(source: Source, offset: int) -> int | None:
    """Where an opcode and its argument end, or the frame that it begins; None if it does not say.

    >>> from .source import Data
    >>> end_of_opcode(Data(b"X\\x07\\0\\0\\0ab"), 0), end_of_opcode(Data(b"I1"), 0)
    (12, None)
    """
    header = source.read(offset, 9) if offset < source.size else b""
    if not header:
        return None
    argument = ARGUMENT_OF[header[0]]
    if header[:1] == op.FRAME and len(header) == 9:
        return offset + 9 + int.from_bytes(header[1:], "little")
    if argument <= 8:
        return offset + 1 + argument
    width = argument & 0xF
    if argument < LINE and len(header) > width:
        return offset + 1 + width + int.from_bytes(header[1 : 1 + width], "little")
    return None


def missing_bytes(source: Source, start: int, offset: int) -> int | None:
    """How many bytes are missing at least, of a pickle that begins at `start`; None if not known.

    The opcode at `offset` is the last one, and not whole; or there is none any more.
    """
    size = source.size
    ends = [end_of_opcode(source, offset) or 0, _end_of_frames(source, start)]
    likely = [end - size for end in ends if 0 < end - size < MOST_MISSING]
    return max(likely, default=None)


def went_through_text(source: Source) -> bool:
    """Whether each newline byte has become two: without the first of them it is whole, or farther
    read.

    Texts of Windows have such newlines too, so a pickle that is cut off may look like that.
    """
    data = source.read(0, LOOKED_AT)
    if not foreign.has_doubled_newlines(data) or _end_of_frames(source, 0) > source.size:
        return False
    mended = data.replace(b"\r\n", b"\n")
    reached = _how_far(mended)
    return (reached == len(mended) and mended[-1:] == op.STOP) or reached > _how_far(data)


def _how_far(data: bytes) -> int:
    """How many bytes can be read as opcodes."""
    end = 0
    for _, _, end in walk(data):  # noqa: B007
        pass
    return end


def _end_of_frames(source: Source, start: int) -> int:
    """Where the last frame ends that is found without reading what is in frames."""
    position = start + 2  # behind PROTO
    end = unframed = 0
    for _ in range(_MOST_FRAMES):
        following = end_of_opcode(source, position)
        # Between frames are large strings and bytes, and frames too small for an opcode.
        if following is None or unframed > _MOST_UNFRAMED:
            break
        if source.read(position, 1) == op.FRAME:
            end, unframed = following, 0
        else:
            unframed += 1
        position = following
    return end
