"""`--main SCRIPT`: the classes of `__main__` come from the script that wrote the file."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SCRIPT = """
import pickle, sys
class Item:
    class Inner:
        class Innermost: pass
        @staticmethod
        def static(): pass
def function():
    pass
def make():
    global Made
    class Local:
        pass
    Local.__qualname__ = "Made"
    Made = Local
make()
if __name__ == "__main__":
    with open(sys.argv[1], "wb") as file:
        inner = Item.Inner
        pickle.dump([Item(), function, inner(), inner.Innermost(), inner.static, Made()], file)
"""
NAMES = ["Item", "function", "Item.Inner", "Item.Inner.Innermost", "Item.Inner.static", "Made"]
# Each with what it prints of the file above, and with arguments of its own.
COMMANDS = {
    "bench": ("times as fast", ["--rounds", "1"]),
    "diagnose": ("No problems: it can be pickled.", []),
    "inspect": ("refuses nothing in it", ["--policy", "policy.toml"]),
    "recover": ("<Recovered: whole, list of 6>", []),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    allowed = ", ".join(f'"__main__.{name}"' for name in NAMES)
    (tmp_path / "policy.toml").write_text(f"allow = [{allowed}]\n")
    subprocess.run([sys.executable, "script.py", "file.pkl"], cwd=tmp_path, check=True, timeout=60)
    return tmp_path


def run(folder, command, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "quickpickle", command, "file.pkl", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.costly
@pytest.mark.parametrize("command", COMMANDS)
def test_the_classes_of_a_script(folder, command):
    printed, own = COMMANDS[command]
    done = run(folder, command, *own)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("If it was written by a script: --main SCRIPT")
    assert printed not in done.stdout
    done = run(folder, command, *own, "--main", "script.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert printed in done.stdout
    if command == "bench":
        size = re.search(r"bytes +([\d,]+)", done.stdout)[1].replace(",", "")
        # The names are those of __main__ again.
        assert int(size) == (folder / "file.pkl").stat().st_size


def test_what_is_recovered_without_it(folder):
    assert "<Recovered: not whole, list of 0" in run(folder, "recover").stdout


def test_names_that_inspect_would_not_find(folder):
    """Without a policy it needs no class, but says which would not be found."""
    assert "would not be found here" in run(folder, "inspect").stdout
    done = run(folder, "inspect", "--main", "script.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "__main__.Item" in done.stdout
    assert "would not be found here" not in done.stdout


@pytest.mark.costly
@pytest.mark.parametrize("text", [None, "1 / 0", "import sys; sys.exit(3)"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_script_that_cannot_be_run(folder, command, text):
    script = folder / "script.py"
    if text is None:
        script.unlink()
    else:
        script.write_text(text)
    done = run(folder, command, *COMMANDS[command][1], "--main", "script.py")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "script.py" in line
    if text is not None:
        assert line.startswith("quickpickle: cannot run script.py: ")
    if text == "1 / 0":
        assert line.endswith(": ZeroDivisionError: division by zero")
