"""A client's connection: reads requests, within limits, and answers them in the order of their coming."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import cast

import httptools

from bandari.serving.gateway import answers
from bandari.serving.gateway.answers import Answer
from bandari.serving.gateway.exchange import Exchange
from bandari.serving.gateway.head import SPECIAL, Head, path_of, without_upgrade
from bandari.serving.gateway.service import Service

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINGER = 2.0
_LAST_CALL = 0.5
"""Seconds that a kept connection stays open when the gateway ends."""
_log = logging.getLogger(__name__)
"""After a refusal the rest of what is sent is read and thrown away for so long: a reset could destroy the answer."""
_WHOLE_BODY = 10
"""Times `body_seconds` for all of a body."""
_WAITING, _HEAD, _BODY, _CLOSED = range(4)


class Downstream(asyncio.Protocol):
    """`exchange` is the request being answered, `_pending` those that came after it on the same connection."""

    __slots__ = (
        "_begun", "_body", "_body_size", "_body_until", "_continue_due", "_deadline", "_head", "_head_size",
        "_parser", "_pending", "_reading", "_state", "_transport", "exchange", "public", "service", "stalled_since",
    )  # fmt: skip

    def __init__(self, service: Service, *, public: bool) -> None:
        self.service = service
        self.public = public
        self.exchange: Exchange | None = None
        self.stalled_since = 0.0
        """Since when the client has taken nothing, 0 when it does."""
        self._pending: deque[Exchange] = deque()
        self._transport: asyncio.Transport | None = None
        self._reading = True
        self._state = _WAITING
        self._deadline = self._body_until = 0.0
        self._head = Head()
        self._head_size = self._body_size = self._begun = 0
        self._body: list[bytes] = []
        self._continue_due = False
        self._parser = httptools.HttpRequestParser(self)

    # --- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there, and has to say something soon."""
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = self.service.clock + self.service.limits.head_seconds
        self.service.connections.add(self)
        if self.service.stopping:
            self._transport.close()

    @property
    def peer(self) -> str:
        """The client's address, for the log."""
        peer = self._transport.get_extra_info("peername") if self._transport else None
        return str(peer[0]) if peer else ""

    @property
    def scheme(self) -> bytes:
        """`https` or `http`."""
        secured = self._transport and self._transport.get_extra_info("sslcontext")
        return b"https" if secured else b"http"

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client left; what was asked for it is not needed any more."""
        self._transport = None
        self._state = _CLOSED
        self.service.connections.discard(self)
        self._pending.clear()
        if self.exchange:
            self.exchange.abandon()
        self.service.left()

    def stop(self) -> None:
        """The gateway ends. A connection without a request is closed in a moment: one that is on its way to us on a
        kept connection is still answered, and told that it was the last.
        """
        if self._transport and self.exchange is None and self._state is _WAITING:
            self._deadline = self.service.clock + _LAST_CALL

    def tick(self, now: float) -> None:
        """Looks whether somebody takes too long."""
        limits, exchange = self.service.limits, self.exchange
        if self.stalled_since and now - self.stalled_since > limits.send_seconds:
            self._abort()
        elif exchange and exchange.replica and now - exchange.answered_at > limits.answer_seconds:
            if not self.stalled_since:
                exchange.silent()
        elif self._deadline and now > self._deadline:
            self._late()

    def _late(self) -> None:
        if self._state is _HEAD:
            self._refuse(answers.too_slow("headers"))
        elif self._state is _BODY:
            self._refuse(answers.too_slow("body"))
        elif self._transport and self.exchange is None:
            self._transport.close()

    def _abort(self) -> None:
        if self._transport:
            self._transport.abort()

    # --- reading

    def data_received(self, data: bytes) -> None:
        """Part of a request, or several."""
        if self._state is _CLOSED:
            return
        before, self._begun = self._state, 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_again(data[int(upgrade.args[0]) :])
            return
        except httptools.HttpParserError as error:
            if self._state is not _CLOSED:  # else it was refused already, and this is what follows from that
                self._refuse(answers.malformed(str(error).lower()))
            return
        if self._state is _HEAD:
            # Of a head behind other requests in the same piece only what follows is counted.
            self._head_size += len(data) if self._begun <= (before is _WAITING) else 0
            if self._head_size > self.service.limits.head_bytes:
                self._refuse(answers.head_too_large(self.service.limits.head_bytes))
        elif self._state is _BODY:
            self._deadline = min(self.service.clock + self.service.limits.body_seconds, self._body_until)

    def _read_again(self, rest: bytes) -> None:
        method = self._parser.get_method()
        if method == b"CONNECT":
            self._refuse(answers.malformed("this is no tunnel"))
            return
        if self.service.tunnels(self._head, public=self.public):
            self._refuse(answers.no_websockets())
            return
        head = without_upgrade(method, self._head)
        self._parser = httptools.HttpRequestParser(self)
        self._state = _WAITING
        self.data_received(head + rest)

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        if self._state is _CLOSED:
            return
        self._state = _HEAD
        self._begun += 1
        self._head = Head()
        self._head_size = self._body_size = 0
        self._body = []
        self._deadline = self.service.clock + self.service.limits.head_seconds

    def on_url(self, url: bytes) -> None:
        """Part of the request line; may come in pieces."""
        self._head.target += url
        self._head.size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which is dropped."""
        if self._state is not _HEAD:
            return
        head = self._head
        head.size += len(name) + len(value) + 4
        key = name.lower()
        if key in SPECIAL:
            head.special.append((key, value))
        else:
            head.passed += (name, b": ", value, b"\r\n")

    def on_headers_complete(self) -> None:
        """Refuses now what can be refused without the body."""
        if self._state is not _HEAD or self._parser.should_upgrade():
            return
        head, limits = self._head, self.service.limits
        head.version = self._parser.get_http_version()
        if head.size > limits.head_bytes:
            self._refuse(answers.head_too_large(limits.head_bytes))
        elif answer := head.refusal():
            self._refuse(answer)
        elif head.length > limits.body_bytes:
            self._refuse(answers.body_too_large(limits.body_bytes))
        else:
            self._accept(head)

    def _accept(self, head: Head) -> None:
        if self.public and (answer := self.service.early_refusal(head)):
            self._refuse(answer)
            return
        if not self.public and head.authorization:
            head.passed += (b"authorization", b": ", head.authorization, b"\r\n")
        now = self.service.clock
        self._state = _BODY
        self._body_until = now + self.service.limits.body_seconds * _WHOLE_BODY
        self._deadline = now + self.service.limits.body_seconds
        if head.continues:
            self._continue_due = True
            self._say_continue()

    def _say_continue(self) -> None:
        if self._continue_due and self.exchange is None:
            self._continue_due = False
            self.write(_CONTINUE)

    def on_body(self, part: bytes) -> None:
        """Part of a body, within the limit."""
        if self._state is not _BODY:
            return
        self._body_size += len(part)
        if self._body_size > self.service.limits.body_bytes:
            self._refuse(answers.body_too_large(self.service.limits.body_bytes))
        else:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """A whole request: answered now, or after those before it."""
        if self._state is not _BODY:
            return
        parser, head = self._parser, self._head
        self._state = _WAITING
        self._deadline = 0.0
        self._continue_due = False
        path = path_of(head.target)
        if path is None:
            self._refuse(answers.malformed("its target is no path"))
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        exchange = Exchange(self, parser.get_method(), path, head, body)
        exchange.keep = head.version == "1.1" and parser.should_keep_alive()
        self._queue(exchange)

    def _queue(self, exchange: Exchange) -> None:
        # Of several requests in one piece each gets its turn of the loop, and none while its client takes no answers:
        # one client that only asks may neither hold up the others nor fill the memory.
        if self.exchange is None and not self._pending and self._begun <= 1 and not self.stalled_since:
            self.exchange = exchange
            self._serve(exchange)
            return
        self._pending.append(exchange)
        self._pause()
        if self.exchange is None:
            asyncio.get_running_loop().call_soon(self._advance)

    def _serve(self, exchange: Exchange) -> None:
        try:
            self.service.serve(exchange)
        except Exception:  # noqa: BLE001 - a bug may cost one request, never the connection's place or the gateway
            _log.exception("cannot serve a request")
            if self.exchange is exchange:
                exchange.refuse(answers.error(500, "cannot serve the request: a bug in the gateway", close=True))

    def _pause(self) -> None:
        # What is asked for ahead of time waits in the client's socket.
        if self._reading and self._transport:
            self._reading = False
            self._transport.pause_reading()

    def _refuse(self, answer: Answer) -> None:
        """Answers in turn, without the rest of the request, and takes nothing more from this client."""
        self._state = _CLOSED
        self._deadline = 0.0
        self._body = []
        exchange = Exchange(self, b"", path_of(self._head.target) or "", self._head, b"")
        exchange.ready = answer
        exchange.keep = False
        self._queue(exchange)

    # --- answering

    def write(self, data: bytes) -> None:
        """Bytes of an answer."""
        if self._transport:
            self._transport.write(data)

    def over(self, exchange: Exchange, *, keep: bool) -> None:
        """A request was answered: on to the next, or the end."""
        if self.exchange is not exchange:
            return
        self.exchange = None
        if self._transport is None:
            return
        if not keep:
            self._pending.clear()
            self._end()
        elif self.stalled_since:
            self._pause()
        else:
            self._advance()

    def _advance(self) -> None:
        """On to the next request that waits, else to reading; not while the client is behind with taking answers."""
        if self.exchange or self._transport is None or self.stalled_since:
            return
        if self._pending:
            self.exchange = self._pending.popleft()
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._next()

    def _turn(self) -> None:
        if self.exchange and self._transport:
            self._serve(self.exchange)

    def _next(self) -> None:
        if not self._reading and self._transport:
            self._reading = True
            self._transport.resume_reading()
        if self._state is _WAITING:
            self._deadline = self.service.clock + self.service.limits.idle_seconds
        if self._continue_due:
            self._say_continue()
        if self.service.stopping:
            self.stop()

    def _end(self) -> None:
        transport = self._transport
        assert transport
        if self._state is not _CLOSED or not transport.can_write_eof():
            self._state = _CLOSED
            transport.close()
            return
        transport.write_eof()
        if not self._reading:
            self._reading = True
            transport.resume_reading()
        asyncio.get_running_loop().call_later(_LINGER, self._abort)

    def pause_writing(self) -> None:
        """The client is slower than the replica: reading from the replica stops, see `Exchange.answered`."""
        self.stalled_since = self.service.clock

    def resume_writing(self) -> None:
        """The client takes more."""
        self.stalled_since = 0.0
        if self.exchange:
            self.exchange.resume()
        else:
            self._advance()
