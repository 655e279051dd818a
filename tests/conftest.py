"""Fixtures: every test that asks for `implementation` or `protocol` runs once for each."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

import pypy_reference  # noqa: F401  # first: on PyPy it takes the place of what `pickle` has
import quickpickle.pure

# The modules with a Pickler, a dump and a dumps of each implementation.
IMPLEMENTATIONS: dict[str, ModuleType] = {"python": quickpickle.pure}
if os.environ.get("QUICKPICKLE_PURE", "") in ("", "0"):
    try:
        IMPLEMENTATIONS["native"] = importlib.import_module("quickpickle.compiled.core")
    except ModuleNotFoundError:
        print(
            "\nquickpickle.compiled is not built: only the Python implementation is tested",
            file=sys.stderr,
        )


slow_tests_are_left_out = False


def pytest_configure(config: pytest.Config) -> None:
    global slow_tests_are_left_out
    slow_tests_are_left_out = config.getoption("markexpr") == "not slow"


def examples(count: int) -> int:
    """How many examples Hypothesis tries: a third where the slow tests are left out."""
    return count // 3 if slow_tests_are_left_out else count


@pytest.fixture(scope="module")
def few_objects_to_collect() -> Iterator[None]:
    """What other modules have imported and left is out of the collector's way.

    For tests that call it often: in a whole run those of test_hostile_objects.py took
    208 seconds, and less than 14 since. Not for those of Hypothesis, which
    asks the collector who holds its random numbers.
    """
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()
    yield
    if hasattr(gc, "freeze"):
        gc.unfreeze()


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> ModuleType:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture(params=range(pickle.HIGHEST_PROTOCOL + 1), ids="protocol{}".format)
def protocol(request: pytest.FixtureRequest) -> int:
    return int(request.param)
