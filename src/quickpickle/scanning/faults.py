"""The note on an exception that ends a load: where in the object, and at which opcode.

A load that succeeds pays nothing for it. A load that has failed knows how many bytes it has taken,
and the pickle is read once more (places.py). Where that cannot be done, the bytes that are still at
hand tell less: the opcode, without the path.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pickle import UnpicklingError
from typing import Any, Final, NamedTuple

from ..format import foreign
from ..format import opcodes as op
from ..format.decode import ARGUMENT_OF, LINE, TWO_LINES
from ..format.table import OPCODE_NAMES
from ..rules.load_facts import Facts, message_of
from ..rules.loading_hints import find_load_hint, find_read_hint
from ..rules.notation import printable
from ..rules.notes import LOAD_HEAD, READING, annotate, fault_line
from ..rules.policy import PolicyError
from ..rules.renames import Renames
from .cut_off import LOOKED_AT, MOST_MISSING, end_of_opcode, went_through_text
from .places import Found, find_opcode, locate
from .source import Data, Part, Section, Source

# The end of a line about an opcode, with the name of the class or function that it is about.
_ACTIONS: Final = {
    "GLOBAL": "looking up {}",
    "STACK_GLOBAL": "looking up {}",
    "EXT1": "looking up {}",
    "EXT2": "looking up {}",
    "EXT4": "looking up {}",
    "REDUCE": "calling {}",
    "OBJ": "calling {}",
    "INST": "calling {}",
    "NEWOBJ": "calling {}.__new__",
    "NEWOBJ_EX": "calling {}.__new__",
    "BUILD": "setting the state of {}",
    "APPEND": "appending to {}",
    "APPENDS": "appending to {}",
    "ADDITEMS": "adding to {}",
    "SETITEM": "setting items of {}",
    "SETITEMS": "setting items of {}",
    "DICT": "making {}",
    "FROZENSET": "making {}",
}
_BUILTIN: Final = {
    "APPEND": "a list",
    "APPENDS": "a list",
    "ADDITEMS": "a set",
    "SETITEM": "a dict",
    "SETITEMS": "a dict",
    "DICT": "a dict",
    "FROZENSET": "a frozenset",
    "EXT1": "an extension code",
    "EXT2": "an extension code",
    "EXT4": "an extension code",
}
_EXTENSIONS: Final = ("EXT1", "EXT2", "EXT4")  # their names are in the registry
_OTHER_ACTIONS: Final = {
    "PERSID": "loading a persistent id",
    "BINPERSID": "loading a persistent id",
    "NEXT_BUFFER": "taking an out-of-band buffer",
    "READONLY_BUFFER": "taking an out-of-band buffer",
}
_UNKNOWN: Final = "an object"

# How many bytes of protocol 0 or 1 were loaded, if they have an object, or none yet.
_SOME: Final = 2
_MANY: Final = 16
# The types of errors of the loader itself, and of names and numbers that were damaged.
_OF_FORMAT: Final = (UnpicklingError, ValueError, AttributeError, ImportError)
# The beginnings of the loader's messages about a byte that is no opcode, or not in its place.
_OF_BYTES: Final = (
    "invalid load key",
    "unpickling stack underflow",
    "could not find MARK",
    "unexpected MARK",
    "Memo value not found",
)


class Fault(NamedTuple):
    """How far a load came that has failed. Offsets are counted from where it began."""

    reached: int  # how many bytes it has taken; the last of them is of the opcode that failed
    is_between: bool  # no opcode had begun
    is_reading: bool  # the file has failed
    data: Any  # the bytes that are at hand
    start: int  # the offset of the first of them
    known: int  # the offset of an opcode, not behind the one that failed
    read: Any  # of the file; None: what is at hand is all there is
    consumed: int  # how many bytes the file has given
    has_policy: bool
    targets: dict[str, Any]  # by the name of an opcode: what it was about to call or to change
    proto: int
    fix_imports: bool
    encoding: str
    renames: Renames | None


def note_fault(error: BaseException, scanner_class: Any, fault: Fault) -> None:
    """Note on an exception where in the pickle it comes from, or that the file has failed.

    Where that cannot be done the exception stays as it is.
    """
    try:
        if fault.is_reading:
            note_reading(error, fault.consumed, getattr(fault.read, "__self__", None))
        elif not fault.has_policy or not isinstance(error, PolicyError):
            # A PolicyError of this load has all of it in its message.
            _with_source(fault, lambda source: _note_place(error, scanner_class, fault, source))
    except Exception:  # out of memory, or at the recursion limit: what matters is the error
        pass


def note_reading(error: BaseException, consumed: int | None, file: Any = None) -> None:
    """Note that the file has failed, when it had given so many bytes; None if nobody knows."""
    after = "behind the pickle" if consumed is None else f"after {consumed:,} bytes"
    line = f"{fault_line(error, READING)} {after}"
    annotate(error, line, find_read_hint(error, file), path=None, offset=consumed)


def _with_source(fault: Fault, use: Callable[[Source | None], None]) -> None:
    """Call a function with all the bytes of the pickle; with None where they cannot be had.

    A file that fails behind what the load has taken, as a compressed one that is cut off, gives
    that once more.
    """
    if fault.read is None:
        use(Data(fault.data))
        return
    file = getattr(fault.read, "__self__", None)
    position = None
    try:
        if file is not None and file.seekable() is True:
            position = file.tell()
    except Exception:  # the file's own code, which must not hide the error of the load
        pass
    if file is not None and position is not None and position >= fault.consumed:
        whole = Part(file, position - fault.consumed)
        taken = Section(whole, 0, max(fault.consumed, fault.reached))
        for source in (whole, taken):
            is_done = False
            try:
                with suppress(Exception):  # the file's own code, or too little memory
                    use(source)
                    is_done = True
            finally:
                with suppress(Exception):
                    file.seek(position)
            if is_done:
                return
    use(None)


def _note_place(
    error: BaseException, scanner_class: Any, fault: Fault, source: Source | None
) -> None:
    found = _find(scanner_class, fault, source)
    action, in_pickle = _action(found), None
    is_renamed = fault.renames is not None and OPCODE_NAMES.get(found.code) not in _EXTENSIONS
    if is_renamed and fault.renames is not None and found.names is not None:
        new = fault.renames(*found.names)
        if new != found.names:
            action += f" as {'.'.join(new)}"
            found, in_pickle = found._replace(names=new), found.names
    place = f"byte {found.offset:,} ({action})"
    where = place if found.path is None else f"{found.path} (byte {found.offset:,}, {action})"
    hint = None
    if isinstance(error, Exception):
        hint = _foreign_hint(error, fault, source, found) or _hint(error, fault, found, in_pickle)
    # The names in it are those of somebody's file.
    line = LOAD_HEAD + printable(where)
    annotate(error, line, hint and printable(hint), path=found.path, offset=found.offset)


def _hint(
    error: Exception, fault: Fault, found: Found, in_pickle: tuple[str, str] | None
) -> str | None:
    opcode = OPCODE_NAMES.get(found.code)
    module, name = found.names or (None, None)
    facts = Facts(
        opcode,
        module,
        name,
        proto=fault.proto,
        fix_imports=fault.fix_imports,
        encoding=fault.encoding,
        in_pickle=in_pickle,
        renames=fault.renames,
    )
    if opcode in fault.targets:
        facts = facts._replace(target=fault.targets[opcode])
    return find_load_hint(error, facts)


def _foreign_hint(
    error: Exception, fault: Fault, source: Source | None, found: Found
) -> str | None:
    """The hint for bytes that are no pickle, or only a part of one, or were damaged."""
    if source is None:
        if fault.start:
            return None
        source = Data(fault.data)
    start = source.read(0, foreign.LOOKED_AT)
    is_misread = type(error) is UnpicklingError and message_of(error).startswith(_OF_BYTES)
    text = foreign.recognise_at(start, found.offset, is_misread=is_misread)
    if fault.reached and text is not None:
        return text
    if foreign.is_of_joblib(source.read(0, min(fault.reached, LOOKED_AT))):
        return foreign.JOBLIB
    if isinstance(error, EOFError) and fault.is_between:
        return _ends_early(fault)
    if type(error) is UnpicklingError and error.args == ("pickle data was truncated",):
        if found.code != op.FRAME[0] and went_through_text(source):
            return foreign.TEXT_MODE
        return _missing(fault, source, found, start)
    if isinstance(error, _OF_FORMAT):
        argument = ARGUMENT_OF[found.code] if found.code >= 0 else 0
        if argument in (LINE, TWO_LINES):
            line = source.read(found.offset, foreign.LOOKED_AT).partition(b"\n")[0]
            return foreign.TEXT_MODE if line.endswith(b"\r") else None
        if went_through_text(source):
            return foreign.TEXT_MODE
    return None


def _ends_early(fault: Fault) -> str:
    if fault.reached:
        return (
            f"The pickle is cut off: it ends after {fault.reached:,} bytes, at the end of an "
            "opcode, so how much is missing is not known."
        )
    file = getattr(fault.read, "__self__", None)
    try:
        if file is not None and file.seekable() is True and file.tell():
            return "The file's position is at its end: file.seek(0) goes back to its beginning."
    except Exception:  # the file's own code
        pass
    return "There is nothing in it." if fault.read is None else "The file is empty, or at its end."


def _missing(fault: Fault, source: Source, found: Found, start: bytes) -> str | None:
    """How many bytes are not there, of those that the last opcode says it has."""
    least = _MANY if found.path is None else _SOME
    if start[:1] != op.PROTO and found.offset < least:
        return None  # protocols 0 and 1 have no mark: then some opcodes have to be right
    size = source.size if fault.read is None else fault.consumed
    end = end_of_opcode(source, found.offset)
    if end is None:
        return f"The pickle is cut off after {size:,} bytes."
    if not 0 < end - size < MOST_MISSING:
        return None  # the length itself is damaged
    return (
        f"The pickle is cut off: {size:,} bytes are there, and at least {end - size:,} are missing."
    )


def _find(scanner_class: Any, fault: Fault, source: Source | None) -> Found:
    if source is not None:
        return locate(scanner_class, source, fault.known, fault.reached, fault.is_between)
    if fault.is_between:
        return Found(fault.reached)
    if fault.known < fault.start:
        return Found(max(fault.reached - 1, 0))
    found = find_opcode(Data(fault.data), fault.known - fault.start, fault.reached - fault.start)
    return found._replace(offset=found.offset + fault.start)


def _action(found: Found) -> str:
    """The action of the opcode, in words."""
    name = OPCODE_NAMES.get(found.code)
    if name is None:
        return "reading an opcode"
    if name in _ACTIONS:
        what = _BUILTIN.get(name, _UNKNOWN) if found.names is None else ".".join(found.names)
        return _ACTIONS[name].format(what.removeprefix("builtins."))
    return _OTHER_ACTIONS.get(name, f"reading {name}")
