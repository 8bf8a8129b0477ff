"""A model server without a model: `python -m benchmarks.upstream PORT...`, as lean as Python gets, so that the proxy
before it is the bottleneck.

Answers a POST with fixed JSON of about 350 bytes, or, when the body asks for a stream, with `max_tokens` events of one
word; the first comes at once, the others `metadata.pace` seconds apart. GET answers at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, cast

import httptools
import uvloop

ANSWER = json.dumps(
    {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "A harbour is where ships find shelter from the sea."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 11, "total_tokens": 23},
    }
).encode()
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


EVENT = chunk(
    b'data: {"id":"chatcmpl-benchmark","object":"chat.completion.chunk","created":1700000000,"model":"tiny",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
END = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        body, self.body = self.body, b""
        if b'"stream": true' not in body:
            self.transport.write(JSON)
            return
        asked: dict[str, Any] = json.loads(body)
        self.transport.write(HEAD + EVENT)
        self.go_on(int(asked["max_tokens"]) - 1, float(asked["metadata"]["pace"]))

    def go_on(self, left: int, pace: float) -> None:
        if self.transport.is_closing():
            return
        if not left:
            self.transport.write(END)
            return
        asyncio.get_running_loop().call_later(pace, self._event, left, pace)

    def _event(self, left: int, pace: float) -> None:
        self.transport.write(EVENT)
        self.go_on(left - 1, pace)


async def serve(ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    for port in ports:
        await loop.create_server(Answering, "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([int(word) for word in sys.argv[1:]]))
