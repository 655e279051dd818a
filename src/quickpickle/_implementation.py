"""Which implementation is in use, and why.

It is the compiled one where that was built and can be loaded. The environment variable
QUICKPICKLE_PURE=1 chooses the pure one. `load_file` takes files only: `load` in loading.py takes
paths too.
"""

import os
from typing import TYPE_CHECKING, Literal

implementation: Literal["python", "native"] = "python"

if not TYPE_CHECKING and os.environ.get("QUICKPICKLE_PURE", "") in ("", "0"):
    try:
        from .compiled import Pickler, dump, dumps, dumps_with_hooks, object_digest, optimize

        implementation = "native"
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError):  # it was built, but not for this place
            import warnings

            warnings.warn(
                f"quickpickle uses its pure implementation: {error}",
                RuntimeWarning,
                stacklevel=3,
            )

if implementation == "python":
    from .pure import Pickler, dump, dumps, dumps_with_hooks, object_digest, optimize

if not TYPE_CHECKING and implementation == "native":
    try:
        from .compiled.unpickling import Unpickler, loads
        from .compiled.unpickling import load as load_file
    except ModuleNotFoundError:
        from .unpickling import Unpickler, loads
        from .unpickling import load as load_file
else:
    from .unpickling import Unpickler, loads
    from .unpickling import load as load_file

__all__ = [
    "Pickler",
    "Unpickler",
    "dump",
    "dumps",
    "dumps_with_hooks",
    "implementation",
    "load_file",
    "loads",
    "object_digest",
    "optimize",
]
