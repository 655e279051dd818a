"""class Pickler: its arguments, its hooks, subclasses, failures and re-entrance."""

from __future__ import annotations

import copy
import inspect
import io
import os
import pickle
import subprocess
import sys
import threading
import types
import warnings

import pytest

import quickpickle
from conftest import IMPLEMENTATIONS
from differential import assert_same, assert_same_dumps, only_c, only_counted, outcome
from models import Plain

PROTOCOLS = [None, 0, 3, 5, 6, 100, -1, -100, True, 2.0, "2", b"2", 10**20, -(10**20), object()]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=range(len(PROTOCOLS)))
def test_protocol_argument(implementation, protocol):
    for use in (
        lambda module: module.Pickler(io.BytesIO(), protocol).bin,
        lambda module: module.dumps([1], protocol),
        lambda module: module.dump([1], io.BytesIO(), protocol),
        lambda module: module.Pickler(io.BytesIO(), protocol=protocol).fast,
    ):
        assert outcome(lambda: use(implementation)) == outcome(lambda: use(pickle))  # noqa: B023


def test_a_protocol_with_an_index(implementation):
    class Index:
        def __index__(self):
            return 2

    assert implementation.dumps([1], Index()) == pickle.dumps([1], 2)


@pytest.mark.parametrize("protocol", [None, 0, 4, 5, -1])
@pytest.mark.parametrize("callback", [None, print, 3])
def test_buffer_callback_needs_protocol_5(implementation, protocol, callback):
    def use(module):
        module.Pickler(io.BytesIO(), protocol, buffer_callback=callback)
        module.dumps(1, protocol, buffer_callback=callback)
        module.dump(1, io.BytesIO(), protocol, buffer_callback=callback)

    assert outcome(lambda: use(implementation)) == outcome(lambda: use(pickle))


class WriteRaises:
    @property
    def write(self):
        raise ZeroDivisionError


@pytest.mark.parametrize("file", [None, 3, b"name", object(), WriteRaises()], ids=range(5))
def test_a_file_without_write(implementation, file):
    def use(module):
        module.Pickler(file)

    assert outcome(lambda: use(implementation)) == outcome(lambda: use(pickle))
    assert outcome(lambda: implementation.dump(1, file)) == outcome(lambda: pickle.dump(1, file))


def test_a_file_whose_write_is_not_callable(implementation):
    class File:
        write = 3

    with pytest.raises(TypeError, match="'int' object is not callable"):
        implementation.dump(1, File())


def test_signatures_are_the_documented_ones(implementation):
    options = "protocol=None, *, fix_imports=True, buffer_callback=None"
    options += ", deterministic=False, compact=False, progress=None"
    signatures = {
        implementation.Pickler: f"(file, {options})",
        implementation.dump: f"(obj, file, {options}, compression=None, level=None)",
        implementation.dumps: f"(obj, {options})",
    }
    for function, expected in signatures.items():
        signature = inspect.signature(function)
        bare = signature.replace(
            parameters=[p.replace(annotation=p.empty) for p in signature.parameters.values()],
            return_annotation=signature.empty,
        )
        assert str(bare) == expected


def test_any_file(implementation, protocol, tmp_path):
    obj = ["x" * 100_000, list(range(1000))]
    with open(tmp_path / "pickle", "wb") as file:
        implementation.dump(obj, file, protocol)
    assert (tmp_path / "pickle").read_bytes() == pickle.dumps(obj, protocol)
    assert implementation.dumps(obj, protocol) == pickle.dumps(obj, protocol)


def test_attributes(implementation):
    pickler = implementation.Pickler(io.BytesIO())
    assert (pickler.bin, pickler.fast) == (1, 0)
    assert implementation.Pickler(io.BytesIO(), 0).bin == 0
    assert pickler.persistent_id("anything") is None
    for absent in ("dispatch_table", "reducer_override"):
        with pytest.raises(AttributeError):
            getattr(pickler, absent)


@only_c
@pytest.mark.parametrize("binary", [0, 1])
def test_bin_can_be_set(implementation, protocol, binary):
    class Ids:
        def persistent_id(self, obj):
            return "id" if obj == "persistent" else None

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.bin = binary
        shared = "shared"
        pickler.dump([1, 300, -5, 2**40, 1.5, "s", [shared, shared], {"k": []}, (), (1,), (1,) * 5])
        pickler.dump([None, True, len, b"b", {1}, RECURSIVE_TUPLE, "persistent"])

    assert_same_dumps(implementation, use, Ids)


