"""The serializer "quickpickle" of kombu, and so of Celery: kombu finds it by its entry point."""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import quickpickle

from ..rules.tracebacks import drops_frames

if TYPE_CHECKING:
    from .signing import Signer

__all__ = ["register", "register_args"]

register_args: Final = (
    partial(quickpickle.dumps, protocol=pickle.HIGHEST_PROTOCOL),
    quickpickle.loads,
    "application/x-quickpickle",
    "binary",
)
"""The arguments of kombu.serialization.register after the name. The content type is one of its own,
so that allowing it does not allow "pickle" too, nor the other way round."""


@drops_frames
def register(
    name: str = "quickpickle",
    *,
    policy: quickpickle.Policy | None = None,
    signer: Signer | None = None,
) -> None:
    """Register a serializer with kombu that loads under a policy, or what is signed only.

    Parameters
    ----------
    name
        That of the serializer: "quickpickle" takes the place of the one without a policy. Another
        one has a content type of its own, `application/x-` and the name.
    policy
        That of `quickpickle.loads`.
    signer
        One of `quickpickle.integrations.signing`, with the policy in it. TypeError with both.

    kombu makes a DecodeError of what `loads` raises.

    Example
    -------
    >>> register(policy=quickpickle.Policy.plain())
    """
    from kombu.serialization import register as register_with_kombu

    dumps: Any = register_args[0]
    loads: Any = partial(quickpickle.loads, policy=policy)
    if signer is not None:
        if policy is not None:
            raise TypeError("the policy belongs into the signer")
        dumps, loads = signer.dumps, signer.loads
    register_with_kombu(name, dumps, loads, f"application/x-{name}", register_args[3])
