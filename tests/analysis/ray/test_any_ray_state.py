"""Advice on Ray clusters is total: any cluster, however odd, gets an answer, always the same and always in words."""

from __future__ import annotations

import re
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from bandari.analysis.lint import lint
from bandari.analysis.ray_shapes import resolve
from bandari.analysis.served import not_served
from bandari.catalog.host import Host
from bandari.codes import CODES
from bandari.desired.ray import (
    MarketType,
    Passthrough,
    PhysicalShape,
    RayCluster,
    RayImage,
    RayJob,
    RayService,
    ServeApplication,
    Shape,
    WorkerGroup,
)
from bandari.desired.state import DesiredState, ProviderName, Target
from bandari.diagnostics import Diagnostic, Origin, Span
from bandari.runtimes.table import RUNTIMES
from bandari.testing.builders import few_machines
from bandari.units import Bounds, Cpu, Memory

T = TypeVar("T")
MACHINES = few_machines()
WORDS = st.sampled_from(["", "gpu", "1xT4:4", "é\n", "a/b"]) | st.text(max_size=6)
TYPES = st.sampled_from([*MACHINES, "", "unheard.of", "8CPU-32GB-1xT4", "n2-custom-8-32768", "0CPU-0GB"]) | WORDS
NAMES = st.sampled_from(["CPU", "GPU", "memory", "object_store_memory", "fast", "system_reserved_cpu_millicpu"])
AMOUNTS = st.dictionaries(NAMES, st.floats(0, 2.0**62), max_size=4)
ZONES = st.sampled_from(["us-east-1a", "us-east-1d", "us-central1-a", "europe", "use1-az1", ""])
FLAGS = st.fixed_dictionaries(
    {},
    optional={
        "efa_config": st.sampled_from([{}, {"device_count": 0}, {"device_count": 4}]),
        "replacement_threshold": st.floats(1, 1e6),
        "zone_starting_timeout": st.floats(1, 1e6),
    },
)
BODIES = st.sampled_from([
    {"Placement": {"GroupName": "pg"}}, {"Placement": None}, {"NetworkInterfaces": [{"InterfaceType": "efa"}, None]},
    {"InstanceMarketOptions": {"MarketType": "spot"}}, {"instance_properties": {"scheduling": {"preemptible": True}}},
    {"spec": {"nodeSelector": {"karpenter.sh/capacity-type": "spot"}}}, {"spec": []}, {"a": 1, "b": [2]},
])  # fmt: skip
ORIGINS = st.just(Origin(Span("f", 1, 1)))
PASSED = st.builds(Passthrough, st.sampled_from(["aws", "gcp", "kubernetes", ""]), BODIES, ORIGINS)
PHYSICAL = st.builds(
    PhysicalShape,
    st.integers(1, 512).map(lambda cpu: Cpu(cpu * 1000)),
    st.integers(2**20, 2**44).map(Memory),
    st.integers(0, 16),
    st.sampled_from(["", "T4", "L4", "A100-80G", "TPU-V6E"]),
    st.integers(0, 8),
)
SHAPES = st.builds(
    Shape,
    TYPES,
    st.none() | PHYSICAL,
    st.none() | AMOUNTS,
    passthrough=st.none() | PASSED,
    flags=FLAGS,
)
BOUNDS = st.tuples(st.integers(0, 5), st.integers(5, 2000)).map(lambda pair: Bounds(*pair))


def tuples(items: st.SearchStrategy[T], most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=most).map(tuple)


GROUPS = st.builds(WorkerGroup, WORDS, SHAPES, BOUNDS, st.sampled_from(MarketType), origin=ORIGINS)
CLUSTERS = st.builds(
    RayCluster,
    st.just("rays"),
    SHAPES,
    tuples(GROUPS).map(lambda groups: tuple({group.name: group for group in groups}.values())),
    image=st.builds(RayImage, st.sampled_from(["", "rayproject/ray:2.57.0-py312-cu128", "anyscale/ray:2.9.0", "x"])),
    min_resources=AMOUNTS,
    max_resources=AMOUNTS,
    zones=tuples(ZONES),
    cross_zone=st.booleans(),
    auto_select=st.booleans(),
    flags=FLAGS,
    settings=st.none() | PASSED,
    origin=ORIGINS,
)
DEPLOYMENTS = st.sampled_from([
    {"name": "a", "ray_actor_options": {"num_gpus": 2}, "num_replicas": 3}, {}, {"ray_actor_options": None},
    {"autoscaling_config": {"min_replicas": 1, "max_replicas": 90}, "ray_actor_options": {"num_gpus": 0.5}},
])  # fmt: skip
APPLICATIONS = st.builds(ServeApplication, WORDS, WORDS, WORDS, deployments=tuples(DEPLOYMENTS), origin=ORIGINS)
SERVICES = st.builds(RayService, st.just("shop"), st.sampled_from(["rays", "other"]), tuples(APPLICATIONS))
JOBS = st.builds(RayJob, st.just("job"), st.just("rays"), WORDS, queue=st.sampled_from([{}, {"priority": 1}]))
STATES = st.builds(
    DesiredState,
    st.builds(Target, st.none() | st.sampled_from(ProviderName), st.just("demo")),
    workloads=st.tuples(CLUSTERS, SERVICES, JOBS),
)
HOSTS = st.builds(
    Host,
    memory=st.integers(0, 2**42).map(Memory),
    gpus=st.integers(0, 8),
    engines=st.sampled_from([{}, {"ray": "2.60.0"}]),
)


def in_words(findings: list[Diagnostic]) -> bool:
    return all(f.code in CODES and re.match(r"cannot \w+ ", f.message) and f.why and f.help for f in findings)


@given(STATES)
def test_any_cluster_can_be_advised_on(state: DesiredState) -> None:
    found = list(lint(state, MACHINES, RUNTIMES))
    assert in_words(found)
    assert found == list(lint(state, MACHINES, RUNTIMES))


@given(STATES, HOSTS)
def test_any_cluster_can_be_asked_about_any_machine(state: DesiredState, host: Host) -> None:
    points = not_served(state, host, RUNTIMES, (), MACHINES)
    assert in_words([point.diagnostic for point in points])


@given(CLUSTERS, st.integers(2**28, 2**42))
def test_any_cluster_has_a_shape_and_a_scale(cluster: RayCluster, memory: int) -> None:
    found = resolve(cluster, MACHINES, memory=Memory(memory))
    for node in (found.head, *found.groups.values()):
        assert 0 < node.scale <= 1
        assert min(node.memory, node.object_store, *node.resources.values()) >= 0
        assert {"CPU", "GPU"} <= node.resources.keys()
