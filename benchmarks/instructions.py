"""Compares two commits by the instructions that dumps() and loads() take, counted by callgrind.

    python benchmarks/instructions.py BEFORE AFTER [--limit 5] [--workloads NAME ...]

Both commits are built in worktrees of a temporary folder, and write and load the same workloads,
those of this file's folder, at three protocols. A count is no time, but unlike a time it is
the same in each run, whatever else the machine does. The exit code is 1 where a case takes more
than --limit per cent more instructions than before. Needs valgrind, a C compiler and Cython.
With `pickle` as BEFORE it is the interpreter's own pickle in C that AFTER is compared with.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import geometric_mean
from typing import Final

from workloads import WORKLOADS

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent

# Of each group those that go different ways through the code, and need no library.
FIXED: Final = (
    *("pyperformance_record", "pyperformance_list", "small_ints", "big_ints", "floats"),
    *("bools_and_none", "ascii_strings", "non_ascii_strings", "repeated_words", "bytes_objects"),
    *("tuples", "large_dict", "sets", "json_like_records", "ordered_dicts", "dict_subclasses"),
    *("dataclasses", "dataclasses_frozen_slots", "namedtuples", "getstate_instances"),
    *("reduce_instances", "shared_members", "tree_with_parents", "orders", "datetimes"),
    *("decimals", "uuids", "enums", "exceptions", "log_records", "random_generators"),
    *("with_persistent_id", "with_reducer_override", "with_find_class"),
    *("one_small_dict", "one_int", "one_dataclass"),
)

# Large memory that grows is moved by the system, not copied where something else lies behind it.
# Nothing is copied by an instruction that counts once for each byte.
ENVIRONMENT: Final = {
    "PYTHONHASHSEED": "0",
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=65536:glibc.malloc.trim_threshold=65536"
    ":glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000",
}

# Requests to valgrind are instructions that do nothing elsewhere.
SOURCE: Final = """
#include <valgrind/callgrind.h>
void begin(void) { CALLGRIND_START_INSTRUMENTATION; CALLGRIND_ZERO_STATS; }
void end(const char *name) { CALLGRIND_DUMP_STATS_AT(name); CALLGRIND_STOP_INSTRUMENTATION; }
"""
_NAME: Final = re.compile(r"^desc: Trigger: Client Request: (.*)$", re.MULTILINE)
_TOTALS: Final = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)

PICKLE: Final = "pickle"  # in the place of a commit

Counts = dict[str, int]


@contextmanager
def worktree(commit: str, folder: Path) -> Iterator[Path]:
    """A worktree of a commit, which is gone at the end."""
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder), commit], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def build(folders: list[Path]) -> None:
    """Compile each, all at once."""
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", "--force"]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, cwd=folder, **options) for folder in folders]  # type: ignore[call-overload]
    for folder, process in zip(folders, running, strict=True):
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"{folder.name} cannot be built:\n{errors}")


def make_library(folder: Path) -> Path:
    """The functions that begin and end a count; they need a C compiler and valgrind's headers."""
    path = folder / "count.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", str(path)]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    return path


def read_counts(folder: Path, prefix: str) -> Counts:
    """The instructions of each case, from the files that callgrind has written."""
    counts = {}
    for path in folder.glob(f"{prefix}.out.*"):
        text = path.read_text()
        name, totals = _NAME.search(text), _TOTALS.search(text)
        if name and totals:
            counts[name[1]] = int(totals[1])
    return counts


def count_all(sides: dict[str, Path], workloads: list[str], out: Path) -> list[Counts]:
    """The counts of each, all at once: what else the machine does has no effect on them."""
    library = make_library(out)
    running = []
    for name, folder in sides.items():
        pickler = "pickle" if name == PICKLE else "quickpickle"
        environment = ENVIRONMENT | {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "src")}
        program = [sys.executable, str(HERE / "count.py"), str(library), pickler, *workloads]
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no"]
        valgrind.append(f"--callgrind-out-file={out}/{name}.out")
        running.append(subprocess.Popen([*valgrind, *program], env=environment))
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit("a count has failed")
    return [read_counts(out, name) for name in sides]


def make_report(before: Counts, after: Counts, limit: float) -> tuple[list[str], list[str]]:
    """The lines of the table, the largest growth first; and the names of the cases above the limit.

    >>> make_report({"a": 2_000_000, "b": 2_000_000}, {"a": 2_200_000, "b": 1_000_000}, 5.0)[1]
    ['a']
    """
    growth = {name: after[name] / before[name] for name in after if name in before}
    lines = [f"{'millions of instructions':48} {'before':>9} {'after':>9} {'change':>8}"]
    for name, ratio in sorted(growth.items(), key=lambda item: -item[1]):
        figures = f"{before[name] / 1e6:9.2f} {after[name] / 1e6:9.2f} {(ratio - 1) * 100:+7.1f}%"
        lines.append(f"{name:48} {figures}")
    mean = geometric_mean(growth.values())
    lines.append(f"{'geometric mean':48} {'':19} {(mean - 1) * 100:+7.1f}%")
    return lines, [name for name, ratio in growth.items() if (ratio - 1) * 100 > limit]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("before", metavar="BEFORE", help=f"a commit, or {PICKLE!r}")
    parser.add_argument("after", metavar="AFTER", help="another one")
    parser.add_argument("--limit", type=float, default=5.0, metavar="PERCENT")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=FIXED, metavar="NAME")
    options = parser.parse_args()
    with ExitStack() as stack:
        out = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        after = stack.enter_context(worktree(options.after, out / "two"))
        if options.before == PICKLE:
            sides = {PICKLE: after, "two": after}
        else:
            sides = {
                "one": stack.enter_context(worktree(options.before, out / "one")),
                "two": after,
            }
        build([*set(sides.values())])
        one, two = count_all(sides, options.workloads, out)
    lines, above = make_report(one, two, options.limit)
    print("\n".join(lines))
    if above:
        raise SystemExit(
            f"more than {options.limit:g} % above {options.before}: {'; '.join(above)}"
        )


if __name__ == "__main__":
    main()
