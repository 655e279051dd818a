"""What the tests for leaks measure with: the blocks of memory the interpreter has in use."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

REPEATED = 50  # times: so many blocks more are one lost each time; fewer are the interpreter's own


def blocks_after(action: Callable[[], object], rounds: int) -> list[int]:
    """How many blocks are in use after each of so many rounds of an action."""
    counts = [0] * rounds
    gc.collect()
    gc.freeze()  # what was there before is not looked at again
    try:
        for i in range(rounds):
            action()
            gc.collect()
            counts[i] = sys.getallocatedblocks()
    finally:
        gc.unfreeze()
    return counts