inner: list[object] = []
RECURSIVE_TUPLE = (inner, 1, 2, 3)
inner.append(RECURSIVE_TUPLE)


# --- subclasses


def test_super_init_forgotten(implementation):
    def use(cls, file):
        class Forgetful(cls):
            def __init__(self, file):
                pass

        Forgetful(file).dump(1)

    result, _ = assert_same_dumps(implementation, use)
    assert result == (
        pickle.PicklingError,
        "Pickler.__init__() was not called by Forgetful.__init__()",
    )


def test_init_called_again(implementation, protocol):
    def use(cls, file):
        first = io.BytesIO()
        pickler = cls(first, 2)
        shared = ["shared"]
        pickler.dump(shared)
        pickler.fast = True
        pickler.__init__(file, protocol)
        pickler.dump([shared, shared])
        return first.getvalue(), pickler.fast

    assert_same_dumps(implementation, use)


def test_subclass_with_slots_and_own_dump(implementation, protocol):
    class Mixin:
        def dump(self, obj):
            super().dump(["wrapped", obj])

    assert_same_dumps(implementation, lambda cls, file: cls(file, protocol).dump(1), Mixin)


class ById:
    """Lists are persistent, under the id that `ids` gives."""

    def persistent_id(self, obj):
        return self.ids if isinstance(obj, list) else None


@pytest.mark.parametrize(
    "ids",
    ["plain", "", "é", "\udc80", 5, 0, False, b"x", 1.5, ("t", 1), "\t\0", object],
    ids=ascii,
)
def test_persistent_id(implementation, protocol, ids):
    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.ids = ids
        pickler.dump({"key": [1], 2: ([], "x", [])})

    result, data = assert_same_dumps(implementation, use, ById)
    if result is None and protocol:

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, pid):
                return ["loaded", pid]

        loaded = Unpickler(io.BytesIO(data)).load()
        assert loaded["key"] == ["loaded", ids]


def test_a_persistent_id_of_protocol_0_is_one_line(implementation):
    class Pickler(ById, implementation.Pickler):
        ids = "two\nlines"

    with pytest.raises(pickle.PicklingError, match="must be ASCII strings"):
        Pickler(io.BytesIO(), 0).dump([])
    Pickler(io.BytesIO(), 1).dump([])


class StrRaises:
    def __str__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize("ids", [StrRaises(), [[]]], ids=["__str__ raises", "list"])
def test_odd_persistent_ids(implementation, protocol, ids):
    # The id itself has no id, its members have: a list in a list has one without end.
    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.ids = ids
        pickler.dump(["x"])

    if ids == [[]] and protocol:
        ids = (1, {"k": "v"}, ("nested", 2))
    assert_same_dumps(implementation, use, ById)


def test_persistent_id_is_asked_first_for_everything(implementation, protocol):
    class Log:
        def persistent_id(self, obj):
            self.log.append(repr(obj))

        def reducer_override(self, obj):
            self.log.append(f"override {obj!r}")
            return NotImplemented

    shared = ("shared",)

    def use(cls, file):
        pickler = cls(file, protocol)
        pickler.log = []
        pickler.dump([None, True, 1, 1.5, "s", b"b", shared, shared, {1: 2}, {3}, len, int, 1j])
        return pickler.log

    result, _ = assert_same_dumps(implementation, use, Log)
    assert len(result) > 20


@pytest.mark.parametrize("place", ["before dump", "after a dump", "in __init__"])
def test_persistent_id_on_the_instance(implementation, protocol, place):
    def by_id(obj):
        return "id" if obj == "persistent" else None

    def use(cls, file):
        class InInit(cls):
            def __init__(self, *args):
                super().__init__(*args)
                if place == "in __init__":
                    self.persistent_id = by_id

        pickler = InInit(file, protocol)
        if place == "after a dump":
            pickler.dump(["persistent"])
            pickler.clear_memo()
        pickler.persistent_id = by_id
        pickler.dump(["persistent", "other"])

    assert_same_dumps(implementation, use)


