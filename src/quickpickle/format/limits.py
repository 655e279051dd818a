"""The sizes by which pickles are divided: frames (PEP 3154) and batches of items."""

from __future__ import annotations

from typing import Final

BATCHSIZE: Final = 1000  # how many items there are to an APPENDS, SETITEMS or ADDITEMS


FRAME_SIZE_MIN: Final = 4  # shorter frames are left out: the header would be most of them
FRAME_SIZE_TARGET: Final = 64 * 1024
