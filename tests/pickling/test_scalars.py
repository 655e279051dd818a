"""None, bool, int, float, str, bytes, bytearray, buffers, and the singletons."""

from __future__ import annotations

import datetime as dt
import math
import pickle
import sys
import types

import pytest

import quickpickle.pure
from cases import for_each
from differential import PYPY, assert_same, assert_same_dumps, only_c, outcome
from models import StrSub

INTS = sorted(
    {
        sign * (2**bits + delta)
        for bits in (0, 7, 8, 15, 16, 23, 31, 32, 63, 64, 127, 2030, 2031, 2032, 2039, 2040, 2048)
        for delta in (-1, 0, 1)
        for sign in (1, -1)
    }
)
FLOATS = [0.0, -0.0, 1.5, 1e300, 5e-324, 1e16, 0.1, float("inf"), float("-inf"), float("nan")]
STRINGS = [
    "",
    "a",
    "é",
    "\u20ac",
    "\U0001f600",
    "\ud800",
    "a\udc80b",
    "a\nb",
    "\\",
    "\\u0041",
    "\0\r\x1a\x1b\x7f\x80\xa0\xff\u0100",
    "x" * 255,
    "x" * 256,
    "é" * 127,
    "é" * 128,
    "x" * 70000,
]
BYTES = [b"", b"a", bytes(range(256)), b"x" * 255, b"x" * 256, b"x" * 70000]
SINGLETONS = [None, True, False, ..., NotImplemented]


@for_each("value", [*INTS, 12345678901234567890**40, -(1 << 5000)])
def test_int(implementation, protocol, value):
    assert_same(implementation, lambda: value, protocol)


def test_ints_of_every_length(implementation, protocol):
    """One digit more, one byte more, and what is left of a number when the sign is in it."""
    values = [
        sign * (2**bits + delta)
        for bits in [*range(600), *range(1960, 2020)]
        for delta in (-2, -1, 0, 1, 2)
        for sign in (1, -1)
    ]
    assert_same(implementation, lambda: values, protocol)


