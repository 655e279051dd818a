"""load() and load_all(): from a file or a path, compressed or not."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ._implementation import load_file, load_mapped, loads, make_load
from .files.compression import decompressed, with_its_start
from .files.urls import open_to_read
from .files.writing import FilePath, is_path
from .rules.loading import SupportsRead, as_bytes, size_of_file
from .rules.mapping import LEAST_MAPPED
from .rules.mapping import Mapping as MappedFile
from .rules.tracebacks import drop_frames, make_public

if TYPE_CHECKING:
    from .rules.missing import MissingOption
    from .rules.policy import Policy

_SMALL: Final = 16 << 20  # bytes


def load(
    file: SupportsRead | FilePath,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
    mmap: bool = False,
    policy: Policy | None = None,
    renames: Mapping[str, str] | None = None,
    missing: MissingOption = "error",
) -> Any:
    """Read an object from a file, as `Unpickler(file, ...).load()`, or from a path.

    Load only what you trust, as a pickle runs what is in it; or with a `policy`.

    Parameters
    ----------
    file
        A file, a path (str or os.PathLike), or with fsspec a URL, as "s3://bucket/model.pkl": one
        of a stranger names his pickle. An object with a `readline` is a file. The file
        of a path may be compressed with gzip, bzip2, xz or zstd, whatever its name is; then it is
        read to its end, so that the checksum there is looked at.
    fix_imports, encoding, errors, buffers, policy, renames, missing
        Those of `Unpickler`.
    mmap
        Leave large NumPy arrays in the file, of which they become views: they are read where they
        are used. That takes a path, a file that is not compressed, and one that was written with
        protocol 5. Changes of such an array do not get into the file. As long as there is one,
        nobody may change the file in its place. The consequences of such a change:
        https://example.org/quickpickle/blob/main/docs/files.md

    Raises
    ------
    ValueError
        With `mmap=True`: an open file, a compressed one, or one that is not regular; or a policy.
    OSError
        The file cannot be opened or read; or what is compressed in it is damaged (with xz and
        zstd an LZMAError or a ZstdError).
    EOFError
        It ends too early. As with every Exception from a path, a note names the path.
    ImportError
        It is compressed, and the module for that is missing.

    And whatever `Unpickler` and its `load` raise.

    Example
    -------
    >>> import quickpickle as pickle
    >>> pickle.dump({"answer": 42}, "model.pkl.gz")
    >>> pickle.load("model.pkl.gz")
    {'answer': 42}

    Source: https://docs.python.org/3/library/pickle.html#pickle.load
    """
    try:
        if mmap:
            _check_mmap(file, policy)
        if not is_path(file, "readline"):
            return load_file(
                file,
                fix_imports=fix_imports,
                encoding=encoding,
                errors=errors,
                buffers=buffers,
                policy=policy,
                renames=renames,
                missing=missing,
            )
        options: dict[str, Any] = {
            "fix_imports": fix_imports,
            "encoding": encoding,
            "errors": errors,
            "buffers": buffers,
            "renames": renames,
            "missing": missing,
        }
        path = os.fspath(file)
        # Bytes that are in the buffer already are not left in the file.
        buffering = LEAST_MAPPED // 8 if mmap else -1
        with open_to_read(path, buffering) as opened:
            try:
                start = with_its_start(opened)
                content = decompressed(start)
                if mmap and _check_mappable(opened, content is not start):
                    obj = load_mapped(MappedFile(opened), **options)
                elif content is start and _is_small(opened):
                    obj = loads(start.read(), **options, policy=policy)
                else:
                    obj = load_file(content, **options, policy=policy)
                if content is not start:
                    _read_to_end(content)
            except Exception as error:
                error.add_note(f"while loading {os.fsdecode(path)!r}")
                raise
        return obj
    except BaseException as error:
        drop_frames(error)
        raise


def _read_to_end(content: Any) -> None:
    """Read what is behind the pickle in a compressed file, at whose end its checksum is."""
    try:
        while content.read(1 << 16):
            pass
    except Exception as error:  # of zlib, lzma and others, each has its own
        tell = _tell_of(content)
        _note_reading(error, None if tell is None else tell())
        raise


def _note_reading(error: Exception, consumed: int | None) -> None:
    from .scanning.faults import note_reading

    note_reading(error, consumed)


def _check_mmap(file: object, policy: Policy | None) -> None:
    if policy is not None:
        raise ValueError("mmap=True does not go with a policy: leave one of them out")
    if not is_path(file, "readline"):
        raise ValueError("mmap=True takes the path of a file, not an open file")


def _check_mappable(file: io.BufferedReader, is_compressed: bool) -> bool:
    """Whether a file that can be mapped is worth it; ValueError if it cannot."""
    if is_compressed:
        raise ValueError(
            "mmap=True takes a file that is not compressed: load it without mmap=True, or dump it "
            "to a path with another ending"
        )
    size = size_of_file(file)
    if size is None:
        raise ValueError("mmap=True takes a regular file: load this one without mmap=True")
    return size >= LEAST_MAPPED


def _is_small(file: io.BufferedReader) -> bool:
    """Whether a file may be held in memory as a whole, from which it is loaded faster."""
    size = size_of_file(file)
    return size is not None and size <= _SMALL


def load_all(
    file: SupportsRead | FilePath,
    /,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
    mmap: bool = False,
    policy: Policy | None = None,
    renames: Mapping[str, str] | None = None,
    missing: MissingOption = "error",
) -> Iterator[Any]:
    """Iterate over the objects of all pickles in a file, which stand one after another.

    Each `next()` reads one pickle, as `load` does. The iteration ends where the file ends between
    two pickles, and at the first exception. A path is opened by the first `next()`, and closed at
    the end, or when the iterator is closed or dropped. A file stays open, and its position is
    behind the last pickle that was read.

    Load only what you trust, as a pickle runs what is in it; or with a `policy`.

    Parameters
    ----------
    file, fix_imports, encoding, errors, mmap, renames, missing
        Those of `load`. Each pickle has a memo of its own: for what one Pickler has written with
        several calls of `dump`, use one `Unpickler`.
    buffers
        The buffers of all pickles, in their order.
    policy
        Its limits are those of each pickle, not of all together.

    Raises
    ------
    The errors of `load`, also where the file ends in the middle of a pickle. `error.offset` is
    counted from where that pickle began. A note says which one it is, counted from 0, and where in
    the file it began, if that is known.

    Example
    -------
    >>> import quickpickle as pickle
    >>> with open("events.pkl", "wb") as file:
    ...     for event in ("start", "stop"):
    ...         pickle.dump(event, file)
    >>> list(pickle.load_all("events.pkl"))
    ['start', 'stop']
    """
    try:
        if mmap:
            _check_mmap(file, policy)
        options: dict[str, Any] = {
            "fix_imports": fix_imports,
            "encoding": encoding,
            "errors": errors,
            "buffers": None if buffers is None else iter(buffers),
            "renames": renames,
            "missing": missing,
        }
        if is_path(file, "readline"):
            return _all_of_path(os.fspath(file), mmap, options, policy)
        return _all_of_file(file, partial(load_file, **options, policy=policy))
    except BaseException as error:
        drop_frames(error)
        raise


def _all_of_path(
    path: str | bytes, mmap: bool, options: dict[str, Any], policy: Policy | None
) -> Iterator[Any]:
    of = f" of {os.fsdecode(path)!r}"
    try:
        with open_to_read(path) as opened:
            load_one: Callable[[Any], Any] = partial(load_file, **options, policy=policy)
            try:
                start = with_its_start(opened)
                content = decompressed(start)
                if mmap and _check_mappable(opened, content is not start):
                    load_one = partial(_load_mapped, **options)
            except Exception as error:
                error.add_note(f"while loading pickle number 0{of}")
                raise
            yield from _each(content, of, load_one)
    except BaseException as error:
        drop_frames(error)
        raise


def _all_of_file(file: Any, load_one: Callable[[Any], Any]) -> Iterator[Any]:
    try:
        yield from _each(file, "", load_one)
    except BaseException as error:
        drop_frames(error)
        raise


def _load_mapped(file: Any, **options: Any) -> Any:
    return load_mapped(MappedFile(file), **options)


def _each(file: Any, of: str, load_one: Callable[[Any], Any]) -> Iterator[Any]:
    """The objects of a file one after the other; `of` is what notes say of the file."""
    number, tell = 0, _tell_of(file)
    while True:
        position, is_between = None, True
        try:
            position = None if tell is None else tell()
            rest = _rest(file, position)
            if rest is None:
                return
            is_between = False
            obj = load_one(rest)
        except Exception as error:
            if is_between:
                _note_reading(error, 0)
            where = "" if position is None else f", from byte {position:,} on"
            error.add_note(f"while loading pickle number {number}{of}{where}")
            raise
        yield obj
        obj = None  # nobody needs it while the next one is read
        number += 1


def _tell_of(file: Any) -> Callable[[], int] | None:
    """The method of a file that says where it is; None for one that cannot seek."""
    try:
        if file.seekable() is True and type(file.tell()) is int:
            found: Callable[[], int] = file.tell
            return found
    except Exception:  # the file's own code: it need not have these methods
        pass
    return None


def _rest(file: Any, position: int | None) -> Any:
    """The file, if there is another byte in it; else None.

    A file that cannot show the byte is given back with the byte before it.
    """
    peek = getattr(file, "peek", None)
    if peek is not None:
        try:
            return file if len(peek(1)) else None
        except NotImplementedError:
            pass
    if not hasattr(file, "read") or not hasattr(file, "readline"):
        return file  # load() says what is missing
    first = file.read(1)
    if position is not None:
        file.seek(position)
        # Where `first` is no bytes, load() raises the error, which says what to do.
        return file if first or type(first) is not bytes else None
    return _Begun(file, as_bytes(first)) if first else None


class _Begun:
    """The rest of a file, of which the first byte is read already."""

    def __init__(self, file: Any, first: bytes) -> None:
        self._file = file
        self._first = first

    def read(self, count: int) -> Any:
        first, self._first = self._first[:count], self._first[count:]
        rest = self._file.read(count - len(first))
        return first + as_bytes(rest) if first else rest

    def readline(self) -> Any:
        first, self._first = self._first, b""
        return first if first == b"\n" else first + as_bytes(self._file.readline())


make_public(load, load_all)
if not TYPE_CHECKING:
    load = make_load(load)
