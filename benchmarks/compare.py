"""Compares quickpickle with the standard library and with competitors: the command line.

    python benchmarks/compare.py --workloads dataclasses floats --output result.json

In both directions: dumps() and loads(), and dump() and load() with a file. Those who are measured
take turns in one process (A, B, C, C, B, A, ...), so whatever else the machine does hits all of
them alike. README.md, beside this file, says how it is measured, and how to read what is printed.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import io
import math
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import pyperf
from rich.console import Console
from rich.progress import track

import picklers
import quickpickle
import tables
from picklers import COMPETITORS, Pickler
from quickpickle.cli import timing
from tables import FUNCTIONS, TABLES, Key, Measurement
from workloads import WORKLOADS

ROUNDS: Final = 5
FAST_ROUNDS: Final = 3
FILE_SIZE: Final = 20_000_000  # bytes, of a file of many small pickles
MOST_SMALL: Final = 100_000  # pickles in it

# Python has each bytes object of a single byte once, and pickle.loads makes others, unlike
# pickle._loads and quickpickle.
OTHERWISE_SHARED: Final = "what it loads has the same values, and shares others of them"

# The facts of pyperf about the machine and about Python that are stored. It is a list of facts to
# keep, not of facts to strip: so no host name, no path of the interpreter or of its build, and
# nothing that a later pyperf may add gets into a file that is meant to be shared.
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
)
STORED_VERSIONS: Final = (*COMPETITORS, "numpy", "pandas", "networkx", "scikit-learn")

Metadata = dict[str, str | int | float]


class Call(NamedTuple):
    """A call that is timed: `function(*arguments)`, and the file it writes or reads, if any."""

    function: Callable[..., object]
    arguments: tuple[Any, ...]
    file: BinaryIO | None = None
    size: int | None = None
    """Of the pickle that is loaded, in bytes; None where one is written."""
    pickles: float = math.inf
    """How many can be loaded, one after the other."""

    @property
    def is_single(self) -> bool:
        """Whether it is a load that is long enough to be timed alone."""
        return self.size is not None and self.size > timing.SMALL

    def time(self, loops: int) -> float:
        """The seconds of one call, of so many; of single ones the least."""
        if self.is_single:
            return min(self._time(1) for _ in range(loops))
        return self._time(loops)

    def _time(self, loops: int) -> float:
        """In a file the pickles are one behind the other."""
        if self.file:
            self.file.seek(0, os.SEEK_END)  # so that nothing of its beginning is in the buffer
            self.file.seek(0)
        if self.size is not None:
            return timing.time_loads(self.function, self.arguments, loops)
        flush = self.file.flush if self.file else None
        return timing.time_dumps(self.function, self.arguments, loops, flush=flush)

    def calibrate(self) -> int:
        """How many calls a round has."""
        if self.is_single:
            return timing.count_single_loads(self._time(1))
        return timing.calibrate(self._time, self.pickles)


Calls = dict[Key, Call]


class LeftOutError(Exception):
    """A workload that cannot be measured here."""


class Participant(NamedTuple):
    """A pickler that can do a workload, with the pickle that it has written and loads again."""

    pickler: Pickler
    data: bytes


def take_part(
    workload: str, obj: object, protocol: int, shown: list[str]
) -> tuple[list[Participant], dict[str, str]]:
    """The picklers that can do a workload, the standard one first; and the others, with reasons.

    Where quickpickle writes other bytes than the standard library, or loads something else, this
    ends the program: the time of a wrong result is of no use.
    """
    hooks = WORKLOADS[workload].hooks

    def prepare(pickler: Pickler) -> Pickler:
        return pickler.with_hooks(hooks) if hooks else pickler

    standard = prepare(picklers.standard(protocol))
    try:
        expected = standard.dumps(obj, *standard.options)
    except (TypeError, NotImplementedError, pickle.PicklingError) as error:  # protocols 0 and 1
        raise LeftOutError(f"{workload}: {error}") from error
    # Loaded objects share strings and ints at other places than those that were built: other bytes.
    again = standard.dumps(standard.loads(expected), *standard.options)

    able = [Participant(standard, expected)]
    unable = {}
    candidates = [picklers.ours(protocol)]
    if "python" in shown:
        candidates += [picklers.ours_in_python(protocol), picklers.standard_in_python(protocol)]
    for pickler in map(prepare, candidates):
        fault = wrong_bytes(pickler, obj, expected) or wrong_loads(
            pickler, expected, standard, again
        )
        if fault in (None, OTHERWISE_SHARED):
            able.append(Participant(pickler, expected))
            if fault:
                unable[pickler.name] = f"measured, but {fault}"
            continue
        if pickler.name != picklers.STANDARD_PYTHON:  # where the two differ from each other
            raise SystemExit(f"{workload}: {pickler.name} {fault}")
        unable[pickler.name] = str(fault)
    if "competitors" in shown:
        for name in COMPETITORS:
            try:
                pickler = prepare(picklers.competitor(name, protocol))
                data = pickler.dumps(obj, *pickler.options)
                if not picklers.same(obj, pickler.loads(data)):
                    raise ValueError("what it reads back is not the same")
            except Exception as error:  # whatever a library may raise
                unable[name] = f"{type(error).__name__}: {error}"
            else:
                able.append(Participant(pickler, data))
    return able, unable


def wrong_bytes(pickler: Pickler, obj: object, expected: bytes) -> str | None:
    """The fault in the bytes that a pickler writes, by each of its functions; None for none."""
    written = [pickler.dumps(obj, *pickler.options)]
    if pickler.dump:
        file = io.BytesIO()
        pickler.dump(obj, file, *pickler.options)
        written.append(file.getvalue())
    return "writes other bytes than pickle.dumps" if set(written) != {expected} else None


def wrong_loads(pickler: Pickler, data: bytes, standard: Pickler, expected: bytes) -> str | None:
    """The fault in the objects that a pickler loads, by each of its functions; None for none.

    Written once more by the standard one, they give the bytes that its own objects give.
    """
    fault = None
    loaded = [pickler.loads(data)]
    if pickler.load:
        loaded.append(pickler.load(io.BytesIO(data)))
    for obj in loaded:
        if standard.dumps(obj, *standard.options) != expected:
            if not picklers.same(standard.loads(data), obj):
                return "loads something else than pickle.loads"
            fault = OTHERWISE_SHARED
    return fault


@contextmanager
def make_dumps(able: list[Participant], obj: object, functions: list[str]) -> Iterator[Calls]:
    """A call of dumps() for each pickler, and of dump() to a file of its own."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        calls = {}
        for number, (pickler, _) in enumerate(able):
            if "dumps" in functions:
                calls["dumps", pickler.name] = Call(pickler.dumps, (obj, *pickler.options))
            if "dump" in functions and pickler.dump:
                file = stack.enter_context((directory / str(number)).open("wb"))
                arguments = (obj, file, *pickler.options)
                calls["dump", pickler.name] = Call(pickler.dump, arguments, file)
        yield calls


