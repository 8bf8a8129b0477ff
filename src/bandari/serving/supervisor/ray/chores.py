"""What takes time and goes on beside the loop: commands that are run once, folders that are removed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from bandari.serving.supervisor.environment import inherited
from bandari.serving.supervisor.ray import places

_log = logging.getLogger(__name__)
_PATIENCE = 60.0


class Chores:
    """Of one Ray cluster; `changed` is called after each."""

    def __init__(self, name: str, changed: Callable[[], None]) -> None:
        self.name = name
        self.changed = changed
        self._tasks: set[asyncio.Task[Any]] = set()
        self._commands: set[asyncio.Task[Any]] = set()

    @property
    def pending(self) -> bool:
        """Whether something is still being done."""
        return bool(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Does it as a task of its own; its error goes to the log."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def command(self, words: Sequence[str], complaint: str) -> None:
        """Runs a command that asks the head for something; one that fails is a warning."""
        self._commands.add(self.spawn(_run(words, complaint)))

    def drop(self) -> None:
        """Ends the commands: the head that they ask is going."""
        for task in self._commands:
            task.cancel()

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._commands.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("%s: %s: %s", self.name, type(error).__name__, error)
        self.changed()

    def clean(self, folder: Path) -> None:
        """Removes a temp folder, which may hold all that a node has spilled."""
        self.spawn(asyncio.to_thread(places.remove, folder))

    async def aclose(self) -> None:
        """Ends all."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _run(words: Sequence[str], complaint: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *words,
        env=inherited(os.environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            output, _ = await process.communicate()
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        last = output.decode(errors="replace").strip().splitlines()[-1:]
        _log.warning("%s: %s", complaint, " ".join(last) or f"exit status {process.returncode}")
