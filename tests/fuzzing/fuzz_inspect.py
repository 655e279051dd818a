"""Damaged pickles for `inspect`: none may make it fail, hang, import anything, or lose a byte.

    python tests/fuzzing/fuzz_inspect.py --count 200000 --seed 1

Every file is read by both scanners. They must agree; the sums must be right; and where an Unpickler
(one that finds a stub for every name) loads the first pickle, it must end where `inspect` says it
does. `test_damaged_pickles.py` does the same with a few. A message about a "deallocated bytearray"
is from CPython 3.11's own Unpickler.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime as dt
import io
import json
import os
import pickle
import pickletools
import random
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from inspection_checks import SCANNERS, check, inspect_with
from models import Plain

_SECONDS = 20  # for one file
_OPCODES = [ord(opcode.code) for opcode in pickletools.opcodes]


def seeds() -> list[bytes]:
    """Pickles with every opcode in them."""
    plain = Plain()
    plain.self, plain.name = plain, "name"
    recursive: tuple[Any, ...] = ([], 1, 2, 3)
    recursive[0].append(recursive)
    objects = [
        None,
        [True, False, 1, 300, 70_000, 2**40, 2**3000, -1.5, "", "é" * 300, b"", b"b" * 300],
        {"a": [1, 2, 3], ("t", 1): {4, 5}, "fs": frozenset([1, 2]), "ba": bytearray(b"x")},
        [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        list(range(100)),
        [plain, plain, dt.datetime(2026, 1, 2), collections.OrderedDict(a=1), len],
        recursive,
        [[[[[[[["deep"]]]]]]]],
        [pickle.PickleBuffer(b"xx")],
    ]
    made = []
    for protocol in range(6):
        for obj in objects:
            with contextlib.suppress(pickle.PicklingError):  # PickleBuffer before protocol 5
                made.append(pickle.dumps(obj, protocol, buffer_callback=_drop(protocol)))
    made += [
        b"\x80\x02]q\x00(K\x01K\x022cos\nsystem\n)R(ios\nPopen\n(cos\nstat\no\x82\x01e.",
        b"(lp0\nI1\naI01\naL5L\naF1.5\naS'x'\naVy\naPpid\na(I1\nI2\ntp1\nag1\na.",
        b"\x80\x02U\x03abcT\x04\x00\x00\x00abcdQ.",
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93)}\x92}b.",
        b"\x80\x03K\x01j\x00\x00\x00\x00.",
    ]
    return [*made, made[3] + made[11], b"".join(made[:4])]


def _drop(protocol: int) -> Any:
    return (lambda buffer: None) if protocol == 5 else None


def mutations(count: int, seed: int, corpus: list[bytes] | None = None) -> Iterator[bytes]:
    """`count` damaged files, the same for a seed."""
    rng = random.Random(seed)
    corpus = corpus or seeds()
    for _ in range(count):
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            start = rng.randrange(len(data) + 1)
            end = min(start + rng.choice((1, 1, 2, 4, 8, 30)), len(data))
            match rng.randrange(9):
                case 0:
                    data[start:end] = rng.randbytes(end - start)
                case 1:
                    data[start:start] = rng.randbytes(rng.randrange(1, 9))
                case 2:
                    del data[start:end]
                case 3:
                    data[start:start] = data[start:end] * rng.choice((1, 2, 50))
                case 4:
                    data[start:end] = bytes(rng.choices(_OPCODES, k=rng.randrange(1, 6)))
                case 5:
                    other = rng.choice(corpus)
                    place = rng.randrange(len(other))
                    data[start:] = other[place:]
                case 6:
                    del data[start:]
                case 7:
                    data[start:end] = rng.choice((b"\xff", b"\x00", b"\x7f")) * rng.choice(
                        (1, 4, 8)
                    )
                case 8:
                    data[start:start] = rng.choice(
                        (b"(", b"0", b"2", b"1", b"\x94", b"h\x00", b".")
                    )
            if not data:
                break
        yield bytes(data)


class Stub:
    """Stands for any class or function: can be called, filled and given a state."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Stub:
        return object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def append(self, item: Any) -> None:
        pass

    add = append

    def extend(self, items: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class StubUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return Stub

    def persistent_load(self, pid: Any) -> Any:
        return Stub()


def first_end(data: bytes) -> int | None:
    """The offset at which an Unpickler ends the first pickle; None if it does not load."""
    file = io.BytesIO(data)
    try:
        StubUnpickler(file, buffers=iter(lambda: b"buffer", None)).load()
    except Exception:
        return None
    return file.tell()


class Watch:
    """Notes what is imported or compiled while it is on."""

    def __init__(self) -> None:
        self.is_on = False
        self.seen: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.is_on and event in ("import", "exec", "compile", "os.system", "subprocess.Popen"):
            self.seen.append(f"{event} {arguments[:1]}")


def check_file(data: bytes, watch: Watch) -> tuple[bool, bool]:
    """Whether the file is whole for `inspect`, and whether its first pickle loads."""
    modules = set(sys.modules)
    watch.is_on = True
    try:
        inspection = check(data)
        described = inspection.as_dict(depth=4, top=3)
    finally:
        watch.is_on = False
    assert not watch.seen
    assert set(sys.modules) == modules
    json.dumps(described)
    end = first_end(data)
    if end is not None:
        first = inspection.pickles[0]
        # The Unpickler reads a frame whole, so it may be past a STOP in the middle of one.
        assert first.size <= end if first.frames else first.size == end, (inspection.error, end)
        assert inspection.error is None or inspection.error.offset >= first.size
    return inspection.error is None, end is not None


def warm_up() -> None:
    """Import what is imported once, on first use."""
    for data in seeds():
        for name in SCANNERS:
            inspect_with(name, data).as_dict()
        first_end(data)


def run(count: int, seed: int) -> tuple[int, int]:
    """Check so many files; return how many were whole pickles, and how many loaded."""
    warm_up()
    watch = Watch()
    whole = loaded = 0
    for i, data in enumerate(mutations(count, seed)):
        signal.alarm(_SECONDS)
        try:
            is_whole, does_load = check_file(data, watch)
        except BaseException as error:
            raise AssertionError(f"file {i} of seed {seed}: {data!r}") from error
        finally:
            signal.alarm(0)
        whole += is_whole
        loaded += does_load
        if i % 10_000 == 9_999:
            print(f"{i + 1:,} files", file=sys.stderr, flush=True)
    return whole, loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    limit_memory()
    start = time.monotonic()
    whole, loaded = run(arguments.count, arguments.seed)
    print(
        f"{arguments.count:,} damaged files, read by {' and '.join(SCANNERS)}: {whole:,} are still "
        f"whole for inspect, the first pickle of {loaded:,} loads; nothing failed, "
        f"{time.monotonic() - start:.0f} s"
    )


def limit_memory() -> None:
    """An Unpickler takes all that a damaged length asks for; from mimalloc, more than there is."""
    if "libasan" in os.environ.get("LD_PRELOAD", ""):  # which has its own, and reserves far more
        return
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, highest = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, highest))


if __name__ == "__main__":
    main()
