"""Values that are equal, and the one object that stands for all of them: deterministic=True."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pickle import PickleBuffer
from struct import Struct
from typing import Any, Final

from .reductions import imported_class
from .scalars import scalar_encoders

# The bytes of a scalar, by its exact type: they tell 1, True and 1.0 apart, and -0.0 from 0.0.
SCALARS: Final = scalar_encoders(2, True)
_pack_address = Struct("<cQ").pack
_encode_float: Final = SCALARS[float]


def _address(kind: bytes, address: int) -> bytes:
    """A key of identity. On PyPy an address can be negative, and that of a value is longer."""
    if 0 <= address < 1 << 64:
        return _pack_address(kind, address)
    return b"-" + kind + address.to_bytes(24, "little", signed=True)  # "-" is no opcode


def _float_key(value: float) -> bytes:
    # A NaN is not equal to any other, so two tuples with a NaN each are not the same value.
    return _encode_float(value) if value == value else _address(b"@", id(value))


_KEYS: Final = SCALARS | {float: _float_key}

SMALL: Final = 8
"""A tuple of so many atoms is looked at anew whenever it is met; longer ones are remembered."""

Parts = Callable[[Any], tuple[Any, ...] | None]


def _complex_parts(obj: complex) -> tuple[Any, ...] | None:
    return (obj.real, obj.imag) if obj == obj else None


def _range_parts(obj: range) -> tuple[Any, ...]:
    return obj.start, obj.stop, obj.step


def _decimal_parts(obj: Any) -> tuple[Any, ...] | None:
    return None if obj.is_nan() else (str(obj),)


def _reduction_parts(protocol: int) -> Parts:
    """A function of its own for each type: see `with_parts`."""
    return lambda obj: obj.__reduce_ex__(protocol)[1]


def dtype_parts(obj: Any) -> tuple[Any, ...] | None:
    # Those with names can be changed. NumPy 1 reads no metadata as empty.
    return (obj.str,) if obj.names is None and not obj.metadata else None


# Further immutable types, with what makes up their value; None for a NaN, which is equal to
# nothing, and for what can be changed. (`with_parts` adds the types of _LATER, and NumPy's, once
# they are imported.)
_PARTS: Final[dict[type, Parts]] = {complex: _complex_parts, range: _range_parts}
_PARTS_BEFORE_4: Final = _PARTS.copy()
_LATER: Final = {
    "datetime": ("date", "time", "datetime", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
}
_imported: Final[set[str]] = set()


def with_parts(protocol: int) -> dict[type, Parts]:
    """The types whose values are made of parts, each with a function that gives those that
    a protocol writes.

    Objects of one function and equal parts are the same value.
    """
    for module_name, names in _LATER.items():
        if module_name not in _imported and module_name in sys.modules:
            module = sys.modules[module_name]
            if all([hasattr(module, name) for name in names]):  # else it is being imported
                for name in names:
                    cls = getattr(module, name)
                    if module_name == "decimal":
                        _PARTS[cls] = _PARTS_BEFORE_4[cls] = _decimal_parts
                    else:
                        _PARTS[cls] = _reduction_parts(4)
                        _PARTS_BEFORE_4[cls] = _reduction_parts(3)  # without the `fold` of times
                _imported.add(module_name)
    dtype: Any = imported_class("numpy", "dtype")
    if "numpy" not in _imported and getattr(dtype, "__module__", "") == "numpy":  # not another's
        # An array that was read has a dtype object of its own, others have one in common. Types of
        # C that are alike, such as long and long long, are read back as one.
        for code in "?bhilqBHILQefdgFDGOSUMm":
            cls = type(dtype(code))
            _PARTS[cls] = _PARTS_BEFORE_4[cls] = dtype_parts
        _imported.add("numpy")
    return _PARTS if protocol >= 4 else _PARTS_BEFORE_4


class Representatives:
    """For each immutable value, the first object that was met of it: it stands for all of them.

    Values are str, bytes, tuples and frozensets of exactly these types, and those of
    `with_parts`. Two tuples are the same value if their members are, in pairs: of mutable
    members, if they are the same object. So tuples have a key each, made of the bytes of their
    scalars and the addresses of the representatives of everything else; nothing recurses.
    """

    __slots__ = ("_aliases", "_bytes", "_strings", "_values", "buffers_are_values", "parts")

    def __init__(self, protocol: int, buffers_are_values: bool) -> None:
        self._strings: dict[str, str] = {}
        self._bytes: dict[bytes, bytes] = {}
        self._values: dict[bytes, Any] = {}
        self._aliases: dict[int, tuple[Any, Any]] = {}  # address: the object, its representative
        self.parts = with_parts(protocol)
        self.buffers_are_values = buffers_are_values  # a read-only one is read back as bytes

    def clear(self) -> None:
        """Forget every value."""
        for known in (self._strings, self._bytes, self._values, self._aliases):
            known.clear()

    def replace(self, objects: Iterable[Any]) -> None:
        """Forget every value; those among `objects` come first."""
        self.clear()
        for obj in objects:
            self.representative(obj)

    def representative(self, obj: Any) -> Any:
        """The object that stands for all that have this value; `obj` itself if it is no value."""
        cls = type(obj)
        if cls is str:
            return self._strings.setdefault(obj, obj)
        if cls is bytes:
            return self._bytes.setdefault(obj, obj)
        if cls is tuple or cls is frozenset:
            return obj if cls is tuple and not obj else self._of_container(obj)
        parts_of = self.parts.get(cls)
        if parts_of is not None:
            parts = parts_of(obj)
            if parts is None:
                return obj
            # These parts are atoms, or, as time zones, values of such parts again.
            key = _address(b"p", id(parts_of)) + b"".join(self._key_parts(parts, []))
            return self._values.setdefault(key, obj)
        if cls is PickleBuffer and self.buffers_are_values:
            return self._of_buffer(obj)
        return obj

    def _key_parts(self, items: Iterable[Any], waiting: list[Any]) -> list[bytes]:
        """The part of a key for each item; items that need a representative first go on
        `waiting`."""
        parts = []
        for item in items:
            cls = type(item)
            encode = _KEYS.get(cls)
            if encode is not None:
                parts.append(encode(item))
            elif (cls is tuple or cls is frozenset) and item:
                known = self._aliases.get(id(item))
                if known is None:
                    waiting.append(item)
                else:
                    parts.append(_address(b"@", id(known[1])))
            elif cls is tuple:
                parts.append(b")")
            else:
                parts.append(_address(b"@", id(self.representative(item))))
        return parts

    def _of_container(self, obj: Any) -> Any:
        known = self._aliases.get(id(obj))
        if known is not None:
            return known[1]
        found = obj
        stack = [obj]
        while stack:
            top = stack[-1]
            waiting: list[Any] = []
            if id(top) in self._aliases:
                stack.pop()
                continue
            parts = self._key_parts(top, waiting)
            if waiting:
                stack += waiting
                continue
            stack.pop()
            kind = b"("
            if type(top) is frozenset:
                kind = b"{"
                parts.sort()
            found = self._values.setdefault(kind + b"".join(parts), top)
            if stack or len(top) > SMALL:
                self._aliases[id(top)] = top, found
        return found

    def _of_buffer(self, obj: PickleBuffer) -> Any:
        with memoryview(obj) as view:
            if not view.readonly or not view.contiguous:
                return obj
            flat = view if view.c_contiguous else obj.raw()
            return self.representative(flat.tobytes())
