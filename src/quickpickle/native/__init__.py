"""The compiled implementation, where it was built: the twin of the modules around this folder."""

from .core import Pickler, dump, dumps, object_digest, optimize

__all__ = ["Pickler", "dump", "dumps", "object_digest", "optimize"]
