"""Ray on this machine: clusters as an environment, a head and worker groups; services and schedules on them. Pure.

Jobs are no resources: they are submitted when their cluster is up, with `job_body`.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from bandari.analysis.ray_paths import is_file
from bandari.analysis.ray_shapes import RayNode, ResolvedRay
from bandari.analysis.resolve import ResolvedState
from bandari.catalog import ray_images
from bandari.desired.ray import (
    RayCluster,
    RayJob,
    RaySchedule,
    RayService,
    RuntimeEnvironment,
    ServeApplication,
    WorkerGroup,
)
from bandari.desired.secrets import is_secret_name, is_secret_value, mask_command
from bandari.planning.graph import Address, Resource
from bandari.providers import addresses
from bandari.providers.table import Lowerings
from bandari.serving.protocol import plain
from bandari.serving.ray.bodies import (
    RayApplicationBody,
    RayClusterBody,
    RayEnvironmentBody,
    RayGroupBody,
    RayJobBody,
    RayNodeBody,
    RayScheduleBody,
    RayServiceBody,
)

REPLACEMENT_AGE = "replacement_threshold"
DEFAULT_IDLE_TIMEOUT = 60.0
DEFAULT_REPLACEMENT_AGE = 3600.0
STEPS: Mapping[str, tuple[int, ...]] = {"in_place": (100,)}
"""Percent of the traffic that a new version of a service is given, by the strategy of its rollout."""
DEFAULT_STEPS = (10, 50, 100)
REGION = "local"

lowerings = Lowerings()


@lowerings.register(RayCluster)
def ray_cluster(cluster: RayCluster, state: ResolvedState) -> Iterator[Resource]:
    """Its environment, its head, its groups."""
    resolved = state.ray[cluster.name]
    environment = environment_of(resolved, state.ray_environments.get(cluster.name))
    yield Resource(
        addresses.ray_environment(cluster.name),
        plain(environment),
        secret=_hidden(environment.env, ("env",)) | _hidden_words(environment.requirements, ("requirements",)),
        origin=cluster.image.origin.span if cluster.image.origin.span.line else cluster.origin.span,
    )
    body = _cluster(resolved, environment, state.state.target.region or REGION)
    yield Resource(
        addresses.ray(cluster.name),
        plain(body),
        after=frozenset({addresses.ray_environment(cluster.name)}),
        secret=_hidden(body.env, ("env",)),
        origin=cluster.origin.at("head_node"),
    )
    for group in resolved.cluster.groups:
        yield Resource(
            addresses.ray_group(cluster.name, group.name),
            plain(_group(group, resolved, environment)),
            after=frozenset({addresses.ray(cluster.name)}),
            origin=group.origin.span,
        )


@lowerings.register(RayJob)
def ray_job(_job: RayJob, _state: ResolvedState) -> Iterator[Resource]:
    """Nothing that stays: a job is submitted when its cluster is up."""
    yield from ()


@lowerings.register(RaySchedule)
def ray_schedule(schedule: RaySchedule, state: ResolvedState) -> Iterator[Resource]:
    """Kept by the supervisor, so that it fires when nobody looks."""
    job = job_body(schedule.job)
    yield Resource(
        addresses.ray_schedule(schedule.name),
        plain(RayScheduleBody(schedule.job.cluster, job, schedule.cron, schedule.time_zone)),
        after=_whole(schedule.job.cluster, state),
        secret=_hidden(schedule.job.environment.env_vars, ("job", "environment", "env_vars"))
        | _hidden_words((job.entrypoint,), ("job", "entrypoint")),
        origin=schedule.origin.span,
    )


@lowerings.register(RayService)
def ray_service(service: RayService, state: ResolvedState) -> Iterator[Resource]:
    """Behind the gateway; its version is the one that the file names, else a digest of what it is and of its code."""
    applications = tuple(_application(application, service) for application in service.applications)
    body = RayServiceBody(
        service.name,
        service.cluster,
        applications,
        version=service.version or _digest([plain(applications), plain(service.options), _code(service, state)])[:8],
        public=service.public,
        steps=_steps(service.rollout),
        options=service.options,
    )
    yield Resource(
        addresses.ray_service(service.name),
        plain(body),
        after=frozenset({addresses.GATEWAY, *_whole(service.cluster, state)}),
        secret=frozenset(hidden for application in service.applications for hidden in _hidden_of(application)),
        origin=service.origin.span,
    )


def _code(service: RayService, state: ResolvedState) -> list[str]:
    """Digests of the code that the applications bring along: other code is another version."""
    environments = [application.environment for application in service.applications]
    paths = [path for environment in environments for path in (environment.working_dir, *environment.py_modules)]
    return [state.code.get(path, "") for path in paths]


def job_body(job: RayJob, folder: str = "") -> RayJobBody:
    """What is submitted for a job. Paths are made absolute from `folder`, unless they are already."""
    return RayJobBody(
        cluster=job.cluster,
        entrypoint=job.entrypoint,
        name=job.name,
        environment=runtime_env(job.environment, folder),
        max_retries=job.max_retries,
        timeout=job.timeout,
        metadata=dict(job.tags),
    )


def runtime_env(environment: RuntimeEnvironment, folder: str = "") -> dict[str, Any]:
    """Ray's `runtime_env`, without what is not said. https://docs.ray.io/en/latest/ray-core/handling-dependencies.html"""
    said: dict[str, Any] = {
        "working_dir": _absolute(environment.working_dir, folder),
        "excludes": list(environment.excludes),
        "pip": _requirements(environment.requirements, folder),
        "py_modules": [_absolute(module, folder) for module in environment.py_modules],
        "env_vars": dict(environment.env_vars),
        "py_executable": environment.py_executable,
    }
    return {**environment.more, **{key: value for key, value in said.items() if value}}


