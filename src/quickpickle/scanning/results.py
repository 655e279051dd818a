"""The classes that users know of objects that are rebuilt with a function."""

from __future__ import annotations

from typing import Any, Final

from .labels import Labels, find_pickle
from .source import Source

_CYTHON: Final = "__pyx_unpickle_"  # what Cython calls such a function, before the class's name

# These make an object of the class that is their first argument.
_OF_FIRST_ARGUMENT: Final = {
    ("array", "_array_reconstructor"),
    ("copy_reg", "_reconstructor"),
    ("copyreg", "__newobj__"),
    ("copyreg", "__newobj_ex__"),
    ("copyreg", "_reconstructor"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.ma.core", "_mareconstruct"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.datetimes", "_new_DatetimeIndex"),
    ("pandas.core.indexes.period", "_new_PeriodIndex"),
}

# These make an object of always the same class.
_ALWAYS: Final = {
    ("_codecs", "encode"): "bytes",
    ("cloudpickle.cloudpickle", "_make_function"): "function",
    ("cloudpickle.cloudpickle", "_make_skeleton_class"): "type",
    ("numpy._core.multiarray", "scalar"): "numpy.generic",
    ("numpy._core.numeric", "_frombuffer"): "numpy.ndarray",
    ("numpy.core.multiarray", "scalar"): "numpy.generic",
    ("numpy.core.numeric", "_frombuffer"): "numpy.ndarray",
    ("numpy.random._pickle", "__bit_generator_ctor"): "numpy.random.BitGenerator",
    ("numpy.random._pickle", "__generator_ctor"): "numpy.random.Generator",
    ("numpy.random._pickle", "__randomstate_ctor"): "numpy.random.RandomState",
    ("pandas._libs.internals", "_unpickle_block"): "pandas.core.internals.blocks.Block",
    ("pandas._libs.tslibs.timedeltas", "_timedelta_unpickle"): "pandas.Timedelta",
    ("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"): "pandas.Timestamp",
    ("re", "_compile"): "re.Pattern",
    ("torch._utils", "_rebuild_parameter"): "torch.nn.Parameter",
    ("torch._utils", "_rebuild_tensor_v2"): "torch.Tensor",
}


def is_rebuilder(source: Source, scanner: Any, number: int) -> bool:
    """Whether a name is a function that makes an object of the class that is its first argument."""
    names = Labels(source, scanner).names_of(number)
    return names in _OF_FIRST_ARGUMENT or names[1].startswith(_CYTHON)


def type_name(module: str, name: str) -> str:
    """The name for the objects that this class or function makes.

    >>> type_name("numpy._core.numeric", "_frombuffer"), type_name("builtins", "slice")
    ('numpy.ndarray', 'slice')
    """
    known = _ALWAYS.get((module, name))
    if known is not None:
        return known
    return name if module == "builtins" else f"{module}.{name}"


class Results:
    """Asked by a scanner what each function makes; remembers those that always make the same."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[int, str] = {}  # the number of a name, and what it makes
        self._scanner: Any = None

    def is_rebuilder(self, scanner: Any, number: int) -> bool:
        if scanner is not self._scanner:  # the file is read once more
            self._scanner = scanner
            self._found.clear()
        known = _ALWAYS.get(Labels(self._source, scanner).names_of(number))
        if known is not None:
            self._found[number] = known
            return False
        return is_rebuilder(self._source, scanner, number)

    def unite(self, scanner: Any) -> None:
        """Give what is of one class one number, if the class is named in the same pickle too.

        The sums by type count an object in another one of its type once, by these numbers.
        """
        found = self._found if scanner is self._scanner else {}
        self._scanner = None  # it has a method of ours
        labels = Labels(self._source, scanner)
        pickles = {find_pickle(scanner, scanner.name_node[number]) for number in found}
        wanted = set(found.values())
        first: dict[tuple[int, str], int] = {}
        changed = {}
        for number, node in enumerate(scanner.name_node if found else ()):
            at = find_pickle(scanner, node)
            name = type_name(*labels.names_of(number)) if at in pickles else ""
            if name in wanted:
                same = first.setdefault((at, name), number)
                if same != number:
                    changed[number] = same
        if changed:
            scanner.retype(changed)
