"""load(path, mmap=True): arrays stay in the file, and nothing else does."""

from __future__ import annotations

import contextlib
import gc
import gzip
import io
import os
import pickle
import sys
import tracemalloc
import warnings

import pytest

import quickpickle
from quickpickle import loading
from quickpickle.format import opcodes as op

np = pytest.importorskip("numpy", reason="NumPy has no wheel for this interpreter")
_numeric = pytest.importorskip("numpy._core.numeric", reason="the names of NumPy 2")
frombuffer = _numeric._frombuffer

SIZE = 100_000  # bytes, more than what is read anyway


@pytest.fixture(autouse=True)
def implementation_that_loads(unpickling, monkeypatch):
    monkeypatch.setattr(loading, "load_mapped", unpickling.load_mapped)
    monkeypatch.setattr(loading, "load_file", unpickling.load)
    monkeypatch.setattr(loading, "loads", unpickling.loads)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.pkl"


def is_mapped(array):
    """Whether the bytes of an array are in the file."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, memoryview) and "mmap" in type(base.obj).__name__


def loaded(path, obj, protocol=5, **options):
    quickpickle.dump(obj, path, protocol=protocol, **options)
    return quickpickle.load(path, mmap=True)


def read_only(array):
    array.flags.writeable = False
    return array


RECORD = np.dtype([("a", "i1"), ("b", ">f8"), ("c", [("x", "u2", (3,)), ("y", "U2")])])
ARRAYS = {
    **{
        code: lambda code=code: np.arange(SIZE).astype(code) for code in ("u1", "<i4", ">f8", "c16")
    },
    "bool": lambda: np.ones(SIZE, bool),
    "strings": lambda: np.full(SIZE, "four"),
    "bytes": lambda: np.full(SIZE, b"four"),
    "records": lambda: np.zeros(SIZE, RECORD),
    "aligned records": lambda: np.zeros(SIZE, np.dtype([("a", "u1"), ("b", "f8")], align=True)),
    "columns": lambda: np.asfortranarray(np.arange(SIZE).reshape(100, -1)),
    "transposed": lambda: np.arange(SIZE).reshape(10, 100, -1).T,
    "read-only": lambda: read_only(np.arange(SIZE)),
    "read-only columns": lambda: read_only(np.asfortranarray(np.ones((1000, 300)))),
}


@pytest.mark.parametrize("compact", [False, True], ids=["", "compact"])
@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_are_equal_and_stay_in_the_file(path, kind, compact):
    array = ARRAYS[kind]()
    # Of each an array that begins at another place in a word.
    arrays = loaded(
        path, [x for i in range(9) for x in (array.copy("K"), b"x" * i)], compact=compact
    )
    plain = quickpickle.load(path)
    assert len(arrays) == 18
    for ours, theirs in zip(arrays[::2], plain[::2], strict=True):
        assert is_mapped(ours)
        assert not is_mapped(theirs)
        assert ours.dtype == theirs.dtype == array.dtype
        assert ours.strides == theirs.strides
        assert ours.flags.writeable == theirs.flags.writeable
        assert np.array_equal(ours, theirs)
        assert ours.tobytes("A") == theirs.tobytes("A")
    if array.dtype.alignment > 1:
        assert not all(a.flags.aligned for a in arrays[::2])


def test_arrays_that_numpy_writes_in_other_ways(path):
    """Dates and objects have no buffer. Others have gaps, or are of another class."""
    times = np.arange(SIZE).astype("M8[s]")
    objects = np.array([None] * SIZE)
    for array in (times, objects, np.arange(SIZE)[::2], np.ma.zeros(SIZE), np.zeros(SIZE, "V0")):
        result = loaded(path, array)
        assert not is_mapped(result)
        assert type(result) is type(array)
        assert np.array_equal(result, array)
    assert not is_mapped(loaded(path, np.arange(SIZE), protocol=4))
    assert not is_mapped(loaded(path, np.ones(1000)))


def test_what_is_read_only_stays_so(path):
    array, other = loaded(path, [read_only(np.arange(SIZE)), np.arange(SIZE)])
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True
    assert other.flags.writeable


def test_what_is_written_does_not_get_into_the_file(path):
    array = loaded(path, np.zeros(SIZE))
    before = path.read_bytes()
    array += 1
    assert array.sum() == SIZE
    assert path.read_bytes() == before
    assert quickpickle.load(path, mmap=True).sum() == 0


def test_objects_that_are_met_again(path):
    array = np.arange(SIZE)
    first, again, inside = loaded(path, [array, array, {"a": array[:-1]}])
    assert first is again
    assert is_mapped(first)
    assert is_mapped(inside["a"])
    first[0] = 7
    assert inside["a"][0] == 0  # another array, as with the reference


def test_many_arrays_between_other_objects(path):
    obj = [
        x
        for i in range(100)
        for x in (np.full(20_000, i), f"text {i}", [i, {"i": (i,)}], np.full(10, i), b"x" * 70_000)
    ]
    result = loaded(path, obj)
    assert len(result) == 500
    assert all(map(is_mapped, result[::5]))
    assert not any(map(is_mapped, result[3::5]))
    for ours, theirs in zip(result, obj, strict=True):
        assert type(ours) is type(theirs)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs


class SharedBuffer:
    """Two arrays of one buffer: what is written to one is seen in the other."""

    def __init__(self, data):
        self.data = pickle.PickleBuffer(data)

    def __reduce_ex__(self, protocol):
        one = Call(frombuffer, self.data, np.dtype("u1"), (SIZE,), "C")
        return list, ([one, Call(frombuffer, self.data, np.dtype("u1"), (SIZE,), "C")],)


class Call:
    def __init__(self, *call):
        self.call = call

    def __reduce_ex__(self, protocol):
        return self.call[0], self.call[1:]


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_buffer_that_is_met_again(path, kind):
    one, two = loaded(path, SharedBuffer(kind(SIZE)))
    assert not is_mapped(one)
    assert not is_mapped(two)
    assert np.shares_memory(one, two)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_data_of_the_program_stays_what_it_is(path, kind):
    """Also beside NumPy's function, as in a graph of calls that are made later."""
    data = kind(b"x" * SIZE)
    args = (data, np.dtype("u1"), SIZE, "C")
    for obj in (
        *(data, (frombuffer, data), (frombuffer, *args), [frombuffer, [data]], (frombuffer, args)),
        *((frombuffer, args, {}), [frombuffer, args], {frombuffer: args}),
        [frombuffer, Call(Arguments, args)],
    ):
        found = []
        gather(loaded(path, obj), found)
        assert [*map(type, found)] == [kind]


