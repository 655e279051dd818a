"""Plans: the reductions of a class's instances, if they follow from the class alone.

`object.__reduce_ex__` finds out for every instance anew that its class has no `__reduce__`, no
`__getstate__`, no slots. `find_plan` finds it out once, for the compiled implementation, which
then writes such instances as their reduction would have it, without making the reduction (see
compiled/plans.pxi). The pure implementation always asks.

Reductions written in Python or C that are known to have no side effect are recognised by the
function or its code, never by name.
"""

from __future__ import annotations

import builtins
import copyreg
import sys
from functools import cache
from pickle import PickleBuffer
from types import (
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodDescriptorType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, Final, NamedTuple

from .known_states import find_members
from .reductions import (
    ABSENT,
    METHODS,
    find,
    has_own_attributes,
    has_own_dict,
    is_made_in_python,
)
from .versions import HEAP_TYPE, IMMUTABLE_TYPE, PY313

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
UUID: Final = 12  # new, (cls,), {"int": the number}: those that are not said to be safe or unsafe
NDARRAY: Final = 13  # NumPy arrays: _frombuffer, (buffer, dtype, shape, order) in protocol 5
NUMBER: Final = 14  # scalar, (dtype, bytes): NumPy's numbers
DEQUE: Final = 15  # cls, () or ((), maxlen), None, the items

EXCEPTION: Final = 16  # cls, its args, the instance dict: BaseException's __reduce__, and OSError's
MEMBERS: Final = 17  # new, (cls,), {name: slot}, also of the instance dict: see known_states.py

LIST: Final = 18  # new, (cls,), None, the items: subclasses of list, instances without attributes
DICT: Final = 19  # new, (cls,), None, None, the items: subclasses of dict, in the same way
DEFAULTDICT: Final = 20  # cls, (default_factory,) or (), None, None, the items


class Plan(NamedTuple):
    """A kind of the list above, and what it needs.

    The cache of plans outlives classes, so `method` and `fields` are not those of a user's class
    but where the cache borrows them (FIELDS).
    """

    kind: int
    names: tuple[Any, ...] = ()
    """Of slots, for SLOTS, FIELDS and MEMBERS; constants, for UUID and NumPy's. For EXCEPTION: one
    name if it is an OSError."""
    slots: tuple[Any, ...] = ()  # their descriptors; None in place of the instance dict's
    method: Any = None  # for QUIET; for NDARRAY, _frombuffer; for MEMBERS, the class's own
    fields: dict[str, Any] | None = None
    """For FIELDS: the class's own __dataclass_fields__. For NDARRAY: where _frombuffer is found."""
    code: Any = None  # of `method`, where the plan relies on what that does
    rebuild: tuple[Any, ...] = ()
    """For NDARRAY below protocol 5, and NUMBER: the function that rebuilds it, the module and the
    name under which NumPy looks it up for each object; for NDARRAY then its last argument."""
    is_asked_plainly: bool = True  # no class, no function, and it cannot claim to be one
    lowest: int = 2  # the protocol from which on it holds
    vacant: int = -1  # for MEMBERS: which of them has to be None or an empty dict; -1: none


_BUILTIN_TYPES: Final = [
    (DATETIME, "datetime", "date"),
    (DATETIME, "datetime", "time"),
    (DATETIME, "datetime", "datetime"),
    (DECIMAL, "_decimal", "Decimal"),
    (ODICT, "_collections", "OrderedDict"),
    (DEQUE, "_collections", "deque"),
    (DEFAULTDICT, "_collections", "defaultdict"),
]

# These decide how instances are asked, and whether a look at the class, or for it in a dict, runs
# other code; a metaclass that has any of these may decide otherwise.
_OF_METACLASS: Final = (
    *METHODS,
    "__getattribute__",
    "__class__",
    "__name__",
    "__eq__",
    "__hash__",
)


def find_plan(obj: Any) -> Plan:
    """How the instances of an object's class are reduced, and from which protocol on.

    The class has to look up attributes as object does, but for a __getattr__. None of its code
    runs, and the object stays as it is.
    """
    try:
        plan = _find_plan(obj)
        if not _is_looked_up_plainly(type(obj), plan):
            plan = Plan(UNPLANNED, is_asked_plainly=False)
        return plan._replace(lowest=_lowest_protocol(plan, obj))
    except Exception:  # whatever is odd about the class, or a module that is not the known one
        return Plan(UNPLANNED, is_asked_plainly=False)


def _find_plan(obj: Any) -> Plan:
    cls = type(obj)
    if cls is _known("numpy", "ndarray"):
        return _plan_ndarray(cls)
    if (plan := _plan_number(cls)) is not None:
        return plan
    for kind, module_name, name in _BUILTIN_TYPES:
        if cls is _known(module_name, name) and _is_made_in_c(cls):
            return Plan(kind)
    if issubclass(cls, type) or cls is FunctionType or not _is_asked_plainly(cls):
        return Plan(UNPLANNED, is_asked_plainly=False)
    own = {name for name in METHODS if find(cls, name) is not find(object, name)}
    if "__reduce__" in own and "__reduce_ex__" not in own:
        method = find(cls, "__reduce__")
        if type(method) not in (FunctionType, MethodDescriptorType):
            return Plan(UNPLANNED)  # looking it up may fail, and then object's is taken
        if type(method) is MethodDescriptorType:
            for base in (BaseException, OSError):
                # Of C, and they do nothing but read the fields of the object.
                if method is vars(base)["__reduce__"] and issubclass(cls, base):
                    return Plan(EXCEPTION, ("OSError",) if base is OSError else ())
            if method is vars(_known("datetime", "timedelta")).get("__reduce__"):
                return Plan(QUIET, method=method)
            # Since 3.13 it looks at what the class says of its fields.
            if not PY313 and method is vars(_known("_ast", "AST")).get("__reduce__"):
                return Plan(AST)
        return Plan(REDUCE)
    if own == {"__getnewargs__"}:
        return Plan(NAMEDTUPLE if _is_namedtuple(cls) else UNPLANNED)
    if not own and issubclass(cls, (list, dict)):
        return _plan_items(obj, cls)
    if not is_made_in_python(cls):
        return Plan(UNPLANNED)
    if own == {"__getstate__"}:
        if find(cls, "__getstate__") is _known("dataclasses", "_dataclass_getstate"):
            return _plan_fields(cls)
        if cls is _known("uuid", "UUID"):
            return _plan_uuid(cls)
        return _plan_members(obj, cls)
    if own or has_own_attributes(cls):
        return Plan(UNPLANNED)
    # A slot may be named twice, in a subclass too: the state is a dict, which has it once.
    names = tuple(dict.fromkeys(copyreg._slotnames(cls)))  # type: ignore[attr-defined]
    plan = Plan(PLAIN)
    if names and not cls.__dictoffset__:
        plan = Plan(SLOTS, names, tuple([find(cls, name) for name in names]))
    elif names or not cls.__dictoffset__:
        return Plan(UNPLANNED)
    return plan if _is_confirmed(obj, names) else Plan(UNPLANNED)


def _plan_members(obj: Any, cls: type) -> Plan:
    method = find(cls, "__getstate__")
    members = None if has_own_dict(cls) else find_members(obj, method)
    if members is None:
        return Plan(GETSTATE)
    names, slots, vacant = members
    return Plan(MEMBERS, names, slots, method, code=method.__code__, vacant=vacant)


_ALLOW_GETATTR: Final = {UNPLANNED, GETSTATE, REDUCE, QUIET, MEMBERS}


def _is_looked_up_plainly(cls: type, plan: Plan) -> bool:
    """Whether no method of a class takes part in finding attributes. A __getattr__ of it, or of its
    metaclass, does not where all that is looked up is in the class."""
    method: Any = find(cls, "__getattribute__")
    if not all([find(each, "__getattr__") is ABSENT for each in (cls, type(cls))]):
        return plan.kind in _ALLOW_GETATTR and method is object.__getattribute__
    return isinstance(method, WrapperDescriptorType)


_FROM_0_ON: Final = {REDUCE, QUIET, AST, EXCEPTION}
_FROM_1_ON: Final = {DATETIME, DECIMAL, ODICT, DEQUE, DEFAULTDICT, NDARRAY, NUMBER}


def _lowest_protocol(plan: Plan, obj: Any) -> int:
    """Below protocol 2 object's own reduction is another one, which copyreg._reduce_ex makes."""
    if plan.kind in _FROM_0_ON or (plan.kind == PLAIN and _is_confirmed_below_2(obj)):
        return 0
    return 1 if plan.kind in _FROM_1_ON else 2


_flags_of: Final = type.__dict__["__flags__"].__get__


def _known(module_name: str, name: str) -> Any:
    """An object of the standard library; something else where its module is not imported, or is
    replaced by what is no module."""
    module = sys.modules.get(module_name)
    return vars(module).get(name, sys) if type(module) is ModuleType else sys


def _is_made_in_c(cls: type) -> bool:
    """Whether a class that was found by its name is the one in C: its fields are read there."""
    flags = _flags_of(cls)
    return bool(not flags & HEAP_TYPE or flags & IMMUTABLE_TYPE)


def _is_asked_plainly(cls: type) -> bool:
    """Whether an instance has the class it has, and that finds its attributes as type does."""
    metaclass = type(cls)
    return find(cls, "__class__") is find(object, "__class__") and all(
        [find(metaclass, name) is find(type, name) for name in _OF_METACLASS]
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
    names = field_names(fields)
    if names is None:
        return Plan(GETSTATE)
    return Plan(FIELDS, names, tuple([find(cls, name) for name in names]), fields=fields)


def _plan_uuid(cls: type) -> Plan:
    """UUIDs, whose __getstate__ adds to the number whether they are safe, where that is known."""
    method = find(cls, "__getstate__")
    slots = find(cls, "int"), find(cls, "is_safe")
    unknown = getattr(_known("uuid", "SafeUUID"), "unknown", None)
    if (
        type(method) is not FunctionType
        or method.__code__.co_filename != vars(sys.modules["uuid"]).get("__file__")
        or method.__code__.co_qualname != "UUID.__getstate__"
        or not all([type(slot) is MemberDescriptorType for slot in slots])
    ):
        return Plan(GETSTATE)
    sample: Any = object.__new__(cls)
    for slot, value in zip(slots, (42, unknown), strict=True):
        slot.__set__(sample, value)
    (key,) = state = method(sample)
    if state != {"int": 42}:
        return Plan(GETSTATE)
    return Plan(UUID, (key, unknown), slots, method, code=method.__code__)


def _plan_ndarray(cls: Any) -> Plan:
    """NumPy arrays: what they are reduced to in protocol 5, taken from one of them.

    The types of numbers are objects that NumPy has one each of.
    """
    if not _is_made_in_c(cls):
        return Plan(UNPLANNED)
    if _import_is_replaced():
        return Plan(UNPLANNED, rebuild=_NOT_NOW)
    func, args = cls((1,)).__reduce_ex__(5)[:2]
    module = sys.modules.get(getattr(func, "__module__", ""))
    dtype = _known("numpy", "dtype")
    if (
        type(func) is not FunctionType
        or vars(module or sys).get("_frombuffer") is not func
        or len(args) != 4
        or type(args[0]) is not PickleBuffer
        or args[1] is not dtype(float)
        or args[2] != (1,)
        or args[3] is not chr(67)
    ):
        return Plan(UNPLANNED)
    numbers = {id(number): number for number in map(dtype, "?bhilqBHILQefdgFDG")}
    constants = [item for number in numbers.values() for item in (number, number.itemsize)]
    return Plan(
        NDARRAY, tuple(constants), method=func, fields=vars(module), rebuild=_rebuild_of(cls)
    )


def _rebuild_of(cls: Any) -> tuple[Any, ...]:
    """See Plan.rebuild; () where an array is reduced to something else than is known."""
    module_name, found = _find_rebuilder("_reconstruct")
    sample = cls((2, 2), order="F")
    func, args, state = sample.__reduce_ex__(4)
    if (
        found is not func
        or args != (cls, (0,), b"b")
        or state != (1, (2, 2), sample.dtype, True, sample.tobytes("A"))
        or [type(part) for part in state] != [int, tuple, type(sample.dtype), bool, bytes]
    ):
        return ()
    return func, module_name, "_reconstruct", args[2]


def _find_rebuilder(name: str) -> tuple[str, Any]:
    """The module that NumPy imports for each object, and what it has under this name."""
    for module_name in ("numpy._core._multiarray_umath", "numpy.core._multiarray_umath"):
        found = _known(module_name, name)
        if found is not sys:
            return module_name, found
    return "", None


_IMPORT: Final = builtins.__import__
_NOT_NOW: Final = (None, "", "")  # a Plan that is made anew for each object


def _import_is_replaced() -> bool:
    """Whether to reduce one of NumPy's objects calls a function of somebody else."""
    return builtins.__import__ is not _IMPORT


def _plan_number(cls: Any) -> Plan | None:
    """NumPy's numbers: what they are reduced to, taken from one of them."""
    dtype = _known("numpy", "dtype")
    if dtype is sys or not _is_made_in_c(cls):
        return None
    for number in map(dtype, "hilqHILQefdFD"):  # of each byte there is one object
        if number.type is cls:
            if _import_is_replaced():
                return Plan(UNPLANNED, rebuild=_NOT_NOW)
            func, args = cls(1).__reduce_ex__(5)[:2]
            module_name, found = _find_rebuilder("scalar")
            if (
                found is func
                and args[0] is number
                and type(args[1]) is bytes
                and len(args[1]) == number.itemsize
            ):
                names = (func, number, number.itemsize)
                return Plan(NUMBER, names, rebuild=(func, module_name, "scalar"))
    return None


def describe_array(obj: Any) -> tuple[Any, ...]:
    """An array's own word on its address, shape, dtype and flags."""
    return obj.__array_interface__["data"][0], obj.shape, obj.dtype, obj.flags.num


def field_names(fields: Any) -> tuple[str, ...] | None:
    """The names of a dataclass's fields but for those of type InitVar and ClassVar; None where
    its `__dataclass_fields__` is not as the decorator makes it."""
    field_type = _known("dataclasses", "Field")
    marker = _known("dataclasses", "_FIELD")
    if type(fields) is not dict or any(
        [type(field) is not field_type for field in fields.values()]
    ):
        return None
    names = tuple([field.name for field in fields.values() if field._field_type is marker])
    return names if all([type(name) is str for name in names]) else None


_ITEMS: Final = [(LIST, list, "__iter__"), (DICT, dict, "items")]


def _plan_items(obj: Any, cls: type) -> Plan:
    """The plan for a subclass of list or dict that has no say in what its items are."""
    attributes = getattr(obj, "__dict__", {}).keys()
    if not attributes.isdisjoint(["__getstate__", "items"]):
        return Plan(UNPLANNED)  # which would be called now
    for kind, base, name in _ITEMS:
        if (
            issubclass(cls, base)
            and is_made_in_python(cls, base)
            and not has_own_attributes(cls, base)
            and not copyreg._slotnames(cls)
            and find(cls, name) is find(base, name)
        ):
            func, args, state, *items = object.__reduce_ex__(obj, 2)
            expected: list[Any] = [None, None]
            expected[kind == DICT] = type(iter(base().items() if kind == DICT else base()))
            if (
                func is copyreg.__newobj__
                and args == (cls,)
                and (state is None or state is obj.__dict__)
                and [each and type(each) for each in items] == expected
            ):
                return Plan(kind)
    return Plan(UNPLANNED)


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


def _is_confirmed_below_2(obj: Any) -> bool:
    """Whether it is made anew by copyreg._reconstructor, with its dict as the state."""
    cls = type(obj)
    slots = find(cls, "__slots__")
    if slots is not ABSENT and (type(slots) is not tuple or slots):
        return False
    if "__slots__" in obj.__dict__:
        return False
    func, args, *state = copyreg._reduce_ex(obj, 1)  # type: ignore[attr-defined]
    return (
        func is copyreg._reconstructor  # type: ignore[attr-defined]
        and args == (cls, object, None)
        and (state == [obj.__dict__] if obj.__dict__ else not state)
    )
