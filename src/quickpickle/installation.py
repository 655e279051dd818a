"""install(): quickpickle in place of pickle, for code that does not know of it."""

from __future__ import annotations

import copyreg
import pickle
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import reduction
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from ._implementation import Pickler, Unpickler, dump, dumps, loads
from .loading import load
from .rules.tracebacks import drops_frames, make_public

if TYPE_CHECKING:
    from .rules.policy import Policy

_OURS: Final[dict[str, Any]] = {
    "Pickler": Pickler,
    "Unpickler": Unpickler,
    "dump": dump,
    "dumps": dumps,
    "load": load,
    "loads": loads,
}
_STANDARD: Final[dict[str, Any]] = {name: getattr(pickle, name) for name in _OURS}
# Of the standard library, who keeps these names for itself: `from pickle import Pickler`.
_HOLDERS: Final = ("pickle", "shelve")

# The standard library's, whatever stands in its place by now.
_ForkingPickler: Final[Any] = next(
    (c for c in reduction.ForkingPickler.__mro__ if c.__module__ == reduction.__name__),
    reduction.ForkingPickler,
)

_lock: Final = threading.RLock()
_current: Installation | None = None  # what install() returned that has put ours in its place
_installed: dict[str, Any] = _OURS  # what it has put there
_forking_loads: Any = None  # in place of the standard `loads` of ForkingPickler
_options: dict[str, Any] = {}  # with which all is loaded meanwhile


class _QuickForkingPickler(Pickler):
    """Made by `multiprocessing.reduction.ForkingPickler` while quickpickle is installed."""

    @drops_frames
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        reducers: dict[type, Any] = _ForkingPickler._extra_reducers
        self.dispatch_table = {**copyreg.dispatch_table, **reducers}
        pool = sys.modules.get("multiprocessing.pool")
        if pool is not None:
            self.dispatch_table[pool.MaybeEncodingError] = _reduce_encoding_error

    @drops_frames
    def dump(self, obj: Any) -> None:
        if isinstance(obj, BaseProcess):  # it is about to start anew
            self.dispatch_table.setdefault(type(obj), _reduce_process)
        try:
            super().dump(obj)
        except Exception as error:
            with suppress(Exception):  # of its own repr
                _failed.shown = repr(error)
                _failed.notes = [*vars(error).get("__notes__", ())]
            raise


class _Failed(threading.local):
    """The message and notes of the error that the last dump in this thread has raised."""

    shown = ""
    notes: Sequence[str] = ()


_failed: Final = _Failed()


def _reduce_encoding_error(error: Any) -> Any:
    """With the notes of the exception that it stands for: it has no more of that than its repr."""
    state = {**vars(error)}
    if error.exc == _failed.shown and "__notes__" not in state:
        state["__notes__"] = [*_failed.notes]
    return type(error), error.args, state


@drops_frames
def _new_forking_pickler(cls: type, *args: Any) -> Any:
    """`ForkingPickler.__new__`: wherever the class is held already, it is asked for instances."""
    if cls is _ForkingPickler:
        return _QuickForkingPickler(*args)
    return _STANDARD["Pickler"].__new__(cls)  # somebody's subclass


def _reduce_process(process: BaseProcess) -> Any:
    """As `object` does it, but that the new process installs quickpickle, before it loads more."""
    reduction = process.__reduce_ex__(2)
    if type(reduction) is not tuple or reduction[0] is not copyreg.__newobj__:  # type: ignore[attr-defined]
        return reduction  # it has a method of its own
    return _new_in_child, (_options, *reduction[1]), *reduction[2:]


def _new_in_child(options: dict[str, Any], cls: type, *args: Any) -> Any:
    """The Process, in the process that it stands for: with the options of its parent."""
    with _lock:
        if _options != options:
            uninstall()
        install(**options)
    return cls.__new__(cls, *args)


class Installation:
    """Returned by `install`: undoes that call at the end of a with statement."""

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _lock:
            if _current is self:
                uninstall()

    def unreached(self) -> list[str]:
        """The names that still are the standard library's, in whatever was made before.

        They are not looked up in `pickle` again: names of modules (`from pickle import dumps`) and
        what is in the objects of these, attributes of classes, default arguments
        (`module.function(dumps=)`), variables of inner functions
        (`module.function.<locals>.inner.<locals>.dumps`), partials, and classes that were derived
        from `pickle.Pickler` and `pickle.Unpickler`. An object that only a running function holds
        goes by its class, in angle brackets. Of one object ten places at most are listed.

        Import these modules later, set the names yourself, or start the program as `quickpickle run
        script.py`, which installs before anything else is imported.

        It looks at all objects of the process but for those that `gc.freeze` has put aside.
        """
        from .rules.holders import find_holders, find_subclasses

        classes = [_STANDARD["Pickler"], _STANDARD["Unpickler"]]
        found = {*find_holders(*_STANDARD.values()), *find_subclasses(classes)}
        return sorted(
            f"{module}.{name}"
            for module, name in found
            if module.partition(".")[0] not in ("_pickle", "quickpickle")
            and (module, name) != (reduction.__name__, "ForkingPickler")
        )


