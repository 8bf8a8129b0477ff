"""Processes under measurement: started here, measured through /proc and the kernel's clocks, ended by pid."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import ROOT

HOST = "127.0.0.1"


class CannotMeasure(Exception):  # noqa: N818 - reads as the sentence it is
    """A part is missing or fails; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Side:
    """Something that answers on a port; `pid` is the one process whose CPU counts."""

    name: str
    pid: int
    port: int


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(command: Sequence[str], log: Path, *, pass_fds: Sequence[int] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A process from the repository's root, its output in `log`; ended by SIGTERM, after 5 s by SIGKILL."""
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, pass_fds=tuple(pass_fds)
        )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def module(name: str, *words: str) -> tuple[str, ...]:
    """The command of a module of this folder or of bandari."""
    return (sys.executable, "-m", name, *words)


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 20.0, step: float = 0.01) -> None:
    """CannotMeasure when it does not come true in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise CannotMeasure(f"{what} within {seconds:g} s")
        time.sleep(step)


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0):
        return True
    return False


def healthy(port: int) -> bool:
    """Whether GET /health answers 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False


def last_words(log: Path) -> str:
    """The last line that a process wrote."""
    return (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]


def wait_for(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until the child listens; CannotMeasure with its last words when it ends instead."""

    def listens() -> bool:
        if child.poll() is not None:
            raise CannotMeasure(f"{log.stem} ended with {child.returncode}: {last_words(log)}")
        return accepts(port)

    wait_until(listens, f"nothing listens on port {port}")


def cpu_seconds(pid: int) -> float:
    """User and system time of a live process with all its threads, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def run_cpu_seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """User and system time of a command from start to end (wait4); CannotMeasure when it fails."""
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    pid = os.posix_spawn(command[0], tuple(command), environment, file_actions=null)
    _, status, usage = os.wait4(pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise CannotMeasure(f"`{' '.join((Path(command[0]).name, *command[1:]))}` exited with {code}")
    return usage.ru_utime + usage.ru_stime


def pss_mib(pid: int) -> float:
    """Proportional set size: shared pages count by their share (proc(5), smaps_rollup)."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def alive(pid: int) -> bool:
    """Whether it runs (a zombie does not)."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()[0] not in b"ZX"
    return False
