"""No sentence of a comment, docstring or page begins with What, Who or Whoever; a question may.

The dated logs in docs/runs/ are left out, and the compiled docstrings, which are generated.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tokenize
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
SKIPPED = ("docs/runs/", "src/quickpickle/compiled/generated", "tests/test_words.py")
# A capital letter begins a sentence; its end is a point, a blank line or the end of the text.
SENTENCE = re.compile(r"\b(?:What|Who|Whoever)\b(?:(?!\n\s*\n)[^.!?]|[.!?](?=[\w/.]))*(?P<q>\?)?")
CODE = re.compile(r"`[^`]+`|^[ \t]*>>> .*(?:\n[ \t]*\S.*)*", re.MULTILINE)
FENCE = re.compile(r"(?ms)^```(?:python\n(?P<code>.*?)|.*?\n)^```$")
# In Cython, which tokenize does not read, a comment has its own line, or two spaces before it.
CYTHON = re.compile(r'^[ \t]*#.*(?:\n[ \t]*#.*)*|[ \t]{2}#.*|"""(?:.|\n)*?"""', re.MULTILINE)
PATTERNS = {".pyx": CYTHON, ".pxi": CYTHON, ".pxd": CYTHON, ".h": re.compile(r"(?s)/\*.*?\*/")}


def without(pattern, text):
    return pattern.sub(lambda match: "\n" * match[0].count("\n"), text)


def prose_of_python(text):
    """The comments and docstrings, each with its first line; comments in a row are one."""
    parts, end, is_new = [], -1, True  # `end`: the last line, if that is a comment alone
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind, string, (line, column) = token[:3]
        if kind == tokenize.COMMENT:
            is_alone = not token.line[:column].strip()
            if is_alone and end == line - 1:
                parts[-1] = (parts[-1][0], f"{parts[-1][1]}\n{string[1:]}")
            else:
                parts.append((line, string[1:]))
            end = line if is_alone else -1
        elif kind == tokenize.STRING and is_new:  # a statement begins with it
            parts.append((line, string))
        if kind not in (tokenize.COMMENT, tokenize.NL):
            is_new = kind in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    return parts


def found(text, suffix):
    """The lines of a file that break the rule, in order."""
    if suffix == ".md":
        parts = [(1, without(FENCE, text))]
        for fence in FENCE.finditer(text):
            before = text.count("\n", 0, fence.start("code"))
            parts += [(before + line, part) for line, part in prose_of_python(fence["code"] or "")]
    elif suffix in PATTERNS:
        matches = PATTERNS[suffix].finditer(text)
        parts = [(text.count("\n", 0, match.start()) + 1, match[0]) for match in matches]
    else:
        parts = prose_of_python(text)
    return sorted(
        line + part.count("\n", 0, match.start())
        for line, part in parts
        for match in SENTENCE.finditer(without(CODE, part))
        if not match["q"]
    )


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="no checkout")
def test_no_sentence_begins_so():
    command = ["git", "ls-files", "*.py", "*.md", *(f"*{suffix}" for suffix in PATTERNS)]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    bad = []
    for name in names.splitlines():
        path = ROOT / name
        if path.exists() and not name.startswith(SKIPPED):
            bad += [f"{name}:{line}" for line in found(path.read_text("utf-8"), path.suffix)]
    assert bad == []


@pytest.mark.parametrize(
    ("suffix", "text", "lines"),
    [
        (".py", 'def f():\n    """Good.\n\n    Parameters\n    n\n        Who asks."""\n', [6]),
        (".py", "# One. What\n# two.\nx = 1  # Whoever calls.\n# It: What\n", [1, 3, 4]),
        (".py", 'x = "What"  # Why who\n# What is\n# it? `What` is.\n"""A.\n\n>>> What\n"""', []),
        (".md", "# What it is\n\n| a | What b |\n\n```console\nWhat\n```\n", [1, 3]),
        (".md", "What is\n\nit?\n\n```python\nx = '''\nWhat'''\n# Who is.\n```\n", [1, 8]),
        (".md", "## What is it?\n\n`What` and what. What of `a?`.\n", [3]),
        (".pxi", 'f()  # What\n# Who is it?\n# Who\ncdef g():\n    """A. What b."""\n', [1, 3, 5]),
        (".h", "int a; /* One.\n * What two. */\n", [2]),
    ],
)
def test_what_is_found(suffix, text, lines):
    assert found(text, suffix) == lines
