"""class Pickler: its options, dump(), and the loop over the stack of work."""

from __future__ import annotations

import io
import operator
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pickle import DEFAULT_PROTOCOL, HIGHEST_PROTOCOL, PickleBuffer, PicklingError
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import atoms, containers
from .compact import check_memo_is_empty, optimize
from .deterministic import Failure, Order, Representatives, raise_failure
from .digest import PROTOCOL as DIGEST_PROTOCOL
from .digest import HashObject, new_hash, reduce_for_digest
from .files import FilePath, is_path, write_file
from .frames import drop_frames, drops_frames, make_public
from .memo import Memo, PicklerMemoProxy, read_memo
from .opcodes import BINPERSID, PERSID, STOP
from .progress import Pace, Report, Reporting, check_progress
from .reduction import ABSENT, save_object, save_reduction
from .writing import DIGESTING, FRAME_SIZE_TARGET, REPORTING, Pieces, Stream

# What each of these functions returns: None where all is written, a generator of the objects
# to be written in between, or, where the protocol has no opcode for the type, a reduction.
_SAVERS: Final[dict[type, Callable[[Stream, Any], Any]]] = {
    str: atoms.save_str,
    bytes: atoms.save_bytes,
    bytearray: atoms.save_bytearray,
    PickleBuffer: atoms.save_picklebuffer,
    tuple: containers.save_tuple,
    list: containers.save_list,
    dict: containers.save_dict,
    set: containers.save_set,
    frozenset: containers.save_frozenset,
    Pieces: atoms.save_pieces,
    Failure: raise_failure,
}


class SupportsWrite(Protocol):
    """A file: anything with a `write` that takes one bytes-like argument."""

    @property
    def write(self) -> Callable[[Any], object]: ...


class _State:
    """What a Pickler is made of, apart from the names that its subclasses may use."""

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
        Whatever has a `write` that takes one bytes-like argument. Where `write` returns that
        it took fewer bytes than it was given, it is called again with the rest.
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
        ordered by their members. See docs/options.md for what no pickler can make deterministic.
    compact
        Leave out the memo entries that nothing refers to: what `pickletools.optimize` does with a
        pickle afterwards. All of it is held until it can be written. Each dump() needs an empty
        memo; see docs/options.md.
    progress
        True for a bar on stderr, if that is a terminal; or what is called with the number of
        objects (those with an entry in the memo) and of bytes written so far: at most ten times a
        second, and when all is written. It must not change what is pickled. See docs/options.md.

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

    reduction_limit: int = 1_000_000
    """How deep what the user's own code returns, reductions and persistent ids, may nest before
    dump() takes it for endless and raises RecursionError."""

    __slots__ = ("dispatch_table",)  # so that a plain Pickler takes no other attribute

    persistent_id = _PersistentId()

    if TYPE_CHECKING:  # at run time the names in them would be looked up in `quickpickle`
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
                        raise already_used()
                    _dump_once(self, state, obj)
                finally:
                    if "dump" in running and running["dump"] is token:
                        del running["dump"]
            finally:
                if "dump" in running and running["dump"] is token:
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


def int_member(value: Any) -> int:
    """What an attribute takes that is an int of C."""
    number = operator.index(value)
    if not -sys.maxsize - 1 <= number <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C long")
    truncated = (number + (1 << 31)) % (1 << 32) - (1 << 31)
    if truncated != number:
        warnings.warn("Truncation of value to int", RuntimeWarning, stacklevel=3)
    return truncated


def no_int_member_to_delete() -> TypeError:
    return TypeError("can't delete numeric/char attribute")


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
        _put_in_order(stream, order, hooks)
    try:
        write_pickle(stream, obj, *hooks, _note_path)
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
        _add_note(stream, error, obj, list)
        raise


def make_order(protocol: int, buffer_callback: Callable[[PickleBuffer], object] | None) -> Order:
    """What makes a dump deterministic."""
    return Order(Representatives(protocol, protocol >= 5 and buffer_callback is None), protocol)


def _put_in_order(stream: Stream, order: Order, hooks: tuple[Any, Any, Any]) -> None:
    """Make a stream deterministic, with the hooks of its Pickler for what is written alone."""

    def alone(obj: Any) -> bytes:
        file = io.BytesIO()
        inner = Stream(
            file.write,
            Memo(),
            stream.protocol,
            fix_imports=stream.fix_imports,
            buffer_callback=None,
            reduction_limit=stream.reduction_limit,
        )
        inner.bin = stream.bin
        inner.order = order
        inner.last_goes_alone = False
        write_pickle(inner, obj, *hooks, _let_out)
        return file.getvalue()

    order.begin(stream.memo, alone, stream.reduction_limit)
    stream.order = order
    stream.last_goes_alone = False


