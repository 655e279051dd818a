"""The opcodes that bring a pickle to an end which breaks off: what is open is closed.

The scanner says what is on the stack at an offset. From there on other opcodes take the place of
those that are missing or at fault: what lies above a mark goes into the container below it, a state
as far as it was read into its instance, and what has no place in the object is set aside. A load of
the mended pickle then gives two things: the object, and a list of what was set aside.

Where bytes that are missing decide what is what, this follows what a Pickler writes. A container
gets items as long as it is empty or has whole batches; a Pickler writes nothing between an instance
and its state; a class on top of the stack is about to be called.
"""

from __future__ import annotations

import copyreg
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from inspect import getattr_static
from typing import Any, Final, NamedTuple

from ..format import opcodes as op
from ..format import table
from ..format.limits import BATCHSIZE
from ..rules.errors import InspectionError
from ..rules.loading import names_in_python3
from ..rules.reductions import imported_class
from .labels import Labels
from .places import read_to
from .results import is_rebuilder
from .source import Data

_TEXT: Final = 0  # the protocol without binary opcodes
_FIRST_NUMBER: Final = 0x7FFF0000  # of memo entries for what is set aside
_HELD: Final = frozenset(
    {table.LIST, table.DICT, table.SET, table.FROZENSET, table.OBJECT, table.PERSISTENT}
)
_UNHASHABLE: Final = frozenset({table.LIST, table.DICT, table.SET, table.BYTEARRAY})
_SIZED: Final = frozenset({table.LIST, table.DICT, table.SET, table.FROZENSET, table.TUPLE})
_SET_ASIDE: Final = _HELD | {table.TUPLE, table.BYTES, table.BYTEARRAY, table.BUFFER}

# Of opcodes that have failed: how much of the stack is theirs.
_TAKEN: Final = {
    **dict.fromkeys(op.STACK_GLOBAL + op.REDUCE + op.NEWOBJ + op.SETITEM, 2),
    **dict.fromkeys(op.NEWOBJ_EX, 3),
    **dict.fromkeys(op.APPEND + op.BINPERSID, 1),
}
# The same of all that is above the mark.
_TAKING_ALL: Final = frozenset(
    op.APPENDS + op.SETITEMS + op.ADDITEMS + op.DICT + op.FROZENSET + op.OBJ + op.INST
)

_LONGEST_NAME: Final = 250  # bytes
_LOOKED_AT: Final = 64  # nodes
_MOST_CALLS: Final = 4  # in one another, without a mark between them
_LISTS: Final = "list"
_DICTS: Final = "dict"
_SETS: Final = "set"


class Mended(NamedTuple):
    """How a pickle is brought to an end."""

    suffix: bytes  # empty where nothing is left of it
    keys: list[tuple[int, int]]  # by the place in `suffix`: what is tried there, see `refused`
    oldest: int | None  # the offset of the first instance that is left out, as it has no state


def find_end(scanner_class: Any, data: bytes, most: int) -> tuple[int, Any]:
    """Where the first opcode begins that is STOP, cannot be read, or is not there.

    Also a scanner that has read up to there; None for STOP.
    """
    scanner = _new_scanner(scanner_class, data, most)
    end = len(data)
    try:
        read_to(scanner, Data(data), 0, end)
    except InspectionError as error:
        end = error.offset
    if scanner.pickles:
        return scanner.pickles[table.P_START] + scanner.pickles[table.P_SIZE] - 1, None
    return end, scanner


def read(scanner_class: Any, data: bytes, offset: int, most: int) -> Any:
    """A scanner that has read up to an offset."""
    scanner = _new_scanner(scanner_class, data, most)
    read_to(scanner, Data(data), 0, offset)
    return scanner


def _new_scanner(scanner_class: Any, data: bytes, most: int) -> Any:
    return scanner_class(len(data), partial(is_rebuilder, Data(data)), False, most)


