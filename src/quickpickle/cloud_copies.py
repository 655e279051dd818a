"""`of`: what quickpickle.cloud is of cloudpickle, of each copy of it that another library has.

A copy has registries and reducers of its own. They stay where they are, and are asked as its own
Pickler asks them, so the bytes are those of the copy.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import io
import sys
import textwrap
from collections.abc import Callable
from pickle import HIGHEST_PROTOCOL, PickleBuffer, PicklingError
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from . import _implementation
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

__all__ = ["BasePickler", "Cloud", "of"]

_made: Final[dict[ModuleType, Cloud]] = {}

# Two registries and code decide in cloudpickle whether something goes by its name.
_REGISTRIES: Final = ("_BUILTIN_TYPE_NAMES", "_PICKLE_BY_VALUE_MODULES")
_FUNCTIONS: Final = (
    *("_class_reduce", "_whichmodule", "_should_pickle_by_reference", "_getattribute"),
    *("_lookup_module_and_qualname", "_is_registered_pickle_by_value"),
)
_HOOK: Final = "reducer_override"
_METHOD: Final = "_function_reduce"

# Digests of the code that `only_globals` speaks of: of the hook, and of all that it asks.
_KNOWN_HOOK: Final = frozenset({"6cc5a9b66c006ff3"})
_KNOWN_CODE: Final = frozenset(
    {
        "cedc498a245cb1fb",  # cloudpickle 3.1.0
        "04237e8fafaf1f39",  # 3.1.1 to 3.1.3, up to Python 3.13
        "ec1572dd897d3116",  # the same, from Python 3.14 on
    }
)


@drops_frames
def of(module: ModuleType) -> Cloud:
    """Return what `quickpickle.cloud` is, for a copy of cloudpickle.

    Parameters
    ----------
    module
        cloudpickle, or a copy that another library has in it: `ray.cloudpickle`,
        `pyspark.cloudpickle`, `apache_beam.internal.cloudpickle`, `joblib.externals.cloudpickle`
        (before joblib 1.6).

    It has `Pickler`, `CloudPickler`, `dump`, `dumps`, `load`, `loads` and `diagnose`, and all other
    names are those of the copy, as `register_pickle_by_value`. Functions and classes are pickled by
    value with the copy's own reducers, under its own registries. The bytes are those of the copy.
    It is made once for each module. cloudpickle itself need not be installed.

    Raises TypeError if the module is no copy of cloudpickle, and ImportError where the copy has no
    `reducer_override`, as on PyPy.

    Example
    -------
    >>> import cloudpickle, pickle
    >>> cloud = of(cloudpickle)
    >>> pickle.loads(cloud.dumps(lambda x: x + 1))(41)
    42
    """
    made = _made.get(module)
    return _made.setdefault(module, Cloud(module)) if made is None else made


class BasePickler(_implementation.Pickler):
    """Writes what the `Pickler` of cloudpickle writes, or that of a copy, to a file.

    Parameters
    ----------
    file
        An object with a `write` that takes one bytes-like argument.
    protocol
        0 to `HIGHEST_PROTOCOL`; None stands for the `DEFAULT_PROTOCOL` of cloudpickle, the highest.
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

    globals_ref: dict[int, dict[str, Any]]
    """The globals of functions, by address: what shares them now will share them again."""

    default_protocol: ClassVar[int] = HIGHEST_PROTOCOL

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
            protocol = self.default_protocol
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


