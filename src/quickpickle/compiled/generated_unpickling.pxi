# Made by tools/generate from the Python files. Do not edit: change those.

cdef enum:
    LEAST_MAPPED = 65536

cdef str UNPICKLER_DOC = 'Reads pickles from a file, as `pickle.Unpickler` does.\n\n    Load only what you trust, as a pickle runs what is in it; or with a `policy`.\n\n    Parameters\n    ----------\n    file\n        An object with a `read` that takes a number of bytes, and a `readline`. Its `readinto` and\n        `peek` are used where it has them. After load() its position is right behind the pickle.\n    fix_imports\n        With protocols 0 to 2: the names in it may be those of Python 2.\n    encoding, errors\n        How a str of Python 2 is decoded; with the encoding "bytes" it is not.\n    buffers\n        The buffers that the Pickler\'s `buffer_callback` was called with, in their order (PEP 574).\n    policy\n        What the pickle may name, call and cost: a `Policy`. It counts for every load().\n    renames\n        Modules, classes and functions that have another name now, as a dict:\n        `{"old.module": "new.module", "old.module.Class": "new.module.Other"}`. The pickle is read\n        as if it had the new names; so a policy and `find_class` get these. All names in a renamed\n        module or class are renamed too, and the longest name that fits counts. A class in a class\n        is "new.module:Outer.Inner".\n\n    Raises\n    ------\n    TypeError\n        `file` has no `read` or `readline`; `encoding` or `errors` is no str, `policy` no Policy, or\n        `renames` no dict of str. A ValueError if a name in that is none.\n\n    Example\n    -------\n    >>> import io, pickle\n    >>> Unpickler(io.BytesIO(pickle.dumps({"answer": 42}))).load()\n    {\'answer\': 42}\n\n    Source: https://docs.python.org/3/library/pickle.html#pickle.Unpickler\n    '
cdef str LOAD_DOC = 'Read an object from a file: `Unpickler(file, ...).load()`.'
cdef str LOAD_MAPPED_DOC = 'Read an object from a file that is mapped: arrays may stay in it (rules/mapping.py).'
cdef str LOADS_DOC = 'Return the object that a pickle describes.\n\n    `data` is bytes, or another object with a contiguous buffer; what comes after the pickle is\n    ignored. The other parameters, and what it raises, are those of `Unpickler` and its `load`.\n\n    Load only what you trust, as a pickle runs what is in it; or with a `policy`.\n\n    >>> loads(b"\\x80\\x02]q\\x00(K\\x01K\\x02e.")\n    [1, 2]\n    '


@cython.annotation_typing(False)
def unpickler_parameters(file: SupportsRead, *, fix_imports: bool=True, encoding: str='ASCII', errors: str='strict', buffers: Iterable[Any] | None=None, policy: Policy | None=None, renames: Mapping[str, str] | None=None) -> None:
    """The parameters of Unpickler, for inspect."""
