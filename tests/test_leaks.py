"""The scenarios of leaks.py, a few times each: `make leaks` repeats them 10,000 times."""

from __future__ import annotations

import sys

import pytest

from leaks import SCENARIOS, lost

pytestmark = pytest.mark.skipif(
    not hasattr(sys, "getallocatedblocks"), reason="this interpreter does not count its blocks"
)

REPEATS = 100


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_lost(implementation, scenario):
    assert lost(scenario, implementation, REPEATS) < REPEATS
