"""The programs in examples/ that have no test of their own beside what they show."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
MODULES = (
    *("diskcache", "huey", "dramatiq", "aiocache", "pandas", "dogpile", "sqlalchemy"),
    *("mpi4py", "apache_beam"),
)


@pytest.mark.parametrize(
    ("name", "needs", "output"),
    [
        ("cloud", "joblib", "105.00\n5197.50\n"),
        ("buffers", "pandas", "a pickle of less than 1 kB, 40 MB shared\n"),
        ("install", "joblib", "chains of 20000, 30000, 10000 nodes\n"),
        ("joblib_files", "sklearn", "1 + 2 = 3.00\n"),
        ("flask_cache", "flask_caching", "49, 49, computed 1 time\n"),
        ("pytorch", "torch", "step 5\n"),
    ],
)
def test_an_example(name, needs, output):
    pytest.importorskip(needs, reason="for the interpreter of make test alone")
    run = [sys.executable, str(EXAMPLES / f"{name}.py")]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == (output, "")


def test_one_line_each():
    """It says which are not installed: all others have to work."""
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if len(missing) == len(MODULES):
        pytest.skip("for the interpreter of make test alone")
    run = [sys.executable, str(EXAMPLES / "one_line_each.py")]
    result = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    lines = result.stdout.splitlines()
    assert len(lines) == len(MODULES), result.stderr
    for name, line in zip(MODULES, lines, strict=True):
        says = "is not installed" if name in missing else "120000 records"
        assert line.startswith(f"{name}: ")
        assert line.endswith(says)
