"""Compares the time of dumps() in quickpickle and in the standard library: the command line.

    python benchmarks/compare.py --workloads dataclasses floats --output result.json

The picklers take turns in one process (A, B, C, A, B, C, ...), so whatever else the machine does
hits all of them alike. README.md, beside this file, says how to read what is printed.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import pickle
import statistics
from collections.abc import Callable
from itertools import product, repeat
from typing import Any, Final, NamedTuple

import pyperf  # type: ignore[import-untyped]
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

import quickpickle.pickler
from workloads import WORKLOADS

Dumps = Callable[[Any, int], bytes]


class Pickler(NamedTuple):
    """One column of the table. Each of ours is set against each of the others."""

    name: str
    dumps: Dumps
    ours: bool


PICKLERS: Final = [
    # The compiled implementation where it was built, else the Python one once more.
    Pickler(f"quickpickle ({quickpickle.implementation})", quickpickle.dumps, ours=True),
    Pickler("quickpickle (Python)", quickpickle.pickler.dumps, ours=True),
    Pickler("pickle (Python)", pickle._dumps, ours=False),  # type: ignore[attr-defined]
    Pickler("pickle (C)", pickle.dumps, ours=False),
]
RATIOS: Final = list(
    product(
        [pickler.name for pickler in PICKLERS if not pickler.ours],
        [pickler.name for pickler in PICKLERS if pickler.ours],
    )
)

ROUNDS: Final = 10
FAST_ROUNDS: Final = 3
ROUND_SECONDS: Final = 0.02  # so long that neither the clock nor a switch of tasks counts for much

# What pyperf says of the machine and of Python, and is stored. A list of what to keep rather than
# of what to strip: no host name, no path of the interpreter or of its build, and nothing that
# a later pyperf may add, gets into a file that is meant to be shared.
STORED_METADATA: Final = (
    "aslr",
    "cpu_affinity",
    "cpu_config",
    "cpu_count",
    "cpu_freq",
    "cpu_model_name",
    "date",
    "load_avg_1min",
    "perf_version",
    "platform",
    "python_compiler",
    "python_hash_seed",
    "python_implementation",
    "python_version",
    "timer",
)

Metadata = dict[str, str | int | float]


class Measurement(NamedTuple):
    """One workload: the size of its pickle, and for each pickler's name its loops and seconds."""

    size: int
    loops: dict[str, int]
    seconds: dict[str, list[float]]  # of one dumps(), for each round

    def ratio(self, other: str, ours: str) -> float:
        # Of the minima: other jobs on the machine only ever add to a time.
        return min(self.seconds[other]) / min(self.seconds[ours])


class NotComparableError(Exception):
    """The standard library itself cannot pickle an object, or not in one way only."""


def check(workload: str, obj: object, protocol: int) -> int:
    """Let every pickler pickle `obj`, compare the bytes, and return how many there are.

    Where ours differ this ends the program: the time of a wrong result is of no use.
    """
    try:
        expected = pickle.dumps(obj, protocol)
    except (TypeError, pickle.PicklingError) as error:  # __slots__, with protocols 0 and 1
        raise NotComparableError(f"{workload}: {error}") from error
    for pickler in PICKLERS:
        if pickler.dumps(obj, protocol) != expected:
            message = f"{workload}: {pickler.name} and pickle.dumps write different bytes"
            raise SystemExit(message) if pickler.ours else NotComparableError(message)
    return len(expected)


def time_loops(dumps: Dumps, obj: object, protocol: int, loops: int) -> float:
    """The seconds that so many calls take."""
    start = pyperf.perf_counter()
    for _ in repeat(None, loops):
        dumps(obj, protocol)
    return float(pyperf.perf_counter() - start)


def calibrate(dumps: Dumps, obj: object, protocol: int) -> int:
    """How many calls a round needs to last ROUND_SECONDS."""
    loops = 1
    while (seconds := time_loops(dumps, obj, protocol, loops)) < ROUND_SECONDS:
        # At most tenfold at once: the first calls are slower than those that follow.
        factor = ROUND_SECONDS / seconds if seconds else 10
        loops = math.ceil(loops * min(factor * 1.1, 10))
    return loops


def measure(workload: str, rounds: int, protocol: int) -> Measurement:
    """Time every pickler with one workload, after checking what it writes."""
    obj = WORKLOADS[workload]()
    size = check(workload, obj, protocol)
    gc.collect()
    gc.disable()  # whose turn it is when the collector runs would be chance
    try:
        loops = {pickler.name: calibrate(pickler.dumps, obj, protocol) for pickler in PICKLERS}
        seconds: dict[str, list[float]] = {pickler.name: [] for pickler in PICKLERS}
        for _ in range(rounds):
            for name, dumps, _ours in PICKLERS:
                total = time_loops(dumps, obj, protocol, loops[name])
                seconds[name].append(total / loops[name])
    finally:
        gc.enable()
    return Measurement(size, loops, seconds)


