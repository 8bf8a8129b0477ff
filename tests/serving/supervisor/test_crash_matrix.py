"""kill -9 of everything: what goes on, what comes back, and that nothing is started twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bandari.desired.workloads import HttpGet, Probe
from bandari.serving.guard import SUPERVISOR_PID_FILE
from bandari.serving.protocol import STATE_FILE
from bandari.serving.supervisor import faults
from bandari.testing.processes import Site, group, until

pytestmark = pytest.mark.engine


def pids(replicas: list[dict[str, int]]) -> set[int]:
    return {replica["pid"] for replica in replicas}


def test_a_killed_replica_is_back_at_once_and_the_others_go_on(site: Site) -> None:
    site.guard()
    site.apply("group.chat", group(replicas=2))
    before = site.ready()
    os.kill(before[0]["pid"], signal.SIGKILL)
    until(lambda: site.part("chat")["state"] != "ready", "its end is seen")
    after = site.ready()
    assert after[0]["pid"] != before[0]["pid"]
    assert after[0]["restarts"] == 1
    assert after[1] | {"cpu": 0, "memory": 0} == before[1] | {"cpu": 0, "memory": 0}


def test_a_killed_replica_takes_its_children_along(site: Site) -> None:
    site.guard()
    site.apply("group.chat", group("chat", "family"))
    before = site.ready()[0]["pid"]
    until(lambda: len(site.pids("chat-0")) == 3, "it has children")
    family = site.pids("chat-0")
    os.kill(before, signal.SIGKILL)
    until(lambda: not family & site.processes().keys(), "the whole tree has ended")
    assert site.ready()[0]["pid"] not in family


def test_a_killed_supervisor_interrupts_nothing_and_the_next_adopts_all(site: Site) -> None:
    site.guard()
    site.apply("group.chat", group(replicas=2))
    before = site.ready()
    first = site.status()["supervisor_pid"]
    os.kill(first, signal.SIGKILL)
    until(lambda: site.status()["supervisor_pid"] != first, "another supervisor")
    assert pids(site.ready()) == pids(before)
    os.kill(before[0]["pid"], signal.SIGKILL)
    until(lambda: site.pids("chat-0") - pids(before), "an adopted replica is started again")


def test_guard_and_supervisor_killed_together_leave_all_serving_until_they_are_revived(site: Site) -> None:
    guard = site.guard()
    site.apply("group.chat", group(replicas=2))
    before = site.ready()
    guard.kill()
    os.kill(site.status()["supervisor_pid"], signal.SIGKILL)
    guard.wait()
    with urllib.request.urlopen(f"http://127.0.0.1:{before[0]['port']}/", timeout=5) as answer:
        assert json.load(answer)["pid"] == before[0]["pid"]
    site.guard()
    assert pids(site.ready()) == pids(before)
    assert len(site.pids("chat-0") | site.pids("chat-1")) == 2


def test_what_ended_while_no_supervisor_ran_is_started_again(site: Site) -> None:
    guard = site.guard()
    site.apply("group.chat", group(replicas=2))
    before = site.ready()
    guard.kill()
    guard.wait()
    os.kill(site.status()["supervisor_pid"], signal.SIGKILL)
    os.kill(before[0]["pid"], signal.SIGKILL)
    site.guard()
    after = site.ready()
    assert pids(after) & pids(before) == {before[1]["pid"]}


def test_a_killed_guard_is_started_by_the_supervisor_and_does_not_start_a_second_one(site: Site) -> None:
    guard = site.guard()
    site.apply("group.chat", group())
    before = site.ready()
    supervisor = site.status()["supervisor_pid"]
    guard.kill()
    guard.wait()
    another = until(lambda: site.status().get("guard_pid", 0), "another guard", within=20)
    assert another != guard.pid
    assert (site.status()["supervisor_pid"], pids(site.ready())) == (supervisor, pids(before))
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: site.status()["supervisor_pid"] != supervisor, "it revives the supervisor")
    assert pids(site.ready()) == pids(before)


def test_two_guards_started_at_once_make_one_supervisor(site: Site) -> None:
    first = site._start("bandari.serving.guard", {})
    second = site._start("bandari.serving.guard", {})
    ended = until(lambda: [g for g in (first, second) if g.poll() is not None], "one of them ends")
    until(site.answers, "the supervisor answers")
    assert [g.returncode for g in ended] == [0]
    assert len(site.pids("supervisor")) == 2, "a guard and a supervisor"


def test_a_stopped_replica_fails_its_liveness_probe_and_is_replaced(site: Site) -> None:
    site.guard()
    liveness = Probe(HttpGet("/", 8000), initial_delay=1, period=1, failure_threshold=1, termination_grace_period=0)
    site.apply("group.chat", group(liveness=liveness))
    before = site.ready()[0]["pid"]
    os.kill(before, signal.SIGSTOP)
    until(lambda: site.part("chat")["detail"][0].get("pid") not in {before, 0}, "another process")
    assert site.ready()[0]["restarts"] == 1
    assert "failed its liveness probe: no answer within 1 s" in site.log("supervisor").read_text()


def test_a_replica_that_keeps_crashing_backs_off_and_says_why(site: Site) -> None:
    site.guard()
    site.apply("group.chat", group("chat", "crash"))
    part = until(lambda: (p := site.part("chat"))["detail"][0].get("restarts", 0) >= 2 and p, "it was started again")
    assert "exit status 1; its last log line: the weights are broken" in part["reason"]
    assert part["state"] in {"backoff", "starting"}
    assert not site.status().get("ready", False)


def test_a_corrupt_state_is_kept_aside_and_what_runs_is_found_again(site: Site) -> None:
    guard = site.guard()
    body = group("chat", "family", replicas=2)
    site.apply("group.chat", body)
    before = site.ready()
    until(lambda: len(site.processes()) == 8, "two families")
    guard.kill()
    guard.wait()
    os.kill(site.status()["supervisor_pid"], signal.SIGKILL)
    (site.folder / STATE_FILE).write_bytes(b'{"cluster": "try", "resour')
    site.guard()
    assert len(list(site.folder.glob(f"{STATE_FILE}.corrupt-*"))) == 1
    assert "cannot read the state" in site.log("supervisor").read_text()
    site.apply("group.chat", body)
    assert pids(site.ready()) == pids(before)


def test_what_another_version_applied_serves_on_until_it_is_applied_anew(site: Site) -> None:
    guard = site.guard()
    for name in ("chat", "code"):
        site.apply(f"group.{name}", group(name))
    before = pids(site.ready("chat")) | pids(site.ready("code"))
    guard.kill()
    guard.wait()
    os.kill(site.status()["supervisor_pid"], signal.SIGKILL)
    path = site.folder / STATE_FILE
    path.write_text(path.read_text().replace('"group":"chat","command":[', '"group":"chat","command":0,"was":['))
    site.guard()
    assert site.part("chat")["state"] == "unclaimed"
    assert [r["address"] for r in site.call("observe")["result"]["resources"]] == ["group.code"]
    site.apply("group.chat", group("chat"))
    assert pids(site.ready("chat")) | pids(site.ready("code")) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "nth"),
    [(p, 1) for p in faults.POINTS] + [(p, 2) for p in faults.POINTS if p.startswith(("store", "spawn"))],
)
def test_dying_at_any_point_starts_nothing_twice_and_the_next_apply_converges(site: Site, point: str, nth: int) -> None:
    """A change that rolls two replicas, then the removal of a group; the supervisor dies at the n-th passing."""
    body = group(replicas=2)
    dying = site.supervisor(BANDARI_FAULT=f"{point}:{nth}")
    until(lambda: site.answers() or dying.poll() is not None, "it answers or has died")
    with contextlib.suppress(OSError):
        _change(site, body)
        until(lambda: dying.poll() is not None or _settled(site), "it dies or settles")
    if nth == 1:
        until(lambda: dying.poll() is not None, "it dies: every point is passed at least once")
    dying.kill()
    assert dying.wait() == -signal.SIGKILL
    supervisor = site.supervisor()
    until(site.answers, "the next one answers")
    _change(site, body)
    until(lambda: _settled(site), "it converges")
    running = site.processes()
    running.pop(supervisor.pid)
    replicas = site.ready()
    assert set(running) == pids(replicas)
    assert len(replicas) == 2
    args = [_args(replica["port"]) for replica in replicas]
    assert args == [[], []], "all are of the last generation"


def _change(site: Site, body: dict[str, Any]) -> None:
    site.apply("group.gone", group("gone"))
    site.apply("group.chat", group("chat", "first", replicas=2))
    site.apply("group.chat", body)
    site.call("delete", "group.gone")


def _settled(site: Site) -> bool:
    part = site.part("chat")
    states = [replica["state"] for replica in part.get("detail", [])]
    return states == ["ready", "ready"] and part["state"] == "ready" and not site.part("gone")


def _args(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        found: list[str] = json.load(answer)["args"]
    return found


def test_after_a_stop_no_process_and_no_socket_is_left(site: Site) -> None:
    guard = site.guard()
    site.apply("group.chat", group("chat", "family", replicas=2))
    ports = [replica["port"] for replica in site.ready()]
    until(lambda: len(site.processes()) == 8, "guard, supervisor and two families")
    assert not site.call("stop").get("error")
    assert guard.wait(20) == 0
    assert site.processes() == {}
    assert not list(site.folder.glob("*.sock"))
    assert not (site.folder / SUPERVISOR_PID_FILE).exists()
    assert not (site.folder / STATE_FILE).exists()
    listening = Path("/proc/net/tcp").read_text()
    assert not [port for port in ports if f":{port:04X} 00000000:0000 0A" in listening]


def test_a_stop_that_is_interrupted_by_a_crash_goes_on_and_ends_what_is_deaf_to_sigterm(site: Site) -> None:
    guard = site.guard()
    site.apply("group.chat", group("chat", "deaf", "family"))
    site.ready()
    until(lambda: len(site.pids("chat-0")) == 3, "it has children")
    supervisor = site.status()["supervisor_pid"]
    site.call("stop")
    os.kill(supervisor, signal.SIGKILL)
    assert guard.wait(20) == 0
    assert site.processes() == {}
    assert "did not end on SIGTERM" in site.log("supervisor").read_text()
