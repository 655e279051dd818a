"""quickpickle in Spark: a serializer for RDDs, and install() for all that Spark pickles.

    SparkContext(serializer=quickpickle.integrations.spark.Serializer())

The context makes batches of objects for it, as it does for its own serializer. The bytes are those
of Spark's own, pyspark.serializers.CloudPickleSerializer, so each reads what the other has written.
"""

from __future__ import annotations

import pickle
from typing import Any, Final

import pyspark.cloudpickle
from pyspark.serializers import CloudPickleSerializer, pickle_protocol

from ..cloud_copies import of
from ..rules.tracebacks import drops_frames
from .copies import replace, restore

__all__ = ["DAEMON", "Serializer", "install", "uninstall"]

DAEMON: Final = "quickpickle.integrations.spark_daemon"
"""The value of `spark.python.daemon.module` with which workers have `install` too."""

_cloud: Final = of(pyspark.cloudpickle)


class Serializer(CloudPickleSerializer):  # type: ignore[misc]
    """A serializer for `SparkContext(serializer=...)`, for driver and workers.

    Spark counts it as equal to its own serializer: what one of them has written is not written
    again for the other.

    Raises pickle.PicklingError for what cannot be pickled, as Spark's own; the note says where.

    Example
    -------
    >>> from pyspark import SparkContext
    >>> context = SparkContext("local[2]", serializer=Serializer())
    >>> context.parallelize([1, 2, 3]).map(lambda x: (x, x * x)).collect()
    [(1, 1), (2, 4), (3, 9)]
    """

    @drops_frames
    def dumps(self, obj: Any) -> bytes:
        try:
            return _cloud.dumps(obj, pickle_protocol)
        except pickle.PickleError:
            raise
        except Exception as error:
            message = f"Could not serialize object: {type(error).__name__}: {error}"
            raise pickle.PicklingError(message) from error

    @drops_frames
    def loads(self, obj: bytes, encoding: str = "bytes") -> Any:
        if getattr(self, "allowed_names", None) is not None:  # Spark's own list of what may load
            return super().loads(obj, encoding)
        return _cloud.loads(obj, encoding=encoding)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CloudPickleSerializer) and vars(self) == vars(other)

    def __ne__(self, other: object) -> bool:  # Spark's classes have one of their own
        return not self == other

    def __hash__(self) -> int:
        return hash(CloudPickleSerializer())


@drops_frames
def install() -> None:
    """Let all that Spark pickles in this process go by quickpickle; the bytes are the same.

    So do RDDs with Spark's own serializer, functions that go to workers, and results of user
    defined functions without Arrow. It can be called before or after the context is made, and any
    number of times; `uninstall` undoes it. Workers have it with
    `spark.python.daemon.module=quickpickle.integrations.spark_daemon` (not on Windows, where Spark
    uses no daemon).
    """
    replace(pyspark.cloudpickle)


@drops_frames
def uninstall() -> None:
    """Undo `install` in this process."""
    restore(pyspark.cloudpickle)
