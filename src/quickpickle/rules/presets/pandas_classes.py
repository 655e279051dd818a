"""The classes that `Policy.pandas()` lists, which have another module in each release."""

from __future__ import annotations

from typing import Any, Final

from ..policy_objects import full_name
from .states import words

MODULES: Final[dict[str, str]] = {
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
KINDS: Final[dict[str, str]] = {
    f"{module}.{name}": name
    for name, old in MODULES.items()
    for module in (old, *_PLACES)
}  # fmt: skip
"""By any name that a class has had: what it is."""


def kind_of(obj: Any) -> str | None:
    """The kind of an object of pandas; None for others."""
    return KINDS.get(full_name(type(obj)))


def named_kind(guard: Any, obj: Any) -> str | None:
    """The kind of the class that a name has led to; None for others."""
    return KINDS.get(guard.name_of(obj) or "")


def is_dict(state: Any, *needed: str, maybe: tuple[str, ...] = ()) -> bool:
    """A dict with these keys."""
    return (
        type(state) is dict
        and all(type(key) is str for key in state)
        and state.keys() >= set(needed)
        and state.keys() <= {*needed, *maybe}
    )


def is_int(value: Any, least: int = -(1 << 63), most: int = (1 << 63) - 1) -> bool:
    return type(value) is int and least <= value <= most
