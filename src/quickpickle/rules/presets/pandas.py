"""The names of `Policy.pandas()`.

Pandas does not check again what it has checked when a frame was made: the codes of categories, the
places of blocks, the offsets of Arrow's texts. Its compiled code then reads where they say. They
are checked here, and have to stay so: an array, a dtype or a manager gets its state once, before
anything uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any, Final

from ..policy_names import Rule, nothing
from .pandas_arrays import (
    BACKED,
    INDEXES,
    SIMPLE_DTYPES,
    check_arrow,
    check_arrow_array,
    check_arrow_buffer,
    check_arrow_chunks,
    check_arrow_string_state,
    check_arrow_type,
    check_backed,
    check_backed_state,
    check_block_index,
    check_categorical_dtype_state,
    check_int_index,
    check_interval_dtype_state,
    check_interval_state,
    check_mixed,
    check_numpy_dtype_state,
    check_period_dtype,
    check_simple_dtype_state,
    check_sparse_dtype_state,
    check_sparse_state,
    check_string_dtype,
    check_string_dtype_state,
    check_zone_dtype_state,
    masked_state,
    wait_if_bare,
)
from .pandas_classes import KINDS
from .pandas_frames import (
    check_block,
    check_index,
    check_interval_index,
    check_manager,
    check_single_manager_state,
    frame_state,
    time_index,
)
from .pandas_scalars import (
    OFFSET_MODULE,
    OFFSETS,
    check_date_offset_state,
    check_dateutil_offset,
    check_interval,
    check_not_a_time,
    check_offset,
    check_period,
    check_pytz_offset,
    check_pytz_zone,
    check_relativedelta_state,
    check_timedelta,
    check_timestamp,
    check_weekday_state,
    check_zone,
)
from .states import called, once, wait_for_state

# --- classes, which have another module in each release
# --- names

_NAMED: Final = Rule()


def _made(check: Callable[[Any, Any, Any], str | None]) -> Rule:
    """An instance that NEWOBJ makes, and that gets its state afterwards."""
    return Rule(new=nothing, built=once(check), made=wait_for_state)


def _backed_rule(check: Callable[[Any, Any, Any], str | None]) -> Rule:
    """An instance that a function makes, and that gets its state afterwards."""
    return Rule(built=once(check))


_RULES: Final[dict[str, Rule]] = {
    "DataFrame": _made(partial(frame_state, "dataframe")),
    "Series": _made(partial(frame_state, "series")),
    **dict.fromkeys(INDEXES, _NAMED),
    **dict.fromkeys(BACKED, _backed_rule(check_backed_state)),
    "IntervalArray": _backed_rule(check_interval_state),
    "SparseArray": _made(check_sparse_state),
    "ArrowStringArray": _made(check_arrow_string_state),
    "IntegerArray": _made(partial(masked_state, "iu")),
    "FloatingArray": _made(partial(masked_state, "f")),
    "BooleanArray": _made(partial(masked_state, "b")),
    **dict.fromkeys(SIMPLE_DTYPES, Rule(new=nothing, built=check_simple_dtype_state)),
    "CategoricalDtype": _made(check_categorical_dtype_state),
    "DatetimeTZDtype": _made(check_zone_dtype_state),
    "IntervalDtype": _made(check_interval_dtype_state),
    "SparseDtype": _made(check_sparse_dtype_state),
    "NumpyEADtype": _made(check_numpy_dtype_state),
    "PeriodDtype": called(check_period_dtype),
    "StringDtype": _made(check_string_dtype_state)._replace(
        call=check_string_dtype, made=wait_if_bare, may_be_held=True
    ),
    "Timestamp": _NAMED,
    "Timedelta": _NAMED,
    "Period": called(check_period),
    "Interval": called(check_interval),
    "NA": _NAMED,
    "NAType": _NAMED,
    "NaTType": _NAMED,
}

_FUNCTIONS: Final[dict[str, Rule]] = {
    "pandas.core.indexes.base._new_Index": called(check_index),
    "pandas.core.indexes.datetimes._new_DatetimeIndex": called(
        partial(time_index, "DatetimeIndex", "DatetimeArray")
    ),
    "pandas.core.indexes.timedeltas._new_TimedeltaIndex": called(
        partial(time_index, "TimedeltaIndex", "TimedeltaArray")
    ),
    "pandas.core.indexes.interval._new_IntervalIndex": called(check_interval_index),
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": called(check_backed, made=wait_for_state),
    "pandas._libs.interval.__pyx_unpickle_IntervalMixin": called(check_mixed, made=wait_for_state),
    "pandas._libs.internals._unpickle_block": called(check_block),
    "pandas._libs.sparse.IntIndex": called(check_int_index),
    "pandas._libs.sparse.BlockIndex": called(check_block_index),
    "pandas._libs.tslibs.nattype._nat_unpickle": called(check_not_a_time),
    "pandas._libs.tslibs.nattype.__nat_unpickle": called(check_not_a_time),
    "pandas._libs.tslibs.timedeltas._timedelta_unpickle": called(check_timedelta),
    "pandas._libs.tslibs.timestamps._unpickle_timestamp": called(check_timestamp),
    "pandas.core.internals.managers.BlockManager": called(check_manager),
    "pandas.core.internals.managers.SingleBlockManager": _made(check_single_manager_state),
    **{f"{OFFSET_MODULE}.{name}": called(check_offset) for name in OFFSETS},
    **dict.fromkeys(
        (f"{OFFSET_MODULE}.DateOffset", "pandas.DateOffset"),
        _made(check_date_offset_state)._replace(call=nothing),
    ),
    "dateutil.relativedelta.relativedelta": _made(check_relativedelta_state),
    "dateutil._common.weekday": _made(check_weekday_state),
    "dateutil.tz.tz.tzutc": called(nothing),
    "dateutil.tz.tz.tzoffset": called(check_dateutil_offset),
    "pytz._UTC": called(nothing),
    "pytz._p": called(check_pytz_zone),
    "pytz.FixedOffset": called(check_pytz_offset),
    "zoneinfo.ZoneInfo": _NAMED,
    "zoneinfo.ZoneInfo._unpickle": called(check_zone),
    "zoneinfo._zoneinfo.ZoneInfo._unpickle": called(check_zone),
    "pyarrow.lib.type_for_alias": called(check_arrow_type),
    "pyarrow.lib.py_buffer": called(check_arrow_buffer),
    "pyarrow.lib._restore_array": called(check_arrow_array, made=check_arrow),
    "pyarrow.lib.chunked_array": called(check_arrow_chunks),
}

NAMES: Final[Mapping[str, Rule]] = dict(
    chain(
        ((full, _RULES[name]) for full, name in KINDS.items() if name in _RULES),
        _FUNCTIONS.items(),
    )
)
"""The names of `Policy.pandas()`, beside those of `Policy.numpy()`."""
