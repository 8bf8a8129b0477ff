"""Findings as text for people: each with its line, a caret below the place, the reason and the way out.

Plain text for pipes; on a terminal the caller asks for colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from bandari.desired.secrets import is_secret_name, mask
from bandari.diagnostics import Diagnostic, Severity, Span

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""The line breaks that YAML counts."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NAMED = re.compile(r"\bname\s*:\s*[\"']?([\w.-]+)")
_VALUE = re.compile(r"(\bvalue[\"']?\s*:\s*).+")
_WIDTH = 160
"""Columns of a source line that are shown."""
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], *, colour: bool) -> str:
    """The findings in their order and a summary; `sources` is file -> text, for the lines that are shown."""
    found = tuple(diagnostics)
    lines = {file: _BREAK.split(text.removeprefix("\ufeff")) for file, text in sources.items()}
    page = _Page(lines, colour=colour)
    return "\n\n".join([*("\n".join(page.finding(item)) for item in found), page.summary(found)])


class _Page:
    def __init__(self, lines: Mapping[str, list[str]], *, colour: bool) -> None:
        self.lines = lines
        self.colour = colour

    def finding(self, item: Diagnostic) -> Iterator[str]:
        label = self._style(f"{item.severity}[{item.code}]", _COLOURS[item.severity])
        yield f"{label}: {self._style(_printable(item.message))}"
        shown = self._place(item.span, "-->", "^", _COLOURS[item.severity])
        yield from islice(shown, 1) if item.sensitive else shown
        for place in item.related:
            yield from self._place(place.span, "...", "-", "cyan", place.message)
        if item.why:
            yield f"  {self._style('why')}: {_printable(item.why)}"
        if item.help:
            yield f"  {self._style('fix', 'green')}: {_printable(item.help)}"

    def _place(self, span: Span, arrow: str, mark: str, colour: str, words: str = "") -> Iterator[str]:
        if not span.file:
            return  # of no line: of an option, or of this machine
        yield f"  {self._style(arrow, 'blue')} {span}" + (f"  {words}" if words else "")
        line = self._line(span)
        if (hidden := self._hidden(span, line)) != line:
            yield self._style(f"{span.line:>5} | ", "blue") + _printable(hidden[:_WIDTH])
        elif line.strip():
            gutter = f"{span.line:>5} | "
            text, before, length = _window(line, span)
            yield self._style(gutter, "blue") + text
            yield " " * (len(gutter) - 2) + self._style("| ", "blue") + before + self._style(mark * length, colour)

    def _line(self, span: Span) -> str:
        lines = self.lines.get(span.file, [])
        return lines[span.line - 1] if 0 < span.line <= len(lines) else ""

    def _hidden(self, span: Span, line: str) -> str:
        """The line with credentials as `***`: in it by their form, or as the value of a variable named like one."""
        masked = mask(line)
        near = self.lines.get(span.file, [])[max(0, span.line - 3) : span.line + 2]
        named = any(is_secret_name(found[1]) for text in near for found in _NAMED.finditer(text))
        return _VALUE.sub(r"\1***", masked) if named else masked

    def summary(self, found: tuple[Diagnostic, ...]) -> str:
        counts = [(kind, sum(item.severity is kind for item in found)) for kind in Severity]
        parts = [
            self._style(f"{count} {kind}{'' if count == 1 else 's'}", _COLOURS[kind]) for kind, count in counts if count
        ]
        return ", ".join(parts) or "no findings"

    def _style(self, text: str, colour: str | None = None) -> str:
        if not self.colour:
            return text
        import click

        return click.style(text, fg=colour, bold=True)


def _printable(text: str) -> str:
    """The text without what a terminal would obey; it may come from the file, by an escape of a double-quoted key."""
    return _CONTROL.sub("\ufffd", text)


def _window(line: str, span: Span) -> tuple[str, str, int]:
    """The part of a line that is shown, the space before the mark, and the mark's length; a long line is cut."""
    start = max(0, span.column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
    text = _printable(line[start : start + _WIDTH])
    at = span.column - 1 - start
    length = max(1, min(span.length, len(text) - at))
    before = "".join("\t" if character == "\t" else " " for character in text[:at])
    return text, before, length
