"""Fuzzing, guided by the coverage of the Python implementation and of `scanning/`: `make fuzz`.

    python tests/fuzzing/fuzz.py graphs --seconds 300
    python tests/fuzzing/fuzz.py pickles --seconds 300 -jobs=1
    python tests/fuzzing/fuzz.py loads --seconds 300
    python tests/fuzzing/fuzz.py policies --seconds 300

Further arguments go to libFuzzer. It begins with `tests/fuzzing/corpus`. New inputs go to
`build/fuzz`, and so does an input that fails: run it again with
`python tests/fuzzing/fuzz.py graphs build/fuzz/graphs-crash-…`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

TESTS = Path(__file__).parents[1]
CORPUS = Path(__file__).parent / "corpus"
FOUND = TESTS.parent / "build" / "fuzz"
sys.path.insert(0, str(TESTS))

# These imports are instrumented, so they come before all others.
with atheris.instrument_imports(include=["quickpickle"]):
    import quickpickle.inspection.result
    import quickpickle.optimization
    import quickpickle.pure
    import quickpickle.scanning.scan  # noqa: F401

from fuzzing import (  # noqa: E402
    fuzz_graphs,
    fuzz_inspect,
    fuzz_loads,
    fuzz_pickles,
    fuzz_policies,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=["graphs", "loads", "pickles", "policies"])
    parser.add_argument("--seconds", type=int, default=300)
    arguments, rest = parser.parse_known_args()
    found = FOUND / arguments.target
    found.mkdir(parents=True, exist_ok=True)
    if arguments.target == "graphs":
        check, seeds, longest = fuzz_graphs.check, fuzz_graphs.seeds(), 160
    elif arguments.target == "loads":
        fuzz_inspect.limit_memory()
        check, seeds, longest = fuzz_loads.check, fuzz_loads.seeds(), 2000
    elif arguments.target == "policies":
        fuzz_inspect.limit_memory()
        fuzz_policies.warm_up()
        check, seeds, longest = fuzz_policies.check, fuzz_policies.seeds(), 2000
    else:
        fuzz_inspect.limit_memory()
        fuzz_inspect.warm_up()
        watch = fuzz_inspect.Watch()
        check = lambda data: fuzz_pickles.check(data, watch)  # noqa: E731
        seeds, longest = fuzz_inspect.seeds(), 2000
    for i, data in enumerate(seeds):
        (found / f"seed-{i}").write_bytes(data)

    def test(data: bytes) -> None:
        check(data)

    options = [
        f"-max_total_time={arguments.seconds}",
        f"-max_len={longest}",
        "-len_control=0",
        "-timeout=60",
        "-rss_limit_mb=6000",
        "-print_final_stats=1",
        f"-artifact_prefix={FOUND}/{arguments.target}-",
    ]
    if all(name.startswith("-") for name in rest):  # no single file is asked for
        corpus = "graphs" if arguments.target == "graphs" else "pickles"
        rest += [str(found), str(CORPUS / corpus)]
    atheris.Setup([sys.argv[0], *options, *rest], test)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