def environment_of(resolved: ResolvedRay, known: Mapping[str, Any] | None = None) -> RayEnvironmentBody:
    """The Python environment of a cluster's nodes; without a digest it is bandari's own, as it is."""
    if known is not None:
        copies = tuple((str(source), str(target)) for source, target in known.get("copies", ()))
        lines = tuple(known.get("requirements", ()))
        return RayEnvironmentBody(**{**known, "copies": copies, "requirements": lines})
    image = resolved.cluster.image
    tag = ray_images.parse(image.uri) if image.uri else None
    ray = tag.ray if tag else image.ray_version
    python = (tag.python if tag else "") or image.python_version
    said = [ray, python, image.uri, image.containerfile, list(image.requirements), dict(image.env)]
    return RayEnvironmentBody(
        cluster=resolved.cluster.name,
        ray=ray,
        python=python,
        cuda=(tag.cuda if tag else "") or image.cuda_version,
        image=image.uri or image.containerfile,
        requirements=image.requirements,
        env=image.env,
        digest=_digest(said)[:16] if any(said) else "",
    )


# --- bodies -----------------------------------------------------------------------------------------------------------


def _cluster(resolved: ResolvedRay, environment: RayEnvironmentBody, region: str) -> RayClusterBody:
    cluster = resolved.cluster
    return RayClusterBody(
        cluster=cluster.name,
        head=node_body(resolved.head),
        ray=environment.ray or resolved.own_ray,
        python=environment.python,
        environment=environment.digest,
        env=environment.env,
        autoscaled=cluster.autoscaled,
        min_resources=cluster.min_resources,
        max_resources=cluster.max_resources,
        zones=cluster.zones,
        cross_zone=cluster.cross_zone,
        region=region,
        idle_timeout=DEFAULT_IDLE_TIMEOUT if cluster.idle_termination is None else cluster.idle_termination,
        idle_limit=cluster.cluster_idle_limit or None,
        uptime_limit=cluster.uptime_limit or None,
        replacement_age=float(cluster.flags.get(REPLACEMENT_AGE, DEFAULT_REPLACEMENT_AGE)),
        alternatives=len(cluster.alternatives),
    )


def _group(group: WorkerGroup, resolved: ResolvedRay, environment: RayEnvironmentBody) -> RayGroupBody:
    return RayGroupBody(
        cluster=resolved.cluster.name,
        group=group.name,
        node=node_body(resolved.groups[group.name]),
        min=group.nodes.min,
        max=group.nodes.max,
        market=group.market.value,
        environment=environment.digest,
    )


def node_body(node: RayNode) -> RayNodeBody:
    """A kind of node with what it gets here."""
    return RayNodeBody(
        resources=node.resources,
        labels=node.labels,
        memory=round(node.memory * node.scale),
        object_store_memory=round(node.object_store * node.scale),
        machine=node.machine,
        physical=node.physical,
        scale=node.scale,
        usd_per_hour=node.price.usd_per_hour if node.price else 0.0,
    )


def _application(application: ServeApplication, service: RayService) -> RayApplicationBody:
    config: dict[str, Any] = {"import_path": application.import_path, **application.more}
    if environment := runtime_env(application.environment):
        config["runtime_env"] = environment
    if application.args:
        config["args"] = dict(application.args)
    if application.deployments:
        config["deployments"] = [dict(deployment) for deployment in application.deployments]
    if logging := service.options.get("logging_config"):
        config.setdefault("logging_config", logging)
    return RayApplicationBody(application.name, application.route_prefix, config)


def _steps(rollout: Mapping[str, Any]) -> tuple[int, ...]:
    """A `canary_percent` is where a rollout holds first."""
    canary = rollout.get("canary_percent")
    if isinstance(canary, int) and 0 < canary < 100:
        return (canary, 100)
    return STEPS.get(str(rollout.get("strategy", "")).lower(), DEFAULT_STEPS)


def _whole(cluster: str, state: ResolvedState) -> frozenset[Address]:
    """A cluster with all of its groups."""
    groups = state.ray[cluster].cluster.groups
    return frozenset({addresses.ray(cluster), *(addresses.ray_group(cluster, group.name) for group in groups)})


def _hidden(values: Mapping[str, str], path: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """Variables that hold a credential."""
    named = (name for name, value in values.items() if is_secret_name(name) or is_secret_value(value))
    return frozenset((*path, name) for name in named)


def _hidden_words(words: tuple[str, ...], path: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    """The whole field, where one of its words holds a credential: `--token=x`, a URL with a password."""
    return frozenset({path} if any(mask_command(word) != word for word in words) else ())


def _hidden_of(application: ServeApplication) -> frozenset[tuple[str, ...]]:
    config = ("applications", f"[{application.name}]", "config")
    arguments = {name: value for name, value in application.args.items() if isinstance(value, str)}
    variables = _hidden(application.environment.env_vars, (*config, "runtime_env", "env_vars"))
    return variables | _hidden(arguments, (*config, "args"))


def _requirements(lines: tuple[str, ...], folder: str) -> list[str] | str:
    """Ray takes a list, or the path of a file."""
    return _absolute(lines[0], folder) if is_file(lines) else list(lines)


def _absolute(path: str, folder: str) -> str:
    if not path or not folder or "://" in path:
        return path
    return posixpath.normpath(posixpath.join(folder, path))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
