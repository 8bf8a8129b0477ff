"""Compute configs by the thousand: strategies of hypothesis for both schemas, and what tests ask about a text."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

Path = tuple[str | int, ...]
TYPES = ["m5.2xlarge", "g5.xlarge", "n2-standard-8", "8CPU-32GB", "n1-standard-8-nvidia-t4-16gb-1"]
NAMES = ["cpu", "gpu_worker", "1xL4:16CPU-64GB", "16CPU-64GB", "a b", "\u00e9"]
WORDS = st.sampled_from(["a", "us-west-2a", "x.y/z", "true", "1", "\u00fc", "team-a"])
COUNTS = st.integers(0, 2000)
AMOUNTS = st.one_of(st.integers(0, 10**12), st.floats(0, 1e6, allow_nan=False).map(lambda n: round(n, 3)))


def maps(keys: st.SearchStrategy[str], values: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[Any]:
    return st.dictionaries(keys, values, max_size=most)


RESOURCES = maps(
    st.sampled_from(["CPU", "GPU", "memory", "object_store_memory", "accelerator_type:T4", "tenant"]), AMOUNTS
)
LABELS = maps(st.sampled_from(["team", "ray.io/gpu-domain", "x"]), WORDS)
SETTINGS = st.one_of(
    st.fixed_dictionaries(
        {"IamInstanceProfile": st.fixed_dictionaries({"Name": WORDS})},
        optional={
            "BlockDeviceMappings": st.lists(
                st.fixed_dictionaries({"DeviceName": WORDS, "Ebs": st.fixed_dictionaries({"VolumeSize": COUNTS})}),
                min_size=1,
                max_size=2,
            ),
            "SecurityGroupIds": st.lists(WORDS, min_size=1, max_size=2),
        },
    ),
    st.fixed_dictionaries({"instance_properties": st.fixed_dictionaries({"labels": LABELS, "other": WORDS})}),
    st.fixed_dictionaries({"metadata": st.fixed_dictionaries({"labels": LABELS, "annotations": LABELS})}),
)
SHAPES = st.fixed_dictionaries(
    {"CPU": st.integers(1, 512), "memory": st.sampled_from(["8Gi", "33.5Gi", 8589934592, "64G"])},
    optional={"GPU": st.integers(1, 16), "cpu_architecture": st.sampled_from(["x86_64", "arm64"])},
)
NODE_FLAGS = st.fixed_dictionaries(
    {},
    optional={"pricing_weight": st.integers(1, 9), "replacement_threshold": st.sampled_from(["1h30m", "90m", "30s"])},
)
FLAGS = st.fixed_dictionaries(
    {},
    optional={
        "idle_termination_seconds": COUNTS,
        "zone_starting_timeout": st.sampled_from(["10m", "1h", "45s"]),
        "disable_nfs_mount": st.booleans(),
        "unheard_of": WORDS,
        "max-cpus": COUNTS,
        "allow-cross-zone-autoscaling": st.booleans(),
    },
)
DEPLOYMENT = st.fixed_dictionaries({}, optional={"region": WORDS, "machine_pool": WORDS})
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "labels": LABELS,
    "required_labels": maps(st.sampled_from(["team"]), WORDS),
    "advanced_instance_config": SETTINGS,
    "flags": NODE_FLAGS,
    "cloud_deployment": DEPLOYMENT,
}


def nodes(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    by_type = st.fixed_dictionaries(
        {"instance_type": st.sampled_from(TYPES)}, optional={**COMMON, "resources": RESOURCES, **more}
    )
    by_shape = st.fixed_dictionaries({"required_resources": SHAPES}, optional={**COMMON, **more})
    return st.one_of(by_type, by_shape)


def _bounded(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for index, group in enumerate(groups):
        group["name"] = NAMES[index]
        if "min_nodes" in group:
            group["max_nodes"] = max(group["min_nodes"], 1)
    return groups


WORKERS = nodes(min_nodes=COUNTS, market_type=st.sampled_from(["ON_DEMAND", "SPOT", "PREFER_SPOT"]))
CURRENT = st.fixed_dictionaries(
    {},
    optional={
        "cloud": WORDS,
        "cloud_resource": WORDS,
        "head_node": nodes(),
        "worker_nodes": st.lists(WORKERS, max_size=3).map(_bounded),
        "min_resources": RESOURCES,
        "max_resources": RESOURCES,
        "zones": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True),
        "enable_cross_zone_scaling": st.booleans(),
        "advanced_instance_config": SETTINGS,
        "flags": FLAGS,
    },
)


def _legacy(current: dict[str, Any]) -> dict[str, Any]:
    """The same in the older schema, by hand: what `upgrade` has to undo."""
    old: dict[str, Any] = {"cloud": current.get("cloud", "demo"), "idle_termination_minutes": 0}
    old["head_node_type"] = _older_node(current.get("head_node", {"instance_type": "m5.2xlarge"}))
    old["worker_node_types"] = [_older_worker(group) for group in current.get("worker_nodes", [])]
    flags = dict(current.get("flags", {}))
    for key in ("min_resources", "max_resources"):
        if key in current:
            flags[key] = current[key]
    if "enable_cross_zone_scaling" in current:
        flags["allow-cross-zone-autoscaling"] = current["enable_cross_zone_scaling"]
    old["flags"] = flags
    if "zones" in current:
        old["allowed_azs"] = current["zones"]
    if "advanced_instance_config" in current:
        old["advanced_configurations_json"] = current["advanced_instance_config"]
    return old


def _older_node(node: dict[str, Any]) -> dict[str, Any]:
    node = dict(node)
    if "advanced_instance_config" in node:
        node["advanced_configurations_json"] = node.pop("advanced_instance_config")
    if "cloud_deployment" in node:
        node["flags"] = {**node.get("flags", {}), "cloud_deployment": node.pop("cloud_deployment")}
    resources = dict(node.get("resources", {}))
    if resources:
        known = {"CPU": "cpu", "GPU": "gpu", "memory": "memory", "object_store_memory": "object_store_memory"}
        old = {known[key]: resources.pop(key) for key in list(resources) if key in known}
        node["resources"] = {**old, "custom_resources": resources} if resources else old
    return node


def _older_worker(group: dict[str, Any]) -> dict[str, Any]:
    node = _older_node(group)
    for new, old in (("min_nodes", "min_workers"), ("max_nodes", "max_workers")):
        if new in node:
            node[old] = node.pop(new)
    market = node.pop("market_type", "ON_DEMAND")
    return {**node, "use_spot": market != "ON_DEMAND", "fallback_to_ondemand": market == "PREFER_SPOT"}


def both(current: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A compute config of the current schema that the older one can say, and the same in the older one."""
    current = copy.deepcopy(current)
    current.pop("cloud_resource", None)
    current.setdefault("head_node", {"instance_type": "m5.2xlarge"})
    current.setdefault("cloud", "demo")
    flags = current.get("flags", {})
    for flag, field in (("max-cpus", "max_resources"), ("allow-cross-zone-autoscaling", "enable_cross_zone_scaling")):
        if field in current:
            flags.pop(flag, None)
    for node in (current["head_node"], *current.get("worker_nodes", [])):
        if not node.get("resources", True):
            del node["resources"]
    return current, _legacy(current)


def text_of(value: Any) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=1000)


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every scalar of a value, by its path."""
    if isinstance(value, dict | list) and value:
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(child, (*path, key))
    elif not isinstance(value, dict | list):
        yield path


def with_other(value: Any, path: Path) -> Any:
    """The value with another scalar of the same kind at a path."""
    value = copy.deepcopy(value)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    old = holder[path[-1]]
    holder[path[-1]] = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"
    return value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every value in another, by the mapping or list that holds it and its key."""
    if isinstance(value, dict | list):
        for key, child in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from places(child)


def copied(value: Any) -> Any:
    return copy.deepcopy(value)
