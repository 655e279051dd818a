"""A linked list that the standard pickler cannot write: quickpickle has written what has it."""

from __future__ import annotations

import pickle

import pytest

from models import DataPoint

REASON = "for the interpreter of make test alone"


def deep_list():
    points = None
    for i in range(20_000):
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
