"""Faults that are not the object's: of the file, of `progress`. The note says so, and no path."""

# ruff: noqa: B020, B023, E731, SIM115  # functions that are called before the loop goes on

from __future__ import annotations

import codecs
import errno
import gzip
import io
import os
import pickle
import socket
import tempfile
import threading
import zipfile

import pytest

from quickpickle.rules import progress as progress_module

LARGE = 100_000
ON_WINDOWS = os.name == "nt"


class Archive:
    """Writes a pickle of its own where it is pickled."""

    def __init__(self, dump):
        self.dump = dump

    def __reduce__(self):
        return Archive, (self.dump(),)


def fault(action, expected=Exception):
    """The one note of an exception that is not the object's fault."""
    with pytest.raises(expected) as caught:
        action()
    assert not hasattr(caught.value, "path")
    notes = [n for n in caught.value.__notes__ if not n.startswith("while writing")]
    (note,) = notes
    return note


def ways(implementation, obj, make, protocol=None, **options):
    """All ways to write to a new file each."""
    return [
        lambda: implementation.dump(obj, make(), protocol, **options),
        lambda: implementation.Pickler(make(), protocol, **options).dump(obj),
        lambda: implementation.dump(obj, make(), protocol, compact=True, **options),
        lambda: implementation.Pickler(make(), protocol, compact=True, **options).dump(obj),
        lambda: implementation.dump(obj, make(), protocol, deterministic=True, **options),
        lambda: implementation.dump(obj, make(), protocol, progress=lambda *_: None, **options),
    ]


class Failing:
    """A file whose write fails at its `at`-th call, having said how much it takes."""

    def __init__(self, error, at=1, takes=None):
        self.error, self.at, self.takes = error, at, takes
        self.calls = 0

    def write(self, data):
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        return len(data) if self.takes is None else min(self.takes, len(data))


OBJECTS = {
    "small": {"a": [1]},
    "large bytes": [1, {"k": b"x" * LARGE}],
    "large str": [1, {"k": "x" * LARGE}],
    "many": {"a": [str(i) for i in range(15_000)]},
    "instances": [Failing(i) for i in range(20_000)],
}


@pytest.mark.costly
@pytest.mark.parametrize("name", OBJECTS)
def test_a_write_that_fails(implementation, protocol, name):
    for action in ways(implementation, OBJECTS[name], lambda: Failing(LookupError("no")), protocol):
        assert fault(action, LookupError) == "writing failed after 0 bytes"


@pytest.mark.costly
def test_how_far_it_came(implementation, protocol):
    obj = [b"x" * LARGE, b"y" * LARGE, [str(i) for i in range(50_000)]]
    for takes in (None, 7_000):
        sizes = []

        class File:
            def write(self, data):
                taken = len(data) if takes is None else min(takes, len(data))
                sizes.append(taken)
                return taken

        implementation.dump(obj, File(), protocol)
        for at in {1, 2, len(sizes)}:
            file = Failing(OSError("no"), at, takes)
            note = fault(lambda: implementation.dump(obj, file, protocol))
            assert note == f"writing failed after {sum(sizes[: at - 1]):,} bytes"
    # The next dump of the same Pickler begins again.
    file = Failing(OSError("no"), 0)
    pickler = implementation.Pickler(file, protocol)
    for _ in range(2):
        pickler.dump(OBJECTS["many"])
        pickler.clear_memo()
    file.at = file.calls + 1
    assert fault(lambda: pickler.dump(OBJECTS["many"])) == "writing failed after 0 bytes"
    with pytest.raises((TypeError, pickle.PicklingError)) as caught:
        pickler.dump([1, threading.Lock()])
    assert caught.value.path == "obj[1]"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_interrupts_in_a_write(implementation, error):
    for action in ways(implementation, OBJECTS["many"], lambda: Failing(error)):
        assert fault(action, type(error)) == "writing was interrupted after 0 bytes"
        del error.__notes__


TEXT = "open it in binary mode"


@pytest.mark.parametrize("name", ["small", "large bytes"])
def test_text_files(implementation, tmp_path, name):
    path = tmp_path / "file"

    def made(open_it):
        """A function that opens the file, and closes it when the test is over."""

        def make():
            files.append(open_it())
            return files[-1]

        return make

    files = []
    try:
        for make in (
            io.StringIO,
            made(lambda: open(path, "w")),
            made(lambda: tempfile.NamedTemporaryFile("w")),
            made(lambda: gzip.open(path, "wt")),
            lambda: codecs.getwriter("utf-8")(io.BytesIO()),
            lambda: io.TextIOWrapper(io.BytesIO()),
        ):
            for action in ways(implementation, OBJECTS[name], make):
                first, hint = fault(action, TypeError).split("\n")
                assert first == "writing failed after 0 bytes"
                assert TEXT in hint
    finally:
        for file in files:
            file.close()


def test_type_errors_of_others_have_no_hint(implementation):
    file = Failing(TypeError("write() takes 1 positional argument but 2 were given"))
    assert "\n" not in fault(lambda: implementation.dump(1, file), TypeError)


