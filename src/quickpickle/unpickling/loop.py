"""The loop over a pickle's opcodes, and those that only move what is on the stack or in the memo.

For each opcode there is a function, by its code in `DISPATCH`. It reads the opcode's argument from
the stream and does what the opcode is documented to do (in `pickletools`). The stack is a list. At
a mark a new one is begun, so that what an opcode takes, "up to the last mark", is a whole list, and
no opcode can reach below a mark.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any, Final

from ..format import opcodes as op
from ..rules.loading import parse_memo_index
from ..rules.loading_errors import (
    bad_protocol,
    frame_in_frame,
    memo_miss,
    negative_put,
    unknown_opcode,
)
from . import containers, reductions, scalars
from .scalars import checked, count1, count4, count8
from .stream import Stream

_STOP: Final = op.STOP[0]


def read_pickle(stream: Stream) -> Any:
    """Read one pickle; return its object."""
    dispatch = DISPATCH
    while True:
        pos = stream.pos
        try:
            code = stream.data[pos]
        except IndexError:
            pos = -1
        if pos < 0:
            pos = stream.next_opcode()
            code = stream.data[pos]
        stream.pos = pos + 1
        if code == _STOP:
            break
        dispatch[code](stream)
    stream.skip_consumed()
    if not stream.stack:
        raise stream.underflow()
    return stream.stack.pop()


def _unknown(stream: Stream) -> None:
    raise unknown_opcode(stream.data[stream.pos - 1])


def _load_proto(stream: Stream) -> None:
    proto = count1(stream)
    if proto > pickle.HIGHEST_PROTOCOL:
        raise bad_protocol(proto)
    stream.proto = proto


def _load_frame(stream: Stream) -> None:
    count = count8(stream)
    if stream.pos < stream.frame_end:
        raise frame_in_frame()
    stream.enter_frame(checked(count, "FRAME"))


# --- the stack


def _load_mark(stream: Stream) -> None:
    stream.stacks.append(stream.stack)
    stream.stack = []


def _load_pop(stream: Stream) -> None:
    if stream.stack:
        stream.stack.pop()
    elif stream.stacks:
        stream.pop_mark()
    else:
        raise stream.underflow()


def _load_pop_mark(stream: Stream) -> None:
    stream.pop_mark()


def _load_dup(stream: Stream) -> None:
    if not stream.stack:
        raise stream.underflow()
    stream.stack.append(stream.stack[-1])


# --- the memo


def _load_get(stream: Stream) -> None:
    index = parse_memo_index(stream.line())
    if index not in stream.memo:
        raise memo_miss(index)
    stream.stack.append(stream.memo[index])


def _load_binget(stream: Stream) -> None:
    pos = stream.pos
    if pos >= stream.size:
        pos = stream.fill(1)
    index = stream.data[pos]
    stream.pos = pos + 1
    if index not in stream.memo:
        raise memo_miss(index)
    stream.stack.append(stream.memo[index])


def _load_long_binget(stream: Stream) -> None:
    index = count4(stream)
    if index not in stream.memo:
        raise memo_miss(index)
    stream.stack.append(stream.memo[index])


def _load_put(stream: Stream) -> None:
    line = stream.line()
    if line and not stream.stack:
        raise stream.underflow()
    index = parse_memo_index(line)  # an empty line is an error of its own
    if index < 0:
        raise negative_put()
    stream.memo[index] = stream.stack[-1]


def _load_binput(stream: Stream) -> None:
    pos = stream.pos
    if pos >= stream.size:
        pos = stream.fill(1)
    stream.pos = pos + 1
    if not stream.stack:
        raise stream.underflow()
    stream.memo[stream.data[pos]] = stream.stack[-1]


def _load_long_binput(stream: Stream) -> None:
    index = count4(stream)
    if not stream.stack:
        raise stream.underflow()
    if index > sys.maxsize:  # on 32 bits
        raise negative_put("LONG_BINPUT")
    stream.memo[index] = stream.stack[-1]


def _load_memoize(stream: Stream) -> None:
    memo = stream.memo
    if not stream.stack:
        raise stream.underflow()
    memo[len(memo)] = stream.stack[-1]


_FUNCTIONS: Final[dict[bytes, Callable[[Stream], None]]] = {
    op.PROTO: _load_proto,
    op.FRAME: _load_frame,
    op.MARK: _load_mark,
    op.POP: _load_pop,
    op.POP_MARK: _load_pop_mark,
    op.DUP: _load_dup,
    op.GET: _load_get,
    op.BINGET: _load_binget,
    op.LONG_BINGET: _load_long_binget,
    op.PUT: _load_put,
    op.BINPUT: _load_binput,
    op.LONG_BINPUT: _load_long_binput,
    op.MEMOIZE: _load_memoize,
    op.NONE: scalars.load_none,
    op.NEWTRUE: scalars.load_true,
    op.NEWFALSE: scalars.load_false,
    op.INT: scalars.load_int,
    op.BININT: scalars.load_binint,
    op.BININT1: scalars.load_binint1,
    op.BININT2: scalars.load_binint2,
    op.LONG: scalars.load_long,
    op.LONG1: scalars.load_long1,
    op.LONG4: scalars.load_long4,
    op.FLOAT: scalars.load_float,
    op.BINFLOAT: scalars.load_binfloat,
    op.STRING: scalars.load_string,
    op.BINSTRING: scalars.load_binstring,
    op.SHORT_BINSTRING: scalars.load_short_binstring,
    op.BINBYTES: scalars.load_binbytes,
    op.SHORT_BINBYTES: scalars.load_short_binbytes,
    op.BINBYTES8: scalars.load_binbytes8,
    op.BYTEARRAY8: scalars.load_bytearray8,
    op.UNICODE: scalars.load_unicode,
    op.SHORT_BINUNICODE: scalars.load_short_binunicode,
    op.BINUNICODE: scalars.load_binunicode,
    op.BINUNICODE8: scalars.load_binunicode8,
    op.NEXT_BUFFER: scalars.load_next_buffer,
    op.READONLY_BUFFER: scalars.load_readonly_buffer,
    op.EMPTY_TUPLE: containers.load_empty_tuple,
    op.TUPLE1: containers.load_tuple1,
    op.TUPLE2: containers.load_tuple2,
    op.TUPLE3: containers.load_tuple3,
    op.TUPLE: containers.load_tuple,
    op.EMPTY_LIST: containers.load_empty_list,
    op.LIST: containers.load_list,
    op.APPEND: containers.load_append,
    op.APPENDS: containers.load_appends,
    op.EMPTY_DICT: containers.load_empty_dict,
    op.DICT: containers.load_dict,
    op.SETITEM: containers.load_setitem,
    op.SETITEMS: containers.load_setitems,
    op.EMPTY_SET: containers.load_empty_set,
    op.ADDITEMS: containers.load_additems,
    op.FROZENSET: containers.load_frozenset,
    op.GLOBAL: reductions.load_global,
    op.STACK_GLOBAL: reductions.load_stack_global,
    op.EXT1: reductions.load_ext1,
    op.EXT2: reductions.load_ext2,
    op.EXT4: reductions.load_ext4,
    op.REDUCE: reductions.load_reduce,
    op.NEWOBJ: reductions.load_newobj,
    op.NEWOBJ_EX: reductions.load_newobj_ex,
    op.INST: reductions.load_inst,
    op.OBJ: reductions.load_obj,
    op.BUILD: reductions.load_build,
    op.PERSID: reductions.load_persid,
    op.BINPERSID: reductions.load_binpersid,
}

DISPATCH: Final = [_FUNCTIONS.get(bytes([code]), _unknown) for code in range(256)]
