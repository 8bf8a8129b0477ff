"""What is asked reaches the right replica as it was sent, and the answer comes back."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

pytestmark = pytest.mark.engine
Open = Callable[..., ModelServer]


def test_the_model_of_the_body_decides_which_group_answers(harbour: Harbour, open_server: Open) -> None:
    chat, code = open_server("chat"), open_server("code")
    harbour.told(group("chat", chat.port), group("code", code.port, models=("code", "org/code-7b")))
    for model, server in (("chat", chat), ("code", code), ("org/code-7b", code)):
        before = len(server.requests)
        answer = ask(harbour.port, body={"messages": [], "model": model})
        assert answer.status == 200
        assert answer.json()["model"] == model
        assert len(server.requests) == before + 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank?top=1"])
def test_body_path_and_query_are_passed_on_unchanged(harbour: Harbour, server: ModelServer, path: str) -> None:
    harbour.told(group("chat", server.port))
    body = b'{ "model" : "chat",\n\t"unknown": [1, 2.50, "\\u00e4"], "messages":[] }'
    assert ask(harbour.port, path, body).status == 200
    [seen] = server.requests
    assert (seen.method, seen.target, seen.raw) == ("POST", path, body)


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_answer_comes_whole_however_it_is_framed(
    harbour: Harbour, server: ModelServer, framing: str, stream: bool, version: str
) -> None:
    harbour.told(group("chat", server.port))
    body = {"model": "chat", "stream": stream, "double": {"framing": framing, "tokens": 20}}
    answer = ask(harbour.port, body=body, version=version)
    assert answer.status == 200
    assert answer.whole
    assert "chunked" not in answer.headers.get("transfer-encoding", "") or version == "1.1"
    if stream:
        assert len(answer.events()) == 22
        assert answer.events()[-1] == "[DONE]"
    else:
        assert answer.json()["usage"]["completion_tokens"] == 20


def test_headers_about_the_connection_end_at_the_gateway(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    answer = ask(
        harbour.port,
        body={"model": "chat"},
        connection="keep-alive, x-secret",
        keep_alive="timeout=9",
        x_secret="1",
        te="trailers",
        proxy_authorization="Basic abc",
        x_request_id="abc-1",
        content_type="application/json",
        authorization="Bearer of-the-engine",
    )
    assert "keep-alive" not in answer.headers
    sent = server.requests[0].headers
    assert {"connection", "keep-alive", "x-secret", "te", "proxy-authorization"} & set(sent) == set()
    assert sent["x-request-id"] == "abc-1"
    assert sent["content-type"] == "application/json"
    assert sent["authorization"] == "Bearer of-the-engine"
    assert sent["host"] == f"127.0.0.1:{server.port}"


def test_a_body_in_chunks_is_passed_on_with_its_length(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    body = b'{"model": "chat"}'
    chunks = b"".join(b"%x;note=1\r\n%b\r\n" % (len(p), p) for p in (body[:3], body[3:])) + b"0\r\nX-Trailer: 1\r\n\r\n"
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Wire(harbour.port) as wire:
        for byte in head + chunks:
            wire.send(bytes([byte]))
        assert wire.response().status == 200
    assert server.requests[0].raw == body
    assert server.requests[0].headers["content-length"] == str(len(body))
    assert "x-trailer" not in server.requests[0].headers


def test_a_large_body_passes(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    body = json.dumps({"messages": "x" * 5_000_000, "model": "chat"}).encode()
    assert ask(harbour.port, body=body).status == 200
    assert server.requests[0].raw == body


def test_requests_sent_ahead_are_answered_in_order(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    slow = {"model": "chat", "double": {"delay": 0.2, "tokens": 1}}
    with Wire(harbour.port) as wire:
        wire.send(request(body=slow) + request("/v1/models") + request(body={"model": "none"}) + request("/healthz"))
        answers = [wire.response() for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 404, 200]
        assert answers[1].json()["object"] == "list"
        many = b"".join(request(body={"model": "chat", "double": {"tokens": n}}) for n in range(1, 40))
        wire.send(many)
        tokens = [wire.response().json()["usage"]["completion_tokens"] for _ in range(1, 40)]
        assert tokens == list(range(1, 40))


def test_a_connection_stays_and_ends_when_asked_to(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        for _ in range(3):
            assert "connection" not in wire.ask(body={"model": "chat"}).headers
        assert wire.ask(body={"model": "chat"}, connection="close").headers["connection"] == "close"
        assert wire.ended
    assert len({seen.connection for seen in server.requests}) == 1


def test_http_1_0_is_answered_and_closed(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        answer = wire.send(b"GET /v1/models HTTP/1.0\r\n\r\n").response()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert wire.ended


def test_an_offer_to_upgrade_is_passed_over(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    body = {"model": "chat"}
    upgrade = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2_settings": "AAMAAABkAAQAAP__"}
    with Wire(harbour.port) as wire:
        assert wire.ask(body=body, **upgrade).status == 200
        assert wire.ask(body=body).status == 200
    assert [seen.body for seen in server.requests] == [body, body]
    assert "upgrade" not in server.requests[0].headers


def test_continue_is_said_before_a_body_that_waits_for_it(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    whole = request(body={"model": "chat"}, expect="100-continue")
    head, _, body = whole.partition(b"\r\n\r\n")
    with Wire(harbour.port) as wire:
        assert wire.send(head + b"\r\n\r\n").head()[0] == 100
        assert wire.send(body).response().status == 200
        # Behind a slow one it is said in turn.
        wire.send(request(body={"model": "chat", "double": {"delay": 0.2}}) + head + b"\r\n\r\n")
        assert wire.response().status == 200
        assert wire.head()[0] == 100
        assert wire.send(body).response().status == 200
    assert "expect" not in server.requests[0].headers
    assert ask(harbour.port, body={"model": "chat"}, expect="200-maybe").status == 417


def test_models_are_listed_and_shown(harbour: Harbour) -> None:
    harbour.told(group("chat", models=("chat", "org/chat 7b")), group("code"))
    listed = ask(harbour.port, "/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["chat", "org/chat 7b", "code"]
    assert {"id", "object", "created", "owned_by"} == set(listed["data"][0])
    for path in ("/v1/models/org/chat%207b", "/v1/models/org%2Fchat%207b"):
        assert ask(harbour.port, path).json()["id"] == "org/chat 7b"
    assert ask(harbour.port, "/v1/models/none").error["code"] == "model_not_found"
    assert ask(harbour.port, "/v1/models", {}).status == 405


def test_what_is_not_there_is_answered_as_openai_does(harbour: Harbour) -> None:
    harbour.told(group("chat"))
    cases: dict[str, tuple[int, str | None]] = {
        "none": (404, "model_not_found"),
        "": (400, "model_missing"),
    }
    for model, (status, code) in cases.items():
        answer = ask(harbour.port, body={"model": model})
        assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, "model")
        assert set(answer.error) == {"message", "type", "param", "code"}
    for body in (b"", b"{", b"[]", b'{"model": 3}', b"\xff\xfe"):
        answer = ask(harbour.port, body=body)
        assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    assert ask(harbour.port, "/nowhere").status == 404
    assert ask(harbour.port, "/v1/chat/completions").status == 405
    assert ask(harbour.port, body=b"x", content_encoding="gzip").status == 415


def test_head_is_answered_without_a_body(harbour: Harbour) -> None:
    harbour.told(group("chat"))
    with Wire(harbour.port) as wire:
        status, headers = wire.send(request("/healthz", method="HEAD")).head()
        assert (status, headers["content-length"]) == (200, "15")
        assert wire.ask("/healthz").status == 200


def test_a_stand_in_is_named_and_so_is_the_replica(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port, stand_in="tiny"))
    answer = ask(harbour.port, body={"model": "chat"})
    assert answer.headers["x-bandari-stand-in"] == "tiny"
    assert answer.headers["x-bandari-replica"] == "chat-0"


def test_the_replica_with_the_fewest_requests_gets_the_next(harbour: Harbour, open_server: Open) -> None:
    servers = [open_server() for _ in range(3)]
    harbour.told(group("chat", *(server.port for server in servers)))
    body = {"model": "chat", "double": {"delay": 30}}
    wires = [Wire(harbour.port).send(request(body=body)) for _ in range(6)]
    until(lambda: sum(len(server.requests) for server in servers) == 6, "all are asked")
    assert [len(server.requests) for server in servers] == [2, 2, 2]
    assert set(harbour.supervisor.load.groups["chat"].upstreams) == {"chat-0", "chat-1", "chat-2"}
    until(lambda: harbour.supervisor.load.groups["chat"].in_flight == 6, "the load is told")
    for wire in wires:
        wire.close()
    until(lambda: harbour.supervisor.load.groups["chat"].in_flight == 0, "nobody waits any more")


def test_no_more_connections_are_kept_than_a_replica_has_slots(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    body = {"model": "chat", "double": {"delay": 0.3}}
    wires = [Wire(harbour.port).send(request(body=body)) for _ in range(12)]
    assert [wire.response().status for wire in wires] == [200] * 12
    until(lambda: len(server.record.connections) == 4, "the rest is closed")
    for wire in wires:
        wire.close()
