"""Attacks by what NumPy's pickles consist of, which `Policy.numpy()` refuses each.

Where nothing stops them, they read or write memory that is not theirs, ask for terabytes, or reach
functions that run code.
"""

from __future__ import annotations

import struct

from quickpickle.format import opcodes as op

from .attacks import HARM, STATE, call, glob, number, proto, stack_global, text, tree

ATTACKS: dict[str, bytes] = {}


class Code(bytes):
    """Opcodes, in a value."""


def attack(name: str, *parts: bytes, version: int = 4) -> None:
    assert name not in ATTACKS, name
    ATTACKS[name] = proto(version, *parts)


def value(obj: object) -> bytes:
    """The opcodes that make a value."""
    if type(obj) is Code:
        return obj
    if obj is None:
        return op.NONE
    if type(obj) is bool:
        return op.NEWTRUE if obj else op.NEWFALSE
    if type(obj) is int:
        return number(obj)
    if type(obj) is float:
        return op.BINFLOAT + struct.pack(">d", obj)
    if type(obj) is str:
        return text(obj)
    if type(obj) is bytes:
        return op.BINBYTES + len(obj).to_bytes(4, "little") + obj
    if type(obj) is tuple:
        return op.MARK + b"".join(map(value, obj)) + op.TUPLE
    if type(obj) is list:
        return op.EMPTY_LIST + op.MARK + b"".join(map(value, obj)) + op.APPENDS
    if type(obj) is dict:
        items = b"".join(value(key) + value(item) for key, item in obj.items())
        return op.EMPTY_DICT + op.MARK + items + op.SETITEMS
    raise TypeError(type(obj))


def called(name: str, *args: object) -> Code:
    return Code(call(stack_global(name), *map(value, args)))


def built(obj: object, state: object) -> Code:
    return Code(value(obj) + value(state) + op.BUILD)


def name(full: str) -> Code:
    return Code(stack_global(full))


def put(code: bytes, index: int) -> Code:
    return Code(code + op.BINPUT + bytes([index]))


def get(index: int) -> Code:
    return Code(op.BINGET + bytes([index]))


def dtype(kind: object, *state: object) -> Code:
    return built(called("numpy.dtype", kind, False, True), state)


FLOAT = dtype("f8", 3, "<", None, None, None, -1, -1, 0)
INT8 = dtype("i1", 3, "|", None, None, None, -1, -1, 0)
BOOL = dtype("b1", 3, "|", None, None, None, -1, -1, 0)
OBJECT = dtype("O8", 3, "|", None, None, None, -1, -1, 63)
UINT32 = dtype("u4", 3, "<", None, None, None, -1, -1, 0)
UINT64 = dtype("u8", 3, "<", None, None, None, -1, -1, 0)
RECONSTRUCT = "numpy._core.multiarray._reconstruct"
NEW = called(RECONSTRUCT, name("numpy.ndarray"), (0,), b"b")


def array(dtype: Code, shape: tuple[int, ...], data: object, order: object = False) -> Code:
    return built(NEW, (1, shape, dtype, order, data))


# --- functions of NumPy that run code, read files, or ask for memory

