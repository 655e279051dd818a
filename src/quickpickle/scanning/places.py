"""Where in the object something is that an opcode makes or changes: (pickle, offset) -> path.

It is asked after a load has failed, so a load that succeeds pays nothing for it. The pickle is read
once more, by the scanner of `inspect`, as far as that is needed: what the opcode makes has its
place when the opcodes behind it have put it there. Nothing is imported or called.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from ..format import table
from ..format.decode import walk
from ..rules.errors import InspectionError
from .labels import Labels
from .read import find_line_end
from .results import is_rebuilder
from .source import Data, Part, Source

MOST_OBJECTS: Final = 300_000  # of a pickle that is read once more, with all behind the opcode
_MOST_PIECES: Final = 16  # of a megabyte, that are read behind the last opcode
_FARTHEST: Final = 1 << 28  # bytes behind it, payloads included
_CHANGES: Final = {
    table.APPEND,
    table.APPENDS,
    table.ADDITEMS,
    table.SETITEM,
    table.SETITEMS,
    table.BUILD,
}
_MOST_WALKED: Final = 1 << 22  # bytes that are looked through for the beginning of an opcode


_Target = tuple[int, int, int]  # see _target


class Found(NamedTuple):
    """The known facts about an opcode."""

    offset: int
    path: str | None = None
    names: tuple[str, str] | None = None  # the module and name of what it is about
    code: int = -1  # -1 where its first byte is not known


def path_in_data(scanner_class: Any, data: Any, offset: int) -> str | None:
    """The path of what the opcode at an offset of a pickle makes or changes; None for unknown.

    >>> from .scan import Scanner
    >>> path_in_data(Scanner, b"]K\\x07a.", 1), path_in_data(Scanner, b"]K\\x07a.", 3)
    ('obj[0]', 'obj')
    """
    return paths_in_data(scanner_class, data, [offset])[0]


def paths_in_data(scanner_class: Any, data: Any, offsets: Sequence[int]) -> list[str | None]:
    """The same for several opcodes, whose offsets are in order."""
    try:
        return _find_paths(scanner_class, Data(data), offsets)
    except MemoryError:  # there is still the error of the load
        return [None] * len(offsets)


def path_in_file(scanner_class: Any, read: Any, consumed: int, offset: int) -> str | None:
    """The same of a file, whose `read` has given so many bytes of the pickle by now."""
    return paths_in_file(scanner_class, read, consumed, [offset])[0]


def paths_in_file(
    scanner_class: Any, read: Any, consumed: int, offsets: Sequence[int]
) -> list[str | None]:
    """The same for several opcodes. The file has to say that it can seek; its position stays."""
    unknown: list[str | None] = [None] * len(offsets)
    file = getattr(read, "__self__", None)
    try:
        if file is None or file.seekable() is not True:
            return unknown
        position = file.tell()
        if position < consumed:
            return unknown
        try:
            return _find_paths(scanner_class, Part(file, position - consumed), offsets)
        finally:
            file.seek(position)
    except Exception:  # the file's own code, which must not hide the error of the load
        return unknown


def locate(scanner_class: Any, source: Source, known: int, reached: int, is_between: bool) -> Found:
    """The opcode that was being read when so many bytes of a pickle had been taken.

    `known` is the offset of this or an earlier opcode. With `is_between` none had begun.
    """
    if not reached:
        return Found(0)
    # The last payload may be cut off, and has its place all the same.
    scanner = scanner_class(Part.size, partial(is_rebuilder, source), False, MOST_OBJECTS)
    # It has the last of the bytes, so without that byte it is not whole.
    end = reached if is_between else reached - 1
    try:
        offset = position = read_to(scanner, source, 0, end)
        if position > end:  # payloads are not looked at, but their opcode is the last that was
            offset = int(scanner.offset[len(scanner.kind) - 1])
    except InspectionError as error:
        found = Found(reached) if is_between else find_opcode(source, known, reached)
        if error.offset != found.offset:  # too many objects, or another pickle's memo
            return found
        offset = position = error.offset
    first = b"" if is_between else source.read(offset, 1)
    code = first[0] if first else -1
    target = _target(scanner, offset, code)
    scanner.abandon(_read_behind(scanner, source, position))
    scanner.finish()
    labels = Labels(source, scanner, is_first=True)
    return Found(offset, _path(labels, target), _names(labels, target, code), code)


def find_opcode(source: Source, known: int, reached: int) -> Found:
    """The same without the path: the opcodes are only counted, from a known one on."""
    if not 0 <= reached - known <= _MOST_WALKED:
        return Found(reached - 1)
    data = source.read(known, reached - known)
    offset = end = 0
    for _, offset, end in walk(data):  # noqa: B007
        pass
    if end < len(data):
        offset = end
    return Found(known + offset, code=data[offset] if data else -1)


def _find_paths(scanner_class: Any, source: Source, offsets: Sequence[int]) -> list[str | None]:
    scanner = scanner_class(source.size, partial(is_rebuilder, source), False, MOST_OBJECTS)
    targets = _read(scanner, source, list(offsets))
    scanner.finish()
    labels = Labels(source, scanner, is_first=True)
    return [_path(labels, target) for target in targets]


def _read(scanner: Any, source: Source, offsets: list[int]) -> list[_Target | None]:
    """The target of each opcode."""
    targets: list[_Target | None] = [None] * len(offsets)
    position = 0
    try:
        for i, offset in enumerate(offsets):
            position = read_to(scanner, source, position, offset)
            if position != offset or scanner.pickles:
                break
            targets[i] = _target(scanner, offset, source.read(offset, 1)[0])
        else:
            position = _read_behind(scanner, source, position)
    except InspectionError as error:
        position = error.offset
    scanner.abandon(position)
    return targets


def _target(scanner: Any, offset: int, code: int) -> _Target:
    """An opcode's offset, and a node with the offset of that, if it makes none itself."""
    node = scanner.target(table.ACTION_OF[code] if code >= 0 else table.UNKNOWN)
    return offset, node, 0 if node == table.NOTHING else int(scanner.offset[node])


