"""A workload is a function that builds an object to pickle; what the functions share.

Every function builds its object anew, from a random.Random(0) of its own, so it comes out the
same whatever ran before. One that needs a library imports it itself, so the others run without it.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

Build = Callable[[], object]


class Workload(NamedTuple):
    """A function that builds an object, and the hooks of the Pickler that writes it."""

    build: Build
    group: str
    """Its heading in the tables and in the chart."""
    hooks: type | None
    """Methods for a subclass of Pickler, and of Unpickler: both get them as their first base."""

    def __call__(self) -> object:
        return self.build()

    @property
    def description(self) -> str:
        return self.build.__doc__ or ""


def workload(group: str, hooks: type | None = None) -> Callable[[Build], Workload]:
    """Makes a workload of a function, in a group of them."""
    return lambda build: Workload(build, group, hooks)


def workloads_of(module: ModuleType) -> dict[str, Workload]:
    """The workloads of a module, by name, in the order of its text."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Workload)}


def text(rng: random.Random, shortest: int, longest: int, alphabet: str) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(shortest, longest)))


def word(rng: random.Random) -> str:
    return text(rng, 4, 12, string.ascii_lowercase)
