"""The gain of quickpickle in other libraries: each of docs/integrations.md, with and without it.

    python benchmarks/integrations.py [--cpu] [INTEGRATION ...]

With the extra `integration` installed; Ray and Spark are in the extra `distributed`. Both sides
take turns in one process; of each, the least time of several rounds counts, and beside it stands
what their medians give: it is another where the system makes pages for one side, and in some of the
rounds only. The garbage collector is off where nothing is loaded; where something comes back from
another process it is on, as in programs. An integration whose library is missing is left out.
With --cpu it is the time of this process on the processor that counts: for what takes place in one
process, on a machine that has other work.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import geometric_mean, median
from typing import Any, NamedTuple

from stores import STORES, installed
from workloads import WORKLOADS


class Pair(NamedTuple):
    """A task by its title, done with the library's own pickler, and with quickpickle."""

    title: str
    theirs: Callable[[], object]
    ours: Callable[[], object]
    loads: bool = False
    """Whether this process loads something too: then the garbage collector stays on."""


@dataclass
class Point:
    x: int
    y: float
    name: str


@dataclass
class Batch:
    """Of a list Dask would pickle each item on its own."""

    records: list[Any]


class Session:
    """An object that is not pickled, but referred to."""


def _give_back(records: list[Any]) -> list[Any]:
    return records


_SECONDS = 1.0  # for each pair
_ROUNDS = 7  # at least


def functions() -> dict[str, object]:
    """Functions and classes that cloudpickle writes by value."""
    factor = 2

    class Local:
        def __init__(self, value: int) -> None:
            self.value = value

        def double(self) -> int:
            return self.value * factor

    def scale(x: int) -> int:
        return x * factor

    return {
        "a lambda": lambda x: x + 1,
        "a closure": scale,
        "500 closures": [lambda x, i=i: x + i * factor for i in range(500)],
        "a local class": Local,
        "5000 instances of a local class": [Local(i) for i in range(5000)],
        "100 functions and classes by name": [
            value for value in vars(math).values() if callable(value)
        ]
        + [dict, list, int, str, scale] * 10,
    }


def cloud() -> Iterator[Pair]:
    """quickpickle.cloud against cloudpickle: `dumps`."""
    import cloudpickle

    import quickpickle.cloud

    objects: dict[str, object] = {"42": 42, "a small dict": {"a": [1, 2.5], "b": "text"}}
    for name, workload in WORKLOADS.items():
        if workload.hooks is None:
            try:
                objects[name] = workload()
            except ImportError as error:
                print(f"{name:36} left out: {error}")
    for name, obj in (objects | functions()).items():
        if cloudpickle.dumps(obj) != quickpickle.cloud.dumps(obj):
            raise SystemExit(f"{name}: other bytes than those of cloudpickle")

        def theirs(obj: object = obj) -> object:
            return cloudpickle.dumps(obj)

        def ours(obj: object = obj) -> object:
            return quickpickle.cloud.dumps(obj)

        yield Pair(name, theirs, ours)


def _records(count: int) -> list[Any]:
    """Many small objects."""
    return [Point(i, i / 7, f"point {i}") for i in range(count)]


