"""deterministic=True and object_digest: neither use nor a round trip changes an object's bytes.

The objects are of the standard library, NumPy and pandas. Some fill in attributes when they are
looked at, and of some a reader makes attributes otherwise.
"""

from __future__ import annotations

import collections
import contextlib
import copy
import datetime as dt
import enum
import functools
import io
import ipaddress
import pathlib
import pickle
import re
import sys
import uuid

import pytest

import quickpickle.pure

np = None
with contextlib.suppress(ImportError):
    import numpy as np
    import numpy.ma as ma
needs_numpy = pytest.mark.skipif(np is None, reason="NumPy has no wheel for this interpreter")


def deterministic(implementation, obj, protocol):
    return implementation.dumps(obj, protocol, deterministic=True)


def check(implementation, protocol, make, *uses):
    """That the bytes and the digest stay the same; returns what is read."""

    def written(obj):
        data = deterministic(implementation, obj, protocol)
        assert data == quickpickle.pure.dumps(obj, protocol, deterministic=True)
        digest = implementation.object_digest(obj).digest()
        assert digest == quickpickle.pure.object_digest(obj).digest()
        return data, digest

    obj = make()
    expected = written(obj)
    read = pickle.loads(expected[0])
    for other in (make(), read, pickle.loads(pickle.dumps(obj, protocol)), copy.deepcopy(obj)):
        assert written(other) == expected
        for use in uses:
            use(other)
            assert written(other) == expected
        assert written(pickle.loads(pickle.dumps(other, protocol))) == expected
    assert written(obj) == expected
    return pickle.loads(expected[0])


# --- the standard library


class Colors(enum.Flag):
    RED = 1
    BLUE = 2


STANDARD = {
    "exception": (lambda: ValueError("a", 1), dir),
    "OSError": (lambda: OSError(2, "text", "name"), dir),
    "ImportError": (lambda: ImportError("a", name="b"), dir),
    "partial": (lambda: functools.partial(int, base=2), dir),
    "BytesIO": (lambda: io.BytesIO(b"abc"), dir),
    "StringIO": (lambda: io.StringIO("abc"), dir),
    "network": (
        lambda: ipaddress.ip_network("10.0.0.0/8"),
        lambda one: (one.broadcast_address, one.hostmask, one.is_private, hash(one)),
    ),
    "path": (
        lambda: pathlib.PurePosixPath("/a", "b") / "c.d",
        lambda path: (str(path), hash(path), path.parts, path.suffix, path.parent),
    ),
    "pattern": (lambda: re.compile("a+"), lambda pattern: (pattern.match("aa"), hash(pattern))),
    "UUID": (lambda: uuid.UUID(int=5), lambda one: (hash(one), str(one), one.fields)),
    "flag": (lambda: Colors.RED | Colors.BLUE, lambda flag: (repr(flag), hash(flag), ~flag)),
    "datetime": (lambda: dt.datetime(2020, 1, 1, tzinfo=dt.UTC), hash),
    "Counter": (lambda: collections.Counter("aab"), lambda c: (c["z"], c.most_common())),
}


@pytest.mark.costly
@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_library(implementation, protocol, name):
    if name in ("BytesIO", "StringIO") and protocol < 2:
        pytest.skip("they need protocol 2")
    check(implementation, protocol, *STANDARD[name])


def test_an_exception_and_its_dict(implementation, protocol):
    """That of one that was read is another."""

    def make():
        error = ValueError("a")
        error.code = 5
        return [error, error.__dict__]

    check(implementation, protocol, make)


class StateError(ValueError):
    def __setstate__(self, state):
        self.was_set = state


def test_attributes_are_written(implementation, protocol):
    for obj in (ValueError("a"), functools.partial(int)):
        without = deterministic(implementation, obj, protocol)
        obj.code = 5
        data = deterministic(implementation, obj, protocol)
        assert data != without
        assert pickle.loads(data).code == 5
    error = StateError()
    assert not vars(error)  # its own method hears of the dict that this makes
    assert pickle.loads(deterministic(implementation, error, protocol)).was_set == {}


# --- NumPy

