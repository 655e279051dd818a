"""Attacks by what the pickles of pandas consist of, which `Policy.pandas()` refuses each.

Where nothing stops them, compiled code reads where a hostile state says, files are opened, or
functions that run code are reached.
"""

from __future__ import annotations

from importlib.util import find_spec

from quickpickle.format import opcodes as op

from .attacks import HARM, STATE, proto, text
from .attacks_numpy import (
    BOOL,
    FLOAT,
    INT8,
    NEW,
    OBJECT,
    Code,
    array,
    built,
    called,
    dtype,
    get,
    name,
    put,
    value,
)

ATTACKS: dict[str, bytes] = {}
HAS_PYTZ = find_spec("pytz") is not None  # pandas 3 does without


def attack(name: str, *parts: bytes, version: int = 4) -> None:
    assert name not in ATTACKS, name
    ATTACKS[name] = proto(version, *parts)


def new(full: str) -> Code:
    return Code(name(full) + op.EMPTY_TUPLE + op.NEWOBJ)


def state(full: str, given: object) -> Code:
    """An instance that NEWOBJ makes, with a state."""
    return built(new(full), given)


INT64 = dtype("i8", 3, "<", None, None, None, -1, -1, 0)
TIMES = dtype("M8", 4, "<", None, None, None, -1, -1, 0, (None, (b"ns", 1, 1, 1)))
SPANS = dtype("m8", 4, "<", None, None, None, -1, -1, 0, (None, (b"ns", 1, 1, 1)))


def ints(*numbers: int) -> Code:
    data = b"".join(number.to_bytes(8, "little", signed=True) for number in numbers)
    return array(INT64, (len(numbers),), data)


def frame_of(*numbers: int) -> Code:
    data = b"".join(number.to_bytes(8, "little", signed=True) for number in numbers)
    return array(INT64, (1, len(numbers)), data)


def whole(length: int) -> Code:
    """RangeIndex(length)"""
    given = {"name": None, "start": 0, "stop": length, "step": 1}
    return called("pandas.core.indexes.base._new_Index", name("pandas.RangeIndex"), given)


def index(given: object, label: object = None) -> Code:
    return called(
        "pandas.core.indexes.base._new_Index",
        *(name("pandas.Index"), {"data": given, "name": label}),
    )


def span(*parts: int | None) -> Code:
    return called("builtins.slice", *parts)


def block(values: object, places: object, dimensions: object = 2) -> Code:
    return called("pandas._libs.internals._unpickle_block", values, places, dimensions)


def manager(blocks: object, axes: object) -> Code:
    return called("pandas.core.internals.managers.BlockManager", blocks, axes)


def single(axes: object, blocks: object) -> Code:
    inner = {"0.14.1": {"axes": axes, "blocks": blocks}}
    return state("pandas.core.internals.managers.SingleBlockManager", ([], [], [], inner))


def backed(kind: str, *given: object) -> Code:
    return built(
        called(
            "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
            *(name(f"pandas.{kind}"), 82904607, None),
        ),
        given,
    )


# --- functions of pandas that run code, read files, or take what they are given for code

