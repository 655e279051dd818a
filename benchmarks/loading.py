"""How long `pickle.loads` takes with compact=True, and without: as programs load.

    python benchmarks/loading.py [--processes 15] [WORKLOAD ...]
    python benchmarks/loading.py --order

The garbage collector is on. Each sample is a process of its own, which loads one of the two
pickles and never the other: once ("first"), then again and again ("again"; there each result is let
go after its load, and the time of that counts). The two kinds of process take turns, and so does
which of them begins. Of small pickles the first load is left out: it is too short for a clock.

In one process that loads both, the second load may take much longer, since the collector visits
what the first has made too. `--order` shows it; which of the two is compact does not matter there.

Seconds are those of the process, so that other jobs on the machine count for less.
"""

from __future__ import annotations

import argparse
import importlib
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import repeat
from pathlib import Path
from statistics import geometric_mean, median, quantiles
from typing import Any, Final

import picklers
import quickpickle
from workloads import WORKLOADS

_PROCESSES: Final = 15  # for each of the two pickles
_SECONDS: Final = 0.1  # of loading again and again
_SMALLEST: Final = 20_000  # bytes, for a first load
_OBJECTS: Final = 50_000  # with --order
_SIDES: Final = (False, True)  # compact or not

Sides = tuple[list[float], list[float]]
"""Seconds without compact=True, and with it; those at the same place were taken in turn."""


def load_here(workload: str, modules: str, paths: list[str]) -> list[float]:
    """The seconds of the first load of each file; of a single file, of one of further loads too."""
    for module in modules.split():
        importlib.import_module(module)
    loads: Callable[[bytes], Any] = pickle.loads
    if workload and (hooks := WORKLOADS[workload].hooks):
        loads = picklers.standard(pickle.HIGHEST_PROTOCOL).with_hooks(hooks).loads
        WORKLOADS[workload]()  # it fills what the hooks look objects up in
    elif workload and WORKLOADS[workload].group == "models":
        WORKLOADS[workload]()  # Django's cannot be loaded before Django is set up
    seconds = []
    kept = []
    for path in paths:
        data = Path(path).read_bytes()
        start = time.process_time()
        kept.append(loads(data))
        seconds.append(time.process_time() - start)
    if len(paths) == 1:
        kept.clear()
        loops = 0
        start = time.process_time()
        while (passed := time.process_time() - start) < _SECONDS:
            for _ in repeat(None, loops or 1):
                loads(data)
            loops = loops * 2 or 1  # so that the clock is seldom looked at
        seconds.append(passed / loops)
    return seconds


def load_apart(workload: str, modules: str, *paths: Path) -> list[float]:
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--here", workload, modules, *map(str, paths)]
    return [float(word) for word in subprocess.check_output(command).split()]


def measure(workload: str, directory: Path, processes: int) -> tuple[int, Sides, Sides]:
    """The size without compact=True, and the seconds of first loads, and of further ones."""
    obj = WORKLOADS[workload]()
    paths = []
    for compact in _SIDES:
        pickler = picklers.ours_compact(pickle.HIGHEST_PROTOCOL, compact)
        if hooks := WORKLOADS[workload].hooks:
            pickler = pickler.with_hooks(hooks)
        paths.append(directory / f"{workload}-{compact}")
        paths[-1].write_bytes(pickler.dumps(obj, *pickler.options))
    # Imported before the clock starts: most programs have imported what they work with.
    imports = quickpickle.inspect(paths[0].read_bytes()).imports
    modules = " ".join(sorted({found.module for found in imports if found.module}))
    first: Sides = ([], [])
    again: Sides = ([], [])
    for number in range(processes):
        for compact in _SIDES if number % 2 else reversed(_SIDES):
            seconds = load_apart(workload, modules, paths[compact])
            first[compact].append(seconds[0])
            again[compact].append(seconds[1])
    return paths[0].stat().st_size, first, again


def ratios(sides: Sides) -> list[float]:
    """The second of each pair as a part of the first."""
    return [second / first for first, second in zip(*sides, strict=True)]


