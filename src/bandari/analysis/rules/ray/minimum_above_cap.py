"""Minimums of the groups that together are more than the cap of the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import Node, groups
from bandari.analysis.ray_shapes import ResolvedRay
from bandari.analysis.subject import Subject
from bandari.analysis.words import amount
from bandari.diagnostics import Diagnostic, Related, error

CODE = "BND762"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """The cap wins, so the groups would never have their minimum."""
    for resolved in subject.rays():
        for name in resolved.cluster.max_resources:
            yield from _cap(resolved, name)


def _cap(resolved: ResolvedRay, name: str) -> Iterator[Diagnostic]:
    cluster, cap = resolved.cluster, resolved.cluster.max_resources[name]
    own = cap - resolved.caps.get(name, cap)
    taking = [kind for kind in groups(cluster) if _least(kind, resolved, name) > 0]
    total = own + sum(_least(kind, resolved, name) for kind in taking)
    if total <= cap or not taking:
        return
    head = [f"the head {amount(name, own)}"] if own else []
    parts = [*head, *(f"{kind.name} {amount(name, _least(kind, resolved, name))}" for kind in taking)]
    yield error(
        CODE,
        cluster.origin.at("max_resources", name),
        f"cannot keep the minimums within {amount(name, cap)} {name}: they sum to {amount(name, total)}",
        why=f"what is always there has {', '.join(parts)}; the cap wins over min_nodes",
        fix=f"raise max_resources.{name} to {amount(name, total)}, or lower min_nodes",
        related=[Related(kind.at("min_nodes"), f"the minimum of {kind}") for kind in taking],
    )


def _least(kind: Node, resolved: ResolvedRay, name: str) -> float:
    assert kind.group
    return kind.group.nodes.min * resolved.groups[kind.group.name].amounts.get(name, 0.0)
