"""The table of a command as HTML, for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Final

from ..inspection.printable import printable
from .terminal import Cell, text_of

_COLOURS: Final = {"good": "#308f4f", "warning": "#ab720e", "alarm": "#dc4b46"}
"""By the style. Each can be read on white and on the #1e1e1e of dark notebooks. The text says the
same, so that nothing is told by colour alone."""


def make_table(title: str, rows: Iterable[Sequence[Cell]]) -> str:
    """A title and a table without headings. An empty row divides it. All texts are escaped."""
    parts = [f"<p><b>{_safe(title)}</b></p><table><tbody>"]
    for row in rows:
        parts.append("<tr>" if row else "</tbody><tbody>")
        for cell in row:
            (text, style), _ = text_of(cell)
            colour = f";color:{_COLOURS[style]};font-weight:bold" if style in _COLOURS else ""
            parts.append(f'<td style="text-align:left{colour}">{_safe(text)}</td>')
        if row:
            parts.append("</tr>")
    parts.append("</tbody></table>")
    return "".join(parts)


def _safe(text: str) -> str:
    return html.escape(printable(text))
