"""What does not fit in a workload file whose parts are well formed alone, and what has no effect here.

Each rule looks at the plain values, so that it speaks even where another part of the file is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bandari.diagnostics import Diagnostic, Related, Span, error, warning
from bandari.document import Document, Path
from bandari.specs.ray.clock import cron_problem, zone_problem
from bandari.specs.ray.workloads import Kind
from bandari.specs.shape import shown

LEGACY: Mapping[str, str] = {
    "runtime_env": "write its keys at the top: working_dir, requirements (for pip), env_vars, py_modules, excludes",
    "ray_serve_config": "write `applications:` with the entries of its `applications`",
    "cluster_env": "write image_uri with the image, or containerfile",
    "build_id": "write image_uri with the image",
    "compute_config_id": "write compute_config with a name:version, or the config itself",
    "project_id": "leave it out; it names a project of a hosted service",
    "cloud_id": "write cloud with the name of the cloud",
}
"""Keys of the older schema, and what stands for each in the current one."""
_HOSTED: Mapping[str, str] = {
    "project": "projects belong to a hosted service",
    "priority": "priorities belong to a hosted scheduler",
    "connections": "connections belong to a hosted service",
}
_NO_IMAGE = "no image_uri is given that it could be for"
_SERVES_OWN: Mapping[str, tuple[str, ...]] = {
    "http_options": ("host", "port", "root_path"),
    "grpc_options": ("port",),
}
_INSTALLERS = ("uv", "conda", "container", "image_uri")
"""Keys of a runtime_env beside which Ray takes no `pip`."""


def findings(document: Document, kind: Kind) -> Iterator[Diagnostic]:
    """Everything that does not fit, and everything without an effect."""
    base: Path = ("job_config",) if kind is Kind.SCHEDULE else ()
    value = document.value.get("job_config") if base else document.value
    if isinstance(value, dict):
        yield from _images(document, base, value)
        yield from _without_effect(document, base, value, kind)
        yield from _queue(document, base, value)
    if kind is Kind.SERVICE:
        yield from _applications(document)
        yield from _own_options(document)
    if kind is Kind.SCHEDULE:
        yield from _clock(document)


def legacy_keys(document: Document, base: Path, value: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """Keys of the older schema, each with what stands for it now."""
    for key, fix in LEGACY.items():
        if key in value:
            message = f"cannot read {key}: it is a key of the older schema of this file"
            why = "older and current keys do not mix; the hosted product refuses such a file, too"
            yield error("BND741", document.key_span((*base, key)), message, why=why, fix=fix)


def _images(document: Document, base: Path, value: Mapping[str, Any]) -> Iterator[Diagnostic]:
    if value.get("image_uri") and value.get("containerfile"):
        yield error(
            "BND742",
            document.key_span((*base, "containerfile")),
            "cannot use two images: image_uri and containerfile are both given",
            why="a containerfile is built into the image that runs",
            fix="keep one of them",
            related=[Related(document.key_span((*base, "image_uri")), "the other one")],
        )


def _without_effect(document: Document, base: Path, value: Mapping[str, Any], kind: Kind) -> Iterator[Diagnostic]:
    said = dict(_HOSTED)
    if kind is Kind.WORKSPACE:
        said["tags"] = "tags are kept for jobs and services"
    if value.get("image_uri") or value.get("containerfile"):
        said["ray_version"] = "the image brings its own Ray"
    if value.get("registry_login_secret") and not value.get("image_uri"):
        said["registry_login_secret"] = _NO_IMAGE
    for key, why in said.items():
        if value.get(key) is not None:
            message = f"cannot use {key}: it has no effect here"
            yield warning("BND746", document.key_span((*base, key)), message, why=why, fix="leave it out")


def _queue(document: Document, base: Path, value: Mapping[str, Any]) -> Iterator[Diagnostic]:
    queue = value.get("job_queue_config")
    if not isinstance(queue, dict):
        return
    place = document.key_span((*base, "job_queue_config"))
    given = [key for key in ("target_job_queue_name", "job_queue_spec") if queue.get(key) is not None]
    if len(given) != 1:
        message = (
            f"cannot tell the queue: {'both' if given else 'none'} of target_job_queue_name and job_queue_spec given"
        )
        why = "a job waits in a queue that exists, or in one that is made with it"
        yield error("BND755", place, message, why=why, fix="give one of them")


def _applications(document: Document) -> Iterator[Diagnostic]:
    applications = document.value.get("applications")
    names: dict[str, Span] = {}
    routes: dict[str, Span] = {}
    for index, application in enumerate(applications if isinstance(applications, list) else ()):
        if not isinstance(application, dict):
            continue
        path: Path = ("applications", index)
        name, route = application.get("name", "default"), application.get("route_prefix", "/")
        yield from _once(document, (*path, "name"), name, names, "name")
        yield from _once(document, (*path, "route_prefix"), route, routes, "route prefix")
        yield from _installers(document, path, application)


def _once(document: Document, path: Path, value: Any, seen: dict[str, Span], what: str) -> Iterator[Diagnostic]:
    if not isinstance(value, str):
        return
    place = document.span(path)
    if value in seen:
        yield error(
            "BND747",
            place,
            f"cannot serve two applications with the {what} {shown(value)}",
            why="Ray Serve tells applications apart by name and route prefix; without them both are `default` at `/`",
            fix=f"give this one a {what} of its own",
            related=[Related(seen[value], "the first one")],
        )
    seen.setdefault(value, place)


def _installers(document: Document, path: Path, application: Mapping[str, Any]) -> Iterator[Diagnostic]:
    environment = application.get("runtime_env")
    if not isinstance(environment, dict):
        return
    pip = (
        "pip of it"
        if environment.get("pip")
        else "requirements of the service"
        if document.value.get("requirements")
        else ""
    )
    other = next((key for key in _INSTALLERS if environment.get(key)), "")
    if pip and other:
        message = f"cannot install the {pip} beside runtime_env.{other}"
        why = "Ray takes one way to install packages in an environment"
        place = document.key_span((*path, "runtime_env", other))
        yield error("BND758", place, message, why=why, fix="write all packages in one of them")


def _own_options(document: Document) -> Iterator[Diagnostic]:
    for section, keys in _SERVES_OWN.items():
        options = document.value.get(section)
        given = options if isinstance(options, dict) else {}
        for key in keys:
            if key in given:
                message = f"cannot set {section}.{key}: the place where a service listens is not its own"
                why = "the gateway in front of it chooses addresses, ports and prefixes"
                yield error("BND749", document.key_span((section, key)), message, why=why, fix="leave it out")


def _clock(document: Document) -> Iterator[Diagnostic]:
    cron, zone = document.value.get("cron_expression"), document.value.get("timezone")
    if isinstance(cron, str) and cron.strip() and (reason := cron_problem(cron)):
        message = f"cannot take {shown(cron)} as cron_expression: {reason}"
        why = "its fields are minute, hour, day of month, month, day of week"
        fix = "write one such as '0 3 * * *', every day at three"
        yield error("BND750", document.span(("cron_expression",)), message, why=why, fix=fix)
    if isinstance(zone, str) and zone.strip():
        reason, fix = zone_problem(zone)
        if reason:
            message = f"cannot take {shown(zone)} as timezone: {reason}"
            yield error("BND751", document.span(("timezone",)), message, fix=fix)
