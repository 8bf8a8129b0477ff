"""The compute config, current schema: shapes alone. `rules` says what does not fit, `legacy` reads the older one.

Facts: the format's reference; where its own client and its documentation disagree, the client is followed.
"""

from __future__ import annotations

from typing import Any, Literal

from bandari.specs.fields import Maybe, entry
from bandari.specs.ray.fields import (
    Amounts,
    Architecture,
    AtLeastOne,
    Cpus,
    Filled,
    Flag,
    Gpus,
    RaySpec,
    Size,
    Whole,
    Words,
    Zones,
)

_NONE = "not used"
_SHAPE = "its shape is simulated: logical resources as declared, memory and threads scaled to this machine"
_SETTING = "waits for its provider; the plan says so"
DEFAULT_MAX_NODES = 10
CUSTOM = "custom"
"""`instance_type` of a group that is described by `required_resources`."""


class RequiredResourcesSpec(RaySpec):
    """The physical shape of a node, instead of a machine type by name."""

    CPU: Cpus = entry("CPUs.", local=_SHAPE, rules="at most 512", example=8)
    memory: Size = entry("Memory, in bytes or with a unit.", local=_SHAPE, rules="1Mi to 24Ti", example="32Gi")
    GPU: Maybe[Gpus] = entry("GPUs.", None, local="counted as a logical resource", rules="at most 16")
    accelerator: Maybe[Filled] = entry("Kind of GPU or TPU.", None, local="a label", rules="needs `GPU` or `TPU`")
    TPU: Maybe[Whole] = entry("TPU chips.", None, local="counted as a logical resource", rules="needs `tpu_hosts`")
    tpu_hosts: Maybe[Whole] = entry("Hosts of a TPU slice.", None, local=_NONE)
    cpu_architecture: Maybe[Architecture] = entry("Architecture; `x86_64` when absent.", None, local="of this machine")


class CloudDeploymentSpec(RaySpec):
    """Which machine pool a node comes from."""

    provider: Maybe[str] = entry("Provider.", None, local=_NONE)
    region: Maybe[str] = entry("Region.", None, local=_NONE)
    machine_pool: Maybe[str] = entry("Machine pool.", None, local=_NONE)
    id: Maybe[str] = entry("Id of the deployment.", None, local=_NONE)


class NodeSpec(RaySpec):
    """What the head and the groups have in common."""

    instance_type: Maybe[Filled] = entry(
        "Machine type.", None, local=_SHAPE, rules="this or `required_resources`", example="m5.2xlarge"
    )
    resources: Maybe[Amounts] = entry(
        "Logical resources of Ray; absent: what the machine has.",
        None,
        local="declared to Ray as written",
        rules="CPU, GPU, memory, object_store_memory (bytes), others are custom",
    )
    required_resources: Maybe[RequiredResourcesSpec] = entry("Physical shape.", None, local=_SHAPE)
    labels: Maybe[Words] = entry("Labels of Ray nodes, for `label_selector`.", None, local="set")
    required_labels: Maybe[Words] = entry(
        "Labels that select hardware.", None, local="set", rules="`ray.io/accelerator-type`, `ray.io/tpu-topology`"
    )
    advanced_instance_config: Maybe[dict[str, Any]] = entry(
        "Settings of the provider; replaces that of the cluster.", None, local=_SETTING
    )
    flags: Maybe[dict[str, Any]] = entry("Flags of the node.", None, local="those that are known")
    cloud_deployment: Maybe[CloudDeploymentSpec] = entry("Where its machines come from.", None, local=_NONE)


class HeadSpec(NodeSpec):
    """The head node; always one, always on-demand."""


class WorkerSpec(NodeSpec):
    """A group of worker nodes of one shape."""

    name: Maybe[Filled] = entry(
        "Name of the group; absent: its machine type, or made from its shape.",
        None,
        local="label `ray.io/node-group`",
        rules="once in the file",
    )
    min_nodes: Whole = entry("Fewest nodes.", 0, local="started")
    max_nodes: AtLeastOne = entry("Most nodes.", DEFAULT_MAX_NODES, local="kept", rules="not below `min_nodes`")
    market_type: Literal["ON_DEMAND", "SPOT", "PREFER_SPOT"] = entry(
        "How the nodes are bought.", "ON_DEMAND", local="the market is simulated: `bandari ray preempt`"
    )


class ComputeConfigSpec(RaySpec):
    """A head and groups of workers, with limits for all of them together."""

    cloud: Maybe[str] = entry("Name of a cloud.", None, local=_NONE)
    cloud_resource: Maybe[str] = entry("A resource of the cloud.", None, local=_NONE)
    head_node: Maybe[HeadSpec] = entry("The head; absent: the default of the target.", None, local="started")
    worker_nodes: Maybe[tuple[WorkerSpec, ...]] = entry("The groups of workers; none: head only.", None, local="scaled")
    min_resources: Maybe[Amounts] = entry("Floor of the whole cluster, in logical resources.", None, local="kept")
    max_resources: Maybe[Amounts] = entry(
        "Cap of the whole cluster, in logical resources.", None, local="never exceeded", rules="not below minimums"
    )
    zones: Maybe[Zones] = entry("Zones to use; absent: all.", None, local="become labels", rules="not empty")
    enable_cross_zone_scaling: Flag = entry("Whether nodes spread over zones.", False, local="balanced over the zones")
    advanced_instance_config: Maybe[dict[str, Any]] = entry(
        "Settings of the provider, for all nodes.", None, local=_SETTING
    )
    flags: Maybe[dict[str, Any]] = entry("Flags of the cluster.", None, local="those that are known")
    auto_select_worker_config: Flag = entry(
        "Whether worker groups are chosen for you.",
        False,
        local="groups are chosen when it is planned",
        rules="without `worker_nodes`",
    )


class MultiResourceSpec(RaySpec):
    """Several compute configs, one for each resource of a cloud; one of them is used."""

    cloud: Maybe[str] = entry("Name of a cloud.", None, local=_NONE)
    configs: tuple[ComputeConfigSpec, ...] = entry("The compute configs.", local="the first one runs")
    flags: Maybe[dict[str, Any]] = entry("Flags for each of them; its own win.", None, local="those that are known")
