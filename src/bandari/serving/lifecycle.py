"""The life of one supervised process as a pure table: (state, event) -> (state, effects), with a reason on each edge.

The supervisor feeds events and does the effects; it decides nothing by itself. What the gateway may be told follows
from the state: `ADMITTED` ones get new requests, draining ones only finish theirs. Times are seconds of any one clock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

IN_PLACE_FIELDS = frozenset(
    {"scaling", "readiness", "liveness", "slots", "cpu", "namespace", "runtime", "grace_period", "stand_in"}
)
"""Fields of a ReplicaSetBody that change without a restart; any other change replaces the replicas one by one."""

MEMORY_FIELDS = frozenset({"memory"})
"""Fields that restart replicas only where `enforce_limits` is set."""


class State(enum.StrEnum):
    """Where a process stands."""

    PENDING = "pending"
    """Not started yet: something that it needs is missing."""
    STARTING = "starting"
    READY = "ready"
    UNREADY = "unready"
    """Was ready, and fails its readiness probe now."""
    DRAINING = "draining"
    """Gets no new requests and finishes those that it has."""
    RESTARTING = "restarting"
    """Being ended in order to start again."""
    BACKOFF = "backoff"
    """Ended by itself; starts again when the back-off is over."""
    STOPPING = "stopping"
    STOPPED = "stopped"


class EventKind(enum.StrEnum):
    """What can happen to it."""

    START = "start"
    ADOPT = "adopt"
    ADOPT_READY = "adopt ready"
    START_FAILED = "start failed"
    PASSED = "readiness passed"
    FAILED = "readiness failed"
    LIVENESS_FAILED = "liveness failed"
    EXITED = "exited"
    DRAIN = "drain"
    DRAINED = "drained"
    STOP = "stop"
    TIMEOUT = "timeout"
    """The deadline of the state has passed."""


class Effect(enum.StrEnum):
    """What the supervisor has to do."""

    SPAWN = "spawn"
    TERMINATE = "terminate"
    """SIGTERM to the whole tree."""
    KILL = "kill"
    """SIGKILL to the whole tree."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened; `detail` are words for the user, such as an exit status."""

    kind: EventKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where an event leads, why (for the user), and what has to be done."""

    to: State
    reason: str
    effects: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the lifecycle is; seconds."""

    drain: float = 30.0
    """Longest time that a draining process may finish its requests."""
    terminate: float = 5.0
    """From SIGTERM to SIGKILL."""
    restart: float = 2.0
    """The same for a process that failed its liveness probe: it hangs, so little is to be expected of it."""
    backoff_first: float = 0.5
    backoff_cap: float = 30.0
    healthy_after: float = 60.0
    """Ready for this long, a process has its failures forgiven."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Where one process stands. `failures` counts ends in a row; `failure` says in words how it last failed."""

    state: State = State.PENDING
    reason: str = "not started yet"
    deadline: float | None = None
    failures: int = 0
    restarts: int = 0
    ready_since: float | None = None
    failure: str = ""


_S, _E, _F = State, EventKind, Effect
_ENDED = Edge(_S.BACKOFF, "ended by itself")
_HUNG = Edge(_S.RESTARTING, "failed its liveness probe", (_F.TERMINATE,))
_END = Edge(_S.STOPPING, "is asked to stop", (_F.TERMINATE,))
_DRAIN = Edge(_S.DRAINING, "finishes its requests and gets no new ones")
_NEVER_RAN = Edge(_S.STOPPED, "stopped before it ran")

