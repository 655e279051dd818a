"""Classes and functions by their names, the objects that they make, and persistent ids.

`stream.objects` calls them: rules/objects.py, or the Guard of a policy, with the same functions.
"""

from __future__ import annotations

from typing import Any

from ..rules.loading import get_extension, parse_name, parse_persistent_id
from ..rules.loading_errors import ABSENT, names_not_str, no_persistent_load
from ..rules.versions import PY313
from .scalars import count1, count2, signed4
from .stream import Stream


def load_global(stream: Stream) -> None:
    module_name = parse_name(stream.line())
    name = parse_name(stream.line())
    stream.stack.append(stream.find_class(module_name, name))


def load_stack_global(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 2:
        raise stream.underflow()
    name = stack.pop()
    module_name = stack.pop()
    if type(name) is not str or type(module_name) is not str:
        raise names_not_str()
    stack.append(stream.find_class(module_name, name))


def load_ext1(stream: Stream) -> None:
    stream.stack.append(_extension(stream, count1(stream)))


def load_ext2(stream: Stream) -> None:
    stream.stack.append(_extension(stream, count2(stream)))


def load_ext4(stream: Stream) -> None:
    stream.stack.append(_extension(stream, signed4(stream)))


def _extension(stream: Stream, code: int) -> Any:
    get = get_extension if stream.missing is None else stream.missing.extension
    return get(code, stream.find_anything)


def load_reduce(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 2:
        raise stream.underflow()
    args = stack.pop()
    stack[-1] = stream.objects.reduce(stack[-1], args)


def load_newobj(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 2:
        raise stream.underflow()
    args = stack.pop()
    stack[-1] = stream.objects.newobj(stack[-1], args)


def load_newobj_ex(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 3:
        raise stream.underflow()
    kwargs = stack.pop()
    args = stack.pop()
    stack[-1] = stream.objects.newobj_ex(stack[-1], args, kwargs)


def load_inst(stream: Stream) -> None:
    args = stream.pop_mark()
    module_name = parse_name(stream.line(), "ascii")
    name = parse_name(stream.line(), "ascii")
    cls = stream.find_class(module_name, name)
    stream.stack.append(stream.objects.instantiate(cls, tuple(args)))


def load_obj(stream: Stream) -> None:
    items = stream.pop_mark()
    if not items:
        raise stream.underflow()
    stack = stream.stack
    stack.append(items[0])  # where a failing load finds it
    stack[-1] = stream.objects.instantiate(items[0], tuple(items[1:]))


def load_build(stream: Stream) -> None:
    stack = stream.stack
    if len(stack) < 2:
        raise stream.underflow()
    state = stack.pop()
    stream.objects.build(stack[-1], state)


def load_persid(stream: Stream) -> None:
    if stream.persistent_load is ABSENT and not PY313:
        raise no_persistent_load()
    pid = parse_persistent_id(stream.line())
    if stream.persistent_load is ABSENT:
        raise no_persistent_load()
    stream.stack.append(stream.persistent_load(pid))


def load_binpersid(stream: Stream) -> None:
    if stream.persistent_load is ABSENT and not PY313:
        raise no_persistent_load()
    stack = stream.stack
    if not stack:
        raise stream.underflow()
    if stream.persistent_load is ABSENT:
        raise no_persistent_load()
    stack.append(stream.persistent_load(stack.pop()))
