"""Errors of loading, each an exception to raise, as the interpreter's own unpickler has them."""

from __future__ import annotations

import sys
from pickle import UnpicklingError
from typing import Any, Final

from .errors import c_type_name
from .versions import PY312

ABSENT: Final[Any] = object()
"""Stands for what is not there."""


def end_of_file() -> EOFError:
    """The pickle ends where an opcode is to follow."""
    return EOFError("Ran out of input")


def truncated() -> UnpicklingError:
    """The pickle ends within an opcode."""
    return UnpicklingError("pickle data was truncated")


def read_overflow() -> UnpicklingError:
    """A declared length that no memory has."""
    return UnpicklingError("read would overflow (invalid bytecode)")


def too_large(what: str) -> OverflowError | UnpicklingError:
    """A declared length of more bytes than a number of C has."""
    if what == "BINSTRING":
        return UnpicklingError(f"{what} exceeds system's maximum size of {sys.maxsize} bytes")
    if what == "FRAME":
        return OverflowError(f"FRAME length exceeds system's maximum of {sys.maxsize} bytes")
    return OverflowError(f"{what} exceeds system's maximum size of {sys.maxsize} bytes")


def negative_count(what: str) -> UnpicklingError:
    """A declared length below 0: of a LONG, from 3.14 on of a BINSTRING too."""
    return UnpicklingError(f"{what} pickle has negative byte count")


def frame_exhausted() -> UnpicklingError:
    """An opcode that goes on behind its frame: an error from 3.14 on."""
    return UnpicklingError("pickle exhausted before end of frame")


def frame_in_frame() -> UnpicklingError:
    """A frame that begins within another one: an error from 3.14 on."""
    return UnpicklingError("beginning of a new frame before end of current frame")


def unknown_opcode(code: int) -> UnpicklingError:
    """A byte that is no opcode."""
    shown = chr(code) if 0x20 <= code <= 0x7E and code not in b"'\\" else f"\\x{code:02x}"
    return UnpicklingError(f"invalid load key, '{shown}'.")


def bad_protocol(proto: int) -> ValueError:
    """A protocol later than those that are known."""
    return ValueError(f"unsupported pickle protocol: {proto}")


def stack_underflow() -> UnpicklingError:
    """An opcode that needs more than the stack has."""
    return UnpicklingError("unpickling stack underflow")


def unexpected_mark_found() -> UnpicklingError:
    """An opcode that needs more than the stack has above the last mark."""
    return UnpicklingError("unexpected MARK found")


def no_mark() -> UnpicklingError:
    """An opcode that needs a mark."""
    return UnpicklingError("could not find MARK")


def odd_items(opcode: str) -> UnpicklingError:
    """A key without a value: DICT and SETITEMS."""
    return UnpicklingError(f"odd number of items for {opcode}")


def memo_miss(index: int) -> UnpicklingError:
    """A memo entry that is not there."""
    # On 32 bits the reference cannot count a higher one.
    return UnpicklingError(f"Memo value not found at index {index if index <= sys.maxsize else -1}")


def negative_put(what: str = "PUT") -> ValueError:
    """PUT with a negative index, or on 32 bits LONG_BINPUT with one that is too large."""
    return ValueError(f"negative {what} argument")


def names_not_str() -> UnpicklingError:
    """STACK_GLOBAL with what is no str."""
    return UnpicklingError("STACK_GLOBAL requires str")


def no_persistent_load() -> UnpicklingError:
    """A persistent id, and nothing to load it with."""
    space = " " if PY312 else "\n"
    return UnpicklingError(
        "A load persistent id instruction was encountered,"
        f"{space}but no persistent_load function was specified."
    )


def not_initialized(unpickler: object) -> UnpicklingError:
    """An Unpickler whose `__init__` was not called."""
    name = c_type_name(type(unpickler))
    return UnpicklingError(f"Unpickler.__init__() was not called by {name}.__init__()")


def unpickler_already_used() -> RuntimeError:
    """load() while another load() of the same Unpickler runs."""
    return RuntimeError("Unpickler object is already used")
