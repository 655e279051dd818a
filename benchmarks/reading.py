"""How fast `inspect` reads: each workload against `pickletools.genops` alone over the same bytes.

    python benchmarks/reading.py [WORKLOAD ...]

Of files from 20 KB up: below that it is the fixed costs of a call that are measured. Seconds of the
process, so that other jobs on the machine count for less; the least of several rounds in turn.
"""

from __future__ import annotations

import argparse
import pickletools
import time
from collections.abc import Callable

import quickpickle
from workloads import WORKLOADS

_SMALLEST = 20_000  # bytes
_ROUNDS = 7


def _seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def _genops(data: bytes) -> int:
    return sum(1 for _ in pickletools.genops(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workloads", metavar="WORKLOAD", nargs="*")
    names = parser.parse_args().workloads or list(WORKLOADS)
    ratios = []
    print(f"{'workload':24} protocol  opcodes  ns an opcode  genops  times as fast")
    for name in names:
        if WORKLOADS[name].hooks is not None:
            continue
        try:
            obj = WORKLOADS[name]()
        except ImportError as error:
            print(f"{name:24} left out: {error}")
            continue
        for protocol in (0, 2, 5):
            try:
                data = quickpickle.dumps(obj, protocol)
            except (TypeError, NotImplementedError) as error:  # before protocol 2
                print(f"{name:24} {protocol:8}  left out: {error}")
                continue
            if len(data) < _SMALLEST:
                continue
            ours, theirs = [], []
            for _ in range(_ROUNDS):
                ours.append(_seconds(lambda data=data: quickpickle.inspect(data)))  # type: ignore[misc]
                theirs.append(_seconds(lambda data=data: _genops(data)))  # type: ignore[misc]
            count = _genops(data)
            ratios.append(min(theirs) / min(ours))
            print(
                f"{name:24} {protocol:8} {count:8,} {min(ours) / count * 1e9:13.1f} "
                f"{min(theirs) / count * 1e9:7.1f} {ratios[-1]:14.1f}",
                flush=True,
            )
    ratios.sort()
    print(f"least {ratios[0]:.1f}, median {ratios[len(ratios) // 2]:.1f} times as fast")


if __name__ == "__main__":
    main()
