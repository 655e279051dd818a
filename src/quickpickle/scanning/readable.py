"""Names for the parts of known reductions: `obj.args[1]`, not `obj.__reduce_ex__(4)[1][1]`.

The steps from an object down to a part of its reduction decide, and the object's class: by its
name, or, where this program has imported it anyway, by its bases. Nothing is imported here.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple

from ..format import table
from ..rules.loading import names_in_python3
from ..rules.notation import can_follow_a_dot
from ..rules.reductions import ABSENT, dict_of, find, imported_class, mro_of
from . import tables
from .tables import child_of

_MOST_STEPS: Final = 4
_LONGEST_KEY: Final = 80  # bytes of a key that a rule names
_PLAIN: Final = {table.TUPLE, table.LIST, table.DICT}
_PARTS: Final = {
    table.ARGUMENTS: "args",
    table.NEW_ARGUMENTS: "new",
    table.STATE: "state",
}

_module_of: Final = type.__dict__["__module__"].__get__
_name_of: Final = type.__dict__["__name__"].__get__

_Steps = tuple[Any, ...]  # from the object: a part of its reduction, indexes, keys


class Part(NamedTuple):
    """The expression for a part."""

    text: str
    owner: str | None = None  # of a dict of attributes: the object that has them
    items: Callable[[int], str | None] | None = None  # of an array: the names of its items


# By the kind of the object and the steps: the expression for the part, {} for the object.
_RULES: Final[dict[str, dict[_Steps, str]]] = {
    "exception": {("args",): "{}.args"},
    "OSError": {
        ("args",): "{}.args",
        ("args", 2): "{}.filename",
        ("args", 4): "{}.filename2",
    },
    "set": {("args", 0): "list({})"},
    "partial": {
        ("args", 0): "{}.func",
        ("state", 0): "{}.func",
        ("state", 1): "{}.args",
        ("state", 2): "{}.keywords",
    },
    "array": {
        ("state", 1): "{}.shape",
        ("state", 2): "{}.dtype",
        ("state", 4): "{}.flat",
    },
    "masked array": {
        ("state", 1): "{}.shape",
        ("state", 2): "{}.dtype",
        ("state", 4): "{}.data.flat",
        ("state", 6): "{}.fill_value",
    },
    "array of a buffer": {("args", 0): "{}.data", ("args", 1): "{}.dtype", ("args", 2): "{}.shape"},
    "array of pandas": {("state", 0): "{}.dtype", ("state", 1): "{}._ndarray"},
    "deque": {("args", 1): "{}.maxlen"},
    "defaultdict": {("args", 0): "{}.default_factory"},
    "Counter": {("args", 0): "{}"},
    "method": {("args", 0): "{}.__self__"},
    "slice": {("args", 0): "{}.start", ("args", 1): "{}.stop", ("args", 2): "{}.step"},
    "time": {("args", 1): "{}.tzinfo"},
    "pattern": {("args", 0): "{}.pattern", ("args", 1): "{}.flags"},
    "alias": {("args", 0): "{}.__origin__", ("args", 1): "{}.__args__"},
    "enum": {("args", 0): "{}.value"},
    "reconstructed": {("args", 2): "{}"},
}
_BY_NAME: Final = {
    ("numpy", "ndarray"): "array",
    ("numpy", "recarray"): "array",
    ("numpy.rec", "recarray"): "array",
    ("numpy.ma", "MaskedArray"): "masked array",
    ("numpy.ma.core", "MaskedArray"): "masked array",
    ("numpy._core.numeric", "_frombuffer"): "array",
    ("numpy.core.numeric", "_frombuffer"): "array",
    ("builtins", "getattr"): "method",
    ("builtins", "slice"): "slice",
    ("builtins", "range"): "slice",
    ("re", "_compile"): "pattern",
    ("types", "GenericAlias"): "alias",
    ("pandas", "Categorical"): "array of pandas",
    ("pandas.core.arrays.categorical", "Categorical"): "array of pandas",
    ("pandas.arrays", "NumpyExtensionArray"): "array of pandas",
    ("pandas.core.arrays.numpy_", "NumpyExtensionArray"): "array of pandas",
    **tables.KINDS,
}
# By the class that a class derives from, as far as that has its own way to be pickled.
_BY_BASE: Final = {
    ("collections", "deque"): "deque",
    ("collections", "defaultdict"): "defaultdict",
    ("collections", "Counter"): "Counter",
    ("functools", "partial"): "partial",
    ("datetime", "datetime"): "time",
    ("datetime", "time"): "time",
    ("enum", "Enum"): "enum",
    ("numpy.ma", "MaskedArray"): "masked array",
    ("numpy", "ndarray"): "array",
    ("builtins", "OSError"): "OSError",
    ("builtins", "BaseException"): "exception",
    ("builtins", "set"): "set",
    ("builtins", "frozenset"): "set",
    ("builtins", "tuple"): "tuple",
}


def keeps(labels: Any, node: int) -> bool:
    """Whether what is below a node is still a part of the reduction that the node is a part of."""
    return labels.scanner.kind[node] in _PLAIN


def name_part(labels: Any, whole: Any, node: int) -> Part | None:
    """The expression for a part of the reduction of an object, whose place is `whole`."""
    scanner = labels.scanner
    steps = _steps(labels, whole.node, node)
    if steps is None:
        return None
    if labels.kind_of[:1] != (whole.node,):  # the children of a node come one after the other
        labels.kind_of = whole.node, _kind_of(labels, whole.node)
    kind = labels.kind_of[1]
    if kind is None:
        return None
    if kind in tables.NAMERS:
        found = tables.NAMERS[kind](labels, whole, steps, node)
        return None if found is None else Part(*found)
    if kind == "array" and steps[:2] == ("state", 4) and len(steps) == 3 and whole.items:
        name = whole.items(steps[2])
        return None if name is None else Part(name)
    if kind == "partial" and steps == ("state", 3) and scanner.kind[node] == table.DICT:
        return Part(f"{whole.text}.__dict__", whole.text)
    if kind == "method" and scanner.kind[node] != table.OBJECT:
        return None  # also a class in a class is pickled as getattr(Outer, "Inner")
    if kind in ("array", "masked array") and steps == ("state", 4):
        kind = kind if scanner.kind[node] == table.LIST else ""  # the bytes of numbers
    if kind == "tuple" and len(steps) == 2 and steps[0] == "new":
        return _name_field(labels, whole, steps[1])
    if kind == "dataclass" and len(steps) == 2 and steps[0] == "state":
        return _name_of_dataclass(labels, whole, steps[1])
    rule = _RULES.get(kind, {}).get(steps)
    return None if rule is None else Part(rule.format(whole.text))


def _steps(labels: Any, whole: int, node: int) -> _Steps | None:
    """The steps from an object down to a part of its reduction."""
    scanner = labels.scanner
    steps: list[Any] = []
    while node != whole:
        role = scanner.role[node]
        if len(steps) == _MOST_STEPS:
            return None
        if role == table.ITEM:
            steps.append(scanner.step[node])
        elif role == table.VALUE:
            steps.append(labels.value(scanner.step[node], _LONGEST_KEY))
        elif role in _PARTS:
            steps.append(_PARTS[role])
        else:
            return None
        node = scanner.parent[node]
    return tuple(reversed(steps))


# --- kinds of objects


def _kind_of(labels: Any, node: int) -> str | None:
    scanner = labels.scanner
    number = scanner.type[node]
    if number == table.NOTHING:
        return None
    if number not in labels.kinds:
        labels.kinds[number] = _kind_of_name(labels, number)
    kind: str | None = labels.kinds[number]
    arguments = child_of(scanner, node, table.ARGUMENTS)
    count = -1 if arguments is None else scanner.length[arguments]
    if count == 3 and scanner.type[arguments] == number and labels.protocol_of(node) < 2:
        # copyreg._reconstructor, with the class, a builtin base and the value of that.
        base = child_of(scanner, arguments, table.ITEM, 1)
        is_class = base is None or scanner.kind[base] == table.GLOBAL
        if is_class and kind not in (*tables.NAMERS, "array", "dataclass"):
            return "reconstructed"
    if kind == "array" and count == 4:
        return "array of a buffer"  # _frombuffer may have the number of the class: Results.unite
    return kind


def _kind_of_name(labels: Any, number: int) -> str | None:
    module, name = labels.names_of(number)
    protocol = labels.protocol_at(labels.scanner.name_node[number])
    if protocol < 3:
        module, name = names_in_python3(module, name)
    if (module, name) in _BY_NAME:
        return _BY_NAME[module, name]
    if protocol >= 4 and module == "builtins" and name in ("set", "frozenset"):
        return None  # there are opcodes for sets, so it is an object that only makes one of itself
    cls = imported_class(module, name)
    if cls is None:
        return None
    setter = find(cls, "__setstate__")
    if type(setter) is FunctionType and setter.__code__.co_name == "_dataclass_setstate":
        return "dataclass"  # with slots: its state is a list
    for base in mro_of(cls):
        kind = _BY_BASE.get((_module_of(base), _name_of(base)))
        if kind is not None:
            return kind if _is_pickled_as(cls, base, kind) else None
    return None


def _is_pickled_as(cls: type, base: type, kind: str) -> bool:
    """Whether the instances of a class are pickled by the methods of a base."""
    if kind in ("exception", "OSError"):
        # Those of the builtin exceptions differ in the state only.
        owner = next(known for known in mro_of(cls) if "__reduce__" in dict_of(known))
        if vars(builtins).get(_name_of(owner)) is not owner:
            return False
        return find(cls, "__reduce_ex__") is find(object, "__reduce_ex__")
    if kind == "enum":
        return find(cls, "__reduce_ex__") is find(base, "__reduce_ex__")
    names = ["__reduce_ex__", "__reduce__", "__getnewargs_ex__"]
    if kind in ("array", "masked array", "partial"):
        names += ["__setstate__"]
    if kind == "tuple" and find(cls, "_fields") is ABSENT:
        names += ["__getnewargs__"]
    return all(find(cls, name) is find(base, name) for name in names)


def _name_field(labels: Any, whole: Any, index: Any) -> Part | None:
    """An item of a tuple of a class of its own: by the name that a namedtuple gives it."""
    module, name = labels.names_of(labels.scanner.type[whole.node])
    cls = imported_class(module, name)
    fields = ABSENT if cls is None else find(cls, "_fields")
    if fields is ABSENT:
        return Part(whole.text) if index == 0 else None
    return _attribute(whole, fields, index) if type(fields) is tuple else None


def _name_of_dataclass(labels: Any, whole: Any, index: Any) -> Part | None:
    """An item of the state of a dataclass with slots, which has a value for each field."""
    cls = imported_class(*labels.names_of(labels.scanner.type[whole.node]))
    fields = ABSENT if cls is None else find(cls, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    names = [name for name, field in fields.items() if _is_field(field)]
    return _attribute(whole, tuple(names), index)


def _is_field(field: Any) -> bool:
    """Whether it is one of `dataclasses.fields`, and so no ClassVar or InitVar."""
    return getattr(getattr(field, "_field_type", None), "name", None) == "_FIELD"


def _attribute(whole: Any, names: tuple[Any, ...], index: Any) -> Part | None:
    """The attribute whose name has an index among others."""
    name = names[index] if type(index) is int and index < len(names) else None
    if type(name) is str and can_follow_a_dot(name):
        return Part(f"{whole.text}.{name}")
    return None
