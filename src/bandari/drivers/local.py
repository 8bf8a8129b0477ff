"""This machine as a target: speaks to the supervisor of a cluster, starts it, and proves that it left nothing."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandari.desired.secrets import is_credential
from bandari.drivers.control import Control
from bandari.drivers.folders import PID_FILE, Folders, size
from bandari.errors import Terminal, Unreachable
from bandari.planning.graph import Address
from bandari.planning.plan import Action, Change, Observed
from bandari.serving.protocol import KEYS_FILE, LOG_FOLDER, STATE_FILE, Op

Progress = Callable[[str, int, int], None]
"""(group, bytes so far, bytes in all) while a model is fetched."""

Fetch = Callable[[Mapping[str, Any], Callable[[int, int], None]], Mapping[str, Any]]
"""(body of a model, progress) -> its outputs; the pipeline hands in the hub's."""

NEEDED = ("msgspec", "psutil", "uvloop", "httptools", "httpx")
"""What supervisor and gateway import; the `local` extra brings it."""
STATE_MARK = "BANDARI_CLUSTER_STATE"
PART_MARK = "BANDARI_PART"


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that stays on purpose after `down`: logs, keys, models."""

    what: str
    path: Path
    bytes: int


class LocalDriver:
    """The resources of one cluster on this machine, kept by its supervisor."""

    name = "local"

    def __init__(
        self,
        cluster: str,
        folders: Folders,
        fetch: Fetch,
        progress: Progress | None = None,
        *,
        prepare: Fetch | None = None,
    ) -> None:
        self.cluster = cluster
        self.folders = folders
        self.folder = folders.cluster(cluster)
        self.control = Control(self.folder)
        self.made: Mapping[str, Fetch] = {"model": fetch, **({"rayenv": prepare} if prepare else {})}
        """Kind of resource -> what makes one here, in the command; all others are the supervisor's."""
        self.progress: Progress = progress or (lambda _group, _done, _total: None)

    # --- what exists ------------------------------------------------------------------------------------------

    def observe(self) -> Mapping[Address, Observed]:
        """Asks the supervisor; one that should be there and is not is started again first."""
        if not self.exists():
            return {}
        self.revive()
        return _observed(self.control.call(Op.OBSERVE)["resources"])

    def recorded(self) -> Mapping[Address, Observed]:
        """What the state file says, without asking anybody."""
        try:
            state = json.loads((self.folder / STATE_FILE).read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Terminal(f"cannot read {self.folder / STATE_FILE}: {error}") from error
        return _observed(state.get("resources", []))

    def exists(self) -> bool:
        """Whether the cluster has a state here, running or not."""
        return (self.folder / STATE_FILE).exists() or self._supervisor() is not None or self.control.answers()

    def status(self) -> Mapping[str, Any]:
        """The supervisor's view, in the shape of protocol.Status, with the stored resources beside it."""
        self.revive()
        return self.control.call(Op.OBSERVE)

    # --- changes ----------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Makes one change true; models and environments are made here, by the command, all else by the supervisor."""
        try:
            self._apply(change)
        except OSError as error:
            raise _unusable(error, str(change.address)) from error

    def _apply(self, change: Change) -> None:
        self.revive()
        address = str(change.address)
        if change.action is Action.DELETE or change.resource is None:
            self.control.call(Op.DELETE, address)
            return
        outputs: Mapping[str, Any] = {}
        if make := self.made.get(change.address.kind):
            name = change.address.name
            outputs = make(change.resource.body, lambda done, total: self.progress(name, done, total))
        self.control.call(Op.APPLY, address, body=change.resource.body, outputs=outputs)

    def revive(self, deadline: float = 20.0) -> None:
        """Starts guard and supervisor unless the supervisor answers; both outlive this command."""
        if self.control.answers():
            return
        if hanging := self._supervisor():
            fix = (
                f"kill -CONT {hanging} if it was stopped, or kill -9 {hanging}: a new one takes over, nothing restarts"
            )
            message = f"cannot reach the supervisor of {self.cluster!r}: process {hanging} runs and does not answer"
            raise Unreachable(message, fix=fix)
        if sys.platform != "linux":
            fix = "run it on a Linux machine; check, plan --offline and render work here"
            raise Terminal(f"cannot run a cluster on {sys.platform}: the local target needs Linux", fix=fix)
        if lost := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
            fix = "pip install 'bandari[local]'"
            raise Terminal(f"cannot run a cluster here: not installed: {', '.join(lost)}", fix=fix)
        logs = self.folder / LOG_FOLDER
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        with (logs / "supervisor.log").open("ab") as log, Path(os.devnull).open("rb") as nothing:
            stdio = [
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                *((os.POSIX_SPAWN_DUP2, log.fileno(), n) for n in (1, 2)),
            ]
            words = ["-m", "bandari.serving.guard", "--state", str(self.folder), "--cluster", self.cluster]
            # A session of its own: it outlives this command, and no program that imports us has to wait for it.
            os.posix_spawn(
                sys.executable, [sys.executable, *words], self._environment(), file_actions=stdio, setsid=True
            )
        until = time.monotonic() + deadline
        while not self.control.answers():
            if time.monotonic() > until:
                fix = f"read {logs / 'supervisor.log'}"
                raise Unreachable(f"cannot start the supervisor of {self.cluster!r}: no answer", fix=fix)
            time.sleep(0.02)

    def _supervisor(self) -> int | None:
        """The pid of a supervisor that runs, by its pid file (`pid starttime`)."""
        try:
            pid, started = (self.folder / PID_FILE).read_text().split()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            return None
        return int(pid) if fields[19] == started and fields[0] not in "ZX" else None

    def _environment(self) -> dict[str, str]:
        """Ours without credentials: replicas get what the file gives them, not what this shell happens to hold."""
        kept = {name: value for name, value in os.environ.items() if not is_credential(name, value)}
        return {**kept, STATE_MARK: str(self.folder), PART_MARK: "guard"}

    def refresh_keys(self) -> None:
        """Tells a running gateway that the keys changed."""
        if self.control.answers():
            self.control.call(Op.REFRESH)

    # --- the end ----------------------------------------------------------------------------------------------

    def stop(self, deadline: float = 90.0) -> None:
        """Ends everything and waits until no process of the cluster is left; Terminal names what will not go."""
        if self.exists():
            self.revive()
            self.control.call(Op.STOP)
        until = time.monotonic() + deadline
        while left := tuple(self.processes()):
            if time.monotonic() > until:
                names = ", ".join(f"{pid} ({name})" for pid, name in left)
                raise Terminal(f"cannot end every process of {self.cluster!r}: still there: {names}")
            time.sleep(0.05)
        for path in self.folder.iterdir() if self.folder.exists() else ():
            if path.name not in (LOG_FOLDER, KEYS_FILE):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def processes(self) -> Iterator[tuple[int, str]]:
        """Every live process that carries this cluster's mark, and its part's name: read from /proc."""
        mark = f"{STATE_MARK}={self.folder}".encode()
        for entry in Path("/proc").iterdir() if Path("/proc/self").exists() else ():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
                alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            except OSError:
                continue
            if mark in variables and alive:
                part = next(
                    (v[len(PART_MARK) + 1 :] for v in variables if v.startswith(f"{PART_MARK}=".encode())), b"?"
                )
                yield int(entry.name), part.decode(errors="replace")

    def leftovers(self) -> tuple[Leftover, ...]:
        """What stays on purpose, with its size."""
        named = (
            ("logs", self.folder / LOG_FOLDER),
            ("keys", self.folder / KEYS_FILE),
            ("models", self.folders.models),
            ("environments", self.folders.environments),
        )
        return tuple(Leftover(what, path, size(path)) for what, path in named if path.exists())

    def delete_data(self, models: tuple[Path, ...]) -> None:
        """Removes logs and keys of the cluster, and the given folders of models and environments."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in models:
            shutil.rmtree(path, ignore_errors=True)
            path.with_name(f".{path.name}.lock").unlink(missing_ok=True)
        for path in (*(path.parent for path in models), self.folders.models, self.folders.environments):
            with contextlib.suppress(OSError):  # another cluster's models are there
                path.rmdir()


def _unusable(error: OSError, address: str) -> Terminal:
    what = f"cannot write {str(error.filename)!r}" if error.filename else f"cannot change {address}"
    reason = (error.strerror or type(error).__name__).lower()
    fix = "make the folder writable, or name others with XDG_STATE_HOME and XDG_DATA_HOME"
    return Terminal(f"{what}: {reason}", address=address, fix=fix)


_FILES = frozenset({"model", "rayenv"})
"""Kinds whose resources are files that the command made."""


def _observed(stored: list[Mapping[str, Any]]) -> Mapping[Address, Observed]:
    """A model or environment whose files somebody removed does not exist any more, whatever the record says."""
    items = {Address.parse("local", s["address"]): Observed(s["body"], s.get("outputs", {})) for s in stored}
    return {a: item for a, item in items.items() if a.kind not in _FILES or _is_there(item.outputs)}


def _is_there(outputs: Mapping[str, Any]) -> bool:
    return Path(
        str(next((outputs[name] for name in ("file", "folder", "bin") if outputs.get(name)), "/nowhere"))
    ).exists()
