"""Settings of the cluster that a node loses because it has some of its own."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import Node, nodes
from bandari.analysis.subject import Subject
from bandari.desired.ray import Passthrough
from bandari.diagnostics import Diagnostic, Related, warning

CODE = "BND775"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """One replaces the other, they never merge; of settings that no node takes, whoever reads the file speaks."""
    for cluster in subject.state.ray_clusters():
        whole, kinds = cluster.settings, list(nodes(cluster))
        if whole is None or not any(kind.shape.passthrough == whole for kind in kinds):
            continue
        for kind in kinds:
            yield from _lost(kind, whole)


def _lost(kind: Node, whole: Passthrough) -> Iterator[Diagnostic]:
    own = kind.shape.passthrough
    keys = [key for key in whole.body if own and key not in own.body]
    if own is None or not keys:
        return
    yield warning(
        CODE,
        own.origin.span,
        f"cannot keep {', '.join(map(str, keys))} for {kind}: its settings replace those of the cluster",
        why="advanced_instance_config of a node replaces that of the cluster, and is never merged with it",
        fix=f"repeat {keys[0]} here, if the node is to have it",
        related=[Related(whole.origin.at(key), "this does not reach it") for key in keys],
    )
