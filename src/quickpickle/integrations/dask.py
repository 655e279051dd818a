"""The serialization family "quickpickle" of `distributed`, registered when this is imported.

As a preload of Dask it also makes the family the first choice of the process. The extra
`quickpickle[dask]` brings distributed and cloudpickle.
"""

from __future__ import annotations

import io
from pickle import PickleBuffer
from typing import Any, Final

from distributed.protocol.serialize import (
    dask_deserialize,
    dask_serialize,
    register_serialization_family,
)

from .. import cloud
from ..rules.tracebacks import drops_frames

__all__ = ["DESERIALIZERS", "SERIALIZERS", "dask_setup", "dumps", "loads"]

SERIALIZERS: Final = ["quickpickle", "dask", "pickle"]
"""The order in which families are tried, where the family is the first choice."""

DESERIALIZERS: Final = [*SERIALIZERS, "error"]

# Dask has functions of its own for these too; their buffers are out of band either way.
_OURS: Final = ("builtins", "numpy", "pandas")


@drops_frames
def dumps(obj: Any, context: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[Any]]:
    """Return a header and frames: the pickle, and then each buffer, without a copy.

    Objects that Dask has functions of its own for, such as memory of a GPU, are left to the family
    "dask".
    """
    if _is_of_dask(type(obj)):
        raise NotImplementedError(type(obj).__qualname__)
    protocol = (context or {}).get("pickle-protocol")
    frames: list[Any] = []
    callback = frames.append if protocol is None or protocol >= 5 else None
    try:
        data = cloud.dumps(obj, protocol, callback)
    except Exception:
        frames.clear()
        file = io.BytesIO()
        try:
            _Pickler(file, protocol, callback).dump(obj)
        except NotImplementedError as error:  # which would mean that another family is to try
            raise TypeError(*error.args) from error
        data = file.getvalue()
    frames = [buffer.raw() for buffer in frames]
    header = {"writeable": tuple(not frame.readonly for frame in frames)}
    return header, [data, *frames]


@drops_frames
def loads(header: dict[str, Any], frames: list[Any]) -> Any:
    """Return the object. The header and the frames are as those of the family "pickle"."""
    buffers = map(_buffer, frames[1:], header["writeable"])
    return cloud.loads(frames[0], buffers=buffers)


def _buffer(frame: Any, writeable: bool) -> memoryview:
    """A frame as the buffer that it was: writeable or not."""
    view = PickleBuffer(frame).raw()
    if writeable and view.readonly:
        return memoryview(bytearray(view))
    return view if writeable else view.toreadonly()


class _Pickler(cloud.Pickler):
    """Asks Dask for what lies deep in an object and cannot be pickled."""

    def reducer_override(self, obj: Any) -> Any:
        if _is_of_dask(type(obj)):
            return dask_deserialize.dispatch(type(obj)), dask_serialize.dispatch(type(obj))(obj)
        return super().reducer_override(obj)


def _is_of_dask(cls: type) -> bool:
    if cls.__module__.partition(".")[0] in _OURS:
        return False
    try:
        dask_serialize.dispatch(cls)
        dask_deserialize.dispatch(cls)
    except TypeError:
        return False
    return True


@drops_frames
def dask_setup(server: Any) -> None:
    """As a preload: what this worker, client or scheduler asks others for comes by this family.

    The others have to know it: preload it in all of them.
    """
    server.rpc.serializers = SERIALIZERS
    server.rpc.deserializers = DESERIALIZERS


register_serialization_family("quickpickle", dumps, loads)
