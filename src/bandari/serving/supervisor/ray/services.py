"""Services of Ray Serve: each version deployed beside the last one, its traffic moved in steps by the gateway.

`rollout` decides, `Deployments` talk to Serve; here the two meet once a second. Where each rollout stands is on disk,
so a supervisor that starts anew goes on with it; a head that starts anew is told again what Serve does not know.

Each version names its Ray cluster, so a service that moves to another one takes its traffic there in the same steps.
A changed image or compute config of a cluster is the nodes' business: they roll within the one cluster, and the service
is away (503) for as long as its head restarts.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bandari.serving.protocol import PartStatus, ReplicaStatus, ServiceLoad, ServiceTable, ServiceVersion, plain
from bandari.serving.ray import rollout
from bandari.serving.ray.bodies import RayServiceBody, RayVerb
from bandari.serving.ray.rollout import Rollout, Rules, Seen
from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.control import Refused
from bandari.serving.supervisor.ray import packing
from bandari.serving.supervisor.ray.dashboard import Away
from bandari.serving.supervisor.ray.deployments import Deployments, Key
from bandari.serving.supervisor.ray.part import Engine
from bandari.serving.supervisor.ray.services_file import Kept, ServicesFile, Version

_log = logging.getLogger(__name__)
KIND = "rayservice"
_GATEWAYS_OWN = ("/v1", "/healthz", "/metrics")


class Services:
    """`engine` finds a Ray cluster by its name; `now` is Unix time."""

    kinds = frozenset({KIND})
    verbs: frozenset[RayVerb] = frozenset()

    def __init__(
        self, cluster: Cluster, engine: Callable[[str], Engine | None], now: Callable[[], float] = time.time
    ) -> None:
        self.file = ServicesFile(cluster.folder)
        self.changed = cluster.changed
        self._engine = engine
        self._now = now
        self._deployments: dict[str, Deployments] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._loads: dict[str, ServiceLoad] = {}
        self._trouble: dict[str, str] = {}
        """Why a Ray cluster's Serve says nothing."""
        self._packing = 0
        self._stopping = False

    # --- Part

    def check(self, name: str, body: RayServiceBody) -> None:
        """Refused when a route of it is another's."""
        taken = {app.route_prefix: other for other, app in self._routes() if other != name}
        for app in body.applications:
            route = app.route_prefix.rstrip("/") or "/"
            own = next((own for own in _GATEWAYS_OWN if route == own or route.startswith(f"{own}/")), "")
            if own:
                raise Refused(f'cannot serve "{name}" at "{route}": {own} is the gateway\'s own', "take another route")
            if other := taken.get(app.route_prefix):
                fix = "give one of them another route_prefix"
                raise Refused(f'cannot serve "{name}" at "{route}": service "{other}" is there', fix)

    def _routes(self) -> Iterator[tuple[str, Any]]:
        for name, kept in self.file.services.items():
            for app in kept.body.applications if kept.body else ():
                yield name, app

    def apply(self, kind: str, name: str, body: Any, outputs: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Another version begins its rollout; anything else of the service holds at once."""
        assert isinstance(body, RayServiceBody)
        kept = self.file.services.get(name, Kept())
        fresh = Version(body.cluster, body.applications, dict(body.options))
        version = _version(body, kept, fresh)
        versions = {version: fresh, **kept.versions}
        state = rollout.want(kept.rollout, version, self._now())
        if state != kept.rollout:
            _log.info("%s: version %s is wanted", name, version)
        self._keep(name, replace(kept, rollout=state, versions=versions, body=body))

    def delete(self, kind: str, name: str) -> None:  # noqa: ARG002
        """Its routes end at once, its applications when they have answered what they have."""
        if kept := self.file.services.get(name):
            self._keep(name, replace(kept, rollout=rollout.removed(kept.rollout, self._now()), body=None))

    async def answer(self, cluster: str, verb: RayVerb, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Nothing is asked of services."""
        raise AssertionError(f"{verb} of {cluster} is no verb of services: {body}")

    def settle(self, *, stopping: bool) -> None:
        """Nothing is looked at while all is taken down; what runs ends with its Ray cluster."""
        if stopping and not self._stopping:
            self._stopping = True
            self.file.remove()
            for task in self._looks.values():
                task.cancel()

    def beat(self, now: float) -> None:  # noqa: ARG002 - rollouts go by the clock on the wall
        """Looks at each Ray cluster that has a service, or had one."""
        if self._stopping:
            return
        for name in {*self.file.clusters, *(version.cluster for _, version in self._versions())}:
            if name not in self._looks and (found := self._reached(name)):
                self._looks[name] = asyncio.create_task(self._look(name, found))
                self._looks[name].add_done_callback(functools.partial(self._looked, name))
        self._advance()

    def status(self) -> Iterable[PartStatus]:
        """One line for each service that is applied."""
        return [self._line(name, kept, kept.body) for name, kept in sorted(self.file.services.items()) if kept.body]

    @property
    def done(self) -> bool:
        """Whether nothing is being asked."""
        return not self._looks and not self._closing

    async def aclose(self) -> None:
        """Lets go; what is deployed stays."""
        for task in self._looks.values():
            task.cancel()
        await asyncio.gather(*self._looks.values(), *self._closing, return_exceptions=True)
        for found in self._deployments.values():
            await found.aclose()

    # --- the gateway

    def tables(self) -> tuple[ServiceTable, ...]:
        """One for each route of each service."""
        return tuple(
            table
            for name, kept in sorted(self.file.services.items())
            if kept.body
            for table in self._tables(name, kept, kept.body)
        )

    def _tables(self, name: str, kept: Kept, body: RayServiceBody) -> Iterator[ServiceTable]:
        seen = self._seen(name, kept)
        shares = rollout.weights(kept.rollout, _rules(body), seen)
        told: dict[str, list[ServiceVersion]] = {app.route_prefix: [] for app in body.applications}
        for version, weight in shares.items():
            found = kept.versions[version]
            engine = self._engine(found.cluster)
            if engine is None or not seen[version].serving:
                continue
            key, (host, port) = Key(name, version), engine.serve
            for app in found.applications:
                place = ServiceVersion(version, host, port, key.path(app.route_prefix), weight)
                told.setdefault(app.route_prefix, []).append(place)
        for prefix, versions in told.items():
            yield ServiceTable(name, prefix, tuple(versions), body.public)

    def loads(self, told: Sequence[Mapping[str, ServiceLoad]]) -> None:
        """What each gateway counted. What none speaks of any more has nothing under way, and was counted before."""
        for name in {name for loads in told for name in loads}:
            parts = [loads[name] for loads in told if name in loads]
            self._loads[name] = ServiceLoad(
                sum(part.in_flight for part in parts),
                sum(part.requests_total for part in parts),
                sum(part.failures_total for part in parts),
            )
        for name in self._loads:
            if not any(name in loads for loads in told):
                self._loads[name] = replace(self._loads[name], in_flight=0)

    # --- looking

    def _versions(self, cluster: str = "") -> Iterator[tuple[Key, Version]]:
        """What is to run, on one Ray cluster or on all."""
        for name, kept in self.file.services.items():
            for version in kept.rollout.present:
                found = kept.versions[version]
                if cluster in {"", found.cluster}:
                    yield Key(name, version), found

    def _reached(self, cluster: str) -> Deployments | None:
        """The deployments of a Ray cluster that answers now. Another start of its head begins anew."""
        engine = self._engine(cluster)
        if engine is None or engine.body is None:
            self._forget(cluster)
            return None
        known = self._deployments.get(cluster)
        if known and known.epoch != engine.epoch:
            self._forget(cluster)
            known = None
        if not engine.dashboard:
            return None
        if known is None:
            known = self._deployments[cluster] = Deployments(engine, self.file.folder)
        return known

    def _forget(self, cluster: str) -> None:
        if known := self._deployments.pop(cluster, None):
            task = asyncio.get_running_loop().create_task(known.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        if self._engine(cluster) is None and cluster in self.file.clusters:
            self.file.clusters.discard(cluster)
            self.file.write()

    async def _look(self, cluster: str, found: Deployments) -> None:
        for key, version in list(self._versions(cluster)):
            if version.environments is None and found.can_be_packed(key):
                await self._pack(key, version, found)
        versions = dict(self._versions(cluster))
        if versions and cluster not in self.file.clusters:
            self.file.clusters.add(cluster)
            self.file.write()
        try:
            await found.look(versions)
            self._trouble.pop(cluster, None)
        except Away as away:
            self._trouble[cluster] = str(away)
            return
        self._note(found)
        if not versions and not list(self._versions(cluster)):
            self.file.clusters.discard(cluster)
            self.file.write()

    def _note(self, found: Deployments) -> None:
        """Writes which versions can answer: the next supervisor tells the gateway so before it has looked."""
        for name, kept in list(self.file.services.items()):
            now = {v: found.epoch for v in kept.versions if found.seen.get(Key(name, v), Seen()).serving}
            other = {v: epoch for v, epoch in kept.serving.items() if v in kept.versions and v not in now}
            others = {v: epoch for v, epoch in other.items() if Key(name, v) not in found.seen}
            self._keep(name, replace(kept, serving={**others, **now}))

    async def _pack(self, key: Key, version: Version, found: Deployments) -> None:
        self._packing += 1
        try:
            environments = await found.pack(key, version)
        finally:
            self._packing -= 1
        kept = self.file.services.get(key.service)
        if environments is not None and kept and kept.versions.get(key.version) is version:
            packed = {**kept.versions, key.version: replace(version, environments=environments)}
            self.file.keep(key.service, replace(kept, versions=packed))

    def _looked(self, cluster: str, task: asyncio.Task[None]) -> None:
        self._looks.pop(cluster, None)
        if not task.cancelled() and (bug := task.exception()):
            _log.error("%s: cannot look at its services", cluster, exc_info=bug)
        if not self._stopping:
            self._advance()
        self.changed()

    # --- deciding

    def _advance(self) -> None:
        for name, kept in list(self.file.services.items()):
            state = rollout.advance(kept.rollout, _rules(kept.body), self._seen(name, kept), self._now())
            if state != kept.rollout:
                _say(name, kept.rollout, state)
                self._keep(name, replace(kept, rollout=state))

    def _keep(self, name: str, kept: Kept) -> None:
        needed = {*kept.rollout.present, kept.rollout.failed}
        versions = {version: found for version, found in kept.versions.items() if version in needed}
        fresh = replace(kept, versions=versions)
        if fresh == self.file.services.get(name):
            return
        self.file.keep(name, fresh if fresh.body or versions else None)
        if not self._packing:
            environments = (e for _, v in self._versions() for e in (v.environments or {}).values())
            packing.sweep(self.file.folder, (name for e in environments for name in packing.addresses(e)))
        self.changed()

    def _seen(self, name: str, kept: Kept) -> dict[str, Seen]:
        return {version: self._sight(Key(name, version), kept) for version in kept.versions}

    def _sight(self, key: Key, kept: Kept) -> Seen:
        cluster = kept.versions[key.version].cluster
        found, engine = self._deployments.get(cluster), self._engine(cluster)
        seen = found.seen.get(key) if found else None
        if seen is None:
            served = engine is not None and engine.epoch == kept.serving.get(key.version)
            seen = Seen(serving=served, reason="" if served else "is being deployed")
        counted = kept.rollout if key.version == kept.rollout.coming else Rollout()
        load = self._loads.get(f"{key.service}@{key.version}", ServiceLoad(0, counted.requests, counted.failures))
        return replace(seen, in_flight=load.in_flight, requests=load.requests_total, failures=load.failures_total)

    # --- telling

    def _line(self, name: str, kept: Kept, body: RayServiceBody) -> PartStatus:
        seen, state = self._seen(name, kept), kept.rollout
        shares = rollout.weights(state, _rules(body), seen)
        main = state.current or state.coming
        at_work = self._deployments.get(body.cluster)
        running, target = at_work.replicas.get(Key(name, main), (0, 0)) if at_work else (0, 0)
        detail = tuple(self._detail(Key(name, version), seen[version], shares) for version in state.present)
        return PartStatus(
            KIND,
            name,
            _state(state, seen),
            running,
            max(target, 1),
            reason=self._reason(body, state, seen),
            detail=detail,
            in_flight=sum(found.in_flight for found in seen.values()),
            note=_note(state, shares, _rules(body)),
        )

    def _detail(self, key: Key, seen: Seen, shares: Mapping[str, int]) -> ReplicaStatus:
        if key.version not in shares:
            return ReplicaStatus(f"{key.service}@{key.version}", "draining", reason=f"{seen.in_flight} requests left")
        state = "ready" if seen.ready else "unready" if seen.failed else "starting"
        return ReplicaStatus(f"{key.service}@{key.version}", state, reason=seen.reason)

    def _reason(self, body: RayServiceBody, state: Rollout, seen: Mapping[str, Seen]) -> str:
        if state.failed and state.current:
            return f'version "{state.failed}" was taken back: {state.reason}; "{state.current}" serves'
        if state.failed:
            return f'version "{state.failed}" does not come up: {state.reason}'
        found = seen.get(state.coming or state.current, Seen())
        if found.ready:
            return ""
        engine = self._engine(body.cluster)
        if engine is None or not engine.dashboard:
            return f'waits for Ray cluster "{body.cluster}"'
        return found.reason or self._trouble.get(body.cluster, "") or "is being deployed"


def _rules(body: RayServiceBody | None) -> Rules:
    if body is None:
        return Rules()
    return Rules(body.steps, body.step_seconds, body.timeout, body.max_failures)


def _version(body: RayServiceBody, kept: Kept, fresh: Version) -> str:
    """The name of a version: as given, or a digest. Other applications under a name that is taken get a name of their
    own, so that they come up beside the old ones, too.
    """
    digest = hashlib.sha256(json.dumps(plain(fresh), sort_keys=True).encode()).hexdigest()
    name = body.version or digest[:8]
    for known, found in kept.versions.items():
        if replace(found, environments=None) == fresh and known in {name, f"{name}-{digest[:6]}"}:
            return known
    return f"{name}-{digest[:6]}" if name in kept.versions else name


def _state(state: Rollout, seen: Mapping[str, Seen]) -> str:
    if state.failed:
        return "reverted" if state.current else "failed"
    if state.coming or not state.current:
        return "starting"
    return "ready" if seen[state.current].serving else "unready"


def _note(state: Rollout, shares: Mapping[str, int], rules: Rules) -> str:
    words = ", ".join(f"{version} {share} %" for version, share in shares.items() if share) or "no version serves"
    if state.coming and state.current:
        step = "waits for its health" if state.step == rollout.WAITING else f"step {state.step + 1}"
        return f"{words}; {state.coming}: {step} of {len(rules.ladder)}"
    return words


def _say(name: str, before: Rollout, after: Rollout) -> None:
    if after.failed and after.failed != before.failed:
        _log.warning("%s: version %s is taken back: %s", name, after.failed, after.reason)
    elif after.current != before.current:
        _log.info("%s: version %s has all of the traffic", name, after.current)
    elif after.step != before.step:
        _log.info("%s: version %s: step %s", name, after.coming, after.step + 1)