for _name, _args in {
    "pandas.eval": ("__import__('os').system('x')",),
    "pandas.core.computation.eval.eval": ("1",),
    "pandas.core.computation.expr.Expr": ("1",),
    "pandas.core.computation.ops.Term": (),
    "pandas.core.computation.scope.Scope": (1,),
    "pandas.io.pickle.read_pickle": ("/tmp/attack",),
    "pandas.read_pickle": ("http://localhost/attack",),
    "pandas.read_csv": ("/etc/passwd",),
    "pandas.read_html": ("http://localhost",),
    "pandas.read_sql": (HARM, None),
    "pandas.read_hdf": ("/tmp/attack",),
    "pandas.read_clipboard": (),
    "pandas.HDFStore": ("/tmp/attack",),
    "pandas.ExcelFile": ("/tmp/attack",),
    "pandas.io.common.get_handle": ("/tmp/attack", "w"),
    "pandas.io.formats.style.Styler.from_custom_template": ("/tmp", "x"),
    "pandas.DataFrame": ({},),
    "pandas.DataFrame.eval": (),
    "pandas.DataFrame.apply": (),
    "pandas.DataFrame.pipe": (),
    "pandas.DataFrame.to_pickle": (),
    "pandas.Series": ([1],),
    "pandas.Index": ([1],),
    "pandas.RangeIndex": (10**12,),
    "pandas.MultiIndex": ([], []),
    "pandas.Categorical": ([1],),
    "pandas.Timestamp": ("2020",),
    "pandas.Timedelta": ("1s",),
    "pandas.date_range": ("2000", "2100", None, "ns"),
    "pandas.interval_range": (0, 10**9),
    "pandas.set_option": ("plotting.backend", "antigravity"),
    "pandas.plotting._core._get_plot_backend": ("antigravity",),
    "pandas._config.config.set_option": ("plotting.backend", "antigravity"),
    "pandas.compat._optional.import_optional_dependency": ("antigravity",),
    "pandas.compat.pickle_compat.load": (),
    "pandas.compat.pickle_compat.Unpickler": (),
    "pandas.core.dtypes.common.pandas_dtype": ("x",),
    "pandas.util._decorators.doc": (),
    "pandas._testing.set_locale": (),
    "pandas._libs.lib.map_infer": (),
    "pandas._libs.tslibs.offsets.to_offset": ("1D",),
    "pandas._libs.tslibs.offsets.BaseOffset": (1,),
    "pandas._libs.tslibs.offsets._get_offset": ("x",),
    "pandas._libs.internals.BlockPlacement": (1,),
    "pandas._libs.internals.BlockValuesRefs": (),
    "pandas._libs.hashtable.Int64HashTable": (10**10,),
    "pandas._libs.index.IndexEngine": (),
    "pandas.api.extensions.register_dataframe_accessor": ("x",),
    "pandas.arrays.ArrowExtensionArray": (),
    "pandas.ArrowDtype": (),
    "numexpr.evaluate": ("__import__('os')",),
    "pyarrow.lib.memory_map": ("/tmp/attack",),
    "pyarrow.lib.OSFile": ("/tmp/attack", "w"),
    "pyarrow.lib.allocate_buffer": (10**12,),
    "pyarrow.lib.foreign_buffer": (1, 1000),
    "pyarrow.lib.Array": (),
    "pyarrow.lib.Array._import_from_c": (1, 2),
    "pyarrow.lib.set_io_thread_count": (1,),
    "pyarrow.lib.deserialize": (),
    "pyarrow.lib.PyExtensionType": (),
    "pyarrow.lib._restore_buffer": (),
    "pyarrow.types.lib.py_buffer": (b"x",),
    "pytz.timezone": ("../../x",),
    "pytz.open_resource": ("../../x",),
    "pytz.tzfile.build_tzinfo": (),
    "dateutil.tz.tzfile": ("/etc/passwd",),
    "dateutil.tz.tz.tzfile": ("/etc/passwd",),
    "dateutil.tz.gettz": ("/etc/passwd",),
    "dateutil.tz.tz.tzrange": ("x",),
    "dateutil.tz._tzfile._unpickle": (),
    "dateutil.zoneinfo.ZoneInfoFile": (),
    "zoneinfo.ZoneInfo": ("Europe/Berlin",),
    "zoneinfo.ZoneInfo.from_file": (),
    "zoneinfo.reset_tzpath": (["/tmp"],),
}.items():
    attack(f"REDUCE {_name}", called(_name, *_args))
    attack(f"NEWOBJ {_name}", name(_name) + value(_args) + op.NEWOBJ)
    attack(f"OBJ {_name}", op.MARK + name(_name) + b"".join(map(value, _args)) + op.OBJ)
for _name in (
    *("pandas.DataFrame", "pandas.Index", "pandas.NA", "pandas.Timestamp", "pandas.DateOffset"),
    *("pandas.core.indexes.base._new_Index", "pandas.core.internals.managers.BlockManager"),
    *("pandas._libs.tslibs.offsets.Day", "pandas.CategoricalDtype", "pandas.arrays.DatetimeArray"),
    *("zoneinfo.ZoneInfo", "pyarrow.lib.py_buffer"),
):
    attack(f"BUILD of {_name}", name(_name) + STATE + op.BUILD)
    attack(f"BUILD of {_name}, slots", name(_name) + op.NONE + STATE + op.TUPLE2 + op.BUILD)
    attack(f"SETITEM of {_name}", name(_name) + text("x") + op.NONE + op.SETITEM)
for _name, _made in {
    "an index": whole(3),
    "an offset": called("pandas._libs.tslibs.offsets.Day", 1, False),
    "a period": called(
        "pandas.Period", None, called("pandas._libs.tslibs.offsets.Day", 1, False), 5
    ),
    "an interval": called("pandas.Interval", 0, 1, "left"),
    "a block": block(frame_of(1, 2), span(0, 1, 1)),
    "a zone": called("zoneinfo:ZoneInfo._unpickle", "UTC", 1),
    "not a time": called("pandas._libs.tslibs.nattype._nat_unpickle", None),
    "a dtype of periods": called("pandas.PeriodDtype", "period[M]"),
    "a dtype of texts": called("pandas.StringDtype", "python", name("pandas.NA")),
}.items():
    attack(f"BUILD of {_name}", _made + STATE + op.BUILD)
    attack(f"SETITEM of {_name}", _made + text("x") + op.NONE + op.SETITEM)
    attack(f"APPEND to {_name}", _made + op.NONE + op.APPEND)

# --- zones: names that lead to other files

for _name, _key in {
    "a path upwards": "../../../etc/passwd",
    "a path from the root": "/etc/passwd",
    "a path of Windows": "..\\..\\x",
    "a drive": "C:/x",
    "a dot": ".",
    "two dots in the middle": "Europe/../../x",
    "two slashes": "Europe//Berlin",
    "a null byte": "UTC\0",
    "nothing": "",
    "a module": "tzdata.zoneinfo",
    "a long text": "a/" * 500,
    "bytes": b"UTC",
    "a number": 5,
    "a name": name("numpy.sin"),
}.items():
    attack(f"a zone of {_name}", called("zoneinfo:ZoneInfo._unpickle", _key, 1))
    attack(f"a zone of {_name}, not cached", called("zoneinfo:ZoneInfo._unpickle", _key, 0))
    if HAS_PYTZ:
        attack(f"a zone of pytz of {_name}", called("pytz._p", _key, 3600, 0, "CET"))
