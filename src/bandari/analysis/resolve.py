"""Desired state + what the target has -> resolved state: which engine serves each group, and with what. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bandari.analysis import ray_paths, ray_shapes
from bandari.analysis.ray_shapes import ResolvedRay
from bandari.catalog.host import Host
from bandari.catalog.machines import NONE as NO_MACHINES
from bandari.catalog.machines import Machines
from bandari.desired.ray import RayCluster, RayJob, RaySchedule, RayService
from bandari.desired.state import DesiredState, Tls, Workload
from bandari.desired.workloads import LocalOptions, ModelServer, ModelSource
from bandari.runtimes.protocol import ServeCommand, ServeRequest, ServingRuntime

STAND_IN_IMAGE = "ghcr.io/ggml-org/llama.cpp:server"
DEFAULT_CPU = 1.0
DEFAULT_MEMORY = 2**30
"""What a replica asks for when the file does not say: 1 core, 1 GiB (the original's defaults)."""


@dataclass(frozen=True, slots=True)
class ResolvedServer:
    """A group with the engine that will serve it; `engine_version` is empty when the engine is not here."""

    server: ModelServer
    runtime: ServingRuntime | None
    engine: str
    engine_version: str
    serve: ServeCommand
    stand_in: str = ""


@dataclass(frozen=True, slots=True)
class ResolvedState:
    """`secret_digests`: (secret, key) -> keyed digest of its value: a plan sees a change, never the value."""

    state: DesiredState
    servers: Mapping[str, ResolvedServer] = field(default_factory=dict)
    secret_digests: Mapping[tuple[str, str], str] = field(default_factory=dict)
    ray: Mapping[str, ResolvedRay] = field(default_factory=dict)
    """The Ray clusters by name, their nodes scaled to this machine."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Path of a folder of code (or of one file) -> digest of what is in it."""
    ray_environments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Ray cluster -> what `providers.ray_environment` made of its image and its files, as plain data. Where there is
    none, the name of the image alone tells.
    """


def anchor(state: DesiredState, folder: str) -> DesiredState:
    """The state with every path of this machine absolute; relative ones stand relative to the cluster file's folder."""

    def absolute(path: str) -> str:
        return posixpath.normpath(posixpath.join(folder, path)) if path else ""

    local = state.target.local
    tls = Tls(absolute(local.tls.certificate), absolute(local.tls.key)) if local.tls else None
    local = replace(local, secrets_file=absolute(local.secrets_file), tls=tls)
    workloads = tuple(_anchored(w, absolute) for w in state.workloads)
    return replace(state, target=replace(state.target, local=local), workloads=workloads)


def _anchored(item: Workload, absolute: Callable[[str], str]) -> Workload:
    match item:
        case ModelServer():
            return _server_anchored(item, absolute)
        case RayCluster() | RayJob() | RaySchedule() | RayService():
            return ray_paths.anchored(item, absolute)
    return item


def _server_anchored(server: ModelServer, absolute: Callable[[str], str]) -> ModelServer:
    model = replace(server.model, path=absolute(server.model.path)) if server.model else None
    volumes = tuple(
        replace(v, body={**v.body, "path": absolute(str(v.body.get("path", "")))}) if v.kind == "hostPath" else v
        for v in server.volumes
    )
    return replace(server, model=model, volumes=volumes)


def skip(state: DesiredState, sections: frozenset[str], section_of: Callable[[Workload], str]) -> DesiredState:
    """The state without the workloads of some sections."""
    kept = tuple(w for w in state.workloads if section_of(w) not in sections)
    return replace(state, workloads=kept)


def stand_in(server: ModelServer, builtin: str) -> ModelServer:
    """The group served by a built-in model: its own name, route and scaling, but nothing that only its image needs."""
    return replace(
        server,
        image=STAND_IN_IMAGE,
        model=ModelSource(builtin=builtin),
        command=(),
        env=(),
        volumes=(),
        volume_mounts=(),
        readiness_probe=None,
        liveness_probe=None,
        requests=replace(server.requests, cpu=None, memory=None, gpu=None),
        gpu=False,
        local=LocalOptions(),
    )


def resolve(
    state: DesiredState,
    *,
    host: Host,
    runtime_for: Callable[[str], ServingRuntime | None],
    stand_ins: Mapping[str, str],
    secret_digests: Mapping[tuple[str, str], str],
    machines: Machines = NO_MACHINES,
    code: Mapping[str, str] | None = None,
) -> ResolvedState:
    """`stand_ins`: name of a group -> name of the built-in model that serves it here."""
    workloads = tuple(
        stand_in(w, stand_ins[w.name]) if isinstance(w, ModelServer) and w.name in stand_ins else w
        for w in state.workloads
    )
    served = replace(state, workloads=workloads)
    host = replace(host, gpus=0) if state.target.local.gpu is False else host
    servers = {
        server.name: _server(server, host, runtime_for(server.image), stand_ins.get(server.name, ""))
        for server in served.servers()
    }
    ray = {
        cluster.name: replace(
            ray_shapes.resolve(cluster, machines, memory=ray_shapes.share(served, host.memory)),
            own_ray=host.engines.get("ray", ""),
        )
        for cluster in served.ray_clusters()
    }
    return ResolvedState(served, servers, secret_digests, ray, code or {})


def _server(server: ModelServer, host: Host, runtime: ServingRuntime | None, builtin: str) -> ResolvedServer:
    if server.local.command or runtime is None:
        serve = ServeCommand(program=server.local.command, args=())
        return ResolvedServer(server, None, "command", "", serve)
    engine = server.local.engine or next((e for e in runtime.engines if e in host.engines), runtime.engines[0])
    request = ServeRequest(
        served_name=server.name,
        command=server.command,
        has_model=server.model is not None,
        gpus=_gpus(server, host),
        cpu=server.requests.cpu.cores if server.requests.cpu else DEFAULT_CPU,
        repo=server.model.hf_repo_id if server.model else "",
    )
    return ResolvedServer(
        server,
        runtime,
        engine,
        host.engines.get(engine, ""),
        runtime.local(request, engine) if engine in runtime.engines else runtime.serve(request),
        f"builtin:{builtin}" if builtin else "",
    )


def _gpus(server: ModelServer, host: Host) -> int:
    if not server.gpu:
        return 0
    return min(host.gpus, server.requests.gpu) if server.requests.gpu else host.gpus
