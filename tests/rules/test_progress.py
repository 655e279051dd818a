"""progress=: what is reported, when, and what happens where the function fails."""

from __future__ import annotations

import builtins
import io
import itertools
import pickle
import pickletools
import re
import sys
import types

import pytest

from conftest import IMPLEMENTATIONS
from differential import outcome
from quickpickle.rules import progress

TARGET = 64 * 1024


@pytest.fixture
def hurried(monkeypatch):
    """At every chance, instead of ten times a second."""
    monkeypatch.setattr(progress, "INTERVAL", -1.0)
    if "native" in IMPLEMENTATIONS:
        monkeypatch.setattr(IMPLEMENTATIONS["native"], "INTERVAL", -1.0)


class Reports(list):
    def __call__(self, objects, size):
        self.append((objects, size))


def sample(count: int = 4000) -> object:
    return [{"id": i, "name": f"name {i}", "pair": (i, [i])} for i in range(count)]


@pytest.mark.costly
def test_the_last_report_has_all(implementation, protocol):
    for obj in (None, 5, "a", sample(), b"x" * 2 * TARGET, ["a", "a", ["a"]]):
        for options in ({}, {"compact": True}):
            data = implementation.dumps(obj, protocol, **options)
            plain = implementation.dumps(obj, protocol)
            reports = Reports()
            assert implementation.dumps(obj, protocol, progress=reports, **options) == data
            stored = sum(
                "PUT" in op.name or op.name == "MEMOIZE" for op, _, _ in pickletools.genops(plain)
            )
            assert reports[-1] == (stored, len(data))
            file, reports = io.BytesIO(), Reports()
            implementation.dump(obj, file, protocol, progress=reports, **options)
            assert reports[-1] == (stored, len(data))
            assert file.getvalue() == data
            pickler = implementation.Pickler(io.BytesIO(), protocol, progress=reports, **options)
            pickler.dump(obj)
            assert reports[-1] == (stored, len(data))


@pytest.mark.costly
def test_numbers_grow(implementation, protocol, hurried):
    obj = [sample(), b"x" * 2 * TARGET, bytearray(TARGET), "é" * TARGET, sample()]
    for options in ({}, {"compact": True}):
        for write in (io.BytesIO().write, lambda data: None):
            file = type("File", (), {"write": staticmethod(write)})
            reports = Reports()
            implementation.dump(obj, file, protocol, progress=reports, **options)
            assert len(reports) > 5
            running = reports[:-1] if options else reports  # at the end it has become less
            assert running == sorted(running)
            assert [objects for objects, _ in reports] == sorted(o for o, _ in reports)
        reports = Reports()
        implementation.dumps(obj, protocol, progress=reports, **options)
        assert len(reports) > 5


def test_large_payloads_are_reported(implementation, hurried):
    reports = Reports()
    obj = [bytes([i]) * TARGET for i in range(10)]
    implementation.dump(obj, io.BytesIO(), 5, progress=reports)
    assert len({size for _, size in reports}) >= 10


