"""Rules on Ray clusters where the answer depends on more than one part of the file: when they speak and when not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bandari.analysis.lint import lint
from bandari.analysis.served import not_served
from bandari.desired.ray import (
    MarketType,
    Passthrough,
    RayCluster,
    RayImage,
    RayJob,
    RayService,
    ServeApplication,
    Shape,
)
from bandari.desired.state import DesiredState, ProviderName, Target, Workload
from bandari.diagnostics import Diagnostic, Origin, Severity, Span
from bandari.runtimes.table import RUNTIMES
from bandari.testing.builders import few_machines, host, local_state, ray_cluster, required, worker_group
from bandari.units import Bounds, Memory

CUDA = RayImage("rayproject/ray:2.57.0-py312-cu128")
PLAIN = RayImage("rayproject/ray:2.57.0-py312")
CPUS = worker_group("cpu", "c5.xlarge")
GPUS = worker_group("gpu", nodes=Bounds(0, 4))


def found(*items: Workload, target: ProviderName | None = None) -> list[Diagnostic]:
    return list(lint(DesiredState(Target(target, "demo"), workloads=items), few_machines(), RUNTIMES))


def codes(*items: Workload, target: ProviderName | None = None) -> set[str]:
    return {finding.code for finding in found(*items, target=target)}


def service(*deployments: Mapping[str, Any]) -> RayService:
    return RayService("shop", "rays", (ServeApplication("a", "/", "a:b", deployments=deployments),))


def passed(provider: str, line: int = 1, **body: Any) -> Passthrough:
    return Passthrough(provider, body, Origin(Span("f", line, 1)))


@pytest.mark.parametrize(
    ("image", "group", "code"),
    [
        (PLAIN, GPUS, "BND768"),
        (CUDA, CPUS, "BND769"),
        (CUDA, GPUS, ""),
        (PLAIN, CPUS, ""),
        (RayImage("example.org/own:1"), GPUS, ""),
        (RayImage(), GPUS, ""),
    ],
)
def test_an_image_with_cuda_and_gpus_belong_together(image: RayImage, group: Any, code: str) -> None:
    head = Shape("c5.xlarge")
    said = codes(ray_cluster(group, image=image, head=head)) & {"BND768", "BND769"}
    assert said == ({code} if code else set())


@pytest.mark.parametrize(
    ("deployment", "severity"),
    [
        ({"num_replicas": 6, "ray_actor_options": {"num_gpus": 1}}, Severity.ERROR),
        ({"num_replicas": 4, "ray_actor_options": {"num_gpus": 1}}, None),
        ({"num_replicas": 1, "ray_actor_options": {"num_gpus": 2}}, Severity.ERROR),
        ({"autoscaling_config": {"max_replicas": 9}, "ray_actor_options": {"num_gpus": 1}}, Severity.WARNING),
        ({"num_replicas": 8, "ray_actor_options": {"num_gpus": 0.5}}, None),
        ({"num_replicas": 60, "ray_actor_options": {"num_cpus": 1}}, None),
        ({"num_replicas": "auto", "ray_actor_options": {"num_gpus": 1}}, None),
    ],
)
def test_a_service_needs_no_more_gpus_than_its_cluster_may_have(
    deployment: Mapping[str, Any], severity: Severity | None
) -> None:
    said = [finding for finding in found(ray_cluster(GPUS), service(deployment)) if finding.code == "BND776"]
    assert [finding.severity for finding in said] == ([severity] if severity else [])


def test_a_cap_counts_for_a_service_too() -> None:
    wants = service({"num_replicas": 3, "ray_actor_options": {"num_gpus": 1}})
    assert "BND776" in codes(ray_cluster(GPUS, max_resources={"GPU": 2}), wants)


def test_a_head_without_a_shape_is_an_error_on_kubernetes_alone() -> None:
    nobody = ray_cluster(head=Shape(), head_given=False)
    assert "BND761" in codes(nobody, target=ProviderName.KUBERNETES)
    for target in (None, ProviderName.AWS, ProviderName.LOCAL):
        assert "BND761" not in codes(nobody, target=target)


def test_groups_that_fold_into_one_name_are_an_error_where_they_become_pods() -> None:
    two = ray_cluster(worker_group("1x_L4"), worker_group("1x-L4"))
    assert "BND777" in codes(two, target=ProviderName.AWS)
    assert "BND777" not in codes(two) | codes(two, target=ProviderName.LOCAL)


def test_the_caps_count_a_head_that_takes_tasks() -> None:
    group = worker_group("cpu", "c5.xlarge", nodes=Bounds(1, 2))
    idle = ray_cluster(group, max_resources={"CPU": 4})
    busy = ray_cluster(group, max_resources={"CPU": 4}, head=Shape("c5.xlarge", resources={"CPU": 1}))
    assert "BND762" not in codes(idle)
    assert "BND762" in codes(busy)


def test_the_floor_is_silent_where_machines_are_not_known() -> None:
    assert "BND763" not in codes(ray_cluster(worker_group("odd", "zz9.large"), min_resources={"CPU": 1}))
    assert "BND763" in codes(ray_cluster(CPUS, min_resources={"CPU": 41}))
    assert "BND763" not in codes(ray_cluster(CPUS, min_resources={"CPU": 40}))


@pytest.mark.parametrize(
    "settings",
    [
        passed("aws", InstanceMarketOptions={"MarketType": "spot"}),
        passed("gcp", instance_properties={"scheduling": {"preemptible": True}}),
        passed("gcp", instanceProperties={"scheduling": {"provisioningModel": "SPOT"}}),
        passed("kubernetes", spec={"nodeSelector": {"karpenter.sh/capacity-type": "spot"}}),
    ],
)
def test_a_head_that_settings_buy_as_spot_is_told_of_on_every_cloud(settings: Passthrough) -> None:
    assert "BND766" in codes(ray_cluster(head=Shape("g4dn.12xlarge", passthrough=settings)))
    assert "BND766" not in codes(ray_cluster(worker_group(shape=Shape("g4dn.xlarge", passthrough=settings))))


def test_a_placement_group_wants_exactly_one_zone() -> None:
    def cluster(*zones: str, cross: bool = False) -> RayCluster:
        shape = Shape("g4dn.xlarge", passthrough=passed("aws", Placement={"GroupName": "pg"}))
        return ray_cluster(worker_group(shape=shape), zones=zones, cross_zone=cross)

    network = {"BND773", "BND774"}
    assert codes(cluster("us-east-1a")) & network == set()
    assert codes(cluster()) & network == {"BND773"}
    assert codes(cluster("us-east-1a", "us-east-1b")) & network == {"BND773"}
    assert codes(cluster("us-east-1a", cross=True)) & network == {"BND774"}


def test_zones_are_of_one_region_and_of_the_cloud() -> None:
    aws = ray_cluster(GPUS, zones=("us-east-1a", "us-west-2a", "us-central1-a", "nowhere"))
    messages = [finding.message for finding in found(aws) if finding.code == "BND771"]
    assert len(messages) == 3
    assert not [f for f in found(ray_cluster(zones=("a", "b"), head=Shape("8CPU-32GB"))) if f.code == "BND771"]


def test_what_a_node_loses_is_named_and_what_it_repeats_is_not() -> None:
    whole = passed("aws", IamInstanceProfile={"Name": "a"}, SecurityGroupIds=["sg-1"])
    own = passed("aws", 2, IamInstanceProfile={"Name": "b"})
    inherits = Shape("g4dn.12xlarge", passthrough=whole)
    group = worker_group(shape=Shape("g4dn.xlarge", passthrough=own))
    (said,) = (f for f in found(ray_cluster(group, head=inherits, settings=whole)) if f.code == "BND775")
    assert "SecurityGroupIds" in said.message
    assert "IamInstanceProfile" not in said.message


def test_settings_wait_for_their_provider_in_one_line_however_many_nodes_have_them() -> None:
    whole = passed("aws", 7, SecurityGroupIds=["sg-1"])
    shape = Shape("g4dn.xlarge", passthrough=whole)
    cluster = ray_cluster(worker_group("a", shape=shape), worker_group("b", shape=shape), settings=whole)
    points = not_served(local_state(cluster), host(), RUNTIMES, (), few_machines())
    (waits,) = (point for point in points if point.diagnostic.code == "BND781")
    assert "AWS" in waits.diagnostic.message
    assert not waits.blocking


def test_a_minimum_that_does_not_fit_blocks_and_a_maximum_does_not() -> None:
    small = host(memory=Memory.parse("2Gi"))

    def points(low: int, high: int) -> list[bool]:
        cluster = ray_cluster(worker_group(nodes=Bounds(low, high)))
        said = not_served(local_state(cluster), small, RUNTIMES, (), few_machines())
        return [point.blocking for point in said if point.diagnostic.code == "BND787"]

    assert points(50, 50) == [True]
    assert points(1, 50) == [False]
    assert points(1, 2) == []


def test_an_unknown_machine_blocks_here_unless_resources_are_given() -> None:
    def blocking(shape: Shape) -> set[str]:
        points = not_served(local_state(ray_cluster(worker_group(shape=shape))), host(), RUNTIMES, (), few_machines())
        return {point.diagnostic.code for point in points if point.blocking}

    assert blocking(Shape("zz9.large")) == {"BND780"}
    assert blocking(Shape("zz9.large", resources={"CPU": 8})) == set()
    assert blocking(required(4, "16Gi")) == set()


def test_without_ray_nothing_runs_and_a_queue_is_no_reason_not_to() -> None:
    job = RayJob("count", "rays", "python main.py", queue={"priority": 1})
    points = not_served(local_state(ray_cluster(), job), host(engines={}), RUNTIMES, (), few_machines())
    assert {point.diagnostic.code: point.blocking for point in points} == {
        "BND785": True, "BND783": False, "BND782": False,
    }  # fmt: skip


def test_spot_alone_is_a_promise_only_with_a_minimum() -> None:
    spot = worker_group(market=MarketType.SPOT)
    assert "BND767" not in codes(ray_cluster(spot))
    assert "BND767" in codes(ray_cluster(worker_group(market=MarketType.SPOT, nodes=Bounds(1, 2))))
