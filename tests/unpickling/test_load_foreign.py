"""Texts and files of other programs, which loads, `inspect` and the commands say are no pickles."""

from __future__ import annotations

import io
import pickle
import sys

import pytest

from quickpickle.__main__ import main
from quickpickle.format import foreign

CPYTHON = sys.implementation.name == "cpython"
pytestmark = pytest.mark.skipif(not CPYTHON, reason="the errors of PyPy's unpickler are others")

TEXTS = {
    # The first is the answer of raw.githubusercontent.com, others are those of proxies.
    "a code and words": (b"404: Not Found", "404: Not Found"),
    "in small letters": (b"404 page not found\n", "404 page not found"),
    "an opcode that finds no mark": (b"upstream connect error or reset", None),
    "an opcode that is none": (b"no healthy upstream", "no healthy upstream"),
    "null": (b"null", "null"),
    "a table": (b"id,name\n1,x\n", "id,name"),
    "a table without a name": (b",a,b\n0,1,2\n", ",a,b"),
    "a table with quotes": (b'"id","name"\n1,2\n', '"id","name"'),
    "numbers": (b"1.0,2.0\n3,4\n", "1.0,2.0"),
    "YAML": (b"name: x\nitems:\n - 1\n", "name: x"),
    "TOML": (b"[project]\nname='x'\n", "[project]"),
    "a program": (b'"""A docstring."""\nimport os\n', '"""A docstring."""'),
    "a key": (b"-----BEGIN CERTIFICATE-----\nMII\n", "-----BEGIN CERTIFICATE-----"),
    "an address": (b"https://example.org/model.pkl\n", "https://example.org/model.pkl"),
    "a path": (b"../data/model.pkl", "../data/model.pkl"),
    "a merge conflict": (b"<<<<<<< HEAD\nfoo", "<<<<<<< HEAD"),
    "a wrong GET": (b"got nothing", "got nothing"),
    "a wrong PUT": (b"page not found\n", "page not found"),
    "a wrong INT": (b"Internal Server Error", "Internal Server Error"),
    "a wrong LONG": (b"LENGTH REQUIRED\n", "LENGTH REQUIRED"),
    "a wrong FLOAT": (b"FORBIDDEN\n", "FORBIDDEN"),
    "a wrong STRING": (b"SERVICE UNAVAILABLE\n", "SERVICE UNAVAILABLE"),
    "a wrong GLOBAL": (b"could not connect\nto the server\n", "could not connect"),
    "a wrong INST": (b"invalid token\nfor this\n", "invalid token"),
    "other letters": ("größe;1\n".encode() * 1000, "größe;1"),
}
FILES = {
    "a string in JSON": (b'"abc"', "json.load"),
    "a long string in JSON": (b'"' + b"abc " * 2000, "json.load"),
    "null bytes": (b"\0" * 100, "null bytes only"),
    "many null bytes": (b"\0" * 10_000, "null bytes only"),
    "GDBM": (b"\xcf\x9a\x57\x13" + b"\0" * 20, "shelve.open"),
    "GDBM, high byte first": (b"\x13\x57\x9a\xce" + b"\0" * 20, "shelve.open"),
    "MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + b" " * 90, "scipy.io.loadmat"),
    "Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "read_excel"),
    "GGUF": (b"GGUF\3\0\0\0", "GGUF"),
    "GGUF, longer than a float": (b"GGUF\3\0\0\0" + b"\1\2" * 20, "GGUF"),
    "GIF": (b"GIF89a\0\0", "GIF"),
    "GIF, longer than a float": (b"GIF89a\0\0" + b"\1\2" * 20, "GIF"),
    "UTF-8 twice": (
        pickle.dumps([1], 4).decode("latin1").encode().decode("latin1").encode(),
        "went through text",
    ),
    "surrogates": (
        pickle.dumps([1], 4).decode("ascii", "surrogateescape").encode("utf-8", "surrogatepass"),
        "went through text",
    ),
}
ALL = {
    **{
        kind: (data, "This is text, and no pickle" + (f": {line!r}." if line else ""))
        for kind, (data, line) in TEXTS.items()
    },
    **FILES,
}


def hint_of(load, *args):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        load(*args)
    (note,) = caught.value.__notes__
    return note.partition("\n")[2]


@pytest.mark.parametrize("kind", ALL)
def test_loads_say_so(unpickling, kind):
    data, expected = ALL[kind]
    assert expected in hint_of(unpickling.loads, data)
    assert expected in hint_of(unpickling.load, io.BytesIO(data))


@pytest.mark.parametrize("kind", ALL)
def test_the_commands_say_so(kind, tmp_path, capsys):
    data, expected = ALL[kind]
    path = tmp_path / "file.pkl"
    path.write_bytes(data)
    for command in ("inspect", "bench", "recover", "diagnose"):
        assert main([command, str(path)]) == 1
        printed = capsys.readouterr()
        text = printed.err if command in ("inspect", "bench") else printed.out
        assert expected.removesuffix(".") in text
        if command == "inspect":
            assert not printed.out


@pytest.mark.parametrize(
    "data",
    [
        b"5\n.",
        b"xlp0\nI1\na.",
        b"lp0\nVsome words\np1\na.",
        b"Np-1\n.",
        b"xI1000\nI2\nt.",
        b"Vsome words that are cut o",
        b"Ixyz\n.",
        b"(dp0\nVa",
        b"npy\x00abc",
        b"e",
        b"I12",
        b"F1.5",
        b"Fnan\n",
        b"L12L\n",
        b"S'some words",
        b"cno_such.module\nname",
        b"I12\np0\n",
        b"\xffname: x",
        b"Rsome words here\np0\n.",
        b"Cdecimal\nDecimal\np0\n(V1.5\np1\ntp2\nRp3\n.",
    ],
    ids=repr,
)
def test_damaged_pickles_are_no_texts(unpickling, data):
    assert "This is text" not in hint_of(unpickling.loads, data)


def test_a_quote_before_a_pickle_is_no_string(unpickling):
    assert "JSON" not in hint_of(unpickling.loads, b'"' + pickle.dumps([1], 4))


def test_a_name_that_is_not_found_is_no_text(unpickling):
    for size in (1, 5000):
        data = b"cno_such_module\nname\nVsome words\n" * size + b"l."
        assert "no_such_module" in hint_of(unpickling.loads, data)


def test_only_what_is_misread_is_a_text():
    for offset in range(3):
        assert foreign.recognise_at(b"not found", offset, is_misread=True) is not None
        assert foreign.recognise_at(b"not found", offset) is None
    assert foreign.recognise_at(b"not found", 3, is_misread=True) is None
    assert foreign.recognise_at(b"page not found", 300) is not None
    assert foreign.recognise_at(b"N." + b"page not found", 2) is not None
    assert foreign.recognise_at(b"N.." + b"page not found", 3) is None
    assert foreign.recognise_at(b"abcd", 0, is_misread=True) is not None
    assert foreign.recognise_at(b"abc", 0, is_misread=True) is None
    assert foreign.recognise_at(b"abcd", 1, is_misread=True) is None
    assert foreign.recognise_at(b"MATLAB 5.0 MAT-file", 16) is not None
    assert foreign.recognise_at(b"MATLAB 5.0 MAT-file", 17) is None
    assert foreign.recognise_at(b"GIF89a", 16) is not None
    assert foreign.recognise_at(b"PAR1\n", 3) is not None
    assert foreign.recognise_at(b"PAR1\n", 4) is None
