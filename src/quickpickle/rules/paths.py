"""From the steps that led to the object at fault (see rules/steps.py), an expression to paste.

The root is called `obj`. An object that plain Python reaches is named that way,
`obj.handlers['main'][3]`, and it is made sure, by identity, that the object is there. Else
the expression asks for the reduction again, `obj.__reduce_ex__(5)[1][0]`: that gives an equal
object, if not the same.

This runs in the middle of somebody's failure. So none of the user's code is called: no repr, no
hash, no property; keys are shown where they are of a builtin type, else by their number.
"""

from __future__ import annotations

import enum
import gc
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
)
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from .hints import find_file_hint, find_hint, full_name
from .notation import LONGEST_KEY, can_follow_a_dot, literal
from .notes import DUMP_HEAD, annotate, fault_line
from .reductions import ABSENT, COPYREG_TABLE, OVERRIDE, OWN_TABLE, dict_of, find, mro_of
from .scientific import is_array, is_table, name_in_array, name_in_table
from .sending import REPORTING, WRITING
from .steps import (
    ATTRIBUTE,
    DICT_KEY,
    GAP,
    ITEM,
    KEY,
    LIST_ITEM,
    MEMBER,
    PART,
    PERSISTENT_ID,
    STATE,
    UNKNOWN,
    VALUE,
    Step,
)

_LONGEST_PATH: Final = 4000  # characters
_STEPS_AT_END: Final = 20  # of a path that is longer
_MOST_ATTRIBUTES: Final = 1000  # of an object that are looked through for one
_BEFORE: Final = "\0"  # stands for the path up to a gap

# The type of the fields of namedtuples, which is CPython's own.
_FIELD_TYPE: Final = getattr(sys.modules.get("_collections"), "_tuplegetter", None)

# Their reductions have a list or a dict in their place.
_DICTS: Final[tuple[dict[Any, Any], ...]] = ({}, OrderedDict())
_VIEWS: Final = {WeakSet, *(type(view) for one in _DICTS for view in (one.keys(), one.values()))}
_ITEMS_VIEWS: Final = [type(one.items()) for one in _DICTS]

_args_of: Final = vars(BaseException)["args"].__get__
_flags_of: Final = type.__dict__["__flags__"].__get__
_MANAGED_DICT: Final = 1 << 4  # Py_TPFLAGS_MANAGED_DICT: attributes may do without a dict


class Place(NamedTuple):
    """An object on the way, and the expression for it.

    Inside what a reduction is made of, `owner` is the place of the object that it is of: what is
    found there too is better named from there.
    """

    text: str
    obj: Any
    owner: Place | None = None
    is_class: bool = False  # of the owner


def add_path(
    error: BaseException, root: Any, read_steps: Callable[[], list[Step]], protocol: int
) -> None:
    """Add to an exception the path to the object at fault: as `path`, and in one note.

    Where that cannot be done the exception stays as it is.
    """
    try:
        steps = read_steps()
        place = find_place(root, steps, protocol)
        described = [] if place.obj is UNKNOWN else [f"type {full_name(type(place.obj))}"]
        described += _describe_keys(steps)
        where = f"{place.text} ({', '.join(described)})" if described else place.text
        hint = place_hint(root, steps, place, error)
        annotate(error, DUMP_HEAD + where, hint, path=place.text)
    except Exception:  # out of memory, or at the recursion limit: what matters is the error
        pass


def add_fault(error: BaseException, what: str, size: int) -> None:
    """Add to an exception that it is no fault of the object: what has failed, and how far it came.

    `what` is one of those in rules/sending.py. There is no `path`, which would name an object.
    """
    try:
        line = fault_line(error, what)
        if what != REPORTING:  # which was told
            line += f" after {size:,} bytes"
        hint = find_file_hint(error) if what == WRITING else None
        annotate(error, line, hint)
    except Exception:  # out of memory, or at the recursion limit: what matters is the error
        pass


def find_place(root: Any, steps: list[Step], protocol: int) -> Place:
    """Where the steps lead: the expression, and the object."""
    place = _follow(Place("obj", root), steps, protocol)
    if len(place.text) > _LONGEST_PATH:
        middle = steps[_STEPS_AT_END:-_STEPS_AT_END]
        if middle:
            gap = Step(GAP, middle[-1].child)
            steps = [*steps[:_STEPS_AT_END], gap, *steps[-_STEPS_AT_END:]]
            place = _follow(Place("obj", root), steps, protocol)
    return _at_fault(place)


