"""The NodeProvider that Ray's autoscaler loads in the head: it asks the supervisor for nodes and owns no process.

It dies with the head and the nodes do not; its successor asks what there is. When the supervisor is away every question
fails, and the autoscaler tries again at its next round: an empty answer would make it take all nodes for gone.

It runs in the environment's Python, with the Ray that is there, so it imports nothing of bandari.
"""
# ruff: noqa: INP001, ARG002 - its folder stands on a path of modules; the arguments are those of Ray's interface

from __future__ import annotations

import json
import os
import socket
import threading
from typing import Any

from ray.autoscaler.node_launch_exception import NodeLaunchException
from ray.autoscaler.node_provider import NodeProvider
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    NODE_KIND_WORKER,
    STATUS_UP_TO_DATE,
    TAG_RAY_LAUNCH_REQUEST,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)

_PATIENCE = 20.0
_GONE = frozenset({"stopping", "stopped", "backoff", "restarting"})


class BandariNodeProvider(NodeProvider):  # type: ignore[misc]
    """`provider_config`: `socket` (the supervisor's), `cluster` (the Ray cluster there), `head_type`."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        self._lock = threading.Lock()
        self._nodes: dict[str, dict[str, Any]] = {}

    def non_terminated_nodes(self, tag_filters: dict[str, str]) -> list[str]:
        """Asks anew; every other question is answered from this answer."""
        told = self._ask("nodes")["nodes"]
        nodes = {node["name"]: node for node in told if node["group"] and node["state"] not in _GONE}
        with self._lock:
            self._nodes = nodes
        return [name for name in nodes if tag_filters.items() <= self.node_tags(name).items()]

    def node_tags(self, node_id: str) -> dict[str, str]:
        """By Ray's names."""
        node = self._node(node_id)
        head = node["group"] == self.provider_config["head_type"]
        return {
            TAG_RAY_NODE_KIND: NODE_KIND_HEAD if head else NODE_KIND_WORKER,
            TAG_RAY_USER_NODE_TYPE: node["group"],
            TAG_RAY_NODE_NAME: node_id,
            TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE,
            TAG_RAY_LAUNCH_REQUEST: node.get("request", ""),
        }

    def is_running(self, node_id: str) -> bool:
        """Whether it was there at the last look."""
        return node_id in self._nodes

    def is_terminated(self, node_id: str) -> bool:
        """The opposite."""
        return node_id not in self._nodes

    def internal_ip(self, node_id: str) -> str:
        """Its loopback address."""
        return str(self._node(node_id).get("address", ""))

    def external_ip(self, node_id: str) -> str:
        """The same."""
        return self.internal_ip(node_id)

    def set_node_tags(self, node_id: str, tags: dict[str, str]) -> None:
        """Tags follow from what the supervisor knows."""

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> None:
        """Asks for `count` nodes of a group; NodeLaunchException when fewer may start, with the reason."""
        group, request = tags[TAG_RAY_USER_NODE_TYPE], tags.get(TAG_RAY_LAUNCH_REQUEST, "")
        answer = self._ask("launch", group=group, count=count, request=request)
        if answer.get("refused"):
            raise NodeLaunchException("Refused", answer["refused"], src_exc_info=None)

    def create_node_with_resources_and_labels(
        self,
        node_config: dict[str, Any],
        tags: dict[str, str],
        count: int,
        resources: dict[str, float],
        labels: dict[str, str],
    ) -> None:
        """The same: the supervisor knows the shape of its groups."""
        self.create_node(node_config, tags, count)

    def terminate_node(self, node_id: str) -> None:
        """Asks for its end."""
        self._ask("terminate", node=node_id)

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        """Nothing has to be made first."""
        return cluster_config

    def _node(self, name: str) -> dict[str, Any]:
        with self._lock:
            return self._nodes[name]

    def _ask(self, verb: str, **body: Any) -> dict[str, Any]:
        """One question to the supervisor; RuntimeError with its words when it refuses, OSError when it is away."""
        line = {"id": 1, "op": "ray", "address": self.provider_config["cluster"], "body": {"verb": verb, **body}}
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PATIENCE)
            folder, name = os.path.split(self.provider_config["socket"])
            handle = os.open(folder, os.O_PATH)  # the path of a socket may be no longer than 107 bytes
            try:
                connection.connect(f"/proc/self/fd/{handle}/{name}")
            finally:
                os.close(handle)
            connection.sendall(json.dumps(line).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = answers.readline()
        if not answer:
            raise ConnectionError("the supervisor ended the connection")
        response = json.loads(answer)
        if response.get("error"):
            raise RuntimeError(response["error"])
        result: dict[str, Any] = response.get("result", {})
        return result
