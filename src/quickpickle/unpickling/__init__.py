"""The pure implementation of Unpickler, load and loads."""

from .functions import load, loads
from .unpickler import Unpickler

__all__ = ["Unpickler", "load", "loads"]
