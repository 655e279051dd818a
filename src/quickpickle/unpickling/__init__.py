"""The pure implementation of Unpickler, load and loads."""

from .functions import load, load_mapped, loads
from .unpickler import Unpickler

__all__ = ["Unpickler", "load", "load_mapped", "loads"]
