"""The command `quickpickle run`, and the variable that installs at the start of an interpreter."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import atexit, pickle, sys
from pickle import dumps

class Item:
    pass

print(dumps.__module__, __name__, sys.argv[1:], sys.path[0])
assert type(pickle.loads(dumps(Item()))) is Item
atexit.register(lambda: print("exit", len(dumps(Item())) > 10))

if __name__ == "__main__":
    if "spawn" in sys.argv:
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            print(type(pool.apply(Item)) is Item)
    if "fail" in sys.argv:
        raise OSError("my own")
    sys.exit(3)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "a_script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def run(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("is_module", [False, True])
def test_run(script: Path, tmp_path: Path, is_module: bool) -> None:
    target = ("-m", "a_script") if is_module else (script,)
    done = run("-m", "quickpickle", "run", *target, "--its", "-m", "x", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"quickpickle __main__ ['--its', '-m', 'x'] {os.path.realpath(tmp_path)}",
        "exit True",
    ]
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("is_module", [False, True])
def test_spawned_processes_find_the_script(script: Path, tmp_path: Path, is_module: bool) -> None:
    target = ("-m", "a_script") if is_module else (script,)
    done = run("-m", "quickpickle", "run", *target, "spawn", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "True" in done.stdout.splitlines()


def test_a_package_is_run(tmp_path: Path) -> None:
    package = tmp_path / "a_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("from . import __name__ as n; print(n, __spec__.name)")
    done = run("-m", "quickpickle", "run", "-m", "a_package", cwd=tmp_path)
    assert done.stdout == "a_package a_package.__main__\n"


def test_errors_are_the_script_s(script: Path, tmp_path: Path) -> None:
    done = run("-m", "quickpickle", "run", script, "fail", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("OSError: my own\n")
    assert f'File "{script}", line ' in done.stderr
    assert "run.py" not in done.stderr


@pytest.mark.parametrize("target", [("-m", "no_such_module"), ("no_such_script.py",), (".",)])
def test_nothing_to_run(tmp_path: Path, target: tuple[str, ...]) -> None:
    done = run("-m", "quickpickle", "run", *target, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("quickpickle: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "value", "module"),
    [
        ((), "1", "quickpickle"),
        ((), "0", "_pickle"),
        ((), "", "_pickle"),
        (("-E",), "1", "_pickle"),
    ],
)
def test_the_variable(tmp_path: Path, options: tuple[str, ...], value: str, module: str) -> None:
    """setup.py writes the line into a file that the interpreter reads when it starts."""
    setup = (Path(__file__).parent.parent.parent / "setup.py").read_text("utf-8")
    (line,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(setup).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "STARTUP"  # type: ignore[attr-defined]
    ]
    assert line.startswith("import ")
    assert line.count("\n") == 1
    (tmp_path / "quickpickle.pth").write_text(line)
    code = f"import site; site.addsitedir({str(tmp_path)!r}); from pickle import dumps as d; "
    code += "print(d.__module__)"
    done = run(*options, "-c", code, cwd=tmp_path, QUICKPICKLE_INSTALL=value)
    assert (done.stdout, done.stderr) == (f"{module}\n", "")
