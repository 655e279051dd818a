"""Very small and very large objects: what a dump costs as such, and what copying costs."""

from __future__ import annotations

import random

from workloads.instances import Point
from workloads.workload import workload


@workload("very small, very large")
def one_small_dict() -> object:
    """A dict of three items."""
    return {"id": 1234, "name": "quickpickle", "ok": True}


@workload("very small, very large")
def one_int() -> object:
    """An integer."""
    return 42


@workload("very small, very large")
def one_dataclass() -> object:
    """An instance of a dataclass."""
    return Point(1, 2.0, "three")


@workload("very small, very large")
def bytes_50_mb() -> object:
    """A bytes object of 50 MB."""
    # Not zeros: the memory of those is one page, over and over.
    return random.Random(0).randbytes(50_000_000)
