"""class Pickler: its options, its hooks, its memo, and dump()."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import partial
from pickle import PickleBuffer, PicklingError
from types import MethodType
from typing import Any, Final, Protocol

from ..optimization import optimize
from ..rules.memo_proxy import PicklerMemoProxy, read_memo
from ..rules.nesting import REDUCTION_LIMIT
from ..rules.options import (
    already_used,
    check_buffer_callback,
    check_memo_is_empty,
    check_protocol,
    int_member,
    no_fast_mode,
    no_int_member_to_delete,
)
from ..rules.order import Order
from ..rules.progress import Pace, Report, Reporting, check_progress
from ..rules.reductions import ABSENT
from ..rules.sending import REPORTING
from ..rules.tracebacks import drop_frames, drops_frames, make_public
from .deterministic import make_order, put_in_order
from .loop import write_pickle
from .memo import Memo
from .notes import add_note, note_path
from .stream import Stream


class SupportsWrite(Protocol):
    """A file: anything with a `write` that takes one bytes-like argument."""

    @property
    def write(self) -> Callable[[Any], object]: ...


class _State:
    """The state of a Pickler, apart from the names that its subclasses may use."""

    binary: int
    buffer_callback: Callable[[PickleBuffer], object] | None
    compact: bool
    fast: int
    fix_imports: bool
    memo: Memo
    order: Order | None  # None: not deterministic
    progress: Any
    protocol: int
    running: dict[str, object]  # holds the token of a running dump()
    write: Any  # ABSENT: not initialized

    __slots__ = (
        "binary",
        "buffer_callback",
        "compact",
        "fast",
        "fix_imports",
        "memo",
        "order",
        "progress",
        "protocol",
        "running",
        "write",
    )


class _Stateful:
    __slots__ = ("_quickpickle_persistent_id", "_quickpickle_state")


# Read and set past any __getattribute__ and __setattr__ of a subclass.
_read_state: Final[Callable[[Pickler], _State]] = vars(_Stateful)["_quickpickle_state"].__get__
_set_state: Final = vars(_Stateful)["_quickpickle_state"].__set__
_persistent_id: Final = vars(_Stateful)["_quickpickle_persistent_id"]


def _get_state(pickler: Pickler) -> _State:
    """The state of a Pickler; an empty one where `__init__` was not called."""
    try:
        return _read_state(pickler)
    except AttributeError:
        state = _State()
        state.write = ABSENT
        state.memo = Memo()
        state.order = None
        state.binary = state.fast = 0
        state.running = {}
        _set_state(pickler, state)
        return state


def _no_persistent_id(self: Pickler, obj: Any) -> Any:
    """The persistent id of `obj`, or None to pickle it as usual: for subclasses to override.

    Called with every object before anything else is done with it. With protocol 0 the id
    is written as a line of text, so that its str() has to be ASCII without a newline.
    """
    return None


class _PersistentId:
    """The method `persistent_id`, which may be set on a Pickler that has no dict too."""

    def __get__(self, pickler: Pickler | None, cls: type) -> Any:
        if pickler is None:
            return _no_persistent_id
        try:
            return _persistent_id.__get__(pickler)
        except AttributeError:
            return MethodType(_no_persistent_id, pickler)

    def __set__(self, pickler: Pickler, value: Any) -> None:
        _persistent_id.__set__(pickler, value)

    @drops_frames
    def __delete__(self, pickler: Pickler) -> None:
        try:
            _persistent_id.__delete__(pickler)
        except AttributeError:
            raise AttributeError("persistent_id") from None


class Pickler(_Stateful):
    """Writes pickles to a file, as `pickle.Pickler` does, byte for byte.

    Parameters
    ----------
    file
        An object with a `write` that takes one bytes-like argument. If `write` returns that it
        took fewer bytes than it was given, it is called again with the rest.
    protocol
        0 to `HIGHEST_PROTOCOL`. None stands for `DEFAULT_PROTOCOL`, a negative number for the
        highest.
    fix_imports
        With protocols 0 to 2: write the names that modules and their contents had in Python 2.
    buffer_callback
        With protocol 5: called with each `PickleBuffer`; where it returns something false,
        the buffer stays out of the pickle (PEP 574).
    deterministic
        The same value gives the same bytes, in whatever process, whichever of its equal strings,
        bytes, tuples and frozensets are one object, before and after a round trip; sets are
        ordered by their members. The objects that no pickler can make deterministic:
        https://example.org/quickpickle/blob/main/docs/options.md#deterministic
    compact
        Leave out the memo entries that nothing refers to: what `pickletools.optimize` does with a
        pickle afterwards. All of it is held until it can be written. Each dump() needs an empty
        memo: https://example.org/quickpickle/blob/main/docs/options.md#compact
    progress
        True for a bar on stderr, if that is a terminal; or what is called with the number of
        objects (those with an entry in the memo) and of bytes written so far: at most ten times a
        second, and when all is written. It must not change what is pickled:
        https://example.org/quickpickle/blob/main/docs/options.md#progress

    Raises
    ------
    TypeError
        `file` has no `write`, or `protocol` is no integer.
    ValueError
        The protocol is higher than the highest, or too low for `buffer_callback`.

    Example
    -------
    >>> import io, pickle
    >>> file = io.BytesIO()
    >>> Pickler(file).dump({"answer": 42})
    >>> pickle.loads(file.getvalue())
    {'answer': 42}

    Source: https://docs.python.org/3/library/pickle.html#pickle.Pickler
    """

    reduction_limit: int = REDUCTION_LIMIT
    """How deep what the user's own code returns, reductions and persistent ids, may nest before
    dump() takes it for endless and raises RecursionError."""

    __slots__ = ("dispatch_table",)  # so that a plain Pickler takes no other attribute

    persistent_id = _PersistentId()

    dispatch_table: Any
    """Reduction functions by class, used instead of copyreg's. Absent by default."""

    reducer_override: Any
    """Called with every object that is not of a builtin type; returns a reduction, or
    NotImplemented to go on as usual. Absent by default."""

    @drops_frames
    def __init__(
        self,
        file: SupportsWrite,
        protocol: int | None = None,
        *,
        fix_imports: bool = True,
        buffer_callback: Callable[[PickleBuffer], object] | None = None,
        deterministic: bool = False,
        compact: bool = False,
        progress: bool | Report | None = None,
    ) -> None:
        state = _State()
        fixes_imports = bool(fix_imports)
        state.protocol = number = check_protocol(protocol)
        write: Any = getattr(file, "write", ABSENT)
        if write is ABSENT:
            raise TypeError("file must have a 'write' attribute")
        if buffer_callback is not None:
            check_buffer_callback(number)
        check_progress(progress)
        _refuse_while_dumping(_get_state(self))  # it may be called once more
        state.write = write
        state.fix_imports = fixes_imports and number < 3
        state.buffer_callback = buffer_callback
        state.compact = bool(compact)
        state.progress = progress
        state.memo = Memo()
        state.order = make_order(number, buffer_callback) if deterministic else None
        state.binary = int(number > 0)
        state.fast = 0
        state.running = {}
        _set_state(self, state)

    def dump(self, obj: Any) -> None:
        """Write the pickle of `obj` to the file.

        Objects that an earlier dump() of this Pickler wrote are only referred to. If dump()
        fails, they still are, and nothing of this one is remembered: the memo is as it was.

        Raises PicklingError, or whatever the object's own code or the file's `write` raises;
        RecursionError where reductions nest deeper than `reduction_limit`; RuntimeError when
        called while a dump() of this Pickler is running; with `compact`, ValueError where the memo
        is not empty.
        """
        try:
            state = _get_state(self)
            if state.write is ABSENT:
                cls = type(self).__name__
                raise PicklingError(f"Pickler.__init__() was not called by {cls}.__init__()")
            running = state.running
            token = object()
            # An interrupt may come wherever a function is called, also while another one is
            # handled. So what gives the Pickler free calls nothing, and stands there twice for
            # what comes before.
            try:
                try:
                    # One step, so of two threads only one finds its own token there.
                    if running.setdefault("dump", token) is not token:
                        token = None  # the other one may end at any time
                        raise already_used()
                    _dump_once(self, state, obj)
                finally:
                    if token is not None and "dump" in running and running["dump"] is token:
                        del running["dump"]
            finally:
                if token is not None and "dump" in running and running["dump"] is token:
                    del running["dump"]
        except BaseException as error:
            drop_frames(error)
            raise

    @property
    @drops_frames
    def bin(self) -> int:
        """1 from protocol 1 on: opcodes have binary arguments."""
        return _get_state(self).binary

    @bin.setter  # noqa: A003
    @drops_frames
    def bin(self, value: int) -> None:
        _get_state(self).binary = int_member(value)

    @bin.deleter  # noqa: A003
    @drops_frames
    def bin(self) -> None:
        raise no_int_member_to_delete()

    @property
    @drops_frames
    def fast(self) -> int:
        """If true, nothing is memoized: shared objects are written anew each time, and recursive
        ones are a ValueError. Deprecated in the standard library too."""
        return _get_state(self).fast

    @fast.setter
    @drops_frames
    def fast(self, value: int) -> None:
        _get_state(self).fast = int_member(value)

    @fast.deleter
    @drops_frames
    def fast(self) -> None:
        raise no_int_member_to_delete()

    @property
    @drops_frames
    def memo(self) -> PicklerMemoProxy:
        """The objects written so far; can be copied, cleared, and assigned to another Pickler."""
        return PicklerMemoProxy(partial(_memo_contents, self), partial(Pickler.clear_memo, self))

    @memo.setter
    @drops_frames
    def memo(self, memo: object) -> None:
        _replace_memo(self, Memo(*read_memo(memo)))

    @memo.deleter
    @drops_frames
    def memo(self) -> None:
        raise TypeError("attribute deletion is not supported")

    @drops_frames
    def clear_memo(self) -> None:
        """Forget what was written so far, so that the next dump() stands on its own."""
        _replace_memo(self, Memo())

    @drops_frames
    def __getstate__(self) -> object:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + sys.getsizeof(_get_state(self).memo)


