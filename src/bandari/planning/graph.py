"""Resources and their dependency graph: all that the planner knows of the world."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bandari.diagnostics import Span


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """The identity of a resource: which driver keeps it, what it is, its name. Prints as `kind.name`."""

    driver: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}"

    @classmethod
    def parse(cls, driver: str, text: str) -> Address:
        """The inverse of printing."""
        kind, _, name = text.partition(".")
        return cls(driver, kind, name)


@dataclass(frozen=True, slots=True)
class Resource:
    """One object of the target: `body` is plain data (maps, lists, text, numbers) that a driver understands."""

    address: Address
    body: Mapping[str, Any]
    after: frozenset[Address] = frozenset()
    """What must be applied first."""
    create_only: frozenset[tuple[str, ...]] = frozenset()
    """Fields set once and then left to their owner, such as replicas to an autoscaler."""
    secret: frozenset[tuple[str, ...]] = frozenset()
    """Fields (or prefixes) whose values print as `***`."""
    origin: Span = field(default=Span("", 0, 0), compare=False)


class ResourceGraph:
    """Resources by address; every edge leads to a resource of the graph (LookupError otherwise)."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self.by_address = {resource.address: resource for resource in resources}
        for resource in self:
            for need in resource.after - self.by_address.keys():
                raise LookupError(f"{resource.address} needs {need}, which is not in the graph")

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.by_address.values())

    def __len__(self) -> int:
        return len(self.by_address)

    def in_order(self) -> tuple[Resource, ...]:
        """Each after all that it needs, by name where the order is free; graphlib.CycleError on a cycle."""
        sorter = graphlib.TopologicalSorter({r.address: sorted(r.after) for r in sorted(self, key=lambda r: r.address)})
        return tuple(self.by_address[address] for address in sorter.static_order())
