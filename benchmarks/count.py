"""Counts the instructions of dumps() and loads(), one workload after the other, under callgrind.

    valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=OUT \
      python benchmarks/count.py LIBRARY [WORKLOAD ...]

instructions.py runs it so, for two commits; LIBRARY is what make_library made. Callgrind writes
a file OUT.1, OUT.2, ... for each workload, protocol and function, which read_counts reads.
The counts are the same in each run where PYTHONHASHSEED is.
"""

from __future__ import annotations

import ctypes
import gc
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import picklers
import quickpickle
from workloads import WORKLOADS

PROTOCOLS: Final = (0, 2, 5)  # text, that of torch.save, and the newest
REPEATED: Final = (
    50  # how often a small pickle is written, so that the calls around it count little
)
SMALL: Final = 4_000  # bytes

# Requests to valgrind are instructions that do nothing elsewhere.
SOURCE: Final = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""
_NAME: Final = re.compile(r"^desc: Trigger: Client Request: (.*)$", re.MULTILINE)
_TOTALS: Final = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def make_library(folder: Path) -> Path:
    """The functions that begin and end a count; they need a C compiler and valgrind's headers."""
    path = folder / "count.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", str(path)]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    return path


def read_counts(folder: Path, prefix: str) -> dict[str, int]:
    """The instructions of each case, from the files that callgrind has written."""
    counts = {}
    for path in folder.glob(f"{prefix}.out.*"):
        text = path.read_text()
        name, totals = _NAME.search(text), _TOTALS.search(text)
        if name and totals:
            counts[name[1]] = int(totals[1])
    return counts


def count(library: ctypes.CDLL, workload: str, protocol: int) -> None:
    """Count dumps and loads of a workload, after two of each that are not counted."""
    pickler = picklers.ours(protocol)
    hooks = WORKLOADS[workload].hooks
    if hooks:
        pickler = pickler.with_hooks(hooks)
    obj = WORKLOADS[workload]()
    result: object = None
    for _ in range(2):
        data = pickler.dumps(obj, *pickler.options)
        result = pickler.loads(data)
    loops = range(REPEATED if len(data) < SMALL else 1)
    begin, end = library.begin, library.end

    name = f"{workload}, protocol {protocol}, ".encode()
    gc.collect()
    gc.disable()
    begin()
    for _ in loops:
        pickler.dumps(obj, *pickler.options)
    end(name + b"dumps")
    gc.enable()  # as programs load
    result = None
    gc.collect()
    begin()
    for _ in loops:
        result = pickler.loads(data)
    end(name + b"loads")
    del result


def main() -> None:
    if quickpickle.implementation != "native":
        raise SystemExit(f"not compiled: {quickpickle.__file__}")
    library = ctypes.CDLL(sys.argv[1])
    for workload in sys.argv[2:]:
        for protocol in PROTOCOLS:
            count(library, workload, protocol)


if __name__ == "__main__":
    main()
