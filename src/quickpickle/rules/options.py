"""The arguments and attributes of Picklers and Unpicklers: how they are checked."""

from __future__ import annotations

import operator
import sys
import warnings
from pickle import DEFAULT_PROTOCOL, HIGHEST_PROTOCOL, PicklingError
from typing import Any

from .errors import c_type_name


def check_memo_is_empty(entries: int) -> None:
    """Refuse a compact dump() where the memo has entries already: they may have been left out."""
    if entries:
        raise ValueError(
            "with compact=True each pickle has to stand on its own, but the memo has entries "
            "already: call clear_memo() before the next dump()"
        )


def int_member(value: Any) -> int:
    """The value for an attribute that is an int of C."""
    number = operator.index(value)
    if not -sys.maxsize - 1 <= number <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C long")
    truncated = (number + (1 << 31)) % (1 << 32) - (1 << 31)
    if truncated != number:
        warnings.warn("Truncation of value to int", RuntimeWarning, stacklevel=3)
    return truncated


def no_int_member_to_delete() -> TypeError:
    return TypeError("can't delete numeric/char attribute")


def already_used() -> RuntimeError:
    return RuntimeError(
        "Pickler object is already used: its dump() is running, further up or in another "
        "thread (use another Pickler here)"
    )


def no_fast_mode() -> ValueError:
    return ValueError(
        "deterministic=True needs the memo, which fast mode goes without: leave `fast` at 0"
    )


def check_protocol(protocol: int | None) -> int:
    if protocol is None:
        return DEFAULT_PROTOCOL
    number = operator.index(protocol)
    if not -sys.maxsize - 1 <= number <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C long")
    if number < 0:
        return HIGHEST_PROTOCOL
    if number > HIGHEST_PROTOCOL:
        raise ValueError(f"pickle protocol must be <= {HIGHEST_PROTOCOL}")
    return number


def check_buffer_callback(protocol: int) -> None:
    if protocol < 5:
        raise ValueError("buffer_callback needs protocol >= 5")


def encode_persistent_id(pid: Any) -> bytes:
    """A persistent id as the line that protocol 0 has for it."""
    text = str(pid)
    if not str.isascii(text) or str.__contains__(text, "\n"):
        raise PicklingError("persistent IDs in protocol 0 must be ASCII strings")
    return str.encode(text, "ascii")


def check_text(function: str, name: str, value: Any) -> None:
    """Check `encoding` or `errors`, which are to be strings that C can have."""
    if not isinstance(value, str):
        shown = "None" if value is None else c_type_name(type(value))
        raise TypeError(f"{function}() argument {name!r} must be str, not {shown}")
    str.encode(value, "utf-8")
    if str.__contains__(value, "\0"):
        raise ValueError("embedded null character")
