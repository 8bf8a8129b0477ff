"""What /proc knows: who a process is, whether it is ours, how much it uses. Linux only.

A process is ours when it runs as our user and was started with our mark in its environment; nothing else is touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATE_MARK = "BANDARI_CLUSTER_STATE"
PART_MARK = "BANDARI_PART"
SPAWN_MARK = "BANDARI_SPAWN"
GENERATION_MARK = "BANDARI_GENERATION"
GROUP_MARK = "BANDARI_GROUP"
PORT_MARK = "BANDARI_PORT"
OWNER_MARK = "BANDARI_OWNER"
FACTS_MARK = "BANDARI_FACTS"
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that are used here; `start` is in clock ticks since boot."""

    pid: int
    state: str
    parent: int
    process_group: int
    session: int
    cpu_ticks: int
    start: int
    resident: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A process that carries the mark of this cluster."""

    stat: Stat
    part: str
    spawn: str = ""
    group: str = ""
    generation: str = ""
    port: int = 0
    owner: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        """Whether it is what the supervisor started itself, not a descendant."""
        return self.stat.session == self.stat.pid


def stat(pid: int) -> Stat | None:
    """None when there is no such process, or only a zombie."""
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rsplit(b")", 1)[1].split()
    except OSError:
        return None
    if fields[0] in {b"Z", b"X"}:
        return None
    return Stat(
        pid=pid,
        state=fields[0].decode(),
        parent=int(fields[1]),
        process_group=int(fields[2]),
        session=int(fields[3]),
        cpu_ticks=sum(map(int, fields[11:15])),
        start=int(fields[19]),
        resident=int(fields[21]) * _PAGE,
    )


def processes() -> Iterator[Stat]:
    """All processes of this user that are no zombies."""
    user = os.geteuid()
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            try:
                ours = entry.stat().st_uid == user
            except OSError:
                continue
            if ours and (found := stat(int(entry.name))):
                yield found


def environment(pid: int) -> dict[str, str]:
    """The environment that the process was started with; empty where it cannot be read."""
    try:
        raw = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (item.partition(b"=") for item in raw.split(b"\0") if item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def marked(state: Path, found: Iterable[Stat] | None = None) -> tuple[Marked, ...]:
    """Every process with this state folder's mark, but guard and supervisor."""
    ours = (_read_mark(process, str(state)) for process in (processes() if found is None else found))
    return tuple(mark for mark in ours if mark and mark.part not in {"supervisor", "guard"})


def _read_mark(process: Stat, state: str) -> Marked | None:
    values = environment(process.pid)
    if values.get(STATE_MARK) != state or PART_MARK not in values:
        return None
    port = values.get(PORT_MARK, "")
    return Marked(
        stat=process,
        part=values[PART_MARK],
        spawn=values.get(SPAWN_MARK, ""),
        group=values.get(GROUP_MARK, ""),
        generation=values.get(GENERATION_MARK, ""),
        port=int(port) if port.isdigit() else 0,
        owner=values.get(OWNER_MARK, ""),
        facts=_facts(values.get(FACTS_MARK, "")),
    )


def _facts(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def descendants(root: int, found: Iterable[Stat]) -> tuple[Stat, ...]:
    """All that descend from `root`, or are in its session; `root` itself is not among them."""
    everyone = tuple(found)
    family = {root}
    while True:
        more = {p.pid for p in everyone if p.parent in family or p.session == root} - family
        if not more:
            return tuple(p for p in everyone if p.pid in family and p.pid != root)
        family |= more


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu` is in seconds since the start, `memory` the resident bytes."""

    cpu: float = 0.0
    memory: int = 0


def usage(pid: int) -> Usage:
    """What a process and its living children use; read by the kernel's list of children, so without a walk of /proc."""
    own = stat(pid)
    if own is None:
        return Usage()
    below = [usage(child) for child in _children(pid)]
    return Usage(
        cpu=own.cpu_ticks / _TICK + sum(u.cpu for u in below), memory=own.resident + sum(u.memory for u in below)
    )


def _children(pid: int) -> list[int]:
    try:
        lists = [path.read_text() for path in (_PROC / str(pid) / "task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for text in lists for child in text.split()]
