"""A real gateway process for tests, and the supervisor's end of its link."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bandari.serving.protocol import (
    GATEWAY_SOCKET,
    GatewayHello,
    GatewayLoad,
    GatewayTable,
    GroupTable,
    ServiceTable,
    Upstream,
    plain,
)
from bandari.testing.processes import until


class SupervisorEnd:
    """Listens on `gateway.sock` in a folder and takes one gateway after another. `loads` are all that came from the
    last one, `sockets` what its hello brought.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hello: GatewayHello | None = None
        self.sockets: list[socket.socket] = []
        self.loads: list[GatewayLoad] = []
        self.links = 0
        self._table = b""
        self._revision = 0
        self._connection: socket.socket | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        inside = os.open(folder, os.O_PATH)
        self._listener.bind(f"/proc/self/fd/{inside}/{GATEWAY_SOCKET}")
        os.close(inside)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with contextlib.suppress(OSError), connection:
                    self._talk(connection)
                self._connection = None

    def _talk(self, connection: socket.socket) -> None:
        rest, descriptors, _, _ = socket.recv_fds(connection, 65536, 8)
        self._drop_sockets()
        self.sockets = [socket.socket(fileno=number) for number in descriptors]
        line, _, rest = rest.partition(b"\n")
        self.hello = msgspec.json.decode(line, type=GatewayHello)
        self.loads = []
        self._connection = connection
        self.links += 1
        if self._table:
            connection.sendall(self._table)
        while data := connection.recv(65536):
            *lines, rest = (rest + data).split(b"\n")
            self.loads += [msgspec.json.decode(line, type=GatewayLoad) for line in lines]

    def send(self, *groups: GroupTable, keys: Sequence[str] = (), services: Sequence[ServiceTable] = ()) -> int:
        """Tells a table; its revision. A gateway that links later is told the last one."""
        self._revision += 1
        table = GatewayTable("test", groups, tuple(keys), self._revision, tuple(services))
        self._table = msgspec.json.encode(plain(table)) + b"\n"
        if self._connection:
            self._connection.sendall(self._table)
        return self._revision

    def told(self, *groups: GroupTable, keys: Sequence[str] = (), services: Sequence[ServiceTable] = ()) -> None:
        """Tells a table and waits until the gateway says that it has it."""
        revision = self.send(*groups, keys=keys, services=services)
        until(lambda: self.loads and self.loads[-1].revision == revision, "the gateway has the table")

    @property
    def load(self) -> GatewayLoad:
        """The last one."""
        return self.loads[-1] if self.loads else GatewayLoad({})

    def _drop_sockets(self) -> None:
        for held in self.sockets:
            held.close()
        self.sockets = []

    def close(self) -> None:
        """Dies."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if connection := self._connection:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._drop_sockets()
        (self.folder / GATEWAY_SOCKET).unlink(missing_ok=True)


class Harbour:
    """A gateway with its listeners and the supervisor's end, in a folder of its own; `port` is the private one."""

    def __init__(self, folder: Path, *options: str, public: bool = False) -> None:
        self.folder = folder
        self.options = list(options)
        self.listeners = {name: socket.create_server(("127.0.0.1", 0), backlog=128) for name in self._names(public)}
        self.port: int = self.listeners["private"].getsockname()[1]
        self.public_port: int = self.listeners["public"].getsockname()[1] if public else 0
        self.supervisor = SupervisorEnd(folder)
        self.process = self.start()

    @staticmethod
    def _names(public: bool) -> tuple[str, ...]:  # noqa: FBT001 - one place
        return ("private", "public") if public else ("private",)

    def command(self, *options: str) -> list[str]:
        """How the supervisor starts it."""
        words = [sys.executable, "-m", "bandari.serving.gateway", "--link", str(self.folder / GATEWAY_SOCKET)]
        for name, listener in self.listeners.items():
            words += [f"--{name}-fd", str(listener.fileno())]
        return [*words, *self.options, *options]

    def start(self) -> subprocess.Popen[bytes]:
        """Starts a gateway on the same listeners; does not wait."""
        with (self.folder / "stdout").open("ab") as out, (self.folder / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                pass_fds=[listener.fileno() for listener in self.listeners.values()],
            )
        return self.process

    @property
    def output(self) -> str:
        """What was written to standard output."""
        return (self.folder / "stdout").read_text()

    @property
    def errors(self) -> str:
        """What was written to standard error."""
        return (self.folder / "stderr").read_text()

    def told(self, *groups: GroupTable, keys: Sequence[str] = (), services: Sequence[ServiceTable] = ()) -> None:
        """See `SupervisorEnd.told`."""
        self.supervisor.told(*groups, keys=keys, services=services)

    def end(self, number: int = signal.SIGTERM, within: float = 10.0) -> int:
        """Sends a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(within)

    def close(self) -> None:
        """Ends all of it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.supervisor.close()
        for listener in self.listeners.values():
            listener.close()


def group(name: str, *ports: int, **fields: Any) -> GroupTable:
    """A group whose model has its name, with a replica `<name>-<n>` at each port."""
    upstreams = tuple(Upstream(f"{name}-{n}", "127.0.0.1", port, slots=4) for n, port in enumerate(ports))
    known = {"namespace": "default", "models": (name,), "public": False, "upstreams": upstreams}
    return GroupTable(name, **{**known, **fields})
