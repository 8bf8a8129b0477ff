"""Nodes of one shape and the ways to buy them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from bandari.diagnostics import Origin
from bandari.units import Bounds, Cpu, Memory


class CapacityType(enum.StrEnum):
    """How nodes are bought."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


@dataclass(frozen=True, slots=True)
class Capacity:
    """One way to buy nodes; a pool lists them in order of preference."""

    type: CapacityType
    nodes: Bounds


@dataclass(frozen=True, slots=True)
class ResourceList:
    """What a replica asks of a machine; None is "not said", never zero."""

    cpu: Cpu | None = None
    memory: Memory | None = None
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class NodePool:
    """Nodes of one shape: `nodes` bounds the whole, each capacity its own part (two capped parts cap no sum)."""

    name: str
    instance_types: tuple[str, ...]
    nodes: Bounds
    capacity: tuple[Capacity, ...]
    disk_gb: int | None = None
    gpu: bool = False
    section: str = ""
    """The part of the cluster file that the pool belongs to: `cluster`, `modelGroups`, `function`..."""
    origin: Origin = field(default_factory=Origin, compare=False, repr=False)

    def uses(self) -> tuple[str, ...]:
        """Names of the items that must exist first."""
        return ()