def _at_fault(place: Place) -> Place:
    """The instance in place of its class, where that has no name to be found under.

    It is by the instance that one can tell what to do, and from protocol 2 on that is asked first.
    """
    return place.owner if place.is_class and place.owner is not None else place


def place_hint(root: Any, steps: list[Step], place: Place, error: BaseException) -> str | None:
    """The hint for the object at a place to which the steps lead."""
    around = []
    for parent, step in zip([root, *[step.child for step in steps]], steps, strict=False):
        # A hook or a table pickles an object in another way than its type does.
        is_by_value = type(parent) is FunctionType or issubclass(type(parent), type)
        if (step.source == 0 or is_by_value) and step.kind not in (PERSISTENT_ID, GAP):
            around.append(parent)
    return find_hint(place.obj, error, around)


def _describe_keys(steps: list[Step]) -> list[str]:
    """The beginnings of keys that are named by their numbers because they are long."""
    keys = [step.key for step in steps if step.kind == VALUE and type(step.key) in (str, bytes)]
    long = [key for key in keys if literal(key) is None]
    return [f"under the key {key[: LONGEST_KEY // 2]!r}…" for key in long[-1:]]


def _follow(place: Place, steps: list[Step], protocol: int) -> Place:
    tables = [place] if is_table(place.obj) else []
    for i, step in enumerate(steps):
        if step.kind == GAP:
            end = _at_fault(_follow(Place(_BEFORE, step.child), steps[i + 1 :], protocol))
            while place.owner is not None:  # not in the middle of a reduction
                place = place.owner
            return end._replace(text=end.text.replace(_BEFORE, f"{place.text} … "))
        following = _next_place(place, step, protocol)
        if following is None:
            break  # it is no longer where it was: the path ends with what it was in
        if tables and step.kind == ITEM and place.owner is not None and is_array(place.owner.obj):
            following = _cell(tables, following)
        place = following
        if is_table(place.obj):
            tables.append(place)
    return place


def _cell(tables: list[Place], place: Place) -> Place:
    """An item of an array, by the row and column of the outermost table that shows it."""
    for table in tables:
        name = name_in_table(table.obj, place.obj)
        if name is not None:
            return Place(table.text + name, place.obj)
    return place


# --- one step


def _next_place(place: Place, step: Step, protocol: int) -> Place | None:
    kind, child, position, key, _ = step
    text, obj, *_ = place
    if kind == ITEM:
        return _item(place, child, position)
    if kind in (KEY, VALUE):
        return _dict_part(place, step)
    if kind == MEMBER:
        number = _number(set.__iter__ if isinstance(obj, set) else frozenset.__iter__, place, step)
        return None if number is None else Place(f"list({text})[{number}]", child)
    if kind == ATTRIBUTE:
        name = _attribute_name(obj, child, key)
        return None if name is None else Place(_attribute(text, obj, name), child)
    if kind == PERSISTENT_ID:
        return Place(f"pickler.persistent_id({text})", child)
    if kind == STATE:
        return Place(_state(place, step, protocol), child, place)
    if type(obj) in (bytes, bytearray):
        return None  # whose reductions in the old protocols are the pickler's own
    reduction = _reduction(text, obj, step.source, protocol)
    if kind == PART:
        if (
            type(child) is partial
            and key == "[0]"
            and find(type(obj), "__getnewargs_ex__") is not ABSENT
        ):
            # Made by the pickler, for what is NEWOBJ_EX from protocol 4 on.
            operands = f"type({text}), *{reduction}[1][1], **{reduction}[1][2]"
            return Place(f"functools.partial({text}.__new__, {operands})", child, place)
        return _reached(place, child) or Place(reduction + key, child, place)
    if kind == LIST_ITEM:
        return _list_item(place, step, reduction)
    return _dict_item(place, step, reduction)


def _item(place: Place, child: Any, position: int | None) -> Place | None:
    """An item of a tuple or a list."""
    text, obj, owner, _ = place
    items = tuple if issubclass(type(obj), tuple) else list
    if not issubclass(type(obj), items):
        return None
    index = _index(items, obj, child, position)
    if index is None:
        return None
    if type(obj) is not items:
        return _reached(place, child, index) or Place(f"{text}[{index}]", child)
    if owner is not None:
        if (reached := _reached(owner, child, index)) is not None:
            return reached
        if text.endswith("[1:]"):  # arguments, the first of which is the class
            return Place(f"{text.removesuffix('[1:]')}[{index + 1}]", child, owner)
    return Place(f"{text}[{index}]", child, owner)


