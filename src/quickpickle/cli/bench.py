"""`quickpickle bench FILE`: times quickpickle and pickle, on the user's own data.

The file is a pickle. The object in it is dumped and loaded.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import quickpickle

from ..files.compression import decompressed, with_its_start
from ..format.foreign import OLD_TORCH, recognise
from ..inspection.printable import printable
from . import timing
from .main_names import advice_for
from .table_html import make_table
from .terminal import Cell, Screen, Status, Text

_TITLE: Final = "Time of one dumps() and of one loads()"

_MODULES = {"quickpickle": quickpickle, "pickle": pickle}

_Calls = dict[str, tuple[Callable[[int], float], int]]
"""By the name of a module: the function that times its calls, and the calls in a round."""


_LONG: Final = 5_000_000
"""The bytes of a pickle from which on each step is announced on a terminal."""

_UNSTEADY: Final = 1.25
"""How much longer than the shortest round the median may take before the table says so."""


class BenchError(Exception):
    """Why there is nothing to measure, in one line."""


@dataclass(frozen=True)
class Times:
    """The seconds of one call in each round, of `dumps` or of `loads`."""

    ours: list[float]
    standard: list[float] | None
    """None if the standard pickler gave up with RecursionError."""

    @property
    def is_unsteady(self) -> bool:
        """Whether the rounds differ so much that a ratio of them says little."""
        return any(
            statistics.median(values) > _UNSTEADY * min(values)
            for values in (self.ours, self.standard or self.ours)
        )

    @property
    def ratio(self) -> float | None:
        """How many times as fast quickpickle is; None if the standard pickler gave up."""
        if self.standard is None:
            return None
        # Of the minima: other jobs on the machine only ever add to a time.
        return min(self.standard) / min(self.ours)


@dataclass(frozen=True)
class Report:
    """The result of one run."""

    path: Path
    rest: int
    """How many bytes come after its first pickle, of what it holds when decompressed."""
    protocol: int
    size: int
    """How many bytes quickpickle writes."""
    dumps: Times
    loads: Times
    identical: bool | None
    """Whether both wrote the same bytes; None if that cannot be said, because the standard pickler
    wrote none, or others each time."""
    equal: bool | None
    """Whether both made the same objects of a pickle, by the bytes that these give; None if they
    give others each time."""

    @property
    def problems(self) -> list[str]:
        """The faults found, a clause each; empty if quickpickle did as it should."""
        problems = []
        if self.identical is False:
            problems.append("the bytes are not those of the standard pickler")
        if self.equal is False:
            problems.append("the objects are not those of the standard unpickler")
        return problems

    def _repr_html_(self) -> str:
        """The rows of the terminal's table, for a notebook."""
        return make_table(_TITLE, _rows(self))


def run(
    path: str | Path,
    protocol: int | None = None,
    rounds: int = 5,
    *,
    screen: Screen | None = None,
) -> Report:
    """Load the pickle, time quickpickle and pickle on the object, and print a table on the screen.

    Without a protocol it is the file's. Without a screen nothing is printed: a notebook shows the
    Report itself. Raises OSError where the file cannot be read, and BenchError where it is no
    pickle, or holds an object that cannot be pickled again.
    """
    path = Path(path)
    if screen is not None:
        screen.line("A pickle runs what is in it: load only files that you trust.")
    with Status() as status:
        data = _read(path)
        if len(data) > _LONG:
            status.say(f"loading {path.name}")
        obj, rest = _load(path, data)
        if protocol is None:
            protocol = find_protocol(data)
        if len(data) > _LONG:
            status.say("measuring dumps")
        del data
        dumps = _time_dumps(obj, protocol, rounds, status)
        # Only now: by then a class has cached whatever it caches.
        data = quickpickle.dumps(obj, protocol)
        size = len(data)
        identical = None
        if dumps.standard is not None:
            expected = pickle.dumps(obj, protocol)
            identical = data == expected
            if not identical and pickle.dumps(obj, protocol) != expected:
                identical = None
            data = expected
        if size > _LONG:
            status.say("comparing, measuring loads")
        del obj  # a program that loads does not have it already
        equal = _loads_equal(data, protocol)
        loads = _time_loads(data, rounds, status)
    report = Report(path, rest, protocol, size, dumps, loads, identical, equal)
    if screen is not None:
        screen.table(_TITLE, (), _rows(report))
    return report


def _time_dumps(obj: object, protocol: int, rounds: int, status: Status) -> Times:
    calls: _Calls = {}
    for name, module in _MODULES.items():
        time = partial(timing.time_dumps, module.dumps, (obj, protocol))
        try:
            calls[name] = time, timing.calibrate(time)
        except Exception as error:  # whatever the code of a class may raise
            if name == "pickle" and isinstance(error, RecursionError):
                continue
            raise BenchError(
                f"cannot pickle it with protocol {protocol}: {_line(error)}"
            ) from error
    return _time(calls, rounds, status, "measuring dumps")


