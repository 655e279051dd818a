"""A Celery task that takes and returns objects, pickled by quickpickle.

    pip install 'quickpickle[celery]'
    REDIS_URL=redis://localhost:6379/0 python examples/celery_tasks.py

The serializer is there wherever quickpickle is installed. Anyone who can write to the broker can
run code in a worker that allows it, as with the serializer "pickle".
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

from celery import Celery

URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

app = Celery("celery_tasks", broker=URL, backend=URL)
app.conf.update(
    task_serializer="quickpickle",
    result_serializer="quickpickle",
    accept_content=["quickpickle", "json"],
)


@dataclasses.dataclass
class Record:
    number: int
    values: list[int]


@app.task(name="add_up")
def add_up(records: list[Record]) -> dict[str, object]:
    return {"records": records, "total": sum(sum(record.values) for record in records)}


def main() -> None:
    options = ["worker", "--pool", "solo", "--without-gossip", "--without-mingle"]
    folder = os.path.dirname(__file__)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--workdir", folder, "-A", "celery_tasks", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        from celery_tasks import Record, add_up  # of the module, as the worker knows them

        records = [Record(i, [i, i + 10]) for i in range(10)]
        result = add_up.delay(records).get(timeout=30)
        assert result["records"] == records
        print(f"{len(records)} records, of the total {result['total']}")
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main()
