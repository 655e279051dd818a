"""install(): who uses pickle gets quickpickle, and gets pickle back."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import logging
import logging.handlers
import multiprocessing
import multiprocessing.pool
import os
import pickle
import shelve
import socket
import struct
import subprocess
import sys
import threading
from multiprocessing import reduction

import pytest

import quickpickle

NAMES = ("Pickler", "Unpickler", "dump", "dumps", "load", "loads")
STANDARD = {name: getattr(pickle, name) for name in NAMES}


class OfBefore(pickle.Pickler):
    def save(self, obj, file, dump=pickle.dump):
        dump(obj, file)


class Item:
    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return type(other) is Item and other.number == self.number

    def __hash__(self):
        return hash(self.number)


def give_back(item):
    assert pickle.dumps is quickpickle.dumps
    return item


@pytest.fixture(autouse=True)
def standard_again():
    yield
    quickpickle.uninstall()
    assert {name: getattr(pickle, name) for name in NAMES} == STANDARD
    # Which of them shelve has as names of its own depends on the version.
    for name in NAMES:
        assert getattr(shelve, name, STANDARD[name]) is STANDARD[name]
    assert reduction.ForkingPickler.loads is STANDARD["loads"]
    assert "__new__" not in vars(reduction.ForkingPickler)
    assert type(reduction.ForkingPickler(io.BytesIO())) is reduction.ForkingPickler


def is_installed():
    ours = {name: getattr(quickpickle, name) for name in NAMES}
    return {name: getattr(pickle, name) for name in NAMES} == ours


def test_it_is_done_once_and_undone_at_once():
    quickpickle.uninstall()  # nothing to undo
    quickpickle.install()
    quickpickle.install()
    assert is_installed()
    assert isinstance(reduction.ForkingPickler(io.BytesIO()), quickpickle.Pickler)
    quickpickle.uninstall()
    assert not is_installed()


def test_reading_is_replaced_too():
    data = pickle.dumps([Item(1)])
    with quickpickle.install():
        assert pickle.Unpickler is quickpickle.Unpickler
        assert reduction.ForkingPickler.loads is quickpickle.loads
        assert any(getattr(shelve, name, None) is getattr(quickpickle, name) for name in NAMES)
        assert pickle.load(io.BytesIO(data)) == pickle.loads(data) == [Item(1)]

        class Sub(pickle.Unpickler):
            def find_class(self, module, name):
                return list

        with pytest.raises(TypeError):
            STANDARD["Unpickler"].load(Sub(io.BytesIO(data)))
        with pytest.raises(TypeError, match="doesn't apply to"):
            pickle.Unpickler.load(STANDARD["Unpickler"](io.BytesIO(data)))


def test_loads_of_a_forking_pickler_that_others_have_changed_is_left(monkeypatch):
    def of_somebody_else(data):
        return None

    monkeypatch.setattr(reduction.ForkingPickler, "loads", of_somebody_else)
    with quickpickle.install():
        assert reduction.ForkingPickler.loads is of_somebody_else
    assert reduction.ForkingPickler.loads is of_somebody_else
    monkeypatch.undo()


def test_a_with_statement_undoes_the_installation():
    with quickpickle.install():
        assert is_installed()
        with quickpickle.install():
            assert is_installed()
        assert is_installed()
    assert not is_installed()
    quickpickle.install()
    with pytest.raises(ZeroDivisionError), quickpickle.install():
        raise ZeroDivisionError
    assert is_installed()


def test_functions_that_others_have_replaced_are_left(monkeypatch):
    quickpickle.install()

    def of_somebody_else(obj):
        return b""

    with monkeypatch.context() as patch:
        patch.setattr(pickle, "dumps", of_somebody_else)
        quickpickle.uninstall()
        assert pickle.dumps is of_somebody_else
        quickpickle.install()
        assert pickle.dumps is of_somebody_else
        quickpickle.uninstall()
    pickle.dumps = STANDARD["dumps"]


def test_a_forking_pickler_that_others_have_changed_is_left():
    quickpickle.install()

    def of_somebody_else(cls, *args):
        return object.__new__(cls)

    reduction.ForkingPickler.__new__ = of_somebody_else
    try:
        quickpickle.uninstall()
        assert vars(reduction.ForkingPickler)["__new__"] is of_somebody_else
    finally:
        del reduction.ForkingPickler.__new__


def test_a_forking_pickler_that_others_had_changed_before_stays():
    def of_somebody_else(cls, *args):
        return object.__new__(cls)

    reduction.ForkingPickler.__new__ = of_somebody_else
    try:
        with quickpickle.install():
            assert vars(reduction.ForkingPickler)["__new__"] is of_somebody_else
        assert vars(reduction.ForkingPickler)["__new__"] is of_somebody_else
    finally:
        del reduction.ForkingPickler.__new__


def test_a_forking_pickler_of_somebody_else(monkeypatch):
    class Theirs(reduction.ForkingPickler):
        def reducer_override(self, obj):
            return (int, (5,)) if isinstance(obj, Item) else NotImplemented

    monkeypatch.setattr(reduction, "ForkingPickler", Theirs)
    with quickpickle.install():
        assert pickle.loads(Theirs.dumps([Item(1)])) == [5]
    monkeypatch.undo()


def test_an_installation_of_the_past_undoes_nothing():
    with quickpickle.install():
        quickpickle.uninstall()
        quickpickle.install()
    assert is_installed()


def test_a_method_with_a_pickler_of_another_class():
    """A class that was there before names its base: `pickle.Pickler.dump(self, obj)`."""
    pickler = STANDARD["Pickler"](io.BytesIO())
    with quickpickle.install():
        for other in (pickler, object()):
            with pytest.raises(TypeError, match="doesn't apply to"):
                pickle.Pickler.dump(other, 1)
            with pytest.raises(TypeError, match="doesn't apply to"):
                pickle.Pickler.clear_memo(other)
            # The Python implementation has an answer, PyPy knows no sizes.
            with contextlib.suppress(TypeError, AttributeError):
                pickle.Pickler.__sizeof__(other)


def test_by_many_threads():
    def turn():
        for _ in range(200):
            with quickpickle.install():
                pickle.loads(pickle.dumps([Item(1)]))

    threads = [threading.Thread(target=turn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not is_installed()


def test_objects_sent_between_processes_have_the_same_bytes():
    objects = [Item(1), {"a": [1.5, None]}, b"x" * 100_000]
    expected = bytes(reduction.ForkingPickler.dumps(objects))
    with quickpickle.install():
        assert bytes(reduction.ForkingPickler.dumps(objects)) == expected
        assert reduction.ForkingPickler.loads(expected) == objects


def test_reducers_that_are_registered(monkeypatch):
    monkeypatch.setattr(reduction.ForkingPickler, "_extra_reducers", {})
    with quickpickle.install():
        reduction.register(Item, lambda item: (Item, (item.number + 1,)))
        assert pickle.loads(reduction.ForkingPickler.dumps([Item(1), Item(2)])) == [
            Item(2),
            Item(3),
        ]
        assert pickle.loads(pickle.dumps(Item(1))) == Item(1)


def test_a_subclass_of_the_forking_pickler():
    class Mine(reduction.ForkingPickler):
        def persistent_id(self, obj):
            return None

    with quickpickle.install():
        assert pickle.loads(Mine.dumps([Item(1)])) == [Item(1)]
        assert type(Mine(io.BytesIO())) is Mine


# pytest-xdist has a thread of its own, which Python warns of from 3.12 on when a process forks.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_pools_and_queues(method):
    context = multiprocessing.get_context(method)
    items = [[Item(i), {"number": i}, "x" * i] for i in range(200)]
    with quickpickle.install():
        with context.Pool(2, initializer=quickpickle.install) as pool:
            assert pool.map(give_back, items) == items
        with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=context, initializer=quickpickle.install
        ) as executor:
            assert list(executor.map(give_back, items[:20])) == items[:20]
        queue = context.SimpleQueue()
        queue.put(items[:3])
        assert queue.get() == items[:3]


METHODS = [
    method
    for method in ("fork", "spawn", "forkserver")
    if method in multiprocessing.get_all_start_methods()
]


def look(chain):
    """In a worker: what it has, and what it was sent, which only quickpickle can send back."""
    names = [pickle.dumps is quickpickle.dumps, reduction.ForkingPickler.loads is pickle.loads]
    return names, chain


def make_chain():
    chain = None
    for _ in range(20_000):
        chain = [chain]
    return chain


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", [*METHODS, None])
def test_workers_have_it_too(method):
    """Without an initializer, with each start method and the default one; executors and pools."""
    context = multiprocessing.get_context(method)
    chain = make_chain()
    with quickpickle.install():
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
            seen = [executor.submit(look, chain).result()]
        with context.Pool(1) as pool:
            seen.append(pool.apply(look, (chain,)))
        for names, returned in seen:
            assert names == [True, True]
            length = 0
            while returned is not None:
                (returned,), length = returned, length + 1
            assert length == 20_000
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        assert executor.submit(look, None).result() == ([False, True], None)


def refuses(data):
    try:
        pickle.loads(data)
    except quickpickle.PolicyError:
        return True
    return False


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", METHODS)
def test_workers_have_the_policy_too(method):
    """With each start method, as a forked one has it."""
    policy = quickpickle.Policy.plain().allow(refuses)
    harmful, harmless = pickle.dumps(print), pickle.dumps([1])
    with (
        quickpickle.install(policy=policy),
        multiprocessing.get_context(method).Pool(1) as pool,
    ):
        assert [pool.apply(refuses, (data,)) for data in (harmful, harmless)] == [True, False]
    items = ("_CallItem", "_ResultItem")
    names = [f"concurrent.futures.process.{name}" for name in items]
    with (
        quickpickle.install(policy=policy.allow(*names, dangerous=True)),
        concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context(method)
        ) as executor,
    ):
        assert executor.submit(refuses, harmful).result()


class ProcessWithReduction(multiprocessing.get_context("spawn").Process):
    def __reduce__(self):
        return give_back, (None,)


def test_how_a_process_is_written():
    """So that the new process installs it before it loads the rest."""
    process = multiprocessing.get_context("spawn").Process(target=print)
    # A Process is written only while one is started.
    context = multiprocessing.context
    context.set_spawning_popen(object())
    try:
        with quickpickle.install():
            data = reduction.ForkingPickler.dumps(process)
            own = reduction.ForkingPickler.dumps(ProcessWithReduction())
            inner = reduction.ForkingPickler.dumps([process])
        assert b"quickpickle.installation" in bytes(data)
        assert b"quickpickle" not in bytes(own)
        assert b"quickpickle" not in bytes(inner)
        try:
            copy = pickle.loads(data)
            assert pickle.dumps is quickpickle.dumps
            assert type(copy) is type(process)
            assert copy._target is print
        finally:
            quickpickle.uninstall()
    finally:
        context.set_spawning_popen(None)


def test_shelve(tmp_path):
    with quickpickle.install():
        assert getattr(shelve, "Pickler", quickpickle.Pickler) is quickpickle.Pickler
        with shelve.open(str(tmp_path / "shelf")) as shelf:
            shelf["items"] = [Item(1)]
    with shelve.open(str(tmp_path / "shelf")) as shelf:
        assert shelf["items"] == [Item(1)]


def test_socket_handler():
    server = socket.create_server(("127.0.0.1", 0))
    handler = logging.handlers.SocketHandler(*server.getsockname())
    with quickpickle.install(), server:
        handler.emit(logging.makeLogRecord({"msg": "hello"}))
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            (length,) = struct.unpack(">L", stream.read(4))
            assert pickle.loads(stream.read(length))["msg"] == "hello"
        handler.close()


def test_a_class_that_is_derived_meanwhile_is_ours():
    with quickpickle.install():

        class Mine(pickle.Pickler):
            pass

    assert issubclass(Mine, quickpickle.Pickler)


def test_unreached_with_an_object_that_is_no_module(monkeypatch):
    class Odd:
        __slots__ = ()

    monkeypatch.setitem(sys.modules, "odd", Odd())
    with quickpickle.install() as installation:
        installation.unreached()


def test_unreached():
    """In a process of its own: pytest keeps more holders, in its tests, than are looked at."""
    code = """
