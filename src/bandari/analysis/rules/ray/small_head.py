"""A head that is smaller than what clusters of any size ask of it."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import Node
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning
from bandari.units import Cpu, Memory

CODE = "BND760"
CPU = Cpu(8000)
MEMORY = Memory(30 * 2**30)
"""32 GB, which is 29.8 GiB."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A head that nobody sized is the target's own choice."""
    for resolved in subject.rays():
        head, machine = Node(resolved.cluster, resolved.cluster.head), resolved.head.hardware
        named = head.shape.instance_type or head.shape.required
        if machine is None or not named or (machine.cpu >= CPU and machine.memory >= MEMORY):
            continue
        field = "instance_type" if head.shape.instance_type else "required_resources"
        yield warning(
            CODE,
            head.at(field),
            f"cannot count on {resolved.head.machine} as a head of general use: it has {resolved.head.physical}",
            why="the head of a general cluster needs 8 CPUs and 32 GB: it keeps the state of all nodes and jobs",
            fix="use one such as m5.2xlarge or n2-standard-8, unless the cluster stays small",
        )
