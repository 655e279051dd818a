"""Samples from the worker of a DataLoader, and objects between ranks, by quickpickle.

pip install quickpickle torch
python examples/pytorch_workers.py

`install()` comes before `import torch`: torch.distributed keeps the Pickler that it finds then.
"""

from __future__ import annotations

import dataclasses
import tempfile

import quickpickle

quickpickle.install()

import torch  # noqa: E402
from torch import distributed  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402


@dataclasses.dataclass
class Event:
    """Events lead to the one before: the chain is too deep for the standard pickler."""

    energy: float
    before: Event | None = None


def chain(length: int) -> Event | None:
    event = None
    for number in range(length):
        event = Event(number / 2, event)
    return event


def length(event: Event | None) -> int:
    count = 0
    while event is not None:
        event, count = event.before, count + 1
    return count


class Events(Dataset):
    """A worker makes them, and sends them to the process that trains."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Event | None:
        return chain(10_000 * (index + 1))


def as_they_are(events: list[Event | None]) -> list[Event | None]:
    return events


def gather(rank: int, address: str) -> None:
    """Each rank gets what all of them have."""
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    gathered: list[Event | None] = [None, None]
    distributed.all_gather_object(gathered, chain(10_000 * (rank + 1)))
    if rank == 0:
        print("ranks:", *map(length, gathered), flush=True)
    distributed.destroy_process_group()


def main() -> None:
    loader = DataLoader(Events(), num_workers=1, collate_fn=as_they_are)
    print("worker:", *(length(event) for batch in loader for event in batch), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(gather, (f"file://{folder}/ranks",), nprocs=2)


if __name__ == "__main__":
    main()
