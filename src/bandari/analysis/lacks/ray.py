"""What this machine lacks of Ray clusters and of what runs on them, and what is played here instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bandari.analysis import ray_shapes
from bandari.analysis.lacks.here import Here, NotServed
from bandari.analysis.lacks.sections import RAY
from bandari.analysis.ray_nodes import Node, nodes
from bandari.analysis.ray_shapes import ResolvedRay
from bandari.catalog.machines import Machines
from bandari.desired.ray import RayCluster, RayJob, RaySchedule, RayService
from bandari.diagnostics import Span, warning

UNSIZED = "BND780"
WAITS = "BND781"
SIMULATED = "BND782"
QUEUE = "BND783"
ALTERNATIVES = "BND784"
NO_RAY = "BND785"
TOO_MANY = "BND787"
NO_EFFECT = "BND788"
PROVIDERS = {"aws": "AWS", "gcp": "Google Cloud", "kubernetes": "Kubernetes"}
HEAD_PROCESSES = 700 * 2**20
NODE_PROCESSES = 240 * 2**20
"""Bytes that Ray's own processes take on a head with a dashboard and on a worker; measured with Ray 2.60."""
USED_FLAGS = frozenset({"replacement_threshold"})
"""Flags that mean something here. Those that are fields have left `flags`."""
NODE_FLAGS = "flags of a node"
OPTIONS_OF_THE_MACHINE: Mapping[str, str] = {
    "grpc_options": "the gateway speaks HTTP",
    "proxy_location": "one proxy runs, on the head",
    "ray_gcs_external_storage_config": "the head keeps its state in a Redis of its own in any case",
}


def check(here: Here, machines: Machines) -> Iterator[NotServed]:
    """Of all Ray clusters, jobs and schedules of the state."""
    clusters = here.state.ray_clusters()
    if clusters and "ray" not in here.host.engines:
        yield _no_ray(clusters[0])
    for cluster in clusters:
        share = ray_shapes.share(here.state, here.host.memory)
        resolved = ray_shapes.resolve(cluster, machines, memory=share)
        yield from _cluster(resolved, here)
    for item in here.state.workloads:
        job = item.job if isinstance(item, RaySchedule) else item
        if isinstance(job, RayJob) and job.queue:
            yield _queue(job)
        if isinstance(item, RayService):
            yield from _service_options(item)


def _cluster(resolved: ResolvedRay, here: Here) -> Iterator[NotServed]:
    kinds = list(nodes(resolved.cluster))
    for kind in kinds:
        if _of(kind, resolved).hardware is None and not kind.shape.resources:
            yield _unsized(kind)
    yield from _passthroughs(kinds)
    yield from _gpus(resolved, here)
    yield from _flags(resolved.cluster, kinds)
    yield from _too_many(resolved, here)
    if resolved.cluster.alternatives:
        yield _alternatives(resolved.cluster)


def _of(kind: Node, resolved: ResolvedRay) -> ray_shapes.RayNode:
    return resolved.groups[kind.group.name] if kind.group else resolved.head


def _note(code: str, span: Span, message: str, *, why: str, fix: str) -> NotServed:
    return NotServed(warning(code, span, message, why=why, fix=fix), RAY, skip=RAY, blocking=False)


def _block(code: str, span: Span, message: str, *, why: str, fix: str) -> NotServed:
    return NotServed(warning(code, span, message, why=why, fix=fix), RAY, skip=RAY)


def _no_ray(cluster: RayCluster) -> NotServed:
    return _block(
        NO_RAY,
        cluster.origin.span,
        f"cannot run the Ray cluster {cluster.name!r} here: Ray is not installed",
        why="its nodes are real Ray processes, started with the Ray of bandari's own environment",
        fix="pip install 'bandari[ray]'",
    )


def _unsized(kind: Node) -> NotServed:
    name = kind.shape.instance_type
    return _block(
        UNSIZED,
        kind.at("instance_type"),
        f"cannot size {kind} here: the machine type {name!r} is not known, and no resources are given",
        why="what Ray may schedule on a node comes from its machine type or from `resources`",
        fix="add resources, such as {CPU: 8}, or name a machine type that is known",
    )


def _passthroughs(kinds: Iterable[Node]) -> Iterator[NotServed]:
    """One line for each setting that stands in the file, however many nodes have it."""
    seen: set[Span] = set()
    for kind in kinds:
        passed = kind.shape.passthrough
        if passed is None or passed.origin.span in seen:
            continue
        seen.add(passed.origin.span)
        provider = PROVIDERS.get(passed.provider, "a provider that knows them")
        yield _note(
            WAITS,
            passed.origin.span,
            f"cannot use the settings {_listed(passed.body)} here: they wait for {provider}",
            why="they are settings of a cloud's machines or of pods; nothing of them is lost",
            fix=f"nothing to do here; they apply with --target {passed.provider or 'aws, gcp or kubernetes'}",
        )


