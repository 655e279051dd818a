"""deterministic=True: how a stream gets its order."""

from __future__ import annotations

import io
from collections.abc import Callable
from pickle import PickleBuffer
from typing import Any

from ..rules.order import Order
from ..rules.representatives import Representatives
from .loop import write_pickle
from .memo import Memo
from .notes import let_out
from .stream import Stream


def make_order(protocol: int, buffer_callback: Callable[[PickleBuffer], object] | None) -> Order:
    """Make the Order of a deterministic Pickler or dump."""
    return Order(Representatives(protocol, protocol >= 5 and buffer_callback is None), protocol)


def put_in_order(stream: Stream, order: Order, hooks: tuple[Any, Any, Any]) -> None:
    """Make a stream deterministic, with the hooks of its Pickler for what is written alone."""

    def alone(obj: Any) -> bytes:
        file = io.BytesIO()
        inner = Stream(
            file.write,
            Memo(),
            stream.protocol,
            fix_imports=stream.fix_imports,
            buffer_callback=None,
            reduction_limit=stream.reduction_limit,
        )
        inner.bin = stream.bin
        inner.order = order
        inner.last_goes_alone = False
        write_pickle(inner, obj, *hooks, let_out)
        return file.getvalue()

    order.begin(stream.memo, alone, stream.reduction_limit)
    stream.order = order
    stream.last_goes_alone = False
