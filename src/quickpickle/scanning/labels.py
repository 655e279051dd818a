"""The texts of a node: its value, read from the file, and its path from the root.

Paths are Python expressions. The root is `obj`; in a file of several pickles it is `objs[0]`,
`objs[1]` and so on. The state of a BUILD is shown as attributes, and objects appended to an
object as its items: that is right for classes that have no methods of their own for this.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from ..format import table
from ..format.decode import ARGUMENT_OF, LINE
from ..rules.notation import DEEPEST, LONGEST_KEY, MOST_ITEMS, can_follow_a_dot, literal
from .readable import keeps, name_part
from .source import Source

LONGEST_TEXT: Final = 60  # characters of a value that are shown
_LONGEST_NAME: Final = 250  # bytes of a module or a name
_LONGEST_PATH: Final = 400  # characters
_STEPS_AT_END: Final = 20  # of a path that has more than twice as many

_WORDS: Final = {
    table.KEY: "key",
    table.MEMBER: "member",
    table.CALLABLE: "callable",
    table.ARGUMENTS: "arguments",
    table.CLASS: "class",
    table.NEW_ARGUMENTS: "arguments",
    table.EX_ARGUMENTS: "arguments",
    table.EX_KEYWORDS: "keywords",
    table.STATE: "state",
    table.MODULE: "module",
    table.NAME: "name",
    table.PERSISTENT_ID: "persistent id",
}

_OF_REDUCTIONS: Final = {table.ARGUMENTS, table.NEW_ARGUMENTS, table.STATE}

_MOST_KEPT: Final = 4096  # names and keys that are read once

_NOT_SHOWN: Final = object()


_T = TypeVar("_T")


class Place(NamedTuple):
    """A node and the expression for it; `owner` is that of the object whose state it is.

    Inside what a reduction is made of, `whole` is the place of the object that it is of. `items`
    names the items of an array in another way than by the array.
    """

    node: int
    text: str
    owner: str | None = None
    whole: Place | None = None
    items: Callable[[int], str | None] | None = None


class Labels:
    """Reads labels from a source, with the columns of a scanner.

    With `is_first` there is only the first pickle, whatever comes behind it.
    """

    def __init__(self, source: Source, scanner: Any, *, is_first: bool = False) -> None:
        self._source = source
        self.scanner = scanner
        self._are_many = len(scanner.pickles) > table.P_FIELDS and not is_first
        self._names: dict[int, tuple[str, str]] = {}
        self._texts: dict[str, str] = {}
        self._literals: dict[int, str | None] = {}
        # See readable.py: what is known of names by their numbers, of the last object, of the
        # columns of the last table.
        self.kinds: dict[int, str | None] = {}
        self.kind_of: tuple[Any, ...] = ()
        self.columns: dict[int, Any] = {}

    # --- values

    def value(self, node: int, most: int) -> Any:
        """The value of a leaf, or _NOT_SHOWN where it has none or one of more than `most` bytes."""
        scanner = self.scanner
        kind = scanner.kind[node]
        if not table.NONE <= kind <= table.BYTEARRAY:
            return _NOT_SHOWN
        data, is_whole = self._payload(node, most)
        if not is_whole:
            return _NOT_SHOWN
        try:
            return _decode(self._code(node), kind, data)
        except (ValueError, struct.error):
            return _NOT_SHOWN

    def text(self, node: int) -> str:
        """A short repr of a leaf; for a class or function its name; else nothing."""
        scanner = self.scanner
        kind = scanner.kind[node]
        if kind == table.GLOBAL:
            return ".".join(self.names_of(scanner.type[node]))
        if kind == table.PERSISTENT and self._code(node) == ord("P"):
            data, is_whole = self._payload(node, LONGEST_TEXT)
            return data.decode("ascii", "backslashreplace") + ("" if is_whole else "…")
        if not table.NONE <= kind <= table.BYTEARRAY:
            return ""
        data, is_whole = self._payload(node, 4 * LONGEST_TEXT)
        try:
            value = _decode(self._code(node), kind, data)
        except (ValueError, struct.error):
            return ""
        if isinstance(value, int) and not is_whole:
            return "…"
        is_sized = isinstance(value, (str, bytes, bytearray))
        if is_sized and (len(value) > LONGEST_TEXT or not is_whole):
            value = value[:LONGEST_TEXT]
            if isinstance(value, str):
                value = value.rstrip("\ufffd")  # a character that was cut in two
            return repr(value) + "…"
        try:
            shown = repr(value)
        except ValueError:  # an int of more digits than repr() writes
            return "…"
        return shown if len(shown) <= 2 * LONGEST_TEXT else shown[: 2 * LONGEST_TEXT] + "…"

    def _code(self, node: int) -> int:
        return self._source.read(self.scanner.offset[node], 1)[0]

    def _payload(self, node: int, most: int) -> tuple[bytes, bool]:
        """The payload of an opcode, at most so many bytes, and whether that is all."""
        offset = self.scanner.offset[node]
        data = self._source.read(offset, 9)
        argument = ARGUMENT_OF[data[0]]
        if argument <= 8:
            return data[1 : 1 + argument], True
        if argument < LINE:
            width = argument & 0xF
            length = int.from_bytes(data[1 : 1 + width], "little")
            start = offset + 1 + width
            return self._source.read(start, min(length, most)), length <= most
        data = self._source.read(offset + 1, most + 1)
        line, newline, _ = data.partition(b"\n")
        return line[:most], bool(newline)

    # --- names

    def names_of(self, number: int) -> tuple[str, str]:
        """Module and name under a number of a name, as pickle.load looks for them."""
        return _keep(self._names, number, self._names_of)

    def _names_of(self, number: int) -> tuple[str, str]:
        scanner = self.scanner
        node = scanner.name_node[number]
        module_node = scanner.name_module[number]
        if module_node != table.NOTHING:
            module = self._name_text(module_node)
            name = self._name_text(scanner.name_name[number])
        else:
            code = self._code(node)
            if table.OPCODE_NAMES[code].startswith("EXT"):
                data, _ = self._payload(node, 4)
                return _extension(int.from_bytes(data, "little"))
            lines = self._source.read(scanner.offset[node] + 1, 2 * _LONGEST_NAME + 2)
            first, _, rest = lines.partition(b"\n")
            second, newline, _ = rest.partition(b"\n")
            if newline:
                module, name = _name(first), _name(second)
            else:  # a very long name
                module, name = _name(first[:_LONGEST_NAME]) + "…", _name(second[:80]) + "…"
        return module, name

    def _name_text(self, node: int) -> str:
        data, is_whole = self._payload(node, _LONGEST_NAME)
        try:
            value = _decode(self._code(node), self.scanner.kind[node], data)
        except ValueError:
            value = _name(data)
        text = str(value) + ("" if is_whole else "…")
        return self._texts.setdefault(text, text)  # one, however many names consist of it

    # --- paths

    def path(self, node: int) -> str:
        """The expression for a node; a long one is shortened in the middle."""
        return self.place(node).text

    def place(self, node: int) -> Place:
        nodes, is_cut = self.scanner.way(node, _STEPS_AT_END)
        place = self.start(nodes[0])
        for i, following in enumerate(nodes[1:]):
            if is_cut and i == _STEPS_AT_END:
                place = Place(following, place.text + " … ")
            else:
                place = self.follow(place, following)
        return place

    def start(self, node: int) -> Place:
        """The place of a node where paths begin."""
        scanner = self.scanner
        role = scanner.role[node]
        if role == table.ROOT:
            number = scanner.step[scanner.parent[node]]
            return Place(node, f"objs[{number}]" if self._are_many else "obj")
        if role == table.NUMBERED:
            number = scanner.step[node]
            return Place(node, f"<pickle {number}>" if self._are_many else "<pickle>")
        if role == table.LOOSE:
            return Place(node, f"<loose at {scanner.offset[node]}>")
        return Place(node, "<file>" if role == table.NOWHERE else "<unread>")

    def follow(self, place: Place, node: int) -> Place:
        """The place of a child."""
        scanner = self.scanner
        if scanner.role[node] in table.STARTS:
            return self.start(node)
        is_part = scanner.kind[place.node] == table.OBJECT and scanner.role[node] in _OF_REDUCTIONS
        whole = place if is_part else place.whole
        part = None if whole is None else name_part(self, whole, node)
        text, owner, items = (*self._follow(place, node), None) if part is None else part
        if len(text) > _LONGEST_PATH:
            half = _LONGEST_PATH // 2 - 2
            text = f"{text[:half]} … {text[-half:]}"
        return Place(node, text, owner, whole if keeps(self, node) else None, items)

    def step(self, node: int) -> str:
        """The role of a node in its parent, in short: the last step of its path, or a word."""
        role = self.scanner.role[node]
        if role in _WORDS:
            return _WORDS[role]
        if role == table.LOOSE:
            return "loose"
        scanner = self.scanner
        parent = scanner.parent[node]
        if parent == table.NOTHING:
            return self.start(node).text
        owner = "" if self.holds_attributes(parent) else None
        return self.follow(Place(parent, "", owner), node).text

    def holds_attributes(self, node: int) -> bool:
        """Whether a dict is the state of an object, or one of two."""
        scanner = self.scanner
        if scanner.role[node] == table.ITEM:
            node = scanner.parent[node]
            return bool(scanner.role[node] == table.STATE and scanner.length[node] == 2)
        return bool(scanner.role[node] == table.STATE)

    def _follow(self, place: Place, node: int) -> tuple[str, str | None]:
        scanner = self.scanner
        text = place.text
        role, step = scanner.role[node], scanner.step[node]
        parent = scanner.parent[node]
        if role == table.ITEM or role == table.ARGUMENT:
            # The state of a class with slots: a tuple of two dicts.
            is_state = scanner.role[parent] == table.STATE and scanner.kind[parent] == table.TUPLE
            owner = place.owner if is_state and scanner.length[parent] == 2 else None
            if role == table.ARGUMENT:
                text += f".__reduce_ex__({self.protocol_of(node)})[1]"
            return f"{text}[{step}]", owner
        if role == table.KEY:
            return f"list({text})[{step}]", None
        if role == table.VALUE:
            return self._value_text(place, node, step), None
        if role == table.MEMBER:
            return f"list({text})[{step}]", None
        if role == table.CLASS:
            return f"type({text})", None
        if role == table.MODULE:
            return f"{text}.__module__", None
        if role == table.NAME:
            return f"{text}.__qualname__", None
        if role == table.PERSISTENT_ID:
            return f"pickler.persistent_id({text})", None
        if role == table.STATE and scanner.kind[node] == table.DICT:
            return f"{text}.__dict__", text
        part = {
            table.CALLABLE: "[0]",
            table.ARGUMENTS: "[1]",
            table.NEW_ARGUMENTS: "[1][1:]",
            table.EX_ARGUMENTS: "[1][1]",
            table.EX_KEYWORDS: "[1][2]",
            table.STATE: "[2]",
        }[role]
        owner = text if role == table.STATE else None
        return f"{text}.__reduce_ex__({self.protocol_of(node)}){part}", owner

    def _value_text(self, place: Place, node: int, key: int) -> str:
        scanner = self.scanner
        kind = scanner.kind[key]
        is_text = kind == table.STR or kind == table.STRING
        if place.owner is not None and is_text:
            name = self.value(key, LONGEST_KEY)
            if isinstance(name, str) and can_follow_a_dot(name):
                return f"{place.owner}.{name}"
        literal = self.literal(key)
        if literal is not None:
            return f"{place.text}[{literal}]"
        if scanner.role[key] == table.KEY and scanner.parent[key] == scanner.parent[node]:
            return f"list({place.text}.values())[{scanner.step[key]}]"
        return f"{place.text}[…]"

    def literal(self, node: int) -> str | None:
        """The repr of a key which, evaluated, equals it; None where there is no short one."""
        return _keep(self._literals, node, self._find_literal)

    def _find_literal(self, node: int) -> str | None:
        return literal(self._key(node))

    def _key(self, node: int, depth: int = 0) -> Any:
        """The value of a key; _NOT_SHOWN, which has no literal, in place of what is too long."""
        scanner = self.scanner
        length = scanner.length[node]
        if scanner.kind[node] != table.TUPLE or length > MOST_ITEMS or depth == DEEPEST:
            is_key = scanner.kind[node] != table.BYTEARRAY
            return self.value(node, 4 * LONGEST_KEY) if is_key else _NOT_SHOWN
        items = scanner.children(node)
        if [scanner.role[item] for item in items] != [table.ITEM] * length:
            return _NOT_SHOWN  # one is a reference
        return tuple(self._key(item, depth + 1) for item in items)

    def protocol_at(self, node: int) -> int:
        """The protocol by which pickle.load looks for names: 0 where the pickle tells none."""
        scanner = self.scanner
        start = scanner.pickles[find_pickle(scanner, node) * table.P_FIELDS + table.P_START]
        return self.protocol_of(node) if self._source.read(start, 1) == b"\x80" else 0

    def protocol_of(self, node: int) -> int:
        """The protocol of the pickle that a node is in."""
        number = find_pickle(self.scanner, node)
        return int(self.scanner.pickles[number * table.P_FIELDS + table.P_PROTOCOL])


def _keep(kept: dict[int, _T], number: int, find: Callable[[int], _T]) -> _T:
    """The result of `find`, kept if it was found before. (An lru_cache of a method
    of its own would keep the tree alive.)
    """
    if number not in kept:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[number] = find(number)
    return kept[number]


def find_pickle(scanner: Any, node: int) -> int:
    """The number of the pickle that a node is in."""
    pickles = scanner.pickles
    low, high = 0, len(pickles) // table.P_FIELDS
    while high - low > 1:
        middle = (low + high) // 2
        if pickles[middle * table.P_FIELDS + table.P_NODE] <= node:
            low = middle
        else:
            high = middle
    return low


def _decode(code: int, kind: int, data: bytes) -> Any:
    """The value that an opcode of a leaf has with this argument, which may be cut."""
    opcode = table.OPCODE_NAMES[code]
    if kind == table.NONE:
        return None
    if kind == table.BOOL:
        return opcode == "NEWTRUE" or data == b"01"
    if kind == table.INT:
        if opcode in ("INT", "LONG"):
            return int(data.rstrip(b"L"))
        return int.from_bytes(data, "little", signed=opcode not in ("BININT1", "BININT2"))
    if kind == table.FLOAT:
        return struct.unpack(">d", data)[0] if opcode == "BINFLOAT" else float(data)
    if opcode == "UNICODE":
        return data.decode("raw-unicode-escape", "replace")
    if kind == table.STR:
        return data.decode("utf-8", "surrogatepass" if _is_utf8(data) else "replace")
    if opcode == "STRING":
        return data.strip(b"'\"").decode("latin-1")
    if kind == table.STRING:
        return data.decode("latin-1")
    return data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _name(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _extension(code: int) -> tuple[str, str]:
    """The module and name of an extension code; looked up, not imported."""
    import copyreg

    registry: dict[int, tuple[str, str]] = copyreg._inverted_registry  # type: ignore[attr-defined]
    found = registry.get(code)
    return found if found is not None else ("copyreg", f"extension {code}, not registered")
