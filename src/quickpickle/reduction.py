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
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    MethodDescriptorType,
    WrapperDescriptorType,
)
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
    type_name,
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
    by_user = True  # whether code of the user's had a hand in the reduction
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
            by_user = _has_own_reduction(cls)
        elif (reduce := getattr(obj, "__reduce__", ABSENT)) is not ABSENT:
            reduction = reduce()
        else:
            raise no_reduction(obj)
    if issubclass(type(reduction), str):
        return save_global(stream, obj, reduction)
    return save_reduction(stream, obj, reduction, by_user)


def _look_up(dispatch_table: Any, cls: type) -> Any:
    """The reduction function for a class in a dispatch table, of whatever kind of mapping."""
    if dispatch_table is ABSENT:
        return copyreg.dispatch_table.get(cls, ABSENT)
    try:
        return dispatch_table[cls]
    except KeyError:
        return ABSENT


_BUILTIN_METHODS: Final = (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)


def _has_own_reduction(cls: type) -> bool:
    """Whether a method written in Python takes part in the reduction of a class's instances."""
    for name in (
        "__reduce_ex__",
        "__reduce__",
        "__getstate__",
        "__getnewargs__",
        "__getnewargs_ex__",
    ):
        method = getattr(cls, name, None)
        if method is not None and not isinstance(method, _BUILTIN_METHODS):
            return True
    return False


def save_reduction(
    stream: Stream, obj: Any, reduction: Any, by_user: bool = False
) -> Iterator[Any]:
    """Write a reduction of `obj`, and memoize `obj`; yields what has to be written in between."""
    func, args, state, list_items, dict_items, state_setter = _unpack(reduction)
    if by_user:
        _enter_reduction(stream, obj)

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
    if by_user:
        stream.nested_reductions -= 1


def _enter_reduction(stream: Stream, obj: Any) -> None:
    stream.nested_reductions += 1
    if stream.nested_reductions > stream.reduction_limit:
        raise RecursionError(
            f"more than {stream.reduction_limit} nested reductions, the last of a "
            f"{type_name(type(obj))} object: its __reduce__ may never end (if it does, "
            "set Pickler.reduction_limit higher)"
        )


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
    if not issubclass(type(args), tuple):
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
