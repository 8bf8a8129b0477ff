"""One supervised process: feeds `lifecycle` with what happens to it and does the effects.

Whoever owns a child says how it is launched (`recipe`), feeds probe results, and is told of each change of state.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bandari.serving.lifecycle import ALIVE, LEAVING, Effect, Event, EventKind, Lifecycle, Policy, State, due, step
from bandari.serving.supervisor import ending, procfs
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.environment import CannotStart
from bandari.serving.supervisor.faults import fault
from bandari.serving.supervisor.logs import last_line, log_path, open_log
from bandari.serving.supervisor.store import Record

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a process. The marks are added to `environ`."""

    command: tuple[str, ...]
    environ: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()
    port: int = 0
    started: Callable[[int], None] | None = None
    """Called with the pid, such as to put it under a limit."""


Recipe = Callable[[Record], Launch]
"""Makes the launch of a record with a fresh token; may set its port (`Launch.port`), raises CannotStart."""


class Child:
    """A process by name, alive or not. `log` is the name of its log, `group` and `generation` are only recorded.
    `alone`: SIGTERM goes to the process alone, which ends those below it in its own order.
    """

    def __init__(
        self, cluster: Cluster, record: Record, recipe: Recipe, *, policy: Policy, log: str = "", alone: bool = False
    ) -> None:
        self.cluster = cluster
        self.record = record
        self.recipe = recipe
        self.policy = policy
        self.alone = alone
        self.life = Lifecycle(failures=record.failures, restarts=record.restarts)
        self.since = time.time()
        self.log = log_path(cluster.folder, log or record.name)
        self.root: procfs.Stat | None = None
        self.on_change: Callable[[State, State], None] = lambda _old, _new: None
        self._log_offset = 0
        self._popen: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._timer: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def state(self) -> State:
        return self.life.state

    @property
    def pid(self) -> int:
        return self.root.pid if self.root else 0

    def feed(self, kind: EventKind, detail: str = "") -> None:
        """Tells what happened; effects are done before this returns."""
        before = self.life
        now = asyncio.get_running_loop().time()
        self.life, effects = step(before, Event(kind, detail), now, self.policy)
        if self.life is before:
            return
        self._note(before)
        self._arm()
        for effect in effects:
            _EFFECTS[effect](self)
        if before.state is not self.state or self.life.reason != before.reason:
            self.on_change(before.state, self.state)
            self.cluster.changed()

    def _note(self, before: Lifecycle) -> None:
        if before.state is not self.state:
            self.since = time.time()
        if before.state is not self.state or before.reason != self.life.reason:
            _log.info("%s: %s -> %s: %s", self.name, before.state, self.state, self.life.reason)
        if self.state is State.STOPPED:
            self.cluster.store.forget(self.name)
            shutil.rmtree(self.cluster.scratch / self.name, ignore_errors=True)
            return
        self.record = replace(
            self.record,
            ready=self.state in {State.READY, State.UNREADY},
            draining=self.state in {State.DRAINING, State.STOPPING},
            restarts=self.life.restarts,
            failures=self.life.failures,
        )
        if self.name in self.cluster.store.state.records:
            self.cluster.store.note(self.record)

    def _arm(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self.life.deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(self.life.deadline, self._due)

    def _due(self) -> None:
        # The loop may call a hair early by its clock's resolution.
        if due(self.life, asyncio.get_running_loop().time() + 0.001):
            self.feed(EventKind.TIMEOUT)
        else:
            self._arm()

    # --- effects

    def _spawn(self) -> None:
        self.record = replace(self.record, spawn=self.cluster.token(), pid=0, start=0, ready=False)
        what = self.name
        try:
            launch = self.recipe(self.record)
            what = launch.command[0]
            self.record = replace(self.record, port=launch.port or self.record.port)
            self._launch(launch)
        except CannotStart as error:
            asyncio.get_running_loop().call_soon(self.feed, EventKind.START_FAILED, str(error))
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the command or in a variable
            words = os.strerror(error.errno or 0).lower() if isinstance(error, OSError) else str(error)
            reason = f'cannot run "{what}": {words}'
            asyncio.get_running_loop().call_soon(self.feed, EventKind.START_FAILED, reason)

    def _launch(self, launch: Launch) -> None:
        store = self.cluster.store
        fault("spawn.before-intent")
        try:
            store.put(self.record)
        except OSError as error:
            raise CannotStart(f"cannot write the state: {os.strerror(error.errno or 0).lower()}") from error
        fault("spawn.after-intent")
        output = open_log(self.log)
        try:
            self._log_offset = os.fstat(output).st_size
            popen = subprocess.Popen(
                launch.command,
                env={**launch.environ, **self.cluster.marks(self.record)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=launch.pass_fds,
                start_new_session=True,
            )
        finally:
            os.close(output)
        fault("spawn.after-start")
        if launch.started:
            launch.started(popen.pid)
        self._popen = popen
        self._watch(popen.pid)
        fault("spawn.after-record")

    def _watch(self, pid: int) -> None:
        self.root = procfs.stat(pid)
        self._pidfd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._exited)
        self.record = replace(self.record, pid=pid, start=self.root.start if self.root else 0)
        self.cluster.store.note(self.record)

    def adopt(self, root: procfs.Stat) -> None:
        """Takes over a running process that an earlier supervisor started."""
        if self._log_offset == 0 and self.log.exists():
            self._log_offset = self.log.stat().st_size
        self._watch(root.pid)
        if self.record.draining:
            self.feed(EventKind.ADOPT_READY)
            self.feed(EventKind.DRAIN)
        else:
            self.feed(EventKind.ADOPT_READY if self.record.ready else EventKind.ADOPT)

    def _terminate(self) -> None:
        if self.root and self.alone:
            ending.send(self.root, signal.SIGTERM)
            ending.send(self.root, signal.SIGCONT)
        elif self.root:
            ending.terminate(self.root)

    def _kill(self) -> None:
        ending.kill(self.cluster.folder, self.name, self.root)

    def _exited(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        told, detail = _how_it_ended(self._popen)
        self._popen = None
        # What it leaves behind ends with it, as in a container.
        ending.kill_marked(self.cluster.folder, self.name, self.record.spawn)
        if self.root:
            ending.kill_session(self.root.pid, self.root.start)
        self.root = None
        fault("exit.before-forget")
        if told and self.state not in LEAVING and (line := last_line(self.log, self._log_offset)):
            detail = f"{detail}; its last log line: {line}"
        self.feed(EventKind.EXITED, detail)

    @property
    def alive(self) -> bool:
        return self.state in ALIVE and self.root is not None


def _how_it_ended(popen: subprocess.Popen[bytes] | None) -> tuple[bool, str]:
    """Whether its last words tell why it ended, and how it did in words."""
    if popen is None:
        return True, "how is not known, as it was adopted"
    status = popen.wait()
    if status >= 0:
        return True, f"exit status {status}"
    number = -status
    name = signal.Signals(number).name if number in {s.value for s in signal.Signals} else f"signal {number}"
    return number not in {signal.SIGKILL, signal.SIGTERM}, f"killed by {name}"


_EFFECTS: Mapping[Effect, Callable[[Child], None]] = {
    Effect.SPAWN: Child._spawn,  # noqa: SLF001 - its own table
    Effect.TERMINATE: Child._terminate,  # noqa: SLF001
    Effect.KILL: Child._kill,  # noqa: SLF001
}


def scratch_of(cluster: Cluster, name: str) -> Path:
    """The fresh folders of one replica."""
    return cluster.scratch / name
