"""compact=True and optimize(): the bytes of pickletools.optimize, and what it cannot do."""

from __future__ import annotations

import array
import functools
import gc
import io
import os
import pickle
import pickletools
import random
import re
import subprocess
import sys
import threading
import weakref
from collections import Counter
from types import ModuleType

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import quickpickle
from conftest import IMPLEMENTATIONS, examples
from differential import outcome
from graphs import graphs
from models import Plain
from quickpickle import optimization as compact

optimized = functools.lru_cache(100)(pickletools.optimize)  # most of the time, and few differ

TARGET = 64 * 1024


@pytest.fixture
def optimize(implementation):
    return optimize_of(implementation)


def optimize_of(implementation: ModuleType):
    if implementation is IMPLEMENTATIONS["python"]:
        return compact.optimize
    return implementation.optimize


def words(count: int, different: int) -> list[str]:
    rng = random.Random(0)
    each = [f"word {i}" for i in range(different)]
    return [rng.choice(each) for _ in range(count)]


def recursive() -> object:
    one: list[object] = ["a"]
    one.append((one, {"self": one}))
    return one


def with_methods_of_their_own() -> object:
    """Instances, of which some attributes are written before it is seen that they do not count."""
    once, twice, large = "referred to once", "referred to twice", b"x" * TARGET
    return [
        once, twice, twice, large,
        Plain(a="new", __getstate__=lambda: {"state": "new"}),
        Plain(a="new", b=large, c=once, __getstate__=lambda: {"state": 1}),
        Plain(a=b"y" * TARGET, b="z" * 70_000, c=once, d=3, __getstate__=lambda: {"d": 1}),
        Plain(a=once, b=twice, __getstate__=lambda: None),
        Plain(a="x" * 1000, b=once, c=["x"], __no_method=1),
        Plain(a=once, __reduce_ex__=lambda protocol: (list, (once,))),
    ]  # fmt: skip


OBJECTS = {
    "methods": with_methods_of_their_own,
    "None": lambda: None,
    "int": lambda: 5,
    "str": lambda: "word",
    "shared": lambda: ["a", "a", "b", ["c"], ["c"]],
    "recursive": recursive,
    "many words": lambda: words(12_000, 3000),
    "all different": lambda: ["x" * 30 + str(i) for i in range(7000)],
    "numbers": lambda: [*range(-300, 20_000), 2**70, 1.5, True, None, *range(20_000)],
    "floats": lambda: [float(i) for i in range(15_000)],
    "instances": lambda: [Plain(a=i, b=str(i % 7), c=[i]) for i in range(2500)],
    "sets": lambda: [{str(i), i} for i in range(900)] + [frozenset([i]) for i in range(900)],
    "large": lambda: [
        "é" * TARGET, b"x" * TARGET, bytearray(TARGET), "s" * TARGET, "after", b"y" * (TARGET - 5),
    ],
    "one large": lambda: b"x" * (3 * TARGET),
    "text": lambda: ["line\n", "\\ \u20ac \ud800", b"by\ntes", 1.25, 2**40, -1, Plain],
    "bytes": lambda: [bytes(range(256)) * (i % 5) for i in range(2000)],
}  # fmt: skip


@pytest.mark.costly
@pytest.mark.parametrize("name", OBJECTS)
def test_the_bytes_are_those_of_pickletools(implementation, optimize, protocol, name):
    obj = OBJECTS[name]()
    plain = implementation.dumps(obj, protocol)
    expected = optimized(plain)
    assert optimize(plain) == expected
    assert implementation.dumps(obj, protocol, compact=True) == expected
    file = io.BytesIO()
    implementation.dump(obj, file, protocol, compact=True)
    assert file.getvalue() == expected
    assert optimize(expected) == expected


class Recorder:
    def __init__(self) -> None:
        self.writes: list[object] = []

    def write(self, data):
        self.writes.append(data)

    def value(self) -> bytes:
        return b"".join(map(bytes, self.writes))


@pytest.mark.costly
@pytest.mark.parametrize("name", OBJECTS)
def test_a_file_with_a_write_of_its_own(implementation, protocol, name):
    obj = OBJECTS[name]()
    file = Recorder()
    implementation.Pickler(file, protocol, compact=True).dump(obj)
    assert file.value() == optimized(pickle.dumps(obj, protocol))


