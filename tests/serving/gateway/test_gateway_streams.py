"""Streams: passed on as they come, at the client's pace, with an end that a client understands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

pytestmark = pytest.mark.engine
Open = Callable[..., Harbour]


def streamed(**double: object) -> dict[str, object]:
    return {"model": "chat", "stream": True, "double": double}


def test_events_are_passed_on_as_they_come(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        wire.send(request(body=streamed(tokens=3, pace=0.15)))
        status, headers = wire.head()
        assert (status, headers["content-type"]) == (200, "text/event-stream")
        times = []
        for part in wire.parts():
            assert part.endswith(b"\n\n")
            times.append(time.monotonic())
    assert times[2] - times[0] > 0.2


@pytest.mark.parametrize("framing", ["chunked", "close"])
@pytest.mark.parametrize("die", ["event", "half"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_stream_that_breaks_ends_with_an_error_event_and_the_connection(
    harbour: Harbour, server: ModelServer, die: str, framing: str, version: str
) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        wire.send(request(body=streamed(die=die, framing=framing), version=version))
        answer = wire.response()
        assert answer.whole
        assert wire.ended
    assert answer.status == 200
    first, last = answer.events()
    assert first["choices"]
    assert set(last["error"]) == {"message", "type", "param", "code"}
    assert last["error"]["code"] == "upstream_failed"


def test_an_answer_that_breaks_is_cut_off(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    for framing in ("chunked", "length"):
        with Wire(harbour.port) as wire:
            answer = wire.ask(body={"model": "chat", "double": {"die": "half", "framing": framing}})
            assert answer.status == 200
            assert not answer.whole
            assert wire.ended
    assert len(server.requests) == 2


def test_what_a_replica_sends_unasked_reaches_no_client(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        for framing in ("length", "chunked"):
            answer = wire.ask(body={"model": "chat", "double": {"surplus": True, "framing": framing}})
            assert answer.json()["object"] == "chat.completion"
        assert wire.ask(body={"model": "chat"}).json()["object"] == "chat.completion"
    assert len({seen.connection for seen in server.requests}) == 3


def test_a_client_that_leaves_ends_the_request_at_the_replica(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    waiting = Wire(harbour.port).send(request(body=streamed(delay=30)))
    reading = Wire(harbour.port).send(request(body=streamed(tokens=1000, pace=0.05)))
    reading.head()
    until(lambda: len(server.requests) == 2, "both are asked")
    waiting.close()
    reading.close()
    until(lambda: all(seen.left for seen in server.requests), "the replica knows that they left")
    metrics = ask(harbour.port, "/metrics").body.decode()
    assert [line for line in metrics.splitlines() if line.startswith("istio_requests_total") and '"0"' in line]


def test_a_slow_client_slows_its_replica_and_nobody_else(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    size, tokens = 100_000, 400
    with Wire(harbour.port, buffer=4096) as slow:
        slow.send(request(body=streamed(tokens=tokens, padding=size)))
        slow.head()
        until(lambda: len(server.requests) == 1 and server.requests[0].sent > size, "it is being sent")

        def halted() -> bool:
            before = server.requests[0].sent
            assert ask(harbour.port, body={"model": "chat"}).status == 200
            time.sleep(0.05)
            return server.requests[0].sent == before

        until(halted, "the replica has to wait")
        assert server.requests[0].sent < size * tokens / 2
        assert not server.requests[0].finished
        assert sum(len(part) for part in slow.parts()) > size * tokens
    assert server.requests[0].finished


def test_a_client_that_takes_nothing_is_cut_off(open_harbour: Open, server: ModelServer) -> None:
    harbour = open_harbour("--send-seconds", "0.3")
    harbour.told(group("chat", server.port))
    with Wire(harbour.port, buffer=4096) as slow:
        slow.send(request(body=streamed(tokens=400, padding=100_000)))
        until(lambda: server.requests and server.requests[0].left, "the replica is let go")


def test_a_replica_that_says_nothing_is_given_up(open_harbour: Open, server: ModelServer) -> None:
    harbour = open_harbour("--answer-seconds", "0.4")
    harbour.told(group("chat", server.port))
    answer = ask(harbour.port, body={"model": "chat", "double": {"die": "silent"}})
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    broken = ask(harbour.port, body=streamed(tokens=2, pace=20))
    assert broken.events()[-1]["error"]["code"] == "upstream_failed"
    until(lambda: all(seen.left for seen in server.requests), "both are let go")


def test_events_with_other_line_ends_are_whole_too(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    answer = ask(harbour.port, body=streamed(tokens=4, newline="\r\n"))
    assert len(answer.events()) == 6
    metrics = ask(harbour.port, "/metrics").body.decode()
    assert 'bandari_tokens_output_total{group="chat",replica="chat-0"} 4' in metrics


def test_status_and_body_of_a_refusing_replica_are_passed_on(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    body = json.dumps({"model": "chat", "double": {"status": 422}}).encode()
    assert ask(harbour.port, body=body).status == 422
