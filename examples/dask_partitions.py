"""More data than one process can hold, pickled to files by the workers of Dask, and read back.

    pip install 'quickpickle[dask]'
    python examples/dask_partitions.py [--partitions 16] [--records 100000] [--limit MIB]

Each partition is a list of records. A worker makes one, pickles it to a file of its own, and lets
it go; later any worker reads the file. `--limit` keeps each process from taking more memory than it
has at its start and so many MiB (on Linux): then one process is shown to fail at what the workers
do. On many machines the folder is one that all of them see.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from multiprocessing import get_context
from pathlib import Path

import dask
from distributed import Client, LocalCluster

import quickpickle
from quickpickle import cloud

PRELOAD = ["quickpickle.integrations.dask"]


@dataclasses.dataclass
class Record:
    number: int
    name: str
    values: list[float]


def make_partition(partition: int, records: int) -> list[Record]:
    first = partition * records
    return [Record(i, f"record {i}", [i / 7, i / 3]) for i in range(first, first + records)]


def write(folder: str, partition: int, records: int) -> str:
    path = Path(folder, f"partition-{partition:04}.pkl.gz")
    # The whole file, or none. With `cloud`, as Record is of this script, not of a module.
    cloud.dump(make_partition(partition, records), path)
    return str(path)


def read(path: str) -> tuple[int, int]:
    """How many records are in a file, and the sum of their numbers."""
    records = quickpickle.load(path)
    return len(records), sum(record.number for record in records)


def limit_memory(mebibytes: int) -> None:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def hold_all(partitions: int, records: int, mebibytes: int) -> str:
    limit_memory(mebibytes)
    try:
        whole = [make_partition(partition, records) for partition in range(partitions)]
    except MemoryError:
        return "MemoryError"
    return f"{len(whole)} partitions"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--limit", type=int, help="MiB")
    args = parser.parse_args()
    if args.limit:
        with get_context("spawn").Pool(1) as pool:
            alone = pool.apply(hold_all, (args.partitions, args.records, args.limit))
        print(f"one process alone: {alone}")
    # The line that a cluster of many machines has in its configuration, for each of the three.
    dask.config.set(
        {f"distributed.{role}.preload": PRELOAD for role in ("scheduler", "worker", "client")}
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        if args.limit:
            client.run(limit_memory, args.limit)
        numbers = range(args.partitions)
        paths = client.map(write, [folder] * len(numbers), numbers, records=args.records)
        results = client.gather(client.map(read, paths))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        count = sum(count for count, _ in results)
        assert count == args.partitions * args.records
        assert sum(total for _, total in results) == count * (count - 1) // 2
        print(f"{count} records in {len(results)} files, {size} bytes: written, and read back")


if __name__ == "__main__":
    main()
