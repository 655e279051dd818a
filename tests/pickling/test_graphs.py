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
def low_limit(implementation, monkeypatch):
    monkeypatch.setattr(implementation.Pickler, "reduction_limit", 2000)


@SETTINGS
@given(graph=graphs())
def test_the_same_bytes(implementation, protocol, graph):
    ours = outcome(lambda: implementation.dumps(graph, protocol))
    theirs = outcome(lambda: pickle.dumps(graph, protocol))
    if RecursionError in (ours, theirs)[:1] or (
        isinstance(theirs, tuple) and theirs[0] is RecursionError
    ):
        return  # a graph that has no end below protocol 2, or none within the recursion limit
    assert ours == theirs
    if isinstance(ours, bytes):
        assert type(outcome(lambda: pickle.loads(ours))) is type(
            outcome(lambda: pickle.loads(theirs))
        )


@pytest.mark.costly
@SETTINGS
@given(graph=graphs(), extra=graphs(), fix_imports=st.booleans())
def test_the_same_bytes_over_two_dumps_and_with_hooks(
    implementation, protocol, graph, extra, fix_imports
):
    results = []
    for module in (implementation, pickle):

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
    ours, theirs = results
    if not gives_up(theirs):
        assert ours == theirs


@SETTINGS
@given(tree=trees)
def test_read_back_equal(implementation, protocol, tree):
    assert pickle.loads(implementation.dumps(tree, protocol)) == tree
