"""The checks of `Policy.numpy()`: random generators.

Their code reads at the places that a state says.
"""

from __future__ import annotations

from typing import Any, Final

from ..policy_names import is_ints
from ..policy_objects import full_name
from .numpy_arrays import is_array
from .numpy_dtypes import numpy_module

BIT_GENERATORS: Final = {
    "MT19937": "numpy.random._mt19937.MT19937",
    "PCG64": "numpy.random._pcg64.PCG64",
    "PCG64DXSM": "numpy.random._pcg64.PCG64DXSM",
    "Philox": "numpy.random._philox.Philox",
    "SFC64": "numpy.random._sfc64.SFC64",
}
CONSTRUCTOR: Final = "numpy.random._pickle.__bit_generator_ctor"


_WORDS_IN: Final[dict[str, dict[str, tuple[int, tuple[str, ...]]]]] = {
    "MT19937": {"key": (624, ("uint32", "uint64"))},
    "Philox": {"counter": (4, ("uint64",)), "key": (2, ("uint64",))},
    "SFC64": {"state": (4, ("uint64",))},
}
_WORDS_OUTSIDE: Final = {"Philox": {"buffer": (4, ("uint64",))}}
_NUMBERS: Final = {
    "MT19937": {"pos": 624},
    "PCG64": {"state": (1 << 128) - 1, "inc": (1 << 128) - 1},
    "PCG64DXSM": {"state": (1 << 128) - 1, "inc": (1 << 128) - 1},
}
_OUTSIDE: Final = {"has_uint32": 1, "uinteger": (1 << 32) - 1, "has_gauss": 1}
_NUMBERS_OUTSIDE: Final = {"Philox": {**_OUTSIDE, "buffer_pos": 4}}


def _is_bit_generator(guard: Any, value: Any) -> bool:
    return full_name(type(value)) in BIT_GENERATORS.values()


def check_bit_generator(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and (
        (type(args[0]) is str and args[0] in BIT_GENERATORS)
        or guard.name_of(args[0]) in BIT_GENERATORS.values()
    ):
        return None
    return "expected a bit generator of NumPy's"


def check_generator(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and _is_bit_generator(guard, args[0]):
        return None
    if (
        1 <= len(args) <= 2
        and type(args[0]) is str
        and args[0] in BIT_GENERATORS
        and (len(args) == 1 or guard.name_of(args[1]) == CONSTRUCTOR)
    ):
        return None
    return "expected a bit generator of NumPy's"


def check_bit_generator_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is tuple and len(state) == 2:
        state, seed = state
        if seed is not None and type(seed) is not numpy_module().random.SeedSequence:
            return "the seed is none"
    return _bits_complaint(guard, type(obj).__name__, state)


def check_generator_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is tuple:  # by NumPy below 1.17
        if len(state) != 5 or type(state[0]) is not str:
            return "expected five values"
        state = dict(
            zip(
                ("bit_generator", "state", "has_gauss", "gauss"),
                (state[0], dict(zip(("key", "pos"), state[1:3], strict=True)), *state[3:]),
                strict=True,
            )
        )
    return _bits_complaint(guard, type(obj._bit_generator).__name__, state)


def _bits_complaint(guard: Any, name: str, state: Any) -> str | None:
    if type(state) is not dict or not all(type(key) is str for key in state):
        return "expected a dict"
    if state.get("bit_generator") != name or type(state["bit_generator"]) is not str:
        return "the state of another bit generator"
    inner = state.get("state")
    if type(inner) is not dict or not all(type(key) is str for key in inner):
        return "expected a dict of the bits"
    words_in, words_outside = _WORDS_IN.get(name, {}), _WORDS_OUTSIDE.get(name, {})
    numbers, outer = _NUMBERS.get(name, {}), _NUMBERS_OUTSIDE.get(name, _OUTSIDE)
    needed = words_in.keys() | numbers.keys()
    if inner.keys() != needed or not state.keys() <= {
        "bit_generator", "state", "gauss", *outer, *words_outside
    }:  # fmt: skip
        return "values that the state does not have"
    if not all(_has_words(guard, inner[key], *form) for key, form in words_in.items()) or not all(
        _has_words(guard, state.get(key), *form) for key, form in words_outside.items()
    ):
        return "words that are none"
    if not all(_is_number(inner[key], most) for key, most in numbers.items()) or not all(
        _is_number(state[key], most) for key, most in outer.items() if key in state
    ):
        return "a number out of its bounds"
    if name == "Philox" and "buffer_pos" not in state:
        return "no position"
    return None if type(state.get("gauss", 0.0)) is float else "no gauss"


def _is_number(value: Any, most: int) -> bool:
    """An int, also one of NumPy."""
    if type(value) is not int and not isinstance(value, numpy_module().integer):
        return False
    return 0 <= int(value) <= most


def _has_words(guard: Any, value: Any, count: int, dtypes: tuple[str, ...]) -> bool:
    return is_array(guard, value) and value.shape == (count,) and value.dtype.name in dtypes


def check_seed(guard: Any, args: tuple[Any, ...]) -> str | None:
    if (
        len(args) == 3
        and guard.name_of(args[0]) == "numpy.random.bit_generator.SeedSequence"
        and type(args[1]) is int
        and 0 <= args[1] < 1 << 63
        and args[2] is None
    ):
        return None
    return "expected SeedSequence, a number and None"


def check_seed_state(guard: Any, obj: Any, state: Any) -> str | None:
    if type(state) is not tuple or len(state) != 5:
        return "expected five values"
    entropy, children, pool, pool_size, spawn_key = state
    if entropy is not None and not (is_array(guard, entropy) and entropy.dtype.kind in "iu"):
        parts = entropy if type(entropy) in (list, tuple) else [entropy]
        if not all(type(part) is int or isinstance(part, numpy_module().integer) for part in parts):
            return "entropy that is none"
    if not _is_number(children, (1 << 32) - 1) or not _is_number(pool_size, 1 << 16):
        return "a number out of its bounds"
    if not _has_words(guard, pool, pool_size, ("uint32",)) or pool_size < 4:
        return "a pool that is none"
    if type(spawn_key) is not tuple or not is_ints(spawn_key):
        return "a key that is none"
    return None
