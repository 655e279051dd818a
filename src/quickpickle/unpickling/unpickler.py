"""class Unpickler: its options, its hooks, its memo, and load()."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

from ..rules.loading import SupportsRead, find_class
from ..rules.loading_errors import ABSENT, no_persistent_load, not_initialized
from ..rules.loading_errors import unpickler_already_used as already_used
from ..rules.memo_proxy import UnpicklerMemoProxy, read_unpickler_memo
from ..rules.options import check_text
from ..rules.tracebacks import drop_frames, drops_frames, make_public
from .loop import read_pickle
from .stream import Stream

if TYPE_CHECKING:
    from ..rules.missing import MissingOption
    from ..rules.policy import Policy


class _State:
    """The state of an Unpickler, apart from the names that its subclasses may use."""

    __slots__ = ("running", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.running: dict[str, object] = {}  # holds the token of a running load()


class _Stateful:
    __slots__ = ("_quickpickle_persistent_load", "_quickpickle_state")


# The opcodes that leave what they call or change on the stack.
_WITH_TARGET: Final = ("REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "BUILD")

# Read and set past any __getattribute__ and __setattr__ of a subclass.
_read_state: Final[Callable[[Unpickler], _State]] = vars(_Stateful)["_quickpickle_state"].__get__
_set_state: Final = vars(_Stateful)["_quickpickle_state"].__set__
_persistent_load: Final = vars(_Stateful)["_quickpickle_persistent_load"]


def _get_state(unpickler: Unpickler) -> _State:
    """The state of an Unpickler; an empty one where `__init__` was not called."""
    try:
        return _read_state(unpickler)
    except AttributeError:
        state = _State(Stream(b""))
        _set_state(unpickler, state)
        return state


@drops_frames
def _no_persistent_load(self: Unpickler, pid: Any) -> Any:
    """The object for a persistent id: for subclasses to override.

    Called with what the Pickler's `persistent_id` returned; a str if that is protocol 0.
    """
    raise no_persistent_load()


class _PersistentLoad:
    """The method `persistent_load`, which may be set on an Unpickler that has no dict too."""

    def __get__(self, unpickler: Unpickler | None, cls: type) -> Any:
        if unpickler is None:
            return _no_persistent_load
        try:
            return _persistent_load.__get__(unpickler)
        except AttributeError:
            return MethodType(_no_persistent_load, unpickler)

    def __set__(self, unpickler: Unpickler, value: Any) -> None:
        _persistent_load.__set__(unpickler, value)

    @drops_frames
    def __delete__(self, unpickler: Unpickler) -> None:
        try:
            _persistent_load.__delete__(unpickler)
        except AttributeError:
            raise AttributeError("persistent_load") from None


class Unpickler(_Stateful):
    """Reads pickles from a file, as `pickle.Unpickler` does.

    Load only what you trust, as a pickle runs what is in it; or with a `policy`.

    Parameters
    ----------
    file
        An object with a `read` that takes a number of bytes, and a `readline`. Its `readinto` and
        `peek` are used where it has them. After load() its position is right behind the pickle.
    fix_imports
        With protocols 0 to 2: the names in it may be those of Python 2.
    encoding, errors
        How a str of Python 2 is decoded; with the encoding "bytes" it is not.
    buffers
        The buffers that the Pickler's `buffer_callback` was called with, in their order (PEP 574).
    policy
        A `Policy`: the names, calls and costs that the pickle may have. It counts for every load().
    renames
        Modules, classes and functions that have another name now, as a dict:
        `{"old.module": "new.module", "old.module.Class": "new.module.Other"}`. The pickle is read
        as if it had the new names; so a policy and `find_class` get these. All names in a renamed
        module or class are renamed too, and the longest name that fits counts. A class in a class
        is "new.module:Outer.Inner". The renames of the policy count too; where both have a name,
        these do.
    missing
        "error" or "placeholder", for a class or function that cannot be imported, or that the
        policy refuses. With "placeholder" a `Placeholder` stands for it, and for the objects that
        are made of it. It keeps their arguments, state and items, and is written as what it stands
        for.

    Raises
    ------
    TypeError
        `file` has no `read` or `readline`; `encoding` or `errors` is no str, `policy` no Policy, or
        `renames` no dict of str. A ValueError if a name in that is none, or for another `missing`.

    Example
    -------
    >>> import io, pickle
    >>> Unpickler(io.BytesIO(pickle.dumps({"answer": 42}))).load()
    {'answer': 42}

    Source: https://docs.python.org/3/library/pickle.html#pickle.Unpickler
    """

    __slots__ = ()

    persistent_load = _PersistentLoad()

    @drops_frames
    def __init__(
        self,
        file: SupportsRead,
        *,
        fix_imports: bool = True,
        encoding: str = "ASCII",
        errors: str = "strict",
        buffers: Iterable[Any] | None = None,
        policy: Policy | None = None,
        renames: Mapping[str, str] | None = None,
        missing: MissingOption = "error",
    ) -> None:
        stream = open_stream(
            "Unpickler",
            file,
            fix_imports=fix_imports,
            encoding=encoding,
            errors=errors,
            buffers=buffers,
            policy=policy,
            renames=renames,
            missing=missing,
        )
        if _get_state(self).running:  # it may be called once more
            raise already_used()
        _set_state(self, _State(stream))

    def load(self) -> Any:
        """Read a pickle from the file, and return the object that it describes.

        The memo is kept, so that the next pickle may refer to objects in this one, as the pickles
        of one Pickler do. If load() fails, the memo loses what was new, and the next load() goes on
        behind the opcode that failed.

        Raises UnpicklingError or EOFError where the pickle is damaged, and whatever is raised by
        the classes and functions in it or by the file; RuntimeError when called while a load() of
        this Unpickler is running.
        """
        try:
            state = _get_state(self)
            if state.stream.read is None:
                raise not_initialized(self)
            running = state.running
            token = object()
            # As in Pickler.dump: what gives the Unpickler free calls nothing, so that no interrupt
            # can come before it.
            try:
                try:
                    if running.setdefault("load", token) is not token:
                        token = None  # the other one may end at any time
                        raise already_used()
                    return _load(self, state.stream)
                finally:
                    if token is not None and "load" in running and running["load"] is token:
                        del running["load"]
            finally:
                if token is not None and "load" in running and running["load"] is token:
                    del running["load"]
        except BaseException as error:
            drop_frames(error)
            raise

    @drops_frames
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Find a class or function by its module and name: for subclasses to override.

        The module is imported if necessary. A subclass may refuse what it does not know.
        """
        stream = _get_state(self).stream
        return find_class(
            module_name, global_name, stream.proto, stream.fix_imports, stream.renames
        )

    @property
    @drops_frames
    def memo(self) -> UnpicklerMemoProxy:
        """The objects read so far; can be copied, cleared, and assigned to another Unpickler."""
        return UnpicklerMemoProxy(partial(_memo_contents, self), partial(_replace_memo, self))

    @memo.setter
    @drops_frames
    def memo(self, memo: object) -> None:
        stream = _get_state(self).stream
        contents = read_unpickler_memo(memo)
        if stream.guard is not None:  # these are not of its loads
            for obj in contents.values():
                stream.guard.foreign(obj)
        stream.memo = contents

    @memo.deleter
    @drops_frames
    def memo(self) -> None:
        raise TypeError("attribute deletion is not supported")

    @drops_frames
    def __getstate__(self) -> object:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __sizeof__(self) -> int:
        stream = _get_state(self).stream
        return object.__sizeof__(self) + sys.getsizeof(stream.memo) + sys.getsizeof(stream.data)


