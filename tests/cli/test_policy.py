"""`quickpickle policy learn`, and `quickpickle inspect --policy`."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import quickpickle
from models import Call, Data, Plain
from quickpickle import Policy
from quickpickle.cli import main

Output = pytest.CaptureFixture[str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("COLUMNS", raising=False)

    def write_(name: str, *objs: Any) -> str:
        path = tmp_path / name
        if name.endswith(".toml"):
            path.write_text(objs[0], "utf-8")
        else:
            path.write_bytes(b"".join(pickle.dumps(obj, 4) for obj in objs))
        return str(path)

    return write_


SYSTEM = f"{os.system.__module__}.system"


def test_learn(write: Any, capsys: Output) -> None:
    one = write("one", Data(1, date(2024, 1, 1)))
    other = write("other", [1], Plain(a=collections.Counter("ab")))
    assert main(["policy", "learn", one, other]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    policy = Policy.from_file(io.StringIO(printed.out))
    assert policy == Policy.plain().allow(Data, Plain)
    for file in (one, other):
        with open(file, "rb") as opened:
            while opened.peek(1):
                quickpickle.load(opened, policy=policy)


def test_learn_from_plain_data(write: Any, capsys: Output) -> None:
    assert main(["policy", "learn", write("plain", [1, {"a": "b"}])]) == 0
    assert Policy.from_file(io.StringIO(capsys.readouterr().out)) == Policy()


def test_learn_from_what_runs_code(write: Any, capsys: Output) -> None:
    file = write("bad", [Data(1), Call(os.system, "true")])
    assert main(["policy", "learn", file]) == 0
    printed = capsys.readouterr()
    assert Policy.from_file(io.StringIO(printed.out)) == Policy().allow(Data)
    assert printed.err.splitlines() == [
        f"quickpickle: {file}: {SYSTEM} is left out, as it runs commands",
        "quickpickle: so these files do not load under the policy (see --dangerous)",
    ]
    assert main(["policy", "learn", file, "--dangerous"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    policy = Policy.from_file(io.StringIO(printed.out))
    assert policy == Policy().allow(Data).allow(SYSTEM, dangerous=True)


def test_learn_from_what_is_no_pickle(write: Any, tmp_path: Path, capsys: Output) -> None:
    good = write("good", Data(1))
    wrong = tmp_path / "wrong"
    wrong.write_bytes(Path(good).read_bytes()[:-5])
    assert main(["policy", "learn", good, str(wrong)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"quickpickle: {wrong}: the file ends")
    assert printed.err.endswith("no policy is written\n")
    assert main(["policy", "learn", str(tmp_path / "none")]) == 1
    for wrong_arguments in (["policy"], ["policy", "learn"]):
        with pytest.raises(SystemExit) as raised:
            main(wrong_arguments)
        assert raised.value.code == 2


@pytest.fixture
def bad(write: Any) -> str:
    """Data, os.system twice, and a date, in the second of two pickles."""
    calls = [Call(os.system, "true"), Call(os.system, "false")]
    file: str = write("bad", [1], {"data": Data(1), "calls": calls, "day": date(2024, 1, 1)})
    return file


def test_violations(write: Any, bad: str, capsys: Output) -> None:
    file = write("policy.toml", 'presets = ["plain"]\nallow = ["models.Data"]')
    assert main(["inspect", bad, "--policy", file]) == 1
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0] == f"{bad}: 1 violation of {file}"
    offset = Path(bad).read_bytes().index(b"\x93", Path(bad).read_bytes().index(b"system"))
    assert lines[1].startswith(f"  at byte {offset:,}")
    assert lines[1].endswith(f"it names {SYSTEM}, which is not listed (rule: names)")
    assert lines[2] == f"    if you trust it: policy.allow('{SYSTEM}', dangerous=True)"
    assert len(lines) == 3


def test_no_violations(write: Any, bad: str, capsys: Output) -> None:
    names = f'allow = ["models.Data"]\ndangerous = ["{SYSTEM}"]'
    file = write("policy.toml", f'presets = ["plain"]\n{names}')
    assert main(["inspect", bad, "--policy", file]) == 0
    assert capsys.readouterr() == (f"{bad}: {file} refuses nothing in it\n", "")
    assert main(["inspect", bad, "--policy", file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["violations"] == []
    # Both say no, or one of them.
    assert main(["inspect", bad, "--policy", file, "--fail-on-dangerous"]) == 1


def test_violations_as_json(write: Any, bad: str, capsys: Output) -> None:
    assert main(["inspect", bad, "--json", "--policy", write("policy.toml", "")]) == 1
    found = json.loads(capsys.readouterr().out)["violations"]
    assert [(one["pickle"], one["rule"], one["name"]) for one in found] == [
        (1, "names", "models.Data"),
        (1, "names", SYSTEM),
        (1, "names", "datetime.date"),
    ]
    assert main(["inspect", bad, "--json"]) == 0
    assert "violations" not in json.loads(capsys.readouterr().out)


def test_many_violations_of_one_kind(tmp_path: Path, write: Any, capsys: Output) -> None:
    path = tmp_path / "many"
    path.write_bytes(b"(" + b"cos\nsystem\n" * 1000 + b"cos\npopen\nl.")
    assert main(["inspect", str(path), "--policy", write("policy.toml", "")]) == 1
    out = capsys.readouterr().out
    assert "1,001 violations" in out
    assert "    and 999 times more\n" in out
    assert len(out.splitlines()) == 6


def test_policies_that_cannot_be_read(write: Any, bad: str, capsys: Output) -> None:
    file = write("policy.toml", 'allow = ["os.system"]')
    assert main(["inspect", bad, "--policy", file]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"quickpickle: {file}: allow (line 1): 'os.system' runs commands")
    assert main(["inspect", bad, "--policy", file + ".none"]) == 1
    assert "No such file" in capsys.readouterr().err


def test_classes_that_cannot_be_imported(tmp_path: Path, write: Any, capsys: Output) -> None:
    path = tmp_path / "other"
    path.write_bytes(b"cnowhere.models\nOrder\n.")
    file = write("policy.toml", 'allow = ["nowhere.models.Order"]')
    assert main(["inspect", str(path), "--policy", file]) == 1
    err = capsys.readouterr().err
    assert "cannot be checked: ModuleNotFoundError: No module named 'nowhere'" in err
    assert "run this where they are installed" in err


def test_a_damaged_file_is_not_checked(tmp_path: Path, write: Any, capsys: Output) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(pickle.dumps([1, 2])[:-2])
    assert main(["inspect", str(path), "--policy", write("policy.toml", "")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "the file ends" in printed.err


def test_a_stranger_cannot_move_the_cursor(tmp_path: Path, write: Any, capsys: Output) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(b"c\x1b[2J\n\xe2\x80\xaename\n.")
    assert main(["inspect", str(path), "--policy", write("policy.toml", "")]) == 1
    assert main(["policy", "learn", str(path)]) == 0
    printed = capsys.readouterr()
    assert not set(printed.out + printed.err) & set("\x1b\u202e")
    assert "\\x1b[2J" in printed.out
    assert "\\x1b[2J" in printed.err


def test_what_is_imported(tmp_path: Path, write: Any) -> None:
    """learn imports nothing; a check only modules that the policy lists."""
    path = tmp_path / "file"
    path.write_bytes(b"(cthis\ns\ncantigravity\nfly\nl.")
    code = (
        "import sys; from quickpickle.cli import main; main(sys.argv[1:]);"
        "print(*{'this', 'antigravity'} & set(sys.modules), file=sys.stderr)"
    )
    for arguments in (
        ["policy", "learn", str(path)],
        ["inspect", str(path), "--policy", write("policy.toml", 'allow = ["models.Data"]')],
    ):
        result = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        assert result.stderr == "\n"
        assert result.stdout
