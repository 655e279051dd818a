"""States and arrays as a round trip leaves them: deterministic=True.

Some attributes of an object are filled in when it is used. Others are lost, or made otherwise, when
it is read. Both are left out of its state, or made as its __setstate__ makes them. For classes that
are not listed here nobody knows which attributes these are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO, StringIO
from types import GetSetDescriptorType
from typing import Any

from .reductions import ABSENT, find, imported_class, unpack


def state_rule(cls: type) -> Callable[[Any, Any], Any]:
    """The function that does so with an instance of a class and its state."""
    pandas_array = imported_class("pandas.api.extensions", "ExtensionArray")
    if pandas_array is not None and issubclass(cls, pandas_array):
        return _without_cache
    reader = find(cls, "__setstate__")
    if reader is ABSENT:
        descriptor = find(cls, "__dict__")
        if type(descriptor) is GetSetDescriptorType:
            return partial(_without_own_dict, descriptor.__get__)
        return _as_it_is
    if reader is find(BaseException, "__setstate__"):
        return _without_dict_of_error
    if any([reader is find(base, "__setstate__") for base in (partial, BytesIO, StringIO)]):
        return _without_empty_dict
    ndarray = imported_class("numpy", "ndarray")
    if ndarray is not None and reader is find(ndarray, "__setstate__"):
        return _in_native_order
    masked_array = imported_class("numpy.ma", "MaskedArray")
    if masked_array is not None and reader is find(masked_array, "__setstate__"):
        return _with_fill_value
    return _as_it_is


def _as_it_is(obj: Any, state: Any) -> Any:
    return state


def _without_own_dict(dict_of_instance: Callable[[Any], Any], obj: Any, state: Any) -> Any:
    """With a copy of the instance's own dict.

    A reader puts the items into the dict of a new instance, so it is not known there that other
    references led to the same dict.
    """
    if type(state) is dict:
        return state.copy() if state is dict_of_instance(obj) else state
    if type(state) is tuple and len(state) == 2 and type(state[0]) is dict:
        return (state[0].copy(), state[1]) if state[0] is dict_of_instance(obj) else state
    return state


def _without_dict_of_error(obj: Any, state: Any) -> Any:
    """The same of an exception, whose dict is made when it is looked at."""
    return (state.copy() or None) if type(state) is dict else state


def _without_empty_dict(obj: Any, state: Any) -> Any:
    """Without a dict that was made when it was looked at: it is the last item."""
    if type(state) is tuple and state and type(state[-1]) is dict and not state[-1]:
        return (*state[:-1], None)
    return state


def _without_cache(obj: Any, state: Any) -> Any:
    """Without what `cache_readonly` of pandas keeps: in the attributes, which may be the last of
    three items, and are left out if there are none."""
    if type(state) is tuple and len(state) == 3 and type(state[2]) is dict:
        attributes = _without_cache(obj, state[2])
        return state[:2] if attributes is None else (*state[:2], attributes)
    if type(state) is dict:
        return {key: value for key, value in state.items() if key != "_cache"} or None
    return state


def _in_native_order(obj: Any, state: Any) -> Any:
    """With the byte order of the machine, in which NumPy's arrays are read."""
    numpy: Any = sys.modules["numpy"]
    if type(state) is not tuple or len(state) != 5 or not isinstance(state[2], numpy.dtype):
        return state
    version, shape, dtype, is_fortran, data = state
    if dtype.isnative or dtype.names is not None or type(data) is not bytes:
        return state
    native = dtype.newbyteorder("=")
    if data:
        data = numpy.frombuffer(data, dtype).astype(native).tobytes()
    return version, shape, native, is_fortran, data


def _with_fill_value(obj: Any, state: Any) -> Any:
    """With a masked array's fill value as it is read, or None, which it is before its first use,
    for one that fills as the default does.

    Views of an array have one such object in common, and are read with one each.
    """
    numpy: Any = sys.modules["numpy"]
    if type(state) is not tuple or len(state) != 7:
        return state
    *of_array, mask, fill_value = state
    of_array = _in_native_order(obj, tuple(of_array))
    dtype = of_array[2]
    default = numpy.asarray(numpy.ma.default_fill_value(dtype))
    fills = default if fill_value is None else numpy.asarray(fill_value)
    if not _fill_alike(fills, default):
        try:
            with numpy.errstate(all="ignore"):  # the default may be too large for the type
                fills, default = fills.astype(dtype), default.astype(dtype)
        except (TypeError, ValueError):
            pass  # the default is none of a type that NumPy does not know
    return (*of_array, mask, None if _fill_alike(fills, default) else fills)


def _fill_alike(one: Any, other: Any) -> bool:
    if one.ndim or one.dtype.names is not None:
        return False
    value, default = one.item(), other.item()
    return type(value) is type(default) and bool(value == default)


def reduce_array(obj: Any, reduction: Any) -> Any:
    """NumPy's reduction of an array, which depends on how it lies in memory: of one without gaps,
    and in the byte order that it is read in, as it is read back."""
    ndarray: Any = getattr(sys.modules.get("numpy"), "ndarray", None)
    if type(obj) is not ndarray or obj.dtype.hasobject:
        return reduction
    if not (obj.flags.c_contiguous or obj.flags.f_contiguous):
        obj = obj.copy(order="K")
        reduction = unpack(obj.__reduce_ex__(5))
        if reduction[2] is not None:  # NumPy 1 has no buffer of an order of axes of its own
            obj = obj.copy(order="C")
            reduction = unpack(obj.__reduce_ex__(5))
    if reduction[2] is not None and not obj.dtype.isnative and obj.dtype.names is None:
        # Long doubles have a buffer in the byte order of the machine only.
        reduction = unpack(obj.astype(obj.dtype.newbyteorder("=")).__reduce_ex__(5))
    return reduction
