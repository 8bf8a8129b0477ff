"""A cluster of one tiny group on this machine, brought up, asked and taken down by the commands that a user has."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bandari.drivers.control import Control
from bandari.drivers.folders import Folders
from bandari.drivers.local import LocalDriver
from bandari.errors import DriverError
from bandari.serving.protocol import Op
from benchmarks.driving import PLAIN, stream_body
from benchmarks.machine import ROOT
from benchmarks.processes import HOST, CannotMeasure, free_port

NAME = "benchmark"
_FILE = """\
version: "1.3"
local:
  cluster: {{name: {name}}}
  port: {port}
  modelGroups:
    - name: tiny
      minInstances: 1
      maxInstances: 1
      runtime: {{image: "ghcr.io/ggml-org/llama.cpp:server-b6823"}}
      model: {{source: "builtin:tiny"}}
"""
QUESTION = json.dumps(json.loads(PLAIN) | {"max_tokens": 4})


@dataclass(slots=True)
class Cluster:
    """One file in folders of its own; `up` and `down` may be called again and again."""

    folder: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.file.write_text(_FILE.format(name=NAME, port=self.port))

    @property
    def file(self) -> Path:
        return self.folder / "cluster.yaml"

    @property
    def environment(self) -> Mapping[str, str]:
        """Folders of its own instead of the user's."""
        own = {"HOME": ".", "XDG_STATE_HOME": "state", "XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "config"}
        return {**os.environ, **{name: str(self.folder / path) for name, path in own.items()}}

    @property
    def driver(self) -> LocalDriver:
        return LocalDriver(NAME, Folders.of(self.environment), lambda _body, _told: {})

    def command(self, *words: str) -> None:
        """`bandari WORDS`; CannotMeasure with its last words when it fails."""
        command = (sys.executable, "-m", "bandari.cli", *words)
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr + done.stdout).strip().splitlines() or ["nothing"]
            raise CannotMeasure(f"`bandari {words[0]}` exited with {done.returncode}: {said[-1]}")

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Serving inside; nothing of it is left afterwards, whatever happened."""
        try:
            self.command("up", "--yes", str(self.file))
            yield
            self.command("down", "--yes", "--cluster", NAME)
        finally:
            self.end()

    def end(self) -> None:
        """Kills what still carries this cluster's mark, guard first so that it revives nothing."""
        order = {"guard": 0, "supervisor": 1}
        for pid, _ in sorted(self.driver.processes(), key=lambda found: order.get(found[1], 2)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def status(self) -> Mapping[str, Any]:
        """What the supervisor sees; empty while it does not answer."""
        try:
            seen: Mapping[str, Any] = Control(self.driver.folder, timeout=1.0).call(Op.OBSERVE)["status"]
        except (DriverError, KeyError):
            return {}
        return seen

    def pids(self) -> Mapping[str, int]:
        """Of guard, supervisor, gateway and replica."""
        seen = self.status()
        parts = {part["kind"]: part["detail"][0]["pid"] for part in seen["parts"] if part.get("detail")}
        return {
            "guard": seen["guard_pid"],
            "supervisor": seen["supervisor_pid"],
            "gateway": parts["gateway"],
            "replica": parts["group"],
        }

    def first_token(self) -> float:
        """When the first event of a streamed chat with a word in it came (monotonic)."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(
                "POST", "/v1/chat/completions", stream_body(8, 0.0), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            while line := answer.readline():
                if line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
                    return time.monotonic()
        raise CannotMeasure(f"no token came: status {answer.status}")

    def answers(self) -> bool:
        """Whether a short chat over a fresh connection succeeds."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", QUESTION, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status == 200 and bool(answer.read())
        return False
