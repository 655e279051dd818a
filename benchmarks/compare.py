"""Compares quickpickle with the standard library and with competitors: the command line.

    python benchmarks/compare.py --workloads dataclasses floats --output result.json

The picklers take turns in one process (A, B, C, A, B, C, ...), so whatever else the machine does
hits all of them alike. README.md, beside this file, says how to read what is printed.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import io
import math
import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import pyperf
from rich.console import Console
from rich.progress import track

import picklers
import quickpickle
import tables
from picklers import COMPETITORS, Pickler
from tables import TABLES, Key, Measurement
from workloads import WORKLOADS

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
STORED_VERSIONS: Final = (*COMPETITORS, "numpy", "pandas", "networkx", "scikit-learn")

Metadata = dict[str, str | int | float]


class Call(NamedTuple):
    """What is timed: `function(*arguments)`, and the file it writes to, if any."""

    function: Callable[..., object]
    arguments: tuple[Any, ...]
    file: BinaryIO | None = None


class LeftOutError(Exception):
    """A workload that cannot be measured here."""


def take_part(
    workload: str, obj: object, protocol: int, shown: list[str]
) -> tuple[list[Pickler], int, dict[str, str]]:
    """Who can do a workload; how many bytes its pickle has; and who cannot, with the reason.

    Where quickpickle writes other bytes than the standard library this ends the program: the
    time of a wrong result is of no use.
    """
    hooks = WORKLOADS[workload].hooks

    def prepare(pickler: Pickler) -> Pickler:
        return pickler.with_hooks(hooks) if hooks else pickler

    standard = prepare(picklers.standard(protocol))
    try:
        expected = standard.dumps(obj, *standard.options)
    except (TypeError, pickle.PicklingError) as error:  # __slots__, with protocols 0 and 1
        raise LeftOutError(f"{workload}: {error}") from error

    able = [standard]
    unable = {}
    candidates = [picklers.ours(protocol)]
    if "python" in shown:
        candidates += [picklers.ours_in_python(protocol), picklers.standard_in_python(protocol)]
    for pickler in map(prepare, candidates):
        if writes(pickler, obj, expected):
            able.append(pickler)
        elif pickler.name == picklers.STANDARD_PYTHON:  # where the two differ from each other
            unable[pickler.name] = "writes other bytes than pickle.dumps"
        else:
            raise SystemExit(f"{workload}: {pickler.name} writes other bytes than pickle.dumps")
    if "competitors" in shown:
        for name in COMPETITORS:
            try:
                pickler = prepare(picklers.competitor(name, protocol))
                if not picklers.same(obj, pickler.loads(pickler.dumps(obj, *pickler.options))):
                    raise ValueError("what it reads back is not the same")
            except Exception as error:  # whatever a library may raise
                unable[name] = f"{type(error).__name__}: {error}"
            else:
                able.append(pickler)
    return able, len(expected), unable


def writes(pickler: Pickler, obj: object, expected: bytes) -> bool:
    """Whether a pickler writes these bytes, by each of its functions."""
    if pickler.dump:
        file = io.BytesIO()
        pickler.dump(obj, file, *pickler.options)
        if file.getvalue() != expected:
            return False
    return pickler.dumps(obj, *pickler.options) == expected


@contextmanager
def make_calls(able: list[Pickler], obj: object) -> Iterator[dict[Key, Call]]:
    """A call of dumps() for each pickler, and of dump() to a file of its own."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        calls = {}
        for number, pickler in enumerate(able):
            calls["dumps", pickler.name] = Call(pickler.dumps, (obj, *pickler.options))
            if pickler.dump:
                file = stack.enter_context((directory / str(number)).open("wb"))
                arguments = (obj, file, *pickler.options)
                calls["dump", pickler.name] = Call(pickler.dump, arguments, file)
        yield calls


def add_compact_calls(calls: dict[Key, Call], workload: str, obj: object, protocol: int) -> int:
    """Calls of dumps() with compact=True and without; the compact size. loading.py has loads()."""
    hooks = WORKLOADS[workload].hooks
    size = 0
    for compact in (False, True):
        pickler = picklers.ours_compact(protocol, compact)
        if hooks:
            pickler = pickler.with_hooks(hooks)
        size = len(pickler.dumps(obj, *pickler.options))
        calls["dumps", pickler.name] = Call(pickler.dumps, (obj, *pickler.options))
    return size


def add_digest_calls(calls: dict[Key, Call], obj: object) -> dict[str, str]:
    """Calls of object_digest and joblib.hash, by both algorithms; and who cannot, and why."""
    unable = {}
    for (name, algorithm), digest in picklers.digests().items():
        try:
            digest(obj)
        except Exception as error:  # an object of the hooks, or one that joblib cannot hash
            unable[f"{name}, {algorithm}"] = f"{type(error).__name__}: {error}"
        else:
            calls[f"digest, {algorithm}", name] = Call(digest, (obj,))
    return unable


