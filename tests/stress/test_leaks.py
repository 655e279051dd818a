"""The scenarios of leaks.py, a few times each: `make leaks` repeats them 10,000 times."""

from __future__ import annotations

import sys
import sysconfig

import pytest

from stress.leaks import SCENARIOS, lost

pytestmark = pytest.mark.skipif(
    not hasattr(sys, "getallocatedblocks"), reason="this interpreter does not count its blocks"
)

KEEPS_CLASSES = sysconfig.get_config_var("Py_GIL_DISABLED") and sys.version_info < (3, 14)


@pytest.mark.costly
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_lost(implementation, scenario):
    if scenario == "classes" and KEEPS_CLASSES:
        pytest.skip("this interpreter keeps all classes once a thread was started")
    # The interpreter keeps up to 100 blocks at first, and fewer with each try.
    repeats = 25 if scenario in ("loads", "kinds") else 40  # those two take longest
    assert lost(scenario, implementation, repeats, tries=5) < repeats
