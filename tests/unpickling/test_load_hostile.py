"""Code that runs while a pickle is loaded, and does harm: no crash, and all goes on."""

from __future__ import annotations

import gc
import io
import pickle
import sys
import threading

import pytest

import quickpickle.pure
from differential import outcome
from quickpickle.format import opcodes as op
from unpickling.load_cases import frame, named

pytestmark = [
    pytest.mark.usefixtures("few_objects_to_collect"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # of __del__
]

CURRENT: dict = {}


def act():
    """Do the action that the test has set: called from within a load, by every kind of code."""
    action = CURRENT.get("action")
    if action is not None:
        action()


class Calls:
    def __new__(cls, *args):
        act()
        return super().__new__(cls)

    def __init__(self, *args):
        act()

    def __setstate__(self, state):
        act()

    def __setitem__(self, key, value):
        act()

    def extend(self, items):
        act()
        CURRENT["extended"] = items

    def __hash__(self):
        act()
        return 1

    def __eq__(self, other):
        act()
        return True

    def __del__(self):
        act()


class Appends:
    def __init__(self):
        pass

    def append(self, item):
        act()

    def add(self, item):
        act()


class SetsAttributes:
    def __setattr__(self, name, value):
        act()

    def __getattr__(self, name):
        if name == "__setstate__":
            act()
        raise AttributeError(name)


class DictState(dict):
    def __setitem__(self, key, value):
        act()
        super().__setitem__(key, value)


class HasDict:
    @property
    def __dict__(self):
        act()
        return CURRENT.setdefault("dict", DictState())


def call(*args):
    act()
    return []


CALLS = named("Calls", __name__)
NEW = CALLS + b")\x81"
CASES = {
    "reduce": named("call", __name__) + b")R",
    "new": NEW,
    "init": CALLS + b"(K\1tR",
    "inst": b"(K\1i" + CALLS[1:],
    "obj": b"(" + CALLS + b"o",
    "newobj_ex": CALLS + b")}\x92",
    "setstate": NEW + b"}b",
    "setitem": NEW + b"K\1K\2s",
    "setitems": NEW + b"(K\1K\2K\3K\4u",
    "extend": NEW + b"(K\1K\2e",
    "append": NEW + b"K\1a",
    "hash": b"}" + NEW + b"K\2s",
    "hashes": b"}(" + NEW + b"K\2" + NEW + b"K\3u",
    "eq": b"\x8f(" + NEW + NEW + b"\x90",
    "frozenset": b"(" + NEW + NEW + b"\x91",
    "dict": b"(" + NEW + b"N" + NEW + b"Nd",
    "del by pop": b"K\1" + NEW + b"0",
    "del by pop_mark": b"K\1(" + NEW + NEW + b"1",
    "del by memo": NEW + b"q\0K\2q\0\x86",
    "del by item": b"}K\1" + NEW + b"sK\1Ns",
    "del by failure": NEW + b"q\1(" + NEW + b"]" + NEW + b"a\xff",
    "appends": named("Appends", __name__) + b")R(K\1K\2e",
    "adds": named("Appends", __name__) + b")R(K\1K\2\x90",
    "setattr": named("SetsAttributes", __name__) + b")\x81N}\x8c\1aK\1s\x86b",
    "getattr": named("SetsAttributes", __name__) + b")\x81}b",
    "attributes": named("HasDict", __name__) + b")\x81}(\x8c\1aK\1\x8c\1bK\2ub",
    "persistent": b"K\1Q",
    "find_class": b"cx\ny\n",
}
DATA = {
    name: b"(" + frame(len(data)) + data + b"]q\x07h\x07K\1" + data + b"t."
    for name, data in CASES.items()
}


def unpickler_for(module, data, file=None):
    class Sub(module.Unpickler):
        def persistent_load(self, pid):
            act()
            return [pid]

        def find_class(self, module_name, name):
            if module_name == "x":
                act()
                return name
            return super().find_class(module_name, name)

    return Sub(io.BytesIO(data) if file is None else file)


@pytest.fixture(autouse=True)
def calm():
    CURRENT.clear()
    yield
    CURRENT.clear()
    gc.enable()


def run(module, name, make_action):
    """One load while `make_action(unpickler)` is called by all that it calls."""
    unpickler = unpickler_for(module, DATA[name])
    calls = [0]
    action = make_action(unpickler)

    def counted():
        calls[0] += 1
        before = CURRENT.pop("action", None)
        try:
            action()
        finally:
            if before is not None:
                CURRENT["action"] = before

    CURRENT["action"] = counted
    try:
        result = outcome(unpickler.load)
    finally:
        CURRENT.pop("action", None)
    kind = result[0] if isinstance(result, tuple) and isinstance(result[0], type) else tuple
    del result
    gc.collect()
    unpickler.memo.clear()
    # It can be used for the next pickle.
    unpickler.__init__(io.BytesIO(b"](K\1K\2q\0h\0e."))
    assert unpickler.load() == [1, 2, 2]
    assert calls[0] > 0
    return kind


def nothing(unpickler):
    return lambda: None


def fails(unpickler):
    def action():
        raise LookupError("on purpose")

    return action


def fails_for_good(unpickler):
    def action():
        raise KeyboardInterrupt

    return action


def clears_the_memo(unpickler):
    return unpickler.memo.clear


def assigns_the_memo(unpickler):
    def action():
        unpickler.memo = {7: "seven", 1000: []}

    return action


def collects(unpickler):
    return gc.collect


def disables_the_collector(unpickler):
    return gc.disable


def loads_again(unpickler):
    def action():
        try:
            unpickler.load()
        except RuntimeError:
            pass
        else:
            raise AssertionError("a load within a load")

    return action


def begins_again(unpickler):
    def action():
        try:
            unpickler.__init__(io.BytesIO(b"N."))
        except RuntimeError:
            pass
        else:
            raise AssertionError("__init__ within a load")

    return action


def loads_another(unpickler):
    return lambda: type(unpickler)(io.BytesIO(b"](K\1K\2e.")).load()


def mutates_all(unpickler):
    """Empties every list and dict that the memo has, and what came before."""

    def action():
        for obj in [*unpickler.memo.copy().values(), CURRENT.get("extended")]:
            if type(obj) in (list, dict, set):
                obj.clear()

    return action


ACTIONS = [
    nothing, fails, clears_the_memo, assigns_the_memo, collects, disables_the_collector,
    loads_again, begins_again, loads_another, mutates_all,
]  # fmt: skip


@pytest.mark.costly
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
@pytest.mark.parametrize("name", CASES)
def test_actions(unpickling, name, action):
    kind = run(unpickling, name, action)
    if name == "del by failure" and action is not fails:
        assert kind is pickle.UnpicklingError
    elif action is fails and not name.startswith("del "):
        assert kind is LookupError
    elif action in (nothing, collects, loads_another, loads_again, begins_again):
        assert kind is tuple
    if action is disables_the_collector:
        assert not gc.isenabled()
    else:
        assert gc.isenabled()


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("del ")])
def test_an_interrupt_at_every_call(unpickling, name):
    for after in range(8):
        unpickler = unpickler_for(unpickling, DATA[name])
        left = [after]

        def action(left=left):
            if left[0] == 0:
                left[0] = -1
                raise KeyboardInterrupt
            left[0] -= 1

        CURRENT["action"] = action
        try:
            unpickler.load()
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        finally:
            CURRENT.clear()
        if interrupted:
            assert unpickler.memo.copy() == {}
        unpickler.__init__(io.BytesIO(b"K\1."))
        assert unpickler.load() == 1
        if not interrupted:
            return


