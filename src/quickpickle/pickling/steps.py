"""The work of a dump that has failed, read as the steps from the root to the object at fault.

Both implementations make such a list: this file reads it from the suspended generators,
compiled/steps.pxi from the compiled stack. rules/paths.py turns the steps into an expression.
Nothing here runs before a dump has failed.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from types import GeneratorType
from typing import Any, Final

from ..format.limits import BATCHSIZE
from ..rules.steps import (
    DICT_KEY,
    DICT_VALUE,
    GAP,
    ITEM,
    KEY,
    LIST_ITEM,
    MEMBER,
    PART,
    PERSISTENT_ID,
    STATE,
    UNKNOWN,
    VALUE,
    Step,
    part_of,
    shown_levels,
)


def read_steps(
    error: BaseException, stack: list[Iterator[Any]], work: Iterator[Any], obj: Any
) -> list[Step]:
    """The steps of the pure implementation: `obj` is what the loop has taken last from `work`.

    To be called where the loop has caught the exception.
    """
    height = len(stack) + 1
    head, tail = shown_levels(height)
    # Of a gap, the first level and the last: the steps before it lead to what the one is about,
    # and go on with what the other has asked for.
    levels = [*stack[: head + 1], *stack[height - tail - 1 :], work] if tail else [*stack, work]
    if _has_ended(work):
        # It has raised the exception itself, so the object that it is about is at fault.
        below: Any = error.__traceback__ and error.__traceback__.tb_next
        obj = below.tb_frame.f_locals.get("obj", UNKNOWN) if below else UNKNOWN
    steps: list[Step] = []
    for i in reversed(range(len(levels))):
        level: Any = levels[i]
        frame = _locals(level)
        if tail and i == head + 1:
            steps.append(Step(GAP, obj))
        elif tail and i == head:
            pass
        elif frame and level.gi_suspended:
            read = _READERS.get(level.gi_code.co_name)
            if read is not None:
                steps.append(read(level, frame, obj))
        obj = frame.get("obj", obj)
    steps.reverse()
    return steps


def _has_ended(work: Any) -> bool:
    return type(work) is GeneratorType and work.gi_frame is None


def _locals(level: Any) -> dict[str, Any]:
    """The variables of a suspended generator; empty for other iterators, and for one that ended."""
    if type(level) is GeneratorType and level.gi_frame is not None:
        return dict(level.gi_frame.f_locals)
    return {}


def _left(iterator: Any) -> int | None:
    """How many items an iterator of the standard library has left."""
    left = operator.length_hint(iterator, -1)
    return None if left < 0 else left


def _number(frame: dict[str, Any]) -> int:
    """The number of the item being written: those of the batches before, and those of this one.

    An item before the first batch, or without a batch, finds the last count, a full one.
    """
    return int(frame["done"]) + int(frame.get("count", 0)) % BATCHSIZE


def _is_ordered(frame: dict[str, Any]) -> bool:
    """Whether members may come in an order that is not their container's: see rules/order.py."""
    return frame["stream"].order is not None


def _read_sequence(level: Any, frame: dict[str, Any], child: Any) -> Step:
    # From 3.15 on there may be no iterator that could say how far it is.
    left = _left(level.gi_yieldfrom)
    position = len(frame["obj"]) - left - 1 if left is not None else -1
    if type(frame["obj"]) is frozenset:
        return Step(MEMBER, child, None if _is_ordered(frame) or position < 0 else position)
    return Step(ITEM, child, position if position >= 0 else None)


def _read_list(level: Any, frame: dict[str, Any], child: Any) -> Step:
    return Step(ITEM, child, frame.get("done"))


def _read_dict(level: Any, frame: dict[str, Any], child: Any) -> Step:
    key = frame.get("key")
    position = _number(frame) if "done" in frame and not _is_ordered(frame) else None
    # Where a key is its own value it was the key that could not be written.
    if child is key:
        return Step(KEY, child, position)
    return Step(VALUE, child, position, key)


def _read_set(level: Any, frame: dict[str, Any], child: Any) -> Step:
    return Step(MEMBER, child, None if _is_ordered(frame) else _number(frame))


def _read_reduction(level: Any, frame: dict[str, Any], child: Any) -> Step:
    inner = level.gi_yieldfrom
    source = frame["source"]
    if type(inner) is GeneratorType:
        frame = _locals(inner)
        position: int | None = _number(frame)
        if inner.gi_code.co_name == "append_items":
            return Step(LIST_ITEM, child, position, None, source)
        kind = DICT_KEY if _left(inner.gi_yieldfrom) else DICT_VALUE
        if _is_ordered(frame) and frame["stream"].order.sort_dicts:
            position = None
        return Step(kind, child, position, None, source)
    # A part that is there twice has failed the first time.
    for index, part in enumerate(frame["parts"]):
        if child is part:
            return Step(PART, child, None, part_of(frame["opcode"], index), source)
    if child is frame["state"]:
        return Step(STATE, child, None, None, source)
    return Step(PART, child, None, "[5]", source)


def _read_persistent_id(level: Any, frame: dict[str, Any], child: Any) -> Step:
    return Step(PERSISTENT_ID, child)


_READERS: Final = {
    "_save_tuple_items": _read_sequence,
    "_save_frozenset_items": _read_sequence,
    "_save_list_items": _read_list,
    "_save_dict_items": _read_dict,
    "_save_set_items": _read_set,
    "_save_parts": _read_reduction,
    "_save_persistent_id": _read_persistent_id,
}
