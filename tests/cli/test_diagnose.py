"""The command `quickpickle diagnose`: what it prints, and its exit codes."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from models import Plain
from quickpickle.cli import main


class Counts:
    def __init__(self, number=0):
        self.number = number

    def __reduce__(self):
        return Counts, (self.number + 1,)


def written(tmp_path, obj):
    path = tmp_path / "file.pickle"
    path.write_bytes(pickle.dumps(obj))
    return str(path)


def test_what_comes_back_different(tmp_path, capsys):
    assert main(["diagnose", written(tmp_path, {"a": [Counts()]})]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("1 surprise:\nobj['a'][0]  (type cli.test_diagnose.Counts)\n")


def test_no_problems(tmp_path, capsys):
    assert main(["diagnose", written(tmp_path, [1, Plain(a=2)])]) == 0
    assert capsys.readouterr().out == "No problems: it can be pickled.\n"


def test_strict(tmp_path, capsys):
    obj = [list(range(2000)), list(range(2000))]
    file = written(tmp_path, obj)
    assert main(["diagnose", file]) == 0
    assert main(["diagnose", file, "--strict"]) == 1
    assert "It equals obj[0]" in capsys.readouterr().out


def test_a_pickle_that_does_not_load(tmp_path, capsys):
    path = tmp_path / "file.pickle"
    path.write_bytes(b"cno_such_module\nName\n.")
    assert main(["diagnose", str(path)]) == 1
    assert "does not load: ModuleNotFoundError: No module named" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.pickle", "."])
def test_a_file_that_cannot_be_read(tmp_path, capsys, name):
    assert main(["diagnose", str(tmp_path / name)]) == 1
    assert capsys.readouterr().err.startswith("quickpickle: ")


SCRIPT = """
import pickle, sys
class Order: pass
if __name__ == "__main__":
    with open(sys.argv[1], "wb") as file:
        pickle.dump([Order()], file)
"""


def run_diagnose(*arguments):
    command = [sys.executable, "-m", "quickpickle", "diagnose", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_classes_of_a_script(tmp_path):
    script, file = tmp_path / "script.py", tmp_path / "file.pkl"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, script, file], check=True, timeout=60)
    done = run_diagnose(file)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("If it was written by a script: --main SCRIPT")
    done = run_diagnose(file, "--main", script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No problems: it can be pickled.\n"


def test_a_script_that_cannot_be_run(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("1 / 0")
    done = run_diagnose(written(tmp_path, 1), "--main", script)
    assert done.returncode == 1
    assert done.stderr == f"quickpickle: cannot run {script}: ZeroDivisionError: division by zero\n"
