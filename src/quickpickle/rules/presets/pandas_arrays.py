"""The checks of `Policy.pandas()`: dtypes, and whether the parts of an array fit."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from ..policy import PolicyError
from .numpy_arrays import is_array
from .numpy_dtypes import is_dtype, numpy_module
from .pandas_classes import MODULES, is_dict, is_int, kind_of, named_kind
from .pandas_scalars import CLOSED, is_offset, is_zone
from .states import is_done, wait_for_state, words

# --- dtypes


def check_categorical_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not is_dict(state, "categories", maybe=("ordered",)):
        return "expected the categories, and whether they are ordered"
    if state["categories"] is not None and not is_index(state["categories"]):
        return "categories that are no index"
    ordered = state.get("ordered", False)
    return None if ordered is None or type(ordered) is bool else "no bool"


def check_zone_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not is_dict(state, "unit", "tz") or state["tz"] is None or not is_zone(state["tz"]):
        return "expected a unit and a zone"
    unit = state["unit"]
    return None if type(unit) is str and unit in ("s", "ms", "us", "ns") else "no unit"


_PERIOD: Final = re.compile(r"[Pp]eriod\[[A-Za-z0-9-]{1,20}\]", re.ASCII)


def check_period_dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and type(args[0]) is str and _PERIOD.fullmatch(args[0]):
        return None
    return "expected a text as 'period[M]'"


def check_interval_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not is_dict(state, "subtype", maybe=("closed",)):
        return "expected a dtype and a side"
    subtype, closed = state["subtype"], state.get("closed")
    if subtype is not None and not _is_any_dtype(guard, subtype):
        return "a dtype that is none"
    if closed is not None and not (type(closed) is str and closed in CLOSED):
        return "a side that is none"
    return None


def check_sparse_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not is_dict(state, "_dtype", "_fill_value", maybe=("_cache", "_metadata")):
        return "expected a dtype and a value"
    if not is_dtype(state["_dtype"]) or state["_dtype"].kind not in "biufcOmM":
        return "a dtype that is none"
    if not is_scalar(guard, state["_fill_value"]):
        return "a value that is none"
    state.pop("_cache", None)
    return None if "_metadata" not in state else "attributes"


def check_numpy_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if is_dict(state, "_dtype") and is_dtype(state["_dtype"]):
        return None
    return "expected a dtype"


def check_simple_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    """Those without parameters; a cache may have been written with them."""
    if (
        type(state) is dict
        and all(type(key) is str for key in state)
        and state.keys() <= {"_cache"}
    ):
        state.pop("_cache", None)
        return None
    return "expected nothing"


def check_string_dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    if not 1 <= len(args) <= 2 or type(args[0]) is not str:
        return "expected a storage and what is missing"
    if args[0] not in ("python", "pyarrow", "pyarrow_numpy"):
        return "a storage that is none"
    if len(args) == 2 and not (is_missing(guard, args[1]) and args[1] is not None):
        return "what is missing is none"
    return None


def check_string_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    """By pandas 2."""
    if not is_dict(state, "storage", maybe=("_na_value",)):
        return "expected a storage"
    if "_na_value" not in state:
        return check_string_dtype(guard, (state["storage"],))
    return check_string_dtype(guard, (state["storage"], state["_na_value"]))


def wait_if_bare(guard: Any, dtype: Any) -> None:
    """Pandas 3 calls the class, pandas 2 gave a state."""
    if not vars(dtype):
        wait_for_state(guard, dtype)


SIMPLE_DTYPES: Final = frozenset(
    {
        "BooleanDtype",
        *(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)),
        *(f"Float{bits}Dtype" for bits in (32, 64)),
    }
)
_DTYPES: Final = SIMPLE_DTYPES | set(
    words("CategoricalDtype DatetimeTZDtype PeriodDtype IntervalDtype SparseDtype StringDtype")
)


def _is_any_dtype(guard: Any, value: Any) -> bool:
    return is_dtype(value) or (kind_of(value) in _DTYPES and is_done(guard, value))


def _is_dtype_of(guard: Any, value: Any, kind: str) -> bool:
    return kind_of(value) == kind and is_done(guard, value)


# --- values


def is_missing(guard: Any, value: Any) -> bool:
    """None, NaN, NA and NaT."""
    if value is None or (type(value) is float and math.isnan(value)):
        return True
    return kind_of(value) in ("NAType", "NaTType")


_SCALARS: Final = frozenset(
    {bool, int, float, complex, str, bytes, timedelta, date, datetime, time}
)


def is_scalar(guard: Any, value: Any) -> bool:
    return (
        type(value) in _SCALARS
        or is_missing(guard, value)
        or kind_of(value) in ("Timestamp", "Timedelta", "Period", "Interval")
        or isinstance(value, numpy_module().generic)
    )


def label_complaint(guard: Any, label: Any) -> str | None:
    """A name of an index or a column, which is hashed."""
    if type(label) is tuple:
        if not all(is_scalar(guard, part) for part in label):
            return "a name that is none"
    elif not is_scalar(guard, label) and not is_offset(label):
        return "a name that is none"
    guard.weigh([label])
    return None


# --- arrays: for each of them whether its parts fit


def is_data(guard: Any, value: Any, kinds: str, dimensions: tuple[int, ...] = (1, 2)) -> bool:
    return (
        is_array(guard, value)
        and value.dtype.kind in kinds
        and value.ndim in dimensions
        and value.dtype.isnative
    )


def check_backed(guard: Any, args: tuple[Any, ...]) -> str | None:
    """__pyx_unpickle_NDArrayBacked(cls, checksum, None)"""
    if (
        len(args) == 3
        and named_kind(guard, args[0]) in BACKED
        and is_int(args[1])
        and args[2] is None
    ):
        return None
    return "expected a class of arrays, a number and None"


def check_mixed(guard: Any, args: tuple[Any, ...]) -> str | None:
    """__pyx_unpickle_IntervalMixin(cls, checksum, None)"""
    if (
        len(args) == 3
        and named_kind(guard, args[0]) == "IntervalArray"
        and is_int(args[1])
        and args[2] is None
    ):
        return None
    return "expected IntervalArray, a number and None"


def check_backed_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) not in (2, 3):
        return "expected a dtype, an array and attributes"
    dtype, data = state[:2]
    if is_array(guard, dtype):
        dtype, data = data, dtype  # by pandas 1
    if len(state) == 3:
        others = state[2]
        if not is_dict(others, maybe=("_cache", "_freq", "_readonly")):
            return "other attributes"
        others.pop("_cache", None)
        if others.get("_freq") is not None and not is_offset(others["_freq"]):
            return "a frequency that is none"
        if type(others.get("_readonly", False)) is not bool:
            return "no bool"
    return BACKED[kind_of(obj) or ""](guard, dtype, data)


def _categorical(guard: Any, dtype: Any, codes: Any) -> str | None:
    if not _is_dtype_of(guard, dtype, "CategoricalDtype") or dtype.categories is None:
        return "no categories"
    if not is_data(guard, codes, "i"):
        return "codes that are none"
    return codes_complaint(codes, len(dtype.categories))


def codes_complaint(codes: Any, count: int) -> str | None:
    if codes.size and (int(codes.min()) < -1 or int(codes.max()) >= count):
        return "a code that stands for nothing"
    return None


def _datetimes(guard: Any, dtype: Any, data: Any) -> str | None:
    if not is_data(guard, data, "M"):
        return "no datetimes"
    if is_dtype(dtype):
        return (
            None if dtype == data.dtype and _unit_of(dtype) in _NAMES_OF_UNITS else "another dtype"
        )
    if not _is_dtype_of(guard, dtype, "DatetimeTZDtype") or dtype.unit != _unit_of(data.dtype):
        return "another dtype"
    return None


_NAMES_OF_UNITS: Final = frozenset({"s", "ms", "us", "ns"})


def _unit_of(dtype: Any) -> Any:
    unit, count = numpy_module().datetime_data(dtype)
    return unit if count == 1 else None


def _timedeltas(guard: Any, dtype: Any, data: Any) -> str | None:
    if not is_data(guard, data, "m") or not is_dtype(dtype) or dtype != data.dtype:
        return "no timedeltas"
    return None if _unit_of(dtype) in _NAMES_OF_UNITS else "no unit"


def _periods(guard: Any, dtype: Any, data: Any) -> str | None:
    if is_data(guard, data, "i") and data.dtype.itemsize == 8:
        return None if _is_dtype_of(guard, dtype, "PeriodDtype") else "another dtype"
    return "no periods"


def _strings(guard: Any, dtype: Any, data: Any) -> str | None:
    if not _is_dtype_of(guard, dtype, "StringDtype") or dtype.storage != "python":
        return "another dtype"
    if not is_data(guard, data, "O"):
        return "no texts"
    if all(type(item) is str or is_missing(guard, item) for item in data.ravel().tolist()):
        return None
    return "what is no text"


def _numpys(guard: Any, dtype: Any, data: Any) -> str | None:
    if not is_data(guard, data, "biufcOmMSUV"):
        return "no array"
    if _is_dtype_of(guard, dtype, "NumpyEADtype") and dtype.numpy_dtype == data.dtype:
        return None
    return "another dtype"


BACKED: Final[dict[str, Callable[[Any, Any, Any], str | None]]] = {
    "Categorical": _categorical,
    "DatetimeArray": _datetimes,
    "TimedeltaArray": _timedeltas,
    "PeriodArray": _periods,
    "StringArray": _strings,
    "NumpyExtensionArray": _numpys,
}


def masked_state(kinds: str, guard: Any, obj: Any, state: Any) -> str | None:
    if not is_dict(state, "_data", "_mask", maybe=("_cache", "_readonly", "_dtype")):
        return "expected the data and a mask"
    data, mask = state["_data"], state["_mask"]
    if not is_data(guard, data, kinds) or not is_data(guard, mask, "b"):
        return "data or a mask that are none"
    if data.shape != mask.shape:
        return "a mask of another shape"
    if kinds == "f" and data.dtype.itemsize not in (4, 8):
        return "another dtype"
    state.pop("_cache", None)
    if "_dtype" in state and not _is_dtype_of(guard, state["_dtype"], "BooleanDtype"):
        return "another dtype"
    return None


def check_interval_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is tuple and len(state) == 1:
        state = state[0]
    if not is_dict(
        state,
        "_left",
        "_right",
        "_dtype",
        maybe=(
            "_cache",
            "_readonly",
        ),
    ):
        return "expected two sides and a dtype"
    left, right, dtype = state["_left"], state["_right"], state["_dtype"]
    if not _is_dtype_of(guard, dtype, "IntervalDtype") or dtype.closed is None:
        return "another dtype"
    for side in (left, right):
        if not is_data(guard, side, "iuf", (1,)) and not (
            kind_of(side) in ("DatetimeArray", "TimedeltaArray") and is_done(guard, side)
        ):
            return "a side that is none"
    if type(left) is not type(right) or left.shape != right.shape or left.dtype != right.dtype:
        return "two sides that do not fit"
    if dtype.subtype != left.dtype:
        return "another dtype"
    state.pop("_cache", None)
    return None


def check_int_index(guard: Any, args: tuple[Any, ...]) -> str | None:
    """Its constructor checks the places."""
    if not 2 <= len(args) <= 3 or not is_int(args[0], 0, (1 << 31) - 1):
        return "expected a length and places"
    if len(args) == 3 and (type(args[2]) is not bool or not args[2]):
        return "expected a length and places"
    return None if is_data(guard, args[1], "i", (1,)) else "places that are none"


def check_block_index(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 3 or not is_int(args[0], 0, (1 << 31) - 1):
        return "expected a length, places and lengths"
    places, lengths = args[1:]
    if not is_data(guard, places, "i", (1,)) or not is_data(guard, lengths, "i", (1,)):
        return "places that are none"
    if places.shape != lengths.shape or (
        places.size
        and (
            int(lengths.min()) < 1
            or int(places.min()) < 0
            or int((places.astype("i8") + lengths).max()) > args[0]
            or bool((places[1:].astype("i8") < places[:-1].astype("i8") + lengths[:-1]).any())
        )
    ):
        return "places that are none"
    return None


def check_sparse_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not is_dict(
        state,
        "_sparse_index",
        "_sparse_values",
        "_dtype",
        maybe=(
            "_cache",
            "_readonly",
        ),
    ):
        return "expected places, values and a dtype"
    index, values, dtype = state["_sparse_index"], state["_sparse_values"], state["_dtype"]
    if type(index).__module__ != "pandas._libs.sparse":
        return "places that are none"
    if not is_data(guard, values, "biufcOmM", (1,)) or len(values) != index.npoints:
        return "values that do not fit"
    if not _is_dtype_of(guard, dtype, "SparseDtype") or dtype.subtype != values.dtype:
        return "another dtype"
    if index.length > guard.policy.limits.memory // 8:
        return "a length larger than the memory that the policy allows"
    state.pop("_cache", None)
    return None


# --- Arrow. The texts of pandas 3 are Arrow's where it is installed.

_ARROW: Final = {"string": 4, "large_string": 8}  # the size of an offset


def check_arrow_type(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and type(args[0]) is str and args[0] in _ARROW:
        return None
    return "expected 'string' or 'large_string'"


def check_arrow_buffer(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 1 or guard.name_of(args[0]) is not None:
        return "expected bytes"
    if type(args[0]) in (bytes, bytearray, memoryview) or guard.is_foreign(args[0]):
        return None
    return "expected bytes"


def check_arrow_array(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_restore_array((type, length, nulls, offset, buffers, children, dictionary)). Arrow ends the
    process where there are less buffers than the type has."""
    if len(args) != 1 or type(args[0]) is not tuple or len(args[0]) != 7:
        return "expected seven values"
    kind, length, nulls, offset, buffers, children, dictionary = args[0]
    size = _ARROW.get(str(kind)) if type(kind).__module__ == "pyarrow.lib" else None
    if size is None or type(kind).__qualname__ != "DataType":
        return "another type"
    if not all(is_int(value, 0, 1 << 40) for value in (length, offset)):
        return "a length that is none"
    if not is_int(nulls, -1, length):
        return "a number of missing texts that is none"
    if type(children) is not list or children or dictionary is not None:
        return "other arrays in it"
    if type(buffers) is not list or len(buffers) != 3:
        return "expected three buffers"
    for buffer in buffers:
        if buffer is not None and (
            type(buffer).__module__ != "pyarrow.lib" or type(buffer).__qualname__ != "Buffer"
        ):
            return "a buffer that is none"
    valid, places, _ = buffers
    if valid is not None and valid.size * 8 < length + offset:
        return "too few bits"
    if valid is None and nulls > 0:
        return "no bits"
    if places is None or places.size == 0:
        return None if length == offset == 0 and nulls <= 0 else "no offsets"
    return None if places.size >= (length + offset + 1) * size else "too few offsets"