for _name, _args in {
    "numpy.load": ("/tmp/attack", None, True),
    "numpy.save": ("/tmp/attack", 1),
    "numpy.savetxt": ("/tmp/attack", 1),
    "numpy.loadtxt": ("/etc/passwd",),
    "numpy.genfromtxt": ("/etc/passwd",),
    "numpy.fromfile": ("/etc/passwd",),
    "numpy.memmap": ("/tmp/attack", "u1", "w+", 0, (10,)),
    "numpy.lib.format.read_array": (),
    "numpy.lib.npyio.load": ("/tmp/attack",),
    "numpy.lib.utils.safe_eval": ("1",),
    "numpy.DataSource": (),
    "numpy.ndarray": ((10**12,),),
    "numpy.zeros": ((10**12,),),
    "numpy.empty": ((10**12,),),
    "numpy.ones": (10**12,),
    "numpy.arange": (10**12,),
    "numpy.repeat": (1, 10**12),
    "numpy.tile": (1, 10**12),
    "numpy.frombuffer": (b"x",),
    "numpy.fromfunction": (name("numpy.sin"), (2,)),
    "numpy.frompyfunc": (name("numpy.sin"), 1, 1),
    "numpy.vectorize": (name("numpy.sin"),),
    "numpy.apply_along_axis": (name("numpy.sin"), 0, []),
    "numpy.piecewise": (),
    "numpy.lib.stride_tricks.as_strided": (NEW, (10**9,), (8,)),
    "numpy.lib._stride_tricks_impl.as_strided": (NEW, (10**9,), (8,)),
    "numpy.ctypeslib.load_library": ("libc", "/"),
    "numpy.ctypeslib.as_array": (),
    "numpy.f2py.compile": ("x",),
    "numpy.f2py.run_main": ([],),
    "numpy.f2py.crackfortran.getlincoef": ("__import__('os').system('x')", {}),
    "numpy.f2py.crackfortran._eval_length": ("x", {}),
    "numpy.f2py.crackfortran.myeval": ("1",),
    "numpy.f2py.auxfuncs.getuseblocks": (),
    "numpy.distutils.exec_command.exec_command": ("id",),
    "numpy.testing._private.utils.runstring": ("1", {}),
    "numpy.testing.rundocs": ("/tmp/attack",),
    "numpy.testing.measure": ("1",),
    "numpy.testing._private.utils.measure": ("1",),
    "numpy.core._internal._ctypes": (),
    "numpy._core._ufunc_reconstruct": ("os", "system"),
    "numpy.core._ufunc_reconstruct": ("os", "system"),
    "numpy._core._methods._mean": (),
    "numpy._core.multiarray.fromstring": ("1",),
    "numpy._core.multiarray.set_string_function": (),
    "numpy._core.multiarray._set_madvise_hugepage": (True,),
    "numpy.seterrcall": (name("numpy.sin"),),
    "numpy.setbufsize": (10**12,),
    "numpy.random.seed": (1,),
    "numpy.random.bytes": (10**12,),
    "numpy.random.set_state": (),
    "numpy.random.mtrand._rand": (),
    "numpy.random.RandomState": (),
    "numpy.random.mtrand.RandomState": (),
    "numpy.random._generator.Generator": (),
    "numpy.random._mt19937.MT19937": (),
    "numpy.sin": (1,),
    "numpy.add": (1, 2),
    "numpy.float64": ("1",),
    "numpy.str_": ("x",),
    "numpy.void": (10**10,),
    "numpy.record": (10**10,),
    "numpy.generic": (),
    "numpy.poly1d": ([1],),
    "numpy.dtypes.Float64DType": (),
    "numpy.dtypes.VoidDType": (10**9,),
    "numpy.ma.MaskedArray": ([1],),
    "numpy.rec.recarray": ((10**12,),),
    "numpy.matrix": ("1",),
}.items():
    attack(f"REDUCE {_name}", called(_name, *_args))
    attack(f"NEWOBJ {_name}", name(_name) + value(_args) + op.NEWOBJ)
    attack(f"OBJ {_name}", op.MARK + name(_name) + b"".join(map(value, _args)) + op.OBJ)

for _name, _parts in {
    "dotted through NumPy": name("numpy:os.system"),
    "the modules of NumPy": name("numpy:sys.modules"),
    "the builtins of NumPy": name("numpy:__builtins__"),
    "a method of an array": name("numpy:ndarray.tofile"),
    "a method of a ufunc": name("numpy:add.at"),
    "an attribute of a ufunc": name("numpy:add.__class__"),
    "a method of a dtype": name("numpy:dtype.newbyteorder"),
    "a module": name("numpy:random"),
    "a private dict": name("numpy:sctypeDict"),
    "another library's function by NumPy": name("numpy._core._internal:re.compile"),
    # modelscan 330: a function of NumPy gets attributes, and leads to eval.
    "BUILD of a function": called("numpy.size")
    + value((None, {"shape": Code(name("numpy:__builtins__"))}))
    + op.BUILD,
}.items():
    attack(_name, _parts)
for _name in (
    *("numpy.ndarray", "numpy.dtype", "numpy.float64", "numpy.sin", "numpy.poly1d"),
    *("numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar"),
    *("numpy._core.numeric._frombuffer", "numpy.dtypes.Float64DType", "numpy.ma.MaskedArray"),
    *("numpy.random._pickle.__generator_ctor", "numpy.random._pcg64.PCG64"),
):
    attack(f"BUILD of {_name}", name(_name) + STATE + op.BUILD)
    attack(f"BUILD of {_name}, slots", name(_name) + op.NONE + STATE + op.TUPLE2 + op.BUILD)
    attack(f"SETITEM of {_name}", name(_name) + number(1) + number(2) + op.SETITEM)
    attack(f"APPEND to {_name}", name(_name) + number(1) + op.APPEND)

