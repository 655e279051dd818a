"""The pure implementation of Unpickler, load and loads."""

from .functions import load, loads
from .unpickler import SupportsRead, Unpickler

__all__ = ["SupportsRead", "Unpickler", "load", "loads"]
