"""The command `quickpickle recover`: what it prints and writes, and its exit codes."""

from __future__ import annotations

import os
import pickle

import quickpickle
from quickpickle.cli import main

WHOLE = {"a": [1, 2, 3], "b": 4}


def written(tmp_path, data):
    path = tmp_path / "file.pickle"
    path.write_bytes(data)
    return str(path)


def test_what_is_cut_off(tmp_path, capsys):
    out = tmp_path / "out.pickle"
    file = written(tmp_path, pickle.dumps(WHOLE)[:-6])
    assert main(["recover", file, "-o", str(out)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("<Recovered: not whole, dict of 1, up to byte ")
    assert "The pickle is cut off: " in shown
    assert quickpickle.load(out) == {"a": [1, 2, 3]}


def test_what_is_whole(tmp_path, capsys):
    out = tmp_path / "out.pickle"
    file = written(tmp_path, pickle.dumps(WHOLE))
    assert main(["recover", file, "--output", str(out)]) == 0
    assert capsys.readouterr().out == "<Recovered: whole, dict of 2>\n"
    assert quickpickle.load(out) == WHOLE
    os.remove(out)
    assert main(["recover", file]) == 0
    assert not out.exists()


def test_a_policy(tmp_path, capsys):
    policy = tmp_path / "policy.toml"
    quickpickle.Policy.plain().to_file(policy)
    file = written(tmp_path, pickle.dumps([1, os.system, 2]))
    assert main(["recover", file, "--policy", str(policy)]) == 1
    assert "which is not listed" in capsys.readouterr().out
    policy.write_text("x = 1")
    assert main(["recover", file, "--policy", str(policy)]) == 2


def test_nothing_is_left(tmp_path, capsys):
    assert main(["recover", written(tmp_path, b"")]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("quickpickle: nothing is left of ")
    assert shown.endswith("EOFError: Ran out of input\n")
    assert main(["recover", str(tmp_path / "missing")]) == 1


def test_what_is_no_pickle(tmp_path, capsys):
    file = written(tmp_path, b"version https://git-lfs.github.com/spec/v1\n")
    assert main(["recover", file]) == 1
    printed = capsys.readouterr()
    assert "run `git lfs pull`" in printed.out
    assert printed.err.endswith("invalid load key, 'v'.\n")


def test_the_file_stays(tmp_path, capsys):
    file = written(tmp_path, pickle.dumps(WHOLE)[:-6])
    assert main(["recover", file, "-o", file]) == 2
    assert "name another file" in capsys.readouterr().err


def test_what_cannot_be_pickled(tmp_path, capsys):
    file = written(tmp_path, b"(lcthreading\nLock\n)Ra.")
    assert main(["recover", file, "-o", str(tmp_path / "out")]) == 1
    assert "what is left cannot be pickled: TypeError" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
