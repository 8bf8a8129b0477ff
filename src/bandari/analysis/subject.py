"""What a rule looks at: the desired state beside the facts that it is judged by. Pure, and shared by all rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bandari.analysis.ray_shapes import ResolvedRay
from bandari.catalog.machines import Machines, MachineType
from bandari.desired.pools import NodePool
from bandari.desired.scaling import ExternalTrigger
from bandari.desired.state import DesiredState
from bandari.desired.workloads import ModelServer
from bandari.diagnostics import Origin, Span
from bandari.runtimes.protocol import ServingRuntime

CONTAINER_PORT = 8000
"""The port that every replica listens on in its container; a command's own is replaced by it."""
MODEL_VOLUME = "model-data"
"""The one volume that every group has without declaring it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A state, the machine types and the runtimes that are known, and what the nodes of its Ray clusters are."""

    state: DesiredState
    machines: Machines
    runtimes: Sequence[ServingRuntime]
    ray: Mapping[str, ResolvedRay] = field(default_factory=dict)
    """By name of the cluster; nothing in it is scaled."""

    def rays(self) -> tuple[ResolvedRay, ...]:
        """The Ray clusters, in the order of the file."""
        return tuple(self.ray.values())

    def runtime(self, server: ModelServer) -> ServingRuntime | None:
        """The runtime of the group's image; None for an image that no runtime recognises."""
        return recognise(server.image, self.runtimes)

    def machine(self, server: ModelServer) -> MachineType | None:
        """The machine type of the group's nodes; None when it is not known, or the group has no nodes of its own."""
        pool = self.state.pool(server.pool)
        name = server.node_type or (pool.instance_types[0] if pool and pool.instance_types else "")
        return self.machines.get(name)

    def pool_machines(self, pool: NodePool) -> tuple[MachineType, ...]:
        """The known ones among the machine types of a pool."""
        return tuple(machine for name in pool.instance_types if (machine := self.machines.get(name)))


def recognise(image: str, runtimes: Iterable[ServingRuntime]) -> ServingRuntime | None:
    """The first runtime that the image belongs to."""
    return next((runtime for runtime in runtimes if runtime.recognises(image)), None)


def query_at(origin: Origin, occurrence: int, key: str) -> Span:
    """The place of `key` in the metadata of the prometheus trigger number `occurrence`, from 0.

    A policy keeps its targets by kind and not by their index in the file: the triggers meant are those that have both
    a `serverAddress` and a `query`.
    """
    having = [index for index, keys in _metadata_keys(origin).items() if {"serverAddress", "query"} <= keys]
    if occurrence >= len(having):
        return origin.at("autoScaleTriggers")
    return origin.at("autoScaleTriggers", having[occurrence], "metadata", key)


def external_at(origin: Origin, trigger: ExternalTrigger) -> Span:
    """The place of a passed-through trigger: the first whose metadata has the same keys."""
    same = [index for index, keys in _metadata_keys(origin).items() if keys == set(trigger.metadata)]
    path = ("autoScaleTriggers", same[0], "type") if same else ("autoScaleTriggers",)
    return origin.at(*path)


def _metadata_keys(origin: Origin) -> dict[int, set[str]]:
    """Index of a trigger -> the keys of its metadata, in the order of the file."""
    inside: dict[int, set[str]] = {}
    for path in origin.fields:
        match path:
            case ("autoScaleTriggers", int(index), "metadata"):
                inside.setdefault(index, set())
            case ("autoScaleTriggers", int(index), "metadata", str(key)):
                inside.setdefault(index, set()).add(key)
    return dict(sorted(inside.items()))
