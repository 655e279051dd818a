"""Jobs of arq whose arguments and results are pickled by quickpickle.

    pip install quickpickle arq
    REDIS_URL=redis://localhost:6379/0 python examples/arq_jobs.py

Anyone who can write to the server can run code in the worker, as with arq's own pickles. Here the
worker works in this process; a program has it in another one, with the same two functions.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from typing import Any

import arq
from arq.connections import RedisSettings
from arq.worker import Worker, func

import quickpickle

SERIALIZER: dict[str, Any] = {
    "job_serializer": quickpickle.dumps,
    "job_deserializer": quickpickle.loads,
}


@dataclasses.dataclass
class Order:
    number: int
    follows: Order | None = dataclasses.field(default=None, repr=False)  # arq logs what it gets


async def count(context: dict[str, Any], order: Order | None) -> int:
    """The length of a chain: one that the standard pickler cannot write."""
    length = 0
    while order is not None:
        order, length = order.follows, length + 1
    return length


async def main() -> None:
    order = None
    for number in range(20_000):
        order = Order(number, order)
    settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379"))
    pool = await arq.create_pool(settings, **SERIALIZER)
    job = await pool.enqueue_job("count", order)
    worker = Worker([func(count, name="count")], redis_pool=pool, burst=True, **SERIALIZER)
    await worker.main()
    print(f"{await job.result(timeout=10)} orders")
    await worker.close()


if __name__ == "__main__":
    asyncio.run(main())
