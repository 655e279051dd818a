"""A program that uses pickle without naming it: after one line, it is quickpickle that writes.

pip install quickpickle
python examples/install.py
"""

from __future__ import annotations

import dataclasses
import shelve
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import quickpickle


@dataclasses.dataclass
class Node:
    number: int
    next: Node | None = None


def chain(length: int) -> Node:
    """A linked list longer than the standard pickler's recursion goes."""
    node = Node(0)
    for number in range(1, length):
        node = Node(number, node)
    return node


def length(node: Node | None) -> int:
    count = 0
    while node is not None:
        count, node = count + 1, node.next
    return count


def main() -> None:
    quickpickle.install()  # the line: multiprocessing, shelve, logging, caches write with it
    with ProcessPoolExecutor(2) as pool:
        lengths = list(pool.map(length, [chain(20_000), chain(30_000)]))
    with tempfile.TemporaryDirectory() as folder, shelve.open(Path(folder, "shelf")) as shelf:
        shelf["chain"] = chain(10_000)
        lengths.append(length(shelf["chain"]))
    print(f"chains of {', '.join(map(str, lengths))} nodes")


if __name__ == "__main__":
    main()
