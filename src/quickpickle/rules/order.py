"""deterministic=True: the same value gives the same bytes.

Three things of an object are no part of its value, and yet show in its pickle: which of its equal
strings, bytes and tuples are one object; in what order its sets happen to hash; and what its use
or a round trip changes of its state, such as whether an instance's own dict is referred to from
elsewhere too. `Representatives` takes care of the first, `Order` of the second, `_state_rule` of
the third.

Where versions of the interpreter differ in what they write of builtin types, this mode writes
what 3.11 does, see `last_goes_alone` in pickling/stream.py.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BytesIO, StringIO
from operator import itemgetter
from pickle import PickleBuffer
from struct import Struct
from types import GetSetDescriptorType
from typing import Any, Final, NamedTuple

from .nesting import endless_error
from .reductions import ABSENT, find, unpack
from .scalars import Encoder, scalar_encoders

# The bytes of a scalar, by its exact type: they tell 1, True and 1.0 apart, and -0.0 from 0.0.
_SCALARS: Final = scalar_encoders(2, True)
_pack_address = Struct("<cQ").pack
_encode_float: Final = _SCALARS[float]


def _address(kind: bytes, address: int) -> bytes:
    """A key of identity. On PyPy an address can be negative, and that of a value is longer."""
    if 0 <= address < 1 << 64:
        return _pack_address(kind, address)
    return b"-" + kind + address.to_bytes(24, "little", signed=True)  # "-" is no opcode


def _float_key(value: float) -> bytes:
    # A NaN is not equal to any other, so two tuples with a NaN each are not the same value.
    return _encode_float(value) if value == value else _address(b"@", id(value))


_KEYS: Final = _SCALARS | {float: _float_key}

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
    dtype: Any = _imported_class("numpy", "dtype")
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


class _UnorderedError(Exception):
    """A set was met whose order has to be found before that of the one that we are at."""

    def __init__(self, signature: frozenset[int], members: list[Any]) -> None:
        super().__init__()
        self.signature = signature
        self.members = members


class _MemberError(Exception):
    """A member could not be written on its own."""

    def __init__(self, member: Any, error: Exception) -> None:
        super().__init__()
        self.member = member
        self.error = error


class Failure(NamedTuple):
    """Stands in a set behind a member that cannot be written.

    That member comes first, so that the dump fails at it, and can say where it is. If this is
    reached it did not fail there again, and the exception of before is raised.
    """

    error: Exception


def raise_failure(stream: Any, failure: Failure) -> None:
    raise failure.error


WRITING: Final = 0  # the pickle itself
DEEP: Final = 1  # an object on its own, to order a set by
SHALLOW: Final = 2  # the same, without what the sets in it have of objects that are no values


class Order:
    """The members of sets, the keys of dicts if these are sorted, and reductions, put in an order.

    The order depends on nothing but the members. Values come first, by a key that is made of
    theirs; then all other objects, by the digest of their own deterministic pickle, each on its
    own (`alone`). In that pickle there may be sets, whose order is found first: without
    recursion, by giving up and beginning again once it is known. Objects in a set that they lead
    back to themselves are ordered by what they are but for such sets.

    An order is known by the addresses of the members: it is asked for again and again, and
    a reduction may make a new set of the same members each time.
    """

    alone: Callable[[Any], bytes]
    """Gives the pickle of one object, with the memo and the file of nobody else."""
    reduction_limit: int

    def __init__(self, values: Any, protocol: int, *, sort_dicts: bool = False) -> None:
        self.values = values
        self.sort_dicts = sort_dicts
        self.protocol = protocol
        self.mode = WRITING
        self._memo: Any = None  # whose objects `values` are about
        self._asked = 0  # for orders, by the object on its own that is being written
        self._value_keys: dict[int, tuple[Any, bytes | None]] = {}
        self._object_keys: dict[tuple[int, int], tuple[Any, bytes]] = {}
        self._orders: dict[frozenset[int], dict[int, bytes]] = {}
        self._cyclic: set[frozenset[int]] = set()
        self._state_rules: dict[type, Any] = {}

    def begin(self, memo: Any, alone: Callable[[Any], bytes], reduction_limit: int) -> None:
        """Make ready for a dump with this memo."""
        self.forget()  # once more: the last dump may have been interrupted while it did so
        if self._memo is not memo:
            self.values.replace([obj for _, obj in memo.contents().values()])
            self._memo = memo
        self.alone = alone
        self.reduction_limit = reduction_limit

    def forget(self) -> None:
        """Forget all that may be otherwise in the next dump."""
        vars(self).pop("alone", None)  # which refers to the dump
        self.mode = WRITING
        for known in (self._value_keys, self._object_keys, self._orders, self._cyclic):
            known.clear()
        self._state_rules.clear()

    # --- sets and dicts

    def members(self, members: list[Any], number: Callable[[Any], int]) -> list[Any]:
        """The members of a set in their order; `number` gives one's number in the memo."""
        if len(members) < 2:
            return members
        if _can_be_compared(members):
            return sorted(members)
        try:
            places = self._arrange(members, number)
        except _MemberError as failed:
            return [failed.member] + [Failure(failed.error)] * (len(members) - 1)
        return [members[i] for i in places] + [None] * (len(members) - len(places))

    def items(
        self, items: list[tuple[Any, Any]], number: Callable[[Any], int]
    ) -> list[tuple[Any, Any]]:
        """The items of a dict in the order of their keys."""
        if len(items) < 2:
            return items
        keys = [key for key, _ in items]
        if _can_be_compared(keys):
            return sorted(items, key=itemgetter(0))
        try:
            places = self._arrange(keys, number)
        except _MemberError as failed:
            rest = [(Failure(failed.error), None)] * (len(items) - 1)
            return [(failed.member, None), *rest]
        return [items[i] for i in places] + [(None, None)] * (len(items) - len(places))

    def _arrange(self, members: list[Any], number: Callable[[Any], int]) -> list[int]:
        """The places of the members in their order, in SHALLOW mode those of the values only."""
        values = []
        others = []
        for i, member in enumerate(members):
            key = self._value_key(member)
            if key is None:
                others.append(i)
            else:
                values.append((key, i))
        values.sort(key=itemgetter(0))
        places = [i for _, i in values]
        if len(others) > 1:
            if self.mode == SHALLOW:
                return places
            representatives = {i: self.values.representative(members[i]) for i in others}
            known = self._keys_of(list(representatives.values()))
            # Those that are the same but for where else they are referred to.
            others.sort(key=lambda i: (known[id(representatives[i])], number(representatives[i])))
        return places + others

    def _value_key(self, root: Any) -> bytes | None:
        """A key of a value, which depends on nothing else; None for what is not one."""
        cls: Any = type(root)
        encode: Encoder | None = _SCALARS.get(cls)
        if encode is not None:
            return encode(root)
        if cls is str:
            return b"U" + str.encode(root, "utf-8", "surrogatepass")
        if cls is bytes:
            return bytes.__add__(b"b", root)
        if cls is not tuple and cls is not frozenset and cls not in self.values.parts:
            return None
        known = self._value_keys
        stack: list[Any] = [root]
        while stack:
            top = stack[-1]
            if id(top) in known:
                stack.pop()
                continue
            waiting: list[Any] = []
            key = self._combine_keys(top, waiting)
            if waiting:
                stack += waiting
                continue
            known[id(top)] = top, key
        return known[id(root)][1]

    def _combine_keys(self, obj: Any, waiting: list[Any]) -> bytes | None:
        """The key of a tuple, frozenset or value of parts; what has to have one first goes on
        `waiting`."""
        cls = type(obj)
        parts_of = self.values.parts.get(cls)
        keys = []
        items = obj if parts_of is None else parts_of(obj)
        if items is None:
            return None
        for item in items:
            key: bytes | None
            if type(item) is tuple or type(item) is frozenset:
                known = self._value_keys.get(id(item))
                if known is None:
                    waiting.append(item)
                    continue
                key = known[1]
            else:
                key = self._value_key(item)  # of a value of parts at most: see _key_parts
            if key is None:
                waiting.clear()
                return None
            keys.append(key)
        if cls is frozenset:
            keys.sort()
        name = "" if parts_of is None else cls.__qualname__
        if parts_of is dtype_parts:
            name = "dtype"  # of whatever type: see with_parts
        return (b"{" if cls is frozenset else b"(") + _digest([name.encode(), *keys])

    def _keys_of(self, members: list[Any]) -> dict[int, bytes]:
        """The keys of objects that are no values, under their addresses."""
        signature = frozenset(map(id, members))
        self._asked += 1
        if signature not in self._orders:
            if self.mode == DEEP:
                raise _UnorderedError(signature, members)
            self._find_orders(signature, members)
        return self._orders[signature]

    def _find_orders(self, signature: frozenset[int], members: list[Any]) -> None:
        stack = [(signature, members)]
        places = {signature: 0}
        reached: dict[frozenset[int], tuple[int, int]] = {}
        while stack:
            signature, members = stack[-1]
            mode = SHALLOW if signature in self._cyclic else DEEP
            keys: dict[int, bytes] = {}
            try:
                for member in members:
                    keys[id(member)] = self._object_key(member, mode)
            except _UnorderedError as inner:
                progress = len(keys), self._asked
                if inner.signature in places:
                    self._cyclic.update([s for s, _ in stack[places[inner.signature] :]])
                elif reached.get(signature, (-1, 0)) >= progress:
                    # No further than the last time: it makes other objects each time.
                    self._cyclic.add(signature)
                elif len(stack) > self.reduction_limit:
                    raise endless_error(self.reduction_limit, members[0]) from None
                else:
                    reached[signature] = progress
                    places[inner.signature] = len(stack)
                    stack.append((inner.signature, inner.members))
                continue
            except Exception as error:
                if self.mode == WRITING:
                    done = len(keys) if len(stack) == 1 else reached[stack[0][0]][0]
                    raise _MemberError(stack[0][1][done], error) from None
                raise
            self._orders[signature] = keys
            stack.pop()
            del places[signature]

    def _object_key(self, obj: Any, mode: int) -> bytes:
        known = self._object_keys.get((id(obj), mode))
        if known is not None:
            return known[1]
        before = self.mode
        self.mode = mode
        self._asked = 0
        try:
            key = _digest([self.alone(obj)])
        finally:
            self.mode = before
        self._object_keys[id(obj), mode] = obj, key
        return key

    # --- reductions

    def reduction(
        self, obj: Any, reduction: tuple[Any, ...], number: Callable[[Any], int]
    ) -> tuple[Any, ...]:
        """The six items of a reduction, without what may be otherwise for an equal object."""
        cls = type(obj)
        func, args, state, list_items, dict_items, state_setter = reduction
        if issubclass(cls, (set, frozenset)):
            base = set if issubclass(cls, set) else frozenset
            if find(cls, "__reduce__") is find(base, "__reduce__") and _is_of_list(args):
                args = (self.members(args[0], number),)
        elif cls.__name__ == "ndarray" and state is not None and self.protocol >= 5:
            reduction = _reduce_array(obj, reduction)
            func, args, state, list_items, dict_items, state_setter = reduction
        if state is not None and state_setter is None:
            rule = self._state_rules.get(cls)
            if rule is None:
                rule = self._state_rules[cls] = _state_rule(cls)
            state = rule(obj, state)
        if self.sort_dicts and dict_items is not None and not issubclass(cls, OrderedDict):
            dict_items = self._sorted_items(dict_items, number)
        return func, args, state, list_items, dict_items, state_setter

    def _sorted_items(self, dict_items: Any, number: Callable[[Any], int]) -> Iterator[Any]:
        items = list(dict_items)
        if all([type(item) is tuple and len(item) == 2 for item in items]):
            items = self.items(items, number)
        return iter(items)


