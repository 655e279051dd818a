"""The names that users know are of the module `quickpickle`, whichever implementation has them."""

from __future__ import annotations

import doctest
import inspect
import io
import os
import pickle
import pydoc
import re
import subprocess
import sys
import tomllib
import typing
from pathlib import Path

import pytest

import quickpickle
from conftest import IMPLEMENTATIONS

OF_BOTH = ("Pickler", "dump", "dumps", "object_digest", "optimize")
READING = ("Unpickler", "loads")  # tests/unpickling has tests of both implementations
ONCE = (
    *("Inspection", "Node", "Placeholder", "Policy", "PolicyError", "Problem", "Recovered"),
    *("diagnose", "inspect", "install", "load", "load_all", "recover", "uninstall"),
)
ALL = OF_BOTH + READING + ONCE


def test_these_are_all():
    """A new function or class needs a place in the lists above."""
    names = {name for name in [*vars(quickpickle), *quickpickle._LATER] if not name.startswith("_")}
    found = set()
    for name in names:
        obj = getattr(quickpickle, name)
        module = getattr(obj, "__module__", None) or ""
        if callable(obj) and module.partition(".")[0] == "quickpickle":
            found.add(name)
    assert found == set(ALL)


@pytest.mark.parametrize("name", OF_BOTH)
def test_the_module_of_functions_with_two_implementations(implementation, name):
    obj = getattr(implementation, name)
    assert (obj.__module__, obj.__qualname__) == ("quickpickle", name)
    assert inspect.getmodule(obj) is quickpickle


@pytest.mark.parametrize("name", ALL)
def test_the_module_of_all(name):
    obj = getattr(quickpickle, name)
    assert (obj.__module__, obj.__qualname__) == ("quickpickle", name)
    assert inspect.getmodule(obj) is quickpickle
    assert pickle.loads(pickle.dumps(obj)) is obj


LOADS = """
import pickle, sys, quickpickle
for name, data in pickle.load(sys.stdin.buffer).items():
    assert pickle.loads(data) is getattr(quickpickle, name), name
print(quickpickle.implementation)
"""
DUMPS = f"""
import pickle, sys, quickpickle
pickle.dump(
    {{(name, protocol, writer.__name__): writer.dumps(getattr(quickpickle, name), protocol)
     for name in {ALL!r} for protocol in range(6) for writer in (pickle, quickpickle)}},
    sys.stdout.buffer,
)
"""