class Cloud:
    """The result of `of`: the functions of `quickpickle.cloud`, for one copy of cloudpickle."""

    Pickler: type[BasePickler]
    CloudPickler: type[BasePickler]

    load = staticmethod(load)
    loads = staticmethod(_implementation.loads)

    def __init__(self, module: ModuleType) -> None:
        theirs = getattr(module, "CloudPickler", None)
        is_theirs = isinstance(theirs, type) and not issubclass(theirs, BasePickler)
        if not (is_theirs and hasattr(theirs, _METHOD)):
            raise TypeError(f"{module!r} is no copy of cloudpickle")
        if not hasattr(theirs, _HOOK):
            raise ImportError(
                "quickpickle.cloud needs CPython: elsewhere cloudpickle has no reducer_override,"
                " use cloudpickle itself there"
            )
        self._module = module
        self._protocol = getattr(module, "DEFAULT_PROTOCOL", HIGHEST_PROTOCOL)
        self._reducers = _reducers_of(theirs)
        names = {
            "__module__": "quickpickle.cloud",
            "__doc__": BasePickler.__doc__,
            "default_protocol": self._protocol,
        }
        self.Pickler = self.CloudPickler = type("Pickler", (self._reducers, BasePickler), names)

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_name, (self._module.__name__,)

    def __repr__(self) -> str:
        return f"quickpickle.cloud.of({self._module.__name__})"

    @drops_frames
    def __getattr__(self, name: str) -> Any:
        """All other names of the copy."""
        if name == "_module" or (name.startswith("__") and name != "__version__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._module, name)

    @drops_frames
    def dump(
        self,
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
            protocol = self._protocol
        dump = self.dump
        if not dump_to_path(
            file, dump, obj, protocol, buffer_callback, options, compression, level
        ):
            self.Pickler(file, protocol, buffer_callback, **options).dump(obj)

    def dumps(
        self,
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
                protocol = self._protocol
            reducers = self._reducers()
            reducers.globals_ref = {}
            hook, table = reducers.reducer_override, self.Pickler.dispatch_table
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
    def diagnose(
        self, obj: Any, *, max_problems: int | None = 100, protocol: int | None = None
    ) -> Problems:
        """Find every place in an object that keeps `dumps` of this module from pickling it.

        As `quickpickle.diagnose`, which see; what cloudpickle pickles by value is walked too.

        >>> import threading
        >>> lock = threading.Lock()
        >>> diagnose([lambda: 0, lambda held=lock: held])[0].path
        'obj[1].__defaults__[0]'
        """
        from .diagnosis import Nowhere, diagnose_with  # only now: most programs have no use for it

        number = check_protocol(self._protocol if protocol is None else protocol)
        reducers = self._reducers()
        reducers.globals_ref = {}
        reducers.dispatch_table = self.Pickler.dispatch_table
        return diagnose_with(self.Pickler(Nowhere(), number), obj, number, max_problems, reducers)


def _of_name(name: str) -> Cloud:
    return of(importlib.import_module(name))


def _reducers_of(theirs: Any) -> Any:
    """A class with the attributes that a copy's reducers need of `self`: those of its Pickler."""

    class Reducers:
        def reducer_override(self, obj: Any) -> Any:
            """cloudpickle's: a reduction of a class or function by value, else NotImplemented."""
            return theirs.reducer_override(self, obj)

    known = _known(theirs)
    if known is not None:
        only_globals(*known)(Reducers.reducer_override)
    for name, value in {**vars(theirs), **_defaults_of(theirs)}.items():
        if name not in ("dump", _HOOK) and not name.startswith("__"):
            setattr(Reducers, name, value)
    return Reducers


def _defaults_of(theirs: Any) -> dict[str, Any]:
    """The attributes that each Pickler of a copy has from its start, as Beam's has its `config`."""
    first, second = (vars(theirs(io.BytesIO())) for _ in range(2))
    own = {name for name, value in first.items() if value is not second.get(name)} - {"globals_ref"}
    if own:
        raise TypeError(f"a Pickler of {theirs.__module__} has a state that is not known: {own}")
    return {name: first[name] for name in first.keys() - {"globals_ref", "proto"}}


def _known(theirs: Any) -> tuple[Any, ...] | None:
    """By what a copy decides whether something goes by its name: the arguments of `only_globals`.

    None where its hook may be for other objects too, since it is not the hook that is known.
    """
    module = sys.modules.get(theirs.__module__)
    names = vars(module) if module is not None else {}
    methods = vars(theirs)
    if _digest([methods.get(_HOOK)]) not in _KNOWN_HOOK:
        return None
    functions = [*map(names.get, _FUNCTIONS), methods.get(_METHOD)]
    classes, modules = map(names.get, _REGISTRIES)
    if _digest(functions) not in _KNOWN_CODE or (type(classes), type(modules)) != (dict, set):
        return ()
    code = {
        module: {name: names[name] for name in (*_REGISTRIES, *_FUNCTIONS)},
        theirs: {_HOOK: methods[_HOOK]},
    }
    return classes, modules, code, {_METHOD: methods[_METHOD]}


def _digest(functions: list[Any]) -> str:
    """A digest of the code of functions; it is empty where that cannot be read."""
    try:
        text = "\n".join(map(_text_of, functions))
    except (OSError, TypeError, ValueError, SyntaxError):  # no source there, or no function
        return ""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _text_of(function: Any) -> str:
    """The code of a function, without what does not count: comments, its docstring, its layout.

    Of one that is not of a copy, but of the standard library, the name.
    """
    if getattr(function, "__module__", None) == "pickle":
        return f"pickle.{function.__qualname__}"
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError
    if ast.get_docstring(definition) is not None:
        del definition.body[0]
    return ast.unparse(definition)


def _as_pickling_error(error: RecursionError) -> PicklingError:
    """A PicklingError with the message, the path and the notes of a RecursionError."""
    result = PicklingError(*error.args)
    vars(result).update(vars(error))
    return result
