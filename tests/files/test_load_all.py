"""load_all: the pickles of a file one after another, by path or of an open file."""

from __future__ import annotations

import gc
import gzip
import inspect
import io
import os
import pickle
import weakref

import pytest

import quickpickle
from conftest import UNPICKLERS
from quickpickle import Policy, PolicyError
from quickpickle import loading as loading_module
from quickpickle.files import urls

OBJECTS = [{"a": 1}, [1, 2, 3], "x" * 100_000, None, list(range(5000)), b"", ()]


@pytest.fixture(params=UNPICKLERS, autouse=True)
def chosen(request, monkeypatch):
    """`loading` takes the functions of the implementation in use."""
    module = UNPICKLERS[request.param]
    monkeypatch.setattr(loading_module, "load_file", module.load)
    monkeypatch.setattr(loading_module, "load_mapped", module.load_mapped)


def pickles(protocol=4, objects=OBJECTS):
    return b"".join(pickle.dumps(obj, protocol) for obj in objects)


class NoPeek:
    """A file without `peek` and `seek`: of a socket, say."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, count):
        return self.file.read(count)

    def readline(self):
        return self.file.readline()


FILES = {
    "BytesIO": io.BytesIO,
    "BufferedReader": lambda data: io.BufferedReader(io.BytesIO(data)),
    "neither": NoPeek,
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_all_of_a_file(kind, protocol):
    assert list(quickpickle.load_all(FILES[kind](pickles(protocol)))) == OBJECTS
    assert list(quickpickle.load_all(FILES[kind](b""))) == []


@pytest.mark.parametrize("name", ["a", "a.gz", "a.bz2", "a.xz"])
def test_all_of_a_path(tmp_path, name):
    import bz2
    import lzma

    compress = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
    data = compress.get(os.path.splitext(name)[1], bytes)(pickles())
    path = tmp_path / name
    path.write_bytes(data)
    assert list(quickpickle.load_all(path)) == OBJECTS
    assert list(quickpickle.load_all(str(path))) == OBJECTS
    path.write_bytes(b"")
    assert list(quickpickle.load_all(path)) == []


def test_it_is_lazy():
    """The file's position is behind the last pickle that was read."""
    for make in FILES.values():
        file = make(pickles())
        loaded = quickpickle.load_all(file)
        for number in range(3):
            assert next(loaded) == OBJECTS[number]
            if hasattr(file, "tell"):
                assert file.tell() == len(pickles(objects=OBJECTS[: number + 1]))
        loaded.close()
        assert quickpickle.load(file) == OBJECTS[3]


@pytest.mark.parametrize("end", ["dropped", "closed", "exhausted", "failed", "begun by nobody"])
def test_a_path_is_closed(tmp_path, monkeypatch, end):
    opened = []

    def spy(*args):
        opened.append(open(*args))  # noqa: SIM115
        return opened[-1]

    monkeypatch.setattr(urls, "open", spy, raising=False)
    path = tmp_path / "all.pkl"
    path.write_bytes(pickles() + (b"\xff" if end == "failed" else b""))
    loaded = quickpickle.load_all(path)
    assert not opened
    if end == "begun by nobody":
        del loaded
        assert not opened
        return
    next(loaded)
    assert not opened[0].closed
    if end == "dropped":
        del loaded
        gc.collect()
    elif end == "closed":
        loaded.close()
    elif end == "exhausted":
        list(loaded)
    else:
        with pytest.raises(pickle.UnpicklingError):
            list(loaded)
    assert opened[0].closed


def test_a_file_stays_open():
    file = io.BytesIO(pickles())
    list(quickpickle.load_all(file))
    assert not file.closed


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_file_that_ends_in_a_pickle(kind, protocol):
    """At each byte of the last pickle: what load raises, but at its very beginning."""
    first, last = pickle.dumps([0], protocol), pickle.dumps({"a": [1, 2.5, "b"]}, protocol)
    for size in range(len(last)):
        loaded = quickpickle.load_all(FILES[kind](first + last[:size]))
        assert next(loaded) == [0]
        if not size:
            assert next(loaded, "end") == "end"
            continue
        with pytest.raises((EOFError, pickle.UnpicklingError)) as caught:
            next(loaded)
        with pytest.raises(type(caught.value)) as alone:
            quickpickle.load(FILES[kind](last[:size]))
        assert str(caught.value) == str(alone.value)
        assert caught.value.offset == alone.value.offset
        assert caught.value.path == alone.value.path
        note = "while loading pickle number 1"
        where = "" if kind == "neither" else f", from byte {len(first)} on"
        assert caught.value.__notes__[1] == note + where
        assert next(loaded, "end") == "end"


def test_the_note_of_a_path(tmp_path):
    path = tmp_path / "all.pkl"
    path.write_bytes(pickles() + b"\x80\x04]")
    with pytest.raises(EOFError) as caught:
        list(quickpickle.load_all(path))
    place = f"while loading pickle number 7 of {str(path)!r}, from byte {len(pickles()):,} on"
    assert caught.value.__notes__[-1] == place
    loaded = quickpickle.load_all(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        next(loaded)


def test_a_compressed_file_that_is_cut_short(tmp_path):
    path = tmp_path / "all.pkl.gz"
    path.write_bytes(gzip.compress(pickles())[:-3])  # in the checksum
    loaded = quickpickle.load_all(path)
    assert [next(loaded) for _ in OBJECTS] == OBJECTS
    with pytest.raises(EOFError, match="Compressed file ended"):
        next(loaded)


def test_an_eoferror_of_a_pickle_is_no_end():
    """Also of its first opcode."""
    for data in (b"c%s\nEnds\n." % __name__.encode(), pickle.dumps([0]) + pickle.dumps(Raises())):
        with pytest.raises(EOFError, match="Ran out of input"):
            list(quickpickle.load_all(io.BytesIO(data)))


class Raises:
    def __reduce__(self):
        return pickle.loads, (b"",)


def __getattr__(name):
    if name == "Ends":
        return pickle.loads(b"")
    raise AttributeError(name)


def test_each_pickle_has_its_memo():
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 2)
    shared = ["shared"]
    pickler.dump(shared)
    pickler.dump([shared])
    file.seek(0)
    loaded = quickpickle.load_all(file)
    assert next(loaded) == shared
    with pytest.raises(pickle.UnpicklingError, match="Memo value not found"):
        next(loaded)


