"""The loop under a policy: it counts; opcodes that change or hash something ask the Guard first.

Those that name or call something ask it in the usual functions, by `stream.find_class` and
`stream.objects`. All others make objects that nobody else has.
"""

from __future__ import annotations

from typing import Any, Final

from ..format import opcodes as op
from ..format.costs import COUNTED, OBJECT_SIZE
from ..rules.enforcement import Guard
from ..rules.loading_errors import odd_items
from ..rules.policy import PolicyError
from . import containers, reductions, scalars
from .loop import DISPATCH
from .scalars import count1, count2, signed4
from .stream import Stream

_STOP: Final = op.STOP[0]


def read_guarded(stream: Stream) -> Any:
    """Read one pickle under a policy; or only check it, where the Guard goes on after a refusal."""
    guard: Guard = stream.guard
    guard.begin()
    most_objects = guard.policy.limits.objects
    most_memory = guard.policy.limits.memory
    dispatch = GUARDED
    begin = stream.base + stream.pos
    offset = objects = 0
    code = -1
    while True:
        try:
            while True:
                pos = stream.pos
                if pos >= stream.size or pos >= len(stream.data):
                    pos = stream.next_opcode()
                code = stream.data[pos]
                offset = stream.base + pos - begin
                stream.pos = pos + 1
                objects += COUNTED[code]
                if objects > most_objects or OBJECT_SIZE * objects + offset > most_memory:
                    guard.too_many(objects)
                if code == _STOP:
                    break
                dispatch[code](stream)
            stream.skip_consumed()
            if not stream.stack:
                raise stream.underflow()
            result = stream.stack.pop()
            guard.finish()
            return result
        except PolicyError as error:
            if error.offset is None:
                error.offset = offset
            if guard.goes_on(error, code, stream.stack):
                continue
            if guard.finds_path:  # a check looks for all of its paths at once
                error.path = find_path(stream, begin, offset)
            raise


def find_path(stream: Stream, begin: int, offset: int) -> str | None:
    """Where in the object what the opcode makes would have been."""
    from ..scanning.scan import Scanner

    return find_paths(Scanner, stream, begin, [offset])[0]


def find_paths(
    scanner_class: Any, stream: Stream, begin: int, offsets: list[int]
) -> list[str | None]:
    """The same for several opcodes."""
    from ..scanning import places

    if stream.read is None:
        return places.paths_in_data(scanner_class, stream.data[begin:], offsets)
    consumed = stream.base + stream.passed + stream.prefetched - begin
    return places.paths_in_file(scanner_class, stream.read, consumed, offsets)


# --- extensions


def _extension(stream: Stream, code: int) -> None:
    stream.stack.append(
        stream.guard.extension(
            code, stream.proto, stream.fix_imports, stream.find_anything, stream.is_hooked
        )
    )


def _load_ext1(stream: Stream) -> None:
    _extension(stream, count1(stream))


def _load_ext2(stream: Stream) -> None:
    _extension(stream, count2(stream))


def _load_ext4(stream: Stream) -> None:
    _extension(stream, signed4(stream))


# --- changes


def _load_append(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 2:
        raise stream.underflow()
    item = stack.pop()
    stream.guard.append_items(stack[-1], [item])


def _load_appends(stream: Stream) -> None:
    items = stream.pop_mark()
    if not stream.stack:
        raise stream.underflow()
    stream.guard.append_items(stream.stack[-1], items)


def _load_setitem(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 3:
        raise stream.underflow()
    value = stack.pop()
    key = stack.pop()
    stream.guard.set_items(stack[-1], [key, value])


def _load_setitems(stream: Stream) -> None:
    items = stream.pop_mark()
    if not stream.stack:
        raise stream.underflow()
    if len(items) % 2:
        raise odd_items("SETITEMS")
    stream.guard.set_items(stream.stack[-1], items)


def _load_additems(stream: Stream) -> None:
    items = stream.pop_mark()
    if not stream.stack:
        raise stream.underflow()
    stream.guard.add_items(stream.stack[-1], items)


def _load_dict(stream: Stream) -> None:
    if stream.stacks and len(stream.stack) % 2 == 0:
        stream.guard.weigh(stream.stack[::2])
    containers.load_dict(stream)


def _load_frozenset(stream: Stream) -> None:
    if stream.stacks:
        stream.guard.weigh(stream.stack)
    containers.load_frozenset(stream)


# --- objects of others


def _load_persid(stream: Stream) -> None:
    reductions.load_persid(stream)
    stream.guard.foreign(stream.stack[-1])


def _load_binpersid(stream: Stream) -> None:
    reductions.load_binpersid(stream)
    stream.guard.foreign(stream.stack[-1])


def _load_next_buffer(stream: Stream) -> None:
    scalars.load_next_buffer(stream)
    stream.guard.foreign(stream.stack[-1])


def _load_readonly_buffer(stream: Stream) -> None:
    scalars.load_readonly_buffer(stream)
    stream.guard.foreign(stream.stack[-1])


GUARDED: Final = list(DISPATCH)
for _code, _function in {
    op.EXT1: _load_ext1,
    op.EXT2: _load_ext2,
    op.EXT4: _load_ext4,
    op.APPEND: _load_append,
    op.APPENDS: _load_appends,
    op.SETITEM: _load_setitem,
    op.SETITEMS: _load_setitems,
    op.ADDITEMS: _load_additems,
    op.DICT: _load_dict,
    op.FROZENSET: _load_frozenset,
    op.PERSID: _load_persid,
    op.BINPERSID: _load_binpersid,
    op.NEXT_BUFFER: _load_next_buffer,
    op.READONLY_BUFFER: _load_readonly_buffer,
}.items():
    GUARDED[_code[0]] = _function
