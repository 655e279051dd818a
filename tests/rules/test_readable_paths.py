"""Paths to what a reduction hands out, by the attributes and items that people know."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import functools
import io
import pickle
import sys
import threading
import types
import typing
import weakref

import pytest

LOCK = threading.Lock()


class Zone(dt.tzinfo):
    def __init__(self, lock=None):
        self.lock = lock


class CopiesItems:
    """Its reductions have the items of its containers in others."""

    def __init__(self, *items, **named):
        self.items = items
        self.named = named
        self.count = len(items)

    def __reduce__(self):
        return CopiesItems, ([*self.items], 0), {**self.named}


class CopiesAll(CopiesItems):
    def __reduce__(self):
        return CopiesAll, (0, *self.items)


class Late(dt.datetime):
    """Has another tzinfo than its base's."""

    @property
    def tzinfo(self):
        raise AssertionError("not asked")


def when(cls=dt.datetime):
    return cls(2020, 1, 2, tzinfo=Zone(LOCK))


def uses_a_global():
    return LOCK


def with_a_variable():
    held = LOCK

    def inner():
        return held

    return inner


def with_defaults(first=LOCK):
    pass


def with_keyword_defaults(*, first=LOCK):
    pass


def local_class():
    class Local:
        lock = LOCK

        def method(self):
            return LOCK

        @staticmethod
        def static():
            return LOCK

    return Local


def cannot_be_pickled():
    """A class that is in no module, and is found again by no name."""
    return type("Nowhere", (), {})


PLAIN = {
    "time zone": (when, "obj.tzinfo.lock"),
    "time zone of a time": (lambda: when().timetz(), "obj.tzinfo.lock"),
    "parameter of a generic alias": (lambda: list[cannot_be_pickled()], "obj.__args__[0]"),
    "second parameter": (lambda: dict[int, cannot_be_pickled()], "obj.__args__[1]"),
    "parameter of typing's": (lambda: list[cannot_be_pickled()], "obj.__args__[0]"),
    "annotation": (lambda: typing.Annotated[int, LOCK], "obj.__metadata__[0]"),
    "items in another list": (lambda: CopiesItems(1, LOCK), "obj.items[1]"),
    "items after another": (lambda: CopiesAll(1, LOCK), "obj.items[1]"),
    "values in another dict": (lambda: CopiesItems(first=LOCK), "obj.named['first']"),
}
if sys.version_info >= (3, 14):
    PLAIN["union"] = (lambda: int | cannot_be_pickled(), "obj.__args__[1]")


@pytest.mark.parametrize("case", PLAIN.values(), ids=PLAIN)
@pytest.mark.parametrize("number", [2, 5])
def test_a_path_to_an_attribute(implementation, case, number):
    make, path = case
    obj = make()
    error = failure(lambda: implementation.dumps(obj, number))
    assert error.path == path
    found = eval(path, {"obj": obj})
    assert found is LOCK or found.__name__ == "Nowhere"


def failure(function):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        function()
    return caught.value


def test_an_attribute_that_is_another_one(implementation):
    error = failure(lambda: implementation.dumps(when(Late), 5))
    assert "tzinfo" not in error.path
    assert eval(error.path, {"obj": when(Late)}) is LOCK


def test_an_attribute_that_is_not_asked(implementation):
    class Guarded(CopiesItems):
        def __getattribute__(self, name):
            if name == "items" and armed:
                raise AssertionError("asked")
            return object.__getattribute__(self, name)

        def __reduce__(self):
            made = CopiesItems.__reduce__(self)
            armed.append(1)
            return made

    armed = []
    obj = Guarded(LOCK)
    error = failure(lambda: implementation.dumps(obj))
    assert error.path == "object.__getattribute__(obj, 'items')[0]"
    assert eval(error.path, {"obj": obj}) is LOCK


# --- functions and classes by value


