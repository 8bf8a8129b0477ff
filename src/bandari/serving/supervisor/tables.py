"""The gateway's table, made anew from resources and groups after every change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from bandari.serving.protocol import GroupTable, RouteBody, Stored
from bandari.serving.supervisor.replicas import ReplicaSet


def group_tables(resources: Mapping[str, Stored], sets: Mapping[str, ReplicaSet]) -> Iterator[GroupTable]:
    """By name. A group whose route is gone keeps its line without models while its replicas finish their requests."""
    stored = (s.body for address, s in resources.items() if address.startswith("route."))
    routes = {route.group: route for route in (msgspec.convert(body, RouteBody) for body in stored)}
    for group, replica_set in sorted(sets.items()):
        body, route = replica_set.body, routes.get(group)
        upstreams = replica_set.upstreams()
        if route is None:
            namespace = body.namespace if body else "default"
            yield GroupTable(group, namespace, (), public=False, upstreams=upstreams, waking=False)
            continue
        yield GroupTable(
            name=group,
            namespace=route.namespace,
            models=route.models,
            public=route.public,
            upstreams=upstreams,
            waking=replica_set.waking,
            stand_in=route.stand_in,
        )
