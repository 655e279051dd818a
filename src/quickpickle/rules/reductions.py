"""Any other object: how its reduction is found, checked, and turned into opcodes.

A reduction is what `__reduce__` may return, as the pickle documentation has it: a string (the
name of a global), or a tuple of two to six items: callable, arguments, state, list items, dict
items, state setter (PEP 307, PEP 574).
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from functools import partial
from pickle import PicklingError
from types import (
    BuiltinFunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

from ..format.opcodes import NEWOBJ, NEWOBJ_EX, REDUCE
from .errors import (
    bad_item,
    bad_newobj_ex_item,
    bad_newobj_ex_length,
    bad_optional_item,
    bad_reduction,
    empty_newobj,
    newobj_needs_class,
    newobj_wrong_class,
)
from .placeholders import NEWOBJ_EX as NEWOBJ_EX_FUNCTION
from .placeholders import Placeholder
from .versions import HEAP_TYPE

ABSENT: Final = object()  # for what may be there and be None

# How a reduction was made, where the object's own __reduce_ex__ was not asked.
OVERRIDE: Final = 1  # by the Pickler's reducer_override
OWN_TABLE: Final = 2  # by the Pickler's dispatch_table
COPYREG_TABLE: Final = 3  # by copyreg's

# The types of None, Ellipsis and NotImplemented have no name to be found under.
SINGLETON_TYPES: Final = {type(value): value for value in (None, ..., NotImplemented)}


def only_globals(
    classes: dict[type, Any] | None = None,
    modules: set[str] | None = None,
    code: dict[Any, dict[str, Any]] | None = None,
    methods: dict[str, Callable[..., Any]] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare that a method `reducer_override` returns NotImplemented, and does nothing else, for
    all but classes, functions, and what says with its `__class__` that it is one.

    With all four parameters, the same for a class or function that lies under its name in its
    module, if that has a name, and is in `sys.modules` and not `__main__`; but not for the classes
    in `classes`, nor as long as there is any in `modules`, the names of those to be pickled by
    value; nor where the modules and classes in `code` have something else by now under the names
    there; for functions, nor where the Pickler's own `methods` are others.

    So the compiled implementation need not call it with anything else; the pure one does. The mark
    is on the function, so a subclass that overrides it is called with everything again.
    For quickpickle.cloud, as cloudpickle's method is of this kind.
    """

    def mark(reducer_override: Callable[..., Any]) -> Callable[..., Any]:
        # With the function, since functools.wraps copies this to others.
        marked = reducer_override, classes, modules, code, methods
        vars(reducer_override)["_quickpickle_only_globals"] = marked
        return reducer_override

    return mark


def look_up(dispatch_table: Any, cls: type) -> Any:
    """The reduction function for a class in a dispatch table, of whatever kind of mapping."""
    if dispatch_table is ABSENT:
        return copyreg.dispatch_table.get(cls, ABSENT)
    try:
        return dispatch_table[cls]
    except KeyError:
        return ABSENT


METHODS: Final = (
    "__reduce_ex__",
    "__reduce__",
    "__getstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
)

# A metaclass may run code of its own when a class is asked for these, so ask type.
mro_of: Final = type.__dict__["__mro__"].__get__
dict_of: Final = type.__dict__["__dict__"].__get__
_module_dict: Final = vars(ModuleType)["__dict__"].__get__
_flags_of: Final = type.__dict__["__flags__"].__get__


def imported_class(module_name: str, name: str) -> type | None:
    """A class by its name, if its module is imported. No code of either is run.

    >>> imported_class("types", "SimpleNamespace"), imported_class("types", "no.such")
    (<class 'types.SimpleNamespace'>, None)
    """
    found: Any = sys.modules.get(module_name)
    for part in name.split("."):
        if isinstance(found, ModuleType):
            found = (_module_dict(found) or {}).get(part)  # None before its __init__
        elif isinstance(found, type):
            found = dict_of(found).get(part)
        else:
            return None
    return found if isinstance(found, type) else None


def find(cls: type, name: str) -> Any:
    """A class's attribute as it stands in the class or a base, or ABSENT: it may be None."""
    for base in mro_of(cls):
        attributes = dict_of(base)
        if name in attributes:
            return attributes[name]
    return ABSENT


def _has_own_method(cls: type) -> bool:
    """Whether a method that takes part in reductions is not object's."""
    return any([find(cls, name) is not find(object, name) for name in METHODS])


def is_made_in_python(cls: type, but_for: type = object) -> bool:
    """Whether a class and its bases are all of a class statement's making, but for `but_for`."""
    bases = [base for base in mro_of(cls) if base not in (object, but_for)]
    return all([_flags_of(base) & HEAP_TYPE for base in bases])


