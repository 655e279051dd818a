"""Items of NumPy's arrays and pandas' tables, as people name them in a path.

Neither library is imported for it: an object is of one of their types only if that was done.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from .notation import literal
from .reductions import find, mro_of


def is_array(obj: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and _type_in(numpy, "ndarray") in mro_of(type(obj))


def is_table(obj: Any) -> bool:
    """Whether an object is a DataFrame, a Series or an Index; one of a subclass is not."""
    pandas = sys.modules.get("pandas")
    if pandas is None or type(obj) in (int, str, list, dict, tuple):
        return False
    return type(obj) in [_type_in(pandas, name) for name in ("DataFrame", "Series", "Index")]


def _type_in(module: Any, name: str) -> Any:
    return vars(module).get(name)  # not there yet while the module is imported


def name_in_array(array: Any, child: Any, index: int) -> str | None:
    """An expression for an item, with {} for the array; None where it is not the item."""
    ndarray = sys.modules["numpy"].ndarray
    items = ndarray.flat.__get__(array)
    if ndarray.dtype.__get__(array).char != "O" or index >= ndarray.size.__get__(array):
        return None
    if items[index] is not child:
        return None
    if find(type(array), "flat") is ndarray.__dict__["flat"]:
        return f"{{}}.flat[{index}]"
    return f"numpy.ndarray.flat.__get__({{}})[{index}]"


def name_in_table(table: Any, child: Any) -> str | None:
    """The text to put behind a table's path for an object that lies in it, or in its labels."""
    try:
        return _name_in_table(table, child)
    except Exception:  # whatever is odd about the table: the path goes by its parts
        return None


def _name_in_table(table: Any, child: Any) -> str | None:
    pandas: Any = sys.modules["pandas"]
    if type(table) is pandas.Index:
        number = _number(table, child)
        return None if number is None else f"[{number}]"
    if type(table) is pandas.Series:
        name = _name_in_column(table, child)
        return name or _name_of_label(table, child, "index")
    for number in range(table.shape[1]):
        name = _name_in_column(table.iloc[:, number], child)
        if name is not None:
            label = table.columns[number]
            if type(label) in (str, int) and table.columns.is_unique:
                shown = literal(label)
                if shown is not None:
                    return f"[{shown}]{name}"
            return f".iloc[:, {number}]{name}"
    return _name_of_label(table, child, "index") or _name_of_label(table, child, "columns")


def _name_in_column(column: Any, child: Any) -> str | None:
    if str(column.dtype) == "category":
        number = _number(column.cat.categories, child)
        return None if number is None else f".cat.categories[{number}]"
    number = _number(column, child)
    return None if number is None else f".iloc[{number}]"


def _name_of_label(table: Any, child: Any, axis: str) -> str | None:
    number = _number(getattr(table, axis), child)
    return None if number is None else f".{axis}[{number}]"


def _number(items: Any, child: Any) -> int | None:
    """The number of an object in a column or an index that holds objects."""
    if items.dtype != object:
        return None
    objects: Iterable[Any] = items.array
    for number, item in enumerate(objects):
        if item is child:
            return number
    return None
