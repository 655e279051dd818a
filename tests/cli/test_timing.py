"""How calls are timed, by a clock that the tests set: no test looks at a time."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from differential import only_cpython
from quickpickle.cli import timing

pytestmark = pytest.mark.once


class Clock:
    """Stands still unless it is told to go on; says when it was looked at."""

    def __init__(self, events: list[str] | None = None) -> None:
        self.now = 0.0
        self.events = [] if events is None else events

    def __call__(self) -> float:
        self.events.append("clock")
        return self.now


@pytest.fixture(params=[True, False], ids=["collector on", "collector off"], autouse=True)
def collector(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whatever the collector's state is, it has to be the same afterwards."""
    (gc.enable if request.param else gc.disable)()
    try:
        yield request.param
        assert gc.isenabled() is request.param
    finally:
        gc.enable()


def test_dumps() -> None:
    def function(*arguments: Any) -> None:
        calls.append((arguments, gc.isenabled()))
        clock.now += 2

    def flush() -> None:
        clock.now += 3

    calls: list[tuple[Any, bool]] = []
    clock = Clock()
    seconds = timing.time_dumps(function, ("obj", 5), 4, flush=flush, clock=clock)
    assert seconds == (4 * 2 + 3) / 4
    assert calls == [(("obj", 5), False)] * 4


@pytest.mark.parametrize("loops", [1, 3])
def test_loads(loops: int) -> None:
    def function(*arguments: Any) -> None:
        calls.append((arguments, gc.isenabled()))
        clock.now += 2

    calls: list[tuple[Any, bool]] = []
    clock = Clock()
    assert timing.time_loads(function, (b"data",), loops, clock=clock) == 2
    assert calls == [((b"data",), True)] * loops


def test_single_loads() -> None:
    """The least counts, and each begins with a collection."""

    def function() -> None:
        clock.now += next(seconds)

    def collected(phase: str, _info: object) -> None:
        phases.append(phase)

    seconds = iter([3, 2, 4])
    phases: list[str] = []
    clock = Clock()
    gc.callbacks.append(collected)
    try:
        assert timing.time_single_loads(function, (), 3, clock=clock) == 2
    finally:
        gc.callbacks.remove(collected)
    assert phases == ["start", "stop"] * 3


@pytest.mark.parametrize(("seconds", "count"), [(0.0, 10), (1e-9, 10), (0.006, 4), (5.0, 1)])
def test_count_single_loads(seconds: float, count: int) -> None:
    assert timing.count_single_loads(seconds) == count


@pytest.mark.parametrize("function", [timing.time_dumps, timing.time_loads])
def test_a_call_that_fails(function: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        function(lambda: 1 // 0, ())


@only_cpython  # PyPy's collector does not count containers
def test_a_collection_that_is_owed_is_paid_within_the_time() -> None:
    def load() -> list[Any]:
        gc.disable()
        loaded: list[Any] = [[] for _ in range(10 * gc.get_threshold()[0])]
        gc.enable()
        return loaded

    def collected(phase: str, _info: object) -> None:
        events.append(phase)

    events: list[str] = []
    gc.callbacks.append(collected)
    try:
        timing.time_loads(load, (), clock=Clock(events))
    finally:
        gc.callbacks.remove(collected)
    begin, end = (at for at, event in enumerate(events) if event == "clock")
    assert events[:begin] == ["start", "stop"]  # nothing is owed when the clock starts
    assert events[begin + 1 : end] == ["start", "stop"]


def test_the_result_is_let_go_after_the_time() -> None:
    class Loaded:
        def __del__(self) -> None:
            events.append("freed")

    events: list[str] = []
    timing.time_loads(Loaded, (), clock=Clock(events))
    gc.collect()
    assert events == ["clock", "clock", "freed"]


@pytest.mark.parametrize("seconds", [timing.ROUND_SECONDS, 1e-3, 1e-7, 0.0])
def test_calibrate(seconds: float) -> None:
    def timer(loops: int) -> float:
        tried.append(loops)
        return seconds if seconds or loops < 10**6 else 1.0

    tried: list[int] = []
    loops = timing.calibrate(timer)
    assert tried[0] == 1
    assert tried[-1] == loops
    assert loops * seconds >= timing.ROUND_SECONDS or loops >= 10**6
    assert all(more <= 10 * fewer for fewer, more in itertools.pairwise(tried))


def test_calibrate_with_a_limit() -> None:
    tried: list[int] = []
    assert timing.calibrate(lambda loops: tried.append(loops) or 1e-9, most=70) == 70
    assert tried == [1, 10, 70]


@only_cpython
def test_a_fresh_state() -> None:
    mine: list[Any] = [[]]
    before = gc.get_freeze_count()
    with timing.fresh_state():
        assert gc.get_freeze_count() > before
        assert not any(obj is mine for obj in gc.get_objects())
    assert gc.get_freeze_count() == 0
    assert any(obj is mine for obj in gc.get_objects())


def test_in_turn() -> None:
    rounds = [timing.in_turn(["a", "b", "c"], number) for number in range(3)]
    assert list(map("".join, rounds)) == ["abc", "cba", "abc"]
