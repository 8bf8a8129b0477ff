"""Services behind the gateway: paths lead to versions by weight, whatever the method; models are served as before."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bandari.serving import keys
from bandari.serving.protocol import ServiceTable, ServiceVersion
from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

pytestmark = pytest.mark.engine


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; the first part of the path below the version's says how."""

    protocol_version = "HTTP/1.1"

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        seen = {"method": self.command, "path": self.path, "body": len(body), "headers": dict(self.headers.items())}
        self.server.seen.append(seen)  # type: ignore[attr-defined]
        doing = getattr(self, "do_" + self.path.split("?")[0].rstrip("/").rpartition("/")[2], None)
        if doing:
            doing()
        else:
            self.tell(200, json.dumps({**seen, "echo": body.decode("latin-1")}).encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do  # noqa: N815 - http.server's names

    def tell(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_fail(self) -> None:
        self.tell(500, b"no")

    def do_moved(self) -> None:
        host = self.headers["host"]
        base = self.path.rpartition("/")[0]
        self.tell(307, b"", location=f"http://{host}{base}/there?x=1")

    def do_hang(self) -> None:
        self.server.let_go.wait(20)  # type: ignore[attr-defined]
        self.tell(200, b"late")

    def do_cut(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "10")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def do_silence(self) -> None:
        self.close_connection = True

    def do_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\ndata:\r\n")
        self.server.let_go.wait(20)  # type: ignore[attr-defined]
        self.wfile.write(b"3\r\n x\n\r\n0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class Backend(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.seen: list[dict[str, Any]] = []
        self.let_go = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as opened:
        yield opened
        opened.let_go.set()
        opened.shutdown()


def version(name: str, port: int, path: str = "", weight: int = 100) -> ServiceVersion:
    return ServiceVersion(name, "127.0.0.1", port, path, weight)


def service(prefix: str, *versions: ServiceVersion, name: str = "shop", public: bool = False) -> ServiceTable:
    return ServiceTable(name, prefix, versions, public)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_request_of_any_method_goes_below_the_path_of_the_version(
    harbour: Harbour, backend: Backend, method: str
) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port, "/shop/v1/shop"))])
    body = None if method == "GET" else b"x" * 5
    answer = ask(harbour.port, "/shop/items?a=%20b", body, method=method, cookie="k", accept_encoding="gzip")
    told = answer.json()
    assert (answer.status, answer.headers["x-bandari-version"]) == (200, "v1")
    assert (told["method"], told["path"], told["body"]) == (method, "/shop/v1/shop/items?a=%20b", len(body or b""))
    seen = {name.lower(): value for name, value in told["headers"].items()}
    assert seen["x-forwarded-prefix"] == "/shop"
    assert (seen["x-forwarded-host"], seen["x-forwarded-proto"]) == ("gateway", "http")
    assert (seen["x-forwarded-for"], seen["cookie"], seen["accept-encoding"]) == ("127.0.0.1", "k", "gzip")


def test_an_answer_to_head_has_no_body_and_the_next_request_is_answered(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port))])
    with Wire(harbour.port) as wire:
        status, headers = wire.send(request("/shop", method="HEAD")).head()
        assert status == 200
        assert int(headers["content-length"]) > 0
        assert wire.ask("/shop").status == 200


def test_the_longest_prefix_wins_and_the_gateways_own_paths_stay_its_own(
    harbour: Harbour, backend: Backend, server: ModelServer
) -> None:
    tables = [
        service("/", version("v1", backend.port, "/all"), name="all"),
        service("/shop", version("v1", backend.port, "/shop-1")),
        service("/shop/admin", version("v1", backend.port, "/admin"), name="admin"),
    ]
    harbour.told(group("chat", server.port), services=tables)

    def led(path: str) -> str:
        return str(ask(harbour.port, path).json()["path"])

    assert led("/shop") == "/shop-1"
    assert led("/shop/") == "/shop-1/"
    assert led("/shopping") == "/all/shopping"
    assert led("/shop/admin/x") == "/admin/x"
    assert led("/") == "/all/"
    assert ask(harbour.port, "/healthz").json() == {"status": "ok"}
    assert "istio_requests_total" in ask(harbour.port, "/metrics").body.decode()
    assert ask(harbour.port, "/v1/models").json()["data"][0]["id"] == "chat"
    assert ask(harbour.port, "/v1", method="POST", body=b"").status == 404
    assert ask(harbour.port, body={"model": "chat"}).headers["x-bandari-replica"] == "chat-0"


def test_versions_share_the_traffic_by_weight_and_one_can_be_named(harbour: Harbour, backend: Backend) -> None:
    shared = [version("v1", backend.port, "/1", 90), version("v2", backend.port, "/2", 10)]
    harbour.told(services=[service("/shop", *shared)])
    with Wire(harbour.port) as wire:
        seen = Counter(wire.ask("/shop").headers["x-bandari-version"] for _ in range(100))
    assert seen == {"v1": 90, "v2": 10}
    harbour.told(services=[service("/shop", version("v1", backend.port, "/1"), version("v2", backend.port, "/2", 0))])
    assert {ask(harbour.port, "/shop").headers["x-bandari-version"] for _ in range(5)} == {"v1"}
    named = ask(harbour.port, "/shop", x_bandari_version="v2")
    assert (named.headers["x-bandari-version"], named.json()["path"]) == ("v2", "/2")
    absent = ask(harbour.port, "/shop", x_bandari_version="v9")
    assert (absent.status, absent.error["code"]) == (404, "version_not_found")


