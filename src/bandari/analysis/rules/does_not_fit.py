"""A replica that is larger than any node it may run on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bandari.analysis.subject import Subject
from bandari.catalog.machines import MachineType
from bandari.desired.pools import NodePool, ResourceList
from bandari.desired.workloads import ModelServer, VectorStore
from bandari.diagnostics import Diagnostic, Related, Severity

CODE = "BND404"


@dataclass(frozen=True, slots=True)
class _Excess:
    """What is asked for and what there is; `hopeless`: more than the whole machine has, so no setting helps."""

    field: str
    asked: str
    there: str
    hopeless: bool


def check(subject: Subject) -> Iterator[Diagnostic]:
    """An error for more than the whole machine; a warning for more than Kubernetes leaves of it to pods."""
    for item in subject.state.workloads:
        if not isinstance(item, ModelServer | VectorStore):
            continue
        pool = subject.state.pool(item.pool)
        machines = subject.pool_machines(pool) if pool else ()
        if pool and machines and len(machines) == len(pool.instance_types):
            yield from _findings(item, pool, machines)


def _findings(item: ModelServer | VectorStore, pool: NodePool, machines: Sequence[MachineType]) -> Iterator[Diagnostic]:
    """Alternatives are judged by the one where the least is too large."""
    excesses = min((tuple(_excesses(item.requests, machine)) for machine in machines), key=len)
    for excess in excesses:
        yield Diagnostic(
            Severity.ERROR if excess.hopeless else Severity.WARNING,
            CODE,
            item.origin.at("resourceRequest", excess.field),
            f"cannot place a replica of {item.name!r} on its nodes: {excess.asked} is more than they have",
            why=f"{' or '.join(pool.instance_types)} has {excess.there}",
            help=f"ask for less in resourceRequest.{excess.field}, or use a larger machine type",
            related=(Related(pool.origin.at("nodeType"), "its nodes"),),
        )


def _excesses(asked: ResourceList, machine: MachineType) -> Iterator[_Excess]:
    if asked.cpu and asked.cpu > (free := machine.allocatable_cpu or machine.cpu):
        there = f"{machine.cpu} vCPU, of which pods can have {free}"
        yield _Excess("cpu", f"{asked.cpu} CPU", there, hopeless=asked.cpu > machine.cpu)
    if asked.memory and asked.memory > (room := machine.allocatable_memory or machine.memory):
        there = f"{machine.memory}, of which pods can have {room}"
        yield _Excess("memory", str(asked.memory), there, hopeless=asked.memory > machine.memory)
    count = machine.gpus.count if machine.gpus else 0
    if asked.gpu and asked.gpu > count:
        there = str(machine.gpus) if machine.gpus else "no GPU"
        yield _Excess("gpu", f"{asked.gpu} GPU{'s' if asked.gpu > 1 else ''}", there, hopeless=True)
