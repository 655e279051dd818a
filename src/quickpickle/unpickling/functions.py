"""load() and loads()."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..rules.loading import SupportsRead, as_bytes
from ..rules.mapping import Mapping
from ..rules.options import check_text
from ..rules.tracebacks import drop_frames, make_public
from .loop import read_pickle
from .stream import Stream
from .unpickler import open_stream


def load(
    file: SupportsRead,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
) -> Any:
    """Read an object from a file: `Unpickler(file, ...).load()`."""
    try:
        stream = open_stream(
            "load",
            file,
            fix_imports=fix_imports,
            encoding=encoding,
            errors=errors,
            buffers=buffers,
        )
        return read_pickle(stream)
    except BaseException as error:
        drop_frames(error)
        raise


def load_mapped(
    mapping: Mapping,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
) -> Any:
    """Read an object from a file that is mapped: arrays may stay in it (rules/mapping.py)."""
    try:
        stream = open_stream(
            "load",
            mapping.file,
            fix_imports=fix_imports,
            encoding=encoding,
            errors=errors,
            buffers=buffers,
        )
        stream.mapping = mapping
        return read_pickle(stream)
    except BaseException as error:
        drop_frames(error)
        raise


def loads(
    data: Any,
    /,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
) -> Any:
    """Return the object that a pickle describes.

    `data` is bytes, or another object with a contiguous buffer; what comes after the pickle is
    ignored. The other parameters, and what it raises, are those of `Unpickler` and its `load`.

    Load only what you trust: a pickle runs what is in it.

    >>> loads(b"\\x80\\x02]q\\x00(K\\x01K\\x02e.")
    [1, 2]
    """
    try:
        fixes_imports = bool(fix_imports)
        if encoding != "ASCII" or errors != "strict":
            check_text("loads", "encoding", encoding)
            check_text("loads", "errors", errors)
        stream = Stream(
            as_bytes(data),
            fix_imports=fixes_imports,
            encoding=encoding,
            errors=errors,
            buffers=None if buffers is None else iter(buffers),
        )
        return read_pickle(stream)
    except BaseException as error:
        drop_frames(error)
        raise


make_public(load, loads)
