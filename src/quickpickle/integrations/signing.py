"""Pickles with a signature, for stores and queues that others can write to.

Anyone who can write a pickle to where a program loads it can run code in that program. A signed
pickle is loaded only if its writer had the key. HMAC is that of the standard library.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pickle import UnpicklingError
from typing import Any, Final

import quickpickle

from ..rules.tracebacks import drops_frames

__all__ = ["SignatureError", "Signer"]

_SIZE: Final = 32  # of a signature, of SHA-256
_SHORTEST_KEY: Final = 16


class SignatureError(UnpicklingError):
    """The data to be loaded is not signed with one of the keys; nothing of it was read."""


class Signer:
    """Has a `dumps` that signs, and a `loads` that loads what is signed, and nothing else.

    Parameters
    ----------
    keys
        The key, of 16 bytes or more that nobody can guess (`secrets.token_bytes(32)`); or several,
        newest first: the first one signs, and what any of them has signed is loaded. So a new key
        can be put before the old one, first where it is loaded, then where it is written, until
        nothing is left that was signed with the old one.
    purpose
        The use of the signed objects. Data that was signed for another purpose is refused, with the
        same key too, so that a message cannot be moved from one queue or cache to another.
    policy
        That of `quickpickle.loads`, for what is signed.
    protocol
        That of `quickpickle.dumps`.

    It keeps others from writing, not from reading, nor from putting an older message in the place
    of a newer one. Raises TypeError for keys that are no bytes, ValueError for short ones and none.

    Example
    -------
    >>> signer = Signer(b"from your secret store", purpose="jobs")
    >>> signer.loads(signer.dumps({"job": 7}))
    {'job': 7}
    >>> signer.loads(quickpickle.dumps({"job": 7}))
    Traceback (most recent call last):
    quickpickle.integrations.signing.SignatureError: not signed with a key of ours

    Source: RFC 2104 (HMAC) with SHA-256; 16 bytes are the 128 bits that NIST SP 800-131A asks for.
    """

    def __init__(
        self,
        keys: bytes | Iterable[bytes],
        *,
        purpose: str = "",
        policy: quickpickle.Policy | None = None,
        protocol: int | None = None,
    ) -> None:
        self._keys = [keys] if isinstance(keys, bytes) else list(keys)
        if any(not isinstance(key, bytes) for key in self._keys):
            raise TypeError("keys must be bytes")
        if not self._keys or min(map(len, self._keys)) < _SHORTEST_KEY:
            raise ValueError(f"there must be a key, of {_SHORTEST_KEY} bytes or more")
        # With its length, so that no other purpose and data together are the same bytes.
        name = purpose.encode()
        self._purpose = len(name).to_bytes(8, "big") + name
        self._policy = policy
        self._protocol = protocol

    @drops_frames
    def dumps(self, obj: Any) -> bytes:
        """Return the signature and the pickle of an object. Raises what `quickpickle.dumps` raises.

        >>> len(Signer(b"from your secret store").dumps(None))
        36
        """
        data = quickpickle.dumps(obj, self._protocol)
        return self._sign(self._keys[0], data) + data

    @drops_frames
    def loads(self, data: bytes | bytearray | memoryview) -> Any:
        """Return the object, if its pickle is signed with one of the keys.

        Raises SignatureError, an UnpicklingError, if it is not: before a byte of the pickle is
        read. Else what `quickpickle.loads` raises.
        """
        if type(data) is not bytes:  # else another thread could change what was compared
            data = memoryview(data).tobytes()
        view = memoryview(data)
        signature, signed = view[:_SIZE], view[_SIZE:]
        # Each key is tried, so the time does not say which one it was.
        matches = [hmac.compare_digest(self._sign(key, signed), signature) for key in self._keys]
        if not any(matches):
            raise SignatureError("not signed with a key of ours")
        return quickpickle.loads(signed, policy=self._policy)

    def _sign(self, key: bytes, data: bytes | memoryview) -> bytes:
        made = hmac.new(key, self._purpose, hashlib.sha256)
        made.update(data)
        return made.digest()
