"""The pickle in a ZIP file of torch.save: found where it lies, nothing is unpacked.

Two readers of ZIP files may find different members in a file that was made for that. So only what
is laid out as torch.save does it is taken for its file; else a stranger could show one pickle
here, and another to torch.load.

The format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from .source import Data, Section, Source

_END: Final = struct.Struct("<4s4H2LH")
_END_64_PLACE: Final = struct.Struct("<4sLQL")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_MEMBER: Final = struct.Struct("<4s5H3L2H")

_MOST_ENTRIES: Final = 1 << 24  # bytes: of some 200,000 tensors
_MOST_UNPACKED: Final = 1 << 26  # bytes: torch.save compresses nothing, other programs may
_IN_EXTRA: Final = 0xFFFF_FFFF  # what stands for a number that is in the extra field


class Storage(NamedTuple):
    """The bytes of a tensor, or of several, which lie beside the pickle."""

    key: str
    """As in the pickle: the third item of the persistent id."""
    size: int


class Archive(NamedTuple):
    """The ZIP file that a pickle was found in."""

    size: int
    member: str
    """The name that the pickle has there."""
    storages: list[Storage]
    """The largest first."""


class _Entry(NamedTuple):
    name: bytes
    flags: int
    method: int
    packed: int
    size: int
    offset: int


def find_pickle(source: Source) -> tuple[Source, Archive] | None:
    """The pickle in a file of torch.save; None if it is none, or is not laid out like one."""
    if source.read(0, 4) != b"PK\3\4":
        return None
    try:
        entries = _entries(source)
        found = [one for one in entries if one.name.lower().endswith(b"data.pkl")]
        if len(found) != 1:
            return None
        folder, _, name = found[0].name.partition(b"/")
        names = {one.name for one in entries}
        # A file of torch.jit.save has constants, and code that is no pickle.
        is_of_torch = name == b"data.pkl" and folder + b"/version" in names
        if not is_of_torch or folder + b"/constants.pkl" in names:
            return None
        pickle = _open(source, found[0])
    except (ValueError, struct.error, zlib.error):
        return None
    start = folder + b"/data/"
    storages = [
        Storage(one.name.removeprefix(start).decode("utf-8", "replace"), one.size)
        for one in entries
        if one.name.startswith(start)
    ]
    storages.sort(key=lambda storage: -storage.size)
    return pickle, Archive(source.size, found[0].name.decode("utf-8", "replace"), storages)


def _entries(source: Source) -> list[_Entry]:
    """All that the file says it has. ValueError, or a struct.error, where that is not certain."""
    end = source.size - _END.size
    if end < 0:
        raise ValueError("too short")
    signature, disk, disk_2, here, count, size, start, comment = _END.unpack(
        source.read(end, _END.size)
    )
    _require(signature == b"PK\5\6" and not (disk or disk_2 or comment) and here == count)
    place = end - _END_64_PLACE.size
    if place >= 0 and source.read(place, 4) == b"PK\6\7":
        _, disk, end, disks = _END_64_PLACE.unpack(source.read(place, _END_64_PLACE.size))
        _require(0 <= end == place - _END_64.size and not disk and disks == 1)
        numbers = _END_64.unpack(source.read(end, _END_64.size))
        signature, length, _, _, disk, disk_2, here, count, size, start = numbers
        _require(signature == b"PK\6\6" and length == _END_64.size - 12)
        _require(not (disk or disk_2) and here == count)
    # Nothing lies between, so whoever counts from the end finds the same.
    _require(start + size == end and size <= _MOST_ENTRIES)
    data = source.read(start, size)
    entries, position = [], 0
    while position < size:
        fields = _ENTRY.unpack_from(data, position)
        signature, _, _, flags, method, _, _, _, packed, unpacked = fields[:10]
        name_size, extra_size, comment, _, _, _, offset = fields[10:]
        _require(signature == b"PK\1\2")
        position += _ENTRY.size
        name = data[position : position + name_size]
        extra = data[position + name_size : position + name_size + extra_size]
        if unpacked == _IN_EXTRA:
            unpacked = _size_of(extra)
        entries.append(_Entry(name, flags, method, packed, unpacked, offset))
        position += name_size + extra_size + comment
    _require(position == size and len(entries) == count)
    return entries


def _size_of(extra: bytes) -> int:
    """The size that did not fit into the entry of a member: it comes first."""
    position = 0
    while position < len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            return int(struct.unpack_from("<Q", extra, position + 4)[0])
        position += 4 + size
    raise ValueError("no size")


def _open(source: Source, entry: _Entry) -> Source:
    """The content of a member."""
    # Of the flags, one says that the name is UTF-8, and one that the sizes stand behind the member.
    _require(not entry.flags & ~0x0808 and max(entry.packed, entry.offset) < _IN_EXTRA)
    _require(entry.offset + _MEMBER.size <= source.size)
    fields = _MEMBER.unpack(source.read(entry.offset, _MEMBER.size))
    signature, _, flags, method, *_, name_size, extra_size = fields
    start = entry.offset + _MEMBER.size
    _require(signature == b"PK\3\4" and (flags, method) == (entry.flags, entry.method))
    _require(start + name_size + extra_size + entry.packed <= source.size)
    _require(source.read(start, name_size) == entry.name)
    start += name_size + extra_size
    if entry.method == 0:
        _require(entry.packed == entry.size)
        return Section(source, start, entry.size)
    _require(entry.method == 8 and max(entry.packed, entry.size) <= _MOST_UNPACKED)
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    data = unpacker.decompress(source.read(start, entry.packed), entry.size + 1)
    _require(len(data) == entry.size and unpacker.eof)
    return Data(data)


def _require(is_so: bool) -> None:
    if not is_so:
        raise ValueError("not as torch.save does it")
