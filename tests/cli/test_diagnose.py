"""The command `quickpickle diagnose`: what it prints, and its exit codes."""

from __future__ import annotations

import pickle

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