def time_loops(call: Call, loops: int) -> float:
    """The seconds that so many calls take; their pickles stand one behind the other in the file."""
    function, arguments, file = call
    if file:
        file.seek(0)
    start = pyperf.perf_counter()
    for _ in repeat(None, loops):
        function(*arguments)
    if file:
        file.flush()
    return float(pyperf.perf_counter() - start)


def calibrate(call: Call) -> int:
    """How many calls a round needs to last ROUND_SECONDS."""
    loops = 1
    while (seconds := time_loops(call, loops)) < ROUND_SECONDS:
        # At most tenfold at once: the first calls are slower than those that follow.
        factor = ROUND_SECONDS / seconds if seconds else 10
        loops = math.ceil(loops * min(factor * 1.1, 10))
    return loops


def measure(workload: str, rounds: int, protocol: int, shown: list[str]) -> Measurement:
    """Time everyone who can do a workload, after checking what they write."""
    try:
        obj = WORKLOADS[workload]()
    except ModuleNotFoundError as error:
        raise LeftOutError(f"{workload}: needs {error.name}, which is not installed") from error
    able, size, unable = take_part(workload, obj, protocol, shown)
    compact_size = None
    with make_calls(able, obj) as calls:
        if "compact" in shown:
            compact_size = add_compact_calls(calls, workload, obj, protocol)
        if "digests" in shown:
            unable |= add_digest_calls(calls, obj)
        gc.collect()
        gc.disable()  # whose turn it is when the collector runs would be chance
        try:
            loops = {key: calibrate(call) for key, call in calls.items()}
            seconds: dict[Key, list[float]] = {key: [] for key in calls}
            for _ in range(rounds):
                for key, call in calls.items():
                    seconds[key].append(time_loops(call, loops[key]) / loops[key])
        finally:
            gc.enable()
    return Measurement(size, loops, seconds, unable, compact_size)


def common_metadata(protocol: int) -> Metadata:
    """What is the same for all benchmarks of a result."""
    collected = pyperf.Run([1.0]).get_metadata()
    metadata: Metadata = {key: collected[key] for key in STORED_METADATA if key in collected}
    metadata["python_gc"] = "disabled"
    metadata["quickpickle_version"] = quickpickle.__version__
    metadata["pickle_protocol"] = protocol
    for name in STORED_VERSIONS:
        # Not installed, or, as marshal, a part of Python.
        with suppress(importlib.metadata.PackageNotFoundError):
            metadata[f"{name}_version"] = importlib.metadata.version(name)
    return metadata


def make_suite(measurements: dict[str, Measurement], metadata: Metadata) -> Any:
    """The result as pyperf stores it: a benchmark for each workload, function and pickler."""
    benchmarks = []
    for workload, (size, loops, seconds, _unable, _compact_size) in measurements.items():
        for (function, pickler), values in seconds.items():
            own: Metadata = {
                "name": f"{workload}: {function}, {pickler}",
                "group": WORKLOADS[workload].group,
                "workload": workload,
                "function": function,
                "pickler": pickler,
                "loops": loops[function, pickler],
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
    lines = [f"  {name:28}{workload.description}" for name, workload in WORKLOADS.items()]
    parser = argparse.ArgumentParser(
        description="Compare quickpickle with the standard library and with competitors.",
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
        "--tables",
        nargs="+",
        choices=TABLES,
        default=list(TABLES),
        metavar="NAME",
        help=f"only what these need, of: {', '.join(TABLES)} (default: all)",
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
        "--output",
        metavar="FILE",
        type=Path,
        help="store the times as pyperf JSON, in place of what FILE holds",
    )
    parser.add_argument(
        "--reasons", action="store_true", help="say why a competitor cannot do a workload"
    )
    return parser


def main() -> None:
    args = make_parser().parse_args()
    rounds = args.rounds or (FAST_ROUNDS if args.fast else ROUNDS)
    metadata = common_metadata(args.protocol)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)  # now, not after minutes of work

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
            measurements[name] = measure(name, rounds, args.protocol, args.tables)
        except LeftOutError as error:
            console.print(f"left out: {error}", markup=False)
    if not measurements:
        return
    for table in args.tables:
        console.print(TABLES[table](measurements))
    if args.reasons:
        for line in tables.reasons(measurements):
            console.print(line, markup=False, highlight=False)
    if args.output:
        make_suite(measurements, metadata).dump(str(args.output), replace=True)


if __name__ == "__main__":
    main()
