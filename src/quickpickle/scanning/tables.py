"""Names for the parts of pandas' tables: `obj['a'].iloc[1]`, `obj.index[3]`, `obj.columns[0]`.

A DataFrame is pickled as blocks, each with the array of some of its columns, and the labels behind
them. So the column of an item is known where the labels are in the pickle, as far as it was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from ..format import table
from ..rules.notation import literal

_MOST_LABELS: Final = 10_000  # of columns, that are read for the one of an item
_LONGEST_LABEL: Final = 320  # bytes
_MOST_BYTES: Final = 1 << 20  # of labels in a buffer of Arrow
_MANAGER: Final = "._mgr"  # the attribute of a table

_Steps = tuple[Any, ...]
_Found = tuple[Any, ...] | None  # a text, the owner of attributes, the names of items: see Part

KINDS: Final = {
    ("pandas.core.internals.managers", "BlockManager"): "blocks",
    ("pandas.core.internals.managers", "SingleBlockManager"): "block of a Series",
    ("pandas._libs.internals", "_unpickle_block"): "block",
    **{
        (module, name): "index"
        for module, names in (
            ("pandas.core.indexes.base", ["Index"]),
            ("pandas.core.indexes.multi", ["MultiIndex"]),
            ("pandas.core.indexes.range", ["RangeIndex"]),
            ("pandas.core.indexes.category", ["CategoricalIndex"]),
            ("pandas", ["Index", "MultiIndex", "RangeIndex", "CategoricalIndex"]),
        )
        for name in names
    },
}


def _name_in_blocks(labels: Any, manager: Any, steps: _Steps, node: int) -> _Found:
    """Of the BlockManager of a DataFrame: (blocks, axes)."""
    if steps == ("args", 0):
        return (f"{manager.text}.blocks",)
    if steps == ("args", 1):
        return (f"{manager.text}.axes",)
    if steps[:2] == ("args", 1) and len(steps) == 3 and manager.text.endswith(_MANAGER):
        axis = {0: "columns", 1: "index"}.get(steps[2])
        return None if axis is None else (f"{manager.text.removesuffix(_MANAGER)}.{axis}",)
    return None


def _name_in_series(labels: Any, manager: Any, steps: _Steps, node: int) -> _Found:
    """Of the SingleBlockManager of a Series: its state has the axes, then the values."""
    if not manager.text.endswith(_MANAGER):
        return None
    series = manager.text.removesuffix(_MANAGER)
    if steps == ("state", 0, 0):
        return (f"{series}.index",)
    if steps == ("state", 1, 0):
        values = _array(labels, series, node)
        return (values, None, lambda row: f"{series}.iloc[{row}]")
    return None


def _name_in_index(labels: Any, index: Any, steps: _Steps, node: int) -> _Found:
    """Of an Index: (class, {name of an argument: value})."""
    if steps == ("args", 1):
        return f"{index.text}.__dict__", index.text
    if steps == ("args", 1, "data"):
        values = _array(labels, index.text, node)
        return (values, None, lambda number: f"{index.text}[{number}]")
    return None


def _array(labels: Any, text: str, node: int) -> str:
    """The array of a Series or an Index, which may be one of pandas' own."""
    number = labels.scanner.type[node]
    is_of_numpy = number != table.NOTHING and labels.names_of(number)[0].startswith("numpy")
    return f"{text}.values" if is_of_numpy else f"{text}.array"


