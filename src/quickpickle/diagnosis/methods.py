"""The first steps of a method of a class, read from its code, which is not called.

A fact is sure, or it is not stated: the effect of a function behind its first branch is not known.
"""

from __future__ import annotations

import dis
import functools
from types import CodeType, FunctionType, MemberDescriptorType
from typing import Any, Final, NamedTuple

from ..rules.reductions import ABSENT, find
from .classes import function_of
from .code import ATTRIBUTES, Steps, instructions, is_item, variable

# These `except` clauses may catch the error of an attribute that is not there.
_CATCHING: Final = {
    *("AttributeError", "Exception", "BaseException", "RecursionError", "RuntimeError"),
}
# These that of a key.
_CATCHING_KEYS: Final = {"KeyError", "LookupError", "Exception", "BaseException"}
_COPIES: Final = ("COPY", "DUP_TOP")
_NOTHING: Final = (
    *("RESUME", "NOP", "COPY_FREE_VARS", "MAKE_CELL", "NOT_TAKEN", "PUSH_NULL", "PRECALL"),
)
_CONSTANTS: Final = ("LOAD_CONST", "LOAD_COMMON_CONSTANT", "LOAD_SMALL_INT")
_FORMATS: Final = ("CONVERT_VALUE", "FORMAT_VALUE", "FORMAT_SIMPLE")
_MOST_CALLS: Final = 3  # of methods and properties, one in the other
# The methods that these functions ask for, and those that object's own ask for.
_ASKED_BY: Final = {"str": "__str__", "repr": "__repr__", "len": "__len__", "hash": "__hash__"}
_ASKED_NEXT: Final = {"__format__": "__str__", "__str__": "__repr__"}


class _Asked(NamedTuple):
    """A question that a few instructions put to the instance."""

    size: int  # the number of the instructions
    name: str
    is_called: bool = False
    is_special: bool = False  # a method for an operator or a function of Python's
    is_key: bool = False  # of the instance dict


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
    code = function.__code__
    steps = _beginning(code)
    while steps:
        asked = _asked(steps, function, is_getattr)
        if asked is None:
            is_self = variable(steps[0]) == code.co_varnames[0]
            following = steps[1].opname if steps[1:] else ""
            if is_self and following in _COPIES:  # as in self.count += 1
                del steps[1]
                continue
            if is_self and not following.startswith("LOAD_SUPER"):
                return False  # it is set, or handed to what may do so
            steps = steps[1:]
            continue
        found = ABSENT if asked.is_key else _find(cls, asked)
        if asked.is_special and found is ABSENT:
            return False  # another error
        if asked.is_special and any(found is one for one in vars(object).values()):
            steps = steps[asked.size :]
            continue
        if found is ABSENT or type(found) is MemberDescriptorType:
            return not _may_catch(code, _CATCHING_KEYS if asked.is_key else _CATCHING)
        inner = _getter_of(found)
        if type(found) is FunctionType and asked.is_called:
            inner = found
        if inner is None or not calls or not _needs(cls, inner, is_getattr, calls - 1):
            return False  # it may do anything
        return not _may_catch(code, _CATCHING)
    return False


def _find(cls: type, asked: _Asked) -> Any:
    name = asked.name
    while asked.is_special and name in _ASKED_NEXT and find(cls, name) is find(object, name):
        name = _ASKED_NEXT[name]
    return find(cls, name)


def _asked(steps: Steps, function: FunctionType, is_getattr: bool) -> _Asked | None:
    """The question of the first instructions, where they have one of the plain forms."""
    owner = function.__code__.co_varnames[0]
    first, following, third = [*steps[:3], *[None] * 3][:3]
    if first is None or following is None:
        return None
    if variable(first) == owner:
        if following.opname in ATTRIBUTES:
            if following.argval == "__dict__" and _is_constant_item(steps[2:]):
                return _Asked(4, "", is_key=True)
            return _Asked(2, following.argval, _is_called(steps[2:]))
        if following.opname in _FORMATS:
            is_repr = following.argrepr.startswith("repr")
            is_text = is_repr or following.argrepr.startswith("str")
            name = "__repr__" if is_repr else "__str__" if is_text else "__format__"
            return _Asked(2, name, True, True)
        if third is not None and is_item(third):
            return _Asked(3, "__getitem__", True, True)
        return None
    called = first.argval if first.opname == "LOAD_GLOBAL" else None
    if called in function.__globals__ or variable(following) != owner or third is None:
        return None
    is_call = third.opname.startswith("CALL")
    if is_call and called in _ASKED_BY:
        return _Asked(3, _ASKED_BY[called], True, True)
    if is_call and called == "vars" and _is_constant_item(steps[3:]):
        return _Asked(5, "", is_key=True)
    # With a default, getattr() fails in a __getattr__ only: that calls itself. So does hasattr().
    is_alone = steps[3:] and steps[3].opname.startswith("CALL")
    if (called == "getattr" and (is_alone or is_getattr)) or (called == "hasattr" and is_getattr):
        is_text = third.opname == "LOAD_CONST" and type(third.argval) is str
        return _Asked(4, third.argval, _is_called(steps[4:])) if is_text else None
    return None


