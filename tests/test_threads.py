"""Threads and interpreters: Picklers in many threads, over objects that are shared and that change.

`make stress SECONDS=60` does the same for as long as one likes.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import textwrap

import pytest

import stress_threads
from conftest import IMPLEMENTATIONS

ROUNDS = 60


@pytest.mark.parametrize("scenario", stress_threads.SCENARIOS, ids=lambda s: s.__name__)
def test_many_threads(implementation, scenario):
    counts = stress_threads.run(implementation, scenario, rounds=ROUNDS)
    assert len(counts) == stress_threads.THREADS
    assert all(count > 0 for count in counts)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="nothing is compiled")
@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="a build with the lock")
def test_a_free_threaded_build_turns_the_lock_on():
    code = "import quickpickle.native.core, sys; print(sys._is_gil_enabled())"
    assert run_python(code).stdout.strip() == "True"


IN_SUBINTERPRETER = """
    import sys, textwrap
    try:
        import _interpreters
    except ImportError:
        import _xxsubinterpreters as _interpreters

    code = textwrap.dedent('''
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import pickle, quickpickle
        text = "".join(str(warning.message) for warning in caught)
        assert quickpickle.dumps([1, "a"]) == pickle.dumps([1, "a"])
        print(quickpickle.implementation, "|", text, flush=True)
    ''')
    import quickpickle
    for i in range(2):
        number = _interpreters.create()
        failed = _interpreters.run_string(number, code)
        assert failed is None, failed
        _interpreters.destroy(number)
    import pickle
    assert quickpickle.dumps([1]) == pickle.dumps([1])
    print(quickpickle.implementation)
"""


def test_subinterpreters_use_the_python_implementation():
    """The compiled one refuses to be loaded there; a warning says what is used in its place."""
    result = run_python(IN_SUBINTERPRETER)
    assert result.returncode == 0, result.stderr
    *lines, own = result.stdout.splitlines()
    assert own == ("native" if "native" in IMPLEMENTATIONS else "python")
    assert len(lines) == 2
    for line in lines:
        implementation, warning = line.split(" | ")
        assert implementation == "python"
        if own == "native":
            assert "quickpickle uses its Python implementation" in warning
