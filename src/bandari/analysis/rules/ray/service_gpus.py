"""A service whose replicas need more GPUs than its cluster may ever have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bandari.analysis.ray_shapes import ResolvedRay
from bandari.analysis.subject import Subject
from bandari.desired.ray import RayService
from bandari.diagnostics import Diagnostic, Span, error, warning

CODE = "BND776"


@dataclass(frozen=True, slots=True)
class _Need:
    """GPUs of a deployment: of one replica, and how many replicas at least and at most."""

    name: str
    each: float
    least: int
    most: int
    span: Span


def check(subject: Subject) -> Iterator[Diagnostic]:
    """An error where the fewest replicas do not fit, a warning where only the most do not."""
    for service in subject.state.workloads:
        resolved = subject.ray.get(service.cluster) if isinstance(service, RayService) else None
        if resolved is None or not isinstance(service, RayService):
            continue
        needs = list(_needs(service))
        if needs and all(node.hardware for node in (resolved.head, *resolved.groups.values())):
            yield from _judged(service, needs, resolved)


def _judged(service: RayService, needs: list[_Need], resolved: ResolvedRay) -> Iterator[Diagnostic]:
    most = resolved.most("GPU")
    largest = max(node.resources.get("GPU", 0.0) for node in (resolved.head, *resolved.groups.values()))
    for need in needs:
        if need.each > largest:
            yield error(
                CODE,
                need.span,
                f"cannot place a replica of {need.name!r}: it asks for {need.each:g} GPUs, and no node has more "
                f"than {largest:g}",
                why="a replica runs on one node",
                fix="add a group with such nodes, or lower num_gpus",
            )
            return
    for say, count in ((error, sum(n.each * n.least for n in needs)), (warning, sum(n.each * n.most for n in needs))):
        if count > most:
            how = "at least" if say is error else "at its maximum"
            yield say(
                CODE,
                needs[0].span,
                f"cannot give service {service.name!r} {count:g} GPUs, which it needs {how}: "
                f"{resolved.cluster.name!r} has {most:g} at most",
                why="max_nodes and max_resources bound what the cluster may have",
                fix="raise them, or lower the number of replicas",
            )
            return


def _needs(service: RayService) -> Iterator[_Need]:
    for application in service.applications:
        for index, deployment in enumerate(application.deployments):
            options = deployment.get("ray_actor_options")
            each = options.get("num_gpus", 0) if isinstance(options, Mapping) else 0
            if isinstance(each, int | float) and each > 0:
                least, most = _replicas(deployment)
                span = application.origin.at("deployments", index)
                yield _Need(str(deployment.get("name", application.name)), float(each), least, most, span)


def _replicas(deployment: Mapping[str, Any]) -> tuple[int, int]:
    """Ray Serve's defaults: one replica; autoscaled from 1 to 1. https://docs.ray.io/en/latest/serve/autoscaling-guide.html"""
    scaling = deployment.get("autoscaling_config")
    if isinstance(scaling, Mapping):
        least = _whole(scaling.get("min_replicas"), 1)
        return least, max(least, _whole(scaling.get("max_replicas"), 1))
    count = _whole(deployment.get("num_replicas"), 1)
    return count, count


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
