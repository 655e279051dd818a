"""Code that runs during a dump removes the objects that are being written: nothing freed is read.

These tests can only see that the pickle is whole and that the memo can be read. A fault mostly
crashes the process; `make sanitize` and PYTHONMALLOC=debug find the others. The standard pickler
may crash as well, so only tests in which it does not compare with it.
"""

from __future__ import annotations

import builtins
import collections
import contextlib
import copyreg
import dataclasses
import datetime as dt
import fractions
import gc
import io
import itertools
import pickle
import pickletools
import signal
import subprocess
import sys
import time
import types

import pytest

import quickpickle
from differential import PYPY, assert_same, assert_same_dumps, outcome
from models import Act
from rules.test_plans import OBJECTS
from stress import changes

LARGE = 70_000  # more than a frame


class Plain:
    pass


class Slots:
    __slots__ = ("value",)


class ListOfMine(list):
    pass


def assert_whole(data):
    *_, (opcode, _, position) = pickletools.genops(data)
    assert opcode.name == "STOP"
    assert position == len(data) - 1


def types_in(memo):
    """Looks at each object, so that one that was freed is noticed."""
    return {type(obj) for _, obj in memo.copy().values()}


# --- by a file's write, by a hook, in a reduction

LARGE_OBJECTS = {
    "str": lambda: "a" * LARGE + str(len(LARGE_OBJECTS)),
    "str of more": lambda: "é" * LARGE + str(len(LARGE_OBJECTS)),
    "bytes": lambda: b"b" * LARGE + bytes(len(LARGE_OBJECTS)),
    "bytearray": lambda: bytearray(LARGE),
    "buffer": lambda: pickle.PickleBuffer(bytearray(LARGE)),
}


@pytest.mark.parametrize("kind", LARGE_OBJECTS)
def test_a_write_that_empties_the_list(implementation, kind):
    def use(cls, file):
        items = [LARGE_OBJECTS[kind](), [1], LARGE_OBJECTS[kind]()]

        def write(data):
            size = file.write(data)
            del data
            items.clear()
            _ = [bytes(LARGE) for _ in range(5)]  # in the memory of what was there
            return size

        pickler = cls(types.SimpleNamespace(write=write), 5)
        pickler.dump(items)
        return types_in(pickler.memo)

    assert_same_dumps(implementation, use)


def in_a_dict(obj):
    container = {"key": obj}
    return container, container.clear


def as_a_key(obj):
    container = {obj: [1]}
    return container, container.clear


def as_an_attribute(obj):
    container = Plain()
    container.value = obj
    return container, container.__dict__.clear


def in_a_slot(obj):
    container = Slots()
    container.value = obj
    return container, lambda: setattr(container, "value", 1)


def in_a_deque(obj):
    container = collections.deque([obj])
    return container, container.clear


def in_a_subclass(obj):
    container = ListOfMine([obj])
    return container, container.clear


@pytest.mark.parametrize("kind", ["str", "str of more", "bytes"])
@pytest.mark.parametrize(
    "place", [in_a_dict, as_a_key, as_an_attribute, in_a_slot, in_a_deque, in_a_subclass]
)
def test_a_write_that_empties_the_container(implementation, place, kind):
    container, empty = place(LARGE_OBJECTS[kind]())
    file = io.BytesIO()

    def write(data):
        size = file.write(data)
        del data
        empty()
        return size

    pickler = implementation.Pickler(types.SimpleNamespace(write=write), 5)
    with contextlib.suppress(RuntimeError):  # it changed
        pickler.dump([container])
        assert_whole(file.getvalue())
    types_in(pickler.memo)


@pytest.mark.parametrize("in_band", [False, True])
@pytest.mark.parametrize("size", [10, LARGE])
def test_a_callback_that_drops_the_buffer(implementation, size, in_band):
    def use(cls, file):
        items = [pickle.PickleBuffer(bytearray(size)), 1]

        def callback(buffer):
            del buffer
            items.clear()
            _ = [bytes(40) for _ in range(50)]
            return in_band

        pickler = cls(file, 5, buffer_callback=callback)
        pickler.dump(items)
        return types_in(pickler.memo)

    assert_same_dumps(implementation, use)


