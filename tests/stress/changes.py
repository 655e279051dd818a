"""Random graphs whose own objects change them while they are pickled: nothing freed is read.

    PYTHONMALLOC=debug python tests/stress/changes.py --seconds 600

The bytes cannot be foreseen, so this checks only what always has to hold: no crash, a pickle that
ends where its bytes do, a memo that can be read, and a Pickler that can be used again. A crash
names its seed; `--seed` runs that one alone. `make changes` is this.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import copyreg
import datetime as dt
import decimal
import faulthandler
import gc
import io
import pickletools
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

PROBABLY = 0.3


class Changes:
    """Acts on the graph that is being pickled, now and then, but not while it acts."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.pool: list[Any] = []
        self.acting = False
        self.left = 100  # what grows while it is written would have no end
        self.pickler: Any = None

    def __call__(self) -> None:
        if self.acting or self.left == 0:
            return
        self.acting = True
        self.left -= 1
        try:
            for _ in range(self.rng.randrange(1, 5)):
                with contextlib.suppress(Exception):
                    change(self.rng, self.rng.choice(self.pool))
            with contextlib.suppress(Exception):
                if self.rng.random() < 0.05:
                    self.pickler.memo.copy()
                if self.rng.random() < 0.02:
                    self.pickler.clear_memo()
            _ = [[i] for i in range(50)]  # in the memory of what was there
        finally:
            self.acting = False


changes: Changes | None = None

# Before 3.12 the collector may run while the interpreter makes the dict of an instance. Code
# that asks for that dict then makes a second one of the same attributes, and they are freed twice.
# That happens without a pickler too.
is_making_dict = False


def act() -> None:
    if changes is not None and changes.rng.random() < PROBABLY:
        changes()


class Plain:
    pass


class Acting:
    def __reduce__(self) -> tuple[Any, ...]:
        act()
        if changes is not None and changes.rng.random() < 0.1:
            raise ValueError("as it may")
        return int, ()


class Finalized:
    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([LastOne(), [1.5]],)

    def __del__(self) -> None:
        act()


class LastOne(Finalized):
    def __reduce__(self) -> tuple[Any, ...]:
        return int, ()


class WithState:
    def __getstate__(self) -> Any:
        act()
        return vars(self)


class Slots:
    __slots__ = ("first", "second")


class Key(str):
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        act()
        return str.__eq__(self, other)


class ListOfMine(list[Any]):
    pass


class DictOfMine(dict[Any, Any]):
    pass


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclass
class Record:
    name: str
    parts: Any


@dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    parts: Any


def leaf(rng: random.Random) -> Any:
    make: Callable[[], Any] = rng.choice(
        [
            lambda: rng.randrange(300),
            lambda: rng.random(),
            lambda: f"text {rng.randrange(1000)}",
            lambda: f"é{rng.randrange(1000)}" * 10,
            lambda: bytes(rng.randrange(20)),
            lambda: bytearray(rng.randrange(20)),
            lambda: "x" * 70_000 + str(rng.random()),
            lambda: 2 ** rng.randrange(200),
            lambda: dt.datetime(2020, 1, 1 + rng.randrange(28)),
            lambda: dt.timedelta(rng.randrange(28)),
            lambda: decimal.Decimal(rng.randrange(10_000)),
            lambda: None,
            Acting,
            Finalized,
        ]
    )
    return make()


def container(rng: random.Random, items: list[Any]) -> Any:
    names = [f"name{i}" for i in range(len(items))]

    def instance(cls: type) -> Any:
        obj = cls()
        vars(obj).update(zip(names, items, strict=True))
        return obj

    def slots() -> Any:
        obj = Slots()
        obj.first, obj.second = items[0], items[-1]
        return obj

    make: Callable[[], Any] = rng.choice(
        [
            lambda: list(items),
            lambda: tuple(items),
            lambda: dict(zip(names, items, strict=True)),
            lambda: dict(zip(map(Key, names), items, strict=True)),
            lambda: {i for i in items if isinstance(i, str | int | bytes | float)},
            lambda: frozenset(i for i in items if isinstance(i, str | int | bytes | float)),
            lambda: collections.deque(items),
            lambda: collections.OrderedDict(zip(names, items, strict=True)),
            lambda: collections.defaultdict(list, zip(names, items, strict=True)),
            lambda: ListOfMine(items),
            lambda: DictOfMine(zip(names, items, strict=True)),
            lambda: instance(Plain),
            lambda: instance(Plain),
            lambda: instance(WithState),
            lambda: Record(names[0], items),
            lambda: Frozen(names[0], items),
            lambda: Pair(items[0], items[-1]),
            slots,
        ]
    )
    return make()


def graph(rng: random.Random) -> list[Any]:
    """All objects, the last one being the root; most have one reference only, that of another."""
    pool: list[Any] = [[leaf(rng)]]
    for _ in range(rng.randrange(3, 25)):
        items = [leaf(rng) for _ in range(rng.randrange(1, 6))]
        items += rng.sample(pool, min(len(pool), rng.randrange(3)))
        pool.append(container(rng, items))
    pool.append(list(pool))
    return pool


