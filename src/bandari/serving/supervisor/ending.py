"""Ends whole process trees, and only ours: the session of a process, its descendants, and whoever carries its mark.

A grandchild that forked twice or made its own session is found by the mark. Signals go through pidfds, after the
process was looked at once more, so a reused pid is never hit.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from bandari.serving.supervisor.procfs import Stat, descendants, marked, processes, stat

_ROUNDS = 20
"""A tree that forks while it is being killed is looked at again at most this often."""


def send(victim: Stat, number: signal.Signals) -> bool:
    """Signals exactly this process; False when it is gone."""
    try:
        handle = os.pidfd_open(victim.pid)
    except OSError:
        return False
    try:
        now = stat(victim.pid)
        if now is None or now.start != victim.start:
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def tree(state: Path, part: str, root: Stat | None) -> tuple[Stat, ...]:
    """All processes of the part: by mark, and below or in the session of `root` while that one lives."""
    everyone = tuple(processes())
    found = {mark.stat.pid: mark.stat for mark in marked(state, everyone) if mark.part == part}
    if root and (now := stat(root.pid)) and now.start == root.start:
        found[root.pid] = root
        found |= {p.pid: p for p in descendants(root.pid, everyone)}
    return tuple(found.values())


def terminate(root: Stat) -> None:
    """SIGTERM to the process group of a process that was started in its own session, woken up if it was stopped."""
    now = stat(root.pid)
    if now and now.start == root.start and now.process_group == now.pid:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(root.pid, signal.SIGTERM)
            os.killpg(root.pid, signal.SIGCONT)


def kill(state: Path, part: str, root: Stat | None) -> None:
    """SIGKILL to all of the part, until nobody is left of it."""
    _kill_all(lambda: tree(state, part, root))


def kill_marked(state: Path, part: str, spawn: str) -> None:
    """SIGKILL to those of a part that carry the token of one start, so that a later start is not hit."""
    _kill_all(lambda: [mark.stat for mark in marked(state) if mark.part == part and mark.spawn == spawn])


def kill_session(leader: int, start: int) -> None:
    """SIGKILL to what is left of the session of a process that began at `start` (clock ticks) and has ended. Some
    programs write their title over their environment, and so over our mark; the kernel gives the number of a session
    to nobody else while somebody is in it.
    """

    def left() -> list[Stat]:
        now = stat(leader)
        if now and now.start != start:
            return []
        return [p for p in processes() if p.session == leader and p.start >= start]

    _kill_all(left)


def _kill_all(find: Callable[[], Iterable[Stat]]) -> None:
    seen: set[tuple[int, int]] = set()
    for _ in range(_ROUNDS):
        fresh = [victim for victim in find() if (victim.pid, victim.start) not in seen]
        if not fresh:
            return
        for victim in fresh:
            send(victim, signal.SIGKILL)
            seen.add((victim.pid, victim.start))
