"""The pure implementation: its public functions in one module, as the extensions of
`compiled` have theirs.
"""

from .digest import object_digest
from .optimization import optimize
from .pickling import Pickler, dump, dumps, dumps_with_hooks
from .unpickling import Unpickler, load, load_mapped, loads, make_load

__all__ = [
    "Pickler",
    "Unpickler",
    "dump",
    "dumps",
    "dumps_with_hooks",
    "load",
    "load_mapped",
    "loads",
    "make_load",
    "object_digest",
    "optimize",
]
