"""Clusters that Ray's own autoscaler sizes through our NodeProvider. The tests share one and stand in its order."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from bandari.serving.protocol import plain
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.testing.processes import until
from bandari.testing.ray import PATIENCE, SMALL, RaySite, last_line

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

CLUSTER = RayClusterBody(
    "auto",
    RayNodeBody(resources={"CPU": 0}, memory=SMALL),
    autoscaled=True,
    idle_timeout=4,
    min_resources={"CPU": 2},
    max_resources={"CPU": 4},
)
GROUP = RayGroupBody("auto", "work", RayNodeBody({"CPU": 2, "widget": 1}, memory=SMALL), min=0, max=3)
TASKS = """
@ray.remote(num_cpus=0, resources={"widget": 1})
def work(): time.sleep(%s); return ray.get_runtime_context().get_node_id()
print(len(set(ray.get([work.remote() for _ in range(%s)], timeout=100))))
"""


def running(site: RaySite) -> list[str]:
    return [node["name"] for node in site.nodes("auto", "work") if node["state"] == "ready"]


def test_the_floor_of_resources_is_there_without_any_demand(ray_site: RaySite) -> None:
    ray_site.ray(CLUSTER, GROUP)
    ray_site.settled("auto")
    until(lambda: len(running(ray_site)) == 1, "2 CPUs at least", within=PATIENCE)
    assert ray_site.part("auto/work")["replicas"] == 1


def test_demand_adds_nodes_up_to_the_cap_and_never_above_it(ray_site: RaySite) -> None:
    said: list[str] = []
    with ray_site.start_driver("auto", TASKS % (2, 16)) as driver:
        most = 0
        while driver.poll() is None:
            most = max(most, len(ray_site.nodes("auto", "work")))
            if len(running(ray_site)) == 2:
                said += ray_site.ask("why", "auto")["lines"]
        output, errors = driver.communicate()
    assert 'x {1 widget}: group "work" could take it: the cluster may have 4 "CPU", has 4' in " ".join(said)
    assert (driver.returncode, last_line(output)) == (0, "2"), output + errors
    assert most == 2, "4 CPUs are two nodes, though the group may have three"
    why = ray_site.log("supervisor").read_text()
    assert "Traceback" not in why


def test_idle_nodes_go_and_the_floor_stays(ray_site: RaySite) -> None:
    until(lambda: len(ray_site.nodes("auto", "work")) == 1, "one again", within=PATIENCE)


def test_a_lost_node_of_the_floor_is_restored(ray_site: RaySite) -> None:
    before = ray_site.nodes("auto", "work")[0]
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: running(ray_site) not in ([], [before["name"]]), "another one", within=PATIENCE)
    assert len(ray_site.nodes("auto", "work")) == 1


def test_other_bounds_apply_without_a_restart_of_the_head(ray_site: RaySite) -> None:
    head = ray_site.nodes("auto", "head")[0]["pid"]
    ray_site.apply("ray.auto", plain(replace(CLUSTER, min_resources={})))
    until(lambda: not ray_site.nodes("auto", "work"), "none without a floor", within=PATIENCE)
    ray_site.apply("raygroup.auto/work", plain(replace(GROUP, min=2)))
    until(lambda: len(running(ray_site)) == 2, "two as the least", within=PATIENCE)
    assert ray_site.nodes("auto", "head")[0]["pid"] == head
    assert ray_site.status()["ready"]


def test_a_killed_head_and_its_provider_keep_the_nodes(ray_site: RaySite) -> None:
    before = {node["name"]: node["pid"] for node in ray_site.nodes("auto", "work")}
    os.kill(ray_site.nodes("auto", "head")[0]["pid"], signal.SIGKILL)
    until(lambda: ray_site.part("auto")["state"] != "ready", "its end is seen")
    ray_site.settled("auto", "work")
    assert ray_site.driver("auto", TASKS % (0.1, 8)) == "2"
    assert {node["name"]: node["pid"] for node in ray_site.nodes("auto", "work")} == before


def test_a_cluster_that_is_idle_for_its_limit_ends_and_says_so(ray_site: RaySite) -> None:
    ray_site.apply("ray.auto", plain(replace(CLUSTER, min_resources={}, idle_limit=3)))
    until(lambda: ray_site.part("auto").get("state") == "ended", "it ended", within=PATIENCE)
    assert "was idle for its limit of 3 s" in ray_site.part("auto")["reason"]
    assert "auto: ends, as it was idle for its limit of 3 s" in ray_site.log("supervisor").read_text()
    assert set(ray_site.processes().values()) == {"supervisor"}
    assert not [stored for stored in ray_site.call("observe")["result"]["resources"] if "auto" in stored["address"]]
    assert ray_site.status()["ready"], "an end by its own limit is no failure"
