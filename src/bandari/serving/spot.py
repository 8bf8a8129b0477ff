"""The market state machine of a group that may run on spot nodes. Pure: what is known in, what to do out.

`decide` looks at the nodes of a group and at what is remembered of its zones, and says what to launch and what to
drain; the functions that end in a new `Memory` take in what happened. The supervisor plays it with processes, the
benchmark with recorded traces.

=============  ====================================  ==================================================================
market         a node is needed                      the market changes
=============  ====================================  ==================================================================
ON_DEMAND      on-demand                             nothing
SPOT           spot in an open zone, else it waits   a node with a notice is replaced in another zone
PREFER_SPOT    spot in an open zone, else on-demand  the same; on-demand nodes of an age are exchanged for spot ones
=============  ====================================  ==================================================================

The bounds. Nodes that exist (starting, ready, leaving) are never more than `max`, also while one replaces another:
below `max` the new one starts first and the old one drains when it is ready; at `max` one drains first, and only for a
zone that is known to have spot. A decision never leaves fewer than `min` nodes that exist or start, unless there is no
spot for a SPOT group, and drains a ready node only when `wanted` others are ready or when its place is needed so.

Zones are remembered by failures that fade with a half-life: one that failed lately is left alone while its trouble
weighs `zones.AVOIDED` or more. Which of the open ones is taken follows their losses over days (the idea of
learned hazards; Mao et al., "SkyServe", arXiv 2411.01438, has marks without decay instead).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from bandari.desired.ray import MarketType
from bandari.serving.ray.zones import AVOIDED, place

HALF_LIFE = 1200.0
"""Seconds in which the trouble of a zone fades to a half, so after one failure it is left alone for so long."""
LOSS_HALF_LIFE = 2 * 86400.0
"""The same for what is learned of how often a zone takes its nodes back."""
REPLACEMENT_AGE = 3600.0
"""Seconds that an on-demand node of a PREFER_SPOT group stands before it is exchanged for a spot one."""
PATIENCE = 300.0
"""Seconds after which a spot node that is not ready is covered by an on-demand one."""
BURST = 60.0
"""Losses of one zone within so many seconds are one event: a zone takes many nodes at once."""


class Market(enum.StrEnum):
    """How one node is bought; the values of Ray's label `ray.io/market-type`."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True)
class Rules:
    """How the nodes of one group are bought; times in seconds."""

    market: MarketType
    min: int
    max: int
    zones: tuple[str, ...]
    """Where new nodes may go: all zones, or the one that the cluster keeps to."""
    cross_zone: bool = True
    replacement_age: float = REPLACEMENT_AGE
    half_life: float = HALF_LIFE
    patience: float = PATIENCE
    spread: float = 0.25
    """How much a node that is in a zone already speaks against the next one there; 0 packs the safest zone."""

    def __post_init__(self) -> None:
        assert 0 <= self.min <= self.max, f"bounds {self.min}..{self.max}"
        assert self.zones, "a group without zones"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the group that exists."""

    name: str
    market: Market
    zone: str
    ready: bool
    since: float
    """When it was launched."""
    leaving: bool = False
    """It drains, or has its notice."""


@dataclass(frozen=True, slots=True)
class Zone:
    """What is remembered of spot in one zone; the sums fade from `at` on."""

    trouble: float = 0.0
    losses: float = 0.0
    at: float = 0.0
    lost_at: float | None = None
    up: bool | None = None
    """Whether spot could be had there the last time that anybody knew."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of all zones. It holds no more than there are zones."""

    zones: Mapping[str, Zone] = field(default_factory=dict)

    def zone(self, name: str, now: float, half_life: float) -> Zone:
        """As it is now, faded."""
        known = self.zones.get(name, Zone(at=now))
        age = max(0.0, now - known.at)
        if not age:
            return known
        trouble, losses = known.trouble * 0.5 ** (age / half_life), known.losses * 0.5 ** (age / LOSS_HALF_LIFE)
        return replace(known, trouble=trouble, losses=losses, at=now)

    def weights(self, now: float, half_life: float = HALF_LIFE) -> Mapping[str, float]:
        """The trouble of each zone, as `zones.place` takes it."""
        return {name: self.zone(name, now, half_life).trouble for name in self.zones}