attack("a zone by getattr", called("builtins.getattr", name("zoneinfo.ZoneInfo"), "from_file"))
if HAS_PYTZ:
    attack("an offset of pytz of days", called("pytz.FixedOffset", 10**9))
attack("an offset of dateutil of text", called("dateutil.tz.tz.tzoffset", "x", "y"))

# --- scalars

for _name, _made in {
    "a timestamp of text": ("pandas._libs.tslibs.timestamps._unpickle_timestamp", HARM, None, None),
    "a large timestamp": (
        *("pandas._libs.tslibs.timestamps._unpickle_timestamp", 1 << 70, None, None, 10),
    ),
    "a timestamp of no unit": (
        *("pandas._libs.tslibs.timestamps._unpickle_timestamp", 1, None, None, 99),
    ),
    "a timestamp in a zone of text": (
        *("pandas._libs.tslibs.timestamps._unpickle_timestamp", 1, None, "/etc/passwd", 10),
    ),
    "a timestamp in a zone of a class": (
        *("pandas._libs.tslibs.timestamps._unpickle_timestamp", 1, None, name("numpy.sin"), 10),
    ),
    "a timestamp with a list": (
        *("pandas._libs.tslibs.timestamps._unpickle_timestamp", 1, [], None, 10),
    ),
    "a timedelta of text": ("pandas._libs.tslibs.timedeltas._timedelta_unpickle", "1s", 10),
    "a timedelta of no unit": ("pandas._libs.tslibs.timedeltas._timedelta_unpickle", 1, -1),
    "a period of text": ("pandas.Period", "2020", "M", 1),
    "a period of a class": ("pandas.Period", None, name("numpy.sin"), 1),
    "a period of a long text": ("pandas.Period", None, "1" * 1000, 1),
    "a large period": ("pandas.Period", None, "D", 1 << 70),
    "an interval of lists": ("pandas.Interval", [], [], "left"),
    "an interval of another side": ("pandas.Interval", 0, 1, "x"),
    "an offset of text": ("pandas._libs.tslibs.offsets.Day", "1", False),
    "a large offset": ("pandas._libs.tslibs.offsets.Day", 1 << 40, False),
    "an offset of a list": ("pandas._libs.tslibs.offsets.Week", 1, False, []),
    "an offset of a large day": ("pandas._libs.tslibs.offsets.Week", 1, False, 10**9),
    "an offset with a calendar": (
        *("pandas._libs.tslibs.offsets.CustomBusinessDay", 1, False, "Mon", (), name("numpy.sin")),
    ),
    "an offset with holidays of text": (
        *("pandas._libs.tslibs.offsets.CustomBusinessDay", 1, False, "Mon", ("x",), None),
    ),
    "not a time of text": ("pandas._libs.tslibs.nattype._nat_unpickle", "x"),
    "a dtype of periods of text": ("pandas.PeriodDtype", "x" * 1000),
    "a dtype of texts elsewhere": ("pandas.StringDtype", "x", None),
    "a dtype of texts with a list": ("pandas.StringDtype", "python", []),
}.items():
    attack(_name, called(*_made))  # type: ignore[arg-type]
for _name, _given in {
    "a function": {"n": 1, "normalize": False, "_offset": name("numpy.sin")},
    "a list": {"n": 1, "normalize": False, "months": []},
    "a method": {"n": 1, "normalize": False, "__call__": 1},
    "another attribute": {"n": 1, "normalize": False, "attacked": 1},
    "no number": {"normalize": False},
    "a large number": {"n": 1 << 70, "normalize": False},
}.items():
    attack(f"a DateOffset with {_name}", built(called("pandas.DateOffset"), _given))
attack(
    "a relativedelta with a function",
    state("dateutil.relativedelta.relativedelta", {"months": name("numpy.sin")}),
)
attack("a weekday far away", state("dateutil._common.weekday", (None, {"weekday": 99, "n": 1})))

# --- categories

CATEGORIES = state("pandas.CategoricalDtype", {"categories": whole(2), "ordered": False})


def codes(*numbers: int) -> Code:
    return array(INT8, (len(numbers),), bytes(number % 256 for number in numbers))


for _name, _given in {
    "a code too large": (CATEGORIES, codes(0, 2)),
    "a code far too large": (CATEGORIES, ints(1 << 40)),
    "a code too small": (CATEGORIES, codes(-2)),
    "a code far too small": (CATEGORIES, ints(-(1 << 40))),
    "codes of float": (CATEGORIES, array(FLOAT, (1,), b"\0" * 8)),
    "codes of objects": (CATEGORIES, array(OBJECT, (1,), [0])),
    "codes that wait": (CATEGORIES, NEW),
    "codes that are a list": (CATEGORIES, [0]),
    "a dtype that waits": (new("pandas.CategoricalDtype"), codes(0)),
    "no categories": (state("pandas.CategoricalDtype", {"categories": None}), codes(0)),
    "another dtype": (FLOAT, codes(0)),
    "other attributes": (CATEGORIES, codes(0), {"attacked": 1}),
    "attributes that are a list": (CATEGORIES, codes(0), []),
    "one value": (CATEGORIES,),
}.items():
    attack(f"a Categorical with {_name}", backed("Categorical", *_given))
