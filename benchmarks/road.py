"""Section: the whole road, from `bandari up` to a token, and back to serving after kill -9."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from benchmarks.cluster import Cluster
from benchmarks.figures import Figure, Section, Spread
from benchmarks.processes import alive, pss_mib, wait_until

ROUNDS = 5
CLIENTS = 4
UP, KILL = 2.0, 1.0
"""Goals, in seconds."""
HOW = f"""\
A file with one group, one replica of the built-in tiny model on llama.cpp, in fresh folders. *To the first
token*: from the start of `bandari up --yes` to the first word of a streamed chat through the gateway, asked
when the command has ended; the install and the model are there (the very first time the model is made on the
way). *kill -9*: while {CLIENTS} clients ask short chats over fresh connections without a pause; from the signal
to the end of the first answer to a question that was asked after it, and for the supervisor to its first answer
that everything is ready. {ROUNDS} rounds, each from a fresh `up`, so that every kill is the first of its
process. *Memory* is the proportional set size after the first answer."""
PARTS = ("replica", "gateway", "supervisor")


@dataclass(frozen=True, slots=True)
class Probe:
    """One question of a client (monotonic seconds)."""

    began: float
    ended: float
    answered: bool


class Clients:
    """Ask until they are told to stop."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.probes: list[Probe] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            answered = self.cluster.answers()
            self.probes.append(Probe(began, time.monotonic(), answered))
            if not answered:
                time.sleep(0.005)

    def served_after(self, moment: float) -> float | None:
        """When the first question asked after it was answered."""
        return min((p.ended for p in tuple(self.probes) if p.answered and p.began > moment), default=None)

    def failed_after(self, moment: float) -> int:
        """Questions that ended after it without an answer."""
        return sum(not p.answered and p.ended > moment for p in tuple(self.probes))


@dataclass(slots=True)
class Seen:
    """All rounds."""

    cold: list[float] = field(default_factory=list)
    up: list[float] = field(default_factory=list)
    token: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    killed: dict[str, list[float]] = field(default_factory=dict)
    failed: dict[str, list[int]] = field(default_factory=dict)
    memory: dict[str, list[float]] = field(default_factory=dict)


def measure(folder: Path) -> Section:
    """All rounds, one after the other."""
    cluster = Cluster(folder)
    seen = Seen()
    _round(cluster, seen, cold=True)
    for _ in range(ROUNDS):
        _round(cluster, seen, cold=False)
    return Section("From up to the first token, and after kill -9", HOW, tuple(_figures(seen)))


def _round(cluster: Cluster, seen: Seen, *, cold: bool) -> None:
    began = time.monotonic()
    with cluster.up():
        up = time.monotonic() - began
        token = cluster.first_token() - began
        if cold:
            seen.cold.append(token)
        else:
            seen.up.append(up)
            seen.token.append(token)
            _inside(cluster, seen)
        ending = time.monotonic()
    seen.down.append(time.monotonic() - ending)


def _inside(cluster: Cluster, seen: Seen) -> None:
    for name, pid in cluster.pids().items():
        seen.memory.setdefault(name, []).append(pss_mib(pid))
    for part in PARTS:
        with Clients(cluster) as clients:
            _kill(cluster, clients, part, seen)
        wait_until(lambda: bool(cluster.status().get("ready")), "the cluster was not ready again", seconds=30)


def _kill(cluster: Cluster, clients: Clients, part: str, seen: Seen) -> None:
    wait_until(lambda: any(p.answered for p in tuple(clients.probes)), "no chat was answered", seconds=30)
    pid = cluster.pids()[part]
    moment = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "the killed process did not end", step=0.001)
    back = _supervisor_back(cluster, pid) if part == "supervisor" else _served(clients, moment)
    seen.killed.setdefault(part, []).append(back - moment)
    seen.failed.setdefault(part, []).append(clients.failed_after(moment))


def _served(clients: Clients, moment: float) -> float:
    wait_until(lambda: clients.served_after(moment) is not None, "no chat was answered after the kill", seconds=30)
    served = clients.served_after(moment)
    assert served
    return served


def _supervisor_back(cluster: Cluster, killed: int) -> float:
    def ready() -> bool:
        status = cluster.status()
        return bool(status.get("ready")) and status.get("supervisor_pid") != killed

    wait_until(ready, "the supervisor did not come back", seconds=30)
    return time.monotonic()


def _figures(seen: Seen) -> Iterator[Figure]:
    yield Figure("`bandari up` to the first token, warm", "s", Spread.of(seen.token), UP)
    yield Figure("of it: `bandari up` itself", "s", Spread.of(seen.up))
    yield Figure("the same, the model made on the way", "s", Spread.of(seen.cold))
    yield Figure("`bandari down`", "s", Spread.of(seen.down))
    for part, times in seen.killed.items():
        yield Figure(f"kill -9 of the {part}, to serving", "s", Spread.of(times), KILL)
    for part, counts in seen.failed.items():
        yield Figure(f"kill -9 of the {part}, failed chats", "", Spread.of(counts), _MOST_FAILED.get(part))
    for part, sizes in seen.memory.items():
        yield Figure(f"memory of the {part}", "MiB", Spread.of(sizes))


_MOST_FAILED: Mapping[str, float] = {"replica": CLIENTS, "gateway": CLIENTS, "supervisor": 0}
"""Only what was under way in the killed process may fail."""
