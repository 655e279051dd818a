"""`quickpickle bench FILE`: times both picklers on the object in a pickle of the user's own."""

from __future__ import annotations

import gc
import io
import math
import pickle
import pickletools
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import quickpickle

from ..files.compression import decompressed, with_its_start

_ROUND_SECONDS = 0.02  # so long that neither the clock nor a switch of tasks counts for much

_Dumps = Callable[[Any, int], bytes]


class BenchError(Exception):
    """Why there is nothing to measure, in one line."""


@dataclass(frozen=True)
class Report:
    """The result of one run."""

    path: Path
    rest: int
    """How many bytes come after its first pickle, of what it holds when decompressed."""
    protocol: int
    size: int
    """How many bytes quickpickle writes."""
    seconds: list[float]
    """How long one `dumps` of quickpickle took in each round."""
    standard_seconds: list[float] | None
    """The same for the standard pickler; None if it gave up with RecursionError."""
    identical: bool | None
    """Whether both wrote the same bytes; None if that cannot be said, because the standard pickler
    wrote none, or others each time."""

    @property
    def ratio(self) -> float | None:
        """How many times as fast quickpickle is; None if the standard pickler gave up."""
        if self.standard_seconds is None:
            return None
        # Of the minima: other jobs on the machine only ever add to a time.
        return min(self.standard_seconds) / min(self.seconds)


def run(console: Console, path: Path, protocol: int | None = None, rounds: int = 5) -> Report:
    """Load the pickle, time both picklers on the object, and print a table.

    Without a protocol it is the file's. Raises OSError where the file cannot be read, and
    BenchError where it is no pickle, or holds an object that cannot be pickled again.
    """
    console.print("A pickle runs what is in it: load only files that you trust.")
    data = _read(path)
    obj, rest = _load(path, data)
    if protocol is None:
        protocol = find_protocol(data)
    del data

    picklers: dict[str, _Dumps] = {"quickpickle": quickpickle.dumps, "pickle": pickle.dumps}
    loops = {}
    for name, dumps in picklers.items():
        try:
            loops[name] = _calibrate(dumps, obj, protocol)
        except Exception as error:  # whatever the code of a class may raise
            if name == "pickle" and isinstance(error, RecursionError):
                continue
            raise BenchError(
                f"cannot pickle it with protocol {protocol}: {_line(error)}"
            ) from error
    # They take turns, so whatever else the machine does hits both alike.
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    with Progress(console=console, auto_refresh=False, disable=not console.is_terminal) as progress:
        for _ in progress.track(range(rounds), description="measuring"):
            for name, count in loops.items():
                seconds[name].append(_time(picklers[name], obj, protocol, count) / count)
            progress.refresh()

    # Only now: by then a class has cached whatever it caches.
    data = quickpickle.dumps(obj, protocol)
    identical = None
    if "pickle" in seconds:
        expected = pickle.dumps(obj, protocol)
        identical = data == expected
        if not identical and pickle.dumps(obj, protocol) != expected:
            identical = None
    report = Report(
        path=path,
        rest=rest,
        protocol=protocol,
        size=len(data),
        seconds=seconds["quickpickle"],
        standard_seconds=seconds.get("pickle"),
        identical=identical,
    )
    console.print(_table(report))
    return report


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
        raise BenchError(f"cannot load {path}: {_line(error)}") from error
    return obj, len(data) - file.tell()


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _time(dumps: _Dumps, obj: object, protocol: int, loops: int) -> float:
    """How many seconds so many calls take, with the garbage collector off."""
    enabled = gc.isenabled()
    gc.disable()  # whose turn it is when the collector runs would be chance
    try:
        start = time.perf_counter()
        for _ in repeat(None, loops):
            dumps(obj, protocol)
        return time.perf_counter() - start
    finally:
        if enabled:
            gc.enable()


def _calibrate(dumps: _Dumps, obj: object, protocol: int) -> int:
    """How many calls a round needs to last _ROUND_SECONDS."""
    loops = 1
    while (seconds := _time(dumps, obj, protocol, loops)) < _ROUND_SECONDS:
        # At most tenfold at once: the first calls are slower than those that follow.
        factor = _ROUND_SECONDS / seconds if seconds else 10
        loops = math.ceil(loops * min(factor * 1.1, 10))
    return loops


def _duration(values: list[float]) -> str:
    best = min(values)
    factor, unit = next(
        (scale for scale in ((1, "s"), (1e3, "ms"), (1e6, "us")) if best * scale[0] >= 1),
        (1e9, "ns"),
    )
    return f"{best * factor:.3g} {unit} (median {statistics.median(values) * factor:.3g})"


def _table(report: Report) -> Table:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    table = Table(title="Time of one dumps()", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")

    def row(label: str, text: str, style: str = "") -> None:
        table.add_row(label, Text(text, style))  # Text: a path may look like markup

    row("interpreter", python)
    row("file", str(report.path))
    if report.rest:
        row("not looked at", f"{report.rest:,} bytes behind the first pickle", "yellow")
    row("protocol", str(report.protocol))
    row("bytes", f"{report.size:,}")
    row(f"quickpickle ({quickpickle.implementation})", _duration(report.seconds))
    ratio = report.ratio
    if report.standard_seconds is None or ratio is None:
        row("pickle", "gave up with RecursionError", "yellow")
        row("bytes identical", "not compared: pickle wrote none", "yellow")
        return table
    row("pickle", _duration(report.standard_seconds))
    row("quickpickle is", f"{ratio:.2f} times as fast", "green" if ratio >= 1 else "red")
    if report.identical is None:
        row("bytes identical", "not compared: pickle writes others each time", "yellow")
    else:
        style = "green" if report.identical else "bold red"
        row("bytes identical", "yes" if report.identical else "NO", style)
    return table
