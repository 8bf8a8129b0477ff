"""What ends a cluster or makes it another one, and what a lost state does to it."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from bandari.serving.protocol import STATE_FILE, plain
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.testing.processes import until
from bandari.testing.ray import PATIENCE, SMALL, RaySite

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

CLUSTER = RayClusterBody("one", RayNodeBody(resources={"CPU": 1}, memory=SMALL), python="3.11")
GROUP = RayGroupBody("one", "few", RayNodeBody({"CPU": 1}, memory=SMALL), min=1, max=1)


def pids(site: RaySite) -> dict[str, int]:
    """Of the nodes that have a process now."""
    return {node["name"]: node["pid"] for node in site.nodes("one") if "pid" in node}


def test_a_lost_state_keeps_what_runs_until_it_is_applied_again(ray_site: RaySite) -> None:
    ray_site.ray(CLUSTER, GROUP)
    ray_site.settled("one", "few")
    before, facts = pids(ray_site), ray_site.facts("one")
    redis = ray_site.pids("one.redis")
    supervisor = ray_site.status()["supervisor_pid"]
    os.kill(supervisor, signal.SIGSTOP)
    (ray_site.folder / STATE_FILE).write_bytes(b'{"cluster": "try", "resour')
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: ray_site.status()["supervisor_pid"] != supervisor, "another supervisor")
    assert ray_site.part("one")["state"] == "unclaimed"
    ray_site.ray(CLUSTER, GROUP)
    ray_site.settled("one", "few")
    assert pids(ray_site) == before
    assert redis
    assert ray_site.pids("one.redis") == redis
    assert ray_site.facts("one")["namespace"] == facts["namespace"]


def test_another_python_replaces_the_cluster_in_another_namespace(ray_site: RaySite) -> None:
    before, facts = pids(ray_site), ray_site.facts("one")
    ray_site.apply("ray.one", plain(replace(CLUSTER, python="3.11.9")))
    until(
        lambda: len(now := pids(ray_site)) == 2 and not set(now.values()) & set(before.values()), "new", within=PATIENCE
    )
    ray_site.settled("one", "few")
    assert ray_site.facts("one")["namespace"] != facts["namespace"]


def test_a_cluster_that_was_up_for_its_limit_ends_and_comes_back_when_applied(ray_site: RaySite) -> None:
    ray_site.apply("ray.one", plain(replace(CLUSTER, python="3.11.9", uptime_limit=1)))
    until(lambda: ray_site.part("one").get("state") == "ended", "it ended", within=PATIENCE)
    assert "was up for its limit of 1 s" in ray_site.part("one")["reason"]
    assert not ray_site.temp("one").exists()
    ray_site.ray(CLUSTER)
    assert ray_site.part("one")["state"] in {"pending", "starting"}


def test_a_head_that_falls_before_it_was_ever_ready_tries_another_port(ray_site: RaySite, tmp_path: Path) -> None:
    ray = tmp_path / "ray"
    ray.write_text("#!/bin/sh\necho the port is taken\nexit 1\n")
    ray.chmod(0o755)
    ray_site.apply("rayenv.two", {"cluster": "two", "digest": "falls"}, bin=str(tmp_path))
    ray_site.ray(replace(CLUSTER, cluster="two", environment="falls"))
    until(lambda: ray_site.part("two").get("reason", "").count("the port is taken"), "it fell")
    first = ray_site.facts("two")["gcs"]
    until(lambda: ray_site.facts("two")["gcs"] != first, "another one is chosen")
    for address in ("ray.two", "rayenv.two"):
        ray_site.call("delete", address)
    until(lambda: not ray_site.part("two"), "it is gone")
    assert not ray_site.temp("two").exists()


def test_a_stop_in_the_middle_of_a_start_leaves_nothing(ray_site: RaySite) -> None:
    until(lambda: [node for node in ray_site.nodes("one") if "pid" in node], "the head is on its way", within=PATIENCE)
    temp = ray_site.temp("one")
    ray_site.call("stop")
    until(lambda: not ray_site.processes(), "nothing runs", within=PATIENCE)
    assert not temp.exists()
    assert not (ray_site.folder / STATE_FILE).exists()
    assert not list((ray_site.folder / "ray").glob("*/*")), json.dumps([str(p) for p in ray_site.folder.rglob("*")])