@dataclass(frozen=True, slots=True)
class Launch:
    """Start a node."""

    market: Market
    zone: str
    reason: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Let a node finish what it does, and end it."""

    node: str
    reason: str


Action = Launch | Drain


def leaving(node: Node) -> Node:
    """The node with its notice."""
    return node if node.leaving else replace(node, leaving=True)


# --- what happened


def launched(memory: Memory, rules: Rules, zone: str, now: float) -> Memory:
    """Spot was had in a zone."""
    return _with(memory, zone, replace(memory.zone(zone, now, rules.half_life), up=True))


def refused(memory: Memory, rules: Rules, zone: str, now: float) -> Memory:
    """Spot was asked for in a zone, and there was none."""
    known = memory.zone(zone, now, rules.half_life)
    return _with(memory, zone, replace(known, trouble=known.trouble + 1.0, up=False))


def lost(memory: Memory, rules: Rules, zone: str, now: float) -> Memory:
    """A spot node of a zone got its notice, or went without one."""
    known = memory.zone(zone, now, rules.half_life)
    if known.lost_at is not None and now - known.lost_at < BURST:
        return memory
    fresh = replace(known, trouble=known.trouble + 1.0, losses=known.losses + 1.0, lost_at=now, up=False)
    return _with(memory, zone, fresh)


def restored(memory: Memory, rules: Rules, zone: str, now: float) -> Memory:
    """Spot can be had again in a zone, as somebody knows; what it lost before stays known."""
    return _with(memory, zone, replace(memory.zone(zone, now, rules.half_life), trouble=0.0, up=True))


def _with(memory: Memory, name: str, zone: Zone) -> Memory:
    return Memory({**memory.zones, name: zone})


# --- what to do


@dataclass(frozen=True, slots=True)
class _Sight:
    """The nodes of a group sorted by what matters, at one moment."""

    rules: Rules
    memory: Memory
    now: float
    wanted: int
    nodes: tuple[Node, ...]
    staying: tuple[Node, ...]
    late: int
    """Spot nodes that stay and are not ready although they had their time."""

    @property
    def room(self) -> int:
        return max(0, self.rules.max - len(self.nodes))

    @property
    def ready(self) -> int:
        return sum(node.ready for node in self.staying)

    def of(self, market: Market) -> tuple[Node, ...]:
        return tuple(node for node in self.staying if node.market is market)

    def open(self) -> tuple[str, ...]:
        """Zones where spot may be asked for now; a group that keeps to one zone follows the nodes that stay."""
        home = {node.zone for node in self.staying} if not self.rules.cross_zone else set()
        names = (name for name in self.rules.zones if not home or name in home)
        troubles = ((name, self.memory.zone(name, self.now, self.rules.half_life)) for name in names)
        return tuple(name for name, zone in troubles if zone.trouble < AVOIDED)


def decide(rules: Rules, nodes: Sequence[Node], memory: Memory, *, wanted: int, now: float) -> tuple[Action, ...]:
    """What to do now. When a launch of spot is refused, tell `refused` and ask again at the same `now`: the next zone
    is tried, and after the last one on-demand; each zone is asked once, so this ends.

    `wanted`: nodes that the group should have; taken into its bounds. Cost: O(nodes x zones).
    """
    sight = _sight(rules, nodes, memory, wanted, now)
    need = sight.wanted + sight.late - len(sight.staying)
    if need > 0:
        return tuple(_launches(sight, min(need, sight.room)))
    return _surplus(sight, len(sight.staying) - sight.wanted) or _returning(sight)


def settle(
    rules: Rules,
    nodes: Sequence[Node],
    memory: Memory,
    *,
    wanted: int,
    now: float,
    has_spot: Callable[[str], bool],
) -> tuple[Memory, tuple[Action, ...]]:
    """Decides, asks the market for each spot node, and decides again where there was none: what is left are launches
    that were granted, on-demand ones, and drains. `has_spot` of a zone is asked once for each node.
    """
    done: list[Action] = []
    there = list(nodes)
    while True:
        actions = decide(rules, there, memory, wanted=wanted, now=now)
        for action in actions:
            if isinstance(action, Launch) and action.market is Market.SPOT:
                if not has_spot(action.zone):
                    memory = refused(memory, rules, action.zone, now)
                    break
                memory = launched(memory, rules, action.zone, now)
            if isinstance(action, Launch):
                there.append(Node(f"+{len(there)}", action.market, action.zone, ready=False, since=now))
            done.append(action)
        else:
            return memory, tuple(done)


def _sight(rules: Rules, nodes: Sequence[Node], memory: Memory, wanted: int, now: float) -> _Sight:
    staying = tuple(node for node in nodes if not node.leaving)
    late = sum(not node.ready and node.market is Market.SPOT and now - node.since >= rules.patience for node in staying)
    late = late if rules.market is MarketType.PREFER_SPOT else 0
    return _Sight(rules, memory, now, min(max(wanted, rules.min), rules.max), tuple(nodes), staying, late)


def _launches(sight: _Sight, count: int) -> Sequence[Launch]:
    market = sight.rules.market
    if market is MarketType.ON_DEMAND:
        return _on_demand(sight, count, "the group is on-demand")
    spots = _spot(sight, count, "spot comes first") if not sight.late else ()
    if market is MarketType.SPOT or len(spots) == count:
        return spots
    why = "a spot node is not ready in time" if sight.late else "no zone has spot now"
    return (*spots, *_on_demand(sight, count - len(spots), why))


def _on_demand(sight: _Sight, count: int, reason: str) -> tuple[Launch, ...]:
    zones = place(
        count, sight.rules.zones, existing=_loads(sight.staying), failed={}, cross_zone=sight.rules.cross_zone
    )
    return tuple(Launch(Market.ON_DEMAND, zone, reason) for zone in zones)


def _spot(sight: _Sight, count: int, reason: str) -> tuple[Launch, ...]:
    """Launches of spot: each where (losses known, first) x (nodes there already) is least."""
    choice = sight.open()
    if not choice:
        return ()
    loads = _loads(sight.of(Market.SPOT))
    risks = {name: 1.0 + sight.memory.zone(name, sight.now, sight.rules.half_life).losses for name in choice}
    spread = sight.rules.spread if sight.rules.cross_zone else 0.0
    found = []
    for _ in range(count):
        zone = min(choice, key=lambda name: risks[name] * (1.0 + spread * loads.get(name, 0)))
        loads[zone] = loads.get(zone, 0) + 1
        found.append(Launch(Market.SPOT, zone, reason))
    return tuple(found)


def _surplus(sight: _Sight, count: int) -> tuple[Drain, ...]:
    """Drains what is too much: on-demand first, starting before ready ones, then spot of the zone that loses most; as
    long as `wanted` others are ready.
    """
    ready = sight.ready
    spots = sight.of(Market.SPOT)
    extra = max(0, len(spots) - sight.wanted)
    worst = sorted(spots, key=lambda node: (node.ready, -_losses(sight, node.zone), node.name))[:extra]
    found: list[Drain] = []
    for node in chain(sorted(sight.of(Market.ON_DEMAND), key=lambda node: (node.ready, node.since)), worst):
        if len(found) == count:
            break
        if node.ready and ready <= sight.wanted:
            continue
        if not node.ready and ready < sight.wanted:
            continue
        ready -= node.ready
        found.append(Drain(node.name, "enough others are ready"))
    return tuple(found)


def _losses(sight: _Sight, zone: str) -> float:
    return sight.memory.zone(zone, sight.now, sight.rules.half_life).losses


def _returning(sight: _Sight) -> tuple[Action, ...]:
    """Exchanges on-demand nodes of an age for spot, a quarter at a time (Kubernetes' maxSurge), when all is calm: no
    node starts or leaves.
    """
    rules = sight.rules
    calm = sight.wanted <= sight.ready == len(sight.nodes)
    if rules.market is not MarketType.PREFER_SPOT or not calm:
        return ()
    aged = [node for node in sight.of(Market.ON_DEMAND) if sight.now - node.since >= rules.replacement_age]
    if not aged or not sight.open():
        return ()
    count = min(len(aged), max(1, sight.wanted // 4))
    if sight.room:
        return _spot(sight, min(count, sight.room), "spot may be back")
    known = any(sight.memory.zone(name, sight.now, rules.half_life).up for name in sight.open())
    if not known:
        return ()
    oldest = min(aged, key=lambda node: (node.since, node.name))
    return (Drain(oldest.name, "makes room for a spot node"),)


def _loads(nodes: Sequence[Node]) -> dict[str, int]:
    loads: dict[str, int] = {}
    for node in nodes:
        loads[node.zone] = loads.get(node.zone, 0) + 1
    return loads
