"""Draws how many times as fast as the C pickler quickpickle is, from a stored result, as an SVG.

python benchmarks/chart.py benchmarks/results/latest.json docs/benchmarks.svg
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import pyperf
from matplotlib.figure import Figure

from picklers import OURS, STANDARD

# Each function's name in the legend, and its color.
FUNCTIONS: Final = {"dumps": ("dumps()", "#0b5cad"), "dump": ("dump() to a file", "#8fc1ee")}
SLOWER: Final = "#c62828"  # of the numbers below 1

WIDTH: Final = 8.0  # inches, as is ROW
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
    """What a stored result says of quickpickle and the C pickler."""

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
        self.ratios: dict[str, dict[str, float]] = {
            function: {
                workload: seconds[function, workload, STANDARD] / seconds[function, workload, OURS]
                for workloads in self.groups.values()
                for workload in workloads
            }
            for function in FUNCTIONS
        }

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
    """Two bars for each workload, under the heading of its group."""
    rows = sum(1 + len(workloads) for workloads in result.groups.values())
    figure = Figure(figsize=(WIDTH, ROW * rows + 1.2), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    bars: dict[str, list[tuple[float, float]]] = {function: [] for function in FUNCTIONS}
    row = 0
    # Labels rather than ticks of the axis, and below lines rather than bars: the file is smaller.
    for group, workloads in result.groups.items():
        axes.text(0, row, f"{group}  ", ha="right", va="center_baseline", fontweight="bold")
        row += 1
        for workload in workloads:
            axes.text(0, row, f"{workload.replace('_', ' ')}  ", ha="right", va="center_baseline")
            for offset, function in ((-BAR / 2, "dumps"), (BAR / 2, "dump")):
                bars[function].append((row + offset, result.ratios[function][workload]))
            row += 1

    for function, (name, color) in FUNCTIONS.items():
        positions, ratios = zip(*bars[function], strict=True)
        mean = statistics.geometric_mean(ratios)
        label = f"{name}: {mean:.1f} in the geometric mean"
        axes.hlines(positions, 0, ratios, color=color, linewidth=ROW * BAR * 72, label=label)
        for position, ratio in bars[function]:
            number, ink = (f" {ratio:.1f}", "black") if ratio >= 1 else (f" {ratio:.2f}", SLOWER)
            axes.text(max(ratio, 1), position, number, fontsize=6, va="center_baseline", color=ink)

    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlim(0)
    axes.set_ylim(rows - 0.3, -0.7)
    axes.set_yticks([])
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title("How many times as fast as pickle's pickler in C", fontweight="bold")
    axes.set_xlabel(result.describe(), color="#555555")
    figure.legend(loc="outside upper center", ncols=len(FUNCTIONS), frameon=False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw a chart from a result of compare.py.")
    parser.add_argument("result", type=Path, help="the JSON file")
    parser.add_argument("chart", type=Path, help="the SVG file to write")
    args = parser.parse_args()
    with mpl.rc_context(STYLE):
        draw(Result(args.result)).savefig(args.chart, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
