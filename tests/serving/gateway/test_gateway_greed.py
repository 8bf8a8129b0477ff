"""One client that asks too much costs itself, not the others and not the gateway."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer

pytestmark = pytest.mark.engine

MOST_GROWTH = 24 * 2**20


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def flood(port: int, asked: bytes, seconds: float) -> socket.socket:
    """Sends requests ahead for that long, or until nobody takes more, and reads no answer."""
    greedy = socket.create_connection(("127.0.0.1", port))
    greedy.settimeout(0.2)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            greedy.sendall(asked * 500)
        except TimeoutError:
            break
    return greedy


@pytest.mark.parametrize("path", ["/metrics", "/v1/models", "/healthz", "/nowhere"])
def test_a_client_that_asks_ahead_and_reads_nothing_holds_up_nobody(
    harbour: Harbour, server: ModelServer, path: str
) -> None:
    harbour.told(group("chat", server.port))
    process = harbour.process
    assert process is not None
    assert ask(harbour.port, "/healthz").status == 200
    before = resident(process.pid)
    greedy = flood(harbour.port, f"GET {path} HTTP/1.1\r\nHost: g\r\n\r\n".encode(), seconds=2)
    try:
        started = time.monotonic()
        for _ in range(5):
            assert ask(harbour.port, "/healthz").status == 200
        assert time.monotonic() - started < 2
        assert resident(process.pid) - before < MOST_GROWTH
    finally:
        greedy.close()
    assert ask(harbour.port, "/healthz").status == 200


def test_requests_sent_ahead_are_all_answered_when_they_are_read(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        wire.send(b"GET /metrics HTTP/1.1\r\nHost: g\r\n\r\n" * 300)
        assert [wire.response().status for _ in range(300)] == [200] * 300


def test_a_body_nested_too_deep_is_400_and_its_connection_is_let_go(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    process = harbour.process
    assert process is not None
    deep = json.dumps({"model": "chat"})[:-1].encode() + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"
    before = descriptors(process.pid)
    for _ in range(5):
        with Wire(harbour.port) as wire:
            answer = wire.send(request("/v1/chat/completions", deep)).response()
            assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    until = time.monotonic() + 10
    while descriptors(process.pid) > before + 1:
        assert time.monotonic() < until, "connections are left"
        time.sleep(0.05)


def test_what_follows_a_refusal_is_no_second_one(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        sent = b"POST /v1/completions HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
        assert wire.send(sent).response().status == 400
        assert wire.ended
    assert "write_eof" not in harbour.errors


def test_two_authorizations_are_refused(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        twice = b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"
        answer = wire.send(b"GET /v1/models HTTP/1.1\r\nHost: g\r\n" + twice + b"\r\n").response()
        assert (answer.status, answer.error["code"]) == (400, "malformed_request")


def test_a_request_on_a_kept_connection_is_answered_while_the_gateway_ends(
    harbour: Harbour, server: ModelServer
) -> None:
    harbour.told(group("chat", server.port))
    process = harbour.process
    assert process is not None
    with Wire(harbour.port) as wire:
        assert wire.ask("/healthz").status == 200
        process.terminate()
        answer = wire.ask("/healthz")
        assert answer.status == 200
        assert wire.ended, "and told that it was the last"
    assert process.wait(10) == 0
