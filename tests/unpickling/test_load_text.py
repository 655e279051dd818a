"""Arguments that are text: all short ones of an alphabet, and what is special about long ones."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator

import pytest

from differential import assert_same_load, load_outcome, only_c
from quickpickle.format import opcodes as op

pytestmark = [only_c, pytest.mark.filterwarnings("ignore:.*escape sequence:DeprecationWarning")]

ALPHABETS = {
    "INT": " 0129x_+-bLo\r\0a",
    "LONG": " 0129x_+-bLo\r\0\xe9",
    "FLOAT": " 015.e+-_infa\0\xe9",
    "GET": " 01_+-L\0xa",
    "STRING": "'\"\\x41n\r\xe9 \0",
    "UNICODE": "\\u0Ua1\xe9\r",
    "PERSID": "a\r\xe9 \0",
}


def lines(alphabet: str, longest: int) -> Iterator[bytes]:
    for length in range(longest + 1):
        for letters in itertools.product(alphabet, repeat=length):
            yield "".join(letters).encode("latin-1")


@pytest.mark.costly
@pytest.mark.parametrize("name", ALPHABETS)
def test_short_ones(unpickling, name):
    code = getattr(op, name)
    for line in lines(ALPHABETS[name], 3):
        data = code + line + b"\n."
        theirs = load_outcome(lambda: pickle.loads(data))  # noqa: B023
        ours = load_outcome(lambda: unpickling.loads(data))  # noqa: B023
        assert ours == theirs, data


@pytest.mark.parametrize("encoding", ["ASCII", "latin1", "bytes", "utf-8", "utf-16", "nosuch", ""])
@pytest.mark.parametrize("errors", ["strict", "replace", "surrogateescape", "nosuch"])
def test_strings_of_python_2(unpickling, encoding, errors):
    for text in (b"", b"a", b"ab", b"\xe4", b"\xc3\xa4", b"a\0b", b"\xff" * 300):
        options = {"encoding": encoding, "errors": errors}
        if len(text) < 256:
            assert_same_load(unpickling, b"U%c%b." % (len(text), text), **options)
        assert_same_load(unpickling, b"T%b%b." % (len(text).to_bytes(4, "little"), text), **options)
        if b"\0" not in text:
            assert_same_load(unpickling, b"S'%b'\n." % text, **options)


@pytest.mark.parametrize(
    "line",
    [
        *(b"0x10", b"0b11", b"0o17", b"0777", b"0888", b"1_000", b"0_1", b"-0x1f", b"+0b1", b"- 1"),
        *(str(2**n + d).encode() for n in (31, 32, 63, 64, 200) for d in (-1, 0, 1)),
        *(b"-%d" % (2**n + d) for n in (31, 32, 63, 64) for d in (-1, 0, 1)),
        *(b"0" * 50 + b"7", b"0x" + b"f" * 50, b"0" + b"7" * 50, b"9" * 4300, b"9" * 4301),
        *(b"12345678901234567890x", b"x" * 300, b"\xc3\xa4" * 150, b"a" + b"\xc3\xa4" * 150),
        *(b" 5", b"5 ", b"\t5", b"\v5", b"5\f", b"\x1c5", b"\xa05", b"5\0 junk", b"\0", b"5\0L"),
    ],
)
def test_numbers(unpickling, line):
    for code in (op.INT, op.LONG, op.GET, b"N" + op.PUT):
        if code == b"N" + op.PUT and len(line) > 6:
            continue  # _pickle takes memory for high indexes
        for end in (b"\n.", b"L\n.", b""):
            assert_same_load(unpickling, code + line + end)


@pytest.mark.parametrize(
    "line",
    [
        *(b"1", b"-1.5e300", b"1e400", b"-1e400", b"1e-400", b"inf", b"-Infinity", b"nan", b"-NaN"),
        *(
            b"infinit",
            b"nan(1)",
            b"0x1p3",
            b"1_0",
            b".5",
            b"5.",
            b".",
            b"e5",
            b"1e",
            b"1e+",
            b"1.e5",
        ),
        *(b" 1", b"1 ", b"1\0junk", b"\0", b"1" * 5000, b"x" * 300, b"\xe4", b"x\xc3\xa4", b"+-1"),
        *(b"1.7976931348623157e308", b"1.7976931348623159e308", b"4.9e-324", b"9" * 309),
    ],
)
def test_floats(unpickling, line):
    assert_same_load(unpickling, b"F" + line + b"\n.")


def test_escapes(unpickling):
    for code in range(256):
        for after in (b"", b"0", b"41", b"777", b"{41}"):
            escape = b"\\" + bytes([code]) + after
            if code != 10:
                assert_same_load(unpickling, b"S'" + escape + b"'\n.", encoding="bytes")
                assert_same_load(unpickling, b"V" + escape + b"\n.")


@pytest.mark.parametrize("text", ["", "a", "\xe4", "\u20ac", "\U0001f600", "\ud800", "a" * 300])
def test_utf_8(unpickling, text):
    data = text.encode("utf-8", "surrogatepass")
    for count, code in ((1, op.SHORT_BINUNICODE), (4, op.BINUNICODE), (8, op.BINUNICODE8)):
        if len(data) < 256**count:
            whole = code + len(data).to_bytes(count, "little") + data + b"."
            assert_same_load(unpickling, whole)


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\xc3", b"\xc3(", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc0\x80",
     b"\xed\xa0\x80\xed\xb0\x80",
     b"\xf4\x90\x80\x80", b"a\xed\xa0", b"\x80", b"a" * 100 + b"\xff", b"\xed\xbf\xbf"],
)  # fmt: skip
def test_wrong_utf_8(unpickling, data):
    for count, code in ((1, op.SHORT_BINUNICODE), (4, op.BINUNICODE), (8, op.BINUNICODE8)):
        assert_same_load(unpickling, code + len(data).to_bytes(count, "little") + data + b".")
    assert_same_load(unpickling, b"c" + data + b"\nlist\n.")
    assert_same_load(unpickling, b"cbuiltins\n" + data + b"\n.")


@pytest.mark.costly
def test_ints_of_every_number_of_digits(unpickling):
    """The compiled implementation reads up to 600 by itself."""
    for size in [*range(15, 40), *range(590, 650), *range(40, 590, 7)]:
        texts = [b"1" + b"0" * (size - 1), b"9" * size, (b"8070605040302010" * 50)[:size]]
        for text in texts:
            for line in (text, b"-" + text, text + b"L", b"-" + text + b"L"):
                for code in (op.INT, op.LONG):
                    assert_same_load(unpickling, code + line + b"\n.")
    for bits in range(62, 2020):
        values = [sign * (2**bits + delta) for delta in (-1, 0, 1) for sign in (1, -1)]
        assert unpickling.loads(pickle.dumps(values, 1)) == values


def test_integers_of_all_lengths(unpickling):
    for size in range(20):
        for fill in (b"\0", b"\xff", b"\x7f", b"\x80", b"\x01\x80"):
            data = (fill * 20)[:size]
            assert_same_load(unpickling, b"\x8a" + bytes([size]) + data + b".")
            assert_same_load(unpickling, b"\x8b" + size.to_bytes(4, "little") + data + b".")
