"""A job over its attempts, as a state machine: what was seen of it goes in, what it is now comes out. Pure.

An attempt is opened (and written down) before it is submitted, under an id that is made of job and number, so that
whoever finds it open asks Ray for that id first and never starts it twice. States are Ray's own, and LOST: its head or
its record is gone. A job is over when an attempt succeeds or is stopped, or when none is left:

    PENDING -> RUNNING -> SUCCEEDED | STOPPED
                       -> FAILED | LOST -> (wait) -> PENDING, at most `max_retries` times
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bandari.serving.ray.bodies import RayJobBody, RayJobStatus

JOB_LOGS = "jobs"
"""Below the folder of logs; a file `<submission id>.log` for each attempt."""
FIRST_WAIT = 1.0
LONGEST_WAIT = 15.0
LONGEST_NAME = 100
_ODD = re.compile(r"[^A-Za-z0-9_.]+")


class JobState(enum.StrEnum):
    """Ray's words, and LOST."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    LOST = "LOST"


OPEN = frozenset({JobState.PENDING, JobState.RUNNING})
AGAIN = frozenset({JobState.FAILED, JobState.LOST})
"""Ends of an attempt after which there may be another one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One submission. `accepted`: Ray said that it has it, at the `epoch` of the head; times are Unix time."""

    id: str
    opened: float
    state: JobState = JobState.PENDING
    accepted: bool = False
    epoch: int = 0
    started: float = 0.0
    ended: float = 0.0
    message: str = ""
    exit_code: int | None = None
    overdue: bool = False
    """Whether it is being stopped because its time is up."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job with all of its attempts, the newest last. `token` tells it from jobs that had its name before."""

    name: str
    token: str
    body: RayJobBody
    created: float
    attempts: tuple[Attempt, ...] = ()
    schedule: str = ""
    stopping: bool = False
    """Whether somebody asked to stop it."""
    ended: float = 0.0
    message: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.ended > 0

    @property
    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def running(self) -> Attempt | None:
        """The attempt that has not ended."""
        return self.last if self.last and self.last.state in OPEN else None

    @property
    def state(self) -> JobState:
        """Of the newest attempt; between a failed attempt and the next one PENDING."""
        if self.last is None:
            return JobState.STOPPED if self.over else JobState.PENDING
        if self.over and self.stopping:
            return self.last.state if self.last.state is JobState.SUCCEEDED else JobState.STOPPED
        return JobState.PENDING if self.last.state is JobState.FAILED and not self.over else self.last.state

    def due(self, now: float) -> bool:
        """Whether the next attempt may be opened."""
        if self.over or self.stopping or self.running:
            return False
        return self.last is None or now >= self.last.ended + wait(len(self.attempts))


def wait(failed: int) -> float:
    """Seconds between the end of an attempt and the next one, after so many failed ones: doubled up to a limit."""
    return min(FIRST_WAIT * 2.0 ** max(0, failed - 1), LONGEST_WAIT)


def submission_id(job: Job, number: int) -> str:
    """Ray's id of an attempt, counted from 1: also a file name and a part of URLs."""
    return f"{slug(job.name)}-{job.token}-{number}"


def slug(name: str) -> str:
    """The name of a job as it begins its ids: letters, digits, `_`, `.` and `-`."""
    return _ODD.sub("-", name)[:60].strip("-.") or "job"


def opened(job: Job, now: float) -> Job:
    """With one more attempt; it must be on disk before it is submitted."""
    attempt = Attempt(submission_id(job, len(job.attempts) + 1), now)
    return replace(job, attempts=(*job.attempts, attempt))


def accepted(job: Job, epoch: int) -> Job:
    """Ray has the attempt."""
    return _with(job, accepted=True, epoch=epoch)


def begun(job: Job, at: float) -> Job:
    """Its command runs."""
    attempt = job.running
    if attempt is None or attempt.state is JobState.RUNNING:
        return job
    return _with(job, state=JobState.RUNNING, started=at)


def overdue(job: Job, now: float) -> bool:
    """Whether the time of the attempt is up; counted from its submission, so an environment's setup counts."""
    attempt, limit = job.running, job.body.timeout
    return attempt is not None and attempt.accepted and limit is not None and now - attempt.opened > limit


def expelled(job: Job) -> Job:
    """The attempt's time is up, and it is being stopped."""
    return _with(job, overdue=True)


def ended(job: Job, state: JobState, now: float, message: str = "", exit_code: int | None = None) -> Job:
    """The attempt came to an end; with it the job, unless it may be tried again."""
    attempt = job.running
    if attempt is None:
        return job
    if attempt.overdue and state is not JobState.SUCCEEDED:
        state, message = JobState.FAILED, f"timed out after {job.body.timeout:g} s"
    job = _with(job, state=state, ended=now, message=message, exit_code=exit_code)
    again = state in AGAIN and not job.stopping and len(job.attempts) <= job.body.max_retries
    return job if again else replace(job, ended=now, message=message)


def stop_asked(job: Job, now: float) -> Job:
    """Somebody asked to stop it: at once when nothing of it runs."""
    job = replace(job, stopping=True)
    attempt = job.running
    if attempt is None:
        return job if job.over else replace(job, ended=now, message="stopped")
    return job


def given_up(job: Job, now: float, why: str) -> Job:
    """Its cluster is gone: nothing of it runs and nothing will."""
    if job.over:
        return job
    stopped = replace(job, stopping=True)
    if job.running is None:
        return replace(stopped, ended=now, message=why)
    return ended(stopped, JobState.STOPPED, now, why)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """The name, or with a number where another job has it: `train`, `train-2`."""
    names = set(taken)
    number = 2
    name = wanted
    while name in names:
        name = f"{wanted}-{number}"
        number += 1
    return name


def status(job: Job) -> RayJobStatus:
    """What is told of it; nothing of its environment."""
    last = job.last
    return RayJobStatus(
        name=job.name,
        cluster=job.body.cluster,
        state=job.state.value,
        entrypoint=job.body.entrypoint,
        attempts=len(job.attempts),
        max_retries=job.body.max_retries,
        submission_ids=tuple(attempt.id for attempt in job.attempts),
        message=job.message or (last.message if last else ""),
        started=next((a.started for a in job.attempts if a.started), 0.0) or job.created,
        ended=job.ended,
        schedule=job.schedule,
        exit_code=last.exit_code if last else None,
    )


def _with(job: Job, **changes: object) -> Job:
    assert job.running
    return replace(job, attempts=(*job.attempts[:-1], replace(job.running, **changes)))  # type: ignore[arg-type]
