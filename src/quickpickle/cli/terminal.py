"""Text and tables for a terminal, or for whatever else the standard output is.

Nothing but the standard library is needed. Columns of numbers are never narrowed; texts are folded
where a terminal is too narrow for them, and left whole where the output is no terminal.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeVar

_GAP: Final = "  "
_NARROWEST: Final = 12  # of a column of text
_CODES: Final = {"strong": "1", "quiet": "2", "alarm": "1;31", "good": "32", "warning": "33"}
_PATIENCE: Final = 1.0  # seconds without a word about how far it is
_INTERVAL: Final = 0.1  # seconds between two of them

_T = TypeVar("_T")


class Text(NamedTuple):
    """A text in a style: "strong", "quiet", "alarm", "good", "warning", or as it is."""

    text: str
    style: str = ""


Cell = str | int | float | Text | None
"""Numbers are written with separators, and to the right; a float has one digit, as a percentage."""


class Screen:
    """Prints to the standard output."""

    def __init__(self) -> None:
        is_terminal = sys.stdout.isatty()
        self._has_styles = is_terminal and _takes_styles()
        self._is_first = True
        self._width = None
        if is_terminal or "COLUMNS" in os.environ:
            self._width = shutil.get_terminal_size().columns

    def line(self, text: str = "", style: str = "") -> None:
        """Print a line; a long one is broken between words."""
        width = self._width or sys.maxsize
        indent = " " * (len(text) - len(text.lstrip()))
        for part in textwrap.wrap(text, max(width, 20), subsequent_indent=indent) or [""]:
            print(self._styled(part, style))
        self._is_first = False

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        note: str = "",
    ) -> None:
        """Print a title, a table, and a note. `columns` are the headings, or nothing.

        An empty row is an empty line.
        """
        cells = [[text_of(cell) for cell in row] for row in rows]
        is_number = [True] * max(map(len, cells), default=len(columns))
        for row in cells:
            for i, (_, is_one) in enumerate(row):
                is_number[i] = is_number[i] and is_one
        heads = [[(Text(column), False) for column in columns]] if columns else []
        texts = [[cell.text for cell, _ in row] for row in heads + cells]
        widths = [
            max((width_of(row[i]) for row in texts if i < len(row)), default=0)
            for i in range(len(is_number))
        ]
        self._narrow(widths, is_number)
        if not self._is_first:
            self.line()
        self.line(title, "strong")
        for row in heads:
            self._row(row, widths, is_number)
            rule = _GAP + _GAP.join("-" * width for width in widths)
            print(self._styled(rule, "quiet"))
        for row in cells:
            self._row(row, widths, is_number)
        if note:
            self.line(f"{_GAP}{note}", "quiet")

    def _narrow(self, widths: list[int], is_number: Sequence[bool]) -> None:
        """Take from the widest columns of text what the screen has no place for."""
        if self._width is None:
            return
        over = sum(widths) + len(_GAP) * len(widths) - self._width
        texts = [i for i, number in enumerate(is_number) if not number]
        while over > 0 and texts:
            widest = max(texts, key=lambda i: widths[i])
            if widths[widest] <= _NARROWEST:
                return
            widths[widest] -= 1
            over -= 1

    def _row(
        self,
        row: Sequence[tuple[Text, bool]],
        widths: Sequence[int],
        is_number: Sequence[bool],
    ) -> None:
        folded = [fold(cell.text, width) for (cell, _), width in zip(row, widths, strict=False)]
        for number in range(max(map(len, folded), default=1)):
            line = ""
            for i, ((cell, _), lines) in enumerate(zip(row, folded, strict=True)):
                part = lines[number] if number < len(lines) else ""
                space = " " * (widths[i] - width_of(part))
                part = self._styled(part, cell.style)
                line += _GAP + (space + part if is_number[i] else part + space)
            print(line.rstrip())

    def _styled(self, text: str, style: str) -> str:
        if not (style and text and self._has_styles):
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def _takes_styles() -> bool:
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return False
    return sys.platform != "win32" or "WT_SESSION" in os.environ


def text_of(cell: Cell) -> tuple[Text, bool]:
    """The text, and whether it may be in a column of numbers."""
    if cell is None:
        return Text(""), True
    if isinstance(cell, float):
        return Text(f"{cell:,.1f}"), True
    if isinstance(cell, int):
        return Text(f"{cell:,}"), True
    return cell if isinstance(cell, Text) else Text(cell), False


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_width_of_character, text))


def _width_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fold(text: str, width: int) -> list[str]:
    """The text in lines of at most this width, with its indent, which takes half of it at most.

    They are broken between words, or else before a dot or bracket, where that leaves no line that
    is shorter than half the width.
    """
    words = text.lstrip(" ")
    indent = min(len(text) - len(words), width // 2) if words else 0
    if not indent:
        return _fold(text, width)
    return [" " * indent + line for line in _fold(words, width - indent)]


def _fold(text: str, width: int) -> list[str]:
    lines: list[str] = []
    start = 0
    while True:
        end = _end(text, start, width)
        if end == len(text):
            return [*lines, text[start:]]
        after = end
        if text[end] == " ":
            after += 1
        else:
            half = (end - start) // 2
            space = text.rfind(" ", start, end)
            sign = max(text.rfind(".", start, end + 1), text.rfind("[", start, end + 1))
            if space - start >= half:
                end, after = space, space + 1
            elif sign - start > half:
                end = after = sign
        lines.append(text[start:end])
        start = after


def _end(text: str, start: int, width: int) -> int:
    """Where the line ends that begins at `start`; it has at least a character, if there is one."""
    used = 0
    for i in range(start, len(text)):
        used += _width_of_character(text[i])
        if used > width and i > start:
            return i
    return len(text)


class Status:
    """A line on a terminal that says how far something is, if that takes more than a second."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._next = time.monotonic() + _PATIENCE
        self._shown = ""

    def __enter__(self) -> Status:
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._shown:
            self._write("")
            print("\r", end="", file=sys.stderr, flush=True)

    def show(self, text: str) -> None:
        """Show this, ten times a second at most."""
        if self._is_terminal and time.monotonic() >= self._next:
            self._next = time.monotonic() + _INTERVAL
            self._write(text)

    def say(self, text: str) -> None:
        """Show this at once: what follows may take long, without a word in between."""
        if self._is_terminal:
            self._write(text)

    def track(self, items: Collection[_T], text: str) -> Iterator[_T]:
        """The items, with the text and how many are done."""
        for number, item in enumerate(items):
            self.show(f"{text}: {number} of {len(items)}")
            yield item

    def _write(self, text: str) -> None:
        space = " " * (len(self._shown) - len(text))
        print(f"\r{text}{space}", end="", file=sys.stderr, flush=True)
        self._shown = text


def bytes_read(status: Status, size: int | None) -> Callable[[int], None]:
    """A function that shows how many bytes were read, of `size` if that is known."""

    def show(position: int) -> None:
        of_all = f" of {size / 1e6:,.0f} MB, {100 * position / size:.0f} %" if size else " MB"
        status.show(f"reading: {position / 1e6:,.0f}{of_all}")

    return show


@contextmanager
def until_closed() -> Iterator[None]:
    """Print within this: a reader that has seen enough, as `head`, is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The rest of the buffer would be written at the end, in vain.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
