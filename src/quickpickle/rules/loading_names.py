"""Hints for names that a load does not find: of classes, functions and their modules.

Nothing is imported. Modules that are not imported are looked for by their files, and in the text of
these.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from importlib.machinery import PathFinder
from pathlib import Path
from pkgutil import iter_modules
from types import FunctionType, ModuleType
from typing import Any, Final

from .load_facts import CHANGED, Facts, message_of
from .loading import names_in_python3
from .reductions import ABSENT
from .renames import Renames

_module_of: Final = type.__dict__["__module__"].__get__

_NOT_FOUND: Final = re.compile(r"Can't (?:get|resolve|pickle) |module .* has no attribute ")
_GONE: Final = {
    **dict.fromkeys(["asynchat", "asyncore", "distutils", "imp", "smtpd"], "3.12"),
    **dict.fromkeys(
        [
            *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "mailcap", "msilib"),
            *("nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib"),
            *("uu", "xdrlib"),
        ],
        "3.13",
    ),
}
# Modules of Python 2 that have no successor.
_OF_PYTHON2: Final = {"htmllib", "mimetools", "mutex", "rfc822", "sets", "sgmllib"}
# Packages whose name to be installed by is another one.
_TO_INSTALL: Final = {
    "attr": "attrs",
    "Bio": "biopython",
    "bs4": "beautifulsoup4",
    "Crypto": "pycryptodome",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "google.protobuf": "protobuf",
    "imblearn": "imbalanced-learn",
    "PIL": "Pillow",
    "sentence_transformers": "sentence-transformers",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "PyYAML",
    **{
        name: name
        for name in (
            *("catboost", "cloudpickle", "dask", "dill", "gensim", "jax", "joblib", "keras"),
            *("lightgbm", "matplotlib", "networkx", "nltk", "numpy", "pandas", "plotly", "polars"),
            *("pyarrow", "pydantic", "pytz", "requests", "scipy", "shap", "six", "spacy"),
            *("sqlalchemy", "statsmodels", "sympy", "tensorflow", "tokenizers", "torch"),
            *("transformers", "xarray", "xgboost"),
        )
    },
}

_OF_ANOTHER_SYSTEM: Final = "PosixPath" if os.name == "nt" else "WindowsPath"
_SYSTEM_CALLS: Final = ("nt", "posix")  # the modules in which os.getcwd and others are
_LEFT_OUT: Final = "is of the standard library, but of another system or version, or was left out"
_EXTENSIONS: Final = ("EXT1", "EXT2", "EXT4")  # whose names `renames` is not about
_LARGEST_SOURCE: Final = 1 << 20  # bytes of a file that is looked into


def of_name(error: Exception, facts: Facts, frames: list[Any]) -> str | None:
    """A class or function that is not found."""
    if facts.module is None or facts.name is None:
        return None
    if facts.module.endswith("…") or facts.name.endswith("…"):
        return None  # a part of a very long name
    module, name = in_python3(facts.module, facts.name, facts)
    # A carriage return at the end is what text mode leaves.
    is_odd = not f"{module}{name}".isprintable() and "\r\n" not in f"{module}\n{name}\n"
    if is_odd and isinstance(error, (ImportError, AttributeError)):
        return "A name has no such characters, so the pickle is damaged."
    if facts.opcode in _EXTENSIONS and isinstance(error, (ImportError, AttributeError)):
        return (
            f"copyreg has {module}.{name} for this extension code. If that is elsewhere now, "
            "register it under its new name: see copyreg.add_extension."
        )
    if isinstance(error, ModuleNotFoundError) and type(error.name) is str:
        missing = error.name
        if module == missing or module.startswith(missing + "."):
            return _of_missing_module(module, name, missing, facts)
        return f"{module} is there, but what it imports is not: {_how_to_install(missing)}."
    is_executed = any(frame.f_code.co_name == "<module>" for frame in frames)
    if is_executed or isinstance(error, (ImportError, SyntaxError)):
        return f"The import of {module} fails, with a pickle or without: try `import {module}`."
    inner = [frame for frame in frames if frame.f_code.co_name != "find_class"]
    asked = [frame for frame in inner if _is_getattr_of(frame, module)]
    if type(error) is not AttributeError or len(asked) < len(inner):
        return None
    # From 3.14 on the message may be that of the module's own __getattr__.
    is_not_found = bool(asked) or _NOT_FOUND.match(message_of(error)) is not None
    return _of_missing_name(module, name, facts) if is_not_found else None


def _is_getattr_of(frame: Any, module: str) -> bool:
    """Whether a frame is one of the `__getattr__` of a module (PEP 562)."""
    found = sys.modules.get(module)
    is_getattr = frame.f_code.co_name == "__getattr__" and type(found) is ModuleType
    return is_getattr and frame.f_globals is vars(found)


def in_python3(module: str, name: str, facts: Facts) -> tuple[str, str]:
    """The names that are looked for, where those in the pickle are of Python 2."""
    if facts.proto < 3 and facts.fix_imports:
        return names_in_python3(module, name)
    return module, name


def named(facts: Facts) -> Any:
    """The object under the name in the facts, if its module is imported."""
    if facts.module is None or facts.name is None:
        return ABSENT
    module, name = in_python3(facts.module, facts.name, facts)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        is_holder = type(found) is ModuleType or isinstance(found, type)
        found = vars(found).get(part, ABSENT) if is_holder else ABSENT
    return found


# --- advice to load with `renames`


def renamed(facts: Facts, module: str, name: str, *, whole_module: bool = False) -> str:
    """The renames that have the failed name looked for under another one, for a hint.

    They are about the name in the pickle, and what is shown has been tried. `whole_module` says
    that all that the pickle's module has is in this one.

    >>> renamed(Facts("GLOBAL", "shop.old", "Order"), "shop.new", "Order", whole_module=True)
    "renames={'shop.old': 'shop.new'}"
    """
    old_module, old_name = facts.in_pickle or (facts.module or "", facts.name or "")
    separator = ":" if "." in name else "."
    full = f"{old_module}.{old_name}", f"{module}{separator}{name}"
    pairs = [*_of_modules(old_module, module)] if whole_module and name == old_name else []
    for old, new in (*pairs, full):
        if in_python3(*_tried(facts, old, new)(old_module, old_name), facts) == (module, name):
            break
    return _shown(facts, old, new)


def _shown(facts: Facts, old: str, new: str) -> str:
    pair = f"{old!r}: {new!r}"
    return f"renames={{{pair}}}" if facts.renames is None else f"{pair} in renames as well"


def _of_modules(old: str, new: str) -> list[tuple[str, str]]:
    """Pairs of packages or modules that make one of the other, the shortest first."""
    olds, news = old.split("."), new.split(".")
    same = 0
    while same < min(len(olds), len(news)) - 1 and olds[-1 - same] == news[-1 - same]:
        same += 1
    cut = -same or None
    pairs = [(".".join(olds[:cut]), ".".join(news[:cut]))]
    return pairs if pairs[0][0] == old else [*pairs, (old, new)]


def _tried(facts: Facts, old: str, new: str) -> Renames:
    return Renames({old: new}) if facts.renames is None else facts.renames.with_another(old, new)


def renamed_elsewhere(facts: Facts) -> str:
    """The same with a new name for the class or function that the user has to find."""
    module, name = facts.in_pickle or (facts.module, facts.name)
    return _shown(facts, f"{module}.{name}", "…")


def _elsewhere(facts: Facts, module: str, name: str, missing: str) -> str:
    """The same for its module."""
    return renamed(facts, "…" + module[len(missing) :], name, whole_module=True)


# --- modules


def _of_missing_module(module: str, name: str, missing: str, facts: Facts) -> str:
    known = _of_known_module(module, name, missing, facts)
    return known or _of_unknown_module(module, name, missing, facts)


def _of_known_module(module: str, name: str, missing: str, facts: Facts) -> str | None:
    """A module of the standard library or of NumPy, or the one of the main script."""
    if missing == "numpy._core":
        return (
            "numpy._core is named so since NumPy 2, which wrote this pickle: it needs NumPy 2, and "
            f"here is {_version_of('numpy') or 'an earlier one'}."
        )
    if missing == "pathlib._local":
        return _of_new_pathlib(name, facts)
    if module in IMPORT_MAPPING and facts.proto < 3:  # so fix_imports is False
        return f"{module} is a module of Python 2: leave out fix_imports=False."
    if missing == "__mp_main__":
        return _of_spawned_main(name, facts)
    if missing == module and (known := _in_place_of_old(module, name)) is not None:
        is_whole = (module, name) not in NAME_MAPPING
        return (
            f"{module} is a module of Python 2, and protocol {facts.proto} does not translate its "
            f"names: load with {renamed(facts, *known, whole_module=is_whole)}."
        )
    if missing == "__builtin__" or (missing == "exceptions" and facts.proto < 3):
        return _of_old_builtin(name, facts)
    gone = _GONE.get(missing) or ("3.0" if facts.proto < 3 and missing in _OF_PYTHON2 else None)
    if gone is not None:
        return (
            f"{missing} is no part of Python since {gone}: load it with an earlier version, or "
            'with missing="placeholder".'
        )
    if missing.endswith("\r"):
        return _text_mode()
    if missing in sys.stdlib_module_names:
        return _of_another_python(module, name, missing, facts)
    return None


def _of_unknown_module(module: str, name: str, missing: str, facts: Facts) -> str:
    parent, _, last = missing.rpartition(".")
    near_top = None if parent else _near_top(module, name, missing)
    if near_top is not None:
        new = near_top + module[len(missing) :]
        return (
            f"Here is no {missing}, but {new} has {name}: if that is the same, load with "
            f"{renamed(facts, new, name, whole_module=True)}."
        )
    moved = _where(name, module)
    if moved is not None:
        return f"{moved} has {name}. If that is the one, load with {renamed(facts, moved, name)}."
    if not parent or _is_namespace(parent):
        return _of_missing_top(module, name, missing, facts)
    nested = _class_for_module(module, name)
    if nested is not None:
        inner, _, _ = nested[1].rpartition(".")
        return (
            f"{nested[0]} has {inner}, which is a class and no module: load with "
            f"{renamed(facts, *nested)}."
        )
    top = missing.partition(".")[0]
    text = f"{_with_version(top)} is installed, but has no {missing}"
    near = difflib.get_close_matches(last, _submodules(parent), 1, 0.8)
    if near:
        found = f"{parent}.{near[0]}"
        new = found + module[len(missing) :]
        return (
            f"{text}. It has {found}: if that is the same, load with "
            f"{renamed(facts, new, name, whole_module=True)}."
        )
    return (
        f"{text}: load with the version that wrote the pickle, or say where it is now: "
        f"{_elsewhere(facts, module, name, missing)}."
    )


def _of_another_python(module: str, name: str, missing: str, facts: Facts) -> str:
    """A module of the standard library that is not here."""
    here = vars(sys.modules[os.name]) if missing in _SYSTEM_CALLS else {}
    if missing == module and name in here:
        return (
            f"{missing} has the calls of another system, and {os.name} has {name} here: load with "
            f"{renamed(facts, os.name, name)}."
        )
    return f"{missing} {_LEFT_OUT}."


def _of_spawned_main(name: str, facts: Facts) -> str:
    """A process that multiprocessing has started by "spawn" has the main script under this name."""
    text = f"A worker process of multiprocessing wrote it, in which {name} was in the main script"
    main = sys.modules.get("__main__")
    if type(main) is ModuleType and name.partition(".")[0] in vars(main):
        return f"{text}: load with {renamed(facts, '__main__', name, whole_module=True)}."
    return (
        f"{text}. Write the pickle with {name} in a module that both import, or load with "
        f"{_elsewhere(facts, '__mp_main__', name, '__mp_main__')}."
    )


def _in_place_of_old(module: str, name: str) -> tuple[str, str] | None:
    """The names of Python 3 for those of Python 2, if they are there."""
    new = names_in_python3(module, name)
    if (module, name) in NAME_MAPPING:
        return new
    found = sys.modules.get(new[0]) if new[0] != module else None
    return new if type(found) is ModuleType and new[1] in vars(found) else None


def _is_namespace(package: str) -> bool:
    """Whether a package is one that several projects install their parts into."""
    found = sys.modules.get(package)
    if type(found) is not ModuleType or vars(found).get("__file__") is not None:
        return False
    return type(vars(found).get("__path__")) not in (list, type(None))


def _of_new_pathlib(name: str, facts: Facts) -> str:
    text = "Paths are in pathlib._local in Python 3.13, which wrote this pickle"
    if name == _OF_ANOTHER_SYSTEM:
        kind = f"Pure{name}"
        return (
            f"{text}, on another system. Load its paths as {kind}, with "
            f"{renamed(facts, 'pathlib', kind)}."
        )
    return f"{text}: load it with {renamed(facts, 'pathlib', name, whole_module=True)}."


def _of_missing_top(module: str, name: str, missing: str, facts: Facts) -> str:
    """Nothing has the first part of a module's name."""
    advice = _to_install(missing)
    if advice is not None:
        return f"Here is no {missing}: {advice}."
    return (
        f"Here is no {missing}: {_install_it(missing)}; if it has another name now, load with "
        f"{_elsewhere(facts, module, name, missing)}."
    )


