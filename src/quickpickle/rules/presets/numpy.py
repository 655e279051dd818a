"""The names of `Policy.numpy()`.

NumPy's own `__setstate__` believes what it is given: a dtype takes flags and fields that do not
fit it, and then the bytes of an array are taken for pointers. So a state is let through only if
NumPy itself would write it: a dtype with the same description is made by NumPy's constructor, which
checks it, and its state has to be the same. An array has to have as many bytes, or objects, as its
shape says, and gets its state once. Bytes of bools and texts have to be those of bools and texts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from math import prod
from pickle import PickleBuffer
from typing import Any, Final

from ..policy_names import Quick, Rule, is_ints, nothing
from ..policy_objects import full_name
from .states import called, only, wait_for_state, words

_MOST_DIMENSIONS: Final = 64
_MOST_FIELDS: Final = 10_000  # of a dtype, with those of its fields
_DEEPEST: Final = 32  # fields in fields, which NumPy compares by recursion
_DEEPEST_ARRAYS: Final = 32  # arrays of objects in one another, which NumPy frees by recursion
_ALIGNMENTS: Final = frozenset({-1, 1, 2, 4, 8, 16, 32, 64})
_LISTED: Final = 0x02  # of the flags: arrays are pickled as lists of objects
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
    """The bytes of a number of this dtype, of which all stand for one; 0 for any other object.

    The compiled implementation asks this once for each dtype of a load, which `guard` keeps alive.
    """
    guard.notes["itemsize", id(dtype)] = dtype
    if is_dtype(dtype) and dtype.kind in "iufc" and id(dtype) not in guard.fresh:
        return int(dtype.itemsize)
    return 0


def _dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    """dtype('f8', False, True): the last one makes a copy, which nobody else has."""
    if len(args) != 3 or any(type(arg) not in (bool, int) for arg in args[1:]) or args[2] != 1:
        return "expected a short text, False and True"
    first = args[0]
    if first is numpy_module().record or first is numpy_module().void:
        return None
    if type(first) is str and _DTYPE.fullmatch(first):
        return None
    return "expected a text as 'f8'"


def _keep_fresh(guard: Any, dtype: Any) -> None:
    guard.fresh[id(dtype)] = dtype


def _dtype_state(guard: Any, dtype: Any, state: Any) -> str | None:
    # All that use a dtype rely on it: it gets its state before anything has seen it.
    if id(dtype) not in guard.fresh:
        return "the dtype is in use, or has its state"
    if type(state) is not tuple or len(state) not in (8, 9) or not is_ints(state[:1]):
        return "expected eight or nine values"
    if state[0] != len(state) - 5:
        return "the version is another one"
    if type(state[1]) is not str or state[1] not in ("<", ">", "|", "="):
        return "the order of bytes is none"
    if not is_ints(state[5:8]) or state[6] not in _ALIGNMENTS:
        return "a size, an alignment or flags that are none"
    weight = [0, 0]  # depth and fields
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
    guard.notes["dtype", id(dtype)] = dtype, *weight
    del guard.fresh[id(dtype)]
    return None


def _expected_dtype(guard: Any, dtype: Any, state: tuple[Any, ...], weight: list[int]) -> Any:
    """What NumPy makes of the description in a state; or a complaint."""
    order, subarray, names, fields, size = state[1:6]
    numpy = numpy_module()
    found: Any = dtype
    if subarray is not None:
        if type(subarray) is not tuple or len(subarray) != 2 or names is not None:
            return "a subarray that is none"
        base, shape = subarray
        if not _is_used(guard, base, weight):
            return "a subarray of no dtype"
        if not _is_shape(shape) or not shape or not 0 <= prod(shape) < 1 << 24:
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
            type(key) is str and type(value) in _METADATA for key, value in state[8].items()
        ):
            return "metadata that are no short values"
        found = numpy.dtype(found, metadata=state[8])
    return found if order == "|" else found.newbyteorder(order)


_METADATA: Final = frozenset({str, bytes, int, float, bool, type(None)})


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


def _string_dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        1 <= len(args) <= 2
        and type(args[0]) in (int, bool)
        and all(arg is None or type(arg) in (str, float) for arg in args[1:])
    ):
        return None
    return "expected a bool, and what stands for a missing text"


# --- arrays

ARRAYS: Final = frozenset(
    {
        "numpy.ndarray",
        "numpy.matrix",
        "numpy.matrixlib.defmatrix.matrix",
        "numpy.memmap",
        "numpy.core.memmap.memmap",
        "numpy.recarray",
        "numpy.rec.recarray",
        "numpy.core.records.recarray",
        "numpy.chararray",
        "numpy.char.chararray",
        "numpy.core.defchararray.chararray",
    }
)
_MASKED: Final = frozenset(
    {"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray", "numpy.ma.core.mvoid", "numpy.ma.mvoid"}
)


def _is_shape(shape: Any) -> bool:
    return (
        type(shape) is tuple
        and len(shape) <= _MOST_DIMENSIONS
        and is_ints(shape)
        and all(0 <= length < 1 << 62 for length in shape)
    )


def _is_letter(value: Any) -> bool:
    return (type(value) is bytes and value == b"b") or (type(value) is str and value == "b")


def _reconstruct(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_reconstruct(ndarray, (0,), b'b')"""
    if len(args) != 3 or guard.name_of(args[0]) not in ARRAYS:
        return "expected a class of arrays, (0,) and b'b'"
    if type(args[1]) is not tuple or args[1] != (0,) or not _is_letter(args[2]):
        return "expected a class of arrays, (0,) and b'b'"
    return None