def _name_in_block(labels: Any, block: Any, steps: _Steps, node: int) -> _Found:
    """Of a block: (values, placement, number of dimensions)."""
    if steps == ("args", 1):
        return (f"{block.text}.mgr_locs",)
    if steps != ("args", 0):
        return None
    scanner = labels.scanner
    end = f"{_MANAGER}.blocks[{scanner.step[block.node]}]"
    manager = _manager_of(scanner, block.node)
    if manager is None or not block.text.endswith(end):
        return (f"{block.text}.values",)
    frame = block.text.removesuffix(end)
    arguments = child_of(scanner, block.node, table.ARGUMENTS)
    values = child_of(scanner, arguments, table.ITEM, 0)
    shape = child_of(scanner, child_of(scanner, values, table.STATE), table.ITEM, 1)
    width = _number(labels, child_of(scanner, shape, table.ITEM, 1))
    places = _positions(labels, child_of(scanner, arguments, table.ITEM, 1))
    if width is None and len(places) == 1:  # an array of pandas' own, which is one column
        name = _column(labels, frame, manager, places[0])
        return (f"{name}.array", None, lambda row: f"{name}.iloc[{row}]")

    names: dict[int, str] = {}

    def name_item(number: int) -> str | None:
        if width is None or width < 1 or number // width >= len(places):
            return None
        position = places[number // width]
        if position not in names:
            names[position] = _column(labels, frame, manager, position)
        return f"{names[position]}.iloc[{number % width}]"

    return f"{block.text}.values", None, name_item


def _manager_of(scanner: Any, node: int) -> int | None:
    """The object in whose arguments a block is: in a tuple of blocks in the tuple of arguments."""
    for role in (table.ITEM, table.ITEM, table.ARGUMENTS):
        if scanner.role[node] != role:
            return None
        node = scanner.parent[node]
    return node


NAMERS: Final[dict[str, Callable[[Any, Any, _Steps, int], _Found]]] = {
    "blocks": _name_in_blocks,
    "block": _name_in_block,
    "block of a Series": _name_in_series,
    "index": _name_in_index,
}


# --- the column of an item


def _column(labels: Any, frame: str, manager: int, position: int) -> str:
    """A column of a DataFrame: by its label, if that is known and no other one has it."""
    scanner = labels.scanner
    axes = child_of(scanner, child_of(scanner, manager, table.ARGUMENTS), table.ITEM, 1)
    label = _label(labels, child_of(scanner, axes, table.ITEM, 0), position)
    return f"{frame}.iloc[:, {position}]" if label is None else f"{frame}[{label}]"


def _label(labels: Any, index: int | None, position: int) -> str | None:
    """The literal of a label of an Index."""
    if index is None:
        return None
    if index not in labels.columns:
        labels.columns.clear()  # tables come one after the other
        labels.columns[index] = _labels_of(labels, index)
    found = labels.columns[index]
    label = found[position] if 0 <= position < len(found) else None
    return literal(label) if type(label) in (str, int) else None


def _labels_of(labels: Any, index: int) -> Sequence[Any]:
    """The labels of an Index; None in the place of those that it has twice."""
    arguments = child_of(labels.scanner, index, table.ARGUMENTS)
    data = _value(labels, child_of(labels.scanner, arguments, table.ITEM, 1))
    if "start" in data:  # a RangeIndex
        start, step = (_number(labels, data.get(name)) for name in ("start", "step"))
        if start is None or not step:
            return ()
        return range(start, start + step * _MOST_LABELS, step)
    values = data.get("data")
    found = _labels_in(labels, values) or _labels_in_arrow(labels, values)
    counts = Counter(found)
    return [label if counts[label] == 1 else None for label in found]


def _labels_in(labels: Any, values: int | None) -> list[Any]:
    """The labels in an array of objects."""
    scanner = labels.scanner
    state = child_of(scanner, values, table.STATE)
    inner = child_of(scanner, state, table.ITEM, 1)
    if inner is not None and scanner.kind[inner] == table.OBJECT:  # an array of pandas' own
        state = child_of(scanner, inner, table.STATE)
    items = child_of(scanner, state, table.ITEM, 4)
    if items is None or scanner.kind[items] != table.LIST or scanner.length[items] > _MOST_LABELS:
        return []
    nodes = scanner.children(items)
    if len(nodes) != scanner.length[items]:  # there are references among them
        return []
    return [labels.value(node, _LONGEST_LABEL) for node in nodes]


def _labels_in_arrow(labels: Any, values: int | None) -> list[Any]:
    """The labels in an array of strings of Arrow: the offsets of their ends, and the bytes."""
    scanner = labels.scanner
    array = _value(labels, child_of(scanner, values, table.STATE)).get("_pa_array")
    parts = child_of(scanner, child_of(scanner, array, table.ARGUMENTS), table.ITEM, 0)
    kind = child_of(scanner, child_of(scanner, parts, table.ITEM, 0), table.ARGUMENTS)
    alias = child_of(scanner, kind, table.ITEM, 0)
    width = {"large_string": 8, "string": 4}.get(
        "" if alias is None else labels.value(alias, _LONGEST_LABEL), 0
    )
    count, missing, start = (
        _number(labels, child_of(scanner, parts, table.ITEM, i)) for i in (1, 2, 3)
    )
    if not width or count is None or missing != 0 or start != 0 or count > _MOST_LABELS:
        return []
    buffers = child_of(scanner, parts, table.ITEM, 4)
    ends, text = (_bytes_in(labels, child_of(scanner, buffers, table.ITEM, i)) for i in (1, 2))
    if len(ends) < width * (count + 1):
        return []
    limits = [int.from_bytes(ends[i * width : (i + 1) * width], "little") for i in range(count + 1)]
    if limits != sorted(limits):  # so the labels are no longer than the bytes
        return []
    return [text[begin:end].decode("utf-8", "replace") for begin, end in pairwise(limits)]


def _bytes_in(labels: Any, node: int | None) -> bytes:
    """The bytes that a buffer is made of, through the calls that make it."""
    scanner = labels.scanner
    for _ in range(4):
        if node is None:
            break
        if table.STR <= scanner.kind[node] <= table.BYTEARRAY:
            found = labels.value(node, _MOST_BYTES)
            if isinstance(found, str):  # as the protocols before 3 write bytes
                return found.encode("latin-1", "replace")
            return found if isinstance(found, bytes) else b""
        node = child_of(scanner, child_of(scanner, node, table.ARGUMENTS), table.ITEM, 0)
    return b""


def _positions(labels: Any, node: int | None) -> Any:
    """The positions of a block's columns: of a slice, or of an array of eight-byte numbers."""
    scanner = labels.scanner
    arguments = child_of(scanner, node, table.ARGUMENTS)
    state = child_of(scanner, node, table.STATE)
    if state is not None:
        items = child_of(scanner, state, table.ITEM, 4)
        data = None if items is None else labels.value(items, 8 * _MOST_LABELS)
        if not isinstance(data, bytes):
            return ()
        return [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8)]
    limits = [_number(labels, child_of(scanner, arguments, table.ITEM, i)) for i in range(3)]
    start, stop, step = limits
    if start is None or stop is None or step is None or start < 0 or step < 1:
        return ()
    return range(start, min(stop, _MOST_LABELS * step + start), step)


def child_of(scanner: Any, node: int | None, role: int, step: int | None = None) -> int | None:
    """The child in a role; None where it is a reference, or the pickle was not read that far."""
    if node is None:
        return None
    for child in scanner.children(node):
        if scanner.role[child] == role and (step is None or scanner.step[child] == step):
            return int(child)
    return None


def _value(labels: Any, node: int | None) -> dict[Any, int]:
    """The nodes of a dict's values, by their keys."""
    scanner = labels.scanner
    children = () if node is None else scanner.children(node)
    return {
        labels.value(scanner.step[child], _LONGEST_LABEL): child
        for child in children
        if scanner.role[child] == table.VALUE
    }


def _number(labels: Any, node: int | None) -> int | None:
    found = None if node is None else labels.value(node, 8)
    return found if type(found) is int else None
