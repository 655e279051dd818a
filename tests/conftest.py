"""Every test that asks for `implementation` runs once for each implementation there is."""

from __future__ import annotations

from types import ModuleType

import pytest

import quickpickle.pickler

IMPLEMENTATIONS: dict[str, ModuleType] = {"python": quickpickle.pickler}


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request: pytest.FixtureRequest) -> ModuleType:
    """The module with the implementation's Pickler, dump and dumps."""
    return IMPLEMENTATIONS[request.param]
