"""install(): quickpickle in place of pickle, for code that does not know of it."""

from __future__ import annotations

import copyreg
import pickle
import sys
import threading
from multiprocessing import reduction
from types import TracebackType
from typing import Any, Final

from ._implementation import Pickler, Unpickler, dump, dumps, loads
from .loading import load
from .rules.tracebacks import drops_frames, make_public

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
_forking_loads: Final = staticmethod(loads)  # in place of the standard `loads` there

_lock: Final = threading.RLock()
_current: Installation | None = None  # what install() returned that has put ours in its place


class _QuickForkingPickler(Pickler):
    """Made by `multiprocessing.reduction.ForkingPickler` while quickpickle is installed."""

    @drops_frames
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        reducers: dict[type, Any] = _ForkingPickler._extra_reducers
        self.dispatch_table = {**copyreg.dispatch_table, **reducers}


@drops_frames
def _new_forking_pickler(cls: type, *args: Any) -> Any:
    """`ForkingPickler.__new__`: wherever the class is held already, it is asked for instances."""
    if cls is _ForkingPickler:
        return _QuickForkingPickler(*args)
    return _STANDARD["Pickler"].__new__(cls)  # somebody's subclass


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
        """The names in imported modules that still are the standard library's.

        They were imported before (`from pickle import dumps`), so they are not looked up in
        `pickle` again: import these modules later, or set the names yourself.
        """
        standard = {id(value) for value in _STANDARD.values()}
        return sorted(
            f"{module_name}.{name}"
            for module_name, module in list(sys.modules.items())
            if module_name.partition(".")[0] not in ("_pickle", "quickpickle")
            for name, value in list(getattr(module, "__dict__", {}).items())
            if id(value) in standard
        )


def install() -> Installation:
    """Put quickpickle in the place of `pickle`: from now on, all that uses it is faster.

    `pickle.dump`, `pickle.dumps`, `pickle.load`, `pickle.loads`, `pickle.Pickler` and
    `pickle.Unpickler` are quickpickle's, and what `multiprocessing` sends between processes is
    written and read by it: pools, queues, pipes, managers and
    `concurrent.futures.ProcessPoolExecutor`. The bytes are the same, so other processes do not
    need to know.

    It can be called any number of times, by any thread, and `uninstall` undoes it. It counts for
    this process, and those that it forks; others are to call it themselves
    (`ProcessPoolExecutor(initializer=quickpickle.install)`).

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
    global _current
    installation = Installation()
    with _lock:
        if _current is None:
            _swap(_STANDARD, _OURS)
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
    global _current
    with _lock:
        if _current is not None:
            _swap(_OURS, _STANDARD)
            if vars(_ForkingPickler).get("__new__") is _new_forking_pickler:
                del _ForkingPickler.__new__
            if vars(_ForkingPickler).get("loads") is _forking_loads:
                _ForkingPickler.loads = _STANDARD["loads"]
            _current = None


make_public(install, uninstall)


def _swap(old: dict[str, Any], new: dict[str, Any]) -> None:
    for holder in _HOLDERS:
        module = sys.modules.get(holder)
        for name, value in old.items():
            if getattr(module, name, None) is value:
                setattr(module, name, new[name])
