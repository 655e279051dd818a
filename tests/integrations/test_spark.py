"""Spark with a cluster of two executors on this machine: RDDs, shuffles, functions of users."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import quickpickle
from integrations.deep import DEPTH, deep_list, depth
from models import DataPoint

pyspark = pytest.importorskip("pyspark", reason="for `make servers` alone")
if shutil.which("java") is None:
    pytest.skip(
        "Spark needs Java (apt-get install openjdk-17-jre-headless)", allow_module_level=True
    )
from pyspark.serializers import (  # noqa: E402
    AutoBatchedSerializer,
    BatchedSerializer,
    CloudPickleSerializer,
    CompressedSerializer,
)

from quickpickle.integrations import spark as quick  # noqa: E402

pytestmark = [
    pytest.mark.servers,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]
TESTS = str(Path(__file__).parents[1])


def new_context(master, serializer=None, **settings):
    environment = {
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": TESTS,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        conf = pyspark.SparkConf().setAll(
            {
                "spark.ui.enabled": "false",
                "spark.ui.showConsoleProgress": "false",
                "spark.driver.host": "127.0.0.1",
                "spark.default.parallelism": "2",
                "spark.executorEnv.PYTHONPATH": TESTS,
                **settings,
            }.items()
        )
        options = {} if serializer is None else {"serializer": serializer}
        context = pyspark.SparkContext(master, "tests", conf=conf, **options)
    context.setLogLevel("OFF")
    return context


@pytest.fixture(scope="module")
def cluster():
    """Two executors of one core; our serializer, and nothing else of ours in the workers."""
    context = new_context(
        "local-cluster[2,1,1024]",
        quick.Serializer(),
        **{"spark.python.worker.memory": "64m", "spark.executor.pyspark.memory": "640m"},
    )
    yield context
    context.stop()


def of_size(size):
    serializer = quick.Serializer()
    return BatchedSerializer(serializer, size) if size else AutoBatchedSerializer(serializer)


@pytest.fixture(params=[0, 10])
def batched(cluster, request, monkeypatch):
    """With batches that Spark chooses by their size, and of ten objects: those of batchSize=."""
    monkeypatch.setattr(cluster, "serializer", of_size(request.param))
    monkeypatch.setattr(cluster, "_batchSize", request.param)
    return cluster


def test_rdds(batched):
    points = [DataPoint(i, str(i)) for i in range(100)]
    rdd = batched.parallelize(points, 2).map(lambda point: (point.x % 3, point))
    assert "quickpickle" in type(rdd._jrdd_deserializer.serializer).__module__
    assert [point for _, point in rdd.collect()] == points
    groups = dict(rdd.groupByKey(2).mapValues(list).collect())
    assert {key: sorted(p.x for p in group) for key, group in groups.items()} == {
        key: list(range(key, 100, 3)) for key in range(3)
    }
    assert rdd.mapValues(lambda point: point.x).reduceByKey(
        lambda x, y: x + y
    ).sortByKey().collect() == [(key, sum(range(key, 100, 3))) for key in range(3)]
    joined = rdd.mapValues(lambda point: point.x).join(batched.parallelize([(0, "zero")]))
    assert sorted(joined.values().collect())[:2] == [(0, "zero"), (3, "zero")]
    assert next(rdd.toLocalIterator()) == (0, points[0])


def test_pairs(batched):
    """zip and cartesian read two streams at once."""
    numbers, letters = batched.parallelize(range(6), 2), batched.parallelize("abcdef", 2)
    assert numbers.zip(letters).collect() == [*enumerate("abcdef")]
    assert numbers.zip(letters.zip(numbers)).collect()[5] == (5, ("f", 5))
    assert len(set(numbers.cartesian(letters).collect())) == 36
    assert sorted(numbers.union(numbers.map(lambda n: n + 6)).collect()) == list(range(12))


def test_with_the_serializer_of_spark(cluster):
    """One reads what the other has written, so nothing is written anew."""
    theirs, ours = CloudPickleSerializer(), quick.Serializer()
    assert ours == theirs
    assert theirs == ours
    assert [ours != theirs, theirs != ours] == [False, False]
    assert hash(ours) == hash(theirs)
    assert ours != CompressedSerializer(theirs)
    assert AutoBatchedSerializer(theirs) == AutoBatchedSerializer(ours)
    rdd = cluster.parallelize(range(100), 2).map(lambda i: DataPoint(i))
    assert rdd._pickled() is rdd
    other = rdd._reserialize(AutoBatchedSerializer(CompressedSerializer(theirs)))
    assert cluster.union([rdd, other]).count() == 200


def shuffled(context):
    """A deep object, from the driver through a worker, a shuffle and another one."""
    rdd = context.parallelize([deep_list()], 1).map(lambda points: ("key", points.y))
    return rdd.partitionBy(1).values().collect()


def test_deep_objects(cluster, monkeypatch):
    """Which proves who has written them, in the driver and in a worker."""
    assert depth(*shuffled(cluster)) == 19_999
    monkeypatch.setattr(cluster, "serializer", AutoBatchedSerializer(CloudPickleSerializer()))
    with pytest.raises(Exception, match="recursion"):
        cluster.parallelize([1], 1).map(lambda _: deep_list()).collect()


def test_variables_and_files(cluster, tmp_path):
    factor, total = cluster.broadcast({"factor": 3}), cluster.accumulator(0)

    def times(i):
        total.add(i)
        return DataPoint(i * factor.value["factor"])

    rdd = cluster.parallelize(range(10), 2).map(times)
    rdd.saveAsPickleFile(str(tmp_path / "points"))
    assert total.value == 45
    copies = cluster.pickleFile(str(tmp_path / "points")).collect()
    assert sorted(point.x for point in copies) == [3 * i for i in range(10)]


BLOCK, BLOCKS = 2**20, 800


def test_a_shuffle_of_more_than_a_process_can_hold(cluster):
    """A worker may have 640 MiB of addresses; 800 MiB go through the shuffle."""

    def hold(_):
        try:
            return len([bytes(BLOCK) for _ in range(BLOCKS)])
        except MemoryError:
            return "too much"

    assert cluster.parallelize([0], 1).map(hold).collect() == ["too much"]
    blocks = cluster.parallelize(range(BLOCKS), 8).map(lambda i: (i % 80, bytes([i % 256]) * BLOCK))
    sizes = blocks.groupByKey(8).mapValues(lambda group: sum(map(len, group))).collect()
    assert sorted(sizes) == [(key, BLOCK * BLOCKS // 80) for key in range(80)]


def test_the_bytes_are_those_of_spark(protocol):
    theirs, ours = CloudPickleSerializer(), quick.Serializer()
    function = lambda x: x + 1  # noqa: E731
    for obj in ([DataPoint(i) for i in range(50)], function, DataPoint, {"a": (1, None)}):
        assert ours.dumps(obj) == theirs.dumps(obj)
    assert ours.loads(theirs.dumps(function))(1) == theirs.loads(ours.dumps(function))(1) == 2
    text = b"U\x02\xff\xfe."  # a str of Python 2: Spark loads with encoding="bytes"
    assert ours.loads(text) == theirs.loads(text) == b"\xff\xfe"


def test_a_serializer_with_names_that_are_allowed():
    ours = quick.Serializer(allowed_names=[("models", "DataPoint")])
    assert ours != CloudPickleSerializer()
    assert ours.loads(ours.dumps(DataPoint(1))) == DataPoint(1)
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        ours.loads(pickle.dumps(os.system))


def test_what_cannot_be_pickled():
    with pytest.raises(
        pickle.PicklingError, match=r"Could not serialize object: TypeError"
    ) as caught:
        quick.Serializer().dumps([{"lock": __import__("threading").Lock()}])
    assert caught.value.__cause__.path == "obj[0]['lock']"
    copy = quickpickle.loads(quickpickle.dumps(quick.Serializer()))
    assert copy == quick.Serializer()


@pytest.fixture(scope="module")
def installed(cluster):
    """Spark's own serializer, with quickpickle installed in the driver and in the workers."""
    cluster.stop()
    quick.install()
    context = new_context("local[2]", **{"spark.python.daemon.module": quick.DAEMON})
    yield context
    context.stop()
    quick.uninstall()