def processes() -> Iterator[Pair]:
    """quickpickle.install(): a pool of two processes gets many small objects, and returns them."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    import quickpickle

    records = _records(20_000)

    def install(is_installed: bool) -> None:
        (quickpickle.install if is_installed else quickpickle.uninstall)()

    context = get_context("forkserver")
    with (
        ProcessPoolExecutor(2, context) as theirs,
        ProcessPoolExecutor(2, context, quickpickle.install) as ours,
    ):

        def with_pickle() -> None:
            install(False)
            assert len(theirs.submit(_give_back, records).result()) == len(records)

        def with_quickpickle() -> None:
            install(True)
            assert len(ours.submit(_give_back, records).result()) == len(records)

        yield Pair("20,000 dataclasses, there and back", with_pickle, with_quickpickle, loads=True)
    install(False)


def joblib() -> Iterator[Pair]:
    """joblib.Parallel by loky, quickpickle.dump for joblib.dump, the store of joblib.Memory."""
    import joblib
    from joblib.externals.loky import get_reusable_executor, set_loky_pickler

    import quickpickle

    records = _records(20_000)

    def run(pickler: str) -> None:
        set_loky_pickler(pickler)
        parallel = joblib.Parallel(n_jobs=2, batch_size=1)
        assert len(parallel(joblib.delayed(_give_back)(records) for _ in range(2))) == 2

    title = "Parallel: 20,000 dataclasses, twice"
    yield Pair(title, lambda: run("cloudpickle"), lambda: run("quickpickle.cloud"), loads=True)
    set_loky_pickler("cloudpickle")
    get_reusable_executor().shutdown()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/file.pkl"
        yield Pair(
            "dump to a file: 20,000 dataclasses",
            lambda: joblib.dump(records, path),
            lambda: quickpickle.dump(records, path),
        )
        import quickpickle.integrations.joblib

        stored = []
        for backend in ("local", "quickpickle"):
            memory = joblib.Memory(f"{folder}/{backend}", backend=backend, verbose=0)
            stored.append(memory.cache(_shared_records))
            stored[-1](20_000)
        theirs, ours = (partial(function.call, 20_000) for function in stored)
        yield Pair("Memory: 20,000 dataclasses, written", theirs, ours)
        theirs, ours = (partial(function, 20_000) for function in stored)
        yield Pair("Memory: read", theirs, ours, loads=True)


def dask() -> Iterator[Pair]:
    """The family "quickpickle" against "pickle": two workers, over TCP."""
    from distributed import Client, LocalCluster

    from quickpickle.integrations.dask import DESERIALIZERS, SERIALIZERS

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            preload=["quickpickle.integrations.dask"],
        ) as cluster,
        Client(cluster) as client,
    ):
        batch = Batch(_records(20_000))
        made = client.scatter(batch, direct=True)

        def gather(serializers: list[str] | None, deserializers: list[str] | None) -> None:
            client.rpc.serializers, client.rpc.deserializers = serializers, deserializers
            assert len(client.gather(made, direct=True).records) == 20_000

        title = "gather: 20,000 dataclasses"
        yield Pair(
            title,
            lambda: gather(None, None),
            lambda: gather(SERIALIZERS, DESERIALIZERS),
            loads=True,
        )
        from distributed.protocol import serialize

        yield Pair(
            "serialize: 20,000 dataclasses",
            lambda: serialize(batch, serializers=["pickle"]),
            lambda: serialize(batch, serializers=["quickpickle"]),
        )
        from distributed.protocol.pickle import dumps, loads

        import quickpickle

        records = _shared_records(20_000)

        def graph(pickler: Any) -> None:
            with installed(pickler):
                loads(dumps(records))

        title = "what Dask itself pickles, install()"
        yield Pair(title, partial(graph, None), partial(graph, quickpickle), loads=True)


def _shared_records(count: int) -> list[Any]:
    """Many small objects, of a class that workers import."""
    from integrations import Point

    return [Point(i, i / 7, f"point {i}") for i in range(count)]


def _keyed_records(number: int) -> Iterator[tuple[int, Any]]:
    return ((i % 1000, point) for i, point in enumerate(_shared_records(25_000)))


def ray() -> Iterator[Pair]:
    """quickpickle.integrations.ray.install(): in this process, and in the workers of one side."""
    import ray

    from quickpickle.integrations.ray import install, uninstall

    records = _shared_records(20_000)
    give_back = ray.remote(_give_back)
    path = {"PYTHONPATH": os.path.dirname(__file__)}
    options = {"num_cpus": 2, "include_dashboard": False, "log_to_driver": False}
    ray.init(**options, runtime_env={"env_vars": path})
    ours = give_back.options(
        runtime_env={
            "env_vars": path,
            "worker_process_setup_hook": "quickpickle.integrations.ray.install",
        }
    )

    def run_with(action: Callable[[], object], is_installed: bool) -> Callable[[], object]:
        def run() -> object:
            (install if is_installed else uninstall)()
            return action()

        return run

    put = lambda: ray.put(records)  # noqa: E731
    yield Pair("put: 20,000 dataclasses", run_with(put, False), run_with(put, True))
    made = ray.put(records)
    get = lambda: ray.get(made)  # noqa: E731
    yield Pair("get", run_with(get, False), run_with(get, True), loads=True)
    yield Pair(
        "a task gets them and returns them",
        run_with(lambda: ray.get(give_back.remote(records)), False),
        run_with(lambda: ray.get(ours.remote(records)), True),
        loads=True,
    )
    ray.shutdown()
    uninstall()


def spark() -> Iterator[Pair]:
    """quickpickle.integrations.spark.Serializer() against Spark's own: two local threads."""
    from pyspark import SparkConf, SparkContext
    from pyspark.serializers import AutoBatchedSerializer, CloudPickleSerializer

    from quickpickle.integrations.spark import Serializer

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = os.path.dirname(__file__)
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    context = SparkContext("local[2]", "benchmark", conf=SparkConf().setAll([*quiet.items()]))
    context.setLogLevel("OFF")

    def use(serializer: Any) -> None:
        """As SparkContext(serializer=...) does it."""
        context._unbatched_serializer = serializer
        context.serializer = AutoBatchedSerializer(serializer)

    def pair(title: str, job: Callable[[Any], object]) -> Pair:
        def run(serializer: Any, rdd: Any) -> object:
            use(serializer)
            return job(rdd)

        theirs, ours = (partial(run, *side) for side in sides)
        return Pair(title, theirs, ours, loads=True)

    sides: list[tuple[Any, Any]] = []
    for serializer in (CloudPickleSerializer(), Serializer()):
        use(serializer)
        rdd = context.parallelize(range(4), 4).flatMap(_keyed_records).persist()
        rdd.count()
        sides.append((serializer, rdd))
    yield pair("collect: 100,000 dataclasses", lambda rdd: rdd.collect())
    yield pair("partitionBy", lambda rdd: rdd.partitionBy(4).count())
    yield pair("groupByKey", lambda rdd: rdd.groupByKey(4).mapValues(len).count())
    yield pair("sortByKey", lambda rdd: rdd.sortByKey(True, 4).count())
    from quickpickle.integrations.spark import install, uninstall

    records = _shared_records(20_000)

    def write_function(is_installed: bool) -> None:
        (install if is_installed else uninstall)()
        CloudPickleSerializer().dumps(lambda: records)

    title = "a function with 20,000 dataclasses"
    yield Pair(title, lambda: write_function(False), lambda: write_function(True))
    uninstall()
    context.stop()


