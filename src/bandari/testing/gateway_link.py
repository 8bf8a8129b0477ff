"""The gateway's end of its link, played by a test: says what load there is, sees the tables."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bandari.serving.protocol import GATEWAY_SOCKET, GatewayHello, GatewayLoad, GroupLoad, plain
from bandari.serving.supervisor.sockets import connect_unix


class LinkDouble:
    """A link of a gateway that serves nothing; tables that it was sent are read when asked for."""

    def __init__(self, folder: Path, sockets: Mapping[str, socket.socket] | None = None) -> None:
        self.connection = connect_unix(folder / GATEWAY_SOCKET)
        self._lines = self.connection.makefile("rb")
        given = dict(sockets or {})
        hello = json.dumps(plain(GatewayHello(os.getpid(), tuple(given)))).encode() + b"\n"
        socket.send_fds(self.connection, [hello], [held.fileno() for held in given.values()])

    def table(self, wanted: Callable[[dict[str, Any]], object] = lambda _table: True) -> dict[str, Any]:
        """The next table that is as wanted; TimeoutError when none comes within seconds."""
        while True:
            found: dict[str, Any] = json.loads(self._lines.readline())
            if wanted(found):
                return found

    def load(self, group: str, *, revision: int = 0, queued: int = 0, **upstreams: int) -> None:
        """Sends the load of one group; `upstreams` by replica, `_` standing for `-`."""
        by_replica = {name.replace("_", "-"): count for name, count in upstreams.items()}
        load = GroupLoad(in_flight=sum(by_replica.values()), queued=queued, upstreams=by_replica)
        message = plain(GatewayLoad({group: load}, revision))
        self.connection.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        self._lines.close()
        self.connection.close()
