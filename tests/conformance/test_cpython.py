"""CPython's own pickle tests, of the running interpreter, run against each implementation.

They are the classes of `test.test_pickle` that test the compiled pickler, with our Pickler in
its place. Reading stays with the standard library.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from types import ModuleType
from typing import Any

from conformance.cpython_tests import test_pickle, with_ours
from conftest import IMPLEMENTATIONS

CLASSES = [
    "CPicklerTests",
    "CDumpPickle_LoadPickle",
    "CPickleTests",
    "CPersPicklerTests",
    "CIdPersPicklerTests",
    "CPicklerUnpicklerObjectTests",
    "CDispatchTableTests",
    "CChainDispatchTableTests",
    "CPicklerHookTests",
    "CPicklingErrorTests",  # from 3.13 on
    "InMemoryPickleTests",
]
# Left out: SizeofTests and HeapTypesTests (the layout of CPython's own types); CompatPickleTests,
# LazyImportTest, CommandLineTest, CUnpicklerTests, DumpPickle_CLoadPickle (nothing of ours runs).

# Tests that are left out, and why.
DIFFERENCES: dict[str, str] = {}
if sys.version_info >= (3, 14):
    DIFFERENCES["test_bad_object_dict_items"] = (
        "compares the notes, and its iterator is used up before dumps_with_notes can ask for them"
    )


def replaced(value: Any, ours: ModuleType) -> Any:
    """Ours in place of the standard library's compiled one."""
    if value is pickle.Pickler:
        return ours.Pickler
    if value in (pickle.dump, pickle.dumps):
        return staticmethod(getattr(ours, value.__name__))
    if isinstance(value, type) and issubclass(value, pickle.Pickler):
        bases = tuple(replaced(base, ours) for base in value.__bases__)
        body = {k: v for k, v in vars(value).items() if k not in ("__dict__", "__weakref__")}
        return type(value.__name__, bases, body)
    return value


def dumps_with_notes(module: ModuleType, *args: Any, **kwargs: Any) -> bytes:
    """Our dumps, with the notes that the standard pickler adds to an exception from 3.14 on.

    We add one note of our own instead. The tests compare notes along with the type and the
    message, which are ours, so here the notes alone are borrowed.
    """
    try:
        return module.dumps(*args, **kwargs)
    except Exception as error:
        vars(error).pop("__notes__", None)
        with contextlib.suppress(Exception):
            try:
                pickle.dumps(*args, **kwargs)
            except Exception as standard:
                for note in getattr(standard, "__notes__", ()):
                    error.add_note(note)
        raise


def ours(name: str, implementation: str) -> type:
    """The class `name` of test.test_pickle, for one of our implementations."""
    module = IMPLEMENTATIONS[implementation]
    body: dict[str, Any] = {}
    if name == "InMemoryPickleTests":
        body["dumps"] = lambda self, *args, **kwargs: module.dumps(*args, **kwargs)
    if name == "CPicklingErrorTests":
        body["dumps"] = lambda self, *args, **kwargs: dumps_with_notes(module, *args, **kwargs)
    return with_ours(
        name, implementation, lambda value: replaced(value, module), DIFFERENCES, **body
    )


for _name in CLASSES:
    for _implementation in IMPLEMENTATIONS:
        if hasattr(test_pickle, _name):
            _class = ours(_name, _implementation)
            globals()[_class.__name__] = _class
del _class
