"""Libraries for `benchmarks/integrations.py lines`: each writes records and reads them again."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch


def installed(pickler: Any) -> Any:
    import quickpickle

    return quickpickle.install() if pickler is quickpickle else contextlib.nullcontext()


def _of_huey(folder: str, records: Any, pickler: Any) -> None:
    from huey.serializer import Serializer

    with installed(pickler):
        Serializer().deserialize(Serializer().serialize(records))


def _of_dramatiq(folder: str, records: Any, pickler: Any) -> None:
    from dramatiq import PickleEncoder

    with installed(pickler):
        PickleEncoder().decode(PickleEncoder().encode({"args": records}))


def _of_aiocache(folder: str, records: Any, pickler: Any) -> None:
    from aiocache.serializers import PickleSerializer

    with installed(pickler):
        PickleSerializer().loads(PickleSerializer().dumps(records))


def _of_diskcache(folder: str, records: Any, pickler: Any) -> None:
    from diskcache import Cache

    with installed(pickler), Cache(folder) as cache:
        cache["key"] = records
        cache["key"]


def _of_pandas(folder: str, records: Any, pickler: Any) -> None:
    import pandas as pd

    with installed(pickler):
        pd.to_pickle(records, f"{folder}/file.pkl")
        pd.read_pickle(f"{folder}/file.pkl")


def _of_dogpile(folder: str, records: Any, pickler: Any) -> None:
    from dogpile.cache import make_region

    region = make_region(serializer=pickler.dumps, deserializer=pickler.loads)
    region.configure("dogpile.cache.memory_pickle")
    region.set("key", records)
    region.get("key")


def _of_sqlalchemy(folder: str, records: Any, pickler: Any) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine("sqlite://")
    column = sa.Column("value", sa.PickleType(pickler=pickler))
    table = sa.Table("objects", sa.MetaData(), column)
    table.create(engine)
    with engine.connect() as connection:
        connection.execute(table.insert(), {"value": records})
        connection.execute(table.select()).scalar_one()
    engine.dispose()


def _of_mpi(folder: str, records: Any, pickler: Any) -> None:
    from mpi4py import MPI

    MPI.pickle.__init__(pickler.dumps, pickler.loads, 5)  # type: ignore[misc, unused-ignore]
    MPI.COMM_SELF.sendrecv(records, 0, source=0)


def _of_rq(folder: str, records: Any, pickler: Any) -> None:
    from rq.serializers import resolve_serializer

    serializer = resolve_serializer(None if pickler.__name__ == "pickle" else pickler)
    serializer.loads(serializer.dumps(records))


def _of_beam(folder: str, records: Any, pickler: Any) -> None:
    from apache_beam.coders import PickleCoder

    with installed(pickler):
        coder = PickleCoder()
        coder.decode(coder.encode(records))


def _of_beam_function(folder: str, records: Any, pickler: Any) -> None:
    """Beam's copy of cloudpickle, which has been imported after install(), or without it."""
    name = "apache_beam.internal.cloudpickle.cloudpickle"
    if pickler not in _copies:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        _copies[pickler] = importlib.util.module_from_spec(spec)
        with installed(pickler):
            spec.loader.exec_module(_copies[pickler])
    with installed(pickler), patch.dict(sys.modules, {name: _copies[pickler]}):
        data = _copies[pickler].dumps(lambda: records)
        _copies[pickler].loads(data)


_copies: dict[Any, Any] = {}


def _of_arq(folder: str, records: Any, pickler: Any) -> None:
    from arq.jobs import deserialize_job, serialize_job

    data = serialize_job("work", (records,), {}, None, 0, serializer=pickler.dumps)
    deserialize_job(data, deserializer=pickler.loads)


def _of_cachelib(folder: str, records: Any, pickler: Any) -> None:
    from cachelib import SimpleCache

    cache = SimpleCache()
    with installed(pickler):
        cache.set("key", records)
        cache.get("key")


STORES: dict[str, Callable[[str, Any, Any], None]] = {
    "RQ, rq": _of_rq,
    "huey, huey": _of_huey,
    "dramatiq, dramatiq": _of_dramatiq,
    "arq, arq.jobs": _of_arq,
    "Flask-Caching, cachelib": _of_cachelib,
    "aiocache, aiocache": _of_aiocache,
    "dogpile.cache, dogpile.cache": _of_dogpile,
    "diskcache, diskcache": _of_diskcache,
    "SQLAlchemy PickleType, sqlalchemy": _of_sqlalchemy,
    "pandas to_pickle and read_pickle, pandas": _of_pandas,
    "Beam PickleCoder, apache_beam.coders": _of_beam,
    "Beam, a function, apache_beam.internal.cloudpickle": _of_beam_function,
    "mpi4py sendrecv, mpi4py.MPI": _of_mpi,
}
