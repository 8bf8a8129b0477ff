"""Ray clusters for tests: `RaySite`, with a real supervisor, and a plain one for what only talks to a cluster: a head
and workers as processes, without a supervisor.

    with plain_ray(tmp_path, workers=1) as ray:
        httpx.get(f"{ray.dashboard}/api/version")

Its nodes are started with the supervisor's own command lines and carry its marks, so whatever is left of them is found
and ended; never by `ray stop`, which ends every Ray of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bandari.serving.protocol import plain
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.serving.ray.commands import (
    DASHBOARD_PORT,
    SERVE_PORT,
    HeadPorts,
    head_command,
    head_environ,
    node_environ,
    worker_command,
)
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.ports import free_port
from bandari.serving.supervisor.ray import places
from bandari.testing.processes import Site, until

SMALL = 300_000_000
"""Bytes of memory for nodes of tests."""
PATIENCE = 120.0
"""Seconds that a head may take on a machine that is busy with other things."""
BIN = str(Path(sys.executable).parent)


def waited(condition: Callable[[], Any], what: str, *, within: float = PATIENCE) -> Any:
    """The first true value of `condition`, asked again and again; AssertionError with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    last: Exception | None = None
    while True:
        try:
            if found := condition():
                return found
        except (OSError, ValueError, KeyError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}" + (f" (last: {last!r})" if last else ""))
        time.sleep(0.1)


def get_json(url: str, *, timeout: float = 10) -> Any:
    """The JSON at an address; OSError when it cannot be had."""
    with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - loopback only
        return json.load(answer)


def alive_nodes(dashboard: str) -> list[dict[str, Any]]:
    """The nodes that the head counts as alive, as Ray's state API tells them."""
    told = get_json(f"{dashboard}/api/v0/nodes?detail=1")
    return [node for node in told["data"]["result"]["result"] if node["state"] == "ALIVE"]


@dataclass
class PlainRay:
    """A running cluster; has what `supervisor.ray.part.Engine` has, so that parts can be tested on it."""

    name: str
    folder: Path
    head_address: str
    gcs: str
    dashboard: str = ""
    epoch: int = 1
    bin: str = BIN
    temp: Path = field(default_factory=Path)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def serve(self) -> tuple[str, int]:
        return self.head_address, SERVE_PORT

    @property
    def body(self) -> RayClusterBody:
        return RayClusterBody(self.name, RayNodeBody(resources={"CPU": 1}))

    def environ(self, name: str = "client") -> dict[str, str]:
        """For a process that is to be found and ended with the cluster."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("BANDARI_")}
        values = node_environ(
            inherited, bin_folder=self.bin, name=name, group="", resources={}, cores=os.cpu_count() or 1
        )
        marks = {procfs.STATE_MARK: str(self.folder), procfs.PART_MARK: name}
        return {**values, **marks, "RAY_ADDRESS": self.dashboard, "RAY_API_SERVER_ADDRESS": self.dashboard}

    def run(self, code: str, *, timeout: float = PATIENCE) -> str:
        """Runs a driver with this interpreter, connected to the cluster by `ray.init("auto")`; its output."""
        environ = {**self.environ(), "RAY_ADDRESS": self.gcs}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, name: str, command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        """Starts a process with the marks of the cluster, its output in `<name>.log`."""
        marks = {procfs.STATE_MARK: str(self.folder), procfs.PART_MARK: name}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env={**environ, **marks},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process


def subnet_of(text: str) -> str:
    """`127.x.y` that depends on the process and the text, for tests that run side by side."""
    number = hash((os.getpid(), text)) % (200 * 250)
    return f"127.{50 + number // 250}.{1 + number % 250}"


@contextlib.contextmanager
def plain_ray(
    folder: Path, *, workers: int | Sequence[RayNodeBody] = 0, head: RayNodeBody | None = None, name: str = "plain"
) -> Iterator[PlainRay]:
    """A head with a dashboard, and workers; ready when all are alive. Everything is gone when the block ends."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    subnet = subnet_of(str(folder))
    bodies = [RayNodeBody(resources={"CPU": 1})] * workers if isinstance(workers, int) else list(workers)
    cluster = PlainRay(name, folder, f"{subnet}.1", f"{subnet}.1:{free_port()}")
    cluster.temp = Path(tempfile.mkdtemp(prefix="bandari-ray-", dir="/tmp"))
    try:
        _start(cluster, head or RayNodeBody(resources={"CPU": 1}), bodies, subnet)
        yield cluster
    finally:
        reap(folder, cluster.started)
        shutil.rmtree(cluster.temp, ignore_errors=True)


