"""The parts that an object is pickled with, each as the steps to it: see round_trip.py."""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from typing import Any, Final

from ..rules.reductions import COPYREG_TABLE, construction, unpack
from ..rules.steps import (
    DICT_KEY,
    DICT_VALUE,
    ITEM,
    KEY,
    LIST_ITEM,
    MEMBER,
    PART,
    STATE,
    VALUE,
    Step,
    part_of,
)

_Steps = list[Step]
_LEVELS_OF_STATES: Final = 2  # of the containers that a reduction makes for a state
_LEVELS_OF_ARGUMENTS: Final = 1


def members(obj: Any, protocol: int) -> Iterator[_Steps]:
    """The steps to each object that is pickled with another one."""
    cls = type(obj)
    if cls in (list, tuple):
        for number, item in enumerate(obj):
            yield [Step(ITEM, item, number)]
    elif cls is dict:
        for number, (key, value) in enumerate(list(obj.items())):
            yield [Step(KEY, key, number)]
            yield [Step(VALUE, value, number, key)]
    elif cls in (set, frozenset):
        for number, member in enumerate(list(obj)):
            yield [Step(MEMBER, member, number)]
    elif not issubclass(cls, type):
        try:
            parts = list(_of_reduction(obj, protocol))
        except Exception:  # it cannot be pickled, or not this time
            return
        yield from parts


def _of_reduction(obj: Any, protocol: int) -> Iterator[_Steps]:
    reduce = copyreg.dispatch_table.get(type(obj))
    source = 0 if reduce is None else COPYREG_TABLE
    reduction: Any = obj.__reduce_ex__(protocol) if reduce is None else reduce(obj)
    if isinstance(reduction, str):
        return
    items = unpack(reduction)
    opcode, parts = construction(protocol, obj, items[0], items[1])
    for index, part in enumerate(parts):
        step = Step(PART, part, None, part_of(opcode, index), source)
        yield from _within([step], part, _LEVELS_OF_ARGUMENTS)
    _, _, state, list_items, dict_items, _ = items
    for number, item in enumerate(list_items or ()):
        yield [Step(LIST_ITEM, item, number, None, source)]
    for number, (key, value) in enumerate(dict_items or ()):
        yield [Step(DICT_KEY, key, number, None, source)]
        yield [Step(DICT_VALUE, value, number, None, source)]
    if state is not None:
        yield from _within([Step(STATE, state, None, None, source)], state, _LEVELS_OF_STATES)


def _within(steps: _Steps, obj: Any, levels: int) -> Iterator[_Steps]:
    """The steps to what is in a container that was made for a reduction; else to the object."""
    if levels and type(obj) is dict:
        for number, (key, value) in enumerate(obj.items()):
            yield [*steps, Step(VALUE, value, number, key)]
    elif levels and type(obj) in (tuple, list):
        for number, item in enumerate(obj):
            yield from _within([*steps, Step(ITEM, item, number)], item, levels - 1)
    else:
        yield steps