def mend(
    scanner: Any,
    data: bytes,
    offset: int,
    *,
    refused: frozenset[int],
    sets_aside: bool,
    rename: Callable[[str, str], tuple[str, str]] | None,
    fix_imports: bool,
) -> Mended:
    """The opcodes to put at an offset, up to which a scanner has read.

    `refused` has the keys of those that have failed there. With `sets_aside` what has no place in
    the object is kept.
    """
    labels = Labels(Data(data), scanner, is_first=True)
    classes = _Classes(labels, data, rename, fix_imports)
    mending = _Mending(scanner, data, classes, refused, sets_aside)
    mending.run(data[offset] if offset < len(data) else -1)
    return Mended(mending.finish(), mending.keys, mending.oldest)


class _Classes:
    """The classes that a pickle names, as far as the load has imported them."""

    def __init__(
        self,
        labels: Labels,
        data: bytes,
        rename: Callable[[str, str], tuple[str, str]] | None,
        fix_imports: bool,
    ) -> None:
        self._labels = labels
        self._rename = rename
        self._is_old = fix_imports and not (data[:1] == op.PROTO and data[1:2] >= b"\x03")
        self._found: dict[int, type | None] = {}

    def text(self, node: int) -> str | None:
        """The text of a node that is a short str."""
        value = self._labels.value(node, _LONGEST_NAME)
        return value if isinstance(value, str) else None

    def find(self, number: int) -> type | None:
        """The class with the number of a name; None for a function, and for what is not known."""
        if number == table.NOTHING:
            return None
        if number not in self._found:
            self._found[number] = self._look_up(*self._labels.names_of(number))
        return self._found[number]

    def _look_up(self, module: str, name: str) -> type | None:
        if self._rename is not None:
            module, name = self._rename(module, name)
        if self._is_old:
            module, name = names_in_python3(module, name)
        return imported_class(module, name)


class _Entry:
    """An object on the stack."""

    __slots__ = ("holds", "is_filled", "is_owned", "kind", "node")

    def __init__(self, kind: int, node: int, is_owned: bool) -> None:
        self.kind = kind
        self.node = node
        self.is_owned = is_owned  # made here, and not fetched from the memo
        self.is_filled = False  # whether it got items here
        self.holds = False  # whether there are containers or instances among them