import pickle, sys, test_installation, quickpickle
module = type(sys)("a_module_of_before")
module.write = pickle.dumps
sys.modules["a_module_of_before"] = module
with quickpickle.install() as installation:
    names = installation.unreached()
assert "a_module_of_before.write" in names
assert "test_installation.STANDARD['dumps']" in names
assert "test_installation.OfBefore" in names
assert "test_installation.OfBefore.save(dump=)" in names
assert "multiprocessing.reduction.ForkingPickler" not in names
assert len(names) == len(set(names))
assert not any(name.startswith(("pickle.", "shelve.", "_pickle.")) for name in names)
"""
    environment = os.environ | {"PYTHONPATH": os.path.dirname(__file__)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize("pure", ["0", "1"])
def test_in_a_new_process_with_either_implementation(pure):
    code = """
import pickle, quickpickle, sys
from multiprocessing.reduction import ForkingPickler
protocol = 4 if sys.implementation.name == "pypy" else None  # where ForkingPickler's own is 5
def both():
    return pickle.dumps([1.5, {"a": (1,)}]), bytes(ForkingPickler.dumps([1.5], protocol))
before = both()
with quickpickle.install():
    assert pickle.dumps.__module__.startswith("quickpickle"), pickle.dumps
    assert both() == before
assert not pickle.dumps.__module__.startswith("quickpickle")
"""
    environment = os.environ | {"QUICKPICKLE_PURE": pure}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def make_a_lock(_):
    return {"a": [1, threading.Lock()]}


class OddError(Exception):
    def __repr__(self):
        raise ValueError("no repr")


class RaisesOddError:
    def __reduce__(self):
        raise OddError


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_pool_keeps_the_note_on_what_it_cannot_send():
    context = multiprocessing.get_context("fork")
    with quickpickle.install(), context.Pool(1) as pool:
        with pytest.raises(multiprocessing.pool.MaybeEncodingError) as caught:
            pool.apply(make_a_lock, (1,))
        assert pool.apply(abs, (-1,)) == 1
    (note,) = caught.value.__notes__
    where, hint = note.split("\n")
    # obj[2][1] is what the function has returned, in what the pool sends.
    assert where == "pickling failed at obj[2][1]['a'][1] (type _thread.lock)"
    assert hint.startswith("A lock")
    assert caught.value.exc.startswith("TypeError(")


def test_an_encoding_error_that_is_of_another_exception():
    with quickpickle.install():
        for obj in ([threading.Lock()], [RaisesOddError()]):
            with pytest.raises((TypeError, OddError)):
                reduction.ForkingPickler.dumps(obj)
        error = multiprocessing.pool.MaybeEncodingError(ValueError("other"), 1)
        copy = pickle.loads(reduction.ForkingPickler.dumps(error))
    assert (copy.exc, copy.value) == (error.exc, error.value)
    assert not getattr(copy, "__notes__", None)
