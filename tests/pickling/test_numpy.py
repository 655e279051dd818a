"""NumPy arrays and numbers, which have plans: see NDARRAY and NUMBER in rules/plans.py."""

import builtins
import datetime as dt
import io
import itertools
import pickle
import sys
import types

import pytest

import quickpickle.pure
from differential import assert_same, assert_same_dumps, outcome
from models import Act

np = pytest.importorskip("numpy", reason="NumPy has no wheel for this interpreter")


class ArrayOfMine(np.ndarray):
    pass


class NumberOfMine(np.float64):
    pass


def read_only(array):
    array.flags.writeable = False
    return array


ARRAYS = {
    # Between long doubles there are bytes that mean nothing, and have any value.
    "numbers": lambda: [
        *(np.array([0, 1, 1], dtype=code) for code in "?bhilqBHILQefdFD"),
        *(np.zeros(3, dtype=code) for code in "gG"),
    ],
    "shapes": lambda: [
        np.array(5.0),
        np.zeros(1),
        np.zeros(300),
        np.zeros((2, 3)),
        np.zeros((2, 300)),
        np.zeros((2, 3, 4)),
        np.zeros((2, 1, 2, 2)),
    ],
    "without items": lambda: [np.zeros(0), np.zeros((2, 0)), np.zeros((0, 2, 1))],
    "orders": lambda: [
        np.zeros((2, 3), order="F"),
        np.arange(6).reshape(2, 3).T,
        np.arange(6)[::2],
        np.arange(6)[::-1],
        np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
        np.broadcast_to(np.arange(3), (2, 3)),
        np.broadcast_to(np.arange(3), (1, 3)),
        np.zeros((1, 5), order="F"),
    ],
    "read-only": lambda: [
        read_only(np.arange(3)),
        np.frombuffer(b"12345678"),
        read_only(np.ones(300)),
    ],
    "views": lambda: [np.arange(10)[2:5], np.arange(10).reshape(2, 5)[1]],
    "other types": lambda: [
        np.arange(3, dtype=">i4"),
        np.arange(3).astype("M8[s]"),
        np.arange(3).astype("m8[D]"),
        np.array(["a", "bc"]),
        np.array([b"a", b"bc"]),
        np.array([1, "a", None], dtype=object),
        np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]),
        np.zeros(2, dtype="V3"),
        np.zeros(2, dtype=np.dtype("f8", metadata={"a": 1})),
    ],
    "subclasses": lambda: [
        np.zeros(3).view(ArrayOfMine),
        np.ma.masked_array([1, 2], [True, False]),
        np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    ],
    "scalars": lambda: [
        *(np.dtype(code).type(i) for i in (0, 1, 77) for code in "?bhilqBHILQefdFD"),
        *(np.dtype(code).type(-1) for code in "bhilqefdFD"),
        np.float64("nan"),
        np.complex128(1e300 - 2.5j),
        np.uint64(2**64 - 1),
        np.str_("a"),
        np.str_("b"),
        np.bytes_(b"a"),
        np.datetime64(1, "s"),
        np.datetime64(2, "s"),
        np.timedelta64(1, "D"),
        np.void(b"ab"),
        NumberOfMine(1.5),
        NumberOfMine(2.5),
    ],
    "large": lambda: [np.zeros(8191), np.zeros(8192), np.zeros(8193), np.zeros(3)],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_the_same_bytes(implementation, protocol, name):
    make = ARRAYS[name]
    assert_same(implementation, make, protocol)
    arrays = make()
    assert_same(implementation, lambda: [arrays, make(), arrays, tuple(make())], protocol)
    # The strings that say in which order an array is are there before it.
    assert_same(implementation, lambda: ["C", "F", "K", arrays, np.dtype("f8"), arrays], protocol)


@pytest.mark.parametrize("name", ["numbers", "shapes", "orders", "scalars"])
def test_frames_that_end_within_an_array(implementation, name):
    make = ARRAYS[name]
    for size in range(65000, 65540, 11):
        assert_same(implementation, lambda size=size: [make(), b"x" * size, make()], 5)


@pytest.mark.costly
@pytest.mark.parametrize("name", ["numbers", "shapes", "orders", "scalars"])
def test_frames_that_end_within_an_old_array(implementation, name):
    make = ARRAYS[name]
    head = make()
    size = len(pickle.dumps([head, b"x" * 60_000], 4))
    # So that the frame is full at each place of the first arrays behind it.
    for step in range(700):
        text = b"x" * (60_000 + 65_536 - size - step)
        assert_same(implementation, lambda text=text: [head, text, make()], 4)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (300, 1), (70_000,), (2, 1, 2)], ids=str)
def test_frames_that_end_within_the_parts_of_an_array(implementation, shape):
    head = [np.zeros(3), np.zeros((2, 2))]
    size = len(pickle.dumps([head, b"x" * 60_000], 4))
    for step in range(-5, 120):
        text = b"x" * (60_000 + 65_536 - size - step)
        array = np.ones(shape, dtype="d")
        assert_same(implementation, lambda text=text, array=array: [head, text, array, 1], 4)


