"""A machine type of a Ray cluster that no catalog has, or one of another cloud than the rest."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import Node, nodes
from bandari.analysis.ray_shapes import ResolvedRay
from bandari.analysis.subject import Subject
from bandari.catalog import match
from bandari.diagnostics import Diagnostic, warning

CODE = "BND778"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A warning only: clouds add machine types, and clusters define pod shapes of their own."""
    for resolved in subject.rays():
        for kind in nodes(resolved.cluster):
            machine = resolved.node(kind).hardware
            if not kind.shape.instance_type or kind.shape.required or (kind.group and resolved.cluster.auto_select):
                continue
            if machine is None:
                yield _unknown(kind, subject)
            elif machine.provider != resolved.provider:
                yield _foreign(kind, machine.provider, resolved)


def _unknown(kind: Node, subject: Subject) -> Diagnostic:
    name = kind.shape.instance_type
    near = match.nearest(name, subject.machines)
    return warning(
        CODE,
        kind.at("instance_type"),
        f"cannot find the machine type {name!r} of {kind}",
        why="neither AWS nor Google Cloud has it in the catalog, and it is no pod shape such as 8CPU-32GB",
        fix=f"did you mean {', '.join(near)}?" if near else "check the name in the cloud's list of machine types",
    )


def _foreign(kind: Node, provider: str, resolved: ResolvedRay) -> Diagnostic:
    clouds = {"aws": "AWS", "gcp": "Google Cloud", match.POD: "Kubernetes"}
    return warning(
        CODE,
        kind.at("instance_type"),
        f"cannot have {kind.shape.instance_type!r} of {clouds[provider]} in a cluster on {clouds[resolved.provider]}",
        why="all nodes of a cluster stand in one place, and its other machine types are of another",
        fix=f"use a machine type of {clouds[resolved.provider]}",
    )
