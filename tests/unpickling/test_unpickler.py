"""class Unpickler: options, hooks, memo, several loads, subclasses; load() and loads()."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import pickle
import sys
import weakref

import pytest

import quickpickle
from conftest import IMPLEMENTATIONS, UNPICKLERS
from differential import assert_same_load, describe, load_outcome, only_c, only_cpython, outcome
from quickpickle.format import opcodes as op
from unpickling.load_cases import Plain, named, text

PY313 = sys.version_info >= (3, 13)
PY314 = sys.version_info >= (3, 14)


def kind(value):
    return type(value).__name__


def both(unpickling, use):
    """The outcomes of `use` with our module, and with the standard one: they are equal."""
    ours, theirs = (outcome(lambda: use(module)) for module in (unpickling, pickle))  # noqa: B023
    assert ours == theirs
    return ours


# --- what it is


def test_it_is_public(unpickling):
    for name in ("Unpickler", "loads"):
        obj = getattr(unpickling, name)
        assert (obj.__module__, obj.__qualname__) == ("quickpickle", name)
        assert obj.__doc__
    assert list(inspect.signature(unpickling.loads).parameters) == [
        *("data", "fix_imports", "encoding", "errors", "buffers", "policy", "renames", "missing")
    ]
    for name in ("load", "Unpickler"):
        parameters = inspect.signature(getattr(unpickling, name)).parameters
        assert list(parameters) == [
            *(
                "file",
                "fix_imports",
                "encoding",
                "errors",
                "buffers",
                "policy",
                "renames",
                "missing",
            )
        ]
        kinds = [p.kind.name for p in parameters.values()]
        assert kinds == ["POSITIONAL_OR_KEYWORD"] + ["KEYWORD_ONLY"] * 7


def test_what_is_in_use():
    module = UNPICKLERS.get(quickpickle.implementation, UNPICKLERS["python"])
    assert quickpickle.Unpickler is module.Unpickler
    assert quickpickle.loads is module.loads
    assert quickpickle.load(io.BytesIO(b"N.")) is None


def test_exceptions_are_the_standard_ones(unpickling):
    with pytest.raises(pickle.UnpicklingError):
        unpickling.loads(b"K")


# --- options


class NoFile:
    pass


class OnlyRead:
    def read(self, n):
        return b"N."[:n]


class BadAttribute:
    @property
    def read(self):
        raise LookupError("no read")

    def readline(self):
        return b""


@only_c
@pytest.mark.parametrize(
    "file", [None, NoFile(), OnlyRead(), BadAttribute(), b"N.", "N."], ids=kind
)
def test_no_file(unpickling, file):
    both(unpickling, lambda m: m.Unpickler(file))
    both(unpickling, lambda m: m.load(file))


class Str(str):
    __slots__ = ()


@only_c
@pytest.mark.parametrize("value", [None, 1, b"ASCII", "a\0b", "\ud800", Str("ascii")], ids=ascii)
@pytest.mark.parametrize("name", ["encoding", "errors"])
def test_encoding_and_errors(unpickling, name, value):
    if name == "errors" and isinstance(value, Str):
        value = Str("replace")
    both(unpickling, lambda m: m.Unpickler(io.BytesIO(b"U\1a."), **{name: value}).load())
    both(unpickling, lambda m: m.load(io.BytesIO(b"U\1a."), **{name: value}))
    both(unpickling, lambda m: m.loads(b"U\1a.", **{name: value}))


@only_c
@pytest.mark.parametrize("buffers", [1, None, (), "ab", [b"x"]], ids=str)
def test_buffers_that_are_none(unpickling, buffers):
    data = b"\x97\x98."
    both(unpickling, lambda m: m.Unpickler(io.BytesIO(data), buffers=buffers).load())
    both(unpickling, lambda m: m.load(io.BytesIO(data), buffers=buffers))
    both(unpickling, lambda m: m.loads(data, buffers=buffers))
    both(unpickling, lambda m: m.loads(data))


def test_wrong_arguments(unpickling):
    for call in (
        lambda m: m.Unpickler(),
        lambda m: m.Unpickler(io.BytesIO(), True),
        lambda m: m.Unpickler(io.BytesIO(), strict=True),
        lambda m: m.load(),
        lambda m: m.load(io.BytesIO(), True),
        lambda m: m.loads(),
        lambda m: m.loads(b"N.", True),
        lambda m: m.loads(data=b"N."),
        lambda m: m.loads(b"N.", strict=True),
        lambda m: m.Unpickler(io.BytesIO(b"N.")).load(1),
        lambda m: m.Unpickler(io.BytesIO()).find_class("os"),
        lambda m: m.Unpickler(io.BytesIO()).find_class(module_name="os", global_name="path"),
        lambda m: m.Unpickler(io.BytesIO()).memo.clear(1),
    ):
        for module in (unpickling, pickle):
            with pytest.raises(TypeError):
                call(module)


@pytest.mark.parametrize("fixes", [True, False, [], "x"], ids=str)
def test_fix_imports(unpickling, fixes):
    for data in (b"c__builtin__\nxrange\n.", b"\x80\2c__builtin__\nxrange\n.", b"cUserDict\nx\n."):
        assert_same_load(unpickling, data, fix_imports=fixes)

    class BadBool:
        def __bool__(self):
            raise LookupError("no bool")

    for call in (
        lambda: unpickling.loads(b"N.", fix_imports=BadBool()),
        lambda: unpickling.Unpickler(io.BytesIO(), fix_imports=BadBool()),
    ):
        with pytest.raises(LookupError):
            call()


# --- loads


@only_c
@pytest.mark.parametrize(
    "data",
    [
        *(bytearray(b"](K\1K\2e."), memoryview(b"](K\1K\2e."), pickle.PickleBuffer(b"N.")),
        *(memoryview(b"N.N.").cast("I"), memoryview(b"NxN.")[::2], memoryview(b"N0N.")[2:]),
        *(None, "N.", 5, [78, 46], io.BytesIO(b"N.")),
    ],
    ids=kind,
)
def test_loads_takes_bytes_like_objects(unpickling, data):
    both(unpickling, lambda m: m.loads(data))


def test_what_follows_is_ignored(unpickling):
    assert unpickling.loads(b"K\1.K\2.") == 1


def test_loads_keeps_nothing(unpickling):
    data = bytearray(b"\x96\3\0\0\0\0\0\0\0abc\x94h\0\x86.")
    first, second = unpickling.loads(data)
    assert first is second == bytearray(b"abc")
    data.clear()  # no buffer is exported any more


# --- several loads, and the memo


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_memo_is_kept(unpickling, protocol):
    shared = ["shared"]
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol)
    for obj in (shared, [shared, shared], shared):
        pickler.dump(obj)
    file.seek(0)
    unpickler = unpickling.Unpickler(file)
    first, second, third = (unpickler.load() for _ in range(3))
    assert first == shared
    assert second[0] is second[1] is first is third
    with pytest.raises(EOFError):
        unpickler.load()


@only_c
def test_the_memo_as_seen(unpickling):
    def use(module):
        unpickler = module.Unpickler(io.BytesIO(b"Kq\0K\1q\5]r\x07\1\0\0\x94."))
        before = unpickler.memo.copy()
        unpickler.load()
        memo = unpickler.memo
        kind, arguments = memo.__reduce__()
        return before, memo.copy(), list(memo.copy()), kind, arguments

    both(unpickling, use)


def test_the_memo_can_be_assigned(unpickling):
    unpickler = unpickling.Unpickler(io.BytesIO(b"h\0h\7\x86.h\0."))
    obj = []
    unpickler.memo = {0: obj, 7: "seven", True: None}
    assert unpickler.memo.copy() == {0: obj, 1: None, 7: "seven"}
    first, second = unpickler.load()
    assert first is obj
    assert second == "seven"
    other = unpickling.Unpickler(io.BytesIO(b"h\0."))
    other.memo = unpickler.memo
    unpickler.memo.clear()
    assert unpickler.memo.copy() == {}
    assert other.load() is obj
    with pytest.raises(pickle.UnpicklingError, match="index 0"):
        unpickler.load()


@only_c
def test_the_memo_of_the_standard_unpickler(unpickling):
    theirs = pickle.Unpickler(io.BytesIO(b"]q\0."))
    obj = theirs.load()
    ours = unpickling.Unpickler(io.BytesIO(b"h\0."))
    ours.memo = theirs.memo
    assert ours.load() is obj
    for name in UNPICKLERS:
        other = UNPICKLERS[name].Unpickler(io.BytesIO())
        other.memo = ours.memo
        assert other.memo.copy() == {0: obj}


@only_c
@pytest.mark.parametrize(
    "value",
    [{-1: 0}, {"a": 0}, {1 << 70: 0}, {1.0: 0}, [], None, 5, object(), {None: 1}, Plain()],
    ids=kind,
)
def test_what_is_no_memo(unpickling, value):
    def use(module):
        module.Unpickler(io.BytesIO()).memo = value

    assert both(unpickling, use) is not None
    unpickler = unpickling.Unpickler(io.BytesIO(b"]q\0."))
    obj = unpickler.load()
    with pytest.raises((TypeError, ValueError, OverflowError)):
        unpickler.memo = value
    assert unpickler.memo.copy() == {0: obj}


@only_c
def test_the_memo_cannot_be_deleted(unpickling):
    def use(module):
        del module.Unpickler(io.BytesIO()).memo

    both(unpickling, use)
    with pytest.raises(TypeError, match="unhashable"):
        hash(unpickling.Unpickler(io.BytesIO()).memo)


def test_the_memo_goes_on_by_its_entries(unpickling):
    unpickler = unpickling.Unpickler(io.BytesIO(b"K\1\x94K\2q\7K\3\x94."))
    unpickler.load()
    assert unpickler.memo.copy() == {0: 1, 2: 3, 7: 2}


@pytest.mark.skipif(sys.maxsize < 2**32, reason="higher than can be counted, which is an error")
def test_a_high_index_costs_nothing(unpickling):
    for data in (
        b"]r\xff\xff\xff\xff0j\xff\xff\xff\xff.",
        b"]p9223372036854775807\n0g9223372036854775807\n.",
        b"](p4294967295\n.",
    ):
        if b"(" not in data:
            assert unpickling.loads(data) == []
        else:
            with pytest.raises(pickle.UnpicklingError):
                unpickling.loads(data)
    unpickler = unpickling.Unpickler(io.BytesIO(b"]r\xff\xff\xff\xffK\1\x94."))
    unpickler.load()
    assert unpickler.memo.copy() == {0xFFFFFFFF: [], 1: 1}


# --- failures


def test_a_failed_load_gives_up_what_it_made(unpickling):
    """At once: neither the stack, nor the memo, nor the exception keeps it."""
    alive = []

    class Made:
        def __init__(self):
            alive.append(weakref.ref(self))

    class Names(unpickling.Unpickler):
        def find_class(self, module, name):
            if name == "Made":
                return Made
            raise LookupError(name)

    made = b"ca\nMade\n)R"
    data = made + b"\x94(" + made + b"q\1" + made + b"]h\0a}N" + made + b"s(ca\nnone\n."
    unpickler = Names(io.BytesIO(b"K\7\x94." + data + b"h\0K\5\x94h\1\x87."))
    assert unpickler.load() == 7
    with pytest.raises(LookupError):
        unpickler.load()
    gc.collect()
    assert len(alive) == 4
    assert not any(ref() for ref in alive)
    assert unpickler.memo.copy() == {0: 7}
    with pytest.raises(pickle.UnpicklingError):  # what is left of the pickle that failed
        unpickler.load()
    assert unpickler.load() == (7, 5, 5)


@only_c
def test_the_next_load_after_a_failure(unpickling):
    """It begins behind the opcode that failed."""
    data = b"cnosuch_module\na\nN.K\1.]K\5\x81N.\xffK\2.(tbK\3.iK\4."
    data += b"X\2\0\0\0K\xffK\5.\x8c\2K\xffK\6."  # texts that are none

    def use(module):
        unpickler = module.Unpickler(io.BytesIO(data))
        return [outcome(unpickler.load) for _ in range(16)]

    both(unpickling, use)


def test_what_is_left_on_the_stack_is_freed(unpickling):
    class Made:
        pass

    class Names(unpickling.Unpickler):
        def find_class(self, module, name):
            return Made

    unpickler = Names(io.BytesIO(b"ca\nb\n)R(ca\nb\n)RN."))
    assert unpickler.load() is None
    assert not [obj for obj in gc.get_objects() if type(obj) is Made]


# --- without __init__


class Careless:
    def __init__(self, *args):
        pass


@only_c
def test_a_forgotten_init(unpickling):
    def use(module):
        unpickler = type("Sub", (Careless, module.Unpickler), {})()
        return (
            outcome(unpickler.load),
            unpickler.memo.copy(),
            unpickler.memo.clear(),
            unpickler.find_class("builtins", "list"),
            outcome(unpickler.load),
        )

    result = both(unpickling, use)
    assert "__init__() was not called by Sub.__init__()" in result[0][1]


def test_init_can_be_called_again(unpickling):
    unpickler = unpickling.Unpickler(io.BytesIO(b"]q\0."))
    unpickler.load()
    unpickler.__init__(io.BytesIO(b"N\x94h\0."))
    assert unpickler.load() is None
    with pytest.raises(TypeError):
        unpickler.__init__(None)
    assert unpickler.memo.copy() == {0: None}


# --- subclasses and hooks


class FindsOthers:
    def find_class(self, module, name):
        return (module, name)


class FindsByBase:
    def find_class(self, module, name):
        if module == "builtins":
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is forbidden")


class Persistent:
    def persistent_load(self, pid):
        return ("persistent", pid)


class PersistentNone:
    persistent_load = None


class Static:
    @staticmethod
    def persistent_load(pid):
        return ("static", pid)

    @staticmethod
    def find_class(module, name):
        return ("static", module, name)


HOOKED = [
    b"Pan id\n.", b"P\n.", b"P\xe4\n.", b"Pid", b"NQ.", b"Q.", b"N(Q.", b"(K\1K\2tQ.",
    named("list", "builtins") + b".", named("x", "y") + b".", text("y") + text("x") + b"\x93.",
    b"(ibuiltins\nlist\n.", b"(iy\nx\n.", b"\x82\xf1.", b"\x82\xf3.",
]  # fmt: skip


@only_c
@pytest.mark.parametrize("hooks", [FindsOthers, FindsByBase, Persistent, PersistentNone, Static])
def test_hooks(unpickling, hooks, monkeypatch):
    import copyreg

    monkeypatch.setitem(copyreg._inverted_registry, 0xF1, ("builtins", "set"))
    for data in HOOKED:
        results = []
        for module in (unpickling, pickle):
            copyreg._extension_cache.pop(0xF1, None)
            cls = type("Sub", (hooks, module.Unpickler), {})
            results.append(load_outcome(lambda: cls(io.BytesIO(data)).load()))  # noqa: B023
        assert results[0] == results[1], data
    copyreg._extension_cache.pop(0xF1, None)


@only_c
def test_without_persistent_load(unpickling):
    for data in HOOKED[:8]:
        assert_same_load(unpickling, data)


def test_persistent_load_of_the_base(unpickling):
    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            return super().persistent_load(pid)

    with pytest.raises(pickle.UnpicklingError, match="no persistent_load function"):
        Sub(io.BytesIO(b"NQ.")).load()
    with pytest.raises(pickle.UnpicklingError, match="no persistent_load function"):
        unpickling.Unpickler(io.BytesIO()).persistent_load(1)


def test_persistent_load_of_an_instance(unpickling):
    unpickler = unpickling.Unpickler(io.BytesIO(b"K\1Q.K\2Q.K\3Q.K\4Q."))
    standard = unpickler.persistent_load
    unpickler.persistent_load = lambda pid: ["mine", pid]
    assert unpickler.load() == ["mine", 1]
    unpickler.persistent_load = lambda pid: ["other", pid]
    assert unpickler.load() == ["other", 2]
    unpickler.persistent_load = 5
    with pytest.raises(TypeError, match="not callable"):
        unpickler.load()
    del unpickler.persistent_load
    assert unpickler.persistent_load == standard
    with pytest.raises(pickle.UnpicklingError, match="no persistent_load function"):
        unpickler.__init__(io.BytesIO(b"NQ.")) or unpickler.load()
    with pytest.raises(AttributeError, match="persistent_load"):
        del unpickler.persistent_load

    class Sub(unpickling.Unpickler):
        pass

    sub = Sub(io.BytesIO(b"K\1Q."))
    sub.persistent_load = lambda pid: ["mine", pid]
    assert sub.load() == ["mine", 1]


def test_find_class_of_an_instance(unpickling):
    class Sub(unpickling.Unpickler):
        pass

    sub = Sub(io.BytesIO(b"ca\nb\n."))
    sub.find_class = lambda module, name: [module, name]
    assert sub.load() == ["a", "b"]


def test_find_class_replaced_meanwhile(unpickling):
    class Sub(unpickling.Unpickler):
        def find_class(self, module, name):
            self.find_class = lambda module, name: "later"
            return "first"

    assert Sub(io.BytesIO(b"ca\nb\nca\nb\n\x86.")).load() == ("first", "later")


def test_the_audit_event(unpickling):
    seen = []
    active = True

    def hook(event, arguments):
        if active and event == "pickle.find_class":
            seen.append(arguments)

    sys.addaudithook(hook)
    try:
        unpickling.loads(b"c__builtin__\nxrange\n\x80\4cbuiltins\nlist.append\n.")
        unpickling.Unpickler(io.BytesIO()).find_class("os", "sep")
        FindsOthers.find_class(None, "a", "b")
        type("Sub", (FindsOthers, unpickling.Unpickler), {})(io.BytesIO(b"ca\nb\n.")).load()
    finally:
        active = False
    assert seen == [("__builtin__", "xrange"), ("builtins", "list.append"), ("os", "sep")]


def test_an_audit_hook_that_forbids(unpickling):
    forbidden = True

    def hook(event, arguments):
        if forbidden and event == "pickle.find_class" and arguments == ("builtins", "memoryview"):
            raise LookupError("forbidden")

    sys.addaudithook(hook)
    try:
        with pytest.raises(LookupError, match="forbidden"):
            unpickling.loads(b"cbuiltins\nmemoryview\n.")
    finally:
        forbidden = False


@only_c
def test_find_class_called_directly(unpickling):
    for names in (("os", "sep"), ("os", "nosuch"), ("__builtin__", "unicode"), ("nosuch_m", "x")):
        both(unpickling, lambda m: m.Unpickler(io.BytesIO()).find_class(*names))  # noqa: B023
    for names in ((1, "x"), (None, "x"), (b"os", "sep"), ("os", 1), ("os", None)):
        ours = outcome(lambda: unpickling.Unpickler(io.BytesIO()).find_class(*names))  # noqa: B023
        assert issubclass(ours[0], (TypeError, AttributeError))

    def after_a_load(module):
        unpickler = module.Unpickler(io.BytesIO(b"\x80\4N."))
        unpickler.load()
        return unpickler.find_class("os", "path.join") is __import__("os").path.join

    both(unpickling, after_a_load)


@only_c
def test_no_attributes_of_its_own(unpickling):
    def use(module):
        module.Unpickler(io.BytesIO()).attribute = 1

    with pytest.raises(AttributeError):
        use(unpickling)
    names = {name for name in dir(pickle.Unpickler) if not name.startswith("__")}
    assert {name for name in dir(unpickling.Unpickler) if not name.startswith("_")} == names
    for name in ("find_class", "load"):
        with pytest.raises(AttributeError):
            setattr(unpickling.Unpickler(io.BytesIO()), name, None)


def test_it_cannot_be_pickled(unpickling):
    unpickler = unpickling.Unpickler(io.BytesIO())
    for action in (copy.copy, copy.deepcopy, pickle.dumps, IMPLEMENTATIONS["python"].dumps):
        with pytest.raises(TypeError, match="cannot pickle"):
            action(unpickler)
    unpickler.memo = {3: "x"}
    assert copy.copy(unpickler.memo) == {3: "x"}
    assert pickle.loads(pickle.dumps(unpickler.memo)) == {3: "x"}


@only_cpython
def test_sizeof(unpickling):
    unpickler = unpickling.Unpickler(io.BytesIO(pickle.dumps([[i] for i in range(1000)])))
    before = sys.getsizeof(unpickler)
    unpickler.load()
    assert sys.getsizeof(unpickler) > before + 4000


def test_cycles_are_collected(unpickling):
    class Sub(unpickling.Unpickler):
        pass

    unpickler = Sub(io.BytesIO(b"N."))
    unpickler.me = unpickler
    unpickler.persistent_load = unpickler.me.load
    unpickler.memo = {0: unpickler}
    ref = weakref.ref(unpickler)
    del unpickler
    gc.collect()
    assert ref() is None


def test_a_subclass_with_slots_and_properties(unpickling):
    class Sub(unpickling.Unpickler):
        __slots__ = ("own",)

        def __getattribute__(self, name):
            if name.startswith("_quickpickle"):
                raise AttributeError(name)
            return super().__getattribute__(name)

        @property
        def memo(self):
            return "my own"

    sub = Sub(io.BytesIO(b"]q\0h\0\x86."))
    sub.own = 1
    assert sub.load() == ([], [])
    assert sub.memo == "my own"


# --- running already


def test_load_within_load(unpickling):
    outcomes = []

    class Sub(unpickling.Unpickler):
        def find_class(self, module, name):
            for action in (self.load, lambda: self.__init__(io.BytesIO(b"N."))):
                outcomes.append(outcome(action))
            return list

    sub = Sub(io.BytesIO(b"ca\nb\n)RK\1\x86.K\2."))
    assert sub.load() == ([], 1)
    assert outcomes == [(RuntimeError, "Unpickler object is already used")] * 2
    assert sub.load() == 2


def test_the_memo_within_load(unpickling):
    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            seen.append(self.memo.copy())
            if pid == "clear":
                self.memo.clear()
            else:
                self.memo = {5: pid}
            return pid

    seen: list = []
    sub = Sub(io.BytesIO(b"(K\1q\0Pclear\nq\0Pset\nh\5t."))
    assert sub.load() == (1, "clear", "set", "set")
    assert seen == [{0: 1}, {0: "clear"}]
    sub = Sub(io.BytesIO(b"(K\1q\0Pclear\nh\0t."))
    with pytest.raises(pickle.UnpicklingError, match="index 0"):
        sub.load()


def test_two_unpicklers_at_once(unpickling):
    class Sub(unpickling.Unpickler):
        def persistent_load(self, pid):
            return unpickling.loads(b"](K\1K\2e.") + type(self)(io.BytesIO(b"].")).load()

    assert Sub(io.BytesIO(b"K\0Qq\1h\1\x86.")).load() == ([1, 2], [1, 2])


# --- out-of-band buffers


@only_c
@pytest.mark.parametrize(
    "buffers",
    [
        lambda: [b"one", bytearray(b"two"), memoryview(b"three")],
        lambda: iter([b"one", bytearray(b"two")]),
        lambda: (b for b in [b"one", bytearray(b"two"), 3, "four"]),
        lambda: [memoryview(bytearray(b"abcdef"))[::2], pickle.PickleBuffer(bytearray(b"x")), None],
        list,
    ],
)
def test_buffers(unpickling, buffers):
    for data in (
        b"\x97.", b"\x97\x98.", b"(\x97\x97\x97t.", b"(\x97\x98\x97\x98\x97\x98t.", b"\x98.",
        b"N\x98.", b"(\x98.", b"\x97\x94\x98h\0\x86.", b"C\1a\x98.", b"\x97\x98\x98.",
    ):  # fmt: skip
        results = []
        for module in (unpickling, pickle):
            given = buffers()
            results.append(outcome(lambda: describe(module.loads(data, buffers=given))))  # noqa: B023
        assert results[0] == results[1], data


def test_buffers_are_the_same_objects(unpickling):
    buffers = [bytearray(b"x"), b"y"]
    loaded = unpickling.loads(b"(\x97\x97\x98t.", buffers=iter(buffers))
    assert loaded[0] is buffers[0]
    assert loaded[1] is buffers[1]


def test_buffers_go_on_with_the_next_load(unpickling):
    unpickler = unpickling.Unpickler(io.BytesIO(b"\x97.\x97."), buffers=[b"1", b"2"])
    assert [unpickler.load(), unpickler.load()] == [b"1", b"2"]


def test_an_iterator_of_buffers_that_fails(unpickling):
    def buffers():
        yield b"x"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        unpickling.loads(b"\x97\x97.", buffers=buffers())


def test_arrays(unpickling):
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(10.0)
    buffers: list = []
    data = pickle.dumps([array, array], 5, buffer_callback=buffers.append)
    first, second = unpickling.loads(data, buffers=buffers)
    assert first is second
    assert first.base is not None
    assert (first == array).all()
    first[0] = 77
    assert array[0] == 77
    read_only = unpickling.loads(data, buffers=[bytes(b.raw()) for b in buffers])[0]
    assert not read_only.flags.writeable
    for protocol in range(6):
        assert (unpickling.loads(pickle.dumps(array, protocol)) == array).all()


def test_opcodes_are_those_of_pickle():
    assert op.STOP == pickle.STOP