def test_install(installed):
    assert type(installed.serializer.serializer) is CloudPickleSerializer
    assert depth(*shuffled(installed)) == 19_999


def test_data_frames_and_functions_of_users(installed):
    from pyspark.sql import SparkSession, functions

    session = SparkSession(installed)
    rows = installed.parallelize([(i, str(i)) for i in range(10)], 1)
    frame = session.createDataFrame(rows, "i int, s string")

    @functions.udf("string")
    def of_quickpickle(i):
        import pyspark.cloudpickle

        return f"{i} {pyspark.cloudpickle.CloudPickler.__module__}"

    copies = frame.select("s", of_quickpickle("i").alias("t")).collect()
    assert [tuple(row) for row in copies] == [(str(i), f"{i} quickpickle.cloud") for i in range(10)]


def test_functions_whose_data_goes_by_arrow(installed):
    """applyInPandas, pandas_udf and udf(useArrow=True): the functions are pickled."""
    from pyspark.sql import SparkSession, functions

    check_functions(SparkSession(installed), functions.udf, functions.pandas_udf)


def check_functions(session, udf, pandas_udf):
    """Each holds a deep object, which Spark's own pickler cannot write."""
    deep = deep_list()

    def double_in_pandas(frame):
        return frame.assign(id=frame["id"] * 2 + depth(deep))

    frame = session.range(3)
    plain, by_arrow = (
        udf(lambda i: i + depth(deep), "long", useArrow=arrow) for arrow in (False, True)
    )
    in_pandas = pandas_udf(lambda ids: ids + depth(deep), "long")
    for function in (plain, by_arrow, in_pandas):
        rows = frame.select(function("id").alias("id")).collect()
        assert sorted(row.id for row in rows) == [DEPTH, DEPTH + 1, DEPTH + 2]
    rows = frame.groupBy("id").applyInPandas(double_in_pandas, "id long").collect()
    assert sorted(row.id for row in rows) == [DEPTH, DEPTH + 2, DEPTH + 4]
    rows = frame.mapInPandas(lambda frames: map(double_in_pandas, frames), "id long").collect()
    assert sorted(row.id for row in rows) == [DEPTH, DEPTH + 2, DEPTH + 4]


