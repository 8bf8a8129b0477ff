"""What a provider is: a table from a type of the desired state to the pure function that lowers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bandari.analysis.resolve import ResolvedState
from bandari.desired.state import DesiredState, Item
from bandari.planning.graph import Resource, ResourceGraph
from bandari.planning.plan import Change

T = TypeVar("T")
Lowering = Callable[[Any, ResolvedState], Iterable[Resource]]


class Lowerings:
    """The table is the dispatch and the capability matrix: an item whose type is missing is not supported."""

    def __init__(self, base: Lowerings | None = None) -> None:
        self.table: dict[type, Lowering] = dict(base.table) if base else {}

    def register(
        self, item_type: type[T]
    ) -> Callable[[Callable[[T, ResolvedState], Iterable[Resource]]], Callable[[T, ResolvedState], Iterable[Resource]]]:
        """Adds the decorated function to the table."""

        def add(function: Callable[[T, ResolvedState], Iterable[Resource]]) -> Callable[..., Iterable[Resource]]:
            self.table[item_type] = function
            return function

        return add

    @property
    def supported(self) -> frozenset[type]:
        """The types that have a lowering."""
        return frozenset(self.table)

    def __call__(self, item: Item, state: ResolvedState) -> Iterable[Resource]:
        return self.table[type(item)](item, state)


@dataclass(frozen=True, slots=True)
class Provider:
    """One target: how items become resources, what always exists beside them, what a change does to a user."""

    name: str
    lowerings: Lowerings
    foundation: Callable[[ResolvedState], Iterable[Resource]]
    consequence: Callable[[Change, Mapping[str, Any]], str]

    def unsupported(self, state: DesiredState) -> tuple[Item, ...]:
        """Items that this provider has no lowering for."""
        return tuple(item for item in state.items() if type(item) not in self.lowerings.supported)

    def lower(self, state: ResolvedState) -> ResourceGraph:
        """The resources of every supported item; what is unsupported has been said before."""
        resources = list(self.foundation(state))
        for item in state.state.items():
            if type(item) in self.lowerings.supported:
                resources += self.lowerings(item, state)
        return ResourceGraph(resources)
