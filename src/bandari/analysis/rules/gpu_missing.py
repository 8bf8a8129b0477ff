"""A group that asks for a GPU on nodes that have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND402"
SMALLEST: Mapping[str, str] = {"aws": "g4dn.xlarge", "gcp": "g2-standard-4"}
"""A small machine type with one GPU, by provider."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only for machine types that are known: an unknown one may have a GPU."""
    for server in subject.state.servers():
        machine = subject.machine(server)
        if machine is None or machine.gpus or not server.gpu:
            continue
        yield warning(
            CODE,
            server.origin.at("nodeType"),
            f"cannot give group {server.name!r} a GPU: {machine.name!r} has none",
            why=f"gpu.enabled asks for nodes with a GPU; {machine.name} is {machine.cpu} vCPU and {machine.memory}",
            fix=f"use a machine type with a GPU, such as {SMALLEST[machine.provider]}, or take gpu out",
        )
