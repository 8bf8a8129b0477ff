"""Ray clusters and what runs on them, neutral of language and target. Terms are Ray's and KubeRay's.

Physical and logical resources are two things: `Shape.required` and the machine type say what a machine has,
`Shape.resources` what Ray may schedule on it. Neither is ever made from the other but in `analysis.ray_shapes`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bandari.diagnostics import Origin
from bandari.units import Bounds, Cpu, Memory

HEAD = "head"
"""The group name of the head node, as in Ray's own label `ray.io/node-group`."""


class MarketType(enum.StrEnum):
    """How the nodes of a group are bought."""

    ON_DEMAND = "ON_DEMAND"
    SPOT = "SPOT"
    PREFER_SPOT = "PREFER_SPOT"
    """Spot first; on-demand while there is none."""


@dataclass(frozen=True, slots=True)
class Passthrough:
    """Settings that one provider knows and nobody else reads: kept as written, in the order of the file.

    `provider` is `aws`, `gcp` or `kubernetes`; empty where the body does not tell.
    """

    provider: str
    body: Mapping[str, Any]
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PhysicalShape:
    """`required_resources`: the machine that is asked for, instead of a machine type by name."""

    cpu: Cpu
    memory: Memory
    gpu: int = 0
    accelerator: str = ""
    """`T4`, `A100-80G`...; from `accelerator` or the label `ray.io/accelerator-type`."""
    tpu: int = 0
    tpu_hosts: int = 0
    arch: str = "x86_64"
    """`x86_64` or `arm64`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of node. Exactly one of `instance_type` and `required` is set; for a default head neither."""

    instance_type: str = ""
    required: PhysicalShape | None = None
    resources: Mapping[str, float] | None = None
    """Logical: CPU, GPU, memory and object_store_memory (bytes), custom ones. None: what the machine has."""
    labels: Mapping[str, str] = field(default_factory=dict)
    required_labels: Mapping[str, str] = field(default_factory=dict)
    passthrough: Passthrough | None = None
    """The node's own `advanced_instance_config`, else the cluster's: one replaces the other."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    machine_pool: Mapping[str, str] = field(default_factory=dict)
    """`cloud_deployment`: provider, region, machine_pool, id."""


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """Nodes of one shape. `pool` is the NodePool of the state that holds how they are bought."""

    name: str
    shape: Shape
    nodes: Bounds
    market: MarketType = MarketType.ON_DEMAND
    pool: str = ""
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RayImage:
    """What runs on every node: a tag (`image_uri`), a Containerfile, or neither (Ray of bandari's own environment).

    `requirements`: lines of pip, or one path to a file of them.
    """

    uri: str = ""
    containerfile: str = ""
    registry_login_secret: str = ""
    ray_version: str = ""
    """`X.Y.Z` or `latest`; without an image it selects Ray."""
    python_version: str = ""
    cuda_version: str = ""
    requirements: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RayCluster:
    """A head and its worker groups. Limits are logical and count workers and a schedulable head alike.

    Times are seconds; None is "not said".
    """

    name: str
    head: Shape
    groups: tuple[WorkerGroup, ...] = ()
    head_given: bool = True
    """Whether the file says anything about the head."""
    image: RayImage = field(default_factory=RayImage)
    min_resources: Mapping[str, float] = field(default_factory=dict)
    max_resources: Mapping[str, float] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    """Empty: all zones of the region."""
    cross_zone: bool = False
    auto_select: bool = False
    idle_termination: float | None = None
    """A worker that is idle for this long goes."""
    cluster_idle_limit: float | None = None
    """The whole cluster goes down after this long without work; 0: never."""
    uptime_limit: float | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Cluster flags that have no field of their own."""
    cloud: str = ""
    cloud_resource: str = ""
    settings: Passthrough | None = None
    """The cluster's own `advanced_instance_config`: what a node without one of its own has."""
    alternatives: tuple[RayCluster, ...] = ()
    """Of the multi-resource form: the further configs, in their order; the first one is this cluster."""
    pool: str = ""
    """NodePool of the head."""
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return tuple(name for name in (self.pool, *(group.pool for group in self.groups)) if name)

    @property
    def schedulable_head(self) -> bool:
        """Whether tasks may run on the head: as its `resources` say; without them only in a cluster without groups."""
        if self.head.resources is not None:
            return any(amount > 0 for amount in self.head.resources.values())
        return not self.groups and not self.auto_select

    @property
    def autoscaled(self) -> bool:
        """Whether any group may have another size than its minimum."""
        return self.auto_select or any(group.nodes.min < group.nodes.max for group in self.groups)


@dataclass(frozen=True, slots=True)
class RuntimeEnvironment:
    """What Ray calls a runtime_env, of a job or of a service's application. Paths as written."""

    working_dir: str = ""
    excludes: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    py_modules: tuple[str, ...] = ()
    env_vars: Mapping[str, str] = field(default_factory=dict)
    py_executable: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further keys of Ray's runtime_env, passed on as written."""


@dataclass(frozen=True, slots=True)
class RayJob:
    """A command that runs to its end on a cluster. `timeout` is seconds of one attempt; None: none."""

    name: str
    cluster: str
    entrypoint: str
    environment: RuntimeEnvironment = field(default_factory=RuntimeEnvironment)
    max_retries: int = 1
    timeout: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    queue: Mapping[str, Any] = field(default_factory=dict)
    """`job_queue_config` as written; it is a setting of a hosted service."""
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return (self.cluster,)


@dataclass(frozen=True, slots=True)
class RaySchedule:
    """A job that starts by a clock. `time_zone` is an IANA name, or `local`."""

    name: str
    job: RayJob
    cron: str
    time_zone: str = "UTC"
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return (self.job.cluster,)


@dataclass(frozen=True, slots=True)
class ServeApplication:
    """One application of Ray Serve. `deployments`, `args`, `logging` and `more` go to Serve as written."""

    name: str
    route_prefix: str
    import_path: str
    environment: RuntimeEnvironment = field(default_factory=RuntimeEnvironment)
    args: Mapping[str, Any] = field(default_factory=dict)
    deployments: tuple[Mapping[str, Any], ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RayService:
    """Applications behind the gateway. `public`: `query_auth_token_enabled`, so an API key is asked for."""

    name: str
    cluster: str
    applications: tuple[ServeApplication, ...]
    version: str = ""
    public: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    """`http_options`, `grpc_options`, `logging_config`, `proxy_location`, `tracing_config`, as written."""
    rollout: Mapping[str, Any] = field(default_factory=dict)
    """`strategy`, `canary_percent`, `max_surge_percent`, as written."""
    tags: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return (self.cluster,)


RayWorkload = RayCluster | RayJob | RaySchedule | RayService
