"""Object graphs and options, drawn from a byte string: every pickler has to write the same.

`check(data)` draws and compares: the native pickler, the Python one and the standard library's;
`compact=True` with `pickletools.optimize`; `deterministic=True` of both. `make fuzz` makes up the
bytes, led by the coverage they reach; `test_corpus.py` takes those of `corpus/graphs`.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import gc
import io
import pickle
import pickletools
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from conftest import IMPLEMENTATIONS
from differential import outcome
from graphs import CONTAINERS, SIZES, gives_up, link
from models import Color, Data, Flags, Plain, ReducedWithItems, StrSub

MOST_NODES = 100
MOST_LARGE = 4
MOST_ITEMS = 3000  # of rows and batches
MOST_HASHED = 10_000  # items, without sharing: so many a hash of nested tuples visits
REDUCTION_LIMIT = 2000  # more than the standard pickler's depth
FRAME = 65536

# A new kind of atom or container goes to the end: the inputs of the corpus count them.
ATOMS: list[Any] = [
    *(None, True, False, ..., NotImplemented, "", b"", (), frozenset(), 1.5, float("nan"), 2j),
    *(0, 255, 256, 65535, 65536, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63, -(2**2040)),
    *(int, len, Plain, Data, Color.RED, Flags.A, Flags.A | Flags.B, type(None), "".join),
    *(dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.timedelta(1), range(3)),
    *("é" * 128, "\ud800", "\n\\\0", "x" * 255, "x" * 256, b"b" * 255, b"b" * 256, StrSub("sub")),
]
KINDS = sorted(CONTAINERS)


class Source:
    """Numbers out of a byte string; zeros once it is at its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def below(self, limit: int) -> int:
        self.pos += 1
        return self.data[self.pos - 1] % limit if self.pos <= len(self.data) else 0

    def choose(self, values: Any) -> Any:
        return values[self.below(len(values))]

    def has_ended(self) -> bool:
        return self.pos >= len(self.data)


class Graph:
    """Nodes, each made from nodes before it, and links that may close cycles."""

    def __init__(self, source: Source) -> None:
        self.nodes: list[Any] = [None]
        self.is_cyclic = False
        self.is_builtin = True  # no instance of any class in it
        self.sizes = [1]  # of each node, without sharing
        self.large = self.items = 0
        while not source.has_ended() and len(self.nodes) < MOST_NODES:
            self._step(source)
        self.root = source.choose([self.nodes, self.nodes[-1], (self.nodes[-1], self.nodes)])

    def _add(self, node: Any, size: int = 1) -> None:
        self.nodes.append(node)
        self.sizes.append(size)

    def _index(self, source: Source) -> int:
        return -1 - source.below(len(self.nodes))

    def _step(self, source: Source) -> None:
        step = source.below(16)
        if step < 3:
            atom = source.choose(ATOMS)
            self.is_builtin &= type(atom) in (type(None), bool, int, str, bytes, complex)
            self._add(atom)
        elif step == 3:
            self._add(source.below(256) << source.below(200))
        elif step == 4:
            make = source.choose([str, bytes, bytearray, "é".__mul__, float, StrSub, complex, str])
            self.is_builtin &= make is not StrSub
            self._add(make(source.below(256)))
        elif step in (5, 6):  # around the size of a frame, and of several
            self._add_large(source)
        elif step in (7, 8, 9, 10):
            kind = source.choose(KINDS)
            indices = [self._index(source) for _ in range(source.below(6))]
            members = [self.nodes[i] for i in indices]
            size = sum(self.sizes[i] for i in indices) + 1
            if size > MOST_HASHED and ("set" in kind or "by node" in kind):
                return
            if source.below(64) == 63 and self.items < MOST_ITEMS:
                batch = source.choose(SIZES)
                self.items += batch
                members += range(batch - len(members))
                size += batch
            self.is_builtin &= kind in ("list", "tuple", "dict", "set", "frozenset")
            self._add(CONTAINERS[kind](members), 2 * size)  # "dict by node" has them twice
        elif step == 11:  # many references
            index, count = self._index(source), source.below(256)
            make = source.choose([list, tuple])
            if type(self.nodes[index]) is pickle.PickleBuffer:
                count %= 4  # each is written whole
            self._add(make([self.nodes[index]]) * count, self.sizes[index] * count + 1)
        elif step == 12:  # what fills frames piece by piece
            make = source.choose([str, int, float, "é".__mul__, lambda i: [i], lambda i: {i: i}])
            count = source.below(256) * source.choose([1, 1, 1, 1, 1, 1, 1, 16])
            if self.items + count > MOST_ITEMS:
                count %= 8
            self.items += count
            self._add([make(i) for i in range(count)], 2 * count + 1)
        elif step == 13:
            payload = bytes(source.choose([0, 1, 300, FRAME - 1, FRAME, FRAME + 1]))
            make = source.choose([bytes, bytearray])
            self.is_builtin = False
            self._add(pickle.PickleBuffer(make(payload)))
        else:
            node, target = self._index(source), self._index(source)
            self.is_cyclic = True
            link(self.nodes[node], self.nodes[target])

    def _add_large(self, source: Source) -> None:
        frames = source.choose([1] * 12 + [2] * 2 + [3, 32])
        size = frames * FRAME + source.below(256) - 128
        make: Callable[[int], Any] = source.choose(["x".__mul__, bytes, bytearray, "é".__mul__])
        self.large += frames
        is_too_much = self.large > MOST_LARGE and self.large > frames
        # With fast each reference is written whole.
        self._add(make(size % 300 if is_too_much else size), 500 * frames)


