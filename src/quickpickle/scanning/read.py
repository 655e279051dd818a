"""Reads a source to its end with one of the two scanners, a piece after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..format import table
from ..format.decode import ARGUMENT_OF, TWO_LINES
from ..rules.errors import InspectionError
from .source import Source

Progress = Callable[[int], None]


def scan(
    scanner_class: Any,
    source: Source,
    is_rebuilder: Callable[[Any, int], bool],
    progress: Progress,
    max_objects: int,
    settle: Callable[[Any], None] = lambda scanner: None,
) -> tuple[Any, InspectionError | None]:
    """The scanner, finished, and what is wrong with the file.

    `settle` is called with it before the sums are made.

    Each pickle has a memo of its own, as for `pickle.load`. Where a reference needs that of the
    pickle before, they are read as by one Unpickler, whichever way leads further.
    """
    scanner, error = _scan(scanner_class, source, is_rebuilder, progress, False, max_objects)
    if error is not None and scanner.unknown_reference and len(scanner.pickles) > table.P_FIELDS:
        other, other_error = _scan(scanner_class, source, is_rebuilder, progress, True, max_objects)
        if other_error is None or other_error.offset > error.offset:
            scanner, error = other, other_error
    settle(scanner)
    scanner.finish()
    return scanner, error


def _scan(
    scanner_class: Any,
    source: Source,
    is_rebuilder: Callable[[Any, int], bool],
    progress: Progress,
    shared: bool,
    max_objects: int,
) -> tuple[Any, InspectionError | None]:
    scanner = scanner_class(source.size, is_rebuilder, shared, max_objects)
    position = 0
    try:
        if not source.size:
            raise InspectionError(0, "there is nothing in it")
        while position < source.size:
            reached = scanner.feed(source.piece(position), position)
            if reached == position:
                scanner.line_end = find_line_end(source, position)
            position = reached
            progress(min(position, source.size))
        if scanner.is_open:
            raise InspectionError(source.size, "the file ends before STOP")
    except InspectionError as error:
        scanner.abandon(error.offset)
        return scanner, error.with_traceback(None)  # which would keep the tree alive
    return scanner, None


def find_line_end(source: Source, position: int) -> int:
    """Where the line ends that is longer than a piece; it is searched, not kept."""
    code = source.read(position, 1)[0]
    name = table.OPCODE_NAMES[code]
    if ARGUMENT_OF[code] == TWO_LINES:
        raise InspectionError(position, f"{name} has a name that is too long")
    offset = position
    while piece := bytes(source.piece(offset)):
        found = piece.find(b"\n")
        if found >= 0:
            return offset + found + 1
        offset += len(piece)
    raise InspectionError(position, f"the file ends in the middle of {name}")
