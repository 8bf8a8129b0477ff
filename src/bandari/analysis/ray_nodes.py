"""The head and the worker groups of a Ray cluster as one kind of thing, each with its place in the file. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bandari.desired.ray import HEAD, RayCluster, Shape, WorkerGroup
from bandari.diagnostics import Span


@dataclass(frozen=True, slots=True)
class Node:
    """One kind of node: the head (`group` is None), or a group's."""

    cluster: RayCluster
    shape: Shape
    group: WorkerGroup | None = None

    def __str__(self) -> str:
        return f"group {self.group.name!r}" if self.group else "the head"

    @property
    def name(self) -> str:
        """`head`, or the name of the group."""
        return self.group.name if self.group else HEAD

    def at(self, *path: str | int) -> Span:
        """The place of a field of the node, else the nearest around it."""
        return self.group.origin.at(*path) if self.group else self.cluster.origin.at("head_node", *path)

    def settings_at(self, *path: str | int) -> Span:
        """The place of a provider's setting of the node, which may stand with the cluster's."""
        return self.shape.passthrough.origin.at(*path) if self.shape.passthrough else self.at()


def nodes(cluster: RayCluster) -> Iterator[Node]:
    """The head, then the groups in the order of the file."""
    yield Node(cluster, cluster.head)
    yield from groups(cluster)


def groups(cluster: RayCluster) -> Iterator[Node]:
    """The worker groups, in the order of the file."""
    for group in cluster.groups:
        yield Node(cluster, group.shape, group)
