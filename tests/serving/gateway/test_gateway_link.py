"""The link to the supervisor, which may die and come back while everything goes on."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bandari.testing.clients import Wire, ask, request
from bandari.testing.gateway import Harbour, SupervisorEnd, group
from bandari.testing.model_server import ModelServer
from bandari.testing.processes import until

pytestmark = pytest.mark.engine
Open = Callable[..., Harbour]


def test_hello_brings_the_listening_sockets(open_harbour: Open) -> None:
    harbour = open_harbour(public=True)
    harbour.told(group("chat"))
    hello = harbour.supervisor.hello
    assert hello
    assert (hello.pid, hello.listeners) == (harbour.process.pid, ("private", "public"))
    ports = [returned.getsockname()[1] for returned in harbour.supervisor.sockets]
    assert ports == [harbour.port, harbour.public_port]


def test_without_a_supervisor_it_serves_by_the_last_table_and_finds_the_next_one(
    harbour: Harbour, server: ModelServer
) -> None:
    harbour.told(group("chat", server.port))
    with Wire(harbour.port) as stream:
        stream.send(request(body={"model": "chat", "stream": True, "double": {"tokens": 20, "pace": 0.05}}))
        stream.head()
        harbour.supervisor.close()
        assert ask(harbour.port, body={"model": "chat"}).status == 200
        harbour.supervisor = SupervisorEnd(harbour.folder)
        harbour.told(group("chat", server.port), group("new", server.port))
        assert ask(harbour.port, body={"model": "new"}).status == 200
        assert b"".join(stream.parts()).endswith(b"[DONE]\n\n")
    assert harbour.supervisor.load.groups["chat"].requests_total == 2
    assert harbour.supervisor.sockets[0].getsockname()[1] == harbour.port


def test_the_sockets_that_come_back_are_enough_for_the_next_gateway(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    harbour.listeners["private"].close()
    [returned] = harbour.supervisor.sockets
    harbour.listeners["private"] = returned.dup()
    harbour.process.kill()
    harbour.process.wait()
    with Wire(harbour.port) as wire:
        wire.send(request(body={"model": "chat"}))
        harbour.start()
        assert wire.response().status == 200


def test_a_table_in_pieces_and_nonsense_between_tables_are_no_harm(harbour: Harbour, server: ModelServer) -> None:
    supervisor = harbour.supervisor
    until(lambda: supervisor.links == 1, "the gateway is there")
    connection = supervisor._connection
    assert connection
    connection.sendall(b'{"type": "table"}\n[]\n\xff\n')
    until(lambda: "cannot read a table" in harbour.errors, "it is said")
    for byte in b'{"cluster":"test","groups":[],"revision":77,"type":"table"}\n':
        connection.sendall(bytes([byte]))
    until(lambda: supervisor.load.revision == 77, "the table was taken")
    harbour.told(group("chat", server.port))
    assert ask(harbour.port, body={"model": "chat"}).status == 200


def test_the_load_is_told_at_once_when_somebody_waits_and_now_and_then_otherwise(harbour: Harbour) -> None:
    harbour.told(group("chat"))
    with Wire(harbour.port) as wire:
        wire.send(request(body={"model": "chat"}))
        until(lambda: harbour.supervisor.load.groups["chat"].queued == 1, "it is told", within=0.15)
    until(lambda: harbour.supervisor.load.groups["chat"].queued == 0, "it left")
    count = len(harbour.supervisor.loads)
    until(lambda: len(harbour.supervisor.loads) > count, "it is told although nothing changed", within=2.5)


def test_a_path_longer_than_an_address_is_found(tmp_path: Path, server: ModelServer) -> None:
    folder = tmp_path / ("long-" * 20) / ("longer-" * 10)
    folder.mkdir(parents=True)
    assert len(os.fsencode(folder)) > 108
    harbour = Harbour(folder)
    try:
        harbour.told(group("chat", server.port))
        assert ask(harbour.port, body={"model": "chat"}).status == 200
    finally:
        harbour.close()


def test_a_supervisor_that_hangs_does_not_take_the_gateway_with_it(harbour: Harbour, server: ModelServer) -> None:
    harbour.told(group("chat", server.port))
    harbour.supervisor.close()
    path = harbour.folder / "gateway.sock"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen(0)
        # Nobody accepts; with the backlog full a connect would block.
        with socket.socket(socket.AF_UNIX) as filling:
            filling.connect(str(path))
            for _ in range(5):
                assert ask(harbour.port, body={"model": "chat"}).status == 200
    path.unlink()
    harbour.supervisor = SupervisorEnd(harbour.folder)
    harbour.told(group("chat", server.port))
