"""The gateway's link, the supervisor's end: takes hello lines with listening sockets, then loads; sends tables.

More than one gateway may be linked: while a new one takes over, the old one drains.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bandari.serving.protocol import GATEWAY_SOCKET, GatewayHello, GatewayLoad, GatewayTable, GroupLoad, plain
from bandari.serving.supervisor.sockets import listen_unix

_log = logging.getLogger(__name__)
_CHUNK = 65536
_MAX_FDS = 8
_MAX_LINE = 16 * 2**20
_UNDERSTOOD_AFTER = 0.3


@dataclass(frozen=True, slots=True)
class Listeners:
    """What the link tells its owner."""

    hello: Callable[[Connection, GatewayHello, dict[str, socket.socket]], None]
    """The sockets belong to the callee."""
    load: Callable[[Connection], None]
    lost: Callable[[Connection], None]


class Connection:
    """One gateway. `load` is its last, `pid` is 0 before its hello."""

    def __init__(self, link: Link, connection: socket.socket) -> None:
        self.pid = 0
        self.load = GatewayLoad({})
        self.heard = False
        """Whether any load has come."""
        self.sent: GatewayTable | None = None
        self.draining: dict[str, tuple[int, float]] = {}
        """Replica -> revision and time of the first table sent in which it drains."""
        self._link = link
        self._socket = connection
        self._input = bytearray()
        self._output = bytearray()
        self._sockets: list[socket.socket] = []
        self._loop = asyncio.get_running_loop()
        connection.setblocking(False)
        self._loop.add_reader(connection, self._readable)

    def send(self, table: GatewayTable) -> None:
        """Sends a table unless it is the one that the gateway has."""
        if table == self.sent or not self.pid:
            return
        self.sent = table
        draining = {u.id for group in table.groups for u in group.upstreams if u.draining}
        first = (table.revision, self._loop.time())
        self.draining = {replica: self.draining.get(replica, first) for replica in draining}
        waiting = bool(self._output)
        self._output += msgspec.json.encode(plain(table)) + b"\n"
        if not waiting:
            self._writable()

    def knows_draining(self, replica: str) -> bool:
        """Whether the last load was made after the gateway knew that the replica drains. A gateway that echoes no
        revision is given a moment instead.
        """
        revision, sent_at = self.draining.get(replica, (0, self._loop.time()))
        if self.load.revision:
            return replica in self.draining and self.load.revision >= revision
        return self._loop.time() - sent_at > _UNDERSTOOD_AFTER

    def group(self, name: str) -> GroupLoad:
        """The load of one group; none when the gateway says nothing of it."""
        return self.load.groups.get(name) or GroupLoad(0, 0)

    def close(self) -> None:
        """Ends the connection without telling its owner."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
        for unused in self._sockets:
            unused.close()
        self._link.connections.discard(self)

    def _lost(self) -> None:
        self.close()
        self._link.listeners.lost(self)

    def _writable(self) -> None:
        try:
            sent = self._socket.send(self._output)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost()
            return
        del self._output[:sent]
        if self._output:
            self._loop.add_writer(self._socket, self._writable)
        else:
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            chunk, fds, _, _ = socket.recv_fds(self._socket, _CHUNK, _MAX_FDS)
        except BlockingIOError:
            return
        except OSError:
            chunk, fds = b"", []
        self._sockets += [socket.socket(fileno=fd) for fd in fds]
        self._input += chunk
        if not chunk or len(self._input) > _MAX_LINE:
            self._lost()
            return
        while (end := self._input.find(b"\n")) >= 0:
            line = bytes(self._input[:end])
            del self._input[: end + 1]
            self._line(line)

    def _line(self, line: bytes) -> None:
        try:
            if self.pid:
                self.load = msgspec.json.decode(line, type=GatewayLoad)
                self.heard = True
                self._link.listeners.load(self)
                return
            hello = msgspec.json.decode(line, type=GatewayHello)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.warning("gateway link: cannot read a line: %s", error)
            return
        self.pid = hello.pid
        sockets = dict(zip(hello.listeners, self._sockets, strict=False))
        for unused in self._sockets[len(sockets) :]:
            unused.close()
        self._sockets = []
        self._link.listeners.hello(self, hello, sockets)


class Link:
    """Listens on the gateway socket; `connections` are those that are open."""

    def __init__(self, folder: Path, listeners: Listeners) -> None:
        self.path = folder / GATEWAY_SOCKET
        self.listeners = listeners
        self.connections: set[Connection] = set()
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Listens."""
        self._listener = listen_unix(self.path)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        assert self._listener
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        self.connections.add(Connection(self, connection))

    def send(self, table: GatewayTable) -> None:
        """Sends a table to every gateway that does not have it."""
        for connection in tuple(self.connections):
            connection.send(table)

    @property
    def heard(self) -> bool:
        """Whether there is a gateway that has told its load."""
        return any(connection.heard for connection in self.connections)

    def load(self, group: str) -> GroupLoad:
        """The load of a group over all gateways."""
        parts = [connection.group(group) for connection in self.connections]
        upstreams: dict[str, int] = {}
        for part in parts:
            for name, count in part.upstreams.items():
                upstreams[name] = upstreams.get(name, 0) + count
        return GroupLoad(
            in_flight=sum(p.in_flight for p in parts),
            queued=sum(p.queued for p in parts),
            upstreams=upstreams,
            requests_total=sum(p.requests_total for p in parts),
        )

    def close(self) -> None:
        """Ends all connections and removes the socket."""
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        for connection in tuple(self.connections):
            connection.close()
        self.path.unlink(missing_ok=True)
