"""The checks of `Policy.numpy()`: arrays and scalars.

An array has to have as many bytes, or objects, as its shape says, and gets its state once. Bytes of
bools and texts have to be those of bools and texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from math import prod
from pickle import PickleBuffer
from typing import Any, Final

from ..policy_names import is_ints
from .numpy_dtypes import METADATA, is_dtype, is_shape, numpy_module

_DEEPEST_ARRAYS: Final = 32  # arrays of objects in one another, which NumPy frees by recursion
_LISTED: Final = 0x02  # of the flags: arrays are pickled as lists of objects
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
MASKED: Final = frozenset(
    {"numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray", "numpy.ma.core.mvoid", "numpy.ma.mvoid"}
)


def _is_letter(value: Any) -> bool:
    return (type(value) is bytes and value == b"b") or (type(value) is str and value == "b")


def check_reconstruct(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_reconstruct(ndarray, (0,), b'b')"""
    if len(args) != 3 or guard.name_of(args[0]) not in ARRAYS:
        return "expected a class of arrays, (0,) and b'b'"
    if type(args[1]) is not tuple or args[1] != (0,) or not _is_letter(args[2]):
        return "expected a class of arrays, (0,) and b'b'"
    return None


def check_reconstruct_masked(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        len(args) != 4
        or guard.name_of(args[0]) not in MASKED
        or guard.name_of(args[1]) not in ARRAYS
        or type(args[2]) is not tuple
        or args[2] != (0,)
        or not _is_letter(args[3])
    ):
        return "expected two classes of arrays, (0,) and 'b'"
    return None


def check_array_state(guard: Any, array: Any, state: Any) -> str | None:
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
    """The objects in the structures of an array, which are known to fit their dtype."""
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


def check_masked_state(guard: Any, array: Any, state: Any) -> str | None:
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
        or type(fill_value) in METADATA
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
    """The complaint about the state of an array; None for none."""
    if not is_shape(shape):
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


def check_frombuffer(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_frombuffer(data, dtype, shape, order), or with the order of the axes."""
    if len(args) not in (4, 5):
        return "expected the data, a dtype, a shape and an order"
    data, dtype, shape, order = args[:4]
    if not is_dtype(dtype) or dtype.hasobject or dtype.subdtype is not None or not dtype.itemsize:
        return "a dtype that is none of bytes"
    if not is_shape(shape):
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


def check_scalar(guard: Any, args: tuple[Any, ...]) -> str | None:
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
