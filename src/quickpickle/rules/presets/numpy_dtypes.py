"""The checks of `Policy.numpy()`: dtypes.

A state is let through only if NumPy itself would write it: a dtype with the same description is
made by NumPy's constructor, which checks it, and its state has to be the same.
"""

from __future__ import annotations

import re
import sys
from math import prod
from typing import Any, Final

from ..policy_names import is_ints

_MOST_DIMENSIONS: Final = 64
_MOST_FIELDS: Final = 10_000  # of a dtype, with those of its fields
_DEEPEST: Final = 32  # fields in fields, which NumPy compares by recursion
_ALIGNMENTS: Final = frozenset({-1, 1, 2, 4, 8, 16, 32, 64})
_ALIGNED: Final = 0x80  # of the flags: left by align=True, and only shown


def numpy_module() -> Any:
    """The module. A name of it was found already."""
    return sys.modules["numpy"]


# --- dtypes

_DTYPE: Final = re.compile(
    r"b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|O[48]?|[SUV][0-9]{1,9}|[Mm]8", re.ASCII
)
_UNIT: Final = re.compile(r"Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as|generic", re.ASCII)


def is_dtype(value: Any) -> bool:
    """One of NumPy's own, not of a library that adds some."""
    return isinstance(value, numpy_module().dtype) and type(value).__module__ == "numpy.dtypes"


def itemsize_of(guard: Any, dtype: Any) -> int:
    """The bytes of an item of this dtype, any of which stand for a value; 0 for any other object.

    The compiled implementation asks this once for each dtype of a load, which `guard` keeps alive.
    """
    guard.notes["itemsize", id(dtype)] = dtype
    if is_dtype(dtype) and id(dtype) not in guard.fresh and dtype.subdtype is None:
        return int(dtype.itemsize) if _takes_all_bytes(dtype) else 0
    return 0


def _takes_all_bytes(dtype: Any) -> bool:
    """Whether an array of it needs no look at its data: numbers, bytes, and structures of them."""
    if dtype.hasobject:
        return False
    base = dtype.base  # that of a subarray
    if base.names is not None:
        return all(_takes_all_bytes(base[name]) for name in base.names)
    return base.kind in "iufcmMSV"


def check_dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    """dtype('f8', False, True): the last one makes a copy, which nobody else has."""
    if len(args) != 3 or any(type(arg) not in (bool, int) for arg in args[1:]) or args[2] != 1:
        return "expected a short text, False and True"
    first = args[0]
    if first is numpy_module().record or first is numpy_module().void:
        return None
    if type(first) is str and _DTYPE.fullmatch(first):
        return None
    return "expected a text as 'f8'"


def keep_fresh(guard: Any, dtype: Any) -> None:
    guard.fresh[id(dtype)] = dtype


def check_dtype_state(guard: Any, dtype: Any, state: Any) -> str | None:
    # All that use a dtype rely on it: it gets its state before anything has seen it.
    if id(dtype) not in guard.fresh:
        return "the dtype is in use, or has its state"
    if type(state) is not tuple or len(state) not in (8, 9) or not is_ints(state[:1]):
        return "expected eight or nine values"
    key = _key_of(guard, dtype, state)
    if key is None or key not in _ACCEPTED:
        weight = [0, 0]  # depth and fields
        complaint = _dtype_complaint(guard, dtype, state, weight)
        if complaint is not None:
            return complaint
        if key is not None and len(_ACCEPTED) < _MOST_ACCEPTED:
            _ACCEPTED.add(key)
        guard.notes["dtype", id(dtype)] = dtype, *weight
    elif state[3] is not None:
        guard.notes["dtype", id(dtype)] = dtype, 1, len(state[3])
    del guard.fresh[id(dtype)]
    return None


