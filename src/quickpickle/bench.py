"""`quickpickle bench FILE`: times both picklers on what lies in a pickle of the user's own."""

from __future__ import annotations

import gc
import math
import os
import pickle
import pickletools
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import quickpickle

ROUNDS = 10

# So long that neither the clock nor a switch of tasks counts for much.
_ROUND_SECONDS = 0.02


class BenchError(Exception):
    """Why there is nothing to measure, in one line."""


@dataclass(frozen=True)
class Report:
    """What one run found."""

    path: Path
    protocol: int
    size: int
    """How many bytes quickpickle writes."""
    identical: bool | None
    """Whether both write the same bytes; None if the standard pickler gave up."""
    rest: int
    """How many bytes of the file come after its first pickle."""
    seconds: list[float] = field(default_factory=list)
    """What one `dumps` of quickpickle takes, for each round."""
    standard_seconds: list[float] = field(default_factory=list)
    """The same for the standard pickler; empty if it gave up with RecursionError."""


def run(
    console: Console, path: Path, protocol: int | None = None, rounds: int = ROUNDS
) -> Report:
    """Load the pickle, time both picklers on the object, and print the table.

    Without a protocol it is that of the file. Raises OSError where the file cannot be read, and
    BenchError where it holds no pickle, or an object that cannot be pickled again.
    """
    # Before it is done, and whether or not someone reads it.
    console.print("Loading a pickle runs what is in it: only for files that you trust.")
    data = path.read_bytes()
    obj, used = _load(path, data)
    if protocol is None:
        protocol = find_protocol(data)
    dumped = _dump(quickpickle.dumps, obj, protocol)
    assert dumped is not None
    standard = _dump(pickle.dumps, obj, protocol)
    report = Report(
        path=path,
        protocol=protocol,
        size=len(dumped),
        identical=None if standard is None else dumped == standard,
        rest=len(data) - used,
    )