@contextmanager
def make_loads(able: list[Participant], functions: list[str]) -> Iterator[Calls]:
    """A call of loads() for each pickler, and of load() from a file of its own."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        calls = {}
        for number, (pickler, data) in enumerate(able):
            if "loads" in functions:
                calls["loads", pickler.name] = Call(pickler.loads, (data,), size=len(data))
            if "load" in functions and pickler.load:
                path = directory / str(number)
                small = len(data) <= timing.SMALL
                pickles = min(FILE_SIZE // len(data), MOST_SMALL) if small else 1
                path.write_bytes(data * pickles)
                file = stack.enter_context(path.open("rb"))
                calls["load", pickler.name] = Call(pickler.load, (file,), file, len(data), pickles)
        yield calls


def add_compact_calls(calls: Calls, workload: str, obj: object, protocol: int) -> int:
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


def add_digest_calls(calls: Calls, obj: object) -> dict[str, str]:
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


def time_all(calls: Calls, rounds: int) -> tuple[dict[Key, int], dict[Key, list[float]]]:
    """The loops of each call, and its seconds in each round."""
    loops = {key: call.calibrate() for key, call in calls.items()}
    seconds: dict[Key, list[float]] = {key: [] for key in calls}
    for number in range(rounds):
        for key in timing.in_turn(list(calls), number):
            seconds[key].append(calls[key].time(loops[key]))
    return loops, seconds


def measure(
    workload: str, rounds: int, protocol: int, shown: list[str], functions: list[str]
) -> Measurement:
    """Time everyone who can do a workload, after checking what they write and load."""
    try:
        obj = WORKLOADS[workload]()
    except ModuleNotFoundError as error:
        raise LeftOutError(f"{workload}: needs {error.name}, which is not installed") from error
    able, unable = take_part(workload, obj, protocol, shown)
    compact_size = None
    with make_dumps(able, obj, functions) as calls:
        if "compact" in shown:
            compact_size = add_compact_calls(calls, workload, obj, protocol)
        if "digests" in shown:
            unable |= add_digest_calls(calls, obj)
        gc.collect()
        loops, seconds = time_all(calls, rounds)
    del obj, calls  # a program that loads does not have it already
    with make_loads(able, functions) as calls, timing.fresh_state():
        more_loops, more_seconds = time_all(calls, rounds)
    return Measurement(
        len(able[0].data), loops | more_loops, seconds | more_seconds, unable, compact_size
    )


def common_metadata(protocol: int) -> Metadata:
    """The metadata that is the same for all benchmarks of a result."""
    collected = pyperf.Run([1.0]).get_metadata()
    metadata: Metadata = {key: collected[key] for key in STORED_METADATA if key in collected}
    clock: Any = timing.CLOCK.__name__
    metadata["timer"] = time.get_clock_info(clock).implementation
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
                "python_gc": "enabled" if function in ("loads", "load") else "disabled",
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
        "--functions",
        nargs="+",
        choices=FUNCTIONS,
        default=list(FUNCTIONS),
        metavar="NAME",
        help=f"only these, of: {', '.join(FUNCTIONS)} (default: all)",
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
            measurements[name] = measure(name, rounds, args.protocol, args.tables, args.functions)
        except LeftOutError as error:
            console.print(f"left out: {error}", markup=False)
    if not measurements:
        return
    for table in args.tables:
        for part in TABLES[table](measurements, args.functions):
            console.print(part)
    if args.reasons:
        for line in tables.reasons(measurements):
            console.print(line, markup=False, highlight=False)
    if args.output:
        make_suite(measurements, metadata).dump(str(args.output), replace=True)


if __name__ == "__main__":
    main()