def _reconstruct_masked(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        len(args) != 4
        or guard.name_of(args[0]) not in _MASKED
        or guard.name_of(args[1]) not in ARRAYS
        or type(args[2]) is not tuple
        or args[2] != (0,)
        or not _is_letter(args[3])
    ):
        return "expected two classes of arrays, (0,) and 'b'"
    return None


def _array_state(guard: Any, array: Any, state: Any) -> str | None:
    # NumPy frees the data of an array that gets another state, though others look at it.
    if guard.unfinished.get(id(array)) is not array:
        return "the array has its state"
    if type(state) is not tuple or len(state) not in (4, 5):
        return "expected a shape, a dtype, an order and the data"
    if len(state) == 5 and (type(state[0]) is not int or state[0] not in (0, 1)):
        return "the version is another one"
    complaint = array_complaint(guard, *state[-4:])
    if complaint is None:
        complaint = _nesting_complaint(guard, array, state[-3], state[-1])
    if complaint is None:
        del guard.unfinished[id(array)]
    return complaint


def _nesting_complaint(guard: Any, array: Any, dtype: Any, data: Any) -> str | None:
    """Arrays that lie in one another, with nothing between them."""
    if type(data) is not list:
        return None
    depth = 0
    for item in data if dtype.kind == "O" else _objects(dtype, data):
        if not isinstance(item, (numpy_module().ndarray, numpy_module().void)) or item is array:
            continue
        depth = max(depth, _depth_of(guard, item))
        if id(item) in guard.unfinished:
            guard.notes["placed", id(item)] = item
    if depth and ("placed", id(array)) in guard.notes:
        return "arrays in an array that is in another one"
    if depth >= _DEEPEST_ARRAYS:
        return f"more than {_DEEPEST_ARRAYS} arrays in one another"
    guard.notes["depth", id(array)] = array, depth + 1
    return None


def _depth_of(guard: Any, array: Any) -> int:
    depth: int = guard.notes.get(("depth", id(array)), (None, 1))[1]
    return depth


def _objects(dtype: Any, items: Any) -> Iterator[Any]:
    """What the structures of an array hold, that are known to fit their dtype."""
    for item in items:
        if dtype.kind == "O":
            yield item
        elif dtype.names is not None:
            for name, part in zip(dtype.names, item, strict=True):
                yield from _objects(dtype[name], [part])
        elif dtype.subdtype is not None and dtype.hasobject:
            base, shape = dtype.subdtype
            parts = item.ravel().tolist() if isinstance(item, numpy_module().ndarray) else item
            for _ in shape[1:] if parts is item else ():
                parts = [inner for part in parts for inner in part]
            yield from _objects(base, parts)


def _masked_state(guard: Any, array: Any, state: Any) -> str | None:
    if guard.unfinished.get(id(array)) is not array:
        return "the array has its state"
    if type(state) is not tuple or len(state) != 7 or state[:1] not in ((0,), (1,)):
        return "expected a shape, a dtype, an order, the data, the mask and a value"
    shape, dtype, order, data, mask, fill_value = state[1:]
    complaint = array_complaint(guard, shape, dtype, order, data)
    if complaint is not None:
        return complaint
    mask_dtype = numpy_module().ma.make_mask_descr(dtype)
    complaint = array_complaint(guard, shape, mask_dtype, order, mask)
    if complaint is not None:
        return f"the mask: {complaint}"
    if not (
        fill_value is None
        or type(fill_value) in _METADATA
        or type(fill_value) is complex
        or isinstance(fill_value, numpy_module().generic)
        or (is_array(guard, fill_value) and fill_value.shape == ())
    ):
        return "the fill value is none"
    complaint = _nesting_complaint(guard, array, dtype, data)
    if complaint is None:
        del guard.unfinished[id(array)]
    return complaint


