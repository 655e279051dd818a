"""load: files by path or open ones, whole or cut short, and pipes."""

from __future__ import annotations

import inspect
import io
import os
import pickle
import struct
import sys
import threading
import time
from importlib.util import find_spec

import pytest

import quickpickle
from differential import PYPY, only_cpython, outcome

OBJECT = {"text": ["x" * 1000] * 3, "data": b"b" * 200_000, "many": list(range(50_000))}

needs_posix = pytest.mark.skipif(os.name != "posix", reason="a matter of POSIX")
needs_zstd = pytest.mark.skipif(
    sys.version_info < (3, 14) and find_spec("zstandard") is None,
    reason="zstandard has no wheel for this interpreter",
)


@only_cpython
def test_load_hands_files_on(monkeypatch):
    ours, theirs = inspect.signature(quickpickle.load), inspect.signature(pickle.load)
    for name, parameter in theirs.parameters.items():
        assert ours.parameters[name].kind is parameter.kind or name == "file"
        # None as the documentation has it: with an empty tuple the message would be another one.
        expected = None if name == "buffers" else parameter.default
        assert ours.parameters[name].default == expected
    assert list(ours.parameters) == [*theirs.parameters, "mmap", "policy", "renames", "missing"]

    calls = []
    monkeypatch.setattr(
        quickpickle.loading, "load_file", lambda *args, **options: calls.append((args, options))
    )
    file = type("OfOthers", (io.BytesIO,), {})()  # files of the io module need no Python code
    options = {"fix_imports": 0, "encoding": "bytes", "errors": "x", "buffers": [b""]}
    options |= {"policy": quickpickle.Policy.plain(), "renames": {"old": "new"}}
    options["missing"] = "placeholder"
    quickpickle.load(file, **options)
    assert calls == [((file,), options)]


def test_load_reads_one_pickle_of_a_file(tmp_path):
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps(2))
    assert [quickpickle.load(file), quickpickle.load(file)] == [1, 2]
    (tmp_path / "two").write_bytes(file.getvalue())
    assert quickpickle.load(tmp_path / "two") == 1


def test_load_says_which_file(tmp_path):
    path = tmp_path / "model.pkl"
    with pytest.raises(FileNotFoundError) as caught:
        quickpickle.load(path)
    assert caught.value.filename == str(path)
    data = pickle.dumps(OBJECT)
    cut_short = (EOFError, pickle.UnpicklingError, *[IndexError, struct.error] * PYPY)
    for size in (0, 1, 2, 5, 100, 100_000, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(cut_short) as caught:
            quickpickle.load(path)
        place, file = caught.value.__notes__
        assert place.startswith("unpickling failed at ")
        assert file == f"while loading {str(path)!r}"


@pytest.mark.parametrize("data", [b"\x1f", b"B", b"BZ", b"\xfd7zXZ", b"(", b"(\xb5"], ids=repr)
def test_a_file_that_ends_as_a_compressed_one_begins(tmp_path, data):
    path = tmp_path / "short"
    path.write_bytes(data)
    assert outcome(lambda: quickpickle.load(path)) == outcome(lambda: pickle.loads(data))


@pytest.mark.parametrize("name", ["a.gz", "a.bz2", "a.xz", pytest.param("a.zst", marks=needs_zstd)])
def test_a_compressed_file_that_ends_behind_the_pickle(tmp_path, name):
    """Its checksum is read too: that the file has failed there is noted as any such failure."""
    path = tmp_path / name
    quickpickle.dump([1], path)
    size = len(pickle.dumps([1]))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EOFError) as caught:
        quickpickle.load(path)
    note, file = caught.value.__notes__
    line, hint = note.split("\n")
    if caught.value.offset is not None:  # the file of a zstandard cannot seek
        assert (line, caught.value.offset) == (f"reading failed after {size} bytes", size)
    assert line.startswith("reading failed ")
    assert caught.value.path is None
    assert hint.startswith("The compressed file is cut off")
    assert file == f"while loading {str(path)!r}"
    assert quickpickle.recover(path).value == [1]


@pytest.mark.costly
@needs_posix
@pytest.mark.parametrize(
    "name",
    ["a", "a.gz", "a.bz2", "a.xz", pytest.param("a.zst", marks=needs_zstd)],
)
def test_a_pipe_that_gives_a_byte_at_a_time(tmp_path, name):
    """The first read of it does not say if what comes is compressed."""
    quickpickle.dump(OBJECT, tmp_path / name)
    data = (tmp_path / name).read_bytes()
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received = []
    thread = threading.Thread(target=lambda: received.append(quickpickle.load(path)))
    thread.start()
    with open(path, "wb", buffering=0) as pipe:
        for i in range(len(data)):
            pipe.write(data[i : i + 1])
            if i < 10:
                time.sleep(0.005)
    thread.join()
    assert received == [OBJECT]


@needs_posix
@pytest.mark.parametrize("data", [b"N.", b"(l.", b"B\0\0\0\0."], ids=repr)
def test_a_pipe_that_stays_open(tmp_path, data):
    """No more is waited for than the pickle."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received = []
    thread = threading.Thread(target=lambda: received.append(quickpickle.load(path)), daemon=True)
    thread.start()
    with open(path, "wb", buffering=0) as pipe:
        for i in range(len(data)):
            pipe.write(data[i : i + 1])
            time.sleep(0.005)
        thread.join(60)
        assert received == [pickle.loads(data)]


def test_load_without_the_buffers(tmp_path):
    """The message is the one for buffers that were not given, not for too few of them."""
    data = pickle.dumps(pickle.PickleBuffer(b"x"), 5, buffer_callback=lambda buffer: None)
    path = tmp_path / "buffers.pkl"
    path.write_bytes(data)
    for options in ({}, {"buffers": None}, {"buffers": ()}):
        expected = outcome(lambda: pickle.loads(data, **options))  # noqa: B023
        assert outcome(lambda: quickpickle.load(io.BytesIO(data), **options)) == expected  # noqa: B023
        assert outcome(lambda: quickpickle.load(path, **options)) == expected  # noqa: B023
