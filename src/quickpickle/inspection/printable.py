"""Text to be shown: that of a stranger's file made safe, and counts of things."""

from __future__ import annotations

from ..rules.notation import printable as printable


def counted(number: int, noun: str) -> str:
    """The number with its noun: "1 object", "2,000 objects"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
