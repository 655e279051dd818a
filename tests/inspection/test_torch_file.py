"""inspect on ZIP files of torch.save. PyTorch is not needed: the files are made here."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import random
import re
import struct
import zipfile

import pytest

import quickpickle
from quickpickle.cli import main
from quickpickle.inspection import inspect
from quickpickle.scanning import torch_file

WEIGHTS = {"0": bytes(4000), "1": bytes(40), "10": bytes(400)}


class Storage:
    def __init__(self, key):
        self.key = key


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            return "storage", dict, obj.key, "cpu", 10
        return None


def pickled(obj=None):
    file = io.BytesIO()
    Pickler(file, 2).dump({key: [Storage(key)] for key in WEIGHTS} if obj is None else obj)
    return file.getvalue()


def members(folder="model", data=None):
    """The members that torch.save writes, in its order."""
    found = [("data.pkl", pickled() if data is None else data), ("byteorder", b"little")]
    found += [(f"data/{key}", content) for key, content in WEIGHTS.items()]
    found += [("version", b"3\n"), (".data/serialization_id", b"1" * 40)]
    return [(f"{folder}/{name}", content) for name, content in found]


def zipped(entries, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_pickle_in_it_is_inspected(tmp_path, compression):
    data = zipped(members(), compression)
    path = tmp_path / "model.pt"
    path.write_bytes(data)
    expected = inspect(pickled()).as_dict()
    storages = [("0", 4000), ("10", 400), ("1", 40)]
    for file in (path, str(path), data, io.BytesIO(data)):
        found = inspect(file)
        assert found.archive == (len(data), "model/data.pkl", storages)
        assert found.persistent_ids == 3
        assert found.read(0, found.size + 1) == pickled()
        assert found.read(found.size + 1, 1) == b""
        figures = found.as_dict()
        assert json.loads(json.dumps(figures.pop("archive"))) == {
            "size": len(data),
            "member": "model/data.pkl",
            "storages": [{"key": key, "size": size} for key, size in storages],
        }
        assert figures == {key: value for key, value in expected.items() if key != "archive"}
    assert expected["archive"] is None
    assert inspect(pickled()).archive is None


def test_a_large_pickle_is_read_where_it_lies(tmp_path):
    """More than a piece, from the middle of the file."""
    data = pickled(["x" * 3_000_000, list(range(1000))])
    (tmp_path / "model.pt").write_bytes(zipped([("model/a", b"a" * 100), *members(data=data)]))
    found = inspect(tmp_path / "model.pt")
    assert found.error is None
    assert found.size == len(data)
    assert found.objects == inspect(data).objects


def test_a_damaged_pickle_in_it():
    found = inspect(zipped(members(data=b"\x80\x02]q\x00K")))
    assert "the file ends in the middle of BININT1, at offset 5" in str(found.error)
    assert found.archive.member == "model/data.pkl"


def test_files_of_more_than_4_gb(monkeypatch):
    """Their sizes are where ZIP64 has them."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    data = zipped(members())
    assert b"PK\6\6" in data
    found = inspect(data)
    assert found.archive.storages == [("0", 4000), ("10", 400), ("1", 40)]
    assert found.persistent_ids == 3


