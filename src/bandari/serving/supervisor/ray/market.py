"""The spot market of one Ray cluster, played on this machine: what `bandari ray preempt` takes away and `--restore`
gives back, notices under way, and what the groups remember of their zones.

`spot.decide` decides; the nodes' part asks `act` for each group whenever anything may have changed, does what it says,
and lets every node of `notices` go at its time. Facts are on disk before anything is acknowledged, so that a supervisor
that starts again finds the market as it was. Clocks are Unix time.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from bandari.desired.ray import HEAD, MarketType
from bandari.diagnostics import did_you_mean
from bandari.serving import spot
from bandari.serving.ray import zones
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody
from bandari.serving.spot import Action, Memory, Node, Rules
from bandari.serving.supervisor.control import Refused

_log = logging.getLogger(__name__)
MARKET_FILE = "market.json"


@dataclass(slots=True)
class _Facts:
    """All that is on disk."""

    closed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Zones without spot, by group."""
    notices: dict[str, float] = field(default_factory=dict)
    """When each node with a notice goes."""
    memories: dict[str, Memory] = field(default_factory=dict)
    version: int = 1


class Market:
    """The market of one Ray cluster; its file stands in `folder`, which exists."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / MARKET_FILE
        self._facts = _read(self._path)

    @property
    def notices(self) -> Mapping[str, float]:
        """When the nodes that have their notice go, by name."""
        return self._facts.notices

    def closed(self, group: str) -> tuple[str, ...]:
        """The zones where a group can have no spot now."""
        return self._facts.closed.get(group, ())

    def act(
        self,
        cluster: RayClusterBody,
        group: RayGroupBody,
        nodes: Sequence[Node],
        *,
        wanted: int,
        existing: Mapping[str, int],
        now: float,
        room: int | None = None,
    ) -> tuple[Action, ...]:
        """What the group has to do: launches that the market grants, and drains. A node that has its notice counts as
        leaving. `existing`: workers of the whole Ray cluster that are to stay, by zone. `room`: how many more nodes of
        the group the cluster's cap has room for, so that a group that stands at it exchanges its nodes one by one.
        """
        memory = self._facts.memories.get(group.group, Memory())
        rules = self.rules(cluster, group, existing, now)
        if room is not None and len(nodes) + room < rules.max:
            rules = replace(rules, min=min(rules.min, len(nodes) + room), max=len(nodes) + room)
        there = [node if node.name not in self.notices else spot.leaving(node) for node in nodes]
        shut = self.closed(group.group)
        after, actions = spot.settle(
            rules, there, memory, wanted=wanted, now=now, has_spot=lambda zone: zone not in shut
        )
        if after != memory:
            self._facts.memories[group.group] = after
            self._try_write()
        return actions

    def rules(self, cluster: RayClusterBody, group: RayGroupBody, existing: Mapping[str, int], now: float) -> Rules:
        """How the group's nodes are bought, and in which zones of the cluster new ones may be."""
        names = zones.available(cluster.zones, cluster.region)
        failed = self._facts.memories.get(group.group, Memory()).weights(now)
        if not cluster.cross_zone:
            names = zones.together(names, existing=existing, failed=failed)
        else:  # of zones that are as good to the group, the one where the cluster has fewest nodes comes first
            names = tuple(sorted(names, key=lambda name: existing.get(name, 0)))
        return Rules(
            market=MarketType(group.market),
            min=min(group.min, group.max),
            max=group.max,
            zones=names,
            cross_zone=cluster.cross_zone,
            replacement_age=cluster.replacement_age,
        )

    def preempt(
        self,
        cluster: RayClusterBody,
        group: RayGroupBody,
        nodes: Sequence[Node],
        *,
        zone: str,
        notice: float | None,
        now: float,
    ) -> Mapping[str, float]:
        """Takes spot away from a group in a zone (empty: in all): which nodes go, and when. A node that has its notice
        already keeps it. `notice` seconds; None: as the cluster says. Refused when that makes no sense.
        """
        if group.market == MarketType.ON_DEMAND:
            fix = f"give the group market_type: {MarketType.SPOT} or {MarketType.PREFER_SPOT}"
            raise Refused(f'cannot preempt group "{group.group}": its nodes are on-demand', fix)
        seconds = cluster.notice if notice is None else notice
        if not (math.isfinite(seconds) and seconds >= 0):
            raise Refused(f'cannot preempt group "{group.group}": a notice of {seconds} seconds', "give 0 or more")
        gone = self._zones(cluster, zone)
        before, self._facts = self._facts, _copy(self._facts)
        self._facts.closed[group.group] = tuple(sorted({*self.closed(group.group), *gone}))
        leaving = [node for node in nodes if node.market is spot.Market.SPOT and node.zone in gone]
        memory = self._facts.memories.get(group.group, Memory())
        rules = self.rules(cluster, group, {}, now)
        for name in {node.zone: None for node in leaving}:
            memory = spot.lost(memory, rules, name, now)
        self._facts.memories[group.group] = memory
        for node in leaving:
            self._facts.notices.setdefault(node.name, now + seconds)
        self._write(f'cannot preempt group "{group.group}"', before)
        _log.info("group %s: no spot in %s; %s nodes have their notice", group.group, ", ".join(gone), len(leaving))
        return {node.name: self.notices[node.name] for node in leaving}

    def restore(self, cluster: RayClusterBody, group: RayGroupBody, *, zone: str, now: float) -> tuple[str, ...]:
        """Gives spot back to a group in a zone (empty: in all); returns where it had none. A node that has its notice
        still goes: a cloud does not take that back either. Refused when the group buys no spot.
        """
        if group.market == MarketType.ON_DEMAND:
            fix = f"give the group market_type: {MarketType.SPOT} or {MarketType.PREFER_SPOT}"
            raise Refused(f'cannot restore spot for group "{group.group}": its nodes are on-demand', fix)
        back = self._zones(cluster, zone)
        shut = self.closed(group.group)
        before, self._facts = self._facts, _copy(self._facts)
        self._facts.closed[group.group] = tuple(name for name in shut if name not in back)
        memory = self._facts.memories.get(group.group, Memory())
        rules = self.rules(cluster, group, {}, now)
        for name in back:
            memory = spot.restored(memory, rules, name, now)
        self._facts.memories[group.group] = memory
        self._write(f'cannot restore group "{group.group}"', before)
        _log.info("group %s: spot is back in %s", group.group, ", ".join(back))
        return tuple(name for name in back if name in shut)

    def keep(self, groups: Iterable[str], nodes: Iterable[str]) -> None:
        """Forgets the groups and the nodes that are no more; writes only when something changed."""
        names, there = set(groups), set(nodes)
        facts = _Facts(
            {name: shut for name, shut in self._facts.closed.items() if name in names},
            {name: at for name, at in self._facts.notices.items() if name in there},
            {name: memory for name, memory in self._facts.memories.items() if name in names},
        )
        if facts != self._facts:
            self._facts = facts
            self._try_write()

    def remove(self) -> None:
        """The cluster is gone, and its market with it."""
        self._facts = _Facts()
        self._path.unlink(missing_ok=True)

    def _zones(self, cluster: RayClusterBody, zone: str) -> tuple[str, ...]:
        names = zones.available(cluster.zones, cluster.region)
        if not zone:
            return names
        if zone in names:
            return (zone,)
        near = did_you_mean(zone, names)
        fix = f'"{near}"?' if near else f"its zones are {', '.join(names)}"
        raise Refused(f'cannot find zone "{zone}" of Ray cluster "{cluster.cluster}"', fix)

    def _write(self, what: str, before: _Facts) -> None:
        try:
            _write(self._path, self._facts)
        except OSError as error:
            self._facts = before
            reason = os.strerror(error.errno or 0).lower()
            raise Refused(f"{what}: the market cannot be written to {self._path.parent}: {reason}") from error

    def _try_write(self) -> None:
        try:
            _write(self._path, self._facts)
        except OSError as error:
            _log.warning("cannot write what is known of the market: %s", error)


def chosen(groups: Mapping[str, RayGroupBody], name: str) -> RayGroupBody:
    """The group of a name; Refused, with the nearest one, when there is none."""
    if name in groups:
        return groups[name]
    if name == HEAD:
        raise Refused("cannot preempt the head: its node is on-demand", "name a worker group")
    near = did_you_mean(name, tuple(groups))
    known = ", ".join(sorted(groups)) or "the cluster has none"
    raise Refused(f'cannot find worker group "{name}"', f'"{near}"?' if near else f"worker groups: {known}")


def _copy(facts: _Facts) -> _Facts:
    return _Facts(dict(facts.closed), dict(facts.notices), dict(facts.memories))


def _read(path: Path) -> _Facts:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Facts)
    except FileNotFoundError:
        return _Facts()
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        _log.error("cannot read the market of %s: %s; all zones are taken to have spot", path.parent.name, error)
        return _Facts()


def _write(path: Path, facts: _Facts) -> None:
    fresh = path.with_suffix(".tmp")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(facts))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