ARRAYS = {
    "native": lambda: np.arange(6),
    "big-endian": lambda: np.arange(6, dtype=">i4"),
    "little-endian": lambda: np.arange(6, dtype="<i4"),
    "two-dimensional": lambda: np.arange(6, dtype=">f8").reshape(2, 3),
    "Fortran": lambda: np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
    "zero-dimensional": lambda: np.array(5, ">i2"),
    "empty": lambda: np.empty((0, 3), ">i4"),
    "strings": lambda: np.array(["a", "bc"], ">U2"),
    "empty strings": lambda: np.zeros(2, ">U0"),
    "dates": lambda: np.array(["2020-01-01", "NaT"], ">M8[D]"),
    "times": lambda: np.array([1, 2], ">m8[s]"),
    "complex": lambda: np.array([1j], ">c16"),
    "NaN": lambda: np.frombuffer(b"\x7f\xa0\x00\x01\xff\xc0\x00\x02", ">f4").copy(),
    "long double": lambda: np.zeros(2, np.dtype("g").newbyteorder(">")),
    "structures": lambda: np.array([(1, 2.0)], [("a", ">i4"), ("b", "<f8")]),
    "records": lambda: np.rec.array([(1, 2.0)], [("a", ">i4"), ("b", "<f8")]),
    "subclass": lambda: np.arange(6, dtype=">i4").view(ArrayOfMine),
    "objects": lambda: np.array([1, "a", None], object),
    "dtype": lambda: np.dtype(">i4"),
    "beside numbers": lambda: [
        np.arange(3.0),
        np.arange(3.0)[0],
        np.zeros(2),
        np.dtype(float),
    ],
    "beside dtypes": lambda: [
        np.zeros(1, ">i4"),
        np.zeros(2, ">i4"),
        np.dtype(">i4"),
        np.dtype(">i4"),
    ],
    "long and long long": lambda: [np.zeros(1, code) for code in "ilq"],
    "a set of dtypes": lambda: {np.dtype(code) for code in ("q", "d", ">i4", "U3", "M8[D]")},
}

if np is not None:

    class ArrayOfMine(np.ndarray):
        pass

    class ArrayWithState(np.ndarray):
        """Looks at the byte order of what it gets."""

        def __setstate__(self, state):
            self.order = state[2].byteorder
            super().__setstate__(state)


@pytest.mark.costly
@needs_numpy
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(implementation, protocol, name):
    make = ARRAYS[name]
    found = check(implementation, protocol, make, repr)
    expected = pickle.loads(pickle.dumps(make(), protocol))
    assert type(found) is type(expected)
    if name == "a set of dtypes":
        assert found == expected
        return
    assert repr(found) == repr(expected)  # with the byte order
    if name == "NaN":
        assert found.astype("<f4").tobytes() == make().astype("<f4").tobytes()
    elif isinstance(found, np.ndarray):
        assert np.array_equal(found, make(), equal_nan=name == "dates")


@needs_numpy
@pytest.mark.parametrize("name", ["strided", "reversed", "transposed"])
def test_arrays_with_gaps(implementation, protocol, name):
    plain = np.arange(24, dtype=">i4")
    obj = {
        "strided": plain[::2],
        "reversed": plain[::-1],
        "transposed": plain.reshape(2, 3, 4).transpose(1, 0, 2),
    }[name]
    data = deterministic(implementation, obj, protocol)
    found = pickle.loads(data)
    assert (found == obj).all()
    assert deterministic(implementation, found, protocol) == data


@needs_numpy
def test_dtypes_that_can_be_changed_are_no_values(implementation, protocol):
    one, other = np.dtype("i4,f8"), np.dtype("i4,f8")
    shared = deterministic(implementation, [one, one], protocol)
    assert shared != deterministic(implementation, [one, other], protocol)
    found, again = pickle.loads(shared)
    found.names = "a", "b"
    assert again.names == ("a", "b")
    plain = np.dtype("i4"), np.dtype("i4", metadata={"a": 1})
    found = pickle.loads(deterministic(implementation, plain, protocol))
    assert found[0].metadata is None
    assert found[1].metadata == {"a": 1}


@needs_numpy
def test_arrays_with_a_setstate_of_their_own_are_left_alone(implementation, protocol):
    obj = np.arange(2).astype(">i4" if sys.byteorder == "little" else "<i4").view(ArrayWithState)
    found = pickle.loads(deterministic(implementation, obj, protocol))
    assert found.order == obj.dtype.byteorder