attack("a Categorical with a dict", built(Code(backed("Categorical", CATEGORIES, codes(0))), {}))
attack(
    "codes that change when they are used",
    put(NEW, 1)
    + backed("Categorical", CATEGORIES, get(1))
    + built(get(1), (1, (1,), INT8, False, b"\x7f")),
)
attack(
    "categories that change when they are used",
    put(CATEGORIES, 1)
    + backed("Categorical", get(1), codes(1))
    + built(get(1), {"categories": whole(0), "ordered": False}),
)
for _name, _given in {
    "a list": {"categories": [1, 2], "ordered": False},
    "an array": {"categories": codes(1), "ordered": False},
    "a name": {"categories": name("pandas.Index"), "ordered": False},
    "another attribute": {"categories": whole(2), "ordered": False, "attacked": 1},
    "a text as the order": {"categories": whole(2), "ordered": "x"},
}.items():
    attack(f"categories of {_name}", state("pandas.CategoricalDtype", _given))

# --- arrays

_utc = called("zoneinfo:ZoneInfo._unpickle", "UTC", 1)
_times = array(TIMES, (1,), b"\0" * 8)
_mask = array(BOOL, (1,), b"\0")
_strings = called("pandas.StringDtype", "python", name("pandas.NA"))
_periods = called("pandas.PeriodDtype", "period[M]")
for _kind, _name, _given in (
    ("arrays.DatetimeArray", "ints", (TIMES, ints(1))),
    ("arrays.DatetimeArray", "objects", (TIMES, array(OBJECT, (1,), [1]))),
    ("arrays.DatetimeArray", "another dtype", (SPANS, _times)),
    (
        *("arrays.DatetimeArray", "another unit"),
        (state("pandas.DatetimeTZDtype", {"unit": "s", "tz": _utc}), _times),
    ),
    ("arrays.DatetimeArray", "a frequency of text", (TIMES, _times, {"_freq": "D"})),
    ("arrays.DatetimeArray", "three dimensions", (TIMES, array(TIMES, (1, 1, 1), b"\0" * 8))),
    ("arrays.TimedeltaArray", "datetimes", (SPANS, _times)),
    ("arrays.PeriodArray", "bytes", (_periods, codes(1))),
    ("arrays.PeriodArray", "another dtype", (INT64, ints(1))),
    ("arrays.StringArray", "numbers", (_strings, array(OBJECT, (1,), [1]))),
    ("arrays.StringArray", "lists", (_strings, array(OBJECT, (1,), [[]]))),
    ("arrays.StringArray", "ints", (_strings, ints(1))),
    ("arrays.NumpyExtensionArray", "another dtype", (FLOAT, ints(1))),
):
    attack(f"{_kind} of {_name}", backed(_kind, *_given))
for _kind, _name, _given in (
    ("IntegerArray", "a short mask", {"_data": ints(1, 2, 3), "_mask": _mask}),
    ("IntegerArray", "a mask of ints", {"_data": ints(1), "_mask": ints(1)}),
    ("IntegerArray", "floats", {"_data": array(FLOAT, (1,), b"\0" * 8), "_mask": _mask}),
    ("IntegerArray", "objects", {"_data": array(OBJECT, (1,), [1]), "_mask": _mask}),
    ("IntegerArray", "a method", {"_data": ints(1), "_mask": _mask, "take": name("numpy.sin")}),
    ("IntegerArray", "no mask", {"_data": ints(1)}),
    ("FloatingArray", "ints", {"_data": ints(1), "_mask": _mask}),
    ("BooleanArray", "ints", {"_data": ints(1), "_mask": _mask}),
):
    attack(f"{_kind} of {_name}", state(f"pandas.arrays.{_kind}", _given))
_sparse = state("pandas.SparseDtype", {"_dtype": INT64, "_fill_value": 0})


def int32s(*numbers: int) -> Code:
    data = b"".join(number.to_bytes(4, "little", signed=True) for number in numbers)
    return array(dtype("i4", 3, "<", None, None, None, -1, -1, 0), (len(numbers),), data)


for _name, _made in {
    "few values": (called("pandas._libs.sparse.IntIndex", 3, int32s(0, 1)), ints(1)),
    "another dtype": (called("pandas._libs.sparse.IntIndex", 3, int32s(0)), codes(1)),
    "places that are a list": ([0], ints(1)),
}.items():
    _given = {"_sparse_index": _made[0], "_sparse_values": _made[1], "_dtype": _sparse}
    attack(f"SparseArray with {_name}", state("pandas.arrays.SparseArray", _given))
for _name, _args in {
    "a large length": (1 << 40, int32s(0)),
    "a negative length": (-1, int32s(0)),
    "no check": (3, int32s(9), False),
    "a list": (3, [0]),
    "objects": (3, array(OBJECT, (1,), [1])),
}.items():
    attack(f"IntIndex of {_name}", called("pandas._libs.sparse.IntIndex", *_args))
for _name, _args in {
    "a place outside": (3, int32s(2), int32s(9)),
    "a place before": (3, int32s(-1), int32s(1)),
    "places that overlap": (9, int32s(0, 1), int32s(3, 3)),
    "a length of none": (9, int32s(0), int32s(0)),
    "few lengths": (9, int32s(0, 4), int32s(1)),
    "a sum that overflows": (9, int32s((1 << 31) - 1), int32s((1 << 31) - 1)),
}.items():
    attack(f"BlockIndex of {_name}", called("pandas._libs.sparse.BlockIndex", *_args))
