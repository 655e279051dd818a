"""A BytesIO, which the compiled loader reads in place: other code finds it as by the reference."""

from __future__ import annotations

import io
import pickle
import random
import sys

import pytest

from differential import load_outcome, only_c, only_counted
from quickpickle.format import opcodes as op
from unpickling.load_cases import frame, text

pytestmark = only_c
seen: list[object] = []  # what other code has found


class Told:
    """Whose state is set by code that looks at the file."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __setstate__(self, state: object) -> None:
        seen.append(("state", current.tell()))
        self.__dict__.update(state)


class Freed:
    """Looks at the file when the load gives it up."""

    def __del__(self) -> None:
        seen.append(("freed", current.tell()))


def freed() -> Freed:
    return Freed()


def act() -> str:
    """Called by a pickle."""
    action()
    return "done"


class Acts:
    def __del__(self) -> None:
        action()


class Replaces:
    """An attribute of a new one acts when the state takes its place."""

    def __new__(cls) -> Replaces:
        self = super().__new__(cls)
        self.old = Acts()
        return self


class Plain:
    pass


current = io.BytesIO()
action = seen.clear


def unpicklers_of(module):
    """An Unpickler with hooks, which note where the file is."""

    class Sub(module.Unpickler):
        def __init__(self, file):
            super().__init__(file)
            self.file = file

        def find_class(self, module, name):
            seen.append((name, self.file.tell()))
            return super().find_class(module, name)

        def persistent_load(self, pid):
            seen.append((pid, self.file.tell()))
            return self.on_id(pid)

        def on_id(self, pid):
            return pid

    return Sub


def compare(unpickling, data, use, times=2):
    """Assert that an Unpickler of both finds the same, up to the first load that fails.

    `use` gets a module and a file, and returns the Unpickler.
    """
    global current
    results = []
    for module in (unpickling, pickle):
        current = io.BytesIO(data)
        file, outcomes = current, []
        seen.clear()
        unpickler = use(module, file)
        for _ in range(times):
            outcomes.append(load_outcome(unpickler.load))
            outcomes.append("closed" if file.closed else (file.tell(), file.getvalue()))
            if type(outcomes[-2]) is tuple:
                break
        del unpickler
        results.append((outcomes, list(seen)))
    assert results[0] == results[1]
    return results[0]


def with_hooks(module, file):
    return unpicklers_of(module)(file)


class WithIds(pickle.Pickler):
    def persistent_id(self, obj):
        return f"id of {obj}" if isinstance(obj, range) else None


def dumps_with_ids(obj, protocol):
    file = io.BytesIO()
    WithIds(file, protocol).dump(obj)
    return file.getvalue()


def test_hooks_and_states_find_the_position(unpickling, protocol):
    obj = [range(3), Told(1), {"a": range(4), "b": [Told("x" * 300), Plain(), 2.5, "é"]}, freed]
    data = dumps_with_ids(obj, protocol) + dumps_with_ids([obj, obj], protocol) + b"rest"
    outcomes, noted = compare(unpickling, data, with_hooks)
    assert len(noted) > 10
    assert outcomes[-1][0] == len(data) - 4


@only_counted
def test_what_is_freed_finds_the_position(unpickling):
    calls = b"cunpickling.test_load_bytes_io\nfreed\n(tR"
    for data in (
        calls + b"0" + calls + b"K\1" + calls + b"00.",
        b"}" + calls + b"K\1s" + b"0K\5.",
        b"\x80\4" + frame(len(calls) + 5) + calls + b"0K\5." + b"\0\0",
        b"\x80\4" + frame(3) + b"K\1" + b"0" + calls + b"0K\5.",
    ):
        _, noted = compare(unpickling, data, lambda module, file: module.Unpickler(file), 1)
        assert noted


BODIES = {
    "a call": b"]cunpickling.test_load_bytes_io\nact\n)Ra",
    "a state": b"]cunpickling.test_load_bytes_io\nReplaces\n)\x81}U\3oldK\1sba",
}
REST = b"K\1aK\2a(K\3K\4eU\3abcaX\3\0\0\0defa}X\1\0\0\0kK\5saI7\na."


@only_counted
@pytest.mark.parametrize("is_framed", [False, True])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_other_code_changes_the_file(unpickling, body, is_framed):
    """It moves, writes, truncates, closes or replaces what is still to be read."""

    def write_ahead():
        position = current.tell()
        current.write(b"K\x63aN0")
        current.seek(position)

    def read_some():
        seen.append(current.read(3))

    def view():
        with current.getbuffer() as whole:
            whole[current.tell() + 1] = 77

    def refill():
        position = current.tell()
        current.__setstate__((b"\0" * position + b"N.rest", position, None))

    def cut():
        current.truncate(current.tell() + 4)

    def grow():
        position = current.tell()
        current.seek(0, 2)
        current.write(b"x" * 10_000)
        current.seek(position)

    actions = [
        write_ahead, read_some, view, refill, cut, grow, lambda: current.seek(0, 2),
        lambda: current.seek(3, 1), lambda: current.seek(0), lambda: current.close(),
        lambda: current.getvalue(), lambda: current.__init__(b"K\1.K\2.K\3."),
        lambda: (read_some(), write_ahead()), lambda: current.seek(10**9), lambda: None,
    ]  # fmt: skip
    global action
    for number, chosen in enumerate(actions):
        calls = [0]

        def once(chosen=chosen, calls=calls):
            calls[0] += 1
            if calls[0] == 1:
                chosen()

        action = once
        start = b"\x80\4" + frame(len(body)) if is_framed else b"\x80\2"
        data = start + body + REST + b"K\x09."

        def use(module, file, calls=calls):
            calls[0] = 0
            return module.Unpickler(file)

        outcomes, _ = compare(unpickling, data, use)
        assert calls[0] >= 1, number
        assert outcomes


def test_a_hook_reads_what_lies_between(unpickling, protocol):
    """As loaders do whose arrays lie behind their persistent ids."""

    def hooked(module, file):
        class Reads(unpicklers_of(module)):
            def on_id(self, pid):
                return self.file.read(5)

        return Reads(file)

    binary = b"]K\1aU\x03one" + b"Q" + b"first" + b"a" + b"U\x03twoQ" + b"last." + b"aN0."
    lines = b"(lPone\nfirstaPtwo\nlast.aI5\na."
    data = (b"\x80" + bytes([protocol]) if protocol >= 2 else b"") + (binary if protocol else lines)
    outcomes, _ = compare(unpickling, data, hooked, 1)
    assert "b'first'" in str(outcomes[0])
    assert "b'last.'" in str(outcomes[0])


def test_damaged_pickles(unpickling, protocol):
    """The outcome and the position behind it, also for what is read after that."""
    rng = random.Random(protocol)
    obj = [range(3), Told([1, "two"]), {"a": (b"x" * 40, 3.5, None, 2**70)}, Plain(), "e" * 300]
    sound = dumps_with_ids(obj, protocol) + dumps_with_ids("more", protocol)
    for _ in range(400):
        data = bytearray(sound)
        for _ in range(rng.randrange(1, 4)):
            kind, place = rng.randrange(4), rng.randrange(len(data))
            if kind == 0:
                data[place] = rng.randrange(256)
            elif kind == 1:
                del data[place : place + rng.randrange(1, 9)]
            elif kind == 2:
                data[place:place] = bytes([rng.randrange(256)])
            else:
                data[place:place] = frame(rng.randrange(40))
        if not too_large(bytes(data)):
            compare(unpickling, bytes(data), with_hooks, 3)


def too_large(data):
    """Whether a length in it might take all memory of the reference, which believes it."""
    found = data.find(op.LONG_BINPUT)
    return found >= 0 and int.from_bytes(data[found + 1 : found + 5], "little") > 10**6


def test_frames_in_frames_and_behind_them(unpickling):
    bodies = [text("abc") + b"0", b"I12\n0", b"cos\nsep\n0", b"C\3abc0", b"(K\1K\2t0"]
    for first in bodies:
        for size in range(len(first) + 3):
            for inner in (0, 1, 4, 30):
                data = frame(size) + first + frame(inner) + first + b"N." + b"K\1." + b"K\2."
                compare(unpickling, data, with_hooks, 4)


def test_a_view_of_the_buffer_is_open(unpickling, protocol):
    data = dumps_with_ids([range(2), Told(3)], protocol)
    for module in (unpickling, pickle):
        file = io.BytesIO()
        file.write(data + b"rest")
        file.seek(0)
        with file.getbuffer():
            loaded = unpicklers_of(module)(file).load()
        assert loaded[0] == "id of range(0, 2)"
        assert loaded[1].value == 3
        assert file.read() == b"rest"


def test_pickles_are_written_and_read_in_turn(unpickling, protocol):
    file = io.BytesIO()
    unpickler = unpickling.Unpickler(file)
    for i in range(200):
        end = file.tell()
        file.write(pickle.dumps([i, "x" * i, Told(i)], protocol))
        file.seek(end)
        loaded = unpickler.load()
        assert loaded[0] == i
        assert loaded[2].value == i
    assert file.read() == b""


@only_counted
def test_nothing_is_kept_of_it(unpickling, protocol):
    """Its bytes are given back, also by an Unpickler, and after a load that failed."""
    data = pickle.dumps([1, "x" * 5000], protocol)
    for content in (data, data[:-1], data + b"more"):
        file = io.BytesIO(content)
        before = sys.getrefcount(content)
        load_outcome(lambda file=file: unpickling.load(file))
        assert sys.getrefcount(content) == before
        file.seek(0)
        unpickler = unpickling.Unpickler(file)
        load_outcome(unpickler.load)
        assert sys.getrefcount(content) == before