def array_complaint(guard: Any, shape: Any, dtype: Any, order: Any, data: Any) -> str | None:
    """What is wrong with the state of an array."""
    if not _is_shape(shape):
        return "a shape that is none"
    if not is_dtype(dtype) or dtype.subdtype is not None:
        return "a dtype that is none"
    if type(order) not in (bool, int) or order not in (0, 1):
        return "an order that is none"
    if prod(max(length, 1) for length in shape) * max(dtype.itemsize, 1) > min(
        guard.policy.limits.memory, 1 << 62
    ):
        return "a shape larger than the memory that the policy allows"
    count = prod(shape)
    if dtype.flags & _LISTED or dtype.kind == "T":
        if type(data) is not list or len(data) != count:
            return f"expected a list of {count}"
        return _items_complaint(dtype, data)
    if type(data) is str:  # by Python 2
        try:
            data = data.encode("latin1")
        except UnicodeEncodeError:
            return "expected bytes"
    if type(data) not in (bytes, bytearray) or len(data) != count * dtype.itemsize:
        return f"expected {count * dtype.itemsize} bytes"
    return _data_complaint(dtype, data)


def _items_complaint(dtype: Any, items: list[Any]) -> str | None:
    """The objects of which an array is made. Where they become numbers, they have to be such."""
    if dtype.kind == "O":
        return None
    if dtype.kind == "T":
        missing = getattr(dtype, "na_object", None)
        if all(type(item) is str or item is missing or type(item) is float for item in items):
            return None
        return "expected texts"
    if all(_is_item(dtype, item) for item in items):
        return None
    return "objects that are none of the dtype"


def _is_item(dtype: Any, item: Any) -> bool:
    if dtype.kind == "O":
        return True
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        if type(item) is numpy_module().ndarray:
            return bool(item.shape == shape and item.dtype == base)
        return _is_nested(base, shape, item)
    if dtype.names is not None:
        return (
            type(item) is tuple
            and len(item) == len(dtype.names)
            and all(
                _is_item(dtype[name], part) for name, part in zip(dtype.names, item, strict=True)
            )
        )
    kind = type(item)
    return kind in _ITEMS or issubclass(kind, (date, timedelta)) or issubclass(
        kind, numpy_module().generic
    )  # fmt: skip


_ITEMS: Final = frozenset({bool, int, float, complex, str, bytes, type(None)})


def _is_nested(base: Any, shape: tuple[int, ...], item: Any) -> bool:
    if not shape:
        return _is_item(base, item)
    return (
        type(item) is list
        and len(item) == shape[0]
        and all(_is_nested(base, shape[1:], part) for part in item)
    )


def _data_complaint(dtype: Any, data: Any) -> str | None:
    """Bytes that stand for no value: bools other than 0 and 1, and characters beyond Unicode."""
    kind = dtype.kind
    if kind == "b":
        return None if not bytes(data).strip(b"\0\1") else "bools that are neither 0 nor 1"
    if kind not in "UV" or not memoryview(data).nbytes or not dtype.itemsize:
        return None
    array = numpy_module().frombuffer(data, dtype=dtype)
    return None if _are_values(array) else "bytes that are no values of the dtype"


def _are_values(array: Any) -> bool:
    numpy = numpy_module()
    dtype = array.dtype
    if array.size == 0 or dtype.itemsize == 0:
        return True
    if dtype.kind == "b":
        return bool(array.view("u1").max() <= 1)
    if dtype.kind == "U":
        codes = numpy.ascontiguousarray(array).view(f"{dtype.byteorder}u4")
        return bool(codes.max() <= 0x10FFFF)
    return dtype.names is None or all(_are_values(array[name]) for name in dtype.names)


