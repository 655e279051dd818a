"""docs/errors.md about loading: its examples run, and its messages are the real ones."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

import quickpickle
from differential import only_cpython
from quickpickle.rules.versions import PY314

TEXT = (Path(__file__).parents[2] / "docs" / "errors.md").read_text("utf-8")
SECTION = TEXT.partition("## The messages that are met most")[2].partition("\n## ")[0]
PARTS = {
    part.partition("\n")[0].replace("\\", "").replace("x0a", "\\x0a"): part
    for part in SECTION.split("\n### ")[1:]
}
EXAMPLES = {
    f"{number}, {heading}": example
    for heading, part in PARTS.items()
    for number, example in enumerate(re.findall(r"```python\n(.*?)```", part, re.DOTALL))
}


# From 3.14 on an HTTPError without a file warns when it is freed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(monkeypatch, name):
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    exec(compile(EXAMPLES[name], "errors.md", "exec", dont_inherit=True), vars(module))


def test_each_message_is_in_the_list_at_the_top():
    assert len(PARTS) >= 14
    listed = re.findall(r"^- \[(.*)\]\(#(.*)\)$", SECTION, re.MULTILINE)
    assert [title.replace("\\", "") for title, _ in listed] == [
        part.partition("\n")[0].replace("\\", "") for part in SECTION.split("\n### ")[1:]
    ]
    for title, anchor in listed:
        # As GitHub makes the anchor of a heading.
        plain = re.sub(r"[^\w\- ]", "", title.replace("\\_", "_").lower()).replace(" ", "-")
        assert anchor == plain, title


FAILING = {
    "AttributeError: Can't get attribute 'X' on <module '__main__'": b"c__main__\nX\n.",
    "ModuleNotFoundError: No module named 'old_name'": b"cold_name\nX\n.",
    "UnpicklingError: NEWOBJ class argument must be a type, not function": (
        b"\x80\4ccopy\ncopy\n)\x81."
    ),
    "UnpicklingError: A load persistent id instruction was encountered": b"NQ.",
    "UnicodeDecodeError: 'ascii' codec can't decode byte 0xe4 in position 0": b"\x80\2U\1\xe4.",
    "UnpicklingError: invalid load key, '<'": b"<",
    "EOFError: Ran out of input": b"",
    "UnpicklingError: pickle data was truncated": b"\x80\4X\5\0\0\0a",
    "NotImplementedError: cannot instantiate 'WindowsPath' on your system": (
        b"cpathlib\nWindowsPath\n(Va\ntR."
    ),
    "UnpicklingError: Memo value not found at index 5": b"h\5.",
    "UnpicklingError: pickle stream refers to out-of-band data but no *buffers* argument was": (
        b"\x80\5\x97."
    ),
}


@only_cpython
@pytest.mark.parametrize("message", FAILING)
def test_a_message_is_the_real_one(monkeypatch, message):
    """So that who looks for it finds it."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    if "WindowsPath" in message and sys.platform == "win32":
        pytest.skip("it can be made here")
    assert any(heading.startswith(message) for heading in PARTS)
    kind, _, text = message.partition(": ")
    if PY314 and text.startswith("Can't get attribute"):  # the page has both
        text = "module '__main__' has no attribute 'X'"
        assert text in SECTION
    with pytest.raises(Exception) as caught:  # noqa: PT011
        quickpickle.loads(FAILING[message])
    names = {cls.__name__ for cls in type(caught.value).__mro__}
    assert kind in names
    assert text in str(caught.value)
