"""Carries out a plan: each change in order; when one fails its dependants are left out and the rest goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bandari.errors import DriverError
from bandari.planning.graph import Address
from bandari.planning.plan import Change, Plan


class Applier(Protocol):
    """A driver, as far as applying goes."""

    def apply(self, change: Change) -> None:
        """Makes one change true; DriverError when it cannot. Idempotent."""
        ...


class Reporter(Protocol):
    """Hears what happens; each method is one moment."""

    def started(self, change: Change) -> None: ...
    def done(self, change: Change) -> None: ...
    def failed(self, change: Change, error: DriverError) -> None: ...
    def left_out(self, change: Change, because: Address) -> None: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """A change that could not be made, and why."""

    change: Change
    error: DriverError


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What came true, what failed, what was left out because something it needs failed."""

    done: tuple[Change, ...]
    failures: tuple[Failure, ...]
    left_out: tuple[Change, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


def apply(plan: Plan, drivers: Mapping[str, Applier], reporter: Reporter) -> ApplyResult:
    """Applies every pending change through the driver that its address names."""
    done: list[Change] = []
    failures: list[Failure] = []
    left_out: list[Change] = []
    broken: set[Address] = set()
    for change in plan.pending:
        if lost := _lost(change, broken):
            broken.add(change.address)
            left_out.append(change)
            reporter.left_out(change, lost)
            continue
        reporter.started(change)
        try:
            drivers[change.address.driver].apply(change)
        except DriverError as error:
            broken.add(change.address)
            failures.append(Failure(change, error))
            reporter.failed(change, error)
        else:
            done.append(change)
            reporter.done(change)
    return ApplyResult(tuple(done), tuple(failures), tuple(left_out))


def _lost(change: Change, broken: set[Address]) -> Address | None:
    needs = change.resource.after if change.resource else frozenset()
    return next(iter(sorted(needs & broken)), None)
