"""Schedules: jobs that start by the clock, for as long as the schedule is applied.

The rules are those of a Kubernetes CronJob with `concurrencyPolicy: Forbid`, without `startingDeadlineSeconds`: what
is due while the job of the last run is still open is left out, and said in the log; of the runs that were missed while
no supervisor ran only the last one is made up, however late. A run is submitted under a token made of schedule and
time, so that it is one job even when the supervisor dies right after.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bandari.serving.protocol import PartStatus
from bandari.serving.ray.bodies import RayScheduleBody, RayVerb
from bandari.serving.ray.cron import Cron, parse
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray.jobs import Jobs
from bandari.serving.supervisor.ray.jobs_file import Fired, tried

_log = logging.getLogger(__name__)
_LATE = 60.0
"""Seconds after which a run is called late."""
_LOCALTIME = Path("/etc/localtime")


class Schedules:
    """`now` is Unix time; a test's own."""

    kinds = frozenset({"rayschedule"})
    verbs: frozenset[RayVerb] = frozenset()

    def __init__(self, jobs: Jobs, now: Callable[[], float] = time.time) -> None:
        self.jobs = jobs
        self._now = now
        self._bodies: dict[str, RayScheduleBody] = {}
        self._next: dict[str, float] = {}
        self._firing: dict[str, asyncio.Task[None]] = {}

    @staticmethod
    def check(name: str, body: RayScheduleBody) -> None:
        """Refused when its clock cannot be read."""
        _cron(name, body)

    def apply(self, kind: str, name: str, body: Any, outputs: Mapping[str, Any]) -> None:  # noqa: ARG002
        """What was due before it was applied, or before its clock was changed, is not its business."""
        assert isinstance(body, RayScheduleBody)
        clock = f"{body.cron} {body.time_zone}"
        fired = self.jobs.file.schedules.get(name)
        if fired is None or fired.clock != clock:
            seen = Fired(self._now(), clock, fired.last if fired else 0.0, fired.job if fired else "")
            tried(name, lambda: self.jobs.file.fire(name, seen))
        self._bodies[name] = body
        self._next.pop(name, None)

    def delete(self, kind: str, name: str) -> None:  # noqa: ARG002
        """It fires no more; a job that it started goes on."""
        self._bodies.pop(name, None)
        self._next.pop(name, None)
        tried(name, lambda: self.jobs.file.fire(name, None))

    async def answer(self, cluster: str, verb: RayVerb, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing is asked of schedules."""
        raise AssertionError(f"{verb} of {cluster} is no verb of schedules: {body}")

    def settle(self, *, stopping: bool) -> None:
        """Nothing fires while all is taken down."""
        if stopping:
            self._bodies.clear()
            for task in self._firing.values():
                task.cancel()

    def beat(self, now: float) -> None:  # noqa: ARG002 - schedules go by the clock on the wall
        """Starts what is due."""
        for name, body in self._bodies.items():
            if name not in self._firing and self._now() >= self._due(name, body):
                self._firing[name] = asyncio.create_task(self._fire(name, body))
                self._firing[name].add_done_callback(functools.partial(self._fired, name))

    def status(self) -> Iterable[PartStatus]:
        """One line for each."""
        return [self._line(name, body) for name, body in sorted(self._bodies.items())]

    @property
    def done(self) -> bool:
        """Whether nothing is being started."""
        return not self._firing

    async def aclose(self) -> None:
        """What is being started is found again by its token."""
        for task in list(self._firing.values()):
            task.cancel()
        await asyncio.gather(*self._firing.values(), return_exceptions=True)

    def _fired(self, name: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (bug := task.exception()):
            _log.error("%s: cannot start its run", name, exc_info=bug)
        self._firing.pop(name, None)
        self.jobs.changed()

    def _due(self, name: str, body: RayScheduleBody) -> float:
        """When it is due next; far away when it cannot be known."""
        if name not in self._next:
            try:
                found = _cron(name, body).next(self._seen(name))
            except Refused as refused:
                _log.warning("%s", refused)
                found = None
            self._next[name] = found or float("inf")
        return self._next[name]

    def _seen(self, name: str) -> float:
        fired = self.jobs.file.schedules.get(name)
        return fired.seen if fired else self._now()

    async def _fire(self, name: str, body: RayScheduleBody) -> None:
        now = self._now()
        at = _cron(name, body).latest(self._seen(name), now)
        if at is None:  # the clock was set back meanwhile
            self._next.pop(name)
            return
        if now - at > _LATE:
            _log.info("%s: a run was due %.0f s ago; of the missed ones only the last is made up", name, now - at)
        fired = self.jobs.file.schedules.get(name)
        job, trouble = fired.job if fired else "", ""
        if fired and (running := self._running(name)):
            trouble = f"the run of {_clock(at, body)} was left out: {running} still runs, and runs do not overlap"
            _log.info("%s: %s", name, trouble)
            at = fired.last
        else:
            job, trouble = await self._submit(name, body, at)
        if name in self._bodies:
            seen = Fired(now, f"{body.cron} {body.time_zone}", at, job, trouble)
            tried(name, lambda: self.jobs.file.fire(name, seen))
        self._next.pop(name, None)

    def _running(self, name: str) -> str:
        return next((job.name for job in self.jobs.file.jobs.values() if job.schedule == name and not job.over), "")

    async def _submit(self, name: str, body: RayScheduleBody, at: float) -> tuple[str, str]:
        """The name of the job, or why there is none."""
        when = datetime.fromtimestamp(at, _zone(name, body)).strftime("%Y%m%d-%H%M")
        token = hashlib.sha256(f"{name} {at}".encode()).hexdigest()[:8]
        fresh = replace(body.job, cluster=body.cluster, name=f"{name}-{when}")
        try:
            job = await self.jobs.submit(fresh, schedule=name, token=token)
        except Refused as refused:
            _log.warning("%s: %s", name, refused)
            return "", str(refused)
        _log.info("%s: started %s", name, job.name)
        return job.name, ""

    def _line(self, name: str, body: RayScheduleBody) -> PartStatus:
        fired = self.jobs.file.schedules.get(name) or Fired(0.0)
        due = self._due(name, body)
        then = f"next run {_clock(due, body)}" if due != float("inf") else "no next run"
        last = "no run yet"
        if fired.last:
            job = self.jobs.file.jobs.get(fired.job)
            words = f" as {fired.job}" + (f": {job.state.value}" if job else "") if fired.job else ""
            last = f"last run {_clock(fired.last, body)}{words}"
        return PartStatus("schedule", name, "ready", 1, 1, reason=fired.trouble, note=f"{then}; {last}")


def local_zone() -> tzinfo:
    """The zone of this machine with its clock changes: TZ, else /etc/localtime, else UTC."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return ZoneInfo(name)
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file, key="local")
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")


def _cron(name: str, body: RayScheduleBody) -> Cron:
    try:
        return parse(body.cron, body.time_zone, local_zone())
    except ValueError as error:
        raise Refused(f'cannot run schedule "{name}": {error}') from error


def _zone(name: str, body: RayScheduleBody) -> tzinfo:
    return _cron(name, body).zone


def _clock(at: float, body: RayScheduleBody) -> str:
    return datetime.fromtimestamp(at, _zone("", body)).strftime("%Y-%m-%d %H:%M %Z")
