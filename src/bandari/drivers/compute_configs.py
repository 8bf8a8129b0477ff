"""Named, versioned compute configs as files of this user: `<state>/compute-configs/<name>/<version>.yaml`.

A version is one file that begins with what is known of it, in comments, and never changes: it is written aside and
linked into place, so two that come at once get two versions, and a crash leaves either none or a whole one. A name
that was archived keeps its versions and takes no more.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from bandari.diagnostics import did_you_mean
from bandari.errors import Terminal

FOLDER = "compute-configs"
ARCHIVED = "archived"
_END = "\n# ---\n"
"""A line of its own: a message may hold the same characters."""
_LONGEST = 200
"""Of a folder's name; file systems hold 255 bytes."""
_KEYS = ("created", "message", "sha256", "source")


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `created` is ISO 8601, UTC; `source` is the `name:version` that it was promoted from."""

    name: str
    version: int
    created: str
    message: str
    sha256: str
    source: str
    path: Path
    text: str
    archived: bool = False

    @property
    def reference(self) -> str:
        """As files of jobs and services write it."""
        return f"{self.name}:{self.version}"

    @property
    def whole(self) -> str:
        """The file with its header, so that places in it are those of the file."""
        return self.path.read_bytes().decode()


class ComputeConfigs:
    """All of one user; `root` is made with the first of them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, name: str, text: str, *, message: str, source: str, created: str) -> tuple[Version, bool]:
        """The new version, or the newest one and False when it holds the same text; Terminal for an archived name."""
        folder = self._folder(name)
        if len(folder.name) > _LONGEST:
            raise Terminal(f"cannot store {name[:40]!r}...: the name is too long", fix="choose a shorter name")
        if (folder / ARCHIVED).exists():
            fix = "choose another name; `bandari compute-config list --archived` shows what was archived"
            raise Terminal(f"cannot create a version of {name!r}: the name is archived", fix=fix)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest = hashlib.sha256(text.encode()).hexdigest()
        content = _header(created=created, message=message, sha256=digest, source=source) + text
        while True:
            newest = max(self._numbers(folder), default=0)
            if newest and (known := self._read(name, newest)).sha256 == digest:
                return known, False
            if _link(folder, newest + 1, content):
                return self._read(name, newest + 1), True

    def get(self, name: str, version: int | None = None) -> Version:
        """A version, by default the newest; Terminal with the nearest when there is none."""
        numbers = self._numbers(self._folder(name))
        if not numbers:
            near = did_you_mean(name, self.names())
            fix = f"did you mean {near!r}?" if near else "`bandari compute-config list` shows what is stored"
            raise Terminal(f"cannot find a compute config {name!r}", fix=fix)
        if version is not None and version not in numbers:
            message = f"cannot find version {version} of {name!r}: there are 1 to {numbers[-1]}"
            raise Terminal(message, fix=f"write {name}:{numbers[-1]}, the newest")
        return self._read(name, numbers[-1] if version is None else version)

    def versions(self, name: str) -> tuple[Version, ...]:
        """All of a name, the oldest first; Terminal when there is none."""
        self.get(name)
        return tuple(self._read(name, number) for number in self._numbers(self._folder(name)))

    def names(self, *, archived: bool = False) -> tuple[str, ...]:
        """The names in use, or those that were archived."""
        found = sorted(self.root.iterdir()) if self.root.is_dir() else []
        folders = [folder for folder in found if (folder / ARCHIVED).exists() is archived and self._numbers(folder)]
        return tuple(unquote(folder.name) for folder in folders)

    def archive(self, name: str) -> tuple[Version, ...]:
        """Closes a name for good; its versions stay readable by hand and are named by no file any more."""
        found = self.versions(name)
        (self._folder(name) / ARCHIVED).touch(mode=0o400)
        return found

    def _folder(self, name: str) -> Path:
        # A name never leaves the folder: a slash is quoted, and so is a dot at its begin.
        quoted = quote(name[: _LONGEST + 1], safe=" @+,=")
        return self.root / (f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted)

    def _numbers(self, folder: Path) -> list[int]:
        stems = (path.stem for path in folder.glob("*.yaml"))
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdecimal())

    def _read(self, name: str, number: int) -> Version:
        path = self._folder(name) / f"{number}.yaml"
        head, end, text = path.read_bytes().decode().partition(_END)
        told = dict(_told(head))
        if not end or hashlib.sha256(text.encode()).hexdigest() != told.get("sha256"):
            fix = f"put {path} back as it was, or remove it"
            raise Terminal(f"cannot use {name}:{number}: its file was changed, and a version never changes", fix=fix)
        known = {key: told.get(key, "") for key in _KEYS}
        archived = (path.parent / ARCHIVED).exists()
        return Version(name, number, path=path, text=text, archived=archived, **known)


def diff(before: Version, after: Version) -> str:
    """The unified diff of two versions; empty when they are equal."""
    lines = difflib.unified_diff(
        before.text.splitlines(keepends=True), after.text.splitlines(keepends=True), before.reference, after.reference
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _header(**known: str) -> str:
    return "\n".join(f"# {key}: {' '.join(known[key].split())}" for key in _KEYS if known[key]) + _END


def _told(head: str) -> Iterator[tuple[str, str]]:
    for line in head.splitlines():
        key, _, value = line.removeprefix("# ").partition(": ")
        yield key, value


def _link(folder: Path, number: int, content: str) -> bool:
    """Whether the version is ours now; False when somebody else has it."""
    handle, fresh = tempfile.mkstemp(dir=folder, prefix=".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(fresh).chmod(0o400)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, folder / f"{number}.yaml")
            return True
        return False
    finally:
        Path(fresh).unlink()
