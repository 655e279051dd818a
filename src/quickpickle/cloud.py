"""`import quickpickle.cloud as cloudpickle`: cloudpickle's own reducers on our Pickler.

Lambdas, local and interactive functions and classes are pickled by value, as cloudpickle does it:
the bytes are its own, so either reads what the other writes, and so does `pickle.load` wherever
cloudpickle can be imported. The extra `quickpickle[cloud]` brings cloudpickle. `of` is the same for
a copy of cloudpickle that another library has in it, and does not need cloudpickle itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cloud_copies import Cloud, of
from .rules.tracebacks import drops_frames

if TYPE_CHECKING:
    from .cloud_copies import BasePickler as Pickler

__all__ = [
    "CloudPickler",
    "Pickler",
    "diagnose",
    "dump",
    "dumps",
    "load",
    "loads",
    "of",
    "register_pickle_by_value",
    "unregister_pickle_by_value",
]

_ours: Cloud | None = None
try:
    import cloudpickle as _theirs  # so that `cloudpickle` is what it is in theirs, see __getattr__
except ModuleNotFoundError as error:
    if error.name != "cloudpickle":
        raise
else:
    _ours = of(_theirs)
    if not TYPE_CHECKING:
        Pickler = _ours.Pickler
    CloudPickler = Pickler
    dump, dumps, load, loads = _ours.dump, _ours.dumps, _ours.load, _ours.loads
    diagnose = _ours.diagnose
    register_pickle_by_value = _ours.register_pickle_by_value
    unregister_pickle_by_value = _ours.unregister_pickle_by_value


@drops_frames
def __getattr__(name: str) -> Any:
    """All other names of cloudpickle: `__version__`, `list_registry_pickle_by_value`, ..."""
    if name.startswith("__") and name != "__version__":  # of a module, which this one is not
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _ours is not None:
        return getattr(_ours, name)
    message = f"quickpickle.cloud.{name} needs cloudpickle: pip install 'quickpickle[cloud]'"
    if name in __all__:
        raise ModuleNotFoundError(message, name="cloudpickle")
    raise AttributeError(message)
