"""What of an image's build can be had without a container: `pip install` lines, that is. Pure; no line is ever run.

A RUN line is split at `&&`. A part that is `pip install` (also by `python -m pip`, `uv pip`, `sudo`) gives lines of a
requirements file; a part that only tidies up gives nothing; of any other part it is said that it cannot be had here.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SHELL = re.compile(r"[|;<>`]|\$\(|\$[A-Za-z_{]|(?<!&)&(?!&)")
"""What makes a part more than a command with words."""
_SILENT = frozenset(
    (
        *(
            "--no-cache-dir",
            "--no-cache",
            "-U",
            "--upgrade",
            "-q",
            "--quiet",
            "-v",
            "--verbose",
            "--user",
            "--system",
            "-y",
        ),
        *("--disable-pip-version-check", "--no-input", "--force-reinstall", "--break-system-packages"),
        "--root-user-action=ignore",
    )
)
_LINES = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
}
_LINE_OPTIONS = ("--index-url", "--extra-index-url", "--find-links", "--pre", "--no-binary", "--only-binary")
_FILES = {"-r": "r", "--requirement": "r", "-c": "c", "--constraint": "c"}
_TIDY = re.compile(
    r"^(?:(?:sudo )?rm -rf? (?:/var/lib/apt|/root/\.cache|~/\.cache|/tmp/)\S*|(?:sudo )?apt(?:-get)? clean"
    r"|(?:conda|pip3?) (?:clean|cache purge)\b.*|true|pip3? (?:--version|list|freeze)|set -[eux]+)$"
)
_PIP = re.compile(r"^(sudo (-\S+ )*)?((python3?(\.\d+)?|/\S+/python3?) -m )?(uv )?pip3?(\.\d+)? install\b")


@dataclass(frozen=True, slots=True)
class Packages:
    """Lines of a requirements file."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotHere:
    """A part of a RUN line that nothing here stands for, and why."""

    part: str
    why: str


def parts(line: str, file: Callable[[str], str | None]) -> Iterator[Packages | NotHere]:
    """What the parts of a RUN line come to. `file` reads a requirements file of the image, None where it has none."""
    for part in (p.strip() for p in re.split(r"&&|;\s*(?=pip|python|apt)", line)):
        words = " ".join(part.split())
        if not words or _TIDY.match(words):
            continue
        if not _PIP.match(words):
            yield NotHere(words, "only pip install has a meaning outside a container")
            continue
        yield from _packages(words, file)


def _packages(part: str, file: Callable[[str], str | None]) -> Iterator[Packages | NotHere]:
    match = _PIP.match(part)
    assert match
    rest = part[match.end() :]
    if _SHELL.search(re.sub(r"\"[^\"$`]*\"|'[^']*'", "", rest)):
        yield NotHere(part, "it needs a shell, and no line of an image is run here")
        return
    try:
        words = iter(shlex.split(rest))
    except ValueError:
        yield NotHere(part, "a quote is not closed")
        return
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word in _SILENT:
            continue
        if name in _LINES:
            yield Packages((f"{_LINES[name]} {value if equals else next(words, '')}",))
        elif name in _FILES:
            yield from _of_file(name, value if equals else next(words, ""), file)
        else:
            yield _one(word)


def _of_file(flag: str, path: str, file: Callable[[str], str | None]) -> Iterator[Packages | NotHere]:
    text = file(path)
    if text is None:
        yield NotHere(f"{flag} {path}", "no COPY line above brings that file from the folder of the Containerfile")
    elif _FILES[flag] == "c":
        yield NotHere(f"{flag} {path}", "constraints are not taken: write versions where packages are installed")
    else:
        for line in requirement_lines(text):
            yield Packages((line,)) if line.startswith(_LINE_OPTIONS) else _one(line)


def _one(word: str) -> Packages | NotHere:
    if word.startswith(("-", ".", "/", "~", "file:")):
        return NotHere(word, "only packages of an index, a URL or a repository can be had here")
    return Packages((word,))


def requirement_lines(text: str) -> tuple[str, ...]:
    """Lines of a requirements file without comments, continued ones joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    bare = (" ".join(re.sub(r"(^|\s)#.*$", "", line).split()) for line in joined.splitlines())
    return tuple(line for line in bare if line)