def test_a_reduction_that_drops_the_dict_and_fails(implementation, protocol):
    obj = Plain()

    def fail():
        del obj.__dict__
        raise ValueError("as it must")

    obj.first, obj.second, obj.third = 1, Act(fail), 2
    with pytest.raises(ValueError, match="as it must"):
        implementation.dumps(obj, protocol)


@pytest.mark.costly
def test_progress_that_drops_the_dict(implementation, monkeypatch):
    """The instance has no dict yet, while its attributes are written."""

    class Made:
        def __init__(self):
            self.first, self.second, self.third = 1, [[i] for i in range(50_000)], [3]

    Made.__qualname__ = "Made"
    monkeypatch.setitem(globals(), "Made", Made)
    implementation.dumps([Made(), Made()])
    obj = Made()
    calls = []

    def progress(objects, size):
        calls.append(objects)
        if len(calls) == 1:
            del obj.__dict__

    wait = Act(lambda: time.sleep(0.11))  # so that it is time for the first call
    with contextlib.suppress(RuntimeError):  # it changed
        assert_whole(implementation.dumps([wait, obj], progress=progress))
    assert calls


@pytest.mark.skipif(PYPY, reason="nothing is finalized at once there")
def test_a_finalizer_that_moves_written_objects(implementation, protocol):
    class Empty:
        def __init__(self, action):
            self.action = action

        def __iter__(self):
            return self

        def __next__(self):
            raise StopIteration

        def __del__(self):
            self.action()

    def make():
        items = []
        inner = [[1.5]]

        class Moves:
            def __reduce__(self):
                self.state = {"key": inner}
                return list, (), self.state, Empty(lambda: items.append(inner[0]))

        items += [Moves(), 7]
        return items

    if protocol >= 2:  # a list has no state below that, in the standard pickler either
        assert_same(implementation, make, protocol)


def test_a_hook_that_looks_at_code(implementation):
    """An audit hook, in a process of its own, as it cannot be removed."""
    program = """
import sys, uuid
from quickpickle import dumps

class Act:
    def __init__(self, action):
        self.action = action
    def __reduce__(self):
        self.action()
        return int, ()

def arm():
    global armed
    armed = True

def hook(event, args):
    global armed, junk
    if armed and event == "object.__getattr__" and args[1] == "__code__":
        armed = False
        items.clear()
        junk = [[object() for _ in range(200)] for _ in range(20)]

def make():
    return [*(uuid.uuid4() for _ in range(3)), Act(arm), *(uuid.uuid4() for _ in range(50))]

armed = False
sys.addaudithook(hook)
for _ in range(3):
    items = make()
    dumps(items)
    armed = False
"""
    if implementation is quickpickle.pure:
        pytest.skip("it makes no plans")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_name_of_a_metaclass(implementation, monkeypatch):
    monkeypatch.setitem(globals(), "Delta", None)
    for at in range(1, 9):
        action = None

        class Meta(type):
            @property
            def __name__(cls):
                if action is not None:  # noqa: B023
                    action()  # noqa: B023
                return "Delta"

        class Delta(dt.timedelta, metaclass=Meta):
            pass

        Delta.__qualname__ = "Delta"
        globals()["Delta"] = Delta
        implementation.dumps([Delta(1), Delta(2)])
        items = {Delta(2): [3, [4]], Delta(3): [5, [6]]}
        count = 0

        def clear(at=at, items=items):
            nonlocal count
            count += 1
            if count == at:
                items.clear()
                _ = [[i] for i in range(1000)]

        action = clear
        with contextlib.suppress(RuntimeError):  # it changed
            assert_whole(implementation.dumps([Delta(1), items]))
        action = None


