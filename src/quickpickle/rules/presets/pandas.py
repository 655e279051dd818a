"""The names of `Policy.pandas()`.

Pandas does not check again what it has checked when a frame was made: the codes of categories, the
places of blocks, the offsets of Arrow's texts. Its compiled code then reads where they say. They
are checked here, and have to stay so: an array, a dtype or a manager gets its state once, before
anything uses it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from itertools import chain
from typing import Any, Final

from ..policy import PolicyError
from ..policy_names import Rule, nothing
from ..policy_objects import full_name
from .numpy import is_array, is_dtype, numpy_module
from .states import called, is_done, once, wait_for_state, words

# --- classes, which have another module in each release

_MODULES: Final[dict[str, str]] = {
    "DataFrame": "pandas.core.frame",
    "Series": "pandas.core.series",
    **{
        name: f"pandas.core.indexes.{module}"
        for name, module in (
            ("Index", "base"),
            ("RangeIndex", "range"),
            ("MultiIndex", "multi"),
            ("CategoricalIndex", "category"),
            ("DatetimeIndex", "datetimes"),
            ("TimedeltaIndex", "timedeltas"),
            ("PeriodIndex", "period"),
            ("IntervalIndex", "interval"),
        )
    },
    **{
        name: f"pandas.core.arrays.{module}"
        for name, module in (
            ("Categorical", "categorical"),
            ("DatetimeArray", "datetimes"),
            ("TimedeltaArray", "timedeltas"),
            ("PeriodArray", "period"),
            ("IntervalArray", "interval"),
            ("SparseArray", "sparse.array"),
            ("StringArray", "string_"),
            ("ArrowStringArray", "string_arrow"),
            ("IntegerArray", "integer"),
            ("FloatingArray", "floating"),
            ("BooleanArray", "boolean"),
            ("NumpyExtensionArray", "numpy_"),
            ("BooleanDtype", "boolean"),
            ("StringDtype", "string_"),
            *(
                (f"{sign}Int{bits}Dtype", "integer")
                for sign in ("", "U")
                for bits in (8, 16, 32, 64)
            ),
            *((f"Float{bits}Dtype", "floating") for bits in (32, 64)),
        )
    },
    **dict.fromkeys(
        words(
            "CategoricalDtype DatetimeTZDtype PeriodDtype IntervalDtype SparseDtype NumpyEADtype"
        ),
        "pandas.core.dtypes.dtypes",
    ),
    "Timestamp": "pandas._libs.tslibs.timestamps",
    "Timedelta": "pandas._libs.tslibs.timedeltas",
    "Period": "pandas._libs.tslibs.period",
    "Interval": "pandas._libs.interval",
    "NA": "pandas._libs.missing",
    "NaTType": "pandas._libs.tslibs.nattype",
    "NAType": "pandas._libs.missing",
}
_PLACES: Final = ("pandas", "pandas.arrays", "pandas.api.typing")
_KINDS: Final[dict[str, str]] = {
    f"{module}.{name}": name
    for name, old in _MODULES.items()
    for module in (old, *_PLACES)
}  # fmt: skip
"""By any name that a class has had: what it is."""


def kind_of(obj: Any) -> str | None:
    """What an object of pandas is."""
    return _KINDS.get(full_name(type(obj)))


def _named_kind(guard: Any, obj: Any) -> str | None:
    """What class a name has led to."""
    return _KINDS.get(guard.name_of(obj) or "")


def _is_dict(state: Any, *needed: str, maybe: tuple[str, ...] = ()) -> bool:
    """A dict with these keys."""
    return (
        type(state) is dict
        and all(type(key) is str for key in state)
        and state.keys() >= set(needed)
        and state.keys() <= {*needed, *maybe}
    )


def _is_int(value: Any, least: int = -(1 << 63), most: int = (1 << 63) - 1) -> bool:
    return type(value) is int and least <= value <= most


# --- zones

_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,3}", re.ASCII)


def _is_zone_key(key: Any) -> bool:
    """The name of a zone, which is a file: nothing that leads elsewhere."""
    return type(key) is str and _ZONE.fullmatch(key) is not None


def _zone(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and _is_zone_key(args[0]) and type(args[1]) in (int, bool):
        return None
    return "expected the name of a zone"


def _pytz_zone(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) not in (1, 4) or not _is_zone_key(args[0]):
        return "expected the name of a zone"
    if len(args) == 4 and not (
        all(_is_int(arg, -100_000, 100_000) for arg in args[1:3]) and type(args[3]) is str
    ):
        return "expected two offsets and a name"
    return None


def _pytz_offset(guard: Any, args: tuple[Any, ...]) -> str | None:
    return None if len(args) == 1 and _is_int(args[0], -1439, 1439) else "expected minutes"


def _dateutil_offset(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and type(args[0]) in (str, type(None)) and type(args[1]) is timedelta:
        return None
    return "expected a name and a timedelta"


_ZONES: Final = frozenset({"zoneinfo", "backports.zoneinfo", "dateutil.tz.tz", "pytz"})


def _is_zone(value: Any) -> bool:
    """None or a zone that the preset can have made."""
    if value is None or type(value) is timezone:
        return True
    module = type(value).__module__
    return module in _ZONES or module.startswith("pytz.")


# --- offsets

_OFFSETS: Final = words(
    "BusinessDay BusinessHour BMonthBegin BMonthEnd BQuarterBegin BQuarterEnd BYearBegin BYearEnd"
    " BHalfYearBegin BHalfYearEnd HalfYearBegin HalfYearEnd BusinessMonthBegin BusinessMonthEnd"
    " CustomBusinessDay CustomBusinessHour CustomBusinessMonthBegin CustomBusinessMonthEnd Day"
    " Easter FY5253 FY5253Quarter Hour LastWeekOfMonth Micro Milli Minute MonthBegin MonthEnd Nano"
    " QuarterBegin QuarterEnd Second SemiMonthBegin SemiMonthEnd Week WeekOfMonth YearBegin YearEnd"
)
_OFFSET_MODULE: Final = "pandas._libs.tslibs.offsets"


def _is_offset(value: Any) -> bool:
    cls = type(value)
    module: str = cls.__module__
    return module == _OFFSET_MODULE or (module == "pandas" and cls.__qualname__ == "DateOffset")


def _offset(guard: Any, args: tuple[Any, ...]) -> str | None:
    """Day(1, False), and what some have beside."""
    if not args:
        return None
    if not _is_int(args[0], -(1 << 31), 1 << 31):
        return "expected a number"
    if len(args) > 1 and type(args[1]) not in (bool, int):
        return "expected a bool"
    if all(_is_part(part) for part in args[2:]):
        return None
    return "expected numbers, short texts, times and days"


def _is_part(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return _is_int(value, -1, 31)
    if kind is str:
        return len(value) <= 100
    if kind is tuple:
        return all(
            type(part) in (time, date, datetime) or isinstance(part, numpy_module().datetime64)
            for part in value
        )
    return value is None or kind in (bool, timedelta, time)


_SPANS: Final = words(
    "years months weeks days hours minutes seconds microseconds nanoseconds leapdays"
)
_FIXED: Final = words("year month day weekday hour minute second microsecond nanosecond")


def _are_spans(state: dict[str, Any], others: tuple[str, ...]) -> bool:
    for key, value in state.items():
        if key in others:
            continue
        if key not in _SPANS and key not in _FIXED:
            return False
        # Of that module only the class of weekdays is listed.
        if not (
            value is None
            or _is_int(value, -(1 << 31), 1 << 31)
            or (key == "weekday" and type(value).__module__ == "dateutil._common")
        ):
            return False
    return True


def _date_offset_state(guard: Any, obj: Any, state: Any) -> str | None:
    others = ("n", "normalize", "_offset", "_use_relativedelta", "_cache")
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    state.pop("_cache", None)
    if not _are_spans(state, others):
        return "a part that is no number"
    if not _is_int(state.get("n"), -(1 << 31), 1 << 31) or type(state.get("normalize")) is not bool:
        return "no number, or no bool"
    if type(state.get("_use_relativedelta", False)) is not bool:
        return "no bool"
    offset = state.get("_offset")
    if (
        offset is None
        or type(offset) is timedelta
        or (type(offset).__module__ == "dateutil.relativedelta" and is_done(guard, offset))
    ):
        return None
    return "no relativedelta"


def _relativedelta_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    if not _are_spans(state, ("_has_time", "_leapdays")):
        return "a part that is no number"
    return None if _is_int(state.get("_has_time", 0), 0, 1) else "no bool"


def _weekday_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) != 2 or state[0] is not None:
        return "expected a day and a number"
    slots = state[1]
    if not _is_dict(slots, "weekday", "n") or not _is_int(slots["weekday"], 0, 6):
        return "expected a day and a number"
    number = slots["n"]
    return None if number is None or _is_int(number, -1000, 1000) else "no number"


# --- scalars

_UNITS: Final = frozenset({7, 8, 9, 10})  # of NumPy: s, ms, us and ns


def _timestamp(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_unpickle_timestamp(value, freq, tz, unit)"""
    if len(args) not in (3, 4) or not _is_int(args[0]):
        return "expected a number, None, a zone and a unit"
    if args[1] is not None and not _is_offset(args[1]):
        return "a frequency that is none"
    if not _is_zone(args[2]):
        return "a zone that is none"
    if len(args) == 4 and not (_is_int(args[3]) and args[3] in _UNITS):
        return "a unit that is none"
    return None


