"""A typed model group -> a `ModelServer`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bandari.desired.pools import ResourceList
from bandari.desired.scaling import (
    ExternalTrigger,
    PrometheusTarget,
    ResourceKind,
    ResourceTarget,
    ScalingPolicy,
    TargetType,
)
from bandari.desired.workloads import (
    EnvVar,
    Exec,
    Grpc,
    HttpGet,
    LocalOptions,
    ModelServer,
    ModelSource,
    Probe,
    TcpSocket,
    ValueSource,
    Volume,
    VolumeMount,
)
from bandari.diagnostics import Origin
from bandari.specs import kubernetes
from bandari.specs.groups import (
    GroupLocalSpec,
    GroupSpec,
    MixedModelGroupSpec,
    ModelSpec,
    ResourceRequestSpec,
    TriggerSpec,
)
from bandari.specs.triggers import PASSED_ON, pairs, truth
from bandari.units import Bounds, Cpu, Memory

BUILTIN = "builtin:"
_TENANT = "X-Scope-OrgID"
"""The header that KEDA sends for `cortexOrgID`."""


def model_server(group: GroupSpec, pool: str, replicas: Bounds, origin: Origin) -> ModelServer:
    """The server of a group, on a pool that exists ("" for none)."""
    runtime = group.runtime
    return ModelServer(
        name=group.name,
        pool=pool,
        image=runtime.image,
        scaling=_scaling(group.auto_scale_triggers, replicas),
        model=_source(group.model) if group.model else None,
        is_public=group.is_public,
        command=runtime.command,
        env=tuple(_variable(variable) for variable in runtime.env),
        readiness_probe=_probe(runtime.readiness_probe) if runtime.readiness_probe else None,
        liveness_probe=_probe(runtime.liveness_probe) if runtime.liveness_probe else None,
        volumes=tuple(_volume(volume) for volume in runtime.volumes),
        volume_mounts=tuple(_mount(mount) for mount in runtime.volume_mounts),
        requests=resources(group.resource_request) if group.resource_request else ResourceList(),
        gpu=bool(group.gpu and group.gpu.enabled),
        node_type=group.node_type or "",
        mixed=isinstance(group, MixedModelGroupSpec),
        description=group.description or "",
        local=_local(group.local) if group.local else LocalOptions(),
        origin=origin,
    )


def resources(request: ResourceRequestSpec) -> ResourceList:
    """What a replica asks for."""
    return ResourceList(Cpu.parse(request.cpu), Memory.parse(request.memory), request.gpu)


def _local(options: GroupLocalSpec) -> LocalOptions:
    return LocalOptions(options.command, options.engine or "", options.enforce_limits)


def _source(model: ModelSpec) -> ModelSource | None:
    files = model.files or ("*",)
    if model.hf_repo_id:
        return ModelSource(hf_repo_id=model.hf_repo_id, files=files, use_model_store=model.use_model_store)
    if not model.source:
        return None
    if model.source.startswith(BUILTIN):
        name = model.source.removeprefix(BUILTIN)
        return ModelSource(builtin=name, files=files, use_model_store=model.use_model_store)
    return ModelSource(path=model.source, files=files, use_model_store=model.use_model_store)


def _scaling(triggers: Iterable[TriggerSpec], replicas: Bounds) -> ScalingPolicy:
    targets = [_target(trigger) for trigger in triggers]
    return ScalingPolicy(
        replicas,
        resources=tuple(t for t in targets if isinstance(t, ResourceTarget)),
        queries=tuple(t for t in targets if isinstance(t, PrometheusTarget)),
        external=tuple(t for t in targets if isinstance(t, ExternalTrigger)),
    )


def _target(trigger: TriggerSpec) -> ResourceTarget | PrometheusTarget | ExternalTrigger:
    if trigger.type == "prometheus":
        return _query(trigger.metadata)
    if trigger.type not in tuple(ResourceKind):
        return ExternalTrigger(trigger.type, trigger.metadata, trigger.metric_type or "")
    kind, metric = ResourceKind(trigger.type), TargetType(trigger.metric_type or trigger.metadata["type"])
    amount = _amount(kind, metric, trigger.metadata["value"].strip())
    return ResourceTarget(kind, metric, amount, trigger.metadata.get("containerName", ""))


def _amount(kind: ResourceKind, metric: TargetType, text: str) -> float:
    if metric is TargetType.UTILIZATION:
        return float(text)
    return Cpu.parse(text).cores if kind is ResourceKind.CPU else float(Memory.parse(text).bytes)


def _query(metadata: dict[str, str]) -> PrometheusTarget:
    tenant = {_TENANT: metadata["cortexOrgID"]} if metadata.get("cortexOrgID") else {}
    return PrometheusTarget(
        server=metadata["serverAddress"],
        query=metadata["query"],
        threshold=float(metadata["threshold"]),
        activation=float(metadata.get("activationThreshold", "0")),
        metric_name=metadata.get("metricName", ""),
        ignore_null_values=truth(metadata.get("ignoreNullValues", "true")),
        namespace=metadata.get("namespace", ""),
        headers={**tenant, **pairs(metadata.get("customHeaders", ""))},
        query_parameters=pairs(metadata.get("queryParameters", "")),
        unsafe_ssl=truth(metadata.get("unsafeSsl", "false")),
        more={key: value for key, value in metadata.items() if key in PASSED_ON},
    )


def _variable(variable: kubernetes.EnvVar) -> EnvVar:
    source = variable.value_from
    if source is None:
        return EnvVar(variable.name, variable.value or "")
    if source.config_map_key_ref:
        ref = source.config_map_key_ref
        return EnvVar(variable.name, None, ValueSource.CONFIG_MAP, ref.name, ref.key, ref.optional)
    if source.secret_key_ref:
        secret = source.secret_key_ref
        return EnvVar(variable.name, None, ValueSource.SECRET, secret.name, secret.key, secret.optional)
    if source.field_ref:
        return EnvVar(variable.name, None, ValueSource.FIELD, key=source.field_ref.field_path)
    assert source.resource_field_ref
    part = source.resource_field_ref
    container, divisor = part.container_name or "", part.divisor or ""
    return EnvVar(variable.name, None, ValueSource.RESOURCE_FIELD, container, part.resource, divisor=divisor)


def _probe(probe: kubernetes.ProbeSpec) -> Probe:
    http, tcp, grpc = probe.http_get, probe.tcp_socket, probe.grpc
    return Probe(
        http_get=_http(http) if http else None,
        tcp_socket=TcpSocket(tcp.port, tcp.host or "") if tcp else None,
        grpc=Grpc(grpc.port, grpc.service or "") if grpc else None,
        exec=Exec(probe.exec.command) if probe.exec else None,
        initial_delay=probe.initial_delay_seconds,
        period=probe.period_seconds,
        timeout=probe.timeout_seconds,
        success_threshold=probe.success_threshold,
        failure_threshold=probe.failure_threshold,
        termination_grace_period=probe.termination_grace_period_seconds,
    )


def _http(http: kubernetes.HttpGetAction) -> HttpGet:
    headers = tuple((header.name, header.value) for header in http.http_headers)
    return HttpGet(http.path, http.port, http.scheme, http.host or "", headers)


def _volume(volume: kubernetes.VolumeSpec) -> Volume:
    given: dict[str, Any] = volume.model_dump(by_alias=True, exclude_unset=True, exclude={"name"})
    kind, body = next(iter(given.items()))
    return Volume(volume.name, kind, body)


def _mount(mount: kubernetes.VolumeMountSpec) -> VolumeMount:
    return VolumeMount(
        mount.name,
        mount.mount_path,
        mount.sub_path or "",
        mount.read_only,
        mount.sub_path_expr or "",
        mount.mount_propagation or "",
        mount.recursive_read_only or "",
    )
