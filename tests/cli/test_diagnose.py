"""The command `quickpickle diagnose`: what it prints, and its exit codes."""

from __future__ import annotations

import gzip
import os
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


def test_an_old_file_of_torch(tmp_path, capsys):
    """Its first pickle is a number, which loads."""
    path = tmp_path / "file.pt"
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + pickle.dumps({"a": 1}, 2))
    for command in ("diagnose", "recover"):
        assert main([command, str(path)]) == 1
        assert "use torch.load" in capsys.readouterr().err


# --- pickles that do not load: each place, with its hint


class FailsError(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")


class Changed:
    def __init__(self, value):
        self.value = value


class Holder:
    def __init__(self, part):
        self.part = part


class Hashes:
    def __init__(self):
        self.key = "a"
        self.others = {self: 1}

    def __hash__(self):
        return hash(self.key)


def gone(name, module="no_such_module"):
    """An instance of a class that is not there."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n)\x81"


def shown_for(tmp_path, capsys, data):
    path = tmp_path / "file.pickle"
    path.write_bytes(data)
    assert main(["diagnose", str(path)]) == 1
    printed = capsys.readouterr()
    assert " does not load: " in printed.err
    return printed.out


def test_a_call_that_fails(tmp_path, capsys):
    data = pickle.dumps({"errors": [1, FailsError(1, "no")]})
    lines = shown_for(tmp_path, capsys, data).splitlines()
    assert lines[0] == "1 place that does not load:"
    assert lines[1].startswith("obj['errors'][1]  (byte ")
    assert lines[1].endswith("calling cli.test_diagnose.FailsError)")
    assert lines[2].startswith("    TypeError: FailsError.__init__() missing 1 required")
    assert lines[3].startswith("    An exception is pickled as its class and its args")
    assert len(lines) == 4


def test_every_place(tmp_path, capsys, monkeypatch):
    changed = pickle.dumps(
        [FailsError(1, "no"), Changed(1), Changed(2), Holder(FailsError(2, "x"))]
    )
    monkeypatch.setattr(Changed, "__setstate__", lambda self, state: state["size"], raising=False)
    data = b"\x80\4](" + gone("A") + gone("B") + gone("A") + gone("X", "os")
    data += changed[changed.index(b"]\x94") : -1] + b"e."  # one pickle in the other
    shown = shown_for(tmp_path, capsys, data)
    assert shown.startswith("5 places that do not load:\n")
    assert "\nobj[0]  (looking up no_such_module.A)\n" in shown
    assert "\nobj[1]  (looking up no_such_module.B)\n" in shown
    assert "\nobj[3]  (looking up os.X)\n" in shown
    assert shown.count("calling cli.test_diagnose.FailsError)") == 1
    assert "\nobj[4][0]  (byte " in shown
    assert "\nobj[4][1]  (byte " in shown
    assert "setting the state of cli.test_diagnose.Changed)" in shown
    assert "Here is no no_such_module" in shown
    assert "The rest was not looked at" not in shown


def test_a_fault_that_may_follow_from_another(tmp_path, capsys, monkeypatch):
    """A __setstate__ that needs what has no class here is not to blame."""
    data = b"\x80\4](" + pickle.dumps(Holder(1), 2)[2:-1].replace(b"K\1", gone("A")) + b"e."
    monkeypatch.setattr(
        Holder, "__setstate__", lambda self, state: state["part"].size, raising=False
    )
    shown = shown_for(tmp_path, capsys, data)
    assert shown.startswith("2 places that do not load:\nobj[0].part  (looking up")
    assert "this may be because of them" in shown
    assert "does not take the state" not in shown


def test_a_fault_beside_another(tmp_path, capsys, monkeypatch):
    """Its own advice comes first: no Placeholder is known to be in it."""

    def __setstate__(self, state):  # noqa: N807
        self.x = state["x"]

    data = b"\x80\4](" + gone("A") + pickle.dumps(Changed(1), 2)[2:-1] + b"e."
    monkeypatch.setattr(Changed, "__setstate__", __setstate__, raising=False)
    lines = shown_for(tmp_path, capsys, data).splitlines()
    assert lines[4].startswith("obj[1]  (byte ")
    assert lines[5] == "    KeyError: 'x'"
    assert lines[6].startswith("    cli.test_diagnose.Changed.__setstate__ does not take the state")
    assert lines[7] == "    Look at the other places first: this may be because of them."


def test_a_fault_that_nothing_can_stand_for(tmp_path, capsys):
    data = b"\x80\2](" + gone("A") + pickle.dumps(Hashes(), 2)[2:-1] + b"e."
    shown = shown_for(tmp_path, capsys, data)
    assert shown.startswith("2 places that do not load:\n")
    assert "AttributeError: 'Hashes' object has no attribute 'key'" in shown
    assert shown.endswith("The rest was not looked at.\n")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "run `git lfs pull`"),
        (b"<html><body>no</body></html>", "This is HTML"),
        (pickle.dumps(list(range(300)))[:-100], "and at least 100 are missing."),
        (b"", "EOFError: Ran out of input"),
        (b"\x80\2\x82\xf5.", "extension 245, not registered"),
        (gzip.compress(os.urandom(1000))[:-600], "gzip"),
        (gzip.compress(b"N.")[:-6], "while loading"),
        (gzip.compress(pickle.dumps(FailsError(1, "a"))), "An exception is pickled as"),
    ],
    ids=["lfs", "html", "cut off", "empty", "extension", "gzip", "cut gzip", "in gzip"],
)
def test_what_is_no_pickle_or_not_whole(tmp_path, capsys, data, text):
    path = tmp_path / "file.pickle"
    path.write_bytes(data)
    assert main(["diagnose", str(path)]) == 1
    printed = capsys.readouterr()
    assert text in printed.out or (text == "gzip" and printed.out)


def test_names_are_escaped(tmp_path, capsys):
    shown = shown_for(tmp_path, capsys, b"\x80\4\x8c\5a\x1b[3m\x8c\1x\x93.")
    assert r"looking up a\x1b[3m.x" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("pure", ["0", "1"])
def test_in_both_implementations(tmp_path, pure):
    path = tmp_path / "file.pickle"
    data = pickle.dumps([FailsError(1, "no"), Changed(1)], 2)
    path.write_bytes(data.replace(b"\nChanged\n", b"\nMissing\n"))
    found = subprocess.run(
        [sys.executable, "-m", "quickpickle", "diagnose", str(path)],
        env={**os.environ, "QUICKPICKLE_PURE": pure, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    assert found.stdout.startswith("2 places that do not load:\nobj[1]  (looking up ")
    assert "\nobj[0]  (byte " in found.stdout


@pytest.mark.parametrize("name", ["missing.pickle", "."])
def test_a_file_that_cannot_be_read(tmp_path, capsys, name):
    assert main(["diagnose", str(tmp_path / name)]) == 1
    assert capsys.readouterr().err.startswith("quickpickle: ")