_sides = state("pandas.IntervalDtype", {"subtype": INT64, "closed": "left"})
for _name, _given in {
    "a short side": {"_left": ints(1, 2), "_right": ints(1), "_dtype": _sides},
    "a side of objects": {
        "_left": array(OBJECT, (1,), [1]),
        "_right": array(OBJECT, (1,), [1]),
        "_dtype": _sides,
    },
    "two kinds": {"_left": ints(1), "_right": array(FLOAT, (1,), b"\0" * 8), "_dtype": _sides},
    "another dtype": {"_left": codes(1), "_right": codes(1), "_dtype": _sides},
    "another attribute": {"_left": ints(1), "_right": ints(1), "_dtype": _sides, "attacked": 1},
}.items():
    attack(
        f"IntervalArray with {_name}",
        built(
            called(
                "pandas._libs.interval.__pyx_unpickle_IntervalMixin",
                *(name("pandas.arrays.IntervalArray"), 238750788, None),
            ),
            (_given,),
        ),
    )
for _name, _args in {
    "another class": (name("pandas.DataFrame"), 82904607, None),
    "a state": (name("pandas.Categorical"), 82904607, (CATEGORIES, codes(9))),
    "a list": ([], 82904607, None),
    "a Python class": (name("collections.OrderedDict"), 82904607, None),
}.items():
    attack(
        f"an array made of {_name}",
        called("pandas._libs.arrays.__pyx_unpickle_NDArrayBacked", *_args),
    )

# --- texts of Arrow

KIND = called("pyarrow.lib.type_for_alias", "large_string")


def buffer(data: bytes) -> Code:
    return called("pyarrow.lib.py_buffer", data)


def offsets(*numbers: int) -> Code:
    return buffer(b"".join(number.to_bytes(8, "little", signed=True) for number in numbers))


def arrow(*given: object) -> Code:
    return called("pyarrow.lib._restore_array", given)


for _name, _given in {
    "an offset outside": (KIND, 1, 0, 0, [None, offsets(0, 1 << 40), buffer(b"x")], [], None),
    "an offset before": (KIND, 1, 0, 0, [None, offsets(-(1 << 40), 1), buffer(b"x")], [], None),
    "offsets that fall": (KIND, 2, 0, 0, [None, offsets(0, 5, 1), buffer(b"x" * 5)], [], None),
    "few offsets": (KIND, 9, 0, 0, [None, offsets(0, 1), buffer(b"x")], [], None),
    "no offsets": (KIND, 1, 0, 0, [None, None, buffer(b"x")], [], None),
    "no texts": (KIND, 1, 0, 0, [None, offsets(0, 1), None], [], None),
    "few bits": (KIND, 9, 1, 0, [buffer(b""), offsets(*range(10)), buffer(b"x" * 9)], [], None),
    "no bits": (KIND, 1, 1, 0, [None, offsets(0, 1), buffer(b"x")], [], None),
    "a place outside": (KIND, 1, 0, 1 << 30, [None, offsets(0, 1), buffer(b"x")], [], None),
    "a place before": (KIND, 1, 0, -1, [None, offsets(0, 1), buffer(b"x")], [], None),
    "a large length": (KIND, 1 << 50, 0, 0, [None, offsets(0, 1), buffer(b"x")], [], None),
    "a negative length": (KIND, -1, 0, 0, [None, offsets(0, 1), buffer(b"x")], [], None),
    "many missing": (KIND, 1, 9, 0, [buffer(b"\1"), offsets(0, 1), buffer(b"x")], [], None),
    "bytes that are no texts": (KIND, 1, 0, 0, [None, offsets(0, 1), buffer(b"\xff")], [], None),
    "no buffers": (KIND, 1, 0, 0, [], [], None),
    "two buffers": (KIND, 1, 0, 0, [None, offsets(0, 1)], [], None),
    "four buffers": (KIND, 1, 0, 0, [None, offsets(0, 1), buffer(b"x"), None], [], None),
    "bytes as buffers": (KIND, 1, 0, 0, [None, b"\0" * 16, b"x"], [], None),
    "an array in it": (
        *(KIND, 0, 0, 0, [None, None, None]),
        *([arrow(KIND, 0, 0, 0, [None, None, None], [], None)], None),
    ),
    "a dictionary": (
        *(KIND, 0, 0, 0, [None, None, None], []),
        arrow(KIND, 0, 0, 0, [None, None, None], [], None),
    ),
    "a type of text": ("large_string", 0, 0, 0, [None, None, None], [], None),
    "a type that is a class": (name("pandas.Index"), 0, 0, 0, [None, None, None], [], None),
    "few values": (KIND, 0, 0),
}.items():
    attack(f"an array of Arrow with {_name}", arrow(*_given))
for _name in ("int64", "list", "null", "binary", "dictionary", "large_string[", "x"):
    attack(f"a type of Arrow, {_name}", called("pyarrow.lib.type_for_alias", _name))
