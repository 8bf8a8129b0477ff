"""A client of plain bytes, for tests of what no HTTP library would send: halves of requests, two at once, nonsense."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `whole` is false when the connection ended before it did. Names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The error that the body tells of."""
        found: dict[str, Any] = json.loads(self.body)["error"]
        return found

    def events(self) -> list[Any]:
        """The data of server-sent events, decoded unless they are `[DONE]`."""
        lines = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


def request(
    path: str = "/v1/chat/completions",
    body: Any = None,
    *,
    method: str = "",
    version: str = "1.1",
    **headers: str,
) -> bytes:
    """A proper request; underscores in the names of headers are dashes. A body that is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"{method or ('GET' if body is None else 'POST')} {path} HTTP/{version}", "Host: gateway"]
    if body is not None:
        lines.append(f"Content-Length: {len(content)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Wire:
    """One connection. Reading fails with TimeoutError after `patience` seconds."""

    def __init__(
        self, port: int, *, patience: float = 15.0, tls: ssl.SSLContext | None = None, buffer: int = 0
    ) -> None:
        plain = socket.socket()
        if buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.settimeout(patience)
        plain.connect(("127.0.0.1", port))
        self.socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._input = b""

    def send(self, data: bytes) -> Wire:
        """Sends bytes as they are."""
        self.socket.sendall(data)
        return self

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self._input += data
        return bool(data)

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._input:
            if not self._more():
                return None
        found, _, self._input = self._input.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._input) < size and self._more():
            pass
        found, self._input = self._input[:size], self._input[size:]
        return found

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the next answer; EOFError when none comes."""
        text = self._until(b"\r\n\r\n")
        if text is None:
            raise EOFError(self._input)
        first, *lines = text.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}

    def parts(self) -> Iterator[bytes]:
        """The chunks of a body as they come, to the last; EOFError when it breaks off."""
        while True:
            line = self._until(b"\r\n")
            if line is None:
                raise EOFError
            size = int(line, 16)
            part = self._exactly(size)
            if len(part) < size or self._until(b"\r\n") is None:
                raise EOFError
            if not size:
                return
            yield part

    def response(self) -> Response:
        """The next answer, whole or as far as it came."""
        status, headers = self.head()
        if "content-length" in headers:
            size = int(headers["content-length"])
            body = self._exactly(size)
            return Response(status, headers, body, len(body) == size)
        if headers.get("transfer-encoding") != "chunked":
            while self._more():
                pass
            body, self._input = self._input, b""
            return Response(status, headers, body)
        body, whole = b"", True
        try:
            for part in self.parts():
                body += part
        except EOFError:
            whole = False
        return Response(status, headers, body, whole)

    def ask(self, *args: Any, **headers: Any) -> Response:
        """Sends a `request` and reads the answer."""
        return self.send(request(*args, **headers)).response()

    @property
    def ended(self) -> bool:
        """Whether the other side closes, without another byte; waits for it."""
        return not self._input and not self._more()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(port: int, *args: Any, **headers: Any) -> Response:
    """One request on a connection of its own."""
    with Wire(port) as wire:
        return wire.ask(*args, **headers)
