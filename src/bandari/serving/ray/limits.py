"""The floor and the cap of a whole Ray cluster, in logical resources: who may start, and who has to. Pure.

The cap holds because every launch asks `room` first, with all nodes that exist or start; a node that leaves only makes
room. Amounts are compared in ten-thousandths, the grain of Ray's own resources (`FixedPoint` in ray/src/ray/common/
scheduling/fixed_point.h), so that ten times 0.1 is 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bandari.serving.ray.bodies import RayNodeBody

GRAIN = 10_000
ACCELERATOR = "accelerator_type:"
"""Ray gives a node with an accelerator one unit of `accelerator_type:<its name>`."""
ACCELERATOR_LABEL = "ray.io/accelerator-type"
_MOST_STEPS = 20_000
"""Looks at combinations of groups before the best one so far is taken; a handful of groups needs some hundreds."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many of the nodes that were asked for may start, and why not more; true when any may."""

    allowed: int
    reason: str = ""

    def __bool__(self) -> bool:
        return self.allowed > 0


@dataclass(frozen=True, slots=True)
class GroupSize:
    """A worker group as the floor sees it: what one node has, how many exist or start, how many there may be."""

    name: str
    unit: Mapping[str, float]
    nodes: int
    max: int


def counted(node: RayNodeBody) -> Mapping[str, float]:
    """What one node counts against floor and cap: its logical resources as declared, so bytes before scaling."""
    amounts = dict(node.resources)
    for name, here in (("memory", node.memory), ("object_store_memory", node.object_store_memory)):
        if here:
            amounts.setdefault(name, round(here / node.scale))
    accelerator = node.labels.get(ACCELERATOR_LABEL)
    if accelerator:
        amounts.setdefault(f"{ACCELERATOR}{accelerator}", 1.0)
    return amounts


def total(nodes: Iterable[Mapping[str, float]]) -> Mapping[str, float]:
    """The sum of the resources of `nodes`, names in alphabetical order."""
    grains: dict[str, int] = {}
    for node in nodes:
        for name, amount in node.items():
            grains[name] = grains.get(name, 0) + _grains(amount)
    return {name: grains[name] / GRAIN for name in sorted(grains)}


def room(
    nodes: Sequence[Mapping[str, float]], ask: Mapping[str, float], maximum: Mapping[str, float], *, count: int = 1
) -> Room:
    """How many of `count` nodes of `ask` may start beside `nodes` (workers and a schedulable head that exist or start)
    without crossing `maximum`. A name that `maximum` lacks has no cap; a node that has nothing of a capped resource is
    never held back by it, even when the cap was lowered below what runs.
    """
    have = total(nodes)
    allowed, reason = count, ""
    for name in sorted(maximum):
        unit = _grains(ask.get(name, 0.0))
        if unit <= 0:
            continue
        fit = max(0, _grains(maximum[name]) - _grains(have.get(name, 0.0))) // unit
        if fit < allowed:
            allowed, reason = fit, _words(name, have.get(name, 0.0), ask[name], maximum[name])
    return Room(allowed, reason)


def shortfall(
    nodes: Sequence[Mapping[str, float]],
    groups: Sequence[GroupSize],
    minimum: Mapping[str, float],
    maximum: Mapping[str, float],
) -> Mapping[str, int]:
    """How many nodes each group has to get so that `minimum` stands, within `maximum` and each group's own. Empty when
    it stands, or when no combination reaches it.

    Of all that do: the fewest GPUs above the floor, then the fewest nodes, then those of groups that stand first.
    """
    search = _Search(nodes, groups, minimum, maximum)
    return {group.name: more for group, more in zip(groups, search.best or (), strict=False) if more}


def missing(nodes: Sequence[Mapping[str, float]], minimum: Mapping[str, float]) -> Mapping[str, float]:
    """What `nodes` lack of `minimum`, by name; empty when the floor stands."""
    have = total(nodes)
    lacks = ((name, _grains(minimum[name]) - _grains(have.get(name, 0.0))) for name in sorted(minimum))
    return {name: lack / GRAIN for name, lack in lacks if lack > 0}