# --- dtypes

for _name, _args in {
    "no copy": ("f8", False, False),
    "one argument": ("f8",),
    "two arguments": ("f8", False),
    "four arguments": ("f8", False, True, {}),
    "a list": ([("a", "O")], False, True),
    "a text of fields": ("f8,O", False, True),
    "a shape": ("(1000000000,)f8", False, True),
    "a long text": ("V" + "9" * 100, False, True),
    "a negative size": ("V-1", False, True),
    "a dict": ({"names": ["a"], "formats": ["O"]}, False, True),
    "a listed class": (name("collections.OrderedDict"), False, True),
    "an object": (name("builtins.object"), False, True),
    "a subclass": (name("numpy.matrix"), False, True),
    "another letter": ("P", False, True),
    "other digits": ("V\u0661", False, True),
    "ctypes": ("ctypes", False, True),
}.items():
    attack(f"a dtype of {_name}", called("numpy.dtype", *_args))

_OF_VOID: dict[str, tuple[object, ...]] = {
    "objects without their flags": (3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 0),
    "objects that overlap": (
        *(3, "|", None, ("a", "b"), {"a": (OBJECT, 0), "b": (OBJECT, 4)}, 16, 1, 27),
    ),
    "an object that overlaps a number": (
        *(3, "|", None, ("a", "b"), {"a": (OBJECT, 0), "b": (FLOAT, 0)}, 8, 1, 27),
    ),
    "a field outside": (3, "|", None, ("a",), {"a": (FLOAT, 8)}, 8, 1, 16),
    "a field before": (3, "|", None, ("a",), {"a": (FLOAT, -8)}, 8, 1, 16),
    "a field far outside": (3, "|", None, ("a",), {"a": (FLOAT, 1 << 40)}, 8, 1, 16),
    "another size": (3, "|", None, ("a",), {"a": (FLOAT, 0)}, 1 << 30, 1, 16),
    "no size": (3, "|", None, ("a",), {"a": (FLOAT, 0)}, 0, 1, 16),
    "a negative size": (3, "|", None, ("a",), {"a": (FLOAT, 0)}, -8, 1, 16),
    "no alignment": (3, "|", None, ("a",), {"a": (FLOAT, 0)}, 8, 0, 16),
    "a negative alignment": (3, "|", None, ("a",), {"a": (FLOAT, 0)}, 8, -8, 16),
    "a name without a field": (3, "|", None, ("b",), {"a": (FLOAT, 0)}, 8, 1, 16),
    "a field without a name": (3, "|", None, (), {"a": (FLOAT, 0)}, 8, 1, 16),
    "a name twice": (3, "|", None, ("a", "a"), {"a": (FLOAT, 0)}, 8, 1, 16),
    "names that are a list": (3, "|", None, ["a"], {"a": (FLOAT, 0)}, 8, 1, 16),
    "fields that are a list": (3, "|", None, ("a",), [(FLOAT, 0)], 8, 1, 16),
    "names without fields": (3, "|", None, ("a",), None, 8, 1, 16),
    "fields without names": (3, "|", None, None, {"a": (FLOAT, 0)}, 8, 1, 16),
    "a field of a text": (3, "|", None, ("a",), {"a": ("f8", 0)}, 8, 1, 16),
    "a field of a class": (3, "|", None, ("a",), {"a": (name("numpy.float64"), 0)}, 8, 1, 16),
    "a field without a place": (3, "|", None, ("a",), {"a": (FLOAT,)}, 8, 1, 16),
    "a title that is a list": (3, "|", None, ("a",), {"a": (FLOAT, 0, [])}, 8, 1, 16),
    "a subarray of objects": (3, "|", (OBJECT, (1,)), None, None, 8, 8, 0),
    "a large subarray": (3, "|", (FLOAT, (1 << 30,)), None, None, 8, 8, 0),
    "a negative subarray": (3, "|", (FLOAT, (-1,)), None, None, 8, 8, 0),
    "a subarray of a text": (3, "|", ("f8", (1,)), None, None, 8, 8, 0),
    "a subarray without a shape": (3, "|", (FLOAT, None), None, None, 8, 8, 0),
    "flags of objects": (3, "|", None, None, None, 8, 1, 63),
    "flags that are many": (3, "|", None, None, None, 8, 1, 1 << 40),
    "a text as its size": (3, "|", None, None, None, "8", 1, 0),
    "an order that is none": (3, "x", None, None, None, 8, 1, 0),
    "an order of two": (3, "<<", None, None, None, 8, 1, 0),
    "few values": (3, "|", None, None),
    "no values": (),
    "many values": (3, "|", None, None, None, 8, 1, 0, None, None, None),
    "an old version": (0, "|", None, None, None, 8, 1, 0),
    "a late version": (99, "|", None, None, None, 8, 1, 0),
    "metadata that are a list": (4, "|", None, None, None, 8, 1, 0, []),
    "metadata of lists": (4, "|", None, None, None, 8, 1, 0, {"a": []}),
    "metadata of a name": (4, "|", None, None, None, 8, 1, 0, {"a": name("numpy.sin")}),
}
for _name, _state in _OF_VOID.items():
    attack(f"a structure with {_name}", dtype("V8", *_state))
