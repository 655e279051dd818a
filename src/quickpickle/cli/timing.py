"""How calls of dumps and loads are timed: here and in the benchmarks, and everyone alike."""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Any, Final, TypeVar

import quickpickle

ROUND_SECONDS = 0.02
"""So long does a round of short calls last: neither clock nor switch of tasks counts for much."""

SMALL = 4_000
"""The bytes of a pickle up to which a single load is too short for a clock."""

NOT_COMPILED: Final = (
    "in plain Python it is slow: no compiled quickpickle here, or it is switched off"
)

_MOST_SINGLE = 10
_CONTAINERS = 10

_T = TypeVar("_T")

Clock = Callable[[], float]

# Of the thread, so that other jobs on the machine count for less. Windows counts it in ticks.
CLOCK: Clock = time.perf_counter if sys.platform == "win32" else time.thread_time
Function = Callable[..., object]


def time_dumps(
    function: Function,
    arguments: tuple[Any, ...],
    loops: int = 1,
    *,
    flush: Callable[[], object] | None = None,
    clock: Clock = CLOCK,
) -> float:
    """The seconds of one call, of so many, with the garbage collector off.

    Whose turn it is when the collector runs would be chance. `flush` is called at the end, and
    its time counts.
    """
    with _collector(on=False):
        start = clock()
        for _ in repeat(None, loops):
            function(*arguments)
        if flush is not None:
            flush()
        return (clock() - start) / loops


def time_loads(
    function: Function,
    arguments: tuple[Any, ...],
    loops: int = 1,
    *,
    clock: Clock = CLOCK,
) -> float:
    """The seconds of one call, of so many, as programs load: with the garbage collector on.

    Before the first, the collector owes nothing. A collection that a load leaves behind starts
    with the next containers that are made, and they are made within the time. The result of a
    single load is let go after it, that of one of several within it.
    """
    with _collector(on=True):
        gc.collect()
        result = None
        containers = []
        start = clock()
        if loops == 1:
            result = function(*arguments)
        else:
            for _ in repeat(None, loops):
                function(*arguments)
        for _ in repeat(None, _CONTAINERS):
            containers.append([result])
        return (clock() - start) / loops


def time_single_loads(
    function: Function, arguments: tuple[Any, ...], loads: int = 1, *, clock: Clock = CLOCK
) -> float:
    """The least seconds of so many loads, each timed alone."""
    return min(time_loads(function, arguments, clock=clock) for _ in range(loads))


def count_single_loads(seconds: float) -> int:
    """How many a round has, of those that take so long: until it lasts ROUND_SECONDS, or ten."""
    if not seconds:
        return _MOST_SINGLE
    return min(max(math.ceil(ROUND_SECONDS / seconds), 1), _MOST_SINGLE)


def calibrate(timer: Callable[[int], float], most: float = math.inf) -> int:
    """How many calls, at most so many, a round needs to last ROUND_SECONDS.

    `timer` gives the seconds of one call, of so many.
    """
    loops = 1
    while (seconds := timer(loops) * loops) < ROUND_SECONDS and loops < most:
        # At most tenfold at once: the first calls are slower than those that follow.
        factor = ROUND_SECONDS / seconds if seconds else 10
        loops = math.ceil(min(loops * min(factor * 1.1, 10), most))
    return loops


@contextmanager
def fresh_state() -> Iterator[None]:
    """As in a process that has just begun: no collection goes through what there is already."""
    gc.collect()
    if hasattr(gc, "freeze"):  # PyPy has none
        gc.freeze()
    try:
        yield
    finally:
        if hasattr(gc, "unfreeze"):
            gc.unfreeze()


def in_turn(names: list[_T], round_: int) -> list[_T]:
    """The names in the order of a round: every other round begins with the last."""
    return names[::-1] if round_ % 2 else names


@contextmanager
def _collector(*, on: bool) -> Iterator[None]:
    enabled = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        yield
    finally:
        (gc.enable if enabled else gc.disable)()


def is_slow_in_python(*ratios: float | None) -> bool:
    """Whether quickpickle is not compiled and slower than pickle in any of these ratios.

    On PyPy, where pickle is in Python too, it need not be.
    """
    slow = any(ratio is not None and ratio < 1 for ratio in ratios)
    return slow and quickpickle.implementation == "python"