def test_the_collector_is_as_other_code_left_it(unpickling):
    seen = []

    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            seen.append(gc.isenabled())
            if pid == 1:
                gc.disable()
            if pid == 2:
                gc.enable()
            return [pid]

    data = b"(K\0Q]K\1Q]K\3Q}K\2Q)K\0Qt."
    Sub(io.BytesIO(data)).load()
    assert seen == [True, True, False, False, True]
    assert gc.isenabled()
    gc.disable()
    try:
        Sub(io.BytesIO(b"(K\0Q]K\3Qt.")).load()
        assert not gc.isenabled()
        with pytest.raises(pickle.UnpicklingError):
            unpickling.loads(b"(]]]K\1]\xff")
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(pickle.UnpicklingError):
        unpickling.loads(b"(]]]K\1]\xff")
    assert gc.isenabled()
    assert seen[5:] == [False, False]


def test_what_is_seen_by_the_collector(unpickling):
    """Everything that is made is tracked as it is by the interpreter's own unpickler."""
    data = pickle.dumps([[1, [2]], (3, []), {"a": []}, {1: 2}, {(1, 2)}, frozenset([1]), (1, 2)])
    for ours, theirs in zip(unpickling.loads(data), pickle.loads(data), strict=True):
        if type(ours) is not tuple and sys.version_info < (3, 14):
            assert gc.is_tracked(ours) >= gc.is_tracked(theirs)
    made = unpickling.loads(data)
    made[0].append(made)
    assert any(obj is made for obj in gc.get_objects())