def test_a_hash_of_a_metaclass(implementation, monkeypatch):
    """Called when the class is looked for in a table, copyreg's or another."""

    class Meta(type):
        calls = 0

        def __hash__(cls):
            Meta.calls += 1
            if Meta.calls == Meta.at:
                items.clear()
                _ = [[i] for i in range(100)]
            return 1

    class Hashed(metaclass=Meta):
        pass

    Hashed.__qualname__ = "Hashed"
    monkeypatch.setitem(globals(), "Hashed", Hashed)
    for at in range(1, 12):
        Meta.at = 0
        items = [Hashed() for _ in range(5)]
        for obj in items:
            obj.attribute = [1]
        implementation.dumps(items)
        Meta.calls, Meta.at = 0, at
        with contextlib.suppress(RuntimeError):  # it changed, from CPython 3.14 on
            assert_whole(implementation.dumps(items))


def test_the_maps_of_a_table_under_another_key(implementation):
    class Key(str):
        __hash__ = str.__hash__
        armed = False

        def __eq__(self, other):
            if Key.armed:
                Key.armed = False
                items.clear()
                _ = [[i] for i in range(200)]
            return str.__eq__(self, other)

    def arm():
        Key.armed = True

    table = collections.ChainMap({})
    table.__dict__ = {Key("maps"): [{}]}
    items = [Plain(), Act(arm), *(Plain() for _ in range(5))]
    file = io.BytesIO()
    pickler = implementation.Pickler(file)
    pickler.dispatch_table = table
    with contextlib.suppress(RuntimeError):  # it changed
        pickler.dump(items)
        assert_whole(file.getvalue())
    types_in(pickler.memo)


def test_a_metaclass_that_compares_its_classes_later(implementation):
    """A key has the hash that it had when it was put into the table."""

    class Meta(type):
        def __hash__(cls):
            return hash(Plain)

        __eq__ = type.__eq__

    table = {Meta("Key", (), {}): None}
    del Meta.__hash__, Meta.__eq__
    file = io.BytesIO()
    pickler = implementation.Pickler(file)
    pickler.dispatch_table = table
    pickler.dump([Plain(), Plain()])
    armed = False

    def equals(cls, other):
        nonlocal armed
        if armed:
            armed = False
            items.clear()
            _ = [[i] for i in range(100)]
        return cls is other

    def arm():
        nonlocal armed
        armed = True

    Meta.__eq__, Meta.__hash__ = equals, type.__hash__
    items = [Plain(), Act(arm), *(Plain() for _ in range(5))]
    for obj in (items[0], *items[2:]):
        obj.attribute = [1]
    with contextlib.suppress(RuntimeError):  # it changed
        pickler.dump(items)
    types_in(pickler.memo)


@pytest.mark.parametrize("compact", [False, True])
def test_the_last_write_fails(implementation, compact):
    def write(data):
        items.clear()
        _ = [object() for _ in range(3000)]
        raise OSError("as it must")

    items = [[float(i)] for i in range(1000)]
    with pytest.raises(OSError, match="as it must"):
        implementation.dump(items, types.SimpleNamespace(write=write), compact=compact)
    gc.collect()


def test_the_last_progress_fails(implementation):
    def progress(objects, size):
        items.clear()
        _ = [object() for _ in range(3000)]
        raise OSError("as it must")

    items = [[float(i)] for i in range(1000)]
    with pytest.raises(OSError, match="as it must"):
        implementation.dumps(items, progress=progress)
    gc.collect()


@pytest.mark.skipif(PYPY, reason="nothing is finalized at once there")
def test_a_finalizer_that_dumps_while_the_memo_is_cleared(implementation):
    class Last:
        def __reduce__(self):
            return int, ()

        def __del__(self):
            pickler.dump([[i] for i in range(5000)])

    pickler = implementation.Pickler(io.BytesIO())
    pickler.dump(Last())
    pickler.clear_memo()
    assert len(pickler.memo.copy()) == 5001


