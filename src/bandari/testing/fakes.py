"""Doubles that tests and other packages may build on: a driver that keeps everything in memory, a quiet reporter."""

from __future__ import annotations

from collections.abc import Mapping

from bandari.errors import DriverError, Terminal
from bandari.planning.graph import Address
from bandari.planning.plan import Action, Change, Observed


class MemoryDriver:
    """The driver that every other is held against: a dict. `failing` names addresses that refuse every change."""

    name = "local"

    def __init__(self, failing: frozenset[str] = frozenset()) -> None:
        self.resources: dict[Address, Observed] = {}
        self.failing = failing
        self.log: list[str] = []

    def observe(self) -> Mapping[Address, Observed]:
        """What was applied and not deleted."""
        return dict(self.resources)

    recorded = observe

    def apply(self, change: Change) -> None:
        """Stores or forgets; Terminal for an address that is told to fail."""
        if str(change.address) in self.failing:
            raise Terminal(f"cannot change {change.address}: told to fail", address=str(change.address))
        self.log.append(f"{change.action.symbol} {change.address}")
        if change.action is Action.DELETE or change.resource is None:
            self.resources.pop(change.address, None)
        else:
            self.resources[change.address] = Observed(change.resource.body)


class Heard:
    """A reporter that remembers the moments it heard."""

    def __init__(self) -> None:
        self.moments: list[str] = []

    def started(self, change: Change) -> None:
        self.moments.append(f"started {change.address}")

    def done(self, change: Change) -> None:
        self.moments.append(f"done {change.address}")

    def failed(self, change: Change, error: DriverError) -> None:
        self.moments.append(f"failed {change.address}: {error}")

    def left_out(self, change: Change, because: Address) -> None:
        self.moments.append(f"left out {change.address} because of {because}")
