"""Every opcode, with good and bad arguments, on every kind of stack, above and below marks."""

from __future__ import annotations

import copyreg
import itertools
import sys

import pytest

from cases import for_each
from conftest import part
from differential import assert_same_load, only_c
from quickpickle.format import opcodes as op
from quickpickle.scanning import faults
from unpickling.load_cases import (
    ITEMS,
    OPCODES,
    named,
    text,
    u4,
    with_arguments,
)

pytestmark = [only_c, pytest.mark.filterwarnings("ignore:invalid escape:DeprecationWarning")]

CASES = list(with_arguments())
BY_NAME = {name: [data for other, data in CASES if other == name] for name in OPCODES}


@pytest.fixture(autouse=True)
def extension():
    copyreg._inverted_registry[0xF0] = ("builtins", "list")
    yield
    del copyreg._inverted_registry[0xF0]
    copyreg._extension_cache.pop(0xF0, None)


@pytest.mark.parametrize("name", OPCODES)
def test_alone(unpickling, name):
    for data in BY_NAME[name]:
        assert_same_load(unpickling, data)
        assert_same_load(unpickling, data + b".")
        assert_same_load(unpickling, data[:-1])


@pytest.fixture
def without_places(monkeypatch):
    """No search for the place of an error, which is no part of the outcome, and most of the time.

    The loaders gather what it needs all the same. Other tests have it.
    """
    monkeypatch.setattr(faults, "note_fault", lambda *arguments: None)


def with_marks(parts):
    """The items, and with a mark below, between or above them."""
    yield b"".join(parts)
    for i in range(len(parts) + 1):
        yield b"".join([*parts[:i], op.MARK, *parts[i:]])


@pytest.mark.costly
@pytest.mark.parametrize("name", OPCODES)
def test_on_stacks(unpickling, name):
    for parts in [[], *([item] for item in ITEMS.values())]:
        for data in BY_NAME[name][:2]:
            for stack in with_marks(parts):
                assert_same_load(unpickling, stack + data + b".")


@pytest.mark.costly
@pytest.mark.parametrize("name", OPCODES)
@pytest.mark.usefixtures("without_places")
def test_on_two_items(unpickling, name):
    for parts in part(list(itertools.product(ITEMS.values(), repeat=2))):
        for data in BY_NAME[name][:2]:
            for stack in with_marks(parts):
                assert_same_load(unpickling, stack + data + b".")


FEW = ("None", "tuple1", "list", "dict", "class", "instance")


@pytest.mark.parametrize("name", ["SETITEM", "SETITEMS", "TUPLE3", "NEWOBJ_EX", "OBJ", "DICT"])
@pytest.mark.usefixtures("without_places")
def test_on_higher_stacks(unpickling, name):
    for items in part(list(itertools.product(FEW, repeat=3))):
        for stack in with_marks([ITEMS[item] for item in items]):
            assert_same_load(unpickling, stack + OPCODES[name] + b".")


@pytest.mark.costly
@pytest.mark.parametrize("name", OPCODES)
def test_with_many_marks(unpickling, name):
    data = BY_NAME[name][0]
    for before in (b"((", b"N((", b"((N", b"(N(N", b"(](N(", b"]((((NN", b"()(("):
        for after in (b".", b"0.", b"1.", b"N.", b"t.", b"00t."):
            assert_same_load(unpickling, before + data + after)


@pytest.mark.costly
@pytest.mark.parametrize("protocol_first", [b"", b"\x80\2", b"\x80\4", b"\x80\5"])
def test_the_protocol_does_not_matter_to_others(unpickling, protocol_first):
    for _, data in CASES:
        assert_same_load(unpickling, protocol_first + b"]" + data + b".")


@pytest.mark.costly
@for_each("code", range(256))
def test_every_byte(unpickling, code):
    for before in (b"", b"N", b"(", b"](N"):
        assert_same_load(unpickling, before + bytes([code]))
        assert_same_load(unpickling, before + bytes([code]) + b"N.")


def test_pickles_that_end_early(unpickling):
    data = b"".join(
        ITEMS[name] + op.MEMOIZE for name in ("str", "bytes", "bytearray", "instance", "slots")
    )
    data += op.BINGET + b"\1" + op.LONG_BINGET + u4(0) + b"g3\n" + b"cbuiltins\nlist\n" + b"."
    assert type(assert_same_load(unpickling, data)) is list
    for size in range(len(data)):
        assert type(assert_same_load(unpickling, data[:size])) is tuple


# --- the memo