def _is_constant_item(steps: Steps) -> bool:
    return len(steps) > 1 and steps[0].opname in _CONSTANTS and is_item(steps[1])


def _is_called(steps: Steps) -> bool:
    """Whether what was loaded is called at once, with arguments that are variables."""
    for step in steps:
        if step.opname.startswith("CALL"):
            return True
        if not step.opname.startswith(("LOAD_FAST", *_CONSTANTS)):
            return False
    return False


def _getter_of(found: Any) -> FunctionType | None:
    if type(found) is property:
        return found.fget if type(found.fget) is FunctionType else None
    if type(found) is functools.cached_property:
        return found.func if type(found.func) is FunctionType else None
    return None


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
    steps = [one for one in instructions(function.__code__) if one.opname not in _NOTHING]
    what = [part for one in steps[:6] for part in _what(one)]
    if what[:2] == ["None", "return"]:
        return True
    owner, name = function.__code__.co_varnames[:2]
    of_dict = [owner, ".__dict__"]
    if what[:6] == [*of_dict, ".get", name, "call", "return"]:
        return True
    is_item = what[:3] == [owner, name, "[]"] and _has_items_of_dict(cls)
    if is_item or what[:4] == [*of_dict, name, "[]"]:
        return not _may_catch(function.__code__, _CATCHING_KEYS)
    return False


def _has_items_of_dict(cls: type) -> bool:
    is_plain = issubclass(cls, dict) and find(cls, "__getitem__") is find(dict, "__getitem__")
    return is_plain and find(cls, "__missing__") is ABSENT


def _what(step: dis.Instruction) -> tuple[str, ...]:
    """The variable or constant that an instruction loads, or what it does."""
    loaded = variable(step)
    if loaded is not None:
        return (loaded,)
    if step.opname in _CONSTANTS:
        return (repr(step.argval),)
    if step.opname in ATTRIBUTES:
        return (f".{step.argval}",)
    if step.opname == "RETURN_CONST":
        return (repr(step.argval), "return")
    if step.opname == "RETURN_VALUE":
        return ("return",)
    if step.opname.startswith("CALL"):
        return ("call",)
    return ("[]" if is_item(step) else step.opname,)


def _may_catch(code: CodeType, catching: set[str]) -> bool:
    """Whether a function may catch an error, by an `except` with one of some names."""
    before: list[Any] = []  # the names that were loaded last
    handlers = checks = 0
    for step in instructions(code):
        handlers += step.opname == "PUSH_EXC_INFO"
        if step.opname == "CHECK_EXC_MATCH":
            checks += 1
            if not catching.isdisjoint(before[-4:]):
                return True
        elif step.opname.startswith("LOAD_"):
            before.append(step.argval)
    return handlers > checks  # a bare `except`, `finally` or `with`


def always_raises(function: FunctionType | None) -> bool:
    """Whether a function does nothing but to raise an exception."""
    if function is None:
        return False
    return any(one.opname == "RAISE_VARARGS" for one in _beginning(function.__code__))


def _beginning(code: CodeType) -> Steps:
    """The instructions up to the first branch. A `with` or `try` counts as one where it shows."""
    if not code.co_argcount:
        return []
    steps = []
    for step in instructions(code):
        name = step.opname
        if "JUMP" in name or name in ("FOR_ITER", "SETUP_FINALLY", "BEFORE_WITH", "SEND"):
            break
        if name.startswith("RETURN_V") or name == "RETURN_CONST":
            break
        if name not in ("PUSH_NULL", "PRECALL"):
            steps.append(step)
    return steps