@pytest.mark.costly
@pytest.mark.parametrize("size", [TARGET + delta for delta in (*range(-14, 4), 17, 255)])
def test_opcodes_about_as_large_as_a_frame(implementation, optimize, protocol, size):
    for obj in (
        b"x" * size,
        ["x" * size, 1],
        ["first", "x" * size, "x" * size, b"y" * size, bytearray(size), ["z"]],
        ["x" * (size // 2), "y" * (size - size // 2), ["z"], {}],
        [["x" * size], 1, 2, "x" * size, ["x" * size]],
        [*range(3000), "x" * (size - 9000), *range(3000)],
    ):
        plain = implementation.dumps(obj, protocol)
        expected = pickletools.optimize(plain)
        assert optimize(plain) == expected
        assert implementation.dumps(obj, protocol, compact=True) == expected


@pytest.mark.parametrize("before", range(24))
def test_a_reference_where_a_frame_begins(implementation, optimize, protocol, before):
    # So many entries are left out in front of it, of a byte each, and a header takes nine.
    names = [f"name {i}" for i in range(before)]
    for large in (b"y" * (TARGET - 1), "y" * (TARGET - 1)):
        for obj in ([*names, large, large], [[names], *names, large, names, large]):
            plain = pickle.dumps(obj, protocol)
            expected = pickletools.optimize(plain)
            assert optimize(plain) == expected
            assert implementation.dumps(obj, protocol, compact=True) == expected


class Part:
    def __init__(self, items):
        self.items = items


@pytest.mark.costly
@pytest.mark.parametrize("before", range(24))
def test_a_frame_that_ends_within_the_start_of_a_container(implementation, optimize, before):
    # The compiled implementation copies ") NEWOBJ MEMOIZE } MEMOIZE (" and "] MEMOIZE (" in one go.
    names = [f"name {i}" for i in range(100)]  # so much is left out that it may do so
    shared = Part([1, 2])
    for parts in (
        [Part([1, 2]), Part([3, 4]), shared, shared],
        [[1, 2], [3, 4], [[5, 6]], {1: 2, 3: 4}, {5: 6, 7: 8}],
        [{1, 2}, {3, 4}, {1: {5}, 2: set()}, [], {}, Part(())],
    ):
        for obj in (
            [*names, "x" * (TARGET - 900 - 3 * before), parts, parts[0], parts[0]],
            [*names, *range(40_000), parts, parts[-1], *range(before, 3000), parts],
        ):
            plain = pickle.dumps(obj, 5)
            expected = pickletools.optimize(plain)
            assert optimize(plain) == expected
            assert implementation.dumps(obj, 5, compact=True) == expected


@pytest.mark.costly
@settings(deadline=None, max_examples=examples(80), suppress_health_check=list(HealthCheck))
@given(obj=graphs(), protocol=st.integers(0, 5))
def test_generated_graphs(obj, protocol):
    plain = outcome(lambda: pickle.dumps(obj, protocol))
    assume(isinstance(plain, bytes))  # a list in itself has no end below protocol 2, for one
    expected = pickletools.optimize(plain)
    for implementation in IMPLEMENTATIONS.values():
        assert optimize_of(implementation)(plain) == expected
        assert optimize_of(implementation)(expected) == expected
        assert len(expected) <= len(plain)
        ours = implementation.dumps(obj, protocol, compact=True)
        assert ours == pickletools.optimize(implementation.dumps(obj, protocol))
        # The first to be read interns names, which shows in what others share; so not compared.
        _kept = outcome(lambda: pickle.loads(plain))
        parts, plain_parts = parts_when_read(ours), parts_when_read(plain)
        # Which members of a set are written before the one that leads back to it, and then once
        # more, depends on their addresses.
        if not ("POP_MARK" in str(parts) or "POP_MARK" in str(plain_parts)):
            assert parts == plain_parts


def parts_when_read(data: bytes) -> object:
    """The contents of an object, and how much is shared: without order, as sets have none."""
    again = outcome(lambda: pickle.dumps(pickle.loads(data), 4))
    if not isinstance(again, bytes):
        return again
    return Counter(
        (op.name.removeprefix("LONG_"), None if "GET" in op.name else repr(arg))
        for op, arg, _ in pickletools.genops(again)
        if op.name != "FRAME"
    )


def some_of_everything(rng: random.Random, count: int, deepest: int) -> object:
    """Several frames of what is referred to or not, large or small, within each other."""
    shared: list[object] = ["first"]
    leaves = [
        lambda: rng.randrange(2 ** rng.randrange(1, 70)), lambda: f"word {rng.randrange(900)}",
        lambda: "x" * rng.randrange(400), lambda: b"y" * rng.randrange(300), lambda: "é" * 9,
        lambda: rng.choice(shared), lambda: rng.choice(shared),
    ]  # fmt: skip

    def node(depth: int) -> object:
        kind = rng.randrange(60)
        if depth == 0 or kind < 10:
            made: object = rng.choice(leaves)()
        elif kind < 22:
            made = [node(depth - 1) for _ in range(rng.randrange(9))]
        elif kind < 30:
            made = tuple(node(depth - 1) for _ in range(rng.randrange(5)))
        elif kind < 40:
            made = {f"key {rng.randrange(30)}": node(depth - 1) for _ in range(rng.randrange(9))}
        elif kind < 46:
            made = Plain(a=node(depth - 1), b=rng.choice(shared), c=1)
        elif kind < 48:
            made = Plain(a=node(depth - 1), b=rng.choice(shared), __getstate__=lambda: {"s": 1})
        elif kind < 52:
            made = [rng.random() for _ in range(rng.randrange(2500))]
        elif kind < 56:
            made = "inside"  # more closes than goes into a frame
            for _ in range(rng.choice([9, 900, deepest] if shared.count("deep") < 2 else [9])):
                made = (made,)
            shared.append("deep")
        else:
            size = TARGET + rng.randrange(-12, 12)
            made = rng.choice([b"z" * size, bytearray(size), "z" * size])
        if rng.random() < 0.3:
            shared.append(made)
        return made

    return [node(5) for _ in range(count)]


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(8))
def test_some_of_everything(implementation, optimize, seed):
    is_python = implementation is IMPLEMENTATIONS["python"]
    # The Python implementation works on a finished pickle, and would take minutes.
    obj = some_of_everything(random.Random(seed), *((6, 900) if is_python else (25, 70_000)))
    for protocol in (1, 4, 5):
        plain = implementation.dumps(obj, protocol)
        expected = optimize(plain)
        assert implementation.dumps(obj, protocol, compact=True) == expected
        file = Recorder()
        implementation.Pickler(file, protocol, compact=True).dump(obj)
        assert file.value() == expected


def test_an_object_that_is_memoized_twice(implementation, protocol):
    """A persistent id has it again, while its name is written: a plain stream has a gap too."""

    class Twice(implementation.Pickler):
        def persistent_id(self, obj):
            if obj == Plain.__name__ and not self.done:
                self.done = True
                return [Plain]
            return None

    results = []
    for options in ({}, {"compact": True}):
        file = io.BytesIO()
        pickler = Twice(file, protocol, **options)
        pickler.done = False
        pickler.dump([Plain, ["a"], Plain, words(9, 3)])
        results.append(file.getvalue())
    assert results[1] == pickletools.optimize(results[0])


@pytest.mark.costly
def test_the_tail_of_deep_lists_in_fast_mode(implementation, protocol):
    # One long frame becomes many, and nothing is left out to make space for their headers.
    obj: object = "end"
    for _ in range(80_000):
        obj = [obj]
    results = []
    for options in ({}, {"compact": True}):
        file = io.BytesIO()
        pickler = implementation.Pickler(file, protocol, **options)
        pickler.fast = 1
        pickler.dump(("head", b"x" * 2 * TARGET, obj, b"y" * TARGET, [[]]))
        results.append(file.getvalue())
    expected = optimized(results[0])
    assert results[1] == expected
    if protocol >= 4:
        assert len(expected) > len(results[0])


# --- Pickles of others, and what is none.

PICKLES = {
    "gaps": b"\x80\x02](X\x01\x00\x00\x00aq\x07X\x01\x00\x00\x00bq\x09h\x07h\x09e.",
    "from 1 on": b"\x80\x02](X\x01\x00\x00\x00aq\x01X\x01\x00\x00\x00bq\x02h\x02e.",
    "from 300 on": b"\x80\x02](X\x01\x00\x00\x00ar\x2c\x01\x00\x00j\x2c\x01\x00\x00e.",
    "downwards": b"\x80\x02](X\x01\x00\x00\x00aq\x07X\x01\x00\x00\x00bq\x03h\x07h\x03e.",
    "twice": b"\x80\x02](X\x01\x00\x00\x00aq\x00h\x00X\x01\x00\x00\x00bq\x00h\x00e.",
    "twice, unused": b"\x80\x02](X\x01\x00\x00\x00aq\x00X\x01\x00\x00\x00bq\x00e.",
    "a huge number": b"\x80\x02](X\x01\x00\x00\x00ar\xff\xff\xff\xfej\xff\xff\xff\xfee.",
    "PUT and MEMOIZE": b"\x80\x04](\x8c\x01aq\x00\x8c\x01b\x94h\x01h\x00e.",
    "a gap and MEMOIZE": b"\x80\x04](\x8c\x01aq\x01\x8c\x01b\x94h\x01e.",
    "PUT in protocol 4": b"\x80\x04](\x8c\x01aq\x00\x8c\x01br\x01\x00\x00\x00h\x01e.",
    "BINGET in protocol 0": b"(lp0\nI1\nag0\nah\x00a.",
    "LONG_BINGET in protocol 0": b"(lp0\nI1\nag0\naj\x00\x00\x00\x00a.",
    "spaces": b"(lp 0\nI1\nag+0 \na.",
    "00": b"(lp00\nag000\na.",
    "no PROTO": b"\x8c\x01a\x940\x8c\x01b.",
    "PROTO in between": b"]\x80\x05q\x00h\x00a.",
    "PROTO twice": b"\x80\x02]\x80\x03q\x00h\x00a.",
    "frames that do not end where they say": b"\x80\x04\x95\x03" + bytes(7) + b"]\x94(K\x01h\x00e.",
    "a frame of nothing": b"\x80\x04\x95" + bytes(8) + b"N.",
    "more behind": b"\x80\x04]\x94.more",
    "STOP only": b".",
    "INST and OBJ": b"(icollections\nOrderedDict\np0\n0(ccollections\nOrderedDict\np1\nop2\n.",
    "buffers": b"\x80\x05]\x94(\x97\x94\x97\x98\x94h\x01e.",
    "GET without PUT": b"\x80\x02h\x00.",
    "GET before PUT": b"\x80\x02](h\x00X\x01\x00\x00\x00aq\x00e.",
    "GET of another": b"\x80\x02](X\x01\x00\x00\x00aq\x00h\x01e.",
    "GET in protocol 0": b"g0\n.",
    "a later protocol": b"\x80\x06N.",
    "no such opcode": b"\x80\x02\xffN.",
    "empty": b"",
    "no STOP": b"\x80\x04N",
    "no number": b"(lpx\n.",
    "a negative length": b"\x80\x02T\xff\xff\xff\xffaaa.",
    "no newline": b"(lp0",
}


@pytest.mark.parametrize("name", PICKLES)
def test_odd_pickles(optimize, name):
    data = PICKLES[name]
    expected = outcome(lambda: pickletools.optimize(data))
    ours = outcome(lambda: optimize(data))
    if name.startswith("GET"):  # there a TypeError, or "gNone"
        assert expected == b"gNone\n." or expected[0] is TypeError
        assert ours[0] is ValueError
        assert re.fullmatch(
            r"at position \d+: memo entry \d is referred to, and not stored before", ours[1]
        )
    else:
        assert ours == expected


SAMPLE = pickle.dumps(
    ["a", "a", b"b" * 300, (1, 2.5, 2**100, "x" * 300), {"k": None}, Plain(a=1)], 5
)
TEXT_SAMPLE = pickle.dumps(["a", "a", 1, 2.5, 2**100, True, Plain(a=1)], 0)


@pytest.mark.parametrize("sample", [SAMPLE, TEXT_SAMPLE, pickle.dumps([[1], "a" * 300], 2)])
def test_pickles_cut_off(optimize, sample):
    for size in range(len(sample)):
        assert outcome(lambda size=size: optimize(sample[:size]))[0] is ValueError


def result(function, data):
    try:
        return function(data)
    except ValueError:
        return ValueError


def test_both_implementations_agree_on_damaged_pickles():
    rng = random.Random(0)
    optimizers = [optimize_of(implementation) for implementation in IMPLEMENTATIONS.values()]
    for _ in range(6000):
        data = bytearray(rng.choice([SAMPLE, TEXT_SAMPLE]))
        for _ in range(rng.choice([1, 1, 1, 3])):
            data[rng.randrange(len(data))] = rng.choice(b"hjgqrp\x94\x95\x80.KX\x8c\0\x01\xff\n")
        assert len({result(optimize, bytes(data)) for optimize in optimizers}) == 1


@pytest.mark.parametrize("op", pickletools.opcodes, ids=lambda op: op.name)
def test_every_opcode(optimize, op):
    code = op.code.encode("latin1")
    argument = {
        None: b"", "uint1": b"\x01", "uint2": b"\x01\x02", "int4": b"\1\2\3\4",
        "uint4": b"\0\0\0\0", "uint8": b"\x01" + bytes(7), "float8": bytes(8),
        "stringnl": b"'x'\n", "stringnl_noescape": b"x\n", "stringnl_noescape_pair": b"x\ny\n",
        "unicodestringnl": b"x\n", "decimalnl_short": b"0\n", "decimalnl_long": b"0L\n",
        "floatnl": b"1.5\n", "string1": b"\x02ab", "string4": b"\x02\0\0\0ab",
        "bytes1": b"\x02ab", "bytes4": b"\x02\0\0\0ab", "bytes8": b"\x02" + bytes(7) + b"ab",
        "bytearray8": b"\x02" + bytes(7) + b"ab", "unicodestring1": b"\x02ab",
        "unicodestring4": b"\x02\0\0\0ab", "unicodestring8": b"\x02" + bytes(7) + b"ab",
        "long1": b"\x02ab", "long4": b"\x02\0\0\0ab",
    }[op.arg and op.arg.name]  # fmt: skip
    if op.name == "BINGET":
        argument = b"\0"
    elif op.name == "PROTO":
        argument = b"\x04"
    for start in (b"(lp0\n0", b"\x80\x02]q\x000", b"\x80\x04]\x940"):
        data = start + code + argument + b"N."
        assert optimize(data) == pickletools.optimize(data)


@pytest.mark.parametrize("convert", [bytearray, memoryview, lambda data: array.array("B", data)])
def test_anything_with_a_buffer(optimize, convert):
    assert optimize(convert(SAMPLE)) == pickletools.optimize(SAMPLE)
    assert optimize(convert(PICKLES["gaps"])) == pickletools.optimize(PICKLES["gaps"])


def test_buffers_that_are_not_in_one_piece(optimize):
    spread = bytearray(2 * len(SAMPLE))
    spread[::2] = SAMPLE
    assert optimize(memoryview(spread)[::2]) == pickletools.optimize(SAMPLE)


@pytest.mark.parametrize("data", ["text", None, 5, io.BytesIO()])
def test_objects_without_a_buffer(optimize, data):
    with pytest.raises(TypeError):
        optimize(data)


def test_nothing_is_imported_for_a_sound_pickle():
    # pickletools takes longer to import than most pickles to write.
    code = (
        "import sys, quickpickle; quickpickle.dumps([[1], 'a'], compact=True); "
        "quickpickle.optimize(quickpickle.dumps([1])); assert 'pickletools' not in sys.modules"
    )
    for pure in "", "1":
        subprocess.run(
            [sys.executable, "-c", code], check=True, env=os.environ | {"QUICKPICKLE_PURE": pure}
        )


# --- A Pickler with compact=True.


def test_off_by_default(implementation):
    obj = ["a", ["b"]]
    assert implementation.dumps(obj, 4) == pickle.dumps(obj, 4)
    assert implementation.dumps(obj, 4, compact=False) == pickle.dumps(obj, 4)
    with pytest.raises(TypeError):
        implementation.dumps(obj, 4, True)
    with pytest.raises(TypeError):
        implementation.Pickler(io.BytesIO(), 4, True)


def test_a_second_dump_needs_an_empty_memo(implementation):
    file = io.BytesIO()
    pickler = implementation.Pickler(file, compact=True)
    shared = ["shared"]
    pickler.dump([shared, shared])
    size = len(file.getvalue())
    with pytest.raises(ValueError, match=r"clear_memo\(\)"):
        pickler.dump(shared)
    assert len(file.getvalue()) == size
    pickler.clear_memo()
    pickler.dump([shared, shared])
    assert file.getvalue()[:size] == file.getvalue()[size:]


def test_a_memo_of_another_pickler(implementation):
    other = implementation.Pickler(io.BytesIO())
    other.dump(["shared"])
    pickler = implementation.Pickler(io.BytesIO(), compact=True)
    pickler.memo = other.memo
    with pytest.raises(ValueError, match=r"clear_memo\(\)"):
        pickler.dump(1)


def test_scalars_do_not_use_the_memo(implementation):
    pickler = implementation.Pickler(file := io.BytesIO(), 2, compact=True)
    pickler.dump(1)
    pickler.dump(2)
    assert file.getvalue() == b"\x80\x02K\x01.\x80\x02K\x02."


def test_a_failed_dump_writes_nothing(implementation, protocol):
    file = Recorder()
    pickler = implementation.Pickler(file, protocol, compact=True)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickler.dump([b"x" * TARGET, bytearray(TARGET), words(30_000, 9), lambda: 0])
    assert not file.writes
    pickler.dump(["a", "a"])
    assert file.value() == pickletools.optimize(pickle.dumps(["a", "a"], protocol))


def test_a_failed_dump_frees_its_objects(implementation):
    class Bytes:
        def __reduce__(self):
            return bytearray, (self.data,)

    holder = Bytes()
    holder.data = memoryview(bytearray(TARGET))
    array_ = bytearray(2 * TARGET)
    pickler = implementation.Pickler(io.BytesIO(), 5, compact=True)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickler.dump([array_, lambda: 0])
    array_.append(1)  # a BufferError while it is held
    pickler.dump([array_])
    array_.append(1)


def test_a_failed_dump_keeps_no_memory(implementation):
    tracemalloc = pytest.importorskip("tracemalloc", reason="PyPy has none")
    items = [str(i) * 10_000 for i in range(1000, 1200)]
    pickler = implementation.Pickler(io.BytesIO(), compact=True)
    tracemalloc.start()
    try:
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickler.dump([items, items, lambda: 0])
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 1_000_000  # of 10
    finally:
        tracemalloc.stop()
    pickler.dump(items)


def test_hooks(implementation, protocol):
    class Hooked:
        def persistent_id(self, obj):
            return obj.id if isinstance(obj, weakref.ref) else None

        def reducer_override(self, obj):
            return (complex, (obj.real, 2)) if type(obj) is complex else NotImplemented

    class Reference(weakref.ref):
        __slots__ = ("id",)

    references = [Reference(Plain) for _ in range(300)]
    for i, reference in enumerate(references):
        reference.id = str(i // 2)
    obj = [references, [1j, 1j], references, words(300, 20)]
    results = []
    for options in ({}, {"compact": True}):
        file = io.BytesIO()
        type("P", (Hooked, implementation.Pickler), {})(file, protocol, **options).dump(obj)
        results.append(file.getvalue())
    assert results[1] == pickletools.optimize(results[0])
    assert len(results[1]) < len(results[0])


def test_the_bytes_of_an_abandoned_plan_are_dropped(implementation, protocol):
    # The reference to the first string is, and so its entry is of no use after all.
    name = "the name of an attribute"
    odd = Plain(**{name: 1, "__reduce_ex__": lambda protocol: (list, ("ab",))})
    obj = [name, Plain(a=1), odd, Plain(a=2), "ab"]
    plain = implementation.dumps(obj, protocol)
    expected = pickletools.optimize(plain)
    assert implementation.dumps(obj, protocol, compact=True) == expected
    assert expected.count(name.encode()) == 1


def test_bin_is_set(implementation):
    for bin_, protocol in ((0, 4), (0, 2), (1, 0)):
        results = []
        for options in ({}, {"compact": True}):
            file = io.BytesIO()
            pickler = implementation.Pickler(file, protocol, **options)
            pickler.bin = bin_
            pickler.dump(words(900, 300))
            results.append(file.getvalue())
        assert results[1] == pickletools.optimize(results[0])


def test_buffers_out_of_band(implementation):
    buffers: list[pickle.PickleBuffer] = []
    small, large = bytearray(b"small"), bytearray(2 * TARGET)
    obj = ["a", "a", pickle.PickleBuffer(small), pickle.PickleBuffer(large), "b"]
    for keep in (lambda buffer: buffers.append(buffer), lambda buffer: True):
        buffers.clear()
        plain = implementation.dumps(obj, 5, buffer_callback=keep)
        buffers.clear()
        ours = implementation.dumps(obj, 5, buffer_callback=keep, compact=True)
        assert ours == pickletools.optimize(plain)
        assert pickle.loads(ours, buffers=buffers) == ["a", "a", small, large, "b"]


def test_large_buffers_are_written_from_where_they_lie(implementation):
    large, array_ = b"x" * 100_000, bytearray(100_000)
    obj = ["a", large, array_, pickle.PickleBuffer(array_), "b"]
    file = Recorder()
    implementation.Pickler(file, 5, compact=True).dump(obj)
    assert file.value() == pickletools.optimize(pickle.dumps(obj, 5))
    if implementation is not IMPLEMENTATIONS["python"]:  # which holds a copy
        assert any(data is large for data in file.writes)
        views = [data for data in file.writes if isinstance(data, memoryview)]
        assert sum(view.obj is array_ for view in views) == 2


def test_the_types_that_write_gets(implementation):
    """They are bytes, but for payloads in memory of others, as without compact=True."""
    for payload in (b"x" * TARGET, "x" * TARGET):
        file = Recorder()
        implementation.dump(["a", payload, ["b", "a"]], file, 5, compact=True)
        assert {type(data) for data in file.writes} == {bytes}


@pytest.mark.slow
@pytest.mark.skipif(sys.maxsize < 2**32, reason="there is no int or str of 2 GB")
def test_an_int_of_2_gb(implementation):
    if implementation is IMPLEMENTATIONS["python"]:
        pytest.skip("has no limit")
    number = 1 << (8 * (2**31 - 1) - 9)
    pickler = implementation.Pickler(io.BytesIO(), 0, compact=True)
    pickler.persistent_id = lambda obj: "x" * 2**31 if obj is None else None
    item = (None,)
    with pytest.raises(OverflowError, match="use optimize"):
        pickler.dump([item, item])
    with pytest.raises(OverflowError, match="use optimize"):
        implementation.dumps((number,), 4, compact=True)
    assert implementation.dumps([1, [1]], 4, compact=True) == quickpickle.optimize(
        pickle.dumps([1, [1]], 4)
    )


def test_dump_to_a_path(implementation, tmp_path):
    path = tmp_path / "file.pkl.gz"
    obj = words(3000, 100)
    implementation.dump(obj, path, compact=True)
    assert quickpickle.load(path) == obj
    implementation.dump(obj, tmp_path / "plain.pkl", 4, compact=True)
    assert (tmp_path / "plain.pkl").read_bytes() == pickletools.optimize(pickle.dumps(obj, 4))


def test_short_writes(implementation):
    class Slow(Recorder):
        def write(self, data):
            super().write(bytes(memoryview(data).cast("B")[:50_000]))
            return min(memoryview(data).nbytes, 50_000)

    obj = ["x", words(30_000, 20), b"b" * 200_000, "x"]
    file = Slow()
    implementation.dump(obj, file, 5, compact=True)
    assert file.value() == pickletools.optimize(pickle.dumps(obj, 5))


def test_dumps_inside_a_dumps_and_in_threads(implementation):
    class Inner:
        def __reduce__(self):
            return pickle.loads, (implementation.dumps(words(50, 5), compact=True),)

    obj = [words(100, 10), Inner(), Inner(), words(100, 10)]
    expected = pickletools.optimize(implementation.dumps(obj))
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(implementation.dumps(obj, compact=True)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_plain_dumps_after_compact_ones(implementation, protocol):
    obj = words(2500, 700)
    plain = pickle.dumps(obj, protocol)
    optimized = pickletools.optimize(plain)
    for options in ({"compact": True}, {}, {"compact": True}, {}):
        ours = implementation.dumps(obj, protocol, **options)
        assert ours == (optimized if options else plain)
        gc.collect()


@pytest.mark.costly
@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02N" + b"\x94" * 250 + b"".join(b"h%c0" % i for i in range(180)) + b".",
        b"N" + b"\x94" * 160 + b"".join(b"g%d\n0" % i for i in range(160)) + b".",
        b"N" + b"\x94" * 5000 + b"".join(b"g%d\n0" % i for i in range(5000)) + b".",
        b"\x80\x02N" + b"\x94" * 5000 + b"".join(b"h%c0" % (i % 256) for i in range(5000)) + b".",
        b"N"
        + b"".join(b"q%c" % i for i in range(250))
        + b"".join(b"g%d\n0" % i for i in range(250))
        + b".",
    ],
)
def test_memo_opcodes_of_a_later_protocol(optimize, data):
    """They become longer, and there is no space for that in place."""
    for _ in range(50):
        assert optimize(data) == pickletools.optimize(data)
