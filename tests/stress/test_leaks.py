"""The scenarios of leaks.py, a few times each: `make leaks` repeats them 10,000 times."""

from __future__ import annotations

import sys
import sysconfig

import pytest

from conftest import again
from stress.leaks import SCENARIOS, lost

pytestmark = pytest.mark.skipif(
    not hasattr(sys, "getallocatedblocks"), reason="this interpreter does not count its blocks"
)

KEEPS_CLASSES = sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < (3, 14)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_lost(implementation, scenario):
    if scenario == "classes" and KEEPS_CLASSES:
        pytest.skip("this interpreter keeps all classes once a thread was started")
    # Most scenarios keep up to 50 blocks at first, however often they are repeated; not these two,
    # which take longest.
    repeats = (30 if again else 50) if scenario in ("loads", "kinds") else 100
    assert lost(scenario, implementation, repeats) < repeats
