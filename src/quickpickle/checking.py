"""Policy.check: what a policy would refuse in a pickle, found without loading it.

The loop of the pure Unpickler runs over the pickle, with a Checker (rules/policy_check.py) as its
Guard.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ._implementation import find_scanner
from .files.compression import decompressed, with_its_start
from .files.urls import open_to_read
from .files.writing import is_path
from .rules.loading import as_bytes
from .rules.options import check_text
from .rules.policy import Policy, PolicyError
from .rules.policy_check import Checker
from .rules.renames import Renames, make_renames
from .unpickling.guarded import find_paths, read_guarded
from .unpickling.stream import Stream
from .unpickling.unpickler import open_stream


def check(
    policy: Policy,
    file: Any,
    *,
    fix_imports: bool,
    encoding: str,
    errors: str,
    buffers: Iterable[Any] | None,
    renames: Mapping[str, str] | None,
) -> list[PolicyError]:
    """See Policy.check."""
    names = make_renames(renames, policy.renames)
    options: dict[str, Any] = {
        "fix_imports": fix_imports,
        "encoding": encoding,
        "errors": errors,
        "buffers": buffers,
    }
    if hasattr(file, "readline"):
        return _check(policy, open_stream("check", file, **options), names)
    if not is_path(file, "readline"):
        return _check(policy, _stream_of(file, **options), names)
    path = os.fspath(file)
    with open_to_read(path) as opened:
        try:
            start = with_its_start(opened)
            content = decompressed(start)
            found = _check(policy, open_stream("check", content, **options), names)
            if content is not start and not found:
                while content.read(1 << 16):
                    pass
        except Exception as error:
            error.add_note(f"while checking {os.fsdecode(path)!r}")
            raise
    return found


def _stream_of(
    data: Any, *, fix_imports: bool, encoding: str, errors: str, buffers: Iterable[Any] | None
) -> Stream:
    check_text("check", "encoding", encoding)
    check_text("check", "errors", errors)
    return Stream(
        as_bytes(data),
        fix_imports=bool(fix_imports),
        encoding=encoding,
        errors=errors,
        buffers=None if buffers is None else iter(buffers),
    )


def _check(policy: Policy, stream: Stream, renames: Renames | None) -> list[PolicyError]:
    checker = Checker(policy)
    stream.guard = stream.objects = checker
    stream.renames = renames
    found = checker.violations
    begin = stream.base + stream.pos
    try:
        read_guarded(stream)
    except PolicyError:  # one that ends it
        pass
    except Exception as error:
        if not found:
            raise
        # A load would have ended before it. It may be a consequence of what was left out.
        found[-1].add_note(f"what comes behind it was not checked: {type(error).__name__}: {error}")
    for violation in found:
        violation.__traceback__ = violation.__context__ = None
    if found:
        offsets = [violation.offset or 0 for violation in found]
        paths = find_paths(find_scanner(), stream, begin, offsets)
        for violation, path in zip(found, paths, strict=True):
            violation.path = path
    return found
