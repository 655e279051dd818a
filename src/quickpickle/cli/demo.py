"""`quickpickle demo`: the standard library's syntax trees, pickled, read back and compared.

They make a graph of over a million objects of many classes, and every interpreter has them.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import os
import pickle
import platform
import shutil
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

import quickpickle

_T = TypeVar("_T")

_ABSENT = object()  # the value of a field that a node does not have

# Enough for the standard pickler to descend into any tree of the standard library, and few
# enough calls for the C stack.
_RECURSION_LIMIT = 5_000

_TEST_DIRECTORIES = frozenset({"test", "tests", "idle_test"})


@dataclass(frozen=True)
class Report:
    """The result of one run of the demo."""

    modules: int
    values: int
    """How many nodes, lists and plain values the trees have, see `count_values`."""
    path: Path
    size: int
    seconds: float
    """How long quickpickle took."""
    standard_seconds: float | None
    """How long the standard pickler took; None if it gave up with RecursionError."""
    identical: bool | None
    """Whether both wrote the same bytes; None if the standard pickler gave up."""
    load_seconds: float | None
    """How long `pickle.load` took; None if it failed."""
    equal: bool
    """Whether the trees that `pickle.load` returned equal those that were pickled."""

    @property
    def problems(self) -> list[str]:
        """The faults found, a clause each; empty if quickpickle did as it should."""
        problems = []
        if self.identical is False:
            problems.append("the bytes are not those of the standard pickler")
        if self.load_seconds is None:
            problems.append("pickle.load cannot read the pickle")
        elif not self.equal:
            problems.append("the trees read back are not those that were pickled")
        return problems


class Watched:
    """Stands for a dict in a pickle, and calls `advance` whenever an item's turn comes.

    The result of reading is a plain dict. Every pickler gets an iterator of its own.
    """

    def __init__(self, items: dict[str, Any], advance: Callable[[], object]) -> None:
        self._items = items
        self._advance = advance

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (), None, None, self._watch()

    def _watch(self) -> Iterator[tuple[str, Any]]:
        for item in self._items.items():
            yield item
            self._advance()


def find_modules(root: Path) -> dict[str, Path]:
    """The Python files under `root` by module name, in order, without tests."""
    found = {}
    for directory, subdirectories, files in os.walk(root):
        # Packages have identifiers for names; site-packages, lib-dynload and the like do not.
        subdirectories[:] = [
            name for name in subdirectories if name.isidentifier() and name not in _TEST_DIRECTORIES
        ]
        for name in files:
            if name.endswith(".py"):
                path = Path(directory, name)
                parts = path.relative_to(root).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return dict(sorted(found.items()))


def parse(path: Path) -> ast.Module | None:
    """The syntax tree of a file, or None where it does not parse."""
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the standard library's code, not the user's
        try:
            return ast.parse(source, str(path))
        except (SyntaxError, ValueError, RecursionError):
            return None


def count_values(tree: object) -> int:
    """How many nodes, lists and plain values a tree has; what is shared counts each time."""
    count = 0
    rest = [tree]
    while rest:
        value = rest.pop()
        count += 1
        rest += _parts(value) or ()
    return count


def same_trees(one: object, other: object) -> bool:
    """Whether two trees are the same in every class, field, position and constant.

    Constants have to be of the same type; nan equals nan, and 0.0 does not equal -0.0.
    """
    pairs = [(one, other)]
    while pairs:
        a, b = pairs.pop()
        if type(a) is not type(b):
            return False
        mine, theirs = _parts(a), _parts(b)
        if mine is not None and theirs is not None:
            if len(mine) != len(theirs):
                return False
            pairs += zip(mine, theirs, strict=True)
        elif isinstance(a, str | bytes | int):  # an int may have more digits than repr() writes
            if a != b:
                return False
        elif a is not b and repr(a) != repr(b):
            return False
    return True


def _parts(value: object) -> list[Any] | None:
    """The values of a node's fields and attributes, or a list's items; None for the rest."""
    if isinstance(value, ast.AST):
        names = (*value._fields, *value._attributes)
        return [getattr(value, name, _ABSENT) for name in names]
    return value if isinstance(value, list) else None


def run(console: Console, modules: int | None = None, output: Path | None = None) -> Report:
    """Run the demo on the first so many modules, or on all, and print its table.

    The pickle goes to the file `output`, or to one in a new temporary directory, which does
    not outlive an exception.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        refresh_per_second=4,  # drawing costs time that is measured
        disable=not console.is_terminal,
    ) as progress:
        root = Path(sysconfig.get_path("stdlib"))
        files = list(find_modules(root).items())[:modules]
        if not files:
            raise FileNotFoundError(f"no source files of the standard library in {root}")
        trees: dict[str, ast.Module] = {}
        values, _ = _timed(lambda: _parse_all(files, trees, progress))
        path = output or Path(tempfile.mkdtemp(prefix="quickpickle-"), "stdlib.pickle")
        try:
            report = _pickle_and_check(trees, values, path, progress)
        except BaseException:
            if output is None:
                shutil.rmtree(path.parent, ignore_errors=True)
            raise
    console.print(_table(report))
    return report


