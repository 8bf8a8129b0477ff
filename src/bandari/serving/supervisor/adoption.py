"""What a new supervisor does with the processes of an earlier one: adopts those it knows, ends those it does not.

A process is known by the token of its start, which is in its environment and in the state file, or by pid and start
time. After the state was lost, whoever carries the mark of a part is taken in until its group is applied again.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from bandari.serving.guard import GUARD_PID_FILE, alive
from bandari.serving.protocol import BODIES, GatewayBody, ReplicaSetBody
from bandari.serving.supervisor import ending, procfs
from bandari.serving.supervisor.procfs import Marked
from bandari.serving.supervisor.store import Record

if TYPE_CHECKING:
    from bandari.serving.supervisor.core import Supervisor

_log = logging.getLogger(__name__)


def adopt(supervisor: Supervisor) -> None:
    """Brings records, resources and processes together; starts nothing that runs already."""
    _restore(supervisor)
    store = supervisor.cluster.store
    marks = procfs.marked(supervisor.folder)
    if store.missing and marks:
        # The state is written before every start: living processes without one mean that somebody removed it.
        _log.error("the state is gone; running processes are found by their mark")
        store.lost = True
    if store.lost:
        _take_in(supervisor, marks)
    leaders = _leaders(marks)
    for record in list(store.state.records.values()):
        root = _by_pid(record) or leaders.get(record.spawn)
        if root is None and record.spawn:
            ending.kill_marked(supervisor.folder, record.name, record.spawn)
            if record.pid:
                ending.kill_session(record.pid, record.start)
        if record.owner:
            supervisor.ray.adopt(record, root)
        elif record.group:
            supervisor._set(record.group).adopt(record, root)  # noqa: SLF001 - the other half of this class
        else:
            supervisor.gateway.adopt(record, root)
    if supervisor.gateway.body and not supervisor.state.stopping:
        supervisor.gateway.run()
    sweep(supervisor)


def _restore(supervisor: Supervisor) -> None:
    for address, stored in list(supervisor.state.resources.items()):
        kind, _, name = address.partition(".")
        try:
            body: object = msgspec.convert(stored.body, BODIES[kind])
        except (msgspec.ValidationError, ValueError, KeyError) as error:
            _log.warning(
                "%s: cannot understand what was applied: %s; the next 'bandari up' applies it anew", address, error
            )
            _disown(supervisor, address)
            continue
        if isinstance(body, ReplicaSetBody):
            supervisor._set(name).apply(body)  # noqa: SLF001 - the other half of this class
        elif isinstance(body, GatewayBody):
            supervisor.gateway.restore(body, stored.outputs)
        elif kind in supervisor.ray.kinds:
            supervisor.ray.apply(kind, name, body, stored.outputs)


def _disown(supervisor: Supervisor, address: str) -> None:
    """Forgets a resource, such as one of another version of bandari, and lets its processes serve on."""
    kind, _, name = address.partition(".")
    del supervisor.state.resources[address]
    cluster, _, nodes = name.partition("/")
    whose = {"group": (name, ""), "gateway": ("", ""), "ray": (None, name), "raygroup": (nodes, cluster)}
    group, owner = whose.get(kind, (None, None))
    records = supervisor.state.records
    known = [r for r in records.values() if r.owner == owner and group in {r.group, None}]
    records |= {record.name: replace(record, unclaimed=True) for record in known}


def _leaders(marks: Iterable[Marked]) -> dict[str, procfs.Stat]:
    """What each start began with: the oldest, as a descendant may have made a session of its own."""
    youngest_first = sorted(
        (mark for mark in marks if mark.leads), key=lambda m: (m.stat.start, m.stat.pid), reverse=True
    )
    return {mark.spawn: mark.stat for mark in youngest_first}


def _by_pid(record: Record) -> procfs.Stat | None:
    found = procfs.stat(record.pid) if record.pid else None
    return found if found and found.start == record.start else None


def _take_in(supervisor: Supervisor, marks: tuple[Marked, ...]) -> None:
    roots = {root.pid for root in _leaders(marks).values()}
    for mark in marks:
        if mark.stat.pid not in roots:
            continue
        record = Record(
            mark.part, mark.spawn, group=mark.group, generation=mark.generation, pid=mark.stat.pid,
            start=mark.stat.start, port=mark.port, ready=True, unclaimed=True, owner=mark.owner, facts=mark.facts,
        )  # fmt: skip
        supervisor.state.records[mark.part] = record
        _log.warning("%s: found by its mark, pid %s", mark.part, mark.stat.pid)
    supervisor.cluster.store.write()


def sweep(supervisor: Supervisor) -> None:
    """Ends what carries our mark and belongs to no start that is recorded.

    A process that gives itself a title may write over the end of its environment, as Ray's agents do: without a token
    it belongs to the start that it descends from.
    """
    records = tuple(supervisor.state.records.values())
    known = {record.spawn for record in records}
    strangers = [mark for mark in procfs.marked(supervisor.folder) if mark.spawn not in known]
    everyone = tuple(procfs.processes()) if strangers else ()
    families = {found.pid for record in records if record.pid for found in procfs.descendants(record.pid, everyone)}
    for mark in strangers:
        if mark.spawn or mark.stat.pid not in families:
            _log.warning("%s: pid %s belongs to nothing that is to run; ends it", mark.part, mark.stat.pid)
            ending.send(mark.stat, signal.SIGKILL)


def end_orphans(supervisor: Supervisor) -> None:
    """Ends what was left to the guard without our mark: processes whose parents were ours and are gone. The guard is
    their subreaper, so whatever it has besides this supervisor was started below one of our processes.
    """
    guard = alive(supervisor.folder / GUARD_PID_FILE)
    if guard is None:
        return
    everyone = tuple(procfs.processes())
    orphans = [process for process in everyone if process.parent == guard and process.pid != os.getpid()]
    for orphan in orphans:
        _log.warning("pid %s was left behind by a process of ours; ends it", orphan.pid)
        for victim in (orphan, *procfs.descendants(orphan.pid, everyone)):
            if victim.pid not in {os.getpid(), guard}:
                ending.send(victim, signal.SIGKILL)


def revive_guard(supervisor: Supervisor) -> None:
    """Starts a guard when ours was killed; it finds this supervisor by its pid file. Without a guard from the start,
    such as in a debugger, none is made.
    """
    if alive(supervisor.folder / GUARD_PID_FILE):
        supervisor.guarded = True
    elif supervisor.guarded:
        _log.warning("the guard is gone; starts another")
        words = [
            "-m",
            "bandari.serving.guard",
            "--state",
            str(supervisor.folder),
            "--cluster",
            supervisor.state.cluster,
        ]
        environ = {**os.environ, procfs.PART_MARK: "guard"}
        subprocess.Popen([sys.executable, *words], env=environ, stdin=subprocess.DEVNULL, start_new_session=True)
