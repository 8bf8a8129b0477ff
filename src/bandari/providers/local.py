"""This machine: the desired state as a gateway, model files, groups of processes and routes. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bandari.analysis.resolve import DEFAULT_CPU, DEFAULT_MEMORY, ResolvedServer, ResolvedState
from bandari.desired.pools import NodePool
from bandari.desired.ray import RayService
from bandari.desired.scaling import ConcurrencyTarget, ScalingPolicy
from bandari.desired.secrets import is_secret_name, is_secret_value
from bandari.desired.workloads import EnvVar, ModelServer, ModelSource, Probe, ValueSource, Volume, VolumeMount
from bandari.planning.graph import Address, Resource
from bandari.planning.plan import Action, Change
from bandari.providers import local_ray, local_ray_changes
from bandari.providers.addresses import GATEWAY
from bandari.providers.table import Lowerings, Provider
from bandari.runtimes.protocol import ModelForm
from bandari.serving.lifecycle import IN_PLACE_FIELDS, MEMORY_FIELDS
from bandari.serving.protocol import (
    EnvEntry,
    GatewayBody,
    ModelBody,
    Mount,
    ReplicaSetBody,
    RouteBody,
    SecretRef,
    plain,
)
from bandari.units import Cpu, Memory

SLOT_UTILIZATION = 0.7
"""Without a trigger a group aims at 70 % of its replicas' parallel slots, queue included."""
FIELD_VALUES = {"status.podIP": "127.0.0.1", "status.hostIP": "127.0.0.1", "spec.nodeName": "$(HOSTNAME)"}
MODEL_VOLUME = "model-data"
CONTAINER_PORT = 8000
"""The default of ReplicaSetBody.container_port: what a probe names to mean the replica itself."""

lowerings = Lowerings(local_ray.lowerings)


@lowerings.register(NodePool)
def node_pool(_pool: NodePool, _state: ResolvedState) -> Iterator[Resource]:
    """The host is the only node; whether it fits is a rule's business."""
    yield from ()


@lowerings.register(ModelServer)
def model_server(server: ModelServer, state: ResolvedState) -> Iterator[Resource]:
    """Its files, its processes, its route; files before processes, the gateway before all."""
    resolved = state.servers[server.name]
    group = Address("local", "group", server.name)
    after = {GATEWAY}
    if server.model:
        model = Address("local", "model", server.name)
        after.add(model)
        yield Resource(model, plain(_model(server.model, resolved)), origin=server.origin.at("model"))
    yield Resource(
        group,
        plain(_replica_set(resolved, state)),
        after=frozenset(after),
        secret=_secret_fields(server),
        origin=server.origin.span,
    )
    route = RouteBody(
        group=server.name,
        models=_names(server),
        namespace=state.state.target.namespace,
        public=server.is_public,
        stand_in=resolved.stand_in,
    )
    yield Resource(
        Address("local", "route", server.name),
        plain(route),
        after=frozenset({GATEWAY, group}),
        origin=server.origin.at("isPublic"),
    )


def foundation(state: ResolvedState) -> Iterator[Resource]:
    """The gateway stands in front of whatever there is, with a public listener only when a group or a service is
    public. Ray clusters and their jobs have no need of one.
    """
    local = state.state.target.local
    services = [item for item in state.state.workloads if isinstance(item, RayService)]
    if state.state.ray_clusters() and not (services or state.state.servers()):
        return
    public = any(server.is_public for server in state.state.servers()) or any(item.public for item in services)
    body = GatewayBody(
        port=local.port,
        public=public,
        public_address=local.public_address,
        public_port=local.public_port if public else None,
        tls_certificate=local.tls.certificate if local.tls and public else "",
        tls_key=local.tls.key if local.tls and public else "",
    )
    yield Resource(GATEWAY, plain(body), origin=local.origin.at("port"))


def _names(server: ModelServer) -> tuple[str, ...]:
    repo = server.model.hf_repo_id if server.model else ""
    return (server.name, repo) if repo else (server.name,)


def _model(model: ModelSource, resolved: ResolvedServer) -> ModelBody:
    form = resolved.runtime.model_form if resolved.runtime else ModelForm.FOLDER
    return ModelBody(
        repo=model.hf_repo_id,
        files=model.files,
        path=model.path,
        builtin=model.builtin,
        want=form.value,
        shared=model.use_model_store or not model.hf_repo_id,
    )


def _identity(model: ModelSource | None) -> str:
    if model is None:
        return ""
    if model.builtin:
        return f"builtin:{model.builtin}"
    return model.path or f"{model.hf_repo_id} {' '.join(model.files)}"