def _index(items: Any, obj: Any, child: Any, position: int | None) -> int | None:
    size = items.__len__(obj)
    if position is not None and 0 <= position < size and items.__getitem__(obj, position) is child:
        return position
    return _number_of(child, items.__iter__(obj))


def _number_of(child: Any, items: Iterable[Any]) -> int | None:
    """The number of the first item that is this object."""
    for number, item in enumerate(items):
        if item is child:
            return number
    return None


def _dict_part(place: Place, step: Step) -> Place | None:
    """A key or a value of a dict."""
    kind, child, _, key, _ = step
    text, _, owner, _ = place
    if kind == KEY:
        number = _number(dict.__iter__, place, step)
        if (
            owner is not None
            and number is not None
            and issubclass(type(owner.obj), dict)
            and next(islice(dict.__iter__(owner.obj), number, None), UNKNOWN) is child
        ):
            return Place(f"list({owner.text})[{number}]", child)
        if owner is not None and (inner := _in_a_view(owner, child)) is not None:
            return Place(inner, child)
        return None if number is None else Place(f"list({text})[{number}]", child, owner)
    if owner is not None and (reached := _reached(owner, child, key=key)) is not None:
        return reached
    if owner is not None and owner.obj is UNKNOWN and text == f"{owner.text}.__dict__":
        return Place(_attribute(owner.text, None, key), child)
    if (shown := literal(key)) is not None:
        return Place(f"{text}[{shown}]", child, owner)
    number = _number(dict.values, place, step)
    return None if number is None else Place(f"list({text}.values())[{number}]", child, owner)


def _number(iterate: Callable[[Any], Iterable[Any]], place: Place, step: Step) -> int | None:
    """The number of the child in what the object gives one after the other."""
    if step.position is not None:
        return step.position
    return _number_of(step.child, iterate(place.obj))


def _list_item(place: Place, step: Step, reduction: str) -> Place:
    """One of the list items of a reduction."""
    text, obj, *_ = place
    number = step.position
    if issubclass(type(obj), (list, deque)):
        items = list if issubclass(type(obj), list) else deque
        child = step.child
        if child is UNKNOWN and number is not None and number < items.__len__(obj):
            child = items.__getitem__(obj, number)
        index = _index(items, obj, child, number)
        if index is not None:
            return Place(_call(text, obj, items, "__getitem__", str(index)), child)
    return Place(f"list({reduction}[3])[{number}]", step.child, place)


def _dict_item(place: Place, step: Step, reduction: str) -> Place | None:
    """The key or the value of one of the dict items of a reduction."""
    text, obj, *_ = place
    number = step.position
    is_key = step.kind == DICT_KEY
    if number is None:
        if not issubclass(type(obj), dict):
            return None
        parts = dict.keys(obj) if is_key else dict.values(obj)
        number = _number_of(step.child, parts)
        if number is None:
            return None
    if issubclass(type(obj), dict):
        kind: Any = OrderedDict if issubclass(type(obj), OrderedDict) else dict
        key, value = next(islice(kind.items(obj), number, None), (UNKNOWN, UNKNOWN))
        child = step.child
        if child is UNKNOWN:
            child = key if is_key else value
        if child is not UNKNOWN and child is (key if is_key else value):
            shown = None if is_key else literal(key)
            if shown is not None:
                return Place(_call(text, obj, kind, "__getitem__", shown), child)
            items = f"dict.{'keys' if is_key else 'values'}({text})"
            if kind is OrderedDict or _is_of(obj, dict, "__iter__", "keys", "values"):
                items = text if is_key else f"{text}.values()"
            return Place(f"list({items})[{number}]", child)
    return Place(f"list({reduction}[4])[{number}][{0 if is_key else 1}]", step.child, place)


def _call(text: str, obj: Any, base: type, method: str, argument: str) -> str:
    """An item by the object's own operator, or by its base's where it has another one."""
    if _is_of(obj, base, method):
        return f"{text}[{argument}]"
    return f"{full_name(base)}.{method}({text}, {argument})"


def _is_of(obj: Any, base: type, *names: str) -> bool:
    return all([find(type(obj), name) is find(base, name) for name in names])


def _reduction(text: str, obj: Any, source: int, protocol: int) -> str:
    """An expression that makes an object's reduction once more."""
    if source == OVERRIDE:
        return f"pickler.reducer_override({text})"
    if source == OWN_TABLE:
        return f"pickler.dispatch_table[type({text})]({text})"
    if source == COPYREG_TABLE:
        return f"copyreg.dispatch_table[type({text})]({text})"
    return f"{text}.__reduce_ex__({protocol})"


