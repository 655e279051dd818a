"""Which opcodes count as an object under a policy: those that put something on the stack, a mark
included, or into the memo."""

from __future__ import annotations

from typing import Final

from . import opcodes as op

_OTHERS: Final = (
    op.PROTO + op.FRAME + op.STOP + op.POP + op.POP_MARK + op.APPEND + op.APPENDS + op.SETITEM
    + op.SETITEMS + op.ADDITEMS + op.BUILD
)  # fmt: skip

COUNTED: Final = bytes(code not in _OTHERS for code in range(256))
OBJECT_SIZE: Final = 128
"""The bytes that each of them counts, beside those of the pickle."""
