"""One request on its way: to its group, there to a replica, again to another when that fails before it answers, and the
answer back.

A replica that fails before the first byte costs the client nothing: the request is placed anew. A connection that was
kept and turns out to be closed is not the replica's failure: the same is asked again over a fresh one. After the first
byte a stream ends with an error event, any other answer by closing the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bandari.serving.gateway import answers
from bandari.serving.gateway.answers import Answer
from bandari.serving.gateway.head import Head
from bandari.serving.gateway.relay import Relay

if TYPE_CHECKING:
    from bandari.serving.gateway.directory import Group
    from bandari.serving.gateway.downstream import Downstream
    from bandari.serving.gateway.replica import Replica
    from bandari.serving.gateway.routes import Version
    from bandari.serving.gateway.upstream import UpstreamConnection

BROKEN = "the replica failed while it answered"
SILENT = "the replica stopped answering"
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
"""Methods that may be sent twice (RFC 9110, 9.2.2)."""
LEFT = 0
"""Status of a request whose client left before there was one."""


class Exchange:
    """Times are of the monotonic clock, 0 for not yet; `answered_at` a tick's. `fresh`: over a new connection only."""

    __slots__ = (
        "answered_at", "body", "client", "connection", "first_at", "fresh", "group", "head", "held_at", "held_for",
        "keep", "method", "model", "over", "path", "ready", "relay", "replica", "sent", "started", "status",
        "target", "tries",
    )  # fmt: skip

    def __init__(self, client: Downstream, method: bytes, path: str, head: Head, body: bytes) -> None:
        self.client = client
        self.method = method
        self.path = path
        self.head = head
        self.body = body
        self.keep = True
        """Whether the connection may go on after it."""
        self.ready: Answer | None = None
        """The answer, when it was clear before the request was whole."""
        self.model = ""
        self.target = head.target
        self.group: Group | Version | None = None
        """A version of a service is as good as a group."""
        self.replica: Replica | None = None
        self.connection: UpstreamConnection | None = None
        self.relay: Relay | None = None
        self.started = client.service.now()
        self.answered_at = client.service.clock
        self.first_at = self.held_at = self.held_for = 0.0
        self.tries = self.status = self.sent = 0
        self.fresh = self.over = False

    # --- towards a replica

    def enter(self, group: Group) -> None:
        """Accepted for a group."""
        self.group = group
        group.metrics.requests += 1
        group.place(self)

    def send_to(self, replica: Replica) -> None:
        """Goes to a replica, as soon as there is a connection."""
        assert self.group
        self.replica = replica
        self.group.in_flight += 1
        self.answered_at = self.client.service.clock
        replica.take(self)

    def wants(self, replica: Replica) -> bool:
        """Whether it still waits for a connection to that replica."""
        return self.replica is replica and self.connection is None and not self.over

    def connected(self, connection: UpstreamConnection) -> None:
        """Sends the request."""
        self.connection = connection
        head = b"%b %b HTTP/1.1\r\nhost: %b\r\n%bcontent-length: %d\r\n\r\n" % (
            self.method,
            self.target,
            connection.replica.authority,
            b"".join(self.head.passed),
            len(self.body),
        )
        connection.begin(self, head, self.body)

    def unreachable(self, replica: Replica) -> None:
        """No connection could be opened."""
        if self.wants(replica):
            self._again(replica)

    def _again(self, replica: Replica) -> None:
        group = self.group
        assert group
        self._detach()
        replica.mark_down()
        self.fresh = False
        group.metrics.retries += 1
        if self.tries >= self.client.service.limits.attempts:
            self.refuse(answers.upstream_failed(self.tries))
        else:
            group.place(self)

    # --- from the replica

    def answered(self, connection: UpstreamConnection, body: list[bytes], *, complete: bool = False) -> None:
        """The head and more of the body have come."""
        client, relay = self.client, self.relay
        self.answered_at = client.service.clock
        if relay is None:
            relay = self.relay = self._relay(connection)
        if body and not self.first_at:
            self.first_at = client.service.now()
        data = relay.push(body, complete=complete)
        if complete:
            self.connection = None
        if data:
            client.write(data)
        if complete:
            self.sent = relay.bytes
            self._settle(keep=relay.keep)
        elif client.stalled_since and connection.transport:
            connection.transport.pause_reading()

    def _relay(self, connection: UpstreamConnection) -> Relay:
        assert self.group
        self.status = connection.status
        extra = self.group.note if self.client.public else self.group.note + connection.replica.note
        keep = self.keep and not self.client.service.stopping
        return Relay(connection, extra, chunks=self.head.version == "1.1", keep=keep)

    def broken(self, connection: UpstreamConnection) -> None:
        """The connection ended before the answer did, or holds no answer."""
        if self.relay is not None:
            self._cut(BROKEN)
        elif connection.replica.base is not None:
            self._repeat(connection)
        elif connection.reused and not connection.heard:
            replica = connection.replica
            self._detach()
            self.fresh = True
            if replica.usable:
                self.send_to(replica)
            elif self.group:
                self.group.place(self)
        else:
            self.tries += 1
            self._again(connection.replica)

    def _repeat(self, connection: UpstreamConnection) -> None:
        # An application may have acted on the request: only what does no harm twice is sent twice, and the fault of one
        # request is not taken for one of the service.
        self.tries += not (connection.reused and not connection.heard)
        if self.method not in IDEMPOTENT or self.tries >= self.client.service.limits.attempts:
            self.refuse(answers.upstream_failed(max(self.tries, 1)))
            return
        group = self.group
        assert group
        self._detach()
        self.fresh = True
        group.metrics.retries += 1
        group.place(self)

    def silent(self) -> None:
        """The replica has said nothing for too long."""
        connection = self.connection
        if connection:
            connection.drop()
        if self.relay is not None:
            self._cut(SILENT)
        else:
            self.refuse(answers.upstream_silent(self.client.service.limits.answer_seconds))

    def _cut(self, reason: str) -> None:
        assert self.relay
        assert self.group
        self.connection = None
        self.group.metrics.cut += 1
        last = self.relay.failure(f"cannot finish the answer: {reason}")
        if last:
            self.client.write(last)
        self.sent = self.relay.bytes
        self._settle(keep=False)

    def resume(self) -> None:
        """The client takes more."""
        if self.connection and self.connection.transport:
            self.connection.transport.resume_reading()

    # --- held

    def hold(self) -> float:
        """Waits for a replica from now on."""
        self.held_at = self.client.service.now()
        return self.held_at

    def let_go(self) -> None:
        """Waits no longer."""
        waited = self.client.service.now() - self.held_at
        self.held_for += waited
        self.held_at = 0.0
        if self.group:
            self.group.metrics.held.observe(waited)

    # --- the end

    def refuse(self, answer: Answer) -> None:
        """Ends with an answer of the gateway's own."""
        self.status = answer.status
        self.keep = self.keep and not answer.close and not self.client.service.stopping
        data = answer.encoded(close=not self.keep, head_only=self.method == b"HEAD")
        self.sent = len(data)
        self.client.write(data)
        self._settle(keep=self.keep)

    def abandon(self) -> None:
        """The client left: the replica must not go on for nobody."""
        if self.over:
            return
        if self.held_at:
            self.client.service.directory.forget(self)
            self.let_go()
        connection, self.connection = self.connection, None
        if connection:
            connection.drop()
        self._settle(keep=False)

    def _detach(self) -> None:
        replica, self.replica = self.replica, None
        self.connection = None
        if replica and self.group:
            self.group.in_flight -= 1
            replica.done()

    def _settle(self, *, keep: bool) -> None:
        replica = self.replica
        self.over = True
        self._detach()
        service = self.client.service
        service.finished(self, replica)
        self.client.over(self, keep=keep)