def may_be_endless(known_types: dict[type, bool], protocol: int, cls: type) -> bool:
    """Whether the reduction of a class's instances may hold new objects each time.

    `object`'s own hands out what the instance has, which is finite, unless code of the class's
    own is asked for attributes or items. Below protocol 2 it makes a copy of an instance of
    a builtin type's subclass.
    """
    known = known_types.get(cls)
    if known is None and cls is Placeholder:  # it hands out the parts that it has
        known = False
    if known is None:
        try:
            known = (
                _has_own_method(cls)
                or has_own_attributes(cls)
                or (protocol < 2 and not is_made_in_python(cls))
                or (issubclass(cls, list) and find(cls, "__iter__") is not find(list, "__iter__"))
                or (issubclass(cls, dict) and find(cls, "items") is not find(dict, "items"))
            )
        except Exception:  # whatever is odd about the class
            known = True
        known_types[cls] = known
    return known


def has_own_attributes(cls: type, base: type = object) -> bool:
    """Whether asking an instance for its dict or slots may run code of the class's own.

    `base` is what it may have its __getattribute__ from: that of builtin types does the same.
    """
    slots = copyreg._slotnames(cls)  # type: ignore[attr-defined]
    return (
        find(cls, "__getattribute__") is not find(base, "__getattribute__")
        or find(cls, "__getattr__") is not ABSENT
        or has_own_dict(cls)
        or not all([type(find(cls, slot)) is MemberDescriptorType for slot in slots])
    )


def has_own_dict(cls: type) -> bool:
    """Whether a class has something else under `__dict__` than what gives the instance dict."""
    found = find(cls, "__dict__")
    return found is not ABSENT and type(found) is not GetSetDescriptorType


def has_own_reduction(obj: Any, reduce_ex: Any) -> bool:
    """Whether an instance of a class with object's reduction carries a method of its own."""
    if type(reduce_ex) is not BuiltinFunctionType and not (
        # PyPy's builtin methods are of the type of others.
        type(reduce_ex) is MethodType and reduce_ex.__func__ is object.__reduce_ex__
    ):
        return True
    return "__getstate__" in getattr(obj, "__dict__", ())


def construction(
    protocol: int, obj: Any, func: Any, args: tuple[Any, ...]
) -> tuple[bytes, tuple[Any, ...]]:
    """The opcode that makes an object, and what it finds on the stack."""
    if protocol >= 2:
        name: Any = getattr(func, "__name__", None)
        if type(name) is not str and issubclass(type(name), str):
            name = str.__str__(name)  # a subclass of str may lie about what it equals
        if type(name) is str:
            if name == "__newobj__":
                return NEWOBJ, newobj_arguments(obj, args)
            if name == "__newobj_ex__":
                return (NEWOBJ_EX if protocol >= 4 else REDUCE), newobj_ex_arguments(args, protocol)
    return REDUCE, (func, args)


def unpack(reduction: Any) -> tuple[Any, ...]:
    """The six items of a reduction, checked; None for those that it leaves out."""
    # Its type decides, not what an object says of itself; the same goes for its items.
    if not issubclass(type(reduction), tuple):
        raise bad_reduction(reduction)
    size = tuple.__len__(reduction)
    if not 2 <= size <= 6:
        raise PicklingError("tuple returned by __reduce__ must contain 2 through 6 elements")
    items = tuple.__add__(reduction, (None,) * (6 - size))
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


def newobj_ex_arguments(args: tuple[Any, ...], protocol: int) -> tuple[Any, ...]:
    """The class, the arguments and the keyword arguments for NEWOBJ_EX; for REDUCE before it."""
    size = tuple.__len__(args)
    if size != 3:
        raise bad_newobj_ex_length(size)
    cls, new_args, new_kwargs = tuple.__iter__(args)
    if type(cls) is Placeholder:
        return args if protocol >= 4 else (NEWOBJ_EX_FUNCTION, args)
    if not issubclass(type(cls), type):
        raise bad_newobj_ex_item("first", "a class", cls)
    if not issubclass(type(new_args), tuple):
        raise bad_newobj_ex_item("second", "a tuple", new_args)
    if not issubclass(type(new_kwargs), dict):
        raise bad_newobj_ex_item("third", "a dict", new_kwargs)
    if protocol >= 4:
        return cls, new_args, new_kwargs
    return partial(cls.__new__, cls, *tuple.__iter__(new_args), **new_kwargs), ()


def newobj_arguments(obj: Any, args: tuple[Any, ...]) -> tuple[type, tuple[Any, ...]]:
    if not tuple.__len__(args):
        raise empty_newobj()
    cls: Any = tuple.__getitem__(args, 0)
    if type(obj) is Placeholder:
        return cls, tuple.__getitem__(args, slice(1, None))
    if not issubclass(type(cls), type):
        raise newobj_needs_class(cls)
    # An object of another class than it says would come back as something else.
    own_class = getattr(obj, "__class__", type(obj))
    if own_class is not cls:
        raise newobj_wrong_class(own_class, cls)
    return cls, tuple.__getitem__(args, slice(1, None))
