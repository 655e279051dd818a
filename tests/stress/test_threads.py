"""Threads and interpreters: Picklers in many threads, over objects that are shared and that change.

`make stress SECONDS=60` does the same for as long as one likes.
"""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import sysconfig
import textwrap

import pytest

from conftest import IMPLEMENTATIONS, UNPICKLERS
from differential import only_cpython
from quickpickle.pickling import pickler as pickler_module
from quickpickle.pickling import scalars as atoms
from quickpickle.unpickling import unpickler as unpickler_module
from stress import threads

ROUNDS = 60


@pytest.mark.costly
@pytest.mark.parametrize("scenario", threads.SCENARIOS, ids=lambda s: s.__name__)
def test_many_threads(implementation, scenario):
    counts = threads.run(implementation, scenario, rounds=ROUNDS)
    assert len(counts) == threads.THREADS
    assert all(count > 0 for count in counts)


class Ending(dict):
    """Another thread's run has ended right after it was seen."""

    def setdefault(self, key, token):
        return None

    def __contains__(self, key):
        return True


def test_a_run_that_ends_while_another_is_refused():
    """Of the pure implementation: between two steps of one thread another one may do anything."""
    pickler = IMPLEMENTATIONS["python"].Pickler(io.BytesIO())
    pickler_module._get_state(pickler).running = Ending()
    with pytest.raises(RuntimeError, match="already used"):
        pickler.dump(1)
    unpickler = UNPICKLERS["python"].Unpickler(io.BytesIO(b"N."))
    unpickler_module._get_state(unpickler).running = Ending()
    with pytest.raises(RuntimeError, match="already used"):
        unpickler.load()


def test_a_bytearray_that_grows_while_it_is_written(monkeypatch):
    """Another thread may do it between any two steps of the pure implementation."""
    obj, header = bytearray(b"abc"), atoms._bytearray_header

    def grow(size):
        obj.extend(b"more")
        return header(size)

    monkeypatch.setattr(atoms, "_bytearray_header", grow)
    assert pickle.loads(IMPLEMENTATIONS["python"].dumps([obj, 5], 5)) == [b"abc", 5]
    assert obj == b"abcmore"


def run_python(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        env={name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


WHICH = """
    import sys, quickpickle, quickpickle.inspection
    scanner = quickpickle.inspection.find_scanner()
    print(quickpickle.implementation, scanner.__module__, sys._is_gil_enabled())
"""
free_threaded = pytest.mark.skipif(
    not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="a build with the lock"
)
compiled = pytest.mark.skipif("native" not in IMPLEMENTATIONS, reason="nothing is compiled")


@free_threaded
@compiled
def test_a_free_threaded_build_turns_the_lock_on():
    result = run_python(WHICH)
    assert result.stdout.split() == ["native", "quickpickle.compiled.inspection", "True"]
    assert "'quickpickle.compiled.core', which has not declared" in result.stderr


@free_threaded
def test_a_free_threaded_build_without_the_compiled_implementation():
    result = run_python(WHICH, QUICKPICKLE_PURE="1")
    assert result.stdout.split() == ["python", "quickpickle.scanning.scan", "False"]
    assert not result.stderr


@free_threaded
@compiled
def test_where_the_lock_is_forbidden_the_python_implementation_is_used():
    """The compiled one would not be safe there: what it knows of references would be wrong."""
    result = run_python(WHICH, "-X", "gil=0")
    assert result.stdout.split() == ["python", "quickpickle.scanning.scan", "False"]
    assert "quickpickle uses its pure implementation: " in result.stderr
    assert "-X gil=0" in result.stderr


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


@only_cpython
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
            assert "quickpickle uses its pure implementation" in warning
