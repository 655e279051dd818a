"""The parts of object_digest beside the deterministic pickle: hash objects, arrays, buffers.

Arrays are digested by their contents, in C order and little-endian: without a copy if they are so
in memory, else piece by piece.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pickle import PickleBuffer
from typing import Any, Final, NamedTuple, Protocol

PIECE_SIZE: Final = 1 << 20  # bytes that are copied at once, of what does not lie as it is written

PROTOCOL: Final = 5  # of what is digested, for ever: another one would give other digests


class HashObject(Protocol):
    """A hash object as `hashlib` has it: blake3's and xxhash's are of this kind too."""

    def update(self, data: Any, /) -> object: ...


class NamedHash(HashObject, Protocol):
    """One of those that `hashlib.new` makes by a name."""

    @property
    def name(self) -> str: ...

    @property
    def digest_size(self) -> int: ...

    @property
    def block_size(self) -> int: ...

    def digest(self) -> bytes: ...

    def hexdigest(self) -> str: ...


def new_hash(digest: str | Callable[[], HashObject]) -> HashObject:
    """A new hash object, by its name for `hashlib.new` or from the callable that makes one."""
    if isinstance(digest, str):
        import hashlib

        return hashlib.new(digest)
    if not callable(digest):
        raise TypeError(
            "digest must be the name of an algorithm or a callable that returns a hash object, "
            f"not {type(digest).__name__}"
        )
    made = digest()
    if not callable(getattr(made, "update", None)):
        raise TypeError(f"digest() returned {type(made).__name__}, which has no 'update' method")
    return made


def reduce_for_digest(obj: Any) -> Any:
    """The reduction of an array, which may be for a digest only; NotImplemented for the rest."""
    cls = type(obj)
    if cls is array:
        return array, (obj.typecode, obj.itemsize, Pieces(_size_of(obj), _pieces_of_array(obj)))
    numpy: Any = sys.modules.get("numpy")  # or whatever stands in its place
    if cls is not getattr(numpy, "ndarray", None) and cls is not getattr(numpy, "memmap", None):
        return NotImplemented
    dtype = obj.dtype
    description = _simple_types(numpy).get(id(dtype))
    if description is not None and obj.flags.c_contiguous:  # as most arrays are
        data = Pieces(obj.nbytes, (PickleBuffer(obj).raw(),))
        return numpy.ndarray, (obj.shape, description, data)
    if dtype.hasobject:
        # As items, so that it may contain itself.
        return numpy.ndarray, (obj.shape, dtype), None, iter(obj.ravel().tolist())
    if dtype.names is None and dtype.isnative and sys.byteorder == "little":
        little = dtype
    else:
        little = dtype.newbyteorder("<")
    description = little.str if dtype.names is None and dtype.subdtype is None else little
    packed = _packed(numpy, little)
    data = Pieces(obj.size * packed.itemsize, _pieces_of_ndarray(numpy, obj, packed))
    return numpy.ndarray, (obj.shape, description, data)


@cache
def _simple_types(numpy: Any) -> dict[int, str]:
    """The types of numbers that NumPy has one object each of: how they are described."""
    if sys.byteorder == "big":
        return {}
    numbers = map(numpy.dtype, "?bhilqBHILQefdFD")
    return {id(number): number.str for number in numbers}


def _packed(numpy: Any, dtype: Any) -> Any:
    """A type without what lies between its fields: that is no part of the value."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return numpy.dtype((_packed(numpy, base), shape))
    if dtype.names is None:
        return dtype
    return numpy.dtype([(name, _packed(numpy, dtype.fields[name][0])) for name in dtype.names])


def _size_of(obj: array[Any]) -> int:
    return len(obj) * obj.itemsize


def _pieces_of_array(obj: array[Any]) -> Iterator[Any]:
    if sys.byteorder == "big":
        obj = obj[:]
        obj.byteswap()
    if obj:
        with memoryview(obj) as view, view.cast("B") as data:
            yield data


def _pieces_of_ndarray(numpy: Any, obj: Any, dtype: Any) -> Iterator[Any]:
    if obj.nbytes == 0 or dtype.itemsize == 0:
        return
    if (obj.dtype is dtype or obj.dtype == dtype) and obj.flags.c_contiguous:
        # As bytes, since not all types have a buffer.
        yield obj.view(numpy.ndarray).reshape(-1).view(numpy.uint8).data
    elif obj.nbytes <= PIECE_SIZE or obj.ndim == 0:
        yield numpy.array(obj, dtype, order="C", ndmin=1).reshape(-1).view(numpy.uint8).data
    else:
        row = obj.nbytes // len(obj)
        count = 1 if row > PIECE_SIZE else PIECE_SIZE // row
        for i in range(0, len(obj), count):
            part = obj[i : i + count] if count > 1 or obj.ndim == 1 else obj[i]
            yield from _pieces_of_ndarray(numpy, part, dtype)


class Pieces(NamedTuple):
    """Bytes that are written as those of a bytearray, without being in one place: for digests."""

    size: int
    pieces: Iterable[Any]
