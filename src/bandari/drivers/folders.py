"""Where bandari keeps things on this machine: the XDG base directories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bandari.serving.protocol import STATE_FILE

PID_FILE = "supervisor.pid"


@dataclass(frozen=True, slots=True)
class Folders:
    """`state` holds a folder for each cluster (state, sockets, logs, keys); `models` is shared by all of them."""

    state: Path
    models: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Folders:
        """From XDG_STATE_HOME, XDG_DATA_HOME and HOME (XDG Base Directory Specification 0.8)."""
        home = Path(environment.get("HOME") or "~").expanduser()
        state = Path(environment.get("XDG_STATE_HOME") or home / ".local/state")
        data = Path(environment.get("XDG_DATA_HOME") or home / ".local/share")
        # Resolved, since processes are known by the folder that stands in their environment.
        return cls((state / "bandari" / "clusters").resolve(), (data / "bandari" / "models").resolve())

    @property
    def environments(self) -> Path:
        """Python environments that stand for images, shared by all clusters as models are."""
        return self.models.parent / "environments"

    def cluster(self, name: str) -> Path:
        """The folder of a cluster, there or not."""
        return self.state / name

    def clusters(self) -> tuple[str, ...]:
        """Names of the clusters that have a state, running or not."""
        found = (path.parent.name for name in (STATE_FILE, PID_FILE) for path in self.state.glob(f"*/{name}"))
        return tuple(sorted(set(found)))


def size(path: Path) -> int:
    """Bytes of a file, or of all files under a folder; 0 where there is nothing."""
    if path.is_symlink() or not path.exists():
        return 0
    return path.stat().st_size if path.is_file() else sum(size(child) for child in path.iterdir())