@pytest.mark.costly
def test_a_class_that_its_own_name_writes(implementation, monkeypatch):
    """It gets a second number where the log may be full, and a compact stream has to count it."""

    class Name(str):
        pass

    module = types.ModuleType("module_again")
    monkeypatch.setitem(sys.modules, "module_again", module)
    classes = [type(f"Made{i}", (), {"__module__": Name("module_again")}) for i in range(200)]
    for cls in classes:
        vars(module)[cls.__name__] = cls
        cls.__module__.cls = cls

    class Pickler(implementation.Pickler):
        def reducer_override(self, obj):
            if type(obj) is Name:
                return list, (), None, iter([obj.cls])
            return NotImplemented

    for compact in (False, True):
        for count in range(1, 200, 1 if compact else 10):
            file = io.BytesIO()
            pickler = Pickler(file, compact=compact)
            pickler.dump([[float(i)] for i in range(count)] + classes[:count])
            if not compact:
                types_in(pickler.memo)
            assert_whole(file.getvalue())


@pytest.mark.skipif(PYPY, reason="the compiled implementation alone reads slots where they lie")
def test_a_slot_of_another_class(implementation, monkeypatch):
    class Large:
        __slots__ = tuple(f"slot{i}" for i in range(500))

    @dataclasses.dataclass(frozen=True, slots=True)
    class Small:
        a: int

    monkeypatch.setitem(globals(), "Small", Small)
    Small.__qualname__ = "Small"
    items = [Small(i) for i in range(3)]
    Small.a = vars(Large)["slot499"]
    for cls in (implementation, pickle):
        with pytest.raises(TypeError, match="doesn't apply to"):
            cls.dumps(items)


@pytest.mark.skipif(PYPY, reason="nothing is freed at once there")
def test_a_class_that_an_object_leaves_meanwhile(implementation, monkeypatch):
    def make():
        made = dataclasses.make_dataclass("Left", ["x", "y"], frozen=True, slots=True)
        made.__module__ = __name__
        return made

    other, left = make(), make()
    monkeypatch.setitem(globals(), "Left", None)
    globals()["Left"] = left
    items = [left(1, 2)]
    implementation.dumps(items)
    implementation.dumps(items, deterministic=True)
    globals()["Left"] = other
    del left

    def profile(frame, event, argument):
        if event == "call" and frame.f_code.co_name == "field_marker":
            sys.setprofile(None)
            object.__setattr__(items[0], "__class__", other)
            gc.collect()

    sys.setprofile(profile)
    try:
        data = implementation.dumps(items, deterministic=True)
    except pickle.PicklingError:  # not the one of that name
        return
    finally:
        sys.setprofile(None)
    assert pickle.loads(data) == [other(1, 2)]


def test_reductions_of_a_known_class_that_are_none(implementation, monkeypatch):
    number = fractions.Fraction(1, 2)
    monkeypatch.setattr(fractions.Fraction, "__reduce__", lambda self: (fractions.Fraction, ["1"]))
    with pytest.raises(pickle.PicklingError, match="must be a tuple"):
        implementation.dumps([number], deterministic=True)
    monkeypatch.setattr(
        fractions.Fraction, "__reduce__", lambda self: (fractions.Fraction, (self,))
    )
    with pytest.raises(RecursionError):
        implementation.dumps([number], deterministic=True)


@pytest.mark.parametrize("protocol", range(4))
def test_a_name_with_a_newline_in_a_compact_stream(implementation, monkeypatch, protocol):
    """Below protocol 4 nobody can read that, so what nothing refers to cannot be told."""
    for name in ("A\nXzzzzzzz", "A\np1\np1\n", "A\ng99999", "A\nr\xff\xff\xff\xff"):
        cls = type(name, (), {"__module__": __name__})
        monkeypatch.setitem(globals(), name, cls)
        ours, other = (
            outcome(lambda: module.dumps([cls, [1]], protocol, compact=True))  # noqa: B023
            for module in (implementation, quickpickle.pure)
        )
        assert ours == other


class KeyThatActs(str):
    """A key that is another one's equal, to whom it does something first."""

    __hash__ = str.__hash__
    action = None

    def __eq__(self, other):
        if KeyThatActs.action is not None:
            action, KeyThatActs.action = KeyThatActs.action, None
            action()
        return str.__eq__(self, other)


