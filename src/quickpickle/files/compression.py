"""Compressed files: which compression a name asks for, and which one a content has.

Writing goes by the ending of the name, or by what is asked for, reading by the first bytes. The
modules that do the work are imported when they are needed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import chain
from operator import index
from typing import IO, Any, Final, Literal, Protocol, get_args

Compression = Literal["gzip", "bz2", "xz", "zstd", "none"]

_SLICE: Final = 1 << 20  # so much of a large buffer is compressed at once

# No pickle begins like these. 1f, fd and b5 are no opcodes, and what comes before b5, MARK, has
# no argument. B is BINBYTES: its protocol, 3, begins with PROTO. (tests/files/test_compression.py
# looks at each opcode.) The magic number of a zstd frame to be skipped begins with PERSID, so it is
# not taken for zstd at the beginning of a file.
_GZIP: Final = b"\x1f\x8b"
_BZ2: Final = b"BZh"
_XZ: Final = b"\xfd7zXZ\0"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# Names that end so say that the file is compressed in a way that is not known here.
_UNKNOWN: Final = (
    *(".7z", ".blosc", ".br", ".bz", ".bzip2", ".deflate", ".gzip", ".lz", ".lz4", ".lzma", ".lzo"),
    *(".pbz2", ".pgz", ".pklz", ".rar", ".snappy", ".sz", ".tar", ".tbz", ".tbz2", ".tgz", ".tlz"),
    *(".txz", ".tzst", ".z", ".zip", ".zlib", ".zstd"),
)
_ENDINGS: Final[dict[str, Compression]] = {
    ".gz": "gzip",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zst": "zstd",
}
# The least level, the one that is taken where none is given, and the greatest.
_LEVELS: Final = {"gzip": (0, 6, 9), "bz2": (1, 9, 9), "xz": (0, 6, 9), "zstd": (-131_072, 3, 22)}
_NAMES: Final = {_GZIP: "gzip", _BZ2: "bzip2", _XZ: "xz", _ZSTD: "zstd"}


class Compressor(Protocol):
    """The methods that zlib, bz2, lzma, compression.zstd and zstandard have in common."""

    def compress(self, data: Any, /) -> bytes: ...

    def flush(self) -> bytes: ...


def compressor_for(
    name: str, compression: Compression | None = None, level: int | None = None
) -> Compressor | None:
    """A new compressor for a file of this name; None if it is not to be compressed.

    None as `compression` stands for that of the name's ending, which may be in capitals. The same
    data gives the same bytes, whenever it is compressed.

    Raises ImportError where the module that is needed is missing; ValueError for an unknown
    compression, a level that it does not have, and an ending that asks for a compression that is
    not known: the content would not be what the name says.

    >>> compressor_for("model.pkl") is None
    True
    """
    if compression is None:
        compression = _by_ending(name)
    elif compression not in get_args(Compression):
        known = ", ".join(f'"{known}"' for known in get_args(Compression))
        raise ValueError(
            f"compression is one of {known}, or None to go by the ending of the name: "
            f"{compression!r}"
        )
    if compression == "none":
        if level is not None:
            raise ValueError(
                "level= needs a compression: end the name in .gz, .bz2, .xz or .zst, or pass "
                f'compression="gzip" or another: {name!r}'
            )
        return None
    least, default, greatest = _LEVELS[compression]
    level = default if level is None else index(level)
    if not least <= level <= greatest:
        raise ValueError(f"the level of {compression} is {least} to {greatest}: {level}")
    module: Any
    if compression == "gzip":
        module = import_module("zlib")
        # 16 asks for the header of gzip, which zlib leaves without a time and a name.
        compressor = module.compressobj(level=level, wbits=16 + module.MAX_WBITS)
    elif compression == "bz2":
        compressor = import_module("bz2").BZ2Compressor(level)
    elif compression == "xz":
        compressor = import_module("lzma").LZMACompressor(preset=level)
    else:
        # With a checksum, as gzip, bzip2 and xz have one anyway.
        module = _import_zstd()
        if module.__name__ == "zstandard":
            compressor = module.ZstdCompressor(level, write_checksum=True).compressobj()
        else:
            parameter = module.CompressionParameter
            options = {parameter.compression_level: level, parameter.checksum_flag: 1}
            compressor = module.ZstdCompressor(options=options)
    return compressor  # type: ignore[no-any-return]  # the modules are Any


def _by_ending(name: str) -> Compression:
    shown, name = name, name.lower()
    if name.endswith(_UNKNOWN):
        ending = shown[shown.rindex(".") :]
        raise ValueError(
            f"dump to a path does not compress as {ending} says: end the name in .gz, .bz2, .xz or "
            f".zst, pass compression=, or pass an open file: {shown!r}"
        )
    # No generator: an interrupt while one is closed is lost.
    for ending, kind in _ENDINGS.items():
        if name.endswith(ending):
            return kind
    return "none"


def name_of_compression(start: bytes) -> str | None:
    """The compression of a content that begins like this; None if it is not compressed.

    >>> name_of_compression(b"BZh91AY")
    'bzip2'
    """
    return next((name for magic, name in _NAMES.items() if start.startswith(magic)), None)


class CompressedWriter:
    """A file that compresses what is written to it into another; `finish` writes the end.

    To leave it unfinished takes nothing: what the compressor holds is gone with it.
    """

    def __init__(self, write: Callable[[bytes], object], compressor: Compressor) -> None:
        self._write = write
        self._compressor = compressor

    def write(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _SLICE):
            self._write(self._compressor.compress(view[start : start + _SLICE]))

    def finish(self) -> None:
        self._write(self._compressor.flush())


def with_its_start(file: io.BufferedReader) -> io.BufferedReader:
    """A file whose `peek` shows if it is compressed; `file` itself, but for a pipe.

    Of that it may show a single byte. No more is waited for than a pickle would need as well.
    """
    start = file.peek(len(_XZ))
    if not _may_become_compressed(start):
        return file
    start = b""
    while _may_become_compressed(start) and (byte := file.read(1)):
        start += byte
    rest = iter(partial(file.read1, 1 << 16), b"")
    return io.BufferedReader(_BlockReader(chain((start,), rest)))


def _may_become_compressed(start: bytes) -> bool:
    return any(start != magic and magic.startswith(start) for magic in _NAMES)


def decompressed(file: io.BufferedReader) -> IO[bytes]:
    """A file with the decompressed content of `file`; `file` itself if it is not compressed.

    Members, streams and frames that follow each other are read as one. A file that ends too early
    is an EOFError when its end is read. Raises ImportError where the module is missing.
    """
    compression = name_of_compression(file.peek(len(_XZ)))
    reader: Any = file
    if compression == "gzip":
        reader = import_module("gzip").GzipFile(fileobj=file)
    elif compression == "bzip2":
        reader = import_module("bz2").BZ2File(file)
    elif compression == "xz":
        reader = import_module("lzma").LZMAFile(file)
    elif compression == "zstd":
        module = _import_zstd()
        if module.__name__ == "zstandard":
            reader = io.BufferedReader(_BlockReader(_zstd_blocks(file, module)))
        else:
            reader = module.ZstdFile(file)
    return reader  # type: ignore[no-any-return]  # the modules are Any


class _BlockReader(io.RawIOBase):
    """Reads what an iterator of bytes yields."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _import_zstd() -> Any:
    """The standard library's module, from 3.14 on, or else the package."""
    for name in ("compression.zstd", "zstandard"):
        try:
            return import_module(name)
        except ImportError:  # an interpreter can be built without it
            continue
    raise ModuleNotFoundError(
        "zstd needs Python 3.14 (compression.zstd) or the package zstandard: "
        "pip install 'quickpickle[zstd]'",
        name="zstandard",
    )