def test_the_options(monkeypatch):
    """Those of load, all of them handed on."""
    ours = inspect.signature(quickpickle.load_all).parameters
    theirs = inspect.signature(quickpickle.load).parameters
    assert list(ours) == list(theirs)
    assert all(ours[n].default == theirs[n].default for n in ours)
    assert ours["file"].kind is inspect.Parameter.POSITIONAL_ONLY
    calls = []
    monkeypatch.setattr(
        loading_module, "load_file", lambda file, **options: calls.append(options) or file.read()
    )
    options = {"fix_imports": 0, "encoding": "bytes", "errors": "x", "renames": {"old": "new"}}
    options |= {"policy": Policy.plain(), "missing": "placeholder"}
    list(quickpickle.load_all(io.BytesIO(b"x"), **options))
    assert calls == [{**options, "buffers": None}]


def test_the_buffers_of_all():
    file, buffers = io.BytesIO(), []
    for data in (b"one", b"two", b"three"):
        pickle.dump([pickle.PickleBuffer(data)], file, 5, buffer_callback=buffers.append)
    file.seek(0)
    loaded = [bytes(obj[0]) for obj in quickpickle.load_all(file, buffers=buffers)]
    assert loaded == [b"one", b"two", b"three"]


def test_the_limits_of_a_policy_are_those_of_each_pickle():
    policy = Policy().limit(objects=60)
    data = pickle.dumps(list(range(50))) * 3
    assert len(list(quickpickle.load_all(io.BytesIO(data), policy=policy))) == 3
    data += pickle.dumps(list(range(61))) + pickle.dumps(0)
    loaded = quickpickle.load_all(io.BytesIO(data), policy=policy)
    with pytest.raises(PolicyError):
        list(loaded)
    with pytest.raises(PolicyError):
        list(quickpickle.load_all(io.BytesIO(pickle.dumps(os.system)), policy=policy))


def test_wrong_arguments_at_once(tmp_path):
    with pytest.raises(ValueError, match="open file"):
        quickpickle.load_all(io.BytesIO(), mmap=True)
    with pytest.raises(ValueError, match="policy"):
        quickpickle.load_all(tmp_path, mmap=True, policy=Policy())
    with pytest.raises(TypeError, match="not iterable"):
        quickpickle.load_all(io.BytesIO(), buffers=1)
    for file in (b"bytes", object(), 1):
        with pytest.raises(TypeError, match="file must have 'read' and 'readline' attributes"):
            list(quickpickle.load_all(file))


def test_a_compressed_file_that_is_cut_off_between_pickles(tmp_path):
    path = tmp_path / "all.pkl.gz"
    data = gzip.compress(pickle.dumps(1) * 2)
    path.write_bytes(data[:-1])
    loaded = quickpickle.load_all(path)
    assert [next(loaded), next(loaded)] == [1, 1]
    with pytest.raises(EOFError) as caught:
        next(loaded)
    line, where = caught.value.__notes__
    assert line.startswith("reading failed after 0 bytes\nThe compressed file is cut off")
    assert (caught.value.path, caught.value.offset) == (None, 0)
    assert where.startswith("while loading pickle number 2 of ")


def test_a_text_file():
    """load says what to do about it."""
    with pytest.raises(TypeError) as caught:
        list(quickpickle.load_all(io.StringIO("text")))
    assert "binary mode" in caught.value.__notes__[0]


def test_arrays_that_stay_in_the_file(tmp_path):
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "all.pkl"
    arrays = [numpy.arange(20_000 + i) for i in range(3)]
    with path.open("wb") as file:
        for array in arrays:
            pickle.dump([array, array], file, 5)
    loaded = list(quickpickle.load_all(path, mmap=True))
    for array, (one, other) in zip(arrays, loaded, strict=True):
        assert one is other
        assert (one == array).all()
        base = one
        while isinstance(base, numpy.ndarray) and base.base is not None:
            base = base.base
        assert isinstance(base, memoryview), type(base)
        assert type(base.obj).__name__ == "mmap"


def test_an_object_is_not_kept():
    class Plain:
        pass

    Plain.__qualname__ = "Plain"
    globals()["Plain"] = Plain
    loaded = quickpickle.load_all(io.BytesIO(pickle.dumps(Plain()) * 2))
    first = weakref.ref(next(loaded))
    next(loaded)
    gc.collect()
    assert first() is None


def test_the_traceback_has_the_callers_frames_only():
    with pytest.raises(EOFError) as caught:
        list(quickpickle.load_all(io.BytesIO(b"]")))
    names = []
    traceback = caught.value.__traceback__
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_filename)
        traceback = traceback.tb_next
    assert names == [__file__]
