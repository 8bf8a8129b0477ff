"""What a change of a Ray cluster, of its groups and of what runs on it does to a user here. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bandari.desired.secrets import mask_command
from bandari.planning.plan import Action, Change
from bandari.serving.ray.commands import in_words

Body = Mapping[str, Any]
IN_PLACE = "in place: nothing restarts"
REPLACED = "replaces the cluster: running jobs are lost"
SCALED = "in place: what runs keeps its memory, what starts from now on is scaled otherwise"
RETRIED = "a job that runs is lost with the head, and tried again"
ROLLED = f"rolls the workers one by one, then restarts the head on its Redis state; {RETRIED}"
HEAD_ONLY = f"restarts the head on its Redis state: actors and nodes are kept; {RETRIED}"
GROUP_ROLLED = "replaces the group's nodes one by one"
TOLD = frozenset({"machine", "physical", "usd_per_hour"})
"""Fields of a node that tell what it stands for, and change nothing of it."""
_REPLACING = frozenset({"ray", "python"})
_ROLLING = frozenset({"environment", "env", "region"})
MARKETS: Mapping[str, str] = {
    "ON_DEMAND": "on demand",
    "SPOT": "spot only",
    "PREFER_SPOT": "spot first, else on demand",
}
DELETES: Mapping[str, str] = {
    "ray": "drains the nodes, then ends the head; jobs that still run are lost",
    "raygroup": "drains its nodes: running tasks may finish, then the nodes go",
    "rayenv": "the environment stays on disk for the next time",
    "rayservice": "its routes become 404, then its applications end",
    "rayschedule": "starts no more jobs; one that runs goes on",
}


def consequence(change: Change, before: Body) -> str:
    """What a user will notice of a change of one of Ray's kinds."""
    kind, body = change.address.kind, change.resource.body if change.resource else before
    match change.action:
        case Action.NO_OP:
            return ""
        case Action.DELETE:
            return DELETES[kind]
        case Action.CREATE:
            return CREATES[kind](body)
        case Action.UPDATE:
            return UPDATES[kind](change, before, body)


# --- what is new ------------------------------------------------------------------------------------------------------


def _environment(body: Body) -> str:
    count = len(body.get("requirements", ()))
    if not any(body.get(what) for what in ("image", "ray", "requirements", "copies", "env")):
        return "the Ray of bandari's own environment, as it is"
    parts = [f"Ray {body['ray']}" if body.get("ray") else "bandari's own Ray"]
    parts += [f"Python {body['python']}"] if body.get("python") else []
    parts += [f"{count} package{'s' if count > 1 else ''}"] if count else []
    stands = f", for {body['image']}" if body.get("image") else ""
    return f"makes an environment with {', '.join(parts)}{stands}"


def _cluster(body: Body) -> str:
    tasks = "" if in_words(body["head"]["resources"]) != "nothing" else "; it takes no tasks"
    return f"starts a head for {_machine(body['head'])}{tasks}"


def _group(body: Body) -> str:
    low, high, machine = body.get("min", 0), body.get("max", 10), _machine(body["node"])
    bought = f", {MARKETS[body['market']]}" if body.get("market", "ON_DEMAND") != "ON_DEMAND" else ""
    if low == high:
        return f"starts {_nodes(low)} for {machine}, a fixed size{bought}"
    if low:
        return f"starts {_nodes(low)} for {machine}, up to {high} when tasks ask for them{bought}"
    return f"starts no node yet, up to {high} for {machine} when tasks ask for them{bought}"


def _nodes(count: int) -> str:
    return f"{count} node{'' if count == 1 else 's'}"


def _machine(node: Body) -> str:
    return str(node.get("machine") or "a machine of unknown type")


def _service(body: Body) -> str:
    routes = ", ".join(application["route_prefix"] for application in body["applications"])
    access = "an API key is asked for" if body.get("public") else "no key, this machine only"
    return f"deploys version {body['version']} at {routes}; {access}"


def _schedule(body: Body) -> str:
    return f"runs {mask_command(body['job']['entrypoint'])!r} at {body['cron']!r}, {body.get('time_zone', 'UTC')}"


CREATES: Mapping[str, Callable[[Body], str]] = {
    "rayenv": _environment,
    "ray": _cluster,
    "raygroup": _group,
    "rayservice": _service,
    "rayschedule": _schedule,
}


# --- what is changed --------------------------------------------------------------------------------------------------


def _cluster_changed(change: Change, before: Body, after: Body) -> str:
    tops = {field.path[0] for field in change.fields}
    if tops & _REPLACING:
        return REPLACED
    if tops & _ROLLING:
        return ROLLED
    if "autoscaled" in tops or _another(before.get("head", {}), after.get("head", {})):
        return HEAD_ONLY
    return SCALED if tops == {"head"} else IN_PLACE


def _another(before: Body, after: Body) -> bool:
    """Whether two nodes are of another shape: bytes count as declared, not as scaled to this machine."""
    return _shape(before) != _shape(after)


def _shape(node: Body) -> list[object]:
    scale = node.get("scale", 1.0) or 1.0
    declared = [f"{node.get(name, 0) / scale:.4g}" for name in ("memory", "object_store_memory")]
    return [dict(node.get("resources", {})), dict(node.get("labels", {})), declared]


def _group_changed(change: Change, before: Body, after: Body) -> str:
    said = []
    if before.get("environment", "") != after.get("environment", ""):
        said.append("its nodes restart in the new environment")
    elif _another(before.get("node", {}), after.get("node", {})):
        said.append(f"{GROUP_ROLLED}: they stand for {_machine(after['node'])}")
    if before.get("market", "ON_DEMAND") != after.get("market", "ON_DEMAND"):
        said.append(f"new nodes are bought {MARKETS[after.get('market', 'ON_DEMAND')]}")
    said += _bounds_changed(before, after)
    scaled = SCALED if {field.path[0] for field in change.fields} == {"node"} else IN_PLACE
    return "; ".join(said) or scaled


def _bounds_changed(before: Body, after: Body) -> list[str]:
    (old_low, old_high), (low, high) = ((b.get("min", 0), b.get("max", 10)) for b in (before, after))
    said = []
    if low > old_low:
        said.append(f"adds nodes up to {low}")
    if high < old_high:
        said.append(f"drains nodes down to {high}")
    if not said and (low, high) != (old_low, old_high):
        said.append(f"in place: {low} to {high} nodes from now on")
    return said


def _environment_changed(_change: Change, _before: Body, after: Body) -> str:
    return f"{_environment(after)}; see below for what restarts"


def _service_changed(_change: Change, before: Body, after: Body) -> str:
    if before.get("version") != after.get("version"):
        steps = ", ".join(f"{step} %" for step in after.get("steps", (10, 50, 100)))
        return f"version {after['version']} comes up beside the old one and takes the traffic in steps: {steps}"
    return IN_PLACE


def _schedule_changed(_change: Change, _before: Body, after: Body) -> str:
    return f"in place, from its next run: {_schedule(after)}"


UPDATES: Mapping[str, Callable[[Change, Body, Body], str]] = {
    "rayenv": _environment_changed,
    "ray": _cluster_changed,
    "raygroup": _group_changed,
    "rayservice": _service_changed,
    "rayschedule": _schedule_changed,
}
KINDS = frozenset(CREATES)
