"""Tables and the status line, as a terminal shows them."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from typing import Any

import pytest

from quickpickle.cli import terminal
from quickpickle.cli.terminal import Screen, Status, Text, bytes_read, fold, width_of

Output = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lines that a terminal of 42 columns gets from Screen.table."""
    monkeypatch.setenv("COLUMNS", "42")
    monkeypatch.setenv("WT_SESSION", "1")
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)

    def show(*arguments: Any, **options: Any) -> list[str]:
        with redirect_stdout(Terminal()) as file:
            Screen().table(*arguments, **options)
        return file.getvalue().splitlines()

    return show


ROWS = [("short", 1, Text("runs commands", "alarm")), ("long" * 20, 123_456_789, ""), ()]


def test_a_table(shown: Any) -> None:
    assert shown("Title", ("name", "number", "mark"), ROWS) == [
        "\x1b[1mTitle\x1b[0m",
        "  name               number  mark",
        "\x1b[2m  ------------  -----------  -------------\x1b[0m",
        "  short                   1  \x1b[1;31mruns commands\x1b[0m",
        "  longlonglong  123,456,789",
        *["  longlonglong"] * 5,
        "  longlong",
        "",
    ]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours(shown: Any, monkeypatch: Any, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    lines = shown("Title", (), ROWS, "a note")
    assert "\x1b" not in "".join(lines)
    assert lines[-2:] == ["", "  a note"]


def test_no_terminal(capsys: Output, monkeypatch: Any) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    screen = Screen()
    screen.table("One", (), ROWS)
    screen.table("Other", (), [("x", 1.25, None)])
    screen.line("a word " * 40)
    out = capsys.readouterr().out
    assert "long" * 20 in out
    assert "\x1b" not in out
    assert "\n\nOther\n  x  1.2\n" in out
    assert "a word " * 39 + "a word\n" in out


def test_an_indent(shown: Any) -> None:
    """It goes on in the next lines, as long as there is place behind it."""
    lines = shown("Title", (), [("    ['a long key'].data", 1), (" " * 50 + "deep", 2)])
    assert lines[1:] == [
        "      ['a long key'].data                1",
        "                    deep                 2",
    ]
    assert fold("    longlong", 8) == ["    long"] * 2
    assert fold(" " * 20 + "longlong", 8) == ["    long"] * 2


def test_widths() -> None:
    assert width_of("abc") == 3
    assert width_of("日本") == 4
    assert width_of("e\u0301") == 1
    assert fold("日本語日本語", 5) == ["日本", "語日", "本語"]
    assert fold("", 5) == [""]
    assert fold("日本", 1) == ["日", "本"]


def test_texts_are_folded_between_words() -> None:
    assert fold("it was in the other", 10) == ["it was in", "the other"]
    assert fold("the rounds differ", 10) == ["the rounds", "differ"]
    assert fold("a longlonglong", 10) == ["a longlong", "long"]
    assert fold("obj['a key of a dict']", 12) == ["obj['a key", "of a dict']"]
    assert fold("obj['orders']._mgr.blocks[0]", 20) == ["obj['orders']._mgr", ".blocks[0]"]
    assert fold("obj['orders'].index", 14) == ["obj['orders']", ".index"]
    assert fold("obj['customers']", 12) == ["obj['custome", "rs']"]
    assert fold("pandas.core.internals.managers", 21) == ["pandas.core.internals", ".managers"]
    assert fold("one ", 3) == ["one", ""]
    assert fold(" " * 5, 2) == ["  ", "  "]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_the_status_waits(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    file = Terminal()
    monkeypatch.setattr(sys, "stderr", file)
    with Status() as status:
        progress = bytes_read(status, 4_000_000)
        progress(1_000_000)
        assert file.getvalue() == ""
        clock[0] = 1.0
        progress(2_000_000)
        assert file.getvalue() == "\rreading: 2 of 4 MB, 50 %"
        clock[0] = 1.05
        progress(3_000_000)
        assert file.getvalue().count("\r") == 1
        clock[0] = 1.2
        assert list(status.track("ab", "step")) == ["a", "b"]
        assert file.getvalue().endswith("\rstep: 0 of 2            ")
    assert file.getvalue().endswith("\r            \r")


def test_the_status_where_there_is_no_terminal(
    clock: list[float], capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Status() as status:
        clock[0] = 5.0
        bytes_read(status, None)(5)
        assert list(status.track([1, 2], "step")) == [1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    with Status() as status:
        status.show("nothing")
