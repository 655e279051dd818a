"""Facts about the instances of a class, read from its code, none of which is called.

A fact is sure, or it is not stated: the effect of a function behind its first branch is not known.
"""

from __future__ import annotations

import collections
import copyreg
import datetime as dt
import decimal
import dis
import fractions
import functools
import inspect
import pathlib
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any, Final

from ..rules.reductions import ABSENT, find, mro_of

# These `except` clauses may catch the error of an attribute that is not there.
_CATCHING: Final = {
    *("AttributeError", "Exception", "BaseException", "RecursionError", "RuntimeError"),
}
# These that of a key.
_CATCHING_KEYS: Final = {"KeyError", "LookupError", "Exception", "BaseException"}
_LOADS_OF_ATTRIBUTES: Final = ("LOAD_ATTR", "LOAD_METHOD", "LOOKUP_METHOD")
_LEAVES_SELF: Final = ("COPY", "DUP_TOP", "LOAD_SUPER")
_NOTHING: Final = ("RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "NOT_TAKEN")
_MOST_CALLS: Final = 3  # of methods and properties, one in the other
# Of these, __reduce__ says: call the class with a few arguments.
_CALLED: Final = (
    *(set, frozenset, bytearray, collections.deque, collections.defaultdict),
    *(collections.OrderedDict, collections.Counter, dt.date, dt.time),
    *(dt.datetime, dt.timedelta, dt.timezone, dt.tzinfo),
    *(decimal.Decimal, fractions.Fraction, pathlib.PurePath),
)
# Of these, __getnewargs__ gives the value alone.
_VALUES: Final = (str, bytes, int, float, complex, tuple)


def is_reduced_by_object(cls: type) -> bool:
    """Whether instances are pickled as object has it: the class, a state, and items."""
    return cls not in copyreg.dispatch_table and all(
        find(cls, name) is find(object, name) for name in ("__reduce_ex__", "__reduce__")
    )


def is_reduced_to_a_call(cls: type) -> bool:
    """Whether instances are pickled as a call of their class, as a type of Python's has it."""
    names = ("__reduce_ex__", "__reduce__")
    return cls not in copyreg.dispatch_table and any(
        issubclass(cls, base) and all(find(cls, name) is find(base, name) for name in names)
        for base in _CALLED
    )


def has_plain_state(cls: type) -> bool:
    """Whether the attributes are the state, and are set one by one."""
    plain = find(cls, "__getstate__") is find(object, "__getstate__")
    return plain and find(cls, "__setstate__") is ABSENT


def slot_names(cls: type) -> list[str]:
    """The names of the slots of a class and its bases, as they are pickled."""
    return list(copyreg._slotnames(cls))  # type: ignore[attr-defined]


def attributes_of(obj: Any) -> dict[str, Any]:
    """The attributes that are pickled as the state; none of the user's code is asked."""
    cls = type(obj)
    attributes: dict[str, Any] = {}
    if find(cls, "__dict__") is not ABSENT:
        held = object.__getattribute__(obj, "__dict__")
        attributes = dict(held) if isinstance(held, dict) else {}
    for name in slot_names(cls):
        slot = find(cls, name)
        if type(slot) is MemberDescriptorType:
            try:
                attributes[name] = slot.__get__(obj)
            except AttributeError:
                continue
    return attributes


def function_of(cls: type, name: str) -> FunctionType | None:
    """The function in Python that a class has under a name."""
    found = find(cls, name)
    if type(found) is staticmethod:
        found = found.__func__
    return found if type(found) is FunctionType else None


def new_arguments(cls: type) -> int | None:
    """With how many arguments a load calls __new__; None where the class decides."""
    if find(cls, "__getnewargs_ex__") is not ABSENT:
        return None
    given = find(cls, "__getnewargs__")
    if given is ABSENT:
        return 0
    return 1 if any(find(base, "__getnewargs__") is given for base in _VALUES) else None


def takes(*functions: FunctionType | None) -> Callable[[int], bool]:
    """Whether all of the functions can be called with `self` and so many other arguments."""
    signatures = []
    for function in functions:
        if function is not None:
            try:
                signatures.append(inspect.signature(function))
            except (TypeError, ValueError):
                continue
    known: dict[int, bool] = {}

    def answer(count: int) -> bool:
        if count not in known:
            known[count] = all(_binds(signature, count + 1) for signature in signatures)
        return known[count]

    return answer


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def needs_attribute(cls: type, name: str) -> bool:
    """Whether a method in Python, whatever it is called with, first asks for an attribute of the
    instance that a new one does not have, and lets the error out."""
    function = function_of(cls, name)
    if function is None or function_of(cls, "__new__") is not None:
        return False  # what is made by a __new__ may have it
    is_getattr = name == "__getattr__"
    asks_others = not is_getattr and find(cls, "__getattr__") is not ABSENT
    if asks_others or function_of(cls, "__getattribute__") is not None:
        return False
    return _needs(cls, function, is_getattr, _MOST_CALLS)


def _needs(cls: type, function: FunctionType, is_getattr: bool, calls: int) -> bool:
    """Whether a method asks for such an attribute, itself or in what it calls first."""
    steps = list(_beginning(function.__code__))
    for i, (instruction, on_self) in enumerate(steps):
        name = _asked_by_name([one for one, _ in steps[i:]], function, is_getattr)
        if on_self and instruction.opname in _LOADS_OF_ATTRIBUTES:
            name = instruction.argval
        if name is None:
            if on_self and not instruction.opname.startswith(_LEAVES_SELF):
                return False  # it is set, or handed to what may do so
            continue
        found = find(cls, name)
        if found is ABSENT or type(found) is MemberDescriptorType:
            return not _may_catch(function.__code__, _CATCHING)
        inner = _getter_of(found)
        if type(found) is FunctionType and _is_called([one for one, _ in steps[i + 1 :]]):
            inner = found
        if inner is None or not calls or not _needs(cls, inner, is_getattr, calls - 1):
            return False  # it may do anything
        return not _may_catch(function.__code__, _CATCHING)
    return False


def _asked_by_name(
    steps: list[dis.Instruction], function: FunctionType, is_getattr: bool
) -> str | None:
    """The name in getattr(self, name), and in hasattr(self, name) where that asks __getattr__."""
    called = steps[0].argval
    names = ("getattr", "hasattr") if is_getattr else ("getattr",)
    if steps[0].opname != "LOAD_GLOBAL" or called not in names or called in function.__globals__:
        return None
    arguments = [one for one in steps[1:5] if one.opname != "PUSH_NULL"]
    if len(arguments) < 3 or not arguments[0].opname.startswith("LOAD_FAST"):
        return None
    owner, name, following = arguments[:3]
    if owner.argval != function.__code__.co_varnames[0] or name.opname != "LOAD_CONST":
        return None
    # With a default, getattr() fails in a __getattr__ only: that calls itself.
    if not is_getattr and not following.opname.startswith(("CALL", "PRECALL")):
        return None
    return name.argval if type(name.argval) is str else None


def _getter_of(found: Any) -> FunctionType | None:
    if type(found) is property:
        return found.fget if type(found.fget) is FunctionType else None
    if type(found) is functools.cached_property:
        return found.func if type(found.func) is FunctionType else None
    return None


def _is_called(steps: list[dis.Instruction]) -> bool:
    """Whether what was loaded is called at once, with arguments that are variables."""
    for step in steps:
        if step.opname.startswith(("CALL", "PRECALL")):
            return True
        if not step.opname.startswith(("LOAD_FAST", "LOAD_CONST", "LOAD_COMMON", "PUSH_NULL")):
            return False
    return False


def gives_no_method(cls: type) -> bool:
    """Whether __getattr__, asked for a method that a new instance does not have, raises KeyError
    or returns None."""
    if function_of(cls, "__getattribute__") is not None:
        return False
    found, function = find(cls, "__getattr__"), function_of(cls, "__getattr__")
    if function is None:
        if find(dict, "__getitem__") is found:
            return find(cls, "__missing__") is ABSENT
        return find(dict, "get") is found
    if function.__code__.co_argcount != 2:
        return False
    loads = [one for one in dis.get_instructions(function.__code__) if one.opname not in _NOTHING]
    if [_what(one) for one in loads[:2]] in ([("None",), ("return",)], [("None", "return")]):
        return True
    owner, name = function.__code__.co_varnames[:2]
    what = [part for one in loads[:4] for part in _what(one)]
    is_item = what[:3] == [owner, name, "[]"] and _has_items_of_dict(cls)
    if is_item or (what[:2] == [owner, ".__dict__"] and what[3:4] == ["[]"]):
        return not _may_catch(function.__code__, _CATCHING_KEYS)
    return False


def _has_items_of_dict(cls: type) -> bool:
    is_plain = issubclass(cls, dict) and find(cls, "__getitem__") is find(dict, "__getitem__")
    return is_plain and find(cls, "__missing__") is ABSENT


def _what(instruction: dis.Instruction) -> tuple[str, ...]:
    """The names of the variables that an instruction loads, or what it does."""
    name, value = instruction.opname, instruction.argval
    if name.startswith("LOAD_FAST"):
        return value if type(value) is tuple else (value,)
    if name in ("LOAD_CONST", "LOAD_COMMON_CONSTANT"):  # the latter of None, from 3.15 on
        return (repr(value),)
    if name in _LOADS_OF_ATTRIBUTES:
        return (f".{value}",)
    if name == "RETURN_CONST":
        return (repr(value), "return")
    if name == "RETURN_VALUE":
        return ("return",)
    is_item = name == "BINARY_SUBSCR" or (name == "BINARY_OP" and instruction.argrepr == "[]")
    return ("[]" if is_item else name,)


def _may_catch(code: CodeType, catching: set[str]) -> bool:
    """Whether a function may catch an error, by an `except` with one of some names."""
    before: list[Any] = []  # the names that were loaded last
    handlers = checks = 0
    for instruction in dis.get_instructions(code):
        handlers += instruction.opname == "PUSH_EXC_INFO"
        if instruction.opname == "CHECK_EXC_MATCH":
            checks += 1
            if not catching.isdisjoint(before[-4:]):
                return True
        elif instruction.opname.startswith("LOAD_"):
            before.append(instruction.argval)
    return handlers > checks  # a bare `except`, `finally` or `with`


def always_raises(function: FunctionType | None) -> bool:
    """Whether a function does nothing but to raise an exception."""
    if function is None:
        return False
    return any(one.opname == "RAISE_VARARGS" for one, _ in _beginning(function.__code__))


def _beginning(code: CodeType) -> Iterator[tuple[dis.Instruction, bool]]:
    """The instructions up to the first branch, and whether each is about the first argument.

    A `with` or `try` counts as a branch where it shows.
    """
    if not code.co_argcount:
        return
    first = code.co_varnames[0]
    is_first = False
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if "JUMP" in name or name in ("FOR_ITER", "SETUP_FINALLY", "BEFORE_WITH", "SEND"):
            return
        if name.startswith("RETURN_V") or name == "RETURN_CONST":
            return
        yield instruction, is_first
        if name in ("COPY", "DUP_TOP"):
            continue
        last = (
            instruction.argval[-1:] if type(instruction.argval) is tuple else (instruction.argval,)
        )
        is_first = name.startswith("LOAD_FAST") and last == (first,)


def is_frozen(cls: type) -> bool:
    """Whether a dataclass refuses that attributes are set."""
    for base in mro_of(cls):
        if "__setattr__" in vars(base):
            return bool(getattr(vars(base).get("__dataclass_params__"), "frozen", False))
    return False
