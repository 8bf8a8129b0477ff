"""A PREFER_SPOT group on a real Ray: a job outlives the loss of its nodes, on-demand stands in, and spot comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bandari.serving.protocol import plain
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.testing.processes import Site, until

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]
WORKER = RayNodeBody({"CPU": 1}, memory=200_000_000)
CLUSTER = RayClusterBody(
    "market", RayNodeBody(memory=200_000_000), zones=("z1", "z2"), cross_zone=True, notice=2.0, replacement_age=1.0
)
GROUP = RayGroupBody("market", "cheap", WORKER, min=2, max=3, market="PREFER_SPOT")
PATIENCE = 120.0
JOB = """
import pathlib, sys, time, ray

@ray.remote(num_cpus=1)
def square(number, folder):
    (pathlib.Path(folder) / f"{number}-{time.time_ns()}").touch()
    time.sleep(4)
    return number * number

ray.init()
print("sum", sum(ray.get([square.remote(n, sys.argv[1]) for n in range(4)])))
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A cluster in the user's own state folder, so that the command line finds it."""
    made = Site(Path(os.environ["XDG_STATE_HOME"]) / "bandari" / "clusters" / "spots", "spots")
    try:
        made.guard()
        made.apply("ray.market", plain(CLUSTER))
        made.apply("raygroup.market/cheap", plain(GROUP))
        until(lambda: len(ready(made, "spot")) == 2, "two spot nodes", within=PATIENCE)
        yield made
        made.call("stop")
        until(lambda: not made.pids("supervisor"), "everything is down", within=PATIENCE)
        assert made.processes() == {}
    finally:
        made.close()


def nodes(site: Site) -> list[dict[str, Any]]:
    response = site.call("ray", "market", body={"verb": "nodes"})
    assert not response.get("error"), response
    return [node for node in response["result"]["nodes"] if node["group"] == "cheap"]


def ready(site: Site, market: str) -> list[str]:
    """Names of the nodes that are ready and stay."""
    found = (n for n in nodes(site) if n["state"] == "ready" and not n.get("leaves_at"))
    return [n["name"] for n in found if n.get("market", "on-demand") == market]


def bandari(*words: str) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "bandari.cli", "ray", "preempt", *words, "--cluster", "spots", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


class Jobs:
    """Ray's own REST API for jobs."""

    def __init__(self, site: Site) -> None:
        response = site.call("ray", "market", body={"verb": "nodes"})
        head = next(node for node in response["result"]["nodes"] if node["group"] == "head")
        self.base = f"http://{head['address']}:8265"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def over(self, name: str) -> str:
        """How a job ended; empty while it has not."""
        status = str(self.ask(f"/api/jobs/{name}")["status"])
        return "" if status in {"PENDING", "RUNNING"} else status

    def log(self, name: str) -> str:
        return f"{self.ask(f'/api/jobs/{name}').get('message')}: {self.ask(f'/api/jobs/{name}/logs')['logs']}"


def test_a_job_outlives_the_loss_of_its_nodes_and_spot_comes_back(site: Site, tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(JOB)
    marks = tmp_path / "marks"
    marks.mkdir()
    before = set(ready(site, "spot"))
    jobs = Jobs(site)
    name = jobs.ask("/api/jobs/", {"entrypoint": f"{sys.executable} {script} {marks}"})["submission_id"]
    until(lambda: len(list(marks.iterdir())) >= 2 or jobs.over(name), "two tasks run", within=PATIENCE)
    assert not jobs.over(name), jobs.log(name)

    told = bandari("cheap")
    assert {node["name"] for node in told["nodes"]} == before
    assert all(0 < node["leaves_at"] < time.time() + 3 for node in told["nodes"])
    until(lambda: len(ready(site, "on-demand")) == 2, "on-demand stands in", within=PATIENCE)
    until(lambda: not before & {node["name"] for node in nodes(site)}, "the spot nodes are gone", within=PATIENCE)
    assert until(lambda: jobs.over(name), "the end of the job", within=PATIENCE) == "SUCCEEDED", jobs.log(name)
    assert "sum 14" in jobs.log(name)
    assert ready(site, "spot") == [], "no spot until it is given back"

    assert bandari("cheap", "--restore")["restored"] is True
    until(lambda: len(ready(site, "spot")) == 2, "spot is back", within=PATIENCE)
    until(lambda: len(nodes(site)) == 2, "on-demand has left", within=PATIENCE)


def test_a_notice_outlives_the_supervisor(site: Site) -> None:
    until(lambda: len(ready(site, "spot")) == 2 and len(nodes(site)) == 2, "two spot nodes", within=PATIENCE)
    zones = {node["name"]: node["zone"] for node in nodes(site)}
    assert set(zones.values()) == {"z1", "z2"}, "balanced over the zones"
    told = bandari("cheap", "--zone", "z1", "--notice", "8")
    (going,) = (node["name"] for node in told["nodes"])
    assert zones[going] == "z1"
    pid = site.status()["supervisor_pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: site.status()["supervisor_pid"] != pid, "another supervisor", within=PATIENCE)
    until(lambda: going not in {node["name"] for node in nodes(site)}, "it is gone", within=PATIENCE)
    until(lambda: len(ready(site, "spot")) == 2, "another one in the other zone", within=PATIENCE)
    assert {node["zone"] for node in nodes(site)} == {"z2"}
    raylets = [node["raylet"] for node in Jobs(site).ask("/nodes?view=summary")["data"]["summary"]]
    labels = [raylet["labels"] for raylet in raylets if raylet["state"] == "ALIVE"]
    spots = [label for label in labels if label.get("ray.io/node-group") == "cheap"]
    assert len(spots) == 2
    assert {label["ray.io/market-type"] for label in spots} == {"spot"}
    assert {label["ray.io/availability-zone"] for label in spots} == {"z2"}
