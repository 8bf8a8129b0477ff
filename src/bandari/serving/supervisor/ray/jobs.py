"""Jobs of Ray clusters: taken, written down, handed to Ray, watched, tried again.

Each open job has one task that looks at it twice a second: the pure rules of `serving.ray.attempts` say what it is by
what Ray's jobs API tells. What is recorded as open and not as accepted may or may not have reached Ray: its id is asked
for before it is submitted, so neither a supervisor that died nor an answer that was lost starts anything twice.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bandari.serving.protocol import PartStatus, plain
from bandari.serving.ray import attempts
from bandari.serving.ray.attempts import Attempt, Job, JobState
from bandari.serving.ray.bodies import RayJobBody, RayJobStatus, RayVerb
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.faults import fault
from bandari.serving.supervisor.ray import packing, places
from bandari.serving.supervisor.ray.dashboard import Away, Dashboard, Declined, Seen
from bandari.serving.supervisor.ray.job_logs import JobLogs
from bandari.serving.supervisor.ray.jobs_file import JobsFile, tried
from bandari.serving.supervisor.ray.part import Engine

_log = logging.getLogger(__name__)
POLL = 0.5
KEPT = 200
"""Jobs that are over and stay listed, of each Ray cluster; older ones go with their logs."""
_UNSURE = 60.0
"""Seconds that Ray may take to say what became of a job of an earlier head, or to take one at all."""
_STOP_AGAIN = 10.0
_GLANCE = 3.0
_DIED = frozenset({"JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNKNOWN_FAILURE"})
_KILLED = frozenset({-9, -15, 137, 143})


class Jobs:
    """`engine` finds a Ray cluster by its name, `temp` the folder that its nodes write below."""

    kinds = frozenset({"ray"})
    verbs = frozenset({RayVerb.SUBMIT, RayVerb.JOBS, RayVerb.STOP_JOB})

    def __init__(
        self, cluster: Cluster, engine: Callable[[str], Engine | None], *, temp: Callable[[str], Path] | None = None
    ) -> None:
        self.file = JobsFile(cluster.folder)
        self.logs = JobLogs(cluster.folder)
        self._folder = cluster.folder
        self.changed = cluster.changed
        self._engine = engine
        self._temp = temp or functools.partial(places.cluster_folder, cluster.folder)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._dashboards: dict[str, Dashboard] = {}
        self._packing = 0
        self._stopped_at: dict[str, float] = {}
        """When Ray was last asked to stop a submission."""
        self._unsure_since: dict[str, float] = {}

    # --- Part

    def apply(self, kind: str, name: str, body: Any, outputs: Mapping[str, Any]) -> None:
        """A Ray cluster is there; its jobs are taken up by `settle`."""

    def delete(self, kind: str, name: str) -> None:  # noqa: ARG002 - the kind is `ray`
        """A Ray cluster is gone, and with it what ran there."""
        for job in list(self.file.jobs.values()):
            if job.body.cluster == name and not job.over:
                self._keep(attempts.given_up(job, time.time(), "its Ray cluster was removed"))

    async def answer(self, cluster: str, verb: RayVerb, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Submits, lists and stops."""
        if self._engine(cluster) is None:
            raise Refused(f'cannot do "{verb.value}": there is no Ray cluster "{cluster}"')
        if verb is RayVerb.SUBMIT:
            job = await self.submit(_body(cluster, body), token=str(body.get("token", "")))
            return {"job": job.name}
        if verb is RayVerb.STOP_JOB:
            await self._stop(cluster, str(body.get("job", "")))
            return {}
        return {"jobs": [plain(row) for row in await self._rows(cluster, str(body.get("job", "")))]}

    def settle(self, *, stopping: bool) -> None:
        """Every open job has a task, and none while all is taken down."""
        for name, job in self.file.jobs.items():
            if not job.over and not stopping and name not in self._tasks:
                self._tasks[name] = asyncio.create_task(self._follow(name))
                self._tasks[name].add_done_callback(functools.partial(self._followed, name))
        if stopping:
            for task in self._tasks.values():
                task.cancel()

    def beat(self, now: float) -> None:
        """Nothing goes by the second: each job has its task."""

    def status(self) -> Iterable[PartStatus]:
        """Jobs are no parts of a cluster; they have a list of their own."""
        return ()

    @property
    def done(self) -> bool:
        """Whether no job is followed any more."""
        return not self._tasks

    async def aclose(self) -> None:
        """Lets go of all jobs; they run on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for dashboard in self._dashboards.values():
            await dashboard.aclose()

    # --- what is asked for

    async def submit(self, body: RayJobBody, *, schedule: str = "", token: str = "") -> Job:
        """Takes a job: on disk when this returns. The same token again is the same job. Refused when it cannot be."""
        if known := next((job for job in self.file.jobs.values() if token and job.token == token), None):
            return known
        _check(body)
        self._packing += 1
        try:
            environment = await asyncio.to_thread(packing.packed, body.environment, self._folder)
            # From here to the end of `_keep` nothing else runs, so no other job takes the name.
            name = attempts.free_name(body.name or f"job-{secrets.token_hex(3)}", self.file.jobs)
            ready = replace(body, name=name, environment=environment)
            job = Job(name, token or secrets.token_hex(4), ready, time.time(), schedule=schedule)
            self.file.keep(job)
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise Refused(f"cannot take the job: it cannot be written: {reason}", "make room there") from error
        finally:
            self._packing -= 1
        _log.info("%s: job %s taken", body.cluster, name)
        fault("job.taken")
        self._tidy(body.cluster)
        self.settle(stopping=False)
        return job

    async def _stop(self, cluster: str, name: str) -> None:
        job = self.file.jobs.get(name)
        if job and job.body.cluster == cluster:
            if not job.over:
                self._must_keep(attempts.stop_asked(job, time.time()))
            return
        if any(seen.id == name for seen in await self._foreign(cluster)):
            engine = self._engine(cluster)
            assert engine
            await self._dashboard(engine.dashboard).stop(name)
            return
        raise Refused(f'cannot stop job "{name}": the Ray cluster "{cluster}" has no such job', "see bandari ray jobs")

    async def _rows(self, cluster: str, name: str) -> list[RayJobStatus]:
        """Ours, then those that others submitted; one alone when it is named and ours."""
        own = [
            attempts.status(j) for j in self.file.jobs.values() if j.body.cluster == cluster and name in ("", j.name)
        ]
        if name and own:
            return own
        return own + [_row(cluster, seen) for seen in await self._foreign(cluster) if name in ("", seen.id)]

    async def _foreign(self, cluster: str) -> list[Seen]:
        engine = self._engine(cluster)
        if engine is None or not engine.dashboard:
            return []
        ours = {attempt.id for job in self.file.jobs.values() for attempt in job.attempts}
        try:
            async with asyncio.timeout(_GLANCE):
                return [seen for seen in await self._dashboard(engine.dashboard).jobs() if seen.id not in ours]
        except (Away, TimeoutError):
            return []

    # --- one job

    async def _follow(self, name: str) -> None:
        while not self.file.jobs[name].over:
            try:
                await self._step(self.file.jobs[name])
            except Away as away:
                _log.info("%s: the head does not answer: %s", name, away)
            except Exception:  # noqa: BLE001 - one job's trouble is not another's
                _log.exception("%s: cannot look after the job", name)
            if not self.file.jobs[name].over:
                await asyncio.sleep(POLL)
        if not self._packing:
            self._sweep()

    def _followed(self, name: str, _task: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        self.changed()

    async def _step(self, job: Job) -> None:
        engine, now = self._engine(job.body.cluster), time.time()
        attempt = job.running
        if engine is None or engine.body is None:
            self._keep(attempts.given_up(job, now, "its Ray cluster was removed"))
        elif attempt is None:
            if job.due(now) and engine.dashboard:
                self._keep(attempts.opened(job, now))
                fault("job.opened")
        elif engine.dashboard:
            dashboard = self._dashboard(engine.dashboard)
            if attempt.accepted:
                await self._watch(job, attempt, dashboard, engine.epoch)
            else:
                await self._hand_over(job, attempt, dashboard, engine.epoch)

    async def _hand_over(self, job: Job, attempt: Attempt, dashboard: Dashboard, epoch: int) -> None:
        """The epoch is of before the question: a head that falls meanwhile makes the attempt one of an earlier head."""
        if await dashboard.job(attempt.id) is None:
            if job.stopping:
                self._end(job, JobState.STOPPED, "stopped")
                return
            try:
                await dashboard.submit(_request(job, attempt))
            except Declined as declined:
                if declined.final or time.time() - attempt.opened > _UNSURE:
                    self._end(job, JobState.FAILED, f"Ray does not take it: {declined}")
                else:
                    _log.info("%s: Ray does not take it now: %s", job.name, declined)
                return
            fault("job.submitted")
        self._change(job.name, lambda fresh: attempts.accepted(fresh, epoch))
        _log.info("%s: attempt %s submitted as %s", job.name, len(job.attempts), attempt.id)

    async def _watch(self, job: Job, attempt: Attempt, dashboard: Dashboard, epoch: int) -> None:
        if job.stopping or attempt.overdue or attempts.overdue(job, time.time()):
            await self._press(job, attempt, dashboard)
        seen = await dashboard.job(attempt.id)
        self.logs.copy(attempt.id, self._temp(job.body.cluster))
        if seen is None:
            self._end(job, JobState.LOST, "the head was lost, and with it the job")
            return
        if seen.state != JobState.PENDING:
            self._change(job.name, lambda fresh: attempts.begun(fresh, seen.started or time.time()))
        earlier = attempt.epoch < epoch
        match seen.state:
            case "SUCCEEDED":
                self._end(job, JobState.SUCCEEDED, "", seen.exit_code)
            case "STOPPED":
                self._end(job, JobState.STOPPED, "stopped")
            case "FAILED":
                lost = _died(seen, earlier=earlier)
                gone = "its driver was lost with the head" if earlier else "its driver was lost"
                message = gone if lost else _brief(seen.message)
                self._end(job, JobState.LOST if lost else JobState.FAILED, message, seen.exit_code)
            case _ if earlier:
                await self._doubt(job, attempt, dashboard, seen)

    async def _press(self, job: Job, attempt: Attempt, dashboard: Dashboard) -> None:
        """Asks Ray to stop it, now and then again; why is written down before."""
        if not job.stopping and not attempt.overdue:
            self._change(job.name, attempts.expelled)
        if time.time() - self._stopped_at.get(attempt.id, 0) > _STOP_AGAIN:
            self._stopped_at[attempt.id] = time.time()
            await dashboard.stop(attempt.id)

    async def _doubt(self, job: Job, attempt: Attempt, dashboard: Dashboard, seen: Seen) -> None:
        """Ray takes it for running, though its head is another one: true while the node of its driver lives. Ray itself
        looks after jobs of before only when it is given the next one.
        """
        if seen.node:
            if seen.node not in await dashboard.alive():
                self._end(job, JobState.LOST, "its driver was lost with the head")
            return
        since = self._unsure_since.setdefault(attempt.id, time.time())
        if time.time() - since > _UNSURE:
            await dashboard.stop(attempt.id)
            self._end(job, JobState.LOST, "the head was lost before the job began")

    def _end(self, job: Job, state: JobState, message: str, exit_code: int | None = None) -> None:
        """Its log is whole before its end is told."""
        attempt = job.running
        assert attempt
        self.logs.finish(attempt.id, self._temp(job.body.cluster))
        if message and state is not JobState.STOPPED:
            self.logs.say(attempt.id, message)
        self._stopped_at.pop(attempt.id, None)
        self._unsure_since.pop(attempt.id, None)
        self._change(job.name, lambda fresh: attempts.ended(fresh, state, time.time(), message, exit_code))
        fresh = self.file.jobs[job.name]
        words = "" if fresh.over else "; it will be tried again"
        _log.info("%s: attempt %s %s%s", job.name, len(job.attempts), state.value, words)

    # --- keeping

    def _change(self, name: str, change: Callable[[Job], Job]) -> None:
        """Of the job as it is now: what was asked for while Ray was asked is not undone."""
        fresh = self.file.jobs[name]
        if fresh.running:
            self._keep(change(fresh))

    def _keep(self, job: Job) -> None:
        tried(job.name, lambda: self.file.keep(job))

    def _must_keep(self, job: Job) -> None:
        if not tried(job.name, lambda: self.file.keep(job)):
            raise Refused(f'cannot change job "{job.name}": it cannot be written', "make room on the disk")

    def _tidy(self, cluster: str) -> None:
        """Lets the oldest jobs go that are over."""
        over = sorted(
            (j for j in self.file.jobs.values() if j.over and j.body.cluster == cluster), key=lambda j: j.ended
        )
        for job in over[: max(0, len(over) - KEPT)]:
            del self.file.jobs[job.name]
            self.logs.forget(attempt.id for attempt in job.attempts)

    def _sweep(self) -> None:
        open_ones = (job for job in self.file.jobs.values() if not job.over)
        packing.sweep(self._folder, (name for job in open_ones for name in packing.addresses(job.body.environment)))

    def _dashboard(self, url: str) -> Dashboard:
        if url not in self._dashboards:
            self._dashboards[url] = Dashboard(url)
        return self._dashboards[url]


def _body(cluster: str, body: Mapping[str, Any]) -> RayJobBody:
    try:
        found = msgspec.convert(body.get("job"), RayJobBody)
    except (msgspec.ValidationError, ValueError) as error:
        raise Refused(f"cannot take the job: {error}") from error
    return replace(found, cluster=cluster)


def _check(body: RayJobBody) -> None:
    if not body.entrypoint.strip():
        raise Refused("cannot take the job: its command is empty", "bandari ray submit -- COMMAND")
    if len(body.name) > attempts.LONGEST_NAME or not body.name.isprintable() or "/" in body.name:
        limit = attempts.LONGEST_NAME
        raise Refused(f'cannot take the job: "{body.name}" is no name', f"up to {limit} printable characters, no slash")
    if body.max_retries < 0:
        raise Refused(f"cannot take the job: max_retries is {body.max_retries}", "0 or more")
    if body.timeout is not None and body.timeout <= 0:
        raise Refused(f"cannot take the job: its timeout is {body.timeout:g} s", "more than 0, or none")


def _request(job: Job, attempt: Attempt) -> dict[str, Any]:
    metadata = {**job.body.metadata, "bandari_job": job.name, "bandari_attempt": str(len(job.attempts))}
    return {
        "entrypoint": job.body.entrypoint,
        "submission_id": attempt.id,
        "runtime_env": dict(job.body.environment),
        "metadata": metadata,
    }


def _died(seen: Seen, *, earlier: bool) -> bool:
    """Whether the driver was lost rather than failed: it left no exit code, or was killed with an earlier head."""
    if seen.exit_code is None:
        return earlier or seen.error in _DIED
    return earlier and seen.exit_code in _KILLED


def _brief(message: str) -> str:
    """Ray's message without the last lines of the log, which it adds."""
    return message.split(", last available logs", maxsplit=1)[0].strip()[:500]


def _row(cluster: str, seen: Seen) -> RayJobStatus:
    return RayJobStatus(
        name=seen.id,
        cluster=cluster,
        state=seen.state,
        entrypoint=seen.entrypoint,
        attempts=1,
        max_retries=0,
        submission_ids=(seen.id,),
        message=_brief(seen.message),
        started=seen.started,
        ended=seen.ended,
        exit_code=seen.exit_code,
    )
