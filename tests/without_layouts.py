"""Tests run again in a process of their own, in which an extension relies on no private layout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from conftest import in_parts

TESTS: Final = Path(__file__).parent
_PROGRAM: Final = """
import importlib, sys, pytest
extension = importlib.import_module(sys.argv[1])
extension.forget_layouts()
assert extension.known_layouts() == set()
code = pytest.main(sys.argv[2:])
assert extension.known_layouts() == set()
sys.exit(code)
"""


def run_without_layouts(extension: str, names: list[str], tests: str) -> None:
    """Run the files of tests with these names, but only `tests`, an expression of pytest's -k."""
    paths = [str(path) for name in names for path in TESTS.rglob(f"{name}.py")]
    assert len(paths) == len(names)
    command = [sys.executable, "-c", _PROGRAM, extension, *paths, "-k", tests, "-m", "not slow"]
    result = subprocess.run(
        [*command, *["--part"] * in_parts, "-n", "0", "-p", "no:cacheprovider"],
        env={k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "QUICKPICKLE"))},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    for name in names:  # a dot is a test that has passed
        assert re.search(rf"{name}\.py [^\n]*\.", result.stdout), (name, result.stdout[-3000:])
