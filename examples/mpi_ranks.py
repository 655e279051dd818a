"""Objects between the processes of MPI, pickled by quickpickle.

pip install quickpickle mpi4py mpich
mpiexec -n 2 python examples/mpi_ranks.py
"""

from __future__ import annotations

import dataclasses

from mpi4py import MPI

import quickpickle

MPI.pickle.__init__(quickpickle.dumps, quickpickle.loads, 5)  # the line


@dataclasses.dataclass
class Step:
    number: int
    before: Step | None = None


def steps(length: int) -> Step | None:
    """A chain that is too deep for the standard pickler."""
    step = None
    for number in range(length):
        step = Step(number, step)
    return step


def length(step: Step | None) -> int:
    count = 0
    while step is not None:
        step, count = step.before, count + 1
    return count


def main() -> None:
    world = MPI.COMM_WORLD
    gathered = world.gather(steps(10_000 * (world.rank + 1)))
    if gathered is not None:
        print(*map(length, gathered))


if __name__ == "__main__":
    main()
