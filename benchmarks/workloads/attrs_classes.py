"""Classes of attrs, for the workloads that import this file where attrs is installed."""

from __future__ import annotations

import attrs


@attrs.define
class SlotsReading:
    """Has slots, and a __getstate__ in Python, which attrs adds."""

    sensor: str
    time: int
    value: float


@attrs.frozen(slots=False)
class FrozenReading:
    """Its state is its __dict__."""

    sensor: str
    time: int
    value: float
