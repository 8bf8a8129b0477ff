"""Ray clusters and what runs on them as resources of this machine, and what changes of them do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bandari.analysis.resolve import anchor, resolve
from bandari.desired.ray import (
    MarketType,
    RayCluster,
    RayImage,
    RayJob,
    RaySchedule,
    RayService,
    RuntimeEnvironment,
    ServeApplication,
    Shape,
)
from bandari.desired.state import DesiredState, Workload
from bandari.planning.apply import apply
from bandari.planning.diff import redact
from bandari.planning.graph import Address, ResourceGraph
from bandari.planning.plan import Action, Change, plan
from bandari.providers.local import provider
from bandari.providers.local_ray import job_body
from bandari.providers.local_ray_changes import HEAD_ONLY, IN_PLACE, REPLACED, ROLLED, SCALED
from bandari.testing.builders import few_machines, host, local_state, ray_cluster, server, worker_group
from bandari.testing.fakes import Heard, MemoryDriver
from bandari.units import Bounds, Memory

GROUP = worker_group("gpu", nodes=Bounds(1, 4))
APPLICATION = ServeApplication("greet", "/greet", "greet:app", RuntimeEnvironment(working_dir="app"))
JOB = RayJob("count", "rays", "python main.py", RuntimeEnvironment("app", env_vars={"API_TOKEN": "s3cret"}))
SCHEDULE = RaySchedule("nightly", JOB, "0 3 * * *", "Europe/Berlin")
SERVICE = RayService("shop", "rays", (APPLICATION,))


def lowered(state: DesiredState, *, memory: str = "20Gi") -> ResourceGraph:
    here = host(memory=Memory.parse(memory))
    resolved = resolve(
        anchor(state, "/lab"), host=here, runtime_for=lambda _: None, stand_ins={}, secret_digests={},
        machines=few_machines(),
    )  # fmt: skip
    return provider.lower(resolved)


def of(*items: Workload) -> ResourceGraph:
    return lowered(local_state(*items))


def body(graph: ResourceGraph, address: str) -> Mapping[str, Any]:
    return graph.by_address[Address.parse("local", address)].body


def changed(before: ResourceGraph, after: ResourceGraph) -> dict[str, str]:
    """Address -> consequence of each change."""
    driver = MemoryDriver()
    apply(plan(before, {}, provider.consequence), {"local": driver}, Heard())
    pending = plan(after, driver.observe(), provider.consequence).pending
    return {str(change.address): change.consequence for change in pending}


def test_a_cluster_is_an_environment_a_head_and_its_groups_in_this_order() -> None:
    order = [str(resource.address) for resource in of(ray_cluster(GROUP)).in_order()]
    assert order == ["rayenv.rays", "ray.rays", "raygroup.rays/gpu"]


def test_clusters_and_jobs_alone_need_no_gateway_and_a_service_does() -> None:
    assert Address("local", "gateway", "gateway") not in of(ray_cluster(GROUP), JOB).by_address
    served = of(ray_cluster(GROUP), SERVICE)
    order = [str(resource.address) for resource in served.in_order()]
    assert order.index("gateway.gateway") < order.index("rayservice.shop")
    assert order[-1] == "rayservice.shop"
    assert body(served, "gateway.gateway")["public"] is True
    assert Address("local", "gateway", "gateway") in of(server()).by_address


def test_logical_resources_are_as_declared_and_bytes_are_scaled() -> None:
    shape = Shape("g4dn.xlarge", resources={"CPU": 4, "fast_disk": 2, "memory": 8 * 2**30})
    node = body(of(ray_cluster(worker_group("gpu", shape=shape))), "raygroup.rays/gpu")["node"]
    assert node["resources"] == {"CPU": 4, "GPU": 1, "accelerator_type:T4": 1, "fast_disk": 2}
    assert node["memory"] == pytest.approx(8 * 2**30 * node["scale"], rel=1e-6)
    assert node["physical"] == "4 vCPU, 16 GiB, 1 x T4 (16 GiB each)"


def test_settings_of_the_cluster_are_told_to_the_head() -> None:
    cluster = ray_cluster(
        GROUP,
        max_resources={"GPU": 2},
        zones=("a", "b"),
        cross_zone=True,
        idle_termination=20.0,
        cluster_idle_limit=0.0,
        uptime_limit=3600.0,
        flags={"replacement_threshold": 1800.0},
    )
    found = body(of(cluster), "ray.rays")
    assert found["max_resources"] == {"GPU": 2}
    assert (found["zones"], found["cross_zone"], found["autoscaled"]) == (["a", "b"], True, True)
    assert (found["idle_timeout"], found["uptime_limit"], found["replacement_age"]) == (20, 3600, 1800)
    assert "idle_limit" not in found, "0 means never"


def test_a_fixed_size_has_no_autoscaler() -> None:
    assert "autoscaled" not in body(of(ray_cluster(worker_group(nodes=Bounds(2, 2)))), "ray.rays")


def test_a_job_leaves_no_resource_and_its_body_has_absolute_paths() -> None:
    assert len(of(ray_cluster(), JOB)) == len(of(ray_cluster()))
    told = job_body(JOB, "/lab")
    assert told.environment == {"working_dir": "/lab/app", "env_vars": {"API_TOKEN": "s3cret"}}
    assert (told.entrypoint, told.max_retries, told.name) == ("python main.py", 1, "count")


def test_requirements_are_lines_or_the_path_of_a_file() -> None:
    lines = RuntimeEnvironment(requirements=("pillow==11.0.0",))
    file = RuntimeEnvironment(requirements=("requirements.txt",))
    assert job_body(replace(JOB, environment=lines)).environment == {"pip": ["pillow==11.0.0"]}
    assert job_body(replace(JOB, environment=file), "/lab").environment == {"pip": "/lab/requirements.txt"}


def test_a_schedule_comes_after_the_whole_cluster_and_hides_its_secrets() -> None:
    graph = of(ray_cluster(GROUP), SCHEDULE)
    resource = graph.by_address[Address("local", "rayschedule", "nightly")]
    assert {str(address) for address in resource.after} == {"ray.rays", "raygroup.rays/gpu"}
    assert resource.body["job"]["environment"]["working_dir"] == "/lab/app"
    (change,) = [c for c in plan(graph, {}, provider.consequence).changes if c.address == resource.address]
    assert "s3cret" not in str(change.to_json())


def test_a_credential_in_a_command_or_an_argument_prints_nowhere() -> None:
    job = replace(SCHEDULE.job, entrypoint="python nightly.py --token=s3cret")
    service = replace(SERVICE, applications=(replace(APPLICATION, args={"api_key": "s3cret", "size": 1}),))
    graph = of(ray_cluster(GROUP), replace(SCHEDULE, job=job), service)
    assert "s3cret" in str([resource.body for resource in graph])
    assert "s3cret" not in str([redact(resource.body, resource.secret) for resource in graph])
    assert "s3cret" not in str([change.to_json() for change in plan(graph, {}, provider.consequence).changes])


def test_a_service_without_a_version_is_named_by_what_it_is() -> None:
    first, same = (body(of(ray_cluster(), SERVICE), "rayservice.shop") for _ in range(2))
    other = replace(APPLICATION, args={"size": 1})
    changed_body = body(of(ray_cluster(), replace(SERVICE, applications=(other,))), "rayservice.shop")
    assert first["version"] == same["version"] != changed_body["version"]
    assert first["applications"][0]["config"]["runtime_env"] == {"working_dir": "/lab/app"}


def test_a_canary_is_the_first_step_of_a_rollout() -> None:
    canary = replace(SERVICE, rollout={"canary_percent": 20})
    assert body(of(ray_cluster(), canary), "rayservice.shop")["steps"] == [20, 100]


BEFORE = ray_cluster(GROUP)
CHANGES: tuple[tuple[str, RayCluster, dict[str, str]], ...] = (
    ("nothing", BEFORE, {}),
    (
        "a larger minimum",
        ray_cluster(replace(GROUP, nodes=Bounds(3, 4))),
        {"raygroup.rays/gpu": "adds nodes up to 3"},
    ),
    (
        "another group",
        ray_cluster(GROUP, worker_group("cpu", "c5.xlarge", nodes=Bounds(1, 1))),
        {"raygroup.rays/cpu": "starts 1 node for c5.xlarge, a fixed size"},
    ),
    ("limits", ray_cluster(GROUP, max_resources={"GPU": 3}), {"ray.rays": IN_PLACE}),
    ("a schedulable head", replace(BEFORE, head=Shape("g4dn.12xlarge", resources={"CPU": 2})), {"ray.rays": HEAD_ONLY}),
    (
        "spot",
        ray_cluster(replace(GROUP, market=MarketType.PREFER_SPOT)),
        {"raygroup.rays/gpu": "new nodes are bought spot first, else on demand"},
    ),
)


@pytest.mark.parametrize(("what", "after", "expected"), CHANGES, ids=[what for what, _, _ in CHANGES])
def test_a_change_says_what_a_user_notices(what: str, after: RayCluster, expected: dict[str, str]) -> None:
    assert changed(of(BEFORE), of(after)) == expected, what


def test_another_machine_replaces_the_nodes_of_its_group_alone() -> None:
    said = changed(of(BEFORE), of(ray_cluster(worker_group("gpu", "g4dn.12xlarge", nodes=Bounds(1, 4)))))
    assert said["raygroup.rays/gpu"].startswith("replaces the group's nodes one by one")
    assert set(said.values()) - {said["raygroup.rays/gpu"]} <= {IN_PLACE, SCALED}


def test_another_memory_of_this_machine_restarts_nothing() -> None:
    said = changed(of(BEFORE), lowered(local_state(BEFORE), memory="64Gi"))
    assert set(said.values()) == {SCALED}
    assert changed(of(BEFORE), lowered(local_state(BEFORE), memory="20.1Gi")) == {}


def test_packages_roll_the_nodes_and_another_ray_replaces_the_cluster() -> None:
    image = RayImage("rayproject/ray:2.57.0-py311")
    before = of(replace(BEFORE, image=image))
    packages = of(replace(BEFORE, image=replace(image, requirements=("pillow",))))
    newer = of(replace(BEFORE, image=RayImage("rayproject/ray:2.60.0-py311")))
    assert changed(before, packages)["ray.rays"] == ROLLED
    assert changed(before, packages)["raygroup.rays/gpu"] == "its nodes restart in the new environment"
    assert changed(before, newer)["ray.rays"] == REPLACED


def test_every_delete_says_what_it_ends() -> None:
    graph = of(ray_cluster(GROUP), SCHEDULE, SERVICE)
    for resource in graph:
        assert provider.consequence(Change(Action.DELETE, resource.address, None), resource.body)


def test_a_plan_that_restarts_the_head_says_what_that_does_to_jobs() -> None:
    bigger = replace(BEFORE, head=replace(BEFORE.head, resources={"CPU": 3.0}))
    assert "a job that runs is lost with the head, and tried again" in changed(of(BEFORE), of(bigger))["ray.rays"]


def test_another_ray_without_an_image_is_an_environment_of_its_own() -> None:
    other = of(replace(BEFORE, image=RayImage(ray_version="2.57.0")))
    assert changed(of(BEFORE), other)["rayenv.rays"].startswith("makes an environment with Ray 2.57.0")