@pytest.mark.costly
def test_at_most_ten_times_a_second(implementation, monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 0.03
        return now[0]

    monkeypatch.setattr(progress, "monotonic", clock)
    if "native" in IMPLEMENTATIONS:
        monkeypatch.setattr(IMPLEMENTATIONS["native"], "monotonic", clock)
    times = []
    obj = [sample(8000) for _ in range(6)]
    implementation.dumps(obj, progress=lambda *_: times.append(now[0]))
    running = [0.0, *times[:-1]]
    assert len(running) > 5
    assert all(later - earlier > 0.099 for earlier, later in itertools.pairwise(running))


def test_the_second_dump_counts_from_zero(implementation):
    reports = Reports()
    shared = ["a", "b"]
    pickler = implementation.Pickler(io.BytesIO(), 4, progress=reports)
    pickler.dump(shared)
    pickler.dump([shared])
    assert reports[0][0] == 3
    assert reports[1] == (1, len(b"\x80\x04\x95" + bytes(8) + b"]\x94h\x00a."))


class StopError(Exception):
    pass


@pytest.mark.costly
@pytest.mark.parametrize("at", [0, 1, -1])
def test_its_exceptions_are_raised(implementation, protocol, hurried, at):
    obj = sample()
    count = Reports()
    implementation.dumps(obj, protocol, progress=count)
    stop = at % len(count)
    calls = []

    def report(objects, size):
        calls.append(size)
        if len(calls) == stop + 1:
            raise StopError

    with pytest.raises(StopError):
        implementation.dumps(obj, protocol, progress=report)
    calls.clear()
    pickler = implementation.Pickler(file := io.BytesIO(), protocol, progress=report)
    with pytest.raises(StopError):
        pickler.dump(obj)
    file.seek(0)
    file.truncate()
    pickler.dump(obj)  # nothing of the failed one is in the memo
    assert file.getvalue() == pickle.dumps(obj, protocol)


def test_a_dump_inside_it(implementation, hurried):
    obj = sample()
    inner = []
    pickler = implementation.Pickler(file := io.BytesIO(), 4, progress=lambda *_: use())

    def use():
        inner.append(implementation.dumps(["x", "x"], 4))
        with pytest.raises(RuntimeError, match="already used"):
            pickler.dump(1)

    pickler.dump(obj)
    assert file.getvalue() == pickle.dumps(obj, 4)
    assert set(inner) == {pickle.dumps(["x", "x"], 4)}
    also = implementation.dumps(
        obj, 4, progress=lambda *_: inner.append(implementation.dumps(["x", "x"], 4))
    )
    assert also == pickle.dumps(obj, 4)
    assert set(inner) == {pickle.dumps(["x", "x"], 4)}


@pytest.mark.costly
def test_it_may_change_the_object(implementation, hurried):
    # The result does not matter; but it is a pickle, and nothing is used that is freed.
    obj = [sample(), sample(), sample()]
    moved = []

    def report(objects, size):
        moved.extend(obj[0][:50])
        del obj[0][:50]
        obj[2].extend(moved[-20:])
        moved.clear()
        [[] for _ in range(1000)]

    for _ in range(3):
        try:
            data = implementation.dumps(obj, 4, progress=report)
        except RuntimeError:
            continue
        pickle.loads(data)


@pytest.mark.parametrize("value", [5, "bar", 1.5, [print]])
def test_wrong_values_for_progress(implementation, value):
    for use in (
        lambda: implementation.dumps(1, progress=value),
        lambda: implementation.dump(1, io.BytesIO(), progress=value),
        lambda: implementation.Pickler(io.BytesIO(), progress=value),
    ):
        with pytest.raises(TypeError, match="progress must be True"):
            use()


def test_off(implementation, capfd):
    for value in (None, False):
        assert implementation.dumps([1], 4, progress=value) == pickle.dumps([1], 4)
    with pytest.raises(TypeError):
        implementation.dumps([1], 4, None)


def test_dump_to_a_path(implementation, tmp_path):
    reports = Reports()
    implementation.dump(["a"], tmp_path / "x.pkl", 4, progress=reports)
    assert reports == [(2, (tmp_path / "x.pkl").stat().st_size)]


# --- The bar.


class Terminal(io.StringIO):
    def isatty(self):
        return True


def use_bar(implementation, monkeypatch, missing=()):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    real = builtins.__import__

    def import_(name, *args, **kwargs):
        if name.partition(".")[0] in missing:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", import_)
    obj = sample()
    assert implementation.dumps(obj, 4, progress=True) == pickle.dumps(obj, 4)
    return terminal.getvalue()


def test_a_bar_by_rich(implementation, monkeypatch, hurried):
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    text = use_bar(implementation, monkeypatch)
    assert "pickling" in text
    assert "objects" in text


def test_a_bar_by_tqdm(implementation, monkeypatch, hurried):
    pytest.importorskip("tqdm")
    text = use_bar(implementation, monkeypatch, missing=["rich"])
    assert re.search(r"pickling: [1-9]\d*(\.\d+)?kB ", text)
    assert "objects" in text


def test_nothing_to_draw_a_bar_with(implementation, monkeypatch):
    with pytest.warns(RuntimeWarning, match="neither rich nor tqdm"):
        assert use_bar(implementation, monkeypatch, missing=["rich", "tqdm"]) == ""


@pytest.mark.parametrize("stderr", [io.StringIO(), None])
def test_no_bar_where_stderr_is_no_terminal(implementation, monkeypatch, stderr):
    monkeypatch.setattr(sys, "stderr", stderr)
    obj = sample()
    assert implementation.dumps(obj, 4, progress=True) == pickle.dumps(obj, 4)
    assert stderr is None or stderr.getvalue() == ""


class Shell:
    """A shell of IPython: in a notebook it has a kernel."""


class Handle:
    def __init__(self, shown):
        self.update = lambda data, *, raw: shown.append(data)


def use_shell(implementation, monkeypatch, shell, obj):
    """The texts that are shown in its outputs, and on stderr."""
    shown, made = [], []

    def display(data, *, raw, display_id):
        made.append(data)
        shown.append(data)
        return Handle(shown)

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert outcome(lambda: implementation.dumps(obj, 4, progress=True)) == outcome(
        lambda: implementation.dumps(obj, 4)
    )
    assert len(made) <= 1  # all others change it
    return shown, stderr.getvalue()


@pytest.mark.parametrize("ends", [[], [lambda: 0]])
def test_a_bar_in_a_notebook(implementation, monkeypatch, hurried, ends):
    """stderr is no terminal there, and neither rich nor tqdm are needed."""
    shell = Shell()
    shell.kernel = "a kernel"
    shown, text = use_shell(implementation, monkeypatch, shell, [sample(), *ends])
    assert text == ""
    assert len(shown) >= 3
    first, *_, before, last = shown
    assert re.fullmatch(r"pickling: [\d,]+ objects, \d+\.\d MB", first["text/plain"])
    assert first["text/html"] == f"<progress></progress> {first['text/plain']}"
    assert first != before
    assert last == {"text/plain": before["text/plain"], "text/html": before["text/plain"]}


@pytest.mark.parametrize("shell", [None, Shell()])
def test_no_bar_in_ipython_without_a_notebook(implementation, monkeypatch, hurried, shell):
    assert use_shell(implementation, monkeypatch, shell, sample()) == ([], "")


def test_the_bar_ends_with_an_error(implementation, monkeypatch):
    pytest.importorskip("rich")
    closed = []

    class Bar:
        def __call__(self, objects, size):
            pass

        def close(self):
            closed.append(1)

    monkeypatch.setattr(progress, "_bar", Bar)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        implementation.dumps(lambda: 0, progress=True)
    pickler = implementation.Pickler(io.BytesIO(), progress=True)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickler.dump(lambda: 0)
    pickler.dump(1)
    assert len(closed) == 3
