"""How the head and the workers of a Ray cluster are launched, and how the head is told of its bounds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from bandari.desired.ray import HEAD
from bandari.serving.protocol import SUPERVISOR_SOCKET
from bandari.serving.ray.autoscaling import config, node_labels
from bandari.serving.ray.bodies import RayClusterBody, RayGroupBody, RayNodeBody
from bandari.serving.ray.commands import (
    HeadPorts,
    RedisStore,
    head_command,
    head_environ,
    node_environ,
    ray_program,
    worker_command,
)
from bandari.serving.ray.zones import available
from bandari.serving.supervisor import environment
from bandari.serving.supervisor.child import Launch
from bandari.serving.supervisor.ray import places
from bandari.serving.supervisor.ray.node import Node

PROVIDER_FOLDER = Path(__file__).parent / "inside"
"""Holds nothing but the module of the NodeProvider, as it stands on PYTHONPATH of the head."""
CONFIG_FILE = "autoscaler.json"
_CURRENT = "ray_current_cluster"
"""In the head's temp folder. With it a head that starts again refuses: it takes the nodes that live for another's."""


def launch_head(
    body: RayClusterBody,
    *,
    address: str,
    temp: Path,
    gcs: int,
    taken: Iterable[int],
    bin_folder: str,
    redis: RedisStore | None,
    config_path: Path | None,
) -> Launch:
    """With the autoscaler when there is a config."""
    (temp / _CURRENT).unlink(missing_ok=True)
    ports = _ports(gcs, set(taken))
    command = head_command(
        ray_program(bin_folder),
        body.head,
        address=address,
        temp=str(temp),
        ports=ports,
        labels=node_labels(HEAD, market="on-demand", region=body.region, zone=available(body.zones, body.region)[0]),
        autoscaling_config=str(config_path or ""),
        redis_password=redis.password if redis else "",
    )
    environ = _environ(body, body.head, name=f"{body.cluster}.{HEAD}", group=HEAD, bin_folder=bin_folder)
    autoscaled = config_path is not None
    environ = head_environ(environ, ports, redis=redis, provider_folder=str(PROVIDER_FOLDER), autoscaled=autoscaled)
    return Launch(command, environ, port=gcs)


def launch_worker(body: RayClusterBody, node: Node, shape: RayNodeBody, *, gcs: str, bin_folder: str) -> Launch:
    """Joins the head at `gcs`."""
    labels = node_labels(node.group, market=node.facts.market, region=body.region, zone=node.facts.zone)
    command = worker_command(
        ray_program(bin_folder), shape, address=node.address, temp=str(node.temp), gcs=gcs, labels=labels
    )
    return Launch(command, _environ(body, shape, name=node.name, group=node.group, bin_folder=bin_folder))


def write_config(folder: Path, state: Path, body: RayClusterBody, groups: Iterable[RayGroupBody]) -> Path:
    """The autoscaler's config, replaced as a whole when it changed; the autoscaler reads it before each round."""
    path = folder / CONFIG_FILE
    fresh = msgspec.json.encode(config(body, groups, socket=str(state / SUPERVISOR_SOCKET)), order="sorted")
    if not path.exists() or path.read_bytes() != fresh:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = path.with_suffix(".tmp")
        aside.write_bytes(fresh)
        aside.replace(path)
    return path


def _environ(body: RayClusterBody, shape: RayNodeBody, *, name: str, group: str, bin_folder: str) -> dict[str, str]:
    return node_environ(
        environment.inherited(os.environ),
        bin_folder=bin_folder,
        name=name,
        group=group,
        resources=shape.resources,
        cores=os.cpu_count() or 1,
        env=_plain(body.env),
    )


def _plain(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not name.startswith("BANDARI_")}


def _ports(gcs: int, taken: set[int]) -> HeadPorts:
    found: list[int] = []
    while len(found) < 3:
        found.append(places.any_port({*taken, *found, gcs}))
    return HeadPorts(gcs, *found)
