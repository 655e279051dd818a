"""The store "quickpickle" of joblib.Memory, registered when this is imported.

    joblib.Memory("cache", backend="quickpickle")

Results are written and read by quickpickle, into the folders that joblib's own store has. The keys
are made by joblib.hash, as before.
"""

from __future__ import annotations

import os
import warnings
from pickle import PROTO
from typing import Any

from joblib import register_store_backend
from joblib._store_backends import CacheWarning, FileSystemStoreBackend

import quickpickle

from ..rules.tracebacks import drops_frames

__all__ = ["StoreBackend"]


class StoreBackend(FileSystemStoreBackend):  # type: ignore[misc]
    """The files of results are plain pickles, which joblib's own store reads too.

    It reads the files of that one as well, so both can have the same folder. With `compress` or
    `mmap_mode`, and where joblib is to print each load (`verbose` above 1), it is as joblib's own.

    A result that cannot be pickled is a CacheWarning that says where; it is computed each time.

    Example
    -------
    >>> import joblib, quickpickle.integrations.joblib
    >>> memory = joblib.Memory("cache", backend="quickpickle", verbose=0)
    >>> memory.cache(abs)(-5)
    5
    """

    @drops_frames
    def load_item(self, call_id: Any, verbose: int = 1, **options: Any) -> Any:
        if verbose < 2 and not self.compress and self.mmap_mode is None:
            try:
                with open(os.path.join(self.location, *call_id, "output.pkl"), "rb") as file:
                    if file.peek(1)[:1] == PROTO:  # else it is compressed
                        return _Unpickler(file).load()
            except (FileNotFoundError, _OfJoblibError):
                pass  # joblib has a message for the first, and a reader for the second
        return super().load_item(call_id, verbose, **options)

    def dump_item(self, call_id: Any, item: Any, verbose: int = 1) -> None:
        if self.compress or self.mmap_mode is not None:
            super().dump_item(call_id, item, verbose)
            return
        folder = os.path.join(self.location, *call_id)
        if verbose > 10:
            print(f"Persisting in {folder}")
        try:
            os.makedirs(folder, exist_ok=True)
            quickpickle.dump(item, os.path.join(folder, "output.pkl"))  # whole, or not at all
        except Exception as error:
            notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
            message = f"Unable to cache to disk: {type(error).__name__}: {error}{notes}"
            warnings.warn(message, CacheWarning, stacklevel=2)


class _OfJoblibError(Exception):
    """The file has arrays of joblib's, past the pickle."""


class _Unpickler(quickpickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "joblib.numpy_pickle":
            raise _OfJoblibError
        return super().find_class(module, name)


register_store_backend("quickpickle", StoreBackend)
