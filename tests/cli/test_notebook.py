"""The results of `bench` and `demo` in a notebook: the rows of the terminal's table, as HTML."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from quickpickle.cli import bench, demo, table_html, timing
from quickpickle.cli.terminal import Screen, Text

Output = pytest.CaptureFixture[str]

HOSTILE = "<img src=x onerror=alert(1)> & \"'\x1b[2J"


class Table(HTMLParser):
    """Reads the cells of a table, and the names of all tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] == "td":
            self.rows[-1][-1] += data


def printed_rows(title: str, rows: Any, capsys: Output) -> Iterator[list[str]]:
    """The rows that a terminal's table has, without empty lines."""
    Screen().table(title, (), rows)
    for line in capsys.readouterr().out.splitlines()[1:]:
        if line.strip():
            label, _, text = line[2:].partition("  ")
            yield [label.strip(), text.strip()]


def test_bench(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "ROUND_SECONDS", 0)
    monkeypatch.delenv("COLUMNS", raising=False)
    file = tmp_path / "a & b.pkl"
    file.write_bytes(pickle.dumps({"names": ["x", "y"]}))
    report = bench.run(str(file), rounds=1)
    assert capsys.readouterr().out == ""
    table = Table(report._repr_html_())
    assert ["file", str(file)] in table.rows
    assert ["bytes identical", "yes"] in table.rows
    assert table.rows == list(printed_rows("", bench._rows(report), capsys))
    bench.run(file, rounds=1, screen=Screen())
    assert "bytes identical" in capsys.readouterr().out


@pytest.mark.costly
def test_demo(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    report = demo.run(modules=2, output=str(tmp_path / "<b>.pickle"))
    assert capsys.readouterr().out == ""
    table = Table(report._repr_html_())
    assert ["modules", "2"] in table.rows
    assert ["file", str(tmp_path / "<b>.pickle")] in table.rows
    assert table.rows == list(printed_rows("", demo._rows(report), capsys))


def test_texts_are_escaped() -> None:
    rows = [(HOSTILE, Text(HOSTILE, "alarm")), (), ("number", 1_000)]
    shown = table_html.make_table(HOSTILE, rows)
    assert "\x1b" not in shown
    table = Table(shown)
    text = HOSTILE.replace("\x1b", "\\x1b")
    assert table.rows == [[text, text], ["number", "1,000"]]
    assert table.tags == {"p", "b", "table", "tbody", "tr", "td"}


def test_styles_are_colours() -> None:
    shown = table_html.make_table("title", [("label", Text("no", "alarm")), ("other", "text")])
    assert len(re.findall("color:#", shown)) == 1
    assert 'color:#dc4b46;font-weight:bold">no</td>' in shown


def luminance(colour: str) -> float:
    """Of a colour, as WCAG 2.2 defines it (relative luminance)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(part * x for part, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("page", ["#ffffff", "#1e1e1e", "#111111"])
def test_colours_can_be_read_on_light_and_dark_pages(page: str) -> None:
    for colour in table_html._COLOURS.values():
        darker, lighter = sorted((luminance(colour), luminance(page)))
        assert (lighter + 0.05) / (
            darker + 0.05
        ) >= 4  # WCAG asks for 3 where the text is bold and large
