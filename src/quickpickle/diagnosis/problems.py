"""The problems that diagnose() has found, and how they are shown."""

from __future__ import annotations

import html

from ..rules.hints import full_name
from ..rules.tracebacks import make_public

_Type = type


class Problem:
    """One place that keeps an object from being pickled, or makes it come back as a surprise.

    Attributes
    ----------
    path : str
        Where it is, an expression in which `obj` is what diagnose() was given:
        https://example.org/quickpickle/blob/main/docs/errors.md
    type : type or None
        The type of the object at that place; None where it is not at hand.
    exception : Exception or None
        Raised by pickling or loading it, without its traceback; None if neither fails, but it
        comes back as a surprise.
    on_load : bool
        Whether it can be pickled, and was found by loading that: see `round_trip`.
    hint : str or None
        The advice for it.
    """

    __slots__ = ("exception", "hint", "on_load", "path", "type")

    def __init__(
        self,
        path: str,
        cls: _Type | None,
        exception: Exception | None,
        hint: str | None,
        on_load: bool = False,
    ) -> None:
        self.path = path
        self.type: _Type | None = cls
        self.exception = exception
        self.hint = hint
        self.on_load = on_load

    def _lines(self) -> list[str]:
        kind = "" if self.type is None else f"  (type {full_name(self.type)})"
        lines = [f"{self.path}{kind}"]
        if self.exception is not None:
            message = _message(self.exception)
            lines.append(f"{full_name(type(self.exception))}: {message}".removesuffix(": "))
        return [*lines, self.hint] if self.hint else lines

    def __repr__(self) -> str:
        first, *others = self._lines()
        return "\n    ".join([first, *others])


class Problems(list[Problem]):
    """The Problems that diagnose() has found, shown as text or, in a notebook, as a table.

    `complete` is false where there are more than `max_problems`, at which the search has ended.
    """

    complete: bool = True

    def _summary(self) -> str:
        if not self:
            return "No problems: it can be pickled."
        failing = [problem.on_load for problem in self if problem.exception is not None]
        surprises = len(self) - len(failing)
        counts = []
        for number, what in (
            (failing.count(False), "cannot be pickled"),
            (failing.count(True), f"do{'es' if failing.count(True) == 1 else ''} not load"),
        ):
            if number:
                counts.append(f"{number} place{'' if number == 1 else 's'} that {what}")
        if surprises:
            counts.append(f"{surprises} surprise{'' if surprises == 1 else 's'}")
        more = "" if self.complete else ", and more (see max_problems)"
        return f"{', '.join(counts[:-1])}{' and ' if counts[1:] else ''}{counts[-1]}{more}:"

    def __repr__(self) -> str:
        return "\n".join([self._summary(), *map(repr, self)])

    def _repr_html_(self) -> str:
        parts = [f"<p>{html.escape(self._summary())}</p>"]
        if self:
            parts.append("<table><thead><tr>")
            heads = ("path", "type", "exception", "what to do")
            parts += [f'<th style="text-align:left">{name}</th>' for name in heads]
            parts.append("</tr></thead><tbody>")
            for problem in self:
                kind = "" if problem.type is None else full_name(problem.type)
                error = problem.exception
                raised = "" if error is None else f"{full_name(type(error))}: {_message(error)}"
                cells = [f"<code>{html.escape(problem.path)}</code>"]
                cells += [html.escape(text) for text in (kind, raised, problem.hint or "")]
                parts.append("<tr>")
                parts += [f'<td style="text-align:left">{cell}</td>' for cell in cells]
                parts.append("</tr>")
            parts.append("</tbody></table>")
        return "".join(parts)


def _message(error: Exception) -> str:
    try:
        message = str(error)
    except Exception as reason:  # its own code
        message = f"<its str() raises {full_name(type(reason))}>"
    return message if len(message) <= 500 else message[:500] + "…"


make_public(Problem)
