"""The options together: what each of them promises holds beside the others too."""

from __future__ import annotations

import array
import datetime as dt
import functools
import io
import itertools
import pickle
import pickletools
import threading

import pytest
from hypothesis import HealthCheck, assume, given, settings

import quickpickle
from conftest import IMPLEMENTATIONS, examples
from differential import PYPY, outcome
from graphs import graphs
from models import Plain, Reduced


def sample() -> list[object]:
    """Every kind of part, several frames, and payloads that go to the file by themselves."""
    names = {f"name {i}" for i in range(2000)}
    shared = Plain(names=names, date=dt.date(2026, 1, 1))
    return [
        shared,
        [Plain(number=i, name="".join(["name ", str(i)]), of=shared) for i in range(2000)],
        {frozenset([1, "one", (1, 1.5)]), frozenset(["two", None]), (2, "two")},
        {Reduced(1), Reduced((2, "x")), Plain(a=1)},
        bytearray(100_000),
        b"x" * 100_000,
        "y" * 100_000,
        array.array("d", range(20_000)),
        names,
    ]


FLAGS = ("deterministic", "compact", "progress")
CHOICES = [
    dict.fromkeys(names, True)
    for size in range(len(FLAGS) + 1)
    for names in itertools.combinations(FLAGS, size)
]


def options(chosen: dict[str, bool], reports: list[tuple[int, int]]) -> dict[str, object]:
    if "progress" in chosen:
        return {**chosen, "progress": lambda *counts: reports.append(counts)}
    return dict(chosen)


def name_of(chosen: dict[str, bool]) -> str:
    return "+".join(chosen) or "none"


optimized = functools.cache(pickletools.optimize)  # which takes most of the time; few differ


@pytest.mark.costly
@pytest.mark.parametrize("chosen", CHOICES, ids=name_of)
def test_each_does_its_own(implementation, protocol, chosen, tmp_path):
    obj = sample()
    expected = implementation.dumps(obj, protocol, deterministic=chosen.get("deterministic", False))
    if "compact" in chosen:
        expected = optimized(expected)
    reports: list[tuple[int, int]] = []

    assert implementation.dumps(obj, protocol, **options(chosen, reports)) == expected
    file = io.BytesIO()
    implementation.dump(obj, file, protocol, **options(chosen, reports))
    assert file.getvalue() == expected
    file = io.BytesIO()
    implementation.Pickler(file, protocol, **options(chosen, reports)).dump(obj)
    assert file.getvalue() == expected
    implementation.dump(obj, tmp_path / "obj.pkl.gz", protocol, **options(chosen, reports))
    assert quickpickle.load(tmp_path / "obj.pkl.gz")[-1] == obj[-1]

    assert bool(reports) == ("progress" in chosen)
    assert all(size == len(expected) for _, size in reports[-1:])


@settings(deadline=None, max_examples=examples(60), suppress_health_check=list(HealthCheck))
@given(obj=graphs())
def test_compact_and_deterministic_over_generated_graphs(obj):
    results = []
    for implementation in IMPLEMENTATIONS.values():
        plain = outcome(lambda: implementation.dumps(obj, 4, deterministic=True))  # noqa: B023
        assume(isinstance(plain, bytes))
        results.append(implementation.dumps(obj, 4, deterministic=True, compact=True))
        assert results[-1] == pickletools.optimize(plain)
    assert results == results[:1] * len(results)


def test_buffers_out_of_band(implementation):
    data = bytearray(200_000)
    obj = [pickle.PickleBuffer(data), {"b", "a"}, pickle.PickleBuffer(b"z" * 100), "end"]
    for chosen in CHOICES:
        buffers: list[pickle.PickleBuffer] = []
        pickled = implementation.dumps(
            obj, 5, buffer_callback=buffers.append, **options(chosen, [])
        )
        assert len(buffers) == 2
        assert memoryview(buffers[0]).obj is data
        assert pickle.loads(pickled, buffers=buffers)[1:2] == [{"a", "b"}]


# PyPy's locks have a reduction, and their class is not found.
REFUSED_LOCK = pickle.PicklingError if PYPY else TypeError


@pytest.mark.parametrize("chosen", CHOICES, ids=name_of)
def test_a_failure_has_a_path_and_leaves_the_pickler_usable(implementation, chosen, tmp_path):
    obj = [{"a": Plain(lock=None)}, {Plain(a=1), Plain(a=2)}]
    reports: list[tuple[int, int]] = []
    file = io.BytesIO()
    pickler = implementation.Pickler(file, 5, **options(chosen, reports))
    obj[0]["a"].lock = threading.Lock()
    with pytest.raises(REFUSED_LOCK) as caught:
        pickler.dump(obj)
    assert caught.value.path == "obj[0]['a'].lock"
    if "compact" in chosen:
        assert not file.getvalue()
    target = tmp_path / "obj.pkl"
    target.write_bytes(b"as before")
    with pytest.raises(REFUSED_LOCK):
        implementation.dump(obj, target, 5, **options(chosen, reports))
    assert target.read_bytes() == b"as before"
    assert [path.name for path in tmp_path.iterdir()] == ["obj.pkl"]

    obj[0]["a"].lock = None
    file.seek(0)
    file.truncate()
    pickler.dump(obj)
    assert file.getvalue() == implementation.dumps(obj, 5, **options(chosen, []))


@pytest.mark.parametrize("chosen", CHOICES, ids=name_of)
def test_hooks(implementation, protocol, chosen):
    class Hooked(implementation.Pickler):
        def persistent_id(self, obj):
            return ("id", 7) if type(obj) is Plain and not hasattr(obj, "lock") else None

        def reducer_override(self, obj):
            return (set, (["by the hook"],)) if type(obj) is Reduced else NotImplemented

    class Loader(pickle.Unpickler):
        def persistent_load(self, pid):
            return pid

    shared = Plain(a=1)
    obj = [shared, {Reduced(1), shared}, [shared, Reduced(2)]]
    if protocol == 0:
        Hooked.persistent_id = lambda self, obj: "id" if type(obj) is Plain else None
    file = io.BytesIO()
    Hooked(file, protocol, **options(chosen, [])).dump(obj[:1] + obj[2:])
    pid = "id" if protocol == 0 else ("id", 7)
    loaded = Loader(io.BytesIO(file.getvalue())).load()
    assert loaded == [pid, [pid, {"by the hook"}]]


def test_one_pickler_many_dumps(implementation):
    obj = [{"b", "a"}, ("x", 1)]
    file = io.BytesIO()
    pickler = implementation.Pickler(file, 4, deterministic=True)
    pickler.dump(obj)
    pickler.dump([("".join(["x"]), 1), obj])
    loader = pickle.Unpickler(io.BytesIO(file.getvalue()))
    first, second = loader.load(), loader.load()
    assert second[0] is first[1]
    assert second[1] is first

    compact = implementation.Pickler(io.BytesIO(), 4, deterministic=True, compact=True)
    compact.dump(obj)
    with pytest.raises(ValueError, match="clear_memo"):
        compact.dump(obj)
    compact.clear_memo()
    compact.dump(obj)


def test_options_that_exclude_one_another(implementation):
    pickler = implementation.Pickler(io.BytesIO(), 4, deterministic=True)
    pickler.fast = 1
    with pytest.raises(ValueError, match="fast"):
        pickler.dump([])
    pickler.fast = 0
    pickler.dump([])
    for value in (3, "yes"):
        with pytest.raises(TypeError, match="progress"):
            implementation.dumps([], progress=value)
