"""The programs in examples/ that have no test of their own beside what they show."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
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
        ("joblib_memory", "joblib", "measured\n20000 readings, True\n"),
        ("arrow_buffers", "polars", "a pickle of less than 1 kB, 16 MB shared\n"),
        ("flask_cache", "flask_caching", "49, 49, computed 1 time\n"),
        ("pytorch", "torch", "step 5\n"),
    ],
)
def test_an_example(name, needs, output):
    pytest.importorskip(needs, reason="for the interpreter of make test alone")
    run = [sys.executable, str(EXAMPLES / f"{name}.py")]
    result = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == (output, "")


@pytest.mark.parametrize(
    ("name", "needs", "lines"),
    [
        ("beam_pipeline", "apache_beam", ["[5000, 10000, 20000]"]),
        ("pytorch_workers", "torch", ["worker: 10000 20000 30000", "ranks: 10000 20000"]),
    ],
)
def test_an_example_with_processes(name, needs, lines):
    """These libraries write warnings of their own, and are slow to import in each process."""
    pytest.importorskip(needs, reason="for `make others` alone")
    run = [sys.executable, str(EXAMPLES / f"{name}.py")]
    result = subprocess.run(run, capture_output=True, text=True, timeout=240, check=False)
    assert result.stdout.splitlines() == lines, result.stderr


def test_each_program_is_on_the_page():
    """And each is run by a test, which has its name in it."""
    page = (ROOT / "docs" / "project" / "examples.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    for path in EXAMPLES.glob("*.py"):
        assert f"## {path.name}\n" in page
        assert f"../../examples/{path.name}\n" in page
        assert f'"{path.stem}' in tests or f"import {path.stem}" in tests, path.name


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
