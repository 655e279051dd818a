"""The programs in examples/ that have no test of their own beside what they show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES = ("diskcache", "huey", "dramatiq", "aiocache", "pandas", "dogpile", "sqlalchemy")


@pytest.mark.parametrize(
    ("name", "needs", "output"),
    [
        ("cloud", "joblib", "105.00\n5197.50\n"),
        ("buffers", "pandas", "a pickle of less than 1 kB, 40 MB shared\n"),
        ("install", "joblib", "chains of 20000, 30000, 10000 nodes\n"),
        ("joblib_files", "sklearn", "1 + 2 = 3.00\n"),
        ("flask_cache", "flask_caching", "49, 49, computed 1 time\n"),
        ("pytorch", "torch", "step 5\n"),
        ("one_line_each", "diskcache", "".join(f"{name}: 120000 records\n" for name in LINES)),
    ],
)
def test_an_example(name, needs, output):
    pytest.importorskip(needs, reason="for the interpreter of make test alone")
    run = [sys.executable, str(EXAMPLES / f"{name}.py")]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == (output, "")
