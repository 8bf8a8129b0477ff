"""The supervisor with the real gateway and requests under way: what a kill loses, and what it does not."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bandari.desired.scaling import ConcurrencyTarget, ScalingPolicy
from bandari.serving import keys
from bandari.serving.protocol import plain
from bandari.testing.processes import Site, group, until
from bandari.units import Bounds

pytestmark = pytest.mark.engine
ROUTE = {"group": "chat", "models": ["chat"]}


def ask(port: int, *, model: str = "chat", slow: float = 0.0, key: str = "") -> tuple[int, dict[str, Any]]:
    """One chat request: status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"content-type": "application/json", "x-slow": str(slow)}
    if key:
        headers["authorization"] = f"Bearer {key}"
    try:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]})
        connection.request("POST", "/v1/chat/completions", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class Load:
    """Clients that ask one request after another until `stop`; `done` counts, `failed` says how."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self.port = port
        self.done = 0
        self.failed: list[str] = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _client(self) -> None:
        while not self._ends.is_set():
            try:
                status, _ = ask(self.port, slow=0.02)
                outcome = "" if status == 200 else str(status)
            except (OSError, http.client.HTTPException) as error:
                outcome = type(error).__name__
            self.done += 1
            if outcome:
                self.failed.append(outcome)

    def more(self, count: int = 20) -> None:
        """Waits until so many more are done."""
        wanted = self.done + count
        until(lambda: self.done >= wanted, "requests go on", within=30)

    def stop(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def port(site: Site) -> int:
    """A cluster with a gateway and two replicas; the gateway's port."""
    site.guard()
    found: int = site.apply("gateway.gateway", {})["port"]
    site.apply("group.chat", group(replicas=2, slots=4))
    site.apply("route.chat", ROUTE)
    site.ready()
    site.ready("gateway")
    return found


@pytest.fixture
def load(port: int) -> Iterator[Load]:
    made = Load(port)
    made.more()
    yield made
    made.stop()


def replica_pids(site: Site) -> set[int]:
    return {replica["pid"] for replica in site.ready()}


def gateway_pid(site: Site) -> int:
    pid: int = site.ready("gateway")[0]["pid"]
    return pid


def test_a_killed_replica_loses_no_request_that_had_no_byte_of_its_answer(site: Site, load: Load) -> None:
    os.kill(site.ready()[0]["pid"], signal.SIGKILL)
    load.more()
    site.ready()
    load.more()
    assert load.failed == []


def test_a_killed_gateway_loses_only_what_it_had_and_new_connections_wait(site: Site, load: Load) -> None:
    before, replicas = gateway_pid(site), replica_pids(site)
    os.kill(before, signal.SIGKILL)
    load.more()
    assert gateway_pid(site) != before
    assert len(load.failed) <= 4, "one a client"
    assert "ConnectionRefusedError" not in load.failed
    assert replica_pids(site) == replicas


def test_a_killed_supervisor_interrupts_no_request(site: Site, load: Load) -> None:
    gateway, replicas = gateway_pid(site), replica_pids(site)
    for _ in range(3):
        supervisor = site.status()["supervisor_pid"]
        os.kill(supervisor, signal.SIGKILL)
        until(lambda before=supervisor: site.status()["supervisor_pid"] != before, "another supervisor")  # type: ignore[misc]
        load.more(10)
    assert (gateway_pid(site), replica_pids(site)) == (gateway, replicas)
    assert load.failed == []


def test_a_new_supervisor_gets_the_sockets_back_and_gives_them_to_the_next_gateway(site: Site, port: int) -> None:
    os.kill(site.status()["supervisor_pid"], signal.SIGKILL)
    until(site.answers, "another supervisor")
    before = gateway_pid(site)
    os.kill(before, signal.SIGKILL)
    assert ask(port)[0] == 200, "the connection waits in the socket"
    assert gateway_pid(site) != before


def test_when_all_but_the_replicas_is_killed_the_same_ports_are_bound_anew(site: Site, port: int) -> None:
    replicas = replica_pids(site)
    status = site.status()
    for pid in (status["guard_pid"], status["supervisor_pid"], gateway_pid(site)):
        os.kill(pid, signal.SIGKILL)
    site.guard()
    site.ready("gateway")
    assert ask(port)[0] == 200
    assert replica_pids(site) == replicas


def test_a_rolling_change_loses_no_request(site: Site, load: Load) -> None:
    before = replica_pids(site)
    site.apply("group.chat", group("chat", "new", replicas=2, slots=4))
    until(lambda: not before & replica_pids(site), "all are new", within=30)
    load.more()
    assert load.failed == []


def test_more_and_fewer_replicas_lose_no_request(site: Site, load: Load) -> None:
    for count in (4, 1, 3):
        site.apply("group.chat", group(replicas=count, slots=4))
        until(lambda n=count: len(site.ready()) == n, f"{count} replicas", within=30)  # type: ignore[misc]
        load.more()
    assert load.failed == []


@pytest.mark.slow
def test_a_gateway_that_hangs_is_replaced(site: Site, port: int) -> None:
    before = gateway_pid(site)
    os.kill(before, signal.SIGSTOP)
    until(lambda: gateway_pid(site) != before, "another gateway", within=30)
    assert ask(port)[0] == 200


def test_other_ports_mean_another_gateway_and_the_first_finishes_what_it_has(site: Site, port: int) -> None:
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(ask(port, slow=1.0)[0]))
    slow.start()
    until(lambda: site.part("gateway").get("in_flight", 0) == 1, "the slow one is under way")
    body = {"public": True, "public_address": "127.0.0.1"}
    outputs = site.apply("gateway.gateway", body)
    assert outputs["port"] == port
    assert outputs["public_port"] not in {None, port}
    site.ready("gateway")
    slow.join()
    assert answers == [200]
    assert ask(port)[0] == 200


