"""How opcodes make and change objects, as the interpreter's unpickler does it."""

from __future__ import annotations

import sys
from pickle import UnpicklingError
from types import BuiltinMethodType
from typing import Any, Final

from .errors import c_type_name
from .loading_errors import ABSENT
from .versions import PY315

_NO_INSTANCES: Final = 1 << 7  # Py_TPFLAGS_DISALLOW_INSTANTIATION


def reduce(function: Any, args: Any) -> Any:
    """REDUCE."""
    if type(args) is not tuple:
        if not issubclass(type(args), tuple):
            raise TypeError("argument list must be a tuple")
        args = _items(args)
    return function(*args)


def newobj(cls: Any, args: Any) -> Any:
    """NEWOBJ."""
    if type(args) is not tuple or type(cls) is not type or cls.__flags__ & _NO_INSTANCES:
        check_newobj("NEWOBJ", cls, args)
        args = _items(args)
    return cls.__new__(cls, *args)


def newobj_ex(cls: Any, args: Any, kwargs: Any) -> Any:
    """NEWOBJ_EX."""
    check_newobj_ex(cls, args, kwargs)
    new = cls.__new__
    args, named = _items(args), dict(dict.items(kwargs))
    if PY315 and type(new) is BuiltinMethodType and not all(map(_is_str, named)):
        # A call refuses these names, while the reference leaves it to `__new__`, which may ignore
        # them, or refuse the call for another reason. So it gets names that no message has.
        names = [key if _is_str(key) else f"\0{i}" for i, key in enumerate(named)]
        try:
            return new(cls, *args, **dict(zip(names, named.values(), strict=True)))
        except TypeError as error:
            if "\0" not in str(error):
                raise
    return new(cls, *args, **named)


def _is_str(obj: Any) -> bool:
    return issubclass(type(obj), str)


def check_newobj(opcode: str, cls: Any, args: Any) -> None:
    if not issubclass(type(cls), type):
        raise UnpicklingError(
            f"{opcode} class argument must be a type, not {c_type_name(type(cls)):.200}"
        )
    if type.__dict__["__flags__"].__get__(cls) & _NO_INSTANCES:
        raise UnpicklingError(
            f"{opcode} class argument '{c_type_name(type(cls)):.200}' doesn't have __new__"
        )
    if not issubclass(type(args), tuple):
        raise UnpicklingError(
            f"{opcode} args argument must be a tuple, not {c_type_name(type(args)):.200}"
        )


def check_newobj_ex(cls: Any, args: Any, kwargs: Any) -> None:
    check_newobj("NEWOBJ_EX", cls, args)
    if not issubclass(type(kwargs), dict):
        raise UnpicklingError(
            f"NEWOBJ_EX kwargs argument must be a dict, not {c_type_name(type(kwargs)):.200}"
        )


def _items(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The items that a tuple has, whatever its subclass says."""
    return tuple.__getitem__(args, slice(None))


def instantiate(cls: Any, args: tuple[Any, ...]) -> Any:
    """INST and OBJ: an instance without a call of `__init__` where there are no arguments."""
    if (
        not args
        and issubclass(type(cls), type)
        and getattr(cls, "__getinitargs__", ABSENT) is ABSENT
    ):
        return cls.__new__(cls)
    return cls(*args)


def build(obj: Any, state: Any) -> None:
    """BUILD: give an object its state."""
    setstate = getattr(obj, "__setstate__", ABSENT)
    if setstate is not ABSENT:
        setstate(state)
        return
    slots = ABSENT
    if issubclass(type(state), tuple) and tuple.__len__(state) == 2:
        state, slots = tuple.__iter__(state)
    if state is not None:
        if not issubclass(type(state), dict):
            raise UnpicklingError("state is not a dictionary")
        attributes = obj.__dict__
        intern = sys.intern
        # Of a copy: what sets an item may change the state.
        for key, value in list(dict.items(state)):
            attributes[intern(key) if type(key) is str else key] = value
    if slots is not ABSENT:
        if not issubclass(type(slots), dict):
            raise UnpicklingError("slot state is not a dictionary")
        for key, value in list(dict.items(slots)):
            setattr(obj, key, value)


def append_items(obj: Any, items: list[Any]) -> None:
    """APPEND and APPENDS, of what is not exactly a list."""
    if not items and not PY315:
        return
    extend = getattr(obj, "extend", ABSENT)
    if extend is not ABSENT:
        extend(items)
        return
    append = obj.append
    for item in items:
        append(item)


def set_items(obj: Any, items: list[Any]) -> None:
    """SETITEM and SETITEMS, of what is not exactly a dict: keys and values in turn."""
    for i in range(0, len(items), 2):
        obj[items[i]] = items[i + 1]


def add_items(obj: Any, items: list[Any]) -> None:
    """ADDITEMS, of what is not exactly a set."""
    if not items and not PY315:
        return
    if issubclass(type(obj), set):
        set.update(obj, items)
        return
    add = obj.add
    for item in items:
        add(item)
