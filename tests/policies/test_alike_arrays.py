"""Both implementations decide alike about arrays, scalars, dtypes, and tuples as keys.

See compiled/load_arrays.pxi and compiled/load_hashing.pxi.
"""

from __future__ import annotations

import io
import itertools
import pickle

import pytest

import quickpickle.unpickling as pure
from quickpickle import Policy, PolicyError
from quickpickle.format import opcodes as op

from .attacks import call, number, proto, stack_global, text
from .test_alike import assert_alike, outcome

numpy = pytest.importorskip("numpy")

MODULE = numpy.ndarray((0,)).__reduce__()[0].__module__  # of NumPy 1 or 2
POLICY = Policy.numpy().allow(f"{__name__}.Own")
NUMERIC = MODULE.rpartition(".")[0] + ".numeric"


@pytest.fixture
def native():
    from conftest import UNPICKLERS

    if "native" not in UNPICKLERS:
        pytest.skip("only one implementation")
    return UNPICKLERS["native"]


class Own:
    def __init__(self, *args):
        pass


def put(place):
    return op.BINPUT + bytes([place])


def get(place):
    return op.BINGET + bytes([place])


def blob(data):
    return op.SHORT_BINBYTES + bytes([len(data)]) + data


def shape(*lengths):
    return op.MARK + b"".join(lengths) + op.TUPLE


def dtype(code, *, state=True):
    made = call(stack_global("numpy:dtype"), text(code), op.NEWFALSE, op.NEWTRUE)
    if not state:
        return made
    values = numpy.dtype(code).__reduce__()[2]
    return made + pickle.dumps(values, 2)[2:-1] + op.BUILD


DTYPE = {code: dtype(code) for code in ("f8", "f4", "i8", "i1", "u2", "c16", "f2", ">i4", "<u8")}
DTYPE |= {code: dtype(code) for code in ("b1", "U2", "S3", "V4", "M8[s]", "O")}
DTYPE["a fresh one"] = dtype("f8", state=False)
DTYPE["a str"] = text("f8")
DTYPE["a class"] = stack_global("numpy:float64")
DTYPE["structured"] = pickle.dumps(numpy.dtype([("a", "i4"), ("b", "f8")]), 2)[2:-1]
SIZES = (0, 1, 2, 4, 7, 8, 9, 16, 17, 24, 32)
LENGTHS = {
    "()": shape(),
    "(0,)": shape(number(0)),
    "(1,)": shape(number(1)),
    "(2,)": shape(number(2)),
    "(2, 1)": shape(number(2), number(1)),
    "(0, 3)": shape(number(0), number(3)),
    "(-1,)": shape(number(-1)),
    "(-1, -2)": shape(number(-1), number(-2)),
    "(True,)": shape(op.NEWTRUE),
    "(2.0,)": shape(op.BINFLOAT + b"\x40" + bytes(7)),
    "(0, 2**40)": shape(number(0), number(2**40)),
    "(2**31, 2**33)": shape(number(2**31), number(2**33)),
    "(2**62,)": shape(number(2**62)),
    "(2**63,)": shape(number(2**63)),
    "(2**200,)": shape(number(2**200)),
    "64": shape(*[number(1)] * 64),
    "65": shape(*[number(1)] * 65),
    "a list": op.EMPTY_LIST,
    "an int": number(1),
}
LETTER = {
    "b'b'": blob(b"b"),
    "'b'": text("b"),
    "b'c'": blob(b"c"),
    "b''": blob(b""),
    "'C'": text("C"),
    "'F'": text("F"),
    "'K'": text("K"),
    "'CF'": text("CF"),
    "1": number(1),
}
FLAGS = [op.NEWFALSE, op.NEWTRUE, number(0), number(1), number(2), op.NONE]
ARRAY = call(
    stack_global(f"{MODULE}:_reconstruct"),
    stack_global("numpy:ndarray"),
    shape(number(0)),
    blob(b"b"),
)