KNOWN = {
    "function": lambda: np.zeros(1).__reduce_ex__(4)[0],
    "class": lambda: np.ndarray,
    "dtype": lambda: np.dtype("f8"),
    "byte": lambda: b"b",
    "bytes": lambda: b"bytes",
    "function of numbers": lambda: np.float64(1).__reduce__()[0],
    "date": lambda: dt.date(1, 2, 3),
}


@pytest.mark.parametrize("count", range(1, 5))
def test_parts_that_are_there_before(implementation, protocol, count):
    for names in itertools.permutations(KNOWN, count):
        if count < 4 or names == tuple(sorted(names)):
            known = [KNOWN[name]() for name in names]
            for obj in (np.zeros(3), np.float64(1.5)):
                assert_same(implementation, lambda k=known, o=obj: [k, o, o, np.ones(2)], protocol)


def test_a_memo_that_lacks_a_part(implementation, protocol):
    arrays = [np.zeros(3), np.ones(3), np.float64(1.5), np.float64(2.5), dt.date(1, 2, 3), b"ab"]

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.dump(arrays)
        memo = pickler.memo.copy()
        for number in range(len(memo)):
            other = cls(file, protocol)
            other.memo = {key: pair for key, pair in memo.items() if pair[0] != number}
            other.dump([np.zeros(2), np.float64(3), dt.date(1, 2, 4), b"cd", np.zeros(2)])

    assert_same_dumps(implementation, use)


LARGE = {
    "bytes that take two": lambda: np.full(40_000, 255, dtype="u1"),
    "just not large": lambda: np.zeros(65_535, dtype="u1"),
    "large": lambda: np.zeros(65_536, dtype="u1"),
    "larger": lambda: np.full(70_000, 200, dtype="u1"),
    "one byte": lambda: np.zeros(1, dtype="u1"),
    "two bytes": lambda: np.zeros(2, dtype="u1"),
}


class File:
    """Notes the size of each write."""

    def __init__(self):
        self.data = bytearray()
        self.sizes = []

    def write(self, data):
        self.data += data
        self.sizes.append(memoryview(data).nbytes)


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("compact", [False, True])
def test_large_arrays_to_files(implementation, protocol, name, compact):
    arrays = [LARGE["two bytes"](), LARGE[name](), "x", LARGE[name](), LARGE[name]().T]
    assert_same(implementation, lambda: arrays, protocol)
    expected = pickle.dumps(arrays, protocol)
    if compact:
        expected = quickpickle.pure.optimize(expected)
    ours, theirs, file = io.BytesIO(), File(), File()
    for target in (ours, theirs):
        implementation.dump(arrays, target, protocol, compact=compact)
    quickpickle.pure.dump(arrays, file, protocol, compact=compact)
    assert ours.getvalue() == bytes(theirs.data) == expected
    assert compact or theirs.sizes == file.sizes
    assert implementation.dumps(arrays, protocol, compact=compact) == expected


def test_writes_with_arrays_at_the_end_of_a_frame(implementation, protocol):
    for size in range(62_000, 65_600, 67):
        arrays = [np.zeros(3), "x" * size, np.full(300, -1), np.zeros(3), "z" * 65_000, np.ones(2)]
        sizes = []
        for module in (implementation, quickpickle.pure):
            file = File()
            module.dump(arrays, file, protocol)
            sizes.append(file.sizes)
        assert sizes[0] == sizes[1]


def test_out_of_band(implementation):
    arrays = [array for make in ARRAYS.values() for array in make()]

    def dump(module, in_band):
        buffers = []

        def callback(buffer):
            buffers.append(bytes(buffer.raw()))
            return in_band

        return module.dumps([arrays, arrays[:2]], 5, buffer_callback=callback), buffers

    for in_band in (False, True):
        assert dump(implementation, in_band) == dump(pickle, in_band)


@pytest.mark.parametrize("in_band", [False, True])
def test_a_callback_that_changes_later_arrays(implementation, monkeypatch, in_band):
    module = sys.modules[np.zeros(1).__reduce_ex__(5)[0].__module__]

    def dump(pickler, change):
        rest = [np.zeros(2), np.ones(300), np.ones((2, 3))]
        arrays = [np.zeros(5), [np.zeros(4), rest], *rest, np.zeros(6)]
        seen = []

        def callback(buffer):
            seen.append(bytes(buffer.raw()))
            if len(seen) == 2:
                change(arrays, rest)
            return in_band

        return pickler.dumps(arrays, 5, buffer_callback=callback), seen

    def remove(arrays, rest):
        rest.clear()
        del arrays[2:]
        arrays.append(np.full(7, 7))

    def reshape(arrays, rest):
        arrays[1][0].shape = (2, 2)
        rest[0].flags.writeable = False
        rest[2].shape = (3, 2)

    def go_elsewhere(arrays, rest):
        patch.setattr(module, "_frombuffer", lambda *args: None)

    for change in (remove, reshape, go_elsewhere):
        results = []
        for pickler in (implementation, pickle):
            with monkeypatch.context() as patch:
                results.append(outcome(lambda: dump(pickler, change)))  # noqa: B023
        assert results[0] == results[1]


