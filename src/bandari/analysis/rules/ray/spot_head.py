"""A head that is bought as spot by the provider's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bandari.analysis.ray_nodes import Node
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND766"
_SELECTORS: Mapping[str, str] = {
    "karpenter.sh/capacity-type": "spot",
    "eks.amazonaws.com/capacityType": "SPOT",
    "cloud.google.com/gke-spot": "true",
    "cloud.google.com/gke-preemptible": "true",
}


def check(subject: Subject) -> Iterator[Diagnostic]:
    """The format has no market for the head: it is on-demand, unless settings of the provider say otherwise."""
    for cluster in subject.state.ray_clusters():
        head = Node(cluster, cluster.head)
        where = _spot(head.shape.passthrough.body) if head.shape.passthrough else ()
        if not where:
            continue
        yield warning(
            CODE,
            head.settings_at(*where),
            f"cannot count on the head of {cluster.name!r}: its settings buy it as spot",
            why="with the head the cluster loses its state: every job and every actor of it is gone",
            fix="take it out, and set market_type on worker groups",
        )


def _spot(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The path of the setting that buys spot; empty when none does."""
    if _at(body, "InstanceMarketOptions", "MarketType") == "spot":
        return ("InstanceMarketOptions", "MarketType")
    for outer in ("instance_properties", "instanceProperties"):
        scheduling = _at(body, outer, "scheduling")
        if isinstance(scheduling, Mapping) and (
            scheduling.get("preemptible") is True or "SPOT" in map(str, scheduling.values())
        ):
            return (outer, "scheduling")
    selector = _at(body, "spec", "nodeSelector")
    chosen = selector if isinstance(selector, Mapping) else {}
    return next((("spec", "nodeSelector", key) for key, spot in _SELECTORS.items() if chosen.get(key) == spot), ())


def _at(body: Any, *path: str) -> Any:
    for key in path:
        body = body.get(key) if isinstance(body, Mapping) else None
    return body