def run(code, pure, data=b""):
    return subprocess.run(
        [sys.executable, "-c", code],
        input=data,
        env={**os.environ, "QUICKPICKLE_PURE": pure},
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout


@pytest.mark.parametrize("pure", ["0", "1"])
def test_one_implementation_loads_the_names_of_the_other(pure):
    if "native" not in IMPLEMENTATIONS:
        pytest.skip("there is only one")
    names = pickle.loads(run(DUMPS, pure))
    assert len(names) == len(ALL) * 6 * 2
    code = LOADS.replace("name, data", "(name, *_), data")
    output = run(code, "1" if pure == "0" else "0", pickle.dumps(names))
    assert output.split() == [b"python" if pure == "0" else b"native"]


@pytest.mark.parametrize("writer", [pickle, quickpickle])
@pytest.mark.parametrize("name", OF_BOTH)
def test_the_unused_implementation_cannot_be_pickled_by_name(implementation, name, writer):
    """`quickpickle` has another object under that name."""
    obj = getattr(implementation, name)
    if obj is getattr(quickpickle, name):
        assert pickle.loads(writer.dumps(obj)) is obj
    else:
        with pytest.raises(
            pickle.PicklingError, match=f"not the same object as quickpickle.{name}"
        ):
            writer.dumps(obj)


def test_the_implementation_in_use():
    module = IMPLEMENTATIONS[quickpickle.implementation]
    assert all(getattr(quickpickle, name) is getattr(module, name) for name in OF_BOTH)


@pytest.mark.parametrize("name", ALL)
def test_help_and_signatures(name):
    obj = getattr(quickpickle, name)
    assert f"{name}" in pydoc.plain(pydoc.render_doc(obj))
    assert obj.__doc__
    assert inspect.signature(obj) is not None


@pytest.mark.parametrize("name", ["Pickler", "Unpickler"])
def test_the_methods_of_both_implementations_have_the_same_help(name):
    helps = []
    for cls in (getattr(quickpickle.pure, name), getattr(quickpickle, name)):
        public = [method for method in dir(cls) if not method.startswith("_")]
        helps.append({method: inspect.getdoc(getattr(cls, method)) for method in public})
        # Attributes that subclasses may define, and a number, have none.
        assert {method for method, text in helps[-1].items() if not text} <= {
            "reducer_override",
            "dispatch_table",
        }
    assert helps[0] == helps[1]


def test_signatures_are_those_of_the_functions():
    for name in OF_BOTH:
        signatures = [inspect.signature(getattr(m, name)) for m in IMPLEMENTATIONS.values()]
        names = {tuple(signature.parameters) for signature in signatures}
        assert len(names) == 1, name
    assert next(iter(inspect.signature(quickpickle.load).parameters)) == "file"


def test_type_hints(implementation):
    """Those of a class are looked up where it says that it is from."""
    assert isinstance(typing.get_type_hints(implementation.Pickler), dict)
    for name in ("Inspection", "Node", "Problem"):
        assert isinstance(typing.get_type_hints(getattr(quickpickle, name)), dict)


def test_a_subclass_goes_by_its_own_module(implementation):
    class Sub(implementation.Pickler):
        pass

    assert Sub.__module__ == __name__
    assert repr(Sub(io.BytesIO())).startswith(f"<{__name__}.")


def test_doctest_finds_the_examples():
    for name in ALL:
        getattr(quickpickle, name)  # which puts it into the module
    found = {test.name: test for test in doctest.DocTestFinder().find(quickpickle)}
    for name in ("diagnose", "inspect", "install", "load", "load_all", "recover"):
        assert found[f"quickpickle.{name}"].examples
    module = sys.modules["quickpickle.pure"]
    for name in ("dumps", "object_digest"):
        tests = doctest.DocTestFinder().find(getattr(module, name), name, quickpickle)
        assert any(test.examples for test in tests)


# --- what a user sees


def shown_by_help():
    """The names in the sections of help(quickpickle) that are for names."""
    sections = re.split(r"(?m)^([A-Z][A-Z ]+)$", pydoc.plain(pydoc.render_doc(quickpickle)))
    texts = dict(zip(sections[1::2], sections[2::2], strict=True))
    names = set(re.findall(r"(?m)^    class (\w+)", texts["CLASSES"]))
    names |= set(re.findall(r"(?m)^    (\w+)\(", texts["FUNCTIONS"]))
    return names | set(re.findall(r"(?m)^    (\w+) = ", texts["DATA"]))


def test_help_and_dir_show_what_is_public():
    opcodes = {name for name in quickpickle.__all__ if name.isupper()} - {
        *("DEFAULT_PROTOCOL", "HIGHEST_PROTOCOL")
    }
    public = set(quickpickle.__all__) - opcodes
    assert public == {
        *ALL,
        *("DEFAULT_PROTOCOL", "HIGHEST_PROTOCOL", "implementation"),
        *("PickleBuffer", "PickleError", "PicklingError", "UnpicklingError"),
    }
    assert {name for name in dir(quickpickle) if not name.startswith("__")} == public
    assert shown_by_help() == public | {"__all__"}
    assert len(quickpickle.__all__) == len(set(quickpickle.__all__))


def test_the_star_gives_what_it_gives_of_pickle():
    theirs, ours = {}, {}
    exec("from pickle import *", theirs)
    exec("from quickpickle import *", ours)
    del theirs["__builtins__"]
    assert set(theirs) <= set(ours)
    assert {name for name in ours if name not in theirs} == {
        *ONCE,
        *("implementation", "object_digest", "optimize", "__builtins__"),
    } - {"load"}
    assert quickpickle.MARK == pickle.MARK


def test_the_reference_has_all_names():
    page = (Path(__file__).parents[1] / "docs" / "reference.md").read_text("utf-8")
    shown = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)$", page, re.M)
    assert sorted(shown) == sorted(ALL)


METHODS = {
    "Pickler": ("clear_memo", "dump", "persistent_id"),
    "Unpickler": ("find_class", "load", "persistent_load"),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_have_signatures_and_docstrings(name):
    shown = []
    for cls in (getattr(quickpickle.pure, name), getattr(quickpickle, name)):
        functions = [getattr(cls, method) for method in METHODS[name]]
        assert all(inspect.getdoc(function) for function in functions)
        shown.append([list(inspect.signature(function).parameters) for function in functions])
        assert all(parameters[0] == "self" for parameters in shown[-1])
    assert shown[0] == shown[1]


def test_the_digest_is_typed():
    """For type checkers there are overloads: what a callable makes is of its type."""
    hints = typing.get_type_hints(quickpickle.digest.object_digest, vars(quickpickle.digest))
    assert hints["return"] is quickpickle.rules.digests.HashObject


def docstrings():
    for name in {*ALL, "__doc__"}:
        obj = getattr(quickpickle, name)
        if isinstance(obj, str):
            yield name, obj
            continue
        for key, value in [("", obj), *(vars(obj).items() if isinstance(obj, type) else ())]:
            yield f"{name}.{key}", inspect.getdoc(value) or ""


def test_docstrings_link_to_what_a_user_has():
    """The wheel has no docs: what is named is an address, of a file that there is."""
    docs = Path(__file__).parent.parent / "docs"
    urls = tomllib.loads((docs.parent / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    documentation = urls["Documentation"].rpartition("/")[0] + "/"
    linked = set()
    for name, text in docstrings():
        for before, file in re.findall(r"(\S*)\bdocs/([\w.]*\w)", text):
            assert before + "docs/" == documentation, name
            linked.add(file)
    assert {"options.md", "files.md", "policies.md"} <= linked
    assert not [file for file in linked - {"index.md"} if not (docs / file).exists()]
