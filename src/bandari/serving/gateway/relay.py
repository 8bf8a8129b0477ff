"""A replica's answer as the client's bytes: framed anew, so that a stream can be ended properly when the replica dies.

Only whole server-sent events are passed on: half an event is of no use to a client, and would spoil the error after it.
"""

from __future__ import annotations

import functools
from http import HTTPStatus

from bandari.serving.gateway import usage
from bandari.serving.gateway.answers import error_event
from bandari.serving.gateway.upstream import UpstreamConnection

_ENDS = (b"\n\n", b"\r\n\r\n")
_LONGEST_EVENT = 256 * 2**10
"""More than this is passed on in pieces."""
_KNOWN = frozenset(HTTPStatus)
_LAST = b"0\r\n\r\n"


@functools.cache
def _status_line(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase if status in _KNOWN else ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


class Relay:
    """Of one answer. `events` counts server-sent ones, `bytes` what was made for the client."""

    __slots__ = ("_begin", "_extra", "_framed", "_previous", "_rest", "_tail", "bytes", "connection", "events", "keep")

    def __init__(self, connection: UpstreamConnection, extra: bytes, *, chunks: bool, keep: bool) -> None:
        self.connection: UpstreamConnection | None = connection
        """Until the head is made."""
        self.keep = keep and (chunks or connection.length)
        self.events = -1 if not connection.event_stream else 0
        self.bytes = 0
        self._framed = chunks and not connection.length
        self._extra = extra
        self._rest = b""
        self._begin = self._previous = self._tail = b""

    def push(self, parts: list[bytes], *, complete: bool) -> bytes:
        """What the client gets for these parts of the body, the head before the first."""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if self.events >= 0:
            data = self._events(data, complete=complete)
        if data:
            self._begin = self._begin or data
            self._previous, self._tail = self._tail, data
        if self.connection is None:
            out = self._frame(data, complete=complete)
        else:
            out = self._head(self.connection, data, complete=complete)
            self.connection = None
        self.bytes += len(out)
        return out

    def _events(self, data: bytes, *, complete: bool) -> bytes:
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if not data.endswith(_ENDS) and not complete and len(data) < _LONGEST_EVENT:
            cut = max(data.rfind(end) + len(end) if end in data else 0 for end in _ENDS)
            data, self._rest = data[:cut], data[cut:]
        self.events += data.count(b"\n\n") or data.count(b"\r\n\r\n")
        return data

    def _frame(self, data: bytes, *, complete: bool) -> bytes:
        if not self._framed:
            return data
        framed = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return framed + _LAST if complete else framed

    def _head(self, connection: UpstreamConnection, data: bytes, *, complete: bool) -> bytes:
        head = connection.head
        head.append(self._extra)
        bodiless = connection.bodiless
        if not connection.length and not bodiless:
            if complete:
                # All of it is here: no chunks are needed, and the connection can stay.
                self._framed = False
                head.append(b"content-length: %d\r\n" % len(data))
            elif self._framed:
                head.append(b"transfer-encoding: chunked\r\n")
        self._framed = self._framed and not bodiless
        if not self.keep:
            head.append(b"connection: close\r\n")
        head.append(b"\r\n")
        head.append(self._frame(data, complete=complete))
        return _status_line(connection.status) + b"".join(head)

    @property
    def unfinished(self) -> bool:
        """Whether it is a stream that has not come to its end, as far as its events tell."""
        return self.events >= 0 and (bool(self._rest) or b"[DONE]" not in self._tail)

    def failure(self, message: str) -> bytes:
        """The end of a stream that the replica did not finish; empty where there is no room for one."""
        if self.events < 0 or not (self._framed or not self.keep):
            return b""
        broken = b"" if self._tail.endswith(_ENDS) or not self._tail else b"\n\n"
        return self._frame(broken + error_event(message, "upstream_failed"), complete=True)

    def usage(self) -> usage.Usage | None:
        """The tokens of the answer as far as it tells; a stream without usage counts its events as output."""
        if self.events < 0:
            return usage.of_document(self._begin, self._tail)
        found = usage.of_events(self._previous[-usage.EDGE :] + self._tail[-usage.EDGE :])
        if found is None and self.events > 1:
            return 0, self.events - 1
        return found
