"""Generated object graphs: the bytes of the running interpreter's pickler, at every protocol."""

from __future__ import annotations

import io
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from differential import outcome
from graphs import SETTINGS, gives_up, graphs, trees
from models import Plain


@pytest.fixture(autouse=True)
def low_limit(implementations, monkeypatch):
    for implementation in implementations:
        monkeypatch.setattr(implementation.Pickler, "reduction_limit", 2000)


@pytest.mark.costly
@SETTINGS
@given(graph=graphs())
def test_the_same_bytes(implementations, protocol, graph):
    theirs = outcome(lambda: pickle.dumps(graph, protocol))
    for implementation in implementations:
        ours = outcome(lambda: implementation.dumps(graph, protocol))  # noqa: B023
        if not gives_up(theirs):
            assert ours == theirs, implementation.__name__


@pytest.mark.costly
@SETTINGS
@given(graph=graphs(), extra=graphs(), fix_imports=st.booleans())
def test_the_same_bytes_over_two_dumps_and_with_hooks(
    implementations, protocol, graph, extra, fix_imports
):
    results = []
    for module in (pickle, *implementations):

        class Hooked(module.Pickler):
            def persistent_id(self, obj):
                return ("id", len(obj)) if type(obj) is str and obj.startswith("x") else None

            def reducer_override(self, obj):
                return (list, ("override",)) if obj is Plain else NotImplemented

        def dump(cls=Hooked):
            file = io.BytesIO()
            pickler = cls(file, protocol, fix_imports=fix_imports)
            for obj in (graph, extra, graph):
                pickler.dump(obj)
            return file.getvalue()

        results.append(outcome(dump))
    theirs, *ours = results
    if not gives_up(theirs):
        assert ours == [theirs] * len(implementations)


@pytest.mark.costly
@SETTINGS
@given(tree=trees)
def test_read_back_equal(implementations, protocol, tree):
    for implementation in implementations:
        assert pickle.loads(implementation.dumps(tree, protocol)) == tree, implementation.__name__