CONNECT = """
import os
import sys

sys.path.append(sys.argv[1])
os.environ.update(PYSPARK_PYTHON=sys.executable, PYTHONPATH=sys.argv[1], SPARK_LOCAL_IP="127.0.0.1")


def main():
    from pyspark.sql import SparkSession, functions

    from integrations.test_spark import check_functions, quick

    session = SparkSession.builder.remote("local[2]").getOrCreate()
    assert type(session).__module__ == "pyspark.sql.connect.session"
    try:
        check_functions(session, functions.udf, functions.pandas_udf)
    except Exception as error:
        print("recursion" in str(error))
    quick.install()
    check_functions(session, functions.udf, functions.pandas_udf)
    session.stop()
    print("done")


if __name__ == "__main__":
    main()
"""


def test_spark_connect(tmp_path):
    """A server, whose workers have nothing of ours, and a client, which pickles the functions."""
    pytest.importorskip("grpc", reason="for `make servers` alone")
    script = tmp_path / "script.py"
    script.write_text(CONNECT)
    run = [sys.executable, str(script), TESTS]
    result = subprocess.run(
        run, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path
    )
    assert result.stdout.split() == ["True", "done"], result.stderr


def test_the_example(tmp_path):
    run = [sys.executable, str(Path(__file__).parents[2] / "examples" / "spark_records.py")]
    result = subprocess.run(
        run, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert result.stdout == "[(0, 666333), (1, 667000), (2, 665667)]\n", result.stderr