def install(
    *, policy: Policy | None = None, renames: Mapping[str, str] | None = None
) -> Installation:
    """Put quickpickle in the place of `pickle`: from now on, all that uses it is faster.

    `pickle.dump`, `pickle.dumps`, `pickle.load`, `pickle.loads`, `pickle.Pickler` and
    `pickle.Unpickler` are quickpickle's, and what `multiprocessing` sends between processes is
    written and read by it: pools, queues, pipes, managers and
    `concurrent.futures.ProcessPoolExecutor`. The bytes are the same, so other processes do not
    need to know.

    It can be called any number of times, by any thread, and `uninstall` undoes it. It counts for
    this process, and those that `multiprocessing` starts from it meanwhile, with any start method:
    the workers of pools and executors. Other processes are to call it themselves.

    With a `policy`, `pickle.load`, `pickle.loads` and `pickle.Unpickler` load under it, if they are
    not called with another one; and so does what other processes send. Names that are held already
    (`unreached`) do not, nor does the C module `_pickle`. While another policy, or none, is
    installed, a policy is refused with a RuntimeError; install() without one changes nothing. All
    of that goes for `renames` too, which are those of `load`; those of the policy count beside
    them.

    Returns an object for a with statement, at whose end all is as it was before this call.

    Example
    -------
    >>> import pickle, quickpickle
    >>> with quickpickle.install():
    ...     pickle.dumps is quickpickle.dumps
    True
    >>> pickle.dumps is quickpickle.dumps
    False
    """
    global _current, _installed, _forking_loads, _options
    installation = Installation()
    with _lock:
        options = {"policy": policy, "renames": renames}
        options = {name: value for name, value in options.items() if value is not None}
        for name, value in options.items():
            if _current is not None and value != _options.get(name):
                raise RuntimeError(
                    f"quickpickle is installed with another {name}: uninstall() it first"
                    if name == "policy"
                    else "quickpickle is installed with other renames: uninstall() it first"
                )
        if _current is None:
            _installed = {**_OURS, **_under(options)} if options else _OURS
            _options = options
            _forking_loads = staticmethod(_installed["loads"])
            _swap(_STANDARD, _installed)
            if "__new__" not in vars(_ForkingPickler):  # else it is somebody else's, and stays
                _ForkingPickler.__new__ = _new_forking_pickler
            if vars(_ForkingPickler).get("loads") is _STANDARD["loads"]:
                _ForkingPickler.loads = _forking_loads
            _current = installation
    return installation


def uninstall() -> None:
    """Undo `install`: all is as it was before, but for what others have replaced since.

    Picklers and Unpicklers that were made meanwhile go on as they are, and so do names that were
    imported meanwhile (`from pickle import dumps`), and classes that were derived from
    `pickle.Pickler` and `pickle.Unpickler`.
    """
    global _current, _options
    with _lock:
        if _current is not None:
            _swap(_installed, _STANDARD)
            if vars(_ForkingPickler).get("__new__") is _new_forking_pickler:
                del _ForkingPickler.__new__
            if vars(_ForkingPickler).get("loads") is _forking_loads:
                _ForkingPickler.loads = _STANDARD["loads"]
            _current = None
            _options = {}


make_public(install, uninstall)


def _under(defaults: dict[str, Any]) -> dict[str, Any]:
    """load, loads and Unpickler with other options than usual: a policy, or renames."""
    from .rules.enforcement import check_policy
    from .rules.renames import make_renames

    if "policy" in defaults:
        check_policy(defaults["policy"])
    if "renames" in defaults:
        make_renames(defaults["renames"])

    @drops_frames
    def load_under(file: Any, **options: Any) -> Any:
        return load(file, **{**defaults, **options})

    @drops_frames
    def loads_under(data: Any, /, **options: Any) -> Any:
        return loads(data, **{**defaults, **options})

    class PolicyUnpickler(Unpickler):
        @drops_frames
        def __init__(self, file: Any, **options: Any) -> None:
            super().__init__(file, **{**defaults, **options})

    for made, name in (
        (load_under, "load"),
        (loads_under, "loads"),
        (PolicyUnpickler, "Unpickler"),
    ):
        made.__name__ = made.__qualname__ = name
        make_public(made)
    return {"load": load_under, "loads": loads_under, "Unpickler": PolicyUnpickler}


def _swap(old: dict[str, Any], new: dict[str, Any]) -> None:
    for holder in _HOLDERS:
        module = sys.modules.get(holder)
        for name, value in old.items():
            if getattr(module, name, None) is value:
                setattr(module, name, new[name])
