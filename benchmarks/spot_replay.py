"""Replays recorded spot markets: a service of a constant number of nodes under one way to buy them, tick by tick.

A tick: the market takes what it no longer has (the newest nodes first), what was launched a tick ago is ready, the
capacity is counted, and then the policy acts. A node is paid from its launch on, so that a cold start is one paid tick
without use. A launch that is refused is known at once. There is no notice: a loss is a whole tick without the node.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bandari.desired.ray import MarketType
from bandari.serving import spot
from bandari.serving.spot import Action, Drain, Launch, Market, Memory, Node, Rules

Ask = Callable[[str], bool]
"""Asks for one spot node in a zone; whether it is granted."""


@dataclass(frozen=True, slots=True)
class Trace:
    """How many spot nodes each zone has, tick by tick."""

    zones: tuple[str, ...]
    gap: float
    """Seconds of a tick."""
    ticks: tuple[tuple[int, ...], ...]
    """For each tick a number for each zone."""


def read(files: Sequence[Path], *, cap: int | None = None) -> Trace:
    """Traces of single zones as one, as long as the shortest. `cap`: what a zone has when one node can be had there;
    without it the numbers are taken as they are.
    """
    documents = [json.loads(gzip.decompress(file.read_bytes())) for file in files]
    counts = [[min(1, n) * cap if cap is not None else n for n in document["data"]] for document in documents]
    gaps = {float(document["metadata"]["gap_seconds"]) for document in documents}
    assert len(gaps) == 1, "traces of different ticks"
    return Trace(tuple(_zone(file.name) for file in files), gaps.pop(), tuple(zip(*counts, strict=False)))


def generated(zones: int, ticks: int, *, seed: int, cap: int, gap: float = 195.0) -> Trace:
    """Zones that come and go, each by itself: up for hours, how many depends on the zone, and down for one."""
    source = random.Random(seed)
    columns = [
        list(_spells(source, 3600.0 * source.uniform(1.0, 8.0) / gap, 3600.0 / gap, ticks)) for _ in range(zones)
    ]
    rows = tuple(tuple(cap * up for up in row) for row in zip(*columns, strict=True))
    return Trace(tuple(f"zone-{letter}" for letter in "abcdefghij"[:zones]), gap, rows)


def _spells(source: random.Random, up: float, down: float, ticks: int) -> Iterator[bool]:
    state = True
    for _ in range(ticks):
        state = source.random() >= 1.0 / up if state else source.random() < 1.0 / down
        yield state


def _zone(name: str) -> str:
    return name.rpartition("__")[2].partition("_")[0]


class Policy(Protocol):
    """A way to buy nodes."""

    def lost(self, zone: str, now: float) -> None:
        """A zone took at least one node back."""
        ...

    def act(self, nodes: Sequence[Node], now: float, ask: Ask) -> Sequence[Action]:
        """Launches that were granted, and drains."""
        ...


@dataclass(slots=True)
class Ours:
    """`spot.decide`, as the supervisor plays it."""

    rules: Rules
    wanted: int
    memory: Memory = field(default_factory=Memory)

    def lost(self, zone: str, now: float) -> None:
        self.memory = spot.lost(self.memory, self.rules, zone, now)

    def act(self, nodes: Sequence[Node], now: float, ask: Ask) -> Sequence[Action]:
        self.memory, actions = spot.settle(self.rules, nodes, self.memory, wanted=self.wanted, now=now, has_spot=ask)
        return actions


def static(market: MarketType, wanted: int, zones: Sequence[str]) -> Ours:
    """All nodes bought in one way, wherever they can be had."""
    return Ours(Rules(market, wanted, wanted, tuple(zones)), wanted)


@dataclass(slots=True)
class Beside:
    """Two policies side by side, each with its share of the nodes; by market, so they must not share one."""

    on_demand: Policy
    spot: Policy

    def lost(self, zone: str, now: float) -> None:
        self.spot.lost(zone, now)

    def act(self, nodes: Sequence[Node], now: float, ask: Ask) -> Sequence[Action]:
        fixed = [node for node in nodes if node.market is Market.ON_DEMAND]
        moving = [node for node in nodes if node.market is Market.SPOT]
        return (*self.on_demand.act(fixed, now, ask), *self.spot.act(moving, now, ask))


@dataclass(slots=True)
class SpotHedge:
    """The rule of SkyServe (skypilot 0.14, arXiv 2411.01438): on-demand covers what spot is not ready, zones that took
    nodes back or refused are marked, and when fewer than two are not, all marks go.
    """

    zones: tuple[str, ...]
    wanted: int
    spare: int = 0
    marked: set[str] = field(default_factory=set)

    def lost(self, zone: str, now: float) -> None:  # noqa: ARG002 - the marks know no time
        self.marked.add(zone)

    def act(self, nodes: Sequence[Node], now: float, ask: Ask) -> Sequence[Action]:  # noqa: ARG002
        spots = [node for node in nodes if node.market is Market.SPOT]
        fixed = [node for node in nodes if node.market is Market.ON_DEMAND]
        cover = max(0, self.wanted - sum(node.ready for node in spots))
        return (*self._spots(spots, ask), *_to(fixed, cover, self.zones[0]))

    def _spots(self, spots: Sequence[Node], ask: Ask) -> Iterator[Action]:
        loads = {zone: sum(node.zone == zone for node in spots) for zone in self.zones}
        need, tries = self.wanted + self.spare - len(spots), 0
        while need > 0 and tries < len(self.zones):
            choice = [zone for zone in self.zones if zone not in self.marked]
            if len(choice) < 2:
                self.marked.clear()
                choice = list(self.zones)
            zone = min(choice, key=lambda name: loads[name])
            tries += 1
            if not ask(zone):
                self.marked.add(zone)
                continue
            loads[zone] += 1
            need, tries = need - 1, 0
            yield Launch(Market.SPOT, zone, "hedge")


def _to(nodes: Sequence[Node], count: int, zone: str) -> Iterator[Action]:
    for _ in range(count - len(nodes)):
        yield Launch(Market.ON_DEMAND, zone, "cover")
    for node in nodes[count:]:
        yield Drain(node.name, "covered")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; shares 0 to 1."""

    spot_hours: float
    """Paid node-hours."""
    on_demand_hours: float
    capacity: float
    """Ready node-time / wanted node-time; what is above `wanted` does not count."""
    noticed: float
    """The same where every loss has its notice, and what is launched for it starts then."""
    at_target: float
    """Share of the time with all that is wanted."""
    starts: int
    losses: int

    def cost(self, price: float) -> float:
        """Node-hours on demand, with `price` of spot as a share of on-demand."""
        return self.on_demand_hours + price * self.spot_hours