MASKED = {
    "numbers": lambda: ma.array([1, 2, 3], mask=[0, 1, 0]),
    "no mask": lambda: ma.array([1, 2, 3]),
    "big-endian": lambda: ma.array([1, 2, 3], dtype=">i4", mask=[0, 1, 0]),
    "small": lambda: ma.array([1, 2], dtype="i1", mask=[0, 1]),
    "unsigned": lambda: ma.array([1, 2], dtype="u1", mask=[0, 1]),
    "floats": lambda: ma.array([1.5, 2], dtype="f4", mask=[0, 1]),
    "half floats": lambda: ma.array([1.5, 2], dtype="f2", mask=[0, 1]),
    "long doubles": lambda: ma.array(np.zeros(2, "g"), mask=[0, 1]),
    "complex": lambda: ma.array([1j, 2], dtype="c8", mask=[0, 1]),
    "strings": lambda: ma.array(["a", "b"], mask=[0, 1]),
    "bytes": lambda: ma.array([b"a", b"b"], mask=[0, 1]),
    "void": lambda: ma.array(np.zeros(2, "V5"), mask=[0, 1]),
    "objects": lambda: ma.array([1, "b"], object, mask=[0, 1]),
    "dates": lambda: ma.array(["2020-01-01", "2021-01-01"], "M8[D]", mask=[0, 1]),
    "times": lambda: ma.array([1, 2], "m8[s]", mask=[0, 1]),
    "bools": lambda: ma.array([True, False], mask=[0, 1]),
    "structures": lambda: ma.array([(1, 2.0)], "i4,f8", mask=[(0, 1)]),
    "structures of objects": lambda: ma.array([(1, "a")], "i4,O", mask=[(0, 1)]),
    "hard mask": lambda: ma.array([1, 2, 3], mask=[0, 1, 0], hard_mask=True),
    "Fortran": lambda: ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]], order="F"),
    "empty": lambda: ma.array([], mask=[]),
    "zero-dimensional": lambda: ma.array(5, mask=True),
    "a view": lambda: ma.array([1, 2, 3, 4], mask=[0, 1, 0, 0])[::2],
    "filled": lambda: ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=7),
    "filled with NaN": lambda: ma.array([1.5, 2], mask=[0, 1], fill_value=float("nan")),
    "filled with strings": lambda: ma.array(["a", "b"], mask=[0, 1], fill_value="x"),
    "filled structures": lambda: ma.array([(1, 2.0)], "i4,f8", mask=[(0, 1)], fill_value=(7, 8)),
    "filled big-endian": lambda: ma.array([1, 2], dtype=">f8", mask=[0, 1], fill_value=7),
}


@pytest.mark.costly
@needs_numpy
@pytest.mark.parametrize("name", MASKED)
def test_masked_arrays(implementation, protocol, name):
    obj = MASKED[name]()
    before = obj._fill_value
    with np.errstate(over="ignore"):  # that of the default in half floats, as it is read
        found = check(implementation, protocol, MASKED[name], repr, lambda obj: obj.fill_value)
    deterministic(implementation, obj, protocol)
    assert obj._fill_value is before  # it is not filled in by us
    assert type(found) is ma.MaskedArray
    assert repr(found) == repr(pickle.loads(pickle.dumps(MASKED[name](), protocol)))
    assert (ma.getmaskarray(found) == ma.getmaskarray(obj)).all()


@needs_numpy
def test_a_fill_value_that_is_set_after_use(implementation, protocol):
    """It is put into the object that the default was in, which may be of a larger type."""
    unused, used = (ma.array([1, 2], dtype="i1", mask=[0, 1]) for _ in range(2))
    assert used.fill_value is not None
    unused.fill_value = used.fill_value = 7
    data = deterministic(implementation, unused, protocol)
    assert deterministic(implementation, used, protocol) == data
    assert pickle.loads(data).fill_value == 7


@needs_numpy
def test_views_of_a_masked_array(implementation, protocol):
    """They have one fill value in common, and do no longer where they are read."""

    def make():
        whole = ma.array([1, 2, 3, 4], mask=[0, 1, 0, 0], fill_value=7)
        return [whole[:2], whole[2:]]

    check(implementation, protocol, make, repr)


