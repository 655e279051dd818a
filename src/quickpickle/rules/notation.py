"""How keys and other texts of a pickle are written, in the paths of errors and of `inspect`.

See docs/errors.md and docs/inspect.md for all that a path is made of.
"""

from __future__ import annotations

import keyword
import math
from typing import Any, Final

LONGEST_KEY: Final = 80  # characters of its repr; a longer one is named by its number
MOST_ITEMS: Final = 8  # of a tuple that is a key
_MOST_BITS: Final = (10**LONGEST_KEY - 1).bit_length()  # an int of more has a longer repr
DEEPEST: Final = 4  # tuples in one another


def literal(key: Any, depth: int = 0) -> str | None:
    """The repr of a key which, evaluated, equals it; None where there is no short one.

    >>> literal(("a", 1)), literal("a" * 100)
    ("('a', 1)", None)
    """
    cls = type(key)
    if cls in (str, bytes):
        shown = repr(key) if len(key) < LONGEST_KEY else ""
    elif cls in (bool, type(None)):
        shown = repr(key)
    elif cls is int:
        shown = repr(key) if key.bit_length() <= _MOST_BITS else ""
    elif cls is float:
        shown = repr(key) if math.isfinite(key) else ""
    elif cls is tuple and len(key) <= MOST_ITEMS and depth < DEEPEST:
        parts = [literal(item, depth + 1) for item in key]
        if None in parts:
            return None
        shown = f"({', '.join(map(str, parts))}{',' if len(parts) == 1 else ''})"
    else:
        return None
    return shown if 0 < len(shown) <= LONGEST_KEY else None


def can_follow_a_dot(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def printable(text: str) -> str:
    """The text with everything that is not printable written as an escape, as repr() does.

    So it cannot move a terminal's cursor, or turn the direction of what is around it.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
