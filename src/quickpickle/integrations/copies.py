"""Our functions in the place of those of a copy of cloudpickle that a library has, and back."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any, Final

from ..cloud_copies import of

__all__ = ["replace", "restore"]

_NAMES: Final = ("CloudPickler", "Pickler", "dump", "dumps", "load", "loads")

_lock: Final = threading.Lock()
_before: Final[dict[ModuleType, dict[str, Any]]] = {}  # what modules had under these names


def replace(copy: ModuleType) -> None:
    """Put ours in the place of the copy's, for all that look them up in it from now on.

    Code that holds the copy's own functions is reached too: these look `Pickler` up in their
    module. It does nothing where that has been done.
    """
    with _lock:
        if copy in _before:
            return
        cloud = of(copy)
        for module in _modules_of(copy):
            found = {name: value for name, value in vars(module).items() if name in _NAMES}
            _before[module] = found
            for name in found:
                setattr(module, name, getattr(cloud, name))


def restore(copy: ModuleType) -> None:
    """Undo `replace`, but for what others have replaced since."""
    with _lock:
        if copy not in _before:
            return
        cloud = of(copy)
        for module in _modules_of(copy):
            for name, value in _before.pop(module, {}).items():
                if getattr(module, name, None) == getattr(cloud, name):
                    setattr(module, name, value)


def _modules_of(copy: ModuleType) -> list[ModuleType]:
    """The package of a copy, and the module in it that has the code."""
    names = (copy.__name__, f"{copy.__name__}.cloudpickle")
    return [sys.modules[name] for name in names if name in sys.modules]