for _kind, _name, _state in (
    ("f8", "fields", (3, "<", None, ("a",), {"a": (OBJECT, 0)}, -1, -1, 0)),
    ("f8", "a size", (3, "<", None, None, None, 1 << 30, 1, 0)),
    ("f8", "flags of objects", (3, "<", None, None, None, -1, -1, 63)),
    ("f8", "a subarray", (3, "<", (FLOAT, (2,)), None, None, -1, -1, 0)),
    ("O8", "no flags", (3, "|", None, None, None, -1, -1, 0)),
    ("O8", "fields", (3, "|", None, ("a",), {"a": (FLOAT, 0)}, -1, -1, 63)),
    ("S5", "a size", (3, "|", None, None, None, 1 << 30, 1, 0)),
    ("S5", "a negative size", (3, "|", None, None, None, -5, 1, 0)),
    ("U3", "a size that is odd", (3, "<", None, None, None, 13, 4, 8)),
    ("U3", "no flags", (3, "<", None, None, None, 12, 4, 0)),
    ("M8", "no unit", (4, "<", None, None, None, -1, -1, 0, None)),
    ("M8", "a unit that is none", (4, "<", None, None, None, -1, -1, 0, (None, (b"q", 1, 1, 1)))),
    ("M8", "no number", (4, "<", None, None, None, -1, -1, 0, (None, (b"D", 0, 1, 1)))),
    ("M8", "a divisor of zero", (4, "<", None, None, None, -1, -1, 0, (None, (b"D", 1, 0, 1)))),
    ("M8", "a large number", (4, "<", None, None, None, -1, -1, 0, (None, (b"D", 1 << 40, 1, 1)))),
    ("M8", "a short unit", (4, "<", None, None, None, -1, -1, 0, (None, (b"D",)))),
    ("M8", "metadata", (4, "<", None, None, None, -1, -1, 0, ({"a": 1}, (b"D", 1, 1, 1)))),
):
    attack(f"{_kind} with {_name}", dtype(_kind, *_state))

_FRESH = put(called("numpy.dtype", "V8", False, True), 1)
_POINTERS = (3, "|", None, ("a",), {"a": (OBJECT, 0)}, 8, 1, 27)
attack(
    "a dtype that becomes pointers when an array has it",
    _FRESH + put(built(NEW, (1, (1,), get(1), False, b"A" * 8)), 2) + built(get(1), _POINTERS),
)
attack(
    "a dtype that becomes pointers when a scalar has it",
    _FRESH + called("numpy._core.multiarray.scalar", get(1), b"A" * 8) + built(get(1), _POINTERS),
)
attack(
    "a dtype that becomes pointers when a buffer has it",
    _FRESH
    + called("numpy._core.numeric._frombuffer", b"A" * 8, get(1), (1,), "C")
    + built(get(1), _POINTERS),
)
attack(
    "a dtype that becomes pointers as a field",
    _FRESH + dtype("V8", 3, "|", None, ("a",), {"a": (get(1), 0)}, 8, 1, 16),
)
attack(
    "a dtype with two states",
    put(dtype("V8", 3, "|", None, None, None, 8, 1, 0), 1) + built(get(1), _POINTERS),
)
attack(
    "a dtype that contains itself",
    _FRESH + built(get(1), (3, "|", None, ("a",), {"a": (get(1), 0)}, 8, 1, 16)),
)
_deep = dtype("V0", 3, "|", None, (), {}, 0, 1, 16)
_two = (3, "|", None, ("a", "b"), {"a": (get(1), 0), "b": (get(1), 0)}, 0, 1, 16)
attack("a dtype that takes for ever", put(_deep, 1) + put(dtype("V0", *_two), 1) * 31)
_one = (3, "|", None, ("a",), {"a": (get(1), 0)}, 8, 1, 16)
attack("a deep dtype", put(FLOAT, 1) + put(dtype("V8", *_one), 1) * 50_000)

