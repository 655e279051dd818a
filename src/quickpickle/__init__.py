"""A drop-in replacement for pickle: `import quickpickle as pickle`.

Every name of `pickle.__all__` is here. The functions and the classes that write and read pickles
are our own; the exceptions and `PickleBuffer` are the standard library's own objects. The opcodes
are here too, `quickpickle.MARK` and all others, but help() and dir() leave them out.

    load, loads, dump, dumps, Pickler, Unpickler   pickle's, with more options
    load_all                                       the pickles of a file, one after another
    recover, Recovered                             what a damaged pickle still holds
    install, uninstall                             quickpickle in place of pickle
    inspect                                        what is in a pickle, without loading it
    diagnose                                       what in an object cannot be pickled
    Policy, PolicyError                            what a pickle may do when it is loaded
    Placeholder                                    stands for what is not found, if you like
    object_digest                                  a digest of an object
    optimize                                       a pickle without what nothing refers to
    implementation                                 "native" or "python"

    quickpickle.cloud                              cloudpickle on these (needs cloudpickle)
    quickpickle.integrations                       its modules are for one library each, and signing
    quickpickle.cli.bench, quickpickle.cli.demo    run() in a notebook: the table of the command

Modules that are not named here are internal.

https://example.org/quickpickle/blob/main/docs/index.md
"""

import pickle as _standard
import typing as _typing
from pickle import (
    DEFAULT_PROTOCOL,
    HIGHEST_PROTOCOL,
    PickleBuffer,
    PickleError,
    PicklingError,
    UnpicklingError,
)

from ._implementation import Pickler, Unpickler, dump, dumps, loads
from ._implementation import implementation as implementation
from ._implementation import object_digest as object_digest
from ._implementation import optimize as optimize
from .format import opcodes as _opcodes
from .format.opcodes import *  # noqa: F403
from .loading import load
from .loading import load_all as load_all
from .rules.tracebacks import drops_frames as _drops_frames

if _typing.TYPE_CHECKING:
    from .diagnosis import Problem as Problem
    from .diagnosis import diagnose as diagnose
    from .inspection import Inspection as Inspection
    from .inspection import Node as Node
    from .inspection import inspect as inspect
    from .installation import install as install
    from .installation import uninstall as uninstall
    from .recovering import Recovered as Recovered
    from .recovering import recover as recover
    from .rules.placeholders import Placeholder as Placeholder
    from .rules.policy import Policy as Policy
    from .rules.policy import PolicyError as PolicyError

__version__ = "1.0.0rc1"

__all__ = [
    "DEFAULT_PROTOCOL",
    "HIGHEST_PROTOCOL",
    "PickleBuffer",
    "PickleError",
    "Pickler",
    "PicklingError",
    "Unpickler",
    "UnpicklingError",
    "dump",
    "dumps",
    "load",
    "loads",
]
__all__ += [_name for _name in vars(_opcodes) if _name.isupper()]

# Further names of the running interpreter's pickle: TRUE and FALSE, and later ones.
for _name in set(_standard.__all__) - set(__all__):
    globals()[_name] = getattr(_standard, _name)
    __all__ += [_name]


# Our own names that take a while to import.
_LATER = {
    "Inspection": "inspection",
    "Node": "inspection",
    "Placeholder": "rules.placeholders",
    "Policy": "rules.policy",
    "PolicyError": "rules.policy",
    "Problem": "diagnosis",
    "Recovered": "recovering",
    "diagnose": "diagnosis",
    "inspect": "inspection",
    "install": "installation",
    "recover": "recovering",
    "uninstall": "installation",
}
__all__ += ["implementation", "load_all", "object_digest", "optimize", *_LATER]


def __dir__() -> list[str]:
    """The public names but for the opcodes, and what every module has."""
    names = {name for name in __all__ if not isinstance(globals().get(name), bytes)}
    names |= {name for name in globals() if name[:2] == name[-2:] == "__"}
    return sorted(names - {"__dir__", "__getattr__"})


if not _typing.TYPE_CHECKING:

    @_drops_frames
    def __getattr__(name: str) -> object:
        """Our own names, and what `pickle` has beside those of its __all__."""
        if name in _LATER:
            import importlib

            value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
            globals()[name] = value
            return value
        try:
            return getattr(_standard, name)
        except AttributeError:
            raise AttributeError(f"module 'quickpickle' has no attribute {name!r}") from None
