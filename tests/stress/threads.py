"""Picklers in many threads: `make stress SECONDS=60`.

Each scenario is run by several threads at once, with a switch after every few instructions. Objects
that do not change must give the bytes that one thread writes. Objects that change must give a
pickle, or one of the exceptions that a change may cause. Nothing may crash, nothing is lost.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pickle
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import IMPLEMENTATIONS

THREADS = 4
OPTIONS: list[dict[str, bool]] = [{}, {"compact": True}, {"deterministic": True}]


class Record:
    def __init__(self, number: int) -> None:
        self.number, self.text, self.items = number, f"text {number}", [number, str(number)]


class Yields:
    """Lets other threads run in the middle of a dump."""

    def __reduce__(self) -> Any:
        time.sleep(0)
        return Yields, ()


def shared() -> Any:
    records = [Record(i) for i in range(40)]
    return [records, records[::2], {r.text: r for r in records}, Yields(), ("x" * 70_000, Yields())]


Round = Callable[[], Any]


def one_object(module: ModuleType) -> Round:
    """All threads write one object, that stays as it is, in every way."""
    obj = shared()
    rng = random.Random(1)
    ways = [(protocol, options) for protocol in (0, 2, 4, 5) for options in OPTIONS]
    expected = [module.dumps(obj, protocol, **options) for protocol, options in ways]

    def round_() -> None:
        way = rng.randrange(len(ways))
        protocol, options = ways[way]
        assert module.dumps(obj, protocol, **options) == expected[way]
        file = PythonFile()
        module.dump(obj, file, protocol, **options)
        assert b"".join(file.parts) == expected[way]

    return round_


class PythonFile:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: Any) -> None:
        self.parts.append(bytes(data))
        time.sleep(0)


def changing_objects(module: ModuleType) -> Round:
    """Each thread changes the containers that all of them write."""
    rng = random.Random(1)
    records = [Record(i) for i in range(20)]
    by_name: dict[str, Any] = {r.text: r for r in records}
    numbers = set(range(50))
    queue: list[Any] = [Yields(), records, by_name, numbers, Yields(), bytearray(100)]

    def change() -> None:
        kind, i = rng.randrange(7), rng.randrange(1000)
        with contextlib.suppress(IndexError, KeyError, ValueError, RuntimeError, BufferError):
            match kind:
                case 0:
                    records.append(Record(i))
                case 1:
                    del records[rng.randrange(len(records))]
                case 2:
                    by_name[f"text {i}"] = Yields()
                case 3:
                    by_name.popitem()
                case 4:
                    numbers.symmetric_difference_update({i, str(i)})
                case 5:
                    setattr(rng.choice(records), f"attribute{i % 5}", [Yields()])
                case 6:
                    queue[5].extend(b"more")
        del records[60:], queue[5][1000:]
        if len(numbers) > 200:
            numbers.clear()

    def round_() -> None:
        change()
        options = rng.choice(OPTIONS)
        try:
            data = module.dumps(queue, rng.choice((2, 4, 5)), **options)
        except (RuntimeError, pickle.PicklingError, KeyError, AttributeError) as error:
            if "chang" not in str(error):
                raise
        else:
            pickle.loads(data)

    return round_


def one_pickler(module: ModuleType) -> Round:
    """Threads share a Pickler: what is written at the same time is refused, all else is whole."""
    file = io.BytesIO()
    pickler = module.Pickler(file, 4)
    written: list[None] = []

    def round_() -> None:
        obj = shared()
        try:
            pickler.dump(obj)
        except RuntimeError as error:
            if "dump" not in str(error):
                raise
        else:
            written.append(None)

    def end() -> None:
        file.seek(0)
        unpickler = pickle.Unpickler(file)
        for _ in written:
            loaded = unpickler.load()
            assert [record.number for record in loaded[0]] == list(range(40))
        assert written
        assert not file.read()

    round_.end = end  # type: ignore[attr-defined]
    return round_


def own_picklers(module: ModuleType) -> Round:
    """Each round has a Pickler of its own, with hooks, over a shared object and a shared memo."""
    obj = shared()

    class Hooked(module.Pickler):  # type: ignore[name-defined, misc]
        def persistent_id(self, obj: Any) -> Any:
            return f"id {len(obj)}" if type(obj) is str and len(obj) > 1000 else None

        def reducer_override(self, obj: Any) -> Any:
            time.sleep(0)
            return NotImplemented

    first = Hooked(io.BytesIO(), 5)
    first.dump(obj)
    reference = io.BytesIO()
    Hooked(reference, 5).dump(obj)

    def round_() -> None:
        file = io.BytesIO()
        pickler = Hooked(file, 5)
        pickler.dump(obj)
        assert file.getvalue() == reference.getvalue()
        pickler.memo = first.memo
        pickler.dump(obj)
        assert len(file.getvalue()) < len(reference.getvalue()) + 200

    return round_


SCENARIOS = [one_object, changing_objects, one_pickler, own_picklers]


def run(
    module: ModuleType,
    scenario: Callable[[ModuleType], Round],
    rounds: int = sys.maxsize,
    seconds: float = float("inf"),
) -> list[int]:
    """Run a scenario in threads until the rounds or the seconds are over; return their rounds."""
    round_ = scenario(module)
    counts = [0] * THREADS
    errors: list[BaseException] = []
    end = time.monotonic() + seconds

    def work(number: int) -> None:
        try:
            while counts[number] < rounds and time.monotonic() < end and not errors:
                round_()
                counts[number] += 1
        except BaseException as error:
            errors.append(error)

    with switching_often():
        threads = [threading.Thread(target=work, args=(i,)) for i in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    getattr(round_, "end", lambda: None)()
    return counts


@contextlib.contextmanager
def switching_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    each = arguments.seconds / len(SCENARIOS) / len(IMPLEMENTATIONS)
    for name, module in IMPLEMENTATIONS.items():
        for scenario in SCENARIOS:
            counts = run(module, scenario, seconds=each)
            print(f"{name} {scenario.__name__}: {sum(counts):,} rounds in {THREADS} threads")


if __name__ == "__main__":
    main()
