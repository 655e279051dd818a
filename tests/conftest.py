"""Fixtures: every test that asks for `implementation` or `protocol` runs once for each."""

from __future__ import annotations

import pickle
from types import ModuleType

import pytest

import quickpickle.pickler

# The modules with a Pickler, a dump and a dumps of each implementation.
IMPLEMENTATIONS: dict[str, ModuleType] = {"python": quickpickle.pickler}


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> ModuleType:
    return IMPLEMENTATIONS[request.param]


@pytest.fixture(params=range(pickle.HIGHEST_PROTOCOL + 1), ids="protocol{}".format)
def protocol(request: pytest.FixtureRequest) -> int:
    return int(request.param)
