"""The limits of a whole Ray cluster: how long it may be up, and how long it may be idle."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from bandari.serving.supervisor.ray.view import last_activity

if TYPE_CHECKING:
    from bandari.serving.supervisor.ray.engine import RayEngine

_PERIOD = 5.0


class Lifetime:
    """Of one cluster. `idle_since` is Unix time; 0: it is at work, or nobody knows."""

    def __init__(self, engine: RayEngine) -> None:
        self.engine = engine
        self.idle_since = 0.0
        self._asked = 0.0

    def over(self, now: float, *, in_use: bool) -> str:
        """Why the cluster is to end; empty while it is not. `in_use`: a service or a schedule needs it."""
        body, since = self.engine.body, self.engine.ready_since
        if body is None or not since:
            return ""
        if body.uptime_limit and now - since >= body.uptime_limit:
            return f"was up for its limit of {body.uptime_limit:g} s"
        if not body.idle_limit or in_use:
            self.idle_since = 0.0
            return ""
        if self.engine.dashboard and now - self._asked >= min(_PERIOD, body.idle_limit / 2):
            self._asked = now
            self.engine.chores.spawn(self._ask())
        if self.idle_since and now - max(self.idle_since, since) >= body.idle_limit:
            return f"was idle for its limit of {body.idle_limit:g} s"
        return ""

    async def _ask(self) -> None:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            active, last = await last_activity(self.engine.dashboard)
            if active:
                self.idle_since = 0.0
            else:
                self.idle_since = max(last, self.idle_since) or time.time()