def array_state(dtype, lengths, data, *, version=None, flag=op.NEWFALSE):
    version = number(1) if version is None else version
    return op.MARK + version + lengths + dtype + flag + data + op.TUPLE


def first(value):
    """In a tuple, where the same was done once before: so the second one needs no question."""
    return op.MARK + value + op.POP_MARK + value


@pytest.mark.parametrize("code", DTYPE)
def test_scalars(native, code):
    scalar = stack_global(f"{MODULE}:scalar")
    for size in SIZES:
        made = call(scalar, get(0), blob(bytes(size)))
        assert_alike(native, proto(4, DTYPE[code] + put(0) + op.POP + first(made)), POLICY)
    for data in (text("abcdefgh"), op.NONE, op.BYTEARRAY8 + bytes([8]) + bytes(15)):
        made = call(scalar, get(0), data)
        assert_alike(native, proto(4, DTYPE[code] + put(0) + op.POP + first(made)), POLICY)


@pytest.mark.costly
@pytest.mark.parametrize("code", DTYPE)
@pytest.mark.parametrize("lengths", LENGTHS)
def test_states_of_arrays(native, code, lengths):
    for size, flag in itertools.product(SIZES, FLAGS[:3]):
        given = array_state(get(0), LENGTHS[lengths], blob(bytes(size)), flag=flag)
        data = DTYPE[code] + put(0) + op.POP + first(ARRAY + given + op.BUILD)
        assert_alike(native, proto(4, data), POLICY)


def test_other_parts_of_states(native):
    prefix = DTYPE["f8"] + put(0) + op.POP
    good = blob(bytes(8))
    one = shape(number(1))
    whole = ARRAY + array_state(get(0), one, good) + op.BUILD
    states = [
        *(array_state(get(0), one, good, version=flag) for flag in FLAGS),
        *(array_state(get(0), one, good, flag=flag) for flag in FLAGS),
        array_state(get(0), one, text("abcdefgh")),
        array_state(get(0), one, op.BYTEARRAY8 + bytes([8]) + bytes(15)),
        array_state(get(0), one, op.EMPTY_LIST),
        op.MARK + one + get(0) + op.NEWFALSE + good + op.TUPLE,
        op.EMPTY_TUPLE,
        op.EMPTY_DICT,
        op.NONE,
    ]
    for given in states:
        data = prefix + whole + op.POP + ARRAY + given + op.BUILD
        assert_alike(native, proto(4, data), POLICY)


def test_arrays_to_be_made(native):
    function = stack_global(f"{MODULE}:_reconstruct")
    classes = ["numpy:ndarray", "numpy:matrix", "numpy:memmap", "numpy:recarray", "numpy:float64"]
    for cls, lengths, letter in itertools.product(classes, LENGTHS.values(), LETTER.values()):
        made = call(function, stack_global(cls), lengths, letter)
        given = array_state(get(0), shape(number(1)), blob(bytes(8)))
        data = DTYPE["f8"] + put(0) + op.POP + first(made + given + op.BUILD)
        assert_alike(native, proto(4, data), POLICY)


@pytest.mark.costly
@pytest.mark.parametrize("lengths", LENGTHS)
def test_arrays_of_buffers(native, lengths):
    function = stack_global(f"{NUMERIC}:_frombuffer")
    for code, size, letter in itertools.product(DTYPE, (0, 8, 16), LETTER.values()):
        for data in (blob(bytes(size)), op.BYTEARRAY8 + bytes([size]) + bytes(7 + size)):
            made = call(function, data, get(0), LENGTHS[lengths], letter)
            assert_alike(native, proto(4, DTYPE[code] + put(0) + op.POP + first(made)), POLICY)


PREFIX = DTYPE["f8"] + put(0) + op.POP + ARRAY
STATE = array_state(get(0), shape(number(1)), blob(bytes(8)))
KNOWN = PREFIX + STATE + op.BUILD + op.POP  # an array of that dtype was made before

