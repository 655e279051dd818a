"""Hints for pickles that do not load: a line for each of the most frequent causes.

A wrong hint is worse than none, so each has conditions that hold for its cause only. This runs in
the middle of somebody's failure: nothing is imported, and none of the user's code is called.
"""

from __future__ import annotations

import dis
import errno
import io
import re
import sys
from collections.abc import Iterator
from enum import EnumMeta, Flag
from functools import lru_cache, partial
from pathlib import Path
from pickle import UnpicklingError
from types import FunctionType, MethodType, TracebackType
from typing import Any, Final

from .hints import full_name
from .load_facts import CHANGED, Facts, message_of
from .loading_early import of_getattr, of_hash, of_items, of_recursion
from .loading_kinds import of_another_kind, of_items_of_others
from .loading_names import is_of_a_library, named, of_name, renamed
from .reductions import ABSENT, find

_MOST_WRAPPED: Final = 10  # callables in one another
_Cached: Final[Any] = type(lru_cache(len))
_PLACE: Final = str(Path(__file__).parents[1])  # of our code
_module_of: Final = type.__dict__["__module__"].__get__
_get_traceback: Final = vars(BaseException)["__traceback__"].__get__

_FINDS: Final = {"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"}
_CALLS: Final = {"REDUCE", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ"}
_HASHES: Final = {"SETITEM", "SETITEMS", "ADDITEMS", "DICT", "FROZENSET", "REDUCE", "BUILD"}
_GIVES: Final = {"BUILD", "APPEND", "APPENDS", "ADDITEMS", "SETITEM", "SETITEMS"}
_PLACEHOLDER: Final = re.compile(r"\bPlaceholder\b")
_ASCII: Final = ("ascii", "us-ascii")
_LATIN: Final = ("latin1", "latin-1", "iso-8859-1", "bytes")
_OLD_STRINGS: Final = {"STRING", "BINSTRING", "SHORT_BINSTRING"}


def find_load_hint(error: BaseException, facts: Facts) -> str | None:
    """A line that says what to do about a pickle that does not load, if there is one.

    >>> error = UnpicklingError("not enough out-of-band buffers")
    >>> find_load_hint(error, Facts("NEXT_BUFFER"))
    "It has more out-of-band buffers than were given: pass all that the Pickler's buffer_callback \
got, in their order."
    """
    if not isinstance(error, Exception):
        return None  # Ctrl-C is nobody's fault
    frames = [traceback.tb_frame for traceback in _tracebacks(error)]
    if isinstance(error, RecursionError):
        return of_recursion(frames)
    if facts.opcode in _GIVES and _PLACEHOLDER.search(message_of(error)):
        return (
            "The state or an item is a Placeholder, for what is not found, and the class cannot do "
            "with one: with policy=Policy.plain() the object becomes a Placeholder too."
        )
    if facts.opcode in _HASHES and (hint := of_hash(error, frames)) is not None:
        return hint
    if (hint := of_items(error, facts, frames)) is not None:
        return hint
    if not frames and (hint := of_items_of_others(error, facts)) is not None:
        return hint
    if facts.opcode in _FINDS and (hint := of_name(error, facts, frames)) is not None:
        return hint
    if facts.opcode in _CALLS:
        return _of_call(error, facts, frames)
    if facts.opcode == "BUILD":
        return of_getattr(error, facts, frames) or _of_state(error, facts, frames)
    if facts.opcode in _OLD_STRINGS and isinstance(error, UnicodeDecodeError):
        return _of_encoding(facts.encoding)
    return None if frames else _of_message(error, facts)


def _tracebacks(error: BaseException) -> Iterator[TracebackType]:
    """The parts of a traceback that are not ours, the outermost first."""
    traceback: TracebackType | None = _get_traceback(error)
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_PLACE):
            yield traceback
        traceback = traceback.tb_next


# --- calls

