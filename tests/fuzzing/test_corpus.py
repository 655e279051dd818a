"""The corpus of the fuzzers, and that they notice what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import IMPLEMENTATIONS
from fuzzing import fuzz_graphs, fuzz_inspect, fuzz_pickles, fuzz_policies

CORPUS = Path(__file__).parent / "corpus"


def corpus(target: str) -> list[bytes]:
    files = sorted((CORPUS / target).iterdir())
    assert len(files) > 50
    return [file.read_bytes() for file in files]


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    """The limits that `check` sets are set back."""
    for module in IMPLEMENTATIONS.values():
        monkeypatch.setattr(module.Pickler, "reduction_limit", fuzz_graphs.REDUCTION_LIMIT)


@pytest.mark.costly
def test_graphs_of_the_corpus():
    loaded = sum(fuzz_graphs.check(data) for data in corpus("graphs"))
    assert loaded > 20


@pytest.mark.costly
def test_pickles_of_the_corpus():
    fuzz_inspect.warm_up()
    watch = fuzz_inspect.Watch()
    whole = [fuzz_pickles.check(data, watch) for data in corpus("pickles")]
    assert 10 < sum(whole) < len(whole)


@pytest.mark.costly
def test_policies_on_the_corpus(monkeypatch):
    fuzz_policies.warm_up()
    verdicts = {fuzz_policies.check(data) for data in corpus("pickles")}
    assert verdicts == {"refused", "damaged", "loaded"}
    monkeypatch.setattr(fuzz_policies.test_attacks, "HARMLESS", frozenset())
    with pytest.raises(AssertionError, match=r"pickle\.find_class"):
        fuzz_policies.check(b"ccollections\nOrderedDict\n.")


@pytest.mark.parametrize("options", [{}, {"compact": True}, {"deterministic": True}], ids=str)
def test_a_wrong_byte_is_noticed(monkeypatch, options):
    """With a pickler that is wrong in one byte, in one mode, a check fails."""
    module = IMPLEMENTATIONS["python"]
    dumps = module.dumps

    def wrong(*arguments, **given):
        data = dumps(*arguments, **given)
        return data[:-1] + b"0." if options.items() <= given.items() else data

    by_dumps = bytes([4, 0])
    fuzz_graphs.check(by_dumps)
    monkeypatch.setattr(module, "dumps", wrong)
    with pytest.raises(AssertionError):
        fuzz_graphs.check(by_dumps)


@pytest.mark.parametrize("data", [b"\x80\x02]q\x00.", b"\x80\x02]q\x00h\x01."])
def test_a_wrong_optimize_is_noticed(monkeypatch, data):
    fuzz_pickles.check_optimize(data)
    monkeypatch.setitem(fuzz_pickles.OPTIMIZE, "python", lambda data: data)
    with pytest.raises(AssertionError):
        fuzz_pickles.check_optimize(data)
