"""Draws how many times as fast as pickle quickpickle is, from a stored result, as an SVG.

python benchmarks/chart.py benchmarks/results/latest.json docs/benchmarks.svg
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import pyperf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from picklers import OURS, STANDARD
from tables import FUNCTIONS

# The two charts, and each function's color there.
CHARTS: Final = {
    "Writing": {"dumps": "#0b5cad", "dump": "#8fc1ee"},
    "Reading": {"loads": "#2e7d32", "load": "#a5d6a7"},
}
SLOWER: Final = "#c62828"  # of the numbers below 1

LABELS: Final = 2.2  # inches, as are the next two
WIDTH: Final = 4.0  # of a chart
ROW: Final = 0.24  # one workload, or the heading of a group
BAR: Final = 0.38  # of a row

# The same result gives the same file: no random ids (and no date, see `main`). Text stays text.
STYLE: Final = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "quickpickle",
}


class Result:
    """The figures of a stored result for quickpickle, and for pickle in C."""

    def __init__(self, path: Path) -> None:
        suite = pyperf.BenchmarkSuite.load(str(path))
        self.metadata: dict[str, Any] = suite.get_metadata()
        self.groups: dict[str, list[str]] = {}  # workloads, as they were measured
        seconds = {}
        for benchmark in suite.get_benchmarks():
            own = benchmark.get_metadata()
            workloads = self.groups.setdefault(own["group"], [])
            if own["workload"] not in workloads:
                workloads.append(own["workload"])
            seconds[own["function"], own["workload"], own["pickler"]] = min(benchmark.get_values())
        # Without what was not measured.
        self.ratios: dict[str, dict[str, float]] = {}
        for function, workload, pickler in seconds:
            if pickler == OURS and function in FUNCTIONS:
                standard = seconds[function, workload, STANDARD]
                ours = seconds[function, workload, OURS]
                self.ratios.setdefault(function, {})[workload] = standard / ours

    def describe(self) -> str:
        """On what it was measured."""
        get = self.metadata.get
        return (
            f"quickpickle {get('quickpickle_version')} on {get('python_implementation')} "
            f"{get('python_version')}, protocol {get('pickle_protocol')}\n"
            f"{get('cpu_model_name', 'unknown CPU')}, {get('cpu_count')} CPUs, "
            f"{get('platform')}, {str(get('date'))[:10]}"
        )


def draw(result: Result) -> Figure:
    """A chart for each direction; in both, a row for each workload, below its group's heading."""
    charts = [
        (title, measured)
        for title, colors in CHARTS.items()
        if (measured := {name: colors[name] for name in colors if name in result.ratios})
    ]
    rows = sum(1 + len(workloads) for workloads in result.groups.values())
    size = (LABELS + WIDTH * len(charts), ROW * rows + 1.4)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    all_axes = [figure.add_subplot(1, len(charts), number + 1) for number in range(len(charts))]
    write_labels(all_axes[0], result.groups)
    for axes, (title, colors) in zip(all_axes, charts, strict=True):
        draw_bars(axes, result, colors)
        axes.set_title(title, fontweight="bold", pad=34)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_xlim(0)
        axes.set_ylim(rows - 0.3, -0.7)
        axes.set_yticks([])
        axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    figure.suptitle("How many times as fast as pickle, in C", fontweight="bold")
    figure.supxlabel(result.describe(), color="#555555", fontsize="medium")
    return figure


def write_labels(axes: Axes, groups: dict[str, list[str]]) -> None:
    """Labels rather than ticks of the axis: the file is smaller."""
    row = 0
    for group, workloads in groups.items():
        axes.text(0, row, f"{group}  ", ha="right", va="center_baseline", fontweight="bold")
        row += 1
        for workload in workloads:
            axes.text(0, row, f"{workload.replace('_', ' ')}  ", ha="right", va="center_baseline")
            row += 1


def draw_bars(axes: Axes, result: Result, colors: dict[str, str]) -> None:
    """A bar for each function and workload: a line, for the file is smaller than with bars."""
    offsets = (-BAR / 2, BAR / 2)
    for offset, (function, color) in zip(offsets, colors.items(), strict=False):
        ratios = result.ratios[function]
        positions = []
        row = 0
        for workloads in result.groups.values():
            row += 1
            for workload in workloads:
                if workload in ratios:
                    positions.append((row + offset, ratios[workload]))
                row += 1
        mean = statistics.geometric_mean(ratios.values())
        label = f"{FUNCTIONS[function]}: {mean:.1f} in the geometric mean"
        rows, lengths = zip(*positions, strict=True)
        axes.hlines(rows, 0, lengths, color=color, linewidth=ROW * BAR * 72, label=label)
        for position, ratio in positions:
            number, ink = (f" {ratio:.1f}", "black") if ratio >= 1 else (f" {ratio:.2f}", SLOWER)
            axes.text(max(ratio, 1), position, number, fontsize=6, va="center_baseline", color=ink)


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a chart from a result of compare.py.")
    parser.add_argument("result", type=Path, help="the JSON file")
    parser.add_argument("chart", type=Path, help="the SVG file to write")
    args = parser.parse_args()
    with mpl.rc_context(STYLE):
        draw(Result(args.result)).savefig(args.chart, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
