"""A Policy as a text in TOML, and what is wrong with such a text.

The order of the keys is that of danger: of a file that was cut short, what takes away is there
before what gives, so that it is never a wider policy.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath
from typing import Any, Final, NamedTuple

from .renames import check_renames

_HEAD: Final = "# A policy for loads of pickles: quickpickle.Policy.from_file reads it.\n"
_LISTS: Final = ("forbid", "presets", "allow", "dangerous")
_KEYS: Final = ("limit", *_LISTS, "renames")


class Parts(NamedTuple):
    """The contents of a file: `allow` has no name that `dangerous` has."""

    limit: Mapping[str, int]
    forbid: Iterable[str]
    presets: Iterable[str]
    allow: Iterable[str]
    dangerous: Iterable[str]
    renames: Mapping[str, str]


def text_of(parts: Parts) -> str:
    """The TOML of a policy: the same policy has the same text."""
    # Names are identifiers with dots, so no string needs an escape.
    blocks = [_HEAD]
    if parts.limit:
        values = ", ".join(f"{key} = {_number(value)}" for key, value in parts.limit.items())
        blocks.append(f"limit = {{ {values} }}\n")
    for key in _LISTS:
        names = sorted(getattr(parts, key))
        if key == "presets" and names:
            blocks.append(f"presets = [{', '.join(map(_quoted, names))}]\n")
        elif names:
            lines = "".join(f"    {_quoted(name)},\n" for name in names)
            blocks.append(f"{key} = [\n{lines}]\n")
    if parts.renames:  # last, as what follows a table is in it
        lines = "".join(
            f"{_escaped(old)} = {_escaped(new)}\n" for old, new in sorted(parts.renames.items())
        )
        blocks.append(f"[renames]\n{lines}")
    return "\n".join(blocks)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _escaped(name: str) -> str:
    """The same of a name that may have a quote or a backslash, which JSON escapes as TOML does."""
    return json.dumps(name, ensure_ascii=False)


def _number(value: int) -> str:
    return f"{value:_}"


def read_text(file: Any) -> tuple[str, str]:
    """The name of a file, for messages, and its text. `file` is a path, or open for reading."""
    if hasattr(file, "read"):
        name, data = str(getattr(file, "name", "the policy")), file.read()
    elif isinstance(file, str | PathLike):
        name = str(fspath(file))
        with open(file, "rb") as opened:
            data = opened.read()
    else:
        raise TypeError(f"expected a path or a file, not {type(file).__name__}")
    if isinstance(data, str):
        return name, data
    try:
        return name, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: it is not in UTF-8, from byte {error.start} on") from None


def write_text(file: Any, text: str) -> None:
    """Write to a path, or to a file that is open for writing text."""
    if hasattr(file, "write"):
        file.write(text)
        return
    if not isinstance(file, str | PathLike):
        raise TypeError(f"expected a path or a file, not {type(file).__name__}")
    with open(file, "w", encoding="utf-8", newline="\n") as opened:
        opened.write(text)


def parse(
    name: str, text: str, presets: Iterable[str], limits: Iterable[str], check: Callable[..., None]
) -> Parts:
    """The contents of a text. Raises ValueError, which says what is wrong and where.

    `presets` and `limits` are the names of those that there are. `check(name, is_dangerous)`
    raises ValueError where a name is none that may be allowed; for a name that is only forbidden,
    `is_dangerous` is true.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name}: this is no TOML: {error}") from None

    def fail(key: str, message: str, value: object = None) -> None:
        where = _line_of(text, key if value is None else value)
        raise ValueError(f"{name}: {key}{where}: {message}")

    for key in found:
        if key not in _KEYS:
            fail(key, f"no such key; there are {', '.join(_KEYS)}")
    limit = found.get("limit", {})
    if type(limit) is not dict:
        fail("limit", "it is to be a table, as limit = { depth = 100 }")
    for key, value in limit.items():
        if key not in limits:
            fail("limit", f"there is no {key!r}; there are {', '.join(limits)}", key)
        if type(value) is not int or value < 0:
            fail("limit", f"{key} is to be a whole number that is not negative", key)
    for key in _LISTS:
        names = found.get(key, [])
        if type(names) is not list:
            fail(key, 'it is to be a list of names, as ["myapp.models.Order"]')
        for item in names:
            if type(item) is not str:
                fail(key, f"expected a name, found {item!r}")
            if key == "presets":
                if item not in presets:
                    fail(key, f"there is no {item!r}; there are {', '.join(presets)}", item)
                continue
            try:
                check(item, key != "allow")
            except ValueError as error:
                fail(key, str(error), item)
    allow, dangerous = found.get("allow", []), found.get("dangerous", [])
    for item in dangerous:
        if item in allow:
            fail("dangerous", f"{item!r} is in allow too; leave it in one of them", item)
    renames = found.get("renames", {})
    if type(renames) is not dict:
        fail("renames", 'it is to be a table, as [renames] and "old.module" = "new.module"')
    for old, new in renames.items():
        if type(new) is dict:
            fail("renames", f"write the old name in quotes: a name with a dot begins with {old!r}")
        if type(new) is not str:
            fail("renames", f"expected a name, found {new!r}", old)
    try:
        check_renames(renames, in_policy=True)
    except ValueError as error:
        fail("renames", str(error))
    forbid, presets_, allow, dangerous = (found.get(key, []) for key in _LISTS)
    return Parts(limit, forbid, presets_, allow, dangerous, renames)


def _line_of(text: str, word: object) -> str:
    """The line of a key or name, where only one has it as a word of its own."""
    lines = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if not line.lstrip().startswith("#")
        and (f'"{word}"' in line or f"'{word}'" in line or line.split("=")[0].strip() == word)
    ]
    return f" (line {lines[0]})" if len(lines) == 1 else ""
