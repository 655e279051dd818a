"""The checks of `Policy.sklearn()` that all kinds of estimators need."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..policy_names import Rule, nothing
from .numpy_arrays import is_array
from .numpy_dtypes import numpy_module
from .states import Built, attributes, once, wait_for_state


def is_int(value: Any, least: int, most: int = 1 << 62) -> bool:
    """An int, also one of NumPy's."""
    if type(value) is not int and not isinstance(value, numpy_module().integer):
        return False
    return least <= int(value) <= most


def is_data(guard: Any, value: Any, kinds: str, dimensions: int) -> bool:
    return (
        is_array(guard, value)
        and value.dtype.kind in kinds
        and value.dtype.isnative
        and value.ndim == dimensions
    )


def _estimator(more: Built | None, guard: Any, obj: Any, state: Any) -> str | None:
    complaint = attributes(guard, obj, state)
    if complaint is not None:
        return complaint
    version = state.get("_sklearn_version", "")
    if type(version) is not str or len(version) > 50:
        return "a version that is none"
    return None if more is None else more(guard, obj, state)


def instance(more: Built | None = None) -> Rule:
    return Rule(new=nothing, built=once(partial(_estimator, more)), made=wait_for_state)


def loose(check: Built | None = None) -> Rule:
    """An instance that is complete without a state, as it may have no attributes."""
    return Rule(new=nothing, built=partial(_estimator, check))
