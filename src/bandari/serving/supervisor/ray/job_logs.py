"""The log of each attempt, copied out of Ray's folder while it grows, so that it is there when the head is gone.

The newest `LIMIT` bytes are kept, in two files; `<id>.at` says where in Ray's file the newer one begins.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path

from bandari.serving.protocol import LOG_FOLDER
from bandari.serving.ray.attempts import JOB_LOGS

LIMIT = 64 * 2**20
_CHUNK = 4 * 2**20
_log = logging.getLogger(__name__)


class JobLogs:
    """Copies for one state folder."""

    def __init__(self, state: Path, *, limit: int = LIMIT) -> None:
        self.folder = state / LOG_FOLDER / JOB_LOGS
        self.limit = limit
        self._sources: dict[str, Path] = {}

    def path(self, submission: str) -> Path:
        """Where the log of an attempt is kept."""
        return self.folder / f"{submission}.log"

    def copy(self, submission: str, temp: Path) -> int:
        """Takes over what is new in the file that Ray keeps below `temp`; the number of bytes. At most 4 MiB at once,
        so that the loop goes on.
        """
        source = self._source(submission, temp)
        if source is None:
            return 0
        try:
            return self._copy(source, submission)
        except FileNotFoundError:
            self._sources.pop(submission, None)
        except OSError as error:
            _log.warning("%s: cannot copy its log: %s", submission, error)
        return 0

    def finish(self, submission: str, temp: Path) -> None:
        """Takes over all that is left."""
        while self.copy(submission, temp):
            pass
        self._sources.pop(submission, None)

    def say(self, submission: str, line: str) -> None:
        """Adds a line of ours, where Ray wrote nothing at all."""
        path = self.path(submission)
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists() or not path.stat().st_size:
                path.write_text(f"{line}\n")

    def forget(self, submissions: Iterable[str]) -> None:
        """Removes the logs of attempts."""
        for submission in submissions:
            for path in self.folder.glob(f"{submission}.*"):
                path.unlink(missing_ok=True)

    def _source(self, submission: str, temp: Path) -> Path | None:
        if submission not in self._sources:
            found = next(temp.glob(f"*/session_*/logs/job-driver-{submission}.log"), None)
            if found is None:
                return None
            # Not through `session_latest`: another start of the head would lead it elsewhere.
            self._sources[submission] = found.resolve()
        return self._sources[submission]

    def _copy(self, source: Path, submission: str) -> int:
        target, mark = self.path(submission), self.folder / f"{submission}.at"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        begins = int(mark.read_text()) if mark.exists() else 0
        with source.open("rb") as read, target.open("ab") as write:
            size = write.tell()
            read.seek(begins + size)
            chunk = read.read(_CHUNK)
            write.write(chunk)
        if size + len(chunk) > self.limit // 2:
            mark.write_text(str(begins + size + len(chunk)))
            target.replace(target.with_suffix(".log.1"))
            target.touch()
        return len(chunk)
