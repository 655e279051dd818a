"""The pure implementation: its public functions in one module, as `compiled.core` has its own."""

from .digest import object_digest
from .optimization import optimize
from .pickling import Pickler, dump, dumps, dumps_with_hooks

__all__ = ["Pickler", "dump", "dumps", "dumps_with_hooks", "object_digest", "optimize"]
