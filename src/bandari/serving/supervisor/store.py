"""What must survive the supervisor: resources as applied, processes as started, ports as chosen.

One JSON file of mode 0600, replaced as a whole (written aside, synced, renamed) before anything is acknowledged. A
process is recorded *before* it is started, with a token that it carries in its environment: a supervisor that dies
between the two finds the process by the token, so nothing is started twice.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from bandari.serving.protocol import STATE_FILE, Stored
from bandari.serving.supervisor.faults import fault

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """A process that is to run. `pid` 0: recorded, and perhaps started. `group` is empty for the gateway."""

    name: str
    spawn: str
    """Token of this start, also in its environment."""
    group: str = ""
    generation: str = ""
    pid: int = 0
    start: int = 0
    """Start time in clock ticks since boot: with the pid the identity of a process."""
    port: int = 0
    ready: bool = False
    restarts: int = 0
    failures: int = 0
    draining: bool = False
    unclaimed: bool = False
    """Found by its mark after the state was lost; it serves on until its group is applied again."""
    owner: str = ""
    """The Ray cluster that it belongs to; empty for replicas and the gateway."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What its owner has to know of it; also in its mark, so that it is known when the state is lost."""


@dataclass(slots=True)
class State:
    """All of the file. Changed in place, then written by `Store.write`."""

    cluster: str
    resources: dict[str, Stored] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """Replicas wanted by the autoscaler, by group."""
    ray: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What was chosen for each Ray cluster, once: addresses, ports, namespace."""
    ended: dict[str, str] = field(default_factory=dict)
    """Ray clusters that came to a limit of their own, and to which."""
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class _File:
    """The shape of the file; the local driver reads `resources` of it when nobody may be asked."""

    cluster: str
    version: int = 1
    boot: str = ""
    """Of which run of the machine the pids are."""
    resources: tuple[Stored, ...] = ()
    records: tuple[Record, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    ray: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    stopping: bool = False


class Store:
    """The state file of one cluster."""

    def __init__(self, folder: Path, cluster: str) -> None:
        self.path = folder / STATE_FILE
        self.lost = False
        """Whether a state file was there and could not be read, or was removed beside living processes."""
        self.missing = not self.path.exists()
        self.state = self._read(cluster)

    def _read(self, cluster: str) -> State:
        try:
            return _state(msgspec.json.decode(self.path.read_bytes(), type=_File))
        except FileNotFoundError:
            return State(cluster)
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
            aside = self.path.with_name(f"{STATE_FILE}.corrupt-{int(time.time())}")
            self.path.replace(aside)
            self.lost = True
            _log.error(
                "cannot read the state: %s; kept aside as %s; running processes are found by their mark, "
                "the next 'bandari up' brings the rest back",
                error,
                aside.name,
            )
            return State(cluster)

    def write(self) -> None:
        """On disk when this returns."""
        fresh = self.path.with_suffix(".tmp")
        fault("store.before-write")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(_file(self.state)))
            file.flush()
            os.fsync(file.fileno())
        fault("store.before-rename")
        fresh.replace(self.path)
        fault("store.after-rename")

    def put(self, record: Record) -> None:
        """Records a process and writes; nothing is written when nothing changed. OSError: nothing is recorded."""
        before = self.state.records.get(record.name)
        if before == record:
            return
        self.state.records[record.name] = record
        try:
            self.write()
        except OSError:
            if before is None:
                del self.state.records[record.name]
            else:
                self.state.records[record.name] = before
            raise

    def note(self, record: Record) -> None:
        """The same for what is of use but not needed: a full disk does not stop supervision."""
        try:
            self.put(record)
        except OSError as error:
            _log.warning("%s: cannot write the state: %s", record.name, error)

    def forget(self, name: str) -> None:
        """Removes a record; what a full disk keeps of it is found to be gone by the next supervisor."""
        if self.state.records.pop(name, None):
            self.try_write()

    def try_write(self) -> None:
        """Writes if that can be done; for what a next supervisor can do without."""
        try:
            self.write()
        except OSError as error:
            _log.warning("cannot write the state: %s", error)

    def remove(self) -> None:
        """Deletes the file: the cluster is gone."""
        self.path.unlink(missing_ok=True)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _state(file: _File) -> State:
    same = file.boot == _boot()
    return State(
        cluster=file.cluster,
        resources={stored.address: stored for stored in file.resources},
        records={record.name: record if same else replace(record, pid=0) for record in file.records},
        counts=file.counts,
        ray=file.ray,
        ended=file.ended,
        stopping=file.stopping,
    )


def _file(state: State) -> _File:
    return _File(
        cluster=state.cluster,
        boot=_boot(),
        resources=tuple(state.resources.values()),
        records=tuple(state.records.values()),
        counts=state.counts,
        ray=state.ray,
        ended=state.ended,
        stopping=state.stopping,
    )
