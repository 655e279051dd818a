"""Whether time grows with the number of objects: ten times as many, and how many times as long.

    python benchmarks/growth.py [--objects 2000000] [--repeat 3]

Each dump is the first one of a process of its own, the least time of several counts. In one process
the second dump of a smaller object would find the memory of the first one at hand, and a larger one
would not (malloc gives back what is larger than 32 MB), so the two could not be compared.
"""

from __future__ import annotations

import argparse
import gc
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.table import Table

import quickpickle

KINDS: Final[dict[str, Callable[[int], object]]] = {
    "ints": lambda count: list(range(1000, 1000 + count)),
    "floats": lambda count: [i + 0.5 for i in range(count)],
    "strings": lambda count: [f"s{i}" for i in range(count)],
    "tuples": lambda count: [(i, i + 1) for i in range(count)],
    "dict items": lambda count: {i: i for i in range(count)},
}
PICKLERS: Final = {"quickpickle": quickpickle, "pickle": pickle}
WAYS: Final = ("dumps", "dump")


def measure(pickler: str, way: str, kind: str, count: int) -> float:
    """The seconds of one dump, to memory or to a file, in this process."""
    obj = KINDS[kind](count)
    gc.disable()  # it looks at all objects there are, now and then
    module = PICKLERS[pickler]
    with tempfile.TemporaryFile() as file:
        start = time.perf_counter()
        result = module.dumps(obj) if way == "dumps" else module.dump(obj, file)
        seconds = time.perf_counter() - start
    del result
    return seconds


def measure_apart(*arguments: object, repeat: int) -> float:
    """The least seconds of some dumps, each in a process of its own."""
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    return min(float(subprocess.check_output(command)) for _ in range(repeat))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=2_000_000, help="the smaller number")
    parser.add_argument("--repeat", type=int, default=3, help="processes for each time")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        pickler, way, kind, count = options.one
        print(measure(pickler, way, kind, int(count)))
        return
    table = Table(title=f"From {options.objects:,} objects to ten times as many: times as long")
    table.add_column("")
    for pickler in PICKLERS:
        for way in WAYS:
            table.add_column(f"{way} {pickler}", justify="right")
    for kind in KINDS:
        ratios = []
        for pickler in PICKLERS:
            for way in WAYS:
                few, many = (
                    measure_apart(pickler, way, kind, count, repeat=options.repeat)
                    for count in (options.objects, 10 * options.objects)
                )
                ratios.append(f"{many / few:.1f}")
        table.add_row(kind, *ratios)
    Console().print(table)


if __name__ == "__main__":
    main()
