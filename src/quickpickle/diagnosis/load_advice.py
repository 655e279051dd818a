"""The advice about an object whose pickle was loaded, and has failed."""

from __future__ import annotations

import copyreg
import enum
from pickle import UnpicklingError
from typing import Any, Final

from ..rules.hints import library_of
from ..rules.reductions import ABSENT, find
from .checks import (
    COMPARED,
    ENUM,
    GETATTR,
    HASH,
    ITEMS,
    NEW,
    REFUSED,
    SLOTS,
    advice_of,
    advice_of_a_call,
    advice_of_exceptions,
)
from .classes import function_of, is_reduced_by_object, is_reduced_to_a_call, takes

SETSTATE: Final = "Its __setstate__ has failed, which gets what __getstate__ has returned."
STATE: Final = "Its __getstate__ returns what is no dict: write a __setstate__ that takes it."
REDUCED: Final = (
    "A load calls what its __reduce__, or a function in copyreg, has returned, which fails: let "
    "that return what makes it anew."
)


def advice_about(obj: Any, error: Exception, protocol: int) -> str | None:
    """The advice about an object, with the exception of its load, which has its frames still."""
    cls = type(obj)
    names = _functions_of(error)
    return (
        advice_of(obj, protocol)
        or _advice_by_names(cls, error, names)
        or _advice_of_makers(obj, error, names, protocol)
    )


def _advice_by_names(cls: type, error: Exception, names: set[str]) -> str | None:
    """The advice where a method tells by its name what has happened."""
    if "__getattr__" in names or _has_no_method(cls, error, names):
        return GETATTR
    if "__hash__" in names:
        return HASH
    if "__eq__" in names:
        return COMPARED
    if "__setattr__" in names:
        return REFUSED if issubclass(cls, BaseException) else SLOTS
    for name in ("__setitem__", "extend", "append"):
        if name in names and issubclass(cls, (dict, list)):
            return ITEMS.format(name)
    return None


def _advice_of_makers(obj: Any, error: Exception, names: set[str], protocol: int) -> str | None:
    """The advice about what makes an object anew, or sets its state."""
    cls = type(obj)
    if issubclass(cls, BaseException) and (isinstance(error, TypeError) or "__init__" in names):
        return advice_of_exceptions(cls)
    if issubclass(cls, enum.Enum) and type(error) is ValueError:
        return ENUM
    if "__setstate__" in names:
        return SETSTATE
    if is_reduced_by_object(cls):
        if isinstance(error, TypeError) and ("__new__" in names or "__new__" in str(error)):
            return NEW
        is_odd = isinstance(error, UnpicklingError) and function_of(cls, "__getstate__") is not None
        return STATE if is_odd and find(cls, "__setstate__") is ABSENT else None
    return _advice_of_a_reduction(obj, names, protocol)


def _advice_of_a_reduction(obj: Any, names: set[str], protocol: int) -> str | None:
    cls = type(obj)
    try:
        made_by, args = obj.__reduce_ex__(protocol)[:2]
    except Exception:  # a name, or it has other ones each time
        return None
    if cls not in copyreg.dispatch_table and made_by is cls:
        fits = _takes(cls, len(args))
        has_failed = is_reduced_to_a_call(cls) and not names.isdisjoint(("__init__", "__new__"))
        if not fits or has_failed:
            return advice_of_a_call(len(args))
    return REDUCED if library_of(cls) is None else None


def _takes(cls: type, count: int) -> bool:
    """Whether a class can be called with so many arguments, as far as that is known."""
    if all(find(cls, name) is find(object, name) for name in ("__init__", "__new__")):
        return count == 0
    return takes(function_of(cls, "__init__"), function_of(cls, "__new__"))(count)


def _has_no_method(cls: type, error: Exception, names: set[str]) -> bool:
    """Whether a load has asked __getattr__ for a __setstate__, and did not get one."""
    if find(cls, "__getattr__") is ABSENT or find(cls, "__setstate__") is not ABSENT:
        return False
    if isinstance(error, KeyError):
        return error.args == ("__setstate__",)
    is_call = type(error) is TypeError and str(error).endswith("object is not callable")
    return is_call and not names and is_reduced_by_object(cls)


def _functions_of(error: Exception) -> set[str]:
    """The names of the functions in which an exception was."""
    names = set()
    traceback = error.__traceback__
    while traceback is not None:
        names.add(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    return names
