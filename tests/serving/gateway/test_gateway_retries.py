"""A replica that fails before the first byte costs the client nothing while another is there."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

pytestmark = pytest.mark.engine
Open = Callable[..., ModelServer]


def nobody() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def counted(harbour: Harbour, name: str) -> float:
    lines = ask(harbour.port, "/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.mark.parametrize("die", ["unanswered", "head"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_request_that_one_replica_fails_is_answered_by_another(
    harbour: Harbour, open_server: Open, die: str, stream: bool
) -> None:
    bad, good = open_server("bad", die=die), open_server("good")
    harbour.told(group("chat", bad.port, good.port))
    body = {"model": "chat", "stream": stream}
    for _ in range(4):
        answer = ask(harbour.port, body=body)
        assert (answer.status, answer.headers["x-bandari-replica"]) == (200, "chat-1")
    assert 1 <= len(bad.requests) <= 4
    assert len(good.requests) == 4
    assert counted(harbour, "bandari_retries_total") == len(bad.requests)


def test_a_replica_where_nobody_listens_is_passed_over(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", nobody(), server.port, nobody()))
    assert {ask(harbour.port, body={"model": "chat"}).status for _ in range(6)} == {200}


def test_a_request_that_fails_everywhere_is_not_tried_for_ever(harbour: Harbour, open_server: Open) -> None:
    servers = [open_server(die="unanswered") for _ in range(5)]
    harbour.told(group("chat", *(server.port for server in servers)))
    answer = ask(harbour.port, body={"model": "chat"})
    assert (answer.status, answer.error["code"]) == (502, "upstream_failed")
    assert sum(len(server.requests) for server in servers) == 3


def test_with_no_replica_left_and_none_coming_it_is_502(harbour: Harbour, open_server: Open) -> None:
    harbour.told(group("chat", open_server(die="unanswered").port, waking=False))
    assert ask(harbour.port, body={"model": "chat"}).status == 502
    harbour.told(group("chat", nobody(), waking=False))
    assert ask(harbour.port, body={"model": "chat"}).status in {502, 503}


def test_with_no_replica_left_it_is_held_until_one_is_back(harbour: Harbour, open_server: Open) -> None:
    lost = nobody()
    harbour.told(group("chat", lost))
    with Wire(harbour.port) as wire:
        wire.send(request(body={"model": "chat"}))
        until(lambda: harbour.supervisor.load.groups["chat"].queued == 1, "it is held")
        harbour.told(group("chat", open_server().port))
        assert wire.response().status == 200
    with Wire(harbour.port) as wire:
        # The same without a word from the supervisor: the replica is looked at again by itself.
        harbour.told(group("chat", lost))
        wire.send(request(body={"model": "chat"}))
        until(lambda: harbour.supervisor.load.groups["chat"].queued == 1, "it is held")
        open_server("late", lost)
        assert wire.response().status == 200


def test_a_kept_connection_that_was_closed_meanwhile_is_no_failure(harbour: Harbour, open_server: Open) -> None:
    server = open_server(requests=1)
    harbour.told(group("chat", server.port, waking=False))
    with Wire(harbour.port) as wire:
        assert [wire.ask(body={"model": "chat"}).status for _ in range(5)] == [200] * 5
    assert counted(harbour, "bandari_retries_total") == 0


def test_replicas_that_close_after_each_answer_are_served(harbour: Harbour, open_server: Open) -> None:
    server = open_server(keep=False)
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        assert [wire.ask(body={"model": "chat"}).status for _ in range(3)] == [200] * 3
    assert len({seen.connection for seen in server.requests}) == 3


def test_when_a_replica_dies_only_what_it_had_begun_to_answer_fails(harbour: Harbour, open_server: Open) -> None:
    dying, other = open_server("dying"), open_server("other")
    harbour.told(group("chat", dying.port, other.port))
    slow = {"model": "chat", "stream": True, "double": {"tokens": 30, "pace": 0.05}}
    begun = [Wire(harbour.port).send(request(body=slow)) for _ in range(4)]
    for wire in begun:
        wire.head()
    waiting = [
        Wire(harbour.port).send(request(body={"model": "chat", "double": {"delay": 0.5, "tokens": n}}))
        for n in range(4)
    ]
    until(lambda: len(dying.requests) + len(other.requests) == 8, "all are under way")
    dying.close()
    assert [wire.response().status for wire in waiting] == [200] * 4
    ends = [b"".join(wire.parts()) for wire in begun]
    assert sum(b'"upstream_failed"' in end for end in ends) == 2
    assert sum(end.endswith(b"[DONE]\n\n") for end in ends) == 2
    for wire in (*begun, *waiting):
        wire.close()


def test_a_draining_replica_finishes_what_it_has_and_gets_nothing_new(harbour: Harbour, open_server: Open) -> None:
    old, new = open_server("old"), open_server("new")
    harbour.told(group("chat", old.port))
    with Wire(harbour.port) as wire:
        wire.send(request(body={"model": "chat", "double": {"delay": 0.8}}))
        until(lambda: len(old.requests) == 1, "the old one has it")
        table = group("chat", old.port, new.port)
        draining = tuple(
            type(upstream)(upstream.id, upstream.host, upstream.port, 4, draining=upstream.id == "chat-0")
            for upstream in table.upstreams
        )
        harbour.told(group("chat", upstreams=draining))
        assert harbour.supervisor.load.groups["chat"].upstreams["chat-0"] == 1
        assert {ask(harbour.port, body={"model": "chat"}).headers["x-bandari-replica"] for _ in range(5)} == {"chat-1"}
        assert wire.response().headers["x-bandari-replica"] == "chat-0"
    until(lambda: harbour.supervisor.load.groups["chat"].upstreams["chat-0"] == 0, "it is told to be idle", within=0.5)
    until(lambda: not old.record.connections, "no connection to it is kept")


def test_a_replica_that_the_table_forgets_finishes_what_it_has(harbour: Harbour, open_server: Open) -> None:
    old, new = open_server("old"), open_server("new")
    harbour.told(group("chat", old.port))
    with Wire(harbour.port) as wire:
        wire.send(request(body={"model": "chat", "stream": True, "double": {"tokens": 20, "pace": 0.05}}))
        wire.head()
        harbour.told(group("chat", new.port))
        assert b"".join(wire.parts()).endswith(b"[DONE]\n\n")
        harbour.told()
        assert wire.ask(body={"model": "chat"}).status == 404