def test_ints_of_every_number_of_digits(implementation, protocol):
    """The compiled implementation writes up to some 600 by itself, as text."""
    values = [
        sign * value
        for size in range(1, 650)
        for value in (10 ** (size - 1), 10**size - 1, 7 ** (size * 1183 // 1000))
        for sign in (1, -1)
    ]
    assert_same(implementation, lambda: values, protocol)


def test_strings_of_every_length(implementation, protocol):
    texts = ["".join(map(chr, range(33, 33 + size))) for size in range(94)]
    texts += ["ab" * size for size in range(120, 140)]
    assert_same(implementation, lambda: [*texts, *[text * 8 for text in texts]], protocol)
    assert_same(implementation, lambda: [text + "é" for text in texts], protocol)


def test_int_too_large_for_text(implementation, protocol):
    result = assert_same(implementation, lambda: 10**5000, protocol)
    assert isinstance(result, bytes) == (protocol >= 2)


@pytest.mark.parametrize("value", FLOATS, ids=repr)
def test_float(implementation, protocol, value):
    assert_same(implementation, lambda: value, protocol)
    assert_same(implementation, lambda: complex(value, -value), protocol)


@pytest.mark.parametrize("value", STRINGS, ids=ascii)
def test_str(implementation, protocol, value):
    data = assert_same(implementation, lambda: [value, value], protocol)
    assert pickle.loads(data) == [value, value]


def test_every_character_of_the_basic_plane(implementation, protocol):
    text = "".join(map(chr, range(0x10000)))
    assert pickle.loads(assert_same(implementation, lambda: text, protocol)) == text


@pytest.mark.parametrize("value", BYTES, ids=len)
def test_bytes(implementation, protocol, value):
    data = assert_same(implementation, lambda: [value, value, b"other", b""], protocol)
    assert pickle.loads(data) == [value, value, b"other", b""]


@pytest.mark.parametrize("value", BYTES, ids=len)
def test_bytearray(implementation, protocol, value):
    shared = bytearray(value)
    data = assert_same(implementation, lambda: [shared, shared, bytearray()], protocol)
    loaded = pickle.loads(data)
    assert loaded == [shared, shared, bytearray()]
    assert loaded[0] is loaded[1]


@pytest.mark.parametrize("value", SINGLETONS, ids=repr)
def test_singletons_and_their_types(implementation, protocol, value):
    data = assert_same(implementation, lambda: [value, value, type(value)], protocol)
    loaded = pickle.loads(data)
    assert loaded[0] is loaded[1] is value
    assert loaded[2] is type(value)


def test_latin1_is_the_interned_string(implementation, protocol):
    # Below protocol 3, bytes are codecs.encode(text, "latin1"), whose second argument is shared.
    assert_same(implementation, lambda: ["latin1", b"a", b"b"], protocol)


ESCAPED = "\\\0\n\r\x1a"


@pytest.mark.parametrize("size", [8191, 8192, 8193, 10_921, 10_922, 10_923, 32_768, 65_536])
@pytest.mark.parametrize("content", [b"x", b"\xff", b"\\", b"\n\xe9"], ids=repr)
def test_bytes_of_sizes_at_which_they_are_written_otherwise(
    implementation, protocol, content, size
):
    value = (content * size)[:size]
    objects = [b"ab", value, [value], b"cd", b"e", value + b"f", "latin1"]
    assert_same(implementation, lambda: objects, protocol)
    same_writes(implementation, objects, protocol)


@pytest.mark.costly
@pytest.mark.parametrize("size", [0, 1, 2, 64, 255, 256, 1023, 1024])
@pytest.mark.parametrize("character", [*ESCAPED, "é", "\u0100", "\ud800", "\U0001f600"], ids=ascii)
def test_characters_at_each_place(implementation, protocol, character, size):
    texts = ["x" * size + character, character + "x" * size, character * size]
    texts += [text + other for text in texts for other in "é\u0100\U0001f600"]
    assert_same(implementation, lambda: texts, protocol)
    assert_same(implementation, lambda: {text: text for text in texts}, protocol)
    assert_same(
        implementation, lambda: [text.encode("utf-8", "replace") for text in texts], protocol
    )


@pytest.mark.costly
@pytest.mark.parametrize("size", range(65_533, 65_540))
@pytest.mark.parametrize("character", ["x", "\n", "é", "\ud800", "\U0001f600"], ids=ascii)
def test_text_of_the_size_of_a_frame(implementation, protocol, character, size):
    width = {"\n": 6, "\ud800": 6, "\U0001f600": 10}.get(character, 1) if protocol == 0 else 1
    text = "x" * (size % width) + character * (size // width)
    objects = [text, text, [text + "y"], "z", text]
    assert_same(implementation, lambda: objects, protocol)
    same_writes(implementation, objects, protocol)
    assert_same_dumps(implementation, lambda cls, file: dump_with(cls, file, protocol, objects))


def dump_with(cls, file, protocol, *objects, **attributes):
    pickler = cls(file, protocol)
    for name, value in attributes.items():
        setattr(pickler, name, value)
    for obj in objects:
        pickler.dump(obj)
    return sorted(number for number, _ in pickler.memo.copy().values())


def same_writes(implementation, obj, protocol):
    """Assert that a file gets the same in the same parts; if compact, the same."""
    for compact in (False, True):
        results = []
        for module in (implementation, quickpickle.pure):
            writes = []
            file = types.SimpleNamespace(write=lambda data, w=writes: w.append(bytes(data)))
            module.dump(obj, file, protocol, compact=compact)
            results.append(writes)
        if not compact:  # else it is written at the end
            assert results[0] == results[1]
        assert b"".join(results[0]) == b"".join(results[1])
        assert b"".join(results[0]) == implementation.dumps(obj, protocol, compact=compact)


@pytest.mark.costly
def test_writes_with_bytes_at_the_end_of_a_frame(implementation, protocol):
    for size in range(64_000, 65_600, 67):
        for data in (b"q" * 8000, b"\xff" * 800, b"ab"):
            objects = [b"ab", "x" * size, data, [1], data + b"c", "y" * 65_000, 2, "z" * 600]
            same_writes(implementation, objects, protocol)


@only_c
@pytest.mark.parametrize("attribute", ["bin", "fast"])
@pytest.mark.parametrize("value", [0, 1, 2, -1, True])
def test_attributes_set_by_hand(implementation, protocol, attribute, value):
    objects = [
        [*INTS, *FLOATS, *STRINGS, *BYTES, *SINGLETONS],
        [[], [1], [1, 2], {}, {1: 2}, {b"a": "b", (1, "c"): [2]}, (), (1,), (1, 2, 3, [4])],
        [{1, 2}, bytearray(b"ab"), DATES, {b"bytes": DATES}, int, len],
    ]

    def use(cls, file):
        return dump_with(cls, file, protocol, *objects, *objects, **{attribute: value})

    assert_same_dumps(implementation, use)


ZONES = [None, dt.UTC, dt.timezone(dt.timedelta(hours=2)), dt.timezone(-dt.timedelta(1) / 2, "x")]
DATES = [
    make(zone, fold)
    for make in (
        lambda zone, fold: dt.datetime(2024, 1, 2, 3, 4, 5, 678901, zone, fold=fold),
        lambda zone, fold: dt.time(3, 4, 5, 6, zone, fold=fold),
        lambda zone, fold: dt.date(1 + fold, 12, 31),
    )
    for zone in [*ZONES, *ZONES]
    for fold in (0, 1)
]


def test_dates(implementation, protocol):
    for objects in (
        DATES,
        DATES[::-1],
        [b"ab", *DATES],
        [dt.date, dt.time, *DATES],
        [*ZONES, *DATES],
    ):
        assert_same(implementation, lambda o=objects: o, protocol)
        assert_same(implementation, lambda o=objects: dict(enumerate(o)), protocol)
        same_writes(implementation, objects, protocol)
    loaded = pickle.loads(implementation.dumps(DATES, protocol))
    assert loaded == [date.replace(fold=0) if type(date) is not dt.date else date for date in DATES]


class IntSub(int):
    pass


class BytesSub(bytes):
    pass


class FloatSub(float):
    pass


class BytearraySub(bytearray):
    pass


@pytest.mark.parametrize(
    "value",
    [IntSub(5), StrSub("x"), BytesSub(b"x"), FloatSub(1.5), BytearraySub(b"x"), BytesSub()],
    ids=lambda value: type(value).__name__,
)
def test_subclasses(implementation, protocol, value):
    value.attribute = [1]
    data = assert_same(implementation, lambda: [value, value], protocol)
    assert pickle.loads(data) == [value, value]
    assert pickle.loads(data)[0].attribute == [1]


# --- buffers


@pytest.mark.parametrize("make", [bytes, bytearray], ids=["readonly", "writable"])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65535, 65536, 70000])
def test_buffer_in_band(implementation, protocol, make, size):
    buffer = pickle.PickleBuffer(make(size))
    assert_same(implementation, lambda: [buffer, buffer, pickle.PickleBuffer(b"z")], protocol)


@pytest.mark.parametrize("answer", [None, False, True, 0, 1, "yes", []], ids=repr)
def test_buffer_callback_decides(implementation, answer):
    buffers = [pickle.PickleBuffer(b"read"), pickle.PickleBuffer(bytearray(b"write"))]
    given: list[list[object]] = []

    def dumps(module):
        given.append([])

        def callback(buffer):
            given[-1].append(buffer)
            return answer

        return module.dumps([buffers, buffers[0]], 5, buffer_callback=callback)

    assert dumps(implementation) == dumps(pickle)
    assert [id(b) for b in given[0]] == [id(b) for b in given[1]]
    out = [] if answer else [pickle.PickleBuffer(b) for b in given[0]]
    loaded = pickle.loads(dumps(implementation), buffers=out)
    assert [bytes(b) for b in loaded[0]] == [b"read", b"write"]


def test_buffer_is_not_copied_out_of_band(implementation):
    array = bytearray(b"shared")
    buffers: list[pickle.PickleBuffer] = []
    data = implementation.dumps(pickle.PickleBuffer(array), 5, buffer_callback=buffers.append)
    assert buffers[0].raw().obj is array
    assert pickle.loads(data, buffers=[array]) is array


def test_non_contiguous_buffer_is_refused(implementation, protocol):
    view = memoryview(b"abcdef")[::2]
    assert_same(implementation, lambda: pickle.PickleBuffer(view), protocol)


@pytest.mark.parametrize("shape", [[], [6], [2, 3], [300, 400]], ids=str)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("writable", [False, True])
def test_buffers_of_any_shape_and_order(implementation, shape, order, writable):
    testbuffer = pytest.importorskip("_testbuffer", reason="CPython's test package brings it")
    flags = testbuffer.ND_WRITABLE * writable | testbuffer.ND_FORTRAN * (order == "F")
    size = math.prod(shape)
    items = [i % 251 for i in range(size)] if shape else 5
    array = testbuffer.ndarray(items, shape=shape, format="B", flags=flags)
    data = assert_same(implementation, lambda: pickle.PickleBuffer(array), 5)
    assert memoryview(array).tobytes("A") in data  # as it lies in memory


@pytest.mark.parametrize("make", [bytes, bytearray])
def test_empty_buffer_of_many_dimensions(implementation, make):
    view = memoryview(make(12)).cast("B", (3, 4))[0:0]
    assert_same(implementation, lambda: pickle.PickleBuffer(view), 5)


def test_released_buffer(implementation, protocol):
    buffer = pickle.PickleBuffer(b"x")
    buffer.release()
    assert_same(implementation, lambda: buffer, protocol)


@pytest.mark.parametrize("answer", [True, False])
def test_buffer_released_in_the_callback(implementation, answer):
    def callback(buffer):
        buffer.release()
        return answer

    data = [b"x", bytearray(b"x")]  # kept alive: CPython goes on reading from them

    def dumps(module):
        return module.dumps([pickle.PickleBuffer(d) for d in data], 5, buffer_callback=callback)

    assert outcome(lambda: dumps(implementation)) == outcome(lambda: dumps(pickle))


class NoBool:
    def __bool__(self):
        raise ValueError("neither")


@pytest.mark.parametrize("callback", [lambda _: NoBool(), lambda _: 1 / 0, 3], ids=range(3))
def test_failing_buffer_callback(implementation, callback):
    def dumps(module):
        return module.dumps(pickle.PickleBuffer(b"x"), 5, buffer_callback=callback)

    assert outcome(lambda: dumps(implementation)) == outcome(lambda: dumps(pickle))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(PYPY or sys.version_info >= (3, 12), reason="a matter of CPython, up to 3.11")
def test_a_string_of_an_old_api(implementation, protocol):
    _testcapi = pytest.importorskip("_testcapi")
    for text in ("abc\xe9", "a" * 1024, "\xe9" * 70_000):
        for make in (lambda text: text, lambda text: [text], lambda text: {text: text}):
            legacy = make(_testcapi.unicode_legacy_string(text))
            expected = pickle.dumps(make(_testcapi.unicode_legacy_string(text)), protocol)
            assert implementation.dumps(legacy, protocol) == expected