def serializers() -> Iterator[Pair]:
    """Pickles of kombu (Celery), of caches of Django, of a Pickler with persistent ids."""
    import io
    import pickle

    import kombu.serialization
    from django.core.cache.backends.redis import RedisSerializer

    import quickpickle
    from quickpickle.integrations.django import Serializer

    records = _records(20_000)
    yield Pair(
        "kombu, Celery: 20,000 dataclasses",
        lambda: kombu.serialization.dumps(records, serializer="pickle"),
        lambda: kombu.serialization.dumps(records, serializer="quickpickle"),
    )
    yield Pair(
        "Django: 20,000 dataclasses",
        lambda: RedisSerializer().dumps(records),
        lambda: Serializer().dumps(records),
    )
    from django.conf import settings
    from django.core.cache.backends.locmem import LocMemCache

    if not settings.configured:
        settings.configure()
    cache = LocMemCache("benchmark", {})

    def store(pickler: Any) -> None:
        with installed(pickler):
            cache.set("key", records)
            cache.get("key")

    title = "Django, a cache in memory, install()"
    yield Pair(title, partial(store, None), partial(store, quickpickle), loads=True)

    def persistent_id(self: object, obj: object) -> object:
        return ("session", 5) if type(obj) is Session else None

    session = Session()
    records = [Point(i, i / 7, session) for i in range(20_000)]  # type: ignore[arg-type]
    picklers = [
        type("Sub", (cls,), {"persistent_id": persistent_id})
        for cls in (pickle.Pickler, quickpickle.Pickler)
    ]
    theirs, ours = (lambda cls=cls: cls(io.BytesIO(), 5).dump(records) for cls in picklers)
    yield Pair("persistent_id: 20,000 dataclasses", theirs, ours)


def lines() -> Iterator[Pair]:
    """Libraries with a line of their own, or by quickpickle.install(): written, and read again."""
    import pickle

    import quickpickle

    records = _records(20_000)
    for name, store in STORES.items():
        try:
            importlib.import_module(name.rpartition(", ")[2])
        except ImportError as error:
            print(f"{name:36} left out: {error}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            theirs, ours = (
                partial(store, folder, records, module) for module in (pickle, quickpickle)
            )
            yield Pair(name.rpartition(",")[0], theirs, ours, loads=True)


