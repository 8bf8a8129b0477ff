"""One Ray cluster: its Redis, its head, its workers, in this order; and its end.

What was chosen once (addresses, ports, the namespace in Redis) is in the state file, so that a supervisor that starts
again finds everything where it was. The head may die at any time: Redis holds its state, the workers wait for it.
Another Ray or Python makes it another cluster: all ends, the namespace is a new one, all starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from bandari.desired.ray import HEAD
from bandari.serving.lifecycle import LEAVING, EventKind, State
from bandari.serving.ray.bodies import RayClusterBody, RayEnvironmentBody
from bandari.serving.ray.commands import DASHBOARD_PORT, SERVE_PORT, drain_command, ray_program
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.child import Launch
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.environment import CannotStart
from bandari.serving.supervisor.ray import head, places
from bandari.serving.supervisor.ray.choosing import REDIS, choices, ports_taken
from bandari.serving.supervisor.ray.chores import Chores
from bandari.serving.supervisor.ray.market import Market
from bandari.serving.supervisor.ray.node import Facts, Node
from bandari.serving.supervisor.ray.redis import RedisServer, program
from bandari.serving.supervisor.ray.view import View
from bandari.serving.supervisor.ray.workers import Workers, head_generation
from bandari.serving.supervisor.store import Record

_log = logging.getLogger(__name__)
_SILENT = 15.0
"""Seconds without an answer of the dashboard after which the head is called unready."""
_HUNG = 180.0
"""And after which it is started again; also one that does not become ready."""
_AT_WORK = frozenset({State.READY, State.UNREADY})


class RayEngine:
    """`body` None: it is being removed. Fulfils `part.Engine`."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.folder = cluster.folder / "ray" / name
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.temp = places.cluster_folder(cluster.folder, name)
        self.body: RayClusterBody | None = None
        self.environment: RayEnvironmentBody | None = None
        self.outputs: Mapping[str, Any] = {}
        self.market = Market(self.folder)
        self.head: Node | None = None
        self.redis: RedisServer | None = None
        self.workers = Workers(self)
        self.trouble = ""
        """Why it cannot be brought to what is wanted; empty when it can."""
        self._ending = False
        self._view = View(self._told)
        self._heard = 0.0
        self.chores = Chores(name, cluster.changed)

    # --- what others see of it

    @property
    def facts(self) -> dict[str, Any]:
        """What was chosen once; empty before the first start."""
        return self.cluster.store.state.ray.get(self.name, {})

    @property
    def subnet(self) -> str:
        return str(self.facts.get("subnet", "127.0.0"))

    @property
    def address(self) -> str:
        """Of the head."""
        return f"{self.subnet}.{places.HEAD_NUMBER}"

    @property
    def gcs(self) -> str:
        """`host:port` for `ray.init` and for workers."""
        return f"{self.address}:{self.facts.get('gcs', 0)}"

    @property
    def dashboard(self) -> str:
        return f"http://{self.address}:{DASHBOARD_PORT}" if self.head and self.head.ready else ""

    @property
    def epoch(self) -> int:
        return int(self.facts.get("epoch", 0))

    @property
    def ready_since(self) -> float:
        """When its head was ready first (Unix time); 0: not yet."""
        return float(self.facts.get("ready_since", 0.0))

    @property
    def serve(self) -> tuple[str, int]:
        return self.address, SERVE_PORT

    @property
    def bin(self) -> str:
        return str(self.outputs.get("bin") or Path(sys.executable).parent)

    @property
    def launches(self) -> bool:
        """Whether workers can be started: the head is there, or asks for them itself while it starts."""
        there = self.body is not None and not self._ending
        return there and self.head is not None and self.head.state in {*_AT_WORK, State.STARTING}

    @property
    def gone(self) -> bool:
        """Whether nothing of it runs or lies about."""
        return not self._children() and not self.chores.pending and not self.temp.exists()

    @property
    def waits_for(self) -> str:
        """What must be applied before it can start; empty when all is there."""
        body = self.body
        if body is None or not body.environment:
            return ""
        known = self.environment
        if known is None or known.digest != body.environment or not self.outputs.get("bin"):
            return f'waits for its environment: "rayenv.{self.name}" is not applied yet'
        return ""

    @property
    def unclaimed(self) -> bool:
        """Whether it was found running after the state was lost."""
        return self.body is None and any(child.record.unclaimed for child in self._children())

    # --- what is asked of it

    def apply(self, body: RayClusterBody) -> None:
        """Takes a body; `settle` makes it true."""
        versions = f"{body.ray}/{body.python}"
        if self.facts.get("versions", versions) != versions:
            _log.info("%s: another Ray or Python: the cluster is replaced", self.name)
            self.facts["fresh"] = True
        self.body = body
        for part in (self.head, self.redis):
            if part:
                part.child.record = replace(part.child.record, unclaimed=False)

    def remove(self) -> None:
        """Ends it. What is applied again under its name is another cluster."""
        self.body = None
        if self.facts:
            self.facts["fresh"] = True
            self.cluster.store.try_write()

    def adopt(self, record: Record, root: procfs.Stat | None) -> None:
        """Takes over a process of an earlier supervisor; head and Redis start again when theirs is gone."""
        if record.facts.get("cluster") and not self.facts:  # the state was lost; this is from before that head's start
            known = dict(record.facts["cluster"])
            self.cluster.store.state.ray[self.name] = known | {"epoch": int(known["epoch"]) + 1}
        role = record.facts.get("role")
        if role == "worker":
            self.workers.adopt(record, root)
            return
        if role == REDIS:
            self.redis = self._redis(record)
            child = self.redis.child
        else:
            self.head = self._node(record)
            child = self.head.child
        if root:
            child.adopt(root)
            if role == HEAD:
                self._look()
        elif record.draining:
            self.cluster.store.forget(record.name)
            self.redis, self.head = (None, self.head) if role == REDIS else (self.redis, None)
        else:
            child.feed(EventKind.START)

    def settle(self, *, stopping: bool) -> None:
        """Brings what runs to what is wanted."""
        if self.unclaimed and not stopping:
            return  # it serves on until it is applied again
        body = self.body
        self._ending = stopping or bool(self.facts.get("fresh"))
        if body is None or self._ending:
            self._wind_down(keeps=body is not None and not stopping)
            return
        if self.waits_for:
            return
        try:
            if not self.facts and self.chores.pending:
                return  # the temp folder of what it was before is still being removed
            if not self.facts:
                self._choose(body)
            if self._keep_redis() and self._keep_head(body):
                self.workers.keep()
            self.trouble = ""
        except CannotStart as error:
            self.trouble = str(error)

    def beat(self, now: float) -> None:
        """Once a second."""
        self.workers.beat(now)
        if self.market.notices:
            self.workers.preempt(self.market.notices)
        if self.head:
            self.head.measure(now)
            self._listen(now)

    async def aclose(self) -> None:
        """Ends its tasks; processes go on."""
        await self._view.aclose()
        await self.chores.aclose()

    def next_node(self, taken: Iterable[int]) -> tuple[int, int]:
        """Number and ordinal of a new worker; the ordinal is in its name and never comes again."""
        number = places.next_number(int(self.facts["number"]), set(taken))
        self.facts["number"], self.facts["ordinal"] = number, int(self.facts["ordinal"]) + 1
        return number, int(self.facts["ordinal"])

    def told(self, facts: Facts) -> dict[str, Any]:
        """The facts of a process for its record and its mark, with those of the cluster, should the state be lost."""
        return {**msgspec.to_builtins(facts), "cluster": dict(self.facts)}

    def count_from(self, name: str) -> None:
        """No ordinal up to that of a worker comes again, also when the state was lost."""
        ordinal = name.rpartition("-")[2]
        if self.facts and ordinal.isdigit():
            self.facts["ordinal"] = max(int(self.facts["ordinal"]), int(ordinal))

    def _choose(self, body: RayClusterBody) -> None:
        self.cluster.store.state.ray[self.name] = choices(self.cluster, self.name, f"{body.ray}/{body.python}")
        self.cluster.store.try_write()

    # --- Redis and the head

    def _keep_redis(self) -> bool:
        """Whether the head's store answers, or there can be none."""
        if self.redis is None:
            if not program():
                return True
            facts = self.told(Facts(REDIS, places.HEAD_NUMBER))
            record = Record(f"{self.name}.{REDIS}", "", group=REDIS, owner=self.name, facts=facts)
            self.redis = self._redis(record)
            self.redis.child.feed(EventKind.START)
        return self.redis.ready or (self.head is not None and self.head.state in _AT_WORK)

    def _redis(self, record: Record) -> RedisServer:
        server = RedisServer(self.cluster, record, self.folder / REDIS, int(self.facts.get(REDIS, 0)))

        def stopped() -> None:
            if self.redis is server:
                self.redis = None

        server.on_stopped = stopped
        return server

    def _keep_head(self, body: RayClusterBody) -> bool:
        """Whether the head is ready; it is restarted when it is of another generation and no worker is about to be."""
        if body.autoscaled:
            head.write_config(self.folder, self.cluster.folder, body, self.workers.groups.values())
        if self.head is None:
            facts = self.told(Facts(HEAD, places.HEAD_NUMBER))
            wanted = head_generation(body)
            record = Record(f"{self.name}.{HEAD}", "", group=HEAD, generation=wanted, owner=self.name, facts=facts)
            self.head = self._node(record)
            self.head.child.feed(EventKind.START)
        elif self.head.generation != head_generation(body) and self.head.state not in LEAVING and self._calm(body):
            _log.info("%s: restarts on its Redis state, as it has changed", self.head.name)
            self.head.stop()
        return self.head.ready

    def _calm(self, body: RayClusterBody) -> bool:
        """Whether the workers have had their turn, so that the head may have its own."""
        pending = any(group.environment != body.environment for group in self.workers.groups.values())
        return not pending and self.workers.current

    def _node(self, record: Record) -> Node:
        temp = self.temp / str(places.HEAD_NUMBER)
        node = Node(self.cluster, record, self._head_launch, subnet=self.subnet, temp=temp)
        node.shape = self.body.head if self.body else None
        node.on_change = self._head_changed
        return node

    def _head_launch(self, record: Record) -> Launch:
        body = self.body
        if body is None:
            raise CannotStart("its settings are not known")
        if record.failures and not self.ready_since and not self.workers.nodes:
            # Somebody else may have come to listen there, and nobody knows the port yet.
            self.facts["gcs"] = places.gcs_port(self.cluster.folder, self.name, ports_taken(self.cluster))
        self.facts["epoch"] = self.epoch + 1
        self._heard = asyncio.get_running_loop().time()
        path = None
        if body.autoscaled:
            path = head.write_config(self.folder, self.cluster.folder, body, self.workers.groups.values())
        return head.launch_head(
            body,
            address=self.address,
            temp=places.temp_folder(self.cluster.folder, self.name, places.HEAD_NUMBER),
            gcs=int(self.facts["gcs"]),
            taken=ports_taken(self.cluster),
            bin_folder=self.bin,
            redis=self.redis.store(str(self.facts["namespace"])) if self.redis else None,
            config_path=path,
        )

    def worker_launch(self, _record: Record, node: Node) -> Launch:
        """The launch of one of its workers."""
        if self.body is None or node.shape is None:
            raise CannotStart("its group is being removed")
        places.temp_folder(self.cluster.folder, self.name, node.facts.number)
        return head.launch_worker(self.body, node, node.shape, gcs=self.gcs, bin_folder=self.bin)

    def _head_changed(self, node: Node, _old: State, new: State) -> None:
        if new is State.READY and self.facts:
            self.facts.setdefault("ready_since", time.time())
        if new in {State.STARTING, State.READY}:
            self._look()
        elif new in {State.BACKOFF, State.STOPPED}:
            self._view.close()
        if new is State.STOPPED and self.head is node:
            self.head = None

    # --- what the head tells

    def _look(self) -> None:
        self._heard = asyncio.get_running_loop().time()
        self._view.open(f"http://{self.address}:{DASHBOARD_PORT}")

    def _told(self, nodes: Mapping[str, str]) -> None:
        if self.head is None:
            return
        if self.address in nodes:
            self._heard = asyncio.get_running_loop().time()
            self.head.node_id = nodes[self.address]
            self.head.child.feed(EventKind.PASSED)
            self.workers.look(nodes)
        waiting = any(node.state in {State.STARTING, State.DRAINING} for node in self.workers.nodes.values())
        self._view.eager = waiting or not self.head.ready

    def _listen(self, now: float) -> None:
        assert self.head
        silent = now - self._heard
        why = f"its dashboard did not tell of it for {silent:.0f} s"
        if self.head.ready and silent > _SILENT:
            self.head.child.feed(EventKind.FAILED, why)
        if self.head.state in {State.STARTING, State.UNREADY} and silent > _HUNG:
            self.head.child.feed(EventKind.LIVENESS_FAILED, why)

    def drain(self, node: Node, seconds: float, reason: str) -> None:
        """Tells Ray to give a node no more work; once."""
        if node.drained or not node.node_id or not self.dashboard:
            return
        node.drained = True
        words = drain_command(ray_program(self.bin), gcs=self.gcs, node_id=node.node_id, seconds=seconds, reason=reason)
        self.chores.command(words, f"cannot drain {node.name}")

    # --- the end

    def _wind_down(self, *, keeps: bool) -> None:
        """Workers first, so that they can say so to the head; Redis last. `keeps`: it starts again as another one."""
        for child in self._children():
            child.record = replace(child.record, unclaimed=False)
        self.chores.drop()
        if self.workers.nodes:
            self.workers.stop()
        elif self.head:
            if self.head.state is not State.STOPPING:
                self.head.stop()
        elif self.redis:
            self.redis.child.feed(EventKind.STOP)
        elif not self.chores.pending and (self.facts or self.temp.exists()):
            self._erase(keeps=keeps)

    def _erase(self, *, keeps: bool) -> None:
        """Forgets what was chosen; the next start is another cluster."""
        self._view.close()
        self.cluster.store.state.ray.pop(self.name, None)
        self.cluster.store.try_write()
        shutil.rmtree(self.folder / REDIS, ignore_errors=True)
        (self.folder / head.CONFIG_FILE).unlink(missing_ok=True)
        self.chores.clean(self.temp)
        if not keeps:
            self.market.remove()
            with contextlib.suppress(OSError):
                self.folder.rmdir()
        self.cluster.changed()

    def _children(self) -> list[Any]:
        nodes = [*self.workers.nodes.values(), *([self.head] if self.head else [])]
        return [node.child for node in nodes] + ([self.redis.child] if self.redis else [])