attack("a buffer of Arrow of an array", called("pyarrow.lib.py_buffer", ints(1)))
attack("a buffer of Arrow of a text", called("pyarrow.lib.py_buffer", "x"))
attack("a buffer of Arrow of a name", called("pyarrow.lib.py_buffer", name("numpy.sin")))
attack("chunks of Arrow of lists", called("pyarrow.lib.chunked_array", [[1]], KIND))
attack("chunks of Arrow of another type", called("pyarrow.lib.chunked_array", [], "int64"))
_arrow_dtype = called("pandas.StringDtype", "pyarrow", name("pandas.NA"))
for _name, _given in {
    "a list": {"_pa_array": ["x"], "_dtype": _arrow_dtype},
    "another dtype": {"_pa_array": arrow(KIND, 0, 0, 0, [None] * 3, [], None), "_dtype": _strings},
    "a type": {"_pa_array": KIND, "_dtype": _arrow_dtype},
}.items():
    attack(f"ArrowStringArray of {_name}", state("pandas.arrays.ArrowStringArray", _given))

# --- indexes

for _name, _given in {
    "a long range": {"name": None, "start": 0, "stop": 1 << 62, "step": 1},
    "a range of no step": {"name": None, "start": 0, "stop": 5, "step": 0},
    "a range of texts": {"name": None, "start": "0", "stop": 5, "step": 1},
    "a range of large numbers": {"name": None, "start": 0, "stop": 1 << 100, "step": 1 << 90},
    "a range with more": {"name": None, "start": 0, "stop": 1, "step": 1, "attacked": 1},
    "a range with a list as its name": {"name": [], "start": 0, "stop": 1, "step": 1},
}.items():
    attack(
        f"an index of {_name}",
        called("pandas.core.indexes.base._new_Index", name("pandas.RangeIndex"), _given),
    )
for _name, _given in {
    "a list": {"data": [1], "name": None},
    "a range": {"data": called("builtins.range", 0, 10**12, 1), "name": None},
    "an array that waits": {"data": NEW, "name": None},
    "a structure": {"data": array(dtype("V8", 3, "|", None, None, None, 8, 1, 0), (1,), b"x" * 8)},
    "two dimensions": {"data": frame_of(1, 2), "name": None},
    "an index": {"data": whole(3), "name": None},
    "another dtype": {"data": ints(1), "name": None, "dtype": "object"},
    "a key more": {"data": ints(1), "name": None, "attacked": 1},
    "no name": {"data": ints(1)},
    "a list as its name": {"data": ints(1), "name": []},
    "a function as its name": {"data": ints(1), "name": name("numpy.sin")},
    "a dict as its name": {"data": ints(1), "name": {}},
}.items():
    attack(
        f"an Index of {_name}",
        called("pandas.core.indexes.base._new_Index", name("pandas.Index"), _given),
    )
for _name, _args in {
    "another class": (name("pandas.DataFrame"), {"data": None}),
    "a Python class": (name("collections.OrderedDict"), {}),
    "a list": (name("pandas.Index"), []),
    "a dict of numbers": (name("pandas.Index"), {1: 2}),
    "a class in text": ("pandas.Index", {}),
    "datetimes": (name("pandas.DatetimeIndex"), {"data": ints(1), "name": None}),
    "intervals": (name("pandas.IntervalIndex"), {"data": ints(1), "name": None}),
    "periods of ints": (name("pandas.PeriodIndex"), {"data": ints(1), "name": None}),
    "categories of ints": (name("pandas.CategoricalIndex"), {"data": ints(1), "name": None}),
}.items():
    attack(f"_new_Index of {_name}", called("pandas.core.indexes.base._new_Index", *_args))
_two_levels = {"levels": [whole(2)], "codes": [codes(0, 1)], "sortorder": None, "names": [None]}
for _name, _changed in {
    "a code too large": {"codes": [codes(0, 2)]},
    "a code far too large": {"codes": [ints(1 << 40)]},
    "a code too small": {"codes": [codes(-2)]},
    "codes that are a list": {"codes": [[0]]},
    "codes that wait": {"codes": [NEW]},
    "few codes": {"codes": []},
    "two lengths": {
        "levels": [whole(2), whole(2)],
        "codes": [codes(0, 1), codes(0)],
        "names": [None, None],
    },
    "a level that is a list": {"levels": [[1]]},
    "few names": {"names": []},
    "a name that is a list": {"names": [[]]},
    "an order that is a text": {"sortorder": "x"},
    "a large order": {"sortorder": 99},
    "a key more": {"verify_integrity": False},
    "nothing": {"levels": [], "codes": [], "names": []},
}.items():
    attack(
        f"a MultiIndex with {_name}",
        called(
            "pandas.core.indexes.base._new_Index",
            *(name("pandas.MultiIndex"), {**_two_levels, **_changed}),
        ),
    )
for _kind, _cls, _data in (
    (
        "datetimes._new_DatetimeIndex",
        "DatetimeIndex",
        backed("arrays.DatetimeArray", TIMES, _times),
    ),
    (
        *("timedeltas._new_TimedeltaIndex", "TimedeltaIndex"),
        backed("arrays.TimedeltaArray", SPANS, array(SPANS, (1,), b"\0" * 8)),
    ),
):
    for _name, _args in {
        "ints": (name(f"pandas.{_cls}"), {"data": ints(1), "name": None, "freq": None}),
        "a list": (name(f"pandas.{_cls}"), {"data": [1], "name": None, "freq": None}),
        "a frequency of text": (name(f"pandas.{_cls}"), {"data": _data, "name": None, "freq": "D"}),
        "a zone of text": (name(f"pandas.{_cls}"), {"data": _data, "name": None, "tz": "x"}),
        "another class": (name("pandas.Index"), {"data": _data, "name": None}),
        "a key more": (name(f"pandas.{_cls}"), {"data": _data, "name": None, "attacked": 1}),
        "no data": (name(f"pandas.{_cls}"), {"name": None}),
    }.items():
        attack(f"{_kind} of {_name}", called(f"pandas.core.indexes.{_kind}", *_args))
