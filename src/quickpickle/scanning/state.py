"""The stack and the memo of an Unpickler, with nodes in place of objects."""

from __future__ import annotations

from typing import Final

from ..format import table
from ..format.table import NOTHING
from .tree import Tree

OWNED: Final = -1  # an entry of the stack that is the object itself, not a reference to it


class State(Tree):
    """How far reading has come."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown_reference = False  # was what is malformed
        self._stack: list[int] = []
        self._costs: list[int] = []  # the bytes of a reference, or OWNED
        self._marks: list[int] = []
        self._memo: dict[int, int] = {}  # the node twice, plus 1 once it is referred to
        self._loose: list[int] = []  # what POP has just discarded
        self._loose_cost = 0
        self._walked = 0
        self._first = NOTHING  # the node of the current pickle
        self._opcodes_before = 0
        self._reset_counts()

    def _reset_counts(self) -> None:
        self._protocol = NOTHING
        self._seen_protocol = 0
        self._frames = 0
        self._opcodes = 0
        self._objects = 0
        self._references = 0
        self._puts = 0
        self._unused = 0
        self._buffers = 0
        self._persistent = 0
        self._frame_end = 0

    def _push(self, kind: int, offset: int, own: int, type_: int = NOTHING) -> int:
        node = self._new(kind, offset, own, type_)
        self._objects += 1
        self._stack.append(node)
        self._costs.append(OWNED)
        return node

    def _charge(self, node: int, own: int) -> None:
        # A node of an earlier pickle keeps its size.
        self.own[node if node >= self._first else self._first] += own

    def _place(self, i: int, parent: int, role: int, step: int = 0) -> None:
        """Give the entry `i` of the stack its place in the tree."""
        cost = self._costs[i]
        if cost >= 0:
            self._charge(parent, cost)
            return
        node = self._stack[i]
        if parent < self._first:
            parent, role = self._first, table.LOOSE
        self.parent[node] = parent
        self.role[node] = role
        self.step[node] = min(step, NOTHING)

    def _cut(self, height: int) -> None:
        del self._stack[height:], self._costs[height:]

    def _name_of(self, i: int) -> int:
        """The number of the name that the entry `i` of the stack was found under."""
        node = self._stack[i]
        return self.type[node] if self.kind[node] == table.GLOBAL else NOTHING

    def _first_name_of(self, i: int) -> int:
        """The same for the first item of a tuple."""
        node = self._stack[i]
        return self.type[node] if self.kind[node] == table.TUPLE else NOTHING

    def _drop_row(self, bottom: int, key: int) -> int:
        """Drop a long row of scalars from the end of the stack and the tree; return its bytes.

        They were made last and nothing refers to them. `key` is what they are in, by kind or type.
        """
        stack, costs, kind, role = self._stack, self._costs, self.kind, self.role
        i, last = len(stack), len(kind) - 1
        while (
            i > bottom
            and stack[i - 1] == last
            and costs[i - 1] == OWNED
            and table.NONE <= kind[last] <= table.FLOAT
            and role[last] == table.NOWHERE
        ):
            i -= 1
            last -= 1
        if len(stack) - i < table.LONG_ROW:
            return 0
        own = 0
        for node in range(last + 1, len(kind)):
            self.row_count[kind[node]] += 1
            self.row_bytes[kind[node]] += self.own[node]
            own += self.own[node]
        self._row_in[key] = self._row_in.get(key, 0) + own
        self._cut(i)
        self._truncate(last + 1)
        return own

    def _replace(self, height: int, node: int) -> None:
        self._cut(height)
        self._stack.append(node)
        self._costs.append(OWNED)

    def _discard(self, height: int) -> None:
        for i in reversed(range(height, len(self._stack))):
            cost = self._costs[i]
            self._loose.append(NOTHING if cost >= 0 else self._stack[i])
            self._loose_cost += max(cost, 0)
        self._cut(height)

    def _settle_loose(self) -> None:
        """Nobody takes back what was discarded: it is the pickle's."""
        for node in reversed(self._loose):
            if node != NOTHING:
                self._place_loose(node, self._first)
        self._loose.clear()
        self.own[self._first] += self._loose_cost
        self._loose_cost = 0

    def _place_loose(self, node: int, parent: int) -> None:
        self.parent[node] = parent
        self.role[node] = table.LOOSE

    def entries(self) -> tuple[list[int], list[bool], list[int], int]:
        """The contents of the stack: the nodes, whether each is the object itself and no reference
        to it, the heights of the marks; and the lowest protocol that has all opcodes so far.
        """
        owned = [cost == OWNED for cost in self._costs]
        return self._stack.copy(), owned, self._marks.copy(), self._seen_protocol

    def target(self, action: int) -> int:
        """The node that an opcode would change, or put something into; NOTHING for none."""
        depth = table.TARGET_DEPTH.get(action, 0)
        if depth:
            place = len(self._stack) - depth
        else:
            place = (self._marks[-1] if self._marks else len(self._stack)) - 1
        return self._stack[place] if place >= 0 else NOTHING

    def _take_back(self, node: int, size: int) -> bool:
        """A tuple that contains itself is written so: its items, which contain it already, are
        discarded, and it is fetched from the memo. So it is here that it has its place, and
        they have theirs in it.
        """
        top = node
        limit = 1000 + 4 * (self._opcodes_before + self._opcodes)  # the time stays linear
        while self.parent[top] != NOTHING and self._walked < limit:
            top = self.parent[top]
            self._walked += 1
        if self.parent[top] != NOTHING or top not in self._loose:
            return False
        self.parent[node] = NOTHING
        self.role[node] = table.SHARED
        role = {table.TUPLE: table.ITEM, table.FROZENSET: table.MEMBER}.get(self.kind[node])
        for i, item in enumerate(reversed(self._loose)):
            if item in (NOTHING, node):
                continue
            if role is not None and self.role[item] == table.SHARED and i < self.length[node]:
                self.parent[item] = node
                self.role[item] = role
                self.step[item] = i
            else:
                self._place_loose(item, node)
        self._loose.clear()
        self.own[node] += size + self._loose_cost
        self._loose_cost = 0
        self._stack.append(node)
        self._costs.append(OWNED)
        return True
