"""What is chosen for a Ray cluster once, before its first start, and kept in the state file."""

from __future__ import annotations

import secrets
import time
from typing import Any

from bandari.serving.supervisor.cluster import Cluster
from bandari.serving.supervisor.ports import free_port
from bandari.serving.supervisor.ray import places

REDIS = "redis"


def choices(cluster: Cluster, name: str, versions: str) -> dict[str, Any]:
    """Addresses, ports and the namespace in Redis; CannotStart when the machine has none left."""
    others = [facts for other, facts in cluster.store.state.ray.items() if other != name]
    taken = ports_taken(cluster)
    return {
        "subnet": places.subnet(cluster.folder, name, {str(facts.get("subnet")) for facts in others}),
        "gcs": places.gcs_port(cluster.folder, name, taken),
        REDIS: free_port(taken),
        "namespace": secrets.token_hex(8),
        "versions": versions,
        "epoch": 0,
        "number": places.HEAD_NUMBER,
        "ordinal": 0,
        "started": time.time(),
    }


def ports_taken(cluster: Cluster) -> set[int]:
    """Ports that something of the whole cluster has, or had and takes again."""
    state = cluster.store.state
    ports = {int(facts.get(key, 0)) for facts in state.ray.values() for key in ("gcs", REDIS)}
    return ports | {record.port for record in state.records.values()}