@needs_numpy
def test_fill_values_are_a_part_of_the_value(implementation, protocol):
    kinds = [
        deterministic(implementation, ma.array([1, 2], dtype=dtype, fill_value=fill), protocol)
        for dtype, fill in (("i1", None), ("i1", 7), ("i4", None), ("i4", 63), ("O", "?"))
    ]
    assert len(set(kinds)) == len(kinds)


@needs_numpy
def test_fill_values_of_types_that_numpy_does_not_know(implementation, protocol):
    """The default, b"???", is none of such a type: NumPy does not read it, but fills it in."""
    tests = pytest.importorskip("numpy._core._rational_tests", reason="NumPy without its tests")
    unused, used, other = (
        ma.array([tests.rational(1), tests.rational(2)], mask=[0, 1]) for _ in range(3)
    )
    assert used.fill_value == b"???"
    data = deterministic(implementation, unused, protocol)
    assert deterministic(implementation, used, protocol) == data
    assert pickle.loads(data).fill_value == b"???"
    other._fill_value = np.array(tests.rational(5))
    data = deterministic(implementation, other, protocol)
    assert pickle.loads(data).fill_value == tests.rational(5)


class Odd:
    """Has an __eq__ that nobody is to call."""

    def __eq__(self, other):
        raise AssertionError

    __hash__ = None


@needs_numpy
def test_fill_values_that_are_objects(implementation, protocol):
    obj = ma.array([1, 2], object, mask=[0, 1], fill_value=5)
    obj._fill_value[()] = Odd()
    found = pickle.loads(deterministic(implementation, obj, protocol))
    assert type(found._fill_value.item()) is Odd
    structure = ma.array([(1, Odd())], "i4,O", mask=[(0, 1)])
    structure.fill_value = (5, Odd())
    found = pickle.loads(deterministic(implementation, structure, protocol))
    assert type(found.fill_value.item()[1]) is Odd


# --- pandas

PANDAS = {
    "dates": (
        lambda pd: pd.date_range("2020", periods=3),
        lambda index: (repr(index), index.get_loc("2020-01-02"), index.is_unique),
    ),
    "dates of a zone": (lambda pd: pd.date_range("2020", periods=3, tz="UTC"), repr),
    "periods": (lambda pd: pd.period_range("2020", periods=3, freq="D"), repr),
    "times": (lambda pd: pd.timedelta_range("1D", periods=3), repr),
    "masked": (lambda pd: pd.array([1, None], dtype="Int64"), lambda a: (repr(a), a.sum())),
    "index": (lambda pd: pd.Index([1, 2]), lambda index: (repr(index), index.get_loc(2))),
    "levels": (
        lambda pd: pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        lambda index: (repr(index), index.get_loc((1, "a")), index.values),
    ),
    "categories": (lambda pd: pd.Categorical(["a", "b"]), repr),
    "intervals": (
        lambda pd: pd.interval_range(0, 3),
        lambda index: (repr(index), index.get_loc(1)),
    ),
    "series": (
        lambda pd: pd.Series([1, 2], index=["a", "b"]),
        lambda series: (repr(series), series.loc["b"], series.sum()),
    ),
    "frame": (
        lambda pd: pd.DataFrame(
            {"a": [1, 2], "b": ["x", "y"], "c": pd.array([1, None], "Int64")},
            index=pd.date_range("2020", periods=2),
        ),
        lambda frame: (repr(frame), frame.loc["2020-01-02"], frame.T, frame["c"].sum()),
    ),
}


@pytest.mark.costly
@pytest.mark.libraries
@pytest.mark.parametrize("name", PANDAS)
def test_pandas(implementation, protocol, name):
    pandas = pytest.importorskip("pandas", reason="not installed")
    make, use = PANDAS[name]
    found = check(implementation, protocol, lambda: make(pandas), use)
    obj = make(pandas)
    assert repr(found) == repr(obj)
    if hasattr(obj, "equals"):
        assert found.equals(obj)


class HasCache:
    """Not of pandas: what it has under this name is its own."""

    def __init__(self):
        self._cache = {"a": 1}


def test_caches_of_others_stay(implementation, protocol):
    found = pickle.loads(deterministic(implementation, [HasCache(), HasCache()], protocol))
    assert [vars(obj) for obj in found] == [{"_cache": {"a": 1}}] * 2
