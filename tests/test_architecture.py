"""The direction of imports between the packages, in Python and in Cython files; and the page."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import quickpickle

pytestmark = pytest.mark.once

PACKAGE = Path(quickpickle.__file__).parent
ROOT = Path(__file__).parents[1]

# A package imports from those before it only; those that share a row not from one another.
ROWS = [
    {"format"},
    {"rules"},
    {"scanning", "files", "optimization"},
    {"pickling", "unpickling", "compiled"},
    {"digest"},
    {"pure"},
    {"_implementation"},
    {"loading", "checking", "recovering"},
    {"inspection", "diagnosis", "installation"},
    {"cloud_copies"},
    {"cloud"},
    {""},  # the package itself
    {"integrations"},
    {"cli"},
    {"__main__"},
]
ROW_OF = {name: number for number, row in enumerate(ROWS) for name in row}
FILES = sorted(
    path
    for pattern in ("*.py", "*.pyi", "*.pyx", "*.pxi", "*.pxd")
    for path in PACKAGE.rglob(pattern)
)


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports_of(path):
    """The modules of ours that a file imports from, each as a tuple of names."""
    text = path.read_text("utf-8")
    package = module_of(path) if path.stem == "__init__" else module_of(path)[:-1]
    if path.suffix in (".py", ".pyi"):
        statements = []
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                statements += [(0, alias.name, None) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                statements += [(node.level, node.module or "", alias.name) for alias in node.names]
    else:  # Cython's own syntax: of each statement what it imports from, and the first name
        statements = [
            (len(dots), module, name)
            for dots, module, name in re.findall(
                r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+c?import[ \t(]+(\w+)", text, re.MULTILINE
            )
        ]
    for level, module, name in statements:
        parts = tuple(module.split(".")) if module else ()
        if level:
            parts = package[: len(package) - level + 1] + parts
        elif parts[:1] == ("quickpickle",):
            parts = parts[1:]
        else:
            continue
        if name is not None and is_module((*parts, name)):
            parts = (*parts, name)
        yield parts


def is_module(parts):
    path = PACKAGE.joinpath(*parts)
    return path.is_dir() or path.with_suffix(".py").exists() or path.with_suffix(".pyx").exists()


def name_of(parts):
    return parts[0] if parts else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_direction(path):
    own = name_of(module_of(path))
    if path.suffix == ".pyi":  # the types of the compiled functions are those of the pure ones
        own = ""
    for target in imports_of(path):
        other = name_of(target)
        assert other == own or ROW_OF[other] < ROW_OF[own], f"imports {'.'.join(target)}"


def test_no_circle():
    """Within the packages neither, imports in functions and for types included."""
    graph = {
        module_of(path): {target for target in imports_of(path) if target != module_of(path)}
        for path in FILES
        if path.suffix == ".py"
    }
    done, open_ = set(), []

    def visit(module):
        if module in done or module not in graph:
            return
        assert module not in open_, [".".join(name) for name in [*open_, module]]
        open_.append(module)
        for target in sorted(graph[module]):
            visit(target)
        done.add(open_.pop())

    for module in graph:
        visit(module)


def test_the_compiled_implementation_does_without_the_pure_one():
    pytest.importorskip("quickpickle.compiled.core")
    code = """if True:
        import sys
        import quickpickle.compiled.core as core
        core.dumps([1, {2}], deterministic=True)
        core.object_digest(1)
        try:
            core.dumps([sys])
        except TypeError as error:
            assert error.path
        pure = ["quickpickle.pickling"]
        if "quickpickle.compiled.unpickling" in sys.modules:
            pure.append("quickpickle.unpickling")
        print(*[name for name in sys.modules if name.startswith(tuple(pure))])
    """
    environment = {k: v for k, v in os.environ.items() if k != "QUICKPICKLE_PURE"}
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "\n"


COMPILED = sorted((PACKAGE / "compiled").glob("*.p[xy][ix]"))


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.name)
def test_opcodes_have_names(path):
    """No compiled file writes an opcode that it does not take from format/opcodes.py."""
    literal = (
        r'\bput(?:\d|_memoized|_found|_opcode\d)\(\s*(?:<\w+>)?(?:b"|0x)'
        r'|\bput(?:_bytes)?\(b"[^%]|\bopcode = (?:<\w+>)?(?:b"[^%]|0x)'
    )
    assert re.findall(literal, path.read_text("utf-8")) == []
    assert "DEF " not in path.read_text("utf-8")


def test_the_document_names_each_file():
    """An `__init__.py` is named by its folder."""
    document = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    patterns = ("*.py", "*.pyi", "*.pyx", "*.pxi", "*.pxd", "*.h", "*.html", "*.css", "*.js")
    paths = [path for pattern in patterns for path in PACKAGE.rglob(pattern)]
    names = {path.relative_to(PACKAGE).as_posix().removesuffix("__init__.py") for path in paths}
    assert [name for name in sorted(names) if name and f"`{name}`" not in document] == []


def test_generated_files_are_current():
    subprocess.run([sys.executable, ROOT / "tools" / "generate", "--check"], check=True)


def test_mutants_of_each_file_of_the_rules_have_tests():
    """Else `make mutate` stops, for tests that cannot be run."""
    names = ("_NAMES", "_OPCODES", "_POLICY", "TESTS")
    tree = ast.parse((ROOT / "tools" / "mutate").read_text("utf-8"))
    assigned = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in names
    ]
    values: dict[str, dict[str, tuple[str, ...]]] = {}
    exec(compile(ast.Module(assigned, []), "mutate", "exec"), values)
    stems = {path.stem for path in (PACKAGE / "rules").glob("[!_]*.py")}
    assert not values["TESTS"].keys() - stems
    for stem in stems:
        for name in values["TESTS"].get(stem, (f"rules/test_{stem}",)):
            assert (ROOT / "tests" / f"{name}.py").is_file(), (stem, name)


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize(("arguments", "is_stored"), [("", True), ("--workloads floats", False)])
def test_a_part_of_the_benchmark_leaves_the_charts(arguments, is_stored):
    command = ["make", "--dry-run", "--no-print-directory", "bench", f"BENCH_ARGS={arguments}"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in ("benchmarks/results/latest.json", "docs/benchmarks.svg", "docs/speed.svg"):
        assert (path in shown) is is_stored
