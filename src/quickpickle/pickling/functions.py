"""dump() and dumps()."""

from __future__ import annotations

import io
from collections.abc import Callable
from pickle import PickleBuffer
from typing import Any

from ..files.compression import Compression
from ..files.writing import FilePath, dump_to_path
from ..optimization import optimize
from ..rules.options import check_buffer_callback, check_protocol
from ..rules.progress import Pace, Report, Reporting
from ..rules.reductions import ABSENT
from ..rules.sending import REPORTING
from ..rules.tracebacks import drop_frames, make_public
from .deterministic import make_order, put_in_order
from .loop import write_pickle
from .memo import Memo
from .notes import add_note, note_path
from .pickler import Pickler, SupportsWrite
from .stream import Stream


def dump(
    obj: Any,
    file: SupportsWrite | FilePath,
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
    deterministic: bool = False,
    compact: bool = False,
    progress: bool | Report | None = None,
    compression: Compression | None = None,
    level: int | None = None,
) -> None:
    """Write the pickle of `obj` to `file`: `Pickler(file, ...).dump(obj)`.

    The parameters, and what it raises, are those of `Pickler` and its `dump`. But `file` may be a
    path (str or os.PathLike) too: then the file of that name has the whole pickle when dump()
    returns, and is as it was if dump() raises an exception or the process dies. An object with a
    `write` is a file, not a path. With fsspec a URL is a path, as "s3://bucket/model.pkl".

    A file whose name ends in .gz, .bz2, .xz or .zst is compressed. `compression` says it in the
    place of the name: "gzip", "bz2", "xz", "zstd" or "none". `level` is how much to compress, in
    the numbers of each compression. Both are for paths.

    With a path it may also raise OSError, where the file cannot be written, and ImportError, where
    the module for the compression is missing. ValueErrors are an unknown compression, a name that
    ends in one, as .zip and .lz4 (if `compression` is None), and a level that the compression does
    not have. See https://example.org/quickpickle/blob/main/docs/files.md.

    >>> dump({"answer": 42}, "model.pkl.gz", level=9)
    """
    try:
        options: dict[str, Any] = {
            "fix_imports": fix_imports,
            "deterministic": deterministic,
            "compact": compact,
            "progress": progress,
        }
        if not dump_to_path(
            file, dump, obj, protocol, buffer_callback, options, compression, level
        ):
            Pickler(file, protocol, buffer_callback=buffer_callback, **options).dump(obj)
    except BaseException as error:
        drop_frames(error)
        raise


def dumps(
    obj: Any,
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
    deterministic: bool = False,
    compact: bool = False,
    progress: bool | Report | None = None,
) -> bytes:
    """Return the pickle of `obj` as bytes.

    The parameters, and what it raises, are those of `Pickler` and its `dump`.

    >>> dumps([1, 2], protocol=2)
    b'\\x80\\x02]q\\x00(K\\x01K\\x02e.'
    """
    try:
        number = check_protocol(protocol)
        if buffer_callback is not None:
            check_buffer_callback(number)
        fixes_imports = bool(fix_imports)
        file = io.BytesIO()
        # Nobody can see here how a Pickler uses its hooks and its memo, so none is made.
        stream = Stream(
            file.write,
            Memo(),
            number,
            fix_imports=number < 3 and fixes_imports,
            buffer_callback=buffer_callback,
            reduction_limit=Pickler.reduction_limit,
        )
        stream.sending = ""
        hooks = ABSENT, ABSENT, ABSENT
        if deterministic:
            put_in_order(stream, make_order(number, buffer_callback), hooks)
        if progress is None:  # `with` would be a tenth of a small dumps()
            write_pickle(stream, obj, *hooks, note_path)
            return optimize(file.getbuffer()) if compact else file.getvalue()
        with Reporting(progress) as report:
            if report is not None:
                stream.pace = Pace(report)
            write_pickle(stream, obj, *hooks, note_path)
            data = optimize(file.getbuffer()) if compact else file.getvalue()
            if report is not None:
                stream.outside = REPORTING
                try:
                    report(stream.objects, len(data))
                except BaseException as error:
                    add_note(stream, error, obj, list)
                    raise
        return data
    except BaseException as error:
        drop_frames(error)
        raise


class _WithHooks(Pickler):
    """Takes a `reducer_override`, as a plain Pickler does not."""


def dumps_with_hooks(
    obj: Any,
    protocol: int | None,
    buffer_callback: Callable[[PickleBuffer], object] | None,
    reducer_override: Callable[[Any], Any],
    dispatch_table: Any,
    deterministic: bool,
    compact: bool,
    progress: bool | Report | None,
) -> bytes:
    """`dumps` with hooks, for quickpickle.cloud; the compiled one makes no Pickler for it."""
    file = io.BytesIO()
    pickler: Any = _WithHooks(
        file,
        protocol,
        buffer_callback=buffer_callback,
        deterministic=deterministic,
        compact=compact,
        progress=progress,
    )
    pickler.reducer_override = reducer_override
    pickler.dispatch_table = dispatch_table
    pickler.dump(obj)
    return file.getvalue()


make_public(dump, dumps)
