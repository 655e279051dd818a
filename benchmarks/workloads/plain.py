"""Atoms and containers, and objects of the kind and size of pyperformance's pickle benchmark.

The sizes of large containers are no multiples of 1000 (the length of a batch), nor one more:
there the two picklers of the standard library write different bytes.
"""

from __future__ import annotations

import random
import string
from collections import OrderedDict, defaultdict, deque
from datetime import date, timedelta
from typing import Any

from workloads.workload import text, word, workload


class Options(dict[str, Any]):
    """A dict of ones own."""


# --- Objects of the kind and size that pyperformance's pickle benchmark uses


def _profile(rng: random.Random) -> dict[str, Any]:
    return {
        "account": rng.randrange(10**9),
        "active": True,
        "avatar": None,
        "badges": [rng.randrange(10_000) for _ in range(6)],
        "bio": "",
        "born": date(1980, 1, 1) + timedelta(days=rng.randrange(9000)),
        "city": word(rng),
        "country": "PT",
        "email": f"{word(rng)}@example.org",
        "first_name": word(rng),
        "followers": rng.randrange(5000),
        "following": rng.randrange(500),
        "groups": 0,
        "id": rng.randrange(2**31),
        "language": "pt_PT",
        "last_login": rng.randrange(2**31),
        "last_name": word(rng),
        "likes": rng.randrange(100),
        "messages": 0,
        "nickname": "",
        "options": rng.randrange(2**40),
        "photos": 12,
        "postcode": "1100-148",
        "rating": 0,
        "session": text(rng, 11, 11, string.ascii_letters),
        "status": "single",
        "street": "",
        "timezone": 1,
        "visits": rng.randrange(1000),
    }


@workload("like pyperformance")
def pyperformance_record() -> object:
    """A dict of 29 short strings and numbers (there: DICT)."""
    return _profile(random.Random(0))


@workload("like pyperformance")
def pyperformance_tuple() -> object:
    """A tuple of a list of 270 integers and a number (there: TUPLE)."""
    rng = random.Random(0)
    return [rng.randrange(2**31) for _ in range(270)], 60


@workload("like pyperformance")
def pyperformance_record_group() -> object:
    """Three such dicts in a list (there: DICT_GROUP)."""
    rng = random.Random(0)
    return [_profile(rng) for _ in range(3)]


@workload("like pyperformance")
def pyperformance_list() -> object:
    """Lists of small integers in lists of two in a list of ten (there: pickle_list)."""
    return [[[*range(10)] for _ in range(2)] for _ in range(10)]


@workload("like pyperformance")
def pyperformance_dict() -> object:
    """A hundred dicts of ten integers and None in a dict (there: pickle_dict)."""
    return {start: dict.fromkeys(range(start, start + 10)) for start in range(100)}


# --- Atoms


@workload("atoms")
def small_ints() -> object:
    """300,000 integers of one byte."""
    rng = random.Random(0)
    return [rng.randrange(256) for _ in range(300_000)]


@workload("atoms")
def ints_32_bit() -> object:
    """200,000 integers of 32 bits, half of them negative."""
    rng = random.Random(0)
    return [rng.randrange(-(2**31), 2**31) for _ in range(200_000)]


@workload("atoms")
def big_ints() -> object:
    """30,000 integers of 64 to 512 bits."""
    rng = random.Random(0)
    return [rng.choice((-1, 1)) * rng.getrandbits(rng.randint(64, 512)) for _ in range(30_000)]


@workload("atoms")
def floats() -> object:
    """200,000 floats."""
    rng = random.Random(0)
    return [rng.uniform(-1e6, 1e6) for _ in range(200_000)]


@workload("atoms")
def bools_and_none() -> object:
    """300,000 times True, False or None."""
    return random.Random(0).choices((True, False, None), k=300_000)


@workload("atoms")
def ascii_strings() -> object:
    """50,000 distinct strings of up to 40 ASCII characters."""
    rng = random.Random(0)
    return [text(rng, 5, 40, string.ascii_letters + string.digits) for _ in range(50_000)]


@workload("atoms")
def non_ascii_strings() -> object:
    """30,000 distinct strings of up to 40 Latin, Cyrillic, Chinese and emoji characters."""
    rng = random.Random(0)
    alphabets = ("abcdeéüñßø", "абвгдежзик", "的一是不了人我在有他", "😀😁🚀🌍🎉🔥💡🎈📦🧪")
    return [text(rng, 5, 40, rng.choice(alphabets)) for _ in range(30_000)]


@workload("atoms")
def repeated_words() -> object:
    """150,000 words out of a vocabulary of 2,000: references to the memo."""
    rng = random.Random(0)
    return rng.choices([word(rng) for _ in range(2000)], k=150_000)


@workload("atoms")
def bytes_objects() -> object:
    """40,000 bytes objects of up to 300 bytes."""
    rng = random.Random(0)
    return [rng.randbytes(rng.randint(1, 300)) for _ in range(40_000)]


# --- Containers


@workload("containers")
def tuples() -> object:
    """20,000 tuples of an integer, a string and a float."""
    rng = random.Random(0)
    return [(rng.randrange(1000), word(rng), rng.random()) for _ in range(20_000)]


@workload("containers")
def nested_lists() -> object:
    """Lists of four lists each, nine deep, with integers at the bottom."""

    def nest(depth: int) -> list[Any]:
        return [nest(depth - 1) for _ in range(4)] if depth else [1, 2, 3]

    return nest(8)


@workload("containers")
def large_dict() -> object:
    """A dict of 40,500 strings to integers."""
    rng = random.Random(0)
    return {f"{word(rng)}-{i}": rng.randrange(100_000) for i in range(40_500)}


@workload("containers")
def sets() -> object:
    """4,800 sets and frozensets of 10 integers, and one set of 50,500."""
    # Of integers because the order of strings in a set differs from process to process.
    rng = random.Random(0)
    small = [kind(rng.sample(range(1000), 10)) for kind in (set, frozenset) for _ in range(2400)]
    return [*small, set(rng.sample(range(10**6), 50_500))]


@workload("containers")
def json_like_records() -> object:
    """5,000 records of the kind that json.loads gives: dicts with the same keys."""
    rng = random.Random(0)
    return [
        {
            "id": i,
            "name": word(rng),
            "email": f"{word(rng)}@example.org",
            "score": rng.random(),
            "active": rng.random() < 0.5,
            "referrer": None,
            "tags": [word(rng) for _ in range(3)],
            "address": {"street": word(rng), "zip": rng.randrange(10_000, 99_999)},
        }
        for i in range(5000)
    ]


@workload("containers")
def ordered_dicts() -> object:
    """4,000 OrderedDicts of five items."""
    rng = random.Random(0)
    return [OrderedDict((f"key{j}", rng.random()) for j in range(5)) for _ in range(4000)]


@workload("containers")
def deques() -> object:
    """4,000 deques of five numbers, every other one with a maxlen."""
    rng = random.Random(0)
    return [deque((rng.random() for _ in range(5)), 5 if i % 2 else None) for i in range(4000)]


@workload("containers")
def dict_subclasses() -> object:
    """4,000 instances of a subclass of dict with five items, and 1,000 defaultdicts of lists."""
    rng = random.Random(0)
    options = [Options((f"key{j}", rng.random()) for j in range(5)) for _ in range(4000)]
    groups = [defaultdict(list, {word(rng): [rng.random()]}) for _ in range(1000)]
    return options, groups
