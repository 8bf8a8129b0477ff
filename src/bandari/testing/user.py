"""The command line as a user has it: `bandari` as a process of its own, on fresh folders, with what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed; fails the test when stdout holds anything else."""
        return json.loads(self.out)


class User:
    """Somebody at a shell: a home of their own, a folder to work in."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.environment: dict[str, str] = {
            **os.environ,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home / "state"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "NO_COLOR": "1",
        }

    def bandari(self, *words: str, extra: Mapping[str, str] | None = None, timeout: float = 120) -> Ran:
        """Runs one command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "bandari.cli", *words],
            cwd=self.folder,
            env={**self.environment, **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def write(self, text: str, name: str = "cluster.yaml") -> Path:
        """Writes a file where the user works."""
        path = self.folder / name
        path.write_text(text)
        return path

    def marked(self) -> list[str]:
        """Command lines of every live process that belongs to one of this user's clusters, read from /proc."""
        mark = f"BANDARI_CLUSTER_STATE={self.home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
            except OSError:
                continue
        return [line for line in found if line]