def test_hooks_of_every_kind(implementation, protocol):
    class Static:
        @staticmethod
        def persistent_id(obj):
            return "static" if obj == 1 else None

    class Class:
        @classmethod
        def persistent_id(cls, obj):
            return cls.__name__ if obj == 1 else None

    class Raises:
        def persistent_id(self, obj):
            if obj == 1:
                raise ZeroDivisionError

    for mixin in (Static, Class, Raises):
        assert_same_dumps(implementation, lambda cls, file: cls(file, protocol).dump([1]), mixin)


@only_c
def test_names_that_a_subclass_may_use(implementation, protocol):
    names = ("_write", "_memo", "_protocol", "_dumping", "_fix_imports", "_file", "state", "write")

    class Attributes:
        def __init__(self, *args):
            for name in names:
                setattr(self, name, "before")
            super().__init__(*args)
            for name in names:
                setattr(self, name, "after")

    class Methods:
        def _dump(self, obj):
            raise AssertionError("not ours")

        _save = _end_dump = _state = _refuse_while_dumping = dump_to_stream = _dump

    class ReadOnly:
        fast = bin = _write = _memo = property(lambda self: 0)

    class Frozen:
        def __setattr__(self, name, value):
            raise AttributeError(name)

        def __delattr__(self, name):
            raise AttributeError(name)

    for mixin in (Attributes, Methods, ReadOnly, Frozen):
        result, data = assert_same_dumps(
            implementation, lambda cls, file: cls(file, protocol).dump(["a", 1, "a"]), mixin
        )
        assert result is None
        assert data


def test_clear_memo_overridden_by_way_of_the_proxy(implementation):
    class Mixin:
        def clear_memo(self):
            self.memo.clear()

    def use(cls, file):
        pickler = cls(file, 2)
        pickler.dump(["a"])
        pickler.clear_memo()
        pickler.dump(["a"])

    assert_same_dumps(implementation, use, Mixin)


def test_persistent_id_that_is_none(implementation, protocol):
    class Mixin:
        persistent_id = None

    result, _ = assert_same_dumps(
        implementation, lambda cls, file: cls(file, protocol).dump([1]), Mixin
    )
    assert result == (TypeError, "'NoneType' object is not callable")


def test_super_persistent_id(implementation, protocol):
    class Cooperative(implementation.Pickler):
        def persistent_id(self, obj):
            return "id" if obj == "persistent" else super().persistent_id(obj)

    file = io.BytesIO()
    Cooperative(file, protocol).dump(["persistent", "other"])
    assert b"other" in file.getvalue()
    assert b"persistent" not in file.getvalue()


@only_counted
def test_picklers_are_freed_at_once(implementation):
    import weakref

    class Sub(implementation.Pickler):
        def persistent_id(self, obj):
            return None

        def reducer_override(self, obj):
            return NotImplemented

    pickler = Sub(io.BytesIO())
    pickler.dump([1j, "x"])
    reference = weakref.ref(pickler)
    del pickler
    assert reference() is None


# --- re-entrance


class Calls:
    """Calls a function in its __reduce__."""

    def __init__(self, function):
        self.function = function

    def __reduce__(self):
        self.function()
        return int, ()


FORBIDDEN = {
    "dump": lambda pickler: pickler.dump(1),
    "clear_memo": lambda pickler: pickler.clear_memo(),
    "memo.clear": lambda pickler: pickler.memo.clear(),
    "memo": lambda pickler: setattr(pickler, "memo", {}),
    "__init__": lambda pickler: pickler.__init__(io.BytesIO()),
}


@pytest.mark.parametrize("what", FORBIDDEN)
@pytest.mark.parametrize("where", ["__reduce__", "persistent_id", "reducer_override", "write"])
def test_calls_that_a_running_dump_forbids(implementation, protocol, what, where):
    attempts = []

    class Once(implementation.Pickler):
        def attempt(self):
            if not attempts:
                attempts.append(what)
                FORBIDDEN[what](self)

        def persistent_id(self, obj):
            if where == "persistent_id":
                self.attempt()

        def reducer_override(self, obj):
            if where == "reducer_override":
                self.attempt()
            return NotImplemented

    class File(io.BytesIO):
        def write(self, data):
            if where == "write":
                pickler.attempt()
            return super().write(data)

    file = File()
    pickler = Once(file, protocol)
    obj = ["a", Calls(lambda: pickler.attempt() if where == "__reduce__" else None), "b"]
    with pytest.raises(RuntimeError, match="already used"):
        pickler.dump(obj)
    assert attempts == [what]
    assert pickler.memo.copy() == {}
    file.seek(0)
    file.truncate()
    pickler.dump(obj)
    assert file.getvalue() == pickle.dumps(["a", Calls(lambda: None), "b"], protocol)


