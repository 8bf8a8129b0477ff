"""Findings about the user's input: values that are collected, ordered and shown together, never raised one by one.

Knows nothing of YAML, clusters or terminals. The codes and their long explanations stand in `codes`.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


class Severity(enum.StrEnum):
    """An error stops what was asked for, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Where a value stands: line and column count from 1; `length` is the number of columns to underline."""

    file: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that has a part in the finding, with a few words on which part."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: what (`message`), why it matters (`why`), what to do (`help`), each one line."""

    severity: Severity
    code: str
    span: Span
    message: str
    why: str = ""
    help: str = ""
    related: tuple[Related, ...] = ()
    sensitive: bool = False
    """Whether a credential stands at the place, so that its line is not to be shown."""

    def to_json(self) -> dict[str, object]:
        """The shape of `--json`, version 1."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "file": self.span.file,
            "line": self.span.line,
            "column": self.span.column,
            "message": self.message,
            "why": self.why,
            "help": self.help,
            "related": [
                {"file": r.span.file, "line": r.span.line, "column": r.span.column, "message": r.message}
                for r in self.related
            ],
        }


def error(
    code: str, span: Span, message: str, *, why: str = "", fix: str = "", related: Iterable[Related] = ()
) -> Diagnostic:
    """An error; `fix` is the one line that says what to do."""
    return Diagnostic(Severity.ERROR, code, span, message, why, fix, tuple(related))


def warning(
    code: str, span: Span, message: str, *, why: str = "", fix: str = "", related: Iterable[Related] = ()
) -> Diagnostic:
    """A warning; `fix` is the one line that says what to do."""
    return Diagnostic(Severity.WARNING, code, span, message, why, fix, tuple(related))


class Diagnostics:
    """Findings in the order of the file, each once."""

    def __init__(self, items: Iterable[Diagnostic] = ()) -> None:
        self._items = dict.fromkeys(items)

    def add(self, *items: Diagnostic) -> None:
        """Takes in more findings; one that is there already is not doubled."""
        self._items.update(dict.fromkeys(items))

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._items, key=lambda d: (d.span, d.code)))

    def __len__(self) -> int:
        return len(self._items)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors among them, in the order of the file."""
        return tuple(d for d in self if d.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The warnings among them, in the order of the file."""
        return tuple(d for d in self if d.severity is Severity.WARNING)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known name nearest to `word`, or None when none is near; upper and lower case and `_`/`-` count little."""

    def folded(name: str) -> str:
        return name.lower().replace("_", "").replace("-", "")

    names = {folded(name): name for name in sorted(known, reverse=True)}
    near = difflib.get_close_matches(folded(word), names, n=1, cutoff=0.7)
    return names[near[0]] if near else None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item of the desired state stands in the user's file, and where each of its fields does."""

    span: Span = Span("", 0, 0)
    fields: Mapping[tuple[str | int, ...], Span] = field(default_factory=dict)

    def at(self, *path: str | int) -> Span:
        """The place of a field, given by its keys as written in the file; the nearest enclosing one if it is absent."""
        while path:
            if path in self.fields:
                return self.fields[path]
            path = path[:-1]
        return self.span