def _replica_set(resolved: ResolvedServer, state: ResolvedState) -> ReplicaSetBody:
    server, target = resolved.server, state.state.target
    serve = resolved.serve
    return ReplicaSetBody(
        group=server.name,
        command=(*serve.program, *serve.args),
        model=_identity(server.model),
        runtime=resolved.runtime.name if resolved.runtime else "command",
        engine=f"{resolved.engine} {resolved.engine_version}".strip(),
        namespace=target.namespace,
        env=_environment(resolved, state),
        readiness=_probe(server.readiness_probe) or serve.readiness,
        liveness=_probe(server.liveness_probe) or serve.liveness,
        mounts=_mounts(server),
        cpu=server.requests.cpu.cores if server.requests.cpu else DEFAULT_CPU,
        memory=server.requests.memory.bytes if server.requests.memory else DEFAULT_MEMORY,
        enforce_limits=server.local.enforce_limits,
        slots=serve.slots,
        scaling=_scaling(server.scaling, serve.slots),
        stand_in=resolved.stand_in,
        secrets_file=target.local.secrets_file if _secrets(server) else "",
    )


def _probe(probe: Probe | None) -> Probe | None:
    """A replica is given one port here, so whatever number its probes name, they follow the replica's own port."""
    if probe is None:
        return None
    http, tcp = probe.http_get, probe.tcp_socket
    if http and not http.host:
        return replace(probe, http_get=replace(http, port=CONTAINER_PORT))
    return replace(probe, tcp_socket=replace(tcp, port=CONTAINER_PORT)) if tcp and not tcp.host else probe


def _scaling(policy: ScalingPolicy, slots: int) -> ScalingPolicy:
    triggered = policy.resources or policy.queries or policy.concurrency
    fixed = policy.bounds.min == policy.bounds.max
    default = None if triggered or fixed else ConcurrencyTarget(round(SLOT_UTILIZATION * slots, 3))
    return ScalingPolicy(
        bounds=policy.bounds,
        resources=policy.resources,
        queries=policy.queries,
        concurrency=policy.concurrency or default,
        polling_interval=policy.polling_interval,
        cooldown=policy.cooldown,
        stabilization_down=policy.stabilization_down,
        stabilization_up=policy.stabilization_up,
        tolerance=policy.tolerance,
    )


def _environment(resolved: ResolvedServer, state: ResolvedState) -> tuple[EnvEntry, ...]:
    given = {name: EnvEntry(name, value) for name, value in resolved.serve.env.items()}
    for variable in resolved.server.env:
        if entry := _variable(variable, resolved.server, state):
            given[entry.name] = entry
    return tuple(given.values())


def _variable(variable: EnvVar, server: ModelServer, state: ResolvedState) -> EnvEntry | None:
    """None where the source is optional or unknown here (a rule has said so)."""
    target = state.state.target
    match variable.source:
        case None:
            return EnvEntry(variable.name, variable.value or "")
        case ValueSource.CONFIG_MAP:
            value = target.local.values.get(variable.ref, {}).get(variable.key)
            return None if value is None else EnvEntry(variable.name, value)
        case ValueSource.SECRET:
            return EnvEntry(variable.name, secret=_secret(variable, state))
        case ValueSource.FIELD:
            known = {**FIELD_VALUES, "metadata.namespace": target.namespace, "metadata.name": "$(REPLICA)"}
            return EnvEntry(variable.name, known[variable.key]) if variable.key in known else None
        case ValueSource.RESOURCE_FIELD:
            return _requested(variable, server)


def _secret(variable: EnvVar, state: ResolvedState) -> SecretRef:
    return SecretRef(variable.ref, variable.key, state.secret_digests.get((variable.ref, variable.key), ""))


