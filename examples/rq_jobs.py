"""Jobs of RQ that are signed, and loaded under a policy.

pip install quickpickle rq
python examples/rq_jobs.py

It needs a Redis server: REDIS_URL, or redis://127.0.0.1:6379. The worker works in this process.
"""

from __future__ import annotations

import os
import pickle

import rq
from redis import Redis

from quickpickle import Policy
from quickpickle.integrations.signing import Signer


class Signed:
    """RQ takes a class with these two, and shows its name."""

    signer = Signer(b"from your secret store", purpose="rq", policy=Policy.plain())
    dumps, loads = signer.dumps, signer.loads


def main() -> None:
    with Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")) as client:
        queue = rq.Queue("signed", connection=client, serializer=Signed)
        job = queue.enqueue("statistics.fmean", [1, 2, 6])
        worker = rq.SimpleWorker([queue], connection=client, serializer=Signed)
        worker.work(burst=True, logging_level="ERROR")
        print(f"the mean is {job.return_value()}")

        forged = rq.Queue("signed", connection=client).enqueue(print, "this runs")
        try:
            print(rq.job.Job.fetch(forged.id, connection=client, serializer=Signed).args)
        except (pickle.UnpicklingError, rq.exceptions.DeserializationError):
            print("a job without a signature is refused")
        forged.delete()


if __name__ == "__main__":
    main()