def _state(place: Place, step: Step, protocol: int) -> str:
    text, obj, *_ = place
    if obj is UNKNOWN or step.child is _instance_dict(obj):
        return f"{text}.__dict__"
    is_reduced_plainly = step.source == 0 and _is_of(obj, object, "__reduce__", "__reduce_ex__")
    if is_reduced_plainly and not _is_of(obj, object, "__getstate__"):
        return f"{text}.__getstate__()"
    return f"{_reduction(text, obj, step.source, protocol)}[2]"


# --- what is also found without the reduction


def _reached(
    owner: Place, child: Any, index: int | None = None, key: Any = UNKNOWN
) -> Place | None:
    """An object that a reduction has handed out, named from the object that it is of."""
    text, obj, *_ = owner
    if obj is UNKNOWN or child is UNKNOWN:
        return None
    cls = type(obj)
    if child is cls:
        return Place(f"type({text})", child, owner, True)
    name = _attribute_name(obj, child, key)
    if name is not None:
        return Place(_attribute(text, obj, name), child, owner.owner)
    if issubclass(cls, BaseException) and _args_of(obj) is child:
        return Place(f"{text}.args", child)
    if cls is BuiltinFunctionType and obj.__self__ is child:
        return Place(f"{text}.__self__", child)
    if index is not None:
        for items in (tuple, list):
            if not issubclass(cls, items) or index >= items.__len__(obj):
                continue
            if items.__getitem__(obj, index) is child:
                return Place(_call(text, obj, items, "__getitem__", str(index)), child)
        for members in (set, frozenset):
            if not issubclass(cls, members):
                continue
            if next(islice(members.__iter__(obj), index, None), UNKNOWN) is child:
                if not _is_of(obj, members, "__iter__"):
                    text = f"{full_name(members)}.copy({text})"
                return Place(f"list({text})[{index}]", child)
        if is_array(obj) and (name := name_in_array(obj, child, index)) is not None:
            return Place(name.format(text), child)
    if issubclass(cls, dict):
        shown = literal(key)
        if shown is not None and dict.get(obj, key, UNKNOWN) is child:
            return Place(_call(text, obj, dict, "__getitem__", shown), child)
    inner = _in_a_view(owner, child) or _in_an_attribute(owner, child, index, key)
    return None if inner is None else Place(inner, child, owner.owner)


def _in_a_view(owner: Place, child: Any) -> str | None:
    """An expression for one of the objects that a view of a dict, or a WeakSet, has."""
    text, obj, *_ = owner
    if type(obj) in _VIEWS:
        number = _number_of(child, obj)
        return None if number is None else f"list({text})[{number}]"
    if type(obj) in _ITEMS_VIEWS:
        for number, item in enumerate(obj):
            part = _number_of(child, item)
            if part is not None:
                return f"list({text})[{number}][{part}]"
    return None


def _in_an_attribute(owner: Place, child: Any, index: int | None, key: Any) -> str | None:
    """An expression for an object that is an item of a container in an attribute of the owner.

    Its reduction has the items in another container, made for it.
    """
    text, obj, *_ = owner
    if issubclass(type(obj), type) and type(key) is str and dict_of(obj).get(key) is child:
        # An object with a __get__ is another one behind a dot; a function is not.
        is_plain = type(child) is FunctionType or find(type(child), "__get__") is ABSENT
        if is_plain and can_follow_a_dot(key) and find(type(obj), key) is ABSENT:
            return f"{text}.{key}"
        return f"{text}.__dict__[{key!r}]"
    if issubclass(type(obj), enum.EnumMeta) and type(key) is str:
        return _value_of_member(text, obj, child, key)
    # From Python 3.14 on they may be made when they are asked for: these were.
    if type(obj) is FunctionType and key == "__annotations__" and obj.__annotations__ is child:
        return f"{text}.__annotations__"
    shown = literal(key)
    for part, value in _parts_of(text, obj):
        if value is child:
            return part
        if type(value) in (tuple, list) and index is not None:
            found = _index(type(value), value, child, index)
            if found is not None:
                return f"{part}[{found}]"
        elif type(value) is dict and shown and value.get(key, UNKNOWN) is child:
            return f"{part}[{shown}]"
    return None