class _Search:
    """Branch and bound over the nodes to add, group by group, all amounts in grains."""

    def __init__(
        self,
        nodes: Sequence[Mapping[str, float]],
        groups: Sequence[GroupSize],
        minimum: Mapping[str, float],
        maximum: Mapping[str, float],
    ) -> None:
        have = total(nodes)
        self.need = {name: _grains(lack) for name, lack in missing(nodes, minimum).items()}
        self.room = {name: max(0, _grains(cap) - _grains(have.get(name, 0.0))) for name, cap in maximum.items()}
        self.units = [{name: _grains(amount) for name, amount in group.unit.items()} for group in groups]
        self.free = [max(0, group.max - group.nodes) for group in groups]
        self.gpus = self.need.get("GPU", 0)
        self.best: tuple[int, ...] | None = None
        self._cost = (0, 0)
        self._steps = 0
        if self.need:
            self._add(0, (), self.need, self.room)

    def _add(self, at: int, added: tuple[int, ...], need: Mapping[str, int], left: Mapping[str, int]) -> None:
        """Tries every count for the group `at`, the largest that is of use first."""
        self._steps += 1
        if not any(lack > 0 for lack in need.values()):
            self._keep(added)
            return
        if at == len(self.units) or self._steps > _MOST_STEPS or self._hopeless(at, added, need):
            return
        unit = self.units[at]
        for more in range(self._most(at, need, left), -1, -1):
            lacks = {name: lack - more * unit.get(name, 0) for name, lack in need.items()}
            rest = {name: amount - more * unit.get(name, 0) for name, amount in left.items()}
            self._add(at + 1, (*added, more), lacks, rest)

    def _keep(self, added: tuple[int, ...]) -> None:
        cost = self._costs(added)
        if self.best is None or cost < self._cost:
            self.best, self._cost = added, cost

    def _costs(self, added: tuple[int, ...]) -> tuple[int, int]:
        gpus = sum(more * unit.get("GPU", 0) for more, unit in zip(added, self.units, strict=False))
        return (max(0, gpus - self.gpus), sum(added))

    def _most(self, at: int, need: Mapping[str, int], left: Mapping[str, int]) -> int:
        """The most nodes of a group that the cap and its own maximum allow and of which the last is still of use."""
        unit = self.units[at]
        useful = max((-(-lack // unit[name]) for name, lack in need.items() if unit.get(name)), default=0)
        fit = min((amount // unit[name] for name, amount in left.items() if unit.get(name)), default=useful)
        return max(0, min(self.free[at], useful, fit))

    def _hopeless(self, at: int, added: tuple[int, ...], need: Mapping[str, int]) -> bool:
        """Whether the groups from `at` on cannot reach the floor, or not with less than the best so far costs."""
        fewest = max(self._fewest(at, name, lack) for name, lack in need.items())
        if fewest > sum(self.free[at:]):
            return True
        gpus, nodes = self._costs(added)
        return self.best is not None and (gpus, nodes + fewest) >= self._cost

    def _fewest(self, at: int, name: str, lack: int) -> int:
        """The least nodes that can bring `lack` of one resource: the groups that have most of it first."""
        count = 0
        for unit, free in sorted(self._givers(at, name), reverse=True):
            if lack <= 0:
                return count
            taken = min(free, -(-lack // unit))
            count, lack = count + taken, lack - taken * unit
        return count if lack <= 0 else sum(self.free) + 1

    def _givers(self, at: int, name: str) -> Iterator[tuple[int, int]]:
        for unit, free in zip(self.units[at:], self.free[at:], strict=True):
            if unit.get(name) and free:
                yield unit[name], free


def _grains(amount: float) -> int:
    return round(amount * GRAIN)


def _words(name: str, have: float, ask: float, cap: float) -> str:
    return f'the cluster may have {_number(cap)} "{name}", has {_number(have)}, and a node would add {_number(ask)}'


def _number(amount: float) -> str:
    return str(int(amount)) if amount == int(amount) else f"{amount:.4f}".rstrip("0")
