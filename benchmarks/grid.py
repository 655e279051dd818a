"""How many times as fast quickpickle is than pickle in C: each workload at each protocol.

    python benchmarks/grid.py [--protocols N ...] [--workloads NAME ...] [--output FILE]

The measuring is that of compare.py: both sides in turn, the bytes and the loaded objects compared
before, the least time of the rounds. The page has a table for each function, in Markdown. With
--output it goes to the file, in the place of the section of this interpreter; other sections stay,
and so do the cells of workloads and protocols that are not measured.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
from itertools import pairwise
from pathlib import Path
from statistics import geometric_mean
from typing import Final

from compare import LeftOutError, measure
from picklers import OURS, STANDARD
from tables import FUNCTIONS
from workloads import WORKLOADS

_PROTOCOLS: Final = range(6)
_HEAD: Final = re.compile(r"^## CPython [0-9.]+.*$", re.MULTILINE)

Ratios = dict[tuple[str, str, int], float]
"""By function, workload and protocol."""


def measure_all(workloads: list[str], protocols: list[int], rounds: int) -> Ratios:
    """Measure; a workload that takes no part at a protocol has no ratio."""
    ratios: Ratios = {}
    for workload in workloads:
        for protocol in protocols:
            try:
                measurement = measure(workload, rounds, protocol, ["standard"], list(FUNCTIONS))
            except (LeftOutError, TypeError) as error:  # slots need protocol 2
                print(f"left out: {workload}, protocol {protocol}: {error}", file=sys.stderr)
                continue
            for function in FUNCTIONS:
                ratio = measurement.ratio(function, OURS, STANDARD)
                if ratio is not None:
                    ratios[function, workload, protocol] = ratio
        print(".", end="", file=sys.stderr, flush=True)
    return ratios


def make_section(ratios: Ratios, protocols: list[int]) -> str:
    """The tables, below the name of this interpreter."""
    lines = [f"## CPython {platform.python_version()}, {platform.machine()}", ""]
    for function, title in FUNCTIONS.items():
        names = [
            name for name in WORKLOADS if any((function, name, p) in ratios for p in protocols)
        ]
        if not names:
            continue
        lines += [
            f"### {title}",
            "",
            f"| protocol | {' | '.join(map(str, protocols))} |",
            f"| --- |{' --- |' * len(protocols)}",
        ]
        for name in names:
            cells = [ratios.get((function, name, p)) for p in protocols]
            lines.append(f"| {name} | {' | '.join(map(_show, cells))} |")
        means = []
        for p in protocols:
            found = [ratios[key] for key in ratios if key[0] == function and key[2] == p]
            means.append(geometric_mean(found) if found else None)
        lines += [f"| **geometric mean** | {' | '.join(map(_show, means))} |", ""]
    return "\n".join(lines)


def _show(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _find_section(text: str, version: str) -> tuple[int, int]:
    """Where the section of an interpreter lies in a page; its end twice if it has none."""
    heads = [match.start() for match in _HEAD.finditer(text)] + [len(text)]
    for start, end in pairwise(heads):
        if text[start:end].split()[2].startswith(f"{version}."):
            return start, end
    return len(text), len(text)


def read_ratios(text: str, version: str) -> Ratios:
    """The cells of the section of an interpreter, as they are shown.

    >>> table = "### loads()\\n| protocol | 2 | 5 |\\n| --- | --- | --- |\\n| floats |  | 2.46 |\\n"
    >>> read_ratios(f"## CPython 3.11.7\\n{table}", "3.11")
    {('loads', 'floats', 5): 2.46}
    """
    ratios: Ratios = {}
    protocols: list[int] = []
    function = ""
    start, end = _find_section(text, version)
    for line in text[start:end].splitlines():
        if line.startswith("### "):
            function = next(name for name, title in FUNCTIONS.items() if line[4:] == title)
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if name == "protocol":
            protocols = list(map(int, cells))
        elif name in WORKLOADS:
            shown = zip(protocols, cells, strict=True)
            ratios |= {(function, name, p): float(cell) for p, cell in shown if cell}
    return ratios


def put_section(text: str, section: str) -> str:
    """A page with this section in the place of the one for the same interpreter, or at its end.

    >>> put_section("# Grid\\n\\n## CPython 3.11.7\\n\\nold\\n", "## CPython 3.11.9\\n\\nnew\\n")
    '# Grid\\n\\n## CPython 3.11.9\\n\\nnew\\n'
    """
    start, end = _find_section(text, ".".join(section.split()[2].split(".")[:2]))
    if start == end:
        return f"{text.rstrip()}\n\n{section}"
    return f"{text[:start]}{section}" + (f"\n{text[end:]}" if text[end:] else "")


def main() -> None:
    """Measure, and print or store the section."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--protocols", type=int, nargs="+", default=list(_PROTOCOLS), metavar="N")
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--output", type=Path, metavar="FILE")
    options = parser.parse_args()
    ratios = measure_all(options.workloads, options.protocols, options.rounds)
    text = options.output.read_text() if options.output else ""
    ratios = read_ratios(text, ".".join(platform.python_version_tuple()[:2])) | ratios
    section = make_section(ratios, sorted({protocol for _, _, protocol in ratios}))
    if options.output is None:
        print(section)
    else:
        options.output.write_text(put_section(text, section))


if __name__ == "__main__":
    main()
