"""The largest objects as a table of HTML, for a notebook where plotly is not installed."""

from __future__ import annotations

import html
from typing import Any

from .printable import printable


def make_table(inspection: Any) -> str:
    """Figures, the largest objects, and how to get the chart. The file's texts are escaped."""
    rows = "".join(
        f"<tr><td>{node.total:,}</td><td>{100 * node.total / inspection.size:.1f}</td>"
        f"<td><code>{_safe(node.path)}</code></td><td>{_safe(node.type)}</td></tr>"
        for node in inspection.largest()
    )
    heads = "".join(f"<th>{head}</th>" for head in ("bytes", "%", "object", "type"))
    return (
        f"<p>{_safe(repr(inspection))}</p><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table><p>For the chart: "
        "<code>pip install 'quickpickle[html]'</code></p>"
    )


def _safe(text: str) -> str:
    return html.escape(printable(text))
