"""The worker nodes of one Ray cluster: how many, bought how, in which zone, of which generation.

Of a cluster of fixed size the supervisor keeps the numbers itself; of one that Ray's autoscaler drives `wanted` follows
what it asks for. In both the market says how a node is bought, and nothing starts that the cap has no room for.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from bandari.serving import spot
from bandari.serving.lifecycle import LEAVING, EventKind, State, backoff
from bandari.serving.ray import limits
from bandari.serving.ray.autoscaling import schedulable, targets
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.environment import CannotStart
from bandari.serving.supervisor.ray.node import DRAIN, Facts, Node
from bandari.serving.supervisor.store import Record

if TYPE_CHECKING:
    from bandari.serving.supervisor.ray.engine import RayEngine

_log = logging.getLogger(__name__)
_START = 180.0
"""Seconds after which a node that did not join is given up."""
_OVER = 3.0
"""From SIGTERM to SIGKILL for a node that had its time to leave."""


@dataclass(frozen=True, slots=True)
class Launched:
    """The nodes that start, and why not more."""

    nodes: tuple[str, ...] = ()
    refused: str = ""


@dataclass(slots=True)
class _Trouble:
    """Launches of a group that came to nothing, in a row, and when the next may be tried (the loop's clock)."""

    failures: int = 0
    until: float = 0.0
    reason: str = ""


def _shape(node: RayNodeBody) -> list[object]:
    """What makes two nodes of one shape: bytes as declared and not as scaled to this machine, and no prices."""
    declared = [f"{amount / node.scale:.4g}" for amount in (node.memory, node.object_store_memory)]
    return [dict(node.resources), dict(node.labels), declared]


def generation(body: RayClusterBody, group: RayGroupBody) -> str:
    """The same for bodies whose nodes need not be told apart."""
    return _digest([_shape(group.node), group.environment, dict(body.env), body.region])


def head_generation(body: RayClusterBody) -> str:
    """The same for bodies that need no other head."""
    return _digest([_shape(body.head), body.environment, dict(body.env), body.autoscaled, body.region])


def _digest(told: list[object]) -> str:
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]