def test_the_command(tmp_path, capsys):
    path = tmp_path / "model.pt"
    path.write_bytes(zipped(members()))
    assert main(["inspect", str(path)]) == 0
    text = capsys.readouterr().out
    assert "a ZIP file of torch.save: model/data.pkl" in text
    assert "3 storages, 4,440 bytes in all" in text
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["archive"]["storages"][0]["key"] == "0"
    path.write_bytes(zipped(members(folder="\x1b[31m")))
    assert main(["inspect", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_dangerous_names_are_found(tmp_path, capsys):
    path = tmp_path / "model.pt"
    path.write_bytes(zipped(members(data=b"cos\nsystem\n(S'true'\ntR.")))
    assert inspect(path).count("dangerous") == 1
    assert main(["inspect", str(path), "--fail-on-dangerous"]) == 1


OTHERS = {
    "another archive": [("a.txt", b"text")],
    "arrays of NumPy": [("a.npy", b"\x93NUMPY")],
    "no version": [one for one in members() if "version" not in one[0]],
    "the version of another": [("other/version", b"3"), members()[0]],
    "no folder": [("data.pkl", pickled()), ("version", b"3\n")],
    "a folder too many": [(f"a/{name}", content) for name, content in members()],
    "of torch.jit.save": [*members(), ("model/constants.pkl", pickled()), ("model/code/a.py", b"")],
    "two pickles": [*members(), ("other/data.pkl", pickled())],
    "in capitals too": [*members(), ("model/DATA.PKL", pickled())],
}


@pytest.mark.parametrize("kind", OTHERS)
def test_others_stay_what_they_are(kind):
    found = inspect(zipped(OTHERS[kind]))
    assert found.archive is None
    assert "this is no pickle" in str(found.error)


def test_two_of_the_same_name():
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped([*members(), ("model/data.pkl", pickled())])
    assert inspect(data).archive is None


def changed(data, where, offset, what):
    """The bytes with some others at an offset from the first, or last, signature."""
    start = (data.index if where == b"PK\3\4" else data.rindex)(where) + offset
    if where == b"PK\1\2":
        start = data.index(where) + offset
    return data[:start] + what + data[start + len(what) :]


GOOD = zipped(members())
PACKED = zipped(members(), zipfile.ZIP_DEFLATED)
WRONG = struct.pack("<L", 5)
AMBIGUOUS = {
    "bytes before it": b"PK\3\4" + GOOD,
    "bytes behind the directory": GOOD[: GOOD.rindex(b"PK\5\6")] + b" " + GOOD[-22:],
    "a comment": changed(GOOD, b"PK\5\6", 20, b"\2\0") + b"ab",
    "bytes behind it": GOOD + b"\0",
    "another number of members": changed(GOOD, b"PK\5\6", 10, b"\1\0"),
    "another disk": changed(GOOD, b"PK\5\6", 4, b"\1\0"),
    "another beginning of the directory": changed(GOOD, b"PK\5\6", 16, WRONG),
    "another size of the directory": changed(GOOD, b"PK\5\6", 12, WRONG),
    "encrypted": changed(GOOD, b"PK\1\2", 8, b"\1\0"),
    "encrypted in one place": changed(GOOD, b"PK\3\4", 6, b"\1\0"),
    "another method": changed(GOOD, b"PK\1\2", 10, b"\x0c\0"),
    "another method in one place": changed(GOOD, b"PK\3\4", 8, b"\x08\0"),
    "another name in one place": changed(GOOD, b"PK\3\4", 30, b"MODEL"),
    "another size, not packed": changed(GOOD, b"PK\1\2", 20, WRONG),
    "another place": changed(GOOD, b"PK\1\2", 42, WRONG),
    "a place behind the end": changed(GOOD, b"PK\1\2", 42, b"\xfe\xff\xff\xff"),
    "a size behind the end": changed(GOOD, b"PK\1\2", 20, b"\xfe\xff\xff\xff" * 2),
    "another size, unpacked": changed(PACKED, b"PK\1\2", 24, WRONG),
    "packed with an end that is missing": changed(PACKED, b"PK\1\2", 20, WRONG),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_what_two_readers_may_read_in_two_ways(kind, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(AMBIGUOUS[kind])
    for file in (path, AMBIGUOUS[kind]):
        found = inspect(file)
        assert found.archive is None
        assert re.match("this is no pickle.*ZIP archive", str(found.error))
        assert "torch.load" not in str(found.error)
    assert main(["inspect", str(path)]) == 1


def test_what_unpacks_to_very_much(monkeypatch):
    monkeypatch.setattr(torch_file, "_MOST_UNPACKED", 10_000)
    for size, is_read in ((9_000, True), (11_000, False)):
        data = pickle.dumps("x" * size, 2)
        packed = zipped(members(data=data), zipfile.ZIP_DEFLATED)
        assert (inspect(packed).archive is not None) is is_read
        assert inspect(zipped(members(data=data))).archive is not None


def test_a_directory_that_is_very_large(monkeypatch):
    assert inspect(GOOD).archive is not None
    monkeypatch.setattr(torch_file, "_MOST_ENTRIES", 100)
    assert inspect(GOOD).archive is None


def unzipped(data):
    """The bytes that zipfile, another reader, finds; the checksum may be damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("model/data.pkl")
        with archive.open(info) as member:
            member._expected_crc = None
            return member.read()


@pytest.mark.costly
def test_damaged_files_are_no_exceptions(tmp_path):
    rand, count = random.Random(1), 0
    path = tmp_path / "model.pt"
    for good in (GOOD, PACKED):
        directory = good.index(b"PK\1\2")
        for size in (*range(0, len(good), 97), *range(directory, len(good))):
            path.write_bytes(good[:size])
            inspect(path)
            inspect(good[:size])
        for _ in range(1000):
            data = bytearray(good)
            for _ in range(rand.randint(1, 3)):
                data[rand.choice((rand.randrange(44), rand.randrange(directory, len(data))))] = (
                    rand.choice((0, 1, 0x7F, 0x80, 0xFF, rand.randrange(256)))
                )
            path.write_bytes(data)
            for file in (bytes(data), path):
                found = inspect(file)
                if found.archive is not None:
                    # A version of ZIP; and later Pythons refuse entries that overlap.
                    with contextlib.suppress(NotImplementedError, zipfile.BadZipFile):
                        assert found.read(0, found.size) == unzipped(bytes(data))
                        count += 1
    assert count > 100


def test_it_is_for_inspect_alone(tmp_path):
    """A load says what to use."""
    (tmp_path / "model.pt").write_bytes(GOOD)
    with pytest.raises(pickle.UnpicklingError) as caught:
        quickpickle.load(tmp_path / "model.pt")
    assert any("torch.load" in note for note in caught.value.__notes__)