def _near_top(module: str, name: str, missing: str) -> str | None:
    """A module or package with a name like it, and with the class or function in its place."""
    tops = {key for key in list(sys.modules) if type(key) is str and "." not in key}
    tops.update(sys.stdlib_module_names)
    for folder in sys.path:
        try:  # faster than iter_modules(), which looks into each package
            names = os.listdir(folder or ".")
        except OSError:  # a ZIP file, whose modules are not looked at, or nothing
            continue
        tops.update(filter(str.isidentifier, (name.partition(".")[0] for name in names)))
    for near in difflib.get_close_matches(missing, sorted(tops - {missing}), 3, 0.8):
        if _defines(near + module[len(missing) :], name.partition(".")[0]):
            return near
    return None


def _defines(module: str, name: str) -> bool:
    """Whether a module defines a class, function or other name, by its contents or its text."""
    found = sys.modules.get(module)
    if type(found) is ModuleType:
        return name in vars(found)
    full, paths, spec = "", None, None
    for part in module.split("."):
        full = f"{full}.{part}" if full else part
        spec = PathFinder.find_spec(full, paths)
        if spec is None:
            return False
        paths = spec.submodule_search_locations
        if paths is None and full != module:
            return False
    origin = None if spec is None else spec.origin
    if origin is None or not origin.endswith(".py"):
        return False
    if os.path.getsize(origin) > _LARGEST_SOURCE:
        return False
    pattern = rf"^(?:(?:class|(?:async )?def)[ \t]+{re.escape(name)}\b|{re.escape(name)}[ \t]*=)"
    text = Path(origin).read_text("utf-8", "replace")
    return re.search(pattern, text, re.MULTILINE) is not None


