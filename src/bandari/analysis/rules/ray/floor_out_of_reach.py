"""A floor of the cluster that all groups at their maximum do not reach."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import groups
from bandari.analysis.ray_shapes import ResolvedRay
from bandari.analysis.subject import Subject
from bandari.analysis.words import amount
from bandari.diagnostics import Diagnostic, Related, error

CODE = "BND763"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Silent where a group's machines are not known; `floor_above_cap` has spoken of a floor above the cap."""
    for resolved in subject.rays():
        if all(node.hardware for node in resolved.groups.values()):
            yield from _floors(resolved)


def _floors(resolved: ResolvedRay) -> Iterator[Diagnostic]:
    cluster = resolved.cluster
    counts = any(value > 0 for value in resolved.head.resources.values())
    for name, floor in cluster.min_resources.items():
        own = resolved.head.amounts.get(name, 0.0) if counts else 0.0
        most = own + sum(g.nodes.max * resolved.groups[g.name].amounts.get(name, 0.0) for g in cluster.groups)
        if most >= floor or floor > cluster.max_resources.get(name, floor):
            continue
        giving = [kind for kind in groups(cluster) if resolved.groups[kind.name].amounts.get(name)]
        yield error(
            CODE,
            cluster.origin.at("min_resources", name),
            f"cannot keep {amount(name, floor)} {name}: all groups at their maximum have {amount(name, most)}",
            why="the floor is what the whole cluster never falls below, and no number of allowed nodes reaches it",
            fix=f"lower min_resources.{name} to {amount(name, most)} or less, or raise max_nodes",
            related=[Related(kind.at("max_nodes"), f"the maximum of {kind}") for kind in giving],
        )
