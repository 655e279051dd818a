"""The command `quickpickle demo`: its output, its files and its exit codes."""

from __future__ import annotations

import ast
import functools
import gc
import os
import pickle
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import quickpickle
from differential import only_cpython
from quickpickle.cli import demo, main, timing

pytestmark = pytest.mark.costly

Output = pytest.CaptureFixture[str]

NAN = float("nan")


@pytest.fixture(autouse=True)
def temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of the test's own, for this process and those that it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # The output is that of a pipe, also where the tests run in a terminal.
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, as text in UTF-8."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        check=False,
        timeout=120,
    )


def row(table: str, label: str) -> str:
    """The cell of the printed table next to `label`."""
    cells = [line.strip().partition("  ") for line in table.splitlines()]
    (text,) = (text for name, _, text in cells if name == label)
    return text.strip()


# --- demo


def test_demo(capsys: Output, temporary_directory: Path) -> None:
    assert main(["demo", "--modules", "5"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert row(printed.out, "modules") == "5"
    assert row(printed.out, "bytes identical") == "yes"
    assert row(printed.out, "trees equal") == "yes"
    (path,) = temporary_directory.glob("quickpickle-*/stdlib.pickle")
    assert row(printed.out, "bytes") == f"{path.stat().st_size:,}"
    trees = pickle.loads(path.read_bytes())
    assert type(trees) is dict
    assert len(trees) == 5
    assert {type(tree) for tree in trees.values()} == {ast.Module}


@only_cpython  # pickle's bytes, with which it compares, are not CPython's
def test_demo_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "[red]trees"
    result = python("-m", "quickpickle", "demo", "--modules", "3", "--output", str(path))
    assert (result.returncode, result.stderr) == (0, "")
    assert len(pickle.loads(path.read_bytes())) == 3
    assert "\x1b" not in result.stdout
    assert "\r" not in result.stdout
    lines = result.stdout.splitlines()
    assert "quickpickle" not in lines[0]  # the table's title: no progress comes before it
    assert row(result.stdout, "file") == str(path)


def test_demo_with_bytes_that_differ(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    other = functools.partial(pickle.Pickler, protocol=2)
    monkeypatch.setattr(pickle, "Pickler", other)
    assert main(["demo", "--modules", "2"]) == 1
    printed = capsys.readouterr()
    assert row(printed.out, "bytes identical") == "NO"
    assert row(printed.out, "trees equal") == "yes"
    assert printed.err == "quickpickle: the bytes are not those of the standard pickler\n"


MODULES = pytest.mark.parametrize("module", [quickpickle, pickle], ids=lambda it: it.__name__)


@MODULES
def test_demo_with_trees_that_differ(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    def load(file: Any) -> Any:
        trees = original(file)
        next(iter(trees.values())).body.pop()
        return trees

    original = module.load
    monkeypatch.setattr(module, "load", load)
    assert main(["demo", "--modules", "2"]) == 1
    printed = capsys.readouterr()
    assert row(printed.out, "bytes identical") == "yes"
    assert row(printed.out, "trees equal") == "NO"
    message = f"the trees from {module.__name__}.load are not those that were pickled"
    assert printed.err == f"quickpickle: {message}\n"


@MODULES
def test_demo_with_a_pickle_that_cannot_be_read(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    monkeypatch.setattr(module, "load", lambda file: pickle.loads(b"nonsense"))
    assert main(["demo", "--modules", "2"]) == 1
    printed = capsys.readouterr()
    ours = f"quickpickle ({quickpickle.implementation})"
    name = ours if module is quickpickle else "pickle"
    assert row(printed.out, f"load, {name}") == "failed"
    assert row(printed.out, "trees equal") == "NO"
    assert "load, quickpickle is" not in printed.out
    assert printed.err == f"quickpickle: {module.__name__}.load cannot read the pickle\n"


@MODULES
def test_demo_loads_as_programs_do(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    def load(file: Any) -> Any:
        collects.append(gc.isenabled())
        return original(file)

    collects: list[bool] = []
    original = module.load
    monkeypatch.setattr(module, "load", load)
    assert main(["demo", "--modules", "2"]) == 0
    assert collects == [True, True]


def test_demo_lets_both_begin(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pickler that begins finds no memory of the other's."""

    def record(module: ModuleType, attribute: str) -> None:
        def called(*arguments: Any) -> Any:
            calls.append((attribute, module.__name__))
            return original(*arguments)

        original = getattr(module, attribute)
        monkeypatch.setattr(module, attribute, called)

    calls: list[tuple[str, str]] = []
    for module in (quickpickle, pickle):
        record(module, "Pickler")
        record(module, "load")
    assert main(["demo", "--modules", "2"]) == 0
    order = ["quickpickle", "pickle", "pickle", "quickpickle"]
    assert calls == [(name, module) for name in ("Pickler", "load") for module in order]
    printed = capsys.readouterr().out
    for direction in ("dump", "load"):
        assert row(printed, f"{direction}, quickpickle is").endswith(" times as fast")


def test_demo_where_the_standard_pickler_gives_up(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pickler:
        def __init__(self, file: object) -> None:
            assert sys.getrecursionlimit() > limit

        def dump(self, obj: object) -> None:
            raise RecursionError

    limit = sys.getrecursionlimit()
    monkeypatch.setattr(pickle, "Pickler", Pickler)
    assert main(["demo", "--modules", "2"]) == 0
    assert sys.getrecursionlimit() == limit
    printed = capsys.readouterr()
    assert row(printed.out, "dump, pickle") == "gave up with RecursionError"
    assert "dump, quickpickle is" not in printed.out
    assert row(printed.out, "trees equal") == "yes"
    assert printed.err == ""


def test_demo_interrupted(
    capsys: Output, temporary_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: demo.Watched) -> Any:
        for item in self._items.items():
            yield item
            assert list(temporary_directory.glob("*/stdlib.pickle"))
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(demo.Watched, "_watch", interrupted)
    # A process started in the background ignores SIGINT.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["demo", "--modules", "2"]) == 130
    finally:
        signal.signal(signal.SIGINT, handler)
    assert capsys.readouterr() == ("", "quickpickle: interrupted\n")
    assert list(temporary_directory.iterdir()) == []


def test_demo_that_cannot_write(capsys: Output, tmp_path: Path) -> None:
    assert main(["demo", "--modules", "1", "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("quickpickle: ")
    assert str(tmp_path) in printed.err.replace("\\\\", "\\")


def test_demo_without_a_standard_library(
    capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert main(["demo"]) == 1
    message = f"quickpickle: no source files of the standard library in {tmp_path}\n"
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("number", ["0", "-1", "many", ""])
def test_demo_with_a_wrong_number(capsys: Output, number: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["demo", f"--modules={number}"])
    assert raised.value.code == 2
    assert "is not a whole number from 1 on" in capsys.readouterr().err


# --- the parts of the demo


def test_find_modules(tmp_path: Path) -> None:
    for name in (
        "b.py",
        "a/__init__.py",
        "a/c.py",
        "a/notes.txt",
        "a/tests/test_c.py",
        "test/support.py",
        "idlelib/idle_test/x.py",
        "site-packages/rich.py",
        "lib-dynload/y.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = demo.find_modules(tmp_path)
    assert list(found.items()) == [
        ("a", tmp_path / "a" / "__init__.py"),
        ("a.c", tmp_path / "a" / "c.py"),
        ("b", tmp_path / "b.py"),
    ]


@pytest.mark.parametrize("source", [b"print 1", b"\xff", b"# coding: nonsense", b"\0"])
def test_files_that_do_not_parse_are_left_out(tmp_path: Path, source: bytes) -> None:
    path = tmp_path / "module.py"
    path.write_bytes(source)
    assert demo.parse(path) is None


def test_parse_is_silent_about_dubious_code(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(r"'\d' is 1")
    assert isinstance(demo.parse(path), ast.Module)


def test_count_values() -> None:
    # Name and Load, the name, no type comment or the like; four positions.
    assert demo.count_values(ast.parse("a", mode="eval").body) == 1 + 1 + 1 + 4
    assert demo.count_values([1, [None]]) == 4


def test_watched() -> None:
    taken: list[None] = []
    watched = demo.Watched({"a": 1, "b": 2}, lambda: taken.append(None))
    for times, dumps in enumerate((quickpickle.dumps, pickle.dumps), start=1):
        assert pickle.loads(dumps(watched)) == {"a": 1, "b": 2}
        assert len(taken) == 2 * times


def test_the_same_tree() -> None:
    source = Path(ast.__file__).read_bytes()
    assert demo.same_trees(ast.parse(source), ast.parse(source))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a + b", "a - b"),  # a node's class
        ("a", "b"),  # a field
        ("f(a)", "f(a, b)"),  # the length of a list
        ("f(a, b)", "f(b, a)"),
        ("a+b", "a +b"),  # positions only
        ("(a)", "a"),
        ("1", "True"),  # the type of a constant
        ("1", "1.0"),
        ("True", "1.0"),
        ("0.0", "0j"),
        ("'a'", "b'a'"),
        ("None", "..."),
        ("1", "2"),
        ("u'a'", " 'a'"),  # the field `kind`
    ],
)
def test_trees_that_differ(one: str, other: str) -> None:
    assert not demo.same_trees(ast.parse(one), ast.parse(other.strip()))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (NAN, -NAN, True),
        (NAN, 0.0, False),
        (0.0, -0.0, False),
        (complex(0.0, NAN), complex(0.0, -NAN), True),
        (complex(0.0, 0.0), complex(0.0, -0.0), False),
        ((1, 0.0), (1, 0.0), True),
        ((1, 0.0), (True, 0.0), False),
        ((1, 0.0), (1, -0.0), False),
        (None, None, True),
        (None, False, False),
    ],
)
def test_constants(one: Any, other: Any, same: bool) -> None:
    trees = [ast.fix_missing_locations(ast.Constant(value)) for value in (one, other)]
    assert demo.same_trees(*trees) is same


def test_integers_with_more_digits_than_repr_writes() -> None:
    one, same, other = (ast.parse("0x" + digits) for digits in ("f" * 5000, "F" * 5000, "e" * 5000))
    assert demo.same_trees(one, same)
    assert not demo.same_trees(one, other)


def test_a_missing_field_or_position_is_a_difference() -> None:
    for name in ("id", "lineno"):
        whole, part = (ast.parse("a", mode="eval").body for _ in range(2))
        delattr(part, name)
        assert not demo.same_trees(whole, part)
        assert not demo.same_trees(part, whole)
        delattr(whole, name)
        assert demo.same_trees(whole, part)


def test_a_tree_deeper_than_the_recursion_limit() -> None:
    def nested(depth: int, innermost: str) -> ast.expr:
        tree: ast.expr = ast.Name(innermost, ast.Load())
        for _ in range(depth):
            tree = ast.UnaryOp(ast.Not(), tree)
        return tree

    depth = 10 * sys.getrecursionlimit()
    assert demo.same_trees(nested(depth, "a"), nested(depth, "a"))
    assert not demo.same_trees(nested(depth, "a"), nested(depth, "b"))
    assert demo.count_values(nested(depth, "a")) > 2 * depth


@pytest.mark.parametrize("seconds", [1.0, 3.0])
def test_slow_for_lack_of_the_compiled_implementation(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr(quickpickle, "implementation", "python")
    report = demo.Report(1, 2, Path("x"), 3, seconds, 2.0, True, 1.0, 2.0, True, True)
    texts = [cell[1].text for cell in demo._rows(report) if cell]
    assert texts.count(timing.NOT_COMPILED) == (seconds > 2)
