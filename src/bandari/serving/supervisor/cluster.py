"""What every part of the supervisor shares: the cluster's name, folder and store, and the marks of its processes."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.store import Record, Store


@dataclass(slots=True)
class Cluster:
    """`changed` is called after every transition: tables and status are then made anew."""

    name: str
    folder: Path
    store: Store
    changed: Callable[[], None] = lambda: None
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def token(self) -> str:
        """A name for one start that no other start has."""
        return f"{os.getpid()}.{procfs_start()}.{next(self._numbers)}"

    def marks(self, record: Record) -> dict[str, str]:
        """The environment by which a process is known as ours."""
        marks = {
            procfs.STATE_MARK: str(self.folder),
            procfs.PART_MARK: record.name,
            procfs.SPAWN_MARK: record.spawn,
            procfs.GENERATION_MARK: record.generation,
            procfs.GROUP_MARK: record.group,
            procfs.PORT_MARK: str(record.port),
            procfs.OWNER_MARK: record.owner,
            procfs.FACTS_MARK: json.dumps(dict(record.facts)) if record.facts else "",
        }
        return {name: value for name, value in marks.items() if value}

    @property
    def scratch(self) -> Path:
        """Fresh folders of replicas."""
        return self.folder / "scratch"


def procfs_start() -> int:
    """Start time of this process: with the pid unique since boot."""
    own = procfs.stat(os.getpid())
    return own.start if own else 0