def _parse_all(
    files: list[tuple[str, Path]], trees: dict[str, ast.Module], progress: Progress
) -> int:
    """Fill `trees`, and return how many values they have."""
    values = 0
    for name, path in progress.track(files, description="parsing"):
        tree = parse(path)
        if tree is not None:
            trees[name] = tree
            values += count_values(tree)
    return values


def _pickle_and_check(
    trees: dict[str, ast.Module], values: int, path: Path, progress: Progress
) -> Report:
    watched, _ = _watch(trees, progress, f"quickpickle ({quickpickle.implementation})")
    with path.open("wb") as file:
        _, seconds = _timed(lambda: quickpickle.Pickler(file).dump(watched))

    standard_seconds = identical = None
    watched, task = _watch(trees, progress, "pickle.Pickler")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
    try:
        with tempfile.TemporaryFile() as file:
            _, standard_seconds = _timed(lambda: pickle.Pickler(file).dump(watched))
            file.seek(0)
            identical = file.read() == path.read_bytes()
    except RecursionError:
        progress.stop_task(task)
    finally:
        sys.setrecursionlimit(limit)

    loaded: Any = None
    load_seconds = None
    # A wrong pickle can raise any exception.
    with (
        contextlib.suppress(Exception),
        progress.open(path, "rb", description="pickle.load") as file,
    ):
        # With the collector on, as whoever loads the file has it.
        start = time.perf_counter()
        loaded = pickle.load(file)
        load_seconds = time.perf_counter() - start

    equal = type(loaded) is dict and list(loaded) == list(trees)
    if equal:
        for name in progress.track(trees, description="comparing"):
            equal = equal and same_trees(trees[name], loaded[name])

    return Report(
        modules=len(trees),
        values=values,
        path=path,
        size=path.stat().st_size,
        seconds=seconds,
        standard_seconds=standard_seconds,
        identical=identical,
        load_seconds=load_seconds,
        equal=equal,
    )


def _watch(
    trees: dict[str, ast.Module], progress: Progress, description: str
) -> tuple[Watched, TaskID]:
    task = progress.add_task(description, total=len(trees))
    return Watched(trees, lambda: progress.advance(task)), task


def _timed(action: Callable[[], _T]) -> tuple[_T, float]:
    """The result of `action`, and its time in seconds, with the garbage collector off.

    It would go through all those objects again and again, and take longer than the action.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        return action(), time.perf_counter() - start
    finally:
        if enabled:
            gc.enable()


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"


def _table(report: Report) -> Table:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    table = Table(title="Syntax trees of the standard library", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")

    def row(label: str, text: str, style: str = "") -> None:
        table.add_row(label, Text(text, style))  # Text: a path may look like markup

    def verdict(label: str, good: bool) -> None:
        row(label, "yes" if good else "NO", "green" if good else "bold red")

    row("interpreter", python)
    row("modules", f"{report.modules:,}")
    row("nodes, lists and values", f"{report.values:,}")
    row("bytes", f"{report.size:,}")
    row(f"quickpickle ({quickpickle.implementation})", _duration(report.seconds))
    if report.standard_seconds is None or report.identical is None:
        row("pickle.Pickler", "gave up with RecursionError", "yellow")
        row("bytes identical", "not compared: pickle.Pickler wrote no pickle", "yellow")
    else:
        row("pickle.Pickler", _duration(report.standard_seconds))
        row("quickpickle / pickle.Pickler", f"{report.seconds / report.standard_seconds:.2f}")
        verdict("bytes identical", report.identical)
    load = "failed" if report.load_seconds is None else _duration(report.load_seconds)
    row("pickle.load", load)
    verdict("trees equal", report.equal)
    row("file", str(report.path))
    return table
