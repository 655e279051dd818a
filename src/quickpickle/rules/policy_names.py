"""The rules of a policy for names: how a pickle may use those of the standard library.

A Rule says for one name whether it may be called, with which arguments, and what may be done to the
object that the call has made. Each check gets the Guard of the load (rules/enforcement.py) and
returns what is wrong, in a few words, or None.

The arguments that a check lets through are those that the type's own reduction has, in any version
from Python 2.7 on, and nothing beyond: exact types, bounded sizes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date, timezone, tzinfo
from enum import IntFlag
from typing import Any, Final, NamedTuple

Check = Callable[[Any, tuple[Any, ...]], "str | None"]


class Rule(NamedTuple):
    """How a name may be used. None for a check: not at all."""

    call: Check | None = None  # REDUCE; for ANY also INST and OBJ
    new: Check | None = None  # NEWOBJ
    state: Callable[[Any, Any], str | None] | None = None  # BUILD of an instance
    items: str = ""  # what an instance may get: "a" by APPEND, "s" by SETITEM
    is_any: bool = False  # listed by the user: whatever the pickle says
    is_class: bool = False  # the name is to be that of a class
    quick_call: int = 0  # see Quick
    quick_new: int = 0
    quick_state: int = 0
    # For the presets of rules/presets/: the check of a state that looks at the instance too;
    # what a call returns is handed on; others may hold it; a call that uses none of its arguments.
    built: Callable[[Any, Any, Any], str | None] | None = None
    made: Callable[[Any, Any], None] | None = None
    may_be_held: bool = False
    is_idle: bool = False


class Quick(IntFlag):
    """Arguments that a check always lets through, and hashes nothing of: exact types, small sizes.

    The compiled implementation looks for these itself, and asks the check about all others.
    """

    ANYTHING = 1 << 0  # any that are no range
    NOTHING = 1 << 1
    TEXT = 1 << 2  # a str of up to 200 characters
    TEXTS = 1 << 3  # any number of str
    NUMBER = 1 << 4  # an int from 0 to 2**63 - 1; as a state, that of a UUID
    INTS_2 = 1 << 5  # two ints of at most 63 bits
    INTS_3 = 1 << 6
    FLOATS_2 = 1 << 7
    BYTES = 1 << 8
    LATIN1 = 1 << 9  # a str, and 'latin1'
    DICT = 1 << 10
    EMPTY = 1 << 11  # (), or () and None, or () and an int from 0 on
    INSTANCE = 1 << 12  # a class that the user lists, made by object.__new__; object; None
    MOMENT_4 = 1 << 13  # the bytes of a date
    MOMENT_6 = 1 << 14  # of a time; and no tzinfo, or a timezone
    MOMENT_10 = 1 << 15  # of a datetime; the same
    FACTORY = 1 << 16  # what a defaultdict may call
    PARTS_3 = 1 << 17  # three of None, str, and ints of at most 63 bits
    SCALAR = 1 << 18  # a dtype of numbers, and the bytes of one
    ARRAY = 1 << 19  # numpy.ndarray, (0,) and b'b'; as a state, that of an array of numbers
    BUFFER = 1 << 20  # bytes, a dtype of numbers, a shape of that size, and "C" or "F"


def _are_short(values: Any) -> bool:
    return all(type(value) is not int or value.bit_length() <= _MOST_BITS for value in values)


def _anything(guard: Any, args: Any) -> None:
    return None


ANY: Final = Rule(_anything, _anything, _anything, "as", is_any=True)
CLASSES: Final = ANY._replace(is_class=True)

# --- checks


def is_ints(values: Any) -> bool:
    return all(type(value) is int for value in values)


def nothing(guard: Any, args: tuple[Any, ...]) -> str | None:
    return "there are to be none" if args else None


def _only(*kinds: type, or_nothing: bool = True) -> Check:
    """One argument, exactly of one of these types."""

    def check(guard: Any, args: tuple[Any, ...]) -> str | None:
        if (len(args) == 1 and type(args[0]) in kinds) or (or_nothing and not args):
            return None
        return f"expected {' or '.join(kind.__name__ for kind in kinds)}, {_described(args)}"

    return check


def _described(args: tuple[Any, ...]) -> str:
    """The types that were found instead; no object of the pickle is asked."""
    shown = ", ".join(type(arg).__name__ for arg in args[:4])
    return f"found ({shown}{', …' if len(args) > 4 else ''})"


def _encode(guard: Any, args: tuple[Any, ...]) -> str | None:
    """Bytes below protocol 3."""
    if len(args) == 2 and type(args[0]) is str and args[1] in ("latin1", "latin-1"):
        return None if type(args[1]) is str else _described(args)
    return "expected a str and 'latin1'"


def _bytearray(guard: Any, args: tuple[Any, ...]) -> str | None:
    if not args or (len(args) == 1 and type(args[0]) is bytes):
        return None
    if len(args) == 2 and _encode(guard, args) is None:
        return None
    return f"expected bytes, {_described(args)}"


def _hashed(kind: type) -> Check:
    """A set or frozenset from a list, whose items are hashed."""

    def check(guard: Any, args: tuple[Any, ...]) -> str | None:
        if args and (len(args) > 1 or type(args[0]) not in (list, tuple)):
            return f"expected a list, {_described(args)}"
        if args:
            guard.weigh(args[0])
        return None

    return check


def _complex(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and type(args[0]) is float and type(args[1]) is float:
        return None
    return f"expected two floats, {_described(args)}"


def _range(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 3 and is_ints(args) and _are_short(args):
        return None
    return f"expected three ints, {_described(args)}"


def _slice(guard: Any, args: tuple[Any, ...]) -> str | None:
    # Nothing that contains something: up to 3.12 the interpreter frees slices in slices by
    # recursion, and a hundred thousand of them end it.
    if (
        len(args) == 3
        and _are_short(args)
        and all(type(arg) in _SLICED or issubclass(type(arg), date) for arg in args)
    ):
        return None
    return f"expected three numbers, strings or None, {_described(args)}"


_SLICED: Final = frozenset({int, float, str, bytes, bool, type(None)})
_MOST_BITS: Final = 1 << 14  # of a number: to reduce a Fraction takes quadratic time, a hash linear
_FRACTION: Final = re.compile(r"-?[0-9]{1,4000}(/[0-9]{1,4000})?", re.ASCII)


def _fraction(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 2 and is_ints(args):
        return None if _are_short(args) else f"a number of more than {_MOST_BITS} bits"
    # Up to 3.11.? as a str. No exponent: Fraction("1e999999999") takes gigabytes.
    if len(args) == 1 and type(args[0]) is str and _FRACTION.fullmatch(args[0]):
        return None
    return "expected two ints, or a str as '1/3'"


def _decimal(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and type(args[0]) is str and len(args[0]) <= _MOST_DIGITS:
        return None
    return f"expected a str of up to {_MOST_DIGITS} characters"


_MOST_DIGITS: Final = 10_000
_MOST_CHARACTERS: Final = 200  # of an address


def _path(guard: Any, args: tuple[Any, ...]) -> str | None:
    return None if all(type(arg) is str for arg in args) else f"expected str, {_described(args)}"


def _address(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) == 1 and (
        (type(args[0]) is str and len(args[0]) <= _MOST_CHARACTERS)
        or (type(args[0]) is int and 0 <= args[0] < 1 << 128)
    ):
        return None
    return "expected an address as a short str, or an int"


def _timedelta(guard: Any, args: tuple[Any, ...]) -> str | None:
    if len(args) <= 3 and is_ints(args) and all(abs(arg) < 1 << 64 for arg in args):
        return None
    return f"expected three ints, {_described(args)}"


def _timezone(guard: Any, args: tuple[Any, ...]) -> str | None:
    from datetime import timedelta

    if len(args) == 1 or (len(args) == 2 and type(args[1]) is str):
        return None if type(args[0]) is timedelta else _described(args)
    return f"expected a timedelta and a str, {_described(args)}"


def _moment(size: int, has_date: bool, has_time: bool) -> Check:
    """The bytes of a date, time or datetime, and a tzinfo: the types look at hardly any of them."""

    def check(guard: Any, args: tuple[Any, ...]) -> str | None:
        if not 1 <= len(args) <= 1 + has_time:
            return f"expected {size} bytes, {_described(args)}"
        data = args[0]
        if type(data) is str and len(data) == size:
            try:
                data = data.encode("latin1")  # by Python 2
            except UnicodeEncodeError:
                return f"expected {size} bytes"
        if type(data) is not bytes or len(data) != size:
            return f"expected {size} bytes, {_described(args)}"
        if len(args) == 2 and args[1] is not None and type(args[1]) is not timezone:
            # Only what the policy lists can have been made.
            is_zone = issubclass(type(args[1]), tzinfo) and guard.is_listed_instance(args[1])
            if not is_zone:
                return "the tzinfo is neither a timezone nor an instance of a listed class"
        if has_date:
            year, month, day = data[0] << 8 | data[1], data[2] & 0x7F, data[3]
            if has_time is False and data[2] > 12:
                return "no date"
            try:
                date(year, month, day)
            except ValueError:
                return "no date"
            data = data[4:]
        if has_time:
            hour = data[0] if has_date else data[0] & 0x7F
            if hour > 23 or data[1] > 59 or data[2] > 59:
                return "no time of day"
            if (data[3] << 16 | data[4] << 8 | data[5]) > 999_999:
                return "no time of day"
        return None

    return check


def _deque(guard: Any, args: tuple[Any, ...]) -> str | None:
    if not args:
        return None
    if len(args) <= 2 and type(args[0]) in (tuple, list) and not args[0]:
        if len(args) == 1 or args[1] is None:
            return None
        if type(args[1]) is int and 0 <= args[1] <= sys.maxsize:
            return None
    return "expected an empty tuple, and the greatest length"


def _defaultdict(guard: Any, args: tuple[Any, ...]) -> str | None:
    if not args or (len(args) == 1 and args[0] is None):
        return None
    if len(args) == 1 and guard.is_factory(args[0]):
        return None
    return "expected a listed factory"


def _ordered(guard: Any, args: tuple[Any, ...]) -> str | None:
    if not args:
        return None
    # By Python 2.
    if len(args) != 1 or type(args[0]) is not list or not _are_pairs(args[0]):
        return "expected none, or a list of pairs"
    guard.weigh([pair[0] for pair in args[0]])
    return None


def _are_pairs(items: list[Any]) -> bool:
    return all(type(pair) in (list, tuple) and len(pair) == 2 for pair in items)


def _reconstructor(guard: Any, args: tuple[Any, ...]) -> str | None:
    """copyreg._reconstructor(cls, base, state): instances below protocol 2."""
    if len(args) != 3:
        return f"expected three, {_described(args)}"
    cls, base, state = args
    complaint: str | None = guard.may_be_made(cls)
    if complaint is not None:
        return complaint
    if base is object:
        return None if state is None else "expected None for object"
    if not isinstance(base, type) or base not in VALUES or type(state) is not base:
        return "the state is no value of the base"
    if base in (set, frozenset):
        guard.weigh(state)
    return None


def _reconstructed(guard: Any, obj: Any) -> None:
    guard.was_made(obj)


VALUES: Final = frozenset(
    {int, str, bytes, bytearray, float, complex, tuple, list, dict, set, frozenset}
)
"""A subclass of these is made of an exact instance of the base."""


def _uuid_state(guard: Any, state: Any) -> str | None:
    # Keys that are no str are not even hashed.
    if type(state) is dict and all(type(key) is str for key in state):
        number, is_safe = state.get("int"), state.get("is_safe", 0)
        if (
            state.keys() <= {"int", "is_safe"}
            and type(number) is int
            and 0 <= number < 1 << 128
            and type(is_safe) is int
            and -1 <= is_safe <= 0
        ):
            return None
    return "expected {'int': a number of 128 bits}"


def _special(guard: Any, args: tuple[Any, ...]) -> str | None:
    return "not expected here"  # the Guard does these itself


# --- names

_NAMED: Final = Rule()  # may be named, as an argument; is not called

PLAIN: Final[dict[str, Rule]] = {
    "_codecs.encode": Rule(_encode, is_idle=True, quick_call=Quick.LATIN1),
    "builtins.bytearray": Rule(_bytearray, quick_call=Quick.BYTES | Quick.NOTHING),
    "builtins.bytes": Rule(nothing, quick_call=Quick.NOTHING),
    "builtins.complex": Rule(_complex, quick_call=Quick.FLOATS_2),
    "builtins.frozenset": Rule(_hashed(frozenset)),
    "builtins.range": Rule(_range, quick_call=Quick.INTS_3),
    "builtins.set": Rule(_hashed(set)),
    "builtins.slice": Rule(_slice, quick_call=Quick.PARTS_3),
    "builtins.bool": _NAMED,
    "builtins.dict": _NAMED,
    "builtins.float": _NAMED,
    "builtins.int": _NAMED,
    "builtins.list": _NAMED,
    "builtins.object": _NAMED,
    "builtins.str": _NAMED,
    "builtins.tuple": _NAMED,
    "collections.Counter": Rule(_only(dict), quick_call=Quick.DICT | Quick.NOTHING),
    "collections.OrderedDict": Rule(_ordered, items="s", quick_call=Quick.NOTHING),
    "collections.defaultdict": Rule(
        _defaultdict, items="s", quick_call=Quick.NOTHING | Quick.FACTORY
    ),
    "collections.deque": Rule(_deque, items="a", quick_call=Quick.NOTHING | Quick.EMPTY),
    "copyreg._reconstructor": Rule(_reconstructor, made=_reconstructed, quick_call=Quick.INSTANCE),
    "datetime.date": Rule(_moment(4, True, False), quick_call=Quick.MOMENT_4),
    "datetime.datetime": Rule(_moment(10, True, True), quick_call=Quick.MOMENT_10),
    "datetime.time": Rule(_moment(6, False, True), quick_call=Quick.MOMENT_6),
    "datetime.timedelta": Rule(_timedelta, quick_call=Quick.INTS_3),
    "datetime.timezone": Rule(_timezone),
    "decimal.Decimal": Rule(_decimal, quick_call=Quick.TEXT),
    "fractions.Fraction": Rule(_fraction, quick_call=Quick.INTS_2),
    "ipaddress.IPv4Address": Rule(_address, quick_call=Quick.TEXT | Quick.NUMBER),
    "ipaddress.IPv4Interface": Rule(_address, quick_call=Quick.TEXT | Quick.NUMBER),
    "ipaddress.IPv4Network": Rule(_address, quick_call=Quick.TEXT | Quick.NUMBER),
    "ipaddress.IPv6Address": Rule(_address, quick_call=Quick.TEXT | Quick.NUMBER),
    "ipaddress.IPv6Interface": Rule(_address, quick_call=Quick.TEXT | Quick.NUMBER),
    "ipaddress.IPv6Network": Rule(_address, quick_call=Quick.TEXT | Quick.NUMBER),
    "pathlib.PurePosixPath": Rule(_path, quick_call=Quick.TEXTS),
    "pathlib.PureWindowsPath": Rule(_path, quick_call=Quick.TEXTS),
    "pathlib._local.PurePosixPath": Rule(_path, quick_call=Quick.TEXTS),  # by 3.13
    "pathlib._local.PureWindowsPath": Rule(_path, quick_call=Quick.TEXTS),
    "uuid.UUID": Rule(
        None, nothing, _uuid_state, quick_new=Quick.NOTHING, quick_state=Quick.NUMBER
    ),
}
"""The names of `Policy.plain()`."""

FACTORIES: Final = frozenset(
    {
        f"builtins.{name}"
        for name in ("bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list")
    }
    | {"builtins.set", "builtins.str", "builtins.tuple", "builtins.bytearray"}
    | {f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")}
)
"""Those of them that a defaultdict may call, without arguments."""

HASHED_BY_THEMSELVES: Final = (
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "ipaddress.IPv4Address",
    "ipaddress.IPv6Address",
    "ipaddress.IPv4Network",
    "ipaddress.IPv6Network",
    "ipaddress.IPv4Interface",
    "ipaddress.IPv6Interface",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "uuid.UUID",
    "builtins.range",
    "builtins.slice",
)
"""Types of the list above whose instances have no objects of the pickle in them to hash."""

MEMBERS: Final[dict[str, Rule]] = {
    "builtins.getattr": Rule(_special),
    "copyreg.__newobj__": Rule(_special),
    "copyreg.__newobj_ex__": Rule(_special),
}
"""Functions in whose place the Guard decides what happens: attributes of listed classes that are
listed themselves, and NEWOBJ."""

# --- names that run code, or make anything of any size, whatever their arguments are. Those that
# --- inspect marks are in rules/dangers.py; there a mark on these would say too much.

_CALLS: Final = "calls what it is given"
_CALLING_MODULES: Final = (
    "_asyncio",
    "_functools",
    "_operator",
    "_thread",
    "_weakref",
    "ast",
    "asyncio",
    "atexit",
    "builtins.map",
    "builtins.filter",
    "builtins.classmethod",
    "builtins.staticmethod",
    "builtins.property",
    "builtins.super",
    "builtins.iter",
    "builtins.next",
    "builtins.sorted",
    "builtins.max",
    "builtins.min",
    "builtins.print",
    "builtins.memoryview",
    "builtins.hash",
    "builtins.dir",
    "builtins.hasattr",
    "builtins.format",
    "builtins.pow",
    "builtins.sum",
    "builtins.__build_class__",
    "collections.namedtuple",
    "concurrent",
    "contextlib",
    "codecs",
    "_codecs",
    "copy",
    "copyreg",
    "encodings",
    "enum.EnumMeta",
    "enum.EnumType",
    "enum.Enum",
    "functools",
    "gc",
    "inspect",
    "itertools",
    "operator",
    "quickpickle",
    "sched",
    "string",
    "tarfile",
    "types",
    "typing",
    "unittest",
    "weakref",
    "zipfile",
)


def danger_in_calls(full: str) -> str | None:
    """Why a name of the standard library is not simply to be allowed; None where it may be."""
    if full in PLAIN:
        return None
    for start in _CALLING_MODULES:
        if full == start or full.startswith(start + "."):
            return _CALLS
    return None