def _refuse_while_dumping(state: _State) -> None:
    if state.running:
        raise already_used()


def already_used() -> RuntimeError:
    return RuntimeError(
        "Pickler object is already used: its dump() is running, further up or in another "
        "thread (use another Pickler here)"
    )


def no_fast_mode() -> ValueError:
    return ValueError(
        "deterministic=True needs the memo, which fast mode goes without: leave `fast` at 0"
    )


def check_protocol(protocol: int | None) -> int:
    if protocol is None:
        return DEFAULT_PROTOCOL
    number = operator.index(protocol)
    if not -sys.maxsize - 1 <= number <= sys.maxsize:
        raise OverflowError("Python int too large to convert to C long")
    if number < 0:
        return HIGHEST_PROTOCOL
    if number > HIGHEST_PROTOCOL:
        raise ValueError(f"pickle protocol must be <= {HIGHEST_PROTOCOL}")
    return number


def check_buffer_callback(protocol: int) -> None:
    if protocol < 5:
        raise ValueError("buffer_callback needs protocol >= 5")


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
    scalars = atoms.scalar_encoders(stream.protocol, stream.bin)
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
                encode = scalars.get(cls)
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


def _note_path(
    stream: Stream,
    root: Any,
    error: BaseException,
    stack: list[Iterator[Any]],
    work: Iterator[Any],
    obj: Any,
) -> None:
    """Let an exception out with the path to the object at fault."""

    def read_steps() -> Any:
        from . import steps

        return steps.read_steps(error, stack, work, obj)

    _add_note(stream, error, root, read_steps)


def _let_out(*_: Any) -> None:
    """Let an exception out to the dump around this one, which knows the path."""


def _add_note(
    stream: Stream, error: BaseException, root: Any, read_steps: Callable[[], list[Any]]
) -> None:
    """Note on an exception where in the object it comes from, or that it is another's fault."""
    try:
        from .paths import add_fault, add_path  # only now: most programs have no use for it
    except Exception:  # no import at the end of a program: what matters is the error
        return
    if stream.outside:
        add_fault(error, stream.outside, stream.sent)
    else:
        add_path(error, root, read_steps, stream.protocol)


def _save_persistent_id(stream: Stream, obj: Any, pid: Any) -> Iterator[Any]:
    stream.enter_user_code(obj)  # an id that holds the object itself has no end
    yield pid
    stream.buffer += BINPERSID
    stream.nested_user_code -= 1


def encode_persistent_id(pid: Any) -> bytes:
    """A persistent id as the line that protocol 0 has for it."""
    text = str(pid)
    if not str.isascii(text) or str.__contains__(text, "\n"):
        raise PicklingError("persistent IDs in protocol 0 must be ASCII strings")
    return str.encode(text, "ascii")


def dump(
    obj: Any,
    file: SupportsWrite | FilePath,
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
    deterministic: bool = False,
    compact: bool = False,
    progress: bool | Report | None = None,
) -> None:
    """Write the pickle of `obj` to `file`: `Pickler(file, ...).dump(obj)`.

    The parameters, and what it raises, are those of `Pickler` and its `dump`. But `file` may be a
    path (str or os.PathLike) too: then the file of that name has the whole pickle when dump()
    returns, and is as it was if dump() raises an exception or the process dies. A name that ends
    in .gz, .bz2, .xz or .zst is compressed. Whatever has a `write` is a file, not a path.

    With a path it may also raise OSError, where the file cannot be written, and ImportError, where
    the module for the compression is missing; see docs/files.md.

    >>> dump({"answer": 42}, "model.pkl.gz")
    """
    try:
        if is_path(file, "write"):
            number = check_protocol(protocol)
            if buffer_callback is not None:
                check_buffer_callback(number)
            write = partial(
                dump,
                obj,
                protocol=number,
                fix_imports=fix_imports,
                buffer_callback=buffer_callback,
                deterministic=deterministic,
                compact=compact,
                progress=progress,
            )
            write_file(file, write)
            return
        pickler = Pickler(
            file,
            protocol,
            fix_imports=fix_imports,
            buffer_callback=buffer_callback,
            deterministic=deterministic,
            compact=compact,
            progress=progress,
        )
        pickler.dump(obj)
    except BaseException as error:
        drop_frames(error)
        raise