def _class_for_module(module: str, name: str) -> tuple[str, str] | None:
    """The module of a class in a class, and its name, where "module.Outer" is taken for a module.

    >>> _class_for_module("types.SimpleNamespace", "__init__")
    ('types', 'SimpleNamespace.__init__')
    """
    top, _, rest = module.rpartition(".")
    while top:
        found = sys.modules.get(top)
        if type(found) is ModuleType:
            outer = _inner(vars(found).get(rest.partition(".")[0]), rest.partition(".")[2])
            is_there = isinstance(outer, type) and _inner(outer, name) is not None
            return (top, f"{rest}.{name}") if is_there else None
        top, _, last = top.rpartition(".")
        rest = f"{last}.{rest}"
    return None


def _inner(obj: Any, path: str) -> Any:
    """The object under a dotted name in a class; None where there is no such thing."""
    for part in path.split(".") if path else ():
        obj = vars(obj).get(part) if isinstance(obj, type) else None
    return obj


# --- names in modules


def _of_missing_name(module: str, name: str, facts: Facts) -> str | None:
    found = sys.modules.get(module)
    if type(found) is not ModuleType:
        return None
    if name.endswith("\r"):
        return _text_mode()
    contents = vars(found)
    if "<locals>" in name or name.endswith("<lambda>"):
        return (
            "It was defined inside a function, or is a lambda, so nobody finds it by its name. If "
            f"it is at the top of a module now, load with {renamed_elsewhere(facts)}."
        )
    spec = contents.get("__spec__")
    if getattr(spec, "_initializing", False) is True:
        return f"{module} is still being imported: load the pickle when that is done."
    moved = _where(name, module)
    advice = ""
    if moved is not None:
        advice = (
            f" {moved} has {name}: if that is the one, load with {renamed(facts, moved, name)}."
        )
    near = None if advice or module == "builtins" else _near_name(contents, name)
    if near is not None:
        advice = f" It has {near}: if that is the same, load with {renamed(facts, module, near)}."
    if module in ("__main__", "__mp_main__"):
        script = contents.get("__file__")
        here = script if type(script) is str else "this session"
        return (
            f"The program that wrote the pickle had {name} in its own script, and {here} has none: "
            f"import {name} there first, or write the pickle with {name} in a module that both "
            f"import.{advice}"
        )
    if module == "builtins" and facts.module == "__builtin__":
        return _of_old_builtin(name, facts)
    top = module.partition(".")[0]
    text = f"{module} is there, but has no {name}"
    if top not in sys.stdlib_module_names and (version := _version_of(top)) is not None:
        text = f"{module} is there ({top} {version}), but has no {name}"
    if advice:
        return f"{text}.{advice}"
    return f"{text}: it was renamed or removed {CHANGED}, or is defined under a condition."


