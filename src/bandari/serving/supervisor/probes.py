"""Kubernetes' probes against a replica on this machine: httpGet, tcpSocket, exec; thresholds, periods, delays.

A probe's port that is the container's, or a name, means the replica's own port here; another number stays. A replica
without a readiness probe counts as ready when its port accepts connections. grpc is asked as tcpSocket: that the port
accepts.

Two things differ, so that a start is seen at once. Until the first success readiness is asked every 50 ms (0.5 s after
ten seconds). And a readiness probe's `initial_delay` is the longest silence and not the shortest: a success counts at
once, only failures before it do not. The delay of liveness is honoured as it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bandari.desired.workloads import Exec, HttpGet, Probe, TcpSocket
from bandari.serving import enter

_EAGER = 0.05
_EAGER_FOR = 10.0
_EAGER_LATER = 0.5
_MAX_OUTPUT = 200


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed. For exec: `environ` is the replica's, `inside` a process to run beside, in its mounts; or 0."""

    port: int
    container_port: int
    environ: Mapping[str, str]
    inside: int = 0

    def port_of(self, wanted: int | str) -> int:
        """The port of this machine for the one that the probe names."""
        if isinstance(wanted, str) and not wanted.isdigit():
            return self.port
        return self.port if int(wanted) == self.container_port else int(wanted)


async def ask(probe: Probe, target: Target) -> str:
    """Empty on success, else why not, in words. Never raises; takes at most the probe's timeout."""
    timeout = max(probe.timeout, 1)
    try:
        async with asyncio.timeout(timeout):
            if probe.http_get:
                return await _http(probe.http_get, target)
            if probe.exec:
                return await _exec(probe.exec, target)
            port = probe.grpc.port if probe.grpc else target.port
            return await _tcp(probe.tcp_socket or TcpSocket(port), target)
    except TimeoutError:
        return f"no answer within {timeout} s"
    except (OSError, ValueError) as error:
        return _words(error)


def _words(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error) or type(error).__name__


async def _http(get: HttpGet, target: Target) -> str:
    host, port = get.host or "127.0.0.1", target.port_of(get.port)
    tls = _unverified() if get.scheme.upper() == "HTTPS" else None
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        sent = {"host": f"{host}:{port}", "user-agent": "kube-probe/1.31", "accept": "*/*", "connection": "close"}
        sent |= {name.lower(): value for name, value in get.headers}
        lines = [f"GET /{get.path.removeprefix('/')} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status_line = await reader.readline()
    finally:
        writer.close()
    words = status_line.split()
    if len(words) < 2 or not words[1].isdigit():
        return "no HTTP answer"
    return "" if 200 <= int(words[1]) < 400 else f"HTTP status {int(words[1])} from {get.path}"


def _unverified() -> ssl.SSLContext:
    """As Kubernetes does it: an https probe does not verify the certificate."""
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    return tls


async def _tcp(socket: TcpSocket, target: Target) -> str:
    _, writer = await asyncio.open_connection(socket.host or "127.0.0.1", target.port_of(socket.port))
    writer.close()
    return ""


async def _exec(handler: Exec, target: Target) -> str:
    command = enter.joiner(handler.command, target.inside) if target.inside else handler.command
    running = await asyncio.create_subprocess_exec(
        *command,
        env=dict(target.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await running.communicate()
    finally:
        if running.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            await running.communicate()
    if running.returncode == 0:
        return ""
    text = output.decode(errors="replace").strip()[:_MAX_OUTPUT]
    return f"exit status {running.returncode}" + (f": {text}" if text else "")


@dataclass(slots=True)
class Streak:
    """Counts answers in a row until a threshold turns the verdict."""

    probe: Probe
    good: bool
    count: int = 0

    def turned(self, *, success: bool) -> bool:
        """Whether this answer changes the verdict."""
        if success is self.good:
            self.count = 0
            return False
        self.count += 1
        needed = self.probe.success_threshold if success else self.probe.failure_threshold
        if self.count < max(needed, 1):
            return False
        self.good, self.count = success, 0
        return True


async def watch_readiness(
    probe: Probe | None, target: Target, *, ready: bool, tell: Callable[[bool, str], None]
) -> None:
    """Asks for ever; `tell(True, "")` and `tell(False, why)` on each change, and each first failure reason once."""
    probe = probe or Probe(tcp_socket=TcpSocket(target.port), period=10, failure_threshold=3)
    loop = asyncio.get_running_loop()
    began = loop.time()
    streak = Streak(probe, good=ready)
    seen = ready
    while True:
        if seen:
            await asyncio.sleep(max(probe.period, 1))
        why = await ask(probe, target)
        age = loop.time() - began
        silent = not seen and why != "" and age < probe.initial_delay
        if not silent and streak.turned(success=not why):
            tell(not why, why)
            seen = seen or not why
        if not seen:
            await asyncio.sleep(_EAGER if age < _EAGER_FOR else _EAGER_LATER)


async def watch_liveness(probe: Probe, target: Target, *, tell: Callable[[str], None]) -> None:
    """Asks until the failure threshold is reached; `tell(why)` ends it."""
    await asyncio.sleep(probe.initial_delay)
    streak = Streak(probe, good=True)
    while True:
        why = await ask(probe, target)
        if streak.turned(success=not why) and why:
            tell(why)
            return
        await asyncio.sleep(max(probe.period, 1))
