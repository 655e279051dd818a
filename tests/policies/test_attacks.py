"""Attacks under `Policy.plain()`: each is refused, and nothing was run, imported or changed."""

from __future__ import annotations

import codecs
import collections
import copyreg
import datetime as dt
import decimal
import fractions
import importlib
import io
import ipaddress
import pathlib
import pickle
import sys
import time
import uuid
from functools import partial
from pickle import UnpicklingError

import pytest

from cases import for_each
from conftest import UNPICKLERS, part
from quickpickle import Placeholder, Policy, PolicyError
from quickpickle.rules.policy_names import MEMBERS, PLAIN

from .attacks import ATTACKS

PLAIN_POLICY = Policy.plain()
codecs.lookup("latin1")  # with which bytes are written below protocol 3
HELD = (collections, copyreg, dt, decimal, fractions, ipaddress, pathlib, uuid)

_watched: list[list[str]] = []


def _watch(event: str, args: tuple[object, ...]) -> None:
    if _watched:
        _watched[-1].append(event)


sys.addaudithook(_watch)

# Events that a load may report: a listed name is about to be looked up, which is allowed. The
# Guard knows objects by their addresses. Frames of this package are removed from the traceback. The
# path in an error is found by a scanner that keeps numbers in arrays.
HARMLESS = frozenset({"pickle.find_class", "builtins.id", "object.__getattr__", "array.__new__"})


def classes():
    found = []
    for full in [*PLAIN, *MEMBERS]:
        module, _, name = full.rpartition(".")
        try:
            cls = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):  # of another version
            continue
        found.append(cls)
    return found


CLASSES = classes()


def snapshot():
    state = {cls: dict(getattr(cls, "__dict__", {})) for cls in CLASSES}
    registries = (
        dict(copyreg._inverted_registry),
        dict(copyreg._extension_cache),
        dict(copyreg.dispatch_table),
    )
    return state, registries, set(sys.modules), dict(vars(sys.modules["os"]))


def refuse(load) -> PolicyError:
    before = snapshot()
    events: list[str] = []
    started = time.perf_counter()
    _watched.append(events)
    try:
        with pytest.raises(PolicyError) as caught:
            load()
    finally:
        _watched.pop()
    assert time.perf_counter() - started < 20
    assert [event for event in events if event not in HARMLESS] == []
    assert snapshot() == before
    return caught.value


@pytest.fixture(autouse=True)
def all_is_imported(unpickling):
    """Run a first load under a policy, and a first refusal: these import modules themselves."""
    unpickling.loads(b"\x80\4).", policy=PLAIN_POLICY)
    with pytest.raises(PolicyError):
        unpickling.loads(b"ca\nb\n.", policy=PLAIN_POLICY)
    unpickling.loads(b"ca\nb\n.", policy=PLAIN_POLICY, missing="placeholder")


@pytest.fixture(autouse=True)
def extension():
    copyreg.add_extension("os", "system", 0xF0)
    yield
    copyreg.remove_extension("os", "system", 0xF0)


@pytest.mark.costly
@for_each("name", part(list(ATTACKS)))
def test_it_is_refused(unpickling, name):
    data = ATTACKS[name]
    error = refuse(lambda: unpickling.loads(data, policy=PLAIN_POLICY))
    assert isinstance(error, UnpicklingError)
    assert 0 <= error.offset < len(data)
    assert str(error.offset) in str(error)
    assert error.rule in str(error)


@pytest.mark.costly
def test_both_refuse_with_the_same_words():
    for name, data in ATTACKS.items():
        found = set()
        for module in UNPICKLERS.values():
            with pytest.raises(PolicyError) as caught:
                module.loads(data, policy=PLAIN_POLICY)
            error = caught.value
            found.add((str(error), error.rule, error.name, error.offset, error.path))
        assert len(found) == 1, (name, found)


@pytest.mark.costly
@pytest.mark.parametrize("by", ["load", "Unpickler"])
def test_from_files(unpickling, by):
    class Slow(io.BytesIO):
        def peek(self, size):
            raise NotImplementedError

        def read(self, size=-1):
            return super().read(min(size, 1) if size > 0 else size)

    for name, data in ATTACKS.items():
        if len(data) > 10_000:
            continue
        offsets = []
        for file in (io.BytesIO(data), Slow(b"N." + data)):
            if type(file) is Slow:
                assert unpickling.load(file, policy=PLAIN_POLICY) is None
            load = partial(unpickling.load, file, policy=PLAIN_POLICY)
            if by == "Unpickler":
                load = unpickling.Unpickler(file, policy=PLAIN_POLICY).load
            with pytest.raises(PolicyError) as caught:
                load()
            offsets.append((caught.value.offset, caught.value.path))
        assert len(set(offsets)) == 1, (name, offsets)


def run_nothing(load):
    """Return the result or error of a load, and check that nothing was run, imported or changed."""
    before = snapshot()
    events: list[str] = []
    _watched.append(events)
    try:
        outcome = load()
    except (pickle.UnpicklingError, AttributeError, TypeError) as error:
        outcome = error
    finally:
        _watched.pop()
    assert [event for event in events if event not in HARMLESS] == []
    assert snapshot() == before
    return outcome


@pytest.mark.costly
def test_placeholders_for_what_is_refused(unpickling):
    """With `missing="placeholder"` nothing more is let through."""
    made = 0
    for data in ATTACKS.values():
        load = partial(unpickling.loads, data, policy=PLAIN_POLICY, missing="placeholder")
        outcome = run_nothing(load)
        made += type(outcome) is Placeholder or "<Placeholder " in repr(outcome)
    assert made > len(ATTACKS) // 2


def test_there_are_many():
    assert len(ATTACKS) > 150
    assert len(set(ATTACKS.values())) == len(ATTACKS)


def test_harm_would_be_seen(unpickling):
    """The other tests rely on this: without a policy an attack is seen."""
    before = snapshot()
    events: list[str] = []
    _watched.append(events)
    try:
        unpickling.loads(b"c__builtin__\ncompile\n(V1\nV\nVeval\ntR.")
        unpickling.loads(b"cfractions\nFraction\n(N}X\x08\0\0\0attackedK\1stb.")
    finally:
        _watched.pop()
    assert "compile" in events
    assert snapshot() != before
    del fractions.Fraction.attacked
