"""What a head tells of its cluster: which nodes are alive. Asked once a second through the dashboard's REST API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import httpx

_PERIOD = 1.0
_EAGER = 0.3
_PATIENCE = 10.0


class View:
    """Looks while it is open. `told` is called with the node ids by address whenever the head has answered."""

    def __init__(self, told: Callable[[Mapping[str, str]], None]) -> None:
        self._told = told
        self._task: asyncio.Task[None] | None = None
        self._url = ""
        self.eager = False
        """Whether somebody waits for an answer."""

    def open(self, url: str) -> None:
        """Looks at a dashboard, and no more at the one before."""
        if url == self._url and self._task and not self._task.done():
            return
        self.close()
        self._url = url
        self._task = asyncio.create_task(self._look())

    def close(self) -> None:
        """Looks no more."""
        if self._task:
            self._task.cancel()
        self._task, self._url = None, ""

    async def aclose(self) -> None:
        """The same, and waits for it."""
        task = self._task
        self.close()
        if task:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
            while True:
                nodes = None
                with contextlib.suppress(httpx.HTTPError, ValueError, KeyError, TypeError):
                    nodes = await alive(client, self._url)
                if nodes is not None:
                    self._told(nodes)
                await asyncio.sleep(_EAGER if self.eager else _PERIOD)


async def alive(client: httpx.AsyncClient, url: str) -> Mapping[str, str]:
    """Ids of the nodes that the head counts as alive, by their address."""
    answer = await client.get(f"{url}/api/v0/nodes", params={"detail": "1", "limit": "10000"})
    answer.raise_for_status()
    rows = answer.json()["data"]["result"]["result"]
    return {str(row["node_ip"]): str(row["node_id"]) for row in rows if row["state"] == "ALIVE"}


async def last_activity(url: str) -> tuple[bool, float]:
    """Whether drivers are at work on the cluster, and when the last one was (Unix time, 0: none yet); OSError when the
    head does not say.
    """
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
            answer = await client.get(f"{url}/api/component_activities")
            answer.raise_for_status()
            told: Mapping[str, Any] = answer.json()["driver"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise OSError(str(error)) from error
    active = str(told.get("is_active", "")).upper() != "INACTIVE"
    return active, float(told.get("last_activity_at") or 0.0)
