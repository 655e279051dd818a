"""Which implementation is in use, and why.

It is the compiled one where that was built and can be loaded. The environment variable
QUICKPICKLE_PURE=1 chooses the pure one. `load_file` takes files only: `load` in loading.py takes
paths too.
"""

import os
from typing import TYPE_CHECKING, Any, Literal

implementation: Literal["python", "native"] = "python"

if TYPE_CHECKING or os.environ.get("QUICKPICKLE_PURE", "") not in ("", "0"):
    from . import pure as _chosen
else:
    try:
        from . import compiled as _chosen

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
        from . import pure as _chosen

Pickler = _chosen.Pickler
Unpickler = _chosen.Unpickler
dump = _chosen.dump
dumps = _chosen.dumps
dumps_with_hooks = _chosen.dumps_with_hooks
load_file = _chosen.load
load_mapped = _chosen.load_mapped
loads = _chosen.loads
make_load = _chosen.make_load
object_digest = _chosen.object_digest
optimize = _chosen.optimize


def find_scanner() -> Any:
    """The class that reads a pickle without loading it: compiled if the Pickler is."""
    if implementation == "native":
        from .compiled.inspection import Scanner

        return Scanner
    from .scanning.scan import Scanner as PythonScanner

    return PythonScanner
