"""The command `quickpickle inspect`: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import quickpickle
from models import Call
from quickpickle.cli import main
from quickpickle.inspection.printable import printable

Output = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("COLUMNS", raising=False)
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
    assert not lines_with(printed.out, "unknown, so it may")
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
    assert found["imports"][0]["kind"] == "dangerous"
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


# --- names, and exit codes for a pipeline


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A pickle with a class that nobody but its user knows."""
    path = tmp_path / "own.pickle"
    path.write_bytes(pickle.dumps([Own() for _ in range(100)] + [date(2024, 1, 1)], 5))
    return str(path)


class Own:
    pass


def test_an_unknown_name_is_marked_once(own: str, capsys: Output) -> None:
    assert main(["inspect", own]) == 0
    out = capsys.readouterr().out
    (line,) = lines_with(out, "Own", "unknown, so it may")
    assert line.split()[:3] == [f"{__name__}.Own", "1", "100"]
    assert lines_with(out, "can run code", "unknown, so it may: 1 of the names")
    lines = [line.split() for line in lines_with(out, "datetime.date")]
    (line,) = [line for line in lines if line[0] == "datetime.date"]
    assert line == ["datetime.date", "1", "1", "obj[100]"]


def test_plain_data_has_no_mark(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "plain"
    path.write_bytes(pickle.dumps({"day": date(2024, 1, 1)}))
    assert main(["inspect", str(path), "--fail-on-unknown"]) == 0
    printed = capsys.readouterr()
    assert not lines_with(printed.out, "unknown, so")
    lines = [line.split() for line in printed.out.splitlines()]
    assert ["datetime.date", "1", "1", "obj['day']"] in lines
    assert not lines_with(printed.out, "  can run code  ")
    assert printed.err == ""


def test_exit_codes_for_names(file: Path, own: str, capsys: Output) -> None:
    assert main(["inspect", own, "--fail-on-dangerous"]) == 0
    assert main(["inspect", str(file)]) == 0
    assert capsys.readouterr().err == ""
    for option in ("--fail-on-dangerous", "--fail-on-unknown"):
        assert main(["inspect", str(file), option, "--json"]) == 1
        name = f"{os.system.__module__}.system"
        assert (
            capsys.readouterr().err
            == f"quickpickle: {file}: it names {name}, which runs commands\n"
        )
    assert main(["inspect", own, "--fail-on-unknown"]) == 1
    assert capsys.readouterr().err == (
        f"quickpickle: {own}: it names {__name__}.Own, which is unknown, so it may run code\n"
    )


def test_names_that_are_left_out(tmp_path: Path, capsys: Output) -> None:
    path = tmp_path / "many"
    names = b"".join(b"cnowhere\nName%d\n" % i for i in range(30))
    path.write_bytes(b"(" + names + b"cos\nsystem\ncdatetime\ndate\nl.")
    assert main(["inspect", str(path), "--top", "5"]) == 0
    out = capsys.readouterr().out
    assert lines_with(out, "os.system", "runs commands")
    assert lines_with(out, "and 27 more names, 26 of them unknown: --top 32 shows all")


@pytest.mark.costly
def test_a_pipe_that_is_closed(file: Path) -> None:
    file.write_bytes(pickle.dumps([[i] for i in range(100_000)]))
    command = [sys.executable, "-m", "quickpickle", "inspect", str(file), "--tree", "9"]
    for options in (["--top", "100000"], ["--json", "--top", "100000"]):
        process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        assert (process.wait(60), errors) == (0, b"")


def test_figures_are_never_cut(file: Path, capsys: Output, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["inspect", str(file), "--tree", "3"]) == 0
    out = capsys.readouterr().out
    size = f"{file.stat().st_size - 12:,}"
    assert len([line for line in out.splitlines() if size in line.split()]) >= 3
    assert "obj['records" in out
    assert not any(f"{size[:2]}…" in line for line in out.splitlines())


def test_lines_are_as_wide_as_the_terminal(file: Path, capsys: Output, monkeypatch: Any) -> None:
    """Texts are folded, also in the tree."""
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["inspect", str(file), "--tree", "4"]) == 0
    out = capsys.readouterr().out
    tree = out[out.index("The tree") :]
    assert max(map(len, tree.splitlines())) <= 60
    assert "    ['records'] " in tree
    assert "  key          str 'records' " in tree