def describe(sides: Sides) -> str:
    """The least time without compact=True, the ratio of the least times, and of the pairs."""
    plain, compact = map(min, sides)
    low, middle, high = quantiles(ratios(sides), n=4)
    # A difference is what three of four pairs show.
    verdict = "faster" if high < 1 else "slower" if low > 1 else "equal"
    spread = f"({low:.2f}-{high:.2f})"
    return f"{plain * 1e3:9.4f} ms {compact / plain:5.2f} {middle:5.2f} {spread} {verdict}"


def summarize(name: str, measured: list[Sides]) -> str:
    verdicts = [describe(sides).split()[-1] for sides in measured]
    least = geometric_mean(min(compact) / min(plain) for plain, compact in measured)
    middle = geometric_mean(median(ratios(sides)) for sides in measured)
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in ("faster", "equal", "slower"))
    return f"{name}: geometric mean {least:.2f} by least times, {middle:.2f} by pairs; {counts}"


def compare(names: list[str], directory: Path, processes: int) -> None:
    print("The time of pickle.loads with compact=True as a part of what it is without. For first")
    print("loads and for further ones: the least time without, the ratio of the least times, the")
    print("median of the ratios of pairs (and their quartiles).")
    print(f"{'workload':26} {'bytes':>11}   {'first':46}   again")
    firsts: list[Sides] = []
    later_ones: list[Sides] = []
    for name in names:
        try:
            size, first, again = measure(name, directory, processes)
        except ModuleNotFoundError as error:
            print(f"{name:26} left out: needs {error.name}, which is not installed")
            continue
        if size >= _SMALLEST:
            firsts.append(first)
        later_ones.append(again)
        shown = describe(first) if size >= _SMALLEST else "-"
        print(f"{name:26} {size:11,}   {shown:46}   {describe(again)}", flush=True)
    for title, measured in (("first", firsts), ("again", later_ones)):
        if measured:
            print(summarize(title, measured))


def compare_orders(directory: Path, processes: int) -> None:
    """Two loads in one process, each in every order; the result of the first is kept."""
    obj = [(i, [i]) for i in range(_OBJECTS)]
    paths = {}
    for compact, name in zip(_SIDES, ("plain", "compact"), strict=True):
        paths[name] = directory / name
        paths[name].write_bytes(quickpickle.dumps(obj, compact=compact))
    orders = [(one, other) for one in paths for other in paths]
    seconds: dict[tuple[str, str], Sides] = {order: ([], []) for order in orders}
    for _ in range(processes):
        for order in orders:
            first, second = load_apart("", "", *(paths[name] for name in order))
            seconds[order][0].append(first)
            seconds[order][1].append(second)
    print(f"{_OBJECTS:,} tuples of a number and a list, by least times and by the median of pairs.")
    print("Two loads in one process, the second as a part of the first:")
    for order, (firsts, later) in seconds.items():
        least = min(later) / min(firsts)
        middle = median(ratios((firsts, later)))
        print(f"{order[0]:>8}, then {order[1]:8} {least:5.2f} {middle:5.2f}")
    alone = (seconds["plain", "plain"][0], seconds["compact", "compact"][0])
    least = min(alone[1]) / min(alone[0])
    print(f"The first loads of processes, compact as a part of plain: {least:.2f} ", end="")
    print(f"{median(ratios(alone)):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("workloads", metavar="WORKLOAD", nargs="*", help="only these")
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        default=_PROCESSES,
        help=f"how many load each pickle, 2 or more (default {_PROCESSES})",
    )
    parser.add_argument("--order", action="store_true", help="what the order in one process does")
    parser.add_argument("--here", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        workload, modules, *paths = options.here
        print(*load_here(workload, modules, paths))
        return
    with tempfile.TemporaryDirectory() as directory:
        if options.order:
            compare_orders(Path(directory), options.processes)
        else:
            compare(options.workloads or list(WORKLOADS), Path(directory), options.processes)


if __name__ == "__main__":
    main()
