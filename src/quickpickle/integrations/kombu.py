"""The serializer "quickpickle" of kombu, and so of Celery: kombu finds it by its entry point."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Final

import quickpickle

__all__ = ["register_args"]

register_args: Final = (
    partial(quickpickle.dumps, protocol=pickle.HIGHEST_PROTOCOL),
    quickpickle.loads,
    "application/x-quickpickle",
    "binary",
)
"""The arguments of kombu.serialization.register after the name. The content type is one of its own,
so that allowing it does not allow "pickle" too, nor the other way round."""