# --- arrays

for _name, _args in {
    "of a terabyte": (name("numpy.ndarray"), (10**12,), b"b"),
    "of many dimensions": (name("numpy.ndarray"), (1,) * 100, b"b"),
    "of a negative length": (name("numpy.ndarray"), (-1,), b"b"),
    "of objects": (name("numpy.ndarray"), (0,), b"O"),
    "of an uninitialized length": (name("numpy.ndarray"), (10,), b"b"),
    "of another class": (name("collections.OrderedDict"), (0,), b"b"),
    "of a scalar": (name("numpy.float64"), (0,), b"b"),
    "of a masked array": (name("numpy.ma.MaskedArray"), (0,), b"b"),
    "of an instance": ([], (0,), b"b"),
    "of a list": (name("numpy.ndarray"), [0], b"b"),
    "without a dtype": (name("numpy.ndarray"), (0,)),
}.items():
    attack(f"_reconstruct {_name}", called(RECONSTRUCT, *_args))

for _name, _state in {
    "few bytes": (1, (10**6,), FLOAT, False, b"x" * 8),
    "many bytes": (1, (1,), FLOAT, False, b"x" * 800),
    "a negative length": (1, (-1,), FLOAT, False, b""),
    "two negative lengths": (1, (-1, -1), FLOAT, False, b"x" * 8),
    "lengths that overflow": (1, (1 << 32, 1 << 32), FLOAT, False, b""),
    "lengths that overflow to one": (1, (1 << 61, 8), FLOAT, False, b""),
    "a large length beside none": (1, (0, 1 << 60), FLOAT, False, b""),
    "a hundred dimensions": (1, (1,) * 100, INT8, False, b"x"),
    "a shape that is a list": (1, [1], INT8, False, b"x"),
    "a shape that is a number": (1, 1, INT8, False, b"x"),
    "a shape of bools": (1, (True,), INT8, False, b"x"),
    "a shape of texts": (1, ("1",), INT8, False, b"x"),
    "a dtype that is a text": (1, (1,), "O", False, [1]),
    "a dtype that is a class": (1, (1,), name("numpy.float64"), False, b"x" * 8),
    "pointers": (1, (1,), OBJECT, False, b"A" * 8),
    "pointers in a bytearray": (1, (1,), OBJECT, False, called("builtins.bytearray", b"A" * 8)),
    "few objects": (1, (3,), OBJECT, False, [1]),
    "many objects": (1, (1,), OBJECT, False, [1, 2, 3]),
    "objects in a tuple": (1, (1,), OBJECT, False, (1,)),
    "objects in a text": (1, (1,), OBJECT, False, "x"),
    "objects in None": (1, (0,), OBJECT, False, None),
    "objects for numbers": (1, (1,), FLOAT, False, [1.0]),
    "an order of two": (1, (1,), INT8, 2, b"x"),
    "an order that is a list": (1, (1,), INT8, [], b"x"),
    "bools of 255": (1, (2,), BOOL, False, b"\xff\2"),
    "characters that are none": (
        *(1, (1,), dtype("U1", 3, "<", None, None, None, 4, 4, 8), False, b"\xff\xff\xff\x7f"),
    ),
    "structures of bools of 255": (
        *(1, (1,)),
        dtype("V1", 3, "|", None, ("a",), {"a": (BOOL, 0)}, 1, 1, 16),
        *(False, b"\xff"),
    ),
    "structures of pointers": (*(1, (1,), dtype("V8", *_POINTERS), False, b"A" * 8),),
    "structures of few objects": (1, (2,), dtype("V8", *_POINTERS), False, [(1,)]),
    "structures of no tuples": (1, (1,), dtype("V8", *_POINTERS), False, [[1]]),
    "structures of long tuples": (1, (1,), dtype("V8", *_POINTERS), False, [(1, 2)]),
    "a subarray": (
        *(1, (1,), dtype("V8", 3, "|", (INT8, (8,)), None, None, 8, 1, 0), False, b"x" * 8),
    ),
    "a million of nothing": (
        1,
        (1 << 60,),
        dtype("S0", 3, "|", None, None, None, 0, 1, 0),
        False,
        b"",
    ),
    "a list": [1, (1,), INT8, False, b"x"],
    "a dict": {"shape": (1,)},
    "None": None,
    "few values": (1, (1,)),
    "many values": (1, (1,), INT8, False, b"x", 1, 2),
    "a late version": (2, (1,), INT8, False, b"x"),
}.items():
    attack(f"an array with {_name}", built(NEW, _state))
    if type(_state) is tuple and len(_state) == 5:
        attack(
            f"a record array with {_name}",
            built(
                called(RECONSTRUCT, name("numpy.rec.recarray"), (0,), b"b"),
                _state,
            ),
        )
        masked = called(
            *("numpy.ma.core._mareconstruct", name("numpy.ma.MaskedArray"), name("numpy.ndarray")),
            *((0,), "b"),
        )
        attack(f"a masked array with {_name}", built(masked, (*_state, b"\0", None)))

