"""The largest objects that a user knows by their path: not the parts that they are rebuilt from."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator
from typing import Any, Final

from ..format import table

# Private attributes of their classes say nothing to those who use them.
_LIBRARIES: Final = {
    *sys.stdlib_module_names,
    *("catboost", "cloudpickle", "dask", "dateutil", "jax", "joblib", "keras", "lightgbm"),
    *("matplotlib", "networkx", "numpy", "pandas", "polars", "PIL", "pyarrow", "pydantic"),
    *("pytz", "scipy", "sklearn", "spacy", "sqlalchemy", "statsmodels", "sympy", "tensorflow"),
    *("torch", "torchvision", "transformers", "xarray", "xgboost"),
}
_PARTS: Final = {table.ROOT, table.ITEM, table.VALUE, table.MEMBER, table.LOOSE}


def find_largest(inspection: Any, count: int) -> list[Any]:
    """The objects with the most bytes with all below, the largest first.

    A key counts with its dict, and what an object is rebuilt from, its private attributes where its
    class is of a library among them, with the object. It is always the largest node that is
    opened next, so few are.
    """
    found: list[Any] = []
    queue = [(-pickle.total, pickle.number, False) for pickle in inspection.root.children()]
    heapq.heapify(queue)
    while queue and len(found) < count:
        _, number, is_shown = heapq.heappop(queue)
        node = inspection.node(number)
        if is_shown:
            found.append(node)
        for child, is_one in _below(inspection, number, count):
            heapq.heappush(queue, (-int(inspection._scanner.total[child]), child, is_one))
    return found


def _below(inspection: Any, number: int, count: int) -> list[tuple[int, bool]]:
    """The children to look at, at least the `count` largest, and whether each is shown."""
    scanner = inspection._scanner
    most = 4 * count
    while True:
        children = scanner.children(number, most)
        known = list(_known(inspection, number, children))
        if len(known) >= count or len(children) < most:
            return known
        most *= 4


def _known(inspection: Any, number: int, children: list[int]) -> Iterator[tuple[int, bool]]:
    scanner = inspection._scanner
    role, kind = scanner.role, scanner.kind
    is_state = role[number] == table.STATE
    is_pair = is_state and kind[number] == table.TUPLE
    holds_attributes = inspection._labels.holds_attributes(number)
    owner = scanner.parent[number if is_state else scanner.parent[number]]
    for child in children:
        if is_pair or role[child] == table.STATE:
            # A dict of attributes, or a pair of such: of a class with slots.
            may_be_pair = not is_pair and scanner.length[child] == 2
            if kind[child] == table.DICT or (kind[child] == table.TUPLE and may_be_pair):
                yield child, False
        elif role[child] in _PARTS:
            is_attribute = holds_attributes and role[child] == table.VALUE
            if not (is_attribute and _is_private(inspection, child, owner)):
                yield child, True


def _is_private(inspection: Any, value: int, owner: int) -> bool:
    """Whether it is an attribute that begins with an underscore, of a class of a library."""
    key = inspection._scanner.step[value]
    if not inspection._labels.text(key).startswith(("'_", '"_')):
        return False
    return inspection.node(owner).type.partition(".")[0] in _LIBRARIES