def _start(cluster: PlainRay, head: RayNodeBody, workers: Sequence[RayNodeBody], subnet: str) -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("BANDARI_")}
    ports = HeadPorts(int(cluster.gcs.rpartition(":")[2]), free_port(), free_port(), free_port())
    ray = f"{cluster.bin}/ray"

    def environ(name: str, body: RayNodeBody) -> dict[str, str]:
        return node_environ(
            inherited, bin_folder=cluster.bin, name=name, group="head" if name == "head" else "worker",
            resources=body.resources, cores=os.cpu_count() or 1,
        )  # fmt: skip

    command = head_command(ray, head, address=cluster.head_address, temp=f"{cluster.temp}/1", ports=ports)
    cluster.start("head", command, head_environ(environ("head", head), ports))
    dashboard = f"http://{cluster.head_address}:{DASHBOARD_PORT}"
    waited(lambda: get_json(f"{dashboard}/api/version"), "the dashboard answers")
    cluster.dashboard = dashboard
    for number, body in enumerate(workers, start=2):
        command = worker_command(
            ray, body, address=f"{subnet}.{number}", temp=f"{cluster.temp}/{number}", gcs=cluster.gcs
        )
        cluster.start(f"worker-{number}", command, environ(f"worker-{number}", body))
    waited(lambda: len(alive_nodes(dashboard)) == 1 + len(workers), "all nodes are alive")


def reap(folder: Path, started: Sequence[subprocess.Popen[bytes]] = ()) -> None:
    """Ends everything that carries the mark of the folder, until nothing does."""
    for _ in range(200):
        left = [
            process.pid
            for process in procfs.processes()
            if procfs.environment(process.pid).get(procfs.STATE_MARK) == str(folder) and process.pid != os.getpid()
        ]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in started:
            process.poll()
        if not left:
            break
        time.sleep(0.02)
    for process in started:
        process.wait()


def last_line(output: str) -> str:
    """The last line that a driver printed itself; Ray puts its own between them, in colours."""
    own = [line for line in output.splitlines() if line.strip() and "\x1b[" not in line]
    return own[-1] if own else ""


class RaySite(Site):
    """A state folder with a supervisor that runs Ray clusters. Also their temp folders are gone after `close`."""

    def ray(self, body: RayClusterBody, *groups: RayGroupBody) -> None:
        """Applies a cluster with its groups; does not wait."""
        self.apply(f"ray.{body.cluster}", plain(body))
        for group in groups:
            self.apply(f"raygroup.{group.cluster}/{group.group}", plain(group))

    def settled(self, name: str, *groups: str, within: float = PATIENCE) -> None:
        """Waits until a cluster and its groups are ready; AssertionError with their status."""
        names = (name, *(f"{name}/{group}" for group in groups))

        def good() -> bool:
            return all(self.part(part).get("state") in {"ready", "idle"} for part in names)

        try:
            until(good, f"{names} ready", within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}: {[self.part(part) for part in names]}") from None

    def ask(self, verb: str, name: str, **body: Any) -> dict[str, Any]:
        """One verb; AssertionError when it is refused."""
        response = self.call("ray", name, body={"verb": verb, **body})
        assert not response.get("error"), response
        result: dict[str, Any] = response.get("result", {})
        return result

    def nodes(self, name: str, group: str = "") -> list[dict[str, Any]]:
        """Nodes of a cluster, or of one of its groups."""
        found = self.ask("nodes", name)["nodes"]
        return [node for node in found if group in {"", node["group"]}]

    def facts(self, name: str) -> dict[str, Any]:
        """What the state file knows of a cluster."""
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())["ray"][name]
        return found

    def gcs(self, name: str) -> str:
        """The address for `ray.init`."""
        facts = self.facts(name)
        return f"{facts['subnet']}.{places.HEAD_NUMBER}:{facts['gcs']}"

    def start_driver(self, name: str, code: str) -> subprocess.Popen[str]:
        """A driver of its own, connected to the cluster."""
        begin = f"import ray, time, os; ray.init({self.gcs(name)!r}, logging_level='ERROR', log_to_driver=False)\n"
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("BANDARI_", "RAY_"))}
        return subprocess.Popen(
            [sys.executable, "-c", begin + code],
            env=environ | {"RAY_USAGE_STATS_ENABLED": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def driver(self, name: str, code: str, *, within: float = PATIENCE) -> str:
        """The last line that a driver prints."""
        with self.start_driver(name, code) as process:
            try:
                output, errors = process.communicate(timeout=within)
            except subprocess.TimeoutExpired:
                process.kill()
                output, errors = process.communicate()
                raise AssertionError(f"not within {within:g} s: {output}{errors}") from None
        assert process.returncode == 0, output + errors
        return last_line(output)

    def temp(self, name: str) -> Path:
        """The temp folder of a cluster."""
        return places.cluster_folder(self.folder, name)

    def close(self) -> None:
        """Ends all that is left, and removes what it had in the temp folder."""
        folders = [self.temp(path.name) for path in (self.folder / "ray").glob("*")]
        super().close()
        for folder in folders:
            places.remove(folder)
