"""Any other object: how it says that it wants to be rebuilt, and how that is written.

A reduction is what `__reduce__` may return, as the pickle documentation has it: a string (the
name of a global), or a tuple of two to six items: callable, arguments, state, list items, dict
items, state setter (PEP 307, PEP 574).
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterator
from functools import partial
from pickle import PicklingError
from types import FunctionType
from typing import Any, Final

from .containers import append_items, set_items
from .errors import (
    bad_item,
    bad_newobj_ex_item,
    bad_newobj_ex_length,
    bad_optional_item,
    bad_reduction,
    empty_newobj,
    newobj_needs_class,
    newobj_wrong_class,
    no_reduction,
)
from .names import save_global
from .opcodes import BUILD, NEWOBJ, NEWOBJ_EX, POP, REDUCE, TUPLE2
from .writing import Stream

ABSENT: Final = object()  # for what may be there and be None

# The types of None, Ellipsis and NotImplemented have no name to be found under.
_SINGLETON_TYPES: Final = {type(value): value for value in (None, ..., NotImplemented)}


def save_object(
    stream: Stream, obj: Any, reducer_override: Any, dispatch_table: Any
) -> Iterator[Any] | None:
    """Write an object of none of the types that have their own function.

    It is asked in this order: `reducer_override`; for classes and functions their name; the
    dispatch table (the Pickler's own, else copyreg's); `__reduce_ex__`; `__reduce__`.
    """
    cls = type(obj)
    may_be_endless = True
    reduction: Any = NotImplemented
    if reducer_override is not ABSENT:
        reduction = reducer_override(obj)
    if reduction is NotImplemented:
        if cls is type and obj in _SINGLETON_TYPES:
            reduction = type, (_SINGLETON_TYPES[obj],)
        elif cls is type or cls is FunctionType:
            return save_global(stream, obj)
        elif (reduce := _look_up(dispatch_table, cls)) is not ABSENT:
            reduction = reduce(obj)
        elif issubclass(cls, type):
            return save_global(stream, obj)
        elif (reduce := getattr(obj, "__reduce_ex__", ABSENT)) is not ABSENT:
            reduction = reduce(stream.protocol)
            may_be_endless = _may_be_endless(stream, cls)
        elif (reduce := getattr(obj, "__reduce__", ABSENT)) is not ABSENT:
            reduction = reduce()
        else:
            raise no_reduction(obj)
    if issubclass(type(reduction), str):
        return save_global(stream, obj, reduction)
    return save_reduction(stream, obj, reduction, may_be_endless)


def _look_up(dispatch_table: Any, cls: type) -> Any:
    """The reduction function for a class in a dispatch table, of whatever kind of mapping."""
    if dispatch_table is ABSENT:
        return copyreg.dispatch_table.get(cls, ABSENT)
    try:
        return dispatch_table[cls]
    except KeyError:
        return ABSENT


_OWN_METHODS: Final = (
    "__reduce_ex__",
    "__reduce__",
    "__getstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
)
_METHODS_OF_OBJECT: Final = [getattr(object, name, None) for name in _OWN_METHODS]
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def _may_be_endless(stream: Stream, cls: type) -> bool:
    """Whether the reduction of a class's instances may hold new objects each time.

    `object`'s own hands out what the instance has, which is finite; only below protocol 2 it
    makes a copy of an instance of a builtin type's subclass.
    """
    known = stream.may_be_endless.get(cls)
    if known is None:
        own = [getattr(cls, name, None) for name in _OWN_METHODS] != _METHODS_OF_OBJECT
        builtin_bases = [base for base in cls.__mro__[:-1] if not base.__flags__ & _HEAP_TYPE]
        copies = stream.protocol < 2 and builtin_bases != []
        known = stream.may_be_endless[cls] = own or copies
    return known


def save_reduction(
    stream: Stream, obj: Any, reduction: Any, may_be_endless: bool = False
) -> Iterator[Any]:
    """Write a reduction of `obj`, and memoize `obj`; yields what has to be written in between."""
    func, args, state, list_items, dict_items, state_setter = _unpack(reduction)
    if may_be_endless:
        stream.enter_user_code(obj)

    name = getattr(func, "__name__", None) if stream.protocol >= 2 else None
    if not issubclass(type(name), str):
        name = None
    if name == "__newobj_ex__":
        cls, new_args, new_kwargs = _newobj_ex_arguments(args)
        if stream.protocol >= 4:
            yield cls
            yield new_args
            yield new_kwargs
            stream.buffer += NEWOBJ_EX
        else:
            yield partial(cls.__new__, cls, *new_args, **new_kwargs)
            yield ()
            stream.buffer += REDUCE
    elif name == "__newobj__":
        cls, new_args = _newobj_arguments(obj, args)
        yield cls
        yield new_args
        stream.buffer += NEWOBJ
    else:
        yield func
        yield args
        stream.buffer += REDUCE

    # An object that is in the memo by now was reached again from its own arguments: throw away
    # this one and fetch the one that was built, complete, further down.
    number = stream.memo.numbers.get(id(obj))
    if number is not None:
        stream.buffer += POP
        stream.get(number)
    else:
        stream.memoize(obj)
        if list_items is not None:
            yield from append_items(stream, list_items)
        if dict_items is not None:
            yield from set_items(stream, dict_items)
        if state is not None:
            if state_setter is None:
                yield state
                stream.buffer += BUILD
            else:
                # Called for its effect on the object: what it returns is thrown away.
                yield state_setter
                yield obj
                yield state
                stream.buffer += TUPLE2 + REDUCE + POP
    if may_be_endless:
        stream.leave_user_code()


def _unpack(reduction: Any) -> tuple[Any, ...]:
    """The six items of a reduction, checked; None for those that it leaves out."""
    # Its type decides, not what an object says of itself; the same goes for its items.
    if not issubclass(type(reduction), tuple):
        raise bad_reduction(reduction)
    size = tuple.__len__(reduction)
    if not 2 <= size <= 6:
        raise PicklingError("tuple returned by __reduce__ must contain 2 through 6 elements")
    items = (*tuple.__iter__(reduction), None, None, None, None)[:6]
    func, args, _, list_items, dict_items, state_setter = items
    if not callable(func):
        raise bad_item("first", "callable", func)
    if type(args) is not tuple and not issubclass(type(args), tuple):
        raise bad_item("second", "a tuple", args)
    if list_items is not None and not hasattr(type(list_items), "__next__"):
        raise bad_optional_item("fourth", "an iterator", list_items)
    if dict_items is not None and not hasattr(type(dict_items), "__next__"):
        raise bad_optional_item("fifth", "an iterator", dict_items)
    if state_setter is not None and not callable(state_setter):
        raise bad_optional_item("sixth", "a function", state_setter)
    return items


def _newobj_ex_arguments(args: tuple[Any, ...]) -> tuple[type, tuple[Any, ...], dict[str, Any]]:
    size = tuple.__len__(args)
    if size != 3:
        raise bad_newobj_ex_length(size)
    cls, new_args, new_kwargs = tuple.__iter__(args)
    if not issubclass(type(cls), type):
        raise bad_newobj_ex_item("first", "a class", cls)
    if not issubclass(type(new_args), tuple):
        raise bad_newobj_ex_item("second", "a tuple", new_args)
    if not issubclass(type(new_kwargs), dict):
        raise bad_newobj_ex_item("third", "a dict", new_kwargs)
    return cls, new_args, new_kwargs


def _newobj_arguments(obj: Any, args: tuple[Any, ...]) -> tuple[type, tuple[Any, ...]]:
    if not tuple.__len__(args):
        raise empty_newobj()
    cls: Any = tuple.__getitem__(args, 0)
    if not issubclass(type(cls), type):
        raise newobj_needs_class(cls)
    # A class of an object's own making would come back as something else.
    if obj.__class__ is not cls:
        raise newobj_wrong_class(obj.__class__, cls)
    return cls, tuple.__getitem__(args, slice(1, None))
