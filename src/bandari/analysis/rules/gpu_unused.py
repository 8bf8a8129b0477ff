"""Nodes with a GPU under a group that does not ask for it."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.catalog.machines import MachineType
from bandari.diagnostics import Diagnostic, warning

CODE = "BND401"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Says what the idle GPU costs where the price is known."""
    for server in subject.state.servers():
        machine = subject.machine(server)
        if machine is None or machine.gpus is None or server.gpu:
            continue
        yield warning(
            CODE,
            server.origin.at("nodeType"),
            f"cannot use the GPU of {machine.name!r}: group {server.name!r} does not ask for it",
            why=f"{machine.name} has {machine.gpus}{_cost(machine)}; without gpu.enabled a replica runs on the CPU",
            fix="add gpu: {enabled: true} and an image built for GPUs, or use a machine type without one",
        )


def _cost(machine: MachineType) -> str:
    price = machine.price
    return f" and costs {price.usd_per_hour:g} USD/h ({price.region}, {price.date})" if price else ""
