"""The test suite on every interpreter from 3.11 up that is on the machine."""

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15", "pypy3.11"]
FREE_THREADED = ["3.13t", "3.14t"]

nox.options.error_on_missing_interpreters = False
nox.options.envdir = "build/nox"  # what runs in a copy of the project leaves out build/
nox.options.sessions = ["tests", "free_threaded"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, without the slow ones; arguments behind -- go to pytest, instead of these."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "auto", "-m", "not slow"]))


@nox.session(python=FREE_THREADED)
def free_threaded(session: nox.Session) -> None:
    """The same without the interpreter's lock, and with it, as the compiled one needs it."""
    # A Hypothesis without a wheel for these would have to be built with Rust.
    session.install("--only-binary", "hypothesis,numpy", "-e", ".[test]")
    arguments = session.posargs or ["-n", "auto", "-m", "not slow"]
    session.run("python", "-m", "pytest", *arguments, env={"QUICKPICKLE_PURE": "1"})
    session.run("python", "-m", "pytest", *arguments, env={"PYTHON_GIL": "1"})
