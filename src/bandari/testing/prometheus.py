"""A double of Prometheus for tests: answers `/api/v1/query` with what it was told to, and evaluates nothing.

It speaks the real API over a real loopback socket, from a thread of its own, so it serves asyncio code and child
processes alike. Anything it was not told about is an empty vector, as with a Prometheus that has no such series.
"""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire, byte for byte. `hangs`: the connection stays open and silent until the double closes."""

    body: bytes
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]


def vector(*values: float | str) -> Reply:
    """An instant vector with one element a value; text is sent as it is, such as `NaN` or `+Inf`."""
    elements = [{"metric": {"element": str(n)}, "value": [0, str(value)]} for n, value in enumerate(values)]
    answer = {"status": "success", "data": {"resultType": "vector", "result": elements}}
    return Reply(json.dumps(answer).encode())


class FakePrometheus:
    """Context manager: listens on a free loopback port while entered. Safe to change and read while it serves.

    `tls`: speaks https with the context's certificate.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._lock = threading.Lock()
        self._replies: dict[str, Reply] = {}
        self._asked: list[Asked] = []
        self.connections = 0
        self._closing = threading.Event()
        self._server = _Server(self)
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def address(self) -> str:
        """As a trigger's serverAddress."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def asked(self) -> tuple[Asked, ...]:
        """All requests so far, oldest first."""
        with self._lock:
            return tuple(self._asked)

    def set(self, query: str, reply: float | str | Reply) -> None:
        """From now on the query is answered so; a number or text stands for a vector of that one value."""
        with self._lock:
            self._replies[query] = reply if isinstance(reply, Reply) else vector(reply)

    def connected(self) -> None:
        """Counts a connection in `connections`."""
        with self._lock:
            self.connections += 1

    def answer(self, asked: Asked) -> Reply:
        """The reply to a request, which is remembered; waits where the reply hangs."""
        with self._lock:
            self._asked.append(asked)
            reply = self._replies.get(asked.parameters.get("query", ""), vector())
        if asked.path.rpartition("/api/v1/query")[1:] != ("/api/v1/query", ""):
            return Reply(b"404 page not found", HTTPStatus.NOT_FOUND)
        if reply.hangs:
            self._closing.wait()
        return reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, double: FakePrometheus) -> None:
        self.double = double
        super().__init__(("127.0.0.1", 0), _Exchange)


class _Exchange(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def setup(self) -> None:
        super().setup()
        self.server.double.connected()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.double.answer(Asked(url.path, dict(parse_qsl(url.query)), headers))
        try:
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
        except ConnectionError:
            self.close_connection = True  # the client gave up, which some tests want

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
        """Nothing: a test reads `asked`."""