def dumps(
    obj: Any,
    protocol: int | None = None,
    *,
    fix_imports: bool = True,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
    deterministic: bool = False,
    compact: bool = False,
    progress: bool | Report | None = None,
) -> bytes:
    """Return the pickle of `obj` as bytes.

    The parameters, and what it raises, are those of `Pickler` and its `dump`.

    >>> dumps([1, 2], protocol=2)
    b'\\x80\\x02]q\\x00(K\\x01K\\x02e.'
    """
    try:
        number = check_protocol(protocol)
        if buffer_callback is not None:
            check_buffer_callback(number)
        fixes_imports = bool(fix_imports)
        file = io.BytesIO()
        # What a Pickler does with its hooks and its memo nobody can see here.
        stream = Stream(
            file.write,
            Memo(),
            number,
            fix_imports=number < 3 and fixes_imports,
            buffer_callback=buffer_callback,
            reduction_limit=Pickler.reduction_limit,
        )
        stream.sending = ""
        hooks = ABSENT, ABSENT, ABSENT
        if deterministic:
            _put_in_order(stream, make_order(number, buffer_callback), hooks)
        if progress is None:  # `with` would be a tenth of a small dumps()
            write_pickle(stream, obj, *hooks, _note_path)
            return optimize(file.getbuffer()) if compact else file.getvalue()
        with Reporting(progress) as report:
            if report is not None:
                stream.pace = Pace(report)
            write_pickle(stream, obj, *hooks, _note_path)
            data = optimize(file.getbuffer()) if compact else file.getvalue()
            if report is not None:
                stream.outside = REPORTING
                try:
                    report(stream.objects, len(data))
                except BaseException as error:
                    _add_note(stream, error, obj, list)
                    raise
        return data
    except BaseException as error:
        drop_frames(error)
        raise


@drops_frames
def object_digest(
    obj: Any,
    digest: str | Callable[[], HashObject] = "sha256",
    *,
    sort_dicts: bool = True,
) -> Any:
    """Return a hash object updated with the deterministic pickle of `obj`.

    It is never held in memory as a whole. Equal objects have equal digests, in whatever process,
    on whatever version of Python from 3.11 on if all in them is of builtin types. Classes and
    functions count by their module and name, not by their code. NumPy arrays count by dtype, shape
    and contents, whatever their byte order and how they lie in memory.

    Parameters
    ----------
    digest
        The name of an algorithm, for `hashlib.new`, or a callable that returns a hash object,
        such as `hashlib.blake2b`, `blake3.blake3` or `xxhash.xxh3_128`.
    sort_dicts
        Whether dicts that are equal count as equal, whatever the order of their keys. It is part
        of the value of an OrderedDict in any case.

    Raises
    ------
    ValueError, TypeError
        `digest` is the name of no algorithm, or gives no hash object.
    Exception
        Whatever `Pickler.dump` raises for what cannot be pickled.

    Example
    -------
    >>> object_digest({"b", "a"}).hexdigest()[:16]
    '804411514b0c6ccf'

    Source: the manner of https://docs.python.org/3/library/hashlib.html#hashlib.file_digest
    """
    made = new_hash(digest)
    stream = Stream(
        made.update,
        Memo(),
        DIGEST_PROTOCOL,
        fix_imports=False,
        buffer_callback=None,
        reduction_limit=Pickler.reduction_limit,
    )
    stream.sending = DIGESTING
    hooks = ABSENT, reduce_for_digest, ABSENT
    order = Order(Representatives(DIGEST_PROTOCOL, False), DIGEST_PROTOCOL, sort_dicts=sort_dicts)
    _put_in_order(stream, order, hooks)
    write_pickle(stream, obj, *hooks, _note_path)
    return made


class _WithHooks(Pickler):
    """Takes a `reducer_override`, as a plain Pickler does not."""


def dumps_with_hooks(
    obj: Any,
    protocol: int | None,
    buffer_callback: Callable[[PickleBuffer], object] | None,
    reducer_override: Callable[[Any], Any],
    dispatch_table: Any,
    deterministic: bool,
    compact: bool,
    progress: bool | Report | None,
) -> bytes:
    """`dumps` with hooks, for which the compiled twin needs no Pickler: for quickpickle.cloud."""
    file = io.BytesIO()
    pickler: Any = _WithHooks(
        file,
        protocol,
        buffer_callback=buffer_callback,
        deterministic=deterministic,
        compact=compact,
        progress=progress,
    )
    pickler.reducer_override = reducer_override
    pickler.dispatch_table = dispatch_table
    pickler.dump(obj)
    return file.getvalue()


make_public(Pickler, dump, dumps, object_digest)
# As strings they would be looked for in `quickpickle`.
Pickler.__annotations__.update(reduction_limit=int, dispatch_table=Any, reducer_override=Any)
