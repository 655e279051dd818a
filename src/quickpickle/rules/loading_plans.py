"""Classes whose instances can be made and given their state without calling Python code.

The compiled Unpickler asks once for each class, of which a pickle has more than one instance. Where
nothing is known of a class the answer is None, and its instances are asked, as always.
"""

from __future__ import annotations

import sys
from collections import namedtuple
from functools import cache
from types import FunctionType
from typing import Any, Final

from .plans import field_names
from .reductions import find

FIELDS: Final = 1  # a list with the value of each field: frozen dataclasses with slots
UUID: Final = 2  # {"int": the number}


def plan_setstate(cls: type) -> tuple[int, tuple[str, ...], Any] | None:
    """The plan of the __setstate__ of a class: the kind, the slots that it sets, and a constant."""
    method = find(cls, "__setstate__")
    if type(method) is not FunctionType:
        return None
    if method is getattr(sys.modules.get("dataclasses"), "_dataclass_setstate", None):
        names = field_names(find(cls, "__dataclass_fields__"))
        return None if names is None else (FIELDS, names, None)
    if cls is getattr(sys.modules.get("uuid"), "UUID", None):
        return _plan_uuid(cls, method)
    return None


def _plan_uuid(cls: type, method: FunctionType) -> tuple[int, tuple[str, ...], Any] | None:
    """UUIDs, of which it was not written whether they are safe."""
    module = vars(sys.modules["uuid"])
    code = method.__code__
    if code.co_filename != module.get("__file__") or code.co_qualname != "UUID.__setstate__":
        return None
    sample: Any = object.__new__(cls)
    method(sample, {"int": 42})
    unknown = module["SafeUUID"].unknown
    if sample.int != 42 or sample.is_safe is not unknown:
        return None
    return UUID, ("int", "is_safe"), unknown


def count_of_namedtuple(cls: type) -> int | None:
    """How many items the instances of a namedtuple have; None for any other class.

    Its `__new__` makes a tuple of its arguments, and does nothing else.
    """
    method = find(cls, "__new__")
    function = getattr(method, "__func__", None) if type(method) is staticmethod else None
    if type(function) is not FunctionType or not issubclass(cls, tuple):
        return None
    code = function.__code__
    count = code.co_argcount - 1
    like = _code_of_namedtuple(count) if 0 <= count < 256 else code
    if (
        function.__globals__.get("_tuple_new") is not tuple.__new__
        or like is code
        or function.__closure__
        or code.co_code != like.co_code
        or code.co_names != like.co_names
        or code.co_kwonlyargcount
        or code.co_flags != like.co_flags
        or code.co_consts != like.co_consts
    ):
        return None
    return count


@cache
def _code_of_namedtuple(count: int) -> Any:
    made: Any = namedtuple("made", [f"field{i}" for i in range(count)])  # type: ignore[misc]
    return made.__new__.__code__
