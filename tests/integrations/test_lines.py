"""The lines of the table in docs/integrations.md: each with the real library.

An object is written and read by the library. A deep list proves that both go by quickpickle: the
standard pickler cannot write it, which is tested too where the library would use that.
"""

from __future__ import annotations

import asyncio
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import quickpickle
from integrations.deep import DEPTH, REASON, Held, deep_list, depth, depth_of
from models import DataPoint

OTHERS = "for `make others` alone"


def of_diskcache(folder, obj):
    diskcache = pytest.importorskip("diskcache", reason=REASON)
    with diskcache.Cache(folder) as cache:
        cache["key"] = obj
        return cache["key"]


def of_huey(folder, obj):
    huey = pytest.importorskip("huey", reason=REASON)
    queue = huey.SqliteHuey(filename=str(folder / "queue.db"))
    run = queue.task()(lambda value: value.y)
    result = run(DataPoint(1, obj))
    queue.execute(queue.dequeue())
    value = result.get()
    queue.storage.close()
    return value


def of_dramatiq(folder, obj):
    """With messages as bytes, as a broker has them."""
    dramatiq = pytest.importorskip("dramatiq", reason=REASON)
    encoder = dramatiq.PickleEncoder()
    before = dramatiq.get_encoder()
    dramatiq.set_encoder(encoder)
    try:
        message = dramatiq.Message("queue", "actor", (obj,), {}, {})
        return dramatiq.Message.decode(message.encode()).args[0]
    finally:
        dramatiq.set_encoder(before)


def of_aiocache(folder, obj):
    aiocache = pytest.importorskip("aiocache", reason=REASON)
    from aiocache.serializers import PickleSerializer

    async def run():
        cache = aiocache.SimpleMemoryCache(serializer=PickleSerializer())
        await cache.set("key", obj)
        return await cache.get("key")

    return asyncio.run(run())


def of_pandas(folder, obj):
    pandas = pytest.importorskip("pandas", reason=REASON)
    pandas.to_pickle(obj, folder / "obj.pkl")
    return pandas.read_pickle(folder / "obj.pkl")


def of_beam(folder, obj):
    """The coder of elements that Beam has no coder for."""
    coders = pytest.importorskip("apache_beam.coders", reason=OTHERS)
    coder = coders.PickleCoder()
    return coder.decode(coder.encode(obj))


def of_beam_pipeline(folder, obj):
    """Elements between two steps; the functions hold nothing that is deep."""
    beam = pytest.importorskip("apache_beam", reason=OTHERS)
    from apache_beam.options.pipeline_options import PipelineOptions

    def write(key_and_values):
        (folder / "depths").write_text(f"{[depth(value) for value in key_and_values[1]]}")

    data = quickpickle.dumps(obj)
    with beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline:
        made = (
            pipeline | beam.Create(["key"]) | beam.Map(lambda key: (key, quickpickle.loads(data)))
        )
        made | beam.GroupByKey() | beam.Map(write)
    assert (folder / "depths").read_text() == f"[{DEPTH}]"
    return obj


INSTALLED = [of_diskcache, of_huey, of_dramatiq, of_aiocache, of_pandas, of_beam, of_beam_pipeline]


@pytest.mark.parametrize("of_library", INSTALLED)
def test_install_reaches(of_library, tmp_path):
    deep = deep_list()
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with quickpickle.install():
        assert depth(of_library(tmp_path / "one", deep)) == DEPTH
    with pytest.raises(Exception, match="recursion"):
        of_library(tmp_path / "two", deep)


