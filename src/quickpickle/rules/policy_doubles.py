"""Doubles of classes that the user lists: what stands for them where a pickle is only checked.

A double has the name of its class, derives from the same type of C, and has none of its code. An
instance of a double gets what an instance of the class would get, as far as the rules look at it:
items, attributes and slots. The functions have the names of those in rules/policy_objects.py.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from enum import EnumMeta
from functools import partial
from typing import Any, Final

from .errors import c_type_name
from .hashing import QUIET
from .objects import check_newobj, newobj, newobj_ex, set_items
from .policy_names import VALUES
from .policy_objects import definition_of, find_method, is_slot_of, module_of, qualname_of
from .versions import HEAP_TYPE

# Types of C that doubles derive from, with what they are made of where that cannot be nothing.
_LAYOUTS: Final[dict[type, tuple[Any, ...]]] = {
    **dict.fromkeys(VALUES | {OrderedDict, defaultdict, deque}, ()),
    **dict.fromkeys((dt.tzinfo, dt.time, dt.timedelta), ()),
    **dict.fromkeys((dt.date, dt.datetime), (1, 1, 1)),
}


class _Unknown:
    """The result of a refused opcode or of a function of the user: it may be anything."""

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        return self  # never called; a defaultdict wants what can be


UNKNOWN: Final = _Unknown()


class Doubles:
    """The doubles of one check."""

    def __init__(self) -> None:
        self._doubles: dict[int, tuple[Any, Any]] = {}  # by address: the object, its double
        self._classes: dict[int, type] = {}  # by the address of its double
        self._members: dict[int, dict[tuple[type, Any], Any]] = {}  # of enums, by their values

    def double(self, obj: Any) -> Any:
        """The double of an object that was found by a name.

        An object that is neither a class nor an instance of one in Python stands for itself:
        such as a function.
        """
        if not isinstance(obj, type) and not type(obj).__flags__ & HEAP_TYPE:
            return obj
        known = self._doubles.get(id(obj))
        if known is None:
            made = self._new_class(obj) if isinstance(obj, type) else self._new_copy(obj)
            known = self._doubles[id(obj)] = obj, made
        return known[1]

    def _new_class(self, cls: type) -> type:
        layout = _layout_of(cls)
        namespace: dict[str, Any] = {
            "__module__": module_of(cls),
            "__qualname__": qualname_of(cls),
            **_hash_of(cls),
        }
        if layout is dt.tzinfo:  # a datetime that is hashed asks for it
            namespace["utcoffset"] = _none
        if find_definition(cls, "__call__") is not None:
            namespace["__call__"] = _none
        double = type(c_type_name(cls), (layout,), namespace)
        self._classes[id(double)] = cls
        return double

    def _new_copy(self, obj: Any) -> Any:
        """Of an instance, a member of an enum too."""
        double = self.double(type(obj))
        layout = _layout_of(type(obj))
        attributes = _attributes_of(obj)
        value = attributes.get("_value_")
        made = self._new(double, layout, (value,) if type(value) is layout else _LAYOUTS[layout])
        vars(made).update(attributes)
        return made

    def _new(
        self,
        double: type,
        layout: type,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        new: Callable[..., Any] = layout.__new__
        return new(double, *args, **(kwargs or {}))

    def class_of(self, double: Any) -> type | None:
        """The class that a double stands for; None for what is no double of a class."""
        return self._classes.get(id(double))

    # --- what makes and changes objects: see rules/policy_objects.py

    def reduce(self, function: Any, args: tuple[Any, ...]) -> Any:
        cls = self.class_of(function)
        if cls is None:
            return UNKNOWN
        if isinstance(cls, EnumMeta):
            return self._member(cls, function, args)
        return self._instance(cls, function, args, {}, is_called=True)

    def newobj(self, cls: Any, args: tuple[Any, ...]) -> Any:
        real = self.class_of(cls)
        if real is None:  # of a preset, or no class at all
            return newobj(cls, args)
        check_newobj("NEWOBJ", real, args)
        return self._instance(real, cls, args, {}, is_called=False)

    def newobj_ex(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        real = self.class_of(cls)
        if real is None:
            return newobj_ex(cls, args, kwargs)
        check_newobj("NEWOBJ_EX", real, args)
        return self._instance(real, cls, args, kwargs, is_called=False)

    def instantiate(self, cls: Any, args: tuple[Any, ...]) -> Any:
        return self.reduce(cls, args)

    def _member(self, cls: EnumMeta, double: type, args: tuple[Any, ...]) -> Any:
        """Found by a value that has no code of its own; else one of which nothing is known."""
        members = self._members.get(id(cls))
        if members is None:
            members = self._members[id(cls)] = {}
            found: Any
            for found in cls.__members__.values():
                value = _attributes_of(found).get("_value_")
                if type(value) in QUIET or type(value) is int:
                    members.setdefault((type(value), value), found)
        value = args[0]
        if type(value) in QUIET or type(value) is int:
            member = members.get((type(value), value))
            if member is not None:
                return self.double(member)
        layout = _layout_of(cls)
        return self._new(double, layout, _LAYOUTS[layout])

    def _instance(
        self, cls: type, double: type, args: tuple[Any, ...], kwargs: dict[str, Any], *,
        is_called: bool,
    ) -> Any:  # fmt: skip
        layout = _layout_of(cls)
        new, init = find_definition(cls, "__new__"), find_definition(cls, "__init__")
        # Only types of C look at the arguments.
        if new not in _BASES:
            # As a rule they become the items or the attributes.
            made = self._new(double, layout, (args,) if layout is tuple else _LAYOUTS[layout])
            self._keep(made, args)
        elif new is object and init is not object:
            made = self._new(double, layout, ())
        else:
            made = self._new(double, layout, args, kwargs)
        if not is_called or init is object:
            pass
        elif init in _BASES:
            setup: Callable[..., None] = init.__init__  # type: ignore[misc]
            setup(made, *args, **kwargs)
        else:
            self._keep(made, args)
        return made

    def _keep(self, made: Any, parts: Any) -> None:
        """Keep arguments of the class's own code as attributes: the cost of a hash counts them."""
        attributes = vars(made)
        if type(parts) is dict:
            attributes.update(parts)
        elif type(parts) in (list, tuple):
            for part in parts:
                attributes[len(attributes)] = part

    def set_items(self, obj: Any, items: list[Any]) -> None:
        if id(type(obj)) not in self._classes:
            set_items(obj, items)
            return
        setitem = self.find_method(obj, "__setitem__")
        if setitem is None:
            raise TypeError(f"'{c_type_name(type(obj))}' object does not support item assignment")
        for i in range(0, len(items), 2):
            setitem(items[i], items[i + 1])

    def find_method(self, obj: Any, name: str) -> Any:
        """That of a type of C; what takes its place where it is the user's; or None."""
        cls = self._classes.get(id(type(obj)))
        if cls is None:
            return find_method(obj, name)
        base, found = definition_of(cls, name)
        if found is None:
            return None
        if base in _BASES:
            return found.__get__(obj, type(obj))
        return partial(self._keep, obj) if name == "__setstate__" else _none

    def attributes_of(self, obj: Any) -> Any:
        cls = self._classes.get(id(type(obj)))
        if cls is not None and not _has_dict(cls):
            obj = _bare(cls)  # which has the error of the interpreter
        return object.__getattribute__(obj, "__dict__")

    def shares_attributes(self, obj: Any) -> bool:
        return False

    def is_slot(self, obj: Any, name: str) -> bool:
        return is_slot_of(self._classes.get(id(type(obj)), type(obj)), name)

    def set_slot(self, obj: Any, name: str, value: Any) -> None:
        cls = self._classes.get(id(type(obj)))
        if cls is None:
            setattr(obj, name, value)
            return
        if not _has_dict(cls) and find_definition(cls, name) is None:
            setattr(_bare(cls), name, value)  # an error
        vars(obj)[name] = value


_BASES: Final = frozenset(_LAYOUTS) | {object}
_LAYOUTS[object] = ()


def _layout_of(cls: type) -> type:
    return next(base for base in cls.__mro__ if base in _LAYOUTS)


def find_definition(cls: type, name: str) -> type | None:
    return next((base for base in cls.__mro__ if name in vars(base)), None)


def _bare(cls: type) -> Any:
    """An instance without any attributes, of a class of the same name."""
    return type(c_type_name(cls), (), {"__slots__": ()})()


def _has_dict(cls: type) -> bool:
    return find_definition(cls, "__dict__") is not None


def _attributes_of(obj: Any) -> dict[str, Any]:
    try:
        found = object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return {}
    return found if type(found) is dict else {}


def _none(*args: Any) -> None:
    return None


def _hash_of(cls: type) -> dict[str, Any]:
    """How instances are hashed: as by types of C; not at all; or otherwise, without its code."""
    base = find_definition(cls, "__hash__")
    if base in _BASES:
        return {}
    if base is not None and vars(base)["__hash__"] is None:
        return {"__hash__": None, "__eq__": object.__eq__}
    return {"__hash__": _identity_hash, "__eq__": object.__eq__}


def _identity_hash(self: Any) -> int:
    return id(self) >> 4
