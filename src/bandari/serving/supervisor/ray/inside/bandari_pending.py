"""What waits for resources in a Ray cluster, as one line of JSON: `python bandari_pending.py GCS_ADDRESS`.

Each entry: `resources`, `count`, `labels` (key, operator, values), `gang` (details of a placement group, or empty).
It runs in the environment's Python, with the Ray that is there, so it imports nothing of bandari.
"""
# ruff: noqa: INP001 - its folder stands on a path of modules

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Any

from ray.autoscaler.v2.sdk import GcsClient, get_cluster_resource_state

_NOT_IN = 2
"""`LABEL_OPERATOR_NOT_IN` of Ray's common.proto."""


def _request(request: Any, count: int, gang: str) -> dict[str, Any]:
    selectors = list(getattr(request, "label_selectors", ()))[:1]  # the first is what is wanted, the rest fall back
    constraints = [c for selector in selectors for c in selector.label_constraints]
    labels = [[c.label_key, "not in" if c.operator == _NOT_IN else "in", sorted(c.label_values)] for c in constraints]
    return {"resources": dict(request.resources_bundle), "count": count, "labels": labels, "gang": gang}


def pending(gcs: str) -> list[dict[str, Any]]:
    """Tasks and actors first, then placement groups, then what was asked for with `request_resources`."""
    state = get_cluster_resource_state(GcsClient(address=gcs))
    found = [_request(one.request, one.count, "") for one in state.pending_resource_requests]
    for gang in state.pending_gang_resource_requests:
        selectors = list(getattr(gang, "bundle_selectors", ()))[:1]
        bundles = [request for selector in selectors for request in selector.resource_requests] or list(gang.requests)
        words = [json.dumps(_request(request, 1, gang.details), sort_keys=True) for request in bundles]
        found += [json.loads(word) | {"count": count} for word, count in Counter(words).items()]
    for constraint in state.cluster_resource_constraints:
        found += [_request(one.request, one.count, "requested") for one in constraint.resource_requests]
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(pending(sys.argv[1])) + "\n")