_HUNDRED = (1, (100,), INT8, False, b"x" * 100)
attack("an array with two states", put(built(NEW, _HUNDRED), 1) + built(get(1), _HUNDRED))
attack(
    "an array with two states, seen by a buffer",
    put(built(NEW, _HUNDRED), 1)
    + called("numpy._core.numeric._frombuffer", get(1), INT8, (100,), "C")
    + built(get(1), (1, (0,), INT8, False, b"")),
)
attack("an array that has a buffer gets a state",
    built(
        called("numpy._core.numeric._frombuffer", b"x" * 8, FLOAT, (1,), "C"),
        (1, (1,), OBJECT, False, [1]),
    ),
)  # fmt: skip
for _name, _state in {
    "a short mask": (1, (2,), INT8, False, b"xx", b"\0", None),
    "a mask of 255": (1, (1,), INT8, False, b"x", b"\xff", None),
    "a long mask": (1, (1,), INT8, False, b"x", b"\0" * 1000, None),
    "a fill value that is a list": (1, (1,), INT8, False, b"x", b"\0", [1]),
    "a fill value that waits": (1, (1,), INT8, False, b"x", b"\0", NEW),
    "two states": (1, (1,), INT8, False, b"x", b"\0", None),
}.items():
    code = put(masked, 1)
    if _name == "two states":
        code = put(Code(built(code, _state)), 1)
    attack(f"a masked array, {_name}", built(code, _state))
for _name, _args in {
    "a scalar": (name("numpy.float64"), name("numpy.ndarray"), (0,), "b"),
    "a base of text": (name("numpy.ma.MaskedArray"), name("builtins.str"), (0,), "b"),
    "a size": (name("numpy.ma.MaskedArray"), name("numpy.ndarray"), (10**12,), "b"),
    "objects": (name("numpy.ma.MaskedArray"), name("numpy.ndarray"), (0,), "O"),
}.items():
    attack(f"_mareconstruct of {_name}", called("numpy.ma.core._mareconstruct", *_args))

_outer = array(OBJECT, (1,), [get(1)])
attack("deep arrays", put(array(OBJECT, (1,), [1]), 1) + put(_outer, 1) * 20_000)
attack(
    "deep arrays, from outside",
    put(NEW, 1)
    + (get(1) + value((1, (1,), OBJECT, False, [put(NEW, 2)])) + op.BUILD + put(get(2), 1))
    * 20_000,
)
_structure = array(dtype("V8", *_POINTERS), (1,), [(get(1),)])
attack("deep structures", put(array(OBJECT, (1,), [1]), 1) + put(_structure, 1) * 20_000)
_scalar = called(
    "numpy._core.multiarray.scalar",
    *(dtype("V8", *_POINTERS), array(dtype("V8", *_POINTERS), (), [(get(1),)])),
)
attack("deep scalars", put(array(OBJECT, (1,), [1]), 1) + put(_scalar, 1) * 20_000)

for _name, _args in {
    "pointers": (b"A" * 8, OBJECT, (1,), "C"),
    "structures of pointers": (b"A" * 8, dtype("V8", *_POINTERS), (1,), "C"),
    "few bytes": (b"x" * 8, FLOAT, (10**6,), "C"),
    "many bytes": (b"x" * 80, FLOAT, (1,), "C"),
    "a negative length": (b"x" * 8, FLOAT, (-1,), "C"),
    "a length that is none": (b"x" * 8, FLOAT, -1, "C"),
    "another order": (b"x" * 8, FLOAT, (1,), "Q"),
    "axes that are none": (b"x" * 8, FLOAT, (1,), "K", (5,)),
    "axes twice": (b"x" * 8, FLOAT, (1, 1), "K", (0, 0)),
    "a text": ("x" * 8, FLOAT, (1,), "C"),
    "a list": ([1], FLOAT, (1,), "C"),
    "an array": (array(INT8, (8,), b"x" * 8), FLOAT, (1,), "C"),
    "an array that waits": (NEW, FLOAT, (0,), "C"),
    "a name": (name("numpy.float64"), FLOAT, (1,), "C"),
    "a dtype that is a text": (b"x" * 8, "f8", (1,), "C"),
    "nothing": (b"", FLOAT, (1,), "C"),
    "bools of 255": (b"\xff", BOOL, (1,), "C"),
}.items():
    attack(f"a buffer of {_name}", called("numpy._core.numeric._frombuffer", *_args))