def _listed(keys: Iterable[str]) -> str:
    names = [str(key) for key in keys]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _gpus(resolved: ResolvedRay, here: Here) -> Iterator[NotServed]:
    """Accelerators are counted and labelled as declared, whatever this machine has."""
    names = [kind for kind in nodes(resolved.cluster) if _accelerated(_of(kind, resolved))]
    if not names:
        return
    has = here.gpus()
    there = f"this machine has {has}, and all nodes share them" if has else "this machine has none"
    yield _note(
        SIMULATED,
        names[0].at("instance_type"),
        f"cannot give real accelerators to {', '.join(str(kind) for kind in names)}: {there}",
        why="Ray counts and labels them as declared, so tasks land where they should; they compute on what is here",
        fix="run code that needs the device on a machine that has it",
    )


def _accelerated(node: ray_shapes.RayNode) -> bool:
    return any(node.resources.get(name, 0) for name in ("GPU", "TPU"))


def _flags(cluster: RayCluster, kinds: Iterable[Node]) -> Iterator[NotServed]:
    found = {flag: cluster.origin.at("flags", flag) for flag in cluster.flags if flag not in USED_FLAGS}
    for kind in kinds:
        found |= {flag: kind.at("flags", flag) for flag in kind.shape.flags if flag not in USED_FLAGS}
        found |= {"cloud_deployment": kind.at("cloud_deployment")} if kind.shape.machine_pool else {}
        reserved = ray_shapes.RESERVED & (kind.shape.resources or {}).keys()
        found |= {key: kind.at("resources", key) for key in sorted(reserved)}
    for flag, span in found.items():
        yield _note(
            NO_EFFECT,
            span,
            f"cannot apply {flag!r} here: it is a setting of machines that are bought",
            why="it is kept for the targets that have a use for it",
            fix="nothing to do here; it applies where nodes are bought",
        )


def _too_many(resolved: ResolvedRay, here: Here) -> Iterator[NotServed]:
    """By what Ray's own processes take, which no scale makes smaller."""
    room = here.host.memory.bytes
    least = 1 + sum(group.nodes.min for group in resolved.cluster.groups)
    for count, blocking in ((least, True), (resolved.nodes_at_maximum, False)):
        need = HEAD_PROCESSES + (count - 1) * NODE_PROCESSES
        if need <= room:
            continue
        fits = max(0, 1 + (room - HEAD_PROCESSES) // NODE_PROCESSES)
        say = _block if blocking else _note
        yield say(
            TOO_MANY,
            resolved.cluster.origin.at("worker_nodes"),
            f"cannot hold {count} nodes of {resolved.cluster.name!r} here at once: about {fits} fit",
            why=f"Ray's own processes take {need / 2**30:.1f} GiB, and this machine has {room / 2**30:.1f}",
            fix="lower min_nodes" if blocking else "lower max_nodes or max_resources, or leave it: demand decides",
        )
        return


def _alternatives(cluster: RayCluster) -> NotServed:
    count = len(cluster.alternatives)
    return _note(
        ALTERNATIVES,
        cluster.origin.span,
        f"cannot choose among {count + 1} configs here: the first one runs",
        why="they are one for each resource of a cloud, and this machine is one resource",
        fix="put the config that is to run here first",
    )


def _service_options(service: RayService) -> Iterator[NotServed]:
    """Of a service, what the gateway and the head of this machine decide by themselves."""
    found: list[tuple[str, ...]] = [(key,) for key in OPTIONS_OF_THE_MACHINE if service.options.get(key)]
    http = service.options.get("http_options")
    found += [("http_options", key) for key in (http if isinstance(http, dict) else {}) if key.startswith("ssl_")]
    for path in found:
        yield _note(
            NO_EFFECT,
            service.origin.at(*path),
            f"cannot apply {'.'.join(path)!r} here: {OPTIONS_OF_THE_MACHINE.get(path[0], 'the gateway has the TLS')}",
            why="it is kept for the targets that have a use for it",
            fix="nothing to do here",
        )


def _queue(job: RayJob) -> NotServed:
    return _note(
        QUEUE,
        job.origin.at("job_queue_config"),
        f"cannot put job {job.name!r} in a queue here: it is submitted at once",
        why="job queues are a service of the hosted product; Ray runs jobs side by side",
        fix="nothing to do here; submit jobs one after the other, if they must not meet",
    )
