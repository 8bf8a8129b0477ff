"""Questions to the Ray clusters of a cluster on this machine: one `Op.RAY`, one answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandari.diagnostics import did_you_mean
from bandari.errors import Terminal
from bandari.pipeline.running import existing
from bandari.serving.protocol import Op
from bandari.serving.ray.bodies import RayVerb


def ray_clusters(cluster: str) -> tuple[str, ...]:
    """Names of the Ray clusters that were applied; Terminal when there is no such cluster."""
    return tuple(sorted(address.name for address in existing(cluster).recorded() if address.kind == "ray"))


def chosen_ray_cluster(cluster: str, name: str = "") -> str:
    """The Ray cluster of a name, or the only one; Terminal with the nearest names otherwise."""
    known = ray_clusters(cluster)
    if name in known:
        return name
    if name:
        near = did_you_mean(name, known)
        fix = f"did you mean {near!r}?" if near else f"there are: {', '.join(known) or 'none'}"
        raise Terminal(f"cannot find a Ray cluster {name!r} in {cluster!r}", fix=fix)
    if len(known) == 1:
        return known[0]
    if not known:
        raise Terminal(f"cannot find a Ray cluster in {cluster!r}", fix="bring one up: bandari up -f compute.yaml")
    raise Terminal(
        f"cannot tell which Ray cluster of {cluster!r} is meant", fix=f"name one: {', '.join(known)} (CLUSTER/RAY)"
    )


def ask_ray(cluster: str, ray: str, verb: RayVerb, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """The answer to one verb; DriverError when nobody answers or the supervisor refuses."""
    driver = existing(cluster)
    driver.revive()
    return driver.control.call(Op.RAY, ray, body={"verb": verb.value, **(body or {})})
