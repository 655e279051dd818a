"""load() and loads()."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..rules.loading import SupportsRead, as_bytes
from ..rules.mapping import Mapping as MappedFile
from ..rules.options import check_text
from ..rules.tracebacks import drop_frames, make_public
from .stream import Stream
from .unpickler import open_stream, read_stream, use_options

if TYPE_CHECKING:
    from ..rules.missing import MissingOption
    from ..rules.policy import Policy

_Load = TypeVar("_Load", bound=Callable[..., Any])


def load(
    file: SupportsRead,
    *,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    errors: str = "strict",
    buffers: Iterable[Any] | None = None,
    policy: Policy | None = None,
    renames: Mapping[str, str] | None = None,
    missing: MissingOption = "error",
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
            missing=missing,
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
    missing: MissingOption = "error",
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
            missing=missing,
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
    missing: MissingOption = "error",
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
        use_options(stream, policy, renames, missing)
        return read_stream(stream)
    except BaseException as error:
        drop_frames(error)
        raise


def make_load(load: _Load) -> _Load:
    """The public `load`, which takes paths too; `load` is that of loading.py.

    The compiled implementation makes another one, which takes the files of the io module itself,
    as a call through Python code takes as long as to load one small object.
    """
    return load


make_public(load, loads)
