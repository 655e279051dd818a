"""`import quickpickle.cloud as cloudpickle`: cloudpickle's own reducers on our Pickler.

Lambdas, local and interactive functions and classes are pickled by value, as cloudpickle does it:
the bytes are its own, so either reads what the other writes, and so does `pickle.load` wherever
cloudpickle can be imported. The extra `quickpickle[cloud]` brings cloudpickle.
"""

from __future__ import annotations

from collections.abc import Callable
from pickle import PickleBuffer, PicklingError
from typing import TYPE_CHECKING, Any

import cloudpickle as _theirs  # so that `cloudpickle` is what it is in theirs, see __getattr__
from cloudpickle import register_pickle_by_value, unregister_pickle_by_value

from . import _implementation
from ._implementation import loads
from .files.compression import Compression
from .files.writing import FilePath, dump_to_path
from .loading import load
from .pickling.pickler import SupportsWrite
from .rules.options import check_protocol
from .rules.progress import Report
from .rules.reductions import only_globals
from .rules.tracebacks import drop_frames, drops_frames

if TYPE_CHECKING:
    from .diagnosis import Problems

__all__ = [
    "CloudPickler",
    "Pickler",
    "diagnose",
    "dump",
    "dumps",
    "load",
    "loads",
    "register_pickle_by_value",
    "unregister_pickle_by_value",
]

if not hasattr(_theirs.Pickler, "reducer_override"):
    raise ImportError(
        "quickpickle.cloud needs CPython: elsewhere cloudpickle has no reducer_override,"
        " use cloudpickle itself there"
    )


def _known() -> tuple[Any, ...]:
    """By what cloudpickle decides whether something goes by its name; nothing where not known."""
    module = _theirs.cloudpickle
    names = (
        *("_BUILTIN_TYPE_NAMES", "_PICKLE_BY_VALUE_MODULES", "_class_reduce", "_whichmodule"),
        *("_should_pickle_by_reference", "_lookup_module_and_qualname", "_getattribute"),
        "_is_registered_pickle_by_value",
    )
    if not _theirs.__version__.startswith("3.1.") or not set(names) <= set(vars(module)):
        return ()
    methods = vars(_theirs.Pickler)
    code = {
        module: {name: vars(module)[name] for name in names},
        _theirs.Pickler: {"reducer_override": methods["reducer_override"]},
    }
    function_reduce = {"_function_reduce": methods["_function_reduce"]}
    return vars(module)[names[0]], vars(module)[names[1]], code, function_reduce


class _Reducers:
    """The attributes that cloudpickle's reducers need of `self`: those of its Pickler."""

    globals_ref: dict[int, dict[str, Any]]
    """The globals of functions, by address: what shares them now will share them again."""

    dispatch_table: Any

    @only_globals(*_known())
    def reducer_override(self, obj: Any) -> Any:
        """cloudpickle's: a reduction of a class or function by value, else NotImplemented."""
        return _theirs.Pickler.reducer_override(self, obj)


def _take_reducers() -> None:
    for name, value in vars(_theirs.Pickler).items():
        if name not in ("dump", "reducer_override") and not name.startswith("__"):
            setattr(_Reducers, name, value)


_take_reducers()


class Pickler(_Reducers, _implementation.Pickler):
    """Writes what `cloudpickle.Pickler` writes, to a file.

    Parameters
    ----------
    file
        An object with a `write` that takes one bytes-like argument.
    protocol
        0 to `HIGHEST_PROTOCOL`; None stands for `cloudpickle.DEFAULT_PROTOCOL`, the highest.
    buffer_callback
        As that of `quickpickle.Pickler`; may be positional, as with cloudpickle.
    deterministic, compact, progress
        Those of `quickpickle.Pickler`. The limits of `deterministic` for functions and classes by
        value: https://example.org/quickpickle/blob/main/docs/options.md#deterministic

    Raises what `quickpickle.Pickler` raises.

    Example
    -------
    >>> import io, pickle
    >>> file = io.BytesIO()
    >>> Pickler(file).dump(lambda x: x + 1)
    >>> pickle.loads(file.getvalue())(41)
    42

    Source: https://github.com/cloudpipe/cloudpickle
    """

    @drops_frames
    def __init__(
        self,
        file: SupportsWrite,
        protocol: int | None = None,
        buffer_callback: Callable[[PickleBuffer], object] | None = None,
        *,
        deterministic: bool = False,
        compact: bool = False,
        progress: bool | Report | None = None,
    ) -> None:
        if protocol is None:
            protocol = _theirs.DEFAULT_PROTOCOL
        super().__init__(
            file,
            protocol,
            buffer_callback=buffer_callback,
            deterministic=deterministic,
            compact=compact,
            progress=progress,
        )
        self.globals_ref = {}
        self.proto = int(protocol)

    def dump(self, obj: Any) -> None:
        """Write the pickle of `obj`, as `quickpickle.Pickler.dump` does.

        A RecursionError (of the object's own code, or of reductions without end) comes as
        a PicklingError, as with cloudpickle.
        """
        try:
            try:
                super().dump(obj)
            except RecursionError as error:
                raise _as_pickling_error(error) from error
        except BaseException as error:
            drop_frames(error)
            raise


