"""Where the bytes come from: anything that can be read at any offset, again and again."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIECE = 1 << 20  # bytes that are read at once
_IN_MEMORY = 1 << 24  # bytes of a stream that are kept without a file


class Source(Protocol):
    """So many bytes, which stay as they are."""

    size: int

    def read(self, offset: int, count: int) -> bytes:
        """The bytes from `offset` on, fewer than `count` at the end."""

    def piece(self, offset: int) -> bytes | memoryview:
        """The bytes that are read at once, from `offset` on."""


class Data:
    """Bytes in memory."""

    def __init__(self, data: ReadableBuffer) -> None:
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)

    def read(self, offset: int, count: int) -> bytes:
        return bytes(self._view[offset : offset + count])

    def piece(self, offset: int) -> memoryview:
        return self._view[offset : offset + PIECE]


class File:
    """A file, which is closed when nothing refers to this any more."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        file = open(path, "rb", buffering=0)  # noqa: SIM115
        weakref.finalize(self, file.close)  # before it is dropped, which would warn
        self._number = file.fileno()
        self.size = os.lseek(self._number, 0, os.SEEK_END)

    def read(self, offset: int, count: int) -> bytes:
        os.lseek(self._number, offset, os.SEEK_SET)
        count = min(count, self.size - offset)
        data = os.read(self._number, count)
        while len(data) < count:
            more = os.read(self._number, count - len(data))
            if not more:
                raise OSError("the file became shorter while it was read")
            data += more
        return data

    def piece(self, offset: int) -> bytes:
        return self.read(offset, PIECE)


class Copy:
    """The rest of a stream from its position on, copied, to a temporary file if it is large."""

    def __init__(self, stream: Any) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self.size = 0
        while data := stream.read(PIECE):
            self._file.write(data)
            self.size += len(data)

    def read(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(count)

    def piece(self, offset: int) -> bytes:
        return self.read(offset, PIECE)


class Section:
    """Some of another source."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self.size = size

    def read(self, offset: int, count: int) -> bytes:
        count = min(count, self.size - offset)
        return self._source.read(self._start + offset, count) if count > 0 else b""

    def piece(self, offset: int) -> bytes:
        return self.read(offset, PIECE)


class Part:
    """An open file from an offset on, as far as it goes: its end is not looked for.

    That would decompress all of a compressed one. Reading finds the end.
    """

    size = 1 << 47

    def __init__(self, file: Any, start: int) -> None:
        self._file = file
        self._start = start

    def read(self, offset: int, count: int) -> bytes:
        self._file.seek(self._start + offset)
        data = bytes(self._file.read(count))
        while len(data) < count:
            more = bytes(self._file.read(count - len(data)))
            if not more:
                break
            data += more
        return data

    def piece(self, offset: int) -> bytes:
        return self.read(offset, PIECE)


def open_source(file: Any) -> Source:
    """A path, a bytes-like object, or a binary file to be read from its position on."""
    if isinstance(file, (str, os.PathLike)):
        path = os.fspath(file)
        if isinstance(path, str):
            if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
                with open(path, "rb") as stream:  # a pipe: it can be read only once
                    return Copy(stream)
            return File(path)
    if hasattr(file, "read"):
        return Copy(file)
    return Data(file)