def test_without_a_ready_version_it_is_503_with_the_time_to_come_again(harbour: Harbour, backend: Backend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody: int = taken.getsockname()[1]
    unready = [service("/shop"), service("/far", version("v1", nobody), name="far")]
    off = service("/off", version("v1", backend.port, weight=0), name="off")
    harbour.told(services=[*unready, off])
    for path in ("/shop", "/far", "/off"):
        answer = ask(harbour.port, path, b"", method="POST")
        assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "no_version", "5")


def test_a_version_that_cannot_be_reached_is_passed_over(harbour: Harbour, backend: Backend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody: int = taken.getsockname()[1]
    harbour.told(services=[service("/shop", version("v1", nobody, weight=50), version("v2", backend.port, weight=50))])
    seen = {ask(harbour.port, "/shop", b"", method="POST").headers["x-bandari-version"] for _ in range(6)}
    assert seen == {"v2"}


def test_only_what_does_no_harm_twice_is_sent_twice(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port))])
    assert ask(harbour.port, "/shop/silence", b"", method="POST").status == 502
    assert len(backend.seen) == 1
    assert ask(harbour.port, "/shop/silence").status == 502
    assert len(backend.seen) == 1 + 3
    assert ask(harbour.port, "/shop").status == 200


def test_what_fails_is_counted_for_its_version(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port))])
    for path in ("/shop", "/shop/fail", "/shop/cut"):
        answer = ask(harbour.port, path)
        assert answer.whole is (path != "/shop/cut")
    until(lambda: harbour.supervisor.load.services["shop@v1"].failures_total == 2, "the failures are told")
    load = harbour.supervisor.load.services["shop@v1"]
    assert (load.requests_total, load.in_flight) == (3, 0)
    metrics = ask(harbour.port, "/metrics").body.decode()
    assert 'bandari_service_failures_total{service="shop",version="v1"} 2\n' in metrics
    assert 'destination_version="v1"' in metrics


def test_a_version_that_left_the_table_finishes_what_it_has(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port, "/1"))])
    with Wire(harbour.port) as wire:
        wire.send(request("/shop/hang"))
        until(lambda: len(backend.seen) == 1, "it is under way")
        harbour.told(services=[service("/shop", version("v2", backend.port, "/2"))])
        assert harbour.supervisor.load.services["shop@v1"].in_flight == 1
        assert ask(harbour.port, "/shop").headers["x-bandari-version"] == "v2"
        backend.let_go.set()
        assert wire.response().body == b"late"
    until(lambda: "shop@v1" not in harbour.supervisor.load.services, "nothing is left of it")


def test_a_stream_passes_as_it_comes(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port))])
    with Wire(harbour.port) as wire:
        wire.send(request("/shop/stream")).head()
        parts = wire.parts()
        assert next(parts) == b"data:"
        backend.let_go.set()
        assert b"".join(parts) == b" x\n"


def test_bodies_are_large_within_the_limits_and_may_be_compressed(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port))])
    answer = ask(harbour.port, "/shop/up", b"x" * (8 << 20), content_encoding="gzip")
    assert answer.json()["body"] == 8 << 20
    assert ask(harbour.port, "/shop/up", b"x" * (33 << 20)).status == 413


def test_a_redirect_below_the_version_is_one_below_the_prefix(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port, "/shop/v1/shop"))])
    assert ask(harbour.port, "/shop/moved").headers["location"] == "/shop/there?x=1"


def test_a_websocket_is_refused_in_words(harbour: Harbour, backend: Backend) -> None:
    harbour.told(services=[service("/shop", version("v1", backend.port))])
    answer = ask(harbour.port, "/shop/ws", connection="Upgrade", upgrade="websocket")
    assert (answer.status, answer.error["code"]) == (501, "websocket_not_supported")
    assert ask(harbour.port, "/shop", connection="Upgrade", upgrade="h2c").status == 200


def test_the_public_listener_has_public_services_for_who_has_a_key(
    open_harbour: Any, backend: Backend, tmp_path: Path
) -> None:
    harbour = open_harbour(public=True)
    key = keys.create(tmp_path, "laptop", 1.0)[1]
    tables = [
        service("/shop", version("v1", backend.port), public=True),
        service("/shop/admin", version("v1", backend.port), name="admin"),
        service("/inside", version("v1", backend.port), name="inside"),
    ]
    harbour.told(keys=keys.hashes(tmp_path), services=tables)
    for path in ("/shop", "/inside", "/shop/admin"):
        assert ask(harbour.public_port, path).error["code"] == "invalid_api_key"
        assert ask(harbour.port, path).status == 200
    opened = ask(harbour.public_port, "/shop", authorization=f"Bearer {key}")
    assert opened.status == 200
    assert "Authorization" not in opened.json()["headers"]
    assert ask(harbour.public_port, "/inside", authorization=f"Bearer {key}").error["code"] == "unknown_url"


def test_a_request_before_the_first_table_waits_for_it(harbour: Harbour, backend: Backend) -> None:
    with Wire(harbour.port) as wire:
        wire.send(request("/shop"))
        harbour.told(services=[service("/shop", version("v1", backend.port))])
        assert wire.response().status == 200
