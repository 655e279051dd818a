"""tuple, list, dict, set and frozenset: how they are made, and how they get their items."""

from __future__ import annotations

from ..rules.loading_errors import odd_items
from ..rules.objects import add_items, append_items, set_items
from .stream import Stream


def load_empty_tuple(stream: Stream) -> None:
    stream.stack.append(())


def load_tuple1(stream: Stream) -> None:
    stack = stream.stack
    if not stack:
        raise stream.underflow()
    stack[-1] = (stack[-1],)


def load_tuple2(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 2:
        raise stream.underflow()
    last = stack.pop()
    stack[-1] = (stack[-1], last)


def load_tuple3(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 3:
        raise stream.underflow()
    stack[-3:] = ((stack[-3], stack[-2], stack[-1]),)


def load_tuple(stream: Stream) -> None:
    items = stream.pop_mark()
    stream.stack.append(tuple(items))


def load_empty_list(stream: Stream) -> None:
    stream.stack.append([])


def load_list(stream: Stream) -> None:
    items = stream.pop_mark()
    stream.stack.append(items)


def load_append(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 2:
        raise stream.underflow()
    item = stack.pop()
    target = stack[-1]
    if type(target) is list:
        target.append(item)
    else:
        append_items(target, [item])


def load_appends(stream: Stream) -> None:
    items = stream.pop_mark()
    if not stream.stack:
        raise stream.underflow()
    target = stream.stack[-1]
    if type(target) is list:
        target.extend(items)
    else:
        append_items(target, items)


def load_empty_dict(stream: Stream) -> None:
    stream.stack.append({})


def load_dict(stream: Stream) -> None:
    items = stream.pop_mark()
    if len(items) % 2:
        raise odd_items("DICT")
    made = {}
    for i in range(0, len(items), 2):
        made[items[i]] = items[i + 1]
    stream.stack.append(made)


def load_setitem(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 3:
        raise stream.underflow()
    value = stack.pop()
    key = stack.pop()
    stack[-1][key] = value


def load_setitems(stream: Stream) -> None:
    items = stream.pop_mark()
    if not stream.stack:
        raise stream.underflow()
    if len(items) % 2:
        raise odd_items("SETITEMS")
    target = stream.stack[-1]
    if type(target) is dict:
        for i in range(0, len(items), 2):
            target[items[i]] = items[i + 1]
    else:
        set_items(target, items)


def load_empty_set(stream: Stream) -> None:
    stream.stack.append(set())


def load_additems(stream: Stream) -> None:
    items = stream.pop_mark()
    if not stream.stack:
        raise stream.underflow()
    target = stream.stack[-1]
    if type(target) is set:
        target.update(items)
    else:
        add_items(target, items)


def load_frozenset(stream: Stream) -> None:
    items = stream.pop_mark()
    stream.stack.append(frozenset(items))
