"""A clumsy operator: files removed beside a running cluster, processes stopped and killed, orphans without a mark."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bandari.testing.user import User

FILE = """\
version: "1.3"
local:
  cluster: {name: one}
  modelGroups:
    - name: chat
      minInstances: 1
      maxInstances: 1
      runtime: {image: "ghcr.io/ggml-org/llama.cpp:server-b6823"}
      model: {source: "builtin:tiny"}
"""

pytestmark = pytest.mark.engine


def folder(user: User) -> Path:
    return user.home / "state" / "bandari" / "clusters" / "one"


def pid(user: User, name: str) -> int:
    return int((folder(user) / f"{name}.pid").read_text().split()[0])


def replicas(user: User) -> list[int]:
    parts = user.bandari("status", "--cluster", "one", "--json").document["parts"]
    return [r["pid"] for p in parts if p["kind"] == "group" for r in p["detail"]]


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the deadline has passed"
        time.sleep(0.05)


@pytest.fixture
def running(user: User) -> User:
    user.write(FILE)
    done = user.bandari("up", "--yes")
    assert done.code == 0, done.err
    return user


def test_a_variable_that_cannot_be_is_said_and_down_works(user: User) -> None:
    text = FILE.replace('server-b6823"}', 'server-b6823", env: [{name: A, value: "a\\0b"}]}')
    user.write(text)
    done = user.bandari("up", "--yes", "--timeout", "5")
    assert done.code != 0
    assert "null byte" in done.err
    assert user.bandari("down", "--yes", timeout=30).code == 0
    assert user.marked() == []


def test_a_cluster_of_which_nothing_came_up_is_not_ready(user: User) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        user.write(FILE.replace("local:\n", f"local:\n  port: {holder.getsockname()[1]}\n"))
        assert user.bandari("up", "--yes").code == 1
        assert user.bandari("status", "--cluster", "one").code == 1


def test_down_works_when_guard_and_supervisor_are_dead(running: User) -> None:
    for name in ("guard", "supervisor"):
        os.kill(pid(running, name), signal.SIGKILL)
    done = running.bandari("down", "--yes")
    assert done.code == 0, done.err
    assert running.marked() == []


def test_a_state_file_that_is_removed_is_written_again(running: User) -> None:
    (folder(running) / "state.json").unlink()
    until((folder(running) / "state.json").exists)
    assert running.bandari("plan", "--offline", "--exit-code").code == 0


def test_a_supervisor_that_finds_no_state_beside_living_processes_ends_none(running: User) -> None:
    before = replicas(running)
    guard = pid(running, "guard")
    os.kill(guard, signal.SIGKILL)
    os.kill(pid(running, "supervisor"), signal.SIGKILL)
    (folder(running) / "state.json").unlink()
    done = running.bandari("up", "--yes")
    assert done.code == 0, done.out + done.err
    assert all(Path(f"/proc/{one}").exists() for one in before)
    assert replicas(running) == before, "taken in by their mark"


def test_a_control_socket_that_is_removed_comes_back(running: User) -> None:
    (folder(running) / "supervisor.sock").unlink()
    until((folder(running) / "supervisor.sock").exists)
    assert running.bandari("status", "--cluster", "one").code == 0


def test_a_stopped_supervisor_is_named_soon_and_healthy_parts_outlive_its_sleep(running: User) -> None:
    before = replicas(running)
    supervisor = pid(running, "supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    try:
        started = time.monotonic()
        done = running.bandari("status", "--cluster", "one")
        assert time.monotonic() - started < 15
        assert done.code == 1
        assert str(supervisor) in done.err
        assert "kill -CONT" in done.err
        until(lambda: time.monotonic() - started > 12, 20)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    until(lambda: running.bandari("status", "--cluster", "one").code == 0)
    assert replicas(running) == before
    log = (folder(running) / "logs" / "supervisor.log").read_text()
    assert "said nothing" not in log, "the gateway was well all the time"


def test_orphans_without_our_mark_are_gone_after_down(user: User) -> None:
    """A program whose child leaves the session and drops its environment, and which is then killed."""
    program = user.folder / "own.py"
    program.write_text(
        "import http.server, subprocess, sys\n"
        "subprocess.Popen(['env', '-i', 'setsid', '--fork', 'sleep', '4711'])\n"
        "http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)"
        ".serve_forever()\n"
    )
    command = json.dumps([sys.executable, str(program), "$(PORT)"])
    text = FILE.replace("      model:", f"      local: {{command: {command}}}\n      model:")
    user.write(text)
    assert user.bandari("up", "--yes").code == 0
    until(lambda: len(sleepers()) == 1)
    os.kill(replicas(user)[0], signal.SIGKILL)
    until(lambda: len(sleepers()) == 2)
    assert user.bandari("down", "--yes").code == 0
    until(lambda: sleepers() == [])


def sleepers() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[:2] == [b"sleep", b"4711"]:
                found.append(int(entry.name))
    return found


def test_folders_behind_a_link_are_recognised(user: User) -> None:
    """A home that is a symbolic link: processes carry the real path in their mark."""
    (user.folder / "linked").symlink_to(user.home / "state")
    user.environment["XDG_STATE_HOME"] = str(user.folder / "linked")
    user.write(FILE)
    assert user.bandari("up", "--yes").code == 0
    assert user.marked()
    assert user.bandari("down", "--yes").code == 0
    assert user.marked() == []


def test_logs_and_data_of_a_cluster_that_is_down_can_still_be_had(user: User) -> None:
    user.bandari("init", "--name", "past")
    assert user.bandari("up", "--yes").code == 0
    assert user.bandari("down", "--yes").code == 0
    assert "supervisor" in user.bandari("logs", "--cluster", "past").out
    assert user.bandari("down", "--cluster", "past", "--delete-data", "--yes").code == 0
    assert not (user.home / "state" / "bandari" / "clusters" / "past").exists()


def test_down_goes_on_when_its_reader_leaves(user: User) -> None:
    user.bandari("init", "--name", "read")
    assert user.bandari("up", "--yes").code == 0
    words = [sys.executable, "-m", "bandari.cli", "down", "--yes"]
    down = subprocess.Popen(
        words, cwd=user.folder, env=user.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert down.stdout
    assert down.stderr
    down.stdout.close()
    assert down.wait(60) == 0, down.stderr.read()
    down.stderr.close()
    assert user.marked() == []
