"""Schedules: what fires, what is made up, what is left out. No Ray is needed to take a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bandari.serving.ray import attempts
from bandari.serving.ray.attempts import Job, JobState
from bandari.serving.ray.bodies import RayClusterBody, RayJobBody, RayNodeBody, RayScheduleBody
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray.jobs import Jobs
from bandari.serving.supervisor.ray.jobs_file import Fired
from bandari.serving.supervisor.ray.schedules import Schedules
from bandari.serving.supervisor.store import Store

HOURLY = RayScheduleBody("c", RayJobBody("c", "true"), "0 * * * *")
T0 = 1_800_000_000.0 - 1_800_000_000.0 % 3600 + 600


@dataclass
class Starting:
    """A Ray cluster whose head is not there yet."""

    name: str = "c"
    dashboard: str = ""
    epoch: int = 1
    serve: tuple[str, int] = ("127.0.0.1", 8000)
    bin: str = "/nowhere"
    body: RayClusterBody | None = field(default_factory=lambda: RayClusterBody("c", RayNodeBody()))


@dataclass
class Desk:
    folder: Path
    now: float = T0

    def __post_init__(self) -> None:
        self.anew()

    def anew(self) -> None:
        """What the next supervisor begins with."""
        self.jobs = Jobs(Cluster("c", self.folder, Store(self.folder, "c")), {"c": Starting()}.get)
        self.schedules = Schedules(self.jobs, lambda: self.now)

    async def at(self, now: float) -> list[str]:
        """Names of all jobs after a look at this time."""
        self.now = now
        self.schedules.beat(0.0)
        await asyncio.gather(*self.schedules._firing.values())
        return list(self.jobs.file.jobs)

    async def close(self) -> None:
        await self.schedules.aclose()
        await self.jobs.aclose()


def end(job: Job) -> Job:
    return attempts.ended(job if job.running else attempts.opened(job, 1.0), JobState.SUCCEEDED, 2.0)


def played(folder: Path, play: Callable[[Desk], object]) -> None:
    async def run() -> None:
        desk = Desk(folder)
        try:
            await play(desk)  # type: ignore[misc]
        finally:
            await desk.close()

    asyncio.run(run())


def test_a_schedule_fires_at_its_time_and_once(tmp_path: Path) -> None:
    async def play(desk: Desk) -> None:
        desk.schedules.apply("rayschedule", "hourly", HOURLY, {})
        assert await desk.at(T0 + 60) == []
        assert await desk.at(T0 + 3000) == ["hourly-20270115-0900"]
        assert await desk.at(T0 + 3001) == ["hourly-20270115-0900"]
        (line,) = desk.schedules.status()
        assert (
            line.note == "next run 2027-01-15 10:00 UTC; last run 2027-01-15 09:00 UTC as hourly-20270115-0900: PENDING"
        )

    played(tmp_path, play)


def test_of_the_runs_that_were_missed_only_the_last_is_made_up(tmp_path: Path) -> None:
    async def play(desk: Desk) -> None:
        desk.schedules.apply("rayschedule", "hourly", HOURLY, {})
        await desk.close()
        desk.anew()
        desk.now = T0 + 10 * 3600
        desk.schedules.apply("rayschedule", "hourly", HOURLY, {})
        assert await desk.at(desk.now) == ["hourly-20270115-1800"]
        assert await desk.at(desk.now + 1) == ["hourly-20270115-1800"]

    played(tmp_path, play)


def test_runs_do_not_overlap_and_the_one_that_is_left_out_is_not_made_up(tmp_path: Path) -> None:
    async def play(desk: Desk) -> None:
        desk.schedules.apply("rayschedule", "hourly", HOURLY, {})
        (first,) = await desk.at(T0 + 3000)
        assert await desk.at(T0 + 3600 + 3000) == [first]
        (line,) = desk.schedules.status()
        assert "the run of 2027-01-15 10:00 UTC was left out" in line.reason
        desk.jobs.file.keep(end(desk.jobs.file.jobs[first]))
        assert await desk.at(T0 + 3600 + 3001) == [first]
        assert len(await desk.at(T0 + 7200 + 3000)) == 2
        (line,) = desk.schedules.status()
        assert line.reason == ""

    played(tmp_path, play)


def test_a_supervisor_that_dies_before_it_notes_a_run_does_not_start_it_twice(tmp_path: Path) -> None:
    async def play(desk: Desk) -> None:
        desk.schedules.apply("rayschedule", "hourly", HOURLY, {})
        before = desk.jobs.file.schedules["hourly"]
        (first,) = await desk.at(T0 + 3000)
        desk.jobs.file.keep(end(desk.jobs.file.jobs[first]))
        desk.jobs.file.fire("hourly", before)
        await desk.close()
        desk.anew()
        desk.schedules.apply("rayschedule", "hourly", HOURLY, {})
        assert await desk.at(T0 + 3005) == [first]

    played(tmp_path, play)


def test_another_clock_begins_anew_and_a_schedule_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    async def play(desk: Desk) -> None:
        desk.schedules.apply("rayschedule", "hourly", HOURLY, {})
        desk.now = T0 + 3000
        desk.schedules.apply("rayschedule", "hourly", replace(HOURLY, cron="30 * * * *"), {})
        assert await desk.at(T0 + 3001) == []
        assert Fired(T0 + 3000, "30 * * * * UTC") == desk.jobs.file.schedules["hourly"]
        desk.schedules.delete("rayschedule", "hourly")
        assert await desk.at(T0 + 9000) == []
        assert desk.jobs.file.schedules == {}

    played(tmp_path, play)


def test_a_run_that_cannot_start_says_why_and_the_next_one_is_tried(tmp_path: Path) -> None:
    async def play(desk: Desk) -> None:
        work = tmp_path / "work"
        job = RayJobBody("c", "true", environment={"working_dir": str(work)})
        desk.schedules.apply("rayschedule", "hourly", replace(HOURLY, job=job), {})
        assert await desk.at(T0 + 3000) == []
        (line,) = desk.schedules.status()
        assert "there is no such folder" in line.reason
        work.mkdir()
        assert len(await desk.at(T0 + 6600)) == 1

    played(tmp_path, play)


def test_a_clock_that_cannot_be_read_is_refused_before_it_is_taken() -> None:
    with pytest.raises(Refused, match='cannot run schedule "x": "every day" has not the five fields'):
        Schedules.check("x", replace(HOURLY, cron="every day"))
