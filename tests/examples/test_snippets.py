"""The blocks of README.md and docs/ can be pasted and run: each one of Python is a whole program.

A comment before a block names the modules or programs that it needs: `<!-- needs: torch -->`.
Or it says why the block is not run: `<!-- not run: the reason -->`. A block that ends with an
exception is followed by a block with the exception and its notes. Of the lines of a console those
that begin with `$ quickpickle` are run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# The names that a page uses without making them: its blocks would be too long with that.
BEFORE = {
    "docs/errors.md": """
import pickle, sys, threading
import quickpickle
obj = [1, threading.Lock()]
path = "data.pkl"
""",
    "docs/performance.md": """
import random
def workload(group):
    return lambda function: function
""",
}
MESSAGES_OF = ("cpython", 3, 11)
SOCKET = "redis.sock"
ADDRESS = re.compile(r"0x[0-9a-f]+")
BLOCK = re.compile(
    r"(?:^<!-- (?P<kind>needs|not run): (?P<what>.*?) -->\n)?"
    r"^```(?P<language>python|console)\n(?P<code>.*?)^```\n"
    r"(?:\n```\n(?P<output>.*?)^```\n)?",
    re.M | re.S,
)


SESSION = """
import doctest
import sys
text = {text!r}
test = doctest.DocTestParser().get_doctest(text, globals(), "block", "block", 0)
test.globs = globals()
sys.exit(doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False).failed)
"""


class Block(NamedTuple):
    page: str
    line: int
    needs: list[str]
    not_run: str
    language: str
    code: str
    output: str  # of a block that ends with an exception


def find_blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    name = page.relative_to(ROOT).as_posix()
    return [
        Block(
            name,
            text.count("\n", 0, match.start("code")),
            match["what"].split() if match["kind"] == "needs" else [],
            match["what"] if match["kind"] == "not run" else "",
            match["language"],
            match["code"],
            match["output"] or "",
        )
        for match in BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in find_blocks(page)]
PYTHON = [block for block in BLOCKS if block.language == "python" and not block.not_run]
COMMANDS = [
    (block, line.removeprefix("$ "))
    for block in BLOCKS
    if block.language == "console" and not block.not_run
    for line in block.code.splitlines()
    if line.startswith("$ quickpickle ")
]


def is_there(need: str) -> bool:
    return bool(shutil.which(need) or importlib.util.find_spec(need))


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    environment.pop("PYTHONWARNINGS", None)
    return subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that pages speak of."""
    data = {"records": [{"name": str(i), "value": i} for i in range(10)], "weights": [1.5, 2.5]}
    for name in ("data", "model", "my-model", "their-model", "orders", "customers"):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(data, 4))
    (tmp_path / "policy.toml").write_text('presets = ["plain"]\n')
    return tmp_path


@contextlib.contextmanager
def redis(block, folder):
    """A server of the test's own, where the block needs one."""
    if "redis-server" not in block.needs:
        yield
        return
    options = ["--port", "0", "--unixsocket", SOCKET, "--save", ""]
    server = subprocess.Popen(["redis-server", *options], cwd=folder, stdout=subprocess.DEVNULL)
    try:
        while not (folder / SOCKET).exists():
            assert server.poll() is None
            time.sleep(0.02)
        yield
    finally:
        server.terminate()
        server.wait(10)


def python_case(block):
    name = " ".join([f"{block.page}:{block.line}", *block.needs])
    marks = [pytest.mark.servers] if "redis-server" in block.needs else []
    return pytest.param(block, id=name, marks=marks)


@pytest.mark.costly
@pytest.mark.libraries
@pytest.mark.parametrize("block", [*map(python_case, PYTHON)])
def test_python(block, folder):
    missing = [need for need in block.needs if not is_there(need)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    shows_messages = block.output or block.code.startswith(">>>")
    if shows_messages and (sys.implementation.name, *sys.version_info[:2]) != MESSAGES_OF:
        pytest.skip("the pages show the messages of CPython 3.11")
    before = BEFORE.get(block.page, "")
    if block.code.startswith(">>>"):
        text = ADDRESS.sub("0x...", block.code)
        code = f"{before}\n{SESSION.format(text=text)}"
    else:
        code = f"{before}\n{block.code}".replace("Redis()", f"Redis(unix_socket_path='{SOCKET}')")
    (folder / "block.py").write_text(code, encoding="utf-8")
    with redis(block, folder):
        result = run([sys.executable, "block.py"], folder)
    if block.output:
        _, separator, raised = result.stderr.partition(block.output.split("\n")[0])
        assert separator + raised == block.output, result.stderr
        assert result.returncode == 1
    else:
        assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr


@pytest.mark.costly
@pytest.mark.libraries
@pytest.mark.parametrize(
    ("block", "command"), COMMANDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_command(block, command, folder):
    """Commands are understood; 1 says that something was found."""
    others = re.findall(r"\| (?!quickpickle )(\S+)", command)
    missing = [need for need in [*block.needs, *others] if not is_there(need)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    own = f'"{sys.executable}" -m quickpickle '
    command = command.replace("quickpickle ", own, 1).replace("| quickpickle ", f"| {own}")
    result = run(["sh", "-c", command], folder)
    assert result.returncode in (0, 1), result.stderr
    assert "Traceback" not in result.stderr


def test_most_blocks_are_run():
    """A reason is a rare thing, and blocks of Python say that they are."""
    assert len(PYTHON) > 25
    assert sum(bool(block.not_run) for block in BLOCKS) <= 4
    for page in PAGES:
        fences = re.findall(r"^ *```(python|console|py|pycon)", page.read_text("utf-8"), re.M)
        assert len(fences) == len(find_blocks(page)), page