for _name, _args in {
    "an object": (OBJECT, [1]),
    "pointers": (OBJECT, b"A" * 8),
    "structures of pointers": (dtype("V8", *_POINTERS), b"A" * 8),
    "structures of another array": (dtype("V8", *_POINTERS), array(FLOAT, (), b"A" * 8)),
    "few bytes": (FLOAT, b"x"),
    "many bytes": (FLOAT, b"x" * 100),
    "nothing": (FLOAT,),
    "a text": ("f8", b"x" * 8),
    "an array": (FLOAT, NEW),
    "a bool of 255": (BOOL, b"\xff"),
}.items():
    attack(f"a scalar of {_name}", called("numpy._core.multiarray.scalar", *_args))
attack(
    "BUILD of a scalar",
    built(called("numpy._core.multiarray.scalar", FLOAT, b"x" * 8), {"attacked": 1}),
)
attack("BUILD of the masked constant", built(called("numpy.ma.core.MaskedConstant"), (1,) * 7))
attack(
    "texts with a missing value that is a list",
    called("numpy._core._internal._convert_to_stringdtype_kwargs", 1, []),
)
attack(
    "texts that are none",
    array(called("numpy._core._internal._convert_to_stringdtype_kwargs", 1), (1,), [1]),
)

# --- random generators

WORDS = array(UINT32, (624,), b"x" * 2496)


def bits(name: str, state: dict[str, object], **others: object) -> dict[str, object]:
    return {"bit_generator": name, "state": state, "has_uint32": 0, "uinteger": 0, **others}


def generator(kind: str) -> Code:
    return called("numpy.random._pickle.__bit_generator_ctor", kind)


_four = array(UINT64, (4,), b"x" * 32)
_two_words = array(UINT64, (2,), b"x" * 16)
for _kind, _name, _state in (
    ("MT19937", "a place far outside", bits("MT19937", {"key": WORDS, "pos": 1 << 20})),
    ("MT19937", "a place before", bits("MT19937", {"key": WORDS, "pos": -1})),
    ("MT19937", "a place that is a text", bits("MT19937", {"key": WORDS, "pos": "x"})),
    ("MT19937", "few words", bits("MT19937", {"key": _four, "pos": 1})),
    ("MT19937", "a list of words", bits("MT19937", {"key": [1] * 624, "pos": 1})),
    ("MT19937", "a name", bits(name("numpy.sin"), {"key": WORDS, "pos": 1})),  # type: ignore[arg-type]
    ("MT19937", "another's state", bits("PCG64", {"state": 1, "inc": 1})),
    ("PCG64", "a large state", bits("PCG64", {"state": 1 << 200, "inc": 1})),
    ("PCG64", "more than its state", bits("PCG64", {"state": 1, "inc": 1}, attacked=1)),
    ("PCG64", "a state that is a list", [1]),
    ("PCG64", "a seed that is a list", (bits("PCG64", {"state": 1, "inc": 1}), [1])),
    (
        *("Philox", "a place far outside"),
        bits("Philox", {"counter": _four, "key": _two_words}, buffer=_four, buffer_pos=1 << 20),
    ),
    (
        *("Philox", "a place before"),
        bits("Philox", {"counter": _four, "key": _two_words}, buffer=_four, buffer_pos=-1),
    ),
    (
        *("Philox", "few words"),
        bits("Philox", {"counter": _two_words, "key": _two_words}, buffer=_four, buffer_pos=0),
    ),
    (
        *("Philox", "a short buffer"),
        bits("Philox", {"counter": _four, "key": _two_words}, buffer=_two_words, buffer_pos=0),
    ),
    ("SFC64", "few words", bits("SFC64", {"state": _two_words})),
    ("SFC64", "two flags", bits("SFC64", {"state": _four}, has_uint32=2)),
):
    attack(f"{_kind} with {_name}", built(generator(_kind), _state))
