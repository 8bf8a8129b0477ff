"""Folders of code as Ray takes them: which files go along, and a digest of them. Reads files, and no more.

Seen by the supervisor, which packs such folders, and by the command, which tells from the digest that code changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from bandari.serving.ray.ignore import ALWAYS, IGNORE_FILES, Pattern, left_out, patterns


def files(top: Path, excludes: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """(relative path, file) of all that goes along, in the order of their names."""
    rules = patterns((*ALWAYS, *excludes))
    yield from _below(top, "", rules, frozenset({os.path.realpath(top)}))


def digest(path: Path, excludes: tuple[str, ...] = ()) -> str:
    """Over the names and the bytes of a folder's files, or of one file; OSError when one cannot be read."""
    found = hashlib.sha256()
    for relative, file in files(path, excludes) if path.is_dir() else [("", path)]:
        with file.open("rb") as stream:
            found.update(f"{relative}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return found.hexdigest()[:16]


def _below(folder: Path, base: str, rules: tuple[Pattern, ...], above: frozenset[str]) -> Iterator[tuple[str, Path]]:
    """`above`: the real folders on the way here, so that a link back to one of them is not followed for ever."""
    for name in IGNORE_FILES:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
            rules = (*rules, *patterns((folder / name).read_text().splitlines(), base))
    for path in sorted(folder.iterdir()):
        relative = f"{base}/{path.name}" if base else path.name
        is_folder = path.is_dir()
        if left_out(relative, rules, folder=is_folder):
            continue
        if is_folder:
            real = os.path.realpath(path)
            if real not in above:
                yield from _below(path, relative, rules, above | {real})
        elif path.is_file():
            yield relative, path
