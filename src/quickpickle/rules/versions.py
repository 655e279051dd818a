"""Differences between versions of Python that several places depend on."""

import pickle
import sys
from typing import Any, Final

PY312: Final = sys.version_info >= (3, 12)
PY313: Final = sys.version_info >= (3, 13)
PY314: Final = sys.version_info >= (3, 14)
PY315: Final = sys.version_info >= (3, 15)


HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, or by a C module
IMMUTABLE_TYPE: Final = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE


def _list_size_is_checked() -> bool:
    """Whether the running interpreter's pickler refuses lists that change while it writes them.

    That came with a patch release, so we ask the pickler itself.
    """

    class Intruder:
        def __reduce__(self) -> tuple[Any, ...]:
            items.append(None)
            return int, ()

    items = [None, Intruder()]
    try:
        pickle.dumps(items, 2)
    except RuntimeError:
        return True
    return False


LIST_SIZE_IS_CHECKED: Final = _list_size_is_checked()


def _refuses(data: bytes, word: str) -> bool:
    """Whether the interpreter's own unpickler refuses damaged data, with this word in its error."""
    if sys.implementation.name != "cpython":
        return PY314  # there is no such unpickler
    try:
        pickle.loads(data)
    except pickle.UnpicklingError as error:
        return word in str(error)
    return False


# These came with 3.14, and with patch releases of older versions: 3.13.15 has them, 3.13.0 has not.
# The first is a frame within a frame.
FRAMES_ARE_CHECKED: Final = _refuses(
    b"\x80\x04\x95\x0c\0\0\0\0\0\0\0\x95\x02\0\0\0\0\0\0\0K\x01.", "frame"
)
BINSTRING_IS_SIGNED: Final = _refuses(b"T\xff\xff\xff\xff.", "negative")
