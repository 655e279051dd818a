"""`quickpickle demo`: the standard library's syntax trees, pickled, loaded and compared.

They make a graph of over a million objects of many classes, and every interpreter has them.
"""

from __future__ import annotations

import ast
import gc
import os
import pickle
import platform
import shutil
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import quickpickle

from ..inspection.printable import printable
from . import timing
from .table_html import make_table
from .terminal import Cell, Screen, Status, Text

_TITLE = "Syntax trees of the standard library"

_ROUNDS = 2
"""In each, one of the two begins: whoever does makes the pages that the other finds."""

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
    dump_seconds: float
    """How long quickpickle took to write it, the least of both rounds."""
    standard_dump_seconds: float | None
    """How long pickle took; None if it gave up with RecursionError."""
    identical: bool | None
    """Whether both wrote the same bytes; None if the standard pickler gave up."""
    load_seconds: float | None
    """How long quickpickle took to load it; None if it failed."""
    standard_load_seconds: float | None
    """How long pickle took; None if it failed."""
    equal: bool
    """Whether the trees that quickpickle has loaded equal those that were pickled."""
    standard_equal: bool
    """The same for the standard unpickler: whether the pickle is right."""

    @property
    def problems(self) -> list[str]:
        """The faults found, a clause each; empty if quickpickle did as it should."""
        problems = []
        if self.identical is False:
            problems.append("the bytes are not those of the standard pickler")
        for name, seconds, equal in (
            ("quickpickle.load", self.load_seconds, self.equal),
            ("pickle.load", self.standard_load_seconds, self.standard_equal),
        ):
            if seconds is None:
                problems.append(f"{name} cannot read the pickle")
            elif not equal:
                problems.append(f"the trees from {name} are not those that were pickled")
        return problems

    def _repr_html_(self) -> str:
        """The rows of the terminal's table, for a notebook."""
        return make_table(_TITLE, _rows(self))


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


def run(
    modules: int | None = None,
    output: str | Path | None = None,
    *,
    screen: Screen | None = None,
) -> Report:
    """Run the demo on the first so many modules, or on all, and print its table on the screen.

    The pickle goes to the file `output`, or to one in a new temporary directory, which does
    not outlive an exception. Without a screen nothing is printed: a notebook shows the Report
    itself.
    """
    with Status() as status:
        root = Path(sysconfig.get_path("stdlib"))
        files = list(find_modules(root).items())[:modules]
        if not files:
            raise FileNotFoundError(f"no source files of the standard library in {root}")
        trees: dict[str, ast.Module] = {}
        values = _parse_all(files, trees, status)
        if output is None:
            path = Path(tempfile.mkdtemp(prefix="quickpickle-"), "stdlib.pickle")
        else:
            path = Path(output)
        try:
            report = _pickle_and_check(trees, values, path, status)
        except BaseException:
            if output is None:
                shutil.rmtree(path.parent, ignore_errors=True)
            raise
    if screen is not None:
        screen.table(_TITLE, (), _rows(report))
    return report


def _parse_all(files: list[tuple[str, Path]], trees: dict[str, ast.Module], status: Status) -> int:
    """Fill `trees`, and return how many values they have."""
    values = 0
    enabled = gc.isenabled()
    gc.disable()  # it would go through all those objects again and again
    try:
        for name, path in status.track(files, "parsing"):
            tree = parse(path)
            if tree is not None:
                trees[name] = tree
                values += count_values(tree)
    finally:
        if enabled:
            gc.enable()
    return values


def _pickle_and_check(
    trees: dict[str, ast.Module], values: int, path: Path, status: Status
) -> Report:
    dump_seconds: dict[str, float] = {}
    identical = None
    with path.open("wb") as ours, tempfile.TemporaryFile() as standard:
        for number in range(_ROUNDS):
            for module in timing.in_turn([quickpickle, pickle], number):
                file = ours if module is quickpickle else standard
                seconds = _time_dump(module, trees, file, status)
                if seconds is not None:
                    _keep_least(dump_seconds, module, seconds)
        if "pickle" in dump_seconds:
            ours.flush()
            standard.seek(0)
            identical = standard.read() == path.read_bytes()

    load_seconds: dict[str, float] = {}
    equal = dict.fromkeys(("quickpickle", "pickle"), True)
    for number in range(_ROUNDS):
        for module in timing.in_turn([quickpickle, pickle], number):
            name = module.__name__
            loaded, seconds = _time_load(module, path, status)
            if seconds is not None:
                _keep_least(load_seconds, module, seconds)
            equal[name] = equal[name] and _is_loaded(trees, loaded, status)
            del loaded

    return Report(
        modules=len(trees),
        values=values,
        path=path,
        size=path.stat().st_size,
        dump_seconds=dump_seconds["quickpickle"],
        standard_dump_seconds=dump_seconds.get("pickle"),
        identical=identical,
        load_seconds=load_seconds.get("quickpickle"),
        standard_load_seconds=load_seconds.get("pickle"),
        equal=equal["quickpickle"],
        standard_equal=equal["pickle"],
    )


