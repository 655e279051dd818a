"""Ray with real worker processes: its objects, references, tasks and actors, by quickpickle."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from integrations.deep import DEPTH, deep_list, depth
from models import DataPoint

ray = pytest.importorskip("ray", reason="for `make servers` alone")
np = pytest.importorskip("numpy")

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def quick():
    from quickpickle.integrations import ray as quick

    return quick


@pytest.fixture(scope="module")
def cluster(quick):
    """Two workers, and this process; quickpickle in all of them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else there is a new file in the home
        monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns
        quick.install()
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            runtime_env={
                "worker_process_setup_hook": quick.install,
                "env_vars": {"PYTHONPATH": str(Path(__file__).parents[1])},
            },
        )
        yield ray
        ray.shutdown()
        quick.uninstall()


@pytest.fixture
def without(cluster, quick):
    """Without quickpickle in this process; the workers go on with it."""
    quick.uninstall()
    yield cluster
    quick.install()


class RefusedError(ValueError):
    def __init__(self, path, code):
        super().__init__(path, code)
        self.code = code


def test_what_is_put(cluster):
    points = [DataPoint(i, str(i)) for i in range(1000)]
    assert cluster.get(cluster.put({"points": points, "f": lambda x: x + 1}))["points"] == points
    assert depth(cluster.get(cluster.put(deep_list()))) == DEPTH


def test_each_side_reads_what_the_other_has_written(cluster, quick):
    points = [DataPoint(i, str(i)) for i in range(1000)]
    ours = cluster.put([points, lambda: 42])
    quick.uninstall()
    try:
        copy, function = cluster.get(ours)
        theirs = cluster.put([points, lambda: 42])
        with pytest.raises(Exception, match="recursion"):
            cluster.put(deep_list())
    finally:
        quick.install()
    for loaded in (copy, cluster.get(theirs)[0]):
        assert loaded == points
    assert function() == cluster.get(theirs)[1]() == 42


def test_tasks(cluster):
    factor = 3

    class Local:
        def __init__(self, value):
            self.value = value

    @ray.remote
    def times(local, deep):
        import ray.cloudpickle

        import quickpickle.cloud_copies

        is_ours = issubclass(ray.cloudpickle.CloudPickler, quickpickle.cloud_copies.BasePickler)
        return is_ours, Local(local.value * factor), deep

    is_ours, local, deep = cluster.get(times.remote(Local(5), deep_list()))
    assert is_ours
    assert (type(local), local.value) == (Local, 15)
    assert depth(deep) == DEPTH


def test_a_result_is_read_without_quickpickle(without):
    @ray.remote
    def make():
        return [DataPoint(1), lambda: 42]

    point, function = without.get(make.remote())
    assert (point, function()) == (DataPoint(1), 42)


def test_references_in_objects(cluster):
    """Ray's own reducer counts what refers to an object, so it lives as long as that."""
    inner = cluster.put([1, 2, 3])
    outer = cluster.put({"a": DataPoint(inner), "b": [inner]})
    del inner
    gc.collect()

    @ray.remote
    def look(obj):
        assert isinstance(obj["b"][0], ray.ObjectRef)
        return ray.get(obj["b"][0]), [obj["a"].x, ray.put("made by the worker")]

    value, (reference, made) = cluster.get(look.remote(outer))
    del outer
    gc.collect()
    assert value == cluster.get(reference) == [1, 2, 3]
    assert cluster.get(made) == "made by the worker"


def test_references_out_of_band(cluster, monkeypatch):
    """Pickled by the user, so without an object that holds them: Ray may be told to refuse it."""
    import ray.cloudpickle

    reference = cluster.put("value")
    assert cluster.get(ray.cloudpickle.loads(ray.cloudpickle.dumps([reference]))[0]) == "value"
    allowed = "ray._private.serialization.ALLOW_OUT_OF_BAND_OBJECT_REF_SERIALIZATION"
    monkeypatch.setattr(allowed, False)
    with pytest.raises(ray.exceptions.OufOfBandObjectRefSerializationException):
        ray.cloudpickle.dumps([reference])
    assert cluster.get(cluster.get(cluster.put([reference]))[0]) == "value"


def test_actors_and_their_handles(cluster):
    @ray.remote
    class Counter:
        def __init__(self, start):
            self.count = start["count"]

        def add(self, number):
            self.count += number
            return self.count

        def fail(self):
            raise RefusedError("/etc", 13)

    @ray.remote
    def use(held):
        return ray.get(held["counter"].add.remote(5))

    counter = Counter.remote({"count": 1})
    assert cluster.get(counter.add.remote(1)) == 2
    assert cluster.get(use.remote({"counter": counter})) == 7
    assert cluster.get(cluster.get(cluster.put([counter]))[0].add.remote(1)) == 8
    with pytest.raises(RefusedError) as caught:
        cluster.get(counter.fail.remote())
    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert (type(caught.value.cause), caught.value.cause.code) == (RefusedError, 13)


def test_arrays_are_shared(cluster):
    """They go out of band into the shared memory, and are not copied by a reader."""
    array = np.arange(1_000_000.0)
    reference = cluster.put({"array": array, "point": DataPoint(1)})
    one, other = (cluster.get(reference)["array"] for _ in range(2))
    assert (one == array).all()
    assert np.shares_memory(one, other)
    assert not one.flags.writeable

    @ray.remote
    def look(held):
        return held["array"].flags.owndata, held["array"].sum()

    assert cluster.get(look.remote(reference)) == (False, array.sum())


def test_a_serializer_that_the_user_has_registered(cluster):
    ray.util.register_serializer(
        DataPoint, serializer=lambda point: point.x, deserializer=lambda x: DataPoint(x, "read")
    )
    try:
        assert cluster.get(cluster.put([DataPoint(1)])) == [DataPoint(1, "read")]
    finally:
        ray.util.deregister_serializer(DataPoint)
    assert cluster.get(cluster.put([DataPoint(1)])) == [DataPoint(1)]


def test_what_cannot_be_put(cluster):
    with pytest.raises(TypeError, match=r"lock") as caught:
        cluster.put(DataPoint(1, {"a": threading.Lock()}))
    assert caught.value.__cause__.path.endswith(".y['a']")


def test_the_example(cluster, tmp_path):
    cluster.shutdown()  # the example has a cluster of its own
    run = [sys.executable, str(Path(__file__).parents[2] / "examples" / "ray_records.py")]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    result = subprocess.run(
        run, capture_output=True, text=True, timeout=120, check=False, env=environment, cwd=tmp_path
    )
    assert result.stdout == "2000 records, total 1999000\n", result.stderr


def test_install_and_uninstall(quick):
    import ray.cloudpickle as copy

    def names():
        return [vars(module)[name] for module in (copy, copy.cloudpickle) for name in NAMES]

    NAMES = ("CloudPickler", "Pickler", "dump", "dumps", "load", "loads")  # noqa: N806
    quick.uninstall()
    theirs = names()
    held = copy.dumps
    try:
        quick.install()
        quick.install()
        ours = names()
        assert all(one is not other for one, other in zip(ours, theirs, strict=True))
        assert depth(copy.loads(held(deep_list()))) == DEPTH  # a name that was held before
        quick.uninstall()
        assert all(one is other for one, other in zip(names(), theirs, strict=True))
        quick.uninstall()
        with pytest.raises(pickle.PicklingError):
            held(deep_list())
        quick.install()
        assert names()[1:] == ours[1:]
    finally:
        quick.uninstall()