def test_objects_and_types_are_sorted_by_their_size_with_all_below(
    file: Path, capsys: Output
) -> None:
    assert main(["inspect", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    titles = ("The largest objects", "The bytes by type")
    for title in titles:
        start = lines.index(f"{title}, each with all below") + 3
        end = lines.index("", start) if "" in lines[start:] else len(lines)
        sizes = [int(line.split()[0].replace(",", "")) for line in lines[start:end]]
        assert len(sizes) > 4
        assert sizes == sorted(sizes, reverse=True)
    start = lines.index(f"{titles[0]}, each with all below") + 3
    assert [line.split()[2] for line in lines[start : start + 3]] == [
        *("obj", "obj['records']", "obj['records'][1]")
    ]
    assert "__reduce_ex__" not in "".join(lines)


@pytest.mark.parametrize(
    "command",
    ["inspect FILE --tree 2", "policy learn FILE", "demo --modules 1", "bench FILE --rounds 1"],
)
def test_no_other_library_is_needed(own: str, command: str) -> None:
    """The commands import the standard library and this package only."""
    code = (
        "import sys; from quickpickle.cli import main; code = main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}"
        " - set(sys.stdlib_module_names), file=sys.stderr); sys.exit(code)"
    )
    Path(own).write_bytes(pickle.dumps([1, date(2024, 1, 1)]))
    result = subprocess.run(
        [sys.executable, "-S", "-c", code, *command.replace("FILE", own).split()],
        env={**os.environ, "PYTHONPATH": str(Path(quickpickle.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    names = {
        name for name in result.stderr.split() if not name.startswith(("_cython", "_sysconfigdata"))
    }
    assert names <= {"quickpickle", "__main__", "cython_runtime"}
    assert result.stdout


# As joblib writes an array: its bytes follow the opcode, with their length before them.
JOBLIB = (
    b"\x80\4\x95\x28\0\0\0\0\0\0\0\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93"
    b"\r" + bytes(40)
)
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def test_of_what_is_no_pickle_there_is_no_table(file: Path, capsys: Output) -> None:
    for data, text in ((b"<html>", "This is HTML"), (b"\x93NUMPY\1", "numpy.load"), (b"", "")):
        file.write_bytes(data)
        assert main(["inspect", str(file)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert text in printed.err
    # Also where what is no pickle begins as one.
    for data, text in (
        (JOBLIB, "use joblib.load"),
        (pickle.dumps([f"{i}\n" for i in range(9)]).replace(b"\n", b"\r\n"), "went through text"),
        (b"PK\3\4" + b"\0" * 22 + b"\5\0\0\0a.npy" + b"\n\0", "numpy.load"),
        (b"PK\3\4" + b"\0" * 22 + b"\5\0\0\0a.txt" + b"\nN\0", "ZIP archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "h5py"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "PNG image"),
        (b"PAR1\x15\n\x01", "read_parquet"),
        (b"\x28\xb5\x2f\xfd\x04", "compressed with zstd"),
        (b"K\1" + bytes(255) + b"ustar", "tarfile.open"),
    ):
        file.write_bytes(data)
        assert main(["inspect", str(file)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert "this is no pickle" in printed.err
        assert text in printed.err
    file.write_bytes(pickle.dumps([1, 2])[:-1])  # what there is of a damaged one is shown
    assert main(["inspect", str(file)]) == 1
    assert "The largest objects" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (pickle.dumps(list(range(300)))[:-100], "at least 100 bytes are missing"),
        (pickle.dumps([1, 2])[:-1], "at least 1 byte is missing"),
        (pickle.dumps([b"a" * 70_000, 1.5], 5)[:-30_000], "at least 29,9"),
        (pickle.dumps([b"a" * 70_000] + [1.5] * 100, 4)[:-50], "at least 50 bytes are missing"),
        (pickle.dumps("a" * 300, 2)[:-10], "at least 7 bytes are missing"),
        (pickle.dumps([1.5], 2)[:-4], "at least 2 bytes are missing"),
        (pickle.dumps([1.5], 2)[:-1], "how much is missing is not known"),
    ],
)
def test_how_much_is_missing(file: Path, capsys: Output, data: bytes, missing: str) -> None:
    file.write_bytes(data)
    assert main(["inspect", str(file)]) == 1
    printed = capsys.readouterr()
    assert "the pickle is cut off, and " in printed.err
    assert missing in printed.err
    assert "The largest objects" in printed.out
    file.write_bytes(pickle.dumps([1, 2]) + data)
    assert main(["inspect", str(file)]) == 1
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("count", [3, 30_000])
def test_texts_of_windows_are_no_damage(
    file: Path, capsys: Output, protocol: int, count: int
) -> None:
    data = pickle.dumps([f"{i},b\r\n" for i in range(count)], protocol)
    file.write_bytes(data[:-9])
    assert main(["inspect", str(file)]) == 1
    error = capsys.readouterr().err
    assert "the pickle is cut off" in error
    assert "went through" not in error
    with pytest.raises(pickle.UnpicklingError) as caught:
        quickpickle.loads(data[:-9])
    (note,) = caught.value.__notes__
    assert "The pickle is cut off" in note


@pytest.mark.parametrize(
    "data", [b"]", b"(lp0\nI1", b"N.\0", b"\x80\4]\0", pickle.dumps([1, 2])[:-1] + b"\0"]
)
def test_what_is_not_cut_off(file: Path, capsys: Output, data: bytes) -> None:
    file.write_bytes(data)
    assert main(["inspect", str(file)]) == 1
    assert "cut off" not in capsys.readouterr().err


def test_an_old_file_of_pytorch(file: Path, capsys: Output) -> None:
    file.write_bytes(OLD_TORCH + pickle.dumps(1001, 2) + pickle.dumps({"a": 1}, 2))
    assert main(["inspect", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"quickpickle: {file}: This is a file of PyTorch: use torch.load.\n"
    assert "The pickles in it" in printed.out
    file.write_bytes(file.read_bytes() + bytes(100))  # its tensors
    assert main(["inspect", str(file)]) == 1
    printed = capsys.readouterr()
    assert "This is a file of PyTorch: use torch.load; 100 bytes were not read" in printed.err
    assert "The pickles in it" in printed.out


@pytest.mark.parametrize(("pure", "size", "is_said"), [("1", 6, True), ("1", 1, False)])
def test_the_slow_scanner_says_so(tmp_path: Path, pure: str, size: int, is_said: bool) -> None:
    file = tmp_path / "file.pkl"
    file.write_bytes(pickle.dumps(b"x" * size * 1_000_000))
    done = subprocess.run(
        [sys.executable, "-m", "quickpickle", "inspect", str(file)],
        env={**os.environ, "QUICKPICKLE_PURE": pure},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    said = "quickpickle: reading 6 MB without the compiled scanner" in done.stderr
    assert said == bool(done.stderr) == is_said


@pytest.mark.parametrize(
    ("module", "program"), [("gzip", "gzip"), ("bz2", "bzip2"), ("lzma", "xz")]
)
def test_a_compressed_file_says_how_to_go_on(
    tmp_path: Path, module: str, program: str, capsys: Output
) -> None:
    path = tmp_path / "a file.pkl"
    path.write_bytes(importlib.import_module(module).compress(pickle.dumps([1])))
    assert main(["inspect", str(path)]) == 1
    command = capsys.readouterr().err.splitlines()[-1].removeprefix("quickpickle: try: ")
    assert command == f"{program} -dc '{path}' | quickpickle inspect -"
    if sys.platform == "win32" or shutil.which(program) is None:
        pytest.skip("a part of the command is not there")
    command = command.replace("quickpickle", f'"{sys.executable}" -m quickpickle')
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "standard input" in done.stdout
