"""The work of opcodes whose arguments need care, as the running interpreter's unpickler does it.

Both implementations call these functions. Errors that only say what is wrong with a pickle are in
rules/loading_errors.py, and the objects that opcodes make or change in rules/objects.py.
"""

from __future__ import annotations

import codecs
import copyreg
import io
import os
import re
import stat
import struct
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterator
from pickle import UnpicklingError
from typing import Any, Final, Protocol

from .errors import c_type_name
from .loading_errors import ABSENT, truncated
from .renames import Renames
from .versions import PY312, PY313, PY314, PY315

# --- names


def names_in_python3(module_name: Any, name: Any) -> tuple[Any, Any]:
    """Where Python 3 has a class or function of Python 2, as pickle.load looks for it below
    protocol 3.

    >>> names_in_python3("copy_reg", "_reconstructor"), names_in_python3("__builtin__", "xrange")
    (('copyreg', '_reconstructor'), ('builtins', 'range'))
    """
    if (module_name, name) in NAME_MAPPING:
        return NAME_MAPPING[module_name, name]
    return IMPORT_MAPPING.get(module_name, module_name), name


def find_class(
    module_name: Any, name: Any, proto: int, fix_imports: bool, renames: Renames | None = None
) -> Any:
    """The class or function of that name: what `Unpickler.find_class` does.

    Up to protocol 2 the names may be those of Python 2, and from protocol 4 on there may be dots
    in `name`; in every protocol if `renames` has made it so.
    """
    sys.audit("pickle.find_class", module_name, name)
    is_path = proto >= 4 or (renames is not None and renames.has_made(module_name, name))
    if proto < 3 and fix_imports:
        module_name, name = names_in_python3(module_name, name)
    if not isinstance(module_name, str):
        raise TypeError("module name must be a string")
    __import__(module_name)
    module = sys.modules[module_name]  # where a part of a package that is being imported is
    if not PY314:
        return _find_before_314(module, name, is_path)
    if is_path and "." in name:
        obj: Any = module
        try:
            for part in name.split("."):
                obj = getattr(obj, part)
        except Exception as error:
            _raise_while(
                AttributeError(f"Can't resolve path {name!r} on module {module_name!r}"), error
            )
        return obj
    return getattr(module, name)


def _find_before_314(module: Any, name: Any, is_path: bool) -> Any:
    path = name.split(".") if is_path else [name]
    if "<locals>" in path and is_path:
        verb = "get" if PY313 else "pickle"
        raise AttributeError(f"Can't {verb} local attribute {name!r} on {module!r}")
    obj = module
    for part in path:
        obj = getattr(obj, part, ABSENT)
        if obj is ABSENT:
            raise AttributeError(f"Can't get attribute {name!r} on {module!r}")
    return obj


def _raise_while(new: Exception, old: Exception) -> None:
    """Raise an error with another one as its context."""
    try:
        raise old
    finally:
        raise new


def get_extension(code: int, find: Callable[[str, str], Any]) -> Any:
    """The object that copyreg's extension registry has for a code: the EXT opcodes.

    `find` finds it where it is not in the cache of copyreg.
    """
    if code <= 0:
        raise UnpicklingError("EXT specifies code <= 0")
    cache: dict[int, Any] = copyreg._extension_cache  # type: ignore[attr-defined]
    obj = cache.get(code, ABSENT)
    if obj is ABSENT:
        names = copyreg._inverted_registry.get(code)  # type: ignore[attr-defined]
        if names is None:
            raise ValueError(f"unregistered extension code {code}")
        if not (
            isinstance(names, tuple)
            and len(names) == 2
            and isinstance(names[0], str)
            and isinstance(names[1], str)
        ):
            raise ValueError(f"_inverted_registry[{code}] isn't a 2-tuple of strings")
        obj = find(*names)
        cache[code] = obj
    return obj


# --- arguments that are text. Each function gets a line without its newline. The reference reads
# --- numbers as C strings, which a null byte ends.

_LONG_BITS: Final = struct.calcsize("l") * 8
_SPACE: Final = rb"[ \t\n\v\f\r]*"
_C_INT: Final = re.compile(
    _SPACE + rb"(?P<sign>[+-]?)(?P<digits>[0-9]+)"
    if PY314
    else _SPACE + rb"(?P<sign>[+-]?)(?P<digits>0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)"
)
_FLOAT: Final = re.compile(
    rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    rb"|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])"
)
_DIGITS: Final = re.compile(rb"[0-9](?:_?[0-9])*")
_BASE: Final = 10 if PY314 else 0


def parse_int(line: bytes) -> int:
    """The argument of INT: an int, or 00 and 01 for False and True."""
    if not line:
        raise truncated()
    if PY315 and line in (b"00", b"01"):
        return line == b"01"
    text = (line if line[0] else b"0" + line) + b"\n"  # an empty C string is 0
    match = _C_INT.match(text)
    if match is not None and text[match.end() : match.end() + 1] in (b"\n", b"\0"):
        number = _c_int(match["digits"])
        if match["sign"] == b"-":
            number = -number
        if -1 << _LONG_BITS - 1 <= number < 1 << _LONG_BITS - 1:
            if not PY315 and len(line) == 2 and number in (0, 1):
                return bool(number)
            return number
    try:
        return int(text.partition(b"\0")[0], _BASE)
    except ValueError:
        pass
    raise ValueError("could not convert string to int")


def _c_int(digits: bytes) -> int:
    if digits[:1] == b"0" and not PY314:
        return int(digits, 16 if digits[1:2] in (b"x", b"X") else 8)
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) < 40 else 1 << _LONG_BITS  # which is too much


