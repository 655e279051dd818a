"""The results of a file's `write`, and the names of faults that are not about an object."""

from __future__ import annotations

import errno
import operator
from collections.abc import Callable
from io import FileIO
from types import BuiltinMethodType
from typing import Any, Final

# These may fail and are not the object, so there is no path: see `Stream.outside`.
WRITING: Final = "writing"
DIGESTING: Final = "digesting"
REPORTING: Final = "progress()"

Payload = Any  # bytes, bytearray, memoryview or PickleBuffer: whatever has a buffer


def send_rest(
    write: Callable[[Payload], object], data: Payload, size: int, result: object, parts: list[int]
) -> None:
    """Hand what is left of `data` to a file's write, which has returned `result`.

    The sizes that it takes are noted in `parts`, so that they are known after an exception.
    """
    taken = _count(result)
    done = 0
    while 0 <= taken < size:
        if taken == 0:
            raise OSError(f"write() took none of {size} bytes: the file accepts no more data")
        parts.append(taken)
        done += taken
        size -= taken
        # Of the data itself each time: on PyPy a view of a view of a view has no end of them.
        result = write(memoryview(data).cast("B")[done:])
        taken = _count(result)
    if (
        result is None
        and isinstance(write, BuiltinMethodType)
        and isinstance(write.__self__, FileIO)
    ):
        # From other files None says that all was taken; from a raw one, that nothing was.
        raise BlockingIOError(
            errno.EAGAIN,
            f"write() took none of {size} bytes: the file does not block, so it may lose a pickle; "
            "use a buffer around it, or os.set_blocking",
        )


def _count(taken: object) -> int:
    """How many bytes a write took by its own word; -1 where it does not say.

    A raw file or socket says it, and may take less than it was given.
    """
    if taken is None or isinstance(taken, bool):
        return -1
    try:
        return operator.index(taken)  # type: ignore[arg-type]  # that is what we find out
    except TypeError:
        return -1
