"""The cost of a policy: loads under one, without one, and under the recipe of the documentation.

    python benchmarks/policies.py [--rounds 7] [WORKLOAD ...]

The recipe is a subclass of pickle.Unpickler whose find_class() looks names up in a set: the way to
restrict names that the pickle documentation shows. All take turns in one process, and load as in
compare.py; each is called by a function in Python, as the recipe is. The policy is the narrowest
one for the workload, which `inspect(...).policy()` derives.
Workloads are left out that load under no policy, and those with hooks of their own.
"""

from __future__ import annotations

import argparse
import io
import pickle
from collections.abc import Callable
from statistics import geometric_mean
from typing import Any, Final

import quickpickle
from quickpickle.cli import timing
from workloads import WORKLOADS

SIDES: Final = ("recipe", "no policy", "policy")


def recipe_for(data: bytes) -> Callable[[bytes], Any]:
    names = {(found.module, found.name) for found in quickpickle.inspect(data).imports}

    class Restricted(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) not in names:
                raise pickle.UnpicklingError(f"{module}.{name} is forbidden")
            return super().find_class(module, name)

    return lambda data: Restricted(io.BytesIO(data)).load()


def measure(data: bytes, rounds: int) -> dict[str, float] | None:
    """The least seconds of a load by each side; None where the policy refuses it."""
    policy = quickpickle.inspect(data).policy(dangerous=True)
    try:
        quickpickle.loads(data, policy=policy)
    except pickle.UnpicklingError:
        return None
    functions = {
        "pickle": lambda data: pickle.loads(data),
        "recipe": recipe_for(data),
        "no policy": lambda data: quickpickle.loads(data),
        "policy": lambda data: quickpickle.loads(data, policy=policy),
    }
    best = dict.fromkeys(functions, float("inf"))
    with timing.fresh_state():
        if len(data) <= timing.SMALL:
            loops = timing.calibrate(lambda n: timing.time_loads(pickle.loads, (data,), n))
        else:
            loops = 1
        for round_ in range(rounds):
            for name in timing.in_turn(list(functions), round_):
                for _ in range(1 if loops > 1 else 5):
                    seconds = timing.time_loads(functions[name], (data,), loops)
                    best[name] = min(best[name], seconds)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD")
    options = parser.parse_args()
    print(f"{'times as fast as pickle.loads':32} {'pickle':>11}", *(f"{s:>10}" for s in SIDES))
    ratios: dict[str, list[float]] = {side: [] for side in SIDES}
    costs = []
    for name, workload in WORKLOADS.items():
        if workload.hooks or (options.workloads and name not in options.workloads):
            continue
        try:
            data = pickle.dumps(workload(), pickle.HIGHEST_PROTOCOL)
        except ImportError:
            continue
        best = measure(data, options.rounds)
        if best is None:
            print(f"{name:32} loads under no policy")
            continue
        for side in SIDES:
            ratios[side].append(best["pickle"] / best[side])
        costs.append(best["policy"] / best["no policy"])
        values = (f"{ratios[side][-1]:10.2f}" for side in SIDES)
        print(f"{name:32} {best['pickle'] * 1e6:8.1f} us", *values, flush=True)
    means = (f"{geometric_mean(ratios[side]):10.2f}" for side in SIDES)
    print(f"{f'geometric mean of {len(costs)}':32} {'':11}", *means)
    print(f"A policy takes {geometric_mean(costs):.2f} times the time without one in the mean.")


if __name__ == "__main__":
    main()