class Workers:
    """`groups` as applied; a node of a group that is none any more leaves."""

    def __init__(self, engine: RayEngine) -> None:
        self.engine = engine
        self.nodes: dict[str, Node] = {}
        self.groups: dict[str, RayGroupBody] = {}
        self.wanted: dict[str, int] = {}
        """Of groups that the autoscaler drives: what it asked for last."""
        self._trouble: dict[str, _Trouble] = {}

    def of(self, group: str) -> list[Node]:
        """All nodes of a group that exist."""
        return [node for node in self.nodes.values() if node.group == group]

    # --- what is asked of it

    def apply(self, group: RayGroupBody) -> None:
        """Takes a new body; `keep` makes it true."""
        self.groups[group.group] = group
        self._trouble.pop(group.group, None)
        for node in self.of(group.group):
            node.child.record = replace(node.child.record, unclaimed=False)
            self._describe(node)

    def remove(self, group: str) -> None:
        """Lets the nodes of a group go."""
        self.groups.pop(group, None)
        self.wanted.pop(group, None)

    def adopt(self, record: Record, root: procfs.Stat | None) -> None:
        """Takes over a node of an earlier supervisor; one that ended is replaced."""
        self.engine.count_from(record.name)
        node = self._node(record)
        if root is None:
            self.engine.cluster.store.forget(record.name)
            self._gone(node)
            return
        node.leaves_at = self.engine.market.notices.get(node.name, 0.0)
        if node.leaves_at:
            node.child.policy = replace(node.child.policy, drain=max(node.leaves_at - time.time(), 0.0))
        node.drained = record.draining
        self.wanted[node.group] = self.wanted.get(node.group, 0) + (not record.draining)
        node.child.adopt(root)

    def launch(self, group: str, count: int, request: str) -> Launched:
        """Starts what the autoscaler asks for, as far as bounds, cap and market have room."""
        body = self.groups.get(group)
        if body is None:
            return Launched(refused=f'there is no group "{group}"')
        staying = sum(not node.leaving for node in self.of(group))
        asked = min(staying + count, body.max)
        started, refused = self._act(body, asked, request)
        # What was refused is the autoscaler's to ask for again: a later start would be of a launch that it gave up.
        self.wanted[group] = min(staying + len(started), asked)
        if len(started) < count and not refused:
            refused = f'group "{group}" has {len(self.of(group))} of at most {body.max} nodes'
        return Launched(tuple(started), refused if len(started) < count else "")

    def terminate(self, name: str) -> None:
        """Ends a node that the autoscaler wants no more; one that is gone is no error."""
        node = self.nodes.get(name)
        if node and node.state not in LEAVING:
            self._want_less(node.group)
            node.stop()

    def preempt(self, names: Mapping[str, float]) -> None:
        """The nodes have their notice: they get no more work and go at their time."""
        now = time.time()
        for name, leaves_at in names.items():
            node = self.nodes.get(name)
            if node is None or node.leaves_at:
                continue
            node.leaves_at = leaves_at
            self._leave(node, max(leaves_at - now, 0.0), "spot notice")

    # --- keeping it true

    def keep(self) -> None:
        """Starts, replaces and drains what is needed now; does nothing when all is as wanted."""
        body = self.engine.body
        if body is None:
            return
        for node in list(self.nodes.values()):
            if node.group not in self.groups and not node.child.record.unclaimed:
                self._leave(node, DRAIN, "its group is removed")
        least = targets(body, self.groups.values())
        for group in list(self.groups.values()):
            wanted = self.wanted.get(group.group, 0) if body.autoscaled else least[group.group]
            self._act(group, wanted, "")
        self._roll(body)
        self.engine.market.keep(self.groups, self.nodes)

    @property
    def current(self) -> bool:
        """Whether all that are wanted are there, of the generation of their group, and none is about to change."""
        body = self.engine.body
        if body is None:
            return True
        if any(node.leaving or not node.ready or self._outdated(body, node) for node in self.nodes.values()):
            return False
        least = targets(body, self.groups.values())
        return all(len(self.of(name)) >= count for name, count in least.items())

    def stop(self) -> None:
        """Ends all."""
        for node in list(self.nodes.values()):
            if node.state is not State.STOPPING:
                node.stop(within=_OVER)

    def look(self, addresses: Mapping[str, str]) -> None:
        """Which nodes the head counts as alive, by address."""
        for node in list(self.nodes.values()):
            node.node_id = addresses.get(node.address, node.node_id)
            if node.address in addresses:
                node.child.feed(EventKind.PASSED)
            elif node.ready:
                node.child.feed(EventKind.FAILED, "the head does not count it as alive")
            elif node.state is State.DRAINING and node.node_id:
                # The raylet of a node that was drained ends when it has nothing to do; `ray start` does not see it.
                node.child.feed(EventKind.DRAINED)

    def beat(self, now: float) -> None:
        """Once a second: what is due."""
        for node in list(self.nodes.values()):
            node.measure(now)
            if node.state is State.STARTING and time.time() - node.child.since > _START:
                self._failed(node, f"did not join within {_START:g} s")
                node.stop()

    def _outdated(self, body: RayClusterBody, node: Node) -> bool:
        group = self.groups.get(node.group)
        return group is not None and node.generation != generation(body, group)

    def _roll(self, body: RayClusterBody) -> None:
        """Replaces one node of an old generation at a time."""
        busy = any(node.leaving or not node.ready for node in self.nodes.values())
        for node in list(self.nodes.values()):
            if node.leaving or not self._outdated(body, node):
                continue
            if not node.ready:
                node.stop()
            elif not busy:
                busy = True
                self._leave(node, DRAIN, "its group has changed")

    def _act(self, group: RayGroupBody, wanted: int, request: str) -> tuple[list[str], str]:
        """What the market grants of what is wanted: names of the nodes that start, and why not more."""
        engine, body = self.engine, self.engine.body
        if body is None or not engine.launches:
            return [], "the head is not there yet"
        trouble = self._trouble.get(group.group, _Trouble())
        if asyncio.get_running_loop().time() < trouble.until:
            return [], trouble.reason
        # What the autoscaler drives has its minimum from there; here it would be asked for twice.
        rules = replace(group, min=0) if body.autoscaled else group
        nodes = [node.seen() for node in self.of(group.group)]
        zones: dict[str, int] = {}
        for node in self.nodes.values():
            if not node.leaving:
                zones[node.facts.zone] = zones.get(node.facts.zone, 0) + 1
        space = limits.room(self.counted(body), limits.counted(group.node), body.max_resources, count=max(group.max, 1))
        actions = engine.market.act(
            body, rules, nodes, wanted=wanted, existing=zones, now=time.time(), room=space.allowed
        )
        started: list[str] = []
        refused = ""
        for action in actions:
            if isinstance(action, spot.Drain):
                self._leave(self.nodes[action.node], DRAIN, action.reason)
                continue
            room = self._room(body, group)
            if not room:
                refused = room.reason
                continue
            try:
                started.append(self._start(body, group, action, request))
            except CannotStart as error:
                refused = str(error)
        if not actions and len(nodes) < min(wanted, group.max):
            refused = space.reason or f'no zone has spot for group "{group.group}" now'
        return started, refused

    def _room(self, body: RayClusterBody, group: RayGroupBody) -> limits.Room:
        return limits.room(self.counted(body), limits.counted(group.node), body.max_resources)

    def counted(self, body: RayClusterBody) -> list[Mapping[str, float]]:
        """The logical resources of all nodes that exist, the leaving ones included, and of a schedulable head."""
        head = [limits.counted(body.head)] if schedulable(body.head) else []
        return head + [limits.counted(node.shape) for node in self.nodes.values() if node.shape]

    # --- its nodes

    def _start(self, body: RayClusterBody, group: RayGroupBody, action: spot.Launch, request: str) -> str:
        number, ordinal = self.engine.next_node(node.facts.number for node in self.nodes.values())
        facts = Facts("worker", number, action.market.value, action.zone, request, round(time.time(), 3))
        record = Record(
            name=f"{body.cluster}.{group.group}-{ordinal}",
            spawn="",
            group=group.group,
            generation=generation(body, group),
            owner=body.cluster,
            facts=self.engine.told(facts),
        )
        node = self._node(record)
        _log.info("%s: starts, %s in %s: %s", node.name, action.market.value, action.zone or "no zone", action.reason)
        node.child.feed(EventKind.START)
        return node.name

    def _node(self, record: Record) -> Node:
        engine = self.engine
        temp = engine.temp / str(Facts.of(record.facts).number)
        node = Node(
            engine.cluster, record, lambda record: engine.worker_launch(record, node), subnet=engine.subnet, temp=temp
        )
        node.on_change = self._changed
        self.nodes[record.name] = node
        self._describe(node)
        return node

    def _describe(self, node: Node) -> None:
        group, body = self.groups.get(node.group), self.engine.body
        if group and (node.shape is None or (body and node.generation == generation(body, group))):
            node.shape = group.node

    def _leave(self, node: Node, within: float, reason: str) -> None:
        """No more work, then the end; a node that was never ready ends at once."""
        if node.state in LEAVING:
            return
        _log.info("%s: leaves within %g s: %s", node.name, within, reason)
        self.engine.drain(node, within, reason)
        node.child.policy = replace(node.child.policy, terminate=_OVER)
        node.leave(within=within)

    def _changed(self, node: Node, _old: State, new: State) -> None:
        loop = asyncio.get_running_loop()
        if new is State.READY:
            self._trouble.pop(node.group, None)
        elif new is State.BACKOFF:
            if not node.child.life.ready_since and not node.node_id:
                self._failed(node, node.child.life.failure)
            if not node.leaving:
                self._want_less(node.group)
            loop.call_soon(node.child.feed, EventKind.STOP)
        elif new is State.STOPPED:
            loop.call_soon(self._gone, node)

    def _gone(self, node: Node) -> None:
        if self.nodes.get(node.name) is node:
            del self.nodes[node.name]
            self.engine.chores.clean(node.temp)
            self.engine.cluster.changed()

    def _failed(self, node: Node, reason: str) -> None:
        before = self._trouble.get(node.group, _Trouble())
        delay = backoff(before.failures + 1, node.child.policy)
        until = asyncio.get_running_loop().time() + delay
        self._trouble[node.group] = _Trouble(before.failures + 1, until, f"{node.name}: {reason}")

    def _want_less(self, group: str) -> None:
        self.wanted[group] = max(self.wanted.get(group, 0) - 1, 0)

    def held(self, group: RayGroupBody) -> str:
        """Why no further node of a group may start now; empty when it may."""
        body = self.engine.body
        if body is None:
            return ""
        closed = self.engine.market.closed(group.group)
        if group.market == "SPOT" and closed:
            return f"there is no spot in {', '.join(closed)} now"
        return self._room(body, group).reason

    def trouble(self, group: str) -> str:
        """Why the last node of a group came to nothing; empty when it did not."""
        found = self._trouble.get(group)
        return found.reason if found else ""
