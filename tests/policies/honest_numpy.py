"""Values of NumPy, which load under `Policy.numpy()`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

SIMPLE = [
    *("?", "i1", "u1", "i2", "u2", "i4", ">i4", "u4", "i8", "u8", "l", "q", "L", "Q", "f2", "f4"),
    *("f8", ">f8", "g", "F", "D", "G", "S5", "U3", ">U3", "O", "M8", "M8[3D]", "M8[ns]", "m8[ns]"),
    *(">M8[s]", "V7", "S0", "U0", "V0"),
]
STRUCTURES: list[Any] = [
    [("a", "f8"), ("b", "O")],
    [],
    [(("title", "a"), "f8", (2,)), ("b", "U2")],
    (np.record, [("a", "f8")]),
    {"names": ["a"], "formats": ["i4"], "offsets": [4], "itemsize": 16},
    {"names": ["a", "b"], "formats": ["i4", "u1"], "offsets": [0, 1]},
    [("a", [("b", "?"), ("c", [("d", "M8[D]")])])],
]


def dtypes() -> list[np.dtype[Any]]:
    return [
        *map(np.dtype, SIMPLE),
        *map(np.dtype, STRUCTURES),
        np.dtype([("a", "i1"), ("b", "f8")], align=True),
        np.dtype("f8", metadata={"unit": "m"}),
        np.dtypes.StringDType(),
        np.dtypes.StringDType(na_object=None),
        np.dtypes.StringDType(na_object=np.nan),
    ]


def arrays() -> list[Any]:
    numbers = np.arange(24)
    return [
        *(np.zeros(3, dtype) for dtype in dtypes()),
        *(numbers.reshape(2, 3, 4), np.asfortranarray(numbers.reshape(4, 6)), numbers[::2]),
        *(numbers.reshape(2, 3, 4).transpose(1, 0, 2), np.array(5), np.zeros((0, 5))),
        np.array([None, "x", [1], Fraction(1, 2)], dtype=object),
        np.array([[1, "a"], [2, None]], dtype=object),
        *(np.array(["a", "bü\U0001f600"]), np.array([b"a", b"bc"]), np.array([True, False])),
        np.array(["a", "b"], dtype="T"),
        np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)),
        np.array(["2020-01-01", "NaT"], dtype="M8[D]"),
        np.array(
            [(1, "x", None, [1, 2])],
            dtype=[("a", "i4"), ("b", "U3"), ("c", "O"), ("d", "f4", (2,))],
        ),
        np.array([(True, (False,))], dtype=[("a", "?"), ("b", [("c", "?")])]),
        *(np.ma.array([1.0, 2], mask=[0, 1]), np.ma.array([1, 2])),
        np.ma.array([1.0, 2], mask=[0, 1], fill_value=3.0),
        np.ma.array([(1, "x")], dtype=[("a", "i4"), ("b", "U3")]),
        np.ma.array([(1, "x")], dtype=[("a", "i4"), ("b", "U3")])[0],
        np.ma.array(["a", None], dtype=object, mask=[1, 0]),
        *(np.rec.array([(1, 2.0)]), np.matrix([[1, 2]]), np.char.array(["a", "b"])),
    ]


def scalars() -> list[Any]:
    kinds = (
        "float16 float32 float64 longdouble complex64 complex128 int8 int64 uint64 longlong bool_"
    )
    return [
        *(getattr(np, kind)(1) for kind in kinds.split()),
        *(np.str_("ü"), np.bytes_(b"x"), np.void(b"abc"), np.datetime64("NaT")),
        *(np.datetime64("2020-01-01"), np.timedelta64(5, "s"), np.bool_(False)),
        *(np.rec.array([(1, 2.0)])[0], np.array([(1,)], dtype=[("a", "i4")])[0]),
        np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")])[0],
        {np.int64(1): np.float64(2)},
    ]


def generators() -> list[Any]:
    old = np.random.RandomState(0)
    old.standard_normal()  # keeps a second number
    new = np.random.default_rng(1)
    new.integers(5, dtype=np.uint32)
    kinds = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
    return [
        *(old, np.random.RandomState(), new),
        *(getattr(np.random, kind)(5) for kind in kinds),
        *(np.random.Generator(getattr(np.random, kind)(5)) for kind in kinds),
        *(np.random.SeedSequence(1, spawn_key=(3,)), np.random.SeedSequence([1, 1 << 90])),
    ]


def names() -> list[Any]:
    return [np.sin, np.add, np.log1p, np.float64, np.bool_, np.datetime64, np.dtype, np.ndarray]


def polynomials() -> list[Any]:
    kinds = ("Polynomial", "Chebyshev", "Legendre", "Hermite", "HermiteE", "Laguerre")
    return [np.poly1d([1, 2]), *(getattr(np.polynomial, kind)([1, 2]) for kind in kinds)]


def values() -> list[Any]:
    return [
        *dtypes(),
        np.ma.masked,
        *arrays(),
        *scalars(),
        *generators(),
        *names(),
        *polynomials(),
    ]


def use(value: Any) -> None:
    """Use a value as programs do: a wrong one ends the interpreter here, if anywhere."""
    repr(value)
    if isinstance(value, np.ndarray):
        value.tolist()
        value.copy()
        np.sort(value, axis=None)
        if value.dtype.kind == "b":
            np.arange(value.size)[value.ravel()]
    elif isinstance(value, np.random.RandomState):
        value.random_sample(1000)
        value.standard_normal(3)
    elif isinstance(value, np.random.BitGenerator):
        np.random.Generator(value).random(1000)
        value.random_raw(1000)
    elif isinstance(value, np.random.Generator):
        value.random(1000)
        value.integers(5, size=99, dtype=np.uint32)
    elif isinstance(value, np.random.SeedSequence):
        value.generate_state(20)
        value.spawn(2)
    elif isinstance(value, np.dtype):
        hash(value)
        np.zeros(2, value)
    else:
        hash(value)