def test_a_caught_reentrance_does_no_harm(implementation, protocol):
    def attempt():
        with pytest.raises(RuntimeError):
            pickler.dump("intruder")
        assert len(pickler.memo.copy()) > 0

    file = io.BytesIO()
    pickler = implementation.Pickler(file, protocol)
    pickler.dump(["a", Calls(attempt), "a"])
    assert file.getvalue() == pickle.dumps(["a", Calls(lambda: None), "a"], protocol)


def test_another_pickler_may_be_used_inside(implementation, protocol):
    def use(cls, file):
        cls(file, protocol).dump(
            ["a", Calls(lambda: cls(io.BytesIO(), protocol).dump(["a", "b"])), "a"]
        )

    assert_same_dumps(implementation, use)


def test_another_thread_is_refused(implementation):
    entered, leave = threading.Event(), threading.Event()
    errors = []

    def wait():
        entered.set()
        assert leave.wait(30)

    file = io.BytesIO()
    pickler = implementation.Pickler(file)
    thread = threading.Thread(target=pickler.dump, args=([Calls(wait)],))
    thread.start()
    assert entered.wait(30)
    try:
        pickler.dump("intruder")
    except RuntimeError as error:
        errors.append(error)
    finally:
        leave.set()
        thread.join()
    assert len(errors) == 1
    assert pickle.loads(file.getvalue()) == [0]
    pickler.dump("usable")


# --- failures


@pytest.mark.costly
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_anywhere_leaves_the_pickler_usable(implementation, protocol):
    """KeyboardInterrupt wherever CPython looks for signals: at calls, and behind them."""
    calls = [Calls(lambda: None) for _ in range(3)]
    obj = ["text", ("t", [1.5, b"b"]), {"k": {1, 2}}, 1j, len, *calls, 2**70]
    known = ["known"]
    file = io.BytesIO()
    pickler = implementation.Pickler(file, protocol)
    pickler.dump(known)
    before = pickler.memo.copy()
    assert len(before) == 2
    events = 0

    def profile(frame, event, arg):
        nonlocal events
        if event in ("call", "c_return"):
            events += 1
            if events == interrupt_at:
                sys.setprofile(None)
                raise KeyboardInterrupt

    interrupt_at, finished = 0, False
    while not finished:
        interrupt_at += 1
        file.seek(0)
        file.truncate()
        events = 0
        sys.setprofile(profile)
        try:
            pickler.dump(obj)
        except KeyboardInterrupt:
            pass
        else:
            finished = True
        finally:
            sys.setprofile(None)
        if file.tell() and file.getvalue().endswith(b"."):  # came when all was written
            pickler.memo = before
        assert pickler.memo.copy() == before
    assert interrupt_at > 5
    file.seek(0)
    file.truncate()
    pickler.dump(obj)

    expected = io.BytesIO()
    standard = pickle.Pickler(expected, protocol)
    standard.dump(known)
    expected.seek(0)
    expected.truncate()
    standard.dump(obj)
    assert file.getvalue() == expected.getvalue()


def test_a_pickler_is_not_copied(implementation):
    with pytest.raises(TypeError):
        copy.copy(implementation.Pickler(io.BytesIO()))
    with pytest.raises(TypeError):
        implementation.dumps(implementation.Pickler(io.BytesIO()))


# --- the module


def test_dump_and_dumps_pass_everything_on(implementation, protocol):
    def dump(module):
        buffers = []
        file = io.BytesIO()
        options = {"fix_imports": False}
        if protocol == 5:
            options["buffer_callback"] = lambda buffer: buffers.append(bytes(buffer))
        obj = [ImportError, map] + [pickle.PickleBuffer(b"x")] * (protocol == 5)
        module.dump(obj, file, protocol, **options)
        return file.getvalue(), module.dumps(obj, protocol, **options), buffers

    assert dump(implementation) == dump(pickle)


