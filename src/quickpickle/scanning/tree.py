"""The tree of nodes that the scanner makes, in columns, and the sums over it."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator

from ..format import table
from ..format.table import NOTHING


class Tree:
    """A node is a number, its place in all columns."""

    def __init__(self) -> None:
        # The columns.
        self.kind = bytearray()
        self.role = bytearray()
        self.offset = array("Q")  # of the opcode that makes the object
        self.own = array("Q")  # bytes, without those of the children
        self.total = array("Q")
        self.parent = array("I")
        self.step = array("I")
        self.type = array("I")  # the number of a name that was looked up
        self.length = array("I")  # how many items
        self._first_child = array("I")
        self._next_child = array("I")
        # The names that were looked up: the node, and for STACK_GLOBAL those of module and name.
        self.name_node = array("I")
        self.name_module = array("I")
        self.name_name = array("I")
        # The long rows of scalars that are no nodes.
        self.row_count = array("Q", bytes(8 * table.KINDS))
        self.row_bytes = array("Q", bytes(8 * table.KINDS))
        self._row_in: dict[int, int] = {}
        # By kind, and behind the kinds by type.
        self.type_count = array("Q")
        self.type_own = array("Q")
        self.type_total = array("Q")
        self.pickles = array("Q")

    def _new(self, kind: int, offset: int, own: int, type_: int = NOTHING) -> int:
        node = len(self.kind)
        if node >= table.MOST_NODES:
            raise MemoryError("more objects than can be counted")
        self.kind.append(kind)
        self.role.append(table.NOWHERE)
        self.offset.append(offset)
        self.own.append(own)
        self.parent.append(NOTHING)
        self.step.append(0)
        self.type.append(type_)
        self.length.append(0)
        return node

    def _add_length(self, node: int, count: int) -> None:
        self.length[node] = min(self.length[node] + count, NOTHING)

    def _truncate(self, count: int) -> None:
        for column in (self.kind, self.role):
            del column[count:]
        for numbers in (self.offset, self.own, self.parent, self.step, self.type, self.length):
            del numbers[count:]

    def _key(self, node: int) -> int:
        """The number under which a node's type is counted."""
        if self.kind[node] == table.OBJECT and self.type[node] != NOTHING:
            return table.KINDS + self.type[node]
        return self.kind[node]

    def retype(self, changed: dict[int, int]) -> None:
        """Before finish(): let what is of one type be of another, by their numbers."""
        for node, type_ in enumerate(self.type):
            if self.kind[node] == table.OBJECT and type_ in changed:
                self.type[node] = changed[type_]
        for old, new in changed.items():
            own = self._row_in.pop(table.KINDS + old, 0)
            if own:
                key = table.KINDS + new
                self._row_in[key] = self._row_in.get(key, 0) + own

    def finish(self) -> None:
        """Find the children, the totals, the depths, and the sums by type."""
        self._link_children()
        self._sum_nodes()
        self._sum_rows()

    def _link_children(self) -> None:
        count = len(self.kind)
        parent = self.parent
        first = self._first_child = array("I", bytes(4 * count))
        following = self._next_child = array("I", bytes(4 * count))
        # Backwards, so that the children come in the order of the file.
        for node in range(count - 1, 0, -1):
            following[node] = first[parent[node]]
            first[parent[node]] = node

    def _sum_nodes(self) -> None:
        """The totals of nodes, the sums by type, and the depths of pickles."""
        parent, kind = self.parent, self.kind
        first, following = self._first_child, self._next_child
        keys = table.KINDS + len(self.name_node)
        self.type_count = array("Q", bytes(8 * keys))
        self.type_own = array("Q", bytes(8 * keys))
        self.type_total = array("Q", bytes(8 * keys))
        total = self.total = array("Q", self.own)
        active = array("I", bytes(4 * keys))  # how many are on the way from the root
        depth = deepest = pickle = node = 0
        while True:
            while first[node]:
                active[self._key(node)] += 1
                node = first[node]
                depth += 1
            deepest = max(deepest, depth)
            while True:  # `node` is complete
                key = self._key(node)
                if first[node]:
                    active[key] -= 1
                self.type_count[key] += 1
                self.type_own[key] += self.own[node]
                if not active[key]:  # else it is counted with what it is in
                    self.type_total[key] += total[node]
                if kind[node] == table.PICKLE:
                    self.pickles[pickle * table.P_FIELDS + table.P_DEPTH] = deepest - 1
                    pickle += 1
                    deepest = 0
                if node == 0:
                    return
                total[parent[node]] += total[node]
                if following[node]:
                    node = following[node]
                    break
                node = parent[node]
                depth -= 1

    def _sum_rows(self) -> None:
        """Rows of scalars, which are no nodes, are added to the sums by type."""
        for key in range(table.KINDS):
            self.type_count[key] += self.row_count[key]
            self.type_own[key] += self.row_bytes[key]
            self.type_total[key] += self.row_bytes[key]
        for key, own in self._row_in.items():
            self.type_own[key] -= own

    def children(self, node: int, most: int | None = None) -> list[int]:
        """The children in the order of the file; or the `most` largest, the largest first."""
        found = list(self._children(node))
        if most is None:
            return found
        return heapq.nlargest(most, found, key=lambda i: (self.total[i], -i))

    def _children(self, node: int) -> Iterator[int]:
        child = self._first_child[node]
        while child:
            yield child
            child = self._next_child[child]

    def way(self, node: int, ends: int) -> tuple[list[int], bool]:
        """The nodes down to this one from where its path begins, and whether there are more than
        are wanted: the first and `ends` below it, then one for all left out, then the last `ends`.
        """
        parent, role = self.parent, self.role
        length, at = 1, node
        while at and role[at] not in table.STARTS:
            at = parent[at]
            length += 1
        nodes = []
        for i in range(length):
            if i <= ends or i >= length - ends - 1:
                nodes.append(node)
            node = parent[node]
        return nodes[::-1], length > 2 * ends + 1

    def count_children(self, node: int) -> int:
        return sum(1 for _ in self._children(node))

    def largest(self, column: str, count: int) -> list[int]:
        """The nodes of the `count` largest entries of "own" or "total", the largest first."""
        numbers: array[int] = getattr(self, column)
        return heapq.nlargest(count, range(len(numbers)), key=lambda i: (numbers[i], -i))
