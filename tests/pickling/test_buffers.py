"""Arrays, tables and tensors of other libraries: the same bytes in band, no copies out of band."""

from __future__ import annotations

import io
import pickle

import pytest

import quickpickle

REASON = "for the interpreter of make test alone"
np = pytest.importorskip("numpy", reason="NumPy has no wheel for this interpreter")


def address(array):
    return np.asarray(array).__array_interface__["data"][0]


def numpy_arrays():
    array = np.arange(50_000.0).reshape(100, 500)
    return [(array, address(array)), (np.asfortranarray(array), None), (array.T, address(array))]


def pandas_objects():
    pd = pytest.importorskip("pandas", reason=REASON)
    frame = pd.DataFrame(np.arange(50_000.0).reshape(500, 100))
    series = pd.Series(np.arange(5_000), name="s")
    return [(frame, address(frame.to_numpy())), (series, address(series.to_numpy()))]


def arrow_objects():
    pa = pytest.importorskip("pyarrow", reason=REASON)
    array = pa.array(np.arange(5_000.0))
    table = pa.table({"numbers": array, "text": [f"text {i}" for i in range(5_000)]})
    return [(array, array.buffers()[1].address), (table, array.buffers()[1].address)]


def polars_objects():
    """The frame is pickled as a table of Arrow, which has its memory: a frame has no buffers."""
    pl = pytest.importorskip("polars", reason=REASON)
    pytest.importorskip("pyarrow", reason=REASON)
    frame = pl.DataFrame({"numbers": np.arange(5_000.0), "text": ["a"] * 5_000})
    return [(frame.to_arrow(), address(frame["numbers"].to_numpy()))]


OBJECTS = [numpy_arrays, pandas_objects, arrow_objects, polars_objects]


@pytest.mark.parametrize("make", OBJECTS)
def test_out_of_band_nothing_is_copied(implementation, make):
    for obj, where in make():
        buffers, theirs = [], []
        data = implementation.dumps(obj, 5, buffer_callback=buffers.append)
        assert data == pickle.dumps(obj, 5, buffer_callback=theirs.append)
        addresses = [address(buffer.raw()) for buffer in buffers]
        assert addresses == [address(buffer.raw()) for buffer in theirs]
        assert where is None or where in addresses
        assert len(data) < 2_000
        # The loaded frame lies in the same memory too.
        copy = pickle.loads(data, buffers=buffers)
        again = []
        quickpickle.dumps(copy, 5, buffer_callback=again.append)
        assert [address(buffer.raw()) for buffer in again] == addresses


@pytest.mark.parametrize("make", OBJECTS)
def test_in_band_the_bytes_are_the_same(implementation, protocol, make):
    objects = [obj for obj, _ in make()]
    for obj in (objects, [objects, objects[0]]):
        assert implementation.dumps(obj, protocol) == pickle.dumps(obj, protocol)


def test_polars_in_band(implementation, protocol):
    pl = pytest.importorskip("polars", reason=REASON)
    frame = pl.DataFrame({"a": np.arange(500.0), "b": ["x"] * 500, "c": [[1], None] * 250})
    for obj in (frame, frame["a"], [frame, frame.lazy(), pl.col("a") + 1], frame.schema):
        data = implementation.dumps(obj, protocol)
        assert data == pickle.dumps(obj, protocol)
    assert pickle.loads(implementation.dumps(frame, protocol)).equals(frame)


def test_a_callback_that_keeps_some_in_band(implementation):
    large, small = np.arange(50_000), np.arange(10)
    buffers = []

    def keep_small(buffer):
        if buffer.raw().nbytes < 1000:
            return True
        return buffers.append(buffer)

    data = implementation.dumps([large, small], 5, buffer_callback=keep_small)
    assert len(buffers) == 1
    copies = pickle.loads(data, buffers=buffers)
    assert np.shares_memory(copies[0], large)
    assert not np.shares_memory(copies[1], small)
    assert copies[0].tolist() == large.tolist()
    assert copies[1].tolist() == small.tolist()


def test_sharing_and_views_are_as_with_pickle(implementation, protocol):
    """An array that is there twice is one again; a view of it is an array of its own."""
    array = np.arange(100)
    obj = [array, array, array[:50], array.reshape(10, 10)]
    data = implementation.dumps(obj, protocol)
    assert data == pickle.dumps(obj, protocol)
    one, two, view, reshaped = pickle.loads(data)
    assert one is two
    assert not np.shares_memory(one, view)
    assert reshaped.tolist() == obj[3].tolist()


def test_read_only_stays_read_only(implementation):
    array = np.frombuffer(b"abcd" * 100, "u1")
    buffers = []
    data = implementation.dumps(array, 5, buffer_callback=buffers.append)
    assert buffers[0].raw().readonly
    assert not pickle.loads(data, buffers=buffers).flags.writeable


# --- PyTorch, which is large: where it is installed


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed (pip install torch)")


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_save(torch, zipped):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    tensor = torch.arange(12.0).reshape(3, 4)
    obj = {"state": model.state_dict(), "tensor": tensor, "view": tensor[1:], "step": 5}
    written = []
    for module in (pickle, quickpickle):
        file = io.BytesIO()
        torch.save(obj, file, pickle_module=module, _use_new_zipfile_serialization=zipped)
        written.append(file.getvalue())
    assert written[0] == written[1]
    copy = torch.load(io.BytesIO(written[1]))  # with weights_only, as is the default
    assert copy["step"] == 5
    assert torch.equal(copy["tensor"], tensor)
    storages = [copy[name].untyped_storage().data_ptr() for name in ("tensor", "view")]
    assert storages[0] == storages[1]
    assert all(torch.equal(copy["state"][key], value) for key, value in obj["state"].items())


def test_torch_modules(torch, implementation, protocol):
    model = torch.nn.Linear(3, 4)
    file = io.BytesIO()
    torch.save(model, file, pickle_module=quickpickle)
    file.seek(0)
    copy = torch.load(file, pickle_module=quickpickle, weights_only=False)
    assert torch.equal(copy.weight, model.weight)
    tensor = torch.arange(1000.0)
    assert implementation.dumps(tensor, protocol) == pickle.dumps(tensor, protocol)


def test_torch_tensors_without_a_copy(torch, implementation):
    """A tensor hands out no buffers; the NumPy array that shares its memory does."""
    tensor = torch.arange(1000.0)
    buffers = []
    implementation.dumps(tensor, 5, buffer_callback=buffers.append)
    assert buffers == []
    data = implementation.dumps(tensor.numpy(), 5, buffer_callback=buffers.append)
    copy = torch.from_numpy(pickle.loads(data, buffers=buffers))
    assert copy.data_ptr() == tensor.data_ptr()
