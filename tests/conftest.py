"""Fixtures: a test that asks for `implementation`, `unpickling` or `protocol` runs for each."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import sys
import zlib
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TypeVar

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

# The modules with an Unpickler, a load and a loads of each implementation.
UNPICKLERS: dict[str, ModuleType] = {"python": quickpickle.pure}
if "native" in IMPLEMENTATIONS:
    UNPICKLERS["native"] = importlib.import_module("quickpickle.compiled.unpickling")


T = TypeVar("T")
PARTS = 4  # of the interpreters of .ci/run those for which NumPy has wheels
in_parts = False
slow_tests_are_left_out = False


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part",
        action="store_true",
        help="leave most of `costly` to the other interpreters",
    )
    parser.addoption(
        "--again",
        action="store_true",
        help="as --part; leave out `slow` and `once` too, which ran on another interpreter",
    )


def pytest_configure(config: pytest.Config) -> None:
    global in_parts, slow_tests_are_left_out
    again = config.getoption("again")
    in_parts = again or config.getoption("part")
    slow_tests_are_left_out = again or config.getoption("markexpr") == "not slow"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not in_parts:
        return
    again = config.getoption("again")
    kept, left_out = [], []
    for item in items:
        runs = is_of_part(item) and not (again and ran_already(item))
        (kept if runs else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def ran_already(item: pytest.Item) -> bool:
    """Whether .ci/run has run a test where it runs --again."""
    return bool(item.get_closest_marker("slow") or item.get_closest_marker("once"))


def is_of_part(item: pytest.Item, minor: int = sys.version_info.minor) -> bool:
    """Whether --part leaves a test in: one that is costly on one of PARTS versions in a row.

    Tests of libraries, and those that --again leaves out, have no other interpreter to be left to.
    """
    if item.get_closest_marker("libraries") or ran_already(item):
        return True
    is_costly = item.get_closest_marker("costly")
    return not is_costly or zlib.crc32(item.nodeid.encode()) % PARTS == minor % PARTS


def part(cases: Sequence[T], minor: int = sys.version_info.minor) -> Sequence[T]:
    """With --part or --again a part, another one on each of PARTS versions in a row; else all."""
    return cases[minor % PARTS :: PARTS] if in_parts else cases


def examples(count: int) -> int:
    """The number of examples of Hypothesis: fewer where the slow tests are left out."""
    return count // (PARTS if in_parts else 3 if slow_tests_are_left_out else 1)


@pytest.fixture(scope="module", autouse=True)
def few_objects_to_collect() -> Iterator[None]:
    """The collector does not look at the objects of other modules.

    In a whole run a collection took half a second, and tests of leaks and re-entrance ask for many.
    """
    if not hasattr(gc, "freeze"):  # PyPy
        yield
        return
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def all_objects_for_hypothesis(request: pytest.FixtureRequest) -> Iterator[None]:
    """It asks the collector for the owner of its random numbers."""
    is_hypothesis_test = getattr(request.function, "is_hypothesis_test", False)
    if not is_hypothesis_test or not hasattr(gc, "freeze"):
        yield
        return
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> ModuleType:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture(params=UNPICKLERS)
def unpickling(request: pytest.FixtureRequest) -> ModuleType:
    return UNPICKLERS[request.param]


# All at once, for tests that take longer to make their cases, and to ask the reference. The ids are
# for -k.
@pytest.fixture(params=[[*IMPLEMENTATIONS.values()]], ids=["-and-".join(IMPLEMENTATIONS)])
def implementations(request: pytest.FixtureRequest) -> list[ModuleType]:
    return list(request.param)


@pytest.fixture(params=[[*UNPICKLERS.values()]], ids=["-and-".join(UNPICKLERS)])
def unpicklers(request: pytest.FixtureRequest) -> list[ModuleType]:
    return list(request.param)


@pytest.fixture
def native_unpickling() -> ModuleType:
    if "native" not in UNPICKLERS:
        pytest.skip("there is no compiled implementation here")
    return UNPICKLERS["native"]


@pytest.fixture(params=range(pickle.HIGHEST_PROTOCOL + 1), ids="protocol{}".format)
def protocol(request: pytest.FixtureRequest) -> int:
    return int(request.param)
