"""Draws the ten bars of the README from a stored result, as an SVG.

python benchmarks/summary.py benchmarks/results/latest.json docs/speed.svg
"""

from __future__ import annotations

import argparse
import json
import statistics
from html import escape
from pathlib import Path
from typing import Final

OURS: Final = "quickpickle (native)"  # as picklers.py has it, which imports all competitors
STANDARD: Final = "pickle (C)"

MEAN: Final = "mean"  # of all workloads
ROWS: Final = {
    MEAN: "All {count} workloads, geometric mean",
    "json_like_records": "Records as from JSON",
    "dataclasses": "Dataclasses",
    "datetimes": "Dates and times",
    "numpy_large_array": "One large NumPy array",
}
BARS: Final = {"dumps": "writing", "loads": "reading"}

WIDTH: Final = 760
LABELS: Final = 250  # pixels, as are the next three
ROW: Final = 44
BAR: Final = 15
TOP: Final = 64

STYLE: Final = """
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 11px; fill: #59636e }
.dumps { fill: #0b5cad } .loads { fill: #2e7d32 }
.one { stroke: #59636e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 }
.dumps { fill: #58a6ff } .loads { fill: #56b35f } .one { stroke: #9198a1 }
}
"""


def read(path: Path) -> tuple[dict[str, dict[str, float]], str]:
    """How many times as fast, by function and workload; and on what it was measured."""
    stored = json.loads(path.read_text("utf-8"))
    seconds = {}
    for benchmark in stored["benchmarks"]:
        own = benchmark["metadata"]
        values = [value for run in benchmark["runs"] for value in run.get("values", ())]
        seconds[own["function"], own["workload"], own["pickler"]] = min(values)
    ratios: dict[str, dict[str, float]] = {function: {} for function in BARS}
    for function, workload, pickler in seconds:
        if function in BARS and pickler == OURS:
            standard = seconds[function, workload, STANDARD]
            ratios[function][workload] = standard / seconds[function, workload, OURS]
    get = stored["metadata"].get
    version = get("python_version").split()[0]
    return ratios, (
        f"CPython {version}, protocol {get('pickle_protocol')}, {get('cpu_model_name')}, "
        f"{get('date')[:10]}; benchmarks/results/latest.json has all figures"
    )


def draw(ratios: dict[str, dict[str, float]], measured_on: str) -> str:
    """The SVG. Its colors follow the reader's choice of light or dark."""
    for values in ratios.values():
        values[MEAN] = statistics.geometric_mean(values.values())
    longest = max(ratios[function][workload] for function in BARS for workload in ROWS)
    scale = (WIDTH - LABELS - 60) / longest
    bottom = TOP + ROW * len(ROWS)
    height = bottom + 28
    one = LABELS + scale
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        "<title>How many times as fast as pickle in C</title>",
        f"<style>{STYLE}</style>",
        '<text x="0" y="18" class="title">How many times as fast as pickle in C</text>',
    ]
    x = 0
    for function, label in BARS.items():
        parts.append(f'<rect x="{x}" y="33" width="12" height="12" class="{function}"/>')
        parts.append(f'<text x="{x + 18}" y="44">{label}: {function}()</text>')
        x += 160
    for row, (workload, label) in enumerate(ROWS.items()):
        y = TOP + ROW * row
        text = escape(label.format(count=len(ratios["dumps"]) - 1))
        parts.append(f'<text x="{LABELS - 12}" y="{y + 20}" text-anchor="end">{text}</text>')
        for place, function in enumerate(BARS):
            ratio = ratios[function][workload]
            top = y + place * (BAR + 1)
            bar = f'x="{LABELS}" y="{top}" width="{ratio * scale:.1f}" height="{BAR}"'
            parts.append(f'<rect {bar} class="{function}"/>')
            number = f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"
            x_text = LABELS + max(ratio, 1) * scale + 6
            parts.append(f'<text x="{x_text:.1f}" y="{top + 12}">{number}</text>')
    parts += [
        f'<path d="M{one:.1f} {TOP - 6}V{bottom - 8}" class="one"/>',
        f'<text x="0" y="{height - 6}" class="small">{escape(measured_on)}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the ten bars of the README.")
    parser.add_argument("result", type=Path, help="the JSON file")
    parser.add_argument("chart", type=Path, help="the SVG file to write")
    args = parser.parse_args()
    args.chart.write_text(draw(*read(args.result)), encoding="utf-8")


if __name__ == "__main__":
    main()