class Case:
    """The uses of a graph."""

    def __init__(self, source: Source) -> None:
        self.protocol = source.below(pickle.HIGHEST_PROTOCOL + 1)
        self.way = source.choose(WAYS)
        hooks = source.below(256)
        self.bases = tuple(hook for bit, hook in enumerate(HOOKS) if hooks >> bit & 1)
        if self.way is not by_pickler:
            self.bases = ()
        self.fast = bool(hooks & 64)
        self.collects = bool(hooks & 128)
        options = source.below(256)
        self.fix_imports = not options & 1
        self.out_of_band = bool(options & 2) and self.protocol == 5
        self.repeat = options >> 2 & 3
        self.clears = bool(options & 16)
        self.graph = Graph(source)
        if self.graph.is_cyclic or max(self.graph.sizes) > 3000 or len(self.graph.nodes) > 30:
            self.fast = False  # it writes what is shared each time, and what is cyclic not at all
        if sys.version_info < (3, 14) and frozenset in map(type, self.graph.nodes):
            self.fast = False  # CPython counts each of them as nested in those before

    def run(self, module: ModuleType, **options: Any) -> Any:
        """The outcome with one module: bytes and buffers, or an exception."""
        buffers: list[bytes] = []

        def callback(buffer: pickle.PickleBuffer) -> bool:
            raw = bytes(buffer.raw())
            buffers.append(raw)
            return len(raw) % 2 == 0

        options["fix_imports"] = self.fix_imports
        if self.out_of_band:
            options["buffer_callback"] = callback

        def action() -> Any:
            return self.way(self, module, options), buffers

        return outcome(action)


def by_dumps(case: Case, module: ModuleType, options: dict[str, Any]) -> bytes:
    return module.dumps(case.graph.root, case.protocol, **options)


def by_dump(case: Case, module: ModuleType, options: dict[str, Any], file: Any = None) -> bytes:
    file = io.BytesIO() if file is None else file
    module.dump(case.graph.root, file, case.protocol, **options)
    file.seek(0)
    return file.read()


def to_buffered_file(case: Case, module: ModuleType, options: dict[str, Any]) -> bytes:
    with tempfile.TemporaryFile() as file:
        return by_dump(case, module, options, file)


def to_raw_file(case: Case, module: ModuleType, options: dict[str, Any]) -> bytes:
    with tempfile.TemporaryFile(buffering=0) as file:
        return by_dump(case, module, options, file)


