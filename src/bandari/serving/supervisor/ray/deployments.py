"""What one Ray cluster's Serve is told to run, and what it says of it.

Serve takes the union of all versions of all services as one config, so one version that it refuses would hold up the
others: then each new one is put alone with those that it took. Each version is a set of applications of its own, called
`<service>.<application>--<version>`, below `/<service>/<version>`, so versions stand side by side on one proxy.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandari.serving.ray.bodies import RayApplicationBody
from bandari.serving.ray.rollout import Seen
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray import packing
from bandari.serving.supervisor.ray.dashboard import Declined
from bandari.serving.supervisor.ray.part import Engine
from bandari.serving.supervisor.ray.serve import Application, ServeApi
from bandari.serving.supervisor.ray.services_file import Version

_log = logging.getLogger(__name__)
_AGAIN = 5.0
"""Seconds between two PUTs for what does not appear."""
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_FAILED = frozenset({"DEPLOY_FAILED", "UNHEALTHY"})
_OURS = frozenset({"host", "port", "root_path", "ssl_keyfile", "ssl_certfile", "ssl_keyfile_password", "ssl_ca_certs"})
"""HTTP options that are the gateway's business here."""


@dataclass(frozen=True, slots=True)
class Key:
    """One version of one service."""

    service: str
    version: str

    @property
    def slug(self) -> str:
        """The version as a part of a path."""
        safe = _ODD.sub("-", self.version)
        return safe if safe == self.version else f"{safe}-{hashlib.sha256(self.version.encode()).hexdigest()[:4]}"

    def application(self, name: str) -> str:
        """Serve's name of one of its applications."""
        return f"{self.service}.{name}--{self.slug}"

    def path(self, route: str) -> str:
        """Where Serve answers for a route of it."""
        return f"/{self.service}/{self.slug}{route.rstrip('/')}"


class Deployments:
    """Of one Ray cluster, for one start of its head. `replicas` of each version: running, wanted."""

    def __init__(self, engine: Engine, packages: Path) -> None:
        self.epoch = engine.epoch
        self.replicas: dict[Key, tuple[int, int]] = {}
        self.seen: dict[Key, Seen] = {}
        self._api = ServeApi(engine.dashboard)
        self._proxy = engine.serve
        self._packages = packages
        self._accepted: dict[Key, float] = {}
        self._declined: dict[Key, str] = {}
        self._put: frozenset[Key] | None = None
        self._put_at = 0.0
        self._routes: frozenset[str] = frozenset()

    async def look(self, versions: Mapping[Key, Version]) -> None:
        """Deploys what is missing, ends what is wanted no more, asks how all of it is; Away when Serve is silent."""
        told = await self._api.applications()
        await self._deploy(versions, told)
        paths = {key.path(app.route_prefix) for key, version in versions.items() for app in version.applications}
        self._routes &= paths
        if not paths <= self._routes:
            self._routes = await self._api.routes(*self._proxy)
        self.seen = {key: self._judged(key, version, told) for key, version in versions.items()}

    async def pack(self, key: Key, version: Version) -> dict[str, dict[str, Any]] | None:
        """Environments of a version, with packages for its folders; None, and it is declined, when one is absent."""
        try:
            return {
                app.name: await asyncio.to_thread(packing.packed, app.config.get("runtime_env") or {}, self._packages)
                for app in version.applications
            }
        except Refused as refused:
            self._declined[key] = str(refused)
            self.seen[key] = Seen(failed=True, reason=str(refused))
            return None

    def can_be_packed(self, key: Key) -> bool:
        """Whether it is worth trying."""
        return key not in self._declined

    async def aclose(self) -> None:
        """Ends the connections."""
        await self._api.aclose()

    # --- deploying

    async def _deploy(self, versions: Mapping[Key, Version], told: Mapping[str, Application]) -> None:
        self._accepted = {key: at for key, at in self._accepted.items() if key in versions}
        wanted = [
            key for key, found in versions.items() if key not in self._declined and found.environments is not None
        ]
        names = {key.application(app.name) for key in wanted for app in versions[key].applications}
        same = self._put == frozenset(wanted)
        if same and (names <= told.keys() or time.monotonic() - self._put_at < _AGAIN):
            return
        if not wanted and self._put is None and not told:
            self._put = frozenset()
            return
        self._put_at = time.monotonic()
        try:
            await self._send(wanted, versions)
        except Declined as declined:
            fresh = [key for key in wanted if key not in self._accepted]
            if len(fresh) == 1:
                self._decline(fresh[0], declined)
            else:
                await self._one_by_one(fresh, versions)
            # What is left of it is put by the next look.
            self._put = None

    async def _one_by_one(self, fresh: Sequence[Key], versions: Mapping[Key, Version]) -> None:
        for key in fresh:
            try:
                await self._send([*self._accepted, key], versions)
            except Declined as declined:
                self._decline(key, declined)

    def _decline(self, key: Key, declined: Declined) -> None:
        _log.warning("%s: Serve refuses version %s: %s", key.service, key.version, declined)
        self._declined[key] = f"Serve refuses it: {declined}"

    async def _send(self, keys: Sequence[Key], versions: Mapping[Key, Version]) -> None:
        _log.info("deploys %s", ", ".join(f"{key.service}@{key.version}" for key in keys) or "nothing any more")
        await self._api.put(self._config({key: versions[key] for key in keys}))
        now = time.time()
        self._accepted |= {key: now for key in keys if key not in self._accepted}
        self._put = frozenset(keys)

    def _config(self, versions: Mapping[Key, Version]) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for version in versions.values():
            options = {**version.options, **options}
        given = options.get("http_options") or {}
        http = {name: value for name, value in given.items() if name not in _OURS}
        host, port = self._proxy
        config: dict[str, Any] = {
            "proxy_location": "HeadOnly",
            "http_options": {**http, "host": host, "port": port},
            "applications": [
                _application(key, app, (version.environments or {}).get(app.name) or {})
                for key, version in versions.items()
                for app in version.applications
            ],
        }
        if tracing := options.get("tracing_config"):
            config["tracing_config"] = tracing
        return config

    # --- what Serve says

    def _judged(self, key: Key, version: Version, told: Mapping[str, Application]) -> Seen:
        if reason := self._declined.get(key):
            return Seen(failed=True, reason=reason)
        names = [key.application(app.name) for app in version.applications]
        found = [told[name] for name in names if name in told]
        deployed_at = self._accepted.get(key)
        if len(found) < len(names) or deployed_at is None:
            return Seen(reason="is being deployed", deployed_at=deployed_at)
        self.replicas[key] = (sum(app.replicas for app in found), sum(app.target for app in found))
        routed = all(key.path(app.route_prefix) in self._routes for app in version.applications)
        bad = [app for app in found if app.status != "RUNNING"]
        words = "; ".join(f"{app.name.partition('--')[0]} is {app.status}: {app.reason}".rstrip(": ") for app in bad)
        return Seen(
            ready=routed and not bad,
            serving=routed and all(app.serving for app in found),
            failed=any(app.status in _FAILED for app in bad),
            reason=words or ("" if routed else "its routes are not known to Serve's proxy yet"),
            deployed_at=deployed_at,
        )


def _application(key: Key, app: RayApplicationBody, environment: Mapping[str, Any]) -> dict[str, Any]:
    config = {**app.config, "name": key.application(app.name), "route_prefix": key.path(app.route_prefix)}
    config.pop("runtime_env", None)
    if environment:
        config["runtime_env"] = dict(environment)
    return config
