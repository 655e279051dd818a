"""Damaged pickles: `optimize` does what `pickletools.optimize` does, and `inspect` keeps its word.

`check(data)` compares both implementations of each; where `optimize` may differ from pickletools is
told in docs/options.md. `make fuzz` makes up the bytes; `test_corpus.py` takes those of
`corpus/pickles`. `fuzz_inspect.py` says what is asked of `inspect`.
"""

from __future__ import annotations

import pickletools
from typing import Any

import quickpickle.optimization
from conftest import IMPLEMENTATIONS
from differential import outcome
from fuzzing import fuzz_inspect

OPTIMIZE = {"python": quickpickle.optimization.optimize}
if "native" in IMPLEMENTATIONS:
    OPTIMIZE["native"] = IMPLEMENTATIONS["native"].optimize

# Messages of pickletools about bytes that are no pickle, which `optimize` has to give too.
_NO_PICKLE = ("pickle exhausted before seeing STOP", "opcode", "pickle protocol must be")


def check(data: bytes, watch: fuzz_inspect.Watch) -> bool:
    """Compare; return whether `data` is a pickle for pickletools."""
    is_whole = check_optimize(data)
    fuzz_inspect.check_file(data, watch)
    return is_whole


def check_optimize(data: bytes) -> bool:
    expected = outcome(lambda: pickletools.optimize(data))
    results = {name: outcome(lambda: optimize(data)) for name, optimize in OPTIMIZE.items()}  # noqa: B023
    ours = results["python"]
    assert all(result == ours for result in results.values()), (data, results)
    if ours == expected:
        return isinstance(expected, bytes)
    refers_to_nothing = _is_error(ours, "and not stored before")
    if isinstance(expected, bytes):
        assert refers_to_nothing, (data, ours, expected)
        assert b"gNone\n" in expected, (data, ours, expected)
        return True
    kind, message = expected
    if isinstance(ours, bytes):  # an argument that cannot be read
        assert issubclass(kind, ValueError), (data, ours, expected)
        assert not any(words in message for words in _NO_PICKLE), (data, ours, expected)
    else:
        assert ours[0] is ValueError, (data, ours, expected)
        assert refers_to_nothing or issubclass(kind, ValueError), (data, ours, expected)
    return False


def _is_error(result: Any, words: str) -> bool:
    return isinstance(result, tuple) and words in result[1]
