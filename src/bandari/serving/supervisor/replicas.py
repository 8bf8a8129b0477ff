"""A group: the right number of replicas of the right generation, replaced one at a time without losing a request.

A change that needs a restart rolls: one new replica beside the old ones; when it is ready an old one drains and ends;
and so on. When the new one does not become ready the old ones stay, and the status says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bandari.serving.lifecycle import LEAVING, EventKind, State
from bandari.serving.protocol import GroupLoad, PartStatus, ReplicaSetBody, Upstream
from bandari.serving.scaling import ReplicaUsage
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.replica import Replica, generation
from bandari.serving.supervisor.store import Record

_UNCLAIMED = "found running after the state was lost; 'bandari up' takes it back, 'bandari down' ends it"


class ReplicaSet:
    """`body` None: the group is being deleted. `count` is what the autoscaler wants, `decision` its words."""

    def __init__(self, cluster: Cluster, group: str) -> None:
        self.cluster = cluster
        self.group = group
        self.body: ReplicaSetBody | None = None
        self.replicas: list[Replica] = []
        self.count = 0
        self.decision = ""
        self._blocked = ""

    # --- what is asked of it

    def apply(self, body: ReplicaSetBody) -> None:
        """Takes a new body; `reconcile` makes it true."""
        self.body = body
        bounds = body.scaling.bounds if body.scaling else None
        saved = self.cluster.store.state.counts.get(self.group, bounds.min if bounds else 1)
        self.count = bounds.clamp(saved) if bounds else 1

    def remove(self) -> None:
        """Lets all replicas drain."""
        self.body = None
        self.count = 0

    def scale(self, count: int, reason: str) -> None:
        """Takes a decision of the autoscaler."""
        self.decision = reason
        if count != self.count:
            self.count = count
            self.cluster.store.state.counts[self.group] = count
            self.cluster.store.try_write()

    def adopt(self, record: Record, root: procfs.Stat | None) -> None:
        """Takes over a replica of an earlier supervisor; one that ended starts again, unless it was to end."""
        current = self.body if self.body and record.generation == self._generation() else None
        if root is None and (record.draining or current is None):
            self.cluster.store.forget(record.name)
            return
        replica = self._replica(record, current)
        if root:
            replica.child.adopt(root)
        else:
            replica.child.feed(EventKind.START)

    def reconcile(self) -> None:
        """Starts and drains what is needed now. Called after every change; does nothing when all is as wanted."""
        if self.body is None and any(r.child.record.unclaimed for r in self.replicas):
            return
        present = [r for r in self.replicas if r.state not in LEAVING]
        wanted = self._generation() if self.body else ""
        new = [r for r in present if self.body and r.generation == wanted]
        old = [r for r in present if r not in new]
        self._take(new)
        for replica in list(old):
            # What does not serve is no loss: it makes room at once.
            if self.count == 0 or replica.state not in {State.READY, State.UNREADY}:
                old.remove(replica)
                self._drain(replica)
        if all(r.state is State.READY for r in new):
            self._retire(old, len(old) + len(new) - self.count)
        surplus = sorted(new, key=_first_to_go)[: max(len(new) - self.count, 0)]
        for replica in surplus:
            self._drain(replica)
        self._grow(new, old)

    def _take(self, new: list[Replica]) -> None:
        assert self.body or not new
        for replica in new:
            if replica.child.record.unclaimed:
                replica.child.record = replace(replica.child.record, unclaimed=False)
                self.cluster.store.note(replica.child.record)
            if replica.body != self.body and self.body:
                replica.adjust(self.body)

    def _retire(self, old: list[Replica], surplus: int) -> None:
        for replica in sorted(old, key=_first_to_go)[: max(surplus, 0)]:
            old.remove(replica)
            self._drain(replica)

    def _grow(self, new: list[Replica], old: list[Replica]) -> None:
        self._blocked = self._waits_for()
        if self._blocked or self.body is None:
            return
        if old:
            starting = any(r.state is not State.READY for r in new)
            missing = int(not starting and len(new) < self.count)
        else:
            missing = self.count - len(new)
        for _ in range(missing):
            replica = self._replica(Record(self._free_name(), spawn="", group=self.group), self.body)
            replica.child.feed(EventKind.START)

    def _drain(self, replica: Replica) -> None:
        replica.child.feed(EventKind.DRAIN)

    # --- its replicas

    def _replica(self, record: Record, body: ReplicaSetBody | None) -> Replica:
        if body and not record.generation:
            record = Record(record.name, record.spawn, group=self.group, generation=self._generation())
        replica = Replica(self.cluster, record, body, self._model())
        replica.on_stopped = self._stopped
        self.replicas.append(replica)
        return replica

    def _stopped(self, replica: Replica) -> None:
        self.replicas.remove(replica)

    def _free_name(self) -> str:
        taken = {replica.name for replica in self.replicas} | self.cluster.store.state.records.keys()
        return next(name for n in range(10**6) if (name := f"{self.group}-{n}") not in taken)

    def _model(self) -> Mapping[str, Any]:
        stored = self.cluster.store.state.resources.get(f"model.{self.group}")
        return stored.outputs if stored else {}

    def _generation(self) -> str:
        assert self.body
        return generation(self.body, self._model())

    def _waits_for(self) -> str:
        assert self.body or self.count == 0
        if self.body and self.body.model and f"model.{self.group}" not in self.cluster.store.state.resources:
            return f'waits for its weights: "model.{self.group}" is not applied yet'
        return ""

    # --- what it says

    @property
    def done(self) -> bool:
        """Whether it is deleted and nothing of it is left."""
        return self.body is None and not self.replicas

    def upstreams(self) -> tuple[Upstream, ...]:
        """For the gateway's table."""
        return tuple(upstream for r in self.replicas if (upstream := r.upstream()))

    @property
    def waking(self) -> bool:
        """Whether requests may be held: a replica is there or can be started."""
        if self.body is None or (self.body.scaling and self.body.scaling.bounds.max == 0):
            return False
        hopeless = [
            r.state is State.BACKOFF and r.child.life.reason.startswith("cannot be started") for r in self.replicas
        ]
        return not (hopeless and all(hopeless))

    def usage(self) -> list[ReplicaUsage]:
        """Of the ready ones, for the autoscaler."""
        return [r.usage for r in self.replicas if r.state is State.READY]

    def current(self) -> Iterator[Replica]:
        """Those of the wanted generation that stay."""
        wanted = self._generation() if self.body else ""
        return (r for r in self.replicas if r.state not in LEAVING and self.body and r.generation == wanted)

    def status(self, load: GroupLoad) -> PartStatus:
        """Its line of the status: ready when as many as wanted are, all of one generation but those that drain."""
        current = list(self.current())
        ready = sum(r.state is State.READY for r in self.replicas)
        settled = sum(r.state is State.READY for r in current)
        present = [r for r in self.replicas if r.state not in LEAVING]
        complete = settled >= self.count and len(present) == len(current)
        state, reason = self._state(current, complete=complete)
        body = self.body or ReplicaSetBody(self.group, (), "")
        return PartStatus(
            kind="group", name=self.group, state=state, ready=ready, replicas=self.count, reason=reason,
            detail=tuple(r.status() for r in sorted(self.replicas, key=lambda r: r.name)),
            in_flight=load.in_flight, queued=load.queued, scaling=self.decision,
            model=body.model, engine=body.engine, stand_in=body.stand_in,
        )  # fmt: skip

    def _state(self, current: list[Replica], *, complete: bool) -> tuple[str, str]:
        if self.body is None:
            lost = any(r.child.record.unclaimed for r in self.replicas)
            return ("unclaimed", _UNCLAIMED) if lost else ("stopping", "its replicas finish their requests")
        if complete and not self._blocked:
            return ("ready", "") if self.count else self._at_zero()
        if self._blocked:
            return State.PENDING.value, self._blocked
        waiting = next((r for r in current if r.state is not State.READY), None)
        if waiting is None:
            return "updating", "replicas of the version before are being replaced"
        line = waiting.status()
        return line.state, f"{waiting.name}: {line.reason}"

    def _at_zero(self) -> tuple[str, str]:
        if self.replicas:
            return State.DRAINING.value, "scaled to zero; its replicas finish their requests"
        return "idle", "scaled to zero; the next request starts a replica"


def _first_to_go(replica: Replica) -> tuple[bool, int]:
    """Those that do not serve, then the youngest."""
    number = replica.name.rpartition("-")[2]
    return replica.state is State.READY, -int(number if number.isdigit() else 0)
