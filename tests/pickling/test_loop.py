"""No recursion limit: what nests deeper than any stack is pickled, with the right bytes."""

from __future__ import annotations

import gc
import io
import pickle
import sys

import pytest

from conftest import IMPLEMENTATIONS
from quickpickle.format.limits import FRAME_SIZE_TARGET

MILLION = 1_000_000


@pytest.fixture(
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n == "python")) for n in IMPLEMENTATIONS]
)
def patient(request):
    """An implementation for millions of objects, which takes the one in Python a while.

    The collector runs once for a million new objects, not for 700: it looked at all of them again
    and again, and took more than half of the time.
    """
    threshold = gc.get_threshold() if hasattr(gc, "get_threshold") else None  # not on PyPy
    if threshold:
        gc.set_threshold(1_000_000, 5, 5)
    yield IMPLEMENTATIONS[request.param]
    if threshold:
        gc.set_threshold(*threshold)


def deep_list(depth):
    obj = []
    for _ in range(depth - 1):
        obj = [obj]
    return obj


@pytest.mark.costly
def test_ten_million_nested_lists(patient):
    depth = 10_000_000

    class Counter:
        """Ten million list starts, then as many ends, each list memoized: checked on the fly."""

        def __init__(self):
            self.size = 0
            self.counts = dict.fromkeys(b"]\x94a", 0)

        def write(self, data):
            data = bytes(data)
            self.size += len(data)
            for code in self.counts:
                self.counts[code] += data.count(code)

    file = Counter()
    patient.Pickler(file, 5).dump(deep_list(depth))
    # A list opens in two bytes and closes in one; frames end where an object begins.
    frames = (depth - 1) // (FRAME_SIZE_TARGET // 2) + 1
    assert file.size == 2 + 2 * depth + (depth - 1) + 1 + 9 * frames
    # The headers of the frames may hold any byte.
    for code, count in zip(b"]\x94a", (depth, depth, depth - 1), strict=True):
        assert count <= file.counts[code] <= count + 8 * frames


@pytest.mark.parametrize("depth", [100, 5000])
def test_the_bytes_are_those_of_recursion(implementation, protocol, depth):
    # The standard pickler can be made to go this deep.
    obj = deep_list(depth)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * depth + 1000)
    try:
        expected = pickle.dumps(obj, protocol)
    except RecursionError:
        pytest.skip("this interpreter's limit cannot be raised that far")
    finally:
        sys.setrecursionlimit(limit)
    assert implementation.dumps(obj, protocol) == expected


class Node:
    def __init__(self, next=None):  # noqa: A002
        self.next = next


class Reduced:
    def __init__(self, inner):
        self.inner = inner

    def __reduce__(self):
        return Reduced, (self.inner,)


def chain(cls, length):
    obj = None
    for _ in range(length):
        obj = cls(obj)
    return obj


def unchain(obj, attribute):
    """The length of a chain, which is taken apart on the way."""
    length = 0
    while obj is not None:
        obj = getattr(obj, attribute)
        length += 1
    return length


@pytest.mark.costly
def test_a_linked_list_of_a_million_instances(patient):
    loaded = pickle.loads(patient.dumps(chain(Node, MILLION)))
    assert unchain(loaded, "next") == MILLION


@pytest.mark.costly
def test_a_chain_of_a_million_reductions(patient):
    data = patient.dumps(chain(Reduced, MILLION))
    loaded = pickle.loads(data)
    assert unchain(loaded, "inner") == MILLION


@pytest.mark.costly
def test_one_more_is_an_endless_reduction(patient):
    with pytest.raises(RecursionError, match=r"more than 1000000 nested .*Reduced object"):
        patient.Pickler(io.BytesIO()).dump(chain(Reduced, MILLION + 1))


MAKERS = {
    "tuple": lambda obj: (obj,),
    "tuple of 4": lambda obj: (1, 2, 3, obj),
    "dict": lambda obj: {"k": obj},
    "dict of 2": lambda obj: {"k": obj, "l": 1},
    "dict key": lambda obj: {(obj if isinstance(obj, int) else id(obj)): [obj]},
    "frozenset": lambda obj: frozenset([obj, 1]),
    "list of 2": lambda obj: [obj, 1],
    "instance": Node,
    "reduction": Reduced,
}


@pytest.mark.costly
@pytest.mark.parametrize("kind", [k for k in MAKERS if k != "frozenset"])
def test_every_container(implementation, protocol, kind):
    obj = 0
    for _ in range(20_000):
        obj = MAKERS[kind](obj)
    data = implementation.dumps(obj, protocol)
    loaded = pickle.loads(data)
    # Comparing or freeing would recurse, so go down both side by side.
    for _ in range(20_000):
        assert type(loaded) is type(obj)
        obj, loaded = inside(obj), inside(loaded)
    assert loaded == obj == 0


def inside(obj):
    match obj:
        case tuple():
            return obj[0] if len(obj) == 1 else obj[3]
        case list():
            return obj[0]
        case dict():
            value = next(iter(obj.values()))
            return value[0] if isinstance(value, list) else value
        case Node():
            return obj.next
    return obj.inner


def test_nested_frozensets(implementation, protocol):
    obj = frozenset()
    for _ in range(60):  # the standard pickler, and hash(), recurse
        obj = frozenset([obj])
    assert implementation.dumps(obj, protocol) == pickle.dumps(obj, protocol)
