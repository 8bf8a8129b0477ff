"""A shape that is asked for and that no machine type has."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import nodes
from bandari.analysis.subject import Subject
from bandari.catalog import match
from bandari.diagnostics import Diagnostic, warning

CODE = "BND779"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """On Kubernetes a pod has any shape; TPUs stand in no catalog."""
    for resolved in subject.rays():
        for kind in nodes(resolved.cluster):
            shape = kind.shape.required
            if shape is None or shape.tpu or resolved.node(kind).like:
                continue
            reason = match.why_none(shape, subject.machines)
            if not reason:
                continue
            yield warning(
                CODE,
                kind.at("required_resources"),
                f"cannot find a machine type for {kind}: {reason}",
                why="a machine may have up to twice the CPUs and memory that are asked for, and exactly the GPUs",
                fix="ask for another shape, or name a machine type; a pod on Kubernetes may have any",
            )
