"""The workloads of a cluster, neutral of where they run. Field names follow Kubernetes where it has one."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from bandari.desired.pools import ResourceList
from bandari.desired.scaling import ScalingPolicy
from bandari.diagnostics import Origin
from bandari.units import Memory


@dataclass(frozen=True, slots=True)
class HttpGet:
    """A probe that asks for a path: 200 to 399 is good."""

    path: str
    port: int | str
    """A number, or the name of a port."""
    scheme: str = "HTTP"
    host: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """A probe that connects."""

    port: int | str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Grpc:
    """A probe by gRPC's health protocol."""

    port: int
    service: str = ""


@dataclass(frozen=True, slots=True)
class Exec:
    """A probe that runs a command: status 0 is good."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """A Kubernetes Probe, whole: exactly one of the four handlers is set; times in seconds."""

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    grpc: Grpc | None = None
    exec: Exec | None = None
    initial_delay: int = 0
    period: int = 10
    timeout: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period: int | None = None


class ValueSource(enum.StrEnum):
    """Where the value of a variable stands, by the key of Kubernetes."""

    CONFIG_MAP = "configMapKeyRef"
    SECRET = "secretKeyRef"  # noqa: S105 - the name of a Kubernetes field
    FIELD = "fieldRef"
    RESOURCE_FIELD = "resourceFieldRef"


@dataclass(frozen=True, slots=True)
class EnvVar:
    """A variable with a value, or with a source: `ref` is the map's or secret's name, `key` its key or a field path."""

    name: str
    value: str | None = None
    source: ValueSource | None = None
    ref: str = ""
    key: str = ""
    optional: bool = False
    divisor: str = ""
    """Unit of a resource field; empty: one core, one byte."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A Kubernetes volume: `kind` is its source's key (`hostPath`, `emptyDir`, ...), `body` what stands under it."""

    name: str
    kind: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """Where a volume stands in the container; what is empty is not said."""

    name: str
    mount_path: str
    sub_path: str = ""
    read_only: bool = False
    sub_path_expr: str = ""
    """A `sub_path` with `$(NAME)` of the environment in it."""
    mount_propagation: str = ""
    recursive_read_only: str = ""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where weights come from: exactly one of a hub repository, a path, a built-in name."""

    hf_repo_id: str = ""
    files: tuple[str, ...] = ("*",)
    """Globs over the repository's files."""
    path: str = ""
    """A file or folder of this machine, as written (relative to the cluster file)."""
    builtin: str = ""
    use_model_store: bool = True


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What a group says for this machine alone."""

    command: tuple[str, ...] = ()
    engine: str = ""
    """`xllamacpp`, `llama-server`, `vllm`; empty: the runtime's own choice."""
    enforce_limits: bool = False


@dataclass(frozen=True, slots=True)
class ModelServer:
    """A group of equal replicas that serve one model."""

    name: str
    pool: str
    """Name of its NodePool; empty when the target has none."""
    image: str
    scaling: ScalingPolicy
    model: ModelSource | None = None
    is_public: bool = False
    command: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    volumes: tuple[Volume, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    requests: ResourceList = field(default_factory=ResourceList)
    gpu: bool = False
    node_type: str = ""
    mixed: bool = False
    description: str = ""
    local: LocalOptions = field(default_factory=LocalOptions)
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return (self.pool,) if self.pool else ()


@dataclass(frozen=True, slots=True)
class Function:
    """The pools that functions prefer; the functions themselves are deployed by their own verb."""

    name: str
    pools: tuple[str, ...]
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return self.pools


@dataclass(frozen=True, slots=True)
class JobQueue:
    """The broker of job workers and the pools that they prefer."""

    name: str
    broker_storage: Memory
    pools: tuple[str, ...]
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return self.pools


@dataclass(frozen=True, slots=True)
class VectorStore:
    """Qdrant: `storage` is for each replica."""

    name: str
    pool: str
    replicas: int
    storage: Memory
    requests: ResourceList = field(default_factory=ResourceList)
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return (self.pool,) if self.pool else ()


@dataclass(frozen=True, slots=True)
class Monitoring:
    """Prometheus and the parts around it."""

    name: str
    storage: Memory
    switches: frozenset[str]
    """Those of the twelve parts that are on, by their names in the file: `grafana`, `kubelet`, ..."""
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return ()


@dataclass(frozen=True, slots=True)
class Tracing:
    """Zipkin, and the values of its chart as given."""

    name: str
    auto_scaling: bool
    zipkin_helm_settings: Mapping[str, object] = field(default_factory=dict)
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return ()