def _can_be_compared(members: list[Any]) -> bool:
    """Whether all are of one type whose order needs no keys: by code points, value or bytes."""
    cls = type(members[0])
    return (cls is str or cls is int or cls is bytes) and len({id(type(m)) for m in members}) == 1


def _is_of_list(args: Any) -> bool:
    return type(args) is tuple and len(args) == 1 and type(args[0]) is list


def _reduce_array(obj: Any, reduction: Any) -> Any:
    """NumPy's reduction of an array, which depends on how it lies in memory: of one without gaps,
    and in the byte order that it is read in, as it is read back."""
    ndarray: Any = getattr(sys.modules.get("numpy"), "ndarray", None)
    if type(obj) is not ndarray or obj.dtype.hasobject:
        return reduction
    if not (obj.flags.c_contiguous or obj.flags.f_contiguous):
        obj = obj.copy(order="K")
        reduction = unpack(obj.__reduce_ex__(5))
        if reduction[2] is not None:  # NumPy 1 has no buffer of an order of axes of its own
            obj = obj.copy(order="C")
            reduction = unpack(obj.__reduce_ex__(5))
    if reduction[2] is not None and not obj.dtype.isnative and obj.dtype.names is None:
        # Long doubles have a buffer in the byte order of the machine only.
        reduction = unpack(obj.astype(obj.dtype.newbyteorder("=")).__reduce_ex__(5))
    return reduction