class Arguments:
    def __init__(self, args):
        self.args = args


def gather(obj, found):
    if isinstance(obj, bytes | bytearray | memoryview):
        found.append(obj)
    elif isinstance(obj, list | tuple):
        for item in obj:
            gather(item, found)
    elif isinstance(obj, dict):
        gather([*obj.items()], found)
    elif isinstance(obj, Arguments):
        gather(obj.args, found)


FUNCTION = b"cnumpy._core.numeric\n_frombuffer\n"
DTYPE = b"cnumpy\ndtype\n\x8c\2u1\x85R"
REST = DTYPE + b"J" + SIZE.to_bytes(4, "little") + b"\x8c\1C"
BYTES = op.BINBYTES8 + SIZE.to_bytes(8, "little") + b"x" * SIZE
BYTEARRAY = op.BYTEARRAY8 + SIZE.to_bytes(8, "little") + b"x" * SIZE
FRAME = op.FRAME + (1).to_bytes(8, "little")

MAPPED = {
    "plainly": FUNCTION + b"(" + BYTES + REST + b"tR.",
    "a bytearray": FUNCTION + b"(" + BYTEARRAY + REST + b"tR.",
    "memoized": FUNCTION + b"(" + BYTES + b"\x94" + REST + b"t\x94R.",
    "in frames": FRAME + b"N" + FUNCTION + b"(" + BYTES + FRAME + b"\x94" + REST + FRAME + b"tR.",
    "another entry is read": b"N\x94" + FUNCTION + b"(" + BYTES + b"\x94" + REST + b"tR0h\0.",
    "arguments with marks": FUNCTION + b"(" + BYTES + REST + b"](N(NNt}(NNueNatR.",
    "below a mark": b"(N(" + FUNCTION + b"(" + BYTES + REST + b"tRtt.",
}  # fmt: skip
READ = {
    "the memo is read": FUNCTION + b"(" + BYTES + b"\x94" + REST + b"tRh\0\x86.",
    "the memo is read far": FUNCTION + b"(" + BYTES + b"\x94" + REST + b"tRj\0\0\0\0\x86.",
    "the memo is read in text": FUNCTION + b"(" + BYTES + b"\x94" + REST + b"tRg0\n\x86.",
    "read at once": FUNCTION + b"(" + BYTES + b"\x94" + REST + b"h\0tR.",
    "the tuple is read": FUNCTION + b"(" + BYTES + REST + b"t\x94Rh\0\x86.",
    "other entries": FUNCTION + b"(" + BYTES + b"\x94" + REST + b"tRq\5h\0\x86.",
    "entries in advance": b"Nr\2\0\0\0"
    + FUNCTION
    + b"("
    + BYTES
    + b"\x94"
    + REST
    + b"t\x94Rh\2\x86.",
    "not called": FUNCTION + b"(" + BYTES + REST + b"t\x86.",
    "called otherwise": FUNCTION + b"(" + BYTES + REST + b"t\x81.",
    "another function": b"cbuiltins\nlist\n(" + BYTES + b"tR.",
    "no function": b"K\1(" + BYTES + b"t\x86.",
    "nothing below": b"(" + BYTES + REST + b"t.",
    "not the first": FUNCTION + b"(N" + BYTES + REST + b"t\x86.",
    "without a mark": FUNCTION + BYTES + b"\x86.",
    "in a tuple": FUNCTION + b"(" + BYTES + b"\x85" + REST + b"t\x86.",
    "in a list": FUNCTION + b"(" + BYTES + REST + b"l\x86.",
    "taken twice": FUNCTION + b"(" + BYTES + b"2" + REST + b"t\x86.",
    "taken off": FUNCTION + b"(" + BYTES + b"0" + REST + b"t\x86.",
    "its mark taken off": b"N" + FUNCTION + b"(" + BYTES + b"11\x86.",
    "a call with it": FUNCTION + b"(cbuiltins\nlen\n(" + BYTES + b"tR" + REST + b"t\x86.",
    "the function of a call": FUNCTION + b"(" + BYTES + b")R" + REST + b"tR.",
    "in a frame": op.FRAME + (len(BYTES) + 1).to_bytes(8, "little") + b"N" + BYTES + b".",
    "too long": FUNCTION + b"(" + op.BINBYTES8 + (2 * SIZE).to_bytes(8, "little") + b"x" * SIZE,
    "cut off": FUNCTION + b"(" + BYTES + REST[:20],
    "behind the end": FUNCTION + b"(" + BYTES + b"." + REST + b"tR.",
    "damaged": FUNCTION + b"(" + BYTES + b"\xff" + REST + b"tR.",
    "another tuple": FUNCTION + b"(" + BYTES + REST + b"(ttR.",
    "too few": FUNCTION + b"(" + BYTES + b"\x86tR.",
    "its mark twice": FUNCTION + b"((" + BYTES + REST + b"tR.",
    "a call of others": FUNCTION + b"(" + BYTES + b"\x8c\1x" * 6000 + b"\x85tR.",
}


