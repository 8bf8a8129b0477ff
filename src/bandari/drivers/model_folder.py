"""Where models of the hub lie on this machine, in the user's data folder or in a shared store; only files, no network.

::

    <root>/hub/<owner>--<name>/lock                     held while something is put there
                               listing.json             the files of the newest revision that was asked for
                               <digest>.part            a download that was cut, to be resumed
                               <revision>/<file>        complete files only: put there by a rename
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from bandari.runtimes.model_files import matching


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a repository: size in bytes, and the digest that its name in git or LFS has (sha1 or sha256)."""

    name: str
    size: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class ModelListing:
    """The files of one revision (a commit) of a repository, or those of them that a group takes."""

    repo: str
    revision: str
    files: tuple[ModelFile, ...]

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.size for file in self.files)

    def only(self, globs: Sequence[str]) -> ModelListing:
        """The part that the globs take."""
        names = set(matching((file.name for file in self.files), globs))
        return ModelListing(self.repo, self.revision, tuple(file for file in self.files if file.name in names))


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The place of one repository under `root`."""

    root: Path
    repo: str

    @property
    def path(self) -> Path:
        """The folder of the repository."""
        return self.root / "hub" / self.repo.replace("/", "--")

    def files(self, revision: str) -> Path:
        """The folder that a model server is pointed to."""
        return self.path / revision

    def part(self, digest: str) -> Path:
        """Where a file grows until it is complete."""
        return self.path / f"{digest}.part"

    def has(self, file: ModelFile, revision: str) -> bool:
        """Whether the file is here and whole; its digest was checked when it came."""
        path = self.files(revision) / file.name
        return path.is_file() and path.stat().st_size == file.size

    def missing(self, listing: ModelListing) -> tuple[ModelFile, ...]:
        """The files of a listing that are not here whole."""
        return tuple(file for file in listing.files if not self.has(file, listing.revision))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One at a time puts files here, over all processes; a killed holder lets go by itself."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def place(self, source: Path, file: ModelFile, revision: str) -> None:
        """Moves a complete file to its name, in one step."""
        target = self.files(revision) / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)

    def copy(self, source: Path, file: ModelFile, revision: str) -> None:
        """Takes a file over from another folder: as a link where both are on one disk, else as a copy."""
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=self.path) as scratch:
            copy = Path(scratch, "file")
            try:
                os.link(source, copy)
            except OSError:
                shutil.copyfile(source, copy)
            self.place(copy, file, revision)

    def remember(self, listing: ModelListing) -> None:
        """Keeps the whole listing of a revision, for a start without the hub."""
        with tempfile.NamedTemporaryFile("w", dir=self.path, delete=False, encoding="utf-8") as file:
            json.dump(asdict(listing), file)
        Path(file.name).replace(self.path / "listing.json")

    def remembered(self) -> ModelListing | None:
        """The listing kept last; None where there is none that can be read."""
        try:
            kept = json.loads((self.path / "listing.json").read_text(encoding="utf-8"))
            files = tuple(ModelFile(**file) for file in kept["files"])
            return ModelListing(kept["repo"], kept["revision"], files)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def complete(self, globs: Sequence[str]) -> ModelListing | None:
        """What the globs take of the remembered listing, if all of it is here."""
        kept = self.remembered()
        wanted = kept.only(globs) if kept else None
        return wanted if wanted and wanted.files and not self.missing(wanted) else None


def is_safe(name: str) -> bool:
    """Whether a file's name stays inside the folder that it is joined to."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and "\0" not in name
