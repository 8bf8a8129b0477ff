"""The control socket: reads `Request` lines, answers each with a `Response`; what a line means is the caller's.

Nothing that a client sends ends the supervisor: a line that is no request gets an error, one that is too long ends its
connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from bandari.serving.protocol import SUPERVISOR_SOCKET, Request, Response, plain
from bandari.serving.supervisor.sockets import listen_unix

_log = logging.getLogger(__name__)
_LAST_ANSWERS = 2.0
_PATIENCE = 5.0
MAX_LINE = 4 * 2**20
"""Bytes of one request."""


class Refused(Exception):  # noqa: N818 - reads as the sentence it is
    """A request cannot be done; one line for the user, and one on what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


Answer = Callable[[Request], Awaitable[object]]
"""What does a request: returns the result as data, raises Refused."""


class Control:
    """Serves until `close`."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self.path = folder / SUPERVISOR_SOCKET
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listens."""
        self._server = await asyncio.start_unix_server(self._serve, sock=listen_unix(self.path), limit=MAX_LINE)
        self._inode = self.path.stat().st_ino

    def reachable(self) -> bool:
        """Whether the path still leads to our socket."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    async def reopen(self) -> None:
        """Listens on the path anew; connections that are open go on."""
        old = self._server
        await self.open()
        if old:
            old.close()

    async def close(self) -> None:
        """Removes the socket, lets answers that are due go out, ends all connections."""
        if self._server:
            self._server.close()
        self.path.unlink(missing_ok=True)
        if self._busy:
            await asyncio.wait(self._busy, timeout=_LAST_ANSWERS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            while await self._one(reader, writer, task):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The streams of asyncio report a cancelled handler as an error; it ends here, and so does the task.
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[None]) -> bool:
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_discard_line(reader), _PATIENCE)
            await _send(writer, Response(0, error=f"cannot read a request: it is longer than {MAX_LINE} bytes"))
            return False
        self._busy.add(task)
        try:
            await _send(writer, await self._respond(line))
        finally:
            self._busy.discard(task)
        return self._server is not None and self._server.is_serving()

    async def _respond(self, line: bytes) -> Response:
        try:
            request = msgspec.json.decode(line, type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return Response(_id_of(line), error=f"cannot read a request: {error}".replace("\n", " "))
        try:
            result = await self._answer(request)
        except Refused as refusal:
            return Response(request.id, error=str(refusal), fix=refusal.fix)
        except Exception as error:  # noqa: BLE001 - a bug in one request must not end the supervisor
            _log.exception("cannot do %s %s", request.op, request.address)
            return Response(request.id, error=f"cannot do {request.op.value}: {type(error).__name__}: {error}")
        assert isinstance(result, dict)
        return Response(request.id, result=result)


async def _discard_line(reader: asyncio.StreamReader) -> None:
    """Reads on to the end of the line: what is closed with unread bytes is reset, and the client sees no answer."""
    chunk = b"x"
    while chunk and not chunk.endswith(b"\n"):
        chunk = await reader.read(65536)


async def _send(writer: asyncio.StreamWriter, response: Response) -> None:
    writer.write(msgspec.json.encode(plain(response)) + b"\n")
    await writer.drain()


def _id_of(line: bytes) -> int:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    number = found.get("id") if isinstance(found, dict) else None
    return number if isinstance(number, int) else 0
