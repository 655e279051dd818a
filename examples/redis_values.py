"""Objects as values of Redis.

    pip install quickpickle redis
    REDIS_URL=redis://localhost:6379/0 python examples/redis_values.py

Anyone who can write to the server can run code in a program that loads from it.
"""

from __future__ import annotations

import datetime as dt
import os
import pickle

import redis

import quickpickle

URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")


def main() -> None:
    value = {"seen": dt.date(2026, 1, 2), "pages": {1, 2, 3}}
    with redis.Redis.from_url(URL) as client:
        client.set("quickpickle:visit", quickpickle.dumps(value, protocol=5), ex=60)
        copy = pickle.loads(client.get("quickpickle:visit"))
    assert copy == value
    print(copy["seen"])


if __name__ == "__main__":
    main()
