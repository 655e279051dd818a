"""`Pickler.memo` and `Unpickler.memo`: what they hand out, and what may be assigned to them."""

from __future__ import annotations

import io
import operator
import pickle
import sys
from collections.abc import Callable
from typing import Any

from .errors import c_type_name, type_name
from .tracebacks import drop_frames_of


@drop_frames_of
class PicklerMemoProxy:
    """Returned by `Pickler.memo`: the memo, to be copied or cleared."""

    __slots__ = ("_clear", "_contents")
    __hash__ = None  # type: ignore[assignment]  # as that of pickle

    def __init__(
        self, contents: Callable[[], dict[int, tuple[int, object]]], clear: Callable[[], None]
    ) -> None:
        # The Pickler's own: they are about the memo that it has when they are called.
        self._contents = contents
        self._clear = clear

    def clear(self) -> None:
        """Remove all items from the memo."""
        self._clear()

    def copy(self) -> dict[int, tuple[int, object]]:
        """Copy the memo to a dict: address -> (number, object)."""
        return self._contents()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.copy(),)


def read_memo(contents: object) -> tuple[list[int], list[object]]:
    """The numbers and objects of another Pickler's memo, or of a copy of one.

    Raises TypeError for anything else, OverflowError for numbers that CPython does not take.
    """
    if isinstance(contents, _PROXIES):
        contents = contents.copy()
    if not isinstance(contents, dict):
        raise TypeError(
            "'memo' attribute must be a PicklerMemoProxy object or dict, "
            f"not {type_name(type(contents)):.200}"
        )
    numbers = []
    objects = []
    for pair in contents.values():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError("'memo' values must be 2-item tuples")
        number = operator.index(pair[0])
        if not -sys.maxsize - 1 <= number <= sys.maxsize:
            raise OverflowError("Python int too large to convert to C ssize_t")
        numbers.append(number)
        objects.append(pair[1])
    return numbers, objects


@drop_frames_of
class UnpicklerMemoProxy:
    """Returned by `Unpickler.memo`: the memo, to be copied or cleared."""

    __slots__ = ("_clear", "_contents")
    __hash__ = None  # type: ignore[assignment]  # as that of pickle

    def __init__(
        self, contents: Callable[[], dict[int, object]], clear: Callable[[], None]
    ) -> None:
        # The Unpickler's own, as those of PicklerMemoProxy.
        self._contents = contents
        self._clear = clear

    def clear(self) -> None:
        """Remove all items from the memo."""
        self._clear()

    def copy(self) -> dict[int, object]:
        """Copy the memo to a dict: number -> object."""
        return self._contents()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.copy(),)


def read_unpickler_memo(contents: object) -> dict[int, object]:
    """The memo of another Unpickler, or a copy of one, as a new dict.

    Raises TypeError for anything else, and for keys that are no integers; ValueError and
    OverflowError for those that cannot be numbers of a memo.
    """
    if isinstance(contents, _UNPICKLER_PROXIES):
        return dict(contents.copy())
    if not isinstance(contents, dict):
        raise TypeError(
            "'memo' attribute must be an UnpicklerMemoProxy object or dict, "
            f"not {c_type_name(type(contents)):.200}"
        )
    memo = {}
    for key, value in list(dict.items(contents)):
        if not isinstance(key, int):
            raise TypeError("memo key must be integers")
        number = operator.index(key)
        if not -sys.maxsize - 1 <= number <= sys.maxsize:
            raise OverflowError("Python int too large to convert to C ssize_t")
        if number < 0:
            raise ValueError("memo key must be positive integers.")
        memo[int(number)] = value
    return memo


# A standard Pickler's memo is taken over too; CPython gives its type no public name.
_PROXIES: tuple[Any, ...] = (PicklerMemoProxy, type(pickle.Pickler(io.BytesIO()).memo))
_UNPICKLER_PROXIES: tuple[Any, ...] = (
    UnpicklerMemoProxy,
    type(pickle.Unpickler(io.BytesIO()).memo),
)
