"""`quickpickle inspect FILE --html OUT`: one page with a chart of the bytes, needing nothing else.

The chart is plotly.js, which comes with the Python package `plotly`; it is written into the page,
so the page opens from disk, offline. The contents of the file are data in the page, never code.
They are in JSON without `<`, the script inserts them as text, and a Content-Security-Policy allows
only the page's own two scripts, by their hashes, and no connection to anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import html
import json
import re
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any, Final

from plotly.offline import get_plotlyjs

from ..rules.kinds import DANGEROUS, MAYBE, PROMISE, UNKNOWN
from .printable import counted, printable

MOST_BOXES: Final = 3000  # in the chart
_MOST_CHILDREN: Final = 60  # of a box; the others are one box
_MOST_LINES: Final = 1000  # of a table


def write_page(path: Path, inspection: Any, name: str) -> None:
    """Write the page to a file. Raises OSError if that cannot be done."""
    path.write_text(make_page(inspection, name), encoding="utf-8")


def make_page(inspection: Any, name: str) -> str:
    """The page as text; `name` is what the file is called in it."""
    library = get_plotlyjs()
    script = _own("page.js")
    for text in (library, script):
        if "</script" in text.lower():
            raise ValueError("a script that ends itself cannot be put into a page")
    parts = {
        "title": html.escape(printable(name)),
        "policy": " ".join(f"'sha256-{_hash(text)}'" for text in (library, script)),
        "style": _own("page.css"),
        "data": json.dumps(_data(inspection, name)).replace("<", "\\u003c"),
        "library": library,
        "script": script,
    }
    # In one go: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _own("page.html"))


def make_frame(inspection: Any, name: str) -> str:
    """The page in a frame of its own, for a notebook: nothing of the notebook is within reach."""
    page = html.escape(make_page(inspection, name), quote=True)
    return (
        '<iframe sandbox="allow-scripts" style="width: 100%; height: 720px; border: 0" '
        f'title="{html.escape(repr(inspection))}" srcdoc="{page}"></iframe>'
    )


def _own(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(inspection: Any, name: str) -> dict[str, Any]:
    figures: list[tuple[str, str]] = [("bytes", f"{inspection.size:,}")]
    if len(inspection.pickles) != 1:
        figures.append(("pickles", f"{len(inspection.pickles):,}"))
    for label in ("protocol", "frames", "opcodes", "objects", "references", "depth"):
        number = getattr(inspection, label)
        figures.append((label, "none" if number is None else f"{number:,}"))
    unused = inspection.memo_unused
    figures.append(("memo entries", f"{inspection.memo_entries:,}, {unused:,} never used"))
    figures.append(("out-of-band buffers", f"{inspection.buffers:,}"))
    figures.append(("persistent ids", f"{inspection.persistent_ids:,}"))
    imports = inspection.imports
    return {
        "name": printable(name),
        "size": inspection.size,
        "error": None if inspection.error is None else printable(str(inspection.error)),
        "figures": figures,
        "promise": PROMISE,
        "imports": [
            [
                printable(f"{found.module}.{found.name}"),
                found.lookups,
                found.objects,
                found.danger or (MAYBE if found.kind == UNKNOWN else ""),
                found.kind,
            ]
            for found in imports[:_MOST_LINES]
        ],
        "dangerous": inspection.count(DANGEROUS),
        "unknown": inspection.count(UNKNOWN),
        "importsLeftOut": max(len(imports) - _MOST_LINES, 0),
        "types": [
            [printable(found.name), found.objects, found.own, found.total]
            for found in inspection.types[:_MOST_LINES]
        ],
        "boxes": _boxes(inspection, name),
    }


def _boxes(inspection: Any, name: str) -> list[list[Any]]:
    """The boxes of the chart, each after its parent: the number of the parent's, what it is to
    that, path, type, value, own bytes, bytes with all below, length.

    The largest ones: it is always the largest box that is opened next. The sums stay right: what
    is left out is a box of its own, or the blank part of a box that is not opened.
    """
    root = inspection.root
    if len(root) == 1:
        root = root.children()[0]
    shown = printable(name)
    boxes: list[list[Any]] = [[-1, shown, shown, root.type, "", root.own, root.total, 0]]
    order = count()  # of what is equally large, the first
    queue: list[tuple[int, int, int, Any]] = [(-root.total, next(order), 0, root)]
    while queue and len(boxes) < MOST_BOXES:
        _, _, number, node = heapq.heappop(queue)
        children = node.children(_MOST_CHILDREN)
        rest = node.total - node.own
        for child in children:
            rest -= child.total
            boxes.append(
                [
                    number,
                    printable(child.step),
                    printable(child.path),
                    printable(child.type),
                    printable(child.text),
                    child.own,
                    child.total,
                    child.length,
                ]
            )
            if child.total > child.own:
                entry = (-child.total, next(order), len(boxes) - 1, child)
                heapq.heappush(queue, entry)
        others = len(node) - len(children)
        if others:
            label = f"… {counted(others, 'other')}"
            boxes.append([number, label, f"{printable(node.path)} {label}", "", "", 0, rest, 0])
    return boxes