def _replace_memo(pickler: Pickler, memo: Memo) -> None:
    state = _get_state(pickler)
    order = None if state.order is None else _new_order(state)
    _refuse_while_dumping(state)  # last, as what comes before may run other code
    state.order = order
    state.memo = memo


def _new_order(state: _State) -> Order:
    return make_order(state.protocol, state.buffer_callback)


def _memo_contents(pickler: Pickler) -> dict[int, tuple[int, object]]:
    memo = _get_state(pickler).memo
    if not _get_state(pickler).running:
        memo.rollback()  # of a dump that was interrupted while it did this itself
    return memo.contents()


def _dump_once(pickler: Pickler, state: _State, obj: Any) -> None:
    """One dump, after which the memo has what it has written, or, if it fails, what it had."""
    memo = state.memo
    memo.rollback()  # of a dump that was interrupted while it did this itself
    try:
        if state.compact:
            check_memo_is_empty(memo.complete)
        with Reporting(state.progress) as report:
            _dump(pickler, state, memo, obj, report)
        memo.complete = len(memo.objects)
    except BaseException:
        memo.rollback()
        if state.order is not None:
            state.order = _new_order(state)  # the other one knows what was not written
        raise


def _dump(pickler: Pickler, state: _State, memo: Memo, obj: Any, report: Report | None) -> None:
    held = io.BytesIO()
    order = state.order
    stream = Stream(
        held.write if state.compact else state.write,
        memo,
        state.protocol,
        fix_imports=state.fix_imports,
        buffer_callback=state.buffer_callback,
        reduction_limit=pickler.reduction_limit,
    )
    stream.bin = bool(state.binary)
    if state.compact:
        stream.sending = ""
    if state.fast:
        if order is not None:
            raise no_fast_mode()
        stream.fast = True
    if report is not None:
        stream.pace = Pace(report)
    persistent_id: Any = pickler.persistent_id
    if getattr(persistent_id, "__func__", None) is Pickler.persistent_id:
        persistent_id = ABSENT
    hooks = (
        persistent_id,
        getattr(pickler, "reducer_override", ABSENT),
        getattr(pickler, "dispatch_table", ABSENT),
    )
    if order is not None:
        put_in_order(stream, order, hooks)
    try:
        write_pickle(stream, obj, *hooks, note_path)
    finally:
        if order is not None:
            order.forget()
    try:
        if state.compact:
            stream.send_all(state.write, optimize(held.getbuffer()))
        if report is not None:
            stream.outside = REPORTING
            report(stream.objects, stream.sent)
    except BaseException as error:
        add_note(stream, error, obj, list)
        raise


def _refuse_while_dumping(state: _State) -> None:
    if state.running:
        raise already_used()


make_public(Pickler)
# As strings they would be looked for in `quickpickle`.
Pickler.__annotations__.update(reduction_limit=int, dispatch_table=Any, reducer_override=Any)