ORDERS = {
    "two states": KNOWN + ARRAY + STATE + op.BUILD + STATE + op.BUILD,
    "two states, the second later": KNOWN + ARRAY + put(1) + STATE + op.BUILD + op.POP
    + ARRAY + STATE + op.BUILD + op.POP + get(1) + STATE + op.BUILD,
    "no state": KNOWN + ARRAY,
    "no state, in a list": KNOWN + op.EMPTY_LIST + ARRAY + op.APPEND,
    "two wait": KNOWN + ARRAY + put(1) + op.POP + ARRAY + STATE + op.BUILD + op.POP
    + get(1) + STATE + op.BUILD,
    "two wait, one stays": KNOWN + ARRAY + op.POP + ARRAY + STATE + op.BUILD,
    "in a list before its state": KNOWN + op.EMPTY_LIST + ARRAY + put(1) + op.APPEND
    + get(1) + STATE + op.BUILD + op.POP,
    "a call takes it before its state": KNOWN + ARRAY + put(1) + op.POP
    + call(stack_global(f"{__name__}:Own"), get(1)) + op.POP + get(1) + STATE + op.BUILD,
    "a call between": KNOWN + ARRAY + put(1) + op.POP
    + call(stack_global(f"{__name__}:Own"), number(1)) + op.POP + get(1) + STATE + op.BUILD,
    "a key before its state": KNOWN + op.EMPTY_DICT + ARRAY + put(1) + number(1) + op.SETITEM
    + get(1) + STATE + op.BUILD,
    "an array in an array": KNOWN + DTYPE["O"] + put(2) + op.POP + ARRAY + put(1)
    + array_state(get(2), shape(number(1)), op.EMPTY_LIST + get(1) + op.APPEND) + op.BUILD,
    "a waiting array in an array": KNOWN + DTYPE["O"] + put(2) + op.POP + ARRAY + put(1) + op.POP
    + ARRAY + array_state(get(2), shape(number(1)), op.EMPTY_LIST + get(1) + op.APPEND)
    + op.BUILD + op.POP + get(1) + STATE + op.BUILD,
    "a scalar of its dtype": KNOWN + ARRAY + put(1) + op.POP
    + call(stack_global(f"{MODULE}:scalar"), get(0), blob(bytes(8))) + op.POP
    + get(1) + STATE + op.BUILD,
    "a buffer of a waiting array": KNOWN + ARRAY + put(1) + op.POP
    + call(stack_global(f"{NUMERIC}:_frombuffer"), get(1), get(0), shape(number(1)), text("C")),
    "a dtype gets a state again": KNOWN + get(0) + pickle.dumps(
        numpy.dtype("f8").__reduce__()[2], 2
    )[2:-1] + op.BUILD,
    "a persistent id": KNOWN + op.EMPTY_LIST + op.BINPERSID + op.POP + ARRAY + STATE + op.BUILD,
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_orders(native, order):
    assert_alike(native, proto(4, ORDERS[order]), POLICY)


def test_no_state_is_refused(native):
    for order in ("no state", "no state, in a list", "two wait, one stays"):
        assert outcome(native, proto(4, ORDERS[order]), POLICY)[0] == "states"


def test_what_a_load_that_failed_has_left(native):
    """It has put an array that waits into what was there before."""
    before = proto(4, op.EMPTY_LIST + put(5))
    failed = proto(4, KNOWN + get(5) + ARRAY + op.APPEND + b"\xff")
    for module in (pure, native):
        file = io.BytesIO(before + failed + proto(4, get(5)))
        unpickler = module.Unpickler(file, policy=POLICY)
        unpickler.load()
        for _ in range(2):
            with pytest.raises(pickle.UnpicklingError):
                unpickler.load()
        with pytest.raises(PolicyError, match="gets no state"):
            unpickler.load()


@pytest.mark.costly
@pytest.mark.parametrize(
    "value",
    [
        [numpy.arange(i) for i in range(20)],
        [numpy.float64(i) for i in range(20)],
        [numpy.arange(6).reshape(2, 3, order="F"), numpy.zeros((3, 0)), numpy.array(5)],
        {("a", i): numpy.arange(3) for i in range(100)},
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_limits_are_reached_at_the_same_byte(native, value, protocol):
    data = pickle.dumps(value, protocol)
    for limit in range(0, 100_000, 1997):
        policy = POLICY.limit(memory=limit, objects=limit // 20)
        assert_alike(native, data, policy)


def test_values(native):
    arrays = [numpy.arange(i, dtype=d) for i in range(9) for d in ("f8", "i2", "c8", ">u4")]
    scalars = [numpy.dtype(d).type(3) for d in ("f8", "i2", "c8", "u4", "f2")]
    for protocol in range(6):
        data = pickle.dumps([arrays, scalars, numpy.ones((2, 3), order="F")], protocol)
        for module in (native, pure):
            loaded, numbers, table = module.loads(data, policy=POLICY)
            for array, expected in zip(loaded, pickle.loads(data)[0], strict=True):
                assert array.dtype == expected.dtype
                assert array.tolist() == expected.tolist()
            assert numbers == scalars
            assert [type(one) for one in numbers] == [type(one) for one in scalars]
            assert table.flags.f_contiguous


@pytest.mark.costly
def test_tuples_as_keys(native):
    """Their hashes are counted here, with those that the Guard counts for the same dict."""
    equal = [(i, hash((1, 2))) for i in range(3)]
    for count in (1, 255, 256, 257, 300, 1200):
        keys = [(i, str(i), None, 0.5) for i in range(count)]
        for value in (
            dict.fromkeys(keys, 1),
            set(keys),
            dict.fromkeys([*keys, frozenset([1]), (2**70, 1), *equal]),
            [dict.fromkeys(keys[:5]) for _ in range(count)],
        ):
            data = pickle.dumps(value, 4)
            assert_alike(native, data, Policy.plain())
            assert_alike(native, data, Policy.plain().limit(depth=1))
            assert_alike(native, data, Policy.plain().limit(depth=0))


KEYS = list(itertools.product((-1, -2), repeat=13))


@pytest.mark.costly
def test_tuples_with_equal_hashes(native):
    """-1 and -2 have the same hash, and so have all tuples of them of one length."""
    assert len({hash(key) for key in KEYS}) == 1
    data = proto(4,
        op.EMPTY_DICT + op.MARK
        + b"".join(op.MARK + b"".join(map(number, key)) + op.TUPLE + op.NONE for key in KEYS)
        + op.SETITEMS
    )  # fmt: skip
    assert assert_alike(native, data, Policy.plain())[0] == "hashing"
    batches = proto(
        4,
        op.EMPTY_DICT
        + b"".join(
            op.MARK + op.MARK + b"".join(map(number, key)) + op.TUPLE + op.NONE + op.SETITEMS
            for key in KEYS
        ),
    )
    assert assert_alike(native, batches, Policy.plain())[0] == "hashing"


@pytest.mark.costly
def test_the_limit_of_hashes_is_one(native):
    """Some keys are counted by the Guard, some are not: together they reach the limit."""
    equal = [op.MARK + b"".join(map(number, key)) + op.TUPLE for key in KEYS]
    long = [op.MARK + number(2**70 + i) + op.TUPLE for i in range(300)]
    for place in (0, 300, 3000):
        keys = equal[:place] + long + equal[place:]
        data = op.EMPTY_DICT + b"".join(op.MARK + key + op.NONE + op.SETITEMS for key in keys)
        assert assert_alike(native, proto(4, data), Policy.plain())[0] == "hashing"
