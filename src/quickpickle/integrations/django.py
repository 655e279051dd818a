"""A serializer for Django's Redis cache, to be named in its OPTIONS."""

from __future__ import annotations

from typing import Any

from django.core.cache.backends.redis import RedisSerializer

import quickpickle

from ..rules.tracebacks import drops_frames

__all__ = ["Serializer"]


class Serializer(RedisSerializer):  # type: ignore[misc]
    """As Django's own, which reads what this has written, and the other way round."""

    @drops_frames
    def dumps(self, obj: Any) -> int | bytes:
        if type(obj) is int:
            return obj  # so that Redis can count with it
        return quickpickle.dumps(obj, self.protocol)

    @drops_frames
    def loads(self, data: bytes) -> Any:
        try:
            return int(data)
        except ValueError:
            return quickpickle.loads(data)