def outcome_of(path, **options):
    try:
        result = quickpickle.load(path, **options)
    except Exception as error:
        return type(error), str(error), []
    found = []
    gather(result, found)
    return type(result), str(result), [*map(type, found)]


@pytest.mark.parametrize("kind", MAPPED)
def test_pickles_with_arrays_that_stay(path, kind):
    data = b"\x80\5" + MAPPED[kind]
    path.write_bytes(data)
    result = quickpickle.load(path, mmap=True)
    if isinstance(result, np.ndarray):
        assert is_mapped(result)
        assert bytes(result) == b"x" * SIZE
    assert outcome_of(path, mmap=True) == outcome_of(path)


@pytest.mark.parametrize("kind", READ)
def test_pickles_that_are_read(path, kind):
    """The outcome is that without a mapping: its type, and those of all bytes in it."""
    path.write_bytes(b"\x80\5" + READ[kind])
    mapped, plain = outcome_of(path, mmap=True), outcome_of(path)
    assert mapped == plain
    assert memoryview not in plain[-1]
    with contextlib.suppress(Exception):
        assert not is_mapped(quickpickle.load(path, mmap=True))


# --- memory


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="tracemalloc is of CPython")
def test_no_memory_for_what_stays_in_the_file(path):
    quickpickle.dump([np.ones(SIZE * 10), read_only(np.ones(SIZE * 10))], path, protocol=5)
    assert path.stat().st_size > 16 * SIZE * 10

    def peak(**options):
        tracemalloc.start()
        result = quickpickle.load(path, **options)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(array.sum() for array in result) == SIZE * 20
        return most

    peak()
    assert peak() > 16 * SIZE * 10
    assert peak(mmap=True) < SIZE


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="a matter of Linux")
def test_the_mapping_ends_with_the_last_array(path):
    def is_there():
        with open("/proc/self/maps") as maps:
            return path.name in maps.read()

    array, view = loaded(path, [np.arange(SIZE), np.arange(SIZE)])
    view = view[5:10]
    del array
    assert is_there()
    assert list(view) == [5, 6, 7, 8, 9]
    del view
    assert not is_there()
    loaded(path, [np.ones(3), bytes(SIZE)])
    assert not is_there()
    path.write_bytes(b"\x80\5" + FUNCTION + b"(" + BYTES + REST + b"tRnonsense")
    with pytest.raises(pickle.UnpicklingError):
        quickpickle.load(path, mmap=True)
    gc.collect()
    assert not is_there()


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="a matter of Linux")
@pytest.mark.skipif(sys.version_info < (3, 13), reason="mmap keeps the file open before")
def test_the_file_does_not_stay_open(path):
    before = len(os.listdir("/proc/self/fd"))
    array = loaded(path, np.arange(SIZE))
    assert is_mapped(array)
    assert len(os.listdir("/proc/self/fd")) == before


