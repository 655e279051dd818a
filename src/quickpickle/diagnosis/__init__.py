"""diagnose(obj): all the places that keep an object from being pickled, not just the first."""

from __future__ import annotations

from typing import Any

from .. import _implementation
from .._implementation import implementation
from ..rules.options import check_protocol
from ..rules.paths import find_place
from ..rules.tracebacks import drops_frames, make_public
from .problems import Problem as Problem
from .problems import Problems as Problems
from .round_trip import find_faults
from .search import EndError, Search
from .testing import Nowhere as Nowhere


@drops_frames
def diagnose(
    obj: Any,
    *,
    max_problems: int | None = 100,
    strict: bool = False,
    protocol: int | None = None,
    round_trip: bool = False,
) -> Problems:
    """Find every place in an object that keeps it from being pickled.

    The object is walked as `dumps` walks it, and what would be written is thrown away. Where
    something cannot be pickled, that is noted and the walk goes on behind it. The object stays
    as it is; its own `__reduce__`, `__getstate__` and the like are called, as pickling does,
    maybe more than once.

    Parameters
    ----------
    obj
        The object to be pickled.
    max_problems
        To end the search at so many; None for no limit.
    strict
        Also find what can be pickled, but may surprise, without loading it: classes and functions
        from `__main__`, those that are found under another name than their own, equal copies of
        one large object (from 64 KiB on, or 1000 items with those of the containers in it),
        exceptions that lose their cause, context, traceback or notes, or whose `args` their
        `__init__` does not take, classes whose code shows that their instances do not load, hashes
        that are kept, slices of Arrow arrays, `object()`, and paths, which load on one kind of
        system. Each class is named once. That takes about 250 bytes of memory for each container.
    protocol
        As for `dumps`: what can be pickled may depend on it.
    round_trip
        Also load what was pickled, part by part, and find what does not load, comes back as
        another type, or comes back with another pickle. This runs the code that a load runs, and
        takes several dumps and loads. It does not miss what a `__getstate__` leaves out.

    Returns
    -------
    Problems
        A list of `Problem`s in the order in which they are met, empty where `obj` can be pickled.

    Raises
    ------
    TypeError, ValueError
        For a protocol that does not exist, or a limit that is no positive number.
    KeyboardInterrupt, MemoryError, SystemExit
        As they come: they are no property of the object.

    Example
    -------
    >>> import threading
    >>> diagnose({"a": [lambda: 0, 1], "b": threading.Lock()})
    2 places that cannot be pickled:
    obj['a'][0]  (type function)
        ...
    obj['b']  (type _thread.lock)
        TypeError: cannot pickle '_thread.lock' object
        A lock works in the process that made it: leave it out in __getstate__, and make a new one \
in __setstate__.
    """
    number = check_protocol(protocol)
    search = Search(number, max_problems, strict, _new_pickler(number))
    try:
        search.run(obj)
        if round_trip:
            for steps, part, error, hint in find_faults(obj, number):
                search.add(find_place(obj, steps, number).text, part, error, hint, True)
    except EndError:
        search.found.complete = False
    search.name_copies(obj, _new_pickler(number))
    return search.found


def diagnose_with(
    pickler: Any, obj: Any, number: int, max_problems: int | None, reducers: Any
) -> Problems:
    """The Problems of an object for a Pickler with hooks, for quickpickle.cloud.

    `reducers` has the hooks for the walk; `pickler` writes to a Nowhere, and tests what to walk.
    """
    search = Search(number, max_problems, False, pickler if implementation == "native" else None)
    try:
        search.run(obj, reducers.reducer_override, reducers.dispatch_table)
    except EndError:
        search.found.complete = False
    return search.found


def _new_pickler(number: int) -> Any:
    if implementation != "native":
        return None
    return _ProbePickler(Nowhere(), number)


class _ProbePickler(_implementation.Pickler):
    """With attributes, for hooks."""


make_public(diagnose)
