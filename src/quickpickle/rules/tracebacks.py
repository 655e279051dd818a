"""Errors without the frames of this package: a traceback shows the user's code, as with pickle.

Each function that users call takes our frames out of the exception that it lets out.
compiled/tracebacks.h does the same where compiled code lets one out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, wraps
from types import FunctionType, TracebackType
from typing import Any, Final, TypeVar, cast

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Class = TypeVar("_Class", bound=type)

_MOST_CHAINED: Final = 1000  # exceptions that led to one another; there may be a cycle

# Past what a user's class has under these names.
_get_traceback: Final = vars(BaseException)["__traceback__"].__get__
_set_traceback: Final = vars(BaseException)["__traceback__"].__set__
_get_cause: Final = vars(BaseException)["__cause__"].__get__
_get_context: Final = vars(BaseException)["__context__"].__get__


def drop_frames(error: BaseException) -> None:
    """Take our frames out of an exception's traceback, and of those that it was raised from.

    To be called in an `except` clause that ends with a bare `raise`, which adds no frame. Where
    it cannot be done the exception stays as it is.
    """
    if not PLACE:
        return
    try:
        for _ in range(_MOST_CHAINED):
            _set_traceback(error, _without_ours(_get_traceback(error)))
            chained = _get_cause(error)
            if chained is None:
                chained = _get_context(error)
            if chained is None:
                return
            error = chained
    except Exception:  # out of memory, or at the recursion limit: what matters is the error
        pass


def _without_ours(traceback: TracebackType | None) -> TracebackType | None:
    first = last = _next_of_users(traceback)
    while last is not None:
        following = last.tb_next
        users = _next_of_users(following)
        if users is not following:
            last.tb_next = users
        last = users
    return first


def _next_of_users(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(PLACE):
        traceback = traceback.tb_next
    return traceback


def drops_frames(function: _Function) -> _Function:
    """Decorate a function that users call: what it raises comes without our frames.

    Those that take part in every dump have the `except` clause themselves, which costs nothing.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            drop_frames(error)
            raise

    return cast("_Function", call)


def drop_frames_of(cls: _Class) -> _Class:
    """Decorate a class: its methods and properties that users use drop our frames."""
    for name, member in list(vars(cls).items()):
        if name.startswith("_") and name not in ("__len__", "__reduce__", "__repr__"):
            continue
        if type(member) is FunctionType:
            setattr(cls, name, drops_frames(member))
        elif type(member) is property:
            setattr(cls, name, member.getter(drops_frames(cast("Any", member.fget))))
        elif type(member) is cached_property:
            member.func = drops_frames(member.func)
    return cls


def make_public(*members: Any) -> None:
    """Let functions and classes go by the names that users know: those in `quickpickle`.

    Both implementations do so: what one has pickled by its name the other can load.
    """
    for member in members:
        member.__module__ = "quickpickle"


# How the file names of our code begin: a directory, one in a zip file, or "<frozen quickpickle.";
# empty where frames are to be shown.
PLACE: Final = (
    drop_frames.__code__.co_filename.rpartition("rules")[0]
    if os.environ.get("QUICKPICKLE_DEBUG", "") in ("", "0")
    else ""
)