@pytest.fixture
def signals():
    """A worker of RQ leaves its handlers behind, which processes forked later would have."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.servers
def test_rq(redis_port, signals):
    """With jobs and results in Redis, and a signature that is in the way of others."""
    rq = pytest.importorskip("rq", reason=REASON)
    import redis

    from quickpickle.integrations.signing import SignatureError, Signer

    policy = quickpickle.Policy.plain().allow(DataPoint, Held, depth_of)
    held = Held()

    class Signed:  # RQ asks for its name
        signer = Signer(b"k" * 32, purpose="rq", policy=policy)
        dumps, loads = signer.dumps, signer.loads

    with redis.Redis(port=redis_port) as client:
        for name, serializer in (("plain", quickpickle), ("signed", Signed)):
            queue = rq.Queue(name, connection=client, serializer=serializer)
            job = queue.enqueue(depth_of, held)
            worker = rq.SimpleWorker([queue], connection=client, serializer=serializer)
            assert worker.work(burst=True, logging_level="ERROR")
            assert job.return_value() == DEPTH
        forged = rq.Queue("signed", connection=client).enqueue(depth_of, None)
        job = rq.job.Job.fetch(forged.id, connection=client, serializer=Signed)
        with pytest.raises((SignatureError, rq.exceptions.DeserializationError)) as caught:
            job.args  # noqa: B018
        assert isinstance(caught.value.__cause__ or caught.value, SignatureError)


@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")
@pytest.mark.servers
def test_arq(redis_port):
    arq = pytest.importorskip("arq", reason=OTHERS)
    from arq.connections import RedisSettings
    from arq.worker import Worker, func

    held = Held()

    async def work(context, held):
        return depth_of(held), held

    async def run():
        options = {"job_serializer": quickpickle.dumps, "job_deserializer": quickpickle.loads}
        settings = RedisSettings(port=redis_port, database=5)
        pool = await arq.create_pool(settings, **options)
        job = await pool.enqueue_job("work", held)
        worker = Worker([func(work, name="work")], redis_pool=pool, burst=True, **options)
        await worker.main()
        number, copy = await job.result(timeout=10)
        await worker.close()
        return number, depth_of(copy)

    assert asyncio.run(run()) == (DEPTH, DEPTH)


def test_dogpile_cache():
    dogpile = pytest.importorskip("dogpile.cache", reason=REASON)
    region = dogpile.make_region(
        serializer=lambda value: quickpickle.dumps(value), deserializer=quickpickle.loads
    )
    region.configure("dogpile.cache.memory_pickle")
    region.set("key", deep_list())
    assert depth(region.get("key")) == DEPTH


@pytest.mark.parametrize("pickler", [quickpickle, pickle])
def test_sqlalchemy(pickler):
    sqlalchemy = pytest.importorskip("sqlalchemy", reason=REASON)
    engine = sqlalchemy.create_engine("sqlite://")
    table = sqlalchemy.Table(
        "objects",
        sqlalchemy.MetaData(),
        sqlalchemy.Column(
            "value", sqlalchemy.PickleType(pickler=pickler, comparator=lambda x, y: x is y)
        ),
    )
    table.create(engine)
    held = Held()
    with engine.connect() as connection:
        if pickler is pickle:
            with pytest.raises(sqlalchemy.exc.StatementError, match="recursion"):
                connection.execute(table.insert(), {"value": held})
        else:
            connection.execute(table.insert(), {"value": held})
            assert depth_of(connection.execute(table.select()).scalar_one()) == DEPTH
    engine.dispose()


def test_mpi():
    MPI = pytest.importorskip("mpi4py.MPI", reason=REASON)  # noqa: N806
    before = MPI.pickle.dumps, MPI.pickle.loads, MPI.pickle.PROTOCOL
    with pytest.raises(RecursionError):
        MPI.COMM_SELF.sendrecv(deep_list(), 0, source=0)
    try:
        MPI.pickle.__init__(quickpickle.dumps, quickpickle.loads, 5)
        assert depth(MPI.COMM_SELF.sendrecv(deep_list(), 0, source=0)) == DEPTH
        assert MPI.COMM_WORLD.allgather(DataPoint(1)) == [DataPoint(1)]
    finally:
        MPI.pickle.__init__(*before)


RANKS = """
import sys

from mpi4py import MPI

import quickpickle

sys.path.append(sys.argv[1])
from integrations.deep import deep_list, depth

MPI.pickle.__init__(quickpickle.dumps, quickpickle.loads, 5)
world = MPI.COMM_WORLD
other = 1 - world.rank
assert world.size == 2
counts = [depth(world.sendrecv(deep_list(), other, source=other))]
counts.append(depth(world.bcast(deep_list() if world.rank == 0 else None)))
counts += map(depth, world.allgather(deep_list()))
if world.gather(counts) is not None:
    print(counts)
"""


def output_of_two_ranks(*script):
    pytest.importorskip("mpi4py", reason="for `make servers` alone")
    run = Path(sys.executable).with_name("mpiexec")  # of the package mpich
    command = [str(run), "-n", "2", sys.executable, *map(str, script)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.servers
def test_two_processes_of_mpi(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(RANKS)
    assert output_of_two_ranks(script, Path(__file__).parents[1]) == f"{[DEPTH] * 4}\n"


@pytest.mark.servers
def test_the_example_of_mpi():
    example = Path(__file__).parents[2] / "examples" / "mpi_ranks.py"
    assert output_of_two_ranks(example) == "10000 20000\n"


BEAM = """
import sys

import quickpickle

sys.path.append(sys.argv[1])
from integrations.deep import deep_list, depth

deep = deep_list()
if sys.argv[2] == "before":
    quickpickle.install()
from apache_beam.internal import pickler

quickpickle.install()
try:
    print(depth(pickler.loads(pickler.dumps(lambda: deep))()))
except Exception as error:
    print("recursion" in str(error))
"""


@pytest.mark.parametrize(("when", "printed"), [("before", f"{DEPTH}\n"), ("behind", "True\n")])
def test_functions_of_beam(when, printed, tmp_path):
    """Its copy of cloudpickle derives from the Pickler that is there when Beam is imported."""
    pytest.importorskip("apache_beam", reason=OTHERS)
    script = tmp_path / "script.py"
    script.write_text(BEAM)
    run = [sys.executable, str(script), str(Path(__file__).parents[1]), when]
    result = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == printed, result.stderr


def test_zodb_cannot_be_reached():
    """It writes with zodbpickle, a copy of the standard library's in C."""
    zodb = pytest.importorskip("ZODB", reason=REASON)
    deep = deep_list()
    database = zodb.DB(None)
    with quickpickle.install():
        with pytest.raises(RecursionError), database.transaction() as connection:
            connection.root.value = deep
        with database.transaction() as connection:
            connection.root.value = DataPoint(1)
    database.close()
