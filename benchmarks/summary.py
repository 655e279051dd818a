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

WIDTH: Final = 510  # so narrow that a phone shows letters that can be read
LABELS: Final = 240  # pixels, as are the next four
ROW: Final = 44
BAR: Final = 15
TOP: Final = 64
MARGIN: Final = 16

STYLE: Final = """
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.small { font-size: 11px; fill: #59636e }
.dumps { fill: #0b5cad } .loads { fill: #2e7d32 }
.one { stroke: #59636e; stroke-dasharray: 3 3 }
.page { fill: #ffffff }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .small { fill: #9198a1 }
.dumps { fill: #58a6ff } .loads { fill: #56b35f } .one { stroke: #9198a1 }
.page { fill: #0d1117 }
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
        f"{get('date')[:10]}"
    )


def draw(ratios: dict[str, dict[str, float]], measured_on: str) -> str:
    """The SVG. Its colors follow the reader's choice of light or dark.

    It has a background: the page that it is in may be light where the reader's choice is dark.
    """
    for values in ratios.values():
        values[MEAN] = statistics.geometric_mean(values.values())
    longest = max(ratios[function][workload] for function in BARS for workload in ROWS)
    scale = (WIDTH - LABELS - 40) / longest
    bottom = TOP + ROW * len(ROWS)
    height = bottom + 36
    one = LABELS + scale
    size = f'width="{WIDTH + 2 * MARGIN}" height="{height + 2 * MARGIN}"'
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="-{MARGIN} -{MARGIN} {WIDTH + 2 * MARGIN} {height + 2 * MARGIN}" {size}>',
        "<title>How many times as fast as pickle in C</title>",
        f"<style>{STYLE}</style>",
        f'<rect x="-{MARGIN}" y="-{MARGIN}" {size} rx="6" class="page"/>',
        '<text x="0" y="18" class="title">How many times as fast as pickle in C</text>',
    ]
    x = 0
    for function, label in BARS.items():
        parts.append(f'<rect x="{x}" y="33" width="12" height="12" class="{function}"/>')
        parts.append(f'<text x="{x + 18}" y="44">{label}: {function}()</text>')
        x += 150
    parts.append(f'<path d="M{x} 39h24" class="one"/>')
    parts.append(f'<text x="{x + 30}" y="44">as fast as pickle</text>')
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
        f'<text x="0" y="{height - 20}" class="small">{escape(measured_on)}</text>',
        f'<text x="0" y="{height - 5}" class="small">'
        "All figures: benchmarks/results/latest.json</text>",
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