# --- files


def test_a_file_that_is_replaced(path):
    """By a dump, or by whoever writes another one and renames it: the array keeps the old one."""
    array = loaded(path, np.arange(SIZE))
    if os.name == "nt":
        with pytest.raises(PermissionError):
            quickpickle.dump(np.zeros(SIZE), path)
    else:
        quickpickle.dump(np.zeros(SIZE), path)
    assert np.array_equal(array, np.arange(SIZE))


def test_files_that_cannot_be_mapped(path, tmp_path):
    with (
        open(os.devnull, "rb") as file,
        pytest.raises(ValueError, match="takes the path of a file"),
    ):
        quickpickle.load(file, mmap=True)
    with pytest.raises(ValueError, match="takes the path of a file"):
        quickpickle.load(io.BytesIO(pickle.dumps(1)), mmap=True)
    (tmp_path / "data").write_bytes(gzip.compress(pickle.dumps(bytes(SIZE))))
    with pytest.raises(
        ValueError, match="that is not compressed: load it without mmap=True"
    ) as caught:
        quickpickle.load(tmp_path / "data", mmap=True)
    assert caught.value.__notes__ == [f"while loading {str(tmp_path / 'data')!r}"]
    path.write_bytes(b"")
    with pytest.raises(EOFError):
        quickpickle.load(path, mmap=True)
    with pytest.raises(FileNotFoundError):
        quickpickle.load(tmp_path / "missing", mmap=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_policy(path):
    """Not both at once: a policy decides about what is in memory."""
    loaded(path, np.arange(SIZE))
    with pytest.raises(ValueError, match="mmap=True does not go with a policy"):
        quickpickle.load(path, mmap=True, policy=quickpickle.Policy.plain())


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "pipe", "r+b", buffering=0) as file:
        file.write(pickle.dumps([1] * 100))
        with pytest.raises(ValueError, match="takes a regular file"):
            quickpickle.load(tmp_path / "pipe", mmap=True)