def test_files_that_are_not_open_for_writing(implementation, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"abc"))
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("member", b"abc")
    with (
        zipfile.ZipFile(archive) as opened,
        opened.open("member") as member,
        open(path, "rb") as file,
        open(path, "rb", buffering=0) as raw,
        gzip.open(path) as compressed,
    ):
        for file in (member, file, raw, compressed):
            for action in ways(implementation, OBJECTS["large bytes"], lambda: file):
                assert "is not open for writing" in fault(action, OSError)


def test_closed_files(implementation, tmp_path):
    files = [open(tmp_path / str(i), "wb", buffering) for i, buffering in enumerate([0, -1])]
    files += [io.BytesIO(), gzip.open(tmp_path / "gz", "wb")]
    for file in files:
        file.close()
        for action in ways(implementation, OBJECTS["small"], lambda: file):
            assert "The file is closed" in fault(action, ValueError)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
def test_a_full_disk(implementation, protocol):
    with open("/dev/full", "wb", 0) as file:
        for action in ways(implementation, OBJECTS["large bytes"], lambda: file, protocol):
            assert "There is no room left" in fault(action, OSError)
    # More than the buffer of a file takes before it writes.
    obj = [str(i) for i in range(60_000)]
    note = fault(lambda: implementation.dump(obj, "/dev/full", protocol), OSError)
    assert note.startswith("writing failed after ")


@pytest.mark.skipif(ON_WINDOWS, reason="its pipes and sockets have other errors")
def test_nobody_reads(implementation):
    reading, writing = os.pipe()
    os.close(reading)
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, open(writing, "wb", 0) as pipe, ours.makefile("wb", 0) as stream:
        for file in (pipe, stream):
            note = fault(lambda: implementation.dump(OBJECTS["small"], file), OSError)
            assert "at the other end has gone" in note


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="the system has no such files")
def test_a_file_that_does_not_block(implementation):
    obj = b"x" * 10_000_000
    for buffering in (0, -1):
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with open(reading, "rb"):
            file = open(writing, "wb", buffering)
            with pytest.raises(BlockingIOError) as caught:
                implementation.dump(obj, file)
            (note,) = caught.value.__notes__
            # The exception or the note says it, but not both.
            assert (str(caught.value) + note).count("os.set_blocking") == 1
            if not buffering:
                assert int(note.split()[3].replace(",", "")) > 0  # what the pipe has taken
            try:
                file.close()
            except OSError:
                file.raw.close()


def test_wrong_results_of_write(implementation):
    class Strange:
        def __index__(self):
            raise ArithmeticError

    for result, error in ((0, OSError), (Strange(), ArithmeticError)):
        file = type("File", (), {"write": lambda self, data: result})()
        assert fault(lambda: implementation.dump([1], file), error).startswith("writing failed")


def test_a_path(implementation, tmp_path, monkeypatch):
    """The compressor is a part of the file."""
    import zlib

    class Compressor:
        def compress(self, data):
            raise MemoryError

        def flush(self):
            return b""

    monkeypatch.setattr(zlib, "compressobj", lambda **_: Compressor())
    action = lambda: implementation.dump([1], tmp_path / "model.pkl.gz")
    assert fault(action, MemoryError) == "writing failed after 0 bytes"


def test_files_of_the_object_stay_its_own(implementation, tmp_path):
    """A __reduce__ that fails at a file of its own is the object's fault, also if it is caught."""

    class Writes:
        def __reduce__(self):
            with open(tmp_path / "own", "w") as file:
                file.write(b"bytes")

    for action in ways(implementation, [1, {"k": Writes()}], io.BytesIO):
        with pytest.raises(TypeError) as caught:
            action()
        assert caught.value.path == "obj[1]['k']"
        assert caught.value.__notes__[0].startswith("pickling failed at obj[1]['k']")
        assert TEXT not in caught.value.__notes__[0]


def test_a_write_that_fails_in_a_dump_of_the_object(implementation):
    text = io.StringIO()
    obj = [1, Archive(lambda: implementation.dump([2], text))]
    with pytest.raises(TypeError) as caught:
        implementation.dumps(obj)
    assert caught.value.path == "obj[1]"
    (note,) = caught.value.__notes__
    first, hint = note.split("\n")
    cls = f"{__name__}.Archive"
    inner = "writing failed after 0 bytes"
    assert first == f"pickling failed at obj[1] (type {cls}), in whose own dump {inner}"
    assert TEXT in hint


def test_a_dump_in_a_write(implementation):
    """The path that it has is one in an object that nobody outside has."""

    class File:
        def write(self, data):
            implementation.dumps({"lock": threading.Lock()})

    first, hint = fault(lambda: implementation.dump([1], File()), TypeError).split("\n")
    inner = "it failed at obj['lock'] (type _thread.lock)"
    assert first == f"writing failed after 0 bytes, in whose own dump {inner}"
    assert hint.startswith("A lock")


