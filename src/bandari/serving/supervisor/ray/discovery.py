"""Where Prometheus finds the metrics of Ray's nodes: a file for its `file_sd_configs`, replaced as a whole.

https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from bandari.serving.ray.bodies import RayNodeStatus

_log = logging.getLogger(__name__)
DISCOVERY_FILE = "service-discovery.json"


def targets(cluster: str, ray_cluster: str, nodes: Iterable[RayNodeStatus]) -> list[dict[str, Any]]:
    """One entry for each node that tells its metrics."""
    return [
        {
            "targets": [node.metrics],
            "labels": {
                "job": "ray",
                "bandari_cluster": cluster,
                "cluster": ray_cluster,
                "node": node.name,
                "group": node.group,
                "market": node.market,
                "zone": node.zone,
            },
        }
        for node in nodes
        if node.metrics
    ]


def write(folder: Path, entries: list[dict[str, Any]]) -> None:
    """Writes the file when it says something else than before; none is there while there is nothing to say."""
    path = folder / DISCOVERY_FILE
    fresh = msgspec.json.format(msgspec.json.encode(entries), indent=1)
    try:
        if not entries:
            path.unlink(missing_ok=True)
        elif not path.exists() or path.read_bytes() != fresh:
            aside = path.with_suffix(".tmp")
            aside.write_bytes(fresh)
            aside.replace(path)
    except OSError as error:
        _log.warning("cannot write %s: %s", path, error)
