"""The contents of a pickle, without loading it: nothing in it is imported and nothing is run."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from .._implementation import find_scanner
from ..files.compression import name_of_compression
from ..format import foreign, table
from ..format import opcodes as op
from ..rules.tracebacks import drops_frames, make_public
from .printable import counted

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from .result import Inspection, Node

__all__ = ["Inspection", "Node", "inspect"]

MAX_OBJECTS = 100_000_000
PURE_SCANNER = "quickpickle.scanning.scan"  # the module of the one in Python


@drops_frames
def inspect(
    file: str | os.PathLike[str] | ReadableBuffer | BinaryIO,
    *,
    progress: Callable[[int], None] | None = None,
    max_objects: int = MAX_OBJECTS,
) -> Inspection:
    """Find out what a pickle is, what it would import, and what takes the space in it.

    Nothing in it is imported or run, so this is safe on a file from a stranger. The contents of
    strings and numbers are not checked, only shown.

    `file` is a path, the bytes themselves, or a file open for reading, read from where it is to
    its end. It must not change as long as the Inspection is in use, which reads names and keys
    from it. `progress` is called with the number of bytes that were read, again and again.
    `max_objects` bounds what a file from a stranger can cost: where there are more, reading ends
    and `error` says so. One takes about 50 bytes, 220 without the compiled implementation; each
    further pickle in the file counts as twenty.

    Returns an Inspection: its figures (`size`, `protocol`, `frames`, `opcodes`, `objects`,
    `depth`, `memo_entries`, `memo_unused`, `buffers`, `persistent_ids`; for each pickle in
    `pickles`), `imports`, `types`, `archive`, `root`, `largest()`, `tree()`, `as_dict()`.

    Of a ZIP file of `torch.save`, the pickle in it is read, and `archive` says so. A ZIP file of
    others, or one that is laid out in another way than `torch.save` does it, is no pickle.

    A compressed file is not decompressed, which could cost anything: pass `gzip.open(path)` and the
    like where that is wanted.

    A file that is cut short, damaged or no pickle at all is not an exception here, as that is
    something to find out: `error` is then a `pickle.UnpicklingError` with the attribute `offset`,
    and the figures are those of all that comes before. Raises OSError if the file cannot be read,
    and TypeError for any other object.

    >>> import pickle
    >>> found = inspect(pickle.dumps({"name": "pickle", "sizes": [1, 2, 3]}))
    >>> found.error, found.objects, found.imports
    (None, 8, [])
    >>> [(node.path, node.type) for node in found.largest(2)]
    [('obj', 'dict'), ("obj['sizes']", 'list')]

    The opcodes are those of the standard library's `pickletools`, what they do is in PEP 307,
    3154 and 574.
    """
    from ..rules.errors import InspectionError
    from ..scanning.read import scan
    from ..scanning.results import Results
    from ..scanning.source import open_source
    from ..scanning.torch_file import find_pickle
    from .result import Inspection

    source, archive = open_source(file), None
    found = find_pickle(source)
    if found is not None:
        source, archive = found
    results = Results(source)
    scanner, malformed = scan(
        find_scanner(),
        source,
        results.is_rebuilder,
        progress or (lambda position: None),
        max_objects,
        results.unite,
    )
    error = None
    if malformed is not None:
        text, is_foreign = _describe(malformed, source, scanner)
        error = InspectionError(malformed.offset, text)
        error.is_foreign = is_foreign
    return Inspection(source, scanner, error, archive)


make_public(inspect)


def __getattr__(name: str) -> object:
    if name in ("Inspection", "Node"):
        from . import result

        return getattr(result, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _describe(malformed: Any, source: Any, scanner: Any) -> tuple[str, bool]:
    """The text of an error, and whether the bytes are something else than a pickle."""
    what = f"{malformed.message}, at offset {malformed.offset:,}"
    start = source.read(0, foreign.LOOKED_AT)
    compression = name_of_compression(start)
    if compression is not None:
        return f"this is no pickle, but compressed with {compression}: decompress it first", True
    # Behind its first opcode a text may look like a pickle, but what has a mark does not.
    text = foreign.recognise_at(
        start, malformed.offset, is_misread=not _ends_early(malformed)
    ) or foreign.recognise_mark(start)
    if start.startswith(b"PK\3\4"):
        if text == foreign.TORCH:
            # torch.load may find another pickle than is found here, so it is not advised.
            return (
                "this is no pickle, but a ZIP archive, and not laid out as one of torch.save: "
                "unpack it, and look at its data.pkl"
            ), True
        if text is None or "zipfile" in text:
            return (
                "this is no pickle, but a ZIP archive: unpack it (that of torch.save has a "
                "data.pkl)"
            ), True
    if text == foreign.OLD_TORCH:
        return f"{what}. {_sentence(text)}", False
    if text == foreign.TAR and malformed.offset > foreign.TAR_BLOCK:
        text = None
    if text is None:
        text = _read_differently(source, malformed.offset)
    if text is not None:
        return f"this is no pickle: {what}. {_sentence(text)}", True
    if not scanner.pickles:
        return f"this is no pickle: {what}", True
    return what + _cut_off(malformed, source, scanner), False


def _ends_early(malformed: Any) -> bool:
    message: str = malformed.message
    return message.startswith("the file ends") or ", the file has " in message


def _sentence(text: str) -> str:
    return text.removesuffix(".")


def _read_differently(source: Any, offset: int) -> str | None:
    """Which function reads a file that begins as a pickle, or what has damaged all of it."""
    from ..scanning.cut_off import LOOKED_AT, went_through_text

    if foreign.is_of_joblib(source.read(0, min(offset, LOOKED_AT))):
        return foreign.JOBLIB
    return foreign.TEXT_MODE if went_through_text(source) else None


def _cut_off(malformed: Any, source: Any, scanner: Any) -> str:
    """How much is missing of a pickle that ends too early."""
    from ..scanning.cut_off import missing_bytes

    if not _ends_early(malformed):
        return ""
    start = scanner.pickles[-table.P_FIELDS]
    if source.read(start, 1) != op.PROTO:
        return ""
    missing = missing_bytes(source, start, malformed.offset)
    if missing is None:
        return ": the pickle is cut off, and how much is missing is not known"
    verb = "is" if missing == 1 else "are"
    return f": the pickle is cut off, and at least {counted(missing, 'byte')} {verb} missing"
