"""A cluster of fixed size on real Ray. The tests share it and stand in the order of its life."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import pytest

from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.serving.supervisor import procfs
from bandari.testing.processes import until
from bandari.testing.ray import BIN, PATIENCE, SMALL, RaySite

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

CLUSTER = RayClusterBody("demo", RayNodeBody(resources={"CPU": 0}, memory=SMALL), zones=("z-a", "z-b"), cross_zone=True)
RED = RayGroupBody(
    "demo", "red", RayNodeBody({"CPU": 1, "widget": 2}, {"team": "red"}, memory=SMALL, machine="m5.large"), min=1, max=1
)
BLUE = RayGroupBody("demo", "blue", RayNodeBody({"CPU": 1, "GPU": 1}, {"team": "blue"}, memory=SMALL), min=1, max=1)
ACTOR = """
@ray.remote(
    num_cpus=1, lifetime="detached", name="counter", namespace="n", max_restarts=-1, label_selector={"team": "red"}
)
class Counter:
    def __init__(self): self.n = 0
    def inc(self): self.n += 1; return self.n
"""
INC = "print(ray.get(ray.get_actor('counter', namespace='n').inc.remote(), timeout=100))"


def pids(site: RaySite) -> dict[str, int]:
    """Of the nodes that have a process now."""
    return {node["name"]: node["pid"] for node in site.nodes("demo") if "pid" in node}


def test_tasks_land_where_resources_and_labels_say(ray_site: RaySite) -> None:
    ray_site.ray(CLUSTER, RED, BLUE)
    ray_site.settled("demo", "red", "blue")
    code = """
