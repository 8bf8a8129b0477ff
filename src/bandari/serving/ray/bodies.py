"""What `providers.local_ray` lowers to and the supervisor keeps true for Ray; and what is asked of it with `Op.RAY`.

Addresses: `ray.<cluster>`, `raygroup.<cluster>/<group>`, `rayenv.<cluster>`, `rayservice.<name>`, `rayschedule.<name>`.
Logical resources are Ray's own names (`CPU`, `GPU`, `memory`, `object_store_memory`, custom ones). Sizes are bytes,
times seconds, clocks Unix time.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RayNodeBody:
    """One shape of node: what Ray is told, and the machine that it stands for.

    `resources` hold what Ray may schedule exactly as declared, but for bytes: `memory` and `object_store_memory` are
    what a node gets here, scaled by `scale`.
    """

    resources: Mapping[str, float] = field(default_factory=dict)
    """CPU, GPU and custom resources; a missing CPU or GPU is 0."""
    labels: Mapping[str, str] = field(default_factory=dict)
    memory: int = 0
    object_store_memory: int = 0
    machine: str = ""
    """`g6.4xlarge`, or `FP-8CPU-32GB` for a required shape."""
    physical: str = ""
    """In words: `16 vCPU, 64 GiB, 1 x L4 (24 GiB each)`."""
    scale: float = 1.0
    """Bytes here / bytes of the machine that it stands for."""
    usd_per_hour: float = 0.0
    """On demand; 0: not known."""


@dataclass(frozen=True, slots=True)
class RayEnvironmentBody:
    """A Python environment with a Ray in it, made by the driver before the cluster; outputs `bin` (a folder), `ray`
    and `python` (versions). `digest` is over all that goes into it. An empty `ray` is the Ray of bandari's own
    environment, which is used as it is when nothing is added.
    """

    cluster: str
    ray: str = ""
    python: str = ""
    cuda: str = ""
    image: str = ""
    """The image that it stands for, as written."""
    requirements: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[tuple[str, str], ...] = ()
    """(source, target) of COPY lines: absolute source on this machine, target below the environment's files."""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class RayClusterBody:
    """A head with what is set for the whole cluster. Restarting the head keeps actors and nodes (its state is in
    Redis); another `ray` or `python` replaces the cluster.
    """

    cluster: str
    head: RayNodeBody
    ray: str = ""
    python: str = ""
    environment: str = ""
    """`digest` of `rayenv.<cluster>`: another one restarts the nodes, workers first, one by one."""
    env: Mapping[str, str] = field(default_factory=dict)
    autoscaled: bool = False
    min_resources: Mapping[str, float] = field(default_factory=dict)
    max_resources: Mapping[str, float] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    cross_zone: bool = False
    region: str = "local"
    idle_timeout: float = 60.0
    """An idle worker goes after this long (KubeRay's default)."""
    idle_limit: float | None = None
    uptime_limit: float | None = None
    notice: float = 120.0
    """From the notice to the loss of a spot node."""
    replacement_age: float = 3600.0
    """Youngest age at which an on-demand node of a PREFER_SPOT group makes room for a spot one."""
    alternatives: int = 0
    """Further configs of the multi-resource form that are not used here."""


@dataclass(frozen=True, slots=True)
class RayGroupBody:
    """One worker group."""

    cluster: str
    group: str
    node: RayNodeBody
    min: int = 0
    max: int = 10
    market: str = "ON_DEMAND"
    idle_timeout: float | None = None
    environment: str = ""
    """As in the cluster's body, so that a plan names the groups whose nodes restart."""


@dataclass(frozen=True, slots=True)
class RayJobBody:
    """A job to submit. `environment` is Ray's runtime_env, with an absolute `working_dir`."""

    cluster: str
    entrypoint: str
    name: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    max_retries: int = 1
    timeout: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RayScheduleBody:
    """A job by the clock: cron with five fields, in a time zone."""

    cluster: str
    job: RayJobBody
    cron: str
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class RayApplicationBody:
    """One Ray Serve application: `config` is what Serve's REST API takes, without name and route prefix."""

    name: str
    route_prefix: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RayServiceBody:
    """A service: applications on a cluster, behind the gateway at their route prefixes.

    `version` names this state of it (given, or made from a digest); another one is brought up beside it and takes the
    traffic in `steps` (percent), each held for `step_seconds`; it is taken back when it fails more than `max_failures`
    of its requests or is not healthy within `timeout`.
    """

    name: str
    cluster: str
    applications: tuple[RayApplicationBody, ...]
    version: str
    public: bool = False
    steps: tuple[int, ...] = (10, 50, 100)
    step_seconds: float = 10.0
    timeout: float = 600.0
    max_failures: float = 0.05
    options: Mapping[str, Any] = field(default_factory=dict)


RAY_BODIES: Mapping[str, type] = {
    "rayenv": RayEnvironmentBody,
    "ray": RayClusterBody,
    "raygroup": RayGroupBody,
    "rayservice": RayServiceBody,
    "rayschedule": RayScheduleBody,
}


class RayVerb(enum.StrEnum):
    """What can be asked with `Op.RAY`: `Request.address` is the Ray cluster, `body["verb"]` one of these."""

    NODES = "nodes"
    """{} -> {"nodes": [RayNodeStatus]}: all nodes of the cluster."""
    LAUNCH = "launch"
    """{"group", "count", "request"} -> {"nodes": [names], "refused": "why or empty"}: asked by the NodeProvider."""
    TERMINATE = "terminate"
    """{"node"} -> {}: asked by the NodeProvider; drains, then ends."""
    PREEMPT = "preempt"
    """{"group", "zone", "notice"} -> {"nodes": [names]}: takes spot away; every spot node there gets its notice."""
    RESTORE = "restore"
    """{"group", "zone"} -> {}: spot can be had again."""
    SUBMIT = "submit"
    """{"job": RayJobBody} -> {"job": name}: acknowledged after it is on disk."""
    JOBS = "jobs"
    """{} -> {"jobs": [RayJobStatus]}"""
    STOP_JOB = "stop-job"
    """{"job"} -> {}"""
    WHY = "why"
    """{} -> {"lines": [str], "demands": [...]}: what is pending and what holds it back."""


@dataclass(frozen=True, slots=True)
class RayNodeStatus:
    """One node: a supervised process with what it stands for."""

    name: str
    group: str
    state: str
    """A state of `lifecycle`."""
    address: str = ""
    """Its loopback address."""
    pid: int = 0
    market: str = "on-demand"
    zone: str = ""
    machine: str = ""
    physical: str = ""
    resources: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cpu: float = 0.0
    """Cores used lately."""
    memory: int = 0
    gpu: float | None = None
    """Share of its GPUs used, 0 to 1; None where there is none."""
    metrics: str = ""
    """`host:port` of Ray's metrics endpoint of the node."""
    reason: str = ""
    since: float = 0.0
    leaves_at: float = 0.0
    """When its spot notice ends; 0: none."""
    request: str = ""
    """The autoscaler's own name for the launch, from `LAUNCH`."""


@dataclass(frozen=True, slots=True)
class RayJobStatus:
    """One job over all of its attempts."""

    name: str
    cluster: str
    state: str
    """PENDING, RUNNING, SUCCEEDED, FAILED, STOPPED (Ray's words), or LOST between two attempts."""
    entrypoint: str = ""
    attempts: int = 0
    max_retries: int = 1
    submission_ids: tuple[str, ...] = ()
    """Ray's ids of the attempts, the newest last."""
    message: str = ""
    started: float = 0.0
    ended: float = 0.0
    schedule: str = ""
    exit_code: int | None = None
