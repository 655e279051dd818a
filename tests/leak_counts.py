"""Counts for the tests of leaks: the blocks of memory that the interpreter has in use.

A debug build (`make debug`) also counts the references to all objects. Those to None and to classes
are no blocks, so only there they are missed.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator

REPEATED = 50  # times: so many blocks more are one lost each time; fewer are the interpreter's own
UNIT = "blocks or references" if hasattr(sys, "gettotalrefcount") else "blocks"


def references() -> int:
    """All that a debug build counts; 0 elsewhere.

    But for those to the types that Cython makes: each of its generators leaves one to its type.
    """
    if not hasattr(sys, "gettotalrefcount"):
        return 0
    shared = [vars(module) for name, module in sys.modules.items() if name.startswith("_cython_")]
    types = [value for names in shared for value in names.values() if isinstance(value, type)]
    return sys.gettotalrefcount() - sum(map(sys.getrefcount, types))


@contextlib.contextmanager
def only_new_objects() -> Iterator[None]:
    """The collector does not look again at the objects that are there already."""
    # The objects that conftest.py has put aside stay there: to look at all of it takes a second.
    is_frozen = gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not is_frozen:
            gc.unfreeze()


def lost_by(action: Callable[[], object]) -> int:
    """How many more blocks, or references, are in use after an action that is taken twice.

    To be called where `only_new_objects` holds.
    """
    counts = [[0, 0], [0, 0]]
    for count in counts:
        action()
        gc.collect()
        count[:] = sys.getallocatedblocks(), references()
    return max(again - first for first, again in zip(*counts, strict=True))
