"""The printed tables: against the C pickler and unpickler, competitors, the Python version."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from picklers import (
    COMPACT,
    COMPETITORS,
    JOBLIB,
    NOT_COMPACT,
    OURS,
    OURS_PYTHON,
    STANDARD,
    STANDARD_PYTHON,
)
from workloads import WORKLOADS

NOISY: Final = 1.1  # how far the median may lie above the minimum

FUNCTIONS: Final = {
    "dumps": "dumps()",
    "dump": "dump() to a file",
    "loads": "loads()",
    "load": "load() from a file",
}

Key = tuple[str, str]
"""A function, one of FUNCTIONS or a digest, and the name of a pickler."""


class Measurement(NamedTuple):
    """One workload: the size of its pickle, and for each key the loops and the seconds."""

    size: int
    loops: dict[Key, int]
    seconds: dict[Key, list[float]]  # of one call, for each round
    unable: dict[str, str]  # who could not do it, and why
    compact_size: int | None = None

    def ratio(self, function: str, ours: str, other: str) -> float | None:
        """How many times as fast `ours` is; None where one cannot do it, or was not measured."""
        if not {(function, ours), (function, other)} <= self.seconds.keys():
            return None
        # Of the minima: other jobs on the machine only ever add to a time.
        return min(self.seconds[function, other]) / min(self.seconds[function, ours])


Measurements = dict[str, Measurement]

Columns = list[tuple[str, str, str]]
"""A function, our name, and that of the other: their times and the ratio."""


def against_standard(measurements: Measurements, functions: list[str]) -> list[Table]:
    """quickpickle and what the standard library has in C: a table for each direction."""
    tables = []
    for direction in (("dumps", "dump"), ("loads", "load")):
        shown = [function for function in direction if function in functions]
        if shown:
            title = ", and ".join(FUNCTIONS[function] for function in shown)
            columns: Columns = [(function, OURS, STANDARD) for function in shown]
            tables.append(_table(title, measurements, columns))
    return tables


def in_python(measurements: Measurements, functions: list[str]) -> list[Table]:
    """dumps() and loads() of what is written in Python."""
    columns: Columns = [
        (function, OURS_PYTHON, STANDARD_PYTHON)
        for function in ("dumps", "loads")
        if function in functions
    ]
    return [_table("The implementations in Python", measurements, columns)] if columns else []


def compact(measurements: Measurements, _functions: list[str]) -> list[Table]:
    """The cost of compact=True when writing, and its gain in size; loading.py has the reading."""
    table = Table(title="compact=True, as a part of what it is without", box=SIMPLE_HEAD)
    table.add_column("workload", no_wrap=True)
    columns: dict[str, list[float]] = {"dumps": [], "size": []}
    for name in columns:
        table.add_column(name, justify="right")
    for workload, measurement in _by_group(measurements, table):
        values = [
            measurement.ratio("dumps", NOT_COMPACT, COMPACT),
            (measurement.compact_size or measurement.size) / measurement.size,
        ]
        table.add_row(workload, *("-" if value is None else f"{value:.2f}" for value in values))
        for kept, value in zip(columns.values(), values, strict=True):
            if value is not None:
                kept.append(value)
    table.add_section()
    means = (f"{statistics.geometric_mean(kept):.2f}" if kept else "-" for kept in columns.values())
    table.add_row("geometric mean", *means)
    return [table]


def digests(measurements: Measurements, _functions: list[str]) -> list[Table]:
    """object_digest and joblib.hash, by their defaults and by the same algorithm."""
    title = "Milliseconds for a digest, and how many times as fast object_digest is"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("workload", no_wrap=True)
    keys = [("digest, sha256", OURS), ("digest, md5", OURS), ("digest, md5", JOBLIB)]
    for name in ("object_digest", "by MD5", JOBLIB, "ratio", "both MD5"):
        table.add_column(name, justify="right")
    ratios: list[list[float]] = [[], []]
    for workload, measurement in _by_group(measurements, table):
        if any(key not in measurement.seconds for key in keys):
            continue
        ours, ours_by_md5, theirs = (min(measurement.seconds[key]) * 1000 for key in keys)
        for kept, time in zip(ratios, (ours, ours_by_md5), strict=True):
            kept.append(theirs / time)
        times = (ours, ours_by_md5, theirs, theirs / ours, theirs / ours_by_md5)
        table.add_row(workload, *(f"{time:.2f}" for time in times))
    table.add_section()
    table.add_row("geometric mean", "", "", "", *map(_format_mean, ratios))
    return [table]


def against_competitors(measurements: Measurements, functions: list[str]) -> list[Table]:
    """How many times as fast dumps() and loads() of quickpickle are as those of each competitor."""
    return [
        _against_competitors(measurements, function)
        for function in ("dumps", "loads")
        if function in functions
    ]


def _against_competitors(measurements: Measurements, function: str) -> Table:
    title = f"{FUNCTIONS[function]}: how many times as fast {OURS} is"
    table = Table(title=title, box=SIMPLE_HEAD, caption="-: cannot do it, or not here")
    table.add_column("workload", no_wrap=True)
    ratios: dict[str, list[float]] = {}
    for name in COMPETITORS:
        table.add_column(name, justify="right")
        ratios[name] = []
    for workload, measurement in _by_group(measurements, table):
        row = [measurement.ratio(function, OURS, name) for name in COMPETITORS]
        table.add_row(workload, *map(_format_ratio, row))
        for name, ratio in zip(COMPETITORS, row, strict=True):
            if ratio is not None:
                ratios[name].append(ratio)
    table.add_section()
    table.add_row("geometric mean", *(_format_mean(values) for values in ratios.values()))
    ahead = [f"{sum(ratio > 1 for ratio in values)} of {len(values)}" for values in ratios.values()]
    table.add_row("ahead in", *ahead)
    return table


TABLES: Final[dict[str, Callable[[Measurements, list[str]], list[Table]]]] = {
    "standard": against_standard,
    "competitors": against_competitors,
    "python": in_python,
    "compact": compact,
    "digests": digests,
}


def reasons(measurements: Measurements) -> list[str]:
    """Why someone could not do a workload, a line each."""
    return [
        f"{workload}: {name}: {' '.join(reason.split())}"
        for workload, measurement in measurements.items()
        for name, reason in measurement.unable.items()
    ]


def _table(title: str, measurements: Measurements, columns: Columns) -> Table:
    """Times and ratios for each function, ours and other, with the geometric means at the end."""
    caption = "minimum of the rounds; ~: the median is more than a tenth above it"
    table = Table(title=title, box=SIMPLE_HEAD, caption=caption)
    table.add_column("workload", no_wrap=True)
    table.add_column("bytes", justify="right")
    for function, *names in columns:
        for name in names:
            table.add_column("\n".join([function, *name.split()]), justify="right")
        table.add_column(f"{function}\nratio", justify="right")
    ratios: list[list[float]] = [[] for _ in columns]
    for workload, measurement in _by_group(measurements, table):
        cells = []
        for (function, ours, other), values in zip(columns, ratios, strict=True):
            ratio = measurement.ratio(function, ours, other)
            for name in (ours, other):
                cells.append(_format_seconds(measurement.seconds.get((function, name))))
            cells.append(_format_ratio(ratio))
            if ratio is not None:
                values.append(ratio)
        table.add_row(workload, f"{measurement.size:,}", *cells)
    table.add_section()
    means = [cell for values in ratios for cell in ("", "", _format_mean(values))]
    table.add_row("geometric mean", "", *means)
    return table


def _by_group(measurements: Measurements, table: Table) -> Iterator[tuple[str, Measurement]]:
    """The measurements, with a gap in the table between groups."""
    last = None
    for workload, measurement in measurements.items():
        group = WORKLOADS[workload].group
        if last not in (None, group):
            table.add_section()
        last = group
        yield workload, measurement


def _format_seconds(values: list[float] | None) -> str:
    if values is None:
        return "-"
    best = min(values)
    factor, unit = next(
        (scale for scale in ((1, "s"), (1e3, "ms"), (1e6, "us")) if best * scale[0] >= 1),
        (1e9, "ns"),
    )
    noisy = "~" if statistics.median(values) > NOISY * best else ""
    return f"{noisy}{best * factor:.3g} {unit}"


def _format_ratio(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    color = "green" if ratio >= 1 else "red"
    return f"[{color}]{ratio:.2f}[/{color}]"


def _format_mean(ratios: list[float]) -> str:
    return _format_ratio(statistics.geometric_mean(ratios)) if ratios else "-"
