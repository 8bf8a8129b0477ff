"""CPUs or GPUs of a node with a fraction: Ray counts whole ones."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import nodes
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND789"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Custom resources of a node may well be fractions; a task may ask for a fraction of anything."""
    for cluster in subject.state.ray_clusters():
        for kind in nodes(cluster):
            for name in ("CPU", "GPU"):
                given = (kind.shape.resources or {}).get(name, 0.0)
                if given == int(given):
                    continue
                yield warning(
                    CODE,
                    kind.at("resources", name),
                    f"cannot give {kind} {given:g} {name}: it gets {int(given)}",
                    why="a node has whole CPUs and GPUs; tasks may ask for fractions of them",
                    fix=f"write {int(given)} or {int(given) + 1}",
                )
