"""A real supervisor in a folder of its own, with real child processes, for tests.

`Site.close` ends everything that carries the folder's mark, whatever a test did to it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bandari.desired.workloads import HttpGet, Probe
from bandari.serving.protocol import LOG_FOLDER, SUPERVISOR_SOCKET, ReplicaSetBody, plain
from bandari.serving.supervisor import procfs

_T = TypeVar("_T")

REPLICA = r"""
import http.server, json, os, subprocess, sys, time

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length", "0")))
        if "failing" in sys.argv or os.path.exists(os.environ.get("FAIL_WHEN", "/nowhere")):
            status = 503
        else:
            status = 200
        slow = float(self.headers.get("x-slow", "0"))
        time.sleep(slow)
        body = json.dumps({"pid": os.getpid(), "args": sys.argv[2:], "env": dict(os.environ)}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_):
        pass

print("replica starts", flush=True)
if "crash" in sys.argv:
    sys.exit("the weights are broken")
if "family" in sys.argv:
    # A child in the same session, and a grandchild that leaves it.
    subprocess.Popen(["sleep", "1000"])
    subprocess.Popen(["setsid", "--fork", "sleep", "1001"])
if "deaf" in sys.argv:
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
"""A replica in a few lines. Words: `crash`, `failing`, `family` (has children), `deaf` (to SIGTERM)."""

READINESS = Probe(http_get=HttpGet("/", 8000), period=1, timeout=1, failure_threshold=2)


def group(name: str = "chat", *words: str, replicas: int = 1, **fields: Any) -> dict[str, Any]:
    """The body of a group of such replicas, as data; `replicas` is both bounds unless `scaling` is given."""
    command = ("$(PYTHON)", "-c", REPLICA, "$(PORT)", *words)
    fields.setdefault("readiness", READINESS)
    body: dict[str, Any] = plain(ReplicaSetBody(group=name, command=command, model="", **fields))
    body.setdefault("scaling", {"bounds": {"min": replicas, "max": replicas}})
    return body


def until(condition: Callable[[], _T], what: str, *, within: float = 15.0) -> _T:
    """The first true value of `condition`; AssertionError with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        try:
            if found := condition():
                return found
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        time.sleep(0.01)


class Site:
    """The state folder of one cluster, and what runs of it."""

    def __init__(self, folder: Path, cluster: str = "try") -> None:
        self.folder = folder.resolve()
        self.cluster = cluster
        self.started: list[subprocess.Popen[bytes]] = []
        (self.folder / LOG_FOLDER).mkdir(parents=True, mode=0o700, exist_ok=True)

    # --- starting

    def guard(self) -> subprocess.Popen[bytes]:
        """Starts a guard and waits until the supervisor answers."""
        guard = self._start("bandari.serving.guard", {})
        until(self.answers, "the supervisor answers")
        return guard

    def supervisor(self, **environment: str) -> subprocess.Popen[bytes]:
        """Starts a supervisor without a guard; does not wait."""
        return self._start("bandari.serving.supervisor", environment)

    def _start(self, module: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self.log("supervisor").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "--state", str(self.folder), "--cluster", self.cluster],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **environment, procfs.STATE_MARK: str(self.folder), procfs.PART_MARK: "supervisor"},
            )
        self.started.append(process)
        return process

    # --- talking

    def raw(self, line: bytes) -> dict[str, Any]:
        """One line to the supervisor, one back; OSError when it does not answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(30)
            folder = os.open(self.folder, os.O_PATH)
            try:
                connection.connect(f"/proc/self/fd/{folder}/{SUPERVISOR_SOCKET}")
            finally:
                os.close(folder)
            connection.sendall(line + b"\n")
            with connection.makefile("rb") as answers:
                answer = answers.readline()
        if not answer:
            raise ConnectionError("the supervisor closed the connection")
        found: dict[str, Any] = json.loads(answer)
        return found

    def call(self, op: str, address: str = "", **fields: Any) -> dict[str, Any]:
        """One request; returns the whole response."""
        return self.raw(json.dumps({"id": 1, "op": op, "address": address, **fields}).encode())

    def apply(self, address: str, body: Mapping[str, Any], **outputs: Any) -> dict[str, Any]:
        """Applies; AssertionError when refused. Returns the outputs."""
        response = self.call("apply", address, body=body, outputs=outputs)
        assert not response.get("error"), response
        result: dict[str, Any] = response["result"]["outputs"]
        return result

    def answers(self) -> bool:
        """Whether a supervisor is there."""
        return bool(self.call("hello")["result"])

    def status(self) -> dict[str, Any]:
        """The whole status."""
        found: dict[str, Any] = self.call("observe")["result"]["status"]
        return found

    def part(self, name: str) -> dict[str, Any]:
        """The status of one part; empty when there is none."""
        return next((part for part in self.status().get("parts", []) if part["name"] == name), {})

    def ready(self, name: str = "chat", *, within: float = 15.0) -> list[dict[str, Any]]:
        """Waits until a part is ready; its replicas but those that drain."""
        try:
            part = until(lambda: (p := self.part(name)) and p["state"] == "ready" and p, f"{name} ready", within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.part(name)}") from None
        assert part
        return [replica for replica in part.get("detail", []) if replica["state"] == "ready"]

    # --- looking

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.folder / LOG_FOLDER / f"{name}.log"

    def processes(self) -> dict[int, str]:
        """Pid and part of everything that was started for the cluster, guard and supervisor included."""
        found = {}
        for process in procfs.processes():
            environment = procfs.environment(process.pid)
            if environment.get(procfs.STATE_MARK) == str(self.folder):
                found[process.pid] = environment.get(procfs.PART_MARK, "?")
        return found

    def pids(self, part: str) -> set[int]:
        """All processes of one part."""
        return {pid for pid, name in self.processes().items() if name == part}

    def close(self) -> None:
        """Ends all that is left and reaps what this process started."""
        for _ in range(50):
            left = set(self.processes()) | {p.pid for p in self.started if p.poll() is None}
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if not left:
                break
            time.sleep(0.02)
        for process in self.started:
            process.wait()
