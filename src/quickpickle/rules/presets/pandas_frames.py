"""The checks of `Policy.pandas()`: indexes, blocks, frames and series."""

from __future__ import annotations

from typing import Any, Final

from .numpy_arrays import is_array
from .numpy_dtypes import numpy_module
from .pandas_arrays import INDEXES, codes_complaint, is_data, is_index, label_complaint
from .pandas_classes import MODULES, is_dict, is_int, kind_of, named_kind
from .pandas_scalars import CLOSED, is_offset, is_zone
from .states import is_done

# --- indexes

_ARRAY_KINDS: Final = frozenset(name for name in MODULES if name.endswith("Array")) | {
    "Categorical"
}


def is_extension(guard: Any, value: Any) -> bool:
    return kind_of(value) in _ARRAY_KINDS and is_done(guard, value)


def check_index(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_new_Index(cls, {'data': array, 'name': None})"""
    kind = named_kind(guard, args[0]) if len(args) == 2 else None
    if kind not in INDEXES:
        return "expected a class of indexes, and a dict"
    given = args[1]
    if guard.is_foreign(given) or type(given) is not dict:
        return "expected a dict"
    if kind == "MultiIndex":
        return _multi_index(guard, given)
    if kind == "RangeIndex":
        return _range_index(guard, given)
    if not is_dict(given, "data", "name"):
        return "expected data and a name"
    data = given["data"]
    if kind == "Index":
        if not is_data(guard, data, "biufcOmM", (1,)) and not (
            is_extension(guard, data) and data.ndim == 1
        ):
            return "data that are none"
    elif kind in _ARRAY_OF:
        if kind_of(data) != _ARRAY_OF[kind] or not is_done(guard, data) or data.ndim != 1:
            return "data that are none"
    else:
        return "another function makes these"
    return label_complaint(guard, given["name"])


_ARRAY_OF: Final = {
    "CategoricalIndex": "Categorical",
    "PeriodIndex": "PeriodArray",
    "TimedeltaIndex": "TimedeltaArray",  # by pandas 2
}


def _range_index(guard: Any, given: Any) -> str | None:
    if not is_dict(given, "start", "stop", "step", "name"):
        return "expected a start, a stop, a step and a name"
    if not all(is_int(given[key]) for key in ("start", "stop", "step")) or not given["step"]:
        return "a range that is none"
    length = len(range(given["start"], min(given["stop"], 1 << 62), given["step"]))
    if length > guard.policy.limits.memory // 8:
        return "a range larger than the memory that the policy allows"
    return label_complaint(guard, given["name"])


def _multi_index(guard: Any, given: Any) -> str | None:
    if not is_dict(given, "levels", "codes", "sortorder", "names"):
        return "expected levels, codes, an order and names"
    levels, codes, names = given["levels"], given["codes"], given["names"]
    if not all(type(part) in (list, tuple) for part in (levels, codes, names)):
        return "levels or codes that are none"
    if not len(levels) == len(codes) == len(names) or not levels:
        return "levels or codes that do not fit"
    if not all(map(is_index, levels)) or any(kind_of(level) == "MultiIndex" for level in levels):
        return "a level that is no index"
    length = None
    for level, part in zip(levels, codes, strict=True):
        if not is_data(guard, part, "i", (1,)) or len(part) != (length or len(part)):
            return "codes that are none"
        if length is not None and len(part) != length:
            return "codes that do not fit"
        length = len(part)
        complaint = codes_complaint(part, len(level))
        if complaint is not None:
            return complaint
    order = given["sortorder"]
    if order is not None and not is_int(order, 0, len(levels)):
        return "an order that is none"
    return next(filter(None, (label_complaint(guard, name) for name in names)), None)


def time_index(kind: str, array: str, guard: Any, args: tuple[Any, ...]) -> str | None:
    """_new_DatetimeIndex(cls, {'data': array, 'name': None, 'freq': None})"""
    if len(args) != 2 or named_kind(guard, args[0]) != kind:
        return "expected a class of indexes, and a dict"
    given = args[1]
    if guard.is_foreign(given) or not is_dict(given, "data", "name", maybe=("freq", "tz")):
        return "expected data, a name and a frequency"
    data = given["data"]
    if kind_of(data) != array or not is_done(guard, data) or data.ndim != 1:
        return "data that are none"
    if given.get("freq") is not None and not is_offset(given["freq"]):
        return "a frequency that is none"
    if "tz" in given and (kind != "DatetimeIndex" or not is_zone(given["tz"])):
        return "a zone that is none"
    return label_complaint(guard, given["name"])


def check_interval_index(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) != 2 or named_kind(guard, args[0]) != "IntervalIndex":
        return "expected IntervalIndex, and a dict"
    given = args[1]
    if guard.is_foreign(given) or not is_dict(given, "left", "right", "closed", "name"):
        return "expected two sides and a name"
    if type(given["closed"]) is not str or given["closed"] not in CLOSED:
        return "a side that is none"
    if not all(
        is_index(given[side]) or is_data(guard, given[side], "iuf", (1,))
        for side in ("left", "right")
    ):
        return "a side that is none"
    if len(given["left"]) != len(given["right"]):
        return "two sides that do not fit"
    return label_complaint(guard, given["name"])


# --- blocks and frames


def _placement_length(guard: Any, placement: Any) -> int | None:
    """How many rows a block stands for; None where the placement is none."""
    if type(placement) is slice:
        parts = (placement.start, placement.stop, placement.step)
        if not all(is_int(part, 0, 1 << 40) for part in parts[:2]):
            return None
        if placement.step is not None and not is_int(placement.step, 1, 1 << 40):
            return None
        return len(range(parts[0], parts[1], parts[2] or 1))
    if not is_data(guard, placement, "i", (1,)):
        return None
    if placement.size and int(placement.min()) < 0:
        return None
    return len(placement)


def _values_complaint(guard: Any, values: Any, rows: int, dimensions: int) -> str | None:
    if is_array(guard, values):
        if not is_data(guard, values, "biufcOmM", (dimensions,)):
            return "values that are none"
        fits = dimensions == 1 or len(values) == rows
    elif is_extension(guard, values):
        fits = values.ndim == 1 and (dimensions == 1 or rows == 1)
        fits = fits or (values.ndim == dimensions == 2 and len(values) == rows)
    else:
        return "values that are none"
    return None if fits else "values that do not fit their places"


def check_block(guard: Any, args: tuple[Any, ...]) -> str | None:
    """_unpickle_block(values, placement, dimensions)"""
    if len(args) != 3 or not is_int(args[2], 1, 2):
        return "expected values, places and dimensions"
    rows = _placement_length(guard, args[1])
    if rows is None:
        return "places that are none"
    return _values_complaint(guard, args[0], rows, args[2])


def check_manager(guard: Any, args: tuple[Any, ...]) -> str | None:
    """BlockManager(blocks, axes): each row of the frame is in one block."""
    if len(args) != 2 or type(args[0]) is not tuple or type(args[1]) is not list:
        return "expected blocks and axes"
    blocks, axes = args
    if len(axes) != 2 or not all(map(is_index, axes)):
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
    if not _are_all_rows([block.mgr_locs.as_array for block in blocks], rows):
        return "blocks in the same place"
    return None


def _are_all_rows(places: list[Any], rows: int) -> bool:
    """Whether the places of all blocks together are those of the rows, each once."""
    if rows <= _FEW_ROWS:  # a call of NumPy takes longer than to sort so few numbers
        return sorted(place for part in places for place in part.tolist()) == list(range(rows))
    numpy = numpy_module()
    return bool(numpy.array_equal(numpy.sort(numpy.concatenate(places)), numpy.arange(rows)))


_FEW_ROWS: Final = 100


def check_single_manager_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) != 4 or not is_dict(state[3], "0.14.1"):
        return "expected what pandas writes since 0.14.1"
    inner = state[3]["0.14.1"]
    if not is_dict(inner, "axes", "blocks"):
        return "expected axes and blocks"
    axes, blocks = inner["axes"], inner["blocks"]
    if type(axes) is not list or type(blocks) is not list or len(axes) != 1 or len(blocks) != 1:
        return "expected an axis and a block"
    if not is_index(axes[0]) or not is_dict(blocks[0], "values", "mgr_locs"):
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


def frame_state(kind: str, guard: Any, obj: Any, state: Any) -> str | None:
    manager = "_mgr" if type(state) is dict and "_mgr" in state else "_data"
    maybe = ("_metadata", "attrs", "_attrs", "_flags", "_name", "name", "_item_cache")
    if not is_dict(state, manager, "_typ", maybe=maybe):
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
    if not is_dict(flags, "allows_duplicate_labels"):
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
        filter(None, (label_complaint(guard, state[name]) for name in names if name in state)),
        None,
    )
