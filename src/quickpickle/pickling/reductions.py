"""Any other object: how it is asked for its reduction, and how that is written.

rules/reductions.py says what a reduction is.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import (
    FunctionType,
)
from typing import Any

from ..format.opcodes import BUILD, POP, REDUCE, TUPLE2
from ..rules.errors import (
    no_reduction,
)
from ..rules.reductions import (
    ABSENT,
    COPYREG_TABLE,
    OVERRIDE,
    OWN_TABLE,
    SINGLETON_TYPES,
    construction,
    has_own_reduction,
    look_up,
    may_be_endless,
    unpack,
)
from .containers import append_items, set_items
from .globals import save_global
from .stream import Stream


def save_object(
    stream: Stream, obj: Any, reducer_override: Any, dispatch_table: Any
) -> Iterator[Any] | None:
    """Write an object of none of the types that have their own function.

    It is asked in this order: `reducer_override`; for classes and functions their name; the
    dispatch table (the Pickler's own, else copyreg's); `__reduce_ex__`; `__reduce__`.
    """
    cls = type(obj)
    endless = True
    source = 0
    reduction: Any = NotImplemented
    if reducer_override is not ABSENT:
        reduction = reducer_override(obj)
        source = OVERRIDE
    if reduction is NotImplemented:
        source = 0
        if cls is type and obj in SINGLETON_TYPES:
            reduction = type, (SINGLETON_TYPES[obj],)
        elif cls is type or cls is FunctionType:
            return save_global(stream, obj)
        elif (reduce := look_up(dispatch_table, cls)) is not ABSENT:
            reduction = reduce(obj)
            source = COPYREG_TABLE if dispatch_table is ABSENT else OWN_TABLE
        elif issubclass(cls, type):
            return save_global(stream, obj)
        elif (reduce := getattr(obj, "__reduce_ex__", ABSENT)) is not ABSENT:
            reduction = reduce(stream.protocol)
            # To find out takes time, so the first few just count. In fast mode nothing is
            # memoized, so that even what is finite may have no end.
            endless = (
                stream.nested_user_code < stream.few
                or may_be_endless(stream.endless_types, stream.protocol, cls)
                or stream.fast
                or has_own_reduction(obj, reduce)
            )
        elif (reduce := getattr(obj, "__reduce__", ABSENT)) is not ABSENT:
            reduction = reduce()
        else:
            raise no_reduction(obj)
    if issubclass(type(reduction), str):
        return save_global(stream, obj, reduction)
    return save_reduction(stream, obj, reduction, endless, source)


def save_reduction(
    stream: Stream, obj: Any, reduction: Any, endless: bool = False, source: int = 0
) -> Iterator[Any]:
    """Write a reduction of `obj`, and memoize `obj`; returns what has to be written in between.

    `source` says where it is from, see above, should a part of it fail.
    """
    # Checked before the generator begins: what raises StopIteration in one is a RuntimeError.
    items = unpack(reduction)
    if stream.order is not None:
        items = stream.order.reduction(obj, items, stream.number)
    opcode, parts = construction(stream.protocol, obj, items[0], items[1])
    if endless:
        stream.enter_user_code(obj)
    return _save_parts(stream, obj, opcode, parts, items, endless, source)


def _save_parts(
    stream: Stream,
    obj: Any,
    opcode: bytes,
    parts: tuple[Any, ...],
    items: tuple[Any, ...],
    endless: bool,
    source: int,
) -> Iterator[Any]:
    _, _, state, list_items, dict_items, state_setter = items
    yield from parts
    stream.buffer += opcode
    # An object that is in the memo by now was reached again from its own arguments: throw away
    # this one and fetch the one that was built, complete, further down.
    number = stream.memo.numbers.get(id(obj))
    if number is not None:
        stream.buffer += POP
        stream.get(number)
    else:
        stream.memoize(obj)
        if list_items is not None:
            yield from append_items(stream, list_items)
        if dict_items is not None:
            yield from set_items(stream, dict_items)
        if state is not None:
            if state_setter is None:
                yield state
                stream.buffer += BUILD
            else:
                # Called for its effect on the object: what it returns is thrown away.
                yield state_setter
                yield obj
                yield state
                stream.buffer += TUPLE2 + REDUCE + POP
    if endless:
        stream.nested_user_code -= 1
