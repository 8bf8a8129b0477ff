"""Which files of a repository a group takes, and which one of them is the model. Pure: names in, names out."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PART = re.compile(r"(?P<base>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
_COMPANIONS = ("mmproj", "imatrix")
"""Files in GGUF form that come beside a model and are none."""
SHOWN = 12
"""Names listed in a message; the rest is counted."""


@dataclass(frozen=True, slots=True)
class NoChoice:
    """No file, or more than one, can be the model; `candidates` are those that could."""

    message: str
    fix: str
    candidates: tuple[str, ...] = ()


def matching(files: Iterable[str], globs: Sequence[str]) -> tuple[str, ...]:
    """Files that one of the globs takes, by name; `*` also crosses `/`, and `folder/` is all below it (as the hub)."""
    patterns = [glob + "*" if glob.endswith("/") else glob for glob in globs]
    return tuple(sorted(name for name in files if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)))


def choose(files: Sequence[str]) -> str | NoChoice:
    """The GGUF file to load: the only one, or part 1 of the only split one."""
    models = [name for name in files if name.lower().endswith(".gguf") and not _is_companion(name)]
    if not models:
        return NoChoice(f"no .gguf among {listed(files)}", "choose a repository with GGUF files, or another runtime")
    heads = sorted({_head(name) for name in models})
    if len(heads) > 1:
        return NoChoice(
            f"{len(heads)} models match: {listed(heads)}",
            f'name one in `model.files`, such as ["{heads[0]}"]'
            if not _PART.fullmatch(heads[0])
            else _name_parts(heads[0]),
            tuple(heads),
        )
    missing = [part for part in parts(heads[0]) if part not in files]
    if missing:
        return NoChoice(f"parts of the model are missing: {listed(missing)}", _name_parts(heads[0]), (heads[0],))
    return heads[0]


def parts(head: str) -> tuple[str, ...]:
    """All files of a model: those of a split one from its part 1, else the file itself."""
    found = _PART.fullmatch(head)
    if not found:
        return (head,)
    count = int(found["count"])
    return tuple(f"{found['base']}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1))


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of many and the number of the others."""
    if not names:
        return "no files"
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _is_companion(name: str) -> bool:
    return any(word in name.rpartition("/")[2].lower() for word in _COMPANIONS)


def _head(name: str) -> str:
    """Part 1 of the split model that a file belongs to, or the file itself."""
    found = _PART.fullmatch(name)
    return f"{found['base']}-00001-of-{found['count']}.gguf" if found else name


def _name_parts(head: str) -> str:
    found = _PART.fullmatch(head)
    return (
        f'name all parts in `model.files`: ["{found["base"]}-*.gguf"]' if found else f'name "{head}" in `model.files`'
    )
