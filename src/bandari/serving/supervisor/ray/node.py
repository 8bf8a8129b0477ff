"""One Ray node: a supervised `ray start --block`, head or worker, with what it stands for.

SIGTERM goes to that process alone, which ends its raylet and so lets Ray know; whatever is left is found by its mark.
A worker that ends is not started again under its name, as Ray may see no instance twice: another takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bandari.serving import spot
from bandari.serving.lifecycle import LEAVING, EventKind, Policy, State
from bandari.serving.protocol import ReplicaStatus
from bandari.serving.ray.bodies import RayNodeBody, RayNodeStatus
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.child import Child, Recipe
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.store import Record

TERMINATE = 10.0
"""From SIGTERM to SIGKILL: a raylet that has no task ends in one or two seconds."""
DRAIN = 30.0
"""How long a node that is replaced may finish its tasks."""
_POLICY = Policy(drain=DRAIN, terminate=TERMINATE, restart=TERMINATE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a node from its launch on; kept in its record."""

    role: str
    number: int
    """Last part of its address."""
    market: str = spot.Market.ON_DEMAND.value
    zone: str = ""
    request: str = ""
    """The autoscaler's name for the launch."""
    launched: float = 0.0

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Facts:
        """From a record, whatever else is in it."""
        return cls(
            role=str(told.get("role", "worker")),
            number=int(told.get("number", 0)),
            market=str(told.get("market", spot.Market.ON_DEMAND.value)),
            zone=str(told.get("zone", "")),
            request=str(told.get("request", "")),
            launched=float(told.get("launched", 0.0)),
        )


class Node:
    """`shape` is what it was made as; None for one of an earlier supervisor whose group is not known."""

    def __init__(self, cluster: Cluster, record: Record, recipe: Recipe, *, subnet: str, temp: Path) -> None:
        self.facts = Facts.of(record.facts)
        self.address = f"{subnet}.{self.facts.number}"
        self.temp = temp
        self.shape: RayNodeBody | None = None
        self.node_id = ""
        """Ray's id, once the head knows it."""
        self.drained = False
        """Whether Ray was told to give it no more work."""
        self.leaves_at = 0.0
        self.child = Child(cluster, record, recipe, policy=_POLICY, alone=True)
        self.child.on_change = self._changed
        self.on_change: Callable[[Node, State, State], None] = lambda _node, _old, _new: None
        self._used = procfs.Usage()
        self._used_at = 0.0
        self._cores = 0.0

    @property
    def name(self) -> str:
        return self.child.name

    @property
    def group(self) -> str:
        return self.child.record.group

    @property
    def state(self) -> State:
        return self.child.state

    @property
    def generation(self) -> str:
        return self.child.record.generation

    @property
    def ready(self) -> bool:
        return self.state is State.READY

    @property
    def leaving(self) -> bool:
        return self.state in LEAVING or bool(self.leaves_at)

    def seen(self) -> spot.Node:
        """As the market sees it."""
        return spot.Node(
            name=self.name,
            market=spot.Market(self.facts.market),
            zone=self.facts.zone,
            ready=self.ready,
            since=self.facts.launched,
            leaving=self.leaving,
        )

    def stop(self, *, within: float = TERMINATE) -> None:
        """Ends it: SIGTERM, then SIGKILL."""
        self.child.policy = replace(self.child.policy, terminate=within)
        self.child.feed(EventKind.STOP)

    def leave(self, *, within: float) -> None:
        """Lets it finish its tasks for so many seconds; one that was never ready ends at once."""
        self.child.policy = replace(self.child.policy, drain=within)
        self.child.feed(EventKind.DRAIN)

    def _changed(self, old: State, new: State) -> None:
        self.on_change(self, old, new)

    # --- what it says

    def measure(self, now: float) -> None:
        """Reads its use; CPU is the average since the last look."""
        use = procfs.usage(self.child.pid) if self.child.pid else procfs.Usage()
        elapsed = now - self._used_at
        known = self._used.cpu > 0 and elapsed > 0
        self._cores = max(use.cpu - self._used.cpu, 0.0) / elapsed if known else 0.0
        self._used, self._used_at = use, now

    @property
    def reason(self) -> str:
        """Why it stands where it does."""
        life = self.child.life
        return life.failure if life.failure and self.state is State.STARTING else life.reason

    def metrics(self) -> str:
        """`host:port` of Ray's metrics of the node; empty until its agent has written its port."""
        if not self.node_id or not self.child.pid:
            return ""
        for path in self.temp.glob(f"session_2*/metrics_export_port_{self.node_id}"):
            try:
                return f"{self.address}:{int(path.read_text())}"
            except (OSError, ValueError):
                continue
        return ""

    def replica(self) -> ReplicaStatus:
        """Its line of the status."""
        life = self.child.life
        return ReplicaStatus(
            self.name, self.state.value, self.child.pid, 0, life.restarts, self.reason, self.child.since,
            cpu=round(self._cores, 3), memory=self._used.memory,
        )  # fmt: skip

    def status(self, *, metrics: str, gpu: float | None) -> RayNodeStatus:
        """All of it."""
        shape = self.shape or RayNodeBody()
        return RayNodeStatus(
            name=self.name,
            group=self.group,
            state=self.state.value,
            address=self.address,
            pid=self.child.pid,
            market=self.facts.market,
            zone=self.facts.zone,
            machine=shape.machine,
            physical=shape.physical,
            resources=shape.resources,
            labels=shape.labels,
            cpu=round(self._cores, 3),
            memory=self._used.memory,
            gpu=gpu,
            metrics=metrics,
            reason=self.reason,
            since=self.child.since,
            leaves_at=self.leaves_at,
            request=self.facts.request,
        )
