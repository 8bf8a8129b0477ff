"""Whole trees end, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bandari.serving.supervisor import ending, procfs
from bandari.testing.processes import until

FAMILY = """
import subprocess, sys, os
subprocess.Popen(["sleep", "100"])
subprocess.Popen(["setsid", "--fork", "sleep", "101"])
subprocess.Popen(["env", "-i", "sleep", "102"])
print("up", flush=True)
sys.stdin.read()
"""


def marks(state: Path, part: str = "chat-0", spawn: str = "1") -> dict[str, str]:
    return {**os.environ, procfs.STATE_MARK: str(state), procfs.PART_MARK: part, procfs.SPAWN_MARK: spawn}


@pytest.fixture
def family(tmp_path: Path) -> Iterator[procfs.Stat]:
    """A process with a child, one that left the session, and one that dropped the mark."""
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY],
        env=marks(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as root:
        assert root.stdout
        assert root.stdout.readline() == b"up\n"
        found = procfs.stat(root.pid)
        assert found
        until(lambda: len(ending.tree(tmp_path, "chat-0", found)) == 4, "the family is there")
        yield found
        ending.kill(tmp_path, "chat-0", found)


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same part of another cluster."""
    with subprocess.Popen(["sleep", "100"], env=marks(tmp_path / "other")) as process:
        yield process
        process.kill()


def test_a_tree_is_found_by_session_descent_and_mark(tmp_path: Path, family: procfs.Stat) -> None:
    found = procfs.marked(tmp_path)
    assert {mark.part for mark in found} == {"chat-0"}
    assert len(found) == 3, "one has dropped the mark"
    assert [mark.stat.pid for mark in found if mark.leads and mark.stat.pid == family.pid] == [family.pid]


def test_all_of_a_tree_is_killed_and_no_other_cluster_is_touched(
    tmp_path: Path, family: procfs.Stat, stranger: subprocess.Popen[bytes]
) -> None:
    everyone = ending.tree(tmp_path, "chat-0", family)
    ending.kill(tmp_path, "chat-0", family)
    until(lambda: not [p for p in everyone if (now := procfs.stat(p.pid)) and now.start == p.start], "nobody is left")
    assert stranger.poll() is None


def test_only_one_start_of_a_part_is_killed(tmp_path: Path, family: procfs.Stat) -> None:
    with subprocess.Popen(["sleep", "100"], env=marks(tmp_path, spawn="2")) as later:
        ending.kill_marked(tmp_path, "chat-0", "1")
        until(lambda: procfs.stat(family.pid) is None, "it has ended")
        assert later.poll() is None
        later.kill()


def test_a_pid_that_was_given_to_another_process_is_not_signalled(stranger: subprocess.Popen[bytes]) -> None:
    now = procfs.stat(stranger.pid)
    assert now
    before = procfs.Stat(now.pid, "S", 1, now.pid, now.pid, 0, now.start - 1, 0)
    assert not ending.send(before, signal.SIGKILL)
    ending.terminate(before)
    assert stranger.poll() is None


def test_what_a_process_and_its_children_use_is_summed(tmp_path: Path, family: procfs.Stat) -> None:
    alone = procfs.stat(family.pid)
    assert alone
    assert procfs.usage(family.pid).memory > alone.resident
    assert procfs.usage(2**22 + 1) == procfs.Usage()