for _name, _given in {
    "a short side": {"left": whole(3), "right": whole(2), "closed": "left", "name": None},
    "a list": {"left": [1], "right": [2], "closed": "left", "name": None},
    "another side": {"left": whole(1), "right": whole(1), "closed": "x", "name": None},
    "a key more": {"left": whole(1), "right": whole(1), "closed": "left", "name": 1, "dtype": "x"},
}.items():
    attack(
        f"an IntervalIndex of {_name}",
        called(
            "pandas.core.indexes.interval._new_IntervalIndex", name("pandas.IntervalIndex"), _given
        ),
    )

# --- blocks and frames

_one = frame_of(1, 2)
for _name, _made in {
    "a place outside": (_one, span(0, 1 << 50, 1)),
    "a negative place": (_one, span(-5, 0, 1)),
    "a step of none": (_one, span(0, 1, 0)),
    "a negative step": (_one, span(1, 0, -1)),
    "an endless place": (_one, span(0, None, 1)),
    "places of text": (_one, "x"),
    "a list of places": (_one, [0]),
    "negative places": (_one, ints(-1)),
    "places that wait": (_one, NEW),
    "places of float": (_one, array(FLOAT, (1,), b"\0" * 8)),
    "two places": (_one, span(0, 2, 1)),
    "one dimension": (ints(1, 2), span(0, 1, 1)),
    "three dimensions": (array(INT8, (1, 1, 1), b"x"), span(0, 1, 1)),
    "dimensions of 99": (_one, span(0, 1, 1), 99),
    "dimensions of text": (_one, span(0, 1, 1), "2"),
    "a list": ([1], span(0, 1, 1)),
    "values that wait": (NEW, span(0, 1, 1)),
    "an array that waits": (new("pandas.arrays.IntegerArray"), span(0, 1, 1)),
    "a structure": (
        array(dtype("V8", 3, "|", None, None, None, 8, 1, 0), (1, 1), b"x" * 8),
        span(0, 1, 1),
    ),
}.items():
    attack(f"a block with {_name}", block(*_made))  # type: ignore[arg-type]
_block = block(_one, span(0, 1, 1))
for _name, _made in {
    "few rows": ((_block,), [whole(5), whole(2)]),
    "no rows": ((_block,), [whole(0), whole(2)]),
    "few columns": ((_block,), [whole(1), whole(100)]),
    "two blocks in one place": ((_block, _block), [whole(2), whole(2)]),
    "a block far outside": ((block(_one, span(7, 8, 1)),), [whole(1), whole(2)]),
    "one axis": ((_block,), [whole(1)]),
    "axes of lists": ((_block,), [[1], [2]]),
    "axes of arrays": ((_block,), [ints(1), ints(1, 2)]),
    "a list of blocks": ([_block], [whole(1), whole(2)]),
    "blocks of arrays": ((_one,), [whole(1), whole(2)]),
    "a block of one dimension": ((block(ints(1), span(0, 1, 1), 1),), [whole(1), whole(1)]),
    "many places": ((block(_one, ints(1 << 40)),), [whole(1), whole(2)]),
}.items():
    attack(f"a frame with {_name}", manager(*_made))
attack(
    "a manager without a check",
    called("pandas.core.internals.managers.BlockManager", (), [whole(5), whole(5)], False),
)
_values = {"values": ints(1, 2), "mgr_locs": span(0, 2, 1)}
for _name, _made in {
    "few values": ([whole(9)], [_values]),
    "many values": ([whole(1)], [_values]),
    "a place outside": ([whole(2)], [{**_values, "mgr_locs": span(5, 7, 1)}]),
    "places that are none": ([whole(2)], [{**_values, "mgr_locs": ints(7, 9)}]),
    "two blocks": ([whole(2)], [_values, _values]),
    "no block": ([whole(2)], []),
    "a list": ([whole(2)], [{**_values, "values": [1, 2]}]),
    "values that wait": ([whole(0)], [{"values": NEW, "mgr_locs": span(0, 0, 1)}]),
    "two axes": ([whole(2), whole(2)], [_values]),
    "an axis of text": (["x"], [_values]),
    "a key more": ([whole(2)], [{**_values, "attacked": 1}]),
}.items():
    attack(f"a series with {_name}", single(*_made))
