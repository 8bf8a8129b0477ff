"""Keeps the supervisor alive: `python -m bandari.serving.guard --state DIR --cluster NAME`.

It starts the supervisor, waits, and starts it again when it dies. As a subreaper it inherits the processes that a dead
supervisor leaves behind and reaps them when they end; they belong to the next supervisor, so it touches none of them.
It ends when the supervisor ends with `EXIT_STOPPED`. One guard for a folder: a second one ends at once with 0.
Its starter makes the session and connects stdout and stderr to the log. Imports next to nothing, to stay small.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import sys
import time
from pathlib import Path

LOCK_FILE = "lock"
GUARD_PID_FILE = "guard.pid"
SUPERVISOR_PID_FILE = "supervisor.pid"
EXIT_STOPPED = 0
"""Exit status of a supervisor that was asked to stop and has ended everything; it also removes its pid file."""
_PR_SET_CHILD_SUBREAPER = 36
_DELAYS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
_HEALTHY_AFTER = 10.0
"""A supervisor that lived this long is started again at once."""


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, which with the pid names a process for good; None when there is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else int(fields[19])


def alive(pid_file: Path) -> int | None:
    """The pid of the process that a `pid starttime` file names, if that very process still runs."""
    try:
        pid, started = pid_file.read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if pid.isdigit() and str(start_time(int(pid))) == started else None


def write_pid(pid_file: Path, pid: int) -> None:
    """Writes `pid starttime`, whole or not at all."""
    fresh = pid_file.with_suffix(".tmp")
    fresh.write_text(f"{pid} {start_time(pid)}\n")
    fresh.replace(pid_file)


def _start(state: Path, cluster: str) -> int:
    module = ["-m", "bandari.serving.supervisor", "--state", str(state), "--cluster", cluster]
    marked = {**os.environ, "BANDARI_CLUSTER_STATE": str(state), "BANDARI_PART": "supervisor"}
    return os.posix_spawn(sys.executable, [sys.executable, *module], marked, setsid=True)


def _wait_for_child(pid: int) -> int:
    """The exit status of `pid`; whoever else ends in the meantime is reaped."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def _wait_for_stranger(pid: int, pid_file: Path) -> int:
    """The same for a supervisor of an earlier guard: its status is not ours to read, so its pid file tells."""
    with contextlib.suppress(ProcessLookupError), select.epoll() as ends:
        ends.register(os.pidfd_open(pid), select.EPOLLIN)
        ends.poll()
    return 1 if pid_file.exists() else EXIT_STOPPED


def watch(state: Path, cluster: str) -> None:
    """Starts or adopts the supervisor, again and again until it has stopped on purpose."""
    failures = 0
    pid_file = state / SUPERVISOR_PID_FILE
    while True:
        began = time.monotonic()
        stranger = alive(pid_file)
        status = _wait_for_stranger(stranger, pid_file) if stranger else _wait_for_child(_start(state, cluster))
        if status == EXIT_STOPPED:
            return
        failures = 0 if time.monotonic() - began > _HEALTHY_AFTER else failures + 1
        delay = _DELAYS[min(max(failures - 1, 0), len(_DELAYS) - 1)]
        sys.stdout.write(f"guard: the supervisor ended with {status}; starts again after {delay:g} s\n")
        sys.stdout.flush()
        time.sleep(delay)


def main(argv: list[str]) -> int:
    """0 when stopped on purpose or when another guard runs already, 2 for wrong arguments."""
    if len(argv) != 4 or argv[0] != "--state" or argv[2] != "--cluster":
        sys.stderr.write("usage: python -m bandari.serving.guard --state DIR --cluster NAME\n")
        return 2
    state = Path(argv[1]).resolve()
    os.chdir("/")  # it outlives the folder that the command ran in
    lock = os.open(state / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    write_pid(state / GUARD_PID_FILE, os.getpid())
    watch(state, argv[3])
    (state / GUARD_PID_FILE).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
