"""How a new version of a service takes the traffic of the old one, or gives it back: a state machine; pure.

A version is wanted; it comes up beside the current one; once healthy it gets the traffic in steps, each held for some
seconds; after the last it is the current one, and the old one goes when it has nothing left to answer. It is taken back
when it is not healthy in time, when it fails later, or when too many of its requests fail during a step. The first
version of a service has nothing to go back to: it stays, and serves as soon as it can.

The supervisor keeps `Rollout` on disk and asks `advance` once a second; what is `present` must run, and the `weights`
go to the gateway. Times are seconds of one clock of the caller's that goes on over restarts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

WAITING = -1
"""Step of a version that gets no traffic yet."""
_ENOUGH = 20
"""Requests from which a step need not be over to see that too many fail."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`steps` are percent; see `RayServiceBody`."""

    steps: tuple[int, ...] = (10, 50, 100)
    step_seconds: float = 10.0
    timeout: float = 600.0
    max_failures: float = 0.05
    """Share of the requests of a step."""
    settle: float = 3.0
    """Seconds until every gateway has surely told of a version without traffic what it still has."""
    drain: float = 30.0
    """Longest time that an old version may finish its requests."""

    @property
    def ladder(self) -> tuple[int, ...]:
        """The steps in their order, the last one 100."""
        return (*sorted({step for step in self.steps if 0 < step < 100}), 100)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a version now. Counts are of requests since some gateway started."""

    ready: bool = False
    """All of it is healthy."""
    serving: bool = False
    """It can answer, if only in part."""
    failed: bool = False
    """It will not become healthy by waiting."""
    reason: str = ""
    deployed_at: float | None = None
    """When it was handed over; None: not yet."""
    in_flight: int = 0
    requests: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where a service stands: versions by name, empty for none."""

    current: str = ""
    coming: str = ""
    step: int = WAITING
    since: float = 0.0
    """When the step began."""
    requests: int = 0
    failures: int = 0
    """Of the coming version when the step began."""
    leaving: Mapping[str, float] = field(default_factory=dict)
    """Versions without traffic, and since when."""
    failed: str = ""
    reason: str = ""
    """The version that was taken back last, and why."""

    @property
    def present(self) -> tuple[str, ...]:
        """All versions that run."""
        return tuple(dict.fromkeys(name for name in (self.current, self.coming, *self.leaving) if name))


def want(state: Rollout, version: str, now: float) -> Rollout:
    """A version is asked for. What was asked for before and failed is not tried again until another one was wanted."""
    if version in {state.coming or state.current, state.failed} or not version:
        return state
    coming = "" if version == state.current else version
    leaving = {name: at for name, at in state.leaving.items() if name != version}
    if state.coming:
        leaving[state.coming] = now
    return Rollout(state.current, coming, WAITING, now, leaving=leaving)


def removed(state: Rollout, now: float) -> Rollout:
    """The service is wanted no more: all of its versions go."""
    going = {name: now for name in (state.current, state.coming) if name}
    return Rollout(leaving={**going, **state.leaving})


def advance(state: Rollout, rules: Rules, seen: Mapping[str, Seen], now: float) -> Rollout:
    """One look: at most one step forward or back."""
    state = _drained(state, rules, seen, now)
    if not state.coming:
        return state
    found = seen.get(state.coming, Seen())
    if state.step == WAITING:
        return _waited(state, rules, found, now)
    if found.failed:
        return _taken_back(state, found.reason or "it is not healthy any more", now)
    state = _recounted(state, found)
    if _too_many(state, rules, found, over=now - state.since >= rules.step_seconds):
        failures, requests = found.failures - state.failures, found.requests - state.requests
        return _taken_back(state, f"{failures} of its {requests} requests failed", now)
    if now - state.since < rules.step_seconds:
        return state
    if state.step + 1 < len(rules.ladder):
        return _stepped(state, state.step + 1, found, now)
    return Rollout(state.coming, leaving={**state.leaving, state.current: now})


def _waited(state: Rollout, rules: Rules, found: Seen, now: float) -> Rollout:
    if found.ready:
        if not state.current:
            return Rollout(state.coming, leaving=state.leaving)
        return _stepped(state, 0, found, now)
    late = found.deployed_at is not None and now - found.deployed_at > rules.timeout
    if found.failed or late:
        words = found.reason or "no reason is known"
        return _taken_back(state, words if found.failed else f"not healthy within {rules.timeout:g} s: {words}", now)
    return state


def _stepped(state: Rollout, step: int, found: Seen, now: float) -> Rollout:
    return replace(state, step=step, since=now, requests=found.requests, failures=found.failures)


def _recounted(state: Rollout, found: Seen) -> Rollout:
    """A gateway that started anew counts from 0."""
    if found.requests < state.requests or found.failures < state.failures:
        return replace(state, requests=0, failures=0)
    return state


def _too_many(state: Rollout, rules: Rules, found: Seen, *, over: bool) -> bool:
    requests, failures = found.requests - state.requests, found.failures - state.failures
    return (over or requests >= _ENOUGH) and failures > rules.max_failures * requests


def _taken_back(state: Rollout, reason: str, now: float) -> Rollout:
    if not state.current:
        return replace(state, failed=state.coming, reason=reason)
    leaving = {**state.leaving, state.coming: now}
    return Rollout(state.current, leaving=leaving, failed=state.coming, reason=reason)


def _drained(state: Rollout, rules: Rules, seen: Mapping[str, Seen], now: float) -> Rollout:
    def busy(name: str, since: float) -> bool:
        idle = seen.get(name, Seen()).in_flight == 0
        return now - since < (rules.settle if idle else rules.drain)

    kept = {name: since for name, since in state.leaving.items() if busy(name, since)}
    return state if len(kept) == len(state.leaving) else replace(state, leaving=kept)


def weights(state: Rollout, rules: Rules, seen: Mapping[str, Seen]) -> dict[str, int]:
    """Percent of the traffic by version; they sum to 100, or to 0 while none can answer. What one cannot take the other
    gets.
    """
    share = rules.ladder[min(state.step, len(rules.ladder) - 1)] if state.step > WAITING else 0
    told = {name: 0 for name in (state.current, state.coming) if name}
    serving = [name for name in told if seen.get(name, Seen()).serving]
    if state.current in serving and state.coming in serving:
        told[state.current], told[state.coming] = 100 - share, share
    elif state.current in serving or (serving and share):
        told[serving[0]] = 100
    return told
