"""What is said between the local driver, the supervisor and the gateway; pure, and the only part of `serving` besides
`scaling`, `routing` and `lifecycle` that the layers above may see.

Two unix sockets stand in a cluster's state folder. Both carry one JSON object a line, UTF-8.

- `supervisor.sock`: a client sends `Request`, the supervisor answers each with one `Response` of the same `id`.
- `gateway.sock`: the supervisor listens, the gateway connects (and connects again whenever the link breaks). First the
  gateway sends one `GatewayHello` line together with its listening sockets (SCM_RIGHTS, in the order of
  `listeners`), so that a supervisor that was started anew gets them back. Then the supervisor sends a whole
  `GatewayTable` after every change, and the gateway sends a whole `GatewayLoad`: at once when a request is queued for
  a group without a ready replica or a draining replica becomes idle, else at most every 0.2 s and at least every 2 s.

Bodies are what `providers.local` lowers to and what the supervisor keeps: `kind` -> dataclass in `BODIES`.
Times are seconds, sizes bytes. `plain()` turns a dataclass into JSON data; msgspec.convert is its inverse.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bandari.desired.scaling import ScalingPolicy
from bandari.desired.workloads import Probe
from bandari.serving.ray.bodies import RAY_BODIES

PROTOCOL_VERSION = 1
SUPERVISOR_SOCKET = "supervisor.sock"
GATEWAY_SOCKET = "gateway.sock"
STATE_FILE = "state.json"
KEYS_FILE = "keys.json"
LOG_FOLDER = "logs"
BUILTIN_MODELS = ("tiny",)
"""Models that the package makes by itself: `builtin:<name>`."""


# --- bodies: what the supervisor is asked to keep true -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A value in the secrets file, read when a process starts and never stored; `digest` tells that it changed."""

    name: str
    key: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class EnvEntry:
    """A variable of a replica: a value, or a secret by reference."""

    name: str
    value: str = ""
    secret: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of this machine that a replica sees at `mount_path`; an empty `source` is a fresh folder of its own."""

    name: str
    source: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    """Folder below a fresh one, so that several mounts share it."""
    create: bool = False
    """Whether the source is made when it is not there (`DirectoryOrCreate`)."""


@dataclass(frozen=True, slots=True)
class ModelBody:
    """Weights on this machine: exactly one of hub (`repo`), `path`, `builtin`. Applied by the driver, which records the
    outputs `folder` and `file` (empty for a folder model) that `$(MODEL_DIR)` and `$(MODEL)` stand for.
    """

    repo: str = ""
    files: tuple[str, ...] = ("*",)
    path: str = ""
    builtin: str = ""
    want: str = "file"
    """`file`: one GGUF (part 1 of a split one); `folder`: the whole folder."""
    store: str = ""
    """Shared store folder to take from and put into first; empty: none."""
    shared: bool = True
    """Whether the group may use a store at all (`useModelStore`)."""


@dataclass(frozen=True, slots=True)
class ReplicaSetBody:
    """A group of equal processes.

    `command` is expanded by Kubernetes' rule for `$(NAME)` with the environment and these: PYTHON (this interpreter),
    PORT (the replica's own port on 127.0.0.1), MODEL and MODEL_DIR (outputs of `model.<group>`).
    """

    group: str
    command: tuple[str, ...]
    model: str
    """The identity of the weights in words, so that other weights are another body."""
    runtime: str = ""
    engine: str = ""
    namespace: str = "default"
    env: tuple[EnvEntry, ...] = ()
    container_port: int = 8000
    readiness: Probe | None = None
    liveness: Probe | None = None
    mounts: tuple[Mount, ...] = ()
    cpu: float = 1.0
    """Cores; 100 % of the cpu trigger."""
    memory: int = 0
    enforce_limits: bool = False
    slots: int = 1
    """Requests that one replica serves at the same time."""
    scaling: ScalingPolicy | None = None
    grace_period: float = 30.0
    """How long a draining replica may finish its streams."""
    stand_in: str = ""
    """Name of the model that really answers, when it is not the group's own."""
    secrets_file: str = ""


@dataclass(frozen=True, slots=True)
class RouteBody:
    """Which `model` names of a request lead to the group, and who may ask."""

    group: str
    models: tuple[str, ...]
    namespace: str = "default"
    public: bool = False
    stand_in: str = ""


@dataclass(frozen=True, slots=True)
class GatewayBody:
    """The two listeners. `port` None: the first free one from 8000, chosen once and kept (outputs `port`,
    `public_port`). The public listener exists only when `public` is true.
    """

    port: int | None = None
    public: bool = False
    public_address: str = "0.0.0.0"
    public_port: int | None = None
    tls_certificate: str = ""
    tls_key: str = ""


BODIES: Mapping[str, type] = {
    "gateway": GatewayBody,
    "model": ModelBody,
    "group": ReplicaSetBody,
    "route": RouteBody,
    **RAY_BODIES,
}


# --- the control socket ------------------------------------------------------------------------------------------


class Op(enum.StrEnum):
    """What can be asked of a supervisor."""

    HELLO = "hello"
    """-> {"version", "pid", "cluster", "bandari"}"""
    OBSERVE = "observe"
    """-> {"resources": [Stored], "status": Status}"""
    APPLY = "apply"
    """{"address", "body", "outputs"} -> {"outputs"}: acknowledged after it is on disk; idempotent."""
    DELETE = "delete"
    """{"address"} -> {}: acknowledged after it is on disk; draining goes on, see the status."""
    STOP = "stop"
    """{} -> {}: drains and ends every process, removes the sockets, then supervisor and guard exit. Keeps logs."""
    REFRESH = "refresh"
    """{} -> {}: reads the keys file again and tells the gateway."""
    RAY = "ray"
    """{"address": Ray cluster, "body": {"verb", ...}} -> see `ray.bodies.RayVerb`."""


@dataclass(frozen=True, slots=True)
class Request:
    """One line to the supervisor; `id` comes back in the answer."""

    id: int
    op: Op
    address: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """`error` is empty on success, else one line for the user; `fix` one more on what to do."""

    id: int
    result: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource as last applied; `outputs` is what became known only then."""

    address: str
    body: Mapping[str, Any]
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One process of a part."""

    name: str
    """`<group>-<ordinal>`; also the name of its log."""
    state: str
    """A state of `lifecycle`."""
    pid: int = 0
    port: int = 0
    restarts: int = 0
    reason: str = ""
    since: float = 0.0
    """Unix time of the last transition."""
    cpu: float = 0.0
    """Cores used lately."""
    memory: int = 0
    """Proportional or resident set size, bytes."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One line of `status`. For the gateway replicas is 1; `ready` counts ready replicas."""

    kind: str
    name: str
    state: str
    ready: int
    replicas: int
    reason: str = ""
    detail: tuple[ReplicaStatus, ...] = ()
    in_flight: int = 0
    queued: int = 0
    scaling: str = ""
    """The last decision of the autoscaler with its reason."""
    model: str = ""
    engine: str = ""
    stand_in: str = ""
    note: str = ""
    """What else is to know of it, and no trouble: when a schedule runs next."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a whole cluster."""

    cluster: str
    ready: bool
    parts: tuple[PartStatus, ...] = ()
    supervisor_pid: int = 0
    guard_pid: int = 0


# --- the gateway's link ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GatewayHello:
    """The gateway's first line on its link."""

    pid: int
    listeners: tuple[str, ...]
    """Names of the sockets that come with this line: `private`, `public`."""
    type: str = "hello"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A replica that may be asked; a draining one only finishes what it has."""

    id: str
    host: str
    port: int
    slots: int = 1
    draining: bool = False


@dataclass(frozen=True, slots=True)
class GroupTable:
    """A group as the gateway sees it. `waking`: a replica is starting or can be started, so requests may be held."""

    name: str
    namespace: str
    models: tuple[str, ...]
    public: bool
    upstreams: tuple[Upstream, ...]
    waking: bool = True
    stand_in: str = ""
    hold_limit: int = 256
    """Requests held at the same time; one more is 429."""
    hold_deadline: float = 120.0
    """Longest time that a request is held; then 503."""


@dataclass(frozen=True, slots=True)
class ServiceVersion:
    """One version of a service: where its HTTP proxy listens, below which path, and its share of the traffic."""

    version: str
    host: str
    port: int
    path: str = ""
    """Stands before the path of the request, the service's prefix taken off; empty: passed on as it came."""
    weight: int = 100
    """Percent; the weights of a service's versions sum to 100, or to 0 while none may be asked."""


@dataclass(frozen=True, slots=True)
class ServiceTable:
    """A Ray Serve application as the gateway sees it: every path at or below `prefix`."""

    name: str
    prefix: str
    versions: tuple[ServiceVersion, ...]
    public: bool = False


@dataclass(frozen=True, slots=True)
class GatewayTable:
    """All that the gateway has to know; always sent whole."""

    cluster: str
    groups: tuple[GroupTable, ...]
    keys: tuple[str, ...] = ()
    """Hashes of the API keys that open the public listener."""
    revision: int = 0
    """Grows by one with each table; `GatewayLoad.revision` echoes it."""
    services: tuple[ServiceTable, ...] = ()
    type: str = "table"


@dataclass(frozen=True, slots=True)
class GroupLoad:
    """What the gateway has to do for one group."""

    in_flight: int
    queued: int
    upstreams: Mapping[str, int] = field(default_factory=dict)
    """Requests in flight by replica id."""
    requests_total: int = 0
    """Since the gateway started; grows by every request that was accepted for the group."""


@dataclass(frozen=True, slots=True)
class ServiceLoad:
    """What was counted for one version of a service since the gateway started."""

    in_flight: int = 0
    requests_total: int = 0
    failures_total: int = 0
    """Answers of 500 and above, and requests that got none."""


@dataclass(frozen=True, slots=True)
class GatewayLoad:
    """The load of all groups, always whole."""

    groups: Mapping[str, GroupLoad]
    revision: int = 0
    """Of the last table that was taken in: tells the supervisor that the load knows of a draining replica."""
    services: Mapping[str, ServiceLoad] = field(default_factory=dict)
    """By `<service name>@<version>`."""
    type: str = "load"


def plain(value: object) -> Any:
    """A dataclass as JSON data (lists, maps, text, numbers, None), fields equal to their default left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {f.name: plain(v) for f, v in kept if not _is_default(f, v)}
    if isinstance(value, Mapping):
        return {str(key): plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [plain(child) for child in value]
    return value.value if isinstance(value, enum.Enum) else value


def _is_default(item: dataclasses.Field[Any], value: object) -> bool:
    if item.name == "type":
        return False
    if item.default is not dataclasses.MISSING:
        return bool(item.default == value)
    if item.default_factory is not dataclasses.MISSING:
        return bool(item.default_factory() == value)
    return False