def _time_loads(data: bytes, rounds: int, status: Status) -> Times:
    calls: _Calls = {}
    with timing.fresh_state():
        for name, module in _MODULES.items():
            if len(data) <= timing.SMALL:
                time = partial(timing.time_loads, module.loads, (data,))
                calls[name] = time, timing.calibrate(time)
            else:
                time = partial(timing.time_single_loads, module.loads, (data,))
                calls[name] = time, timing.count_single_loads(time())
        return _time(calls, rounds, status, "measuring loads")


def _time(calls: _Calls, rounds: int, status: Status, text: str) -> Times:
    # They take turns, so whatever else the machine does hits both alike.
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in status.track(range(rounds), text):
        for name in timing.in_turn(list(calls), number):
            time, loops = calls[name]
            seconds[name].append(time(loops))
    return Times(seconds["quickpickle"], seconds.get("pickle"))


def _loads_equal(data: bytes, protocol: int) -> bool | None:
    """Whether both make the same of a pickle. By the bytes of quickpickle, which has no limit."""

    def write(module: Any) -> bytes:
        try:
            return quickpickle.dumps(module.loads(data), protocol)
        except Exception as error:
            raise BenchError(
                f"{module.__name__} cannot load and pickle it once more: {_line(error)}"
            ) from error

    expected = write(pickle)
    if write(quickpickle) == expected:
        return True
    return False if write(pickle) == expected else None


def find_protocol(data: bytes) -> int:
    """The protocol of the first pickle."""
    if data[:1] == pickle.PROTO:
        return data[1]
    # Before 2 they did not say so: an opcode of protocol 1 does.
    return max(opcode.proto for opcode, _, _ in pickletools.genops(data))


def _read(path: Path) -> bytes:
    """All of a file, which may be compressed, or a pipe."""
    try:
        with path.open("rb") as file:
            return decompressed(with_its_start(file)).read()
    except Exception as error:  # each of the modules that decompress has its own
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BenchError(f"cannot load {path}: {_line(error)}") from error


def _load(path: Path, data: bytes) -> tuple[Any, int]:
    """The object, and how many bytes are left."""
    file = io.BytesIO(data)
    try:
        obj = pickle.load(file)
    except Exception as error:  # a wrong pickle can raise any
        advice = advice_for(error) or _advice(data)
        raise BenchError(_sentences([f"cannot load {path}: {_line(error)}", *advice])) from error
    if recognise(data) == OLD_TORCH:  # its first pickle only says whose file it is
        raise BenchError(_sentences([f"there is no object to measure in {path}", OLD_TORCH]))
    return obj, len(data) - file.tell()


def _advice(data: bytes) -> list[str]:
    """The lines that quickpickle adds to the exception of such a load: where, and what to do."""
    try:
        quickpickle.loads(data)
    except Exception as error:
        notes = [note for note in getattr(error, "__notes__", ()) if type(note) is str]
        return [line for note in notes for line in note.split("\n")]
    return []


def _sentences(parts: list[str]) -> str:
    """A line of several sentences."""
    return ". ".join(printable(" ".join(part.split())).removesuffix(".") for part in parts)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _duration(values: list[float]) -> str:
    best = min(values)
    factor, unit = next(
        (scale for scale in ((1, "s"), (1e3, "ms"), (1e6, "us")) if best * scale[0] >= 1),
        (1e9, "ns"),
    )
    median = statistics.median(values) * factor
    return f"{best * factor:.3g} {unit} (median {median:{'.3g' if median < 1000 else ',.0f'}})"


def _rows(report: Report) -> list[Sequence[Cell]]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    rows: list[Sequence[Cell]] = []

    def row(label: str, text: str, style: str = "") -> None:
        rows.append((label, Text(printable(text), style)))

    def verdict(label: str, good: bool | None, reason: str) -> None:
        if good is None:
            row(label, f"not compared: {reason}", "warning")
        else:
            row(label, "yes" if good else "NO", "good" if good else "alarm")

    row("interpreter", python)
    row("file", str(report.path))
    if report.rest:
        row("not looked at", f"{report.rest:,} bytes behind the first pickle", "warning")
    row("protocol", str(report.protocol))
    row("bytes", f"{report.size:,}")
    for function, times in (("dumps", report.dumps), ("loads", report.loads)):
        rows.append(())
        row(f"{function}, quickpickle ({quickpickle.implementation})", _duration(times.ours))
        if times.standard is None or times.ratio is None:
            row(f"{function}, pickle", "gave up with RecursionError", "warning")
        else:
            row(f"{function}, pickle", _duration(times.standard))
            style = "good" if times.ratio >= 1 else "warning"
            row(f"{function}, quickpickle is", f"{times.ratio:.2f} times as fast", style)
        if times.is_unsteady:
            row("", "the rounds differ much: run it again, or with more --rounds", "warning")
    if timing.is_slow_in_python(report.dumps.ratio, report.loads.ratio):
        row("", timing.NOT_COMPILED, "warning")
    rows.append(())
    wrote = "none" if report.dumps.standard is None else "others each time"
    verdict("bytes identical", report.identical, f"pickle wrote {wrote}")
    verdict("objects equal", report.equal, "they are others each time")
    return rows