def _timedelta(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and _is_int(args[0]) and _is_int(args[1]) and args[1] in _UNITS:
        return None
    return "expected a number and a unit"


def _period(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        len(args) == 3
        and args[0] is None
        and (_is_offset(args[1]) or (type(args[1]) is str and len(args[1]) <= 30))
        and _is_int(args[2])
    ):
        return None
    return "expected None, a frequency and a number"


_CLOSED: Final = frozenset({"left", "right", "both", "neither"})
_ENDS: Final = frozenset({"Timestamp", "Timedelta"})


def _interval(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 3 or type(args[2]) is not str or args[2] not in _CLOSED:
        return "expected two ends and a side"
    if all(
        type(end) in (int, float) or kind_of(end) in _ENDS or isinstance(end, numpy_module().number)
        for end in args[:2]
    ):
        return None
    return "an end that is none"


def _not_a_time(guard: Any, args: tuple[Any, ...]) -> str | None:
    return None if len(args) == 1 and args[0] is None else "expected None"


# --- dtypes


def _categorical_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_dict(state, "categories", maybe=("ordered",)):
        return "expected the categories, and whether they are ordered"
    if state["categories"] is not None and not _is_index(state["categories"]):
        return "categories that are no index"
    ordered = state.get("ordered", False)
    return None if ordered is None or type(ordered) is bool else "no bool"


def _zone_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_dict(state, "unit", "tz") or state["tz"] is None or not _is_zone(state["tz"]):
        return "expected a unit and a zone"
    unit = state["unit"]
    return None if type(unit) is str and unit in ("s", "ms", "us", "ns") else "no unit"


_PERIOD: Final = re.compile(r"[Pp]eriod\[[A-Za-z0-9-]{1,20}\]", re.ASCII)


def _period_dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and type(args[0]) is str and _PERIOD.fullmatch(args[0]):
        return None
    return "expected a text as 'period[M]'"


def _interval_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_dict(state, "subtype", maybe=("closed",)):
        return "expected a dtype and a side"
    subtype, closed = state["subtype"], state.get("closed")
    if subtype is not None and not _is_any_dtype(guard, subtype):
        return "a dtype that is none"
    if closed is not None and not (type(closed) is str and closed in _CLOSED):
        return "a side that is none"
    return None


def _sparse_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_dict(state, "_dtype", "_fill_value", maybe=("_cache", "_metadata")):
        return "expected a dtype and a value"
    if not is_dtype(state["_dtype"]) or state["_dtype"].kind not in "biufcOmM":
        return "a dtype that is none"
    if not is_scalar(guard, state["_fill_value"]):
        return "a value that is none"
    state.pop("_cache", None)
    return None if "_metadata" not in state else "attributes"


def _numpy_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    if _is_dict(state, "_dtype") and is_dtype(state["_dtype"]):
        return None
    return "expected a dtype"


def _simple_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    """Those without parameters; a cache may have been written with them."""
    if (
        type(state) is dict
        and all(type(key) is str for key in state)
        and state.keys() <= {"_cache"}
    ):
        state.pop("_cache", None)
        return None
    return "expected nothing"


def _string_dtype(guard: Any, args: tuple[Any, ...]) -> str | None:
    if not 1 <= len(args) <= 2 or type(args[0]) is not str:
        return "expected a storage and what is missing"
    if args[0] not in ("python", "pyarrow", "pyarrow_numpy"):
        return "a storage that is none"
    if len(args) == 2 and not (is_missing(guard, args[1]) and args[1] is not None):
        return "what is missing is none"
    return None


def _string_dtype_state(guard: Any, obj: Any, state: Any) -> str | None:
    """By pandas 2."""
    if not _is_dict(state, "storage", maybe=("_na_value",)):
        return "expected a storage"
    if "_na_value" not in state:
        return _string_dtype(guard, (state["storage"],))
    return _string_dtype(guard, (state["storage"], state["_na_value"]))


def _wait_if_bare(guard: Any, dtype: Any) -> None:
    """Pandas 3 calls the class, pandas 2 gave a state."""
    if not vars(dtype):
        wait_for_state(guard, dtype)


_SIMPLE_DTYPES: Final = frozenset(
    {
        "BooleanDtype",
        *(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)),
        *(f"Float{bits}Dtype" for bits in (32, 64)),
    }
)
_DTYPES: Final = _SIMPLE_DTYPES | set(
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


def _label_complaint(guard: Any, label: Any) -> str | None:
    """A name of an index or a column, which is hashed."""
    if type(label) is tuple:
        if not all(is_scalar(guard, part) for part in label):
            return "a name that is none"
    elif not is_scalar(guard, label) and not _is_offset(label):
        return "a name that is none"
    guard.weigh([label])
    return None


# --- arrays: for each of them whether its parts fit


def _is_data(guard: Any, value: Any, kinds: str, dimensions: tuple[int, ...] = (1, 2)) -> bool:
    return (
        is_array(guard, value)
        and value.dtype.kind in kinds
        and value.ndim in dimensions
        and value.dtype.isnative
    )


def _backed(guard: Any, args: tuple[Any, ...]) -> str | None:
    """__pyx_unpickle_NDArrayBacked(cls, checksum, None)"""
    if (
        len(args) == 3
        and _named_kind(guard, args[0]) in _BACKED
        and _is_int(args[1])
        and args[2] is None
    ):
        return None
    return "expected a class of arrays, a number and None"


def _mixed(guard: Any, args: tuple[Any, ...]) -> str | None:
    """__pyx_unpickle_IntervalMixin(cls, checksum, None)"""
    if (
        len(args) == 3
        and _named_kind(guard, args[0]) == "IntervalArray"
        and _is_int(args[1])
        and args[2] is None
    ):
        return None
    return "expected IntervalArray, a number and None"


def _backed_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) not in (2, 3):
        return "expected a dtype, an array and attributes"
    dtype, data = state[:2]
    if is_array(guard, dtype):
        dtype, data = data, dtype  # by pandas 1
    if len(state) == 3:
        others = state[2]
        if not _is_dict(others, maybe=("_cache", "_freq", "_readonly")):
            return "other attributes"
        others.pop("_cache", None)
        if others.get("_freq") is not None and not _is_offset(others["_freq"]):
            return "a frequency that is none"
        if type(others.get("_readonly", False)) is not bool:
            return "no bool"
    return _BACKED[kind_of(obj) or ""](guard, dtype, data)


def _categorical(guard: Any, dtype: Any, codes: Any) -> str | None:
    if not _is_dtype_of(guard, dtype, "CategoricalDtype") or dtype.categories is None:
        return "no categories"
    if not _is_data(guard, codes, "i"):
        return "codes that are none"
    return _codes_complaint(codes, len(dtype.categories))


def _codes_complaint(codes: Any, count: int) -> str | None:
    if codes.size and (int(codes.min()) < -1 or int(codes.max()) >= count):
        return "a code that stands for nothing"
    return None


def _datetimes(guard: Any, dtype: Any, data: Any) -> str | None:
    if not _is_data(guard, data, "M"):
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
    if not _is_data(guard, data, "m") or not is_dtype(dtype) or dtype != data.dtype:
        return "no timedeltas"
    return None if _unit_of(dtype) in _NAMES_OF_UNITS else "no unit"


def _periods(guard: Any, dtype: Any, data: Any) -> str | None:
    if _is_data(guard, data, "i") and data.dtype.itemsize == 8:
        return None if _is_dtype_of(guard, dtype, "PeriodDtype") else "another dtype"
    return "no periods"


def _strings(guard: Any, dtype: Any, data: Any) -> str | None:
    if not _is_dtype_of(guard, dtype, "StringDtype") or dtype.storage != "python":
        return "another dtype"
    if not _is_data(guard, data, "O"):
        return "no texts"
    if all(type(item) is str or is_missing(guard, item) for item in data.ravel().tolist()):
        return None
    return "what is no text"


def _numpys(guard: Any, dtype: Any, data: Any) -> str | None:
    if not _is_data(guard, data, "biufcOmMSUV"):
        return "no array"
    if _is_dtype_of(guard, dtype, "NumpyEADtype") and dtype.numpy_dtype == data.dtype:
        return None
    return "another dtype"


_BACKED: Final[dict[str, Callable[[Any, Any, Any], str | None]]] = {
    "Categorical": _categorical,
    "DatetimeArray": _datetimes,
    "TimedeltaArray": _timedeltas,
    "PeriodArray": _periods,
    "StringArray": _strings,
    "NumpyExtensionArray": _numpys,
}


def _masked_state(kinds: str, guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_dict(state, "_data", "_mask", maybe=("_cache", "_readonly", "_dtype")):
        return "expected the data and a mask"
    data, mask = state["_data"], state["_mask"]
    if not _is_data(guard, data, kinds) or not _is_data(guard, mask, "b"):
        return "data or a mask that are none"
    if data.shape != mask.shape:
        return "a mask of another shape"
    if kinds == "f" and data.dtype.itemsize not in (4, 8):
        return "another dtype"
    state.pop("_cache", None)
    if "_dtype" in state and not _is_dtype_of(guard, state["_dtype"], "BooleanDtype"):
        return "another dtype"
    return None


def _interval_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is tuple and len(state) == 1:
        state = state[0]
    if not _is_dict(
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
        if not _is_data(guard, side, "iuf", (1,)) and not (
            kind_of(side) in ("DatetimeArray", "TimedeltaArray") and is_done(guard, side)
        ):
            return "a side that is none"
    if type(left) is not type(right) or left.shape != right.shape or left.dtype != right.dtype:
        return "two sides that do not fit"
    if dtype.subtype != left.dtype:
        return "another dtype"
    state.pop("_cache", None)
    return None


def _int_index(guard: Any, args: tuple[Any, ...]) -> str | None:
    """Its constructor checks the places."""
    if not 2 <= len(args) <= 3 or not _is_int(args[0], 0, (1 << 31) - 1):
        return "expected a length and places"
    if len(args) == 3 and (type(args[2]) is not bool or not args[2]):
        return "expected a length and places"
    return None if _is_data(guard, args[1], "i", (1,)) else "places that are none"


def _block_index(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 3 or not _is_int(args[0], 0, (1 << 31) - 1):
        return "expected a length, places and lengths"
    places, lengths = args[1:]
    if not _is_data(guard, places, "i", (1,)) or not _is_data(guard, lengths, "i", (1,)):
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


def _sparse_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_dict(
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
    if not _is_data(guard, values, "biufcOmM", (1,)) or len(values) != index.npoints:
        return "values that do not fit"
    if not _is_dtype_of(guard, dtype, "SparseDtype") or dtype.subtype != values.dtype:
        return "another dtype"
    if index.length > guard.policy.limits.memory // 8:
        return "a length larger than the memory that the policy allows"
    state.pop("_cache", None)
    return None


# --- Arrow. The texts of pandas 3 are Arrow's where it is installed.

_ARROW: Final = {"string": 4, "large_string": 8}  # the size of an offset


def _arrow_type(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and type(args[0]) is str and args[0] in _ARROW:
        return None
    return "expected 'string' or 'large_string'"


def _arrow_buffer(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 1 or guard.name_of(args[0]) is not None:
        return "expected bytes"
    if type(args[0]) in (bytes, bytearray, memoryview) or guard.is_foreign(args[0]):
        return None
    return "expected bytes"


def _arrow_array(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_restore_array((type, length, nulls, offset, buffers, children, dictionary)). Arrow ends the
    process where there are less buffers than the type has."""
    if len(args) != 1 or type(args[0]) is not tuple or len(args[0]) != 7:
        return "expected seven values"
    kind, length, nulls, offset, buffers, children, dictionary = args[0]
    size = _ARROW.get(str(kind)) if type(kind).__module__ == "pyarrow.lib" else None
    if size is None or type(kind).__qualname__ != "DataType":
        return "another type"
    if not all(_is_int(value, 0, 1 << 40) for value in (length, offset)):
        return "a length that is none"
    if not _is_int(nulls, -1, length):
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


def _check_arrow(guard: Any, array: Any) -> None:
    """Every offset, and that the bytes are UTF-8."""
    try:
        array.validate(full=True)
        if array.null_count > len(array):
            raise ValueError("more missing texts than texts")
    except Exception as error:
        raise PolicyError(
            f"it makes an array of Arrow that is none: {type(error).__name__}",
            rule="arguments",
            name="pyarrow.lib._restore_array",
        ) from None


def _is_arrow(value: Any) -> bool:
    cls = type(value)
    return cls.__module__ == "pyarrow.lib" and cls.__qualname__ in (
        "StringArray",
        "LargeStringArray",
    )


def _arrow_chunks(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 2 or type(args[0]) is not list or not all(_is_arrow(part) for part in args[0]):
        return "expected arrays and their type"
    if type(args[1]).__module__ != "pyarrow.lib" or str(args[1]) not in _ARROW:
        return "another type"
    return None if all(part.type == args[1] for part in args[0]) else "another type"


def _arrow_string_state(guard: Any, obj: Any, state: Any) -> str | None:
    if not _is_dict(
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


# --- indexes

_INDEXES: Final = frozenset(name for name in _MODULES if name.endswith("Index"))
_ARRAY_KINDS: Final = frozenset(name for name in _MODULES if name.endswith("Array")) | {
    "Categorical"
}


def _is_index(value: Any) -> bool:
    return kind_of(value) in _INDEXES


def is_extension(guard: Any, value: Any) -> bool:
    return kind_of(value) in _ARRAY_KINDS and is_done(guard, value)


def _index(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_new_Index(cls, {'data': array, 'name': None})"""
    kind = _named_kind(guard, args[0]) if len(args) == 2 else None
    if kind not in _INDEXES:
        return "expected a class of indexes, and a dict"
    given = args[1]
    if guard.is_foreign(given) or type(given) is not dict:
        return "expected a dict"
    if kind == "MultiIndex":
        return _multi_index(guard, given)
    if kind == "RangeIndex":
        return _range_index(guard, given)
    if not _is_dict(given, "data", "name"):
        return "expected data and a name"
    data = given["data"]
    if kind == "Index":
        if not _is_data(guard, data, "biufcOmM", (1,)) and not (
            is_extension(guard, data) and data.ndim == 1
        ):
            return "data that are none"
    elif kind in _ARRAY_OF:
        if kind_of(data) != _ARRAY_OF[kind] or not is_done(guard, data) or data.ndim != 1:
            return "data that are none"
    else:
        return "another function makes these"
    return _label_complaint(guard, given["name"])


_ARRAY_OF: Final = {
    "CategoricalIndex": "Categorical",
    "PeriodIndex": "PeriodArray",
    "TimedeltaIndex": "TimedeltaArray",  # by pandas 2
}


def _range_index(guard: Any, given: Any) -> str | None:
    if not _is_dict(given, "start", "stop", "step", "name"):
        return "expected a start, a stop, a step and a name"
    if not all(_is_int(given[key]) for key in ("start", "stop", "step")) or not given["step"]:
        return "a range that is none"
    length = len(range(given["start"], min(given["stop"], 1 << 62), given["step"]))
    if length > guard.policy.limits.memory // 8:
        return "a range larger than the memory that the policy allows"
    return _label_complaint(guard, given["name"])


def _multi_index(guard: Any, given: Any) -> str | None:
    if not _is_dict(given, "levels", "codes", "sortorder", "names"):
        return "expected levels, codes, an order and names"
    levels, codes, names = given["levels"], given["codes"], given["names"]
    if not all(type(part) in (list, tuple) for part in (levels, codes, names)):
        return "levels or codes that are none"
    if not len(levels) == len(codes) == len(names) or not levels:
        return "levels or codes that do not fit"
    if not all(map(_is_index, levels)) or any(kind_of(level) == "MultiIndex" for level in levels):
        return "a level that is no index"
    length = None
    for level, part in zip(levels, codes, strict=True):
        if not _is_data(guard, part, "i", (1,)) or len(part) != (length or len(part)):
            return "codes that are none"
        if length is not None and len(part) != length:
            return "codes that do not fit"
        length = len(part)
        complaint = _codes_complaint(part, len(level))
        if complaint is not None:
            return complaint
    order = given["sortorder"]
    if order is not None and not _is_int(order, 0, len(levels)):
        return "an order that is none"
    return next(filter(None, (_label_complaint(guard, name) for name in names)), None)


def _time_index(kind: str, array: str, guard: Any, args: tuple[Any, ...]) -> str | None:
    """_new_DatetimeIndex(cls, {'data': array, 'name': None, 'freq': None})"""
    if len(args) != 2 or _named_kind(guard, args[0]) != kind:
        return "expected a class of indexes, and a dict"
    given = args[1]
    if guard.is_foreign(given) or not _is_dict(given, "data", "name", maybe=("freq", "tz")):
        return "expected data, a name and a frequency"
    data = given["data"]
    if kind_of(data) != array or not is_done(guard, data) or data.ndim != 1:
        return "data that are none"
    if given.get("freq") is not None and not _is_offset(given["freq"]):
        return "a frequency that is none"
    if "tz" in given and (kind != "DatetimeIndex" or not _is_zone(given["tz"])):
        return "a zone that is none"
    return _label_complaint(guard, given["name"])


def _interval_index(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 2 or _named_kind(guard, args[0]) != "IntervalIndex":
        return "expected IntervalIndex, and a dict"
    given = args[1]
    if guard.is_foreign(given) or not _is_dict(given, "left", "right", "closed", "name"):
        return "expected two sides and a name"
    if type(given["closed"]) is not str or given["closed"] not in _CLOSED:
        return "a side that is none"
    if not all(
        _is_index(given[side]) or _is_data(guard, given[side], "iuf", (1,))
        for side in ("left", "right")
    ):
        return "a side that is none"
    if len(given["left"]) != len(given["right"]):
        return "two sides that do not fit"
    return _label_complaint(guard, given["name"])


# --- blocks and frames


def _placement_length(guard: Any, placement: Any) -> int | None:
    """How many rows a block stands for; None where the placement is none."""
    if type(placement) is slice:
        parts = (placement.start, placement.stop, placement.step)
        if not all(_is_int(part, 0, 1 << 40) for part in parts[:2]):
            return None
        if placement.step is not None and not _is_int(placement.step, 1, 1 << 40):
            return None
        return len(range(parts[0], parts[1], parts[2] or 1))
    if not _is_data(guard, placement, "i", (1,)):
        return None
    if placement.size and int(placement.min()) < 0:
        return None
    return len(placement)


def _values_complaint(guard: Any, values: Any, rows: int, dimensions: int) -> str | None:
    if is_array(guard, values):
        if not _is_data(guard, values, "biufcOmM", (dimensions,)):
            return "values that are none"
        fits = dimensions == 1 or len(values) == rows
    elif is_extension(guard, values):
        fits = values.ndim == 1 and (dimensions == 1 or rows == 1)
        fits = fits or (values.ndim == dimensions == 2 and len(values) == rows)
    else:
        return "values that are none"
    return None if fits else "values that do not fit their places"


def _block(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_unpickle_block(values, placement, dimensions)"""
    if len(args) != 3 or not _is_int(args[2], 1, 2):
        return "expected values, places and dimensions"
    rows = _placement_length(guard, args[1])
    if rows is None:
        return "places that are none"
    return _values_complaint(guard, args[0], rows, args[2])


def _manager(guard: Any, args: tuple[Any, ...]) -> str | None:
    """BlockManager(blocks, axes): each row of the frame is in one block."""
    if len(args) != 2 or type(args[0]) is not tuple or type(args[1]) is not list:
        return "expected blocks and axes"
    blocks, axes = args
    if len(axes) != 2 or not all(map(_is_index, axes)):
        return "axes that are none"
    rows, columns = map(len, axes)
    seen = 0
    for block in blocks:
        if type(block).__module__ != "pandas.core.internals.blocks" or block.ndim != 2:
            return "a block that is none"
        if block.shape[1] != columns:
            return "a block of another length"
        seen += len(block.mgr_locs)
    if seen != rows:
        return "blocks that do not fit"
    numpy = numpy_module()
    places = [block.mgr_locs.as_array for block in blocks]
    found = numpy.sort(numpy.concatenate(places)) if places else numpy.arange(0)
    if not numpy.array_equal(found, numpy.arange(rows)):
        return "blocks in the same place"
    return None


def _single_manager_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) != 4 or not _is_dict(state[3], "0.14.1"):
        return "expected what pandas writes since 0.14.1"
    inner = state[3]["0.14.1"]
    if not _is_dict(inner, "axes", "blocks"):
        return "expected axes and blocks"
    axes, blocks = inner["axes"], inner["blocks"]
    if type(axes) is not list or type(blocks) is not list or len(axes) != 1 or len(blocks) != 1:
        return "expected an axis and a block"
    if not _is_index(axes[0]) or not _is_dict(blocks[0], "values", "mgr_locs"):
        return "expected an axis and a block"
    length = len(axes[0])
    values, places = blocks[0]["values"], blocks[0]["mgr_locs"]
    if _placement_length(guard, places) != length:
        return "places that do not fit"
    if type(places) is slice:
        if (places.start, places.stop, places.step or 1) != (0, length, 1) and length:
            return "places that do not fit"
    elif not numpy_module().array_equal(places, numpy_module().arange(length)):
        return "places that do not fit"
    complaint = _values_complaint(guard, values, length, 1)
    if complaint is None and len(values) != length:
        return "values that do not fit"
    return complaint


def _frame_state(kind: str, guard: Any, obj: Any, state: Any) -> str | None:
    manager = "_mgr" if type(state) is dict and "_mgr" in state else "_data"
    maybe = ("_metadata", "attrs", "_attrs", "_flags", "_name", "name", "_item_cache")
    if not _is_dict(state, manager, "_typ", maybe=maybe):
        return "expected a manager and few attributes"
    wanted = "BlockManager" if kind == "dataframe" else "SingleBlockManager"
    found = state[manager]
    if (
        type(found).__module__ != "pandas.core.internals.managers"
        or type(found).__qualname__ != wanted
        or not is_done(guard, found)
    ):
        return "a manager that is none"
    if type(state["_typ"]) is not str or state["_typ"] != kind:
        return "another type"
    metadata = state.get("_metadata", [])
    if type(metadata) is not list or not all(
        type(name) is str and name in ("_name", "name") for name in metadata
    ):
        return "other attributes"
    flags = state.get("_flags", {"allows_duplicate_labels": True})
    if not _is_dict(flags, "allows_duplicate_labels"):
        return "flags that are none"
    if type(flags["allows_duplicate_labels"]) is not bool:
        return "flags that are none"
    for key in ("attrs", "_attrs", "_item_cache"):
        if type(state.get(key, {})) is not dict:
            return "attributes that are no dict"
    state.pop("_item_cache", None)
    names = ("_name", "name") if kind == "series" else ()
    if any(name in state and name not in names for name in ("_name", "name")):
        return "a frame with a name"
    return next(
        filter(None, (_label_complaint(guard, state[name]) for name in names if name in state)),
        None,
    )


# --- names

_NAMED: Final = Rule()


def _made(check: Callable[[Any, Any, Any], str | None]) -> Rule:
    """An instance that NEWOBJ makes, and that gets its state afterwards."""
    return Rule(new=nothing, built=once(check), made=wait_for_state)


def _backed_rule(check: Callable[[Any, Any, Any], str | None]) -> Rule:
    """An instance that a function makes, and that gets its state afterwards."""
    return Rule(built=once(check))


_RULES: Final[dict[str, Rule]] = {
    "DataFrame": _made(partial(_frame_state, "dataframe")),
    "Series": _made(partial(_frame_state, "series")),
    **dict.fromkeys(_INDEXES, _NAMED),
    **dict.fromkeys(_BACKED, _backed_rule(_backed_state)),
    "IntervalArray": _backed_rule(_interval_state),
    "SparseArray": _made(_sparse_state),
    "ArrowStringArray": _made(_arrow_string_state),
    "IntegerArray": _made(partial(_masked_state, "iu")),
    "FloatingArray": _made(partial(_masked_state, "f")),
    "BooleanArray": _made(partial(_masked_state, "b")),
    **dict.fromkeys(_SIMPLE_DTYPES, Rule(new=nothing, built=_simple_dtype_state)),
    "CategoricalDtype": _made(_categorical_dtype_state),
    "DatetimeTZDtype": _made(_zone_dtype_state),
    "IntervalDtype": _made(_interval_dtype_state),
    "SparseDtype": _made(_sparse_dtype_state),
    "NumpyEADtype": _made(_numpy_dtype_state),
    "PeriodDtype": called(_period_dtype),
    "StringDtype": _made(_string_dtype_state)._replace(
        call=_string_dtype, made=_wait_if_bare, may_be_held=True
    ),
    "Timestamp": _NAMED,
    "Timedelta": _NAMED,
    "Period": called(_period),
    "Interval": called(_interval),
    "NA": _NAMED,
    "NAType": _NAMED,
    "NaTType": _NAMED,
}

_FUNCTIONS: Final[dict[str, Rule]] = {
    "pandas.core.indexes.base._new_Index": called(_index),
    "pandas.core.indexes.datetimes._new_DatetimeIndex": called(
        partial(_time_index, "DatetimeIndex", "DatetimeArray")
    ),
    "pandas.core.indexes.timedeltas._new_TimedeltaIndex": called(
        partial(_time_index, "TimedeltaIndex", "TimedeltaArray")
    ),
    "pandas.core.indexes.interval._new_IntervalIndex": called(_interval_index),
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": called(_backed, made=wait_for_state),
    "pandas._libs.interval.__pyx_unpickle_IntervalMixin": called(_mixed, made=wait_for_state),
    "pandas._libs.internals._unpickle_block": called(_block),
    "pandas._libs.sparse.IntIndex": called(_int_index),
    "pandas._libs.sparse.BlockIndex": called(_block_index),
    "pandas._libs.tslibs.nattype._nat_unpickle": called(_not_a_time),
    "pandas._libs.tslibs.nattype.__nat_unpickle": called(_not_a_time),
    "pandas._libs.tslibs.timedeltas._timedelta_unpickle": called(_timedelta),
    "pandas._libs.tslibs.timestamps._unpickle_timestamp": called(_timestamp),
    "pandas.core.internals.managers.BlockManager": called(_manager),
    "pandas.core.internals.managers.SingleBlockManager": _made(_single_manager_state),
    **{f"{_OFFSET_MODULE}.{name}": called(_offset) for name in _OFFSETS},
    **dict.fromkeys(
        (f"{_OFFSET_MODULE}.DateOffset", "pandas.DateOffset"),
        _made(_date_offset_state)._replace(call=nothing),
    ),
    "dateutil.relativedelta.relativedelta": _made(_relativedelta_state),
    "dateutil._common.weekday": _made(_weekday_state),
    "dateutil.tz.tz.tzutc": called(nothing),
    "dateutil.tz.tz.tzoffset": called(_dateutil_offset),
    "pytz._UTC": called(nothing),
    "pytz._p": called(_pytz_zone),
    "pytz.FixedOffset": called(_pytz_offset),
    "zoneinfo.ZoneInfo": _NAMED,
    "zoneinfo.ZoneInfo._unpickle": called(_zone),
    "zoneinfo._zoneinfo.ZoneInfo._unpickle": called(_zone),
    "pyarrow.lib.type_for_alias": called(_arrow_type),
    "pyarrow.lib.py_buffer": called(_arrow_buffer),
    "pyarrow.lib._restore_array": called(_arrow_array, made=_check_arrow),
    "pyarrow.lib.chunked_array": called(_arrow_chunks),
}

NAMES: Final[Mapping[str, Rule]] = dict(
    chain(
        ((full, _RULES[name]) for full, name in _KINDS.items() if name in _RULES),
        _FUNCTIONS.items(),
    )
)
"""The names of `Policy.pandas()`, beside those of `Policy.numpy()`."""
