"""What the YAML parser says -> what a person can act on."""

from __future__ import annotations

import re

import yaml

from bandari.diagnostics import Diagnostic, Related, Span, error

MAX_DEPTH = 64
"""Mappings and lists in one another."""
_PARSER_TOO_DEEP = "exceeded maximum nesting depth"
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        "mapping values are not allowed",
        "a `:` stands where no key can be",
        "put text that holds `: ` in quotes, or correct the indentation",
    ),
    (
        "could not find expected ':'",
        "a key needs a `:` and a space after it",
        "write `key: value`, or put text of several lines in quotes",
    ),
    (
        "did not find expected key",
        "the line fits neither its neighbours nor what is open above it",
        "indent it as the keys beside it, and close every quote and bracket above",
    ),
    (
        "did not find expected '-' indicator",
        "the line is indented as an item of the list and does not begin with `- `",
        "begin it with `- `, or correct the indentation",
    ),
    (
        "block sequence entries are not allowed",
        "a list item stands where no list can be",
        "put the first `- ` on a line of its own below the key",
    ),
    ("block mapping entries are not allowed", "a key stands where none can be", "put it on a line of its own"),
    ("did not find expected ',' or ']'", "a `[` is not closed", "close the list with `]`, and put `,` between items"),
    ("did not find expected ',' or '}'", "a `{` is not closed", "close the mapping with `}`, and put `,` between keys"),
    ("found unexpected end of stream", "a quote is not closed", "close it with the quote that opened it"),
    ("found unexpected document indicator", "a quote is not closed", "close it with the quote that opened it"),
    (
        "cannot start any token",
        "text cannot begin with this character unless it is quoted",
        "put the text in quotes",
    ),
    ("unknown escape character", "this is no escape of a double-quoted text", "use single quotes, or write `\\\\`"),
    ("did not find expected <document start>", "something stands after the end of the document", "remove it"),
    ("found undefined tag handle", "the tag is declared nowhere", "remove the tag"),
)


def in_words(problem: yaml.MarkedYAMLError, text: str, file: str) -> Diagnostic:
    """A syntax error: its place, the reason and a way out."""
    mark = problem.problem_mark or problem.context_mark
    lines = _BREAK.split(text)
    span = Span(file, mark.line + 1, mark.column + 1) if mark else Span(file, 1, 1)
    if tab := _tab(lines, span):
        return tab
    said = problem.problem or str(problem)
    if said == _PARSER_TOO_DEEP:
        return too_deep(span)
    why, fix = next(((why, fix) for part, why, fix in _REASONS if part in said), (said, "correct the line"))
    opened = problem.context_mark
    related = (
        [Related(Span(file, opened.line + 1, opened.column + 1), "what is read began here")]
        if opened
        and mark
        and (opened.line, opened.column) != (mark.line, mark.column)
        and (opened.line or opened.column)
        else []
    )
    return error("BND101", _inside(span, lines), "cannot read the file as YAML", why=why, fix=fix, related=related)


def too_deep(span: Span) -> Diagnostic:
    """More than MAX_DEPTH levels."""
    return error(
        "BND113",
        span,
        f"cannot read more than {MAX_DEPTH} levels of nesting",
        why="no field of the file is nested as deeply",
        fix="look for a bracket or an indentation too much",
    )


def _tab(lines: list[str], span: Span) -> Diagnostic | None:
    """A tab in the indentation of the line or of the one before it is what is wrong, whatever the parser says."""
    for number in (span.line, span.line - 1):
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        indentation = line[: len(line) - len(line.lstrip())]
        if "\t" in indentation:
            return error(
                "BND102",
                Span(span.file, number, indentation.index("\t") + 1),
                "cannot read a line that is indented with a tab",
                why="YAML allows only spaces there, because a tab is not equally wide everywhere",
                fix="indent with spaces",
            )
    return None


def _inside(span: Span, lines: list[str]) -> Span:
    """The end of a file is no line: its last line with text stands for it."""
    if span.line <= len(lines) and lines[span.line - 1].strip():
        return span
    number = next((n for n in range(min(span.line, len(lines)), 0, -1) if lines[n - 1].strip()), 1)
    return Span(span.file, number, max(1, len(lines[number - 1].rstrip())))
