"""What a driver is: the only doors through which bandari touches a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from bandari.planning.graph import Address
from bandari.planning.plan import Change, Observed


class Driver(Protocol):
    """Keeps the resources of one target. Every method may raise DriverError."""

    name: str

    def observe(self) -> Mapping[Address, Observed]:
        """What exists, asked of the target."""
        ...

    def recorded(self) -> Mapping[Address, Observed]:
        """What was last applied, without asking the target."""
        ...

    def apply(self, change: Change) -> None:
        """Makes one change true. Idempotent: a change that is true already does no harm."""
        ...