def test_options_and_small_files(path):
    quickpickle.dump([1], path)
    assert quickpickle.load(path, mmap=True) == [1]
    path.write_bytes(b"\x80\2U\1\xe4" + b"B" + SIZE.to_bytes(4, "little") + bytes(SIZE) + b"\x86.")
    assert quickpickle.load(path, mmap=True, encoding="latin1") == ("\xe4", bytes(SIZE))
    buffers: list[pickle.PickleBuffer] = []
    quickpickle.dump([np.ones(SIZE), bytes(SIZE)], path, protocol=5, buffer_callback=buffers.append)
    array, _ = quickpickle.load(path, mmap=True, buffers=buffers)
    assert array.sum() == SIZE
    assert not is_mapped(array)


def test_what_comes_behind_the_pickle(path):
    data = pickle.dumps([np.arange(SIZE), 1], 5)
    path.write_bytes(data + data)
    assert is_mapped(quickpickle.load(path, mmap=True)[0])


@pytest.mark.parametrize("size", [0, 1, 20, 60, 200, SIZE, SIZE * 8, SIZE * 8 + 60, -1, -2, -100])
def test_files_that_are_cut_off(path, size):
    data = pickle.dumps([np.arange(SIZE), 1], 5)
    path.write_bytes(data[:size])
    assert outcome_of(path, mmap=True) == outcome_of(path)


def test_the_names_of_numpy_1(path):
    data = pickle.dumps(np.arange(SIZE), 5)
    assert b"\x8c\x13numpy._core.numeric" in data
    path.write_bytes(data.replace(b"\x8c\x13numpy._core.numeric", b"\x8c\x12numpy.core.numeric"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        array = quickpickle.load(path, mmap=True)
    assert is_mapped(array)
    assert np.array_equal(array, np.arange(SIZE))


def test_frames_of_pandas(path):
    pandas = pytest.importorskip("pandas")
    count = 20_000
    frame = pandas.DataFrame(
        {
            "x": np.arange(count) / 7,
            "y": np.arange(count) % 5,
            "z": [f"text {i % 11}" for i in range(count)],
            "when": pandas.date_range("2024-01-01", periods=count, freq="s"),
        }
    )
    result = loaded(path, frame)
    plain = quickpickle.load(path)
    assert is_mapped(result["x"].to_numpy())
    pandas.testing.assert_frame_equal(result, frame)
    for made in (
        lambda f: f.groupby("y").agg({"x": ["sum", "mean", "median"]}),
        lambda f: f.sort_values(["y", "x"]).reset_index(drop=True),
        lambda f: f.merge(f.groupby("z", as_index=False)["x"].max(), on="z"),
        lambda f: f.set_index("when")[["x", "y"]].resample("1min").sum(),
        lambda f: f[["x", "y"]].rolling(10).mean(),
        lambda f: f.describe(),
    ):
        pandas.testing.assert_frame_equal(made(result), made(plain))
