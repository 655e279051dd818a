"""The layouts of the interpreter's objects: they are checked, and the compiled core can do without.

compiled/layout.h has them, compiled/layouts.pxi the checks.
"""

from __future__ import annotations

import sys
import sysconfig

import pytest

from without_layouts import run_without_layouts

core = pytest.importorskip("quickpickle.compiled.core", exc_type=ImportError)


def expected_layouts() -> set[str]:
    names = {"type_versions", "sets", "slots", "digits", "dates", "exceptions"}
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        names |= {"dicts", "values", "utf8"}
    if sys.version_info < (3, 14):
        names.add("dict_versions")
    return names


@pytest.mark.skipif(sys.version_info >= (3, 16), reason="its layouts are not known")
def test_all_layouts_are_known_here():
    """Else all would be slower, and no other test would fail."""
    assert core.known_layouts() == expected_layouts()


def test_without_the_layouts_all_is_written_as_before():
    names = ["test_scalars", "test_containers", "test_graphs", "test_paths", "test_plans"]
    # One test counts how often a hook is asked, which plans save.
    tests = "native and not only_classes_and_functions_are_asked_for"
    run_without_layouts("quickpickle.compiled.core", names, tests)