@ray.remote(num_cpus=0, resources={"widget": 2})
def widget(): return ray.get_runtime_context().get_node_id()
@ray.remote(num_cpus=0, label_selector={"team": "blue"})
def blue(): return ray.get_runtime_context().get_node_id()
@ray.remote(num_cpus=0, num_gpus=1)
def gpu(): return ray.get_runtime_context().get_node_id()
import json
at = {n["NodeID"]: [n["Labels"], n["Resources"]] for n in ray.nodes()}
print(json.dumps([at[i] for i in ray.get([widget.remote(), blue.remote(), gpu.remote()], timeout=60)]))
"""
    widget, blue, gpu = json.loads(ray_site.driver("demo", code))
    assert widget[0] | {"team": "red", "ray.io/node-group": "red", "ray.io/market-type": "on-demand"} == widget[0]
    assert {name: widget[1][name] for name in ("CPU", "widget", "memory")} == {"CPU": 1, "widget": 2, "memory": SMALL}
    assert blue[0]["ray.io/node-group"] == gpu[0]["ray.io/node-group"] == "blue"
    zones = {labels["ray.io/availability-zone"] for labels, _ in (widget, blue)}
    assert zones == {"z-a", "z-b"}, "balanced over both"


def test_nodes_tell_what_they_stand_for_and_where_prometheus_finds_them(ray_site: RaySite) -> None:
    red = ray_site.nodes("demo", "red")[0]
    assert (red["machine"], red["state"], red["resources"]) == ("m5.large", "ready", {"CPU": 1.0, "widget": 2.0})
    assert red["memory"] > 50_000_000
    file = ray_site.folder / "service-discovery.json"
    found = until(lambda: len(entries := json.loads(file.read_text())) == 3 and entries, "all nodes", within=PATIENCE)
    assert found
    assert {(entry["labels"]["group"], len(entry["targets"])) for entry in found} == {
        ("head", 1),
        ("red", 1),
        ("blue", 1),
    }


def test_the_same_again_changes_nothing_and_bounds_change_in_place(ray_site: RaySite) -> None:
    before = pids(ray_site)
    ray_site.ray(replace(CLUSTER, max_resources={"CPU": 10}), RED, BLUE)
    ray_site.settled("demo", "red", "blue")
    assert pids(ray_site) == before


def test_a_killed_supervisor_interrupts_nothing(ray_site: RaySite) -> None:
    assert (
        ray_site.driver("demo", ACTOR + "c = Counter.remote(); print(ray.get([c.inc.remote() for _ in range(3)])[-1])")
        == "3"
    )
    before, epoch = pids(ray_site), ray_site.facts("demo")["epoch"]
    first = ray_site.status()["supervisor_pid"]
    os.kill(first, signal.SIGKILL)
    until(lambda: ray_site.status()["supervisor_pid"] != first, "another supervisor")
    ray_site.settled("demo", "red", "blue")
    assert (pids(ray_site), ray_site.facts("demo")["epoch"]) == (before, epoch)


def test_a_killed_head_comes_back_with_its_actors_and_workers(ray_site: RaySite) -> None:
    before, epoch = pids(ray_site), ray_site.facts("demo")["epoch"]
    root = before["demo.head"]
    session = [process.pid for process in procfs.processes() if process.session == root]
    os.kill(root, signal.SIGKILL)
    until(lambda: ray_site.part("demo")["state"] != "ready", "its end is seen")
    ray_site.settled("demo", "red", "blue")
    assert not {pid for pid in session if (now := procfs.stat(pid)) and now.session == root}, "no stray is left"
    after = pids(ray_site)
    assert after.pop("demo.head") != before.pop("demo.head")
    assert after == before
    assert ray_site.facts("demo")["epoch"] == epoch + 1
    assert ray_site.driver("demo", INC) == "4"


def test_a_killed_worker_is_replaced_by_another_node(ray_site: RaySite) -> None:
    before = ray_site.nodes("demo", "blue")[0]
    os.kill(before["pid"], signal.SIGKILL)
    until(
        lambda: [node for node in ray_site.nodes("demo", "blue") if node["name"] != before["name"]],
        "another",
        within=30,
    )
    ray_site.settled("demo", "blue")
    after = ray_site.nodes("demo", "blue")
    assert [node["name"] != before["name"] for node in after] == [True]
    assert not [p for p in procfs.processes() if p.session == before["pid"]]


def test_a_changed_group_adds_and_drains_only_its_own_nodes(ray_site: RaySite) -> None:
    red, blue = ray_site.nodes("demo", "red"), ray_site.nodes("demo", "blue")
    ray_site.apply(
        "raygroup.demo/blue", {"cluster": "demo", "group": "blue", "min": 2, "max": 2, "node": plain_node(BLUE)}
    )
    until(lambda: ray_site.part("demo/blue")["ready"] == 2, "two", within=PATIENCE)
    assert blue[0]["pid"] in {node["pid"] for node in ray_site.nodes("demo", "blue")}
    ray_site.apply(
        "raygroup.demo/blue", {"cluster": "demo", "group": "blue", "min": 1, "max": 1, "node": plain_node(BLUE)}
    )
    until(lambda: len(ray_site.nodes("demo", "blue")) == 1, "one", within=PATIENCE)
    assert [node["pid"] for node in ray_site.nodes("demo", "red")] == [red[0]["pid"]]


def plain_node(group: RayGroupBody) -> dict[str, object]:
    return {"resources": group.node.resources, "labels": group.node.labels, "memory": group.node.memory}


def test_another_environment_rolls_the_workers_then_the_head_on_its_state(ray_site: RaySite) -> None:
    ray_site.driver("demo", "ray.kill(ray.get_actor('counter', namespace='n'))")  # it would keep its node for long
    before = pids(ray_site)
    ray_site.apply("rayenv.demo", {"cluster": "demo", "digest": "two"}, bin=BIN)
    ray_site.ray(replace(CLUSTER, environment="two"), replace(RED, environment="two"), replace(BLUE, environment="two"))
    until(
        lambda: len(now := pids(ray_site)) == 3 and not set(now.values()) & set(before.values()),
        "all are new",
        within=PATIENCE,
    )
    ray_site.settled("demo", "red", "blue")
    log = ray_site.log("supervisor").read_text()
    assert log.index("its group has changed", log.rindex("rayenv.demo: applied")) < log.rindex(
        "restarts on its Redis state"
    )
    assert ray_site.driver("demo", "print(len([n for n in ray.nodes() if n['Alive']]))") == "3"


def test_a_removed_group_and_a_removed_cluster_leave_nothing(ray_site: RaySite) -> None:
    ray_site.call("delete", "raygroup.demo/blue")
    until(lambda: not ray_site.nodes("demo", "blue"), "its nodes are gone", within=PATIENCE)
    assert [node["group"] for node in ray_site.nodes("demo")] == ["head", "red"]
    temp = ray_site.temp("demo")
    for address in ("raygroup.demo/red", "ray.demo", "rayenv.demo"):
        ray_site.call("delete", address)
    until(lambda: not ray_site.part("demo"), "the cluster is gone", within=PATIENCE)
    assert set(ray_site.processes().values()) == {"supervisor"}
    assert not temp.exists()
    until(lambda: not (ray_site.folder / "service-discovery.json").exists(), "nobody to ask for metrics")
