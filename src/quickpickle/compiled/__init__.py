"""The compiled implementation, where it was built: pickling and unpickling, in Cython."""

import sys

from .core import Pickler, dump, dumps, dumps_with_hooks, object_digest, optimize
from .unpickling import Unpickler, load, load_mapped, loads, make_load

# Importing `core` turns the lock on in a build that goes without one, unless that is forbidden.
if not getattr(sys, "_is_gil_enabled", lambda: True)():
    raise ImportError(
        "the compiled one needs the interpreter's lock (the GIL), which PYTHON_GIL=0 or -X gil=0 "
        "keeps off; QUICKPICKLE_PURE=1 chooses the pure one without this warning"
    )

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
