"""Jobs on a real Ray: what is taken runs once, is tried again, and leaves its log."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bandari.serving.protocol import plain
from bandari.serving.ray.bodies import RayJobBody, RayVerb
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray.jobs import Jobs
from bandari.serving.supervisor.store import Store
from bandari.testing.ray import PATIENCE, PlainRay, plain_ray

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainRay]:
    with plain_ray(tmp_path_factory.mktemp("ray")) as running:
        yield running


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a coroutine as a test."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@dataclass
class Desk:
    """Jobs of one state folder; `anew` is what the next supervisor would have."""

    ray: PlainRay
    folder: Path
    jobs: Jobs = field(init=False)

    def __post_init__(self) -> None:
        self.anew()

    def anew(self) -> None:
        cluster = Cluster("c", self.folder, Store(self.folder, "c"))
        self.jobs = Jobs(cluster, {"plain": self.ray}.get, temp=lambda _: self.ray.temp)

    async def submit(self, entrypoint: str, **fields: Any) -> str:
        body = plain(RayJobBody("plain", entrypoint, **fields))
        return str((await self.jobs.answer("plain", RayVerb.SUBMIT, {"job": body}))["job"])

    async def row(self, name: str) -> dict[str, Any]:
        return dict((await self.jobs.answer("plain", RayVerb.JOBS, {"job": name}))["jobs"][0])

    async def until(self, name: str, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while not condition(row := await self.row(name)):  # noqa: ASYNC110 - what happens is Ray's
                await asyncio.sleep(0.05)
        return row

    async def end(self, name: str) -> dict[str, Any]:
        return await self.until(name, lambda row: row.get("ended"))

    def log(self, row: dict[str, Any]) -> str:
        return "".join(self.jobs.logs.path(one).read_text() for one in row["submission_ids"])


@contextlib.asynccontextmanager
async def desk(ray: PlainRay, folder: Path) -> AsyncIterator[Desk]:
    made = Desk(ray, folder)
    try:
        yield made
    finally:
        await made.jobs.aclose()


@on_a_loop
async def test_a_job_sees_its_files_and_leaves_its_log(ray: PlainRay, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "sub" / "words.txt").write_text("out of a file\n")
    (work / "left.out").write_text("")
    (tmp_path / "helper").mkdir()
    (tmp_path / "helper" / "__init__.py").write_text("WORD = 'from a module'\n")
    (work / "main.py").write_text(
        "import os, ray, helper\nray.init()\n"
        "task = ray.remote(lambda: open('sub/words.txt').read().strip())\n"
        "print(ray.get(task.remote()), os.environ['GREETING'], helper.WORD, sorted(os.listdir('.')))\n"
    )
    environment = {
        "working_dir": str(work),
        "excludes": ["*.out"],
        "py_modules": [str(tmp_path / "helper")],
        "env_vars": {"GREETING": "hello", "API_TOKEN": "hunter2"},
    }
    async with desk(ray, tmp_path) as at:
        name = await at.submit("python main.py", name="reads", environment=environment)
        row = await at.end(name)
        assert (row["state"], row["name"], row["attempts"]) == ("SUCCEEDED", "reads", 1), at.log(row)
        assert "out of a file hello from a module ['main.py', 'sub']" in at.log(row)
        assert "hunter2" not in json.dumps(row)
        assert (tmp_path / "rayjobs.json").stat().st_mode & 0o777 == 0o600
        await asyncio.wait_for(asyncio.gather(*at.jobs._tasks.values()), 10)
    assert not list((tmp_path / "packages").glob("*.zip"))


@on_a_loop
async def test_a_job_that_fails_is_tried_again_and_ends_as_its_last_attempt(ray: PlainRay, tmp_path: Path) -> None:
    mark = tmp_path / "tried"
    async with desk(ray, tmp_path) as at:
        good = await at.submit(f"test -e {mark} || {{ touch {mark}; echo first; exit 3; }}; echo second")
        bad = await at.submit("exit 7", name="bad", max_retries=0)
        again = await at.submit("sleep 60", name="long", timeout=0.5, max_retries=0)
        stopped = await at.submit("sleep 60", name="halt")
        await at.until(stopped, lambda row: row["state"] == "RUNNING")
        await at.jobs.answer("plain", RayVerb.STOP_JOB, {"job": stopped})
        row = await at.end(good)
        assert (row["state"], row["attempts"]) == ("SUCCEEDED", 2)
        assert [line for line in at.log(row).splitlines() if line in ("first", "second")] == ["first", "second"]
        row = await at.end(bad)
        assert (row["state"], row["exit_code"], row["attempts"]) == ("FAILED", 7, 1)
        row = await at.end(again)
        assert (row["state"], row["message"]) == ("FAILED", "timed out after 0.5 s")
        row = await at.end(stopped)
        assert (row["state"], row["attempts"]) == ("STOPPED", 1)


@on_a_loop
async def test_what_others_submit_is_listed_and_can_be_stopped(ray: PlainRay, tmp_path: Path) -> None:
    request = {"entrypoint": "sleep 60", "submission_id": "stock-1"}
    async with desk(ray, tmp_path) as at, httpx.AsyncClient(base_url=ray.dashboard, timeout=60) as client:
        assert (await client.post("/api/jobs/", json=request)).is_success
        await at.until("stock-1", lambda row: row["state"] == "RUNNING")
        await at.jobs.answer("plain", RayVerb.STOP_JOB, {"job": "stock-1"})
        await at.until("stock-1", lambda row: row["state"] == "STOPPED")
        with pytest.raises(Refused, match="no such job"):
            await at.jobs.answer("plain", RayVerb.STOP_JOB, {"job": "nobody"})


@on_a_loop
async def test_a_job_that_ray_knows_no_more_is_lost_and_submitted_again(ray: PlainRay, tmp_path: Path) -> None:
    """A head that came back without its state knows nothing of it."""
    mark = tmp_path / "first"
    async with desk(ray, tmp_path) as at, httpx.AsyncClient(base_url=ray.dashboard, timeout=60) as client:
        name = await at.submit(f"test -e {mark} && exit 0; touch {mark}; sleep 60", name="lost")
        row = await at.until(name, lambda row: row["state"] == "RUNNING")
        id_ = row["submission_ids"][0]
        await at.jobs.aclose()
        await client.post(f"/api/jobs/{id_}/stop")
        async with asyncio.timeout(PATIENCE):
            while (await client.delete(f"/api/jobs/{id_}")).is_error:  # noqa: ASYNC110 - it is Ray that ends
                await asyncio.sleep(0.05)
        at.anew()
        at.jobs.settle(stopping=False)
        await at.until(name, lambda row: row["state"] == "LOST")
        row = await at.end(name)
    assert (row["state"], row["attempts"]) == ("SUCCEEDED", 2)


@on_a_loop
async def test_what_cannot_be_a_job_is_refused_before_it_is_taken(ray: PlainRay, tmp_path: Path) -> None:
    async with desk(ray, tmp_path) as at:
        with pytest.raises(Refused, match="its command is empty"):
            await at.submit("  ")
        with pytest.raises(Refused, match="there is no such folder"):
            await at.submit("true", environment={"working_dir": str(tmp_path / "nowhere")})
        with pytest.raises(Refused, match="is no name"):
            await at.submit("true", name="a/b")
        with pytest.raises(Refused, match="no Ray cluster"):
            await at.jobs.answer("other", RayVerb.SUBMIT, {"job": {"cluster": "other", "entrypoint": "true"}})
        with pytest.raises(Refused, match="cannot take the job"):
            await at.jobs.answer("plain", RayVerb.SUBMIT, {"job": {"entrypoint": 3}})
        assert not at.jobs.file.jobs
