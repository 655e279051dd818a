"""A serializer for Django's Redis cache, to be named in its OPTIONS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.cache.backends.redis import RedisSerializer

import quickpickle

from ..rules.tracebacks import drops_frames

if TYPE_CHECKING:
    from .signing import Signer

__all__ = ["Serializer"]


class Serializer(RedisSerializer):  # type: ignore[misc]
    """As Django's own, which reads what this has written, and the other way round.

    Parameters
    ----------
    protocol
        As that of Django's own.
    policy
        That of `quickpickle.loads`.
    signer
        One of `quickpickle.integrations.signing`, with the protocol and the policy in it: then
        Django's own reads nothing but integers, which are not signed, since Redis counts with them.

    Raises TypeError for a signer with one of the others.

    Example
    -------
    >>> OPTIONS = {"serializer": Serializer(policy=quickpickle.Policy.plain())}
    """

    @drops_frames
    def __init__(
        self,
        protocol: int | None = None,
        *,
        policy: quickpickle.Policy | None = None,
        signer: Signer | None = None,
    ) -> None:
        super().__init__(protocol)
        if signer is not None and (policy, protocol) != (None, None):
            raise TypeError("the policy and the protocol belong into the signer")
        self._policy = policy
        self._signer = signer

    @drops_frames
    def dumps(self, obj: Any) -> int | bytes:
        if type(obj) is int:
            return obj  # so that Redis can count with it
        if self._signer is not None:
            return self._signer.dumps(obj)
        return quickpickle.dumps(obj, self.protocol)

    @drops_frames
    def loads(self, data: bytes) -> Any:
        try:
            return int(data)
        except ValueError:
            if self._signer is not None:
                return self._signer.loads(data)
            return quickpickle.loads(data, policy=self._policy)
