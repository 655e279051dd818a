"""Text to be shown: that of a stranger's file made safe, and counts of things."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """The number with its noun: "1 object", "2,000 objects"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """The text with everything that is not printable written as an escape, as repr() does.

    So it cannot move a terminal's cursor, or turn the direction of what is around it.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
