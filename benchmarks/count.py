"""Counts the instructions of dumps() and loads(), one workload after the other, under callgrind.

    valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file=OUT \
      python benchmarks/count.py LIBRARY quickpickle|pickle [WORKLOAD ...]

instructions.py runs it so, for two commits, and has made LIBRARY. Callgrind writes a file OUT.1,
OUT.2, ... for each workload, protocol and function, which has their names in it.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

import picklers
import quickpickle
from workloads import WORKLOADS

PROTOCOLS: Final = (0, 2, 5)  # text, that of torch.save, and the newest
REPEATED: Final = 50  # times: for small pickles, so that the calls around them count little
SMALL: Final = 4_000  # bytes


def count(library: ctypes.CDLL, is_ours: bool, workload: str, protocol: int) -> None:
    """Count dumps and loads of a workload, after two of each that are not counted."""
    pickler = (picklers.ours if is_ours else picklers.standard)(protocol)
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
    for workload in sys.argv[3:]:
        for protocol in PROTOCOLS:
            try:
                count(library, sys.argv[2] == "quickpickle", workload, protocol)
            except NotImplementedError as error:  # sympy, before protocol 2
                print(f"left out: {workload}, protocol {protocol}: {error}")


if __name__ == "__main__":
    main()
