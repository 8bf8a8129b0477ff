"""What a Ray node is started with: its command line and its environment.

Every node has a loopback address and a temp folder of its own, so that nodes of one machine meet neither at a port nor
at a socket. What Ray binds to all interfaces whatever its address is (the GCS, raylets, metrics) gets a port of its
own: the GCS a fixed one, since nodes and the head's next start need it; the others the first free one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bandari.serving.ray.bodies import RayNodeBody

DASHBOARD_PORT = 8265
SERVE_PORT = 8000
INSTANCE_VARIABLE = "RAY_CLOUD_INSTANCE_ID"
"""Ray reports it as the node's instance id: by it a process and a node of Ray are known to be the same."""
TYPE_VARIABLE = "RAY_NODE_TYPE_NAME"
_OBJECT_STORE = 80_000_000
"""Ray refuses less than 75 MiB."""
_MEMORY = 500_000_000
_SIZED = frozenset({"CPU", "GPU", "memory", "object_store_memory"})
_FOREIGN = frozenset(
    {"RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_REDIS_ADDRESS", "RAY_TMPDIR", "RAY_JOB_CONFIG_JSON_ENV_VAR"}
)
_QUIET: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A process that is gone is found dead in 5 s, not 15; one that answers late still has 10 s for each answer.
    "RAY_health_check_period_ms": "1000",
    # Nodes outlive a head that is away for longer than the minute that Ray gives by default.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "600",
    # A node that gets SIGTERM was drained before if it was to be; by itself it would drain for up to 30 s more.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    # On a busy machine parts of the dashboard take longer than the 30 s after which a head would end itself.
    "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "120",
}


@dataclass(frozen=True, slots=True)
class HeadPorts:
    """Ports of a head. All but `dashboard` must be free on every address of the machine."""

    gcs: int
    client: int
    autoscaler_metrics: int
    dashboard_metrics: int
    dashboard: int = DASHBOARD_PORT


@dataclass(frozen=True, slots=True)
class RedisStore:
    """Where a head keeps its state. Another `namespace` is another cluster."""

    address: str
    namespace: str
    password: str = ""


def head_command(
    ray: str,
    body: RayNodeBody,
    *,
    address: str,
    temp: str,
    ports: HeadPorts,
    labels: Mapping[str, str] | None = None,
    autoscaling_config: str = "",
    redis_password: str = "",
) -> tuple[str, ...]:
    """`ray` is the program; `address` the node's own loopback address; `temp` its folder, 30 characters at most."""
    words = [
        ray, "start", "--head", *_common(body, address, temp, labels),
        f"--port={ports.gcs}",
        f"--dashboard-host={address}",
        f"--dashboard-port={ports.dashboard}",
        "--include-dashboard=true",
        f"--ray-client-server-port={ports.client}",
    ]  # fmt: skip
    if autoscaling_config:
        words.append(f"--autoscaling-config={autoscaling_config}")
    if redis_password:
        words.append(f"--redis-password={redis_password}")
    return tuple(words)


