"""Pairs of numbers that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.diagnostics import Diagnostic, Related, error
from bandari.specs.meaning.subject import Item, Subject

_NODES = ("minNodes", "maxNodes")
_INSTANCES = ("minInstances", "maxInstances")
_ON_DEMAND = ("baseInstances", "maxOnDemandInstances")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A minimum above its maximum shows both lines."""
    for item, (low, high) in _pairs(subject):
        fewest, most = item.whole(low), item.whole(high)
        if fewest is not None and most is not None and fewest > most:
            yield error(
                "BND308",
                item.span(low),
                f"cannot have {low} {fewest} above {high} {most}",
                why="no count satisfies both",
                fix=f"set {low} to {most} or less, or {high} to {fewest} or more",
                related=[Related(item.span(high), f"{high} stands here")],
            )


def _pairs(subject: Subject) -> Iterator[tuple[Item, tuple[str, str]]]:
    target = subject.target
    if cluster := target.inner("cluster"):
        yield cluster, _NODES
    for group in target.items("modelGroups"):
        yield group, _INSTANCES
    for mixed in target.items("mixedModelGroups"):
        yield mixed, _ON_DEMAND
        if spot := mixed.inner("spot"):
            yield spot, _INSTANCES
    for nodes in subject.node_groups():
        yield nodes, _INSTANCES