CloudPickler = Pickler


@drops_frames
def dump(
    obj: Any,
    file: SupportsWrite | FilePath,
    protocol: int | None = None,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
    *,
    deterministic: bool = False,
    compact: bool = False,
    progress: bool | Report | None = None,
    compression: Compression | None = None,
    level: int | None = None,
) -> None:
    """Write the pickle of `obj` to `file`: `Pickler(file, ...).dump(obj)`.

    `file` may be a path too, as with `quickpickle.dump`, which also says what `compression` and
    `level` are.

    >>> dump(lambda x: x + 1, "function.pkl")
    """
    options: dict[str, Any] = {
        "deterministic": deterministic,
        "compact": compact,
        "progress": progress,
    }
    if protocol is None:
        protocol = _theirs.DEFAULT_PROTOCOL
    if not dump_to_path(file, dump, obj, protocol, buffer_callback, options, compression, level):
        Pickler(file, protocol, buffer_callback, **options).dump(obj)


def dumps(
    obj: Any,
    protocol: int | None = None,
    buffer_callback: Callable[[PickleBuffer], object] | None = None,
    *,
    deterministic: bool = False,
    compact: bool = False,
    progress: bool | Report | None = None,
) -> bytes:
    """Return the pickle of `obj` as bytes. The parameters are those of `Pickler`.

    >>> loads(dumps(lambda x: x + 1))(41)
    42
    """
    try:
        if protocol is None:
            protocol = _theirs.DEFAULT_PROTOCOL
        reducers = _Reducers()
        reducers.globals_ref = {}
        hook, table = reducers.reducer_override, Pickler.dispatch_table
        try:
            data: bytes = _implementation.dumps_with_hooks(
                obj, protocol, buffer_callback, hook, table, deterministic, compact, progress
            )
        except RecursionError as error:
            raise _as_pickling_error(error) from error
        return data
    except BaseException as error:
        drop_frames(error)
        raise


@drops_frames
def diagnose(obj: Any, *, max_problems: int | None = 100, protocol: int | None = None) -> Problems:
    """Find every place in an object that keeps `dumps` of this module from pickling it.

    As `quickpickle.diagnose`, which see; what cloudpickle pickles by value is walked too.

    >>> import threading
    >>> lock = threading.Lock()
    >>> diagnose([lambda: 0, lambda held=lock: held])[0].path
    'obj[1].__defaults__[0]'
    """
    from .diagnosis import Nowhere, diagnose_with  # only now: most programs have no use for it

    number = check_protocol(_theirs.DEFAULT_PROTOCOL if protocol is None else protocol)
    reducers = _Reducers()
    reducers.globals_ref = {}
    reducers.dispatch_table = Pickler.dispatch_table
    return diagnose_with(Pickler(Nowhere(), number), obj, number, max_problems, reducers)


@drops_frames
def __getattr__(name: str) -> Any:
    """All other names of cloudpickle: `__version__`, `list_registry_pickle_by_value`, ..."""
    if name.startswith("__") and name != "__version__":  # of a module, which this one is not
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_theirs, name)


def _as_pickling_error(error: RecursionError) -> PicklingError:
    """A PicklingError with the message, the path and the notes of a RecursionError."""
    result = PicklingError(*error.args)
    vars(result).update(vars(error))
    return result
