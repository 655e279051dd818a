"""Damaged pickles for the Unpicklers: each has the outcome that the interpreter's own has.

    python tests/fuzzing/fuzz_loads.py --count 200000 --seed 1

The objects are compared, down to the identity of their parts; or the types and messages of the
exceptions. The same is done for the next load() of the same Unpickler. Names lead to
a few harmless classes and functions, so that nothing that a pickle says can do harm. `make fuzz`
makes up the bytes; `unpickling/test_load_damaged.py` does the same with a few thousand. The
messages about a "deallocated bytearray" are CPython 3.11's own, of its Unpickler.
"""

from __future__ import annotations

import argparse
import io
import pickle
import random
import sys
import time
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import UNPICKLERS
from differential import is_without_the_memory, load_outcome
from fuzzing import fuzz_inspect
from quickpickle.format import opcodes as op
from quickpickle.format.decode import ARGUMENT_OF, COUNTED1, LINE, NO_OPCODE, TWO_LINES
from unpickling import load_cases

# The objects that names stand for. None of them takes memory or time by its arguments.
NAMES: list[Any] = [
    *(
        value
        for value in vars(load_cases).values()
        if getattr(value, "__module__", "") == load_cases.__name__
    ),
    *(list, dict, set, frozenset, tuple, int, float, complex, object, slice, len, Exception),
]
NAMES = [
    value
    for value in NAMES
    if isinstance(value, type) or value in (len, load_cases.function, load_cases.fails)
]
_NAMING = b"ci\x82\x83\x84\x93"  # opcodes that find a name
_MOST_ENTRIES = 1 << 20  # _pickle takes memory for all entries up to the highest, before 3.15


def find(module: str, name: str) -> Any:
    return NAMES[zlib.crc32(f"{module} {name}".encode("utf-8", "replace")) % len(NAMES)]


class Hooks:
    """Mixed into an Unpickler."""

    def find_class(self, module: str, name: str) -> Any:
        return find(module, name)

    def persistent_load(self, pid: Any) -> Any:
        return ["persistent", pid]


CLASSES = {
    module: type("Restricted", (Hooks, module.Unpickler), {})
    for module in (pickle, *UNPICKLERS.values())
}


def seeds() -> list[bytes]:
    """Whole pickles, and some of opcodes that no Pickler writes."""
    items = list(load_cases.ITEMS.values())
    made = [op.MARK + b"".join(items) + op.TUPLE + b"."]
    for code, arguments in load_cases.ARGUMENTS.items():
        made += [b"".join(items[:7]) + b"(NN" + code + arguments[0] + b"e0."]
    for name in ("Extends", "Appends", "Adds", "Sets", "SetsState", "ManyList", "ManyDict", "New"):
        made.append(load_cases.made(name, b"N") + b"(NNe(NN\x90(NNuNaNNs}b.")
        made.append(b"\x80\4" + load_cases.made(name, b"N") + b"\x94(h\0Neh\0\x94.")
    return [*fuzz_inspect.seeds(), *made]


def compositions(count: int, seed: int) -> Iterator[bytes]:
    """Opcodes with arguments in any order: most of them are wrong at some place, not at once."""
    rng = random.Random(seed)
    items = list(load_cases.ITEMS.values())
    cases = [data for _, data in load_cases.with_arguments()]
    names = [
        load_cases.named(name)
        for name, value in vars(load_cases).items()
        if isinstance(value, type)
    ]
    for _ in range(count):
        parts = []
        for _ in range(rng.randrange(1, 14)):
            choice = rng.choices((items, names, [op.MARK], cases), (5, 1, 1, 4))[0]
            parts.append(rng.choice(choice))
        if rng.random() < 0.1:
            parts.insert(rng.randrange(len(parts)), load_cases.frame(rng.randrange(30)))
        yield b"".join(parts) + b"."


def is_expensive(data: bytes) -> bool:
    """Whether `_pickle` would take gigabytes: for a memo with a high index."""
    pos = 0
    while pos < len(data):
        code, argument = data[pos], ARGUMENT_OF[data[pos]]
        start = pos + 1
        if argument < COUNTED1:
            pos = start + argument
        elif argument in (LINE, TWO_LINES):
            pos = data.find(b"\n", start) + 1
            if argument == TWO_LINES and pos:
                pos = data.find(b"\n", pos) + 1
            if not pos:
                return False
            if bytes([code]) == op.PUT and pos - start > 7:
                return True
        elif argument == NO_OPCODE:
            return False
        else:
            width = argument & 0x0F
            pos = start + width + int.from_bytes(data[start : start + width], "little")
        if bytes([code]) == op.LONG_BINPUT:
            index = int.from_bytes(data[start : start + 4], "little")
            if index > _MOST_ENTRIES:
                return True
    return False


def two_loads(module: ModuleType, data: bytes, by_peek: bool) -> list[Any]:
    """The outcome of two load() of one Unpickler, the first of which may fail."""
    file: Any = io.BytesIO(data)
    unpickler = CLASSES[module](
        io.BufferedReader(file) if by_peek else file, buffers=[b"buffer", bytearray(b"other")]
    )
    first = load_outcome(unpickler.load)
    if type(first) is tuple:  # the memo: see docs/differences.md
        unpickler.memo.clear()
        return [first]
    return [first, load_outcome(unpickler.load)]


def check(data: bytes) -> bool:
    """Compare; return whether the first pickle loads."""
    if is_expensive(data):
        for module in UNPICKLERS.values():
            two_loads(module, data, False)
        return False
    results = {}
    for by_peek in (False, True):
        theirs = two_loads(pickle, data, by_peek)
        for name, module in UNPICKLERS.items():
            ours = two_loads(module, data, by_peek)
            assert _is_same(ours, theirs), (name, by_peek, data, ours, theirs)
        results[by_peek] = theirs
    if not any(code in data for code in _NAMING):
        theirs = load_outcome(lambda: pickle.loads(data))
        for name, module in UNPICKLERS.items():
            ours = load_outcome(lambda: module.loads(data))  # noqa: B023
            assert _is_same([ours], [theirs]), (name, data, ours, theirs)
    return type(results[False][0]) is list


def _is_same(ours: list[Any], theirs: list[Any]) -> bool:
    if ours == theirs:
        return True
    # Before 3.15 _pickle asks for the memory of what is not there.
    last = len(theirs) - 1
    if ours[:last] != theirs[:last]:
        return False
    if theirs[last][0] is MemoryError:
        return True
    return is_without_the_memory(ours[last], theirs[last])


def inputs(count: int, seed: int) -> Iterator[bytes]:
    """Half of them damaged, half of them composed."""
    with_seeds = fuzz_inspect.mutations(count - count // 2, seed, seeds())
    composed = compositions(count // 2, seed)
    for data in with_seeds:
        yield data
        yield from (other for other, _ in zip(composed, (None,), strict=False))


def run(count: int, seed: int) -> int:
    """Check so many; return how many loaded."""
    loaded = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of escapes in strings
        for i, data in enumerate(inputs(count, seed)):
            try:
                loaded += check(data)
            except BaseException as error:
                raise AssertionError(f"input {i} of seed {seed}: {data!r}") from error
            if i % 10_000 == 9_999:
                print(f"{i + 1:,} pickles", file=sys.stderr, flush=True)
    return loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    fuzz_inspect.limit_memory()
    start = time.monotonic()
    loaded = run(arguments.count, arguments.seed)
    print(
        f"{arguments.count:,} pickles, loaded by {' and '.join(UNPICKLERS)}: the first pickle of "
        f"{loaded:,} loads; all as by _pickle, {time.monotonic() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
