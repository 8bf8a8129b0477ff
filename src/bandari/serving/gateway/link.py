"""The link to the supervisor: says hello with the listening sockets, hears tables, tells the load.

A supervisor may die and come back; until then the last table holds. Nothing here may block: a supervisor that hangs
must not take the gateway with it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from bandari.serving.gateway.directory import Directory
from bandari.serving.protocol import GatewayHello, GatewayTable, plain

_RETRY = 0.05
_OFTEN, _SELDOM = 0.2, 2.0
"""Seconds between two loads: when something changed, and when nothing did."""
_LONGEST_ADDRESS = 100
"""Bytes; the system's own limit is 107."""
_LONGEST_LINE = 16 * 2**20
_UNREAD = 64 * 2**10
"""With so much unread on the other side nothing more is told."""


class Link(asyncio.Protocol):
    """One at a time; connects again for ever until `close`."""

    def __init__(self, path: Path, listeners: Mapping[str, socket.socket], directory: Directory) -> None:
        self._path = path
        self._listeners = dict(listeners)
        self._directory = directory
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._opening: asyncio.Task[None] | None = None
        self._closed = self._due = False
        self._input = bytearray()
        self._told: object = None
        self._told_at = 0.0
        directory.urgent = self._urgent
        self._connect()
        self._loop.call_later(_OFTEN, self._tick)

    # --- connecting

    def _connect(self) -> None:
        if self._closed:
            return
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            _dial(connection, self._path)
            hello = msgspec.json.encode(plain(GatewayHello(os.getpid(), tuple(self._listeners)))) + b"\n"
            socket.send_fds(connection, [hello], [listener.fileno() for listener in self._listeners.values()])
        except OSError:
            connection.close()
            self._loop.call_later(_RETRY, self._connect)
            return
        self._opening = self._loop.create_task(self._open(connection))

    async def _open(self, connection: socket.socket) -> None:
        await self._loop.create_unix_connection(lambda: self, sock=connection)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The supervisor is there; it sends a table first."""
        self._transport = cast("asyncio.Transport", transport)
        self._input.clear()
        self._told = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The supervisor is gone."""
        self._transport = None
        self._loop.call_later(_RETRY, self._connect)

    def withdraw(self) -> None:
        """The listening sockets are closed: a next supervisor is not offered them."""
        self._listeners = {}

    def close(self) -> None:
        """Ends the link."""
        self._closed = True
        if self._transport:
            self._transport.abort()

    # --- hearing

    def data_received(self, data: bytes) -> None:
        """Part of a table, or more than one, of which the last holds."""
        self._input += data
        end = self._input.rfind(b"\n")
        if end < 0:
            if len(self._input) > _LONGEST_LINE and self._transport:
                self._transport.abort()
            return
        lines = bytes(self._input[:end]).split(b"\n")
        del self._input[: end + 1]
        try:
            table = msgspec.json.decode(lines[-1], type=GatewayTable)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            sys.stderr.write(f"gateway: cannot read a table: {error}\n")
            return
        self._directory.apply(table)

    # --- telling

    def _urgent(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._due = False
        transport = self._transport
        if transport is None or transport.get_write_buffer_size() > _UNREAD:
            return
        load = self._directory.load()
        self._told, self._told_at = load, self._loop.time()
        transport.write(msgspec.json.encode(plain(load)) + b"\n")

    def _tick(self) -> None:
        if self._closed:
            return
        self._loop.call_later(_OFTEN, self._tick)
        if self._transport and (
            self._loop.time() - self._told_at >= _SELDOM - _OFTEN or self._directory.load() != self._told
        ):
            self._tell()


def _dial(connection: socket.socket, path: Path) -> None:
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        connection.connect(str(path))
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
