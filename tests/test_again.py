"""`pytest --part` and `--again`: the tests that they leave out are as docs/reliability.md says."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import conftest

VERSIONS = range(11, 11 + conftest.PARTS)


@pytest.mark.slow
def test_slow():
    """It is here to be left out, as is the next one."""


@pytest.mark.once
def test_once():
    pass


@pytest.mark.costly
@pytest.mark.parametrize("case", range(100))
def test_costly(request, case):
    """Each case runs on one version, and each version has some."""
    versions = [minor for minor in VERSIONS if conftest.is_of_part(request.node, minor)]
    assert len(versions) == 1


@pytest.mark.costly
@pytest.mark.libraries
@pytest.mark.parametrize("case", range(20))
def test_libraries(request, case):
    """They are installed for one version alone."""
    assert all(conftest.is_of_part(request.node, minor) for minor in VERSIONS)


@pytest.mark.costly
@pytest.mark.slow
@pytest.mark.parametrize("case", range(20))
def test_costly_and_slow(request, case):
    """Other versions leave them out."""
    assert all(conftest.is_of_part(request.node, minor) for minor in VERSIONS)


def test_parts_are_all_together(monkeypatch):
    cases = list(range(10))
    monkeypatch.setattr(conftest, "in_parts", True)
    parts = [conftest.part(cases, minor) for minor in VERSIONS]
    assert sorted(itertools.chain(*parts)) == cases
    assert {len(part) for part in parts} == {2, 3}
    monkeypatch.setattr(conftest, "in_parts", False)
    assert conftest.part(cases) == cases


def collected(*options: str) -> list[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", __file__]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider", *options],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.split("::")[1] for line in result.stdout.splitlines() if "::" in line]


def test_what_is_collected():
    whole, part, again = collected(), collected("--part"), collected("--again")
    assert {"test_slow", "test_once", "test_what_is_collected"}.issubset(part)
    assert set(part) < set(whole)
    assert {"test_slow", "test_once"}.isdisjoint(again)
    assert "test_what_is_collected" in again
    costly = [name for name in again if name.startswith("test_costly[")]
    assert 10 < len(costly) < 50
    assert costly == [name for name in part if name.startswith("test_costly[")]