def worker_command(
    ray: str, body: RayNodeBody, *, address: str, temp: str, gcs: str, labels: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """`gcs` is `host:port` of the head's GCS."""
    return (ray, "start", f"--address={gcs}", *_common(body, address, temp, labels), "--include-log-monitor=false")


def _common(body: RayNodeBody, address: str, temp: str, labels: Mapping[str, str] | None) -> list[str]:
    custom = {name: amount for name, amount in body.resources.items() if name not in _SIZED}
    words = [
        "--block",
        "--disable-usage-stats",
        "--log-style=record",
        f"--node-ip-address={address}",
        f"--temp-dir={temp}",
        f"--num-cpus={int(body.resources.get('CPU', 0))}",
        f"--num-gpus={int(body.resources.get('GPU', 0))}",
        f"--memory={body.memory or _MEMORY}",
        f"--object-store-memory={max(body.object_store_memory, _OBJECT_STORE)}",
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--dashboard-agent-listen-port=0",
        "--metrics-export-port=0",
    ]
    if custom:
        words.append(f"--resources={json.dumps(custom, sort_keys=True)}")
    named = {**body.labels, **(labels or {})}
    if named:
        words.append("--labels=" + ",".join(f"{name}={value}" for name, value in sorted(named.items())))
    return words


def node_environ(
    inherited: Mapping[str, str],
    *,
    bin_folder: str,
    name: str,
    group: str,
    resources: Mapping[str, float],
    cores: int,
    env: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Of a node called `name`. `env` are the variables that the image sets; the environment's programs come first on
    PATH, whatever it says. `cores` are those of the machine.
    """
    kept = {k: v for k, v in inherited.items() if k not in _FOREIGN}
    values = {**kept, **_QUIET, **(env or {}), INSTANCE_VARIABLE: name, TYPE_VARIABLE: group}
    values["PATH"] = ":".join(part for part in (bin_folder, values.get("PATH", "")) if part)
    if resources.get("CPU", 0) > cores:
        # Else the first driver makes a node of 64 logical CPUs start 64 workers on 2 cores.
        values.setdefault("RAY_prestart_worker_first_driver", "0")
    visible = values.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and len([d for d in visible.split(",") if d]) < resources.get("GPU", 0):
        del values["CUDA_VISIBLE_DEVICES"]  # Ray refuses more GPUs than it names; here they are logical
    return values


def head_environ(
    values: Mapping[str, str],
    ports: HeadPorts,
    *,
    redis: RedisStore | None = None,
    provider_folder: str = "",
    autoscaled: bool = False,
) -> dict[str, str]:
    """What the head's environment has besides that of any node. `provider_folder` holds the NodeProvider's module."""
    more = {
        "AUTOSCALER_METRIC_PORT": str(ports.autoscaler_metrics),
        "DASHBOARD_METRIC_PORT": str(ports.dashboard_metrics),
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        # A group whose launch was refused is asked for again soon: limits and markets change here in seconds.
        "RAY_AUTOSCALER_AVAILABILITY_RECOVERY_S": "10",
        "RAY_AUTOSCALER_RECONCILE_REQUEST_STATUS_TIMEOUT_S": "60",
        "RAY_enable_autoscaler_v2": "1",
    }
    if redis:
        more |= {"RAY_REDIS_ADDRESS": redis.address, "RAY_external_storage_namespace": redis.namespace}
    if autoscaled and provider_folder:
        more["PYTHONPATH"] = ":".join(part for part in (provider_folder, values.get("PYTHONPATH", "")) if part)
    return {**values, **more}


def drain_command(ray: str, *, gcs: str, node_id: str, seconds: float, reason: str) -> tuple[str, ...]:
    """Takes a node out of scheduling; it ends by itself when it has nothing to do. `seconds`: until it is ended."""
    return (
        ray, "drain-node", f"--address={gcs}", f"--node-id={node_id}",
        "--reason=DRAIN_NODE_REASON_PREEMPTION", f"--reason-message={reason}",
        f"--deadline-remaining-seconds={max(int(seconds), 1)}",
    )  # fmt: skip


def redis_command(program: str, *, port: int, folder: str, config: str, titled: bool = True) -> tuple[str, ...]:
    """A Redis for heads: on loopback, its state on disk after each second. `config` is a file with the password.
    `titled`: the program gives itself a title, which writes over its environment and cannot be helped before 6.2.
    """
    words = (
        program, config, "--bind", "127.0.0.1", "--port", str(port), "--dir", folder,
        "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--daemonize", "no",
        "--protected-mode", "yes", "--unixsocket", "",
    )  # fmt: skip
    return words if titled else (*words, "--set-proc-title", "no")


def ray_program(bin_folder: str) -> str:
    """`ray` of an environment."""
    return f"{bin_folder}/ray"


def in_words(resources: Mapping[str, float]) -> str:
    """`4 CPU, 1 GPU, 2 big_mem`; `nothing` for none."""
    parts: Sequence[str] = [f"{amount:g} {name}" for name, amount in sorted(resources.items()) if amount]
    return ", ".join(parts) or "nothing"
