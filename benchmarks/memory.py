"""The memory that a dump to a file needs beside the object, for quickpickle and for pickle in C.

    python benchmarks/memory.py [--kinds NAME ...] [--protocol 5]

The file is os.devnull, so the pickle itself does not count. Each dump is the first one
of a process of its own; the figure is how much the process grows at most meanwhile (Linux: the
peak of its resident memory, which the process can set back). Kinds whose library is missing are
left out.
"""

from __future__ import annotations

import argparse
import gc
import os
import pickle
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import quickpickle


@dataclass
class Point:
    x: int
    y: float
    label: str


@dataclass(slots=True)
class SlotsPoint:
    x: int
    y: float
    label: str


@dataclass
class Basket:
    number: int
    items: list[int]


class Money:
    """Asked by its own __reduce__."""

    def __init__(self, cents: int, currency: str) -> None:
        self.cents = cents
        self.currency = currency

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return Money, (self.cents, self.currency)


def _columns(rows: int) -> object:
    import pandas as pd

    return pd.DataFrame({f"column {c}": [f"{c} {i}" for i in range(rows)] for c in range(2)})


def _arrays(count: int) -> object:
    import numpy as np

    return [np.arange(10.0) for _ in range(count)]


# The label of a point is of its own, as in data that has been read from somewhere.
KINDS: Final[dict[str, Callable[[], object]]] = {
    "strings": lambda: [f"string {i}" for i in range(1_000_000)],
    "instances": lambda: [Point(i, i / 7, f"point {i}") for i in range(500_000)],
    "instances with a list": lambda: [Basket(i, [i]) for i in range(500_000)],
    "instances with slots": lambda: [SlotsPoint(i, i / 7, f"point {i}") for i in range(500_000)],
    "instances with __reduce__": lambda: [Money(i, f"currency {i}") for i in range(500_000)],
    "Random": lambda: [random.Random(i) for i in range(1000)],
    "arrays": lambda: _arrays(200_000),
    "columns of objects": lambda: _columns(500_000),
}
PICKLERS: Final[dict[str, Any]] = {"quickpickle": quickpickle, "pickle": pickle}
_STATUS: Final = Path("/proc/self/status")


def _resident(name: str) -> int:
    """VmRSS is the memory in use now, VmHWM its peak; in kB."""
    match = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1])


def measure(pickler: str, kind: str, protocol: int) -> int:
    """The kB that a dump needs, in this process."""
    obj = KINDS[kind]()
    dump = PICKLERS[pickler].dump
    gc.collect()
    gc.disable()
    with open(os.devnull, "wb") as file:
        dump([1], file, protocol)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _resident("VmRSS")
        dump(obj, file, protocol)
        return max(0, _resident("VmHWM") - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="NAME")
    parser.add_argument("--protocol", type=int, default=5, metavar="N")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        pickler, kind = options.one
        print(measure(pickler, kind, options.protocol))
        return
    print(f"{'MB beside the object':28} {'quickpickle':>12} {'pickle':>10} {'part':>8}")
    for kind in options.kinds:
        command = [sys.executable, __file__, "--protocol", str(options.protocol), "--one"]
        runs = [
            subprocess.run([*command, pickler, kind], stdout=subprocess.PIPE, check=False)
            for pickler in PICKLERS
        ]
        if any(run.returncode for run in runs):
            print(f"{kind:28} left out")
            continue
        ours, theirs = (int(run.stdout) for run in runs)
        part = f"{ours / theirs:8.2f}" if theirs else ""
        print(f"{kind:28} {ours / 1000:12.1f} {theirs / 1000:10.1f} {part}")


if __name__ == "__main__":
    main()
