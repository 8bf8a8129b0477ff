"""How the gateway ends: politely when told to, without harm when killed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

pytestmark = pytest.mark.engine
Open = Callable[..., Harbour]
STREAM = request(body={"model": "chat", "stream": True, "double": {"tokens": 20, "pace": 0.04}})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_under_way_is_finished_and_nothing_new_is_taken(
    harbour: Harbour, server: ModelServer, number: int
) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as stream, Wire(harbour.port) as idle, Wire(harbour.port) as later:
        stream.send(STREAM)
        stream.head()
        assert idle.ask("/healthz").status == 200
        harbour.process.send_signal(number)
        assert idle.ended
        # The listening socket lives on in whoever holds it: this one waits for the next gateway.
        later.send(request(body={"model": "chat"}))
        assert b"".join(stream.parts()).endswith(b"[DONE]\n\n")
        assert stream.ended
        assert harbour.process.wait(10) == 0


def test_the_grace_has_an_end(open_harbour: Open, server: ModelServer) -> None:
    harbour = open_harbour("--grace", "0.3")
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire:
        wire.send(request(body={"model": "chat", "double": {"delay": 60}}))
        until(lambda: len(server.requests) == 1, "it is asked")
        assert harbour.end() == 0
        assert wire.ended


def test_a_second_signal_ends_at_once(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as wire, Wire(harbour.port) as idle:
        wire.send(request(body={"model": "chat", "double": {"delay": 60}}))
        assert idle.ask("/healthz").status == 200
        until(lambda: len(server.requests) == 1, "it is asked")
        harbour.process.send_signal(signal.SIGTERM)
        assert idle.ended
        assert harbour.end() == 0


def test_a_request_that_is_held_is_served_while_the_gateway_ends(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat"))
    with Wire(harbour.port) as wire, Wire(harbour.port) as idle:
        wire.send(request(body={"model": "chat"}))
        assert idle.ask("/healthz").status == 200
        until(lambda: harbour.supervisor.load.groups["chat"].queued == 1, "it is held")
        harbour.process.send_signal(signal.SIGTERM)
        assert idle.ended
        harbour.told(group("chat", server.port))
        answer = wire.response()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert harbour.process.wait(10) == 0


def test_after_kill_9_new_connections_wait_for_the_next_gateway(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as stream:
        stream.send(STREAM)
        stream.head()
        assert harbour.end(signal.SIGKILL) == -signal.SIGKILL
        with pytest.raises(EOFError):
            list(stream.parts())
    waiting = [Wire(harbour.port).send(request(body={"model": "chat"})) for _ in range(20)]
    harbour.start()
    assert [wire.response().status for wire in waiting] == [200] * 20
    for wire in waiting:
        wire.close()
    until(lambda: server.requests[0].left, "the replica was let go")


def test_what_is_no_listening_socket_is_named(harbour: Harbour) -> None:
    with socket.socket() as unbound:
        number = unbound.fileno()
        words = [sys.executable, "-m", "bandari.serving.gateway", "--link", "none", "--private-fd"]
        unbound_run = subprocess.run([*words, str(number)], pass_fds=[number], capture_output=True, check=False)
        closed_run = subprocess.run([*words, "987"], capture_output=True, check=False)
    for run in (unbound_run, closed_run):
        assert run.returncode == 1
        assert run.stderr.startswith(b"gateway: cannot listen on descriptor ")
    assert ask(harbour.port, "/healthz").status == 200
