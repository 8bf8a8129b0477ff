"""Closed-loop load: `python -m benchmarks.load`, in a process of its own, says what it saw as one line of JSON.

Each connection sends a request, takes the whole answer, sends the next. After `--seconds` or `--requests` nothing new
is sent, and what is under way is taken to its end, so that the CPU which the other side spends belongs to counted
requests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import httptools
import uvloop

from benchmarks.figures import percentile

LONGEST = 60.0


@dataclass(slots=True)
class Seen:
    """Seconds of each request: to its last byte, and to the first byte of its body."""

    whole: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    failed: int = 0
    reopened: int = 0
    """Kept connections that the server had closed, so that the request went out once more on a fresh one."""


class Load:
    """When to stop, and what was seen."""

    def __init__(self, request: bytes, port: int, *, seconds: float, requests: int, connections: int) -> None:
        self.request = request
        self.port = port
        self.opening: set[asyncio.Task[None]] = set()
        self.seen = Seen()
        self.left = requests or 1 << 60
        self.busy = connections
        self.over = asyncio.Event()
        self.until = time.perf_counter() + (seconds or LONGEST)

    async def open(self, began: float = 0.0) -> None:
        """One more connection, to go on with a request that `began` on another."""
        await asyncio.get_running_loop().create_connection(lambda: Asking(self, began), "127.0.0.1", self.port)

    def reopen(self, began: float) -> None:
        """In place of one that the server has closed."""
        self.seen.reopened += 1
        task = asyncio.get_running_loop().create_task(self.open(began))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    def next(self) -> bool:
        """Whether one more is to be sent."""
        if self.left > 0 and time.perf_counter() < self.until:
            self.left -= 1
            return True
        self.rest()
        return False

    def rest(self) -> None:
        """A connection is done."""
        self.busy -= 1
        if not self.busy:
            self.over.set()


class Asking(asyncio.Protocol):
    """One connection. `began` is 0 while nothing is under way."""

    def __init__(self, load: Load, began: float) -> None:
        self.load = load
        self.began = began
        self.first = 0.0
        self.answers = 0
        self.fresh = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpResponseParser(self)
        if self.began:
            self.transport.write(self.load.request)
        else:
            self.ask()

    def ask(self) -> None:
        self.began = self.first = 0.0
        if self.load.next():
            self.began = time.perf_counter()
            self.fresh = True
            self.transport.write(self.load.request)
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.fresh = False
        self.parser.feed_data(data)

    def on_body(self, _part: bytes) -> None:
        self.first = self.first or time.perf_counter()

    def on_message_complete(self) -> None:
        seen = self.load.seen
        if self.parser.get_status_code() == 200:
            seen.whole.append(time.perf_counter() - self.began)
            seen.first.append(self.first - self.began)
        else:
            seen.failed += 1
        self.answers += 1
        self.ask()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.began:
            return
        if self.answers and self.fresh:
            self.load.reopen(self.began)
        else:
            self.load.seen.failed += 1
            self.load.rest()


async def drive(options: argparse.Namespace) -> dict[str, float]:
    """All connections at once; the result as numbers."""
    body = options.body.encode()
    head = f"POST {options.path} HTTP/1.1\r\nHost: 127.0.0.1:{options.port}\r\nContent-Type: application/json\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    limits = {"seconds": options.seconds, "requests": options.requests, "connections": options.connections}
    load = Load(request, options.port, **limits)
    began = time.perf_counter()
    await asyncio.gather(*(load.open() for _ in range(options.connections)))
    await asyncio.wait_for(load.over.wait(), LONGEST)
    return summed(load.seen, time.perf_counter() - began)


def summed(seen: Seen, seconds: float) -> dict[str, float]:
    """Counts, requests a second, and percentiles in seconds."""
    return {
        "requests": len(seen.whole),
        "failed": seen.failed,
        "reopened": seen.reopened,
        "per_second": len(seen.whole) / seconds,
        "p50": percentile(seen.whole, 0.5),
        "p99": percentile(seen.whole, 0.99),
        "first_p50": percentile(seen.first, 0.5),
        "first_p99": percentile(seen.first, 0.99),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/v1/chat/completions")
    parser.add_argument("--body", required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--requests", type=int, default=0)
    print(json.dumps(uvloop.run(drive(parser.parse_args(arguments)))))


if __name__ == "__main__":
    main()