class PythonFile:
    """A file whose `write` is Python code."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: Any) -> None:
        self.parts.append(bytes(data))


def to_python_file(case: Case, module: ModuleType, options: dict[str, Any]) -> bytes:
    file = PythonFile()
    module.dump(case.graph.root, file, case.protocol, **options)
    return b"".join(file.parts)


def by_pickler(case: Case, module: ModuleType, options: dict[str, Any]) -> Any:
    file = io.BytesIO()
    pickler = type("Sub", (*case.bases, module.Pickler), {})(file, case.protocol, **options)
    if case.fast:
        pickler.fast = True
    ends = []
    for i in range(case.repeat + 1):
        pickler.dump(case.graph.root if i < 2 else case.graph.nodes)
        ends.append(file.tell())
        if case.clears or options.get("compact"):
            pickler.clear_memo()
    data = file.getvalue()
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class PersistentId:
    def persistent_id(self, obj: Any) -> Any:
        return f"id {len(obj)}" if type(obj) is str and obj.startswith("x") else None


class PersistentNumber:
    def persistent_id(self, obj: Any) -> Any:
        return (len(obj.args), "id") if type(obj) is ReducedWithItems else None


class ReducerOverride:
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is Plain:
            return Plain, (), dict(vars(obj))
        return (list, ("override",)) if obj is Plain else NotImplemented


def reduce_data(obj: Any) -> Any:
    return ReducedWithItems, (obj.first,)


class DispatchTable:
    dispatch_table = {Data: reduce_data}  # noqa: RUF012


class CopyregTable:
    dispatch_table = copyreg.dispatch_table


WAYS = [by_dumps, by_dump, to_buffered_file, to_raw_file, to_python_file, by_pickler, by_pickler]
HOOKS = [PersistentId, PersistentNumber, ReducerOverride, DispatchTable, CopyregTable]


def seeds() -> Iterator[bytes]:
    """The first inputs: large strings and full frames, with many references in between."""
    rng = random.Random(1)
    for i in range(120):
        header = bytes(
            [(4, 5, i % 6)[i % 3], i % len(WAYS), rng.randrange(256), rng.randrange(256)]
        )
        steps = bytearray()
        for _ in range(rng.choice([4, 10, 25])):
            step = rng.choice([5, 6, 11, 12] if i % 2 else range(16))
            steps += bytes([step, *rng.randbytes(rng.randrange(2, 6))])
        yield header + steps


def check(data: bytes) -> bool:
    """Draw from `data` and compare; return whether there was anything to load."""
    case = Case(Source(data))
    for module in IMPLEMENTATIONS.values():
        module.Pickler.reduction_limit = REDUCTION_LIMIT
    expected = case.run(pickle)
    results = run_all(case)
    if gives_up(expected):
        assert all(gives_up(result) for result in results.values()), data
    else:
        for name, result in results.items():
            assert_equal(result, expected, data, name)
    compacted = run_all(case, compact=True)
    deterministic = run_all(case, deterministic=True)
    for name, result in deterministic.items():
        assert_equal(result, deterministic["python"], data, f"{name}, deterministic")
    if type(expected[0]) is type:  # an exception
        for name, result in compacted.items():
            assert result[0] is expected[0], (name, data, result, expected)
        return False
    # With repeated dumps the memo has to be empty before each; one more run says what is in them.
    case.clears = True
    plain = case.run(pickle)
    optimized = [pickletools.optimize(part) for part in as_list(plain[0])], plain[1]
    for name, result in compacted.items():
        assert_equal((as_list(result[0]), result[1]), optimized, data, f"{name}, compact")
    return check_loads(case, plain, deterministic["python"], data)


def run_all(case: Case, **options: Any) -> dict[str, Any]:
    results = {}
    for name, module in IMPLEMENTATIONS.items():
        thresholds = gc.get_threshold() if name == "native" else ()
        if case.collects and name == "native":
            gc.set_threshold(1, 10, 10_000)  # all of the heap takes long
        try:
            results[name] = case.run(module, **options)
        finally:
            if thresholds:
                gc.set_threshold(*thresholds)
    return results


def as_list(written: Any) -> list[bytes]:
    return written if isinstance(written, list) else [written]


def check_loads(case: Case, plain: Any, deterministic: Any, data: bytes) -> bool:
    """An object that the plain pickle loads, the deterministic one loads too."""
    if case.bases or type(deterministic[0]) is type or isinstance(plain[0], list):
        return False
    loaded = outcome(lambda: pickle.loads(plain[0], buffers=plain[1]))
    again = outcome(lambda: pickle.loads(deterministic[0], buffers=deterministic[1]))
    assert type(loaded) is type(again), data
    if case.graph.is_builtin and case.protocol >= 3:
        # The same value, the same bytes: what was loaded is the same value.
        module = IMPLEMENTATIONS["python"]
        for value in (loaded, again):
            written = module.dumps(
                value, case.protocol, deterministic=True, fix_imports=case.fix_imports
            )
            assert_equal(written, deterministic[0], data, "deterministic, loaded")
    return True


def assert_equal(ours: Any, theirs: Any, data: bytes, name: str) -> None:
    """An assertion whose message is not megabytes."""
    if ours != theirs:
        raise AssertionError(f"{name}: {data!r}\n{shorten(ours)}\nis not\n{shorten(theirs)}")


def shorten(result: Any) -> str:
    text = repr(result)
    return text if len(text) < 1000 else f"{text[:500]} … {text[-500:]}"
