"""One replica of a group: how it is launched, and its probes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bandari.serving import enter
from bandari.serving.lifecycle import IN_PLACE_FIELDS, MEMORY_FIELDS, EventKind, Policy, State
from bandari.serving.protocol import ReplicaSetBody, ReplicaStatus, Upstream, plain
from bandari.serving.scaling import ReplicaUsage
from bandari.serving.supervisor import environment, limits, probes, procfs
from bandari.serving.supervisor.child import Child, Launch
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.ports import free_port
from bandari.serving.supervisor.store import Record

_log = logging.getLogger(__name__)
_PROBED = frozenset({State.STARTING, State.READY, State.UNREADY})
_TERMINATE = 5.0


def generation(body: ReplicaSetBody, model: Mapping[str, Any]) -> str:
    """The same for bodies whose replicas need not be told apart: only fields differ that change in place."""
    kept = IN_PLACE_FIELDS if body.enforce_limits else IN_PLACE_FIELDS | MEMORY_FIELDS
    told = {name: value for name, value in plain(body).items() if name not in kept}
    weights = {name: model.get(name, "") for name in ("file", "folder")}
    return hashlib.sha256(msgspec.json.encode([told, weights], order="sorted")).hexdigest()[:16]


class Replica:
    """A child with probes. `body` and `model` (the outputs of `model.<group>`) are those of its own generation, until
    `adjust` gives it a body that differs in place only.
    """

    def __init__(self, cluster: Cluster, record: Record, body: ReplicaSetBody | None, model: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.body = body
        self.model = model
        grace = body.grace_period if body else Policy().drain
        self.child = Child(cluster, record, self._launch, policy=_policy(body, grace))
        self.child.on_change = self._changed
        self.on_stopped: Callable[[Replica], None] = lambda _replica: None
        self._tasks: list[asyncio.Task[None]] = []
        self._environ: Mapping[str, str] = {}
        self._usage = procfs.Usage()
        self._used_at = 0.0
        self.usage = ReplicaUsage()

    @property
    def name(self) -> str:
        return self.child.name

    @property
    def state(self) -> State:
        return self.child.state

    @property
    def generation(self) -> str:
        return self.child.record.generation

    def adjust(self, body: ReplicaSetBody) -> None:
        """Takes a body that asks for no restart; probes begin anew when they changed."""
        old, self.body = self.body, body
        self.child.policy = _policy(body, body.grace_period)
        if old is None or (old.readiness, old.liveness) != (body.readiness, body.liveness):
            self._probe()

    def upstream(self) -> Upstream | None:
        """Its line in the gateway's table: while it serves, or finishes what it has."""
        if self.state not in {State.READY, State.DRAINING} or not self.child.record.port:
            return None
        slots = self.body.slots if self.body else 1
        draining = self.state is State.DRAINING
        return Upstream(self.name, "127.0.0.1", self.child.record.port, slots, draining=draining)

    def measure(self, now: float) -> None:
        """Reads its use of CPU and memory; CPU is the average since the last look."""
        if not self.child.pid:
            self.usage, self._usage = ReplicaUsage(), procfs.Usage()
            return
        use = procfs.usage(self.child.pid)
        elapsed = now - self._used_at
        known = self._usage.cpu > 0 and elapsed > 0
        cores = max(use.cpu - self._usage.cpu, 0.0) / elapsed if known else None
        self.usage = ReplicaUsage(cores, float(use.memory))
        self._usage, self._used_at = use, now

    def status(self) -> ReplicaStatus:
        """Its line of the status."""
        life = self.child.life
        return ReplicaStatus(
            name=self.name,
            state=self.state.value,
            pid=self.child.pid,
            port=self.child.record.port,
            restarts=life.restarts,
            reason=life.failure if life.failure and self.state is State.STARTING else life.reason,
            since=self.child.since,
            cpu=round(self.usage.cpu or 0.0, 3),
            memory=procfs.usage(self.child.pid).memory if self.child.pid else 0,
        )

    # --- launching

    def _launch(self, record: Record) -> Launch:
        body = self.body
        if body is None:
            raise environment.CannotStart("its group is being removed")
        scratch = self.cluster.scratch / self.name
        shutil.rmtree(scratch, ignore_errors=True)
        port = free_port({other.port for other in self.cluster.store.state.records.values()})
        builtins = {
            "PYTHON": sys.executable,
            "PORT": str(port),
            "REPLICA": self.name,
            "HOSTNAME": socket.gethostname(),
            "MODEL": str(self.model.get("file", "")),
            "MODEL_DIR": str(self.model.get("folder", "")),
        }
        values = environment.declared(body.env, builtins, body.secrets_file, body.group)
        mounts = environment.sources(body.mounts, scratch, {**values, **builtins})
        values |= {environment.mount_variable(mount.name): mount.source for mount in mounts}
        values["PORT"] = str(port)
        command = environment.command(body, {**values, **builtins})
        self._environ = environment.environ_of(values, self.cluster.marks(record))
        cap = limits.cap(self.cluster.name, self.name, body.memory) if body.enforce_limits else None
        bound = mounts if mounts and enter.mount_namespaces_available() else ()
        if bound or (cap and cap.data_limit):
            command = enter.launcher(
                command,
                mounts=[(mount.source, mount.mount_path, mount.read_only) for mount in bound],
                root=str(scratch / ".root"),
                data_limit=cap.data_limit if cap else 0,
            )
        return Launch(command, self._environ, port=port, started=cap.started if cap else None)

    # --- probes

    def _changed(self, old: State, new: State) -> None:
        if (new in _PROBED) != (old in _PROBED) or (new is State.STARTING and old is not State.STARTING):
            self._probe()
        if new is State.STOPPED:
            if self.body is None or self.body.enforce_limits:
                limits.release(self.cluster.name, self.name)
            self.on_stopped(self)

    def _probe(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        if self.body is None or self.state not in _PROBED or not self.child.pid:
            return
        inside = self.child.pid if self.body.mounts and enter.mount_namespaces_available() else 0
        target = probes.Target(self.child.record.port, self.body.container_port, self._environ_now(), inside)
        ready = self.state is State.READY
        readiness = probes.watch_readiness(self.body.readiness, target, ready=ready, tell=self._readiness)
        self._tasks.append(asyncio.create_task(readiness))
        if self.body.liveness:
            liveness = probes.watch_liveness(self.body.liveness, target, tell=self._liveness)
            self._tasks.append(asyncio.create_task(liveness))

    def _environ_now(self) -> Mapping[str, str]:
        """What it was started with; of an adopted one /proc knows."""
        return self._environ or procfs.environment(self.child.pid)

    def _readiness(self, passed: bool, why: str) -> None:  # noqa: FBT001 - the answer of a probe
        self.child.feed(EventKind.PASSED if passed else EventKind.FAILED, why)

    def _liveness(self, why: str) -> None:
        # This call comes from the very task that `_probe` cancels: it goes on in the loop.
        asyncio.get_running_loop().call_soon(self.child.feed, EventKind.LIVENESS_FAILED, why)


def _policy(body: ReplicaSetBody | None, grace: float) -> Policy:
    liveness = body.liveness if body else None
    hung = liveness.termination_grace_period if liveness else None
    return Policy(drain=grace, terminate=_TERMINATE, restart=Policy().restart if hung is None else float(hung))
