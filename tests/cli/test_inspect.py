"""The command `quickpickle inspect`: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from quickpickle.cli import main
from quickpickle.inspection.printable import printable
from quickpickle.inspection.report import progress_bar

Output = pytest.CaptureFixture[str]


class Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "file.pickle"
    obj = {"records": [b"x" * 500, list(range(1000)), "text"], "bad": Call(os.system, "true")}
    path.write_bytes(pickle.dumps(obj, 5))
    return path


def lines_with(text: str, *words: str) -> list[str]:
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_the_report(file: Path, capsys: Output) -> None:
    assert main(["inspect", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    size = f"{file.stat().st_size:,}"
    assert lines_with(printed.out, "bytes", size)
    assert lines_with(printed.out, "can run code", "1 of the names")
    assert lines_with(printed.out, f"{os.system.__module__}.system", "runs commands")
    assert lines_with(printed.out, "obj['records'][0]", "bytes", "506")
    assert "The tree" not in printed.out
    assert "No mark is no promise" in printed.out


def test_the_tree(file: Path, capsys: Output) -> None:
    assert main(["inspect", str(file), "--tree", "2", "--top", "1"]) == 0
    out = capsys.readouterr().out
    assert "The tree, 2 deep" in out
    assert lines_with(out, "['records']", "list")
    assert lines_with(out, "… 3 others")
    assert main(["inspect", str(file), "--tree", "2", "--top", "3"]) == 0
    out = capsys.readouterr().out
    assert lines_with(out, "… 1 other")
    assert not lines_with(out, "1 others")


def test_json(file: Path, capsys: Output) -> None:
    assert main(["inspect", str(file), "--json", "--tree", "2", "--top", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["size"] == file.stat().st_size
    assert found["error"] is None
    assert found["imports"][0]["danger"] == "runs commands"
    assert len(found["largest"]) == 3
    assert {row["depth"] for row in found["tree"]} == {0, 1}
    assert sum(kind["own"] for kind in found["types"]) == found["size"]


def test_several_pickles(file: Path, capsys: Output) -> None:
    file.write_bytes(pickle.dumps([1]) + pickle.dumps({"a": 2}) * 20)
    assert main(["inspect", str(file), "--top", "5"]) == 0
    out = capsys.readouterr().out
    assert lines_with(out, "objs[4]")
    assert "and 16 more pickles" in out
    assert "It imports nothing." in out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_broken_file(file: Path, capsys: Output, options: list[str]) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-10])
    assert main(["inspect", str(file), *options]) == 1
    printed = capsys.readouterr()
    assert "obj['records'][0]" in printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith(f"quickpickle: {file}: ")
    assert ", at offset " in line
    assert line.endswith(" bytes were not read")


def test_more_objects_than_allowed(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "deep.pkl"
    file.write_bytes(b"]" * 1000 + b"a" * 999 + b".")
    assert main(["inspect", str(file), "--max-objects", "1000"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(file), "--max-objects", "999"]) == 1
    printed = capsys.readouterr()
    assert printed.err == (
        f"quickpickle: {file}: there are more than 999 objects (set max_objects higher for them), "
        "at offset 1,000; 1,000 bytes were not read\n"
    )


def test_files_that_cannot_be_read(tmp_path: Path, capsys: Output) -> None:
    assert main(["inspect", str(tmp_path / "missing")]) == 1
    assert main(["inspect", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert repr(str(tmp_path)) in lines[1]


def test_a_closed_standard_input(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["inspect", "-"]) == 1
    assert capsys.readouterr().err == "quickpickle: the standard input is closed\n"


def test_a_terminal_without_the_signs(file: Path) -> None:
    file.write_bytes(pickle.dumps({"é": ["ü" * 100]}))
    result = subprocess.run(
        [sys.executable, "-m", "quickpickle", "inspect", str(file)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert rb"\xe9" in result.stdout


def test_the_standard_input(file: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "quickpickle", "inspect", "-", "--json"],
        input=file.read_bytes(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(result.stdout)["size"] == file.stat().st_size


def test_hostile_names_do_not_reach_the_terminal(file: Path, capsys: Output) -> None:
    names = ["\x1b[2J", "[red]markup[/red]", "\u202eright to left", "new\nline", "\x07"]
    classes = b"".join(
        b"\x8c\x02os" + b"\x8c" + bytes([len(name.encode())]) + name.encode() + b"\x93"
        for name in names
    )
    keys = {name: [name] for name in names}
    file.write_bytes(b"\x80\x04(" + classes + pickle.dumps(keys, 2)[2:-1] + b"l.")
    assert main(["inspect", str(file), "--tree", "9", "--top", "100"]) == 0
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\u202e\x07")
    for shown in ("\\x1b[2J", "[red]markup[/red]", "\\u202eright to left", "new\\nline"):
        assert f"os.{shown}" in out
    assert printable("plain é 字") == "plain é 字"


def test_the_progress_bar_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    import quickpickle.inspection.report as report

    now = [0.0]
    monkeypatch.setattr(report.time, "monotonic", lambda: now[0])
    console = Console(force_terminal=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    with console.file, progress_bar(console, 1000) as show:
        bar = show.__closure__[0].cell_contents  # type: ignore[attr-defined]
        show(10)
        assert not bar.live.is_started
        now[0] = 1.1
        show(500)
        assert bar.live.is_started
        assert bar.tasks[0].completed == 500
    assert not bar.live.is_started


def test_without_rich(file: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.delitem(sys.modules, "quickpickle.inspection.report")
    assert main(["inspect", str(file)]) == 2
    assert capsys.readouterr().err == (
        "quickpickle: the inspect needs rich: pip install 'quickpickle[cli]'\n"
    )
    assert main(["inspect", str(file), "--json"]) == 0


def test_without_plotly(file: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.delitem(sys.modules, "quickpickle.inspection.page", raising=False)
    assert main(["inspect", str(file), "--html", str(file.with_suffix(".html"))]) == 2
    assert "needs plotly: pip install 'quickpickle[html]'" in capsys.readouterr().err
    assert not file.with_suffix(".html").exists()


def test_the_page_does_not_take_the_place_of_the_pickle(file: Path, capsys: Output) -> None:
    data = file.read_bytes()
    other = file.parent / "." / file.name
    assert main(["inspect", str(file), "--html", str(other)]) == 2
    assert "name another file" in capsys.readouterr().err
    assert file.read_bytes() == data