def _of_old_builtin(name: str, facts: Facts) -> str:
    return (
        f"Python 3 has no builtin {name}. If there is one that can stand for it, load with "
        f"{renamed_elsewhere(facts)}."
    )


def _near_name(contents: Any, name: str) -> str | None:
    """A name like it: of a class or function in the same module, or in the same class."""
    first, _, rest = name.partition(".")
    prefix = ""
    while rest and isinstance(contents.get(first), type):
        prefix += f"{first}."
        contents = vars(contents[first])
        first, _, rest = rest.partition(".")
    names = [
        key
        for key, value in contents.items()
        if type(key) is str and (isinstance(value, type) or type(value) is FunctionType)
    ]
    for near in difflib.get_close_matches(first, names, 3, 0.8):
        if _inner(contents[near], rest) is not None:
            return f"{prefix}{near}.{rest}" if rest else f"{prefix}{near}"
    return None


def _text_mode() -> str:
    from ..format.foreign import TEXT_MODE

    return TEXT_MODE


def _where(name: str, module: str) -> str | None:
    """The only imported module that defines a class of this name, if it may be the same class.

    That is one of the same package, or a module of the user's own.
    """
    top = module.partition(".")[0]
    first, _, rest = name.partition(".")
    found = []
    for key, candidate in list(sys.modules.items()):
        if type(key) is not str or type(candidate) is not ModuleType or key == module:
            continue
        value = vars(candidate).get(first)
        if not isinstance(value, type) or _module_of(value) != key or _inner(value, rest) is None:
            continue
        if key.partition(".")[0] == top or _is_users(key, candidate):
            found.append(key)
    return found[0] if len(found) == 1 else None


