"""What is no proper request gets the right status, an error as OpenAI words it, and no second chance."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer

pytestmark = pytest.mark.engine
Open = Callable[..., Harbour]
HOST = b"Host: g\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\n"
BODY = b'{"model": "chat"}'


MALFORMED = {
    "nonsense": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "no version": b"GET /v1/models\r\n\r\n",
    "another version": b"GET /v1/models HTTP/3.7\r\n" + HOST + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bare line feeds": b"GET /v1/models HTTP/1.1\nHost: g\n\n",
    "a folded header": b"GET /v1/models HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n 2\r\n\r\n",
    "a space before the colon": b"GET /v1/models HTTP/1.1\r\n" + HOST + b"X-A : 1\r\n\r\n",
    "a zero byte": b"GET /v1/models HTTP/1.1\r\n" + HOST + b"X-A: \x00\r\n\r\n",
    "no host": b"GET /v1/models HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v1/models HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "a tunnel": b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no path": b"GET models HTTP/1.1\r\n" + HOST + b"\r\n",
    "every path": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "both lengths": POST + b"Content-Length: 17\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths turned": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 17\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 17\r\nContent-Length: 18\r\n\r\n" + BODY,
    "a list of lengths": POST + b"Content-Length: 17, 17\r\n\r\n" + BODY,
    "a signed length": POST + b"Content-Length: +17\r\n\r\n" + BODY,
    "a length below zero": POST + b"Content-Length: -1\r\n\r\n" + BODY,
    "a length beyond numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a disguised coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding in HTTP/1.0": b"POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "a chunk of another size": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_is_400_and_the_end_of_the_connection(
    harbour: Harbour, server: ModelServer, sent: bytes
) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        answer = wire.send(sent).response()
        assert answer.status == 400
        assert (answer.error["type"], answer.error["code"]) == ("invalid_request_error", "malformed_request")
        assert answer.headers["connection"] == "close"
        assert wire.ended
    assert server.requests == []
    assert ask(harbour.port, "/healthz").status == 200


def test_a_smuggled_second_request_is_not_read(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    inner = request(body={"model": "chat", "inner": True})
    with Wire(harbour.port) as wire:
        wire.send(POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner)
        assert wire.response().status == 400
        assert wire.ended
    assert server.requests == []


def test_what_came_before_a_malformed_request_is_still_answered(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        wire.send(request(body={"model": "chat", "double": {"delay": 0.2}}) + b"nonsense\r\n\r\n")
        assert [wire.response().status, wire.response().status] == [200, 400]
        assert wire.ended


def test_too_large_a_body_is_413_before_it_is_sent_and_while_it_is(open_harbour: Open) -> None:
    harbour = open_harbour("--body-bytes", "1000")
    harbour.told(group("chat"))
    with Wire(harbour.port) as wire:
        wire.send(POST + b"Content-Length: 5000000000\r\nExpect: 100-continue\r\n\r\n")
        answer = wire.response()
        assert (answer.status, answer.error["code"]) == (413, "body_too_large")
        assert wire.ended
    with Wire(harbour.port) as wire:
        # All of it is sent before the answer is read, and the answer is there.
        wire.send(POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"c8\r\n" + b"x" * 200 + b"\r\n") * 500)
        assert wire.response().status == 413
    with Wire(harbour.port) as wire:
        wire.send(POST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000)
        assert wire.response().status == 413
    assert ask(harbour.port, body=b"x" * 1000).status == 400


@pytest.mark.parametrize("whole", [True, False])
def test_too_large_a_head_is_431(harbour: Harbour, whole: bool) -> None:
    harbour.told(group("chat"))
    headers = b"".join(b"X-%d: %b\r\n" % (n, b"x" * 900) for n in range(100))
    with Wire(harbour.port) as wire:
        answer = wire.send(b"GET /v1/models HTTP/1.1\r\n" + HOST + headers + (b"\r\n" if whole else b"")).response()
        assert (answer.status, answer.error["code"]) == (431, "head_too_large")
    with Wire(harbour.port) as wire:
        assert wire.send(b"GET /" + b"x" * 100_000).response().status == 431


def test_slow_headers_and_slow_bodies_are_408(open_harbour: Open) -> None:
    harbour = open_harbour("--head-seconds", "0.3", "--body-seconds", "0.3")
    harbour.told(group("chat"))
    for begun in (b"GET /v1/mod", POST + b"X-A: ", POST + b"Content-Length: 17\r\n\r\n{"):
        with Wire(harbour.port) as wire:
            answer = wire.send(begun).response()
            assert (answer.status, answer.error["code"]) == (408, "request_timeout")
            assert wire.ended


def test_a_connection_on_which_nothing_is_said_is_closed(open_harbour: Open) -> None:
    harbour = open_harbour("--head-seconds", "0.3", "--idle-seconds", "0.3")
    harbour.told(group("chat"))
    with Wire(harbour.port) as silent, Wire(harbour.port) as used:
        assert used.ask("/healthz").status == 200
        assert silent.ended
        assert used.ended


def test_a_request_that_takes_long_is_no_idle_connection(open_harbour: Open, server: ModelServer) -> None:
    harbour = open_harbour("--head-seconds", "0.2", "--idle-seconds", "0.2", "--body-seconds", "0.2")
    harbour.told(group("chat", server.port))
    assert ask(harbour.port, body={"model": "chat", "double": {"delay": 1}}).status == 200


@settings(max_examples=150)
@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=4))
def test_any_bytes_are_answered_or_waited_for_and_never_harm(shared: Harbour, sent: bytes, pieces: list[int]) -> None:
    start = 0
    with Wire(shared.port) as wire:
        try:
            for piece in (*pieces, len(sent)):
                wire.send(sent[start : start + piece])
                start += piece
            wire.socket.shutdown(1)
            while wire.socket.recv(65536):
                pass
        except (ConnectionError, OSError):
            pass
    assert ask(shared.port, "/healthz").status == 200
    assert "Traceback" not in shared.errors


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> object:
    harbour = Harbour(tmp_path_factory.mktemp("harbour"))
    harbour.told(group("chat"))
    yield harbour
    harbour.close()