class _Mending:
    """The stack at the offset, and the opcodes that take it down."""

    def __init__(
        self,
        scanner: Any,
        data: bytes,
        classes: _Classes,
        refused: frozenset[int],
        sets_aside: bool,
    ) -> None:
        nodes, owned, self.marks, protocol = scanner.entries()
        kind = scanner.kind
        self.stack = [_Entry(kind[n], n, o) for n, o in zip(nodes, owned, strict=True)]
        self.scanner = scanner
        self.data = data
        self.is_text = protocol == _TEXT
        self.has_names_on_stack = protocol >= 4
        self.classes = classes
        self.refused = refused
        self.sets_aside = sets_aside
        self.out = bytearray()
        self.keys: list[tuple[int, int]] = []
        self.aside: list[int] = []
        self.oldest: int | None = None

    # --- the whole

    def run(self, code: int) -> None:
        """Take everything down that can be; `code` is that of the opcode that has failed."""
        self._drop_arguments(code)
        fence = self.marks[-1] if self.marks else 0
        self._take_down(fence)
        if self.marks and code in _TAKING_ALL:
            self._collect(is_kept=False)
        while self.marks:
            self._take_down(self.marks[-1])
            self._close()
        self._take_down(0)
        while len(self.stack) > 1:
            # There is one object at the end, so these are the parts of a tuple, or of no use.
            if not self._make_tuple():
                self._set_aside()
            self._take_down(0)

    def _make_tuple(self) -> bool:
        """Whether the last two or three objects are now a tuple, for what waits for one below."""
        stack = self.stack
        for size in (2, 3):
            below = len(stack) - size
            if below < 0 or all(entry.kind == table.STR for entry in stack[below:]):
                continue
            if (
                not below
                or self._waits(stack[below - 1]) == _LISTS
                or (
                    below > 1
                    and self._waits(stack[below - 2]) == _DICTS
                    and stack[below - 1].kind not in _UNHASHABLE
                )
            ):
                self._join(size)
                return True
        return False

    def _join(self, size: int) -> None:
        self.out += op.TUPLE2 if size == 2 else op.TUPLE3
        self._replace_by_tuple(len(self.stack) - size)

    def _replace_by_tuple(self, height: int) -> None:
        made = _Entry(table.TUPLE, -1, True)
        made.holds = any(entry.kind in _HELD or entry.holds for entry in self.stack[height:])
        self.stack[height:] = [made]

    def finish(self) -> bytes:
        """The opcodes, with those that make the result."""
        if not self.stack and not self.aside:
            return b""
        if not self.stack:  # the outermost object cannot be made: what was read of it
            self._get(self.aside.pop())
        self.out += op.EMPTY_LIST
        if self.aside:
            self.out += op.MARK
            for number in reversed(self.aside):
                self._get(number)
            self.out += op.APPENDS
        self.out += op.TUPLE2 + op.STOP
        return bytes(self.out)

    def _get(self, number: int) -> None:
        self.out += op.LONG_BINGET + number.to_bytes(4, "little")

    def _drop_arguments(self, code: int) -> None:
        fence = self.marks[-1] if self.marks else 0
        for _ in range(_TAKEN.get(code, 0)):
            if len(self.stack) > fence:
                self._set_aside()
        if code == op.BUILD[0] and len(self.stack) >= fence + 2:
            self._set_aside()
            self._leave_out()
        elif self.has_names_on_stack and code not in _TAKEN:
            self._drop_name(fence)

    def _drop_name(self, fence: int) -> None:
        """Texts at the end may be the module and the name of a class that is looked up next."""
        for count in (1, 2):
            texts = self.stack[max(fence, len(self.stack) - count) :]
            if len(texts) < count or any(text.kind != table.STR for text in texts):
                return
            if self.classes.text(texts[0].node) in sys.modules:
                for _ in texts:
                    self._pop()
                return

    # --- one object

    def _pop(self) -> _Entry:
        self.out += op.POP
        return self.stack.pop()

    def _set_aside(self) -> None:
        """Take the last object off the stack, and keep it if it holds anything."""
        entry = self.stack[-1]
        if self.sets_aside and entry.is_owned and self._is_worth_it(entry):
            number = _FIRST_NUMBER + len(self.aside)
            self.aside.append(number)
            self.out += op.LONG_BINPUT + number.to_bytes(4, "little")
        self._pop()

    def _is_worth_it(self, entry: _Entry) -> bool:
        if entry.kind not in _SET_ASIDE:
            return False
        if entry.node < 0:
            return entry.holds
        if entry.kind == table.TUPLE:
            return self._holds_anything(entry.node)
        is_empty = entry.kind in _SIZED and not self.scanner.length[entry.node]
        return entry.is_filled or not is_empty

    def _holds_anything(self, node: int) -> bool:
        """Whether there is more in a tuple than names, numbers and texts."""
        scanner = self.scanner
        for inner in range(node - 1, max(0, node - _LOOKED_AT), -1):
            parent = scanner.parent[inner]
            if parent == table.NOTHING:  # it was made before the tuple was begun
                break
            if scanner.kind[inner] in _SET_ASIDE or scanner.kind[parent] in _HELD:
                return True
        return bool(scanner.length[node] >= _LOOKED_AT)

    def _try(self, opcode: bytes, key: int) -> None:
        """An opcode that may fail: a method of a class, a hash."""
        self.keys.append((len(self.out), key))
        self.out += opcode

    def _leave_out(self) -> None:
        """An instance whose state is not there: only the outermost one is kept, if that is safe."""
        entry = self.stack[-1]
        if len(self.stack) == 1 and not self._is_set_by_code(entry):
            return
        if entry.is_owned:
            offset = int(self.scanner.offset[entry.node])
            self.oldest = offset if self.oldest is None else min(self.oldest, offset)
        self._pop()

    # --- a row of objects above a mark, or at the bottom

    def _take_down(self, fence: int) -> None:
        """Give objects at the end of a row to those before them that wait for them."""
        stack = self.stack
        calls = _MOST_CALLS
        while len(stack) > fence:
            last = stack[-1]
            count = len(stack) - fence
            if calls and self._drop_call(fence):
                calls -= 1
                continue
            if self._ends_with_state(count):
                continue
            if self._waits_for_state(last) and (len(stack) > 1 or self._is_set_by_code(last)):
                self._leave_out()
                continue
            if (
                count >= 3
                and self._waits(stack[-3]) == _DICTS
                and stack[-2].kind not in _UNHASHABLE
            ):
                self._fill(op.SETITEM, 2)
                continue
            if count >= 2:
                waiting = self._waits(stack[-2])
                if waiting == _DICTS and last.kind not in _UNHASHABLE:
                    self._set_aside()  # a key without a value
                    continue
                if waiting == _LISTS:
                    if not self.marks or self.is_text or last.kind in _HELD:
                        self._fill(op.APPEND, 1)
                    else:
                        self._set_aside()  # it may as well stand behind an empty list
                    continue
            return

    def _drop_call(self, fence: int) -> bool:
        """Drop a class or function at the end, with what may be the arguments of its call."""
        for count in range(min(len(self.stack) - fence, 4)):
            if self.stack[-count - 1].kind == table.GLOBAL:
                for _ in range(count + 1):
                    self._set_aside()
                return True
        return False

    def _fill(self, opcode: bytes, count: int) -> None:
        key = len(self.stack)
        if key in self.refused:
            for _ in range(count):
                self._set_aside()
            return
        self._try(opcode, key)
        holder = self.stack[-count - 1]
        holder.is_filled = True
        holder.holds |= any(entry.kind in _HELD for entry in self.stack[-count:])
        del self.stack[-count:]

    def _waits(self, entry: _Entry) -> str | None:
        """Which kind of items an object may be waiting for, if it is of a kind that gets items."""
        if not entry.is_owned or entry.node < 0:
            return None
        kind = entry.kind
        if not self.is_text and self.scanner.length[entry.node] % BATCHSIZE:
            return None
        if kind == table.LIST:
            return _LISTS
        if kind == table.DICT:
            return _DICTS
        if kind == table.SET:
            return _SETS
        if kind != table.OBJECT or self._has_state(entry) or self._is_rebuilt(entry.node):
            return None
        cls = self._class_of(entry)
        if cls is None:
            return None
        if issubclass(cls, dict):
            return _DICTS
        return _LISTS if issubclass(cls, (list, deque)) else None

    def _is_rebuilt(self, node: int) -> bool:
        """Whether copyreg._reconstructor made an instance: its items were an argument."""
        scanner = self.scanner
        return bool(
            scanner.kind[node - 1] == table.TUPLE
            and scanner.parent[node - 1] == node
            and scanner.type[node - 1] == scanner.type[node]
        )

    # --- states

    def _class_of(self, entry: _Entry) -> type | None:
        """The class of an instance: what made it, or the first argument of that."""
        if entry.node < 0:
            return None
        scanner = self.scanner
        cls = self.classes.find(scanner.type[entry.node])
        arguments = entry.node - 1
        if (
            cls is None
            and scanner.kind[arguments] == table.TUPLE
            and scanner.parent[arguments] == entry.node
        ):
            return self.classes.find(scanner.type[arguments])
        return cls

    def _has_state(self, entry: _Entry) -> bool:
        # The scanner notes it there as long as the object has no place of its own.
        return bool(self.scanner.step[entry.node])

    def _is_set_by_code(self, entry: _Entry) -> bool:
        """Whether a class sets its state itself, so that it may not stand less than all of it."""
        cls = self._class_of(entry)
        if cls is None or entry.kind != table.OBJECT:
            return False
        found = getattr_static(cls, "__setstate__", None)
        return found is not None and found is not vars(BaseException)["__setstate__"]

    def _waits_for_state(self, entry: _Entry) -> bool:
        """Whether an instance without items is probably not whole without a state."""
        if entry.kind != table.OBJECT or not entry.is_owned or entry.node < 0:
            return False
        if self._has_state(entry) or entry.holds or self.scanner.length[entry.node]:
            return False
        if self._is_set_by_code(entry):
            return True
        cls = self._class_of(entry)
        is_called = self.data[self.scanner.offset[entry.node]] == op.REDUCE[0]
        return cls is not None and not is_called and _may_have_attributes(cls)

    def _ends_with_state(self, count: int) -> bool:
        """Whether the last objects are the state of the one before them: then that is done."""
        stack = self.stack
        for size in (1, 2):
            if count <= size:
                return False
            owner = stack[-size - 1]
            if (
                owner.kind != table.OBJECT
                or not owner.is_owned
                or owner.node < 0
                or self._has_state(owner)
            ):
                continue
            state = stack[-size:]
            if self._is_set_by_code(owner):
                for _ in state:
                    self._set_aside()
                self._leave_out()
                return True
            if self._is_state(owner, state):
                self._build(owner, state)
                return True
        return False

    def _is_state(self, owner: _Entry, state: list[_Entry]) -> bool:
        cls = self._class_of(owner)
        if cls is None or state[-1].kind != table.DICT or not state[-1].is_owned:
            return False
        if len(state) == 2:  # of a class with slots
            return state[0].kind in (table.NONE, table.DICT) and bool(_slots_of(cls))
        is_container = issubclass(cls, (dict, list, set, frozenset, tuple, deque))
        return not is_container and _may_have_attributes(cls)

    def _build(self, owner: _Entry, state: list[_Entry]) -> None:
        place = len(self.stack) - len(state)
        is_kept = place == 1 or any(
            entry.holds or (entry.kind == table.DICT and self.scanner.length[entry.node])
            for entry in state
        )
        if place in self.refused or not is_kept:
            for _ in state:
                self._set_aside() if place in self.refused else self._pop()
            self._leave_out()
            return
        if len(state) == 2:
            self.out += op.TUPLE2
        self._try(op.BUILD, place)
        del self.stack[place:]
        # It is whole, as far as that goes.
        self.stack[-1] = made = _Entry(table.OBJECT, -1, True)
        made.holds = True

    # --- marks

    def _close(self) -> None:
        """Give what is above the last mark to the object below it; else it becomes a tuple."""
        bottom = self.marks[-1]
        fence = self.marks[-2] if len(self.marks) > 1 else 0
        if len(self.stack) == bottom:
            self.marks.pop()
            self.out += op.POP  # the mark
            return
        owner = self.stack[bottom - 1] if bottom > fence else None
        waiting = None if owner is None or self.is_text else self._waits(owner)
        items = self.stack[bottom:]
        if waiting == _DICTS:
            odd = next((i for i in range(0, len(items), 2) if items[i].kind in _UNHASHABLE), None)
            parts = 0 if odd is None else len(items) - odd + 1
            if odd and parts in (2, 3):  # the last value is a tuple that has no end
                self._join(parts)
                items = self.stack[bottom:]
            elif odd is not None:
                waiting = None
        if waiting == _SETS and any(entry.kind in _UNHASHABLE for entry in items):
            waiting = None
        if waiting is None or owner is None:
            self._collect(is_kept=True)
            return
        if bottom in self.refused:
            self._collect(is_kept=False)
            return
        if waiting == _DICTS and len(items) % 2:
            self._pop()
            items.pop()
            if not items:
                self._close()
                return
        self.marks.pop()
        self._try({_LISTS: op.APPENDS, _DICTS: op.SETITEMS, _SETS: op.ADDITEMS}[waiting], bottom)
        owner.is_filled = True
        owner.holds |= any(entry.kind in _HELD for entry in items)
        del self.stack[bottom:]

    def _collect(self, is_kept: bool) -> None:
        """A tuple of what is above the last mark, which is set aside or has its place here."""
        bottom = self.marks.pop()
        if len(self.stack) == bottom:
            self.out += op.POP
            return
        self.out += op.TUPLE
        self._replace_by_tuple(bottom)
        if not is_kept:
            self._set_aside()


def _slots_of(cls: type) -> list[str]:
    names: list[str] = copyreg._slotnames(cls)  # type: ignore[attr-defined]
    return names


def _may_have_attributes(cls: type) -> bool:
    return bool(cls.__dictoffset__) or bool(_slots_of(cls))
