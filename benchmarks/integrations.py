"""What quickpickle brings to other libraries: each of docs/integrations.md, with and without it.

    python benchmarks/integrations.py [INTEGRATION ...]

With the extra `integration` installed. Both sides take turns in one process; of each, the least
time of several rounds counts. An integration whose library is missing is left out.
"""

from __future__ import annotations

import argparse
import gc
import math
import time
from collections.abc import Callable, Iterator

from workloads import WORKLOADS

Pair = tuple[str, Callable[[], object], Callable[[], object]]
"""What is done; with the library's own pickler; with quickpickle."""

_SECONDS = 1.0  # for each pair
_ROUNDS = 7  # at least


def functions() -> dict[str, object]:
    """What cloudpickle writes by value."""
    factor = 2

    class Local:
        def __init__(self, value: int) -> None:
            self.value = value

        def double(self) -> int:
            return self.value * factor

    def scale(x: int) -> int:
        return x * factor

    return {
        "a lambda": lambda x: x + 1,
        "a closure": scale,
        "500 closures": [lambda x, i=i: x + i * factor for i in range(500)],
        "a local class": Local,
        "5000 instances of a local class": [Local(i) for i in range(5000)],
        "100 functions and classes by name": [
            value for value in vars(math).values() if callable(value)
        ]
        + [dict, list, int, str, scale] * 10,
    }


def cloud() -> Iterator[Pair]:
    """quickpickle.cloud against cloudpickle: `dumps`."""
    import cloudpickle

    import quickpickle.cloud

    objects: dict[str, object] = {"42": 42, "a small dict": {"a": [1, 2.5], "b": "text"}}
    for name, workload in WORKLOADS.items():
        if workload.hooks is None:
            try:
                objects[name] = workload()
            except ImportError as error:
                print(f"{name:36} left out: {error}")
    for name, obj in (objects | functions()).items():
        if cloudpickle.dumps(obj) != quickpickle.cloud.dumps(obj):
            raise SystemExit(f"{name}: other bytes than those of cloudpickle")

        def theirs(obj: object = obj) -> object:
            return cloudpickle.dumps(obj)

        def ours(obj: object = obj) -> object:
            return quickpickle.cloud.dumps(obj)

        yield name, theirs, ours


INTEGRATIONS: dict[str, Callable[[], Iterator[Pair]]] = {
    integration.__name__: integration for integration in (cloud,)
}


def _least(actions: list[Callable[[], object]]) -> list[float]:
    """The least seconds of each; they take turns."""
    start = time.perf_counter()
    for action in actions:
        action()
    # What is short is done several times in a row, for the clock's sake.
    repeat = max(1, round(0.002 * len(actions) / (time.perf_counter() - start)))
    least = [math.inf] * len(actions)
    rounds = 0
    while rounds < _ROUNDS or time.perf_counter() - start < _SECONDS:
        rounds += 1
        for i, action in enumerate(actions):
            gc.collect()
            gc.disable()
            begin = time.perf_counter()
            for _ in range(repeat):
                action()
            least[i] = min(least[i], (time.perf_counter() - begin) / repeat)
            gc.enable()
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "integrations", metavar="INTEGRATION", nargs="*", help=", ".join(INTEGRATIONS)
    )
    names = parser.parse_args().integrations or list(INTEGRATIONS)
    for name in names:
        print(f"\n{name}: {INTEGRATIONS[name].__doc__}")
        print(f"{'':36} {'theirs':>10} {'ours':>10}  times as fast")
        ratios = []
        try:
            for title, theirs, ours in INTEGRATIONS[name]():
                first, second = _least([theirs, ours])
                ratios.append(first / second)
                print(
                    f"{title:36} {first * 1e3:7.3f} ms {second * 1e3:7.3f} ms {ratios[-1]:8.2f}",
                    flush=True,
                )
        except ImportError as error:
            print(f"left out: {error}")
        if len(ratios) > 2:
            ratios.sort()
            print(f"least {ratios[0]:.2f}, median {ratios[len(ratios) // 2]:.2f} times as fast")


if __name__ == "__main__":
    main()