@pytest.mark.parametrize("by", ["before", "while"])
@pytest.mark.parametrize("kind", ["class", "function"])
@pytest.mark.parametrize("place", ["modules", "module", "builtins", "class"])
def test_a_key_of_where_a_global_is_looked_for(implementation, monkeypatch, place, kind, by):
    def act():
        items.clear()
        vars(module).clear()
        _ = [[i] for i in range(1000)]

    def arm():
        KeyThatActs.action = act

    module = types.ModuleType("module_that_acts")
    if kind == "class":
        key = KeyThatActs("__module__") if place == "class" else "__module__"
        module.Made = type("Made", (), {key: "module_that_acts"})
    else:
        module.Made = types.FunctionType(arm.__code__, {}, "Made", closure=arm.__closure__)
        module.Made.__module__, module.Made.__qualname__ = "module_that_acts", "Made"
    items = [[1], module.Made, [2], [3]]
    if place == "module":
        vars(module)[KeyThatActs("Made")] = vars(module).pop("Made")
    key = KeyThatActs("module_that_acts") if place == "modules" else "module_that_acts"
    sys.modules[key] = module
    if place == "builtins":
        vars(builtins)[KeyThatActs("__import__")] = vars(builtins).pop("__import__")
    pickler = implementation.Pickler(io.BytesIO())
    try:
        if by == "before":
            arm()
        else:
            items[0] = Act(arm)
        with contextlib.suppress(RuntimeError, pickle.PicklingError):  # it changed, it is gone
            pickler.dump(items)
        types_in(pickler.memo)
    finally:
        KeyThatActs.action = None
        del sys.modules["module_that_acts"]
        if place == "builtins":
            vars(builtins)["__import__"] = vars(builtins).pop("__import__")


def test_a_registered_class_with_another_ones_hash(implementation):
    """A key of copyreg's table is compared with the class that is looked for."""

    class Meta(type):
        action = None

        def __hash__(cls):
            return hash(Plain)

        def __eq__(cls, other):
            if Meta.action is not None:
                action, Meta.action = Meta.action, None
                action()
            return cls is other

    implementation.dumps([Plain(), Plain()])  # it is known
    cls = Meta("Registered", (), {})
    copyreg.dispatch_table[cls] = None
    try:
        for by in ("before", "while"):
            items = [[1], *(Plain() for _ in range(5))]
            for obj in items[1:]:
                obj.attribute = [1]

            def act(items=items):
                items.clear()
                _ = [[i] for i in range(100)]

            def arm(act=act):
                Meta.action = act

            if by == "before":
                arm()
            else:
                items[0] = Act(arm)
            pickler = implementation.Pickler(io.BytesIO())
            with contextlib.suppress(RuntimeError):  # it changed
                pickler.dump(items)
            types_in(pickler.memo)
            assert Meta.action is None
    finally:
        del copyreg.dispatch_table[cls]


@pytest.mark.parametrize("make", [lambda: [dt.timedelta(1)], lambda: [range(3)]])
def test_a_limit_that_acts(implementation, monkeypatch, make):
    class Limit:
        def __index__(self):
            items[:5] = [None] * 5
            items[-5:] = [["new"] for _ in range(5)]  # in the memory of those
            return 1000

    implementation.dumps(make())
    items = [[str(i)] for i in range(5)] + make() + [None] * 5
    monkeypatch.setattr(implementation.Pickler, "reduction_limit", Limit())
    with contextlib.suppress(TypeError):  # no int, says the Python implementation
        assert pickle.loads(implementation.dumps(items))[-5:] == [["new"]] * 5


def test_a_limit_that_puts_an_object_elsewhere(implementation, monkeypatch):
    class Limit:
        def __index__(self):
            items[1] = items[0]
            return 1000

    implementation.dumps(dt.timedelta(1))
    items = [dt.timedelta(5), None]
    monkeypatch.setattr(implementation.Pickler, "reduction_limit", Limit())
    with contextlib.suppress(TypeError):  # no int, says the Python implementation
        first, second = pickle.loads(implementation.dumps(items))
        assert first is second