def _read_behind(scanner: Any, source: Source, position: int) -> int:
    """Read what puts the last object into another one; returns how far it came."""
    last = position
    try:
        for _ in range(_MOST_PIECES):
            if scanner.pickles or position - last > _FARTHEST:
                break
            reached = _feed(scanner, source, position, source.size)
            if reached == position:
                break
            position = reached
    except InspectionError as error:
        position = error.offset
    return position


def read_to(scanner: Any, source: Source, position: int, offset: int) -> int:
    """Have all opcodes before this one read; returns how far it came."""
    while position < offset:
        reached = _feed(scanner, source, position, offset)
        if reached == position:
            break
        position = reached
    return position


def _feed(scanner: Any, source: Source, position: int, end: int) -> int:
    piece = source.piece(position)
    is_cut = len(piece) > end - position
    piece = piece[: end - position]
    reached = scanner.feed(piece, position)
    if reached == position and len(piece) and not is_cut and position + len(piece) < source.size:
        scanner.line_end = find_line_end(source, position)
        reached = scanner.feed(piece, position)
    return int(reached)


def _path(labels: Labels, target: _Target | None) -> str | None:
    if target is None:
        return None
    offset, node, found = target
    scanner = labels.scanner
    made = _last_at(scanner, offset)
    if made is not None:
        node = made_of(scanner, made)
    elif node >= len(scanner.kind) or scanner.offset[node] != found:
        return None  # one of a long row of numbers, which have no nodes
    (start, *_), _ = scanner.way(node, 0)
    return labels.path(node) if scanner.role[start] == table.ROOT else None


def _names(labels: Labels, target: _Target | None, code: int) -> tuple[str, str] | None:
    """The module and name of what an opcode calls, looks up or changes."""
    if target is None:
        return None
    offset, node, found = target
    scanner = labels.scanner
    made = _last_at(scanner, offset)
    if made is not None:
        node = made
    elif (
        table.ACTION_OF[code] not in _CHANGES
        or node >= len(scanner.kind)
        or scanner.offset[node] != found
    ):
        return None
    number = scanner.type[node]
    if number == table.NOTHING or scanner.kind[node] not in (table.GLOBAL, table.OBJECT):
        return None
    return labels.names_of(number)


def _last_at(scanner: Any, offset: int) -> int | None:
    """The node that an opcode has made."""
    low, high = 1, len(scanner.kind)
    while low < high:
        middle = (low + high) // 2
        if scanner.offset[middle] <= offset:
            low = middle + 1
        else:
            high = middle
    node = low - 1
    is_object = scanner.role[node] not in (table.NUMBERED, table.REST)
    return node if node and is_object and scanner.offset[node] == offset else None


def made_of(scanner: Any, node: int) -> int:
    """In the place of a name: the object whose type it is, as that is what would have been made."""
    if scanner.kind[node] != table.GLOBAL:
        return node
    above = node
    for _ in range(2):  # also from the arguments of what rebuilds objects
        above = scanner.parent[above]
        if above == table.NOTHING:
            break
        if scanner.kind[above] == table.OBJECT and scanner.type[above] == scanner.type[node]:
            return int(above)
    return node
