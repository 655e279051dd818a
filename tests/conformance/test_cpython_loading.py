"""CPython's own pickle tests, of the running interpreter, with each of our Unpicklers.

They are the classes of `test.test_pickle` that test the compiled unpickler, with our Unpickler in
its place. Writing stays with the standard library; test_cpython.py does it the other way round.
"""

from __future__ import annotations

import pickle
from types import ModuleType
from typing import Any

from conformance.cpython_tests import with_ours
from conftest import UNPICKLERS

CLASSES = [
    "CUnpicklerTests",
    "CPicklerTests",
    "DumpPickle_CLoadPickle",
    "CPickleTests",
    "CPersPicklerTests",
    "CIdPersPicklerTests",
    "CPicklerUnpicklerObjectTests",
    "InMemoryPickleTests",
]
# Left out: SizeofTests and HeapTypesTests (the layout of CPython's own types); CompatPickleTests,
# LazyImportTest, CommandLineTest, CDumpPickle_LoadPickle, CPicklingErrorTests and those of hooks
# and dispatch tables (nothing of ours runs).

# Tests that are left out, and why.
DIFFERENCES: dict[str, str] = {}


def replaced(value: Any, ours: ModuleType) -> Any:
    """Ours in place of the standard library's compiled one."""
    if value is pickle.Unpickler:
        return ours.Unpickler
    if value in (pickle.load, pickle.loads):
        return staticmethod(getattr(ours, value.__name__))
    return value


def ours(name: str, implementation: str) -> type:
    """The class `name` of test.test_pickle, for one of our implementations."""
    module = UNPICKLERS[implementation]
    body: dict[str, Any] = {}
    if name == "InMemoryPickleTests":
        body["loads"] = lambda self, *args, **kwargs: module.loads(*args, **kwargs)
    return with_ours(
        name, implementation, lambda value: replaced(value, module), DIFFERENCES, **body
    )


for _name in CLASSES:
    for _implementation in UNPICKLERS:
        _class = ours(_name, _implementation)
        globals()[_class.__name__] = _class
del _class
