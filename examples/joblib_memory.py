"""Results that joblib.Memory keeps, written and read by quickpickle.

pip install 'quickpickle[joblib]'
python examples/joblib_memory.py

The folder may be one that joblib has used before: each store reads the files of the other one.
"""

from __future__ import annotations

import dataclasses
import tempfile

import joblib

import quickpickle.integrations.joblib  # it registers the store "quickpickle"  # noqa: F401


@dataclasses.dataclass
class Reading:
    number: int
    value: float


def measure(count: int) -> list[Reading]:
    print("measured")
    return [Reading(number, number / 2) for number in range(count)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory = joblib.Memory(folder, backend="quickpickle", verbose=0)
        measured = memory.cache(measure)(20_000)
        again = memory.cache(measure)(20_000)
        by_joblib = joblib.Memory(folder, verbose=0).cache(measure)(20_000)
    print(f"{len(again)} readings, {measured == again == by_joblib}")


if __name__ == "__main__":
    main()
