"""The jobs API of a head's dashboard (docs.ray.io, "Ray Jobs REST API"), as far as it is needed to run jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

PATIENCE = 30.0
"""Seconds for one answer; a busy head takes its time, and a submission waits for its agent."""
_LONGEST_WORDS = 500


class Away(Exception):  # noqa: N818 - reads as the sentence it is
    """The dashboard does not answer, or not now: nothing is known of what was asked."""


class Declined(Exception):  # noqa: N818
    """The dashboard answered that it cannot be done, in one line; `final` when it will answer so again."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


@dataclass(frozen=True, slots=True)
class Seen:
    """A submission as Ray tells it; times are Unix time, 0 when there is none."""

    id: str
    state: str
    message: str = ""
    error: str = ""
    """Ray's JobErrorType."""
    entrypoint: str = ""
    exit_code: int | None = None
    node: str = ""
    """Ray's id of the node of its driver; empty before there is one."""
    started: float = 0.0
    ended: float = 0.0


class Dashboard:
    """Requests to one head. Every call raises Away when it does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False)

    async def submit(self, request: Mapping[str, Any]) -> None:
        """Starts a job under its `submission_id`; Declined when Ray does not take it."""
        answer = await self._ask("POST", "/api/jobs/", json=dict(request))
        if answer.is_error:
            # An agent's own 400 comes as the head's 500, with these words in it.
            final = answer.is_client_error or "status code 400" in answer.text
            raise Declined(_words(answer.text), final=final)

    async def job(self, submission: str) -> Seen | None:
        """A job; None when Ray does not know it."""
        answer = await self._ask("GET", f"/api/jobs/{submission}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return _seen(_data(answer))

    async def jobs(self) -> tuple[Seen, ...]:
        """All that were submitted, by whomever."""
        found = _data(await self._ask("GET", "/api/jobs/"))
        return tuple(_seen(item) for item in found if item.get("submission_id"))

    async def alive(self) -> frozenset[str]:
        """Ray's ids of the nodes that it counts as alive."""
        found = _data(await self._ask("GET", "/api/v0/nodes"))
        try:
            return frozenset(node["node_id"] for node in found["data"]["result"]["result"] if node["state"] == "ALIVE")
        except (KeyError, TypeError) as error:
            raise Away(f"no list of nodes: {error!r}") from error

    async def stop(self, submission: str) -> None:
        """Asks for the end of a job; one that is over or unknown is no trouble."""
        await self._ask("POST", f"/api/jobs/{submission}/stop")

    async def log(self, submission: str) -> str:
        """All that a job wrote."""
        return str(_data(await self._ask("GET", f"/api/jobs/{submission}/logs")).get("logs", ""))

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, **arguments)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Away(f"{type(error).__name__}: {error}") from error


def _data(answer: httpx.Response) -> Any:
    if answer.is_error:
        raise Away(_words(answer.text))
    try:
        return answer.json()
    except ValueError as error:
        raise Away(f"no JSON: {error}") from error


def _seen(item: Mapping[str, Any]) -> Seen:
    code = item.get("driver_exit_code")
    return Seen(
        id=str(item.get("submission_id") or ""),
        state=str(item["status"]),
        message=str(item.get("message") or ""),
        error=str(item.get("error_type") or ""),
        entrypoint=str(item.get("entrypoint") or ""),
        exit_code=code if isinstance(code, int) else None,
        node=str(item.get("driver_node_id") or ""),
        started=(item.get("start_time") or 0) / 1000,
        ended=(item.get("end_time") or 0) / 1000,
    )


def _words(text: str) -> str:
    """The last line of a traceback, which says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "no reason given")[:_LONGEST_WORDS]
