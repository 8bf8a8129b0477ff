"""Replays recorded spot markets: a service of a constant number of nodes under one way to buy them, tick by tick.

A tick: the market takes what it no longer has (the newest nodes first), what was launched a tick ago is ready, the
capacity is counted, and then the policy acts. A node is paid from its launch on, so that a cold start is one paid tick
without use. A launch that is refused is known at once. There is no notice: a loss is a whole tick without the node.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """What came of it. Costs in node-hours on demand; shares 0 to 1."""

    cost: float
    capacity: float
    """Ready node-time / wanted node-time, what is above `wanted` not counted."""
    at_target: float
    """Share of the time with all that is wanted."""
    starts: int
    losses: int


def replay(trace: Trace, policy: Policy, wanted: int, price: float) -> Outcome:
    """The whole trace under one policy; `price` of spot as a share of on-demand."""
    run = _Run(trace, policy, wanted, price)
    for tick in range(len(trace.ticks)):
        run.step(tick)
    hours, ticks = trace.gap / 3600.0, len(trace.ticks)
    return Outcome(run.cost * hours, run.served / (wanted * ticks), run.full / ticks, run.starts, run.losses)


class _Run:
    def __init__(self, trace: Trace, policy: Policy, wanted: int, price: float) -> None:
        self.trace = trace
        self.policy = policy
        self.wanted = wanted
        self.prices: Mapping[Market, float] = {Market.SPOT: price, Market.ON_DEMAND: 1.0}
        self.nodes: list[Node] = []
        self.cost = self.served = 0.0
        self.full = self.starts = self.losses = 0

    def step(self, tick: int) -> None:
        now = tick * self.trace.gap
        left = dict(zip(self.trace.zones, self.trace.ticks[tick], strict=True))
        self.nodes = [node if node.ready else replace(node, ready=True) for node in self._kept(left, now)]
        ready = len(self.nodes)
        self.served += min(ready, self.wanted)
        self.full += ready >= self.wanted
        self.cost += sum(self.prices[node.market] for node in self.nodes)
        for action in self.policy.act(self.nodes, now, lambda zone: _take(left, zone)):
            self._do(action, now)

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
        self.cost += self.prices[action.market]
        self.nodes.append(Node(f"n{self.starts}", action.market, action.zone, ready=False, since=now))


def _take(left: dict[str, int], zone: str) -> bool:
    if left[zone] <= 0:
        return False
    left[zone] -= 1
    return True


def optimum(trace: Trace, price: float) -> float:
    """Node-hours on demand that one node costs which is always ready, bought by one who knows the whole trace (and may
    start before its first tick). Where zones have room for all nodes it is the optimum of each. Rule and costs are
    those of `replay`: a node may stand in a zone that is up in this tick and was in the last, and a start costs a tick.
    """
    places = (*trace.zones, "")
    best = dict.fromkeys(places, 0.0)
    before = trace.ticks[0]
    for now in trace.ticks:
        cheapest = min(best.values())
        best = {
            name: min(best[name], cheapest + _price(name, price)) + _price(name, price)
            for index, name in enumerate(places)
            if not name or (now[index] and before[index])
        } | {name: float("inf") for index, name in enumerate(trace.zones) if not (now[index] and before[index])}
        before = now
    return min(best.values()) * trace.gap / 3600.0


def _price(zone: str, price: float) -> float:
    return price if zone else 1.0