_OTHER_ARGUMENTS: Final = re.compile(
    r"missing \d+ required|takes .*argument|unexpected keyword argument|takes no arguments"
    r"|takes no keyword arguments|expected (?:at (?:least|most) |exactly )?\d+ argument"
    r"|multiple values for argument"
)
_PATHS: Final = {"WindowsPath": "Windows", "PosixPath": "a system that is not Windows"}


def _of_call(error: Exception, facts: Facts, frames: list[Any]) -> str | None:
    target = facts.target
    if target is ABSENT and facts.opcode == "INST":
        target = named(facts)
    message = message_of(error)
    if target is not ABSENT and (hint := of_another_kind(error, facts, target, frames)) is not None:
        return hint
    if (
        isinstance(error, NotImplementedError)
        and facts.module in ("pathlib", "pathlib._local")
        and facts.name in _PATHS
    ):
        kind = f"Pure{facts.name}"
        return (
            f"The path was pickled on {_PATHS[facts.name]}. Load it as a {kind}, with "
            f"{renamed(facts, 'pathlib', kind)}, or pickle str(path)."
        )
    if isinstance(target, EnumMeta) and type(error) is ValueError:
        if not re.search(r"is not a valid |> invalid value ", message):
            return None
        keeps = "boundary=enum.KEEP would keep it" if issubclass(target, Flag) else None
        return (
            f"{full_name(target)} has no member with this value: it was changed {CHANGED}; "
            f"{keeps or 'a _missing_() in it could return one'}."
        )
    if facts.module == "datetime" and facts.proto < 3 and not frames:
        return _of_date(error, facts)
    is_exception = (
        isinstance(target, type)
        and issubclass(target, BaseException)
        and facts.opcode in ("REDUCE", "INST", "OBJ")
    )
    if is_exception and frames and _fails_before_super(error, target):
        return _of_exception(target, facts)
    if type(error) is not TypeError or not _OTHER_ARGUMENTS.search(message):
        return None
    if frames and not _is_cythons_own(frames, message):
        return None
    if isinstance(target, type):
        name = full_name(target)
        if is_exception:
            return _of_exception(target, facts)
        remedy = _remedy(_module_of(target), message)
        if facts.opcode in ("NEWOBJ", "NEWOBJ_EX"):
            return (
                f"{name}.__new__ takes other arguments than the pickle has: let __getnewargs__ or "
                f"__getnewargs_ex__ return those that it takes. To load this pickle, {remedy}."
            )
        return (
            f"{name} takes other arguments than the pickle has: it was changed {CHANGED}, or its "
            f"__reduce__ returns others. To load this pickle, {remedy}."
        )
    function = _function_of(target)
    if function is None:
        return None
    return (
        f"{function.__qualname__}() takes other arguments than the pickle has: it was changed "
        f"{CHANGED}. To load this pickle, {_remedy(function.__module__, message)}."
    )


def _is_cythons_own(frames: list[Any], message: str) -> bool:
    """Whether a function of Cython itself has refused its arguments: that has a frame there."""
    code = frames[-1].f_code
    name = code.co_name.rpartition(".")[2]
    is_python = code.co_filename.endswith(".py")
    return len(frames) == 1 and not is_python and message.startswith(f"{name}() takes ")


def _function_of(target: Any) -> Any:
    """The function that a callable is made of, if that is written in Python."""
    for _ in range(_MOST_WRAPPED):
        if type(target) is FunctionType:
            return target
        if type(target) is partial:
            target = target.func
        elif type(target) is MethodType:
            target = target.__func__
        elif type(target) is _Cached:
            target = target.__dict__.get("__wrapped__")
    return None


def _remedy(module: Any, message: str) -> str:
    """A way to load a pickle that has other arguments than a class or function takes."""
    version = _version_that_wrote_it(module)
    if version is not None:
        return version[:1].lower() + version[1:]
    if "missing" in message:
        return "give new ones a default"
    return "let it take those too"


def _version_that_wrote_it(module: Any) -> str | None:
    """The advice for a class or function of a library, which the user does not change."""
    if type(module) is not str or not is_of_a_library(module):
        return None
    top = module.partition(".")[0]
    return f"Use the version of {'Python' if top in sys.stdlib_module_names else top} that wrote it"