def _value_of_member(text: str, cls: Any, child: Any, name: str) -> str | None:
    """An expression for the value of a member of an Enum, which cloudpickle has by its name."""
    members = dict_of(cls).get("_member_map_")
    member = members.get(name) if type(members) is dict else None
    held = _instance_dict(member) if type(member) is cls else None
    if held is None or held.get("_value_", UNKNOWN) is not child:
        return None
    is_plain = find(cls, "value") is find(enum.Enum, "value")
    is_found = find(type(cls), "__getitem__") is find(enum.EnumMeta, "__getitem__")
    return f"{text}[{name!r}].value" if is_plain and is_found else None


# Attributes that do not lie in the instance dict, of types whose getters do nothing else.
_PARTS: Final = {
    "function": ("__globals__", "__closure__", "__defaults__", "__kwdefaults__"),
    "cell": ("cell_contents",),
    "type": ("__bases__",),
    "datetime.datetime": ("tzinfo",),
    "datetime.time": ("tzinfo",),
    "types.GenericAlias": ("__origin__", "__args__"),
    "types.UnionType": ("__args__",),
    "typing.Union": ("__args__",),
}


def _parts_of(text: str, obj: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of an object: the expressions, and the values."""
    for base in mro_of(type(obj)):
        for name in _PARTS.get(full_name(base), ()):
            descriptor = dict_of(base).get(name, ABSENT)
            if descriptor is find(type(obj), name) and descriptor is not ABSENT:
                with suppress(ValueError):  # an empty cell
                    yield f"{text}.{name}", descriptor.__get__(obj)
    if type(obj) is MappingProxyType:
        yield text, gc.get_referents(obj)[0]
    for name, value in islice((_instance_dict(obj) or {}).items(), _MOST_ATTRIBUTES):
        if type(name) is str:
            yield _attribute(text, obj, name), value


def _attribute_name(obj: Any, child: Any, name: Any = UNKNOWN) -> str | None:
    """The name of an attribute that holds `child`, looked for under `name` first."""
    attributes = _instance_dict(obj)
    if attributes is not None:
        if type(name) is str and attributes.get(name, UNKNOWN) is child:
            return name
        for found, value in islice(attributes.items(), _MOST_ATTRIBUTES):
            if value is child and type(found) is str:
                return found
    for base in mro_of(type(obj)):
        for found, descriptor in dict_of(base).items():
            if type(descriptor) is MemberDescriptorType and type(found) is str:
                try:
                    if descriptor.__get__(obj) is child:
                        return found
                except AttributeError:  # not set
                    pass
            elif type(descriptor) is _FIELD_TYPE and descriptor.__get__(obj) is child:
                return str(found)
    return None


def _instance_dict(obj: Any) -> dict[str, Any] | None:
    for base in mro_of(type(obj)):
        descriptor = dict_of(base).get("__dict__")
        if type(descriptor) is MemberDescriptorType or (
            type(descriptor) is GetSetDescriptorType and _has_dict(obj)
        ):
            found = descriptor.__get__(obj)
            return found if type(found) is dict else None
    return None


def _has_dict(obj: Any) -> bool:
    """Whether an instance has a dict already. To ask for it would make one, which exceptions,
    functools.partial and others in C then pickle: a failed dump would change what is written next.
    """
    if sys.implementation.name != "cpython" or _flags_of(type(obj)) & _MANAGED_DICT:
        return True
    members = [
        descriptor
        for base in mro_of(type(obj))
        for descriptor in dict_of(base).values()
        if type(descriptor) is MemberDescriptorType
    ]
    dicts = {id(found) for found in gc.get_referents(obj) if type(found) is dict}
    for descriptor in members if dicts else ():
        with suppress(AttributeError):  # not set
            dicts.discard(id(descriptor.__get__(obj)))
    return bool(dicts)


def _attribute(text: str, obj: Any, name: str) -> str:
    """An attribute, by a dot where that leads to it and not past it."""
    own = find(type(obj), name)
    is_shadowed = own is not ABSENT and find(type(own), "__set__") is not ABSENT
    if type(own) in (MemberDescriptorType, _FIELD_TYPE):
        is_shadowed = False
    if is_shadowed or not can_follow_a_dot(name):
        return f"{text}.__dict__[{name!r}]"
    getattribute = find(type(obj), "__getattribute__")
    # On PyPy that of object is of this type too.
    if type(getattribute) is FunctionType and getattribute is not object.__getattribute__:
        return f"object.__getattribute__({text}, {name!r})"
    return f"{text}.{name}"
