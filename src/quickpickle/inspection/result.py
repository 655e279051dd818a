"""The result of an inspection: figures, imports, types, and the tree of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from ..format import table
from ..rules.errors import InspectionError
from ..rules.kinds import DANGEROUS, KINDS, UNKNOWN, kind_of
from ..rules.loading import names_in_python3
from ..rules.policy import Policy
from ..rules.tracebacks import drop_frames, drop_frames_of, make_public
from ..scanning.labels import Labels, Place
from ..scanning.places import made_of
from ..scanning.results import type_name
from ..scanning.source import Source
from ..scanning.torch_file import Archive
from .known import find_largest
from .missing import Finder
from .printable import counted

_MOST_PATHS = 10_000  # of names: a path takes a while
MOST_ROWS = 100_000  # of a tree, whatever depth is asked for


class PickleFigures(NamedTuple):
    """One pickle of a file."""

    start: int
    """The offset of its first byte."""
    size: int
    """In bytes; of one that breaks off, up to there."""
    protocol: int
    """That of PROTO; without it the lowest protocol that has all its opcodes."""
    frames: int
    opcodes: int
    objects: int
    """How many values it writes: each once, however often it is referred to. None, True and small
    numbers count wherever they are written."""
    references: int
    """How often it refers to one of them again (GET, DUP)."""
    memo_entries: int
    memo_unused: int
    """Memo entries that nothing refers to; `pickletools.optimize` leaves them out."""
    buffers: int
    """Out-of-band buffers, which lie outside of the file."""
    persistent_ids: int
    depth: int
    """How many objects lie in one another, at most."""


class Import(NamedTuple):
    """A name that `pickle.load` would import."""

    module: str
    name: str
    lookups: int
    """How often it is looked up."""
    objects: int
    """How many objects it makes: as their class, or as the function that is called."""
    danger: str | None
    """Its danger, if it is known to run code of a stranger's choice."""
    kind: str
    """One of three: "dangerous", it can run code; "harmless", it is on the list of a policy of
    this package, as `Policy.plain()`; "unknown", it is on no list, so it may run code."""
    path: str | None
    """Where it is used first: the object that it makes, or itself. None behind 10,000 names."""


class Missing(NamedTuple):
    """A name that `pickle.load` would not find here."""

    module: str
    name: str
    path: str | None
    """Where it is used first."""
    why: str


class TypeFigures(NamedTuple):
    """All objects of one type."""

    name: str
    """An object's class is that which the pickle names, or what is known of the function that makes
    it (NumPy's arrays); else it is the function's name."""
    objects: int
    own: int
    """Bytes, without those of the objects in them."""
    total: int
    """Bytes with all below; what lies in an object of the same type is counted once."""


@drop_frames_of
class Node:
    """One object in the tree, or, above them, a pickle or the whole file."""

    __slots__ = ("_inspection", "_place", "number")

    def __init__(self, inspection: Inspection, number: int, place: Place | None = None) -> None:
        self._inspection = inspection
        self._place = place
        self.number = number

    def __repr__(self) -> str:
        return f"<{self.type} {self.path}, {self.total:,} bytes>"

    @property
    def path(self) -> str:
        """A Python expression, with `obj` for the root; a long one is shortened."""
        if self._place is None:
            self._place = self._inspection._labels.place(self.number)
        return self._place.text

    @property
    def step(self) -> str:
        """Its role in its parent, in short: the end of the path, or a word such as "key"."""
        return self._inspection._labels.step(self.number)

    @property
    def type(self) -> str:
        return self._inspection._type_name(self._inspection._key(self.number))

    @property
    def text(self) -> str:
        """The beginning of the repr of a string, number or name; else nothing."""
        return self._inspection._labels.text(self.number)

    @property
    def own(self) -> int:
        """Bytes, without those of the children."""
        return int(self._inspection._scanner.own[self.number])

    @property
    def total(self) -> int:
        """Bytes with all below."""
        return int(self._inspection._scanner.total[self.number])

    @property
    def offset(self) -> int:
        """Of the opcode that makes the object: for containers that may be their end."""
        return int(self._inspection._scanner.offset[self.number])

    @property
    def length(self) -> int:
        """How many items a container has. Long rows of numbers are no nodes of their own."""
        return int(self._inspection._scanner.length[self.number])

    @property
    def parent(self) -> Node | None:
        parent = self._inspection._scanner.parent[self.number]
        return None if parent == table.NOTHING else Node(self._inspection, parent)

    def __len__(self) -> int:
        """How many children it has. A shared object is where it is made."""
        return int(self._inspection._scanner.count_children(self.number))

    def __bool__(self) -> bool:
        return True

    def children(self, most: int | None = None) -> list[Node]:
        """The children in the order of the file, or only the `most` largest, the largest first."""
        numbers: list[int] = self._inspection._scanner.children(self.number, most)
        self.path  # noqa: B018 - found once for all of them
        labels = self._inspection._labels
        assert self._place is not None
        return [Node(self._inspection, n, labels.follow(self._place, n)) for n in numbers]


