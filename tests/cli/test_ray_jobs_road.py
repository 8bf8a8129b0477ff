"""The road of a job: submitted at a shell to a real Ray cluster, followed, stopped, right in the end whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bandari.serving.protocol import plain
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayJobBody, RayNodeBody, RayScheduleBody
from bandari.serving.supervisor import faults
from bandari.testing.ray import PATIENCE, SMALL, RaySite, waited
from bandari.testing.user import Ran, User

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

SHAPE = RayNodeBody(
    resources={"CPU": 1}, memory=SMALL, object_store_memory=80_000_000, machine="m5.large", physical="2 vCPU, 8 GiB"
)
TASKS = """
import ray, sys, time
ray.init(log_to_driver=False)
@ray.remote(max_retries=5, resources={"side": 0.1})
def square(n, seconds):
    time.sleep(seconds)
    return n * n
print("begins", flush=True)
print("sum", sum(ray.get([square.remote(n, float(sys.argv[1])) for n in range(4)])), flush=True)
"""


@dataclass
class Road:
    """A user at a shell beside a cluster with a head and a worker."""

    user: User
    site: RaySite

    def ray(self, *words: str, **extra: Any) -> Ran:
        return self.user.bandari("ray", *words, timeout=PATIENCE, **extra)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "bandari.cli", "ray", *words],
            cwd=self.user.folder,
            env=self.user.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def job(self, name: str) -> dict[str, Any]:
        (found,) = self.site.ask("jobs", "try", job=name)["jobs"]
        return dict(found)

    def until(self, name: str, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            row = self.job(name)
            return row if good(row) else None

        return dict(waited(look, f"{name} as expected"))


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "work").mkdir()
    (folder / "work" / "tasks.py").write_text(TASKS)
    user = User(folder, folder / "work")
    site = RaySite(folder / "state" / "bandari" / "clusters" / "try")
    try:
        site.guard()
        group = RayGroupBody("try", "side", RayNodeBody(
            resources={"CPU": 1, "side": 1}, memory=SMALL, object_store_memory=80_000_000
        ), min=1, max=1)  # fmt: skip
        site.ray(RayClusterBody("try", SHAPE), group)
        schedule = RayScheduleBody("try", RayJobBody("try", "echo it is time"), "* * * * *", "Europe/Berlin")
        site.apply("rayschedule.tick", plain(schedule))
        site.settled("try", "side")
        yield Road(user, site)
    finally:
        site.close()


def test_a_command_runs_as_a_job_with_its_files_and_ends_as_it_does(road: Road) -> None:
    ran = road.ray(
        "submit", "--name", "first", "--working-dir", ".", "--env", "GREETING=hello", "--env", "API_TOKEN=hunter2",
        "--", "sh", "-c", "cat tasks.py | tail -1; echo $GREETING; exit 5",
    )  # fmt: skip
    assert ran.code == 5, ran
    assert "hello" in ran.out.splitlines()
    assert "sum" in ran.out
    assert "this is attempt 2 of 2" in ran.err
    assert "first failed after 2 attempts" in ran.err
    listed = road.ray("jobs")
    assert "first" in listed.out
    assert "FAILED" in listed.out
    assert "hunter2" not in ran.out + ran.err + listed.out + road.ray("jobs", "--json").out
    assert "hunter2" not in road.site.log("supervisor").read_text()
    last = road.ray("logs", "first", "--tail", "2").out.splitlines()
    assert len(last) == 2
    assert "hello" in last, "Ray may write its own line about the start after it"


def test_a_typo_gets_the_nearest_name_and_no_command_gets_words(road: Road) -> None:
    assert "did you mean 'first'" in road.ray("logs", "frist").err
    assert "there are: try" in road.ray("jobs", "--cluster", "try/tri").err
    assert "no command was given" in road.ray("submit").err
    assert "there is no such folder" in road.ray("submit", "--working-dir", "nowhere", "--", "true").err
    assert "Did you mean '--name'?" in road.ray("submit", "--naem", "x", "--", "true").err
    assert "is not K=V" in road.ray("submit", "--env", "NOT_SET_ANYWHERE", "--", "true").err


def test_status_shows_the_machines_and_the_jobs_and_dashboard_the_address(road: Road) -> None:
    shown = road.ray("status")
    assert shown.code == 0, shown
    assert "m5.large (2 vCPU, 8 GiB)" in shown.out
    assert "first" in shown.out
    document = road.ray("status", "--json").document
    for name, said in (("ray-status", document), ("ray-jobs", road.ray("jobs", "--json").document)):
        Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text())).validate(said)
    assert {"head", "side"} == {node["group"] for node in document["nodes"]}
    address = road.ray("dashboard").out.strip()
    assert address == f"http://{road.site.facts('try')['subnet']}.1:8265"


def test_exec_runs_the_stock_client_with_the_addresses_of_the_cluster(road: Road) -> None:
    ran = road.ray(
        "exec", "--", "ray", "job", "submit", "--submission-id", "stock-1", "--", "echo", "from the stock client"
    )
    assert ran.code == 0, ran
    assert "from the stock client" in ran.out
    assert "stock-1" in road.ray("jobs").out
    assert "from the stock client" in road.ray("logs", "stock-1").out
    code = "import ray; ray.init(log_to_driver=False); print(ray.cluster_resources()['side'])"
    ran = road.ray("exec", "--cluster", "try", "--", "python", "-c", code)
    assert ran.out.strip() == "1.0", ran
    assert road.ray("exec", "--", "sh", "-c", "exit 9").code == 9
    assert "there is no such program" in road.ray("exec", "--", "no-such-program").err


def test_ctrl_c_lets_the_job_go_on_and_says_how_to_stop_it(road: Road) -> None:
    with road.start("submit", "--name", "long", "--", "echo begins; sleep 300") as process:
        read_until(process, "begins")
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, (out, err)
    assert "bandari ray stop-job long" in err
    assert road.job("long")["state"] == "RUNNING"
    assert "is being stopped" in road.ray("stop-job", "long").out
    row = road.until("long", lambda row: bool(row.get("ended")))
    assert row["state"] == "STOPPED"
    assert "was over already" in road.ray("stop-job", "long").out
    followed = road.ray("logs", "long", "--follow")
    assert (followed.code, "begins" in followed.out) == (1, True)


def test_a_worker_that_dies_in_the_middle_of_a_job_changes_nothing_of_its_result(road: Road) -> None:
    with road.start("submit", "--name", "worker-dies", "--working-dir", ".", "--", "python tasks.py 1") as process:
        read_until(process, "begins")
        (node,) = road.site.nodes("try", "side")
        os.kill(node["pid"], signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE)
    assert "sum 14" in out, (out, err)
    assert process.returncode == 0
    assert road.job("worker-dies")["attempts"] == 1


def test_a_supervisor_that_dies_in_the_middle_of_a_job_changes_nothing_of_its_result(road: Road) -> None:
    with road.start("submit", "--name", "supervisor-dies", "--working-dir", ".", "--", "python tasks.py 1") as process:
        read_until(process, "begins")
        os.kill(road.site.status()["supervisor_pid"], signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE)
    assert "sum 14" in out, (out, err)
    assert process.returncode == 0
    assert road.job("supervisor-dies")["attempts"] == 1


@pytest.mark.parametrize("point", faults.JOB_POINTS)
def test_a_supervisor_that_dies_at_any_step_of_a_submission_starts_the_job_once(road: Road, point: str) -> None:
    status = road.site.status()
    for pid in (status.get("guard_pid"), status["supervisor_pid"]):
        if pid:
            os.kill(pid, signal.SIGKILL)
    road.site.supervisor(**{faults.VARIABLE: point})
    waited(road.site.answers, "the supervisor answers")
    count = road.user.folder / f"{point}.count"
    ran = road.ray("submit", "--name", point, "--", f"echo run >> {count}")
    assert ran.code == 0, ran
    assert count.read_text() == "run\n"
    assert road.job(point)["attempts"] == 1


def test_a_schedule_starts_its_job_by_the_clock_and_status_says_when(road: Road) -> None:
    def ran() -> list[str]:
        rows = road.site.ask("jobs", "try")["jobs"]
        return [row["name"] for row in rows if row.get("schedule") == "tick" and row["state"] == "SUCCEEDED"]

    name = waited(ran, "a job of the schedule succeeded")[0]
    assert "it is time" in road.ray("logs", name).out
    shown = road.user.bandari("status", "--cluster", "try").out
    assert "next run" in shown
    assert "last run" in shown
    body = plain(RayScheduleBody("try", RayJobBody("try", "true"), "61 * * * *"))
    refused = road.site.call("apply", "rayschedule.bad", body=body, outputs={})
    assert 'cannot run schedule "bad"' in refused["error"]


def test_a_head_that_dies_in_the_middle_of_a_job_makes_it_lost_and_then_right(road: Road) -> None:
    road.site.settled("try", "side")
    with road.start("submit", "--name", "head-dies", "--working-dir", ".", "--", "python tasks.py 0.5") as process:
        read_until(process, "begins")
        (head,) = road.site.nodes("try", "head")
        os.killpg(head["pid"], signal.SIGKILL)
        road.until("head-dies", lambda row: row["state"] == "LOST")
        out, err = process.communicate(timeout=PATIENCE)
    assert "sum 14" in out, (out, err)
    assert "attempt 1 was lost" in err
    assert process.returncode == 0
    assert road.job("head-dies")["attempts"] == 2


def test_logs_stay_when_the_cluster_is_down(road: Road) -> None:
    with road.start("submit", "--name", "last", "--", "echo begins; sleep 300") as process:
        read_until(process, "begins")
        down = road.user.bandari("down", "--cluster", "try", "--yes", timeout=PATIENCE)
        out, err = process.communicate(timeout=PATIENCE)
    assert down.code == 0, down
    assert process.returncode == 1, (out, err)
    assert "begins" in road.ray("logs", "last").out.splitlines()
    assert "cannot find a log of job" in road.ray("logs", "nobody", "--cluster", "try").err
    assert road.user.marked() == []


def read_until(process: subprocess.Popen[str], word: str) -> None:
    """Reads what a command prints up to a line; AssertionError when it ends before."""
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line.strip() == word:
            return
    raise AssertionError(f"{word!r} never came: {''.join(seen)}")