def _requested(variable: EnvVar, server: ModelServer) -> EnvEntry | None:
    """In units of the divisor, rounded up, as Kubernetes does."""
    match variable.key:
        case "requests.cpu":
            asked = (server.requests.cpu or Cpu(round(DEFAULT_CPU * 1000))).millicores
            unit = Cpu.parse(variable.divisor or "1").millicores
        case "requests.memory":
            asked = (server.requests.memory or Memory(DEFAULT_MEMORY)).bytes
            unit = Memory.parse(variable.divisor or "1").bytes
        case _:
            return None
    return EnvEntry(variable.name, str(-(-asked // max(unit, 1))))


def _secrets(server: ModelServer) -> bool:
    return any(variable.source is ValueSource.SECRET for variable in server.env)


def _secret_fields(server: ModelServer) -> frozenset[tuple[str, ...]]:
    """Fields that print as `***`: credentials among variables and flags, and what is sent along to Prometheus."""
    hidden: set[tuple[str, ...]] = {
        ("env", f"[{v.name}]", "value")
        for v in server.env
        if is_secret_name(v.name) or (v.value and is_secret_value(v.value))
    }
    if any(is_secret_name(token.lstrip("-")) for token in (*server.command, *server.local.command)):
        hidden.add(("command",))
    if any(query.headers or query.query_parameters for query in server.scaling.queries):
        hidden.add(("scaling", "queries"))
    return frozenset(hidden)


def _mounts(server: ModelServer) -> tuple[Mount, ...]:
    volumes = {volume.name: volume for volume in server.volumes}
    return tuple(
        Mount(
            mount.name,
            source,
            mount.mount_path,
            mount.read_only,
            sub_path="" if source else _inner(mount),
            create=bool(volumes.get(mount.name)) and volumes[mount.name].body.get("type") == "DirectoryOrCreate",
        )
        for mount in server.volume_mounts
        if (source := _folder(mount.name, _inner(mount), volumes.get(mount.name))) is not None
    )


def _inner(mount: VolumeMount) -> str:
    return mount.sub_path or mount.sub_path_expr


def _folder(name: str, sub_path: str, volume: Volume | None) -> str | None:
    """The folder of this machine behind a volume; empty: a fresh one; None: none can be had (a rule has said so)."""
    if name == MODEL_VOLUME and volume is None:
        return posixpath.join("$(MODEL_DIR)", sub_path) if sub_path else "$(MODEL_DIR)"
    if volume is None:
        return None
    if volume.kind == "hostPath":
        return posixpath.join(str(volume.body.get("path", "")), sub_path) if sub_path else str(volume.body["path"])
    return "" if volume.kind == "emptyDir" else None


# --- consequences ---

IN_PLACE = "in place: nothing restarts"
ROLLING = "rolling restart: each new replica is ready before an old one drains"
UPDATES: Mapping[tuple[str, str], str] = {
    ("gateway", "port"): "the gateway moves to another port: open streams finish, clients need the new address",
    ("gateway", "public"): "the gateway restarts behind its sockets: open streams finish",
    **{("group", name): IN_PLACE for name in IN_PLACE_FIELDS},
    **{("group", name): "in place: counted from now on" for name in MEMORY_FIELDS},
    ("route", "public"): "in place: who may ask changes at once",
    ("route", ""): IN_PLACE,
    ("model", ""): "the new files are fetched first, then the group restarts replica by replica",
    ("group", "scaling"): "in place: the autoscaler uses it from its next decision",
    ("group", ""): ROLLING,
    ("gateway", ""): "the gateway restarts behind its sockets: open streams finish",
}
DELETES: Mapping[str, str] = {
    "group": "drains, then ends its processes",
    "route": "requests for it become 404",
    "model": "the files stay on disk for the next time",
    "gateway": "open streams finish, then the ports are free",
}


def consequence(change: Change, before: Mapping[str, Any]) -> str:
    """What a user will notice of a change."""
    kind = change.address.kind
    if kind in local_ray_changes.KINDS:
        return local_ray_changes.consequence(change, before)
    match change.action:
        case Action.NO_OP:
            return ""
        case Action.DELETE:
            return DELETES.get(kind, "")
        case Action.CREATE:
            return _created(kind, change.resource.body if change.resource else before)
        case Action.UPDATE:
            tops = dict.fromkeys(field.path[0] for field in change.fields)
            said = dict.fromkeys(UPDATES.get((kind, top), UPDATES[kind, ""]) for top in tops)
            limited = kind == "group" and change.resource is not None and change.resource.body.get("enforce_limits")
            return ROLLING if limited and MEMORY_FIELDS & tops.keys() else _strongest(tuple(said))


def _strongest(said: tuple[str, ...]) -> str:
    return next((text for text in said if not text.startswith("in place")), said[0] if said else "")


def _created(kind: str, body: Mapping[str, Any]) -> str:
    match kind:
        case "group":
            return _starts(body)
        case "model":
            return _fetches(body)
        case "gateway":
            return f"listens on 127.0.0.1:{body.get('port') or '(first free port from 8000)'}" + _public(body)
        case _:
            return "public: an API key is asked for" if body.get("public") else "private: this machine only, no key"


def _starts(body: Mapping[str, Any]) -> str:
    bounds = body.get("scaling", {}).get("bounds", {})
    low, high = bounds.get("min", 1), bounds.get("max", 1)
    count = "starts on the first request" if low == 0 else f"starts {low} replica{'s' if low > 1 else ''}"
    grows = f", up to {high} under load" if high > low else ""
    stands = f"; {body['stand_in']} answers in its place" if body.get("stand_in") else ""
    return f"{count}{grows}, on {body.get('engine') or 'its command'}{stands}"


def _fetches(body: Mapping[str, Any]) -> str:
    if body.get("builtin"):
        return "made by bandari, under 1 MB, random words"
    return f"reads {body['path']}" if body.get("path") else f"downloads from the hub: {body.get('repo')}"


def _public(body: Mapping[str, Any]) -> str:
    if not body.get("public"):
        return ""
    how = "TLS" if body.get("tls_certificate") else "plain HTTP"
    port = body.get("public_port") or "(first free port)"
    return f"; public on {body.get('public_address', '0.0.0.0')}:{port}, {how}, API key needed"


provider = Provider("local", lowerings, foundation, consequence)
