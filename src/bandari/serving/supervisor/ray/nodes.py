"""Ray clusters as a part of the supervisor: takes their resources, answers for their nodes, tells how they stand."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bandari.diagnostics import did_you_mean
from bandari.serving.protocol import PartStatus, plain
from bandari.serving.ray.bodies import RayClusterBody, RayEnvironmentBody, RayGroupBody, RayNodeStatus, RayVerb
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray import discovery, standing
from bandari.serving.supervisor.ray.engine import RayEngine
from bandari.serving.supervisor.ray.gpu import GpuUse
from bandari.serving.supervisor.ray.lifetime import Lifetime
from bandari.serving.supervisor.ray.market import chosen
from bandari.serving.supervisor.ray.pending import why
from bandari.serving.supervisor.store import Record

_log = logging.getLogger(__name__)
_USERS = ("rayservice.", "rayschedule.")
"""Resources that need their cluster as long as they are applied."""


class Nodes:
    """`forget` takes an address out of what is applied, for a cluster that came to a limit of its own."""

    kinds = frozenset({"ray", "raygroup", "rayenv"})
    verbs = frozenset({RayVerb.NODES, RayVerb.LAUNCH, RayVerb.TERMINATE, RayVerb.WHY, RayVerb.PREEMPT, RayVerb.RESTORE})

    def __init__(self, cluster: Cluster, forget: Callable[[str], None]) -> None:
        self.cluster = cluster
        self.engines: dict[str, RayEngine] = {}
        self._lifetimes: dict[str, Lifetime] = {}
        self._forget = forget
        self._gpu = GpuUse()
        self._stopping = False

    # --- resources

    def apply(self, kind: str, name: str, body: Any, outputs: Mapping[str, Any]) -> None:  # noqa: ARG002 - of Part
        """Takes one that is on disk."""
        engine = self._engine(name.partition("/")[0])
        if isinstance(body, RayClusterBody):
            self._ended.pop(name, None)
            engine.apply(body)
        elif isinstance(body, RayGroupBody):
            engine.workers.apply(body)
        elif isinstance(body, RayEnvironmentBody):
            engine.environment, engine.outputs = body, dict(outputs)

    def delete(self, kind: str, name: str) -> None:
        """Ends what belongs to one that is gone from disk."""
        cluster, _, group = name.partition("/")
        engine = self.engines.get(cluster)
        if engine is None:
            return
        match kind:
            case "ray":
                engine.remove()
            case "raygroup":
                engine.workers.remove(group)
            case _:
                engine.environment = None

    def adopt(self, record: Record, root: procfs.Stat | None) -> None:
        """Takes over a process of an earlier supervisor."""
        self._engine(record.owner).adopt(record, root)

    def _engine(self, name: str) -> RayEngine:
        if name not in self.engines:
            self.engines[name] = RayEngine(self.cluster, name)
            self._lifetimes[name] = Lifetime(self.engines[name])
        return self.engines[name]

    # --- verbs

    async def answer(self, cluster: str, verb: RayVerb, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Does one verb; Refused when it cannot be done."""
        engine = self.engines.get(cluster)
        if engine is None:
            raise self._unknown(cluster)
        found = await self._do(engine, verb, body)
        self.cluster.changed()
        return found

    async def _do(self, engine: RayEngine, verb: RayVerb, body: Mapping[str, Any]) -> Mapping[str, Any]:
        match verb:
            case RayVerb.NODES:
                return {"nodes": [plain(node) | {"state": node.state} for node in self._nodes(engine)]}
            case RayVerb.LAUNCH:
                count = body.get("count", 1)
                if not isinstance(count, int) or count < 1:
                    raise Refused(f"cannot launch {count} nodes: the count is to be a number from 1")
                asked = engine.workers.launch(str(body.get("group", "")), count, str(body.get("request", "")))
                return {"nodes": list(asked.nodes), "refused": asked.refused}
            case RayVerb.TERMINATE:
                engine.workers.terminate(str(body.get("node", "")))
                return {}
            case RayVerb.WHY:
                return await why(engine)
            case _:
                return self._play(engine, verb, body)

    def _play(self, engine: RayEngine, verb: RayVerb, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The market, as told."""
        if engine.body is None:
            raise self._unknown(engine.name)
        group = chosen(engine.workers.groups, str(body.get("group", "")))
        zone = str(body.get("zone") or "")
        if verb is RayVerb.RESTORE:
            return {"zones": list(engine.market.restore(engine.body, group, zone=zone, now=time.time()))}
        notice = body.get("notice")
        nodes = [node.seen() for node in engine.workers.of(group.group)]
        going = engine.market.preempt(
            engine.body, group, nodes, zone=zone, notice=None if notice is None else float(notice), now=time.time()
        )
        engine.workers.preempt(going)
        return {"nodes": list(going), "leaves_at": dict(going)}

    def _unknown(self, name: str) -> Refused:
        near = did_you_mean(name, tuple(self.engines))
        known = ", ".join(f'"{one}"' for one in sorted(self.engines)) or "none"
        return Refused(f'cannot find Ray cluster "{name}"', f'"{near}"?' if near else f"Ray clusters here: {known}")

    def _nodes(self, engine: RayEngine) -> Iterator[RayNodeStatus]:
        head = [engine.head] if engine.head else []
        for node in (*head, *engine.workers.nodes.values()):
            yield node.status(metrics=node.metrics(), gpu=self._gpu.share)

    # --- keeping it true

    def settle(self, *, stopping: bool) -> None:
        """Brings every cluster to what is wanted."""
        self._stopping = stopping
        for name, engine in list(self.engines.items()):
            engine.settle(stopping=stopping)
            if engine.body is None and engine.gone and not engine.workers.groups and not engine.environment:
                del self.engines[name], self._lifetimes[name]

    def beat(self, now: float) -> None:
        """Once a second."""
        self._gpu.beat(now)
        for name, engine in list(self.engines.items()):
            engine.beat(now)
            reason = self._lifetimes[name].over(time.time(), in_use=self._in_use(name))
            if reason and not self._stopping:
                self._end(name, reason)
        entries = [
            entry
            for name, engine in sorted(self.engines.items())
            for entry in discovery.targets(self.cluster.name, name, self._nodes(engine))
        ]
        discovery.write(self.cluster.folder, entries)
        if self.engines:
            self.cluster.changed()  # ages of nodes, back-offs and the trouble of zones end by the clock alone

    def _in_use(self, name: str) -> bool:
        resources = self.cluster.store.state.resources.values()
        return any(stored.address.startswith(_USERS) and stored.body.get("cluster") == name for stored in resources)

    def _end(self, name: str, reason: str) -> None:
        _log.info("%s: ends, as it %s", name, reason)
        self._ended[name] = reason
        engine = self.engines[name]
        for group in list(engine.workers.groups):
            self._forget(f"raygroup.{name}/{group}")
        for kind in ("ray", "rayenv"):
            self._forget(f"{kind}.{name}")
        self.cluster.store.try_write()

    @property
    def _ended(self) -> dict[str, str]:
        return self.cluster.store.state.ended

    @property
    def done(self) -> bool:
        """Whether nothing of any cluster is left."""
        return all(engine.gone for engine in self.engines.values())

    async def aclose(self) -> None:
        """Ends all tasks; processes go on."""
        await self._gpu.aclose()
        await asyncio.gather(*(engine.aclose() for engine in self.engines.values()))
        if self._stopping:
            discovery.write(self.cluster.folder, [])

    # --- status

    def status(self) -> Iterable[PartStatus]:
        """A line for each cluster and each group."""
        for _, engine in sorted(self.engines.items()):
            if engine.body is not None or not engine.gone:
                yield standing.of_cluster(engine)
                yield from standing.of_groups(engine)
        for name, reason in sorted(self._ended.items()):
            if name not in self.engines:
                yield PartStatus(
                    "ray", name, "ended", 0, 0, f"ended by itself: it {reason}; 'bandari up' starts it again"
                )
