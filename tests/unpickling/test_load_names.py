"""Hints with `renames`: following one has another name looked up, the one that it says."""

from __future__ import annotations

import copyreg
import io
import os
import pathlib
import re
import sys

import pytest

import quickpickle
from conftest import UNPICKLERS
from quickpickle.format import opcodes as op

CPYTHON = sys.implementation.name == "cpython"

pytestmark = pytest.mark.skipif(not CPYTHON, reason="the errors of PyPy's unpickler are others")

_PAIR = re.compile(r"renames=\{'([^']*)': '([^']*)'\}|'([^']*)': '([^']*)' in renames as well")
FOREIGN = "PosixPath" if os.name == "nt" else "WindowsPath"


@pytest.fixture(params=UNPICKLERS)
def unpickling(request):
    return UNPICKLERS[request.param]


def text(value):
    data = value.encode()
    return op.SHORT_BINUNICODE + bytes([len(data)]) + data


def named(module, name):
    """An object, as an item of a list."""
    return b"\x80\4]" + text(module) + text(name) + b"\x93)\x81a."


def hint_of(error):
    (note,) = error.__notes__
    return note.partition("\n")[2]


def pair_of(hint):
    found = _PAIR.search(hint)
    assert found is not None, hint
    old, new = (part for part in found.groups() if part is not None)
    return old, new


def failure(load, *args, **options):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        load(*args, **options)
    return caught.value