for _name, _args in {
    "a text": ("os",),
    "a listed class": (name("collections.OrderedDict"),),
    "an instance": ([],),
    "nothing": (),
}.items():
    attack(
        f"a bit generator of {_name}", called("numpy.random._pickle.__bit_generator_ctor", *_args)
    )
    attack(f"a generator of {_name}", called("numpy.random._pickle.__generator_ctor", *_args))
    attack(f"a random state of {_name}", called("numpy.random._pickle.__randomstate_ctor", *_args))
attack(
    "a generator by a function of the pickle",
    called("numpy.random._pickle.__generator_ctor", "MT19937", name("_codecs.encode")),
)
_seed = called(
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    *(name("numpy.random.bit_generator.SeedSequence"), 65708578, None),
)
for _name, _state in {
    "a short pool": (1, 0, array(UINT32, (4,), b"x" * 16), 1 << 15, ()),
    "a pool that is a list": (1, 0, [1, 2, 3, 4], 4, ()),
    "attributes": (1, 0, array(UINT32, (4,), b"x" * 16), 4, (), {"attacked": 1}),
    "a negative size": (1, 0, array(UINT32, (4,), b"x" * 16), -1, ()),
    "a key that is a list": (1, 0, array(UINT32, (4,), b"x" * 16), 4, []),
    "few values": (1,),
}.items():
    attack(f"a seed with {_name}", built(_seed, _state))
attack(
    "a seed of another class",
    called(
        "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
        *(name("collections.OrderedDict"), 65708578, None),
    ),
)

# --- polynomials, which are instances with attributes

_poly = Code(glob("numpy.poly1d") + op.EMPTY_TUPLE + op.NEWOBJ)
for _name, _state in {
    "another attribute": {"attacked": 1},
    "a method": {"deriv": 1},
    "a coefficient that is a list": {"coeffs": [1]},
    "a number as a key": {1: 1},
    "a key that takes for ever": {Code(tree(60)): 1},
}.items():
    attack(f"a polynomial with {_name}", built(_poly, _state))
attack(
    "a polynomial by keywords", glob("numpy.poly1d") + value(()) + value({"c": 1}) + op.NEWOBJ_EX
)
attack("a class of NumPy past its __new__", call(
    glob("copyreg._reconstructor"), glob("numpy.ndarray"), glob("builtins.object"), op.NONE
))  # fmt: skip
attack("a scalar past its __new__", call(
    glob("copyreg._reconstructor"), glob("numpy.float64"), glob("builtins.float"), HARM
))  # fmt: skip

# --- the same parts as they should be, which load: so the attacks are refused for what is wrong

HONEST: dict[str, bytes] = {
    _name: proto(4, _made)
    for _name, _made in {
        "a structure": dtype("V8", 3, "|", None, ("a",), {"a": (FLOAT, 0)}, 8, 1, 16),
        "a structure of objects": dtype("V8", *_POINTERS),
        "a deep dtype": put(FLOAT, 1) + put(dtype("V8", *_one), 1) * 20,
        "a dtype of a unit": (
            dtype("M8", 4, "<", None, None, None, -1, -1, 0, (None, (b"D", 3, 1, 1)))
        ),
        "an array": array(FLOAT, (2, 1), b"x" * 16),
        "an array of objects": array(OBJECT, (2,), [1, "x"]),
        "an array of structures": array(dtype("V8", *_POINTERS), (1,), [(1,)]),
        "a masked array": built(masked, (1, (1,), INT8, False, b"x", b"\1", None)),
        "a buffer": called("numpy._core.numeric._frombuffer", b"x" * 8, FLOAT, (1, 1), "K", (1, 0)),
        "a scalar": called("numpy._core.multiarray.scalar", FLOAT, b"x" * 8),
        "MT19937": built(generator("MT19937"), bits("MT19937", {"key": WORDS, "pos": 624})),
        "Philox": built(
            generator("Philox"),
            bits("Philox", {"counter": _four, "key": _two_words}, buffer=_four, buffer_pos=4),
        ),
        "SFC64": built(generator("SFC64"), bits("SFC64", {"state": _four})),
        "a seed": built(_seed, (1, 0, array(UINT32, (4,), b"x" * 16), 4, (1,))),
        "a polynomial": built(_poly, {"coeffs": array(FLOAT, (1,), b"x" * 8)}),
    }.items()
}