# --- states
#
# What an object fills in when it is used, and what is lost or made otherwise when it is read, is
# left out of its state, or made as its __setstate__ makes it. What others than these do nobody
# knows.


def _state_rule(cls: type) -> Callable[[Any, Any], Any]:
    """The function that does so with an instance of a class and its state."""
    pandas_array = _imported_class("pandas.api.extensions", "ExtensionArray")
    if pandas_array is not None and issubclass(cls, pandas_array):
        return _without_cache
    reader = find(cls, "__setstate__")
    if reader is ABSENT:
        descriptor = find(cls, "__dict__")
        if type(descriptor) is GetSetDescriptorType:
            return partial(_without_own_dict, descriptor.__get__)
        return _as_it_is
    if reader is find(BaseException, "__setstate__"):
        return _without_dict_of_error
    if any([reader is find(base, "__setstate__") for base in (partial, BytesIO, StringIO)]):
        return _without_empty_dict
    ndarray = _imported_class("numpy", "ndarray")
    if ndarray is not None and reader is find(ndarray, "__setstate__"):
        return _in_native_order
    masked_array = _imported_class("numpy.ma", "MaskedArray")
    if masked_array is not None and reader is find(masked_array, "__setstate__"):
        return _with_fill_value
    return _as_it_is


def _imported_class(module_name: str, name: str) -> type | None:
    cls = getattr(sys.modules.get(module_name), name, None)
    return cls if isinstance(cls, type) else None


