"""What the tests compare with: the outcome of the running interpreter's own pickler."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any


def outcome(action: Callable[[], Any]) -> Any:
    """What `action` returns, or the type and message of what it raises, without addresses."""
    try:
        return action()
    except Exception as error:
        return type(error), re.sub(r"0x[0-9a-f]+", "0x…", str(error))


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
