"""An interrupt at every event of a Python function, and a failing allocation at every place.

In each method of a Pickler, with each option: afterwards the memo is what it was before or what the
method makes of it, and the next dump is whole.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from conftest import examples
from pickling.test_injected_faults import _LAST, _NO_MEMORY, fail_allocations, without_memory

PACKAGE = str(Path(importlib.import_module("quickpickle").__file__).parent)


class Odd:
    """Is no value, so that a set of these is ordered by their pickles."""

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return Odd, (self.name,)


FIRST = {"set": {Odd("a"), Odd("b"), (1, "x")}, "text": "shared", "list": [1.5, b"bytes"]}
SECOND = [FIRST["list"], {"key": ("shared", 2**70)}, {"c", 3}]
NEXT = ["next", FIRST["list"], {"key": "shared"}, {Odd("c"), Odd("d")}]

OPTIONS = {
    "plain": {},
    "deterministic": {"deterministic": True},
    "compact": {"compact": True},
    "progress": {"progress": lambda objects, size: None},
}


class World:
    """A Pickler, what it writes to, and what may be done with it."""

    def __init__(self, implementation, options):
        self.chunks = []
        self.options = options
        self.pickler = implementation.Pickler(self, 4, **options)
        self.copy = None
        if not options.get("compact"):
            self.pickler.dump(FIRST)
            self.copy = self.pickler.memo.copy()
        self.chunks.clear()

    def write(self, data):
        self.chunks.append(bytes(data))

    def dump(self):
        self.pickler.dump(SECOND)

    def clear_memo(self):
        self.pickler.clear_memo()

    def assign_memo(self):
        self.pickler.memo = {id(FIRST): (7, FIRST)}

    def initialize(self):
        self.pickler.__init__(self, 4, **self.options)

    def look(self):
        """The visible state of the Pickler: its memo, and what it writes next."""
        memo = [(number, type(obj)) for number, obj in self.pickler.memo.copy().values()]
        self.chunks.clear()
        try:
            self.pickler.dump(NEXT)
        except ValueError as error:  # with compact=True the memo has to be empty
            return memo, str(error)
        return memo, b"".join(self.chunks)


ACTIONS = ["dump", "clear_memo", "assign_memo", "initialize"]


@pytest.fixture(params=OPTIONS)
def options(request):
    return OPTIONS[request.param]


@pytest.fixture(params=ACTIONS)
def action(request):
    return request.param


class InterruptAt:
    """Raises a KeyboardInterrupt at one of the events in the package, while it is entered."""

    def __init__(self, number):
        self.left = number
        self.was_raised = False

    def trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        self.left -= 1
        if self.left == 0:
            self.was_raised = True
            raise KeyboardInterrupt
        return self.trace

    def __enter__(self):
        self.outer = sys.gettrace()
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_):
        sys.settrace(self.outer)


@pytest.mark.costly
def test_an_interrupt_at_every_event(implementation, options, action):
    untouched = World(implementation, options)
    before = untouched.look()
    done = World(implementation, options)
    getattr(done, action)()
    after = done.look()
    number = 0
    while True:
        number += 1
        world = World(implementation, options)
        interrupt = InterruptAt(number)
        try:
            with interrupt:
                getattr(world, action)()
        except KeyboardInterrupt:
            pass
        if not interrupt.was_raised:
            break
        assert world.look() in (before, after), number
    assert number > 1 or implementation.__name__.endswith("core")


@pytest.mark.costly
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no such timer")
def test_real_signals(implementation, options):
    """They come at any moment, also two of them one after the other.

    In a process of its own, since the interpreter prints those that come in a finalizer.
    """
    names = [name for name in OPTIONS if OPTIONS[name] is options]
    command = [sys.executable, __file__, implementation.__name__, *names, str(examples(400))]
    path = os.pathsep.join([str(Path(PACKAGE).parent), str(Path(__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.stdout == "done\n", result.stderr


def interrupt_often(module_name, option, count):
    armed = False

    def interrupt(number, frame):
        if armed:
            raise KeyboardInterrupt

    implementation = importlib.import_module(module_name)
    fresh = World(implementation, OPTIONS[option])
    fresh.pickler.clear_memo()
    fresh.pickler.dump(NEXT)
    world = World(implementation, OPTIONS[option])
    signal.signal(signal.SIGALRM, interrupt)
    for i in range(int(count)):
        signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + i % 40), 2e-5)
        try:
            armed = True
            while True:
                world.pickler.dump(NEXT)
                world.pickler.clear_memo()
        except KeyboardInterrupt:
            armed = False
        world.pickler.clear_memo()
        world.chunks.clear()
        world.pickler.dump(NEXT)
        assert world.chunks == fresh.chunks
        world.pickler.clear_memo()
    print("done")


@pytest.mark.slow
@without_memory
def test_an_allocation_that_fails(implementation, options, action):
    before = World(implementation, options).look()
    done = World(implementation, options)
    getattr(done, action)()
    after = done.look()
    at = succeeded = 0
    while succeeded < _LAST:
        world = World(implementation, options)
        error = fail_allocations(at, at + 1, getattr(world, action))
        assert error is None or isinstance(error, _NO_MEMORY), error
        assert world.look() == (after if error is None else before), at
        succeeded = succeeded + 1 if error is None else 0
        at += 1


def test_a_finalizer_that_uses_the_pickler(implementation):
    """It runs where the memo, or the file, is given up: by then the Pickler has its new one."""
    seen = []

    class Final:
        def __reduce__(self):
            return int, ()

        def __del__(self):
            try:
                pickler.dump("from a finalizer")
            except BaseException as error:
                seen.append(type(error))
            else:
                seen.append(pickler.memo.copy())

        def write(self, data):
            pass

    sink = types.SimpleNamespace(write=lambda data: None)
    for options in OPTIONS.values():
        pickler = implementation.Pickler(sink, 4, **options)
        for action in (
            pickler.clear_memo,
            lambda: setattr(pickler, "memo", {}),  # noqa: B023
            lambda: pickler.__init__(sink, 4, **options),  # noqa: B023
        ):
            pickler.clear_memo()
            pickler.dump([Final(), [Final()]])
            seen.clear()
            action()
            assert len(seen) == 2
            for memo in seen:
                if memo is ValueError:  # the second one, with compact=True
                    continue
                assert "from a finalizer" in [obj for _, obj in memo.values()]
        pickler.__init__(Final(), 4)  # its `write` is all that holds it
        seen.clear()
        pickler.__init__(sink, 4)
        assert len(seen) == 1
        assert type(seen[0]) is dict


@pytest.mark.parametrize("attribute", ["persistent_id", "dispatch_table"])
def test_a_hook_whose_finalizer_uses_the_pickler(implementation, attribute):
    sink = types.SimpleNamespace(write=lambda data: None)
    pickler = implementation.Pickler(sink, 4)
    seen = []

    class Hook(dict):
        def __call__(self, obj):
            return None

        def __del__(self):
            pickler.dump("from a finalizer")
            seen.append(getattr(pickler, attribute, None))

    other = Hook()
    setattr(pickler, attribute, Hook())
    setattr(pickler, attribute, other)
    assert seen == [other]
    delattr(pickler, attribute)
    pickler.dump(1)


def test_the_memo_of_a_pickler_is_always_the_present_one(implementation):
    pickler = implementation.Pickler(io.BytesIO(), 4)
    memo = pickler.memo
    pickler.dump(["a"])
    assert len(memo.copy()) == 2
    pickler.__init__(io.BytesIO(), 4)
    assert memo.copy() == {}
    pickler.dump("b")
    assert [obj for _, obj in memo.copy().values()] == ["b"]
    pickler.memo = {}
    assert memo.copy() == {}


def test_other_threads_are_refused_during_an_interrupted_dump(implementation):
    """`write` raises the interrupt, and others call until the dump has ended."""

    class Sink:
        def write(self, data):
            with pytest.raises(RuntimeError, match="already used"):
                pickler.dump(1)
            with pytest.raises(RuntimeError, match="already used"):
                pickler.clear_memo()
            raise KeyboardInterrupt

    pickler = implementation.Pickler(Sink(), 4)
    with pytest.raises(KeyboardInterrupt):
        pickler.dump([1])
    assert pickler.memo.copy() == {}
    pickler.__init__(io.BytesIO(), 4)
    pickler.dump([1])


if __name__ == "__main__":
    interrupt_often(*sys.argv[1:])
