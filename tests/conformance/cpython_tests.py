"""CPython's own pickle tests, of the running interpreter, with classes and functions of ours."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any

import pytest

test_pickle = pytest.importorskip(
    "test.test_pickle",
    reason="this interpreter comes without its `test` package (Debian: libpython3.x-testsuite)",
)


def with_ours(
    name: str,
    implementation: str,
    replaced: Callable[[Any], Any],
    differences: dict[str, str],
    **body: Any,
) -> type:
    """The class `name` of test.test_pickle with `replaced(value)` for each of its attributes.

    The tests in `differences` are left out, for the reasons given there. `body` is added.
    """
    base = getattr(test_pickle, name)
    for attribute in dir(base):
        value = getattr(base, attribute)
        if attribute in differences and value is not None:
            body[attribute] = unittest.skip(differences[attribute])(value)
        elif not attribute.startswith("_") and replaced(value) is not value:
            body[attribute] = replaced(value)
    assert body, name
    return type(f"{name}_{implementation}", (base,), body)
