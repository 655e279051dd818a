"""A real Python 2.7 reads protocols 0 to 2, thanks to fix_imports."""

from __future__ import annotations

import collections
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECK = """\
import sys, cPickle, pickle
for module in (pickle, cPickle):
    with open(sys.argv[1], "rb") as file:
        loaded = module.load(file)
    assert loaded == eval(sys.argv[2]), loaded
print(repr(loaded))
"""


def find_python2() -> str | None:
    """Python 2.7 on the PATH, or among pyenv's versions."""
    candidates = [shutil.which("python2.7"), shutil.which("python2")]
    root = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    candidates += map(str, sorted(Path(root).glob("versions/2.7*/bin/python2.7")))
    for candidate in candidates:
        if candidate and subprocess.run([candidate, "-V"], capture_output=True).returncode == 0:
            return candidate
    return None


PYTHON2 = find_python2()


@pytest.mark.skipif(PYTHON2 is None, reason="no Python 2.7 on this machine")
@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        ([None, True, 1, -(2**40), 1.5, 2j], "[None, True, 1, -(2**40), 1.5, 2j]"),
        ("text é \n\\ \U0001f600", 'u"text \\xe9 \\n\\\\ \\U0001f600"'),
        (b"bytes \xff", 'b"bytes \\xff"'),
        ([b"", b"a"], '[b"", b"a"]'),
        (bytearray(b"x"), 'bytearray(b"x")'),
        ({1, 2}, "set([1, 2])"),
        (frozenset([1]), "frozenset([1])"),
        ({"k": (1, (2,), [])}, '{u"k": (1, (2,), [])}'),
        ([range, str, int, len], "[xrange, unicode, long, len]"),
        (map, '__import__("itertools").imap'),
        ([OSError, ImportError, KeyError], "[OSError, ImportError, KeyError]"),
        (collections.OrderedDict([("a", 1)]), '__import__("collections").OrderedDict([(u"a", 1)])'),
        (collections.UserDict, '__import__("UserDict").IterableUserDict'),
    ],
    ids=range(13),
)  # fmt: skip
def test_python2_reads_it(implementation, tmp_path, protocol, obj, expected):
    path = tmp_path / "pickle"
    path.write_bytes(implementation.dumps(obj, protocol, fix_imports=True))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [PYTHON2, "-c", CHECK, str(path), "# coding: utf-8\n" + expected]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