# --- zstd by way of the package zstandard
#
# Its own reader takes a file that ends in the middle for one that has ended, and what
# decompresses whatever it is given does that at once, however large it gets. So a file is taken
# apart into the blocks of RFC 8878, section 3.1.1: each is at most 128 KiB when decompressed.


def _zstd_blocks(file: io.BufferedReader, zstandard: Any) -> Iterator[bytes]:
    """Decompress the frames of a file block by block."""
    while magic := file.read(4):
        magic += _read(file, 4 - len(magic))
        if magic[0] & 0xF0 == 0x50 and magic[1:] == b"\x2a\x4d\x18":  # a frame to be skipped
            _read(file, int.from_bytes(_read(file, 4), "little"))
            continue
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        descriptor = _read(file, 1)
        flags = descriptor[0]
        single_segment = flags >> 5 & 1  # then there is no size of the window
        # Of the header: the window, a dictionary's id, the content's size.
        size = 1 - single_segment
        size += (0, 1, 2, 4)[flags & 3]
        size += (single_segment, 2, 4, 8)[flags >> 6]
        yield decompressor.decompress(magic + descriptor + _read(file, size))
        last = False
        while not last:
            header = _read(file, 3)
            number = int.from_bytes(header, "little")
            last = bool(number & 1)
            is_run = number >> 1 & 3 == 1  # of a single byte
            yield decompressor.decompress(header + _read(file, 1 if is_run else number >> 3))
        if flags & 4:
            yield decompressor.decompress(_read(file, 4))  # the checksum


def _read(file: io.BufferedReader, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        # In the words of bz2, lzma and compression.zstd.
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")
    return data
