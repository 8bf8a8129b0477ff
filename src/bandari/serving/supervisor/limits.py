"""Memory caps of replicas with `enforce_limits`: a cgroup where one can be made, else RLIMIT_DATA.

A cgroup caps all memory of the tree and its page cache; RLIMIT_DATA caps the private memory of each process. Not
RLIMIT_AS: engines reserve far more addresses than they use.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)
_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Cap:
    """`holds` names what caps; `data_limit` is set when it is RLIMIT_DATA, `started` when a pid has to be told."""

    holds: str
    data_limit: int = 0
    started: Callable[[int], None] | None = None


def cap(cluster: str, replica: str, memory: int) -> Cap | None:
    """A cap of `memory` bytes for a replica that is about to start; None when there is nothing to cap."""
    if memory <= 0:
        return None
    found = _base()
    if found:
        base, file = found
        folder = base / _name(cluster, replica)
        try:
            folder.mkdir(exist_ok=True)
            (folder / file).write_text(str(memory))
        except OSError:
            pass
        else:
            _log.info("%s: memory is capped at %s bytes by %s", replica, memory, folder)
            return Cap(f"cgroup {folder}", started=functools.partial(_enter, folder))
    _log.info("%s: memory is capped at %s bytes by RLIMIT_DATA", replica, memory)
    return Cap("RLIMIT_DATA", data_limit=memory)


def holds() -> str:
    """What caps memory on this machine: `cgroup v2`, `cgroup v1`, `RLIMIT_DATA`."""
    found = _base()
    if found is None:
        return "RLIMIT_DATA"
    return "cgroup v2" if found[1] == "memory.max" else "cgroup v1"


def release(cluster: str, replica: str) -> None:
    """Removes the cgroup of a replica that has ended; one whose last process is not reaped yet stays for `sweep`."""
    if found := _base():
        with contextlib.suppress(OSError):
            (found[0] / _name(cluster, replica)).rmdir()


def sweep(cluster: str) -> None:
    """Removes all cgroups of a cluster that have no process."""
    if found := _base():
        for folder in found[0].glob(_name(cluster, "*")):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _name(cluster: str, replica: str) -> str:
    # A dot, which is in no name, so that cluster `a` does not find those of `a-b`.
    return f"bandari.{cluster}.{replica}"


def _enter(folder: Path, pid: int) -> None:
    try:
        (folder / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        _log.warning("cannot put process %s into %s: %s", pid, folder, error)


@functools.cache
def _base() -> tuple[Path, str] | None:
    """A cgroup in which we may make others that cap memory, found by making one."""
    for base, file in _candidates():
        trial = base / f"bandari-trial-{os.getpid()}"
        try:
            trial.mkdir()
        except OSError:
            continue
        try:
            if (trial / file).exists() and os.access(trial / file, os.W_OK):
                return base, file
        finally:
            with contextlib.suppress(OSError):
                trial.rmdir()
    return None


def _candidates() -> list[tuple[Path, str]]:
    found: list[tuple[Path, str]] = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            # v2 allows no processes beside child groups, so a sibling of ours is tried too.
            own = _ROOT / path.lstrip("/")
            found += [(own, "memory.max"), (own.parent, "memory.max")]
        elif "memory" in controllers.split(","):
            found += [
                (_ROOT / "memory" / path.lstrip("/"), "memory.limit_in_bytes"),
                (_ROOT / "memory", "memory.limit_in_bytes"),
            ]
    return [(base, file) for base, file in found if base.is_dir() and base.is_relative_to(_ROOT)]