def parse_long(line: bytes) -> int:
    """The argument of LONG: an int, with or without an L behind it."""
    if not line:
        raise truncated()
    return _int(line[:-1] if line.endswith(b"L") else line + b"\n", _BASE)


def parse_memo_index(line: bytes) -> int:
    """The argument of GET and PUT, which may be negative here."""
    if not line:
        raise truncated()
    number = _int(line + b"\n", 10)
    if not -sys.maxsize - 1 <= number <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C ssize_t")
    return number


def _int(line: bytes, base: int) -> int:
    text = line.partition(b"\0")[0]
    error = None
    try:
        return int(text, base)
    except ValueError as caught:
        if not str(caught).startswith("invalid literal"):  # more digits than are allowed
            error = caught
    if error is not None:
        raise error from None
    shown = text[:200].decode()
    raise ValueError(
        f"invalid literal for int() with base {_found_base(text, base)}: {repr(shown)[:200]}"
    )


def _found_base(text: bytes, base: int) -> int:
    """The base in the message about an int: what the interpreter has found by then."""
    if base:
        return base
    digits = text.lstrip(b" \t\n\v\f\r")
    if digits[:1] in (b"+", b"-"):
        digits = digits[1:]
    if digits[:1] != b"0":
        return 10
    found = {b"x": 16, b"o": 8, b"b": 2}.get(digits[1:2].lower())
    if found is not None:
        return found
    match = _DIGITS.match(digits)
    rest = digits[match.end() if match else 0 :]
    if rest.startswith(b"_") or (PY312 and rest.strip(b" \t\n\v\f\r")):
        return 10
    return 0


def parse_float(line: bytes) -> float:
    """The argument of FLOAT."""
    if not line:
        raise truncated()
    text = (line + b"\n").partition(b"\0")[0]
    match = _FLOAT.match(text)
    shown = text[:200].decode("utf-8", "replace")
    if match is None:
        raise ValueError(f"could not convert string to float: '{shown}'")
    number = float(match[0])
    if number in (float("inf"), -float("inf")) and b"n" not in match[0].lower():
        raise OverflowError(f"value too large to convert to float: '{shown}'")
    if text[match.end() : match.end() + 1] not in (b"\n", b""):
        raise ValueError("could not convert string to float")
    return number


def parse_string(line: bytes) -> bytes:
    """The argument of STRING: without its quotes, the escapes decoded."""
    if len(line) < 2 or line[0] != line[-1] or line[0] not in b"'\"":
        raise UnpicklingError("the STRING opcode argument must be quoted")
    return codecs.escape_decode(line[1:-1])[0]


def parse_unicode(line: bytes) -> str:
    """The argument of UNICODE."""
    return codecs.raw_unicode_escape_decode(line)[0]


def parse_persistent_id(line: bytes) -> str:
    """The argument of PERSID."""
    try:
        return line.decode("ascii")
    except UnicodeDecodeError:
        pass
    raise UnpicklingError("persistent IDs in protocol 0 must be ASCII strings")


def parse_name(line: bytes, encoding: str = "utf-8") -> str:
    """One of the two lines of GLOBAL (UTF-8) and INST (ASCII)."""
    if not line:
        raise truncated()
    return line.decode(encoding)


def decode_string(data: bytes, encoding: str, errors: str) -> str | bytes:
    """The object that STRING, BINSTRING and SHORT_BINSTRING make of a str of Python 2."""
    return data if encoding == "bytes" else str(data, encoding, errors)


def decode_long(data: bytes) -> int:
    """The argument of LONG1 and LONG4."""
    return int.from_bytes(data, "little", signed=True)


# --- out-of-band buffers


def next_buffer(buffers: Iterator[Any] | None) -> Any:
    """NEXT_BUFFER."""
    if buffers is None:
        raise UnpicklingError(
            "pickle stream refers to out-of-band data but no *buffers* argument was given"
        )
    buffer = next(buffers, ABSENT)
    if buffer is ABSENT:
        raise UnpicklingError("not enough out-of-band buffers")
    return buffer


def readonly_buffer(buffer: Any) -> Any:
    """READONLY_BUFFER: the buffer itself, if it is read-only."""
    with memoryview(buffer) as view:
        return buffer if view.readonly else view.toreadonly()


# --- files


class SupportsRead(Protocol):
    """A file to be read: `readinto` and `peek` are used too where they are there."""

    def read(self, n: int, /) -> bytes: ...

    def readline(self) -> bytes: ...


def has_bytes(file: Any, count: int) -> bool:
    """Whether a file may be asked for `count` bytes at once, as it is known to have them.

    Others are asked for a piece at a time: the length that a pickle declares may be a lie, and
    `read` allocates so much before it reads.

    >>> import sys
    >>> has_bytes(sys.stdin.buffer, 1 << 40)
    False
    """
    try:
        raw = file.raw if type(file) is io.BufferedReader else file
        if type(raw) is not io.FileIO:
            return False
        size = size_of_file(raw)
        return size is not None and count <= size - file.tell()
    except (OSError, ValueError):  # that has no position, or is closed
        return False


def size_of_file(file: Any) -> int | None:
    """The size of a regular file of this machine, in bytes; None for others."""
    try:
        found = os.fstat(file.fileno())
    except io.UnsupportedOperation:  # of fsspec
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def as_bytes(data: Any) -> bytes:
    """The bytes that `read`, `readline` or `peek` of a file returned, as one bytes object."""
    if type(data) is bytes:
        return data
    try:
        view = memoryview(data)
    except TypeError:
        pass
    else:
        with view:
            if not view.c_contiguous:
                raise BufferError("memoryview: underlying buffer is not C-contiguous")
            return bytes(view)
    raise TypeError(f"a bytes-like object is required, not '{c_type_name(type(data)):.100}'")
