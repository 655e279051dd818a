"""The command `quickpickle` without a subcommand."""

from __future__ import annotations

import subprocess
import sys

import pytest

import quickpickle
from quickpickle.cli import main

Output = pytest.CaptureFixture[str]


def test_version(capsys: Output) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"quickpickle {quickpickle.__version__}\n"


def test_without_arguments_it_prints_help() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "quickpickle"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: quickpickle [-h] [--version]")
