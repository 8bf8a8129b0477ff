"""Puts the parts together: what is asked on the control socket becomes the state, and the state is made true.

Everything runs on one asyncio loop and between two awaits nobody else does, so the parts change each other freely and
no lock is needed. `_settle` runs once after any number of changes: it reconciles the groups and tells the gateway.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bandari._version import __version__
from bandari.errors import BandariError
from bandari.serving.autoscaler import Autoscaler
from bandari.serving.guard import GUARD_PID_FILE, SUPERVISOR_PID_FILE, alive, write_pid
from bandari.serving.keys import hashes
from bandari.serving.lifecycle import EventKind, State
from bandari.serving.protocol import (
    BODIES,
    PROTOCOL_VERSION,
    GatewayBody,
    GatewayHello,
    GatewayTable,
    Op,
    ReplicaSetBody,
    Request,
    Stored,
    plain,
)
from bandari.serving.supervisor import adoption, limits, logs, overview
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Control, Refused
from bandari.serving.supervisor.faults import fault
from bandari.serving.supervisor.gateway import Gateway
from bandari.serving.supervisor.link import Connection, Link, Listeners
from bandari.serving.supervisor.ray.parts import RayParts
from bandari.serving.supervisor.replicas import ReplicaSet
from bandari.serving.supervisor.store import Store
from bandari.serving.supervisor.tables import group_tables

_log = logging.getLogger(__name__)
_Body = TypeVar("_Body")
_TICK = 1.0
_SWEEP_EVERY = 30
_ROTATE_EVERY = 5
_MEND_EVERY = 2


class Supervisor:
    """One cluster on this machine. `run` returns when it was asked to stop and nothing is left."""

    def __init__(self, folder: Path, cluster: str) -> None:
        self.folder = folder
        self.cluster = Cluster(cluster, folder, Store(folder, cluster), self.changed)
        self.state = self.cluster.store.state
        self.sets: dict[str, ReplicaSet] = {}
        self.gateway = Gateway(self.cluster)
        self.link = Link(folder, Listeners(self._hello, self._load, self._lost))
        self.control = Control(folder, self.answer)
        self.autoscaler = Autoscaler()
        self.ray = RayParts(self.cluster, self._forget)
        self.keys: tuple[str, ...] = ()
        self.revision = time.time_ns() // 1_000_000
        """Of the last table; begins above all of an earlier supervisor, which a gateway may still echo."""
        self.table: GatewayTable | None = None
        self.guarded = alive(folder / GUARD_PID_FILE) is not None
        """Whether there ever was a guard."""
        self._settling = False
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Adopts, listens, serves until stopped."""
        try:
            self.keys = hashes(self.folder)
        except BandariError as error:
            _log.error("%s; until then no key opens the public listener", error)
        self.link.open()
        adoption.adopt(self)
        await self.control.open()
        try:
            write_pid(self.folder / SUPERVISOR_PID_FILE, os.getpid())
        except OSError as error:  # the lock and the socket say enough
            _log.warning("cannot write the pid file: %s", error)
        self.changed()
        ticking = asyncio.create_task(self._tick())
        try:
            await self._ended.wait()
        finally:
            ticking.cancel()
            await self._close()

    async def _close(self) -> None:
        self.link.close()
        await self.control.close()
        await self.autoscaler.aclose()
        await self.ray.aclose()
        if self._ended.is_set():
            adoption.sweep(self)
            adoption.end_orphans(self)
            limits.sweep(self.state.cluster)
            self.cluster.store.remove()
            shutil.rmtree(self.cluster.scratch, ignore_errors=True)
            (self.folder / SUPERVISOR_PID_FILE).unlink(missing_ok=True)

    # --- requests

    async def answer(self, request: Request) -> object:
        """Does one request; Refused when it cannot be done."""
        match request.op:
            case Op.HELLO:
                return {
                    "version": PROTOCOL_VERSION,
                    "pid": os.getpid(),
                    "cluster": self.state.cluster,
                    "bandari": __version__,
                }
            case Op.OBSERVE:
                return {
                    "resources": [plain(r) for r in self.state.resources.values()],
                    "status": plain(overview.status(self)),
                }
            case Op.APPLY:
                return await self._apply(request)
            case Op.DELETE:
                return self._delete(request.address)
            case Op.REFRESH:
                return self._refresh()
            case Op.STOP:
                return self._stop()
            case Op.RAY:
                return await self.ray.answer(request.address, request.body)

    async def _apply(self, request: Request) -> Mapping[str, Any]:
        kind, _, name = request.address.partition(".")
        if kind not in BODIES or not name:
            known = ", ".join(sorted(BODIES))
            raise Refused(f'cannot apply "{request.address}": its kind is none of {known}')
        if self.state.stopping:
            raise Refused(
                f'cannot apply "{request.address}": the cluster is being stopped', "wait for it, then run it again"
            )
        body: object = _convert(request.body, BODIES[kind], request.address)

        def save(outputs: Mapping[str, Any]) -> None:
            self._save(Stored(request.address, dict(request.body), dict(outputs)))

        if kind in self.ray.kinds:
            self.ray.check(kind, name, body)
        if isinstance(body, GatewayBody):
            known_one = self.state.resources.get(request.address)
            if not (known_one and known_one.body == request.body and self.gateway.body):
                await self.gateway.apply(body, save)
            outputs: Mapping[str, Any] = self.gateway.outputs
        else:
            outputs = request.outputs
            save(outputs)
            if isinstance(body, ReplicaSetBody):
                self._set(name).apply(body)
            elif kind in self.ray.kinds:
                self.ray.apply(kind, name, body, outputs)
        self.changed()
        fault("apply.before-answer")
        return {"outputs": dict(outputs)}

    def _save(self, stored: Stored) -> None:
        if self.state.resources.get(stored.address) == stored:
            return
        fault("apply.before-write")
        self._write(f'cannot apply "{stored.address}"', {**self.state.resources, stored.address: stored})
        _log.info("%s: applied", stored.address)

    def _delete(self, address: str) -> Mapping[str, Any]:
        if address in self.state.resources:
            fault("delete.before-write")
            kind, _, name = address.partition(".")
            if kind == "group":
                self.state.counts.pop(name, None)
            kept = {known: stored for known, stored in self.state.resources.items() if known != address}
            self._write(f'cannot delete "{address}"', kept)
            _log.info("%s: deleted", address)
            if kind == "group" and name in self.sets:
                self.sets[name].remove()
                self.autoscaler.forget(name)
            if kind == "gateway":
                self.gateway.stop()
            if kind in self.ray.kinds:
                self.ray.delete(kind, name)
            self.changed()
        fault("delete.before-answer")
        return {}

    def _forget(self, address: str) -> None:
        """Takes away what came to its end by itself; what a full disk keeps is ended again by the next supervisor."""
        try:
            self._delete(address)
        except Refused as refused:
            _log.warning("%s", refused)

    def _write(self, what: str, resources: dict[str, Stored]) -> None:
        """Takes `resources` for what is applied; Refused, and all is as before, when that cannot be written."""
        before, self.state.resources = self.state.resources, resources
        try:
            self.cluster.store.write()
        except OSError as error:
            self.state.resources = before
            reason = os.strerror(error.errno or 0).lower()
            raise Refused(
                f"{what}: the state cannot be written to {self.folder}: {reason}", "make room there"
            ) from error

    def _refresh(self) -> Mapping[str, Any]:
        try:
            self.keys = hashes(self.folder)
        except BandariError as error:
            raise Refused(f"{error}; the keys of before stay") from error
        self.changed()
        return {}

    def _stop(self) -> Mapping[str, Any]:
        """Acknowledged at once: a new supervisor would go on with it."""
        if not self.state.stopping:
            self.state.stopping = True
            self.cluster.store.try_write()
            _log.info("stops: ends all processes")
        self.changed()
        return {}

    def _set(self, group: str) -> ReplicaSet:
        return self.sets.setdefault(group, ReplicaSet(self.cluster, group))

    # --- keeping it true

    def changed(self) -> None:
        """Something changed: settles once, when all that runs now has run."""
        if not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = False
        if self.state.stopping:
            for replica_set in self.sets.values():
                replica_set.remove()
                for replica in replica_set.replicas:
                    replica.child.record = replace(replica.child.record, unclaimed=False)
        for replica_set in list(self.sets.values()):
            try:
                replica_set.reconcile()
            except Exception:  # noqa: BLE001 - one group's trouble is not another's
                _log.exception("%s: cannot bring it to what is wanted", replica_set.group)
            if replica_set.done:
                self.sets.pop(replica_set.group)
        self.ray.settle(stopping=self.state.stopping)
        self._tell()
        self._finish_drained()
        if self.state.stopping and not self.sets and self.ray.done:
            self.gateway.stop()
            if self.gateway.done:
                self._ended.set()

    def _tell(self) -> None:
        if self.cluster.store.lost and not self.state.resources:
            return  # The gateway still has a table, and it is better than the empty one that we could make.
        groups = tuple(group_tables(self.state.resources, self.sets))
        told = (groups, self.keys, self.ray.tables())
        if self.table is None or told != (self.table.groups, self.table.keys, self.table.services):
            self.revision += 1
            self.table = GatewayTable(self.state.cluster, groups, self.keys, self.revision, told[2])
        self.link.send(self.table)

    # --- the gateway's link

    def _hello(self, connection: Connection, hello: GatewayHello, sockets: dict[str, Any]) -> None:
        self.gateway.hello(connection, hello, sockets)
        if self.table:
            connection.send(self.table)
        self.changed()

    def _load(self, connection: Connection) -> None:
        self.gateway.heard(connection)
        self._finish_drained()
        self.ray.loads([linked.load.services for linked in self.link.connections])
        for replica_set in self.sets.values():
            if replica_set.body and replica_set.count == 0 and self.link.load(replica_set.group).queued:
                self._scale(replica_set)

    def _lost(self, connection: Connection) -> None:
        self.gateway.lost(connection)
        self.changed()

    def _finish_drained(self) -> None:
        for replica_set in list(self.sets.values()):
            load = self.link.load(replica_set.group)
            for replica in list(replica_set.replicas):
                if replica.state is State.DRAINING and self._idle(replica.name, load.upstreams):
                    replica.child.feed(EventKind.DRAINED)

    def _idle(self, replica: str, upstreams: Mapping[str, int]) -> bool:
        """Whether no gateway has a request on it, by a load that was made after the gateway knew that it drains."""
        if not self.link.connections:
            return not (self.gateway.child and self.gateway.child.alive)
        return all(c.knows_draining(replica) for c in self.link.connections) and not upstreams.get(replica)

    # --- time

    async def _tick(self) -> None:
        beats = 0
        while True:
            await asyncio.sleep(_TICK)
            beats += 1
            try:
                self._beat(beats)
            except Exception:  # noqa: BLE001
                _log.exception("cannot finish a look at the cluster")

    def _beat(self, beats: int) -> None:
        self.gateway.look()
        adoption.revive_guard(self)
        now = asyncio.get_running_loop().time()
        for replica_set in list(self.sets.values()):
            for replica in replica_set.replicas:
                replica.measure(now)
            if replica_set.body and not self.state.stopping:
                self._scale(replica_set)
        self.ray.beat(now)
        if beats % _MEND_EVERY == 0 and not self.state.stopping:
            self._mend()
        if beats % _ROTATE_EVERY == 0:
            logs.rotate_all(self.folder)
        if beats % _SWEEP_EVERY == 1:
            adoption.sweep(self)

    def _mend(self) -> None:
        """Puts back what somebody removed from the folder while the cluster runs."""
        if not self.cluster.store.path.exists():
            _log.warning("the state file was removed; writes it again")
            self.cluster.store.try_write()
        if not self.control.reachable():
            _log.warning("the control socket was removed; listens anew")
            task = asyncio.create_task(self.control.reopen())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _scale(self, replica_set: ReplicaSet) -> None:
        body = replica_set.body
        if body is None or body.scaling is None:
            return
        decision = self.autoscaler.decide(
            body.group,
            body.scaling,
            current=replica_set.count,
            usage=replica_set.usage(),
            load=self.link.load(body.group) if self.link.heard else None,
            slots=body.slots,
            cpu_request=body.cpu,
            memory_request=float(body.memory),
            now=asyncio.get_running_loop().time(),
        )
        before = replica_set.count
        replica_set.scale(decision.replicas, decision.reason)
        if replica_set.count != before:
            _log.info("%s: %s -> %s replicas: %s", body.group, before, replica_set.count, decision.reason)
            self.changed()


def _convert(body: Mapping[str, Any], kind: type[_Body], address: str) -> _Body:
    try:
        return msgspec.convert(body, kind)
    except (msgspec.ValidationError, ValueError) as error:
        fix = "this bandari and its supervisor may be of two versions: 'bandari down', then 'bandari up'"
        raise Refused(f'cannot apply "{address}": {error}', fix) from error


def on_signals() -> None:
    """SIGTERM and SIGINT end the supervisor alone; what it started goes on, and the guard starts the next one."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    assert main
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, main.cancel)
