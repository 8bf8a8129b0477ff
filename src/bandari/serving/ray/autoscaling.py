"""What Ray's own autoscaler is told: the bounds and the shape of each group, as its config file. Pure.

Ray (v2, `FileConfigReader`) reads the file before each of its rounds, so other bounds need no restart. The config knows
neither market nor zone nor cap: the supervisor decides those when it is asked for a node.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bandari.desired.ray import HEAD
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.serving.ray.limits import GroupSize, counted, shortfall
from bandari.serving.ray.zones import MARKET_LABEL, REGION_LABEL, ZONE_LABEL

PROVIDER = "bandari_node_provider.BandariNodeProvider"
NODE_GROUP_LABEL = "ray.io/node-group"
_ILLEGAL = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_LABEL = 63
_LONGEST = 10 * 365 * 86400.0


def schedulable(head: RayNodeBody) -> bool:
    """Whether tasks may run on the head, so that it counts against floor and cap."""
    return any(amount > 0 for amount in head.resources.values())


def targets(body: RayClusterBody, groups: Iterable[RayGroupBody]) -> Mapping[str, int]:
    """How many nodes each group always has: its minimum, and what `min_resources` asks for beyond all minimums."""
    known = tuple(groups)
    least = {group.group: min(group.min, group.max) for group in known}
    nodes = [counted(body.head)] if schedulable(body.head) else []
    for group in known:
        nodes += [counted(group.node)] * least[group.group]
    sizes = [GroupSize(g.group, counted(g.node), least[g.group], g.max) for g in known]
    more = shortfall(nodes, sizes, body.min_resources, body.max_resources)
    return {name: count + more.get(name, 0) for name, count in least.items()}


def node_labels(group: str, *, market: str, region: str, zone: str) -> Mapping[str, str]:
    """The labels that a node gets here by itself, by Ray's names."""
    labels = {NODE_GROUP_LABEL: group, MARKET_LABEL: market, REGION_LABEL: region, ZONE_LABEL: zone}
    return {name: folded for name, value in labels.items() if (folded := label_value(value))}


def label_value(text: str) -> str:
    """Any text as the value of a label: `1xT4:4CPU-16GB` is `1xT4_4CPU-16GB`, as hosted Ray has it."""
    return _ILLEGAL.sub("_", text)[:_LONGEST_LABEL].strip("_.-")


def config(body: RayClusterBody, groups: Iterable[RayGroupBody], *, socket: str) -> dict[str, Any]:
    """The whole file. `socket` is the supervisor's."""
    known = tuple(groups)
    least = targets(body, known)
    head = {"resources": _resources(body.head), "labels": dict(body.head.labels), "node_config": {}, "max_workers": 0}
    types = {group.group: _type(body, group, least[group.group]) for group in known}
    return {
        "cluster_name": body.cluster,
        "max_workers": sum(group.max for group in known),
        "idle_timeout_minutes": _finite(body.idle_timeout) / 60,
        "upscaling_speed": 1.0,
        "provider": {
            "type": "external",
            "module": PROVIDER,
            "socket": socket,
            "cluster": body.cluster,
            "head_type": HEAD,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "launch_multiple": True,
        },
        "available_node_types": {HEAD: head, **types},
        "head_node_type": HEAD,
        **_UNUSED,
    }


_UNUSED: Mapping[str, Any] = {
    "auth": {},
    "file_mounts": {},
    "cluster_synced_files": [],
    "file_mounts_sync_continuously": False,
    "rsync_exclude": [],
    "rsync_filter": [],
    "initialization_commands": [],
    "setup_commands": [],
    "head_setup_commands": [],
    "worker_setup_commands": [],
    "head_start_ray_commands": [],
    "worker_start_ray_commands": [],
    "docker": {},
}
"""Of Ray's own launcher; its schema wants them."""


def _type(body: RayClusterBody, group: RayGroupBody, least: int) -> dict[str, Any]:
    idle = body.idle_timeout if group.idle_timeout is None else group.idle_timeout
    market = {"ON_DEMAND": "on-demand", "SPOT": "spot"}.get(group.market, "")
    zone = body.zones[0] if len(body.zones) == 1 else ""
    return {
        "resources": _resources(group.node),
        "labels": {**group.node.labels, **node_labels(group.group, market=market, region=body.region, zone=zone)},
        "node_config": {},
        "min_workers": least,
        "max_workers": group.max,
        "idle_timeout_s": _finite(idle),
    }


def _resources(node: RayNodeBody) -> dict[str, float]:
    sized = {"memory": float(node.memory), "object_store_memory": float(node.object_store_memory)}
    return {**node.resources, **{name: amount for name, amount in sized.items() if amount}}


def _finite(seconds: float) -> float:
    return min(seconds, _LONGEST)
