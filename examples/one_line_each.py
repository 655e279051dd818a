"""One line each: queues, caches and stores that write and read objects by quickpickle.

pip install quickpickle diskcache huey dramatiq aiocache dogpile.cache sqlalchemy pandas
python examples/one_line_each.py

Those that are not installed are left out, among them mpi4py and apache-beam. docs/integrations.md
has more.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

import quickpickle


@dataclass
class Record:
    number: int
    next: Record | None = None


def make_chain() -> Record | None:
    """Records so deep that the standard pickler cannot write them."""
    chain = None
    for number in range(120_000):
        chain = Record(number, chain)
    return chain


def with_diskcache(folder: Path, chain: Record) -> Record:
    import diskcache

    with diskcache.Cache(folder) as cache:  # quickpickle.install()
        cache["key"] = chain
        return cache["key"]


def with_huey(folder: Path, chain: Record) -> Record:
    import huey

    queue = huey.SqliteHuey(filename=str(folder / "queue.db"))  # quickpickle.install()
    queue.put("key", chain)
    copy = queue.get("key")
    queue.storage.close()
    return copy


def with_dramatiq(folder: Path, chain: Record) -> Record:
    import dramatiq

    dramatiq.set_encoder(dramatiq.PickleEncoder())  # quickpickle.install()
    message = dramatiq.Message("queue", "actor", (chain,), {}, {})
    return dramatiq.Message.decode(message.encode()).args[0]


def with_aiocache(folder: Path, chain: Record) -> Record:
    import aiocache
    from aiocache.serializers import PickleSerializer

    async def run() -> Record:
        cache = aiocache.SimpleMemoryCache(serializer=PickleSerializer())  # quickpickle.install()
        await cache.set("key", chain)
        return await cache.get("key")

    return asyncio.run(run())


def with_pandas(folder: Path, chain: Record) -> Record:
    import pandas as pd

    pd.to_pickle(chain, folder / "chain.pkl")  # quickpickle.install()
    return pd.read_pickle(folder / "chain.pkl")


def with_dogpile(folder: Path, chain: Record) -> Record:
    from dogpile.cache import make_region

    region = make_region(serializer=quickpickle.dumps, deserializer=quickpickle.loads)
    region.configure("dogpile.cache.memory_pickle")
    region.set("key", chain)
    return region.get("key")


def with_sqlalchemy(folder: Path, chain: Record) -> Record:
    import sqlalchemy as sa

    column = sa.Column("value", sa.PickleType(pickler=quickpickle))
    table = sa.Table("objects", sa.MetaData(), column)
    engine = sa.create_engine("sqlite://")
    table.create(engine)
    with engine.connect() as connection:
        connection.execute(table.insert(), [{"value": chain}])
        copy = connection.execute(table.select()).scalar_one()
    engine.dispose()
    return copy


def with_mpi4py(folder: Path, chain: Record) -> Record:
    from mpi4py import MPI

    MPI.pickle.__init__(quickpickle.dumps, quickpickle.loads, 5)
    return MPI.COMM_SELF.sendrecv(chain, 0, source=0)


def with_apache_beam(folder: Path, chain: Record) -> Record:
    from apache_beam.coders import PickleCoder

    coder = PickleCoder()  # quickpickle.install()
    return coder.decode(coder.encode(chain))


def main() -> None:
    quickpickle.install()
    chain = make_chain()
    for name, function in globals().copy().items():
        if name.startswith("with_"):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    copy = function(Path(folder), chain)
                except ModuleNotFoundError as error:
                    print(f"{name[5:]}: {error.name} is not installed")
                    continue
            length = 0
            while copy is not None:
                copy, length = copy.next, length + 1
            print(f"{name[5:]}: {length} records")


if __name__ == "__main__":
    main()
