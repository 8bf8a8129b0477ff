"""The gateway as a part: its listening sockets, which the supervisor holds, and its process, which may come and go.

A gateway that dies is started again on the same sockets, so connections wait in them. A supervisor that was started
anew gets the sockets back from the gateway that still runs (`GatewayHello`), and binds anew only when that is gone.
Other ports or certificates mean a second gateway; the first drains once the second has said hello.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from bandari.serving.lifecycle import LEAVING, EventKind, Policy, State
from bandari.serving.protocol import GATEWAY_SOCKET, GatewayBody, GatewayHello, PartStatus, ReplicaStatus, plain
from bandari.serving.supervisor import ports, procfs
from bandari.serving.supervisor.child import Child, Launch
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.environment import CannotStart, inherited
from bandari.serving.supervisor.link import Connection
from bandari.serving.supervisor.store import Record

_log = logging.getLogger(__name__)
GRACE = 30.0
"""How long a gateway that is being ended may finish its requests."""
_OURSELVES = 3.0
"""Seconds between two looks from which it is clear that this process did not run."""
SILENCE = 10.0
"""A gateway that says nothing on its link for this long hangs; it reports every 2 s."""
_SETTLE = 5.0
_POLICY = Policy(terminate=GRACE + 2, backoff_first=0.1, backoff_cap=5.0, healthy_after=10.0)
_PUBLIC_FIX = "set another publicPort under local:, or leave it out and the first free one is taken"
_PRIVATE_FIX = "set another port under local:, or leave it out and the first free one from 8000 is taken"


class Gateway:
    """At most one current process (`child`), and old ones that drain."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.body: GatewayBody | None = None
        self.outputs: dict[str, Any] = {}
        self.sockets: dict[str, socket.socket] = {}
        self.child: Child | None = None
        self.outgoing: list[Child] = []
        self._heard = 0.0
        self._looked = 0.0
        self._returned = asyncio.Event()

    # --- what is asked of it

    async def apply(self, body: GatewayBody, save: Callable[[Mapping[str, Any]], None]) -> None:
        """Listens as `body` says, has it saved, then starts or replaces the process; Refused when a port is taken."""
        if self.child and self.child.alive and not self.sockets:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._returned.wait(), _SETTLE)
        sockets = self._bind(body, self._kept_ports())
        outputs = {"port": sockets["private"].getsockname()[1]}
        if "public" in sockets:
            outputs["public_port"] = sockets["public"].getsockname()[1]
        save(outputs)
        for name, old in self.sockets.items():
            if sockets.get(name) is not old:
                old.close()
        self.body, self.outputs, self.sockets = body, outputs, sockets
        self.run()

    def restore(self, body: GatewayBody, outputs: Mapping[str, Any]) -> None:
        """Takes what was applied before this supervisor was started."""
        self.body, self.outputs = body, dict(outputs)

    def run(self) -> None:
        """Makes sure that a process of the current generation runs or is on its way."""
        assert self.body
        generation = _generation(self.body, self.outputs)
        if self.child and self.child.record.generation == generation and self.child.state not in LEAVING:
            self.child.record = self._claimed(self.child.record)
            return
        if self.child:
            self.outgoing.append(self.child)
        self.child = self._child(Record(self._free_name(), spawn="", generation=generation))
        self.child.feed(EventKind.START)

    def _claimed(self, record: Record) -> Record:
        claimed = replace(record, unclaimed=False)
        if record.unclaimed:
            self.cluster.store.note(claimed)
        return claimed

    def stop(self) -> None:
        """Ends all; `done` tells when."""
        self.body = None
        for child in (*self.outgoing, *([self.child] if self.child else [])):
            child.feed(EventKind.STOP)
        if self.done:
            self.close()

    def close(self) -> None:
        """Gives the ports back."""
        for held in self.sockets.values():
            held.close()
        self.sockets = {}

    @property
    def done(self) -> bool:
        """Whether no process of it is left."""
        return self.child is None and not self.outgoing

    def adopt(self, record: Record, root: procfs.Stat | None) -> None:
        """Takes over a gateway of an earlier supervisor, or starts one in its place when it is gone."""
        if root is None:
            self.cluster.store.forget(record.name)
            return
        # Ready again when it has said hello, and so given the sockets back.
        child = self._child(replace(record, ready=False))
        current = self.child is None and not record.draining
        if current:
            self.child = child
        else:
            self.outgoing.append(child)
        child.adopt(root)
        if not current:
            child.feed(EventKind.STOP)

    # --- what it hears

    def hello(self, connection: Connection, hello: GatewayHello, sockets: dict[str, socket.socket]) -> None:
        """A gateway is there; its sockets are taken back when ours are lost."""
        self._heard = asyncio.get_running_loop().time()
        child = self.child
        if child is None or child.pid != connection.pid:
            for unused in sockets.values():
                unused.close()
            return
        for name, returned in sockets.items():
            if name in self.sockets or name not in {"private", "public"}:
                returned.close()
            else:
                returned.setblocking(False)
                self.sockets[name] = returned
        self._returned.set()
        child.feed(EventKind.PASSED)
        for old in self.outgoing:
            old.feed(EventKind.STOP)
        _log.info("%s: linked, pid %s, listens as %s", child.name, hello.pid, ", ".join(hello.listeners))

    def heard(self, connection: Connection) -> None:
        """Its load has come, so it does not hang."""
        if self.child and connection.pid == self.child.pid:
            self._heard = asyncio.get_running_loop().time()

    def lost(self, connection: Connection) -> None:
        """Its link broke; when it ended too, the exit is seen by itself."""
        if self.child and connection.pid == self.child.pid:
            self.child.feed(EventKind.FAILED, "its link is broken")

    def look(self) -> None:
        """Ends a gateway that hangs."""
        now = asyncio.get_running_loop().time()
        if now - self._looked > _OURSELVES:
            self._heard = now  # it was us who slept: what it said meanwhile has yet to be read
        self._looked = now
        silent = now - self._heard
        if self.child and self.child.state is State.READY and silent > SILENCE:
            self.child.feed(EventKind.LIVENESS_FAILED, f"said nothing for {SILENCE:g} s")

    # --- its process and sockets

    def _child(self, record: Record) -> Child:
        child = Child(self.cluster, record, self._launch, policy=_POLICY, log="gateway")
        child.on_change = lambda _old, new: self._changed(child, new)
        return child

    def _changed(self, child: Child, state: State) -> None:
        if child is not self.child and state is State.BACKOFF:
            child.feed(EventKind.STOP)
        elif state is State.STOPPED and child in self.outgoing:
            self.outgoing.remove(child)
        elif state is State.STOPPED and child is self.child:
            self.child = None
            if self.body is None:
                self.close()

    def _free_name(self) -> str:
        # No group's replica can have a name with a dot.
        names = ("gateway", *(f"gateway.{n}" for n in range(2, 100)))
        return next(name for name in names if name not in self.cluster.store.state.records)

    def _launch(self, _record: Record) -> Launch:
        body = self.body
        if body is None:
            raise CannotStart("its settings are not known")
        self._hold()
        private = self.sockets["private"].fileno()
        words = [sys.executable, "-m", "bandari.serving.gateway", "--private-fd", str(private)]
        pass_fds = [private]
        if public := self.sockets.get("public"):
            words += ["--public-fd", str(public.fileno())]
            pass_fds.append(public.fileno())
            if body.tls_certificate:
                words += ["--tls-certificate", body.tls_certificate, "--tls-key", body.tls_key]
        words += ["--link", str(self.cluster.folder / GATEWAY_SOCKET), "--grace", f"{GRACE:g}"]
        return Launch(tuple(words), inherited(os.environ), tuple(pass_fds))

    def _hold(self) -> None:
        """Binds what is not held; after a crash of both, the kept ports are bound anew."""
        assert self.body
        if "private" in self.sockets and self.body.public == ("public" in self.sockets):
            return
        try:
            self.sockets = self._bind(self.body, self._kept_ports())
        except Refused as refused:
            raise CannotStart(str(refused)) from refused

    def _kept_ports(self) -> dict[str, int]:
        held = {name: int(held.getsockname()[1]) for name, held in self.sockets.items()}
        saved = {name: self.outputs.get(key) for name, key in (("private", "port"), ("public", "public_port"))}
        return {name: port for name, port in {**saved, **held}.items() if port}

    def _bind(self, body: GatewayBody, kept: Mapping[str, int]) -> dict[str, socket.socket]:
        made: list[socket.socket] = []

        def one(name: str, address: str, wanted: int | None, first: int, taken: tuple[int, ...]) -> socket.socket:
            port = wanted or kept.get(name)
            held = self.sockets.get(name)
            if held and held.getsockname()[:2] == (address, port):
                return held
            if held and held.getsockname()[1] == port:
                # The old gateway listens there until the new one has taken over, so another port is needed.
                port = wanted
            opened = ports.listen_on(address, port) if port else ports.listen_from(address, first, taken)
            made.append(opened)
            return opened

        fix = _PRIVATE_FIX
        try:
            sockets = {"private": one("private", "127.0.0.1", body.port, ports.FIRST_PRIVATE, ())}
            if body.public:
                fix = _PUBLIC_FIX
                first = ports.FIRST_PUBLIC_TLS if body.tls_certificate else ports.FIRST_PUBLIC
                own = (int(sockets["private"].getsockname()[1]),)
                sockets["public"] = one("public", body.public_address, body.public_port, first, own)
        except (ports.PortTaken, ValueError) as error:
            for opened in made:
                opened.close()
            raise Refused(str(error), fix) from error
        return sockets

    # --- what it says

    def status(self, in_flight: int, queued: int) -> PartStatus | None:
        """Its line of the status; None when there is no gateway."""
        child = self.child
        if child is None:
            return None
        ready = child.state is State.READY and not self.outgoing
        reason = child.life.failure or child.life.reason
        if ready:
            reason = ""
        elif child.state is State.READY:
            reason = "the gateway before it finishes its requests"
        use = procfs.usage(child.pid) if child.pid else procfs.Usage()
        detail = ReplicaStatus(
            child.name, child.state.value, child.pid, int(self.outputs.get("port", 0)), child.life.restarts, reason,
            child.since, memory=use.memory,
        )  # fmt: skip
        return PartStatus(
            "gateway", "gateway", child.state.value, int(child.state is State.READY), 1, reason, (detail,),
            in_flight=in_flight, queued=queued,
        )  # fmt: skip


def _generation(body: GatewayBody, outputs: Mapping[str, Any]) -> str:
    """The same for bodies that need the same listeners and certificates."""
    told = {**plain(body), **outputs}
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()[:16]
