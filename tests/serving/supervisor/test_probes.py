"""Kubernetes' probes against a small server in this process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from bandari.desired.workloads import Exec, Grpc, HttpGet, Probe, TcpSocket
from bandari.serving.supervisor.probes import Target, ask, watch_liveness, watch_readiness

CONTAINER_PORT = 8000
_T = TypeVar("_T")


@dataclass
class Server:
    """Answers each request with the next of `statuses`, the last one for ever; 0 is silence."""

    statuses: list[int]
    requests: list[str] = field(default_factory=list)
    port: int = 0

    handlers: list[asyncio.Task[None]] = field(default_factory=list)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handlers.append(asyncio.create_task(self._answer(reader, writer)))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(4096)
        if head:
            self.requests.append(head.decode())
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            if status:
                writer.write(f"HTTP/1.1 {status} Some Words\r\ncontent-length: 0\r\n\r\n".encode())
            else:
                await reader.read()
        writer.close()
        await writer.wait_closed()


def against(server: Server, act: Callable[[Target], Awaitable[_T]]) -> _T:
    async def run() -> _T:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        async with listening:
            result = await act(Target(server.port, CONTAINER_PORT, dict(os.environ)))
            await asyncio.sleep(0)  # The last connection is accepted by the loop's next turn.
            await asyncio.gather(*server.handlers, return_exceptions=True)
            return result

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "why"),
    [(200, ""), (204, ""), (399, ""), (400, "HTTP status 400 from /health"), (503, "HTTP status 503 from /health")],
)
def test_http_is_good_from_200_to_399(status: int, why: str) -> None:
    assert against(Server([status]), lambda t: ask(Probe(HttpGet("/health", CONTAINER_PORT)), t)) == why


def test_an_http_probe_sends_what_kubelet_sends_and_the_given_headers() -> None:
    server = Server([200])
    probe = Probe(HttpGet("ready?x=1", "http", headers=(("X-Key", "a"), ("Host", "example.test"))))
    assert against(server, lambda t: ask(probe, t)) == ""
    lines = server.requests[0].splitlines()
    assert lines[0] == "GET /ready?x=1 HTTP/1.1"
    assert {"x-key: a", "host: example.test", "connection: close"} <= set(lines)


def test_the_containers_port_and_a_named_one_are_the_replicas_own_and_another_number_stays() -> None:
    target = Target(4711, CONTAINER_PORT, {})
    assert [target.port_of(p) for p in (CONTAINER_PORT, "8000", "http", 9090, "9090")] == [4711, 4711, 4711, 9090, 9090]


def test_silence_is_a_failure_after_the_timeout() -> None:
    assert (
        against(Server([0]), lambda t: ask(Probe(HttpGet("/", CONTAINER_PORT), timeout=1), t)) == "no answer within 1 s"
    )


def test_a_socket_probe_wants_a_connection_only() -> None:
    assert against(Server([0]), lambda t: ask(Probe(tcp_socket=TcpSocket("any")), t)) == ""
    assert against(Server([0]), lambda t: ask(Probe(grpc=Grpc(CONTAINER_PORT)), t)) == ""
    closed = asyncio.run(ask(Probe(tcp_socket=TcpSocket("any")), Target(1, CONTAINER_PORT, {})))
    assert closed == "connection refused"


def test_a_command_is_good_with_status_0_and_runs_with_the_replicas_variables() -> None:
    target = Target(1, CONTAINER_PORT, {**os.environ, "NAME": "chat"})
    asked = [Probe(exec=Exec(("sh", "-c", text))) for text in ('test "$NAME" = chat', "echo not yet; exit 3")]
    assert [asyncio.run(ask(probe, target)) for probe in asked] == ["", "exit status 3: not yet"]
    missing = asyncio.run(ask(Probe(exec=Exec(("no-such-program",))), target))
    assert missing == "no such file or directory"


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    probe = Probe(exec=Exec(("sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 100")), timeout=1)
    assert asyncio.run(ask(probe, Target(1, CONTAINER_PORT, dict(os.environ)))) == "no answer within 1 s"
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)


def readiness(server: Server, probe: Probe, answers: int, *, ready: bool = False) -> list[tuple[bool, str]]:
    """The first so many verdicts."""

    async def act(target: Target) -> list[tuple[bool, str]]:
        told: list[tuple[bool, str]] = []
        enough = asyncio.Event()

        def tell(passed: bool, why: str) -> None:
            told.append((passed, why))
            if len(told) == answers:
                enough.set()

        task = asyncio.create_task(watch_readiness(probe, target, ready=ready, tell=tell))
        await asyncio.wait_for(enough.wait(), 20)
        task.cancel()
        return told

    return against(server, act)


def test_a_start_is_seen_at_once_in_spite_of_a_long_period_and_delay() -> None:
    probe = Probe(HttpGet("/", CONTAINER_PORT), period=60, initial_delay=60)
    assert readiness(Server([503, 503, 200]), probe, 1) == [(True, "")]


def test_readiness_is_lost_after_as_many_failures_in_a_row_as_the_threshold_and_found_again() -> None:
    probe = Probe(HttpGet("/", CONTAINER_PORT), period=1, failure_threshold=2)
    server = Server([200, 503, 200, 503, 503, 200])
    assert readiness(server, probe, 3) == [(True, ""), (False, "HTTP status 503 from /"), (True, "")]
    assert len(server.requests) == 6


def test_several_successes_may_be_asked_for() -> None:
    server = Server([200, 200, 503, 200])
    assert readiness(server, Probe(HttpGet("/", CONTAINER_PORT), success_threshold=3), 1) == [(True, "")]
    assert len(server.requests) == 6


def test_liveness_waits_for_its_delay_and_ends_at_its_threshold() -> None:
    probe = Probe(HttpGet("/", CONTAINER_PORT), initial_delay=1, period=1, failure_threshold=2)
    server = Server([200, 503, 503])

    async def act(target: Target) -> str:
        told: list[str] = []
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.wait_for(watch_liveness(probe, target, tell=told.append), 20)
        assert loop.time() - began >= 3
        return told[0]

    assert against(server, act) == "HTTP status 503 from /"


def test_without_a_probe_a_replica_is_ready_when_its_port_accepts() -> None:
    async def act(target: Target) -> str:
        ready = asyncio.Event()
        task = asyncio.create_task(watch_readiness(None, target, ready=False, tell=lambda *_: ready.set()))
        await asyncio.wait_for(ready.wait(), 5)
        task.cancel()
        return ""

    assert against(Server([0]), act) == ""
