"""load(): from a file or a path, compressed or not."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from ._implementation import load_file, load_mapped, loads
from .files.compression import decompressed, with_its_start
from .files.writing import FilePath, is_path
from .rules.loading import SupportsRead
from .rules.mapping import LEAST_MAPPED
from .rules.mapping import Mapping as MappedFile
from .rules.tracebacks import drop_frames, make_public

if TYPE_CHECKING:
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
) -> Any:
    """Read an object from a file, as `Unpickler(file, ...).load()`, or from a path.

    Load only what you trust, as a pickle runs what is in it; or with a `policy`.

    Parameters
    ----------
    file
        A file, or a path (str or os.PathLike). An object with a `readline` is a file. The file
        of a path may be compressed with gzip, bzip2, xz or zstd, whatever its name is; then it is
        read to its end, so that the checksum there is looked at.
    fix_imports, encoding, errors, buffers, policy, renames
        Those of `Unpickler`.
    mmap
        Leave large NumPy arrays in the file, of which they become views: they are read where they
        are used. That takes a path, a file that is not compressed, and one that was written with
        protocol 5. What is written to such an array does not get into the file. As long as there
        is one, nobody may change the file in its place. What would happen then:
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
        if mmap and policy is not None:
            raise ValueError("mmap=True does not go with a policy: leave one of them out")
        if not is_path(file, "readline"):
            if mmap:
                raise ValueError("mmap=True takes the path of a file, not an open file")
            return load_file(
                file,
                fix_imports=fix_imports,
                encoding=encoding,
                errors=errors,
                buffers=buffers,
                policy=policy,
                renames=renames,
            )
        options: dict[str, Any] = {
            "fix_imports": fix_imports,
            "encoding": encoding,
            "errors": errors,
            "buffers": buffers,
            "renames": renames,
        }
        path = os.fspath(file)
        # Bytes that are in the buffer already are not left in the file.
        buffering = LEAST_MAPPED // 8 if mmap else -1
        with cast("io.BufferedReader", open(path, "rb", buffering)) as opened:
            try:
                start = with_its_start(opened)
                content = decompressed(start)
                if mmap and _check_mappable(opened, content is not start):
                    obj = load_mapped(MappedFile(opened), **options)
                elif content is start and _is_small(opened):
                    obj = loads(opened.read(), **options, policy=policy)
                else:
                    obj = load_file(content, **options, policy=policy)
                if content is not start:
                    while content.read(1 << 16):
                        pass
            except Exception as error:
                error.add_note(f"while loading {os.fsdecode(path)!r}")
                raise
        return obj
    except BaseException as error:
        drop_frames(error)
        raise


def _check_mappable(file: io.BufferedReader, is_compressed: bool) -> bool:
    """Whether a file that can be mapped is worth it; ValueError if it cannot."""
    if is_compressed:
        raise ValueError(
            "mmap=True takes a file that is not compressed: load it without mmap=True, or dump it "
            "to a path with another ending"
        )
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("mmap=True takes a regular file: load this one without mmap=True")
    return found.st_size >= LEAST_MAPPED


def _is_small(file: io.BufferedReader) -> bool:
    """Whether a file may be held in memory as a whole, from which it is loaded faster."""
    found = os.fstat(file.fileno())
    return stat.S_ISREG(found.st_mode) and found.st_size <= _SMALL


make_public(load)
