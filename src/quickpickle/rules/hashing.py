"""The cost of hashing an object, found without hashing it.

A tuple hashes all that is in it, each time. So a tuple that contains another one twice, which
contains a third one twice, and so on, takes twice as long for each of them: a few hundred bytes
that take years. And the interpreter's stack ends where tuples lie too deep in one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

# A hash of these costs no more than to read them: it is kept, or they are short.
QUIET: Final = frozenset({str, bytes, float, bool, type(None)})
_SHORT_INT: Final = 1 << 63
_WORD: Final = 64  # bits


def own_cost(obj: Any) -> int:
    """That of an object without what it contains."""
    return 1 + int.bit_length(obj) // _WORD if issubclass(type(obj), int) else 1


def is_light(obj: Any) -> bool:
    """Whether a hash of it costs nothing worth counting."""
    if type(obj) is int:
        return -_SHORT_INT <= obj < _SHORT_INT
    return type(obj) in QUIET


class Hashes:
    """The cost of hashes, in objects that are looked at, and how deep these lie."""

    __slots__ = ("_known", "_plain")

    def __init__(self, plain: Iterable[type]) -> None:
        self._known: dict[int, tuple[Any, int, int]] = {}  # tuples, kept alive: cost and depth
        self._plain = frozenset(plain)  # instances of these have nothing in them to hash

    def cost(self, key: Any) -> tuple[int, int]:
        """The cost of a hash, and the depth."""
        if type(key) is tuple:
            total = 1
            for item in key:
                if type(item) not in QUIET and type(item) is not int:
                    break
                total += own_cost(item)
            else:
                return total, 1
        elif type(key) in QUIET or type(key) is int:
            return own_cost(key), 0
        return self._walk(key)

    def _walk(self, key: Any) -> tuple[int, int]:
        known = self._known
        found: dict[int, tuple[int, int]] = {}  # of this walk: instances may change after it
        held = []  # what is made for the walk, so that no address is used again
        open_: set[int] = set()
        stack = [(key, self._members(key), True)]
        held.append(stack[0][1])
        while stack:
            obj, members, is_new = stack[-1]
            if is_new:
                if id(obj) in found:  # it was in its container twice
                    stack.pop()
                    continue
                stack[-1] = (obj, members, False)
                open_.add(id(obj))
                for item in members:
                    at = id(item)
                    if at in found or at in open_:
                        continue
                    if at in known:
                        found[at] = known[at][1:]
                        continue
                    inner = self._members(item)
                    if inner:
                        held.append(inner)
                        stack.append((item, inner, True))
                    else:
                        found[at] = (own_cost(item), 0)
                continue
            stack.pop()
            open_.discard(id(obj))
            total, depth, is_fixed = own_cost(obj), 0, type(obj) in (tuple, frozenset)
            for item in members:
                # An object that contains itself has no hash, or one that leaves it out.
                cost, below = found.get(id(item), (1, 0))
                total += cost
                depth = max(depth, below)
                is_fixed = is_fixed and (
                    id(item) in known
                    or type(item) in QUIET
                    or type(item) is int
                    or type(item) in self._plain
                )
            found[id(obj)] = (total, depth + 1)
            if is_fixed:
                known[id(obj)] = (obj, total, depth + 1)
        return found[id(key)]

    def _members(self, obj: Any) -> Any:
        """The objects that a hash of this one may look at."""
        kind = type(obj)
        if kind is tuple or kind is frozenset:
            return obj
        if kind in QUIET or kind is int or kind in self._plain or issubclass(kind, type):
            return ()
        own_hash: Any = kind.__hash__
        if own_hash is None or own_hash is object.__hash__:
            return ()
        members: list[Any] = []
        for base in (tuple, frozenset):
            if issubclass(kind, base):
                members += base.__iter__(obj)
        members += _attributes(obj)
        return members


def _attributes(obj: Any) -> list[Any]:
    """The values of an instance's attributes and slots, found without running its code."""
    found = []
    for cls in type(obj).__mro__:
        for attribute in vars(cls).values():
            if type(attribute) is _Member:
                with suppress(AttributeError):
                    found.append(attribute.__get__(obj))
    try:
        attributes = object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return found
    if type(attributes) is dict:
        found += attributes.values()
    return found


class _Slotted:
    __slots__ = ("slot",)


_Member: Final = type(vars(_Slotted)["slot"])