def test_import_errors_in_a_write(implementation):
    """Their attribute `path` is theirs."""

    class File:
        def write(self, data):
            with pytest.raises(ImportError):
                implementation.dumps([Archive(lambda: self.fail())])
            self.fail()

        def fail(self):
            raise error

    error = ImportError("no")
    with pytest.raises(ImportError):
        implementation.dump([1], File())
    assert error.__notes__[0].startswith("writing failed")
    assert error.path is None


def test_no_path_stays_from_an_inner_dump(implementation):
    error = ValueError("no")

    class File:
        def write(self, data):
            implementation.dumps([Archive(lambda: self.fail())])

        def fail(self):
            raise error

    with pytest.raises(ValueError, match="no"):
        implementation.dump([1], File())
    assert not hasattr(error, "path")
    other = ValueError("other")
    other.path = "its own"
    with pytest.raises(ValueError, match="other"):
        implementation.dump([1], Failing(other))
    assert other.path == "its own"


# --- progress


@pytest.fixture
def hurried(monkeypatch):
    """At every chance, instead of ten times a second."""
    from conftest import IMPLEMENTATIONS

    monkeypatch.setattr(progress_module, "INTERVAL", -1.0)
    if "native" in IMPLEMENTATIONS:
        monkeypatch.setattr(IMPLEMENTATIONS["native"], "INTERVAL", -1.0)


@pytest.mark.costly
@pytest.mark.parametrize("last", [False, True])
def test_progress_that_fails(implementation, protocol, hurried, last):
    obj = [1, {"k": b"x" * LARGE}, OBJECTS["many"]]
    for options in ({}, {"compact": True}, {"deterministic": True}):
        calls = []
        whole = implementation.dumps(obj, protocol, progress=lambda *c: calls.append(c), **options)
        assert len(calls) > 1
        assert calls[-1][1] == len(whole)
        for error, text in ((ValueError("no"), "failed"), (KeyboardInterrupt(), "was interrupted")):
            stop = [calls[-1]]

            def report(objects, size):
                if not last or (objects, size) in stop:
                    raise error

            action = lambda: implementation.dumps(obj, protocol, progress=report, **options)
            assert fault(action, type(error)) == f"progress() {text}"
            del error.__notes__
            for action in (
                lambda p: implementation.dump(obj, io.BytesIO(), protocol, progress=p, **options),
                lambda p: implementation.Pickler(
                    io.BytesIO(),
                    protocol,
                    progress=p,
                    **options,
                ).dump(obj),
            ):
                action(lambda *c: stop.append(c))
                del stop[:-1]
                assert fault(lambda: action(report), type(error)) == f"progress() {text}"
                del error.__notes__


def test_the_object_is_at_fault_after_a_report(implementation, hurried):
    obj = [OBJECTS["many"], threading.Lock()]
    for options in ({}, {"compact": True}):
        with pytest.raises(TypeError) as caught:
            implementation.dumps(obj, progress=lambda *_: None, **options)
        assert caught.value.path == "obj[1]"
        with pytest.raises(TypeError) as caught:
            implementation.dump(obj, io.BytesIO(), progress=lambda *_: None, **options)
        assert caught.value.path == "obj[1]"


def test_a_bar_that_cannot_be_made(implementation, monkeypatch):
    def fail():
        raise RuntimeError("no bar")

    monkeypatch.setattr(progress_module, "_bar", fail)
    for action in (
        lambda: implementation.dumps([1], progress=True),
        lambda: implementation.Pickler(io.BytesIO(), progress=True).dump([1]),
    ):
        with pytest.raises(RuntimeError, match="no bar") as caught:
            action()
        assert not hasattr(caught.value, "path")
        assert not hasattr(caught.value, "__notes__")


# --- digests


def test_a_digest_that_fails(implementation):
    class Digest:
        def __init__(self, at):
            self.left = at

        def update(self, data):
            self.left -= 1
            if not self.left:
                raise ValueError("no")

    obj = [1, {"k": b"x" * LARGE}]
    assert fault(lambda: implementation.object_digest(obj, lambda: Digest(1))) == (
        "digesting failed after 0 bytes"
    )
    note = fault(lambda: implementation.object_digest(obj, lambda: Digest(3)))
    assert note.startswith(f"digesting failed after {LARGE:,}"[:-3])


# --- hints


def test_errno_of_others(implementation):
    """An OSError whose first argument is no error number, or a text, has no hint."""
    for error in (
        OSError("closed"),
        OSError(errno.EIO, "Input/output error"),
        OSError([], "odd"),
        ValueError(),
        ValueError(5),
    ):
        assert "\n" not in fault(lambda: implementation.dump(1, Failing(error)), type(error))


def test_nothing_is_noted_on_success(implementation):
    file = io.BytesIO()
    pickler = implementation.Pickler(file)
    pickler.dump(OBJECTS["many"])
    assert pickle.loads(file.getvalue()) == OBJECTS["many"]