def check_arrow(guard: Any, array: Any) -> None:
    """Every offset, and that the bytes are UTF-8."""
    try:
        array.validate()
        if not is_ascii(array):
            array.validate(full=True)
        if array.null_count > len(array):
            raise ValueError("more missing texts than texts")
    except Exception as error:
        raise PolicyError(
            f"it makes an array of Arrow that is none: {type(error).__name__}",
            rule="arguments",
            name="pyarrow.lib._restore_array",
        ) from None


def is_ascii(array: Any) -> bool:
    """Whether texts of Arrow are ASCII, none is missing, and every offset lies in its place.

    Such texts are valid wherever they begin and end. To look at all of them together takes a tenth
    of the time that Arrow takes to look at one after the other.
    """
    numpy = sys.modules.get("numpy")
    valid, places, data = array.buffers()
    if numpy is None or valid is not None or places is None or data is None or not len(array):
        return False
    size = _ARROW[str(array.type)]
    last = array.offset + len(array)
    if places.size < (last + 1) * size:
        return False
    offsets = numpy.frombuffer(places, f"i{size}", last + 1)[array.offset :]
    first, end = int(offsets[0]), int(offsets[-1])
    if first < 0 or end > data.size or (offsets[1:] < offsets[:-1]).any():
        return False
    return first == end or bool(numpy.frombuffer(data, "u1", end - first, first).max() < 128)


