"""A linked list that the standard pickler cannot write: quickpickle has written what has it."""

from __future__ import annotations

import pickle
import sys

import pytest

from models import DataPoint

# From 3.14 on the size of the stack is the limit.
DEPTH = 20_000 if sys.version_info < (3, 14) else 100_000
REASON = "for the interpreter of make test alone"


def deep_list():
    points = None
    for i in range(DEPTH):
        points = DataPoint(i, points)
    with pytest.raises(RecursionError):
        pickle.dumps(points)
    return points


def depth(points):
    count = 0
    while points is not None:
        count, points = count + 1, points.y
    return count


class Held:
    """A deep list for libraries that show what they are given."""

    def __init__(self):
        self.points = deep_list()

    def __repr__(self):
        return "<held>"


def depth_of(held):
    return depth(held.points)
