"""A double of a model server: speaks OpenAI's API, knows no model, and fails on request. For tests only.

`python -m bandari.testing.model_server PORT` runs it as a process; `ModelServer` runs it in a thread, where a test can
see what it was asked. How it answers is a `Behaviour`: the server's own, changed by the object `double` of a request's
body. Every answer has the header `x-bandari-double` and says so in its text.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

import httptools

WORD = "double "
_CUT = 12


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`die`: `unanswered` (on the request), `head` (in the middle of the headers), `event` (after the first), `half`
    (in the middle of an event or of the body), `silent` (never answers). `framing`: `chunked`, `length` or `close`.
    """

    tokens: int = 3
    delay: float = 0.0
    """Seconds before the first byte."""
    pace: float = 0.0
    """Seconds between two events."""
    die: str = ""
    framing: str = "chunked"
    usage: bool = True
    status: int = 200
    keep: bool = True
    """Whether the connection may stay, as the answer says."""
    requests: int = 0
    """Requests that one connection takes: one more and it is closed without an answer. 0: any number."""
    padding: int = 0
    """Bytes that each event is made longer by."""
    newline: str = "\n"
    surplus: bool = False
    """Sends more than was asked for after the answer."""


@dataclass(slots=True)
class Seen:
    """A request as it came; `body` is decoded when it is JSON, `left` when its client went before the answer ended."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes
    body: Any
    connection: int
    left: bool = False
    sent: int = 0
    """Bytes written to the client."""
    finished: bool = False


@dataclass(slots=True)
class Record:
    """What a server has seen and how it behaves; shared with the thread of the test."""

    name: str = "double"
    behaviour: Behaviour = field(default_factory=Behaviour)
    requests: list[Seen] = field(default_factory=list)
    connections: set[Answering] = field(default_factory=set)
    accepted: int = 0


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.headers: dict[str, str] = {}
        self.target = b""
        self.raw = b""
        self.taken = 0
        self.now: Seen | None = None
        self.paused = asyncio.Event()
        self.paused.set()
        self.parser = httptools.HttpRequestParser(self)
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self.transport = cast("asyncio.Transport", transport)
        self.record.accepted += 1
        self.number = self.record.accepted
        self.record.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client went."""
        self.record.connections.discard(self)
        if self.now:
            self.now.left = True
        for task in self.tasks:
            task.cancel()

    def pause_writing(self) -> None:
        self.paused.clear()

    def resume_writing(self) -> None:
        self.paused.set()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.headers, self.target, self.raw = {}, b"", b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.raw += part

    def on_message_complete(self) -> None:
        """Answers in a task of its own."""
        try:
            body = json.loads(self.raw) if self.raw else None
        except ValueError:
            body = None
        method = self.parser.get_method().decode()
        seen = Seen(method, self.target.decode("latin-1"), self.headers, self.raw, body, self.number)
        behaviour = self.record.behaviour
        if isinstance(body, dict):
            behaviour = dataclasses.replace(behaviour, **body.get("double", {}))
        self.taken += 1
        self.record.requests.append(seen)
        task = asyncio.get_running_loop().create_task(self._answer(seen, behaviour))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # --- answering

    async def _answer(self, seen: Seen, how: Behaviour) -> None:
        self.now = seen
        if how.die == "silent":
            return
        if how.die == "unanswered" or (how.requests and self.taken > how.requests):
            self.transport.abort()
            return
        if how.delay:
            await asyncio.sleep(how.delay)
        if isinstance(seen.body, dict) and seen.body.get("stream"):
            await self._stream(seen, how)
        else:
            self._whole(seen, how)
        seen.finished = True
        self.now = None
        if how.surplus:
            self._send(seen, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        if not how.keep or how.framing == "close":
            self.transport.close()

    def _send(self, seen: Seen, data: bytes) -> None:
        seen.sent += len(data)
        self.transport.write(data)

    def _head(self, how: Behaviour, kind: str, length: int | None) -> bytes:
        lines = [
            f"HTTP/1.1 {how.status} {'OK' if how.status == 200 else 'As Asked'}",
            f"Content-Type: {kind}",
            f"X-Bandari-Double: {self.record.name}, no model",
            "Keep-Alive: timeout=5, max=100",
        ]
        if how.framing == "length" and length is not None:
            lines.append(f"Content-Length: {length}")
        elif how.framing != "close":
            lines.append("Transfer-Encoding: chunked")
        if not how.keep or how.framing == "close":
            lines.append("Connection: close")
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def _whole(self, seen: Seen, how: Behaviour) -> None:
        body = json.dumps(_document(seen, how, self.record.name)).encode()
        head = self._head(how, "application/json", len(body))
        if how.die == "head":
            self._send(seen, head[:_CUT])
            self.transport.close()
        elif how.die:
            part = body[: len(body) // 2]
            self._send(seen, head + (_chunk(part) if how.framing == "chunked" else part))
            self.transport.close()
        elif how.framing == "chunked":
            self._send(seen, head + _chunk(body) + b"0\r\n\r\n")
        else:
            self._send(seen, head + body)

    async def _stream(self, seen: Seen, how: Behaviour) -> None:
        events = [_event(event, how) for event in _events(seen, how, self.record.name)]
        head = self._head(how, "text/event-stream", sum(map(len, events)))
        if how.die == "head":
            self._send(seen, head[:_CUT])
            self.transport.close()
            return
        self._send(seen, head)
        for number, event in enumerate(events):
            if number and how.die == "half":
                event = event[:_CUT]  # noqa: PLW2901 - cut on purpose
            if number and how.die == "event":
                self.transport.close()
                return
            self._send(seen, _chunk(event) if how.framing == "chunked" else event)
            if number and how.die == "half":
                self.transport.close()
                return
            await asyncio.sleep(how.pace)
            await self.paused.wait()
        if how.framing == "chunked":
            self._send(seen, b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(event: Any, how: Behaviour) -> bytes:
    text = event if isinstance(event, str) else json.dumps(event)
    end = how.newline * 2
    return f"data: {text}{end}".encode()


def _usage(how: Behaviour) -> dict[str, int]:
    return {"prompt_tokens": 7, "completion_tokens": how.tokens, "total_tokens": 7 + how.tokens}


def _base(seen: Seen, name: str) -> dict[str, Any]:
    model = seen.body.get("model", "") if isinstance(seen.body, dict) else ""
    return {"id": f"double-{seen.connection}", "created": 1, "model": model, "system_fingerprint": f"{name}, no model"}


def _document(seen: Seen, how: Behaviour, name: str) -> dict[str, Any]:
    used = {"usage": _usage(how)} if how.usage else {}
    text = WORD * how.tokens + "x" * how.padding
    if seen.target.startswith("/v1/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.5] * 8}]
        return {**_base(seen, name), "object": "list", **used, "data": data}
    if seen.target.startswith("/v1/completions"):
        choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": "length"}
        return {**_base(seen, name), "object": "text_completion", "choices": [choice], **used}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}
    return {**_base(seen, name), "object": "chat.completion", "choices": [choice], **used}


def _events(seen: Seen, how: Behaviour, name: str) -> Iterator[Any]:
    chat = not seen.target.startswith("/v1/completions")
    base = {**_base(seen, name), "object": "chat.completion.chunk" if chat else "text_completion"}
    text = WORD + "x" * how.padding
    for _ in range(how.tokens):
        choice = {"delta": {"content": text}} if chat else {"text": text}
        yield {**base, "choices": [{"index": 0, "finish_reason": None, **choice}]}
    if how.usage:
        yield {**base, "choices": [], "usage": _usage(how)}
    yield "[DONE]"


class ModelServer:
    """The double in a thread of its own, on a free port of the loopback, until `close`."""

    def __init__(self, name: str = "double", port: int = 0, **behaviour: Any) -> None:
        self.record = Record(name, Behaviour(**behaviour))
        self._loop = asyncio.new_event_loop()
        started: threading.Event = threading.Event()
        self.port = port
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        async def listen() -> None:
            self._server = await self._loop.create_server(lambda: Answering(self.record), "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

        self._loop.run_until_complete(listen())
        started.set()
        self._loop.run_forever()
        self._loop.close()

    @property
    def requests(self) -> list[Seen]:
        """What it was asked, in order."""
        return self.record.requests

    def behave(self, **changes: Any) -> None:
        """Changes its own behaviour from the next request on."""
        self.record.behaviour = dataclasses.replace(self.record.behaviour, **changes)

    def close(self) -> None:
        """Closes the port and every connection, as a killed process does."""
        if not self._thread.is_alive():
            return

        async def end() -> None:
            self._server.close()
            tasks = [task for connection in self.record.connections for task in connection.tasks]
            for connection in tuple(self.record.connections):
                connection.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # One more round, in which the connections are told.
            await asyncio.sleep(0)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: Answering(Record()), "127.0.0.1", port)
    sys.stderr.write(f"a double of a model server, no model, on 127.0.0.1:{port}\n")
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1])))