_manager = single([whole(2)], [_values])
_frame_manager = manager((_block,), [whole(1), whole(2)])
_flags = {"allows_duplicate_labels": True}
for _kind, _name, _given in (
    ("Series", "another manager", {"_mgr": _frame_manager, "_typ": "series"}),
    ("Series", "no manager", {"_typ": "series"}),
    ("Series", "a manager that waits", {
        "_mgr": new("pandas.core.internals.managers.SingleBlockManager"), "_typ": "series"
    }),
    ("Series", "a list as its manager", {"_mgr": [], "_typ": "series"}),
    ("Series", "a method", {"_mgr": _manager, "_typ": "series", "sum": name("numpy.sin")}),
    ("Series", "a class", {"_mgr": _manager, "_typ": "series", "__class__": name("pandas.Index")}),
    ("Series", "other metadata", {"_mgr": _manager, "_typ": "series", "_metadata": ["__class__"]}),
    ("Series", "flags", {"_mgr": _manager, "_typ": "series", "_flags": {"attacked": 1}}),
    ("Series", "flags of text", {
        "_mgr": _manager, "_typ": "series", "_flags": {"allows_duplicate_labels": "x"}
    }),
    ("Series", "another type", {"_mgr": _manager, "_typ": "dataframe"}),
    ("Series", "a list as its name", {"_mgr": _manager, "_typ": "series", "_name": []}),
    ("Series", "attributes of text", {"_mgr": _manager, "_typ": "series", "attrs": "x"}),
    ("Series", "a list", [1]),
    ("DataFrame", "another manager", {"_mgr": _manager, "_typ": "dataframe", "_flags": _flags}),
    ("DataFrame", "a name", {"_mgr": _frame_manager, "_typ": "dataframe", "_name": 1}),
    ("DataFrame", "a method", {"_mgr": _frame_manager, "_typ": "dataframe", "eval": 1}),
    ("DataFrame", "a manager itself", _frame_manager),
    ("DataFrame", "a tuple", (1, 2)),
):  # fmt: skip
    attack(f"{_kind} with {_name}", state(f"pandas.{_kind}", _given))
_done = state("pandas.Series", {"_mgr": _manager, "_typ": "series"})
attack("Series with two states", built(_done, {"_mgr": _manager, "_typ": "series"}))
attack("SingleBlockManager with two states", built(_manager, ([], [], [], {})))
attack("Series by keywords", name("pandas.Series") + value(()) + value({"data": 1}) + op.NEWOBJ_EX)
attack(
    "a class of pandas past its __new__, in C",
    called("copyreg._reconstructor", name("pandas.Index"), name("builtins.object"), None),
)

# --- the same parts as they should be, which load: so the attacks are refused for what is wrong

HONEST: dict[str, bytes] = {
    _name: proto(4, _made)
    for _name, _made in {
        "a RangeIndex": whole(3),
        "an Index": index(ints(1, 2), "x"),
        "a Categorical": backed("Categorical", CATEGORIES, codes(0, 1, -1)),
        "datetimes": backed("arrays.DatetimeArray", TIMES, _times, {"_freq": None}),
        "periods": backed("arrays.PeriodArray", _periods, ints(1)),
        "texts": backed("arrays.StringArray", _strings, array(OBJECT, (1,), ["x"])),
        "ints": state("pandas.arrays.IntegerArray", {"_data": ints(1), "_mask": _mask}),
        "sparse ints": state(
            "pandas.arrays.SparseArray",
            {
                "_sparse_index": called("pandas._libs.sparse.IntIndex", 3, int32s(0)),
                "_sparse_values": ints(1),
                "_dtype": _sparse,
            },
        ),
        "sparse blocks": called("pandas._libs.sparse.BlockIndex", 9, int32s(0, 4), int32s(1, 5)),
        "intervals": built(
            called(
                "pandas._libs.interval.__pyx_unpickle_IntervalMixin",
                *(name("pandas.arrays.IntervalArray"), 238750788, None),
            ),
            ({"_left": ints(1), "_right": ints(2), "_dtype": _sides},),
        ),
        "texts of Arrow": state(
            "pandas.arrays.ArrowStringArray",
            {
                "_pa_array": arrow(KIND, 1, 0, 0, [None, offsets(0, 1), buffer(b"x")], [], None),
                "_dtype": _arrow_dtype,
            },
        ),
        "chunks": called(
            "pyarrow.lib.chunked_array",
            *([arrow(KIND, 1, 0, 0, [None, offsets(0, 1), buffer(b"x")], [], None)], KIND),
        ),
        "a MultiIndex": called(
            "pandas.core.indexes.base._new_Index", name("pandas.MultiIndex"), _two_levels
        ),
        "an IntervalIndex": called(
            "pandas.core.indexes.interval._new_IntervalIndex",
            name("pandas.IntervalIndex"),
            {"left": whole(1), "right": whole(1), "closed": "both", "name": None},
        ),
        "a DatetimeIndex": called(
            "pandas.core.indexes.datetimes._new_DatetimeIndex",
            name("pandas.DatetimeIndex"),
            {
                "data": backed("arrays.DatetimeArray", TIMES, _times),
                "name": None,
                "freq": called("pandas._libs.tslibs.offsets.Day", 1, False),
            },
        ),
        "a frame": state(
            "pandas.DataFrame", {"_mgr": _frame_manager, "_typ": "dataframe", "_flags": _flags}
        ),
        "a series": _done,
        "a DateOffset": built(called("pandas.DateOffset"), {"n": 1, "normalize": False}),
        "a weekday": state("dateutil._common.weekday", (None, {"weekday": 1, "n": 1})),
        "a zone": called("zoneinfo:ZoneInfo._unpickle", "UTC", 1),
        "a timestamp": called(
            "pandas._libs.tslibs.timestamps._unpickle_timestamp", 1, None, None, 10
        ),
    }.items()
}