def follow(unpickling, data, renames=None, answer=None, **options):
    """The result of the load that follows the hint of the failing one."""
    error = failure(unpickling.loads, data, renames=renames, **options)
    old, new = pair_of(hint_of(error))
    if answer is not None:
        assert "…" in new
        new = new.replace("…", answer)
    return unpickling.loads(data, renames={**(renames or {}), old: new}, **options)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A package with modules, on the path but not imported."""
    package = tmp_path / "shop_of_tests"
    package.mkdir()
    (package / "__init__.py").write_text("class ShopOrder:\n    class ShopItem:\n        pass\n")
    (package / "texts.py").write_text("class Text:\n    pass\n\n\nclass Texts2:\n    pass\n")
    (package / "fails.py").write_text("class Text:\n    pass\n\n\nraise RuntimeError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package
    for key in [key for key in sys.modules if key.partition(".")[0] == "shop_of_tests"]:
        del sys.modules[key]


# --- the names in the pickle count, not those after renames


def test_a_path_of_another_system(unpickling, monkeypatch):
    pure = getattr(pathlib, f"Pure{FOREIGN}")
    data = b"\x80\4]" + text("pathlib") + text(FOREIGN) + b"\x93" + text("a") + b"\x85Ra."
    assert follow(unpickling, data) == [pure("a")]
    monkeypatch.setitem(sys.modules, "pathlib._local", None)  # as before Python 3.13
    data = data.replace(text("pathlib"), text("pathlib._local"))
    assert follow(unpickling, data) == [pure("a")]
    assert follow(unpickling, data, {"pathlib._local": "pathlib"}) == [pure("a")]


def test_a_path_of_this_system(unpickling, monkeypatch):
    monkeypatch.setitem(sys.modules, "pathlib._local", None)
    own = type(pathlib.Path()).__name__
    data = b"\x80\4]" + text("pathlib._local") + text(own) + b"\x93" + text("a") + b"\x85Ra."
    error = failure(unpickling.loads, data)
    assert "renames={'pathlib._local': 'pathlib'}" in hint_of(error)
    assert follow(unpickling, data) == [pathlib.Path("a")]


@pytest.mark.parametrize(
    ("module", "renames", "answer"),
    [
        ("pickle_of_old", {"pickle_of_old": "still_not_there"}, "shop_of_tests.texts"),
        ("pickle_of_old.part", {"pickle_of_old.part": "still_not_there"}, "shop_of_tests.texts"),
        ("pickle_of_old.texts", {"pickle_of_old": "still_not_there"}, "shop_of_tests"),
        ("pickle_of_old", {"pickle_of_old.Text": "still_not_there.Text"}, "shop_of_tests.texts"),
    ],
)
def test_a_new_module_that_is_missing_too(unpickling, shop, module, renames, answer):
    (loaded,) = follow(unpickling, named(module, "Text"), renames, answer)
    assert type(loaded).__module__ == "shop_of_tests.texts"


def test_a_near_miss_behind_renames(unpickling, shop):
    data = named("old.text", "Text")
    for renames in ({"old": "shop_of_tests"}, {"old.text": "shop_of_tests.text"}):
        (loaded,) = follow(unpickling, data, renames)
        assert type(loaded).__module__ == "shop_of_tests.texts"
    data = named("old", "Texts")
    (loaded,) = follow(unpickling, data, {"old": "shop_of_tests.texts"})
    assert type(loaded).__name__ == "Texts2"
    (loaded,) = follow(unpickling, named("old", "T"), {"old.T": "shop_of_tests.texts.Texts"})
    assert type(loaded).__name__ == "Texts2"


def test_a_near_miss_behind_the_renames_of_a_policy(unpickling, shop):
    policy = quickpickle.Policy().allow("shop_of_tests.text.Text").rename({"old": "shop_of_tests"})
    error = failure(unpickling.loads, named("old.text", "Text"), policy=policy)
    assert pair_of(hint_of(error)) == ("old.text", "shop_of_tests.texts")


def test_names_of_python_2(unpickling, shop):
    data = b"c__builtin__\nfile\n."
    assert "filter" not in hint_of(failure(unpickling.loads, data))
    assert follow(unpickling, data, answer="io.FileIO") is io.FileIO
    hint = hint_of(failure(unpickling.loads, data, renames={"__builtin__.file": "io.file"}))
    assert "builtin" not in hint
    data = b"curllib2\nHTTPErro\n."
    assert follow(unpickling, data).__name__ == "HTTPError"
    # Under fix_imports=False the same name is another one.
    error = failure(unpickling.loads, b"c__builtin__\nfile\n.", fix_imports=False)
    assert "fix_imports" in hint_of(error)


# --- classes in classes


def test_a_class_that_is_taken_for_a_module(unpickling, shop):
    data = named("oldm", "Q")
    renames = {"oldm.Q": "shop_of_tests.ShopOrder.ShopItem"}
    error = failure(unpickling.loads, data, renames=renames)
    assert pair_of(hint_of(error)) == ("oldm.Q", "shop_of_tests:ShopOrder.ShopItem")
    (loaded,) = follow(unpickling, data, renames)
    assert type(loaded).__qualname__ == "ShopOrder.ShopItem"
    error = failure(unpickling.loads, data, renames={"oldm.Q": "shop_of_tests.ShopOrder.Other"})
    assert ":" not in hint_of(error).partition("renames")[2].replace("': '", "")


def test_near_misses_of_classes_in_classes(unpickling, shop):
    for wrong in ("ShopOrders.ShopItem", "ShopOrder.ShopItems"):
        error = failure(unpickling.loads, named("shop_of_tests", wrong))
        old, new = pair_of(hint_of(error))
        assert (old, new) == (f"shop_of_tests.{wrong}", "shop_of_tests:ShopOrder.ShopItem")
        (loaded,) = follow(unpickling, named("shop_of_tests", wrong))
        assert type(loaded).__qualname__ == "ShopOrder.ShopItem"
    error = failure(unpickling.loads, named("shop_of_tests", "ShopOrders.NoSuchName"))
    assert "renames" not in hint_of(error)


# --- near misses of modules that nothing has the first part of


def test_a_near_miss_of_a_package(unpickling, shop):
    (loaded,) = follow(unpickling, named("shop_of_test", "ShopOrder"))
    assert type(loaded).__module__ == "shop_of_tests"
    hint = hint_of(failure(unpickling.loads, named("shop_of_test.texts", "Text")))
    assert pair_of(hint) == ("shop_of_test", "shop_of_tests")
    assert "shop_of_tests.texts has Text" in hint


def test_a_near_miss_is_not_imported(unpickling, shop):
    hint = hint_of(failure(unpickling.loads, named("shop_of_test.fails", "Text")))
    assert pair_of(hint) == ("shop_of_test", "shop_of_tests")
    assert "shop_of_tests" not in sys.modules


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("shop_of_test", "NoSuchName"),
        ("shop_of_test.nothing", "ShopOrder"),
        ("shop_of_test.texts", "ShopOrder"),
        ("shop_of_test.texts.more", "Text"),
        ("another_shop", "ShopOrder"),
    ],
)
def test_what_a_like_module_does_not_have(unpickling, shop, module, name):
    hint = hint_of(failure(unpickling.loads, named(module, name)))
    assert f"Here is no {module.partition('.')[0]}: install what has" in hint
    assert "shop_of_tests" not in hint


# --- extension codes


def test_renames_are_not_about_extension_codes(unpickling):
    copyreg.add_extension("json.decoders", "Name", 0x7F0001)
    try:
        data = b"\x80\2\x84\x01\x00\x7f\x00."
        error = failure(unpickling.loads, data, renames={"json.decoders": "json.decoder"})
        assert " as " not in error.__notes__[0].partition("\n")[0]
        assert "renames" not in hint_of(error)
        assert "copyreg.add_extension" in hint_of(error)
    finally:
        copyreg.remove_extension("json.decoders", "Name", 0x7F0001)


# --- names are those of somebody's file

_ODD = ["a\x1b[3m", "a\r", "a\nhint: all is well", "a\u202eb", "a\x00", "a\x9b2J"]


@pytest.mark.costly
@pytest.mark.parametrize("odd", _ODD)
def test_control_characters_are_escaped(unpickling, odd):
    for module, name in ((odd, "x"), ("os", odd), (f"json.{odd}", "x"), ("__main__", odd)):
        data = b"\x80\4]" + text(module) + text(name) + b"\x93a."
        for renames in (None, {module: f"b{odd}"}):
            error = failure(unpickling.loads, data, renames=renames)
            lines = error.__notes__[0].split("\n")
            assert len(lines) <= 2
            assert all(line.isprintable() for line in lines)
            assert lines[0].startswith("unpickling failed at obj[0] (byte ")
            is_damage = lines[1:] == ["A name has no such characters, so the pickle is damaged."]
            assert is_damage is (odd != "a\r")
    lines = f"\x80\2]c{odd}\nx\na.".encode("latin1", "replace")
    (note,) = failure(unpickling.loads, lines).__notes__
    assert note.count("\n") <= 1
    assert note.replace("\n", "").isprintable()
