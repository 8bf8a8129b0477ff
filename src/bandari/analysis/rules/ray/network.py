"""What binds nodes to one zone: placement groups and EFA. Shared by the rules on zones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bandari.analysis.ray_nodes import nodes
from bandari.desired.ray import RayCluster
from bandari.diagnostics import Span


def bound(cluster: RayCluster) -> Iterator[tuple[str, Span]]:
    """What it is, in words, and its place; each setting once."""
    seen: set[Span] = set()
    for kind in nodes(cluster):
        body = kind.shape.passthrough.body if kind.shape.passthrough else {}
        for words, path in _settings(body):
            span = kind.settings_at(*path)
            if span not in seen:
                seen.add(span)
                yield words, span


def efa_flag(cluster: RayCluster) -> Iterator[tuple[str, Span]]:
    """The flag, unless it says no device."""
    efa = cluster.flags.get("efa_config")
    if isinstance(efa, Mapping) and efa.get("device_count") != 0:
        yield "EFA", cluster.origin.at("flags", "efa_config")


def _settings(body: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    placement = body.get("Placement")
    if isinstance(placement, Mapping) and placement.get("GroupName"):
        yield f"placement group {placement['GroupName']!r}", ("Placement", "GroupName")
    interfaces = body.get("NetworkInterfaces")
    for index, interface in enumerate(interfaces if isinstance(interfaces, list | tuple) else ()):
        if isinstance(interface, Mapping) and str(interface.get("InterfaceType", "")).startswith("efa"):
            yield "EFA", ("NetworkInterfaces", index, "InterfaceType")
            return