def test_a_name_of_where_arrays_are_made(implementation):
    numpy = pytest.importorskip("numpy")
    numeric = sys.modules.get("numpy._core.numeric") or sys.modules["numpy.core.numeric"]

    def act():
        items.clear()
        _ = [[i] for i in range(1000)]

    def arm():
        KeyThatActs.action = act

    vars(numeric)[KeyThatActs("_frombuffer")] = vars(numeric).pop("_frombuffer")
    try:
        implementation.dumps([numpy.arange(3), numpy.arange(4)], 5)
        items = [Act(arm), *([float(i)] for i in range(1000)), numpy.arange(3)]
        pickler = implementation.Pickler(io.BytesIO(), 5)
        with contextlib.suppress(RuntimeError):  # it changed
            pickler.dump(items)
        types_in(pickler.memo)
    finally:
        KeyThatActs.action = None
        vars(numeric)["_frombuffer"] = vars(numeric).pop("_frombuffer")


def test_a_key_that_has_the_hash_of_the_name_of_a_class(implementation, monkeypatch):
    class Key(str):
        action = None

        def __hash__(self):
            return hash("__name__")

        def __eq__(self, other):
            if Key.action is not None:
                action, Key.action = Key.action, None
                action()
            return str.__eq__(self, other)

    def act():
        items.clear()
        _ = [[i] for i in range(1000)]

    def arm():
        getattr(sys, "_clear_internal_caches", getattr(sys, "_clear_type_cache", gc.collect))()
        Key.action = act

    meta = type("Meta", (type,), {Key("key"): 1})
    cls = meta("Delta", (dt.timedelta,), {"__module__": __name__})
    monkeypatch.setitem(globals(), "Delta", cls)
    implementation.dumps([cls(1), cls(2)])
    items = [Act(arm), *([float(i)] for i in range(1000)), cls(3)]
    pickler = implementation.Pickler(io.BytesIO())
    with contextlib.suppress(RuntimeError):  # it changed
        pickler.dump(items)
    types_in(pickler.memo)


# --- by the handler of a signal


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer here")
@pytest.mark.skipif(PYPY, reason="nothing is freed at once there")
class TestSignals:
    def dump(self, implementation, make, protocol):
        """Dump what `make` makes, while a signal removes its members at some time or other."""
        called = 0

        def handle(signum, frame):
            nonlocal called
            called += 1
            container.clear()
            _ = [[i] for i in range(100)]  # in the memory of what was there

        previous = signal.signal(signal.SIGALRM, handle)
        try:
            for i in range(10):
                container = make()
                signal.setitimer(signal.ITIMER_REAL, 20e-6 + i * 10e-6)
                with contextlib.suppress(RuntimeError):  # it changed
                    assert_whole(implementation.dumps([container, container], protocol))
                signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, previous)
        assert called

    @pytest.mark.costly
    @pytest.mark.parametrize("protocol", [2, 5])
    @pytest.mark.parametrize("name", OBJECTS)
    def test_instances_with_a_plan(self, implementation, name, protocol):
        def make():
            made = [OBJECTS[name]() for _ in range(count)]
            return list(itertools.chain(*made)) if isinstance(made[0], list) else made

        size = 15_000 if implementation is quickpickle.pure else 150_000  # longer than the timer
        count = size // len(implementation.dumps(OBJECTS[name]())) + 1
        self.dump(implementation, make, protocol)

    @pytest.mark.costly
    @pytest.mark.parametrize("protocol", [0, 1])
    @pytest.mark.parametrize(
        "kind", [lambda i: (i + 2**40, i + 2**41), lambda i: (i + 0.5,)], ids=["int", "float"]
    )
    def test_numbers_written_as_their_repr(self, implementation, kind, protocol):
        self.dump(implementation, lambda: [kind(i) for i in range(10_000)], protocol)

    @pytest.mark.parametrize("protocol", [0, 1])
    def test_an_int_that_nobody_else_has(self, implementation, protocol):
        self.dump(implementation, lambda: [2**70 + 10**300 * i for i in range(3000)], protocol)


