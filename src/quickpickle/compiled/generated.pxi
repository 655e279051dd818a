# Made by tools/generate from the Python files. Do not edit: change those.

# format/limits.py and rules/nesting.py
cdef enum:
    BATCHSIZE = 1000
    FRAME_SIZE_MIN = 4
    FRAME_SIZE_TARGET = 65536
    FAST_NESTING_LIMIT = 50
    REDUCTION_LIMIT = 1000000
    FEW = 50

# rules/plans.py
cdef enum PlanKind:
    UNPLANNED = 0
    PLAIN = 1
    AST = 2
    SLOTS = 3
    FIELDS = 4
    NAMEDTUPLE = 5
    GETSTATE = 6
    REDUCE = 7
    QUIET = 8
    DATETIME = 9
    DECIMAL = 10
    ODICT = 11
    UUID = 12
    NDARRAY = 13
    NUMBER = 14
    DEQUE = 15
    EXCEPTION = 16
    MEMBERS = 17
    LIST = 18
    DICT = 19
    DEFAULTDICT = 20

# The documentation.
cdef str PICKLER_DOC = 'Writes pickles to a file, as `pickle.Pickler` does, byte for byte.\n\n    Parameters\n    ----------\n    file\n        An object with a `write` that takes one bytes-like argument. If `write` returns that it\n        took fewer bytes than it was given, it is called again with the rest.\n    protocol\n        0 to `HIGHEST_PROTOCOL`. None stands for `DEFAULT_PROTOCOL`, a negative number for the\n        highest.\n    fix_imports\n        With protocols 0 to 2: write the names that modules and their contents had in Python 2.\n    buffer_callback\n        With protocol 5: called with each `PickleBuffer`; where it returns something false,\n        the buffer stays out of the pickle (PEP 574).\n    deterministic\n        The same value gives the same bytes, in whatever process, whichever of its equal strings,\n        bytes, tuples and frozensets are one object, before and after a round trip; sets are\n        ordered by their members. The objects that no pickler can make deterministic:\n        https://example.org/quickpickle/blob/main/docs/options.md#deterministic\n    compact\n        Leave out the memo entries that nothing refers to: what `pickletools.optimize` does with a\n        pickle afterwards. All of it is held until it can be written. Each dump() needs an empty\n        memo: https://example.org/quickpickle/blob/main/docs/options.md#compact\n    progress\n        True for a bar on stderr, if that is a terminal; or what is called with the number of\n        objects (those with an entry in the memo) and of bytes written so far: at most ten times a\n        second, and when all is written. It must not change what is pickled:\n        https://example.org/quickpickle/blob/main/docs/options.md#progress\n\n    Raises\n    ------\n    TypeError\n        `file` has no `write`, or `protocol` is no integer.\n    ValueError\n        The protocol is higher than the highest, or too low for `buffer_callback`.\n\n    Example\n    -------\n    >>> import io, pickle\n    >>> file = io.BytesIO()\n    >>> Pickler(file).dump({"answer": 42})\n    >>> pickle.loads(file.getvalue())\n    {\'answer\': 42}\n\n    Source: https://docs.python.org/3/library/pickle.html#pickle.Pickler\n    '
cdef str DUMP_DOC = 'Write the pickle of `obj` to `file`: `Pickler(file, ...).dump(obj)`.\n\n    The parameters, and what it raises, are those of `Pickler` and its `dump`. But `file` may be a\n    path (str or os.PathLike) too: then the file of that name has the whole pickle when dump()\n    returns, and is as it was if dump() raises an exception or the process dies. An object with a\n    `write` is a file, not a path. With fsspec a URL is a path, as "s3://bucket/model.pkl".\n\n    A file whose name ends in .gz, .bz2, .xz or .zst is compressed. `compression` says it in the\n    place of the name: "gzip", "bz2", "xz", "zstd" or "none". `level` is how much to compress, in\n    the numbers of each compression. Both are for paths.\n\n    With a path it may also raise OSError, where the file cannot be written, and ImportError, where\n    the module for the compression is missing. ValueErrors are an unknown compression, a name that\n    ends in one, as .zip and .lz4 (if `compression` is None), and a level that the compression does\n    not have. See https://example.org/quickpickle/blob/main/docs/files.md.\n\n    >>> dump({"answer": 42}, "model.pkl.gz", level=9)\n    '
cdef str DUMPS_DOC = "Return the pickle of `obj` as bytes.\n\n    The parameters, and what it raises, are those of `Pickler` and its `dump`.\n\n    >>> dumps([1, 2], protocol=2)\n    b'\\x80\\x02]q\\x00(K\\x01K\\x02e.'\n    "
cdef str DUMPS_WITH_HOOKS_DOC = '`dumps` with hooks, for quickpickle.cloud; the compiled one makes no Pickler for it.'
cdef str OBJECT_DIGEST_DOC = 'Return a hash object updated with the deterministic pickle of `obj`.\n\n    It is never held in memory as a whole. Equal objects have equal digests, in whatever process,\n    on whatever version of Python from 3.11 on if all in them is of builtin types. Classes and\n    functions count by their module and name, not by their code. NumPy arrays count by dtype, shape\n    and contents, whatever their byte order and how they lie in memory.\n\n    Parameters\n    ----------\n    digest\n        The name of an algorithm, for `hashlib.new`, or a callable that returns a hash object,\n        such as `hashlib.blake2b`, `blake3.blake3` or `xxhash.xxh3_128`.\n    sort_dicts\n        Whether dicts that are equal count as equal, whatever the order of their keys. It is part\n        of the value of an OrderedDict in any case.\n\n    Raises\n    ------\n    ValueError, TypeError\n        `digest` is the name of no algorithm, or gives no hash object.\n    Exception\n        Those of `Pickler.dump`, for an object that cannot be pickled.\n\n    Example\n    -------\n    >>> object_digest({"b", "a"}).hexdigest()[:16]\n    \'804411514b0c6ccf\'\n\n    Source: the manner of https://docs.python.org/3/library/hashlib.html#hashlib.file_digest\n    '


@cython.annotation_typing(False)
def pickler_parameters(file: SupportsWrite, protocol: int | None=None, *, fix_imports: bool=True, buffer_callback: Callable[[PickleBuffer], object] | None=None, deterministic: bool=False, compact: bool=False, progress: bool | Report | None=None) -> None:
    """The parameters of Pickler, for inspect."""
