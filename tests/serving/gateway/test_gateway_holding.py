"""Requests wait, within bounds, while a group has no replica that could answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

pytestmark = pytest.mark.engine
CHAT = request(body={"model": "chat"})


@contextlib.contextmanager
def waiting(harbour: Harbour, count: int) -> Iterator[list[Wire]]:
    """Clients whose requests are held, as the load tells."""
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(harbour.port)).send(CHAT) for _ in range(count)]
        until(lambda: harbour.supervisor.load.groups["chat"].queued == count, "they are held")
        yield wires


def test_a_request_to_a_group_at_zero_waits_for_its_first_replica(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat"))
    with waiting(harbour, 5) as wires:
        load = harbour.supervisor.load.groups["chat"]
        assert (load.in_flight, load.requests_total) == (0, 5)
        harbour.told(group("chat", server.port))
        assert [wire.response().status for wire in wires] == [200] * 5
    metrics = ask(harbour.port, "/metrics").body.decode()
    assert 'bandari_held_seconds_count{group="chat"} 5' in metrics


def test_past_the_bound_it_is_429_with_a_time_to_come_back(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", hold_limit=2))
    with waiting(harbour, 2) as wires:
        answer = ask(harbour.port, body={"model": "chat"})
        assert (answer.status, answer.error["code"]) == (429, "queue_full")
        assert int(answer.headers["retry-after"]) > 0
        harbour.told(group("chat", server.port, hold_limit=2))
        assert [wire.response().status for wire in wires] == [200, 200]


def test_past_the_deadline_it_is_503_with_a_time_to_come_back(harbour: Harbour) -> None:
    harbour.told(group("chat", hold_deadline=0.2))
    answer = ask(harbour.port, body={"model": "chat"})
    assert (answer.status, answer.error["type"]) == (503, "server_error")
    assert int(answer.headers["retry-after"]) > 0
    until(lambda: harbour.supervisor.load.groups["chat"].queued == 0, "it is no longer held")


def test_a_group_that_is_not_waking_answers_503_at_once(harbour: Harbour) -> None:
    harbour.told(group("chat"))
    with waiting(harbour, 2) as wires:
        harbour.told(group("chat", waking=False))
        assert [wire.response().status for wire in wires] == [503, 503]
    answer = ask(harbour.port, body={"model": "chat"})
    assert (answer.status, "retry-after" in answer.headers) == (503, True)


def test_a_client_that_leaves_is_held_no_more(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", hold_limit=2))
    with waiting(harbour, 2) as wires:
        wires[0].close()
        until(lambda: harbour.supervisor.load.groups["chat"].queued == 1, "one has left")
        harbour.told(group("chat", server.port))
        assert wires[1].response().status == 200
    assert len(server.requests) == 1


def test_a_request_for_a_group_that_is_removed_meanwhile_is_answered(harbour: Harbour) -> None:
    harbour.told(group("chat"))
    with waiting(harbour, 1) as wires:
        harbour.told(group("code"))
        assert wires[0].response().status == 503


def test_a_group_with_draining_replicas_only_holds(harbour: Harbour, server: ModelServer) -> None:
    table = group("chat", server.port)
    [upstream] = table.upstreams
    harbour.told(group("chat", upstreams=(type(upstream)("chat-0", "127.0.0.1", server.port, draining=True),)))
    with waiting(harbour, 1) as wires:
        harbour.told(table)
        assert wires[0].response().status == 200


def test_before_the_first_table_requests_wait_within_a_bound(
    open_harbour: Callable[..., Harbour], server: ModelServer
) -> None:
    harbour = open_harbour("--early-requests", "2", public=True)
    with Wire(harbour.port) as first, Wire(harbour.port) as second, Wire(harbour.public_port) as public:
        assert ask(harbour.port, "/healthz").status == 200
        first.send(CHAT)
        second.send(request("/v1/models"))
        until(lambda: ask(harbour.port, "/v1/models").status == 429, "the bound is reached")
        public.send(CHAT)
        assert public.response().status == 429
        harbour.told(group("chat", server.port))
        assert first.response().status == 200
        assert second.response().json()["data"][0]["id"] == "chat"


def test_a_public_request_before_the_first_table_needs_its_key_all_the_same(
    open_harbour: Callable[..., Harbour], server: ModelServer
) -> None:
    harbour = open_harbour(public=True)
    with Wire(harbour.public_port) as public:
        public.send(CHAT)
        harbour.told(group("chat", server.port, public=True))
        assert public.response().status == 401
    assert server.requests == []


def test_nobody_is_held_for_ever_without_a_table(open_harbour: Callable[..., Harbour]) -> None:
    harbour = open_harbour("--early-seconds", "0.2")
    assert ask(harbour.port, body={"model": "chat"}).status == 503