def change(rng: random.Random, obj: Any) -> None:
    """Change an object somehow."""
    if isinstance(obj, list | collections.deque):
        way = rng.randrange(4)
        if way == 0:
            obj.clear()
        elif way == 1:
            obj.append([leaf(rng)])
        elif way == 2:
            obj[rng.randrange(len(obj))] = leaf(rng)
        else:
            obj.pop()
    elif isinstance(obj, dict):
        way = rng.randrange(3)
        if way == 0:
            obj.clear()
        elif way == 1:
            obj[f"new{rng.randrange(9)}"] = [leaf(rng)]
        else:
            obj.popitem()
    elif isinstance(obj, set | bytearray):
        obj.clear()
    elif isinstance(obj, Slots):
        obj.first = leaf(rng)
        if rng.random() < PROBABLY:
            del obj.second
    elif isinstance(obj, Plain | WithState | Record) and not is_making_dict:
        way = rng.randrange(4)
        if way == 0:
            obj.__dict__ = {"other": [leaf(rng)]}
        elif way == 1:
            vars(obj).clear()
        elif way == 2:
            obj.__class__ = rng.choice([Plain, WithState, Record])
        else:
            obj.more = leaf(rng)


def options_of(rng: random.Random, collects: bool) -> dict[str, Any]:
    options: dict[str, Any] = {"protocol": rng.randrange(6)}
    if rng.random() < 0.2:
        options["compact"] = True
    # CPython 3.11 itself crashes where the collector empties a dict of which it makes a copy.
    if rng.random() < 0.2 and not collects:
        options["deterministic"] = True
    if rng.random() < 0.2:
        options["progress"] = lambda objects, size: act()
    return options


def run(implementation: ModuleType, seed: int) -> None:
    """Pickle one graph, several times with one Pickler."""
    global changes
    rng = random.Random(seed)

    class Asks(implementation.Pickler):  # type: ignore[name-defined, misc]
        def persistent_id(self, obj: Any) -> Any:
            act()
            return None

    class Overrides(implementation.Pickler):  # type: ignore[name-defined, misc]
        def reducer_override(self, obj: Any) -> Any:
            act()
            return NotImplemented

    chunks: list[bytes] = []

    def write(data: Any) -> int:
        chunks.append(bytes(data))
        size = len(data)
        del data
        act()
        return size

    def collected(phase: str, info: Any) -> None:
        global is_making_dict
        is_making_dict = sys.version_info < (3, 12)  # perhaps
        if collects and rng.random() < 0.1:
            act()
        if phase == "stop":
            is_making_dict = False

    cls = rng.choice([implementation.Pickler, implementation.Pickler, Asks, Overrides])
    file = io.BytesIO() if rng.random() < 0.5 else SimpleNamespace(write=write)
    made = graph(rng)
    root = made[-1]
    collects = rng.random() < 0.5
    pickler = cls(file, **options_of(rng, collects))
    if rng.random() < 0.1:
        pickler.dispatch_table = copyreg.dispatch_table.copy()
    now = Changes(rng)
    now.pool = made if rng.random() < 0.5 else [root, *rng.sample(made, min(3, len(made)))]
    del made
    now.pickler = pickler
    threshold = gc.get_threshold()
    gc.callbacks.append(collected)
    if collects:
        gc.set_threshold(1 + rng.randrange(20))
    changes = now
    try:
        for _ in range(3):
            start = file.tell() if isinstance(file, io.BytesIO) else len(chunks)
            try:
                if rng.random() < 0.3:
                    data = implementation.dumps(root, **options_of(rng, collects))
                else:
                    pickler.dump(root)
                    written = isinstance(file, io.BytesIO)
                    data = file.getvalue()[start:] if written else b"".join(chunks[start:])
            except Exception:
                with contextlib.suppress(ValueError):
                    pickler.clear_memo()
            else:
                *_, (opcode, _, position) = pickletools.genops(data)
                assert opcode.name == "STOP", seed
                assert position == len(data) - 1, seed
            for _, obj in pickler.memo.copy().values():
                type(obj)
    finally:
        changes = None
        gc.set_threshold(*threshold)
        gc.callbacks.remove(collected)
    pickler.clear_memo()
    pickler.dump([1, "a", [2]])


def main() -> None:
    import quickpickle

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    faulthandler.enable()
    if arguments.seed is not None:
        run(quickpickle, arguments.seed)
        return
    first = seed = time.time_ns() >> 20
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        print(f"\rseed {seed}", end="", file=sys.stderr)
        run(quickpickle, seed)
        seed += 1
    print(f"\n{seed - first:,} graphs, from seed {first} on ({quickpickle.implementation})")


if __name__ == "__main__":
    main()
