"""Checks for the tests of `inspect`: both scanners, and an Unpickler that counts."""

from __future__ import annotations

import collections
import importlib
import io
import pickle
from typing import Any, ClassVar

import quickpickle.inspection
import quickpickle.scanning.scan
from conftest import IMPLEMENTATIONS
from quickpickle.format import table
from quickpickle.scanning.labels import find_pickle

# The scanners, by the name of their implementation.
SCANNERS: dict[str, Any] = {"python": quickpickle.scanning.scan.Scanner}
if "native" in IMPLEMENTATIONS:
    SCANNERS["native"] = importlib.import_module("quickpickle.compiled.inspection").Scanner

COLUMNS = [
    "kind",
    "role",
    "offset",
    "own",
    "total",
    "parent",
    "step",
    "type",
    "length",
    "name_node",
    "name_module",
    "name_name",
    "type_count",
    "type_own",
    "type_total",
    "pickles",
]


def inspect_with(name: str, data: Any, **options: Any) -> Any:
    """`quickpickle.inspect` with one of the scanners."""
    find_scanner = quickpickle.inspection.find_scanner
    quickpickle.inspection.find_scanner = lambda: SCANNERS[name]
    try:
        return quickpickle.inspection.inspect(data, **options)
    finally:
        quickpickle.inspection.find_scanner = find_scanner


def check_sums(inspection: Any) -> None:
    """Assert that every byte is in exactly one place, seen from every side."""
    scanner, size = inspection._scanner, inspection.size
    count = len(scanner.kind)
    assert sum(scanner.own) == size
    assert scanner.total[0] == size
    assert sum(found.own for found in inspection.types) == size
    for node in range(count):
        below = sum(scanner.total[child] for child in scanner.children(node))
        assert scanner.total[node] == scanner.own[node] + below
    # All are reached from the root: each but that is a child once.
    children = [child for node in range(count) for child in scanner.children(node)]
    assert sorted(children) == list(range(1, count))
    # The pickles follow each other, and the rest is one node.
    starts = [pickle_.start for pickle_ in inspection.pickles]
    ends = [pickle_.start + pickle_.size for pickle_ in inspection.pickles]
    end = size if inspection.error is None else inspection.error.offset
    assert [0, *ends[:-1]][: len(starts)] == starts
    assert ([0, *ends][-1] == end) or inspection.error is not None
    for pickle_, child in zip(inspection.pickles, inspection.root.children(), strict=False):
        assert child.total == pickle_.size
        assert find_pickle(scanner, child.number) == inspection.pickles.index(pickle_)


def check(data: Any) -> Any:
    """Inspect with every scanner; assert that they agree and that the sums are right."""
    found = [inspect_with(name, data) for name in SCANNERS]
    for inspection in found:
        check_sums(inspection)
        assert str(inspection.error) == str(found[0].error)
        for column in COLUMNS:
            ours, other = (list(getattr(i._scanner, column)) for i in (found[0], inspection))
            assert ours == other, column
    return found[-1]


def _codes(*names: str) -> frozenset[int]:
    return frozenset(getattr(pickle, name)[0] for name in names)


# The objects that these opcodes leave on the stack were there before.
_MAKE_NOTHING = (
    _codes("MARK", "STOP", "POP", "POP_MARK", "DUP", "PROTO", "FRAME", "READONLY_BUFFER", "BUILD")
    | _codes("GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
    | _codes("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS")
)
_CALL = _codes("REDUCE", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ")
_FIND = _codes("GLOBAL", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4")
_PERSISTENT = _codes("PERSID", "BINPERSID")

# Equal objects of these types are not one shared object.
_NEW = (list, dict, set, float, bytearray)


class _Counting(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """Counts the objects that it makes, by type; what is called for, by how it is made."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.counts: collections.Counter[str] = collections.Counter()
        self.kept: dict[int, Any] = {}

    def persistent_load(self, pid: Any) -> Any:
        return ["persistent", pid]

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]
    for _code, _load in list(dispatch.items()):

        def _counting(self: Any, code: int = _code, load: Any = _load) -> None:
            load(self)
            if code in _MAKE_NOTHING:
                return
            made = self.stack[-1]
            if code in _CALL:
                self.counts["object"] += 1
            elif code in _FIND:
                self.counts["class or function"] += 1
            elif code in _PERSISTENT:
                self.counts["persistent id"] += 1
            else:
                self.counts[type(made).__name__] += 1
                assert type(made) not in _NEW or id(made) not in self.kept
                self.kept[id(made)] = made

        dispatch[_code] = _counting


def count_made(data: bytes) -> dict[str, int]:
    """The number of objects that loading makes, by type."""
    unpickler = _Counting(data)
    unpickler.load()
    return dict(unpickler.counts)


def count_found(inspection: Any) -> dict[str, int]:
    """The same numbers from an Inspection."""
    counts = list(inspection._scanner.type_count)
    counts[table.OBJECT] += sum(counts[table.KINDS :])
    found = dict(zip(table.KIND_NAMES, counts[: table.KINDS], strict=True))
    assert sum(list(found.values())[table.NONE :]) == inspection.objects
    return {name: n for name, n in found.items() if n and name not in ("file", "pickle", "unread")}


def every_node(inspection: Any) -> list[Any]:
    nodes, todo = [], [inspection.root]
    while todo:
        node = todo.pop()
        nodes.append(node)
        todo += node.children()
    return nodes
