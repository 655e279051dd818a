"""The layouts of the interpreter's objects: they are checked, and the compiled core can do without.

compiled/layout.h has them, compiled/layouts.pxi the checks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

core = pytest.importorskip("quickpickle.compiled.core", exc_type=ImportError)

TESTS = next(folder for folder in Path(__file__).parents if folder.name == "tests")
WITHOUT = """
import sys, pytest
import quickpickle.compiled.core as core
core.forget_layouts()
assert core.known_layouts() == set()
code = pytest.main(sys.argv[1:])
assert core.known_layouts() == set()
sys.exit(code)
"""


def expected_layouts() -> set[str]:
    names = {"type_versions", "sets", "slots", "digits", "dates"}
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        names |= {"dicts", "values", "utf8"}
    if sys.version_info < (3, 14):
        names.add("dict_versions")
    return names


@pytest.mark.skipif(sys.version_info >= (3, 16), reason="its layouts are not known")
def test_all_layouts_are_known_here():
    """Else all would be slower, and no other test would fail."""
    assert core.known_layouts() == expected_layouts()


@pytest.mark.parametrize(
    "name", ["test_atoms", "test_containers", "test_graphs", "test_paths", "test_plans"]
)
def test_without_the_layouts_all_is_written_as_before(name):
    (path,) = TESTS.rglob(f"{name}.py")
    # One test counts how often a hook is asked, which plans save.
    tests = "native and not only_classes_and_functions_are_asked_for"
    command = [sys.executable, "-c", WITHOUT, str(path), "-k", tests, "-m", "not slow"]
    result = subprocess.run(
        [*command, "-q", "-n", "0", "-p", "no:cacheprovider"],
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST")},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert " passed" in result.stdout
