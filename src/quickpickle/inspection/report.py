"""`quickpickle inspect FILE` in a terminal: the figures of an Inspection as tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..rules.dangers import PROMISE
from .printable import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .result import Inspection, Node

_LONGEST_VALUE = 32  # characters
_PATIENCE = 1.0  # seconds without a progress bar


@contextmanager
def progress_bar(console: Console, size: int | None) -> Iterator[Callable[[int], None]]:
    """A callback for `inspect`, which shows a bar if it takes more than a second."""
    bar = Progress(
        TextColumn("reading"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=size)
    end_of_patience = time.monotonic() + _PATIENCE

    def show(position: int) -> None:
        if not bar.live.is_started and time.monotonic() > end_of_patience:
            bar.start()
        bar.update(task, completed=position)

    try:
        yield show
    finally:
        bar.stop()


def print_report(
    console: Console, inspection: Inspection, name: str, *, depth: int, top: int
) -> None:
    """Print what was found; the tree only if `depth` is not 0."""
    console.print(_figures(inspection, name))
    if len(inspection.pickles) > 1:
        console.print(_pickles(inspection, top))
    console.print(_imports(inspection, top))
    if inspection.imports:
        console.print(Text(PROMISE, "dim"))
    console.print(_types(inspection, top))
    console.print(_largest(inspection, top))
    if depth:
        console.print(_tree(inspection, depth, top))


def _figures(inspection: Inspection, name: str) -> Table:
    table = Table(title="What it is", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")

    def row(label: str, value: str | int | None, style: str = "") -> None:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(label, Text(text, style))

    row("file", printable(name))
    row("bytes", inspection.size)
    if len(inspection.pickles) != 1:
        row("pickles", len(inspection.pickles))
    if inspection.protocol is not None:
        row("protocol", inspection.protocol)
    row("frames", inspection.frames)
    row("opcodes", inspection.opcodes)
    row("objects", inspection.objects)
    row("references to them", inspection.references)
    row("depth", inspection.depth)
    unused = inspection.memo_unused
    row("memo entries", f"{inspection.memo_entries:,}, {unused:,} of them never used")
    if inspection.buffers:
        row("out-of-band buffers", inspection.buffers)
    if inspection.persistent_ids:
        row("persistent ids", inspection.persistent_ids)
    dangers = sum(found.danger is not None for found in inspection.imports)
    if dangers:
        row("can run code", f"yes: {dangers:,} of the names it imports", "bold red")
    if inspection.error is not None:
        row("broken", printable(str(inspection.error)), "bold red")
    return table


def _new_table(title: str, *columns: str, fold: bool = True) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        if column in _NUMBERS:
            table.add_column(column, justify="right", no_wrap=True)
        else:
            table.add_column(column, overflow="fold" if fold else "ellipsis", no_wrap=not fold)
    return table


_NUMBERS = frozenset(
    {"bytes", "own bytes", "with all below", "%", "objects", "times", "protocol", "opcodes"}
    | {"depth", "offset"}
)


def _more(table: Table, shown: int, count: int, what: str) -> None:
    if count > shown:
        table.caption = f"and {count - shown:,} more {what}"


def _share(part: int, inspection: Inspection) -> str:
    return f"{100 * part / inspection.size:.1f}" if inspection.size else ""


def _pickles(inspection: Inspection, top: int) -> Table:
    table = _new_table(
        "The pickles in it", "pickle", "offset", "bytes", "protocol", "opcodes", "objects", "depth"
    )
    for i, pickle in enumerate(inspection.pickles[:top]):
        numbers = (pickle.start, pickle.size, pickle.protocol, pickle.opcodes, pickle.objects)
        table.add_row(f"objs[{i}]", *(f"{number:,}" for number in (*numbers, pickle.depth)))
    _more(table, top, len(inspection.pickles), "pickles")
    return table


def _imports(inspection: Inspection, top: int) -> Table | str:
    imports = inspection.imports
    if not imports:
        return "It imports nothing."
    table = _new_table("What it would import", "name", "times", "objects", "can run code")
    # Marked names are never left out.
    shown = max(top, sum(found.danger is not None for found in imports))
    for found in imports[:shown]:
        table.add_row(
            Text(printable(f"{found.module}.{found.name}")),
            f"{found.lookups:,}",
            f"{found.objects:,}",
            Text(found.danger or "", "bold red"),
        )
    _more(table, shown, len(imports), "names")
    return table


def _types(inspection: Inspection, top: int) -> Table:
    table = _new_table(
        "What takes the space, by type", "type", "objects", "own bytes", "%", "with all below"
    )
    for found in inspection.types[:top]:
        table.add_row(
            Text(printable(found.name)),
            f"{found.objects:,}",
            f"{found.own:,}",
            _share(found.own, inspection),
            f"{found.total:,}",
        )
    _more(table, top, len(inspection.types), "types")
    return table


def _largest(inspection: Inspection, top: int) -> Table:
    table = _new_table("The largest objects", "path", "type", "own bytes", "%", "with all below")
    for node in inspection.largest(top):
        table.add_row(
            _described(node.path, node),
            Text(printable(node.type)),
            f"{node.own:,}",
            _share(node.own, inspection),
            f"{node.total:,}",
        )
    return table


def _described(label: str, node: Node) -> Text:
    text = Text(printable(label))
    value = printable(node.text)
    if value:
        short = value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
        text.append("  " + short, "dim")
    return text


def _tree(inspection: Inspection, depth: int, top: int) -> Table:
    columns = ("object", "type", "own bytes", "with all below", "%")
    table = _new_table(f"The tree, {depth:,} deep", *columns, fold=False)
    for row in inspection.tree(depth, top):
        # Deeper than a terminal is wide, the indent says nothing any more.
        indent = "  " * min(row.depth, 12)
        if row.node is None:
            label, kind = Text(f"{indent}… {counted(row.others, 'other')}", "dim"), Text()
        else:
            label = Text(indent).append(_described(row.node.step, row.node))
            kind = Text(printable(row.node.type))
        own = "" if row.node is None else f"{row.own:,}"
        table.add_row(label, kind, own, f"{row.total:,}", _share(row.total, inspection))
    return table
