"""Ray Serve's REST API on a head's dashboard (docs.ray.io, "Serve REST API"), and its HTTP proxy's list of routes.

What is put is the whole of what is to run: Serve ends what was put before and is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from bandari.serving.supervisor.ray.dashboard import Away, Declined

PATIENCE = 60.0
"""Seconds for one answer: the first PUT starts Serve itself."""
_GLANCE = 10.0
_APPLICATIONS = "/api/serve/applications/"
_LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Application:
    """An application as Serve tells it."""

    name: str
    status: str
    """NOT_STARTED, DEPLOYING, DEPLOY_FAILED, RUNNING, UNHEALTHY or DELETING."""
    reason: str = ""
    """Why it is not RUNNING, in one line."""
    replicas: int = 0
    target: int = 0
    serving: bool = False
    """Whether each of its deployments has a running replica."""


class ServeApi:
    """Requests to one head. Every call raises Away when it does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.AsyncClient(timeout=PATIENCE, trust_env=False)

    async def put(self, config: Mapping[str, Any]) -> None:
        """Deploys; Declined when Serve does not take it."""
        answer = await self._ask("PUT", self.url + _APPLICATIONS, json=dict(config))
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise Declined(in_words(answer.text), final=True)
        if answer.is_error:
            raise Away(in_words(answer.text))

    async def applications(self) -> dict[str, Application]:
        """All that run, by name; none while Serve was not started."""
        told = self._json(await self._ask("GET", self.url + _APPLICATIONS, timeout=_GLANCE))
        return {name: _application(name, details) for name, details in (told.get("applications") or {}).items()}

    async def routes(self, host: str, port: int) -> frozenset[str]:
        """The route prefixes that the HTTP proxy knows; none while it does not answer."""
        try:
            return frozenset(self._json(await self._ask("GET", f"http://{host}:{port}/-/routes", timeout=_GLANCE)))
        except Away:
            return frozenset()

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    async def _ask(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        try:
            return await self._client.request(method, url, **arguments)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Away(f"{type(error).__name__}: {error}") from error

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if answer.is_error:
            raise Away(in_words(answer.text))
        try:
            return answer.json()
        except ValueError as error:
            raise Away(f"no JSON: {error}") from error


def _application(name: str, details: Mapping[str, Any]) -> Application:
    deployments: Sequence[Mapping[str, Any]] = list((details.get("deployments") or {}).values())
    running = [_running(deployment) for deployment in deployments]
    words = [str(details.get("message") or ""), *(str(deployment.get("message") or "") for deployment in deployments)]
    status = str(details.get("status", ""))
    return Application(
        name=name,
        status=status,
        reason="" if status == "RUNNING" else next((in_words(text) for text in words if text.strip()), ""),
        replicas=sum(running),
        target=sum(int(deployment.get("target_num_replicas") or 0) for deployment in deployments),
        serving=bool(running) and all(running) and status in {"RUNNING", "UNHEALTHY", "DEPLOYING"},
    )


def _running(deployment: Mapping[str, Any]) -> int:
    return sum(replica.get("state") == "RUNNING" for replica in deployment.get("replicas") or ())


def in_words(text: str) -> str:
    """The line of a traceback or message that says what is wrong: its last one."""
    lines = [line.strip() for line in text.replace("\\n", "\n").splitlines() if line.strip()]
    return (lines[-1] if lines else "no reason given")[:_LONGEST_WORDS]
