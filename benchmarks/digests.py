"""Compares object_digest with joblib.hash, which is what most use for a key of any object.

    python benchmarks/digests.py --rounds 10

The two take turns in one process. joblib's digests are MD5 by default, ours SHA-256; both are
measured, since for a large array little else counts.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from typing import Any, Final

import joblib
import numpy as np
import pyperf
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import quickpickle
from workloads import WORKLOADS


def fortran_array() -> object:
    """An array of 4 million floats in Fortran order"""
    return np.asfortranarray(np.random.default_rng(0).random((2000, 2000)))


NAMES: Final = (
    "json_like_records",
    "dataclasses",
    "dataclasses_slots",
    "dataclasses_frozen_slots",
    "namedtuples",
    "sets",
    "numpy_small_arrays",
    "numpy_large_array",
)
OBJECTS: Final[dict[str, Callable[[], object]]] = {
    **{name: WORKLOADS[name].build for name in NAMES},
    "fortran_array": fortran_array,
}
CALLS: Final[dict[str, Callable[[Any], object]]] = {
    "joblib.hash": joblib.hash,
    "joblib.hash, sha1": lambda obj: joblib.hash(obj, "sha1"),
    "object_digest": quickpickle.object_digest,
    "object_digest, md5": lambda obj: quickpickle.object_digest(obj, "md5"),
}


def measure(obj: object, rounds: int) -> dict[str, float]:
    """The seconds of the fastest call of each."""
    best = dict.fromkeys(CALLS, float("inf"))
    for _ in range(rounds):
        for name, call in CALLS.items():
            start = pyperf.perf_counter()
            call(obj)
            best[name] = min(best[name], pyperf.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    rounds = parser.parse_args().rounds
    table = Table(title="Digests: milliseconds", box=SIMPLE_HEAD)
    table.add_column("workload")
    for name in (*CALLS, "times as fast", "both MD5"):
        table.add_column(name, justify="right")
    for name, build in OBJECTS.items():
        obj = build()
        gc.collect()
        gc.disable()  # whose turn it is when the collector runs would be chance
        try:
            best = measure(obj, rounds)
        finally:
            gc.enable()
        times = [f"{seconds * 1000:.2f}" for seconds in best.values()]
        ratio = best["joblib.hash"] / best["object_digest"]
        same = best["joblib.hash"] / best["object_digest, md5"]
        table.add_row(name, *times, f"{ratio:.2f}", f"{same:.2f}")
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
