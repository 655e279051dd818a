"""What the instances of a class are reduced to, where that follows from the class alone.

`object.__reduce_ex__` finds out for every instance anew that its class has no `__reduce__`, no
`__getstate__`, no slots. `find_plan` finds it out once, for the compiled core, which then writes
such instances as their reduction would have it, without making it (see native/plans.pyx). The
Python implementation always asks.

Reductions written in Python or C that are known to have no side effect are recognised by the
function or its code, never by name.
"""

from __future__ import annotations

import copyreg
import sys
from functools import cache
from types import CodeType, FunctionType, MethodDescriptorType
from typing import Any, Final, NamedTuple

from .errors import PY313
from .reduction import METHODS, find, has_own_attributes, is_made_in_python

# Below, `new` stands for copyreg.__newobj__, which becomes a NEWOBJ opcode.
UNPLANNED: Final = 0  # to be asked
PLAIN: Final = 1  # new, (cls,), the instance dict or None
AST: Final = 2  # cls, (), the instance dict: nodes of syntax trees
SLOTS: Final = 3  # new, (cls,), (None, {slot: value})
FIELDS: Final = 4  # new, (cls,), [value of each field]: frozen dataclasses with slots
NAMEDTUPLE: Final = 5  # new, (cls, *items)
GETSTATE: Final = 6  # new, (cls,), what __getstate__ returns
REDUCE: Final = 7  # what __reduce__ returns
QUIET: Final = 8  # the same, where that is a function of C that runs no other code
DATETIME: Final = 9  # cls, (bytes,) or cls, (bytes, tzinfo): date, time and datetime
DECIMAL: Final = 10  # cls, (str,)
ODICT: Final = 11  # cls, (), the instance dict or None, None, the items: OrderedDict


class Plan(NamedTuple):
    """A kind of the list above, and what it needs."""

    kind: int
    names: tuple[str, ...] = ()  # of slots, for SLOTS and FIELDS
    slots: tuple[Any, ...] = ()  # their descriptors
    method: Any = None  # for QUIET
    fields: dict[str, Any] | None = None  # for FIELDS: the class's own __dataclass_fields__


_BUILTIN_TYPES: Final = [
    (DATETIME, "datetime", "date"),
    (DATETIME, "datetime", "time"),
    (DATETIME, "datetime", "datetime"),
    (DECIMAL, "_decimal", "Decimal"),
    (ODICT, "_collections", "OrderedDict"),
]

# What decides how instances are asked; a metaclass that has any of these may decide otherwise.
_OF_METACLASS: Final = (*METHODS, "__getattribute__", "__getattr__", "__class__", "__eq__")


def find_plan(obj: Any) -> Plan:
    """How the instances of an object's class are reduced from protocol 2 on.

    The class has to look up attributes as object does. None of its code runs, and the object
    stays as it is.
    """
    cls = type(obj)
    for kind, module_name, name in _BUILTIN_TYPES:
        if cls is _known(module_name, name):
            return Plan(kind)
    if issubclass(cls, type) or not _is_asked_plainly(cls):
        return Plan(UNPLANNED)
    own = {name for name in METHODS if find(cls, name) is not find(object, name)}
    if "__reduce__" in own and "__reduce_ex__" not in own:
        method = find(cls, "__reduce__")
        if type(method) not in (FunctionType, MethodDescriptorType):
            return Plan(UNPLANNED)  # looking it up may fail, and then object's is taken
        if method is vars(_known("datetime", "timedelta")).get("__reduce__"):
            return Plan(QUIET, method=method)
        # Since 3.13 it looks at what the class says of its fields.
        is_of_ast = method is vars(_known("_ast", "AST")).get("__reduce__")
        return Plan(AST if is_of_ast and not PY313 else REDUCE)
    if own == {"__getnewargs__"}:
        return Plan(NAMEDTUPLE if _is_namedtuple(cls) else UNPLANNED)
    if not is_made_in_python(cls):
        return Plan(UNPLANNED)
    if own == {"__getstate__"}:
        if find(cls, "__getstate__") is _known("dataclasses", "_dataclass_getstate"):
            return _plan_fields(cls)
        return Plan(GETSTATE)
    if own or has_own_attributes(cls):
        return Plan(UNPLANNED)
    names = tuple(copyreg._slotnames(cls))  # type: ignore[attr-defined]
    plan = Plan(PLAIN)
    if names and not cls.__dictoffset__:
        plan = Plan(SLOTS, names, tuple(find(cls, name) for name in names))
    elif names or not cls.__dictoffset__:
        return Plan(UNPLANNED)
    return plan if _is_confirmed(obj, names) else Plan(UNPLANNED)


def _known(module_name: str, name: str) -> Any:
    """An object of the standard library; something else where its module is not imported."""
    return vars(sys.modules.get(module_name, sys)).get(name, sys)


def _is_asked_plainly(cls: type) -> bool:
    """Whether an instance has the class it has, and that finds its attributes as type does."""
    metaclass = type(cls)
    return find(cls, "__class__") is find(object, "__class__") and all(
        find(metaclass, name) is find(type, name) for name in _OF_METACLASS
    )


def _is_namedtuple(cls: type) -> bool:
    """Whether __getnewargs__ is that of collections.namedtuple, and gives the tuple's items."""
    method = find(cls, "__getnewargs__")
    return (
        issubclass(cls, tuple)
        and is_made_in_python(cls, tuple)
        and not cls.__dictoffset__
        and find(cls, "__iter__") is find(tuple, "__iter__")
        and type(method) is FunctionType
        and method.__code__ is _namedtuple_code()
        and [cell.cell_contents for cell in method.__closure__ or ()] == [tuple]
    )


@cache
def _namedtuple_code() -> CodeType:
    from collections import namedtuple

    getnewargs: Any = vars(namedtuple("_", ""))["__getnewargs__"]
    return getnewargs.__code__  # type: ignore[no-any-return]


def _plan_fields(cls: type) -> Plan:
    fields = find(cls, "__dataclass_fields__")
    field_type = _known("dataclasses", "Field")
    if type(fields) is not dict or any(type(field) is not field_type for field in fields.values()):
        return Plan(GETSTATE)
    marker = field_marker()
    names = tuple(field.name for field in fields.values() if field._field_type is marker)
    return Plan(FIELDS, names, tuple(find(cls, name) for name in names), fields=fields)


def field_marker() -> Any:
    """What marks a field of a dataclass that is one, and not an InitVar or a ClassVar."""
    return _known("dataclasses", "_FIELD")


def _is_confirmed(obj: Any, names: tuple[str, ...]) -> bool:
    """Whether the interpreter agrees: it refuses instances with fields of C, which do not show."""
    if not names and "__getstate__" in obj.__dict__:
        return False
    try:
        reduction: Any = object.__reduce_ex__(obj, 2)
    except TypeError:
        return False
    func, args, state, *items = reduction
    if state is None:
        confirmed = True
    elif names:
        confirmed = type(state) is tuple and state[0] is None and type(state[1]) is dict
    else:
        confirmed = state is obj.__dict__
    return (
        confirmed
        and func is copyreg.__newobj__  # type: ignore[attr-defined]
        and len(args) == 1
        and args[0] is type(obj)
        and items == [None, None]
    )
