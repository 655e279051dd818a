"""Generated object graphs: the same objects as by the interpreter's own, at every protocol."""

from __future__ import annotations

import io
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import in_parts, part
from differential import assert_all_load_the_same, describe, outcome
from fuzzing import fuzz_graphs
from fuzzing.test_corpus import corpus
from graphs import SETTINGS, graphs

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def pickled(obj, protocol, **options):
    data = outcome(lambda: pickle.dumps(obj, protocol, **options))
    return data if isinstance(data, bytes) else None


@pytest.mark.costly
@SETTINGS
@given(graph=graphs())
def test_graphs(unpicklers, protocol, graph):
    data = pickled(graph, protocol)
    if data is not None:
        assert_all_load_the_same(unpicklers, data)


@pytest.mark.costly
@SETTINGS
@given(graph=graphs(), extra=graphs())
def test_several_loads_with_hooks(unpicklers, protocol, graph, extra):
    file = io.BytesIO()

    class Hooked(pickle.Pickler):
        def persistent_id(self, obj):
            return f"id {len(obj)}" if type(obj) is str and obj.startswith("x") else None

    pickler = Hooked(file, protocol)
    if isinstance(outcome(lambda: [pickler.dump(obj) for obj in (graph, extra, graph)]), tuple):
        return
    results = []
    for module in (pickle, *unpicklers):

        class Loads(module.Unpickler):
            def persistent_load(self, pid):
                return pid

            def find_class(self, module_name, name):
                return super().find_class(module_name, name)

        unpickler = Loads(io.BytesIO(file.getvalue()))
        results.append(outcome(lambda: describe([unpickler.load() for _ in range(3)])))  # noqa: B023
    theirs, *ours = results
    assert ours == [theirs] * len(unpicklers)


@pytest.mark.costly
@SETTINGS
@given(data=st.binary(max_size=30), place=st.integers(0, 200), graph=graphs())
def test_trailing_data(unpicklers, protocol, data, place, graph):
    whole = pickled(graph, protocol)
    if whole is not None:
        assert_all_load_the_same(unpicklers, whole + data)


@pytest.mark.costly
def test_graphs_of_the_corpus(unpicklers):
    loaded = 0
    for file in part(list(corpus("graphs"))):
        case = fuzz_graphs.Case(fuzz_graphs.Source(file))
        for protocol in range(6):
            data = pickled(case.graph.root, protocol)
            if data is not None:
                loaded += type(assert_all_load_the_same(unpicklers, data)) is list
    assert loaded > (20 if in_parts else 100)


@pytest.mark.parametrize("protocol", range(6))
def test_options_of_ours(unpickling, protocol):
    """Pickles that our own Pickler writes with its options."""
    import quickpickle

    obj = [{"a": [1, (2, 3)], "b": {4, 5}}, "x" * 70_000, [[]] * 100]
    for options in ({"compact": True}, {"deterministic": True}):
        assert unpickling.loads(quickpickle.dumps(obj, protocol, **options)) == obj
