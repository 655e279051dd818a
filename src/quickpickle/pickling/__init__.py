"""The pure implementation of Pickler, dump and dumps."""

from .functions import dump, dumps, dumps_with_hooks
from .pickler import Pickler, SupportsWrite

__all__ = ["Pickler", "SupportsWrite", "dump", "dumps", "dumps_with_hooks"]
