"""quickpickle.integrations.dask: the serialization family, and real workers that talk over TCP."""

from __future__ import annotations

import copyreg
import subprocess
import sys
import types
from pathlib import Path

import pytest

# Dask brings tblib in, which registers reductions for tracebacks and every exception: without them,
# for the sake of the tests of these in the same process.
registered = copyreg.dispatch_table.copy()
pytest.importorskip("distributed", reason="for the interpreter of make test alone")
for cls in copyreg.dispatch_table.keys() - registered.keys():
    if cls is types.TracebackType or issubclass(cls, BaseException):
        del copyreg.dispatch_table[cls]
np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")

from distributed import protocol  # noqa: E402

import quickpickle  # noqa: E402
from integrations.deep import DEPTH, deep_list, depth  # noqa: E402
from models import DataPoint  # noqa: E402
from quickpickle.integrations import dask as family  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples"


def serialize(obj, **options):
    return protocol.serialize(obj, serializers=["quickpickle"], on_error="raise", **options)


def test_buffers_are_frames_without_a_copy():
    array, frame = np.arange(50_000.0), pd.DataFrame({"a": np.arange(5_000), "b": 1.5})
    read_only = np.frombuffer(b"abcd" * 100, "u1")
    header, frames = serialize(DataPoint(array, [frame, read_only, np.asfortranarray(np.eye(50))]))
    assert header["serializer"] == "quickpickle"
    assert header["writeable"][0]
    assert not all(header["writeable"])
    assert len(frames[0]) < 2_000
    assert np.shares_memory(np.frombuffer(frames[1], array.dtype), array)
    copy = protocol.deserialize(header, frames)
    assert np.shares_memory(copy.x, array)
    assert np.shares_memory(copy.y[0].to_numpy(), frame.to_numpy()) == (
        frame["a"].dtype == frame["b"].dtype
    )
    assert copy.y[0].equals(frame)
    assert not copy.y[1].flags.writeable
    assert (copy.y[2] == np.eye(50)).all()
    # From a network frames may come read-only: what was writeable is so again.
    assert protocol.deserialize(header, [bytes(frame) for frame in frames]).x.flags.writeable


def test_functions_and_classes_by_value():
    factor = 3

    class Local:
        def times(self, x):
            return x * factor

    header, frames = serialize([Local(), lambda x: x + factor])
    local, add = protocol.deserialize(header, frames)
    assert (local.times(2), add(2)) == (6, 5)


class OfDask:
    """An object that only Dask can serialize, such as memory of a GPU."""

    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        raise TypeError("ask Dask")


@protocol.dask_serialize.register(OfDask)
def to_frames(obj):
    return {}, [str(obj.value).encode()]


@protocol.dask_deserialize.register(OfDask)
def from_frames(header, frames):
    return OfDask(int(bytes(frames[0])))


def test_types_that_dask_serializes_are_left_to_it():
    header, frames = protocol.serialize(OfDask(5), serializers=family.SERIALIZERS)
    assert header["serializer"] == "dask"
    assert protocol.deserialize(header, frames).value == 5
    # Deep in another object it is asked too, and an array beside it stays out of band.
    array = np.arange(50_000)
    header, frames = serialize(DataPoint(OfDask(7), array))
    copy = protocol.deserialize(header, frames)
    assert copy.x.value == 7
    assert np.shares_memory(copy.y, array)


def test_an_error_says_where():
    with pytest.raises(TypeError) as caught, open(__file__, "rb") as file:
        serialize({"a": [DataPoint(1, file)]})
    assert caught.value.__cause__.path == "obj['a'][0].y"
    with open(__file__, "rb") as file:
        header, frames = protocol.serialize([file], serializers=["quickpickle"])
    assert header["serializer"] == "error"
    assert b"pickling failed at obj[0]" in b"".join(frames)


def test_an_older_protocol():
    """The protocol that both ends agree on: below 5 nothing is out of band."""
    array = np.arange(1000)
    header, frames = serialize(array, context={"pickle-protocol": 4})
    assert len(frames) == 1
    assert (protocol.deserialize(header, frames) == array).all()


def pickled(obj):
    """As the values of a message, of which Dask goes through the outermost collection itself."""
    return serialize(protocol.to_serialize(obj))


