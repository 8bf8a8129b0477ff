"""The groups of the cluster file: models served by replicas of their own, and nodes for other work. Shapes alone."""

from __future__ import annotations

from typing import Literal

from bandari.specs.fields import (
    Count,
    CpuQuantity,
    FilledItems,
    Items,
    Label,
    LooseText,
    Maybe,
    MemoryQuantity,
    Name,
    Positive,
    RepositoryId,
    Spec,
    Text,
    entry,
)
from bandari.specs.kubernetes import EnvVar, ProbeSpec, VolumeMountSpec, VolumeSpec

_NODES = "checked; this machine is the node"
_CLOUDS = "required on aws and gcp"


class Described(Spec):
    """Any mapping of the file that is ours may hold a description."""

    description: Maybe[Text] = entry("Words for people.", None, local="shown", clusters="shown")


class ResourceRequestSpec(Described):
    """What one replica asks of its node; a request, no limit."""

    cpu: CpuQuantity = entry("Cores, or thousandths of one.", local="100 % of the cpu trigger", example="500m")
    memory: MemoryQuantity = entry("Size.", local="must fit together; capped with `enforceLimits`", example="2Gi")
    gpu: Maybe[Count] = entry("Number of GPUs.", None, local="checked")


class GpuSpec(Described):
    """GPUs of a group's nodes."""

    enabled: bool = entry("Whether the group runs on GPUs.", False, local="warned about without a GPU")
    disk_size: Positive = entry("Disk of a node, GB.", 40, local="not used")


class RuntimeSpec(Described):
    """The container that serves the model."""

    image: Name = entry(
        "Container image; its name tells the engine.", local="chooses the engine", example="vllm/vllm-openai:v0.4.2"
    )
    command: Items[Text] = entry(
        "Command of the container; completed with model, host and port.", (), local="flags for the engine here"
    )
    env: Items[EnvVar] = entry("Environment of the container.", (), local="set")
    readiness_probe: Maybe[ProbeSpec] = entry(
        "When a replica gets requests; the engine's own check by default.", None, local="asked"
    )
    liveness_probe: Maybe[ProbeSpec] = entry(
        "When a replica is started anew; the engine's own check by default.", None, local="asked"
    )
    volume_mounts: Items[VolumeMountSpec] = entry("Where volumes stand in the container.", (), local="bound")
    volumes: Items[VolumeSpec] = entry(
        "Volumes for `volumeMounts`; `model-data` exists without being written here.", (), local="folders"
    )


class ModelSpec(Described):
    """The weights."""

    hf_repo_id: Maybe[RepositoryId] = entry(
        "Repository of the Hugging Face hub.", None, local="downloaded once for all replicas", rules="owner/name"
    )
    files: Items[Name] = entry("Globs over its files.", ("*",), local="downloaded", example=["*.Q4_0.gguf"])
    use_model_store: bool = entry("Whether to keep the files in the cluster's store.", True, local="a shared folder")
    source: Maybe[Name] = entry(
        "A file or folder, or `builtin:tiny`.", None, local="used as it is", rules="not with hfRepoId"
    )


class TriggerSpec(Described):
    """A KEDA trigger: https://keda.sh/docs/latest/scalers/."""

    type: Name = entry("Which of KEDA's scalers.", local="cpu, memory and prometheus; others are warned about")
    metadata: dict[str, LooseText] = entry("Its settings, text by text.", local="evaluated as KEDA does")
    metric_type: Maybe[Literal["Utilization", "AverageValue"]] = entry(
        "What the value means.", None, local="evaluated", rules="Utilization for cpu and memory alone"
    )


class GroupLocalSpec(Described):
    """What a group says for this machine alone."""

    command: Items[Text] = entry("Command that serves the group here.", (), local="run", clusters="not used")
    engine: Maybe[Literal["xllamacpp", "llama-server", "vllm"]] = entry(
        "Program that serves the group here.", None, local="used", clusters="not used"
    )
    enforce_limits: bool = entry(
        "Whether a replica may not use more than it asks for.", False, local="caps memory", clusters="not used"
    )


class GroupSpec(Described):
    """What plain and mixed groups have in common."""

    name: Label = entry(
        "Name of the group, and of its model to clients.",
        local="route of the gateway",
        rules="once in the file",
        example="chat",
    )
    node_type: Maybe[Name] = entry("Machine type of its nodes.", None, local=_NODES, rules=_CLOUDS, example="g5.xlarge")
    disk_size: Positive = entry("Disk of a node, GB; `gpu.diskSize` wins.", 20, local="not used")
    is_public: bool = entry("Whether it is reached from outside.", False, local="public listener with API keys")
    gpu: Maybe[GpuSpec] = entry("GPUs of its nodes.", None, local="warned about without a GPU")
    runtime: RuntimeSpec = entry("The container that serves it.", local="an engine of this machine")
    model: Maybe[ModelSpec] = entry("The weights; absent: the image brings them.", None, local="downloaded")
    resource_request: Maybe[ResourceRequestSpec] = entry("What a replica asks of its node.", None, local="checked")
    auto_scale_triggers: Items[TriggerSpec] = entry(
        "What it scales on; the largest answer wins.", (), local="evaluated; none: requests in flight"
    )
    local: Maybe[GroupLocalSpec] = entry("What it does on this machine alone.", None, local="used", clusters="not used")


class ModelGroupSpec(GroupSpec):
    """Replicas of one model on on-demand nodes of their own."""

    min_instances: Count = entry("Fewest replicas; 0: started by the first request.", local="kept", example=1)
    max_instances: Positive = entry("Most replicas.", local="kept", example=3, rules="not below minInstances")


class SpotSpec(Described):
    """Spot nodes of a mixed group."""

    min_instances: Positive = entry("Fewest replicas on spot nodes.", local="counted", example=1)
    max_instances: Positive = entry(
        "Most replicas on spot nodes.", local="counted", example=2, rules="not below minInstances"
    )


class MixedModelGroupSpec(GroupSpec):
    """Replicas of one model on spot nodes, with on-demand nodes as their base and their refuge."""

    base_instances: Count = entry("Replicas that always run on-demand.", local="counted", example=1)
    max_on_demand_instances: Count = entry(
        "Most replicas on on-demand nodes, the base included.",
        local="counted",
        example=2,
        rules="not below baseInstances",
    )
    spot: SpotSpec = entry("Spot nodes.", local="counted")


class NodeGroupSpec(Described):
    """Nodes that functions or job workers prefer."""

    node_types: FilledItems[Name] = entry(
        "Machine types, any of which will do.", local="not served", example=["t3a.large"]
    )
    disk_size: Maybe[Positive] = entry("Disk of a node, GB.", None, local="not served")
    is_spot: bool = entry("Whether they are spot nodes.", local="not served", example=True)
    min_instances: Positive = entry("Fewest nodes.", local="not served", example=1)
    max_instances: Positive = entry("Most nodes.", local="not served", example=3, rules="not below minInstances")