BY_VALUE = {
    "global": (lambda: {"f": [by_value(uses_a_global)]}, "obj['f'][0].__globals__['LOCK']"),
    "variable of a closure": (with_a_variable, "obj.__closure__[0].cell_contents"),
    "default": (lambda: by_value(with_defaults), "obj.__defaults__[0]"),
    "default of a keyword": (
        lambda: by_value(with_keyword_defaults),
        "obj.__kwdefaults__['first']",
    ),
    "attribute of a class": (lambda: without(local_class(), "method", "static"), "obj.lock"),
    "method": (lambda: without(local_class(), "lock", "static"), "obj.method.__globals__['LOCK']"),
    "static method": (
        lambda: without(local_class(), "lock", "method"),
        "obj.__dict__['static'].__func__.__globals__['LOCK']",
    ),
    "class of an instance": (
        lambda: [without(local_class(), "method", "static")()],
        "type(obj[0]).lock",
    ),
    "cell": (lambda: types.CellType(LOCK), "obj.cell_contents"),
    "read-only view": (lambda: types.MappingProxyType({"a": LOCK}), "obj['a']"),
    "wrapped function": (
        lambda: functools.wraps(by_value(uses_a_global))(lambda: 0),
        "obj.__wrapped__.__globals__['LOCK']",
    ),
    "property": (lambda: property(by_value(uses_a_global)), "obj.fget.__globals__['LOCK']"),
    "annotation": (lambda: annotated(LOCK), "obj.__annotations__['first']"),
    "value of a member": (lambda: Hues, "obj['LOCKED'].value"),
    "keys of a dict": (lambda: {LOCK: 1}.keys(), "list(obj)[0]"),
    "values of a dict": (lambda: {"a": 1, "b": [LOCK]}.values(), "list(obj)[1][0]"),
    "items of a dict": (lambda: {"a": 1, "b": LOCK}.items(), "list(obj)[1][1]"),
    "keys in a dict's items": (lambda: {1: 2, (LOCK,): 3}.items(), "list(obj)[1][0][0]"),
    "values of an OrderedDict": (
        lambda: collections.OrderedDict(a=LOCK).values(),
        "list(obj)[0]",
    ),
    "members of a WeakSet": (lambda: weakref.WeakSet([KEPT]), "list(obj)[0].lock"),
}


class Kept:
    """A WeakSet can refer to it."""

    def __init__(self):
        self.lock = LOCK


KEPT = Kept()
# It is not found under its name, so that it is pickled by value.
Hues = enum.Enum("Colours", {"RED": 1, "LOCKED": LOCK})


def annotated(annotation):
    def function(first):
        pass

    function.__annotations__["first"] = annotation
    return function