# --- by what the garbage collector calls, which up to CPython 3.11 is whenever something is made


@contextlib.contextmanager
def collecting(action, at):
    """Let the collector run whenever it may, and call `action` when it does for the nth time."""
    count = 0

    def call(phase, info):
        nonlocal count
        if phase == "start":
            count += 1
            if count == at:
                action()
                _ = [[i] for i in range(100)]  # in the memory of what was there

    threshold = gc.get_threshold()
    gc.collect()  # so that the count of what is made begins at zero
    gc.callbacks.append(call)
    gc.set_threshold(1)
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(call)


collected = pytest.mark.skipif(PYPY, reason="PyPy's collector calls nobody")


class TestCollections:
    pytestmark = collected

    def dump(self, implementation, make, protocol, **options):
        """Dump what `make` makes, and remove its members at each possible time."""
        for at in range(1, 12):
            container = make()
            file = io.BytesIO()
            pickler = implementation.Pickler(file, protocol, **options)
            with collecting(container.clear, at), contextlib.suppress(RuntimeError):  # it changed
                pickler.dump([container, container])
                assert_whole(file.getvalue())
            types_in(pickler.memo)

    @pytest.mark.costly
    @pytest.mark.parametrize("name", OBJECTS)
    @pytest.mark.parametrize(
        "convert", [list, lambda items: dict(enumerate(items))], ids=["list", "dict"]
    )
    @pytest.mark.parametrize("protocol", [2, 4, 5])
    def test_instances_with_a_plan(self, implementation, convert, name, protocol):
        for at in range(1, 12):
            objects = OBJECTS[name]()
            container = convert(objects if isinstance(objects, list) else [objects])
            del objects
            with collecting(container.clear, at), contextlib.suppress(RuntimeError):  # it changed
                assert_whole(implementation.dumps([container, container], protocol))

    @pytest.mark.parametrize("protocol", [0, 1, 2])
    @pytest.mark.parametrize(
        "kind", [lambda i: {i, i + 0.5}, lambda i: frozenset({i}), lambda i: b"abc%d" % i]
    )
    def test_types_without_an_opcode(self, implementation, kind, protocol):
        self.dump(implementation, lambda: [kind(i) for i in range(100)], protocol)

    @pytest.mark.parametrize("compact", [False, True])
    @pytest.mark.parametrize("protocol", [0, 1])
    def test_lines_of_text(self, implementation, protocol, compact):
        def make():
            text = "é" * 70_000 + str(LARGE)
            items = [[i + 0.5, str(i) * 9, i + 2**40, (str(i) * 8,), 2**70 + i] for i in range(60)]
            pairs = {(str(i) * 7, i): [{str(i) * 6: i + 0.25}, len] for i in range(60)}
            return [pairs, items, [[text], "\n" * 20_000], {"\n" + str(LARGE): [b"\xff" * 9000]}]

        self.dump(implementation, make, protocol, compact=compact)

    @pytest.mark.costly
    @pytest.mark.parametrize("compact", [False, True])
    def test_several_frames(self, implementation, compact):
        self.dump(implementation, lambda: [[float(i)] for i in range(8000)], 4, compact=compact)

    @pytest.mark.parametrize("kind", LARGE_OBJECTS)
    def test_large_objects_and_compact(self, implementation, kind):
        def make():
            return [*([float(i)] for i in range(1000)), LARGE_OBJECTS[kind](), [2.5]]

        self.dump(implementation, make, 5, compact=True)

    def test_an_error(self, implementation):
        for at in range(1, 8):
            items = [*([float(i)] for i in range(1000)), pickle.PickleBuffer(b"x")]
            pickler = implementation.Pickler(io.BytesIO(), 4)
            with collecting(items.clear, at):
                outcome(lambda: pickler.dump(items))  # noqa: B023
            types_in(pickler.memo)

    def test_a_subclass_of_list(self, implementation):
        for at in range(1, 9):
            for place in range(1, 20):
                items = [ListOfMine([7]), *(ListOfMine([1, 2, 3, [4], i]) for i in range(20))]
                with collecting(items[place].clear, at):
                    assert_whole(implementation.dumps(items))

    @pytest.mark.parametrize("compact", [False, True])
    def test_objects_freed_between_two_frames(self, implementation, compact):
        for at in range(1, 12):
            items = [bytes(LARGE), *([float(i)] for i in range(1000))]
            with collecting(items.clear, at), contextlib.suppress(RuntimeError):  # it changed
                implementation.dump(items, io.BytesIO(), compact=compact)

    @pytest.mark.parametrize("name", ["timedelta", "__newobj__"])
    def test_more_reductions_than_the_limit(self, implementation, name, monkeypatch):
        class Pickler(implementation.Pickler):
            reduction_limit = 0

        cls = dt.timedelta if name == "timedelta" else type(name, (dt.timedelta,), {})
        monkeypatch.setitem(globals(), name, cls)
        outcome(lambda: implementation.dumps(cls(1)))
        for at in range(1, 12):
            items = [*([float(i)] for i in range(1000)), cls(1)]
            pickler = Pickler(io.BytesIO())
            with collecting(items.clear, at):
                outcome(lambda: pickler.dump(items))  # noqa: B023
            types_in(pickler.memo)

    def test_an_item_that_is_no_pair(self, implementation):
        class Pairs:
            def __reduce__(self):
                return dict, (), None, None, iter(pairs)

        for at in range(1, 40):
            inner = [[float(i)] for i in range(1000)]
            pairs = [("key", inner), (1, 2, 3)]
            pickler = implementation.Pickler(io.BytesIO())
            with collecting(inner.clear, at), pytest.raises((TypeError, RuntimeError)):
                pickler.dump(Pairs())
            types_in(pickler.memo)

    def test_a_class_without_a_module(self, implementation, monkeypatch):
        namespace = {"__builtins__": builtins}
        exec("X = type('X', (), {})", namespace)
        module = types.ModuleType("module_of_x")
        module.X = namespace["X"]
        monkeypatch.setitem(sys.modules, "module_of_x", module)
        assert implementation.dumps(module.X) == pickle.dumps(module.X)
        for at in range(1, 40):
            inner = [*([float(i)] for i in range(1000)), module.X]
            pickler = implementation.Pickler(io.BytesIO())
            with collecting(inner.clear, at), contextlib.suppress(RuntimeError):  # it changed
                pickler.dump([inner])
            types_in(pickler.memo)

    @pytest.mark.parametrize("before", range(4))
    def test_a_bytearray_that_grows(self, implementation, before):
        for at in range(1, 20):
            data = bytearray(LARGE)
            made = []

            def grow(data=data):
                with contextlib.suppress(BufferError):
                    data.extend(bytes(LARGE))

            with collecting(grow, at):
                for _ in range(before):  # the collector does not come at each object that is made
                    made.append([])
                pickled = implementation.dumps([1, data, 2], 5, compact=True)
            assert len(pickle.loads(pickled)[1]) in (LARGE, 2 * LARGE)

    def test_a_digest(self):
        quickpickle.object_digest([Plain()])
        for at in range(1, 30):
            instances = [Plain() for _ in range(30)]
            for i, obj in enumerate(instances):
                obj.__dict__ = {f"a{i}": i + 0.5, "next": instances[i + 1 : i + 2], "b": str(i)}

            def replace(instances=instances):
                for obj in instances:
                    obj.__dict__ = dict(obj.__dict__)

            with collecting(replace, at):
                quickpickle.object_digest(instances[0])

    @pytest.mark.parametrize("first", range(0, 200, 50))
    def test_random_changes(self, implementation, first):
        """More of these: `make changes`."""
        for seed in range(first, first + 50):
            changes.run(implementation, seed)

    def test_a_memo_that_is_cleared(self, implementation):
        for at in range(1, 6):
            pickler = implementation.Pickler(io.BytesIO())
            pickler.dump([[i] for i in range(5000)])
            with collecting(pickler.clear_memo, at):
                types_in(pickler.memo)