TABLE: Mapping[tuple[State, EventKind], Edge] = MappingProxyType(
    {
        (_S.PENDING, _E.START): Edge(_S.STARTING, "waits for its first good probe", (_F.SPAWN,)),
        (_S.PENDING, _E.ADOPT): Edge(_S.STARTING, "adopted while it was starting"),
        (_S.PENDING, _E.ADOPT_READY): Edge(_S.READY, "adopted while it was serving"),
        (_S.PENDING, _E.STOP): _NEVER_RAN,
        (_S.PENDING, _E.DRAIN): _NEVER_RAN,
        (_S.STARTING, _E.PASSED): Edge(_S.READY, "passed its readiness probe"),
        (_S.STARTING, _E.START_FAILED): Edge(_S.BACKOFF, "cannot be started"),
        (_S.STARTING, _E.EXITED): Edge(_S.BACKOFF, "ended before it was ready"),
        (_S.STARTING, _E.LIVENESS_FAILED): _HUNG,
        (_S.STARTING, _E.STOP): _END,
        (_S.STARTING, _E.DRAIN): _END,
        (_S.READY, _E.FAILED): Edge(_S.UNREADY, "failed its readiness probe"),
        (_S.READY, _E.EXITED): _ENDED,
        (_S.READY, _E.LIVENESS_FAILED): _HUNG,
        (_S.READY, _E.DRAIN): _DRAIN,
        (_S.READY, _E.STOP): _END,
        (_S.UNREADY, _E.PASSED): Edge(_S.READY, "passed its readiness probe again"),
        (_S.UNREADY, _E.EXITED): _ENDED,
        (_S.UNREADY, _E.LIVENESS_FAILED): _HUNG,
        (_S.UNREADY, _E.DRAIN): _DRAIN,
        (_S.UNREADY, _E.STOP): _END,
        (_S.DRAINING, _E.DRAINED): Edge(_S.STOPPING, "has finished its requests", (_F.TERMINATE,)),
        (_S.DRAINING, _E.TIMEOUT): Edge(_S.STOPPING, "has used up its grace period", (_F.TERMINATE,)),
        (_S.DRAINING, _E.EXITED): Edge(_S.STOPPED, "ended while it drained"),
        (_S.DRAINING, _E.STOP): _END,
        (_S.RESTARTING, _E.EXITED): Edge(_S.BACKOFF, "was ended to start again"),
        (_S.RESTARTING, _E.TIMEOUT): Edge(_S.RESTARTING, "did not end on SIGTERM", (_F.KILL,)),
        (_S.RESTARTING, _E.STOP): Edge(_S.STOPPING, "is asked to stop"),
        (_S.RESTARTING, _E.DRAIN): Edge(_S.STOPPING, "is asked to stop"),
        (_S.BACKOFF, _E.TIMEOUT): Edge(_S.STARTING, "starts again", (_F.SPAWN,)),
        (_S.BACKOFF, _E.STOP): Edge(_S.STOPPED, "stopped between two starts"),
        (_S.BACKOFF, _E.DRAIN): Edge(_S.STOPPED, "stopped between two starts"),
        (_S.STOPPING, _E.START_FAILED): Edge(_S.STOPPED, "never ran"),
        (_S.STOPPING, _E.EXITED): Edge(_S.STOPPED, "has ended"),
        (_S.STOPPING, _E.TIMEOUT): Edge(_S.STOPPING, "did not end on SIGTERM", (_F.KILL,)),
        (_S.STOPPED, _E.START): Edge(_S.STARTING, "waits for its first good probe", (_F.SPAWN,)),
    }
)

ALIVE = frozenset({_S.STARTING, _S.READY, _S.UNREADY, _S.DRAINING, _S.RESTARTING, _S.STOPPING})
"""States in which there is a process."""
ADMITTED = frozenset({_S.READY})
LEAVING = frozenset({_S.DRAINING, _S.STOPPING, _S.STOPPED})
"""On the way out: not counted as a replica of its group any more."""


def backoff(failures: int, policy: Policy) -> float:
    """Seconds until the next start after `failures` ends in a row: 0, 0.5, 1, 2 ... 30. Kubernetes' CrashLoopBackOff
    has the same form with 10 s and 5 min; a process starts faster than a pod.
    """
    if failures == 0:
        return 0.0
    return float(min(policy.backoff_cap, policy.backoff_first * 2 ** min(failures - 1, 30)))


def step(now_at: Lifecycle, event: Event, now: float, policy: Policy) -> tuple[Lifecycle, tuple[Effect, ...]]:
    """Where `event` leads. An event that has no edge from the state changes nothing: it came too late to matter."""
    edge = TABLE.get((now_at.state, event.kind))
    if edge is None:
        return now_at, ()
    reason = f"{edge.reason}: {event.detail}" if event.detail else edge.reason
    after = replace(now_at, state=edge.to, reason=reason, deadline=_deadline(now_at, edge, now, policy))
    if edge.to is State.BACKOFF:
        # What it was ended for says more than that it ended.
        after = _failed(after, now_at.failure if now_at.state is State.RESTARTING else reason, now, policy)
    elif edge.to is State.READY:
        # Readiness that flaps does not start the minute of forgiveness anew.
        since = now_at.ready_since if now_at.state is State.UNREADY else now
        after = replace(after, ready_since=since, failure="")
    elif now_at.state is State.BACKOFF and edge.to is State.STARTING:
        after = replace(after, restarts=now_at.restarts + 1)
    elif edge.to is State.RESTARTING:
        after = replace(after, failure=reason)
    return after, edge.effects


def due(now_at: Lifecycle, now: float) -> bool:
    """Whether the deadline of the state has passed, so that a TIMEOUT is to be fed."""
    return now_at.deadline is not None and now >= now_at.deadline


def _failed(after: Lifecycle, reason: str, now: float, policy: Policy) -> Lifecycle:
    healthy = after.ready_since is not None and now - after.ready_since >= policy.healthy_after
    failures = 0 if healthy else after.failures
    delay = backoff(failures, policy)
    words = f"{reason}; starts again after {delay:g} s" if delay else reason
    return replace(after, reason=words, failure=reason, failures=failures + 1, ready_since=None, deadline=now + delay)


def _deadline(before: Lifecycle, edge: Edge, now: float, policy: Policy) -> float | None:
    if edge.effects == (Effect.KILL,):
        return None
    match edge.to:
        case State.DRAINING:
            return now + policy.drain
        case State.RESTARTING:
            return now + policy.restart
        case State.STOPPING if edge.effects:
            return now + policy.terminate
        case State.STOPPING:
            return before.deadline
        case _:
            return None


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> pending"]
    for (state, kind), edge in TABLE.items():
        lines.append(f"    {state} --> {edge.to}: {kind} ({edge.reason})")
    return "\n".join([*lines, "    stopped --> [*]"])
