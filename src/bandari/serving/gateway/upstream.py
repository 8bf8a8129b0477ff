"""One connection to a replica, kept for the next request when the answer allows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from bandari.serving.gateway.head import HOP_BY_HOP

if TYPE_CHECKING:
    from bandari.serving.gateway.exchange import Exchange
    from bandari.serving.gateway.replica import Replica

_ONE_WRITE = 65536
"""A larger body is not copied behind its head."""


class UpstreamConnection(asyncio.Protocol):
    """At most one exchange at a time uses it. `heard`: something of the answer has come; `reused`: it served before."""

    __slots__ = (
        "bodiless", "body", "chunked", "complete", "event_stream", "exchange", "head", "heard", "idle_since", "keep",
        "length", "parser", "replica", "reused", "status", "surplus", "transport",
    )  # fmt: skip

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.transport: asyncio.Transport | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.exchange: Exchange | None = None
        self.bodiless = self.reused = False
        self.idle_since = 0.0
        self._forget()

    def _forget(self) -> None:
        self.heard = self.complete = self.surplus = self.event_stream = self.keep = False
        self.status = 0
        self.length = self.chunked = False
        self.head: list[bytes] = []
        self.body: list[bytes] = []

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open; the one who asked for it goes on in `Replica`."""
        self.transport = cast("asyncio.Transport", transport)
        self.replica.opened(self)

    def begin(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Sends a request whose answer goes to `exchange`."""
        assert self.transport
        self.exchange = exchange
        self.bodiless = exchange.method == b"HEAD"
        if len(body) < _ONE_WRITE:
            self.transport.write(head + body)
        else:
            self.transport.writelines((head, body))

    def drop(self) -> None:
        """Closes at once; the replica sees that nobody waits for the rest."""
        self.exchange = None
        self.replica.lost(self)
        if self.transport:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Part of an answer; bytes that nobody asked for end the connection."""
        exchange = self.exchange
        if exchange is None:
            self.drop()
            return
        self.heard = True
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:
                self._break()
                return
            self.surplus = True
        if self.status:
            body = self.body
            if body:
                self.body = []
            if self.complete:
                self._finish(exchange, body)
            else:
                exchange.answered(self, body)

    def _finish(self, exchange: Exchange, body: list[bytes]) -> None:
        keep = self.keep and not self.surplus
        self.exchange = None
        exchange.answered(self, body, complete=True)
        self._forget()
        if keep:
            self.reused = True
            self.replica.release(self)
        else:
            self.drop()

    def _break(self) -> None:
        exchange, self.exchange = self.exchange, None
        if self.transport:
            self.transport.abort()
        if exchange:
            exchange.broken(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by either end; an answer without a length ends with it."""
        self.transport = None
        self.replica.lost(self)
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        unframed = self.status and not self.length and not self.chunked
        if exc is None and unframed and not (exchange.relay and exchange.relay.unfinished):
            exchange.answered(self, [], complete=True)
        else:
            exchange.broken(self)

    # --- the parser

    def on_message_begin(self) -> None:
        """A second answer to one request is more than was asked for."""
        if self.complete:
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps what is not about this connection."""
        if self.status:
            return
        key = name.lower()
        if key in HOP_BY_HOP:
            self.chunked = self.chunked or key == b"transfer-encoding"
            return
        if key == b"content-length":
            self.length = True
        elif key == b"content-type":
            # What a service streams is passed on as it comes.
            self.event_stream = self.replica.base is None and value.startswith(b"text/event-stream")
        elif key == b"location" and self.replica.base:
            value = self._outside(value)
        self.head += (name, b": ", value, b"\r\n")

    def _outside(self, location: bytes) -> bytes:
        # A redirect to a path of the version is one to the same below the prefix.
        base = self.replica.base
        assert base
        path = location.removeprefix(b"http://" + self.replica.authority)
        below = path.startswith(base) and path[len(base) : len(base) + 1] in {b"", b"/", b"?", b"#"}
        return (self.replica.prefix + path[len(base) :] or b"/") if below else location

    def on_headers_complete(self) -> None:
        """The answer's status is known; interim ones (1xx) are skipped."""
        if self.surplus:
            return
        status = self.parser.get_status_code()
        if status < 200:
            self.head = []
        else:
            self.status = status
            if self.bodiless:
                # The parser would wait for the body that the length speaks of.
                self.complete = True
            self.bodiless = self.bodiless or status in {204, 304}

    def on_body(self, part: bytes) -> None:
        if not self.complete:
            self.body.append(part)

    def on_message_complete(self) -> None:
        # The parser knows only here whether the connection may stay.
        if self.status and not self.complete:
            self.complete = True
            self.keep = self.parser.should_keep_alive()