def test_collections_in_one_piece():
    """Dask pickles each item of the outermost one, whatever lies in it goes as a whole."""
    points = [DataPoint(i) for i in range(100)]
    assert len(pickled(points)[1]) == 100
    for nested in ([points], (points,), {"key": points}, [{"key": (points, {1: points})}]):
        header, frames = pickled(nested)
        assert len(frames) == 1
        assert protocol.deserialize(header, frames) == nested
    assert len(pickled(DataPoint(points))[1]) == 1
    assert len(pickled([[deep_list()]])[1]) == 1


def test_what_the_scheduler_pickles(monkeypatch):
    """Graphs and their results by way of the scheduler: Dask's own functions, by install()."""
    from distributed.protocol import pickle as of_dask

    monkeypatch.setattr(of_dask.logger, "disabled", True)
    deep = deep_list()
    with quickpickle.install():
        data = of_dask.dumps(deep)
        assert depth(of_dask.loads(data)) == DEPTH
        array = np.arange(50_000)
        buffers = []
        data = of_dask.dumps(DataPoint(array), buffer_callback=buffers.append)
        assert np.shares_memory(of_dask.loads(data, buffers=buffers).x, array)
    with pytest.raises(Exception, match="recursion"):
        of_dask.dumps(deep)


CLUSTER = """
import dataclasses
import dask
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster

dask.config.set({
    f"distributed.{role}.preload": ["quickpickle.integrations.dask"]
    for role in ("scheduler", "worker", "client")
})

@dataclasses.dataclass
class Point:
    x: int
    y: object

def count_calls():
    from distributed.protocol.serialize import families
    dumps, loads, wants_context = families["quickpickle"]
    counts = families["counts"] = [0, 0]
    def count_dumps(obj, context=None):
        counts[0] += 1
        return dumps(obj, context)
    def count_loads(header, frames):
        counts[1] += 1
        return loads(header, frames)
    families["quickpickle"] = count_dumps, count_loads, True

def read_counts():
    from distributed.protocol.serialize import families
    return families["counts"]

def make(number):
    frame = pd.DataFrame(np.full((1000, 10), float(number)))
    return [Point(i, str(i)) for i in range(1000)], np.arange(100_000) * number, frame

def look(value):
    points, array, frame = value
    owner = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    is_view = not array.flags.owndata and isinstance(owner, memoryview)
    return len(points), points[-1].y, int(array[-1]), float(frame.iloc[5, 5]), is_view

def main():
    options = dict(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with LocalCluster(protocol="tcp://", **options) as cluster, Client(cluster) as client:
        first, second = client.scheduler_info()["workers"]
        assert first.startswith("tcp://")
        client.run(count_calls)
        count_calls()
        made = client.submit(make, 3, workers=[first])
        expected = 1000, "999", 299997, 3.0, True
        # From worker to worker, and to the client.
        assert client.submit(look, made, workers=[second]).result() == expected
        assert look(client.gather(made, direct=True)) == expected
        # Dask wants protocol 4 through the scheduler, which has no buffers.
        assert look(made.result())[:-1] == expected[:-1]
        sent = client.scatter(make(3), workers=[first], direct=True)
        assert client.submit(look, sent, workers=[first]).result() == expected
        counts = client.run(read_counts)
        assert counts[first][0] >= 2 and counts[first][1] >= 1, counts
        assert counts[second][1] >= 1, counts
        assert read_counts()[0] >= 1 and read_counts()[1] >= 2, read_counts()
        print("done")

if __name__ == "__main__":
    main()
"""


def output_of(*command):
    run = [sys.executable, *map(str, command)]
    result = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_workers_over_tcp(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(CLUSTER)
    assert output_of(script) == "done\n"


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_more_than_one_process_can_hold():
    options = ["--partitions", "8", "--records", "30000", "--limit", "48"]
    lines = output_of(EXAMPLES / "dask_partitions.py", *options).splitlines()
    assert lines[0] == "one process alone: MemoryError"
    assert lines[1].startswith("240000 records in 8 files")


def test_nothing_is_imported_until_asked_for():
    modules = "'distributed', 'dask', 'cloudpickle', 'numpy'"
    output_of(
        "-c", f"import sys, quickpickle.integrations; assert not {{{modules}}} & set(sys.modules)"
    )
