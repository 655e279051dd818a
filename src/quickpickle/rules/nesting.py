"""Limits against endless dumps: nested reductions, and cycles in fast mode."""

from __future__ import annotations

from typing import Final

from .errors import type_name

FAST_NESTING_LIMIT: Final = 50  # how deep fast mode goes before it looks for cycles
REDUCTION_LIMIT: Final = 1_000_000  # the default of `Pickler.reduction_limit`
FEW: Final = 50  # so many nested reductions are counted without a look at their classes


def endless_error(limit: int, obj: object) -> RecursionError:
    """More of the user's own code around an object than `Pickler.reduction_limit` allows."""
    return RecursionError(
        f"more than {limit} nested reductions or persistent ids, the last one of a "
        f"{type_name(type(obj))} object: its __reduce__ or the Pickler's persistent_id may never "
        "come to an end (if it does, give the Pickler a higher reduction_limit)"
    )


def cyclic_error(obj: object) -> ValueError:
    """A container in itself, in fast mode."""
    return ValueError(
        "fast mode: can't pickle cyclic objects including object type "
        f"{type_name(type(obj)):.200} at 0x{id(obj):x}"
    )
