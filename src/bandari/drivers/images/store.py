"""Names of images and their revisions, in the state folder: one file a name, written whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bandari.errors import Terminal

NAME = re.compile(r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$")
"""A path component of the OCI distribution specification."""
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Revision:
    """One build of a name. `content` is the digest of all that went into it."""

    revision: int
    content: str
    tag: str
    built: float
    builder: str
    base: str
    pushed: tuple[str, ...] = field(default=())


class ImageStore:
    """The images that were built on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> tuple[str, ...]:
        """Of everything that was built."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.json")))

    def revisions(self, name: str) -> tuple[Revision, ...]:
        """Of one name, oldest first; Terminal for a file that cannot be read."""
        path = self.folder / f"{name}.json"
        try:
            told = json.loads(path.read_text())["revisions"]
            return tuple(Revision(**{**item, "pushed": tuple(item["pushed"])}) for item in told)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Terminal(f"cannot read {str(path)!r}: {error}", fix="remove it: the images stay") from error

    def find(self, name: str, revision: int | None = None) -> Revision:
        """A revision, the newest when none is named; Terminal with what there is."""
        there = self.revisions(name)
        found = [item for item in there if revision in (None, item.revision)]
        if not found:
            known = ", ".join(f"{name}:{item.revision}" for item in there) or ", ".join(self.names()) or "none"
            asked = name if revision is None else f"{name}:{revision}"
            raise Terminal(f"cannot find an image {asked!r}", fix=f"there are: {known}")
        return found[-1]

    def put(self, name: str, item: Revision) -> None:
        """Adds a revision, or replaces it."""
        kept = [old for old in self.revisions(name) if old.revision != item.revision]
        told = {"revisions": [asdict(r) for r in sorted([*kept, item], key=lambda r: r.revision)]}
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, aside = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".new")
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(told, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).rename(self.folder / f"{name}.json")
        finally:
            Path(aside).unlink(missing_ok=True)

    def pushed(self, name: str, item: Revision, where: str) -> None:
        """Remembers that a revision is in a registry."""
        self.put(name, replace(item, pushed=tuple(dict.fromkeys((*item.pushed, where)))))

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """One build or push of a name at a time."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / f".{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def parsed(text: str) -> tuple[str, int | None]:
    """`NAME` or `NAME:REVISION`; Terminal for a text that is neither."""
    name, colon, number = text.partition(":")
    if not NAME.match(name) or len(name) > LONGEST_NAME or (colon and not number.isdigit()):
        fix = "lower case letters, digits, and . _ - between them; a revision is a number"
        raise Terminal(f"cannot use {text!r} as the name of an image", fix=fix)
    return name, int(number) if colon else None