def test_paths_to_arrays_out_of_band(implementation):
    def callback(buffer):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        implementation.dumps({"a": [np.zeros(3)]}, 5, buffer_callback=callback)
    assert caught.value.path == "obj['a'][0].__reduce_ex__(5)[1][0]"


def test_several_dumps(implementation, protocol):
    arrays = [array for make in ARRAYS.values() for array in make()]

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.dump(arrays[:5])
        pickler.dump(arrays)
        heir = cls(io.BytesIO(), protocol)
        heir.memo = pickler.memo
        pickler.dump(arrays + ARRAYS["numbers"]())
        return len(pickler.memo.copy())

    assert_same_dumps(implementation, use)


def test_hooks_see_arrays_and_their_parts(implementation):
    arrays = ARRAYS["shapes"]()
    for name in ("persistent_id", "reducer_override"):

        def use(cls, file, name=name):
            seen = []

            class Sees(cls):
                pass

            result = None if name == "persistent_id" else NotImplemented
            setattr(Sees, name, lambda self, obj: (seen.append(type(obj).__name__), result)[1])
            Sees(file, 5).dump(arrays)
            return seen

        assert_same_dumps(implementation, use)


def test_another_function_that_rebuilds_arrays(implementation, monkeypatch):
    """NumPy may go on with its own, which then is not the one that is found by its name."""
    arrays = [np.zeros(3), np.ones(3)]
    assert_same(implementation, lambda: arrays, 5)
    module = sys.modules[arrays[0].__reduce_ex__(5)[0].__module__]
    with monkeypatch.context() as patch:
        patch.setattr(module, "_frombuffer", lambda *args: None)
        assert_same(implementation, lambda: arrays, 5)
    assert_same(implementation, lambda: arrays, 5)


UMATH = f"numpy.{'_core' if np.__version__ >= '2' else 'core'}._multiarray_umath"


def nothing(*args):
    """In the place of a function that rebuilds NumPy's objects."""


class ModuleOfMine(types.ModuleType):
    pass


def another_module(patch, cls=types.ModuleType, **functions):
    module = cls(UMATH)
    vars(module).update(vars(sys.modules[UMATH]), **functions)
    patch.setitem(sys.modules, UMATH, module)


CHANGES = {
    "_reconstruct": lambda patch: patch.setattr(sys.modules[UMATH], "_reconstruct", nothing),
    "scalar": lambda patch: patch.setattr(sys.modules[UMATH], "scalar", nothing),
    "another module": lambda patch: another_module(patch, _reconstruct=nothing, scalar=nothing),
    "of another type": lambda patch: another_module(patch, ModuleOfMine),
    "no module": lambda patch: patch.setitem(sys.modules, UMATH, None),
    "no package": lambda patch: patch.setitem(sys.modules, "numpy", None),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("is_before", [False, True])
def test_what_rebuilds_changes(implementation, protocol, monkeypatch, change, is_before):
    if protocol == 5 and change == "no package":
        pytest.skip("NumPy imports another module too")
    before = [] if is_before else [np.zeros(3), np.ones(3), np.float64(1.5), np.float64(2.5)]
    implementation.dumps([np.zeros(3), np.float64(1)], protocol)
    results = []
    for module in (implementation, pickle):
        with monkeypatch.context() as patch:
            act = Act(lambda: CHANGES[change](patch))
            obj = [*before, act, np.zeros(4), np.ones(4), np.float64(3.5), np.float64(4.5)]
            results.append(outcome(lambda: module.dumps(obj, protocol)))  # noqa: B023
        results.append(outcome(lambda: module.dumps(obj[-4:], protocol)))  # noqa: B023
    assert results[:2] == results[2:]


def test_calls_of_another_import(implementation, protocol, monkeypatch):
    """NumPy imports modules for each object; making a plan must not."""
    objects = [np.zeros(3), np.ones(3), np.float64(1.5), np.float64(2.5), np.ones((2, 2))]
    calls = []
    original = builtins.__import__

    def import_(name, *args):
        calls.append(name)
        return original(name, *args)

    for is_known in (False, True):
        results = []
        for module in (implementation, pickle):
            calls.clear()
            with monkeypatch.context() as patch:
                replace = lambda p=patch: p.setattr(builtins, "__import__", import_)  # noqa: E731
                known = [*objects, Act(replace)] if is_known else replace() or []
                data = module.dumps([known, objects[::-1], np.zeros(2), np.float64(0)], protocol)
            results.append((data, calls.copy()))
            assert_same(implementation, lambda: objects, protocol)
        assert results[0] == results[1]


def test_loaded_arrays_are_equal(implementation):
    arrays = [array for make in ARRAYS.values() for array in make()]
    for ours, theirs in zip(pickle.loads(implementation.dumps(arrays, 5)), arrays, strict=True):
        # NumPy writes the dtype of a number, not its class.
        assert type(ours) is type(theirs) or isinstance(theirs, np.generic)
        assert ours.dtype == theirs.dtype
        assert repr(ours.tolist()) == repr(theirs.tolist())
        assert ours.shape == theirs.shape
