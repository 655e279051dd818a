"""Which names a load would not find here, found without importing anything."""

from __future__ import annotations

import pickle
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import quickpickle
from inspection_checks import SCANNERS, inspect_with
from quickpickle.cli import main
from quickpickle.format import opcodes as op
from quickpickle.inspection.missing import Finder


class Outer:
    class Inner:
        pass


class Meta(type):
    def __getattr__(cls, name: str) -> Any:
        raise AssertionError("it was asked")


class WithMeta(metaclass=Meta):
    pass


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages that fail when they are imported."""
    for name in ("lookup_pack", "lookup_pack/inner", "lookup_pack/spaces"):
        (tmp_path / name).mkdir()
    for name in ("lookup_pack/__init__.py", "lookup_pack/inner/__init__.py", "lookup_plain.py"):
        (tmp_path / name).write_text("raise AssertionError('it was imported')")
    (tmp_path / "lookup_pack/inner/leaf.py").write_text("raise AssertionError")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "name", "why"),
    [
        ("lookup_plain", "Anything", None),
        ("lookup_plain.part", "X", "lookup_plain has no file for lookup_plain.part"),
        ("lookup_pack", "Anything", None),
        ("lookup_pack.inner", "X", None),
        ("lookup_pack.inner.leaf", "X", None),
        ("lookup_pack.spaces", "X", None),  # a directory is a package too
        ("lookup_pack.other", "X", "lookup_pack has no file for lookup_pack.other"),
        ("lookup_pack.inner.y", "X", "lookup_pack.inner has no file for lookup_pack.inner.y"),
        ("lookup_plain.a.b", "X", "lookup_plain has no file for lookup_plain.a"),
        ("lookup_none", "X", "there is no module lookup_none"),
        ("json\r", "X\r", "the file went through text, which has changed its line ends"),
        ("json", "X\r", "the file went through text, which has changed its line ends"),
        ("lookup_none.part", "X", "there is no module lookup_none"),
        ("../lookup_plain", "X", None),
        ("", "X", None),
        ("a\0b", "X", "there is no module a\0b"),
        (".", "X", None),
        ("lookup_long…", "X", None),
    ],
)  # fmt: skip
def test_modules(packages: Path, module: str, name: str, why: str | None) -> None:
    before = set(sys.modules)
    found = Finder().why_missing(module, name)
    if module.startswith(("..", "/")) or module in ("", "."):
        assert found is None or found.startswith("there is no module")
    else:
        assert found == why
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    ("module", "name", "why"),
    [
        ("builtins", "getattr", None),
        ("builtins", "nothing", "builtins has no nothing"),
        ("os.path", "join", None),
        ("pickle", "Nothing.inner", "pickle has no Nothing"),
        (__name__, "Outer.Inner", None),
        (__name__, "Outer.Other", f"{__name__}.Outer has no Other"),
        (__name__, "WithMeta.anything", None),
        (__name__, "Outer.__init__.a", None),
        ("json.nothing", "X", "json has no file for json.nothing"),
    ],
)
def test_names_in_modules_that_are_imported(module: str, name: str, why: str | None) -> None:
    import json  # noqa: F401

    assert Finder().why_missing(module, name) == why


def test_modules_with_code_that_finds_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise AssertionError("it was asked")

    monkeypatch.setitem(sys.modules, "lookup_lazy", Lazy("lookup_lazy"))
    assert Finder().why_missing("lookup_lazy", "X") is None
    assert Finder().why_missing("lookup_lazy.part", "X") is not None
    module = types.ModuleType("lookup_getattr")
    module.__getattr__ = Lazy.__getattr__  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lookup_getattr", module)
    assert Finder().why_missing("lookup_getattr", "X") is None
    monkeypatch.setitem(sys.modules, "lookup_nothing", None)  # so an import of it fails
    assert Finder().why_missing("lookup_nothing", "X") == "there is no module lookup_nothing"


def test_main(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    why = "the program that runs has no Model: it was in the one that wrote the file"
    assert Finder().why_missing("__main__", "Model") == why


def test_what_a_finder_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("quickpickle.inspection.missing.find_spec", lambda name: asked.append(name))
    finder = Finder()
    for i in range(3000):
        finder.why_missing(f"lookup_{i}", "X")
        finder.why_missing(f"lookup_{i}", "Y")
    assert len(asked) == 1000


def named(module: str, name: str) -> bytes:
    return op.GLOBAL + f"{module}\n{name}\n".encode()


@pytest.fixture(params=SCANNERS)
def scanner(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_where_a_name_is_used_first(scanner: str) -> None:
    data = pickle.dumps({"a": [1, Outer()], "b": [Outer(), Outer.Inner, len], "c": len}, 4)
    found = {i.name: i.path for i in inspect_with(scanner, data).imports}
    assert found == {"Outer": "obj['a'][1]", "Outer.Inner": "obj['b'][1]", "len": "obj['b'][2]"}


def test_missing(scanner: str) -> None:
    data = (
        op.MARK + op.LIST + named("lookup_none", "A") + op.APPEND
        + named("pickle", "dumps") + op.APPEND + named("pickle", "Gone") + op.APPEND
        + named("lookup_none", "A") + op.APPEND + op.STOP
    )  # fmt: skip
    inspection = inspect_with(scanner, data)
    assert inspection.missing == [
        ("lookup_none", "A", "obj[0]", "there is no module lookup_none"),
        ("pickle", "Gone", "obj[2]", "pickle has no Gone"),
    ]
    assert inspection.as_dict()["missing"][0]["why"] == "there is no module lookup_none"


def test_names_of_python_2_that_are_here(scanner: str) -> None:
    data = op.MARK + op.LIST + named("cPickle", "loads") + op.APPEND + op.STOP
    assert inspect_with(scanner, data).missing == []
    data = op.PROTO + b"\3" + data
    assert [one.module for one in inspect_with(scanner, data).missing] == ["cPickle"]


def test_so_many_names_have_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quickpickle.inspection.result._MOST_PATHS", 2)
    data = op.MARK + b"".join(named("lookup_none", f"A{i}") for i in range(4)) + op.LIST + op.STOP
    found = quickpickle.inspect(data)
    assert [one.path for one in found.imports] == ["obj[0]", "obj[1]", None, None]
    assert [one.path for one in found.missing] == ["obj[0]", "obj[1]", None, None]


def test_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file.pkl"
    path.write_bytes(op.MARK + named("lookup_none", "A") + op.LIST + op.STOP)
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "The names that would not be found here" in out
    (line,) = [line for line in out.split("\n") if "there is no module lookup_none" in line]
    assert line.split()[:2] == ["lookup_none.A", "obj[0]"]
    path.write_bytes(pickle.dumps([1]))
    assert main(["inspect", str(path)]) == 0
    assert "not be found" not in capsys.readouterr().out
