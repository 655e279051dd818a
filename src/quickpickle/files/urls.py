"""Files by their URL, as `s3://bucket/model.pkl`: fsspec opens them, in whatever store they are."""

from __future__ import annotations

import io
import os
import re
from importlib import import_module
from typing import Any, Final, cast

# fsspec chains names: simplecache::s3://bucket/model.pkl
_URL: Final = re.compile(r"[a-z][\w+.-]*(::[a-z][\w+.-]*)*://", re.ASCII | re.IGNORECASE)


def is_url(path: object) -> bool:
    """Whether a path is a URL: not where there is a directory of that name on this machine.

    >>> is_url("s3://bucket/model.pkl"), is_url("folder/model.pkl")
    (True, False)
    """
    if not isinstance(path, str) or _URL.match(path) is None:
        return False
    return not os.path.isdir(os.path.dirname(path))


def find_store(url: str) -> tuple[Any, str]:
    """The file system of fsspec, or None for a file of this machine, and the path in it.

    Raises ImportError where fsspec, or what it needs for this URL, is missing.
    """
    try:
        core: Any = import_module("fsspec.core")
    except ModuleNotFoundError as error:
        if error.name not in ("fsspec", "fsspec.core"):
            raise
        raise ModuleNotFoundError(
            f"to read and write URLs takes the package fsspec: pip install fsspec ({url!r})",
            name="fsspec",
        ) from None
    # A new one: others may be in use by other threads, and know what was in a directory before.
    store, path = core.url_to_fs(url, skip_instance_cache=True)
    is_local = "file" in ((store.protocol,) if isinstance(store.protocol, str) else store.protocol)
    return (None if is_local else store), path


def open_to_read(path: str | bytes, buffering: int = -1) -> io.BufferedReader:
    """Open a path or a URL."""
    if is_url(path):
        store, path = find_store(cast("str", path))
        if store is not None:
            return io.BufferedReader(store.open(path, "rb"))
    return cast("io.BufferedReader", open(path, "rb", buffering))