def by_value(function):
    """A copy that has no name to be found under."""
    copied = types.FunctionType(
        function.__code__, {"LOCK": LOCK}, "<lambda>", function.__defaults__, function.__closure__
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def without(cls, *names):
    for name in names:
        delattr(cls, name)
    return cls


@pytest.mark.parametrize("case", BY_VALUE.values(), ids=BY_VALUE)
def test_a_path_in_what_is_pickled_by_value(implementation, case):
    cloudpickle = pytest.importorskip("cloudpickle")
    from quickpickle import cloud

    class Pickler(cloud.of(cloudpickle)._reducers, implementation.Pickler):
        pass

    make, path = case
    obj = make()
    pickler = Pickler(io.BytesIO(), 5)
    pickler.globals_ref, pickler.proto = {}, 5
    error = failure(lambda: pickler.dump(obj))
    assert error.path == path
    assert eval(path, {"obj": obj}) is LOCK
    assert failure(lambda: cloud.dumps(obj)).path == path


# --- arrays and tables


def table(pandas, **columns):
    return pandas.DataFrame(columns)


def array(numpy, items, **options):
    made = numpy.empty(len(items), dtype=object)
    made[:] = items
    return made


ARRAYS = {
    "array": (lambda numpy: array(numpy, [1, LOCK]), "obj.flat[1]"),
    "two axes": (
        lambda numpy: array(numpy, [1, 2, 3, 4, LOCK, 6]).reshape(2, 3),
        "obj.flat[4]",
    ),
    "in another order": (
        lambda numpy: numpy.asfortranarray(array(numpy, [1, 2, 3, 4, LOCK, 6]).reshape(2, 3)),
        "obj.flat[4]",
    ),
    "part of another": (lambda numpy: array(numpy, [1, 2, LOCK])[1:], "obj.flat[1]"),
    "no axis": (lambda numpy: numpy.array(LOCK, dtype=object), "obj.flat[0]"),
    "within": (lambda numpy: array(numpy, [[1], [2, {"a": LOCK}]]), "obj.flat[1][1]['a']"),
    "masked": (
        lambda numpy: numpy.ma.array([1, LOCK], dtype=object),
        "obj.data.flat[1]",
    ),
    "masked out": (
        lambda numpy: numpy.ma.array([[1, LOCK], [2, 3]], mask=[[0, 1], [0, 0]], dtype=object),
        "obj.data.flat[1]",
    ),
    "of a subclass": (
        lambda numpy: array(numpy, [1, LOCK]).view(with_items(numpy)),
        "obj.flat[1]",
    ),
    "of a subclass of the masked": (
        lambda numpy: numpy.ma.array([1, LOCK], dtype=object).view(another(numpy.ma.MaskedArray)),
        "obj.data.flat[1]",
    ),
    "with another flat": (
        lambda numpy: array(numpy, [1, LOCK]).view(with_another_flat(numpy)),
        "type(obj).__mro__[1].flat.__get__(obj)[1]",
    ),
    "records": (lambda numpy: records(numpy), "obj['b'][1]"),
    "records with axes": (lambda numpy: records(numpy).reshape(1, 2), "obj['b'].flat[1]"),
    "records in another order": (
        lambda numpy: numpy.asfortranarray(numpy.repeat([records(numpy)], 2, axis=0)),
        "obj['b'].flat[1]",
    ),
    "records of a slice": (lambda numpy: records(numpy)[1:], "obj['b'][0]"),
    "records by attributes": (lambda numpy: records(numpy).view(numpy.recarray), "obj['b'][1]"),
    "one record": (lambda numpy: records(numpy)[1], "obj['b']"),
    "one record by attributes": (
        lambda numpy: records(numpy).view(numpy.recarray)[1],
        "obj['b']",
    ),
    "masked records": (lambda numpy: numpy.ma.array(records(numpy)), "obj.data['b'][1]"),
    "a record in a record": (
        lambda numpy: numpy.array(
            [(1, (2, LOCK))], dtype=[("a", int), ("b", [("c", int), ("d", object)])]
        ),
        "obj['b']['d'][0]",
    ),
    "an array in a record": (
        lambda numpy: numpy.array([(1, [2, LOCK])], dtype=[("a", int), ("b", object, (2,))]),
        "obj['b'].flat[1]",
    ),
    "within a record": (
        lambda numpy: numpy.array([(1, {"k": [LOCK]})], dtype=[("a", int), ("b", object)]),
        "obj['b'][0]['k'][0]",
    ),
    "a field with a blank": (
        lambda numpy: numpy.array([(1, LOCK)], dtype=[(("A", "a"), int), ("b c", object)]),
        "obj['b c'][0]",
    ),
}


def records(numpy):
    return numpy.array([(1, 2), (3, LOCK)], dtype=[("a", int), ("b", object)])


def with_another_flat(numpy):
    class Other(numpy.ndarray):
        @property
        def flat(self):
            raise AssertionError("not asked")

    Other.__qualname__ = "Other"
    globals()["Other"] = Other
    return Other


def another(base, **attributes):
    """A subclass that is found under its name."""
    made = type("Other", (base,), {"__module__": __name__, **attributes})
    globals()["Other"] = made
    return made


def with_items(numpy):
    class Other(numpy.ndarray):
        def __getitem__(self, index):
            raise AssertionError("not asked")

    Other.__qualname__ = "Other"
    globals()["Other"] = Other
    return Other


@pytest.mark.parametrize("case", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("number", [2, 5])
def test_a_path_in_an_array(implementation, case, number):
    numpy = pytest.importorskip("numpy")
    make, path = case
    obj = make(numpy)
    assert failure(lambda: implementation.dumps(obj, number)).path == path
    assert eval(path, {"obj": obj}) is LOCK


def test_an_array_of_records_with_code_of_its_own(implementation):
    numpy = pytest.importorskip("numpy")
    obj = records(numpy).view(with_items(numpy))
    error = failure(lambda: implementation.dumps(obj))
    assert error.path == f"obj.__reduce_ex__({pickle.DEFAULT_PROTOCOL})[2][4][1][1]"
    assert eval(error.path, {"obj": obj}) is LOCK


TABLES = {
    "frame": (lambda pandas: table(pandas, a=[1, 2], b=[1, LOCK]), "obj['b'].iloc[1]"),
    "one of two columns": (
        lambda pandas: table(pandas, a=["x", "y"], b=[LOCK, 1], c=[1, None]),
        "obj['b'].iloc[0]",
    ),
    "columns by number": (
        lambda pandas: pandas.DataFrame([[1, "x"], [2, LOCK]]),
        "obj[1].iloc[1]",
    ),
    "columns of one name": (
        lambda pandas: pandas.DataFrame([["x", "y"], ["z", LOCK]], columns=["a", "a"]),
        "obj.iloc[:, 1].iloc[1]",
    ),
    "label of a row": (
        lambda pandas: pandas.DataFrame({"a": [1, 2]}, index=pandas.Index([1, LOCK], dtype=object)),
        "obj.index[1]",
    ),
    "series": (lambda pandas: pandas.Series([1, LOCK]), "obj.iloc[1]"),
    "index": (lambda pandas: pandas.Index([1, LOCK], dtype=object), "obj[1]"),
    "categories": (
        lambda pandas: pandas.Series([LOCK, 1], dtype="category"),
        "obj.cat.categories[0]",
    ),
    "levels": (
        lambda pandas: pandas.MultiIndex.from_arrays([[1], [LOCK]]),
        "obj.levels[1][0]",
    ),
    "levels of a row": (
        lambda pandas: pandas.DataFrame(
            {"a": [1]}, index=pandas.MultiIndex.from_arrays([[1], [LOCK]])
        ),
        "obj.index.levels[1][0]",
    ),
    "levels of a column": (
        lambda pandas: pandas.DataFrame(
            [[1]], columns=pandas.MultiIndex.from_arrays([["a"], [LOCK]])
        ),
        "obj.columns.levels[1][0]",
    ),
    "array of objects": (
        lambda pandas: pandas.array([1, LOCK], dtype=object),
        "obj[1]",
    ),
    "column of an array of objects": (
        lambda pandas: table(pandas, a=pandas.array([1, LOCK], dtype=object)),
        "obj['a'].iloc[1]",
    ),
    "categorical": (lambda pandas: pandas.Categorical([LOCK]), "obj.categories[0]"),
    "index of categories": (
        lambda pandas: pandas.CategoricalIndex([LOCK]),
        "obj.categories[0]",
    ),
    "rows by categories": (
        lambda pandas: pandas.DataFrame({"a": [1]}, index=pandas.CategoricalIndex([LOCK])),
        "obj.index.categories[0]",
    ),
    "sparse column": (
        lambda pandas: pandas.Series(
            pandas.arrays.SparseArray([1, LOCK], dtype=pandas.SparseDtype(object, fill_value=0))
        ),
        "obj.iloc[1]",
    ),
    "frame of a subclass": (
        lambda pandas: own_frame(pandas)({"a": [1, 2], "b": [1, LOCK]}),
        "obj['b'].iloc[1]",
    ),
    "labels of a subclass": (
        lambda pandas: own_frame(pandas)({"a": [1]}, index=pandas.Index([LOCK], dtype=object)),
        "obj.index[0]",
    ),
    "series of a subclass": (
        lambda pandas: another(pandas.Series)([1, LOCK]),
        "obj.iloc[1]",
    ),
    "frame with items of its own": (
        lambda pandas: own_frame(pandas, __getitem__=not_asked)({"a": [1], "b": [LOCK]}),
        "obj.iloc[:, 1].iloc[0]",
    ),
    "in something else": (
        lambda pandas: table(pandas, a=[collections.OrderedDict(x=[0, LOCK])]),
        "obj['a'].iloc[0]['x'][1]",
    ),
}


ASKED = []  # True while a path is looked for, which asks no code of a subclass


def not_asked(*args):
    raise AssertionError("not asked")


def own_frame(pandas, **attributes):
    """A subclass whose rows and columns are made by code of its own."""

    def make(frame):
        return lambda *args, **options: not_asked() if ASKED else pandas.Series(*args, **options)

    return another(pandas.DataFrame, _constructor_sliced=property(make), **attributes)


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES)
def test_a_path_in_a_table(implementation, case):
    pandas = pytest.importorskip("pandas")
    make, path = case
    obj = {"t": make(pandas)}
    path = path.replace("obj", "obj['t']")
    ASKED.append(True)
    try:
        assert failure(lambda: implementation.dumps(obj)).path == path
    finally:
        ASKED.clear()
    assert eval(path, {"obj": obj}) is LOCK
