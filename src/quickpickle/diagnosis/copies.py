"""Equal copies of one large object, each of which is written: what strict=True names."""

from __future__ import annotations

import hashlib
import marshal
from pickle import PickleBuffer
from typing import Any, Final, NamedTuple

LARGE: Final = 64 * 1024  # bytes: equal copies of what is smaller are not worth a word
MANY: Final = 1000  # items of a container and of those in it, the same
COUNTS: Final = LARGE // MANY  # bytes: fewer than MANY strings that are smaller are never large
_MOST_NOTED: Final = 10_000  # large objects that are kept, to be compared with

CONTAINERS: Final = {tuple, list, dict, set, frozenset}
STRINGS: Final = {str, bytes, bytearray}
BUFFERS: Final = {*STRINGS, PickleBuffer}
_PLAIN: Final = {type(None), bool, int, float, str, bytes}
_OTHERS: Final = object()  # an object that tells nothing


class Copies:
    """The large objects that were met, and which of them are equal to one met before.

    They are compared by their kinds, lengths and some items. Only where these are the same the
    whole content is read.
    """

    def __init__(self) -> None:
        self.written: set[int] = set()  # the addresses of containers and of strings that count
        self.met: dict[Any, _Alike] = {}  # by what is compared first
        self.count = 0
        self.firsts: dict[int, Any] = {}  # of the objects in `met` and their copies, by address
        self.sizes = Sizes()
        self.contents = _Contents()

    def original(self, obj: Any) -> Any:
        """The object that a large one is a copy of; `obj` itself if of none, or if it is small."""
        if id(obj) in self.firsts:
            return self.firsts[id(obj)]
        if not self.is_large(obj):
            return obj
        alike = self.met.setdefault(outline(obj), _Alike([], {}))
        first = self._first(obj, alike)
        if first is obj:
            if self.count >= _MOST_NOTED:
                return obj
            self.count += 1
            alike.unread.append(obj)
        elif type(obj) in CONTAINERS and not self.writes_much(obj):
            # A copy of what has the same large members writes references to them, no second time.
            return obj
        self.firsts[id(obj)] = first
        self.sizes.kept.append(obj)
        return first

    def _first(self, obj: Any, alike: _Alike) -> Any:
        """The first object with the same content."""
        for other in alike.unread:
            alike.by_digest.setdefault(self.digest(other), other)
        alike.unread.clear()
        if not alike.by_digest:
            return obj  # the content of what is alone in its kind need not be read
        digest = self.digest(obj)
        return obj if digest is None else alike.by_digest.get(digest, obj)

    def is_large(self, obj: Any) -> bool:
        """Whether an object may be large; containers are read no further than needed."""
        cls = type(obj)
        if cls in CONTAINERS:
            return self.sizes.is_large(obj)
        return cls in BUFFERS and _size(obj) >= LARGE

    def digest(self, obj: Any) -> Any:
        """A key that two large objects of a type share if they are equal; None if there is none."""
        if type(obj) not in CONTAINERS:
            return _digest(obj)
        content = self.contents.of(obj)
        return content.digest if content is not None and content.is_large else None

    def note(self, obj: Any) -> None:
        """An object is written now, so that it is a reference from here on."""
        cls = type(obj)
        if cls in CONTAINERS or (cls in STRINGS and len(obj) >= COUNTS):
            self.written.add(id(obj))

    def writes_much(self, obj: Any) -> bool:
        """Whether what is large in a container is not written yet."""
        seen: set[int] = set()
        todo = [obj]
        items = size = 0
        while todo:
            members = members_of(todo.pop())
            items += len(members)
            if items >= MANY:
                return True
            for member in members:
                if id(member) in self.written or id(member) in seen:
                    continue
                seen.add(id(member))
                if type(member) in CONTAINERS:
                    todo.append(member)
                elif type(member) in STRINGS:
                    size += len(member)
        return size >= LARGE


class _Alike(NamedTuple):
    """Objects that have the same outline."""

    unread: list[Any]
    by_digest: dict[Any, Any]  # the first with each content


def members_of(obj: Any) -> list[Any]:
    """All that a container holds."""
    return [*obj, *obj.values()] if type(obj) is dict else list(obj)


def _size(obj: Any) -> int:
    if type(obj) is not PickleBuffer:
        return len(obj)
    try:
        with memoryview(obj) as view:
            return view.nbytes
    except ValueError:  # it was released
        return 0


