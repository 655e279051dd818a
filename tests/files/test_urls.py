"""Files by their URL: with the stores of fsspec that need no network."""

from __future__ import annotations

import gzip
import os
import pickle
import sys
from pathlib import Path

import pytest

import quickpickle
from quickpickle import Policy
from quickpickle.files.urls import is_url

fsspec = pytest.importorskip("fsspec")

OBJECT = {"text": ["x" * 1000] * 3, "data": b"b" * 200_000, "many": list(range(50_000))}
URL = "memory://folder/model.pkl"


class Bad:
    def __reduce__(self):
        raise ZeroDivisionError


@pytest.fixture
def memory():
    """The store of memory://, by paths; it is one for the process."""
    store = fsspec.filesystem("memory").store
    store.clear()
    yield store
    store.clear()


def test_dump_and_load(implementation, protocol, memory):
    implementation.dump(OBJECT, URL, protocol)
    assert memory["/folder/model.pkl"].getvalue() == pickle.dumps(OBJECT, protocol)
    assert quickpickle.load(URL) == OBJECT
    implementation.dump(1, URL, protocol)
    assert quickpickle.load(URL) == 1
    assert list(quickpickle.load_all(URL)) == [1]


def test_recover_and_check(memory):
    url = f"{URL}.gz"
    quickpickle.dump([1, print], url)
    assert quickpickle.recover(url).value == [1, print]
    (refused,) = Policy.plain().check(url)
    assert refused.name == "builtins.print"
    quickpickle.dump([1, 2], url)
    content = memory["/folder/model.pkl.gz"]
    content.seek(0)
    content.truncate(len(content.getvalue()) - 9)  # within what is compressed
    assert quickpickle.recover(url).value == [1, 2]
    with pytest.raises(EOFError) as caught:
        Policy.plain().check(url)
    assert f"while checking {url!r}" in caught.value.__notes__


def test_buffers_in_the_file(implementation, memory):
    obj = [pickle.PickleBuffer(bytes(300_000)), bytearray(300_000), b"y" * 300_000]
    implementation.dump(obj, URL, 5)
    assert memory["/folder/model.pkl"].getvalue() == pickle.dumps(obj, 5)


@pytest.mark.parametrize("options", [{}, {"level": 1}, {"compression": "xz"}])
def test_compression(implementation, memory, options):
    implementation.dump(OBJECT, f"{URL}.gz", **options)
    data = memory["/folder/model.pkl.gz"].getvalue()
    if "compression" not in options:
        assert gzip.decompress(data) == pickle.dumps(OBJECT)
    assert len(data) < 200_000
    assert quickpickle.load(f"{URL}.gz") == OBJECT
    with pytest.raises(ValueError, match="does not compress as"):
        implementation.dump(OBJECT, f"{URL}.lz4")


@pytest.mark.parametrize("before", [None, [1, 2]])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_all_or_nothing(implementation, memory, before, ending):
    url = URL + ending
    if before is not None:
        implementation.dump(before, url)
    with pytest.raises(ZeroDivisionError):
        implementation.dump([b"x" * 1_000_000, Bad()], url)
    assert list(memory) == ([] if before is None else [f"/folder/model.pkl{ending}"])
    assert before is None or quickpickle.load(url) == before


def test_transactions_of_others_are_left_alone(implementation, memory):
    """A dump within one is not part of it, and does not end it."""
    store = fsspec.filesystem("memory")
    with store.transaction:
        theirs = store.open("/theirs", "wb")
        theirs.write(b"theirs")
        implementation.dump([1], URL)
        assert list(memory) == ["/folder/model.pkl"]
        with pytest.raises(ZeroDivisionError):
            implementation.dump(Bad(), URL)
    assert memory["/theirs"].getvalue() == b"theirs"


@pytest.mark.parametrize("protocol", ["file", "local"])
def test_files_of_this_machine(implementation, tmp_path, protocol):
    """With the promises that paths have."""
    path = tmp_path / "model.pkl"
    url = f"{protocol}://{path.as_posix()}"
    implementation.dump(OBJECT, url)
    assert path.read_bytes() == pickle.dumps(OBJECT)
    path.chmod(0o600)
    with pytest.raises(ZeroDivisionError):
        implementation.dump([b"x" * 1_000_000, Bad()], url)
    implementation.dump(OBJECT, url)
    assert os.listdir(tmp_path) == ["model.pkl"]
    assert path.stat().st_mode & 0o777 == 0o600 or os.name != "posix"
    assert quickpickle.load(url, mmap=True) == OBJECT
    assert list(quickpickle.load_all(url)) == [OBJECT]


def test_what_cannot_be_loaded(implementation, memory):
    with pytest.raises(FileNotFoundError):
        quickpickle.load(URL)
    implementation.dump(OBJECT, URL)
    with pytest.raises(ValueError, match="takes a regular file"):
        quickpickle.load(URL, mmap=True)
    memory["/folder/model.pkl"].truncate(100)
    with pytest.raises((EOFError, pickle.UnpicklingError)) as caught:
        quickpickle.load(URL)
    assert f"while loading {URL!r}" in caught.value.__notes__
    with pytest.raises(ValueError, match="nowhere"):
        implementation.dump(OBJECT, "nowhere://model.pkl")


def test_without_fsspec(implementation, monkeypatch, memory):
    for name in list(sys.modules):
        if name.partition(".")[0] == "fsspec":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    for action in (
        lambda: implementation.dump(Bad(), URL),
        lambda: quickpickle.load(URL),
        lambda: list(quickpickle.load_all(URL)),
    ):
        with pytest.raises(ImportError, match="pip install fsspec") as caught:
            action()
        assert caught.value.name == "fsspec"


def test_what_is_a_url():
    for url in ("s3://bucket/model.pkl", "a+b-c.d1://x", "simplecache::S3://bucket/x", "memory://"):
        assert is_url(url), url
    for path in ("model.pkl", "/a://b", "1://x", "a b://c", "://x", "s3:/bucket", b"s3://bucket/x"):
        assert not is_url(path), path
    assert not is_url(Path("s3://bucket/model.pkl"))


@pytest.mark.skipif(os.name == "nt", reason="no name has a colon there")
def test_a_path_that_looks_like_one(implementation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "memory:").mkdir()
    implementation.dump([1], "memory://model.pkl")
    assert (tmp_path / "memory:" / "model.pkl").read_bytes() == pickle.dumps([1])
    assert quickpickle.load("memory://model.pkl") == [1]