def _of_exception(cls: type, facts: Facts) -> str:
    """An exception whose `args` do not fit its `__init__`."""
    name = full_name(cls)
    advice = f"let {name}.__init__ pass all its arguments on, or return them from __reduce__"
    if is_of_a_library(_module_of(cls)):
        advice = f"{name} takes other ones, so pickle str(error) in its place"
    return (
        "An exception is pickled as its class and its args, which are what its super().__init__() "
        f"was given: {advice}. To load this pickle, take another class: "
        f"{renamed(facts, 'builtins', 'Exception')}."
    )


def _fails_before_super(error: Exception, cls: type) -> bool:
    """Whether an `__init__` has failed before it has given arguments to `super().__init__()`.

    They had once been given, and so are other ones than those that it has now.
    """
    traceback = next(_tracebacks(error), None)
    init = find(cls, "__init__")
    if traceback is None or type(init) is not FunctionType or not isinstance(error, _OF_STATES):
        return False
    code = init.__code__
    if traceback.tb_frame.f_code is not code:
        return False
    positions = list(code.co_positions())
    starts = {
        positions[instruction.offset // 2][::2]
        for instruction in dis.get_instructions(code)
        if instruction.argval == "super" and "LOAD" in instruction.opname
    }
    # The instructions of the call begin where the word "super" begins.
    ends = [
        (end, end_column or 0)
        for start, end, column, end_column in positions
        if end and (start, column) in starts
    ]
    line, _, column, _ = positions[traceback.tb_lasti // 2]
    return line is not None and bool(ends) and (line, column or 0) <= max(ends)


def _of_date(error: Exception, facts: Facts) -> str | None:
    """A date of Python 2, whose bytes were decoded as text."""
    if facts.name not in ("date", "datetime", "time"):
        return None
    # ASCII leaves the bytes as they are, or fails before.
    if facts.encoding.lower() in (*_LATIN, *_ASCII):
        return None
    if not isinstance(error, (TypeError, ValueError)):
        return None
    return 'Dates of Python 2 are bytes in a str: load with encoding="latin1".'


# --- states

_TAKE_OLD: Final = "Let it take the old states too"
_OF_STATES: Final = (TypeError, KeyError, IndexError, AttributeError, ValueError)


def _of_state(error: Exception, facts: Facts, frames: list[Any]) -> str | None:
    cls = type(facts.target)
    name = "the class" if facts.target is ABSENT else full_name(cls)
    message = message_of(error)
    if type(error).__name__ == "FrozenInstanceError":
        return (
            f"{name} is frozen, and its slots are set one by one: write it with "
            "@dataclass(frozen=True, slots=True), also its bases, or give it a __setstate__ that "
            "uses object.__setattr__."
        )
    if frames:
        # It may have failed in a function beside it, but not in one of another file.
        first, last = frames[0].f_code, frames[-1].f_code
        # Cython has the full name there.
        is_first, is_last = (code.co_name.endswith("__setstate__") for code in (first, last))
        is_its_own = is_last or (
            is_first and {frame.f_code.co_filename for frame in frames} == {first.co_filename}
        )
        if not is_its_own or not isinstance(error, _OF_STATES):
            return None
        return (
            f"{name}.__setstate__ does not take the state that the pickle has: it was changed "
            f"{CHANGED}. {_version_that_wrote_it(_module_of(cls)) or _TAKE_OLD}."
        )
    if isinstance(error, TypeError) and "__setstate__()" in message:
        return f"{name}.__setstate__ has to take one argument, the state."
    if type(error) is UnpicklingError and "state is not a dictionary" in message:
        return (
            f"{name} had a __setstate__ when the pickle was written, and has none now: its state "
            "is no dict of attributes."
        )
    if type(error) is AttributeError and facts.target is not ABSENT and not _has_dict(cls):
        return (
            f"{name} has __slots__, without one of the attributes in the pickle: it was changed "
            f"{CHANGED}. Give it a __setstate__ that leaves them out."
        )
    if isinstance(error, TypeError) and facts.encoding == "bytes" and "'bytes'" in message:
        return 'With encoding="bytes" the names of attributes are bytes: use encoding="latin1".'
    return None


def _has_dict(cls: type) -> bool:
    return find(cls, "__dict__") is not ABSENT


# --- the pickle's own errors

_OLD_TEXT: Final = (
    'This is a str of Python 2 with other characters than ASCII: load with encoding="latin1" '
    '(arrays of NumPy and dates need it), "utf-8", or "bytes".'
)


def _of_encoding(encoding: str) -> str | None:
    if encoding.lower() in _ASCII:
        return _OLD_TEXT
    if encoding.lower() in _LATIN:
        return None
    return f'This str of Python 2 is not {encoding}: load with encoding="latin1", or "bytes".'


def _of_message(error: Exception, facts: Facts) -> str | None:
    message = message_of(error)
    if isinstance(error, ValueError) and (
        match := re.fullmatch(r"unsupported pickle protocol: (\d+)", message)
    ):
        if int(match[1]) < 10:
            return f"A later version of Python wrote it, with protocol {match[1]}."
        return None
    if not isinstance(error, UnpicklingError):
        return None
    if "no *buffers* argument was given" in message:
        return (
            "Its large buffers were written out of band: pass them as buffers=, the ones that the "
            "Pickler's buffer_callback got, in their order."
        )
    if message == "not enough out-of-band buffers":
        return (
            "It has more out-of-band buffers than were given: pass all that the Pickler's "
            "buffer_callback got, in their order."
        )
    if "persistent id instruction" in message:
        return (
            "Some of its objects are kept elsewhere, under an id: load it with the library that "
            "wrote it, or with an Unpickler whose persistent_load finds them."
        )
    if message.startswith("Memo value not found"):
        return (
            "It refers to an object in an earlier pickle: the pickles of one Pickler are to be "
            "loaded by one Unpickler, in their order. If there was only one, it is damaged."
        )
    return None


# --- files

_TEXT_FILE: Final = 'The file gives text, and a pickle is bytes: open it in binary mode, with "rb".'
_CLOSED: Final = "The file is closed: let load() run before that, inside its `with`."
_WRITE_ONLY: Final = 'The file is not open for reading: open it with "rb".'
_DOES_NOT_BLOCK: Final = (
    "The file does not wait until there are bytes: use os.set_blocking(fd, True) or "
    "sock.setblocking(True)."
)
_CUT_OFF: Final = "The compressed file is cut off. quickpickle.recover gives what is left of it."
_NO_WRITER: Final = "The writer at the other end has gone."
_BY_ERRNO: Final = {
    errno.EBADF: _WRITE_ONLY,
    errno.EAGAIN: _DOES_NOT_BLOCK,
    errno.ECONNRESET: _NO_WRITER,
    errno.EISDIR: "This is a directory.",
}


def find_read_hint(error: BaseException, file: Any = None) -> str | None:
    """A line that says what to do about a file whose `read` has failed, if there is one.

    >>> find_read_hint(ValueError("read of closed file"))
    'The file is closed: let load() run before that, inside its `with`.'
    """
    message = message_of(error)
    if isinstance(error, TypeError):
        if message == "a bytes-like object is required, not 'str'":
            return _TEXT_FILE
        if message == "a bytes-like object is required, not 'NoneType'":
            return _DOES_NOT_BLOCK
        return None
    if isinstance(error, UnicodeDecodeError):
        return _TEXT_FILE if isinstance(file, io.TextIOBase) else None
    if isinstance(error, io.UnsupportedOperation):
        return _WRITE_ONLY
    if isinstance(error, ValueError):
        return _CLOSED if "closed" in message else None
    if type(error) is EOFError and message.startswith("Compressed file ended"):
        return _CUT_OFF
    if isinstance(error, OSError) and error.args and type(error.args[0]) is int:
        return _BY_ERRNO.get(error.args[0])
    return None
