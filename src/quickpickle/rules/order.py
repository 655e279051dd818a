"""deterministic=True: the same value gives the same bytes.

Three things of an object are no part of its value, and yet show in its pickle: which of its equal
strings, bytes and tuples are one object; in what order its sets happen to hash; and what its use
or a round trip changes of its state, such as whether an instance's own dict is referred to from
elsewhere too. `Representatives` takes care of the first, `Order` of the second, `state_rule` of
the third.

Where versions of the interpreter differ in what they write of builtin types, this mode writes
what 3.11 does, see `last_goes_alone` in pickling/stream.py.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final, NamedTuple

from .nesting import endless_error
from .reductions import find
from .representatives import SCALARS, dtype_parts
from .scalars import Encoder
from .states import reduce_array, state_rule


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
        self.state_rules: dict[type, Any] = {}

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
        self.state_rules.clear()

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
        encode: Encoder | None = SCALARS.get(cls)
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
            reduction = reduce_array(obj, reduction)
            func, args, state, list_items, dict_items, state_setter = reduction
        if state is not None and state_setter is None:
            rule = self.state_rules.get(cls)
            if rule is None:
                rule = self.state_rules[cls] = state_rule(cls)
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


def _digest(parts: Iterable[bytes]) -> bytes:
    """A short key for several: what differs gives another one, but for a chance of 2**-64."""
    from hashlib import blake2b  # which takes long to import, and few dumps need it

    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
