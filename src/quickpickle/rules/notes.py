"""The note on an exception of a dump or a load, and its attributes `path` and `offset`.

There is one note, however many dumps and loads around one another the exception passes: its first
line says where the outermost failed, and where the innermost. The lines below it are hints.

This runs in the middle of somebody's failure, so none of the user's code is called.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

from .reductions import ABSENT, find
from .sending import DIGESTING, REPORTING, WRITING

DUMP_HEAD: Final = "pickling failed at "
LOAD_HEAD: Final = "unpickling failed at "
READING: Final = "reading"  # the counterpart of WRITING: it is the file that has failed

_INNER_HEAD: Final = "it failed at "
_INNER: Final = re.compile(r", in whose own (?P<what>dump|load) ")
_HAPPENED: Final = "(?:failed|was interrupted)"
_OF_DUMPS: Final = re.compile(
    f"{DUMP_HEAD}|(?:{WRITING}|{DIGESTING}|{re.escape(REPORTING)}) {_HAPPENED}"
)
_OF_LOADS: Final = re.compile(f"{LOAD_HEAD}|{READING} {_HAPPENED}")

# The types of ImportError.path and SyntaxError.offset; the second is that of PyPy.
_OWN: Final = {
    MemberDescriptorType,
    GetSetDescriptorType if sys.implementation.name == "pypy" else MemberDescriptorType,
}
_get_dict: Final = vars(BaseException)["__dict__"].__get__


def fault_line(error: BaseException, what: str) -> str:
    """The beginning of a note about what is not the object's fault."""
    return f"{what} {'failed' if isinstance(error, Exception) else 'was interrupted'}"


def annotate(error: BaseException, line: str, hint: str | None, **values: object) -> None:
    """Add a note to an exception, or what it says to the note that is there.

    `values` are those of the attributes `path` and `offset`. One that is not given is taken off
    if a dump or a load inside this one has set it.
    """
    attributes = _get_dict(error)
    notes = attributes.get("__notes__")
    if notes is None:
        notes = []
    elif type(notes) is not list:
        return  # whatever it is, it is not ours
    earlier, number = None, 0
    for number, note in enumerate(notes):  # noqa: B007
        if type(note) is str and (_OF_DUMPS.match(note) or _OF_LOADS.match(note)):
            earlier = note
            break
    if earlier is None:
        lines = [line, *([hint] if hint else [])]
    else:
        # Of a dump or load inside this one. Its root is known to nobody here, so the path is ours.
        first, *lines = earlier.split("\n")
        inner = _innermost(first)
        lines = [line + ("" if inner == _innermost(line) else inner), *lines]
    # Past any __setattr__ of the exception's class, which may refuse, or do anything else.
    if earlier is None:
        notes.append("\n".join(lines))
        BaseException.__setattr__(error, "__notes__", notes)
    else:
        notes[number] = "\n".join(lines)
    for name in ("path", "offset"):
        _set(error, attributes, name, values, earlier)


def _set(
    error: BaseException,
    attributes: dict[str, Any],
    name: str,
    values: dict[str, object],
    earlier: str | None,
) -> None:
    own = find(type(error), name)
    held = attributes.get(name) if own is ABSENT else ABSENT
    if type(own) in _OWN:
        with suppress(AttributeError):  # not set
            held = own.__get__(error)
    is_ours = earlier is not None and _says(earlier, name, held)
    if own is not ABSENT:
        if is_ours or held is None:
            own.__set__(error, values.get(name))  # ImportError has one, mostly unused
    elif name not in values:
        if is_ours:
            BaseException.__delattr__(error, name)
    elif held is None or is_ours:
        BaseException.__setattr__(error, name, values[name])


def _says(note: str, name: str, value: Any) -> bool:
    """Whether a note of ours is about this value of an attribute, which is ours then too."""
    if name == "path":
        return type(value) is str and note.startswith((DUMP_HEAD + value, LOAD_HEAD + value))
    return type(value) is int and (f"byte {value:,}" in note or f"after {value:,} bytes" in note)


def _innermost(line: str) -> str:
    """The part of a note's first line about the innermost dump or load, to be added to another."""
    inner = list(_INNER.finditer(line))
    if inner:
        return line[inner[-1].start() :]
    for head, what in ((DUMP_HEAD, "dump"), (LOAD_HEAD, "load")):
        if line.startswith(head):
            return f", in whose own {what} {_INNER_HEAD}{line.removeprefix(head)}"
    what = "load" if _OF_LOADS.match(line) else "dump"
    return f", in whose own {what} {line}"