def outline(obj: Any) -> Any:
    """A key that equal objects have in common, and most others do not."""
    cls = type(obj)
    if cls not in CONTAINERS:
        return cls, _size(obj)
    if cls in (set, frozenset) or not obj:
        return cls, len(obj)
    if cls is dict:
        key = next(iter(obj))
        sample = [key, obj[key]] if type(key) in _PLAIN else [key]
    else:
        sample = [obj[0], obj[len(obj) // 2], obj[-1]]
    return (cls, len(obj), *[(type(one), _about(one)) for one in sample])


def _about(obj: Any) -> Any:
    if type(obj) in _PLAIN and type(obj) is not float:  # nan, and 0.0 that equals -0.0
        return obj
    return len(obj) if type(obj) in CONTAINERS or type(obj) is bytearray else _OTHERS


def _digest(obj: Any) -> Any:
    """A key that two strings or buffers of a type share if they are equal."""
    about: Any = None
    data: Any = obj
    if type(obj) is PickleBuffer:
        with memoryview(obj) as view:
            if not view.c_contiguous:
                return None
            about, data = (view.format, view.shape), view.tobytes()
    elif type(obj) is str:
        data = obj.encode("utf-8", "surrogatepass")
    return about, hashlib.blake2b(data).digest()


class Sizes:
    """Which containers are large: from LARGE bytes of strings, or MANY items, in all.

    Each is found once, however often it is referred to.
    """

    def __init__(self) -> None:
        # The items and the bytes of small ones, None of large ones, by address.
        self.known: dict[int, tuple[int, int] | None] = {}
        self.kept: list[Any] = []  # so that no other object gets such an address

    def is_large(self, root: Any) -> bool:
        """Whether a container is large. One that contains itself counts as large."""
        if len(root) >= MANY:
            return True
        known = self.known
        todo = [root]
        way: dict[int, Any] = {}  # from the root to the last of `todo`
        while todo:
            obj = todo[-1]
            if id(obj) in known:
                todo.pop()
                continue
            members = members_of(obj)
            kinds = set(map(type, members))
            nested: list[Any] = []
            if not kinds.isdisjoint(CONTAINERS):
                nested = [member for member in members if type(member) in CONTAINERS]
            if id(obj) not in way:
                way[id(obj)] = obj
                if any(self._makes_large(one) or id(one) in way for one in nested):
                    known.update(dict.fromkeys(way))
                    self.kept += way.values()
                    return True
                unknown = [one for one in nested if id(one) not in known]
                if unknown:
                    todo += unknown
                    continue
            del way[id(todo.pop())]
            self.kept.append(obj)
            known[id(obj)] = self._read(obj, members, kinds, nested)
        return known[id(root)] is None

    def _makes_large(self, member: Any) -> bool:
        return len(member) >= MANY or self.known.get(id(member), ()) is None

    def _read(
        self, obj: Any, members: list[Any], kinds: set[type], nested: list[Any]
    ) -> tuple[int, int] | None:
        items, size = len(obj), 0
        if not kinds.isdisjoint(STRINGS):
            size = sum([len(member) for member in members if type(member) in STRINGS])
        for one in nested:
            about = self.known[id(one)]
            if about is None:
                return None
            items += about[0]
            size += about[1]
        return None if items >= MANY or size >= LARGE else (items, size)


class _Content(NamedTuple):
    """The content of a container, with all nested ones; numbers beyond large are cut."""

    digest: bytes
    items: int
    size: int  # bytes of strings

    @property
    def is_large(self) -> bool:
        return self.items >= MANY or self.size >= LARGE


class _Contents:
    """The contents of containers, each found once, however often it is referred to.

    They are known where there is nothing but scalars, strings and other such containers, and none
    that contains itself.
    """

    def __init__(self) -> None:
        # By the address of the container, which is kept, so that no other gets its address.
        self.known: dict[int, tuple[Any, _Content | None]] = {}

    def of(self, root: Any) -> _Content | None:
        known = self.known
        todo = [root]
        open_ones: set[int] = set()  # from the root to the last of `todo`
        while todo:
            obj = todo[-1]
            if id(obj) not in known and id(obj) not in open_ones:
                open_ones.add(id(obj))
                todo += [
                    member
                    for member in members_of(obj)
                    if type(member) in CONTAINERS
                    and id(member) not in known
                    and id(member) not in open_ones
                ]
                continue
            todo.pop()
            if id(obj) not in known:
                open_ones.remove(id(obj))
                known[id(obj)] = obj, self._read(obj)
        return known[id(root)][1]

    def _read(self, obj: Any) -> _Content | None:
        members = members_of(obj)
        items = len(members) if type(obj) is not dict else len(obj)
        size = 0
        types = set(map(type, members))
        if not types <= _PLAIN:
            for i, member in enumerate(members):
                if type(member) is bytearray:
                    size += len(member)
                    members[i] = (_digest(member),)
                elif type(member) not in _PLAIN:
                    content = self.known.get(id(member), (None, None))[1]
                    if content is None:
                        return None
                    items += content.items
                    size += content.size
                    members[i] = (content.digest,)
        if str in types or bytes in types:
            size += sum(len(member) for member in members if type(member) in (str, bytes))
        if type(obj) in (set, frozenset):
            members = sorted(marshal.dumps(member, 2) for member in members)
        # 2: without references, which depend on who else has an item
        data = marshal.dumps([type(obj).__name__, *members], 2)
        digest = hashlib.blake2b(data, digest_size=16).digest()
        return _Content(digest, min(items, MANY), min(size, LARGE))
