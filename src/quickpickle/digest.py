"""object_digest(): a digest of the deterministic pickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from .pickling.deterministic import put_in_order
from .pickling.loop import write_pickle
from .pickling.memo import Memo
from .pickling.notes import note_path
from .pickling.pickler import Pickler
from .pickling.stream import Stream
from .rules.digests import PROTOCOL as DIGEST_PROTOCOL
from .rules.digests import HashObject, NamedHash, new_hash, reduce_for_digest
from .rules.order import Order
from .rules.reductions import ABSENT
from .rules.representatives import Representatives
from .rules.sending import DIGESTING
from .rules.tracebacks import drops_frames, make_public

_Hash = TypeVar("_Hash", bound=HashObject)


@overload
def object_digest(obj: Any, digest: str = ..., *, sort_dicts: bool = ...) -> NamedHash: ...


@overload
def object_digest(obj: Any, digest: Callable[[], _Hash], *, sort_dicts: bool = ...) -> _Hash: ...


@drops_frames
def object_digest(
    obj: Any,
    digest: str | Callable[[], HashObject] = "sha256",
    *,
    sort_dicts: bool = True,
) -> HashObject:
    """Return a hash object updated with the deterministic pickle of `obj`.

    It is never held in memory as a whole. Equal objects have equal digests, in whatever process,
    on whatever version of Python from 3.11 on if all in them is of builtin types. Classes and
    functions count by their module and name, not by their code. NumPy arrays count by dtype, shape
    and contents, whatever their byte order and how they lie in memory.

    Parameters
    ----------
    digest
        The name of an algorithm, for `hashlib.new`, or a callable that returns a hash object,
        such as `hashlib.blake2b`, `blake3.blake3` or `xxhash.xxh3_128`.
    sort_dicts
        Whether dicts that are equal count as equal, whatever the order of their keys. It is part
        of the value of an OrderedDict in any case.

    Raises
    ------
    ValueError, TypeError
        `digest` is the name of no algorithm, or gives no hash object.
    Exception
        Those of `Pickler.dump`, for an object that cannot be pickled.

    Example
    -------
    >>> object_digest({"b", "a"}).hexdigest()[:16]
    '804411514b0c6ccf'

    Source: the manner of https://docs.python.org/3/library/hashlib.html#hashlib.file_digest
    """
    made = new_hash(digest)
    stream = Stream(
        made.update,
        Memo(),
        DIGEST_PROTOCOL,
        fix_imports=False,
        buffer_callback=None,
        reduction_limit=Pickler.reduction_limit,
    )
    stream.sending = DIGESTING
    hooks = ABSENT, reduce_for_digest, ABSENT
    order = Order(Representatives(DIGEST_PROTOCOL, False), DIGEST_PROTOCOL, sort_dicts=sort_dicts)
    put_in_order(stream, order, hooks)
    write_pickle(stream, obj, *hooks, note_path)
    return made


make_public(object_digest)
