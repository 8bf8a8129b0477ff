"""Keys that belong to the other schema, or to another place: what they are called where they stand. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bandari.diagnostics import Diagnostic, error
from bandari.document import Document

_TOP: Mapping[str, str] = {
    "head_node_type": "head_node",
    "worker_node_types": "worker_nodes",
    "allowed_azs": "zones",
    "cloud_id": "cloud",
    "advanced_configurations_json": "advanced_instance_config",
    "aws": "advanced_instance_config",
    "aws_advanced_configurations_json": "advanced_instance_config",
    "gcp": "advanced_instance_config",
    "gcp_advanced_configurations_json": "advanced_instance_config",
    "max_workers": "max_nodes of each group, or max_resources",
    "max_cpus": "max_resources: {CPU: ...}",
    "max_gpus": "max_resources: {GPU: ...}",
    "min_cpus": "min_resources: {CPU: ...}",
    "min_gpus": "min_resources: {GPU: ...}",
    "allow_cross_zone_autoscaling": "enable_cross_zone_scaling",
    "allow-cross-zone-autoscaling": "enable_cross_zone_scaling",
}
_NODE: Mapping[str, str] = {
    "min_workers": "min_nodes",
    "max_workers": "max_nodes",
    "use_spot": "market_type: SPOT",
    "fallback_to_ondemand": "market_type: PREFER_SPOT",
    "machine_type": "instance_type",
    "anyscale/tpu_hosts": "tpu_hosts",
    "tpu_type": "required_labels: {ray.io/accelerator-type: TPU-..., ray.io/tpu-topology: ...}",
    "advanced_configurations_json": "advanced_instance_config",
    "aws_advanced_configurations_json": "advanced_instance_config",
    "gcp_advanced_configurations_json": "advanced_instance_config",
}
_ELSEWHERE: Mapping[str, str] = {
    "idle_termination_minutes": "the workspace file, or `rayClusters:` of a cluster file, limits the whole cluster",
    "maximum_uptime_minutes": "`rayClusters:` of a cluster file limits the whole cluster",
    "name": "name the cluster with --name, or the file after it",
    "region": "the region is that of the target",
}
_NOT_PER_NODE: Mapping[str, str] = {"allowed_azs": "zones", "zones": "zones"}


def finding(document: Document, loc: tuple[int | str, ...]) -> Diagnostic | None:
    """What an unknown key of a compute config is, where it is known from elsewhere."""
    key, place = str(loc[-1]), document.key_span(loc)
    if len(loc) == 1 and key in _ELSEWHERE:
        message = f"cannot read {key}: it is no key of a compute config"
        return error("BND715", place, message, fix=_ELSEWHERE[key])
    if loc[:-1] == ("head_node",) and key == "name":
        message = "cannot name the head: its group is called `head`"
        return error("BND715", place, message, fix="remove the name")
    if len(loc) > 1 and key in _NOT_PER_NODE:
        message = f"cannot read {key} of a group: zones hold for the whole cluster"
        return error("BND715", place, message, fix="write zones at the top of the compute config")
    new = (_TOP if len(loc) == 1 else _NODE).get(key)
    if new is None:
        return None
    message = f"cannot read {key} in the current schema: it is called {new.split(':')[0]} there"
    why = "head_node and worker_nodes belong to the current schema, head_node_type and worker_node_types to the older"
    return error("BND714" if len(loc) == 1 else "BND713", place, message, why=why, fix=f"write {new}")
