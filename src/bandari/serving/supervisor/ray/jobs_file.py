"""Jobs on disk, with when each schedule fired last: one JSON file of mode 0600, replaced as a whole.

It holds the environments of jobs, so that they can be tried again by another supervisor; nothing of it is printed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bandari.serving.ray.attempts import Job

JOBS_FILE = "rayjobs.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fired:
    """What a schedule did: times are Unix time, 0 for never."""

    seen: float
    """Up to when its clock was read: what was due before is done with."""
    clock: str = ""
    """Its expression and zone then."""
    last: float = 0.0
    job: str = ""
    """Name of the job of the last run."""
    trouble: str = ""
    """Why the last run that was due did not start; empty when it did."""


@dataclass(frozen=True, slots=True)
class _File:
    version: int = 1
    jobs: tuple[Job, ...] = ()
    schedules: dict[str, Fired] = field(default_factory=dict)


class JobsFile:
    """`jobs` and `schedules` as last written; changed by `keep` and `fire` alone."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOBS_FILE
        found = self._read()
        self.jobs: dict[str, Job] = {job.name: job for job in found.jobs}
        self.schedules: dict[str, Fired] = dict(found.schedules)

    def keep(self, job: Job) -> None:
        """Writes a job. OSError: it is as it was."""
        before = self.jobs.get(job.name)
        if before == job:
            return
        self.jobs[job.name] = job
        try:
            self.write()
        except OSError:
            if before is None:
                del self.jobs[job.name]
            else:
                self.jobs[job.name] = before
            raise

    def fire(self, schedule: str, fired: Fired | None) -> None:
        """Writes what a schedule did; None forgets it. OSError: it is as it was."""
        before = dict(self.schedules)
        if fired is None:
            self.schedules.pop(schedule, None)
        else:
            self.schedules[schedule] = fired
        try:
            self.write()
        except OSError:
            self.schedules = before
            raise

    def write(self) -> None:
        """On disk when this returns."""
        text = msgspec.json.encode(_File(jobs=tuple(self.jobs.values()), schedules=self.schedules))
        fresh = self.path.with_suffix(".tmp")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)

    def _read(self) -> _File:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_File)
        except FileNotFoundError:
            return _File()
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
            aside = self.path.with_name(f"{JOBS_FILE}.corrupt-{int(time.time())}")
            self.path.replace(aside)
            _log.error("cannot read the jobs: %s; kept aside as %s", error, aside.name)
            return _File()


def tried(what: str, write: Callable[[], None]) -> bool:
    """Writes if that can be done, else says so: for what can be found out again."""
    try:
        write()
    except OSError as error:
        _log.warning("%s: cannot write the jobs: %s", what, error)
        return False
    return True