def _is_users(key: str, module: ModuleType) -> bool:
    file = vars(module).get("__file__")
    top = key.partition(".")[0]
    if type(file) is not str or top == "quickpickle" or top in sys.stdlib_module_names:
        return False
    parts = Path(file).parts
    return "site-packages" not in parts and "dist-packages" not in parts


def is_of_a_library(module: str) -> bool:
    """Whether a module is of the standard library or was installed, and so not the user's."""
    if module.partition(".")[0] in sys.stdlib_module_names:
        return True
    found = sys.modules.get(module)
    if type(found) is not ModuleType or type(vars(found).get("__file__")) is not str:
        return False
    return not _is_users(module, found)


def _submodules(package: str) -> list[str]:
    """The names of the modules in a package, which are not imported."""
    found = sys.modules.get(package)
    path = vars(found).get("__path__") if type(found) is ModuleType else None
    return [module.name for module in iter_modules(path)] if type(path) is list else []


def _version_of(module: str) -> str | None:
    found = sys.modules.get(module)
    version = vars(found).get("__version__") if type(found) is ModuleType else None
    return version if type(version) is str else None


def _with_version(module: str) -> str:
    version = _version_of(module)
    return module if version is None else f"{module} {version}"


def _to_install(missing: str) -> str | None:
    for name in (missing, missing.partition(".")[0]):
        if name in _TO_INSTALL:
            return f"pip install {_TO_INSTALL[name]}"
    return None


def _install_it(missing: str) -> str:
    return f"install what has {missing}, or add its folder to sys.path"


def _how_to_install(missing: str) -> str:
    if missing in sys.stdlib_module_names:
        return f"{missing} {_LEFT_OUT}"
    return _to_install(missing) or _install_it(missing)