@pytest.mark.parametrize("name", ["read", "readline", "readinto", "peek"])
def test_methods_of_files_that_do_harm(unpickling, name):
    data = b"(cbuiltins\nlist\n\x96\5\0\0\0\0\0\0\0abcdeC\3abc]q\0t."

    class File(io.BytesIO):
        unpickler = None
        calls = 0

        def harm(self):
            File.calls += 1
            self.unpickler.memo.clear()
            gc.collect()
            with pytest.raises(RuntimeError):
                self.unpickler.load()
            with pytest.raises(RuntimeError):
                self.unpickler.__init__(io.BytesIO())

    def method(self, *args):
        self.harm()
        if name == "peek":
            position = self.tell()
            result = io.BytesIO.read(self, 3)
            self.seek(position)
            return result
        return getattr(io.BytesIO, name)(self, *args)

    setattr(File, name, method)
    file = File(data)
    file.unpickler = unpickling.Unpickler(file)
    assert file.unpickler.load() == (list, bytearray(b"abcde"), b"abc", [])
    assert File.calls > 0


def test_a_file_that_is_closed_meanwhile(unpickling):
    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            file.close()

    file = io.BytesIO(b"K\1Q.")
    with pytest.raises(ValueError, match="closed"):
        Sub(file).load()


def test_a_bytearray_that_changes_meanwhile(unpickling):
    """A mutable buffer is either locked or copied."""
    data = bytearray(b"(" + named("call", __name__) + b")RX\5\0\0\0abcdeK\1t.")

    def action():
        try:
            data.clear()
        except BufferError:
            data[-8:] = b"x" * 8

    CURRENT["action"] = action
    result = outcome(lambda: unpickling.loads(data))
    assert isinstance(result, tuple)


def test_buffers_that_do_harm(unpickling):
    class Buffers:
        def __iter__(self):
            return self

        def __next__(self):
            unpickler.memo.clear()
            gc.collect()
            with pytest.raises(RuntimeError):
                unpickler.load()
            return b"x"

    unpickler = unpickling.Unpickler(io.BytesIO(b"(\x97\x97t."), buffers=Buffers())
    assert unpickler.load() == (b"x", b"x")


@pytest.mark.costly
def test_threads_with_one_unpickler(unpickling):
    """One of them loads, the others are refused; all in all each pickle is loaded once."""

    class Slow(io.BytesIO):
        def read(self, n):
            event.wait(0.0005)
            return super().read(n)

    event = threading.Event()
    unpickler = unpickling.Unpickler(Slow(b"".join(b"K%c." % i for i in range(60))))
    loaded, refused = [], []

    def turn():
        while True:
            try:
                loaded.append(unpickler.load())
            except RuntimeError as error:
                refused.append(str(error))
            except EOFError:
                return

    threads = [threading.Thread(target=turn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(loaded) == list(range(60))
    assert set(refused) <= {"Unpickler object is already used"}


def test_opcodes_of_this_test():
    assert op.REDUCE == b"R"


# --- deep, wide, large


@pytest.mark.costly
@pytest.mark.parametrize(
    ("begin", "end"),
    [(b"]", b"a"), (b"(", b"t"), (b"(", b"l"), (b"}K\1", b"s"), (b"(", b"\x91"), (b"", b"\x85")],
    ids=["list", "tuple", "list by mark", "dict", "frozenset", "tuple1"],
)
@pytest.mark.parametrize("depth", [100_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_deep_nesting(unpickling, begin, end, depth):
    if end == b"\x91" and depth > 100_000:
        depth = 100_000
    if unpickling is quickpickle.pure:  # its own lists, so a tenth takes as long
        depth = min(depth, 1_000_000)
    inner = b"K\1" if end != b"a" else b""
    data = begin * depth + inner + end * (depth - (end == b"a")) + b"."
    if end == b"\x91":  # hashing recurses in the interpreter itself
        data = b"(" * depth + b"K\1" + (b"\x91]a") * depth + b"."
        with pytest.raises((AttributeError, pickle.UnpicklingError)):
            unpickling.loads(data)
        return
    obj = unpickling.loads(data)
    for _ in range(1000):
        obj = obj[1] if type(obj) is dict else obj[0]
    assert type(obj) in (list, tuple, dict)
    del obj


@pytest.mark.costly
def test_many_marks_and_a_failure(unpickling):
    for data in (b"(" * 1_000_000, b"(]" * 1_000_000, b"(" * 1_000_000 + b"\xff"):
        with pytest.raises((EOFError, pickle.UnpicklingError)):
            unpickling.loads(data)


def test_a_deep_reduction(unpickling):
    data = named("call", __name__) * 50_000 + b")" + b"R\x85" * 49_999 + b"R."
    assert unpickling.loads(data) == []
