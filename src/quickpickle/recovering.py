"""recover(): what a pickle still holds that is cut off or damaged.

The pickle is loaded. If that fails, it is read up to the opcode at fault without loading it, and
mended there (scanning/repair.py): other opcodes close what is open. The mended pickle is loaded in
its place, by the same loader and under the same policy. If an object fails there, it is left out,
and so on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ._implementation import find_scanner, loads
from .files.compression import decompressed, with_its_start
from .files.urls import open_to_read
from .files.writing import FilePath, is_path
from .format import opcodes as op
from .rules.errors import c_type_name
from .rules.loading import SupportsRead, as_bytes
from .rules.notes import LOAD_HEAD
from .rules.policy import PolicyError
from .rules.renames import make_renames
from .rules.tracebacks import drop_frames, make_public
from .scanning import places, repair

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from .rules.missing import MissingOption
    from .rules.policy import Policy

_PIECE: Final = 1 << 16
_MOST_OBJECTS: Final = 100_000_000
_MOST_LOADS: Final = 20
_STEP: Final = 64  # bytes
_PLACE: Final = re.compile(r"byte (?P<offset>[0-9,]+)")


class Recovered:
    """The result of `recover`.

    Attributes
    ----------
    value
        The object, as far as the pickle has it.
    error
        The exception that `load` raises; None if the pickle is whole.
    path, offset
        Where that is: an expression with `obj` for the object, and the byte of the pickle from
        which on nothing is in `value`. None if the pickle is whole; `path` also where it is not
        known.
    loose
        The parts of objects that could not be made, such as the arguments of a call that failed:
        they have no place in `value`.
    """

    __slots__ = ("error", "loose", "offset", "path", "value")

    def __init__(
        self,
        value: Any,
        error: Exception | None = None,
        *,
        path: str | None = None,
        offset: int | None = None,
        loose: Iterable[Any] = (),
    ) -> None:
        self.value = value
        self.error = error
        self.path = path
        self.offset = offset
        self.loose = list(loose)

    def __repr__(self) -> str:
        what = _describe(self.value)
        if self.error is None:
            return f"<Recovered: whole, {what}>"
        parts = [f"not whole, {what}"]
        if self.loose:
            parts.append(f"{len(self.loose):,} more without a place")
        if self.offset is not None:
            parts.append(f"up to byte {self.offset:,}" + (f" ({self.path})" if self.path else ""))
        return f"<Recovered: {', '.join(parts)}; {c_type_name(type(self.error))}: {self.error}>"


def recover(
    file: SupportsRead | FilePath | ReadableBuffer,
    /,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
    policy: Policy | None = None,
    renames: Mapping[str, str] | None = None,
    missing: MissingOption = "error",
) -> Recovered:
    """Load what a pickle still holds that is cut off or damaged, or names what is not there.

    Returns a `Recovered`: its `value` is the object as far as it could be built, its `error` the
    exception that `load` raises for this pickle, or None if it is whole. So nothing that is not
    whole is returned without an error beside it.

    Load only what you trust, as a pickle runs what is in it; or with a `policy`. Its code may run
    more than once: each further load leaves out what has failed in the one before.

    Parameters
    ----------
    file
        A path or a URL, whose file may be compressed, the bytes themselves, or an open file, which
        is read to its end. One pickle is read, the first. It is held in memory, twice while it is
        mended.
    fix_imports, encoding, errors, buffers, policy, renames, missing
        Those of `load`.

    Raises
    ------
    The errors of `load`, if nothing is left: an empty file, one that is no pickle, or one whose
    outermost object cannot be made and of which nothing was read.

    Example
    -------
    >>> import pickle
    >>> data = pickle.dumps({"name": "trees", "sizes": [10, 20, 30]})
    >>> found = recover(data[:-4])
    >>> found.value
    {'name': 'trees', 'sizes': [10, 20]}
    >>> print(type(found.error).__name__, found.path)
    UnpicklingError obj['sizes']
    """
    try:
        data, fault = read_all(file)
        options: dict[str, Any] = {
            "fix_imports": fix_imports,
            "encoding": encoding,
            "errors": errors,
            "buffers": None if buffers is None else list(buffers),
            "policy": policy,
            "renames": renames,
            "missing": missing,
        }
        try:
            found = Recovered(loads(data, **options), fault)
        except Exception as error:
            offset = _place_of(error)[1]
            if offset is None:  # of the arguments
                raise
            found = _Recovery(data, options, error).run(offset)
            if fault is not None:
                error.__cause__ = fault
        return found
    except BaseException as error:
        drop_frames(error)
        raise


class _Recovery:
    """The loads of a pickle that is mended."""

    def __init__(self, data: bytes, options: dict[str, Any], error: Exception) -> None:
        self.data = data
        self.options = options
        self.error = error  # of the first load
        self.offset = len(data)  # where the pickle is mended
        self.refused: set[int] = set()  # what has failed in the end that it got
        self.sets_aside = True
        self.scanner_class = find_scanner()

    def run(self, failed: int) -> Recovered:
        scanner_class = self.scanner_class
        end, scanner = repair.find_end(scanner_class, self.data, _MOST_OBJECTS)
        self.offset = end
        self._pass(failed)
        renames, policy = self.options["renames"], self.options["policy"]
        mend = partial(
            repair.mend,
            rename=make_renames(renames, None if policy is None else policy.renames),
            fix_imports=bool(self.options["fix_imports"]),
        )
        for _ in range(_MOST_LOADS):
            if scanner is None or self.offset != end:
                scanner = repair.read(scanner_class, self.data, self.offset, _MOST_OBJECTS)
            refused = frozenset(self.refused)
            mended = mend(
                scanner, self.data, self.offset, refused=refused, sets_aside=self.sets_aside
            )
            scanner = None
            if not mended.suffix:
                break
            data = b"".join((self.data[: self.offset], mended.suffix, self.data[self.offset :]))
            try:
                value, loose = loads(data, **self.options)
            except Exception as error:
                offset = _place_of(error)[1]
                if offset is None or not self._learn(error, offset, mended):
                    break
            else:
                path = self._find_path(data, mended)
                return Recovered(value, self.error, path=path, offset=self.offset, loose=loose)
        raise self.error

    def _pass(self, failed: int) -> None:
        """Stop before an opcode that has failed; a frame that is cut off is none any more."""
        data = self.data
        size = data[failed + 1 : failed + 9]
        if data[failed : failed + 1] == op.FRAME and failed + 9 <= self.offset and any(size):
            self.data = data[: failed + 1] + bytes(8) + data[failed + 9 :]
            return
        self.offset = min(self.offset, failed)

    def _learn(self, error: Exception, offset: int, mended: repair.Mended) -> bool:
        """Note what the next load does another way; return False if nothing is left to be tried."""
        if offset < self.offset:
            self._pass(offset)
            return True
        key = dict(mended.keys).get(offset - self.offset)
        if key is not None and key not in self.refused:
            self.refused.add(key)
        elif isinstance(error, PolicyError) and mended.oldest is not None:
            # The policy lets no load end with an instance that has no state.
            self.offset = mended.oldest
        elif self.sets_aside:
            self.sets_aside = False
        elif isinstance(error, PolicyError) and self.offset > _STEP:
            # It has no room for the opcodes of the end, some of which count.
            data = self.data[: self.offset - _STEP]
            self.offset = repair.find_end(self.scanner_class, data, _MOST_OBJECTS)[0]
        else:
            return False
        return True

    def _find_path(self, data: bytes, mended: repair.Mended) -> str | None:
        """The path of the error; or if that is elsewhere, of the container that is not whole."""
        path, offset = _place_of(self.error)
        if offset == self.offset:
            return path
        if not mended.keys:
            return None
        path = places.path_in_data(self.scanner_class, data, self.offset + mended.keys[0][0])
        if path is None or not path.startswith("obj[0]"):  # the object is the first of two
            return None
        return f"obj{path.removeprefix('obj[0]')}"


def _place_of(error: Exception) -> tuple[str | None, int | None]:
    """The path and the offset of an exception of a load; None where they are not known.

    They are in its note, as its attributes of these names may be its own.
    """
    if isinstance(error, PolicyError):
        return error.path, error.offset
    for note in getattr(error, "__notes__", ()):
        if type(note) is not str or not note.startswith(LOAD_HEAD):
            continue
        line = note.removeprefix(LOAD_HEAD).partition("\n")[0]
        path = getattr(error, "path", None)
        if type(path) is not str or not line.startswith(f"{path} (byte "):
            path = line.partition(" (byte ")[0] if not line.startswith("byte ") else None
        found = _PLACE.search(line, 0 if path is None else len(path))
        if found is not None:
            return path, int(found["offset"].replace(",", ""))
    return None, None


def read_all(file: Any) -> tuple[bytes, Exception | None]:
    """The bytes of a file, and the exception that ended them if it is compressed and damaged."""
    if hasattr(file, "readline"):
        # A compressed file gives what it has by read1(), and by read() all or nothing.
        return _read_pieces(getattr(file, "read1", None) or file.read)
    if not is_path(file, "readline"):
        return as_bytes(file), None
    with open_to_read(os.fspath(file)) as opened:
        start = with_its_start(opened)
        content: Any = decompressed(start)
        if content is start:
            return start.read(), None
        return _read_pieces(content.read1)


def _read_pieces(read: Callable[[int], Any]) -> tuple[bytes, Exception | None]:
    pieces: list[bytes] = []
    try:
        while piece := as_bytes(read(_PIECE)):
            pieces.append(piece)
    except Exception as error:  # of zlib, lzma and others, each has its own
        if not pieces:
            raise
        return b"".join(pieces), error
    return b"".join(pieces), None


def _describe(value: Any) -> str:
    """A few words, without any code of the object's class."""
    name = c_type_name(type(value))
    if type(value) in (list, tuple, set, frozenset, dict):
        return f"{name} of {len(value):,}"
    return name


make_public(Recovered, recover)
