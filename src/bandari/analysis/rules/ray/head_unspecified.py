"""A head that says nothing of its shape, on a target that has no default for it."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import Node
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, error

CODE = "BND761"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """On Kubernetes a pod has the size that is asked for, and nothing else tells it."""
    for cluster in subject.state.ray_clusters():
        if cluster.head.instance_type or cluster.head.required:
            continue
        yield error(
            CODE,
            Node(cluster, cluster.head).at(),
            f"cannot size the head of {cluster.name!r} on Kubernetes: its shape is not given",
            why="a cloud has a default machine for a head; Kubernetes has none for a pod",
            fix="add head_node: {required_resources: {CPU: 8, memory: 32Gi}}, or a pod shape such as 8CPU-32GB",
        )