def _keep_least(least: dict[str, float], module: ModuleType, seconds: float) -> None:
    name = module.__name__
    least[name] = min(least.get(name, seconds), seconds)


def _time_dump(
    module: Any, trees: dict[str, ast.Module], file: BinaryIO, status: Status
) -> float | None:
    """The seconds of a dump to a file, from its start; None if the standard pickler gave up."""
    watched = _watch(trees, status, f"{_name(module)}: dump")
    file.seek(0)
    limit = sys.getrecursionlimit()
    try:
        if module is pickle:
            sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
        return timing.time_dumps(lambda: module.Pickler(file).dump(watched), (), flush=file.flush)
    except RecursionError:
        if module is not pickle:
            raise
        return None
    finally:
        sys.setrecursionlimit(limit)


def _time_load(module: Any, path: Path, status: Status) -> tuple[Any, float | None]:
    """The object that a module loads from the file, and the seconds; two None if it cannot."""
    loaded: list[Any] = []
    status.show(f"{_name(module)}: load")
    with path.open("rb") as file, timing.fresh_state():  # the trees here are none of its business
        try:
            seconds = timing.time_loads(lambda: loaded.append(module.load(file)), ())
        except Exception:  # a wrong pickle can raise any
            return None, None
    return loaded[0], seconds


def _is_loaded(trees: dict[str, ast.Module], loaded: Any, status: Status) -> bool:
    equal = type(loaded) is dict and list(loaded) == list(trees)
    if equal:
        for name in status.track(trees, "comparing"):
            equal = equal and same_trees(trees[name], loaded[name])
    return equal


def _watch(trees: dict[str, ast.Module], status: Status, text: str) -> Watched:
    numbers = count(1)
    return Watched(trees, lambda: status.show(f"{text}: {next(numbers)} of {len(trees)}"))


def _name(module: ModuleType) -> str:
    """As it is shown; quickpickle with its implementation."""
    if module is quickpickle:
        return f"quickpickle ({quickpickle.implementation})"
    return module.__name__


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"


def _rows(report: Report) -> list[Sequence[Cell]]:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    rows: list[Sequence[Cell]] = []

    def row(label: str, text: str, style: str = "") -> None:
        rows.append((label, Text(printable(text), style)))

    def verdict(label: str, good: bool) -> None:
        row(label, "yes" if good else "NO", "good" if good else "alarm")

    row("interpreter", python)
    row("modules", f"{report.modules:,}")
    row("nodes, lists and values", f"{report.values:,}")
    row("bytes", f"{report.size:,}")
    ratios = []
    for function, ours, standard, failure in (
        ("dump", report.dump_seconds, report.standard_dump_seconds, "gave up with RecursionError"),
        ("load", report.load_seconds, report.standard_load_seconds, "failed"),
    ):
        rows.append(())
        for module, seconds in ((quickpickle, ours), (pickle, standard)):
            label = f"{function}, {_name(module)}"
            if seconds is None:
                row(label, failure, "warning")
            else:
                row(label, _duration(seconds))
        if ours is not None and standard is not None:
            ratio = standard / ours
            style = "good" if ratio >= 1 else "warning"
            row(f"{function}, quickpickle is", f"{ratio:.2f} times as fast", style)
            ratios.append(ratio)
    if timing.is_slow_in_python(*ratios):
        row("", timing.NOT_COMPILED, "warning")
    rows.append(())
    if report.identical is None:
        row("bytes identical", "not compared: pickle.Pickler wrote no pickle", "warning")
    else:
        verdict("bytes identical", report.identical)
    verdict("trees equal", report.equal and report.standard_equal)
    row("file", str(report.path))
    return rows
