"""A few of the damaged files of fuzz_inspect.py."""

from __future__ import annotations

import fuzz_inspect


def test_damaged_files() -> None:
    fuzz_inspect.warm_up()
    watch = fuzz_inspect.Watch()
    results = [
        fuzz_inspect.check_file(data, watch) for data in fuzz_inspect.mutations(2000, seed=4)
    ]
    # Some are still pickles, and most are not: else the damage would be of no use.
    whole = sum(is_whole for is_whole, _ in results)
    assert 100 < whole < 1000