class Samples:
    """Of a DataLoader: each sample is many small objects."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> list[Any]:
        return _shared_records(20_000)


def _as_it_is(samples: list[Any]) -> list[Any]:
    return samples


def torch() -> Iterator[Pair]:
    """torch.save and torch.load; install(): the workers of a DataLoader, objects between ranks."""
    import io
    import pickle

    import torch
    from torch import distributed
    from torch.utils.data import DataLoader

    import quickpickle

    state = {f"layer {i}": torch.ones(100) for i in range(500)}
    records = _shared_records(20_000)

    def save(obj: object, module: Any) -> io.BytesIO:
        file = io.BytesIO()
        torch.save(obj, file, pickle_module=module)
        return file

    def save_and_load(obj: object, module: Any) -> None:
        file = save(obj, module)
        file.seek(0)
        torch.load(file, pickle_module=module, weights_only=False)

    def of_both(title: str, action: Callable[[Any], object]) -> Pair:
        return Pair(title, partial(action, pickle), partial(action, quickpickle), loads=True)

    yield of_both("torch.save: 500 tensors", partial(save, state))
    yield of_both("20,000 dataclasses, saved and loaded", partial(save_and_load, records))

    loaders: dict[Any, Any] = {}
    for module in (pickle, quickpickle):
        with installed(module):
            loaders[module] = DataLoader(
                Samples(),  # type: ignore[arg-type, unused-ignore]
                num_workers=1,
                collate_fn=_as_it_is,
                persistent_workers=True,
            )
            next(iter(loaders[module]))  # its worker starts

    def load(module: Any) -> None:
        with installed(module):
            assert sum(1 for _ in loaders[module]) == 2

    yield of_both("DataLoader: 2 of 20,000 dataclasses", load)
    loaders.clear()

    with tempfile.NamedTemporaryFile() as file:
        name = f"file://{file.name}"
        distributed.init_process_group("gloo", init_method=name, rank=0, world_size=1)
    held = distributed.distributed_c10d

    def gather(module: Any) -> None:
        held._pickler, held._unpickler = module.Pickler, module.Unpickler
        distributed.all_gather_object([None], records)

    yield of_both("all_gather_object of 20,000 dataclasses", gather)
    held._pickler, held._unpickler = pickle.Pickler, pickle.Unpickler
    distributed.destroy_process_group()


def buffers() -> Iterator[Pair]:
    """Out of band, `buffer_callback`: what is left is what describes the buffers."""
    import pickle

    import numpy as np
    import pandas as pd
    import pyarrow as pa

    import quickpickle

    objects: dict[str, object] = {
        "1,000 arrays of 1,000 numbers": [np.arange(1000.0) for _ in range(1000)],
        "100 DataFrames": [pd.DataFrame(np.ones((100, 5))) for _ in range(100)],
        "1,000 arrays of Arrow": [pa.array(range(100)) for _ in range(1000)],
    }
    for title, obj in objects.items():
        theirs, ours = (
            lambda dumps=dumps, obj=obj: dumps(obj, 5, buffer_callback=[].append)
            for dumps in (pickle.dumps, quickpickle.dumps)
        )
        yield Pair(title, theirs, ours)


INTEGRATIONS: dict[str, Callable[[], Iterator[Pair]]] = {
    integration.__name__: integration
    for integration in (
        *(cloud, processes, joblib, dask, ray, spark, serializers, lines, torch, buffers),
    )
}


def _seconds(
    actions: list[Callable[[], object]], collects: bool, clock: Callable[[], float]
) -> list[list[float]]:
    """How long each takes, in every round; they take turns."""
    start = clock()
    for action in actions:
        action()
    # A short task is done several times in a row: the clock is too coarse for one.
    repeat = max(1, round(0.002 * len(actions) / (clock() - start)))
    seconds: list[list[float]] = [[] for _ in actions]
    while len(seconds[0]) < _ROUNDS or clock() - start < _SECONDS:
        for action, its_seconds in zip(actions, seconds, strict=True):
            gc.collect()
            if not collects:
                gc.disable()
            action()  # not counted: the collection has emptied the processor's caches
            begin = clock()
            for _ in range(repeat):
                action()
            its_seconds.append((clock() - begin) / repeat)
            gc.enable()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "integrations", metavar="INTEGRATION", nargs="*", help=", ".join(INTEGRATIONS)
    )
    parser.add_argument(
        "--cpu", action="store_true", help="time on the processor, not by the clock"
    )
    arguments = parser.parse_args()
    names = arguments.integrations or list(INTEGRATIONS)
    clock = time.process_time if arguments.cpu else time.perf_counter
    for name in names:
        print(f"\n{name}: {INTEGRATIONS[name].__doc__}")
        print(f"{'':36} {'theirs':>10} {'ours':>10}  times as fast, by medians")
        ratios = []
        try:
            for title, theirs, ours, loads in INTEGRATIONS[name]():
                first, second = _seconds([theirs, ours], loads, clock)
                ratios.append(min(first) / min(second))
                print(
                    f"{title:36} {min(first) * 1e3:7.3f} ms {min(second) * 1e3:7.3f} ms"
                    f" {ratios[-1]:8.2f} {median(first) / median(second):12.2f}",
                    flush=True,
                )
        except ImportError as error:
            print(f"left out: {error}")
        if len(ratios) > 2:
            print(
                f"least {min(ratios):.2f}, median {median(ratios):.2f},"
                f" geometric mean {geometric_mean(ratios):.2f} times as fast"
            )


if __name__ == "__main__":
    main()