_ACCEPTED: Final[set[tuple[Any, ...]]] = set()
"""All that decides about states that were let through, of dtypes that many loads have."""
_MOST_ACCEPTED: Final = 1000
_FEW_FIELDS: Final = 32
_PARTS: Final = frozenset({int, str, bytes, type(None)})


def _key_of(guard: Any, dtype: Any, state: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """All that the answer to a state depends on, where that is a few short values; else None."""
    parts = state[:8]
    if state[2] is not None:
        return None
    if state[3] is not None:
        if len(state) != 8 or dtype.type is not numpy_module().void:
            return None
        fields = _fields_of(guard, state[3], state[4])
        if fields is None:
            return None
        parts = (*state[:3], *fields, *state[5:])
    elif state[4] is not None or dtype.kind not in "biufcSUmM":
        return None
    if len(state) == 9:
        extra = state[8]
        if type(extra) is not tuple or len(extra) != 2 or type(extra[1]) is not tuple:
            return None
        if extra[0] is not None and (type(extra[0]) is not dict or extra[0]):
            return None
        parts += extra[1]
    if any(type(part) not in _PARTS for part in parts):  # others may equal them
        return None
    return dtype.str, len(state), *parts


def _fields_of(guard: Any, names: Any, fields: Any) -> list[Any] | None:
    """The same of numbers in a structure: their names, dtypes and places."""
    if type(names) is not tuple or type(fields) is not dict or len(names) != len(fields):
        return None
    if len(names) > _FEW_FIELDS or any(type(key) is not str for key in (*fields, *names)):
        return None
    found: list[Any] = []
    for name in names:
        field = fields.get(name)
        if type(field) is not tuple or len(field) != 2 or not _is_used(guard, field[0], [0, 0]):
            return None
        if field[0].kind not in "biufc" or field[0].metadata is not None:
            return None
        found += name, field[0].str, field[1]
    return found


def _dtype_complaint(
    guard: Any, dtype: Any, state: tuple[Any, ...], weight: list[int]
) -> str | None:
    if state[0] != len(state) - 5:
        return "the version is another one"
    if type(state[1]) is not str or state[1] not in ("<", ">", "|", "="):
        return "the order of bytes is none"
    if not is_ints(state[5:8]) or state[6] not in _ALIGNMENTS:
        return "a size, an alignment or flags that are none"
    try:
        expected = _expected_dtype(guard, dtype, state, weight)
        if type(expected) is str:
            return expected
        written = expected.__reduce__()[2]
    except Exception as error:
        return f"NumPy makes no such dtype: {type(error).__name__}"
    if (
        written[1:6] != state[1:6]
        or (written[6] < 0) != (state[6] < 0)
        or not -128 <= state[7] < 256  # a char, which NumPy 1 writes with a sign
        or (written[7] & ~_ALIGNED) & 0xFF != (state[7] & ~_ALIGNED) & 0xFF
    ):
        return "NumPy does not write this"
    if weight[0] > _DEEPEST or weight[1] > _MOST_FIELDS:
        return f"more than {_MOST_FIELDS} fields, or more than {_DEEPEST} in one another"
    return None


def _expected_dtype(guard: Any, dtype: Any, state: tuple[Any, ...], weight: list[int]) -> Any:
    """The dtype that NumPy makes of the description in a state; or a complaint."""
    order, subarray, names, fields, size = state[1:6]
    numpy = numpy_module()
    found: Any = dtype
    if subarray is not None:
        if type(subarray) is not tuple or len(subarray) != 2 or names is not None:
            return "a subarray that is none"
        base, shape = subarray
        if not _is_used(guard, base, weight):
            return "a subarray of no dtype"
        if not is_shape(shape) or not shape or not 0 <= prod(shape) < 1 << 24:
            return "a subarray without a shape"
        found = numpy.dtype((base, shape))
    elif names is not None or fields is not None:
        if type(names) is not tuple or not all(type(name) is str for name in names):
            return "names that are no texts"
        if type(fields) is not dict or not all(type(key) is str for key in fields):
            return "fields that are none"
        if len(names) > _MOST_FIELDS or not 0 <= size < 1 << 31:
            return f"more than {_MOST_FIELDS} fields, or a size that is none"
        if dtype.itemsize not in (0, size):  # that of a record begins as 0
            return "another size"
        given = []
        for name in names:
            field = fields.get(name)
            if type(field) is not tuple or len(field) not in (2, 3):
                return "a field that is none"
            if not _is_used(guard, field[0], weight):
                return "a field of no dtype"
            if type(field[1]) is not int or (len(field) == 3 and type(field[2]) is not str):
                return "a field without a place"
            given.append(field)
        described = {
            "names": list(names),
            "formats": [field[0] for field in given],
            "offsets": [field[1] for field in given],
            "itemsize": size,
        }
        if any(len(field) == 3 for field in given):
            described["titles"] = [field[2] if len(field) == 3 else None for field in given]
        if len(fields) != len(names) + sum(len(field) == 3 for field in given):
            return "fields without a name"
        # The dict holds the fields of the titles too, which are the same.
        for field in given:
            if len(field) == 3 and fields.get(field[2]) is not field:
                again = fields.get(field[2])
                if type(again) is not tuple or len(again) != 3 or again[0] is not field[0]:
                    return "a title of another field"
        found = numpy.dtype(described)
        if dtype.type is not numpy.void:
            found = numpy.dtype((dtype.type, found))
    if dtype.kind in "Mm":
        return _expected_time(dtype, order, state)
    if len(state) == 9:
        if type(state[8]) is not dict or not all(
            type(key) is str and type(value) in METADATA for key, value in state[8].items()
        ):
            return "metadata that are no short values"
        found = numpy.dtype(found, metadata=state[8])
    return found if order == "|" else found.newbyteorder(order)


METADATA: Final = frozenset({str, bytes, int, float, bool, type(None)})


def _expected_time(dtype: Any, order: str, state: tuple[Any, ...]) -> Any:
    """That of datetime64 and timedelta64, whose metadata are a unit and a number of it."""
    if len(state) != 9 or type(state[8]) is not tuple or len(state[8]) != 2:
        return "no unit"
    metadata, unit = state[8]
    if metadata is not None and metadata != {}:
        return "metadata"
    if type(unit) is not tuple or len(unit) not in (3, 4) or not is_ints(unit[1:]):
        return "a unit that is none"
    name = unit[0]
    if type(name) is bytes:
        name = name.decode("latin1")
    if type(name) is not str or not _UNIT.fullmatch(name):
        return "a unit that is none"
    if not 1 <= unit[1] < 1 << 31 or any(value != 1 for value in unit[2:]):
        return "a unit that is none"
    full = f"{dtype.kind}8" if name == "generic" else f"{dtype.kind}8[{unit[1]}{name}]"
    if name == "generic" and unit[1] != 1:
        return "a unit that is none"
    return numpy_module().dtype(full).newbyteorder(order)


def _is_used(guard: Any, dtype: Any, weight: list[int]) -> bool:
    """A dtype in another one; `weight` becomes that of both."""
    if not is_dtype(dtype) or id(dtype) in guard.fresh:
        return False
    _, depth, fields = guard.notes.get(("dtype", id(dtype)), (None, 0, 0))
    weight[0] = max(weight[0], depth + 1)
    weight[1] += fields + 1
    return True


def check_string_dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        1 <= len(args) <= 2
        and type(args[0]) in (int, bool)
        and all(arg is None or type(arg) in (str, float) for arg in args[1:])
    ):
        return None
    return "expected a bool, and what stands for a missing text"


def is_shape(shape: Any) -> bool:
    return (
        type(shape) is tuple
        and len(shape) <= _MOST_DIMENSIONS
        and is_ints(shape)
        and all(0 <= length < 1 << 62 for length in shape)
    )
