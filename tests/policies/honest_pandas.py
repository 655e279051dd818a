"""Values of pandas, which load under `Policy.pandas()`."""

from __future__ import annotations

import pickle
import zoneinfo
from datetime import UTC, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd

KINDS = [
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
]


def arrays() -> list[Any]:
    """Of every dtype of pandas, and of NumPy's that it holds."""
    hours = timezone(timedelta(hours=1))
    return [
        *(pd.array([1, None], dtype=kind) for kind in KINDS),
        pd.array([True, None], dtype="boolean"),
        pd.array(["a", None], dtype=pd.StringDtype("python")),
        pd.array(["a", None], dtype=pd.StringDtype("python", na_value=np.nan)),
        pd.array(["a", None], dtype="string"),
        pd.array(["a", "ü\U0001f600", ""], dtype="str"),
        pd.array([], dtype="str"),
        *(pd.Categorical(["a", None, "b"]), pd.Categorical([1, 2], ordered=True)),
        *(
            pd.date_range("2020", periods=2, tz=tz).array
            for tz in (None, UTC, "Europe/Berlin", hours)
        ),
        *(pd.date_range("2020", periods=2, unit=unit).array for unit in ("s", "ms", "us", "ns")),
        *(pd.to_timedelta([1, 2], unit=unit).array for unit in ("s", "ns")),
        *(pd.period_range("2020", periods=2, freq=freq).array for freq in ("D", "M", "Y", "h")),
        *(pd.interval_range(0, 2).array, pd.interval_range(pd.Timestamp(0), periods=2).array),
        *(pd.arrays.SparseArray([0, 0, 1]), pd.arrays.SparseArray([0.0, 1, 1], kind="block")),
        pd.arrays.NumpyExtensionArray(np.array([1.5, 2])),
    ]


def indexes() -> list[Any]:
    return [
        *(pd.RangeIndex(3), pd.RangeIndex(5, -5, -2, name="x"), pd.Index([1, 2]), pd.Index([1.5])),
        *(pd.Index([], dtype=object), pd.Index(["a", 1], dtype=object), pd.Index(["a", "b"])),
        *(pd.Index([True, False]), pd.Index([1, None], dtype="Int64"), pd.CategoricalIndex(["a"])),
        *(pd.DatetimeIndex(["2020", "NaT"]), pd.date_range("2020", periods=3, tz="Europe/Berlin")),
        *(pd.TimedeltaIndex([1, 2]), pd.timedelta_range("1h", periods=3)),
        *(pd.period_range("2020", periods=2, freq="D"), pd.interval_range(0, 2, closed="both")),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", None]),
        pd.MultiIndex.from_arrays([[1, np.nan], pd.date_range("2020", periods=2)]),
        pd.Index([1, 2], name=("a", 1)),
    ]


def scalars() -> list[Any]:
    offsets = (
        "Day",
        "Hour",
        "Minute",
        "Second",
        "Milli",
        "Micro",
        "Nano",
        "MonthEnd",
        "MonthBegin",
    )
    offsets += ("BusinessDay", "BusinessHour", "Week", "QuarterEnd", "QuarterBegin", "YearEnd")
    offsets += ("DateOffset", "CustomBusinessDay", "CustomBusinessHour", "Easter", "FY5253")
    offsets += ("FY5253Quarter", "LastWeekOfMonth", "WeekOfMonth", "SemiMonthEnd", "BYearEnd")
    offsets += ("BMonthEnd", "CBMonthEnd", "CBMonthBegin", "SemiMonthBegin", "BQuarterEnd")
    return [
        *(pd.Timestamp("2020"), pd.Timestamp("2020-05-06 07:08:09.123456789")),
        *(pd.Timestamp("2020", tz="Europe/Berlin"), pd.Timestamp("2020", tz=UTC)),
        *(pd.Timedelta(1), pd.Timedelta("5s"), pd.Period("2020", "M"), pd.Interval(0, 1)),
        *(pd.Interval(pd.Timestamp(0), pd.Timestamp(1), "both"), pd.NaT, pd.NA),
        *(getattr(pd.offsets, name)() for name in offsets),
        *(pd.DateOffset(months=2), pd.DateOffset(2, weekday=1), pd.offsets.Week(weekday=2)),
        pd.offsets.CustomBusinessDay(holidays=["2020-01-01"]),
        zoneinfo.ZoneInfo("Europe/Berlin"),
    ]


def dtypes() -> list[Any]:
    return [array.dtype for array in arrays()] + [pd.CategoricalDtype(), pd.IntervalDtype()]


def frames() -> list[Any]:
    mixed = pd.DataFrame(
        {
            "a": [1, 2],
            "b": [1.0, 2],
            "c": ["x", "y"],
            "d": pd.to_datetime(["2020", "2021"]),
            "e": [None, "x"],
            "f": [True, False],
            "g": pd.Categorical(["a", "b"]),
            "h": [3, 4],
        }
    )
    mixed.attrs["note"] = [1]
    named = pd.Series([1, 2], name=("a", "b"))
    named.flags.allows_duplicate_labels = False
    return [
        *(mixed, mixed.T, mixed[["a", "h"]], mixed.iloc[::-1], mixed.iloc[:0], pd.DataFrame()),
        *(pd.DataFrame(index=[1, 2]), pd.DataFrame(columns=["a"]), named, pd.Series(dtype=float)),
        *(pd.Series(array) for array in arrays()),
        *(pd.Series(np.zeros(2, kind)) for kind in "bhilqBHILQfdFD?"),
        *(pd.Series([1, 2], index=index[:2]) for index in indexes() if len(index) >= 2),
        pd.DataFrame({("a", 1): [1], ("b", 2): [2.0]}),
        pd.DataFrame({f"c{i}": array[:2] for i, array in enumerate(arrays()) if len(array) >= 2}),
        mixed.set_index(["a", "c"]).groupby(level=0)["b"].sum(),
        mixed.describe(),
    ]


def values() -> list[Any]:
    return [*arrays(), *indexes(), *scalars(), *dtypes(), *frames()]


def same(one: Any, other: Any) -> bool:
    """Attributes that a cache keeps may differ."""
    if isinstance(one, list):
        return all(map(same, one, other))
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_freq=True)
        return one.attrs == other.attrs and one.flags == other.flags
    if isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_freq=True)
        return one.attrs == other.attrs and one.flags == other.flags
    if isinstance(one, pd.Index):
        pd.testing.assert_index_equal(one, other, exact=True)
        return getattr(one, "freq", None) == getattr(other, "freq", None)
    if isinstance(one, pd.api.extensions.ExtensionArray):
        pd.testing.assert_extension_array_equal(one, other)
        return True
    return one is other or pickle.dumps(one) == pickle.dumps(other) or one == other


def use(value: Any) -> None:
    """Use a value as programs do: a wrong one ends the interpreter here, if anywhere."""
    repr(value)
    if isinstance(value, pd.DataFrame | pd.Series):
        len(value)
        value.copy()
        value.reset_index()
        value.describe()
        value.sort_index()
        value.to_csv()
        value.iloc[::-1].isna()
    elif isinstance(value, pd.Index):
        value.is_unique  # noqa: B018
        value.take([0, -1])
        value.isin([1])
        value.to_series()
    elif isinstance(value, pd.api.extensions.ExtensionArray):
        value.take([0, -1])
        value.isna()
        value.factorize()
        np.asarray(value)
        pd.Series(value).sort_values()
    elif isinstance(value, pd.tseries.offsets.BaseOffset):
        pd.Timestamp("2020-05-06") + value
    else:
        hash(value)
