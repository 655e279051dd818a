"""The note on an exception that ends a dump: where in the object it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .stream import Stream


def note_path(
    stream: Stream,
    root: Any,
    error: BaseException,
    stack: list[Iterator[Any]],
    work: Iterator[Any],
    obj: Any,
) -> None:
    """Let an exception out with the path to the object at fault."""

    def read_steps() -> Any:
        from . import steps

        return steps.read_steps(error, stack, work, obj)

    add_note(stream, error, root, read_steps)


def let_out(*_: Any) -> None:
    """Let an exception out to the dump around this one, which knows the path."""


def add_note(
    stream: Stream, error: BaseException, root: Any, read_steps: Callable[[], list[Any]]
) -> None:
    """Note on an exception where in the object it comes from, or that it is another's fault."""
    try:
        from ..rules.paths import add_fault, add_path  # only now: most programs have no use for it
    except Exception:  # no import at the end of a program: what matters is the error
        return
    if stream.outside:
        add_fault(error, stream.outside, stream.sent)
    else:
        add_path(error, root, read_steps, stream.protocol)
