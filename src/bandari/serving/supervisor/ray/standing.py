"""How a Ray cluster and its groups stand, as lines of the status."""

from __future__ import annotations

from collections.abc import Iterable

from bandari.serving.lifecycle import State
from bandari.serving.protocol import PartStatus, ReplicaStatus
from bandari.serving.ray.autoscaling import targets
from bandari.serving.ray.bodies import RayGroupBody
from bandari.serving.supervisor import procfs
from bandari.serving.supervisor.ray.engine import RayEngine

_UNCLAIMED = "found running after the state was lost; 'bandari up' takes it back, 'bandari down' ends it"


def of_cluster(engine: RayEngine) -> PartStatus:
    """Its head, and whether all is as it should be."""
    state, reason = _state(engine)
    head = [engine.head.replica()] if engine.head else []
    redis = [_redis(engine)] if engine.redis else []
    ready = sum(node.state == State.READY.value for node in head)
    return PartStatus("ray", engine.name, state, ready, 1, reason, (*head, *redis))


def of_groups(engine: RayEngine) -> Iterable[PartStatus]:
    """One line a group, and one for the nodes of a group that is removed."""
    body = engine.body
    least = targets(body, engine.workers.groups.values()) if body else {}
    names = {*engine.workers.groups, *(node.group for node in engine.workers.nodes.values())}
    for name in sorted(names):
        nodes = engine.workers.of(name)
        group = engine.workers.groups.get(name)
        ready = sum(node.ready for node in nodes)
        state, reason = _group_state(engine, name, group, ready=ready, least=least.get(name, 0))
        yield PartStatus(
            kind="raygroup",
            name=f"{engine.name}/{name}",
            state=state,
            ready=ready,
            replicas=max(least.get(name, 0), sum(not node.leaving for node in nodes)),
            reason=reason,
            detail=tuple(node.replica() for node in nodes),
            scaling=_scaling(group),
        )


def _redis(engine: RayEngine) -> ReplicaStatus:
    assert engine.redis
    child = engine.redis.child
    return ReplicaStatus(
        child.name,
        child.state.value,
        child.pid,
        engine.redis.port,
        child.life.restarts,
        child.life.reason,
        child.since,
        memory=procfs.usage(child.pid).memory if child.pid else 0,
    )


def _state(engine: RayEngine) -> tuple[str, str]:
    if engine.unclaimed:
        return "unclaimed", _UNCLAIMED
    if engine.body is None:
        return State.STOPPING.value, "is being removed"
    if engine.facts.get("fresh"):
        return "updating", "another Ray or Python: all of it ends, then starts anew"
    if engine.waits_for:
        return State.PENDING.value, engine.waits_for
    head = engine.head
    if engine.trouble:
        return State.PENDING.value, engine.trouble
    if head is None:
        redis = engine.redis
        return State.PENDING.value, f"waits for its Redis: {redis.child.life.reason}" if redis else "not started yet"
    if not head.ready:
        return head.state.value, f"{head.name}: {head.reason}"
    return State.READY.value, ""


def _group_state(
    engine: RayEngine, name: str, group: RayGroupBody | None, *, ready: int, least: int
) -> tuple[str, str]:
    if group is None:
        return _without_group(engine, name)
    trouble = engine.workers.trouble(group.group)
    if ready >= least:
        return ("ready" if ready else "idle"), trouble
    waiting = next((node for node in engine.workers.of(group.group) if not node.ready), None)
    if trouble or waiting is None:
        return State.STARTING.value, trouble or engine.workers.held(group) or "waits for the head"
    return State.STARTING.value, f"{waiting.name}: {waiting.reason}"


def _without_group(engine: RayEngine, name: str) -> tuple[str, str]:
    if any(node.child.record.unclaimed for node in engine.workers.of(name)):
        return "unclaimed", _UNCLAIMED
    return State.DRAINING.value, "its group is removed; its nodes finish their tasks"


def _scaling(group: RayGroupBody | None) -> str:
    if group is None:
        return ""
    return f"fixed at {group.min}" if group.min == group.max else f"{group.min} to {group.max}"