def test_only_a_listed_key_opens_the_public_listener_and_a_revoked_one_closes_it(site: Site, port: int) -> None:
    site.apply("route.chat", {**ROUTE, "public": True})
    public = site.apply("gateway.gateway", {"public": True, "public_address": "127.0.0.1"})["public_port"]
    site.ready("gateway")
    record, key = keys.create(site.folder, "test", time.time())
    assert ask(public, key=key)[0] == 401
    site.call("refresh")
    until(lambda: ask(public, key=key)[0] == 200, "the key is known")
    keys.revoke(site.folder, record.id)
    site.call("refresh")
    until(lambda: ask(public, key=key)[0] == 401, "the key is forgotten")
    assert ask(port)[0] == 200


def test_a_taken_port_is_refused_with_its_holder_and_the_old_one_serves_on(site: Site, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        response = site.call("apply", "gateway.gateway", body={"port": wanted})
    assert f"cannot listen on 127.0.0.1:{wanted}: the port is taken by process {os.getpid()} (" in response["error"]
    assert response["fix"].startswith("set another port")
    assert ask(port)[0] == 200
    assert site.apply("gateway.gateway", {}) == {"port": port}


def test_a_request_wakes_a_group_and_the_group_sleeps_again(site: Site, port: int) -> None:
    policy = ScalingPolicy(Bounds(0, 1), concurrency=ConcurrencyTarget(4.0), cooldown=1.0, stabilization_down=0.0)
    site.apply("group.chat", group(scaling=plain(policy)))
    until(lambda: site.part("chat")["state"] == "idle", "it sleeps")
    assert ask(port)[0] == 200
    until(lambda: site.part("chat")["state"] == "idle", "it sleeps again")


def test_a_group_that_is_removed_finishes_what_it_has(site: Site, port: int) -> None:
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(ask(port, slow=1.0)[0]))
    slow.start()
    until(lambda: site.part("chat").get("in_flight", 0) == 1, "the slow one is under way")
    site.call("delete", "route.chat")
    site.call("delete", "group.chat")
    slow.join()
    assert answers == [200]
    until(lambda: not site.part("chat"), "the group is gone")
    assert ask(port)[0] == 404


def test_a_stop_finishes_requests_and_leaves_no_port(site: Site, port: int) -> None:
    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(ask(port, slow=1.0)[0]))
    slow.start()
    until(lambda: site.part("chat").get("in_flight", 0) == 1, "the slow one is under way")
    site.call("stop")
    slow.join()
    assert answers == [200]
    until(lambda: not site.processes(), "nothing is left")
    listening = {row.split()[1] for row in Path("/proc/net/tcp").read_text().splitlines()[1:] if row.split()[3] == "0A"}
    assert f"0100007F:{port:04X}" not in listening
    assert not list(site.folder.glob("*.sock"))


def test_a_folder_with_a_path_too_long_for_a_socket_serves_as_well(tmp_path: Path) -> None:
    site = Site(tmp_path / ("long" * 40))
    try:
        site.guard()
        port = site.apply("gateway.gateway", {})["port"]
        site.apply("group.chat", group())
        site.apply("route.chat", ROUTE)
        assert ask(port)[0] == 200, "held until the replica is there"
    finally:
        site.close()
