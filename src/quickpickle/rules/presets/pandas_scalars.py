"""The checks of `Policy.pandas()`: zones, offsets and scalars."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final

from .numpy_dtypes import numpy_module
from .pandas_classes import is_dict, is_int, kind_of
from .states import is_done, words

# --- zones

_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,40}(?:/[A-Za-z0-9_+-]{1,40}){0,3}", re.ASCII)


def _is_zone_key(key: Any) -> bool:
    """The name of a zone, which is a file: nothing that leads elsewhere."""
    return type(key) is str and _ZONE.fullmatch(key) is not None


def check_zone(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and _is_zone_key(args[0]) and type(args[1]) in (int, bool):
        return None
    return "expected the name of a zone"


def check_pytz_zone(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) not in (1, 4) or not _is_zone_key(args[0]):
        return "expected the name of a zone"
    if len(args) == 4 and not (
        all(is_int(arg, -100_000, 100_000) for arg in args[1:3]) and type(args[3]) is str
    ):
        return "expected two offsets and a name"
    return None


def check_pytz_offset(guard: Any, args: tuple[Any, ...]) -> str | None:
    return None if len(args) == 1 and is_int(args[0], -1439, 1439) else "expected minutes"


def check_dateutil_offset(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and type(args[0]) in (str, type(None)) and type(args[1]) is timedelta:
        return None
    return "expected a name and a timedelta"


_ZONES: Final = frozenset({"zoneinfo", "backports.zoneinfo", "dateutil.tz.tz", "pytz"})


def is_zone(value: Any) -> bool:
    """None or a zone that the preset can have made."""
    if value is None or type(value) is timezone:
        return True
    module = type(value).__module__
    return module in _ZONES or module.startswith("pytz.")


# --- offsets

OFFSETS: Final = words(
    "BusinessDay BusinessHour BMonthBegin BMonthEnd BQuarterBegin BQuarterEnd BYearBegin BYearEnd"
    " BHalfYearBegin BHalfYearEnd HalfYearBegin HalfYearEnd BusinessMonthBegin BusinessMonthEnd"
    " CustomBusinessDay CustomBusinessHour CustomBusinessMonthBegin CustomBusinessMonthEnd Day"
    " Easter FY5253 FY5253Quarter Hour LastWeekOfMonth Micro Milli Minute MonthBegin MonthEnd Nano"
    " QuarterBegin QuarterEnd Second SemiMonthBegin SemiMonthEnd Week WeekOfMonth YearBegin YearEnd"
)
OFFSET_MODULE: Final = "pandas._libs.tslibs.offsets"


def is_offset(value: Any) -> bool:
    cls = type(value)
    module: str = cls.__module__
    return module == OFFSET_MODULE or (module == "pandas" and cls.__qualname__ == "DateOffset")


def check_offset(guard: Any, args: tuple[Any, ...]) -> str | None:
    """Day(1, False), and what some have beside."""
    if not args:
        return None
    if not is_int(args[0], -(1 << 31), 1 << 31):
        return "expected a number"
    if len(args) > 1 and type(args[1]) not in (bool, int):
        return "expected a bool"
    if all(_is_part(part) for part in args[2:]):
        return None
    return "expected numbers, short texts, times and days"


def _is_part(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return is_int(value, -1, 31)
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
            or is_int(value, -(1 << 31), 1 << 31)
            or (key == "weekday" and type(value).__module__ == "dateutil._common")
        ):
            return False
    return True


def check_date_offset_state(guard: Any, obj: Any, state: Any) -> str | None:
    others = ("n", "normalize", "_offset", "_use_relativedelta", "_cache")
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    state.pop("_cache", None)
    if not _are_spans(state, others):
        return "a part that is no number"
    if not is_int(state.get("n"), -(1 << 31), 1 << 31) or type(state.get("normalize")) is not bool:
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


def check_relativedelta_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    if not _are_spans(state, ("_has_time", "_leapdays")):
        return "a part that is no number"
    return None if is_int(state.get("_has_time", 0), 0, 1) else "no bool"


def check_weekday_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) != 2 or state[0] is not None:
        return "expected a day and a number"
    slots = state[1]
    if not is_dict(slots, "weekday", "n") or not is_int(slots["weekday"], 0, 6):
        return "expected a day and a number"
    number = slots["n"]
    return None if number is None or is_int(number, -1000, 1000) else "no number"


# --- scalars

_UNITS: Final = frozenset({7, 8, 9, 10})  # of NumPy: s, ms, us and ns


def check_timestamp(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_unpickle_timestamp(value, freq, tz, unit)"""
    if len(args) not in (3, 4) or not is_int(args[0]):
        return "expected a number, None, a zone and a unit"
    if args[1] is not None and not is_offset(args[1]):
        return "a frequency that is none"
    if not is_zone(args[2]):
        return "a zone that is none"
    if len(args) == 4 and not (is_int(args[3]) and args[3] in _UNITS):
        return "a unit that is none"
    return None


def check_timedelta(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and is_int(args[0]) and is_int(args[1]) and args[1] in _UNITS:
        return None
    return "expected a number and a unit"


def check_period(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        len(args) == 3
        and args[0] is None
        and (is_offset(args[1]) or (type(args[1]) is str and len(args[1]) <= 30))
        and is_int(args[2])
    ):
        return None
    return "expected None, a frequency and a number"


CLOSED: Final = frozenset({"left", "right", "both", "neither"})
_ENDS: Final = frozenset({"Timestamp", "Timedelta"})


def check_interval(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 3 or type(args[2]) is not str or args[2] not in CLOSED:
        return "expected two ends and a side"
    if all(
        type(end) in (int, float) or kind_of(end) in _ENDS or isinstance(end, numpy_module().number)
        for end in args[:2]
    ):
        return None
    return "an end that is none"


def check_not_a_time(guard: Any, args: tuple[Any, ...]) -> str | None:
    return None if len(args) == 1 and args[0] is None else "expected None"
