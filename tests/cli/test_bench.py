"""The command `quickpickle bench`: what it prints and its exit codes. No test looks at a time."""

from __future__ import annotations

import gzip
import itertools
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import quickpickle
from models import Endless
from quickpickle.cli import bench, main, timing

pytestmark = pytest.mark.costly

Output = pytest.CaptureFixture[str]

WARNING = "A pickle runs what is in it: load only files that you trust.\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call a round, and the output of a pipe, also in a terminal."""
    monkeypatch.setattr(timing, "ROUND_SECONDS", 0)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.pkl"


def rows(table: str) -> dict[str, str]:
    """The printed table, the text by its label."""
    cells = [line.strip().partition("  ") for line in table.splitlines() if "  " in line.strip()]
    return {label: text.strip() for label, _, text in cells}


def nested_lists(depth: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    return nested


class Fickle:
    """Is pickled in another way each time."""

    counter = itertools.count()

    def __reduce__(self) -> tuple[Any, ...]:
        return Fickle, (), {"time": next(self.counter)}


class Unpicklable:
    """Can be read, but not written."""

    def __reduce__(self) -> str:
        raise TypeError("not\nme")


def make_unpicklable() -> Unpicklable:
    return Unpicklable()


class Maker:
    """Is read back as something else."""

    def __reduce__(self) -> tuple[Any, ...]:
        return make_unpicklable, ()


def test_bench(capsys: Output, file: Path, protocol: int) -> None:
    data = pickle.dumps([1, "two", {3.0: None}], protocol)
    file.write_bytes(data)
    assert main(["bench", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(WARNING)
    table = rows(printed.out)
    assert table["protocol"] == str(protocol)
    assert table["bytes"] == str(len(data))
    assert table["bytes identical"] == "yes"
    assert table["objects equal"] == "yes"
    for function in ("dumps", "loads"):
        assert table[f"{function}, quickpickle is"].endswith(" times as fast")
        ours = f"{function}, quickpickle ({quickpickle.implementation})"
        assert {ours, f"{function}, pickle"} < set(table)
    assert "not looked at" not in table
    assert printed.err == ""


def test_another_protocol(capsys: Output, file: Path) -> None:
    file.write_bytes(pickle.dumps("text", 5))
    assert main(["bench", str(file), "--protocol", "0", "--rounds", "2"]) == 0
    table = rows(capsys.readouterr().out)
    assert table["protocol"] == "0"
    assert table["bytes"] == str(len(pickle.dumps("text", 0)))


def test_rounds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = []
    monkeypatch.setattr(bench, "_rows", lambda report: reports.append(report) or [])
    file.write_bytes(pickle.dumps("text"))
    for arguments in ([], ["--rounds", "3"]):
        assert main(["bench", str(file), *arguments]) == 0
    for times in ([report.dumps for report in reports], [report.loads for report in reports]):
        assert [len(one.ours) for one in times] == [5, 3]
        assert [len(one.standard) for one in times] == [5, 3]


def test_more_than_one_pickle(capsys: Output, file: Path) -> None:
    file.write_bytes(pickle.dumps(1, 0) + pickle.dumps(2, 5))
    assert main(["bench", str(file)]) == 0
    table = rows(capsys.readouterr().out)
    assert table["protocol"] == "0"
    assert table["not looked at"] == f"{len(pickle.dumps(2, 5))} bytes behind the first pickle"


@pytest.mark.parametrize("protocol", [0, 1, 5])
def test_a_compressed_file(capsys: Output, tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps([1, "two"], protocol)
    path = tmp_path / "data.pkl.gz"
    path.write_bytes(gzip.compress(data + b"rest"))
    assert main(["bench", str(path)]) == 0
    table = rows(capsys.readouterr().out)
    assert table["protocol"] == str(protocol)
    assert table["bytes"] == str(len(data))
    assert table["not looked at"] == "4 bytes behind the first pickle"


def test_a_damaged_compressed_file(capsys: Output, tmp_path: Path) -> None:
    path = tmp_path / "data.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps("text"))[:-3])
    assert main(["bench", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"quickpickle: cannot load {path}: EOFError: ")
    assert error.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe(capsys: Output, file: Path) -> None:
    os.mkfifo(file)
    data = pickle.dumps("text")
    thread = threading.Thread(target=file.write_bytes, args=[data])
    thread.start()
    assert main(["bench", str(file)]) == 0
    thread.join()
    assert rows(capsys.readouterr().out)["bytes"] == str(len(data))


def test_where_the_standard_pickler_gives_up(capsys: Output, file: Path) -> None:
    file.write_bytes(quickpickle.dumps(nested_lists(100_000)))
    assert main(["bench", str(file)]) == 0
    table = rows(capsys.readouterr().out)
    assert table["dumps, pickle"] == "gave up with RecursionError"
    assert table["bytes identical"] == "not compared: pickle wrote none"
    assert "dumps, quickpickle is" not in table
    assert table["objects equal"] == "yes"
    assert "loads, quickpickle is" in table


def test_bytes_that_differ(capsys: Output, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(pickle.dumps("text"))
    monkeypatch.setattr(quickpickle, "dumps", lambda obj, protocol: b"nonsense")
    assert main(["bench", str(file)]) == 1
    printed = capsys.readouterr()
    assert rows(printed.out)["bytes identical"] == "NO"
    assert printed.err == "quickpickle: the bytes are not those of the standard pickler\n"


def test_bytes_that_always_differ(capsys: Output, file: Path) -> None:
    file.write_bytes(pickle.dumps(Fickle()))
    assert main(["bench", str(file)]) == 0
    table = rows(capsys.readouterr().out)
    assert table["bytes identical"] == "not compared: pickle wrote others each time"
    assert table["objects equal"] == "not compared: they are others each time"


def test_objects_that_differ(capsys: Output, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(pickle.dumps("text"))
    monkeypatch.setattr(quickpickle, "loads", lambda data: "nonsense")
    assert main(["bench", str(file)]) == 1
    printed = capsys.readouterr()
    assert rows(printed.out)["objects equal"] == "NO"
    assert printed.err == "quickpickle: the objects are not those of the standard unpickler\n"


def test_what_only_pickle_loads(
    capsys: Output, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(pickle.dumps("text"))
    monkeypatch.setattr(quickpickle, "loads", lambda data: pickle.loads(b"nonsense"))
    assert main(["bench", str(file)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("quickpickle: quickpickle cannot load and pickle it once more: ")
    assert error.count("\n") == 1


def test_both_begin_in_turn(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def record(name: str, module: Any, function: str) -> None:
        original = getattr(module, function)

        def called(*arguments: Any) -> Any:
            calls.append((function, name))
            return original(*arguments)

        monkeypatch.setattr(module, function, called)

    calls: list[tuple[str, str]] = []
    for function in ("dumps", "loads"):
        record("ours", quickpickle, function)
        record("standard", pickle, function)
    file.write_bytes(pickle._dumps("text"))
    assert main(["bench", str(file), "--rounds", "2"]) == 0
    there_and_back = ["ours", "standard", "standard", "ours"]
    for function in ("dumps", "loads"):
        names = [name for called, name in calls if called == function]
        # One call of each calibrates.
        expected = ["ours", "standard", *there_and_back]
        assert any(
            names[start : start + len(expected)] == expected for start in range(len(names))
        ), (function, names)


# --- errors: one line


def test_no_such_file(capsys: Output, file: Path) -> None:
    assert main(["bench", str(file)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("quickpickle: ")
    assert str(file) in error.replace("\\\\", "\\")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "data", [b"", b"no pickle\n", b"\x80\x7f.", b"\x1f\x8b\x08", b"cno_such_module\nName\n."]
)
def test_no_pickle(capsys: Output, file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert main(["bench", str(file)]) == 1
    printed = capsys.readouterr()
    assert printed.out == WARNING
    assert printed.err.startswith(f"quickpickle: cannot load {file}: ")
    assert printed.err.count("\n") == 1


def test_an_object_that_cannot_be_pickled_again(capsys: Output, file: Path) -> None:
    file.write_bytes(pickle.dumps(Maker()))
    assert main(["bench", str(file), "--protocol", "3"]) == 1
    message = "quickpickle: cannot pickle it with protocol 3: TypeError: not me\n"
    assert capsys.readouterr() == (WARNING, message)


def test_an_endless_reduction(capsys: Output, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle, "load", lambda file: Endless())
    file.write_bytes(pickle.dumps(None, 2))
    assert main(["bench", str(file)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("quickpickle: cannot pickle it with protocol 2: RecursionError: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--protocol", "99"], ["--rounds", "0"], []])
def test_wrong_arguments(capsys: Output, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["bench", *arguments])
    assert raised.value.code == 2


def test_classes_of_the_current_directory(tmp_path: Path, file: Path) -> None:
    """python -m quickpickle finds them, which the help says."""
    (tmp_path / "mine.py").write_text("class Mine: pass\n")
    file.write_bytes(b"cmine\nMine\n.")
    result = subprocess.run(
        [sys.executable, "-m", "quickpickle", "bench", str(file), "--rounds", "1"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=tmp_path,
        timeout=120,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_what_is_no_pickle_is_named(capsys: Output, file: Path) -> None:
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert main(["bench", str(file)]) == 1
    assert "run `git lfs pull`" in capsys.readouterr().err
    file.write_bytes(b"cno_such_module\nName\n.")
    assert main(["bench", str(file)]) == 1
    assert "This is" not in capsys.readouterr().err


class Gone:
    pass


# As joblib writes an array: its bytes follow the opcode, with their length before them.
JOBLIB = (
    b"\x80\4\x95\x28\0\0\0\0\0\0\0\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93"
    b"\r" + bytes(40)
)
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (JOBLIB, "use joblib.load"),
        (pickle.dumps([f"{i}\n" for i in range(9)]).replace(b"\n", b"\r\n"), "went through text"),
        (pickle.dumps(list(range(300)))[:-100], "and at least 100 are missing"),
        (b"", "There is nothing in it"),
        (OLD_TORCH + b"N.", "use torch.load"),
        (
            pickle.dumps([Gone])[:-1].replace(b"Gone", b"Home") + b".",
            "looking up cli.test_bench.Home",
        ),
    ],
)
def test_what_a_load_would_say(capsys: Output, file: Path, data: bytes, text: str) -> None:
    file.write_bytes(data)
    assert main(["bench", str(file)]) == 1
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert ".." not in error.replace(str(file), "")


# --- classes of the folder, unsteady times, a closed pipe


def test_a_class_of_the_current_folder(tmp_path):
    """The command does not look there, `python -m quickpickle` does."""
    (tmp_path / "own.py").write_text("class Item: pass\n")
    write = "import own, pickle; pickle.dump(own.Item(), open('file.pkl', 'wb'))"
    subprocess.run([sys.executable, "-c", write], cwd=tmp_path, check=True, timeout=60)
    command = "import sys; sys.path.remove(''); from quickpickle.cli import main; sys.exit(main())"
    for name in ("bench", "diagnose", "recover"):
        arguments = [name, "file.pkl"]
        done = subprocess.run(
            [sys.executable, "-c", command, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1
        assert "own is in this folder, where python -m quickpickle finds it" in done.stderr
        done = subprocess.run(
            [sys.executable, "-m", "quickpickle", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_rounds_that_differ_are_said():
    steady, unsteady = [1.0, 1.1, 1.2], [1.0, 1.3, 1.4]
    assert not bench.Times(steady, steady).is_unsteady
    assert not bench.Times(steady, None).is_unsteady
    assert bench.Times(unsteady, steady).is_unsteady
    assert bench.Times(steady, unsteady).is_unsteady
    report = bench.Report(
        Path("x"), 0, 5, 10, bench.Times(unsteady, steady), bench.Times(steady, steady), True, True
    )
    texts = [cell[1].text for cell in bench._rows(report) if cell]
    assert sum("the rounds differ much" in text for text in texts) == 1


@pytest.mark.parametrize("implementation", ["native", "python"])
def test_slow_for_lack_of_the_compiled_implementation(monkeypatch, implementation):
    monkeypatch.setattr(quickpickle, "implementation", implementation)
    slow, fast = bench.Times([2.0], [1.0]), bench.Times([1.0], [2.0])
    for dumps, loads in (
        (fast, slow),
        (slow, fast),
        (fast, fast),
        (fast, bench.Times([1.0], None)),
    ):
        report = bench.Report(Path("x"), 0, 5, 10, dumps, loads, True, True)
        texts = [cell[1].text for cell in bench._rows(report) if cell]
        is_said = implementation == "python" and slow in (dumps, loads)
        assert texts.count(timing.NOT_COMPILED) == is_said


@pytest.mark.skipif(sys.platform == "win32", reason="the pipes there give other errors")
@pytest.mark.parametrize("command", ["bench FILE --rounds 1", "demo --modules 2"])
def test_a_closed_pipe_is_no_error(tmp_path, command):
    file = tmp_path / "file.pkl"
    file.write_bytes(pickle.dumps(1))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        words = [str(file) if word == "FILE" else word for word in command.split()]
        done = subprocess.run(
            [sys.executable, "-m", "quickpickle", *words],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