@pytest.mark.parametrize("value", ["1", "yes", "0", ""])
def test_quickpickle_pure(value):
    if os.environ.get("QUICKPICKLE_PURE", "") not in ("", "0"):
        pytest.skip("this run is for the Python implementation alone")
    compiled = "native" if "native" in IMPLEMENTATIONS else "python"
    expected = compiled if value in ("0", "") else "python"
    environment = {**os.environ, "QUICKPICKLE_PURE": value}
    command = [sys.executable, "-c", "import quickpickle; print(quickpickle.implementation)"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == expected


def test_in_place_of_pickle(implementation):
    data = quickpickle.dumps({"a": [1, 2.5, None]})
    assert quickpickle.loads(data) == {"a": [1, 2.5, None]}
    assert quickpickle.load(io.BytesIO(data)) == {"a": [1, 2.5, None]}
    with pytest.raises(pickle.PicklingError):
        quickpickle.dumps(quickpickle.PickleBuffer(b""), 4)
    assert_same(implementation, lambda: ["done"], 2)


# --- attributes of a plain Pickler


def of_pickler(implementation, use):
    """The outcome of `use` and its warnings, for a plain Pickler of each kind."""
    results = []
    for module in (implementation, pickle):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = outcome(lambda: use(module.Pickler(io.BytesIO(), 4)))  # noqa: B023
        told = [(each.category, str(each.message)) for each in caught]
        if isinstance(result, tuple) and len(result) == 2:
            message = str(result[1]).replace("_pickle.Pickler", "Pickler")
            # From 3.14 on the interpreter adds this, for classes that Python code has made.
            message = message.removesuffix(" and no __dict__ for setting new attributes")
            result = result[0], message
        results.append((result, told))
    return results


class Index:
    def __index__(self):
        return 7


@pytest.mark.costly
@only_c
@pytest.mark.parametrize("length", [1, 2, 3, 49, 50, 51, 120])
@pytest.mark.parametrize("kind", ["list", "dict", "instance"])
def test_when_fast_mode_notices_a_cycle(implementation, protocol, length, kind):
    """It looks for one below fifty containers, so a cycle is written more than once before."""

    def make():
        first = node = Plain() if kind == "instance" else {} if kind == "dict" else []
        for number in range(length):
            is_last = number == length - 1
            following = first if is_last else type(first)()
            if kind == "instance":
                node.following = following
            elif kind == "dict":
                node["following"] = following
            else:
                node.append(following)
            node = following
        return first

    def use(cls, file):
        seen = []

        class Counts(cls):
            def persistent_id(self, obj):
                seen.append(type(obj))

        pickler = Counts(file, protocol)
        pickler.fast = True
        return outcome(lambda: pickler.dump(make())), len(seen)

    (error, count), _ = assert_same_dumps(implementation, use)
    assert error[0] is ValueError
    assert count > max(length, 50)


@pytest.mark.parametrize("name", ["bin", "fast"])
@pytest.mark.parametrize(
    "value",
    [1.5, 2**40, 2**31, -(2**31) - 1, 2**70, "a", None, True, Index(), -1, 3],
    ids=lambda value: "index" if isinstance(value, Index) else repr(value),
)
@only_c
def test_bin_and_fast_are_ints_of_c(implementation, name, value):
    def use(pickler):
        setattr(pickler, name, value)
        return getattr(pickler, name)

    ours, theirs = of_pickler(implementation, use)
    assert ours == theirs


@pytest.mark.parametrize("name", ["bin", "fast", "memo", "foo", "reducer_override"])
@only_c
def test_attributes_that_cannot_be_deleted(implementation, name):
    ours, theirs = of_pickler(implementation, lambda pickler: delattr(pickler, name))
    assert ours == theirs


@pytest.mark.parametrize("name", ["foo", "reducer_override", "dump", "clear_memo", "__dict__"])
@only_c
def test_a_plain_pickler_takes_no_other_attribute(implementation, name):
    ours, theirs = of_pickler(implementation, lambda pickler: setattr(pickler, name, 5))
    assert ours == theirs
    pickler = type("Sub", (implementation.Pickler,), {})(io.BytesIO())
    if name != "__dict__":
        setattr(pickler, name, 5)
        assert getattr(pickler, name) == 5


def test_hooks_that_a_plain_pickler_takes(implementation):
    file = io.BytesIO()
    pickler = implementation.Pickler(file, 4)
    pickler.persistent_id = lambda obj: "id" if obj == "a" else None
    pickler.dispatch_table = {complex: lambda obj: (int, (5,))}
    pickler.dump(["a", 1j])

    class Unpickler(pickle.Unpickler):  # 3.13.0 lets no instance have a hook of its own
        def persistent_load(self, pid):
            return pid * 2

    assert Unpickler(io.BytesIO(file.getvalue())).load() == ["idid", 5]
    del pickler.persistent_id, pickler.dispatch_table
    assert pickler.persistent_id("a") is None
    with pytest.raises(AttributeError):
        del pickler.persistent_id
    pickler.clear_memo()
    file.seek(0)
    file.truncate()
    pickler.dump(["a", 1j])
    assert pickle.loads(file.getvalue()) == ["a", 1j]
    assert implementation.Pickler.persistent_id(pickler, "a") is None


def test_the_memo_has_no_hash(implementation):
    with pytest.raises(TypeError, match="unhashable type"):
        hash(implementation.Pickler(io.BytesIO()).memo)


def test_attributes_before_init(implementation):
    pickler = implementation.Pickler.__new__(implementation.Pickler)
    assert pickler.clear_memo() is None
    assert (pickler.bin, pickler.fast) == (0, 0)
    assert pickler.memo.copy() == {}
    pickler.memo = {1: (0, "a")}
    with pytest.raises(pickle.PicklingError, match=r"Pickler.__init__\(\) was not called"):
        pickler.dump(1)
    pickler.__init__(io.BytesIO())
    pickler.dump(1)


class NoTruth:
    def __bool__(self):
        raise ValueError("no truth")


@only_c
def test_fix_imports_without_a_truth(implementation, protocol):
    uses = (
        lambda module: module.dumps(1, protocol, fix_imports=NoTruth()),
        lambda module: module.dump(1, io.BytesIO(), protocol, fix_imports=NoTruth()),
        lambda module: module.Pickler(io.BytesIO(), protocol, fix_imports=NoTruth()),
    )
    for use in uses:
        ours, theirs = (outcome(lambda: use(module)) for module in (implementation, pickle))  # noqa: B023
        assert ours == theirs == (ValueError, "no truth")


@pytest.mark.costly
@pytest.mark.parametrize("write", [None, 5, "write"], ids=repr)
def test_a_write_that_cannot_be_called(implementation, protocol, write):
    """None stands for something else within: it was taken for dumps(), and nothing was written."""
    sink = types.SimpleNamespace(write=write)
    for use in (
        lambda module, obj: module.Pickler(sink, protocol).dump(obj),
        lambda module, obj: module.dump(obj, sink, protocol),
    ):
        for obj in ([1], b"x" * 70_000, [b"y"] * 70_000, lambda: 0):
            ours = outcome(lambda: use(implementation, obj))  # noqa: B023
            theirs = outcome(lambda: use(pickle, obj))  # noqa: B023
            assert ours == theirs
            assert ours[0] is not None


@pytest.mark.costly
@pytest.mark.parametrize("size", [1, 300, 65_530, 70_000, 200_000])
@pytest.mark.parametrize("text", ["a", "é", "\\", "€", "\U0001f600"])
@only_c
def test_text_with_bin_0(implementation, protocol, text, size):
    files = []
    for module in (implementation, pickle):
        files.append(io.BytesIO())
        pickler = module.Pickler(files[-1], protocol)
        pickler.bin = 0
        pickler.dump([text * size, "after", text * size])
    assert files[0].getvalue() == files[1].getvalue()


SCALARS = [None, True, False, 5, 2**20, 2**40, 2**80, -(2**80), 1.5, (), "s", b"b", frozenset()]


@pytest.mark.parametrize("obj", SCALARS, ids=repr)
def test_a_memo_with_objects_that_are_not_looked_up(implementation, protocol, obj):
    files = []
    for module in (implementation, pickle):
        files.append(io.BytesIO())
        pickler = module.Pickler(files[-1], protocol)
        pickler.memo = {1: (0, obj)}
        pickler.dump([obj, [obj], (obj, obj, 1), {"key": obj, obj: 1}, {obj}, [obj] * 3, obj])
        assert pickler.memo.copy()[id(obj)] == (0, obj)
    assert files[0].getvalue() == files[1].getvalue()