def _is_arrow(value: Any) -> bool:
    cls = type(value)
    return cls.__module__ == "pyarrow.lib" and cls.__qualname__ in (
        "StringArray",
        "LargeStringArray",
    )


def check_arrow_chunks(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 2 or type(args[0]) is not list or not all(_is_arrow(part) for part in args[0]):
        return "expected arrays and their type"
    if type(args[1]).__module__ != "pyarrow.lib" or str(args[1]) not in _ARROW:
        return "another type"
    return None if all(part.type == args[1] for part in args[0]) else "another type"


def check_arrow_string_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not is_dict(
        state,
        "_pa_array",
        "_dtype",
        maybe=(
            "_cache",
            "_readonly",
        ),
    ):
        return "expected an array and a dtype"
    array, dtype = state["_pa_array"], state["_dtype"]
    if not _is_arrow(array) and type(array).__qualname__ != "ChunkedArray":
        return "no texts"
    if type(array).__module__ != "pyarrow.lib" or str(array.type) not in _ARROW:
        return "no texts"
    if not _is_dtype_of(guard, dtype, "StringDtype") or dtype.storage != "pyarrow":
        return "another dtype"
    state.pop("_cache", None)
    return None


INDEXES: Final = frozenset(name for name in MODULES if name.endswith("Index"))


def is_index(value: Any) -> bool:
    return kind_of(value) in INDEXES
