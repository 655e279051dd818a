"""The picklers that are measured: quickpickle's, the standard library's, and the competitors.

A competitor takes part in the workloads that it can do: it has to write something that it reads
back as the same, which `same` decides.
"""

from __future__ import annotations

import importlib
import io
import marshal
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final, cast

import quickpickle.pure


@dataclass(frozen=True)
class Pickler:
    """A pickler that is measured, in both directions.

    By `dumps(obj, *options)` and `dump(obj, file, *options)`, `loads(data)` and `load(file)`.
    """

    name: str
    dumps: Callable[..., bytes]
    dump: Callable[..., object] | None
    """None where files are not measured; so is `load`."""
    loads: Callable[[bytes], Any]
    load: Callable[[Any], Any] | None
    options: tuple[int, ...] = ()
    classes: tuple[type, type] | None = None
    """Pickler and Unpickler, where one can make subclasses of them."""

    def with_hooks(self, hooks: type) -> Pickler:
        """The same by way of a subclass with these methods. TypeError where there can be none."""
        if self.classes is None:
            raise TypeError(f"{self.name} has no Pickler to make a subclass of")
        # Any: what subclass this is only the workload knows.
        pickler: Any = type("Pickler", (hooks, self.classes[0]), {})
        unpickler: Any = type("Unpickler", (hooks, self.classes[1]), {})

        def dump(obj: object, file: object, *options: int) -> None:
            pickler(file, *options).dump(obj)

        def dumps(obj: object, *options: int) -> bytes:
            file = io.BytesIO()
            pickler(file, *options).dump(obj)
            return file.getvalue()

        def load(file: object) -> Any:
            return unpickler(file).load()

        def loads(data: bytes) -> Any:
            return unpickler(io.BytesIO(data)).load()

        return replace(
            self, dumps=dumps, dump=self.dump and dump, loads=loads, load=self.load and load
        )


# The compiled implementation where it was built, else the Python one once more.
OURS: Final = f"quickpickle ({quickpickle.implementation})"
OURS_PYTHON: Final = "quickpickle (Python)"
COMPACT: Final = "quickpickle, compact=True"
NOT_COMPACT: Final = "quickpickle, compact=False"
JOBLIB: Final = "joblib.hash"
STANDARD: Final = "pickle (C)"
STANDARD_PYTHON: Final = "pickle (Python)"
COMPETITORS: Final = ("pyfory", "cloudpickle", "dill", "zodbpickle", "marshal", "msgspec")


def ours(protocol: int) -> Pickler:
    return Pickler(
        OURS,
        quickpickle.dumps,
        quickpickle.dump,
        quickpickle.loads,
        quickpickle.load,
        (protocol,),
        (quickpickle.Pickler, quickpickle.Unpickler),
    )


def ours_compact(protocol: int, compact: bool) -> Pickler:
    """With the option or without it; as a keyword either way, which costs small dumps something."""

    class OurPickler(quickpickle.Pickler):
        def __init__(self, file: Any, protocol: int) -> None:
            super().__init__(file, protocol, compact=compact)

    name = COMPACT if compact else NOT_COMPACT
    dumps = partial(quickpickle.dumps, compact=compact)
    classes = (OurPickler, pickle.Unpickler)
    return Pickler(name, dumps, None, pickle.loads, None, (protocol,), classes)


def digests() -> dict[tuple[str, str], Callable[[Any], object]]:
    """Functions that make a key of any object, by name and algorithm; joblib's default is MD5."""
    import joblib

    return {
        (OURS, "sha256"): quickpickle.object_digest,
        (OURS, "md5"): lambda obj: quickpickle.object_digest(obj, "md5"),
        (JOBLIB, "md5"): joblib.hash,
    }


def standard(protocol: int) -> Pickler:
    return Pickler(
        STANDARD,
        pickle.dumps,
        pickle.dump,
        pickle.loads,
        pickle.load,
        (protocol,),
        (pickle.Pickler, pickle.Unpickler),
    )


def ours_in_python(protocol: int) -> Pickler:
    module = quickpickle.pure
    classes = (module.Pickler, module.Unpickler)
    return Pickler(OURS_PYTHON, module.dumps, None, module.loads, None, (protocol,), classes)


def standard_in_python(protocol: int) -> Pickler:
    module: Any = pickle  # the stubs do not have the names with an underscore
    classes = (module._Pickler, module._Unpickler)
    return Pickler(STANDARD_PYTHON, module._dumps, None, module._loads, None, (protocol,), classes)


def competitor(name: str, protocol: int) -> Pickler:
    """A competitor, afresh: one that failed may not be as it was. ImportError if not installed."""
    if name == "marshal":
        return Pickler(name, marshal.dumps, None, marshal.loads, None)
    if name == "pyfory":
        return _pyfory()
    if name == "msgspec":
        msgpack = cast(Any, importlib.import_module("msgspec.msgpack"))
        return Pickler(name, msgpack.encode, None, msgpack.decode, None)
    module = cast(Any, importlib.import_module(name))
    if name == "zodbpickle":
        module = importlib.import_module("zodbpickle.fastpickle")
        protocol = min(protocol, module.HIGHEST_PROTOCOL)
    if name == "dill":
        module.extend(use_dill=False)  # or pickle's Python pickler would be dill's from here on
    classes = (module.Pickler, getattr(module, "Unpickler", pickle.Unpickler))
    return Pickler(name, module.dumps, None, module.loads, None, (protocol,), classes)


def _pyfory() -> Pickler:
    pyfory = cast(Any, importlib.import_module("pyfory"))
    # These options allow all that pickle does: any class, shared and circular references, any size.
    fory = pyfory.Fory(
        xlang=False,
        ref=True,
        strict=False,
        max_depth=10**6,
        max_graph_memory_bytes=2**40,
        max_unbacked_container_items=2**40,
    )
    return Pickler("pyfory", fory.dumps, None, fory.loads, None)


_VALUES: Final = (type(None), bool, int, float, str, bytes, bytearray, set, frozenset)
_NAMED: Final = (type, FunctionType, BuiltinFunctionType)


def same(one: Any, other: Any) -> bool:
    """Whether two objects have the same classes and values, down to the last member.

    Not by `==` alone: an IntEnum equals its number, a namedtuple its tuple, and most instances
    only themselves. The order in a dict does not count, nor what is shared.
    """
    pairs = [(one, other)]
    seen: dict[int, Any] = {}  # by address, with the object, so that no other comes to lie there
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, _NAMED):
            if one is not other:
                return False
        elif type(one) in _VALUES:
            if one != other and one == one:  # nan equals nothing
                return False
        elif id(one) not in seen:
            seen[id(one)] = one
            if type(one) is dict:
                if one.keys() != other.keys():
                    return False
                pairs += [(value, other[key]) for key, value in one.items()]
                continue
            try:
                mine, theirs = _parts(one), _parts(other)
            except TypeError:  # it cannot be reduced: a hook pickled it
                mine, theirs = [one == other], [True]
            if len(mine) != len(theirs):
                return False
            pairs += zip(mine, theirs, strict=True)
    return True


def _parts(obj: Any) -> list[Any]:
    """The items of a list or tuple, or the parts of a reduction."""
    if type(obj) in (list, tuple):
        return list(obj)
    reduction = obj.__reduce_ex__(4)
    if isinstance(reduction, str):
        return [reduction]
    function, arguments, state, items, pairs = (*reduction, None, None, None)[:5]
    return [function, arguments, state, list(items or ()), list(pairs or ())]
