"""Damaged pickles under `Policy.plain()`: nothing is run, imported or changed, and all agree.

    python tests/fuzzing/fuzz_policies.py --seconds 3600 --seed 1

Both Unpicklers and `Policy.check` come to the same verdict, with the same words. An audit hook sees
that nothing is imported, opened or compiled; a snapshot of the policy's classes, that they stay as
they are. It begins with the attacks of tests/policies, and with honest pickles. `make fuzz` makes
up the bytes.
"""

from __future__ import annotations

import argparse
import codecs
import copyreg
import itertools
import pickle
import sys
import time
import warnings
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing import fuzz_inspect
from policies import test_attacks, test_check
from policies.attacks import ATTACKS
from policies.test_honest import VALUES
from quickpickle import Policy

POLICY = Policy.plain().limit(memory=20_000_000, objects=100_000)


def seeds() -> list[bytes]:
    honest = [pickle.dumps(value, i % 6) for i, value in enumerate(VALUES)]
    few = len(ATTACKS) // len(honest)  # as many honest ones as attacks
    return [data for data in (*ATTACKS.values(), *honest * few) if len(data) < 2000]


def warm_up() -> None:
    """Import the modules that a load under a policy needs, and those that honest pickles name."""
    for codec in ("ascii", "latin1", "raw_unicode_escape"):  # of the texts of protocol 0
        codecs.lookup(codec)
    for data in seeds():
        test_check.verdict(lambda: POLICY.check(data))  # noqa: B023
        test_check.agree(data, POLICY)


def check(data: bytes) -> str:
    """Compare; return the verdict."""
    events: list[str] = []
    before = test_attacks.snapshot()
    test_attacks._watched.append(events)
    try:
        found = test_check.agree(data, POLICY)
    finally:
        test_attacks._watched.pop()
    odd = set(events) - test_attacks.HARMLESS
    assert not odd, (data, odd)
    assert test_attacks.snapshot() == before, data
    return str(found[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    copyreg.add_extension("os", "system", 0xF0)
    warm_up()
    verdicts = {"refused": 0, "damaged": 0, "loaded": 0}
    end = time.monotonic() + arguments.seconds
    for seed in itertools.count(arguments.seed):
        for data in fuzz_inspect.mutations(1000, seed, seeds()):
            try:
                verdicts[check(data)] += 1
            except BaseException as error:
                raise AssertionError(f"seed {seed}: {data!r}") from error
        if time.monotonic() > end:
            break
    print(f"{sum(verdicts.values()):,} pickles: {verdicts}; all agree, nothing else was run")


if __name__ == "__main__":
    main()
