"""The names of `Policy.numpy()`.

NumPy's own `__setstate__` believes what it is given: a dtype takes flags and fields that do not
fit it, and then the bytes of an array are taken for pointers. So each state is checked: see
numpy_dtypes.py, numpy_arrays.py and numpy_random.py.
"""

from __future__ import annotations

from typing import Any, Final

from ..policy_names import Quick, Rule, nothing
from .numpy_arrays import (
    ARRAYS,
    MASKED,
    check_array_state,
    check_frombuffer,
    check_masked_state,
    check_reconstruct,
    check_reconstruct_masked,
    check_scalar,
)
from .numpy_dtypes import (
    check_dtype,
    check_dtype_state,
    check_string_dtype,
    keep_fresh,
    numpy_module,
)
from .numpy_random import (
    BIT_GENERATORS,
    CONSTRUCTOR,
    check_bit_generator,
    check_bit_generator_state,
    check_generator,
    check_generator_state,
    check_seed,
    check_seed_state,
)
from .states import called, only, wait_for_state, words

# --- random generators. Their code reads at the places that a state says.
# --- names

_DTYPE_CLASSES: Final = words(
    "Bool Int8 UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 Byte UByte Short UShort Int UInt Long"
    " ULong LongLong ULongLong Float16 Float32 Float64 LongDouble Complex64 Complex128 CLongDouble"
    " Object Bytes Str Void DateTime64 TimeDelta64"
)

SCALARS: Final = words(
    "bool bool_ byte ubyte short ushort intc uintc int_ uint long ulong longlong ulonglong intp"
    " uintp int8 int16 int32 int64 uint8 uint16 uint32 uint64 half single double longdouble float16"
    " float32 float64 float96 float128 csingle cdouble clongdouble complex64 complex128 complex192"
    " complex256 str_ bytes_ void record object_ datetime64 timedelta64 generic number integer"
    " signedinteger unsignedinteger inexact floating complexfloating flexible character"
)

UFUNCS: Final = words(
    "abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh"
    " atan atan2 atanh bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not"
    " bitwise_or bitwise_right_shift bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad"
    " degrees divide divmod equal exp exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod"
    " frexp gcd greater greater_equal heaviside hypot invert isfinite isinf isnan isnat lcm ldexp"
    " left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not"
    " logical_or logical_xor matmul matvec maximum minimum mod modf multiply negative nextafter"
    " not_equal positive pow power rad2deg radians reciprocal remainder right_shift rint sign"
    " signbit sin sinh spacing sqrt square subtract tan tanh true_divide trunc vecdot vecmat"
)

_MODULES: Final = ("numpy.core", "numpy._core")  # NumPy 1 and 2

_NAMED: Final = Rule()  # may be named, as an argument or a value; is not called
_ARRAY: Final = Rule(built=check_array_state)
_MASKED_ARRAY: Final = Rule(built=check_masked_state)
_BITS: Final = Rule(built=check_bit_generator_state)


def _is_plain_array(value: Any) -> bool:
    return type(value) is numpy_module().ndarray


def _is_text(value: Any) -> bool:
    return type(value) is str


_POLYNOMIAL: Final = Rule(
    new=nothing,
    built=only(
        coef=_is_plain_array,
        domain=_is_plain_array,
        window=_is_plain_array,
        symbol=_is_text,
        _symbol=_is_text,
    ),
)
_POLY1D: Final = Rule(
    new=nothing,
    built=only(
        coeffs=_is_plain_array,
        _coeffs=_is_plain_array,
        order=lambda value: type(value) is int,
        variable=_is_text,
        _variable=_is_text,
    ),
)


def _pairs(modules: tuple[str, ...], names: list[str], rule: Rule) -> dict[str, Rule]:
    return {f"{module}.{name}": rule for module in modules for name in names}


NAMES: Final[dict[str, Rule]] = {
    "numpy.dtype": called(check_dtype, made=keep_fresh, is_idle=True),
    **_pairs(
        ("numpy.dtypes",),
        [f"{name}DType" for name in _DTYPE_CLASSES],
        Rule(built=check_dtype_state, is_idle=True),
    ),
    "numpy.dtypes.StringDType": _NAMED,
    **_pairs(("numpy",), SCALARS, _NAMED),
    **_pairs(("numpy.core.records", "numpy.rec"), ["record"], _NAMED),
    **_pairs(("numpy", *(f"{module}._multiarray_umath" for module in _MODULES)), UFUNCS, _NAMED),
    **dict.fromkeys(ARRAYS, _ARRAY),
    "numpy.ndarray": _ARRAY._replace(quick_state=Quick.ARRAY),
    **dict.fromkeys(MASKED, _MASKED_ARRAY),
    "numpy.ma.core._mareconstruct": called(check_reconstruct_masked, made=wait_for_state),
    "numpy.ma.core.MaskedConstant": called(nothing),
    **_pairs(
        tuple(f"{module}.multiarray" for module in _MODULES),
        ["_reconstruct"],
        called(check_reconstruct, made=wait_for_state, quick_call=Quick.ARRAY),
    ),
    **_pairs(
        tuple(f"{module}.multiarray" for module in _MODULES),
        ["scalar"],
        called(check_scalar, quick_call=Quick.SCALAR),
    ),
    **_pairs(
        tuple(f"{module}.numeric" for module in _MODULES),
        ["_frombuffer"],
        called(check_frombuffer, quick_call=Quick.BUFFER),
    ),
    **_pairs(
        tuple(f"{module}._internal" for module in _MODULES),
        ["_convert_to_stringdtype_kwargs"],
        called(check_string_dtype),
    ),
    **dict.fromkeys(BIT_GENERATORS.values(), _BITS),
    CONSTRUCTOR: called(check_bit_generator),
    "numpy.random._pickle.__generator_ctor": called(check_generator),
    "numpy.random._pickle.__randomstate_ctor": called(check_generator),
    "numpy.random.__RandomState_ctor": called(nothing),
    "numpy.random._generator.Generator": Rule(built=check_generator_state),
    "numpy.random.mtrand.RandomState": Rule(built=check_generator_state),
    "numpy.random.bit_generator.SeedSequence": Rule(built=check_seed_state),
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": called(check_seed),
    "numpy.poly1d": _POLY1D,
    "numpy.lib.polynomial.poly1d": _POLY1D,
    **{
        f"numpy.polynomial.{module}.{name}": _POLYNOMIAL
        for module, name in (
            ("polynomial", "Polynomial"),
            ("chebyshev", "Chebyshev"),
            ("legendre", "Legendre"),
            ("hermite", "Hermite"),
            ("hermite_e", "HermiteE"),
            ("laguerre", "Laguerre"),
        )
    },
}
"""The names of `Policy.numpy()`, beside those of `Policy.plain()`."""