def _frombuffer(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_frombuffer(data, dtype, shape, order), or with the order of the axes."""
    if len(args) not in (4, 5):
        return "expected the data, a dtype, a shape and an order"
    data, dtype, shape, order = args[:4]
    if not is_dtype(dtype) or dtype.hasobject or dtype.subdtype is not None or not dtype.itemsize:
        return "a dtype that is none of bytes"
    if not _is_shape(shape):
        return "a shape that is none"
    if type(order) is not str or order not in ("C", "F", "K"):
        return "an order that is none"
    if len(args) == 5 and args[4] is not None:
        axes = args[4]
        if type(axes) is not tuple or not is_ints(axes) or sorted(axes) != list(range(len(shape))):
            return "an order of axes that is none"
    # A view of an array would stay when the array's own data are freed.
    if type(data) not in (bytes, bytearray, PickleBuffer, memoryview) and not guard.is_foreign(
        data
    ):
        return "data that are no bytes"
    if guard.name_of(data) is not None:
        return "data that are a name"
    try:
        size = memoryview(data).nbytes
    except (TypeError, BufferError, ValueError):
        return "data that are no bytes"
    if size != prod(shape) * dtype.itemsize:
        return f"expected {prod(shape) * dtype.itemsize} bytes"
    return _data_complaint(dtype, data) if size else None


def _scalar(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 2:
        return "expected a dtype and bytes"
    dtype, data = args
    if type(data) is bytes and is_dtype(dtype) and dtype.kind in "iufc":  # most of them
        return None if len(data) == dtype.itemsize else f"expected {dtype.itemsize} bytes"
    if not is_dtype(dtype) or dtype.subdtype is not None or dtype.kind in ("O", "T"):
        return "a dtype that is none of bytes"
    if dtype.flags & _LISTED:  # one with fields of objects
        if not is_array(guard, data) or data.shape != () or data.dtype != dtype:
            return "expected an array without dimensions"
        return None if _depth_of(guard, data) == 1 else "arrays in a scalar"
    return array_complaint(guard, (), dtype, False, data)


def is_array(guard: Any, value: Any) -> bool:
    """An array of NumPy's own that has its state."""
    return type(value) is numpy_module().ndarray and id(value) not in guard.unfinished


# --- random generators. Their code reads at the places that a state says.

_BIT_GENERATORS: Final = {
    "MT19937": "numpy.random._mt19937.MT19937",
    "PCG64": "numpy.random._pcg64.PCG64",
    "PCG64DXSM": "numpy.random._pcg64.PCG64DXSM",
    "Philox": "numpy.random._philox.Philox",
    "SFC64": "numpy.random._sfc64.SFC64",
}
_CONSTRUCTOR: Final = "numpy.random._pickle.__bit_generator_ctor"


_WORDS_IN: Final[dict[str, dict[str, tuple[int, tuple[str, ...]]]]] = {
    "MT19937": {"key": (624, ("uint32", "uint64"))},
    "Philox": {"counter": (4, ("uint64",)), "key": (2, ("uint64",))},
    "SFC64": {"state": (4, ("uint64",))},
}
_WORDS_OUTSIDE: Final = {"Philox": {"buffer": (4, ("uint64",))}}
_NUMBERS: Final = {
    "MT19937": {"pos": 624},
    "PCG64": {"state": (1 << 128) - 1, "inc": (1 << 128) - 1},
    "PCG64DXSM": {"state": (1 << 128) - 1, "inc": (1 << 128) - 1},
}
_OUTSIDE: Final = {"has_uint32": 1, "uinteger": (1 << 32) - 1, "has_gauss": 1}
_NUMBERS_OUTSIDE: Final = {"Philox": {**_OUTSIDE, "buffer_pos": 4}}


def _is_bit_generator(guard: Any, value: Any) -> bool:
    return full_name(type(value)) in _BIT_GENERATORS.values()


def _bit_generator(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and (
        (type(args[0]) is str and args[0] in _BIT_GENERATORS)
        or guard.name_of(args[0]) in _BIT_GENERATORS.values()
    ):
        return None
    return "expected a bit generator of NumPy's"


def _generator(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and _is_bit_generator(guard, args[0]):
        return None
    if (
        1 <= len(args) <= 2
        and type(args[0]) is str
        and args[0] in _BIT_GENERATORS
        and (len(args) == 1 or guard.name_of(args[1]) == _CONSTRUCTOR)
    ):
        return None
    return "expected a bit generator of NumPy's"


def _bit_generator_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is tuple and len(state) == 2:
        state, seed = state
        if seed is not None and type(seed) is not numpy_module().random.SeedSequence:
            return "the seed is none"
    return _bits_complaint(guard, type(obj).__name__, state)


def _generator_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is tuple:  # by NumPy below 1.17
        if len(state) != 5 or type(state[0]) is not str:
            return "expected five values"
        state = dict(
            zip(
                ("bit_generator", "state", "has_gauss", "gauss"),
                (state[0], dict(zip(("key", "pos"), state[1:3], strict=True)), *state[3:]),
                strict=True,
            )
        )
    return _bits_complaint(guard, type(obj._bit_generator).__name__, state)


def _bits_complaint(guard: Any, name: str, state: Any) -> str | None:
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    if state.get("bit_generator") != name or type(state["bit_generator"]) is not str:
        return "the state of another bit generator"
    inner = state.get("state")
    if type(inner) is not dict or not all(type(key) is str for key in inner):
        return "expected a dict of the bits"
    words_in, words_outside = _WORDS_IN.get(name, {}), _WORDS_OUTSIDE.get(name, {})
    numbers, outer = _NUMBERS.get(name, {}), _NUMBERS_OUTSIDE.get(name, _OUTSIDE)
    needed = words_in.keys() | numbers.keys()
    if inner.keys() != needed or not state.keys() <= {
        "bit_generator", "state", "gauss", *outer, *words_outside
    }:  # fmt: skip
        return "values that the state does not have"
    if not all(_has_words(guard, inner[key], *form) for key, form in words_in.items()) or not all(
        _has_words(guard, state.get(key), *form) for key, form in words_outside.items()
    ):
        return "words that are none"
    if not all(_is_number(inner[key], most) for key, most in numbers.items()) or not all(
        _is_number(state[key], most) for key, most in outer.items() if key in state
    ):
        return "a number out of its bounds"
    if name == "Philox" and "buffer_pos" not in state:
        return "no position"
    return None if type(state.get("gauss", 0.0)) is float else "no gauss"


def _is_number(value: Any, most: int) -> bool:
    """An int, also one of NumPy."""
    if type(value) is not int and not isinstance(value, numpy_module().integer):
        return False
    return 0 <= int(value) <= most


def _has_words(guard: Any, value: Any, count: int, dtypes: tuple[str, ...]) -> bool:
    return is_array(guard, value) and value.shape == (count,) and value.dtype.name in dtypes


def _seed(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        len(args) == 3
        and guard.name_of(args[0]) == "numpy.random.bit_generator.SeedSequence"
        and type(args[1]) is int
        and 0 <= args[1] < 1 << 63
        and args[2] is None
    ):
        return None
    return "expected SeedSequence, a number and None"


def _seed_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) != 5:
        return "expected five values"
    entropy, children, pool, pool_size, spawn_key = state
    if entropy is not None and not (is_array(guard, entropy) and entropy.dtype.kind in "iu"):
        parts = entropy if type(entropy) in (list, tuple) else [entropy]
        if not all(type(part) is int or isinstance(part, numpy_module().integer) for part in parts):
            return "entropy that is none"
    if not _is_number(children, (1 << 32) - 1) or not _is_number(pool_size, 1 << 16):
        return "a number out of its bounds"
    if not _has_words(guard, pool, pool_size, ("uint32",)) or pool_size < 4:
        return "a pool that is none"
    if type(spawn_key) is not tuple or not is_ints(spawn_key):
        return "a key that is none"
    return None


# --- names

_DTYPE_CLASSES: Final = words(
    "Bool Int8 UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 Byte UByte Short UShort Int UInt Long"
    " ULong LongLong ULongLong Float16 Float32 Float64 LongDouble Complex64 Complex128 CLongDouble"
    " Object Bytes Str Void DateTime64 TimeDelta64"
)

SCALARS: Final = words(
    "bool bool_ byte ubyte short ushort intc uintc int_ uint long ulong longlong ulonglong intp"
    " uintp int8 int16 int32 int64 uint8 uint16 uint32 uint64 half single double longdouble float16"
    " float32 float64 float96 float128 csingle cdouble clongdouble complex64 complex128 complex192"
    " complex256 str_ bytes_ void record object_ datetime64 timedelta64 generic number integer"
    " signedinteger unsignedinteger inexact floating complexfloating flexible character"
)

UFUNCS: Final = words(
    "abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh"
    " atan atan2 atanh bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not"
    " bitwise_or bitwise_right_shift bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad"
    " degrees divide divmod equal exp exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod"
    " frexp gcd greater greater_equal heaviside hypot invert isfinite isinf isnan isnat lcm ldexp"
    " left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not"
    " logical_or logical_xor matmul matvec maximum minimum mod modf multiply negative nextafter"
    " not_equal positive pow power rad2deg radians reciprocal remainder right_shift rint sign"
    " signbit sin sinh spacing sqrt square subtract tan tanh true_divide trunc vecdot vecmat"
)

_MODULES: Final = ("numpy.core", "numpy._core")  # NumPy 1 and 2

_NAMED: Final = Rule()  # may be named, as an argument or a value; is not called
_ARRAY: Final = Rule(built=_array_state)
_MASKED_ARRAY: Final = Rule(built=_masked_state)
_BITS: Final = Rule(built=_bit_generator_state)


def _is_plain_array(value: Any) -> bool:
    return type(value) is numpy_module().ndarray


def _is_text(value: Any) -> bool:
    return type(value) is str


_POLYNOMIAL: Final = Rule(
    new=nothing,
    built=only(
        coef=_is_plain_array,
        domain=_is_plain_array,
        window=_is_plain_array,
        symbol=_is_text,
        _symbol=_is_text,
    ),
)
_POLY1D: Final = Rule(
    new=nothing,
    built=only(
        coeffs=_is_plain_array,
        _coeffs=_is_plain_array,
        order=lambda value: type(value) is int,
        variable=_is_text,
        _variable=_is_text,
    ),
)


def _pairs(modules: tuple[str, ...], names: list[str], rule: Rule) -> dict[str, Rule]:
    return {f"{module}.{name}": rule for module in modules for name in names}


NAMES: Final[dict[str, Rule]] = {
    "numpy.dtype": called(_dtype, made=_keep_fresh, is_idle=True),
    **_pairs(
        ("numpy.dtypes",),
        [f"{name}DType" for name in _DTYPE_CLASSES],
        Rule(built=_dtype_state, is_idle=True),
    ),
    "numpy.dtypes.StringDType": _NAMED,
    **_pairs(("numpy",), SCALARS, _NAMED),
    **_pairs(("numpy.core.records", "numpy.rec"), ["record"], _NAMED),
    **_pairs(("numpy", *(f"{module}._multiarray_umath" for module in _MODULES)), UFUNCS, _NAMED),
    **dict.fromkeys(ARRAYS, _ARRAY),
    "numpy.ndarray": _ARRAY._replace(quick_state=Quick.ARRAY),
    **dict.fromkeys(_MASKED, _MASKED_ARRAY),
    "numpy.ma.core._mareconstruct": called(_reconstruct_masked, made=wait_for_state),
    "numpy.ma.core.MaskedConstant": called(nothing),
    **_pairs(
        tuple(f"{module}.multiarray" for module in _MODULES),
        ["_reconstruct"],
        called(_reconstruct, made=wait_for_state, quick_call=Quick.ARRAY),
    ),
    **_pairs(
        tuple(f"{module}.multiarray" for module in _MODULES),
        ["scalar"],
        called(_scalar, quick_call=Quick.SCALAR),
    ),
    **_pairs(
        tuple(f"{module}.numeric" for module in _MODULES),
        ["_frombuffer"],
        called(_frombuffer, quick_call=Quick.BUFFER),
    ),
    **_pairs(
        tuple(f"{module}._internal" for module in _MODULES),
        ["_convert_to_stringdtype_kwargs"],
        called(_string_dtype),
    ),
    **dict.fromkeys(_BIT_GENERATORS.values(), _BITS),
    _CONSTRUCTOR: called(_bit_generator),
    "numpy.random._pickle.__generator_ctor": called(_generator),
    "numpy.random._pickle.__randomstate_ctor": called(_generator),
    "numpy.random.__RandomState_ctor": called(nothing),
    "numpy.random._generator.Generator": Rule(built=_generator_state),
    "numpy.random.mtrand.RandomState": Rule(built=_generator_state),
    "numpy.random.bit_generator.SeedSequence": Rule(built=_seed_state),
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": called(_seed),
    "numpy.poly1d": _POLY1D,
    "numpy.lib.polynomial.poly1d": _POLY1D,
    **{
        f"numpy.polynomial.{module}.{name}": _POLYNOMIAL
        for module, name in (
            ("polynomial", "Polynomial"),
            ("chebyshev", "Chebyshev"),
            ("legendre", "Legendre"),
            ("hermite", "Hermite"),
            ("hermite_e", "HermiteE"),
            ("laguerre", "Laguerre"),
        )
    },
}
"""The names of `Policy.numpy()`, beside those of `Policy.plain()`."""
