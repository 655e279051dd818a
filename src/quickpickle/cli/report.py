"""`quickpickle inspect FILE` in a terminal: the figures of an Inspection as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ..inspection.printable import counted, printable
from ..rules.kinds import DANGEROUS, HARMLESS, MAYBE, PROMISE, UNKNOWN
from .terminal import Cell, Screen, Text

if TYPE_CHECKING:
    from ..inspection import Inspection, Node

_LONGEST_VALUE: Final = 32  # characters
_STYLES: Final = {DANGEROUS: "alarm", UNKNOWN: "quiet", HARMLESS: ""}


def print_report(
    screen: Screen, inspection: Inspection, name: str, *, depth: int, top: int
) -> None:
    """Print what was found; the tree only if `depth` is not 0."""
    _print_figures(screen, inspection, name)
    if len(inspection.pickles) > 1:
        _print_pickles(screen, inspection, top)
    _print_imports(screen, inspection, top)
    _print_storages(screen, inspection, top)
    _print_largest(screen, inspection, top)
    _print_types(screen, inspection, top)
    if depth:
        _print_tree(screen, inspection, depth, top)


def _print_figures(screen: Screen, inspection: Inspection, name: str) -> None:
    rows: list[tuple[str, Cell]] = [("file", printable(name))]
    if inspection.archive is not None:
        member = printable(inspection.archive.member)
        rows.append(("what is read", f"a ZIP file of torch.save: {member}"))
    rows.append(("bytes", f"{inspection.size:,}"))

    def add(label: str, value: int | None, is_shown: bool = True) -> None:
        if value is not None and is_shown:
            rows.append((label, f"{value:,}"))

    add("pickles", len(inspection.pickles), len(inspection.pickles) != 1)
    add("protocol", inspection.protocol)
    add("frames", inspection.frames)
    add("opcodes", inspection.opcodes)
    add("objects", inspection.objects)
    add("references to them", inspection.references)
    add("depth", inspection.depth)
    entries, unused = inspection.memo_entries, inspection.memo_unused
    rows.append(("memo entries", f"{entries:,}, {unused:,} of them never used"))
    add("out-of-band buffers", inspection.buffers, inspection.buffers > 0)
    add("persistent ids", inspection.persistent_ids, inspection.persistent_ids > 0)
    dangerous, unknown = inspection.count(DANGEROUS), inspection.count(UNKNOWN)
    if dangerous:
        text = f"yes: {dangerous:,} of the names it imports"
        rows.append(("can run code", Text(text, "alarm")))
    if unknown:
        text = f"unknown, so it may: {unknown:,} of the names it imports"
        rows.append(("" if dangerous else "can run code", Text(text, "quiet" * bool(dangerous))))
    if inspection.error is not None:
        rows.append(("broken", Text(printable(str(inspection.error)), "alarm")))
    screen.table("The file", (), rows)


def _more(shown: int, count: int, what: str) -> str:
    more = count - shown
    return f"and {more:,} more {what}{'' if more == 1 else 's'}" if more > 0 else ""


def _share(part: int, inspection: Inspection) -> float | None:
    return 100 * part / inspection.size if inspection.size else None


def _print_pickles(screen: Screen, inspection: Inspection, top: int) -> None:
    columns = ("pickle", "offset", "bytes", "protocol", "opcodes", "objects", "depth")
    rows: list[Sequence[Cell]] = [
        (f"objs[{i}]", one.start, one.size, one.protocol, one.opcodes, one.objects, one.depth)
        for i, one in enumerate(inspection.pickles[:top])
    ]
    note = _more(top, len(inspection.pickles), "pickle")
    screen.table("The pickles in it", columns, rows, note)


def _print_imports(screen: Screen, inspection: Inspection, top: int) -> None:
    imports = inspection.imports
    if not imports:
        screen.line()
        screen.line("It imports nothing.")
        return
    # Those that are known to run code are never left out.
    shown = max(top, inspection.count(DANGEROUS))
    rows: list[Sequence[Cell]] = [
        (
            printable(f"{found.module}.{found.name}"),
            found.lookups,
            found.objects,
            printable(found.path or ""),
            Text(found.danger or (MAYBE if found.kind == UNKNOWN else ""), _STYLES[found.kind]),
        )
        for found in imports[:shown]
    ]
    note = _more(shown, len(imports), "name")
    unknown = sum(found.kind == UNKNOWN for found in imports[shown:])
    if unknown:
        note += f", {unknown:,} of them unknown: --top {len(imports)} shows all"
    columns = ("name", "times", "objects", "first at", "can run code")
    screen.table("The names it would import", columns, rows, note)
    screen.line(f"  {PROMISE}", "quiet")
    _print_missing(screen, inspection, top)


def _print_missing(screen: Screen, inspection: Inspection, top: int) -> None:
    missing = inspection.missing
    if not missing:
        return
    rows: list[Sequence[Cell]] = [
        (printable(f"{one.module}.{one.name}"), printable(one.path or ""), printable(one.why))
        for one in missing[:top]
    ]
    columns = ("name", "first at", "why")
    title = "The names that would not be found here"
    screen.table(title, columns, rows, _more(top, len(missing), "name"))


def _print_storages(screen: Screen, inspection: Inspection, top: int) -> None:
    if inspection.archive is None or not inspection.archive.storages:
        return
    storages = inspection.archive.storages
    rows: list[Sequence[Cell]] = [(one.size, printable(one.key)) for one in storages[:top]]
    title = "The largest storages beside the pickle: the bytes of tensors"
    all_bytes = sum(one.size for one in storages)
    note = f"{counted(len(storages), 'storage')}, {all_bytes:,} bytes in all"
    screen.table(title, ("bytes", "key"), rows, note)


def _print_types(screen: Screen, inspection: Inspection, top: int) -> None:
    # All is in a pickle: the line of it says nothing.
    types = [one for one in inspection.types if one.name != "pickle"]
    rows: list[Sequence[Cell]] = [
        (one.total, _share(one.total, inspection), one.objects, printable(one.name))
        for one in types[:top]
    ]
    columns = ("bytes", "%", "objects", "type")
    note = _more(top, len(types), "type")
    screen.table("The bytes by type, each with all below", columns, rows, note)


def _print_largest(screen: Screen, inspection: Inspection, top: int) -> None:
    nodes = inspection.largest(top)
    rows: list[Sequence[Cell]] = [
        (
            node.total,
            _share(node.total, inspection),
            printable(node.path),
            printable(node.type),
            _value(node),
        )
        for node in nodes
    ]
    columns = ["bytes", "%", "object", "type", "value"]
    if not any(node.text for node in nodes):
        del columns[-1]
        rows = [row[:-1] for row in rows]
    screen.table("The largest objects, each with all below", columns, rows)


def _value(node: Node) -> Text:
    value = printable(node.text)
    short = value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
    return Text(short, "quiet")


def _print_tree(screen: Screen, inspection: Inspection, depth: int, top: int) -> None:
    rows: list[Sequence[Cell]] = []
    for row in inspection.tree(depth, top):
        # Deeper than a terminal is wide, the indent says nothing any more.
        indent = "  " * min(row.depth, 12)
        share = _share(row.total, inspection)
        if row.node is None:
            label = Text(f"{indent}… {counted(row.others, 'other')}", "quiet")
            rows.append((label, "", row.total, share, None))
        else:
            label = Text(indent + printable(row.node.step))
            kind = f"{printable(row.node.type)} {_value(row.node).text}".rstrip()
            rows.append((label, kind, row.total, share, row.own))
    columns = ("object", "type, and value", "bytes", "%", "own")
    title = f"The tree, {depth:,} deep: bytes with all below, and those of the object itself"
    screen.table(title, columns, rows)
