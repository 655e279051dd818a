"""The steps from the root of what is pickled to an object in it.

Both implementations give a list of these: pickling/steps.py reads it off the suspended
generators, compiled/steps.pxi off the compiled stack. rules/paths.py
turns the steps into an expression.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..format.opcodes import NEWOBJ, NEWOBJ_EX

# The kinds of steps, each from an object to one that was to be written next. In brackets: what
# `position` and `key` are; both may be None where they are not known.
ITEM: Final = "item"  # of a tuple or list [its index]
KEY: Final = "key"  # of a dict [the number of the item]
VALUE: Final = "value"  # of a dict [the number of the item, the key]
MEMBER: Final = "member"  # of a set or frozenset [its number]
ATTRIBUTE: Final = "attribute"  # of an instance [-, the name]
PART: Final = "part"  # of a reduction [-, the indexes that lead to it from the reduction]
STATE: Final = "state"  # of a reduction
LIST_ITEM: Final = "list item"  # of a reduction [its number]
DICT_KEY: Final = "dict key"  # of a reduction [the number of the item]
DICT_VALUE: Final = "dict value"  # of a reduction [the number of the item]
PERSISTENT_ID: Final = "persistent id"  # of an object
GAP: Final = "gap"  # over the middle of a high stack

UNKNOWN: Final = object()  # an object that is no longer, or was never, at hand

# So many levels of the stack are read in full; else so many at either end.
_MOST_LEVELS: Final = 200
_LEVELS_AT_END: Final = 20


class Step(NamedTuple):
    """One step down: to `child`, from the child of the step before, at first from the root."""

    kind: str
    child: Any
    position: int | None = None
    key: Any = None
    source: int = 0  # of a reduction: see rules/reductions.py


def shown_levels(height: int) -> tuple[int, int]:
    """How many levels of a stack to read at its beginning, and how many at its end."""
    if height <= _MOST_LEVELS:
        return height, 0
    return _LEVELS_AT_END, _LEVELS_AT_END


def part_of(opcode: bytes, index: int) -> str:
    """Where in a reduction one of the operands of REDUCE, NEWOBJ or NEWOBJ_EX is found."""
    if opcode == NEWOBJ_EX:
        return f"[1][{index}]"
    if opcode == NEWOBJ:
        return "[1][1:]" if index else "[1][0]"
    return f"[{index}]"
