"""What a compute config means: defaults, names, limits, flags, providers' settings, targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bandari import pipeline
from bandari.desired.pools import Capacity, CapacityType
from bandari.desired.ray import MarketType, RayCluster
from bandari.desired.state import DesiredState, ProviderName
from bandari.diagnostics import Diagnostic
from bandari.document import load
from bandari.specs.compile_ray import compile_compute
from bandari.specs.ray.flags import duration
from bandari.specs.read import read
from bandari.units import Bounds, Cpu, Memory

HEAD = "head_node: {instance_type: m5.2xlarge}\n"


def state_of(text: str, file: str = "compute.yaml") -> DesiredState:
    state, found = read(text, file)
    assert state is not None, list(found)
    return state


def cluster_of(text: str) -> RayCluster:
    [cluster] = state_of(text).ray_clusters()
    return cluster


def findings(text: str) -> list[Diagnostic]:
    return list(read(text, "compute.yaml")[1])


def codes(text: str) -> list[tuple[int, str]]:
    return [(finding.span.line, finding.code) for finding in findings(text)]


@pytest.mark.parametrize("text", ["{}", "{}\n", "head_node:\n", "head_node:\nworker_nodes: []\n"])
def test_an_empty_compute_config_is_a_head_of_the_targets_choice(text: str) -> None:
    cluster = cluster_of(text)
    assert (cluster.head_given, cluster.groups, cluster.schedulable_head) == (False, (), True)
    assert (cluster.head.instance_type, cluster.head.required, cluster.head.resources) == ("", None, None)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_file_is_a_compute_config_where_a_name_is_given(text: str) -> None:
    state, found = read(text, "cluster.yaml", name="demo")
    assert state is not None
    assert (state.target.cluster, len(state.ray_clusters()), list(found)) == ("demo", 1, [])
    [finding] = read(text, "cluster.yaml")[1]
    assert finding.code == "BND105"
    assert "--name" in finding.help


@pytest.mark.parametrize(
    ("file", "name"),
    [("compute.yaml", "compute"), ("a/My_GPU.pool.yaml", "my-gpu-pool"), ("1xT4.yaml", "xt4"), ("7", "ray")],
)
def test_the_cluster_is_called_after_its_file(file: str, name: str) -> None:
    target = state_of(HEAD, file).target
    assert (target.provider, target.cluster) == (None, name)


def test_a_target_and_a_name_come_from_the_command() -> None:
    state, _ = read(HEAD, "compute.yaml", target=ProviderName.LOCAL, name="demo")
    assert state is not None
    assert (state.target.provider, state.target.cluster) == (ProviderName.LOCAL, "demo")
    assert [finding.code for finding in read(HEAD, "compute.yaml", name="No Label")[1]] == ["BND208"]


def test_a_group_that_says_little_gets_the_defaults() -> None:
    state = state_of(f"{HEAD}worker_nodes:\n  - instance_type: g5.xlarge\n")
    [group] = state.ray_clusters()[0].groups
    assert (group.name, group.nodes, group.market) == ("g5.xlarge", Bounds(0, 10), MarketType.ON_DEMAND)
    assert group.pool == "compute-g5.xlarge"
    assert state.ray_clusters()[0].uses() == tuple(pool.name for pool in state.pools)


@pytest.mark.parametrize(
    ("market", "capacity"),
    [
        ("ON_DEMAND", (Capacity(CapacityType.ON_DEMAND, Bounds(2, 5)),)),
        ("SPOT", (Capacity(CapacityType.SPOT, Bounds(2, 5)),)),
        (
            "PREFER_SPOT",
            (Capacity(CapacityType.SPOT, Bounds(0, 5)), Capacity(CapacityType.ON_DEMAND, Bounds(0, 5))),
        ),
    ],
)
def test_a_market_says_how_the_nodes_of_a_pool_are_bought(market: str, capacity: tuple[Capacity, ...]) -> None:
    group = f"{{instance_type: m5.large, min_nodes: 2, max_nodes: 5, market_type: {market}}}"
    head, pool = state_of(f"{HEAD}worker_nodes:\n  - {group}\n").pools
    assert (pool.nodes, pool.capacity) == (Bounds(2, 5), capacity)
    assert (head.nodes, head.capacity) == (Bounds(1, 1), (Capacity(CapacityType.ON_DEMAND, Bounds(1, 1)),))


@pytest.mark.parametrize(
    ("shape", "more", "name"),
    [
        ("{CPU: 8, memory: 32Gi}", "", "FP-8CPU-32GB"),
        ("{CPU: 8, memory: 33.9Gi, GPU: 1, accelerator: T4}", "", "FP-8CPU-33GB-1GPU-T4"),
        ("{CPU: 8, memory: 32Gi, GPU: 2}", "required_labels: {ray.io/accelerator-type: L4}", "FP-8CPU-32GB-2GPU-L4"),
        ("{CPU: 8, memory: 32Gi, GPU: 2}", "labels: {ray.io/accelerator-type: L4}", "FP-8CPU-32GB-2GPU-L4"),
        ("{CPU: 2, memory: 8Gi, cpu_architecture: arm64}", "", "FP-2CPU-8GB-ARM64"),
        (
            "{CPU: 24, memory: 48Gi, TPU: 4, tpu_hosts: 2}",
            "required_labels: {ray.io/accelerator-type: TPU-V6E, ray.io/tpu-topology: 2x4}",
            "FP-24CPU-48GB-4TPU-2TPUHost-TPU-V6E",
        ),
    ],
)
def test_a_group_without_a_name_is_called_after_its_shape(shape: str, more: str, name: str) -> None:
    group = f"  - required_resources: {shape}\n" + (f"    {more}\n" if more else "")
    assert [g.name for g in cluster_of(f"{HEAD}worker_nodes:\n{group}").groups] == [name]


def test_a_shape_is_physical_and_its_aliases_are_read() -> None:
    text = "head_node:\n  instance_type: custom\n  required_resources: {cpu: 4, Memory: 8589934592, gpu: 1}\n"
    required = cluster_of(text).head.required
    assert required is not None
    assert (required.cpu, required.memory, required.gpu, required.arch) == (Cpu(4000), Memory(2**33), 1, "x86_64")
    assert cluster_of(text).head.instance_type == ""


def test_custom_alone_is_kept_as_the_name_of_a_machine() -> None:
    assert cluster_of("head_node: {instance_type: custom}\n").head.instance_type == "custom"


def test_a_head_beside_groups_is_schedulable_only_where_it_says_so() -> None:
    groups = "worker_nodes:\n  - instance_type: m5.large\n"
    assert not cluster_of(HEAD + groups).schedulable_head
    assert cluster_of(HEAD).schedulable_head
    assert not cluster_of(HEAD + "auto_select_worker_config: true\n").schedulable_head
    assert cluster_of("head_node: {instance_type: m5.large, resources: {CPU: 12}}\n" + groups).schedulable_head
    none = "head_node: {instance_type: m5.2xlarge, resources: {CPU: 0, GPU: 0}}\n"
    assert cluster_of(none + groups) == cluster_of(HEAD + groups)


def test_settings_of_a_node_replace_those_of_the_cluster() -> None:
    cluster = cluster_of(
        "advanced_instance_config: {SubnetId: subnet-1}\nworker_nodes:\n  - instance_type: a\n"
        "  - {instance_type: b, advanced_instance_config: {spec: {nodeSelector: {zone: a}}}}\n"
    )
    first, second = (group.shape.passthrough for group in cluster.groups)
    assert cluster.head.passthrough == first
    assert first is not None
    assert second is not None
    assert (first.provider, first.body) == ("aws", {"SubnetId": "subnet-1"})
    assert (second.provider, second.body) == ("kubernetes", {"spec": {"nodeSelector": {"zone": "a"}}})


def test_feature_tags_become_fields_and_flags_and_leave_the_settings() -> None:
    tags = {
        "as-feature-multi-zone": "true",
        "as-feature-enable-multi-az-serve": "true",
        "as-feature-idle-terminate-second": "300",
        "as-feature-disable-nfs-mount": "true",
        "as-feature-cross-group-min-count-CPU": "8",
        "as-feature-cross-group-max-count-GPU": "4",
    }
    lines = "".join(f"        - {{Key: {key}, Value: '{value}'}}\n" for key, value in tags.items())
    text = f"advanced_instance_config:\n  TagSpecifications:\n    - ResourceType: instance\n      Tags:\n{lines}"
    by_fields = (
        "enable_cross_zone_scaling: true\nmin_resources: {CPU: 8}\nmax_resources: {GPU: 4}\n"
        "flags: {enable_multi_az_serve: true, idle_termination_seconds: 300, disable_nfs_mount: true}\n"
    )
    assert state_of(text) == state_of(by_fields)
    assert codes(text) == [(line, "BND721") for line in range(5, 11)]


def test_older_flags_are_fields() -> None:
    flags = "flags: {max-cpus: 8, max-gpus: 1, min_resources: {CPU: 2}, allow-cross-zone-autoscaling: true}\n"
    fields = "max_resources: {CPU: 8, GPU: 1}\nmin_resources: {CPU: 2}\nenable_cross_zone_scaling: true\n"
    assert state_of(flags) == state_of(fields)


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("15m", 900), ("30s", 30), ("1.5h", 5400), ("0s", 0)])
def test_durations_are_read_as_go_writes_them(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "1d", "30s1h", "-5m", " 5m", "1h30", 90, None, True])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        duration(text)


def test_flags_of_durations_are_seconds_in_the_state() -> None:
    assert state_of("flags: {replacement_threshold: 60m}\n") == state_of("flags: {replacement_threshold: 1h}\n")
    assert cluster_of("flags: {replacement_threshold: 60m}\n").flags == {"replacement_threshold": 3600}
    assert cluster_of("flags: {idle_termination_seconds: 45}\n").idle_termination == 45


def test_the_older_schema_has_limits_for_the_whole_cluster() -> None:
    base = "cloud: demo\nhead_node_type: {instance_type: m5.large}\nworker_node_types: []\n"
    assert cluster_of(base).cluster_idle_limit == 7200
    limits = cluster_of(f"{base}idle_termination_minutes: 0\nmaximum_uptime_minutes: 90\n")
    assert (limits.cluster_idle_limit, limits.uptime_limit) == (None, 5400)


def test_findings_about_the_older_schema_are_in_its_words_and_on_its_lines() -> None:
    found = findings(
        "cloud: demo\nhead_node_type: {instance_type: m5.large}\nworker_node_types:\n  - instance_type: a\n"
        "    min_workers: 20\n    use_spot: 'yes'\n  - instance_type: b\n    max_workers: 0\n"
    )
    assert [(f.span.line, f.code) for f in found] == [(5, "BND709"), (6, "BND203"), (8, "BND205")]
    assert "min_workers is 20; max_workers is 10" in found[0].why
    assert "worker_node_types[1].max_workers" in found[2].message


def test_everything_wrong_is_said_at_once() -> None:
    text = (
        "head_node:\n  instance_type: 5\n  nmae: x\nzones: []\nenable_cross_zone_scaling: 'true'\n"
        "worker_nodes:\n  - instance_type: a\n    min_nodes: 1.0\n  - instance_type: b\n    max_nodes: 0\n"
        "  - instance_type: c\n    market_type: spot\n    resources: {CPU: 8Gi, GPU: -1, x: }\n"
        "  - required_resources: {CPU: '4', memory: 8GB}\n    labels: {a: true}\nflags: {zone_starting_timeout: 5}\n"
    )
    said = codes(text)
    assert said == [
        (2, "BND203"), (3, "BND201"), (4, "BND214"), (5, "BND203"), (8, "BND203"), (10, "BND205"), (12, "BND207"),
        (13, "BND203"), (13, "BND205"), (13, "BND204"), (14, "BND203"), (14, "BND206"), (15, "BND203"), (16, "BND720"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "head_node: {instance_type: a, required_resources: {CPU: 1, memory: 1Gi}}\n",
            ["instance_type: a", "memory: 32Gi"],
        ),
        ("worker_nodes: [{name: a}]\n", ["instance_type: m5.2xlarge", "required_resources: {CPU: 8"]),
        ("head_node: {required_resources: {CPU: 1, memory: 8}}\n", ["8Gi"]),
        ("worker_nodes: [{instance_type: a, min_nodes: 20}]\n", ["min_nodes is 20", "max_nodes is 10", "not said"]),
        ("worker_nodes: [{instance_type: a}, {instance_type: a}]\n", ["worker_nodes[0] (its instance_type)"]),
        ("worker_nodes: [{instance_type: a, market_type: ANY}]\n", ["ON_DEMAND", "SPOT", "PREFER_SPOT"]),
        ("zones: []\n", ["leave it out for all zones"]),
        ("head_node: {required_resources: {CPU: 1, memory: 8GB}}\n", ["write 8Gi"]),
        ("head_node: {required_resources: {CPU: 1, memory: 8Gi, cpu_architecture: amd64}}\n", ["write x86_64"]),
        ("head_node: {required_resources: {CPU: 1, memory: 8Gi, anyscale/tpu_hosts: 1}}\n", ["write tpu_hosts"]),
        (
            "head_node: {required_resources: {CPU: 1, memory: 8Gi, accelerator: TPU-V6E}}\n",
            ["TPU", "tpu_hosts", "topology"],
        ),
        (
            "head_node: {required_resources: {CPU: 1, memory: 8Gi, tpu_hosts: 1}}\n",
            ["required_resources.TPU", "topology"],
        ),
        ("head_nodes: {instance_type: a}\n", ["`head_node`"]),
        ("configs: [{zones: [a]}, {zones: [b]}]\n", ["configs[0]", "configs[1]", "no cloud_resource"]),
        ("auto_select_worker_config: true\nworker_nodes: []\n", ["remove auto_select_worker_config, or worker_nodes"]),
        ("head_node: {instance_type: a}\nworker_node_types: []\n", ["current schema", "write worker_nodes"]),
    ],
)
def test_a_message_says_what_it_needs_to_be_mended(text: str, said: list[str]) -> None:
    [finding] = findings(text)
    whole = f"{finding.message} {finding.why} {finding.help}"
    assert [part for part in said if part not in whole] == [], whole


def test_several_configs_are_one_cluster_and_its_alternatives() -> None:
    state = state_of(
        "cloud: demo\nflags: {cloud_resource_strategy: input_order, zone_starting_timeout: 5m}\nconfigs:\n"
        "  - {cloud_resource: east, head_node: {instance_type: a}, flags: {zone_starting_timeout: 1m}}\n"
        "  - {cloud_resource: west, head_node: {instance_type: b}}\n"
    )
    [first] = state.ray_clusters()
    [second] = first.alternatives
    assert [(c.cloud, c.cloud_resource, c.head.instance_type) for c in (first, second)] == [
        ("demo", "east", "a"),
        ("demo", "west", "b"),
    ]
    assert first.flags["cloud_resource_strategy"] == "input_order"
    assert (first.flags["zone_starting_timeout"], second.flags["zone_starting_timeout"]) == (60, 300)
    assert [pool.instance_types for pool in state.pools] == [("a",)]


def test_an_inline_config_is_read_where_it_stands() -> None:
    text = (
        "local:\n  rayClusters:\n    - name: x\n      computeConfig:\n        worker_nodes:\n          - max_nodes: 0\n"
    )
    document, _ = load(text, "cluster.yaml")
    assert document is not None
    _, found = compile_compute(document, ("local", "rayClusters", 0, "computeConfig"), name="x")
    assert [(f.span.line, f.code) for f in found] == [(6, "BND701"), (6, "BND205")]
    compiled, found = compile_compute(document, ("local", "rayClusters", 0, "absent"), name="x")
    assert (compiled is not None, list(found)) == (True, [])


def test_an_origin_knows_the_line_of_every_field() -> None:
    older = "cloud: demo\nhead_node_type: {instance_type: a}\nworker_node_types:\n  - instance_type: b\n"
    older = f"{older}    min_workers: 2\n"
    [group] = cluster_of(older).groups
    assert group.origin.at("min_nodes").line == 5
    assert cluster_of(older).origin.at("worker_nodes", 0, "instance_type").line == 4


def test_check_needs_no_target(tmp_path: Path) -> None:
    file = tmp_path / "compute.yaml"
    file.write_text(HEAD)
    checked = pipeline.check(file)
    assert checked.state is not None
    assert (checked.state.target.provider, checked.resolved) == (None, None)
    assert checked.diagnostics.errors == ()