def replay(trace: Trace, policy: Policy, wanted: int, *, notice: float = 120.0) -> Outcome:
    """The whole trace under one policy."""
    run = _Run(trace, policy, wanted)
    for tick in range(len(trace.ticks)):
        run.step(tick)
    hours, ticks = trace.gap / 3600.0, len(trace.ticks)
    return Outcome(
        run.paid[Market.SPOT] * hours,
        run.paid[Market.ON_DEMAND] * hours,
        run.served / (wanted * ticks),
        (run.served + run.replaced * min(1.0, notice / trace.gap)) / (wanted * ticks),
        run.full / ticks,
        run.starts,
        run.losses,
    )


class _Run:
    def __init__(self, trace: Trace, policy: Policy, wanted: int) -> None:
        self.trace = trace
        self.policy = policy
        self.wanted = wanted
        self.nodes: list[Node] = []
        self.paid = dict.fromkeys(Market, 0)
        self.served = self.replaced = self.full = self.starts = self.losses = 0

    def step(self, tick: int) -> None:
        now = tick * self.trace.gap
        left = dict(zip(self.trace.zones, self.trace.ticks[tick], strict=True))
        lost, starts = self.losses, self.starts
        self.nodes = [node if node.ready else replace(node, ready=True) for node in self._kept(left, now)]
        ready = len(self.nodes)
        self.served += min(ready, self.wanted)
        self.full += ready >= self.wanted
        for node in self.nodes:
            self.paid[node.market] += 1
        for action in self.policy.act(self.nodes, now, lambda zone: _take(left, zone)):
            self._do(action, now)
        self.replaced += min(self.losses - lost, self.starts - starts, max(0, self.wanted - ready))

    def _kept(self, left: dict[str, int], now: float) -> Iterator[Node]:
        """The nodes that the market leaves, the oldest first; `left` becomes what it still has."""
        taken = set()
        for node in self.nodes:
            if node.market is Market.ON_DEMAND or _take(left, node.zone):
                yield node
                continue
            taken.add(node.zone)
            self.losses += 1
        for zone in sorted(taken):
            self.policy.lost(zone, now)

    def _do(self, action: Action, now: float) -> None:
        if isinstance(action, Drain):
            self.nodes = [node for node in self.nodes if node.name != action.node]
            return
        self.starts += 1
        self.paid[action.market] += 1
        self.nodes.append(Node(f"n{self.starts}", action.market, action.zone, ready=False, since=now))


def _take(left: dict[str, int], zone: str) -> bool:
    if left[zone] <= 0:
        return False
    left[zone] -= 1
    return True
