"""The desired state: what should exist, never how. Frozen, neutral of input language and of target."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from bandari.desired.pools import NodePool
from bandari.desired.ray import RayCluster, RayJob, RaySchedule, RayService, RayWorkload
from bandari.desired.workloads import Function, JobQueue, ModelServer, Monitoring, Tracing, VectorStore
from bandari.diagnostics import Origin

Workload = ModelServer | Function | JobQueue | VectorStore | Monitoring | Tracing | RayWorkload
Item = NodePool | Workload


class ProviderName(enum.StrEnum):
    """The targets that a file can name, by their keys."""

    LOCAL = "local"
    KUBERNETES = "kubernetes"
    AWS = "aws"
    GCP = "gcp"


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of the public listener, as written (relative to the cluster file)."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """The file's options for this machine. Ports are None until chosen; `values` is config map -> key -> value."""

    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets_file: str = ""
    port: int | None = None
    public_address: str = "0.0.0.0"
    public_port: int | None = None
    tls: Tls | None = None
    gpu: bool | None = None
    """Whether to use a GPU of this machine; None: if there is one."""
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the state is to exist; `cluster` is the cluster's name."""

    provider: ProviderName | None
    """None: nobody has said yet, as a compute config names no provider."""
    cluster: str
    region: str = ""
    namespace: str = "default"
    log_retention_days: int = 14
    local: LocalTarget = field(default_factory=LocalTarget)
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that should exist; compared without the origins of its items."""

    target: Target
    pools: tuple[NodePool, ...] = ()
    workloads: tuple[Workload, ...] = ()
    description: str = ""

    def items(self) -> tuple[Item, ...]:
        """Pools first, then workloads, each in the order of the file."""
        return (*self.pools, *self.workloads)

    def servers(self) -> tuple[ModelServer, ...]:
        """The model groups, in the order of the file."""
        return tuple(w for w in self.workloads if isinstance(w, ModelServer))

    def ray_clusters(self) -> tuple[RayCluster, ...]:
        """The Ray clusters, in the order of the file."""
        return tuple(w for w in self.workloads if isinstance(w, RayCluster))

    def on_ray(self, cluster: str) -> tuple[RayJob | RaySchedule | RayService, ...]:
        """What is to run on a Ray cluster, in the order of the file."""
        found = (w for w in self.workloads if isinstance(w, RayJob | RaySchedule | RayService))
        return tuple(w for w in found if cluster in w.uses())

    def pool(self, name: str) -> NodePool | None:
        """The pool of a name; None when there is none."""
        return next((pool for pool in self.pools if pool.name == name), None)
