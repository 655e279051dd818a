"""Damaged pickles: the outcome of the interpreter's own Unpickler. See fuzzing/fuzz_loads.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import UNPICKLERS, examples
from differential import only_c
from fuzzing import fuzz_inspect, fuzz_loads

pytestmark = [only_c, pytest.mark.filterwarnings("ignore:.*escape sequence:DeprecationWarning")]


@pytest.fixture(autouse=True)
def limited_memory():
    """`_pickle` may ask for any amount, where what it takes for a memo index is none."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    fuzz_inspect.limit_memory()
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


CORPUS = Path(__file__).parents[1] / "fuzzing" / "corpus" / "pickles"


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(6))
def test_damaged_pickles(seed):
    count = examples(3000)
    loaded = fuzz_loads.run(count, seed)
    assert count * 0.05 < loaded < count * 0.95


def test_the_corpus():
    files = sorted(CORPUS.iterdir())
    assert len(files) > 50
    assert sum(fuzz_loads.check(file.read_bytes()) for file in files) > 10


def test_whole_pickles_are_among_the_seeds():
    assert sum(map(fuzz_loads.check, fuzz_loads.seeds())) > 40


def test_a_wrong_unpickler_is_noticed(monkeypatch):
    module = UNPICKLERS["python"]
    data = b"]q\0(K\1N]eh\0\x86."

    class Wrong(fuzz_loads.CLASSES[module]):
        def load(self):
            pair = super().load()
            return pair[0], pair[0][:]

    fuzz_loads.check(data)
    monkeypatch.setitem(fuzz_loads.CLASSES, module, Wrong)
    with pytest.raises(AssertionError):
        fuzz_loads.check(data)
