"""The test suite on every interpreter from 3.11 up that is on the machine."""

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15", "pypy3.11"]

nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, without the slow ones; arguments behind -- go to pytest, instead of these."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "auto", "-m", "not slow"]))