def open_stream(
    function: str,
    file: Any,
    *,
    fix_imports: Any,
    encoding: Any,
    errors: Any,
    buffers: Iterable[Any] | None,
    policy: Policy | None = None,
    renames: Mapping[str, str] | None = None,
    missing: MissingOption = "error",
) -> Stream:
    """A stream from a file; `function` is what was called with these options."""
    fixes_imports = bool(fix_imports)
    check_text(function, "encoding", encoding)
    check_text(function, "errors", errors)
    peek = getattr(file, "peek", None)
    readinto = getattr(file, "readinto", None)
    read = getattr(file, "read", ABSENT)
    readline = getattr(file, "readline", ABSENT)
    if read is ABSENT or readline is ABSENT:
        raise TypeError("file must have 'read' and 'readline' attributes")
    stream = Stream(
        b"",
        fix_imports=fixes_imports,
        encoding=encoding,
        errors=errors,
        buffers=None if buffers is None else iter(buffers),
    )
    use_options(stream, policy, renames, missing)
    stream.read = read
    stream.readline = readline
    stream.readinto = readinto
    stream.peek = peek
    return stream


def use_options(
    stream: Stream, policy: Policy | None, renames: Mapping[str, str] | None, missing: MissingOption
) -> None:
    """Options of our own. Most programs do not import what they need."""
    if missing != "error":
        from ..rules.missing import check_missing

        check_missing(missing)
    if policy is not None:
        from ..rules.enforcement import Guard, check_policy

        check_policy(policy)
        if missing == "error":
            stream.guard = stream.objects = Guard(policy)
        else:
            from ..rules.missing_guard import PlaceholderGuard

            stream.guard = stream.objects = stream.missing = PlaceholderGuard(policy)
    elif missing != "error":
        from ..rules.missing import Missing

        stream.objects = stream.missing = Missing()
    if renames is not None or policy is not None:
        from ..rules.renames import make_renames

        stream.renames = make_renames(renames, None if policy is None else policy.renames)


