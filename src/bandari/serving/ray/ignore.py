"""Which files of a folder stay behind when it is packed: patterns of `.gitignore` (git-scm.com/docs/gitignore). Pure.

A line without a slash holds at any depth, one with a slash from its own folder on; `!` takes back what an earlier line
left out; a trailing slash means folders only. What is in a folder that was left out is left out with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

IGNORE_FILES = (".gitignore", ".rayignore")
ALWAYS = (".git", ".venv", "venv", "__pycache__")
"""Ray's own default (ray 2.60, RAY_RUNTIME_ENV_DEFAULT_EXCLUDES)."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line, read from the folder `base` (relative, empty for the top)."""

    expression: re.Pattern[str]
    base: str = ""
    folders_only: bool = False
    negated: bool = False

    def matches(self, path: str, *, folder: bool) -> bool:
        """`path` is relative to the top, with slashes."""
        if self.folders_only and not folder:
            return False
        if self.base:
            if not path.startswith(f"{self.base}/"):
                return False
            path = path[len(self.base) + 1 :]
        return self.expression.fullmatch(path) is not None


def patterns(lines: Iterable[str], base: str = "") -> tuple[Pattern, ...]:
    """The patterns of the lines of one file; comments and empty lines are none."""
    found = (_pattern(line, base) for line in lines)
    return tuple(pattern for pattern in found if pattern)


def left_out(path: str, rules: Iterable[Pattern], *, folder: bool) -> bool:
    """Whether a file or folder stays behind: by the last pattern that matches it."""
    verdict = False
    for rule in rules:
        if rule.matches(path, folder=folder):
            verdict = not rule.negated
    return verdict


def _pattern(line: str, base: str) -> Pattern | None:
    text = line.rstrip("\r\n")
    text = text if text.endswith("\\ ") else text.rstrip()
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text.removeprefix("!")
    folders_only = text.endswith("/")
    text = text.rstrip("/").removeprefix("./")
    if not text:
        return None
    anchored = "/" in text
    words = _expression(text.lstrip("/"))
    try:
        return Pattern(re.compile(words if anchored else f"(?:.*/)?{words}"), base, folders_only, negated)
    except re.error:
        return Pattern(re.compile(re.escape(text)), base, folders_only, negated)


def _expression(text: str) -> str:
    words, rest = "", text
    while rest:
        for sign, meaning in _SIGNS:
            if found := sign.match(rest):
                words += meaning(found)
                rest = rest[found.end() :]
                break
    return words


_SIGNS = (
    (re.compile(r"\*\*/"), lambda _: "(?:.*/)?"),
    (re.compile(r"/\*\*$"), lambda _: "/.+"),
    (re.compile(r"\*+"), lambda _: "[^/]*"),
    (re.compile(r"\?"), lambda _: "[^/]"),
    (re.compile(r"\[(!?)(\]?[^\]]*)\]"), lambda found: f"[{'^' if found[1] else ''}{_class(found[2])}]"),
    (re.compile(r"\\(.)"), lambda found: re.escape(found[1])),
    (re.compile(r"."), lambda found: re.escape(found[0])),
)
"""The first that fits counts."""


def _class(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace("^", "\\^")
