"""tuple, list, dict, set and frozenset: how they open, in what batches they go, how they close.

Each function writes its own opcodes and yields, one after the other, the objects that have to
be written in between. So the code reads as if it called itself for each member, while the loop
in pickling/loop.py keeps the generators on a stack of its own, and nothing recurses.

Below protocol 4 there are no opcodes for sets: `save_set` and `save_frozenset` then return
a reduction (see rules/reductions.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from ..format.limits import BATCHSIZE
from ..format.opcodes import (
    ADDITEMS,
    APPEND,
    APPENDS,
    DICT,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_SET,
    EMPTY_TUPLE,
    FROZENSET,
    LIST,
    MARK,
    POP,
    POP_MARK,
    SETITEM,
    SETITEMS,
    TUPLE,
    TUPLE1,
    TUPLE2,
    TUPLE3,
)
from ..rules.versions import LIST_SIZE_IS_CHECKED
from .stream import Stream

_END: Final = object()
_SHORT_TUPLES: Final = {1: TUPLE1, 2: TUPLE2, 3: TUPLE3}


def save_tuple(stream: Stream, obj: tuple[Any, ...]) -> Iterator[Any] | None:
    if obj:
        return _save_tuple_items(stream, obj)
    stream.buffer += EMPTY_TUPLE if stream.protocol else MARK + TUPLE
    return None


def _save_tuple_items(stream: Stream, obj: tuple[Any, ...]) -> Iterator[Any]:
    short = _SHORT_TUPLES.get(len(obj)) if stream.protocol >= 2 else None
    if short is None:
        stream.buffer += MARK
    yield from obj
    # A tuple that is in the memo by now contains itself, by way of some mutable object: throw
    # away the items and fetch the tuple that was built further down.
    number = stream.memo.numbers.get(id(obj))
    if number is None:
        stream.buffer += TUPLE if short is None else short
        stream.memoize(obj)
        return
    if short is not None:
        stream.buffer += POP * len(obj)
    elif stream.bin:
        stream.buffer += POP_MARK
    else:
        stream.buffer += POP * (len(obj) + 1)  # the items and the mark
    stream.get(number)


def save_list(stream: Stream, obj: list[Any]) -> Iterator[Any] | None:
    stream.buffer += EMPTY_LIST if stream.bin else MARK + LIST
    stream.memoize(obj)
    return _save_list_items(stream, obj) if obj else None


def _save_list_items(stream: Stream, obj: list[Any]) -> Iterator[Any]:
    if stream.fast:
        stream.enter_fast(obj)
    if stream.protocol == 0:
        for item in obj:
            yield item
            stream.buffer += APPEND
    else:
        size = len(obj)
        items = iter(obj)
        done = 0
        while done < len(obj):
            if len(obj) - done == 1 and (done == 0 or stream.last_goes_alone):
                yield obj[done]
                stream.buffer += APPEND
                break
            stream.buffer += MARK
            for item in islice(items, BATCHSIZE):
                yield item
                done += 1
            stream.buffer += APPENDS
            if LIST_SIZE_IS_CHECKED and len(obj) != size:
                raise RuntimeError("list changed size during iteration")
    if stream.fast:
        stream.leave_fast(obj)


def save_dict(stream: Stream, obj: dict[Any, Any]) -> Iterator[Any] | None:
    stream.buffer += EMPTY_DICT if stream.bin else MARK + DICT
    stream.memoize(obj)
    return _save_dict_items(stream, obj) if obj else None


def _save_dict_items(stream: Stream, obj: dict[Any, Any]) -> Iterator[Any]:
    if stream.fast:
        stream.enter_fast(obj)
    if stream.protocol == 0:
        for key, value in _in_order(stream, obj):
            yield key
            yield value
            stream.buffer += SETITEM
    else:
        size = len(obj)
        items = iter(_in_order(stream, obj))
        key = None
        done = 0
        count = BATCHSIZE
        # Without last_goes_alone a last batch that is full is followed by an empty one.
        while done < size or (count == BATCHSIZE and not stream.last_goes_alone):
            if size - done == 1 and (done == 0 or stream.last_goes_alone):
                key, value = next(items)
                yield key
                yield value
                stream.buffer += SETITEM
                break
            stream.buffer += MARK
            count = 0
            while True:
                try:
                    for key, value in islice(items, BATCHSIZE - count):
                        yield key
                        yield value
                        count += 1
                    break
                except RuntimeError:  # of the iterator alone: nothing else raises in here
                    items = _items_after(obj, key)
            stream.buffer += SETITEMS
            if len(obj) != size:
                raise RuntimeError("dictionary changed size during iteration")
            done += count
    if stream.fast:
        stream.leave_fast(obj)


def _in_order(stream: Stream, obj: dict[Any, Any]) -> Iterable[Any]:
    """The items of a dict: by its own order, or sorted."""
    if stream.order is None or not stream.order.sort_dicts:
        return obj.items()
    return stream.order.items(list(obj.items()), stream.number)


def _items_after(obj: dict[Any, Any], last: object) -> Iterator[Any]:
    """The items behind a key, in a dict that has changed since that key was written.

    CPython looks at the size after each batch only, so a dict that has its old size again by
    then is written to its end.
    """
    items = iter(obj.items())
    for key, _ in items:
        if key is last:
            return items
    raise RuntimeError("dictionary changed size during iteration")


def save_set(stream: Stream, obj: set[Any]) -> Iterator[Any] | tuple[Any, ...] | None:
    if stream.protocol < 4:
        return set, (list(obj),)  # which Order.reduction puts in order
    stream.buffer += EMPTY_SET
    stream.memoize(obj)
    return _save_set_items(stream, obj) if obj else None


def _save_set_items(stream: Stream, obj: set[Any]) -> Iterator[Any]:
    size = len(obj)
    items = iter(_members(stream, obj))
    done = 0
    count = BATCHSIZE
    while done < size or (count == BATCHSIZE and not stream.last_goes_alone):  # as with dicts
        stream.buffer += MARK
        count = 0
        while count < BATCHSIZE and len(obj) == size:
            item = next(items, _END)
            if item is _END:
                break
            yield item
            count += 1
        stream.buffer += ADDITEMS
        if len(obj) != size:
            raise RuntimeError("set changed size during iteration")
        done += count


def save_frozenset(stream: Stream, obj: frozenset[Any]) -> Iterator[Any] | tuple[Any, ...]:
    if stream.protocol < 4:
        return frozenset, (list(obj),)  # as above
    return _save_frozenset_items(stream, obj)


def _save_frozenset_items(stream: Stream, obj: frozenset[Any]) -> Iterator[Any]:
    stream.buffer += MARK
    yield from _members(stream, obj)
    number = stream.memo.numbers.get(id(obj))
    if number is None:
        stream.buffer += FROZENSET
        stream.memoize(obj)
    else:  # as with tuples
        stream.buffer += POP_MARK
        stream.get(number)


def _members(stream: Stream, obj: Any) -> Iterable[Any]:
    """The members of a set or frozenset: as they come, or in an order of their own."""
    return obj if stream.order is None else stream.order.members(list(obj), stream.number)


def append_items(stream: Stream, items: Iterator[Any]) -> Iterator[Any]:
    """The list items of a reduction: from any iterator, so their number is not known before."""
    done = 0
    if stream.protocol == 0:
        while (item := next(items, _END)) is not _END:
            yield item
            stream.buffer += APPEND
            done += 1
        return
    count = BATCHSIZE
    while count == BATCHSIZE:
        first = next(items, _END)
        if first is _END:
            return
        item = next(items, _END)
        if item is _END:
            yield first
            stream.buffer += APPEND
            return
        stream.buffer += MARK
        yield first
        count = 1
        while item is not _END:
            yield item
            count += 1
            item = next(items, _END) if count < BATCHSIZE else _END
        stream.buffer += APPENDS
        done += count


def set_items(stream: Stream, items: Iterator[Any]) -> Iterator[Any]:
    """The dict items of a reduction, in the same way."""
    done = 0
    if stream.protocol == 0:
        while (item := next(items, _END)) is not _END:
            yield from _pair(item)
            stream.buffer += SETITEM
            done += 1
        return
    count = BATCHSIZE
    while count == BATCHSIZE:
        first = next(items, _END)
        if first is _END:
            return
        _pair(first)
        item = next(items, _END)
        if item is _END:
            yield from _pair(first)
            stream.buffer += SETITEM
            return
        stream.buffer += MARK
        yield from _pair(first)
        count = 1
        while item is not _END:
            yield from _pair(item)
            count += 1
            item = next(items, _END) if count < BATCHSIZE else _END
        stream.buffer += SETITEMS
        done += count


def _pair(item: Any) -> Iterator[Any]:
    # A subclass of tuple may lie about its items, so ask tuple.
    if not issubclass(type(item), tuple) or tuple.__len__(item) != 2:
        raise TypeError("dict items iterator must return 2-tuples")
    return tuple.__iter__(item)
