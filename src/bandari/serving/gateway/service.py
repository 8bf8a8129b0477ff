"""What the connections of both listeners share: which path leads where, the limits, what is counted, the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from bandari.serving.gateway import answers
from bandari.serving.gateway.access import AccessLog
from bandari.serving.gateway.answers import Answer
from bandari.serving.gateway.directory import Directory
from bandari.serving.gateway.exchange import Exchange
from bandari.serving.gateway.exposition import text
from bandari.serving.gateway.head import Head, path_of
from bandari.serving.gateway.limits import Limits
from bandari.serving.gateway.metrics import Metrics

if TYPE_CHECKING:
    from bandari.serving.gateway.downstream import Downstream
    from bandari.serving.gateway.replica import Replica

_TICK = 0.25
_MODELS = "/v1/models"
_READ = (b"GET", b"HEAD")


class Ask(msgspec.Struct):
    """What the gateway reads of a body."""

    model: str | None = None


_decode = msgspec.json.Decoder(Ask).decode


class Service:
    """`stopping`: no new connections, and none goes on after its answer."""

    def __init__(self, limits: Limits, access: AccessLog | None) -> None:
        loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = time.monotonic
        self.clock = time.monotonic()
        """The time of the last tick: what only has to be seen to be over needs no better one."""
        self.limits = limits
        self.metrics = Metrics()
        self.directory = Directory(limits, self.metrics)
        self.connections: set[Downstream] = set()
        self.stopping = False
        self.created = int(time.time())
        self._loop = loop
        self._access = access
        self._idle: asyncio.Event | None = None
        loop.call_later(_TICK, self._tick)

    def _tick(self) -> None:
        self.clock = now = self.now()
        for connection in tuple(self.connections):
            connection.tick(now - _TICK)
        self.directory.tick(now)
        if self._access:
            self._access.flush()
        self._loop.call_later(_TICK, self._tick)

    # --- which path leads where

    def serve(self, exchange: Exchange) -> None:
        """Answers a request, or sends it on its way."""
        client, path = exchange.client, exchange.path
        told = self.directory.revision is not None
        if exchange.ready is not None:
            exchange.refuse(exchange.ready)
        elif path == "/healthz":
            exchange.refuse(self._health(exchange))
        elif path == "/metrics" and not client.public:
            exchange.refuse(self._metrics(exchange))
        elif not told:
            self.directory.hold_early(exchange)
        elif client.public and exchange.head.key not in self.directory.keys:
            exchange.refuse(answers.no_key())
        elif path == _MODELS or path.startswith(_MODELS + "/"):
            exchange.refuse(self._models(exchange))
        elif not path.startswith("/v1/"):
            self._pass_on(exchange)
        elif exchange.method != b"POST":
            exchange.refuse(answers.wrong_method(exchange.method, path, "POST"))
        else:
            self._route(exchange)

    def early_refusal(self, head: Head) -> Answer | None:
        """What can be said to a public request before its body is read."""
        told = self.directory.revision is not None
        if told and head.key not in self.directory.keys and path_of(head.target) != "/healthz":
            return answers.no_key()
        return None

    def _route(self, exchange: Exchange) -> None:
        try:
            exchange.model = _decode(exchange.body).model or ""
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as reason:
            exchange.refuse(answers.error(400, f"cannot read the body: {reason}", code="invalid_json"))
            return
        if not exchange.model:
            message = "cannot route the request: its body names no `model`"
            exchange.refuse(answers.error(400, message, param="model", code="model_missing"))
            return
        group = self.directory.find(exchange.model, public=exchange.client.public)
        if group is None:
            exchange.refuse(answers.unknown_model(exchange.model))
        else:
            exchange.enter(group)

    def _pass_on(self, exchange: Exchange) -> None:
        route = self.directory.routes.find(exchange.path, public=exchange.client.public)
        if route is None or exchange.path == "/v1":
            exchange.refuse(answers.unknown_path(exchange.method, exchange.path))
        else:
            route.enter(exchange)

    def tunnels(self, head: Head, *, public: bool) -> bool:
        """Whether a request asks a service for a websocket."""
        wanted = any(name == b"upgrade" and value.lower() == b"websocket" for name, value in head.special)
        path = path_of(head.target) or "/v1/"
        return wanted and not path.startswith("/v1/") and self.directory.routes.find(path, public=public) is not None

    def _health(self, exchange: Exchange) -> Answer:
        if exchange.method not in _READ:
            return answers.wrong_method(exchange.method, exchange.path, "GET")
        return answers.document({"status": "ok"})

    def _metrics(self, exchange: Exchange) -> Answer:
        if exchange.method not in _READ:
            return answers.wrong_method(exchange.method, exchange.path, "GET")
        return Answer(200, text(self.metrics, self.directory).encode(), "text/plain; version=0.0.4; charset=utf-8")

    def _models(self, exchange: Exchange) -> Answer:
        if exchange.method not in _READ:
            return answers.wrong_method(exchange.method, exchange.path, "GET")
        models = self.directory.models(public=exchange.client.public)
        wanted = unquote(exchange.path[len(_MODELS) + 1 :])
        if not wanted:
            return answers.document({"object": "list", "data": [self._model(name) for name in models]})
        return answers.document(self._model(wanted)) if wanted in models else answers.unknown_model(wanted)

    def _model(self, name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": self.created, "owned_by": "bandari"}

    # --- what was done

    def finished(self, exchange: Exchange, replica: Replica | None) -> None:
        """Counts a request that is over."""
        now = self.now()
        if exchange.group is None:
            if exchange.status >= 400:
                self.metrics.refuse(exchange.status)
        else:
            exchange.group.metrics.finished(exchange.status, now - exchange.started)
            if replica and replica.base is None and exchange.relay and exchange.first_at and exchange.status < 400:
                metrics = replica.metrics
                metrics.first_token.observe(exchange.first_at - exchange.started)
                if used := exchange.relay.usage():
                    metrics.tokens_input += used[0]
                    metrics.tokens_output += used[1]
        if self._access:
            self._access.write(exchange, replica, now)

    # --- the end

    def drained(self) -> asyncio.Event:
        """Closes what is idle and lets the rest finish; the event is set when no connection is left."""
        self.stopping = True
        self._idle = asyncio.Event()
        for connection in tuple(self.connections):
            connection.stop()
        self.left()
        return self._idle

    def left(self) -> None:
        """A connection was closed."""
        if self._idle and not self.connections:
            self._idle.set()
