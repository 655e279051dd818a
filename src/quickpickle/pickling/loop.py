"""The loop over the stack of work, which writes a whole pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pickle import PickleBuffer
from typing import Any, Final

from ..format.limits import FRAME_SIZE_TARGET
from ..format.opcodes import BINPERSID, PERSID, STOP
from ..rules.digests import Pieces
from ..rules.options import encode_persistent_id
from ..rules.order import Failure, raise_failure
from ..rules.reductions import ABSENT
from ..rules.scalars import scalar_encoders
from . import containers, scalars
from .reductions import save_object, save_reduction
from .stream import Stream

# Each of these functions returns None if all is written, a generator of the objects to be
# written in between, or, if the protocol has no opcode for the type, a reduction.
_SAVERS: Final[dict[type, Callable[[Stream, Any], Any]]] = {
    str: scalars.save_str,
    bytes: scalars.save_bytes,
    bytearray: scalars.save_bytearray,
    PickleBuffer: scalars.save_picklebuffer,
    tuple: containers.save_tuple,
    list: containers.save_list,
    dict: containers.save_dict,
    set: containers.save_set,
    frozenset: containers.save_frozenset,
    Pieces: scalars.save_pieces,
    Failure: raise_failure,
}


def write_pickle(
    stream: Stream,
    root: Any,
    persistent_id: Any,
    reducer_override: Any,
    dispatch_table: Any,
    on_failure: Callable[..., Iterator[Any] | None],
) -> None:
    """Write `root` and everything that hangs on it, to the end of the pickle.

    `work` gives the objects to be written next: the members of the container, or the parts of
    the reduction, that is being written. Those around it wait on `stack`.

    `on_failure` gets an exception, and what was being done. It returns what to write in place of
    the object at fault, or None to let the exception out.
    """
    buffer = stream.buffer
    numbers = stream.memo.numbers
    encoders = scalar_encoders(stream.protocol, stream.bin)
    representative = None if stream.order is None else stream.order.values.representative
    stack: list[Iterator[Any]] = []
    work: Iterator[Any] = iter((root,))
    obj = root
    is_persistent_id = False

    while True:
        try:
            for obj in work:
                if len(buffer) >= FRAME_SIZE_TARGET:
                    stream.end_frame()
                    stream.look_at_progress()

                if persistent_id is not ABSENT:
                    if is_persistent_id:
                        is_persistent_id = False  # an id has no id of its own
                    elif (pid := persistent_id(obj)) is not None:
                        if stream.bin:
                            is_persistent_id = True
                            stack.append(work)
                            work = _save_persistent_id(stream, obj, pid)
                            break
                        buffer += b"%b%b\n" % (PERSID, encode_persistent_id(pid))
                        continue

                cls = type(obj)
                encode = encoders.get(cls)
                if encode is not None:
                    buffer += encode(obj)
                    continue
                if representative is not None:
                    obj = representative(obj)
                    cls = type(obj)
                number = numbers.get(id(obj))
                if number is not None:
                    stream.get(number)
                    continue
                save = _SAVERS.get(cls)
                if save is None:
                    more = save_object(stream, obj, reducer_override, dispatch_table)
                else:
                    more = save(stream, obj)
                    if type(more) is tuple:
                        more = save_reduction(stream, obj, more)
                if more is not None:
                    stack.append(work)
                    work = more
                    break
            else:
                if not stack:
                    buffer += STOP
                    stream.end_frame()
                    return
                work = stack.pop()
        except BaseException as error:
            instead = on_failure(stream, root, error, stack, work, obj)
            if instead is None:
                raise
            stack.append(work)
            work = instead


def _save_persistent_id(stream: Stream, obj: Any, pid: Any) -> Iterator[Any]:
    stream.enter_user_code(obj)  # an id that holds the object itself has no end
    yield pid
    stream.buffer += BINPERSID
    stream.nested_user_code -= 1