class Row(NamedTuple):
    """A line of the tree: a node, or what some of its children come to."""

    depth: int
    node: Node | None
    others: int
    """How many children this is, where it is no node."""
    own: int
    total: int


@drop_frames_of
class Inspection:
    """The result of `quickpickle.inspect`; see there."""

    def __init__(
        self,
        source: Source,
        scanner: Any,
        error: InspectionError | None,
        archive: Archive | None = None,
    ) -> None:
        self._scanner = scanner
        self._source = source
        self._labels = Labels(source, scanner)
        self.size: int = source.size
        """In bytes; the sum over the tree, and over the types, is exactly this."""
        self.archive = archive
        """The ZIP file of torch.save that the pickle is in; None for a file that is a pickle. All
        figures and offsets are those of the pickle."""
        self.error = error
        """The error in the file, or None; its attribute `offset` says where. All before it is in
        the figures and in the tree, the rest is a node of the type "unread"."""

    def __repr__(self) -> str:
        parts = [counted(len(self.pickles), "pickle"), counted(self.objects, "object")]
        dangerous, unknown = self.count(DANGEROUS), self.count(UNKNOWN)
        if dangerous:
            parts.append(f"{counted(dangerous, 'name')} that can run code")
        if unknown:
            parts.append(counted(unknown, "unknown name"))
        if self.error:
            parts.append(str(self.error))
        return f"<Inspection of {counted(self.size, 'byte')}: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        """The page of `quickpickle inspect --html`, in a frame, for a notebook.

        It needs plotly; without it there is a table of the largest objects.
        """
        try:
            from .page import make_frame
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "plotly":
                raise
            from .table_html import make_table

            return make_table(self)
        return make_frame(self, "the pickle")

    # --- figures

    @cached_property
    def pickles(self) -> list[PickleFigures]:
        """The pickles of the file in their order; the last one may be broken off."""
        numbers = self._scanner.pickles
        width = table.P_FIELDS
        return [PickleFigures(*numbers[i : i + width - 1]) for i in range(0, len(numbers), width)]

    def _sum(self, field: int) -> int:
        return sum(self._scanner.pickles[field :: table.P_FIELDS])

    @property
    def protocol(self) -> int | None:
        """The highest of its pickles; None if there is none."""
        return max(self._scanner.pickles[table.P_PROTOCOL :: table.P_FIELDS], default=None)

    @property
    def frames(self) -> int:
        return self._sum(table.P_FRAMES)

    @property
    def opcodes(self) -> int:
        return self._sum(table.P_OPCODES)

    @property
    def objects(self) -> int:
        return self._sum(table.P_OBJECTS)

    @property
    def references(self) -> int:
        return self._sum(table.P_REFERENCES)

    @property
    def memo_entries(self) -> int:
        return self._sum(table.P_MEMO)

    @property
    def memo_unused(self) -> int:
        return self._sum(table.P_UNUSED)

    @property
    def buffers(self) -> int:
        return self._sum(table.P_BUFFERS)

    @property
    def persistent_ids(self) -> int:
        return self._sum(table.P_PERSISTENT)

    @property
    def depth(self) -> int:
        return max(self._scanner.pickles[table.P_DEPTH :: table.P_FIELDS], default=0)

    # --- names and types

    def _key(self, node: int) -> int:
        """The number under which a node's type is counted."""
        scanner = self._scanner
        kind: int = scanner.kind[node]
        if kind == table.OBJECT and scanner.type[node] != table.NOTHING:
            return int(table.KINDS + scanner.type[node])
        return kind

    def _name(self, number: int) -> tuple[str, str]:
        """Module and name, as the Unpickler would look for them."""
        module, name = self._labels.names_of(number)
        node = self._scanner.name_node[number]
        if self._labels.protocol_at(node) < 3:
            return names_in_python3(module, name)
        return module, name

    def _type_name(self, key: int) -> str:
        if key < table.KINDS:
            return table.KIND_NAMES[key]
        return type_name(*self._name(key - table.KINDS))

    @cached_property
    def imports(self) -> list[Import]:
        """The imports of pickle.load: first those that can run code, then those that are unknown,
        and each by how often.
        """
        found: dict[tuple[str, str], list[int]] = {}
        for number in range(len(self._scanner.name_node)):
            counts = found.setdefault(self._name(number), [0, 0, number])
            counts[0] += 1
            counts[1] += self._scanner.type_count[table.KINDS + number]
        imports = []
        for (module, name), (lookups, objects, _) in found.items():
            kind, danger = kind_of(module, name)
            imports.append(Import(module, name, lookups, objects, danger, kind, None))
        imports.sort(key=lambda i: (KINDS.index(i.kind), -i.objects, -i.lookups, i[:2]))
        for i, one in enumerate(imports[:_MOST_PATHS]):
            number = found[one.module, one.name][2]
            node = made_of(self._scanner, self._scanner.name_node[number])
            imports[i] = one._replace(path=self._labels.path(node))
        return imports

    @cached_property
    def missing(self) -> list[Missing]:
        """The imports that would fail here, as far as that is known without importing anything.

        A name is looked for in its module where that is imported already, and a module among the
        files of its package. So a name in a module that is not imported yet is not known to be
        there, and a package may have modules without files. The finders of this Python are asked
        about the first 1,000 modules.
        """
        finder = Finder()
        missing = []
        for found in self.imports:
            why = finder.why_missing(found.module, found.name)
            if why is not None:
                missing.append(Missing(found.module, found.name, found.path, why))
        return missing

    def count(self, kind: str) -> int:
        """How many of its imports are of a kind: "dangerous", "unknown" or "harmless"."""
        return sum(found.kind == kind for found in self.imports)

    @cached_property
    def types(self) -> list[TypeFigures]:
        """The space by type, by the bytes with all below. The sum of `own` is the size."""
        scanner = self._scanner
        found: dict[str, list[int]] = {}
        for key, count in enumerate(scanner.type_count):
            if count and key != table.FILE:
                sums = found.setdefault(self._type_name(key), [0, 0, 0])
                sums[0] += count
                sums[1] += scanner.type_own[key]
                sums[2] += scanner.type_total[key]
        types = [TypeFigures(name, *sums) for name, sums in found.items()]
        return sorted(types, key=lambda t: (-t.total, -t.own, t.name))

    def policy(self, *, dangerous: bool = False) -> Policy:
        """The narrowest Policy for this file, if it is one that you trust: presets as
        `Policy.plain()` only where one of their names is in it, and exact names for the rest.

        Names that `Policy.allow` refuses, as they run code whatever their arguments are, are left
        out, and loading the file raises a PolicyError for them, unless `dangerous` is true. It
        is not known without an import where a name leads: a PolicyError says so if that matters.
        """
        from .learning import learn

        return learn(self, dangerous=dangerous).policy

    def read(self, offset: int, count: int) -> bytes:
        """Bytes of the file, fewer at its end."""
        return self._source.read(offset, max(0, count))

    # --- the tree

    @property
    def root(self) -> Node:
        """The whole file; its children are the pickles, theirs the objects."""
        return Node(self, 0)

    def node(self, number: int) -> Node:
        """The node with this number; see `Node.number`."""
        return Node(self, number)

    def largest(self, count: int = 10, *, own: bool = False) -> list[Node]:
        """The objects that take the most bytes with all below, the largest first: those that have
        a path that a user knows. The parts that such an object is rebuilt from count with it.

        With `own` all objects there are, by the bytes of their own.
        """
        count = max(0, min(count, len(self._scanner.kind)))
        if not own:
            return find_largest(self, count)
        # The file and its pickles are no objects; there is an object for each but the last pickle.
        numbers = self._scanner.largest("own", count + 2)
        kind = self._scanner.kind
        numbers = [n for n in numbers if kind[n] > table.UNREAD]
        return [Node(self, number) for number in numbers[:count]]

    def tree(self, depth: int, most: int = 10) -> Iterator[Row]:
        """The tree down to a depth, line by line: of each node the `most` largest children, and
        the sum of the others. Where there is one whole pickle, its object is the first line.
        """
        try:
            root = self.root
            start = root.children(most)
            if len(root) == 1:
                root = root.children(1)[0]
                start = root.children(most)
            # From the right to the left, so that the next line is the last of the list.
            rows = self._rows(0, root, start)[::-1]
            for _ in range(MOST_ROWS):
                if not rows:
                    return
                row = rows.pop()
                yield row
                if row.node is not None and row.depth + 1 < depth:
                    rows += self._rows(row.depth + 1, row.node, row.node.children(most))[::-1]
        except BaseException as error:
            drop_frames(error)
            raise

    def _rows(self, depth: int, parent: Node, children: list[Node]) -> list[Row]:
        rows = [Row(depth, child, 0, child.own, child.total) for child in children]
        others = len(parent) - len(children)
        if others:
            rest = parent.total - parent.own - sum(child.total for child in children)
            rows.append(Row(depth, None, others, 0, rest))
        return rows

    def as_dict(self, depth: int = 3, top: int = 10) -> dict[str, Any]:
        """All figures as plain dicts and lists, for JSON; `depth` and `top` bound the tree."""
        error, archive = self.error, self.archive
        return {
            "archive": None
            if archive is None
            else {**archive._asdict(), "storages": [one._asdict() for one in archive.storages]},
            "size": self.size,
            "protocol": self.protocol,
            "frames": self.frames,
            "opcodes": self.opcodes,
            "objects": self.objects,
            "references": self.references,
            "depth": self.depth,
            "memo_entries": self.memo_entries,
            "memo_unused": self.memo_unused,
            "buffers": self.buffers,
            "persistent_ids": self.persistent_ids,
            "pickles": [pickle._asdict() for pickle in self.pickles],
            "imports": [found._asdict() for found in self.imports],
            "missing": [found._asdict() for found in self.missing],
            "types": [found._asdict() for found in self.types],
            "largest": [_node_dict(node) for node in self.largest(top)],
            "tree": [
                {"depth": row.depth, "others": row.others, "own": row.own, "total": row.total}
                if row.node is None
                else {"depth": row.depth, **_node_dict(row.node)}
                for row in self.tree(depth, top)
            ],
            "error": None if error is None else {"offset": error.offset, "message": str(error)},
        }


make_public(Inspection, Node)


def _node_dict(node: Node) -> dict[str, Any]:
    return {
        "path": node.path,
        "step": node.step,
        "type": node.type,
        "text": node.text,
        "length": node.length,
        "own": node.own,
        "total": node.total,
        "offset": node.offset,
    }