def _as_it_is(obj: Any, state: Any) -> Any:
    return state


def _without_own_dict(dict_of_instance: Callable[[Any], Any], obj: Any, state: Any) -> Any:
    """With a copy of the instance's own dict.

    What reads it puts the items into the dict of a new instance, so it is not known there
    that other references led to the same dict.
    """
    if type(state) is dict:
        return state.copy() if state is dict_of_instance(obj) else state
    if type(state) is tuple and len(state) == 2 and type(state[0]) is dict:
        return (state[0].copy(), state[1]) if state[0] is dict_of_instance(obj) else state
    return state


def _without_dict_of_error(obj: Any, state: Any) -> Any:
    """The same of an exception, whose dict is made when it is looked at."""
    return (state.copy() or None) if type(state) is dict else state


def _without_empty_dict(obj: Any, state: Any) -> Any:
    """Without a dict that was made when it was looked at: it is the last item."""
    if type(state) is tuple and state and type(state[-1]) is dict and not state[-1]:
        return (*state[:-1], None)
    return state


def _without_cache(obj: Any, state: Any) -> Any:
    """Without what `cache_readonly` of pandas keeps: in the attributes, which may be the last of
    three items, and are left out if there are none."""
    if type(state) is tuple and len(state) == 3 and type(state[2]) is dict:
        attributes = _without_cache(obj, state[2])
        return state[:2] if attributes is None else (*state[:2], attributes)
    if type(state) is dict:
        return {key: value for key, value in state.items() if key != "_cache"} or None
    return state


def _in_native_order(obj: Any, state: Any) -> Any:
    """With the byte order of the machine, in which NumPy's arrays are read."""
    numpy: Any = sys.modules["numpy"]
    if type(state) is not tuple or len(state) != 5 or not isinstance(state[2], numpy.dtype):
        return state
    version, shape, dtype, is_fortran, data = state
    if dtype.isnative or dtype.names is not None or type(data) is not bytes:
        return state
    native = dtype.newbyteorder("=")
    if data:
        data = numpy.frombuffer(data, dtype).astype(native).tobytes()
    return version, shape, native, is_fortran, data


def _with_fill_value(obj: Any, state: Any) -> Any:
    """With a masked array's fill value as it is read, or None, which it is before its first use,
    for one that fills as the default does.

    Views of an array have one such object in common, and are read with one each.
    """
    numpy: Any = sys.modules["numpy"]
    if type(state) is not tuple or len(state) != 7:
        return state
    *of_array, mask, fill_value = state
    of_array = _in_native_order(obj, tuple(of_array))
    dtype = of_array[2]
    default = numpy.asarray(numpy.ma.default_fill_value(dtype))
    fills = default if fill_value is None else numpy.asarray(fill_value)
    if not _fill_alike(fills, default):
        try:
            with numpy.errstate(all="ignore"):  # the default may be too large for the type
                fills, default = fills.astype(dtype), default.astype(dtype)
        except (TypeError, ValueError):
            pass  # the default is none of a type that NumPy does not know
    return (*of_array, mask, None if _fill_alike(fills, default) else fills)


def _fill_alike(one: Any, other: Any) -> bool:
    if one.ndim or one.dtype.names is not None:
        return False
    value, default = one.item(), other.item()
    return type(value) is type(default) and bool(value == default)


def _digest(parts: Iterable[bytes]) -> bytes:
    """A short key for several: what differs gives another one, but for a chance of 2**-64."""
    from hashlib import blake2b  # which takes long to import, and few dumps need it

    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
