"""A cluster that has nothing but GPU machines for tasks that ask for CPUs."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import groups
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND770"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Where some of them always run, CPU tasks have a place that is paid for anyway."""
    for resolved in subject.rays():
        kinds = list(groups(resolved.cluster))
        takes = resolved.head.resources.get("CPU", 0) > 0 or any(k.group and k.group.nodes.min for k in kinds)
        if takes or not kinds or not all(resolved.node(kind).has_gpu for kind in kinds):
            continue
        yield warning(
            CODE,
            kinds[0].at("instance_type"),
            f"cannot place a task that asks for CPUs alone in {resolved.cluster.name!r} but on a GPU machine",
            why="the head takes no tasks and every group has GPUs: each such task starts, and pays for, a GPU",
            fix="add a group without GPUs, or give the head CPUs",
        )