def format_seconds(values: list[float]) -> str:
    """The minimum, and the median in parentheses, both in the minimum's unit."""
    best = min(values)
    factor, unit = next(
        (scale for scale in ((1, "s"), (1e3, "ms"), (1e6, "us")) if best * scale[0] >= 1),
        (1e9, "ns"),
    )
    return f"{best * factor:.3g} ({statistics.median(values) * factor:.3g}) {unit}"


def make_table(measurements: dict[str, Measurement]) -> Table:
    """The table that is printed, with the geometric means of the ratios at its end."""
    table = Table(
        box=SIMPLE_HEAD,
        caption="times: minimum (median) of one dumps(); ratios: of the minima",
    )
    table.add_column("workload", no_wrap=True)
    table.add_column("bytes", justify="right")
    for pickler in PICKLERS:
        table.add_column(pickler.name.replace(" ", "\n"), justify="right")
    for other, ours in RATIOS:
        table.add_column(
            f"{other} / {ours}".replace(" (", "\n(").replace("/ ", "/\n"), justify="right"
        )
    for workload, measurement in measurements.items():
        table.add_row(
            workload,
            f"{measurement.size:,}",
            *(format_seconds(measurement.seconds[pickler.name]) for pickler in PICKLERS),
            *(_format_ratio(measurement.ratio(*names)) for names in RATIOS),
        )
    means = [
        statistics.geometric_mean(item.ratio(*names) for item in measurements.values())
        for names in RATIOS
    ]
    table.add_section()
    table.add_row(
        "geometric mean", "", *("" for _ in PICKLERS), *(_format_ratio(mean) for mean in means)
    )
    return table


def _format_ratio(ratio: float) -> str:
    color = "green" if ratio >= 1 else "red"
    return f"[{color}]{ratio:.2f}[/{color}]"


def common_metadata(protocol: int) -> Metadata:
    """What is the same for all benchmarks of a result."""
    collected = pyperf.Run([1.0]).get_metadata()
    metadata: Metadata = {key: collected[key] for key in STORED_METADATA if key in collected}
    metadata["python_gc"] = "disabled"
    metadata["quickpickle_version"] = quickpickle.__version__
    metadata["pickle_protocol"] = protocol
    return metadata


def make_suite(measurements: dict[str, Measurement], metadata: Metadata) -> Any:
    """The result as pyperf stores it: a benchmark for each workload and pickler."""
    benchmarks = []
    for workload, (size, loops, seconds) in measurements.items():
        for name, values in seconds.items():
            own: Metadata = {
                "name": f"{workload}: {name}",
                "loops": loops[name],
                "pickle_size": size,
            }
            run = pyperf.Run(values, metadata=metadata | own, collect_metadata=False)
            benchmarks.append(pyperf.Benchmark([run]))
    return pyperf.BenchmarkSuite(benchmarks)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def make_parser() -> argparse.ArgumentParser:
    lines = [f"  {name:28}{function.__doc__}" for name, function in WORKLOADS.items()]
    parser = argparse.ArgumentParser(
        description="Compare the time of dumps() in quickpickle and in the standard library.",
        epilog="\n".join(["workloads:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        metavar="NAME",
        help="only these (default: all, see below)",
    )
    parser.add_argument(
        "--rounds", type=_positive, metavar="N", help=f"how often each is timed (default {ROUNDS})"
    )
    parser.add_argument(
        "--fast", action="store_true", help=f"only {FAST_ROUNDS} rounds: a rough look"
    )
    parser.add_argument(
        "--protocol",
        type=int,
        choices=range(pickle.HIGHEST_PROTOCOL + 1),
        default=pickle.HIGHEST_PROTOCOL,
        metavar="N",
        help="pickle protocol (default: the highest)",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="store the times as pyperf JSON; FILE must not exist yet"
    )
    return parser


def main() -> None:
    parser = make_parser()
    args = parser.parse_args()
    # dump() below would refuse as well, but only after minutes of work.
    if args.output and os.path.exists(args.output):
        parser.error(f"the JSON file {args.output!r} already exists")
    rounds = args.rounds or (FAST_ROUNDS if args.fast else ROUNDS)
    metadata = common_metadata(args.protocol)

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # in a file or a pipe the table must not be cut
    measurements = {}
    for name in track(
        args.workloads,
        "measuring",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        try:
            measurements[name] = measure(name, rounds, args.protocol)
        except NotComparableError as error:
            console.print(f"left out: {error}")
    if measurements:
        console.print(make_table(measurements))
        if args.output:
            make_suite(measurements, metadata).dump(args.output)


if __name__ == "__main__":
    main()
