"""Classes and functions: how their names are written.

Under which module and name they are found is for rules/globals.py to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..format.opcodes import GLOBAL, MARK, REDUCE, STACK_GLOBAL, TUPLE, TUPLE2
from ..rules.globals import Global, encode_extension, encode_names, extension_code, find_global
from ..rules.versions import PY313
from .stream import Stream


def save_global(stream: Stream, obj: Any, name: str | None = None) -> Iterator[Any] | None:
    """Write a class or function by its name; returns what has to be written in between."""
    # Found before the generator begins: what raises StopIteration in one is a RuntimeError.
    found = find_global(obj, name)
    if stream.protocol >= 2:
        code = extension_code(obj, found.module_name, found.full_name)
        if code is not None:
            stream.buffer += encode_extension(code)
            return None  # found again by its code, so it takes no memo entry
    return _save_found(stream, obj, found)


def _save_found(stream: Stream, obj: Any, found: Global) -> Iterator[Any]:
    if stream.protocol >= 4:
        yield found.module_name
        yield found.name
        stream.buffer += STACK_GLOBAL
    elif len(found.path) == 1:
        _write_global(stream, found)
    elif PY313:
        # getattr(getattr(<global>, part), part), of which only the whole is memoized.
        for _ in found.path[1:]:
            yield getattr
            if stream.protocol < 2:
                stream.buffer += MARK
        _write_global(stream, found)
        for part in found.path[1:]:
            yield part
            stream.buffer += (TUPLE if stream.protocol < 2 else TUPLE2) + REDUCE
    else:
        # getattr(<parent>, part), where the parent may be such an expression in its turn.
        yield getattr
        yield found.parent, found.path[-1]
        stream.buffer += REDUCE
    stream.memoize(obj)


def _write_global(stream: Stream, found: Global) -> None:
    module_line, name_line = encode_names(found, stream.protocol, stream.fix_imports)
    stream.buffer += b"%b%b\n%b\n" % (GLOBAL, module_line, name_line)
