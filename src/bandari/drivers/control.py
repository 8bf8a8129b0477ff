"""The client's end of a supervisor's control socket: one request, one answer, a line each."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bandari.errors import Terminal, Unreachable
from bandari.serving.protocol import SUPERVISOR_SOCKET, Op, Request, plain

_LONGEST_PATH = 100
"""Unix socket addresses hold 108 bytes; longer folders are reached through /proc/self/fd."""


HELLO_TIMEOUT = 3.0


class Control:
    """Requests to the supervisor of one state folder; a connection for each call, so nothing is kept open."""

    def __init__(self, folder: Path, *, timeout: float = 30.0) -> None:
        self.folder = folder
        self.timeout = timeout

    def call(
        self,
        op: Op,
        address: str = "",
        *,
        body: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        """The answer's result; Unreachable when no supervisor answers, Terminal with its words when it refuses."""
        request = plain(Request(1, op, address, body or {}, outputs or {}))
        try:
            with self._connected() as connection:
                connection.sendall(json.dumps(request).encode() + b"\n")
                line = connection.makefile("rb").readline()
        except OSError as error:
            raise Unreachable(f"cannot reach the supervisor of {self.folder.name!r}: {error}") from error
        if not line:
            raise Unreachable(f"cannot reach the supervisor of {self.folder.name!r}: it closed the connection")
        answer = json.loads(line)
        if answer.get("error"):
            raise Terminal(answer["error"], address=address, fix=answer.get("fix", ""))
        result: Mapping[str, Any] = answer.get("result", {})
        return result

    def answers(self) -> bool:
        """Whether a supervisor answers."""
        quick = Control(self.folder, timeout=min(self.timeout, HELLO_TIMEOUT))
        try:
            quick.call(Op.HELLO)
        except Unreachable:
            return False
        return True

    @contextlib.contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connection.settimeout(self.timeout)
            path = str(self.folder / SUPERVISOR_SOCKET)
            if len(os.fsencode(path)) > _LONGEST_PATH:
                handle = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
                stack.callback(os.close, handle)
                path = f"/proc/self/fd/{handle}/{SUPERVISOR_SOCKET}"
            connection.connect(path)
            yield connection
