"""The pure implementation of Unpickler, load and loads."""

from .functions import load, load_mapped, loads, make_load
from .unpickler import Unpickler

__all__ = ["Unpickler", "load", "load_mapped", "loads", "make_load"]
