"""Pickles of the standard library's types load under `Policy.plain()`."""

from __future__ import annotations

import codecs
import io
import pickle
import random
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import PurePosixPath, PureWindowsPath
from uuid import UUID

import pytest

import quickpickle
from cases import for_each
from conftest import UNPICKLERS
from fuzzing import fuzz_inspect
from quickpickle import Policy, PolicyError
from quickpickle.rules.policy_names import FACTORIES, MEMBERS, PLAIN

from .attacks import ATTACKS

POLICY = Policy.plain()

VALUES = [
    *(None, True, 5, -(1 << 70), 2.5, float("inf"), "text", "ü\U0001f600", b"", b"\xff" * 300),
    *([], [1, [2, []]], {}, {"a": {"b": 1}}, (), (1,), (1, 2, 3, 4), set(), {1, "x"}),
    *(frozenset({1}), frozenset({frozenset(), (1, (2,))}), bytearray(), bytearray(b"x" * 300)),
    *(1j, complex("nan"), range(5), range(1 << 70, 0, -7), slice(1, None, "x"), slice(None)),
    *(date(1, 1, 1), date(9999, 12, 31), time(23, 59, 59, 999_999), time(0, fold=1)),
    *(datetime(2024, 2, 29, 1, 2, 3, 4), datetime(2024, 12, 31, fold=1)),
    datetime(2024, 2, 29, tzinfo=UTC),
    time(1, tzinfo=timezone(timedelta(hours=-3), "name")),
    *(timedelta(-5, 3, 1), timedelta.max, UTC, timezone(timedelta(minutes=1))),
    *(Decimal("1.50"), Decimal("-NaN123"), Decimal("Infinity"), Decimal("1E+1000")),
    *(Fraction(1, 3), Fraction(-(10**300), 7), UUID(int=5), UUID(int=(1 << 128) - 1)),
    *(PurePosixPath("a/b"), PurePosixPath(), PureWindowsPath("c:\\x\\y")),
    *map(ip_address, ("1.2.3.4", "::1", "fe80::1%eth0", 1 << 100)),
    *map(ip_network, ("10.0.0.0/8", "2001:db8::/32")),
    *map(ip_interface, ("10.0.0.1/8", "2001:db8::1/32")),
    *(OrderedDict(), OrderedDict(a=1, b=[2]), Counter("abracadabra"), Counter()),
    *(deque(), deque([1, [2]]), deque([1, 2], 5), deque(maxlen=0), deque([deque([1])])),
    *(defaultdict(), defaultdict(list, a=[1]), defaultdict(Counter, a=Counter("x"))),
    {(1, date(2024, 1, 1), Decimal(1)): [UUID(int=1)], PurePosixPath("x"): Fraction(1, 2)},
]


@pytest.mark.parametrize("writer", [pickle.dumps, quickpickle.dumps])
@for_each("value", VALUES)
def test_a_value(unpickling, writer, protocol, value):
    data = writer([value, [value]], protocol)
    for copy in (
        unpickling.loads(data, policy=POLICY),
        unpickling.load(io.BytesIO(data), policy=POLICY),
    ):
        assert pickle.dumps(copy, protocol) == pickle.dumps(pickle.loads(data), protocol)
        assert type(copy[0]) is type(value)
        assert copy[0] is copy[1][0] or type(value) in (int, float, bool)


def test_each_listed_name_is_needed():
    """A name that no value is written with has no place on the list."""
    seen: set[str] = set()
    values = VALUES
    for value in values:
        for protocol in range(6):
            inspection = quickpickle.inspect(pickle.dumps(value, protocol))
            seen |= {f"{found.module}.{found.name}" for found in inspection.imports}
    seen = {name.replace("__builtin__.", "builtins.").replace("copy_reg.", "copyreg.")
            .replace("builtins.xrange", "builtins.range") for name in seen}  # fmt: skip
    bases = FACTORIES | {"builtins.object"}
    others = {name for name in PLAIN if name.startswith("pathlib.")}
    assert set(PLAIN) - bases - others <= seen


@pytest.mark.parametrize("full", sorted(FACTORIES))
def test_factories(unpickling, full):
    module, _, name = full.rpartition(".")
    factory = getattr(sys.modules[module], name)
    data = pickle.dumps(defaultdict(factory, x=1))
    assert unpickling.loads(data, policy=POLICY)["y"] == factory()


def test_what_python_2_wrote(unpickling):
    data = (
        b"cdatetime\ndatetime\n(S'\\x07\\xe0\\x05\\x06\\x07\\x08\\t\\x00\\x00\\n'\ntR.",
        b"ccollections\nOrderedDict\n((lp0\n(lp1\nS'a'\naI1\naatR.",
        b"c__builtin__\nxrange\n(I0\nI5\nI1\ntR.",
    )
    found = [unpickling.loads(part, policy=POLICY, encoding="latin1") for part in data]
    assert found == [datetime(2016, 5, 6, 7, 8, 9, 10), OrderedDict(a=1), range(5)]


def test_large_values_of_a_kind(unpickling):
    value = {
        "points": [(i, (i / 3, str(i))) for i in range(3000)],
        "keys": {(i, (i % 7, "x")): {i, (i, i)} for i in range(3000)},
        "nested": None,
    }
    for _ in range(400):
        value["nested"] = [value["nested"]]
    assert unpickling.loads(pickle.dumps(value), policy=POLICY) == value


# --- damaged pickles


def damaged(count: int, seed: int, others: tuple[bytes, ...] = ()):
    """Bytes of honest and hostile pickles, changed, cut and put together."""
    rng = random.Random(seed)
    sources = [
        *others,
        *(pickle.dumps([value, value], protocol) for value in VALUES for protocol in range(6)),
        *(data for data in ATTACKS.values() if len(data) < 500),
        *(data for data in fuzz_inspect.seeds() if len(data) < 2000),
    ]
    for _ in range(count):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                del data[at : at + rng.randrange(1, 4)]
            else:
                other = rng.choice(sources)
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.randrange(1, 40)]
            data = data or bytearray(b".")
        yield bytes(data) + b"."


CALLABLE = {*PLAIN, *MEMBERS}


@pytest.mark.costly
@pytest.mark.parametrize("seed", range(4))
def test_damaged_pickles(monkeypatch, seed):
    """Nothing is imported, no name is looked up that is not listed, and both do the same."""
    from .test_attacks import HARMLESS, _watched, snapshot

    policy = POLICY.limit(memory=20_000_000, objects=100_000)
    for module in UNPICKLERS.values():
        with pytest.raises(PolicyError):
            module.loads(b"ca\nb\n.", policy=policy)  # what it imports itself
    for codec in ("unicode_escape", "raw_unicode_escape"):  # of STRING and UNICODE
        codecs.lookup(codec)
    before = snapshot()
    outcomes: Counter[str] = Counter()
    for data in damaged(3000, seed):
        found = []
        for module in UNPICKLERS.values():
            events: list[str] = []
            _watched.append(events)
            try:
                made = repr(type(module.loads(data, policy=policy)))
            except Exception as error:
                made = f"{type(error).__name__}: {error}"
                outcomes[type(error).__name__] += 1
            finally:
                _watched.pop()
            assert set(events) <= HARMLESS, (data, events)
            found.append(made)
        assert len(set(found)) == 1, (data, found)
    assert snapshot() == before
    assert outcomes[PolicyError.__name__] > 500
