"""load() and loads()."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..rules.loading import SupportsRead, as_bytes
from ..rules.mapping import Mapping as MappedFile
from ..rules.options import check_text
from ..rules.tracebacks import drop_frames, make_public
from .stream import Stream
from .unpickler import new_guard, new_renames, open_stream, read_stream

if TYPE_CHECKING:
    from ..rules.policy import Policy


def load(
    file: SupportsRead,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
    policy: Policy | None = None,
    renames: Mapping[str, str] | None = None,
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
            policy=policy,
            renames=renames,
        )
        return read_stream(stream)
    except BaseException as error:
        drop_frames(error)
        raise


def load_mapped(
    mapping: MappedFile,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
    renames: Mapping[str, str] | None = None,
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
            renames=renames,
        )
        stream.mapping = mapping
        return read_stream(stream)
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
    policy: Policy | None = None,
    renames: Mapping[str, str] | None = None,
) -> Any:
    """Return the object that a pickle describes.

    `data` is bytes, or another object with a contiguous buffer; what comes after the pickle is
    ignored. The other parameters, and what it raises, are those of `Unpickler` and its `load`.

    Load only what you trust, as a pickle runs what is in it; or with a `policy`.

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
        if policy is not None:
            stream.guard = stream.objects = new_guard(policy)
        if renames is not None or policy is not None:
            stream.renames = new_renames(renames, policy)
        return read_stream(stream)
    except BaseException as error:
        drop_frames(error)
        raise


make_public(load, loads)
