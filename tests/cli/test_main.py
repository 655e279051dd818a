"""The command `quickpickle` without a subcommand."""

from __future__ import annotations

import pickle
import shutil
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


@pytest.mark.costly
@pytest.mark.parametrize(
    "command",
    ["bench --rounds 1", "inspect", "inspect --json", "diagnose", "recover", "policy learn"],
)
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_output_that_is_closed(tmp_path, command, closed):
    if shutil.which("sh") is None:
        pytest.skip("there is no sh")
    (tmp_path / "file.pkl").write_bytes(pickle.dumps([1]))
    name, _, options = command.partition(" ")
    if name == "policy":
        name, options = command, ""
    line = f'"$0" -m quickpickle {name} file.pkl {options} {closed}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
