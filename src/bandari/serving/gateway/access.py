"""The access log: one line of JSON a request on standard output, without query strings, keys or bodies."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bandari.serving.gateway.exchange import Exchange
    from bandari.serving.gateway.replica import Replica


class AccessLog:
    """Collects lines and writes them a few times a second."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def write(self, exchange: Exchange, replica: Replica | None, now: float) -> None:
        """One request is over."""
        first = exchange.first_at - exchange.started if exchange.first_at else None
        line = {
            "time": round(time.time(), 3),
            "client": exchange.client.peer,
            "listener": "public" if exchange.client.public else "private",
            "method": exchange.method.decode(),
            "path": exchange.path,
            "model": exchange.model,
            "group": exchange.group.table.name if exchange.group else "",
            "replica": replica.id if replica else "",
            "status": exchange.status,
            "bytes": exchange.sent,
            "milliseconds": round((now - exchange.started) * 1000, 2),
            "first_token_milliseconds": None if first is None else round(first * 1000, 2),
            "held_milliseconds": round(exchange.held_for * 1000, 2),
        }
        self._lines.append(msgspec.json.encode(line))

    def flush(self) -> None:
        """Writes what was collected."""
        if self._lines:
            lines, self._lines = self._lines, []
            sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
            sys.stdout.buffer.flush()
