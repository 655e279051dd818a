"""Pickles that other versions have written, down to Python 2: the files in `written_by`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from differential import assert_same_load, describe

FOLDER = Path(__file__).with_name("written_by")
VALUES = {
    "scalars": [None, True, 0, -1, 2**31, 2**100, 1.5, "text", "\xe4\u20ac", b"bytes"],
    "containers": {"a": [1, (2, 3), {4: 5}], "b": [{"c": ()}], "d": [[]] * 3},
}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_what_another_version_has_written(unpickling, file):
    found = 0
    for name, by_protocol in json.loads(file.read_text("ascii")).items():
        for data in by_protocol:
            loaded = unpickling.loads(bytes.fromhex(data))
            found += 1
            if file.stem != "2.7":
                expected = VALUES[name]
                assert loaded == expected
                assert [type(item) for item in loaded] == [type(item) for item in expected]
            assert_same_load(unpickling, bytes.fromhex(data))
    assert found >= 6


PYTHON_2 = {
    b"S'abc'\np0\n.": "abc",
    b"U\x03abcq\x00.": "abc",
    b"\x80\x02U\x03abcq\x00.": "abc",
    b"(dp0\nS'a'\np1\nV\\xe9\np2\ns.": {"a": "\\xe9"},
    b"c__builtin__\nset\n((lI1\natR.": {1},
    b"ccollections\nOrderedDict\n((lp0\ntR.": {},
    b"ccopy_reg\n_reconstructor\n(cload_cases\nPlain\nc__builtin__\nobject\nNtR"
    b"(dS'a'\nI1\nsb.": None,
    b"(iload_cases\nOldStyle\n(dS'a'\nI1\nsb.": None,
    b"(cload_cases\nOldStyle\no}U\x01aK\x01sb.": None,
    b"c__builtin__\nxrange\n(I0\nI5\nI1\ntR.": range(5),
    b"cdatetime\ndate\n(S'\\x07\\xea\\x0b\\x1d'\ntR.": None,
    b"L123456789012345678901234567890L\n.": 123456789012345678901234567890,
    b"cexceptions\nValueError\n(S'x'\ntR.": None,
    b"cUserDict\nUserDict\n)\x81.": None,
    b"cStringIO\nStringIO\n)R.": None,
}


@pytest.mark.parametrize("data", PYTHON_2)
@pytest.mark.parametrize("encoding", ["ASCII", "latin1", "bytes"])
def test_pickles_of_python_2(unpickling, data, encoding):
    found = assert_same_load(unpickling, data, encoding=encoding)
    expected = PYTHON_2[data]
    if expected is not None and encoding != "bytes":
        assert unpickling.loads(data, encoding=encoding) == expected
        assert type(found) is list
        if expected:
            assert describe(expected)[0].split()[0] in (found[0].split()[0], "builtins.dict")