@pytest.mark.parametrize(
    "data",
    [
        b"Np5\n0g5\n.",
        b"Np5\n\x94h\1h\5\x86.",
        b"Nq\0K\1q\0\x94h\0h\1\x87.",
        b"]q\0h\0\x86.",
        b"]q\0K\1q\0h\0\x86.",
        b"(q\0.",
        b"N(\x94.",
        b"Nr\xff\xff\0\0j\xff\xff\0\0.",
        b"Np 07 \ng7\n.",
        b"Np1_0\ng10\n.",
        b"Np1\x00junk\ng1\n.",
        b"]\x94(h\0h\0K\5\x94h\1e.",
        b"(K\1\x94K\2\x94\x94\x94h\3h\1t.",
    ],
)
def test_memo(unpickling, data):
    assert_same_load(unpickling, data)


@pytest.mark.parametrize("index", [255, 256, 65535, 65536, 1_000_000])
def test_high_indexes(unpickling, index):
    assert_same_load(unpickling, b"]r%bKj%b." % (u4(index), u4(index)))
    assert_same_load(unpickling, b"](r%bj%b\x86." % (u4(index), u4(index)))
    assert_same_load(unpickling, b"]r%bj%b\x86." % (u4(index), u4(index)))


# --- names, and what is made by them


@pytest.mark.costly
@pytest.mark.parametrize("proto", [b"", b"\x80\1", b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "list"),
        ("__builtin__", "unicode"),
        ("__builtin__", "nosuch"),
        ("copy_reg", "_reconstructor"),
        ("urllib", "quote"),
        ("cPickle", "dumps"),
        ("builtins", "list.append"),
        ("builtins", "list.nosuch"),
        ("builtins", "nosuch.append"),
        ("builtins", "list.__name__.x"),
        ("builtins", "."),
        ("builtins", "list."),
        ("builtins", ".list"),
        ("builtins", "f.<locals>.g"),
        ("builtins", "<locals>"),
        ("os.path", "join"),
        ("os", "path.join"),
        ("nosuch_module", "a"),
        ("os.nosuch", "a"),
        (".os", "a"),
        ("", "a"),
        ("builtins\r", "list"),
        ("unpickling.load_cases", "Plain"),
        ("unpickling.load_cases", "Plain.x"),
    ],
)
def test_names(unpickling, proto, module, name):
    assert_same_load(unpickling, proto + text(module) + text(name) + b"\x93.")
    assert_same_load(unpickling, proto + named(name, module) + b".")
    assert_same_load(unpickling, proto + named(name, module) + b".", fix_imports=False)
    assert_same_load(unpickling, proto + b"(i" + f"{module}\n{name}\n.".encode())


def test_protocol_in_mid_stream(unpickling):
    """It counts for the names that follow."""
    for data in (
        b"\x80\5c__builtin__\nxrange\n\x80\2c__builtin__\nxrange\n.",
        b"c__builtin__\nxrange\n\x80\3c__builtin__\nxrange\n.",
        b"\x80\2\x80\4cbuiltins\nlist.append\n.",
    ):
        assert_same_load(unpickling, data)


@pytest.mark.parametrize(
    "value", ["bad", ("a", "b", "c"), ("a", 1), (1, "b"), (), ("os", "nosuch")]
)
def test_a_registry_that_is_wrong(unpickling, monkeypatch, value):
    monkeypatch.setitem(copyreg._inverted_registry, 0xF1, value)
    assert_same_load(unpickling, b"\x82\xf1.")


def test_extensions_are_kept(unpickling, monkeypatch):
    monkeypatch.setitem(copyreg._inverted_registry, 0xF1, ("builtins", "set"))
    monkeypatch.delitem(copyreg._extension_cache, 0xF1, raising=False)
    assert unpickling.loads(b"\x82\xf1.") is set
    assert copyreg._extension_cache[0xF1] is set
    monkeypatch.setitem(copyreg._extension_cache, 0xF1, frozenset)
    assert unpickling.loads(b"\x82\xf1.") is frozenset


HIGH = [
    *(opcode + b"\xff\xff\xff\xff" for opcode in (op.BINUNICODE, op.BINBYTES, op.BINSTRING)),
    *(opcode + b"\0\0\0\x80" for opcode in (op.BINUNICODE, op.BINBYTES, op.BINSTRING)),
    *(
        op.LONG_BINGET + number
        for number in (b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xf0\xff\xff\xff")
    ),
]


@pytest.mark.parametrize("data", HIGH)
def test_numbers_that_32_bits_cannot_count(unpickling, data):
    """They were taken for negative ones there, and what lies before the memo for an entry."""
    for before in (b"", b"](", b"K\1\x94K\2\x94", b"}"):
        assert_same_load(unpickling, before + data + b"x" * 100 + b".")


@pytest.mark.skipif(sys.maxsize > 2**32, reason="a matter of 32 bits")
@pytest.mark.parametrize("made", [b"]", b"}", b"K\1", b"K\1\x94}", b")"])
def test_entries_that_32_bits_cannot_count(unpickling, made):
    for number in (b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xf0\xff\xff\xff"):
        assert_same_load(unpickling, made + op.LONG_BINPUT + number + b".")
        assert_same_load(unpickling, made + op.LONG_BINPUT + number + b"\x8c\1aK\1s.")
