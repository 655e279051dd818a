"""The reference of the tests: the outcome of the running interpreter's own pickler."""

from __future__ import annotations

import io
import pickle
import re
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import pytest

import pypy_reference

# There pickle.Pickler is that of pypy_reference.py.
PYPY: Final = sys.implementation.name == "pypy"
only_counted: Final = pytest.mark.skipif(PYPY, reason="PyPy does not count references")
only_c: Final = pytest.mark.skipif(
    PYPY, reason="pickle.py, the reference on PyPy, looks at other attributes, and believes lies"
)
only_cpython: Final = pytest.mark.skipif(PYPY, reason="PyPy's objects are not the same here")


class Refusal(tuple[Any, ...]):
    """A refusal by pypy_reference.py itself, for which `_pickle` has other types and words."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple) and isinstance(other[0], type)

    def __ne__(self, other: object) -> bool:
        return not self == other


def outcome(action: Callable[[], Any]) -> Any:
    """The result of `action`, or the type and message of its exception, without addresses."""
    try:
        return action()
    except Exception as error:
        result = type(error), re.sub(r"0x[0-9a-f]+", "0x…", str(error))
        if is_refusal(error):
            return Refusal(result)
        return result


def is_refusal(error: Exception) -> bool:
    """Whether pypy_reference.py raised it; on CPython only in test_pypy_reference.py."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    reference = pypy_reference.__file__
    is_of_reference = reference in files and files[-1] in (reference, pickle.__file__)
    return is_of_reference and not isinstance(error, RecursionError)


def assert_same(
    implementation: ModuleType, make: Callable[[], Any], protocol: int, **options: Any
) -> Any:
    """Assert that both picklers give the same for an object, made anew for each; return it."""
    ours = outcome(lambda: implementation.dumps(make(), protocol, **options))
    theirs = outcome(lambda: pickle.dumps(make(), protocol, **options))
    assert ours == theirs
    return ours


def assert_same_dumps(
    implementation: ModuleType, use: Callable[[Any, io.BytesIO], Any], *bases: type
) -> Any:
    """Assert that `use` has the same outcome with either Pickler class; return it.

    `use` gets the class, mixed with `bases`, and a file. The file's contents are compared too.
    """
    results = []
    for module in (implementation, pickle):
        cls = type("Sub", (*bases, module.Pickler), {})
        file = io.BytesIO()
        result = outcome(lambda: use(cls, file))  # noqa: B023
        results.append((result, file.getvalue()))
    assert results[0] == results[1]
    return results[0]
