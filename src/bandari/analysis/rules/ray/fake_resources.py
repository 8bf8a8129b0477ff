"""Logical resources above what the machine has: more CPUs than it has, or a GPU that is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bandari.analysis.ray_nodes import Node, nodes
from bandari.analysis.subject import Subject
from bandari.analysis.words import amount
from bandari.catalog.machines import MachineType
from bandari.diagnostics import Diagnostic, warning

CODE = "BND765"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Allowed, as Ray only counts; above `required_resources` it is an error, said where the file is read."""
    for resolved in subject.rays():
        for kind in nodes(resolved.cluster):
            machine = (resolved.groups[kind.group.name] if kind.group else resolved.head).hardware
            if machine and kind.shape.instance_type:
                yield from _node(kind, machine)


def _node(kind: Node, machine: MachineType) -> Iterator[Diagnostic]:
    has: Mapping[str, float] = {
        "CPU": machine.cpu.cores,
        "GPU": float(machine.gpus.count if machine.gpus else 0),
        "memory": float(machine.memory.bytes),
    }
    for name, there in has.items():
        asked = (kind.shape.resources or {}).get(name, 0.0)
        if asked <= there:
            continue
        fake = name == "GPU" and there == 0
        has_words = amount(name, there) if there else "none"
        message = f"cannot find {amount(name, asked)} {name} on {machine.name}, which has {has_words}"
        yield warning(
            CODE,
            kind.at("resources", name),
            f"{message}: a fake GPU" if fake else message,
            why="Ray counts what it is told: tasks share what is really there"
            if not fake
            else "Ray counts what it is told: a task that asks for a GPU lands there and finds none",
            fix=f"write {amount(name, there)} or less, or use a larger machine; leave it if it is meant so",
        )
