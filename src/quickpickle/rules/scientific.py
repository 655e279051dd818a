"""Items of NumPy's arrays and pandas' tables, as people name them in a path.

Neither library is imported for it: an object is of one of their types only if that was done.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

from .notation import literal
from .reductions import find, mro_of

# By module. Of these, an object of a subclass is no table, as the subclass may have its own code.
_TABLES: Final = {
    "pandas": (
        *("DataFrame", "Series", "Index", "MultiIndex", "CategoricalIndex"),
        *("Categorical", "CategoricalDtype"),
    ),
    "pandas.arrays": ("NumpyExtensionArray", "SparseArray"),
}
# Subclasses of these are looked into as if they were of the base.
_FRAMES: Final = ("DataFrame", "Series")
_ASKED: Final = ("iloc", "index", "columns", "cat", "__getattribute__")
# They are tables if they have fields.
_RECORDS: Final = {
    "numpy": ("ndarray", "recarray", "memmap", "void", "record"),
    "numpy.ma": ("MaskedArray", "mvoid"),
}
_MASKED: Final = {"numpy.ma": _RECORDS["numpy.ma"]}
# Their items are of another type.
_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "pandas": ("SparseDtype",),
    "pandas.core.dtypes.dtypes": ("NumpyEADtype",),
}


def is_array(obj: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and _type_in(numpy, "ndarray") in mro_of(type(obj))


def is_table(obj: Any) -> bool:
    """Whether an object is one of pandas, or one with fields of NumPy, that has cells or labels."""
    return _is_one_of(_TABLES, obj) or _has_fields(obj) or _frame_of(obj) is not None


def _frame_of(obj: Any) -> Any:
    """The type of pandas that an object of a subclass can be taken for; None for others."""
    pandas = sys.modules.get("pandas")
    for name in _FRAMES if pandas is not None else ():
        base = _type_in(pandas, name)
        if base in mro_of(type(obj)):
            kept = [find(type(obj), one) is find(base, one) for one in _ASKED]
            return base if type(obj) is not base and all(kept) else None
    return None


def _has_fields(obj: Any) -> bool:
    return _is_one_of(_RECORDS, obj) and obj.dtype.names is not None


def _is_one_of(names: dict[str, tuple[str, ...]], obj: Any) -> bool:
    cls = type(obj)
    for module_name, of_module in names.items():
        module = sys.modules.get(module_name)
        if module is not None and any(cls is _type_in(module, name) for name in of_module):
            return True
    return False


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
    if _is_masked(array) and type(array.data) is ndarray:
        return f"{{}}.data.flat[{index}]"  # masked: the other `flat` gives what is not masked
    # It needs no name of NumPy, which may have been imported as np.
    return f"type({{0}}).__mro__[{mro_of(type(array)).index(ndarray)}].flat.__get__({{0}})[{index}]"


def _is_masked(array: Any) -> bool:
    """Whether an array is masked, and its `data` is that of NumPy."""
    module = sys.modules.get("numpy.ma")
    base: Any = None if module is None else _type_in(module, "MaskedArray")
    return base in mro_of(type(array)) and find(type(array), "data") is find(base, "data")


def name_in_table(table: Any, child: Any) -> str | None:
    """The text to put behind a table's path for an object that lies in it, or in its labels."""
    try:
        if _has_fields(table):
            return _name_in_fields(table, child)
        base = _frame_of(table)
        if base is None:
            return _name_in(table, child)
        # Columns and cells of a subclass are made by its own code, those of the base are not.
        manager = object.__getattribute__(table, "__dict__")["_mgr"]
        by_label = find(type(table), "__getitem__") is find(base, "__getitem__")
        return _name_in(base._from_mgr(manager, manager.axes), child, by_label)
    except Exception:  # whatever is odd about the table: the path goes by its parts
        return None


def _name_in(table: Any, child: Any, by_label: bool = True) -> str | None:
    pandas: Any = sys.modules["pandas"]
    if type(table) is pandas.Series:
        name = _name_in_column(table, child)
        return name or _name_of_label(table, child, "index")
    if type(table) is not pandas.DataFrame:
        return _name_in_index(table, child)
    for number in range(table.shape[1]):
        name = _name_in_column(table.iloc[:, number], child)
        if name is not None:
            label = table.columns[number]
            if by_label and type(label) in (str, int) and table.columns.is_unique:
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
    name = _name_in_index(getattr(table, axis), child)
    return None if name is None else f".{axis}{name}"


def _name_in_index(index: Any, child: Any) -> str | None:
    """The name of an object in an index, or in an array of pandas."""
    if hasattr(index, "levels"):
        for i, level in enumerate(index.levels):
            name = _name_in_index(level, child)
            if name is not None:
                return f".levels[{i}]{name}"
        return None
    if hasattr(index, "categories"):
        name = _name_in_index(index.categories, child)
        return None if name is None else f".categories{name}"
    number = _number(index, child)
    return None if number is None else f"[{number}]"


def _number(items: Any, child: Any) -> int | None:
    """The number of an object in a column, an index or an array that holds objects."""
    kind = items.dtype
    if _is_one_of(_TYPES, kind):
        kind = kind.subtype if hasattr(kind, "subtype") else kind.numpy_dtype
    if kind != "object":
        return None
    objects: Iterable[Any] = getattr(items, "array", items)
    for number, item in enumerate(objects):
        if item is child:
            return number
    return None


def _name_in_fields(table: Any, child: Any, text: str = "") -> str | None:
    """The name of an object in a field of an array, or of one of its items."""
    if _is_one_of(_MASKED, table):
        table, text = table.data, f"{text}.data"
    for name in table.dtype.names:
        part, shown = table[name], f"{text}[{name!r}]"
        if part is child:
            return shown
        if _has_fields(part):
            found = _name_in_fields(part, child, shown)
            if found is not None:
                return found
        elif is_array(part) and part.dtype == object:
            for number, item in enumerate(part.flat):
                if item is child:
                    return f"{shown}[{number}]" if part.ndim == 1 else f"{shown}.flat[{number}]"
    return None
