"""Tests run again in a process of their own, in which an extension relies on no private layout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from conftest import again

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


def run_without_layouts(extension: str, name: str, tests: str) -> None:
    """Run the file of tests with this name, but only `tests`, an expression of pytest's -k."""
    (path,) = TESTS.rglob(f"{name}.py")
    command = [sys.executable, "-c", _PROGRAM, extension, str(path), "-k", tests, "-m", "not slow"]
    result = subprocess.run(
        [*command, *["--again"] * again, "-q", "-n", "0", "-p", "no:cacheprovider"],
        env={k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "QUICKPICKLE"))},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert " passed" in result.stdout
