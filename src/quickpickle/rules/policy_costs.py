"""class Costs: what a load under a policy has cost so far, and the limits.

The loops themselves count what the opcodes put on the stack: see format/costs.py.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from typing import Any, Final, NoReturn

from ..format.costs import OBJECT_SIZE
from .hashing import Hashes, is_light
from .policy import Policy, PolicyError
from .policy_names import HASHED_BY_THEMSELVES, VALUES

MOST_HASHES: Final = 10_000_000  # objects that are looked at to hash and to compare others
_FEW_KEYS: Final = 256  # whose comparisons are not worth counting
_NESTING: Final = (deque, defaultdict)  # the interpreter frees these by recursion


class Costs:
    """The base class of Guard."""

    __slots__ = (
        "_depths",
        "_equal_hashes",
        "_hashes",
        "_placed",
        "copied",
        "hashed",
        "policy",
    )

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._depths: dict[int, tuple[Any, int]] = {}
        self._placed: dict[int, Any] = {}
        # By the address of a container: it, and how many of its keys have which hash.
        self._equal_hashes: dict[int, tuple[Any, dict[int, int]]] = {}
        self._hashes: Hashes | None = None
        self.begin()

    def begin(self) -> None:
        """Before each load: nothing was spent yet."""
        self.copied = 0
        self.hashed = 0

    def forget(self) -> None:
        """For a load that shares nothing with those before."""
        self._depths.clear()
        self._placed.clear()
        self._equal_hashes.clear()
        self._hashes = None
        self.begin()

    def weigh(self, keys: Any, target: Any = ()) -> None:
        """Before these are hashed, to be keys of a container: what it would cost."""
        costs = []
        for key in keys:
            if is_light(key):
                continue
            hashes = self._hashes
            if hashes is None:
                hashes = self._hashes = Hashes(_classes_of(HASHED_BY_THEMSELVES))
            cost, depth = hashes.cost(key)
            if depth > self.policy.limits.depth:
                self._refuse("depth", f"it hashes what lies {depth} deep in one another")
            self.spend(cost)
            costs.append((key, cost))
        if len(costs) + _length(target) > _FEW_KEYS:
            self._count_equal_hashes(costs, target)

    def spend(self, cost: int) -> None:
        self.hashed += cost
        if self.hashed > MOST_HASHES:
            self._refuse("hashing", "to hash and to compare its keys would take too long")

    def _count_equal_hashes(self, costs: list[tuple[Any, int]], target: Any) -> None:
        """Each key is compared with all that have the same hash and are there already.

        Of light keys only a few can have the same hash.
        """
        counts = self.counts_of(target)
        for key, cost in costs:
            try:
                number = hash(key)
            except TypeError:  # it will be raised again
                return
            found = counts.get(number, 0)
            counts[number] = found + 1
            self.spend(found * cost)

    def counts_of(self, target: Any) -> dict[int, int]:
        """How many keys a container has got, by their hashes; a tuple stands for a new one."""
        if type(target) is tuple:
            return {}
        return self._equal_hashes.setdefault(id(target), (target, {}))[1]

    def _nest(self, target: Any, items: list[Any]) -> None:
        """Deques and defaultdicts in one another: up to 3.13 they are freed by recursion."""
        for item in items:
            if type(item) not in _NESTING or item is target:
                continue
            depth = self._depths.get(id(item), (None, 1))[1] + 1
            if depth > self.policy.limits.depth or id(target) in self._placed:
                self._refuse("depth", f"it puts a {type(item).__name__} deep into others")
            if depth > self._depths.get(id(target), (None, 1))[1]:
                self._depths[id(target)] = target, depth
            self._placed[id(item)] = item

    def _charge(self, value: Any) -> None:
        """A call may copy a value: what a copy would take."""
        kind = type(value)
        if kind is str or kind is bytes or kind is bytearray:
            self.copied += len(value)
        elif kind in VALUES and kind not in (int, float, complex):
            self.copied += OBJECT_SIZE * len(value)
        else:
            return
        if self.copied > self.policy.limits.memory:
            self.check_copied()

    def check_copied(self) -> None:
        """Check how many bytes calls and states have copied."""
        if self.copied > self.policy.limits.memory:
            self._refuse("memory", f"its calls copy more than {self.policy.limits.memory} bytes")

    def check_length(self, count: int) -> None:
        """A payload of so many bytes is about to be read from a file."""
        if count > self.policy.limits.memory:
            self._refuse("memory", f"it declares {count} bytes")

    def too_many(self, objects: int) -> NoReturn:
        """The loop has counted more objects, or more memory, than the limits allow."""
        limits = self.policy.limits
        if objects > limits.objects:
            self._refuse("objects", f"it has more than {limits.objects} objects")
        self._refuse("memory", f"it takes more than {limits.memory} bytes")

    def _refuse(
        self, rule: str, refused: str, name: str | None = None, advice: str | None = None
    ) -> NoReturn:
        raise PolicyError(refused, rule=rule, name=name, advice=advice)


def _length(container: Any) -> int:
    """How many keys it has, whatever its class says."""
    base: Any = next(base for base in (tuple, dict, set) if issubclass(type(container), base))
    return int(base.__len__(container))


def _classes_of(names: tuple[str, ...]) -> list[type]:
    """Those that are imported by now: no instance of another one can be in the pickle."""
    found = []
    for full in names:
        module, _, name = full.rpartition(".")
        cls = getattr(sys.modules.get(module), name, None)
        if isinstance(cls, type):
            found.append(cls)
    return found
