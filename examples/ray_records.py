"""Records through Ray: put once, read by actors and tasks, with quickpickle in all processes.

pip install 'quickpickle[cloud]' ray
python examples/ray_records.py
"""

from __future__ import annotations

import dataclasses

import ray

import quickpickle.integrations.ray as quick


@dataclasses.dataclass
class Record:
    number: int
    text: str


@ray.remote
class Store:
    """Keeps references; the records stay in the shared memory of Ray."""

    def __init__(self) -> None:
        self.parts: list[ray.ObjectRef] = []

    def add(self, parts: list[ray.ObjectRef]) -> None:
        self.parts += parts

    def total(self) -> int:
        return sum(record.number for part in ray.get(self.parts) for record in part)


@ray.remote
def make(start: int) -> list[Record]:
    return [Record(i, str(i)) for i in range(start, start + 1000)]


def main() -> None:
    quick.install()  # for this process, and by the hook for each worker
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        runtime_env={"worker_process_setup_hook": quick.install},
    )
    store = Store.remote()
    mine = ray.put([Record(i, str(i)) for i in range(1000)])
    ray.get(store.add.remote([mine, make.remote(1000)]))
    print(f"2000 records, total {ray.get(store.total.remote())}")
    ray.shutdown()


if __name__ == "__main__":
    main()
