"""Text from a file of a stranger's, made safe to show: no control characters, no hidden ones."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with everything that is not printable written as an escape, as repr() does.

    So it cannot move a terminal's cursor, or turn the direction of what is around it.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
