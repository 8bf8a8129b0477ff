"""One replica as the gateway sees it: whether it may be asked, how much it has, and the connections kept to it.

A connection that waits for its next request holds a thread of llama.cpp's server, so no more of them are kept than the
replica has slots; those beyond are closed after their answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bandari.serving.gateway.limits import Limits
from bandari.serving.gateway.metrics import ReplicaMetrics
from bandari.serving.gateway.upstream import UpstreamConnection
from bandari.serving.protocol import Upstream

if TYPE_CHECKING:
    from bandari.serving.gateway.exchange import Exchange


class Replica:
    """`usable`: it may get new requests; a `retired` one is no longer in the table and finishes what it has."""

    __slots__ = (
        "_down", "_idle", "_limits", "_open_now", "_opening", "authority", "base", "changed", "draining", "host", "id",
        "in_flight", "metrics", "note", "port", "prefix", "retired", "slots", "usable",
    )  # fmt: skip

    def __init__(
        self, upstream: Upstream, limits: Limits, metrics: ReplicaMetrics, changed: Callable[[Replica], None]
    ) -> None:
        self.id = upstream.id
        self.host = upstream.host
        self.port = upstream.port
        self.authority = f"{upstream.host}:{upstream.port}".encode()
        self.note = b"x-bandari-replica: %b\r\n" % upstream.id.encode("latin-1", "replace")
        """Header line of its answers, for who may know."""
        self.base: bytes | None = None
        """Of a service's version: its own path, which stands for the `prefix` of the service."""
        self.prefix = b""
        self.metrics = metrics
        self.changed = changed
        """Called when it became usable again, or idle while it drains."""
        self.in_flight = 0
        self.retired = False
        self._down: asyncio.TimerHandle | None = None
        self._limits = limits
        self._open_now: set[UpstreamConnection] = set()
        self._idle: list[UpstreamConnection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self.update(upstream)

    def update(self, upstream: Upstream) -> None:
        """Takes what the table says of it, which is newer than any failure seen here."""
        self.slots = max(upstream.slots, 1)
        self.draining = upstream.draining
        self._up()
        if self.draining:
            self._close_idle()

    def retire(self) -> None:
        """The table knows it no more."""
        self.retired = True
        self._up()
        self._close_idle()

    def mark_down(self) -> None:
        """It failed: not to be asked for a moment."""
        self.usable = False
        if self._down is None:
            self._down = asyncio.get_running_loop().call_later(self._limits.down_seconds, self._look_again)

    def _look_again(self) -> None:
        self._up()
        self.changed(self)

    def _up(self) -> None:
        if self._down:
            self._down.cancel()
            self._down = None
        self.usable = not self.draining and not self.retired

    # --- requests

    def take(self, exchange: Exchange) -> None:
        """Sends a request over a kept connection, or a new one."""
        self.in_flight += 1
        while self._idle and not exchange.fresh:
            connection = self._idle.pop()
            if connection.transport and not connection.transport.is_closing():
                exchange.connected(connection)
                return
        task = asyncio.get_running_loop().create_task(self._open(exchange))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, exchange: Exchange) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                _, connection = await loop.create_connection(lambda: UpstreamConnection(self), self.host, self.port)
        except OSError:
            exchange.unreachable(self)
            return
        if exchange.wants(self):
            exchange.connected(connection)
        else:
            self.release(connection)

    def done(self) -> None:
        """One request fewer."""
        self.in_flight -= 1
        if not self.in_flight and (self.draining or self.retired):
            self.changed(self)

    # --- connections

    def release(self, connection: UpstreamConnection) -> None:
        """Keeps a connection for the next request if there is reason to."""
        if self.retired or self.draining or len(self._open_now) > self.slots:
            connection.drop()
            return
        connection.idle_since = time.monotonic()
        self._idle.append(connection)

    def opened(self, connection: UpstreamConnection) -> None:
        """A connection is there."""
        self._open_now.add(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection is closed, or is being closed."""
        self._open_now.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def tick(self, now: float) -> None:
        """Closes what was not used lately."""
        oldest = now - self._limits.reuse_seconds
        for connection in [c for c in self._idle if c.idle_since < oldest]:
            self._idle.remove(connection)
            connection.drop()

    def _close_idle(self) -> None:
        kept, self._idle = self._idle, []
        for connection in kept:
            connection.drop()