def read_stream(stream: Stream, keeps_memo: bool = False) -> Any:
    """Read one pickle, under a policy if there is one."""
    begin = stream.base + stream.pos
    try:
        if stream.missing is not None:
            stream.missing.start()
        if stream.guard is None:
            result = read_pickle(stream)
        else:
            from .guarded import read_guarded

            result = read_guarded(stream)
        if stream.missing is not None:
            if not keeps_memo:
                stream.memo.clear()
            stream.missing.give_states()
        return result
    except BaseException as error:
        _note_fault(stream, begin, error)
        raise


def _note_fault(stream: Stream, begin: int, error: BaseException) -> None:
    """Let an exception out with the place of what was being read."""
    is_reading, stream.is_reading = stream.is_reading, False
    is_between, stream.is_between = stream.is_between, False
    passed, stream.passed = stream.passed, 0
    base = stream.base
    stream.base += passed
    try:
        from ..scanning.faults import (  # only now: most programs have no use for it
            Fault,
            note_fault,
        )
        from ..scanning.scan import Scanner
    except Exception:  # no import at the end of a program: what matters is the error
        return
    start = max(base, begin) - base
    fault = Fault(
        reached=stream.base + stream.pos - begin,
        is_between=is_between,
        is_reading=is_reading,
        data=memoryview(stream.data)[start:],
        start=base + start - begin,
        known=max(stream.known - begin, 0),
        read=stream.read,
        consumed=stream.base + stream.prefetched - begin,
        has_policy=stream.guard is not None,
        targets=dict.fromkeys(_WITH_TARGET, stream.stack[-1]) if stream.stack else {},
        proto=stream.proto,
        fix_imports=stream.fix_imports,
        encoding=stream.encoding,
        renames=stream.renames,
    )
    note_fault(error, Scanner, fault)


def _load(unpickler: Unpickler, stream: Stream) -> Any:
    """One load, which gives up all that it made if it fails."""
    memo = stream.memo
    entries = len(memo)
    stream.proto = 0
    stream.unpickler = None if type(unpickler) is Unpickler else unpickler
    persistent_load: Any = unpickler.persistent_load
    if type(persistent_load) is MethodType and persistent_load.__func__ is _no_persistent_load:
        persistent_load = ABSENT
    stream.persistent_load = persistent_load
    if stream.guard is not None:
        find_class = unpickler.find_class
        stream.is_hooked = getattr(find_class, "__func__", None) is not Unpickler.find_class
    try:
        return read_stream(stream, keeps_memo=True)
    except BaseException:
        while len(memo) > entries:  # new entries are the last ones
            memo.popitem()
        raise
    finally:
        stream.stack = []
        stream.stacks = []
        stream.unpickler = None
        stream.persistent_load = ABSENT


def _memo_contents(unpickler: Unpickler) -> dict[int, object]:
    return dict(sorted(_get_state(unpickler).stream.memo.items()))


def _replace_memo(unpickler: Unpickler) -> None:
    _get_state(unpickler).stream.memo = {}


make_public(Unpickler)
