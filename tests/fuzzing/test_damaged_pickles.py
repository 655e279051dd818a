"""A few of the damaged files of fuzz_inspect.py."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from fuzzing import fuzz_inspect


@pytest.mark.costly
def test_damaged_files() -> None:
    """In a process of its own: what the Unpickler takes of memory has to be limited."""
    command = [sys.executable, fuzz_inspect.__file__, "--count", "2000", "--seed", "4"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    # Some are still pickles, and most are not: else the damage would be of no use.
    found = re.search(r"([\d,]+) are still whole", result.stdout)
    assert found is not None, result.stdout
    assert 100 < int(found[1].replace(",", "")) < 1000
