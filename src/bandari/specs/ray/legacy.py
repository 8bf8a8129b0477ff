"""The older schema (`head_node_type`, `worker_node_types`), upgraded to the current one. Pure.

Values are moved with their places, so whatever is found later still points at the line that was written. What has no
meaning any more is reported, never dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bandari.diagnostics import Diagnostic, Diagnostics, Span, did_you_mean, error, warning
from bandari.document import Path
from bandari.document.tree import Node
from bandari.specs.fields import LARGEST
from bandari.specs.ray.tree import Draft, made, sequence
from bandari.specs.shape import shown

IDLE_MINUTES = 120
"""`idle_termination_minutes` where it is not said."""
SETTINGS: Mapping[str, str] = {
    "advanced_configurations_json": "",
    "aws_advanced_configurations_json": "aws",
    "aws": "aws",
    "gcp_advanced_configurations_json": "gcp",
    "gcp": "gcp",
    "azure_advanced_configurations_json": "azure",
    "azure": "azure",
}
"""Keys that hold a provider's settings, and the provider that each of them names."""
TOP = (
    "cloud_id", "cloud", "region", "allowed_azs", "max_workers", "head_node_type", "worker_node_types",
    "idle_termination_minutes", "maximum_uptime_minutes", "auto_select_worker_config", "flags", *SETTINGS,
)  # fmt: skip
NODE = (
    "name", "instance_type", "resources", "labels", "flags", "required_resources", "physical_resources",
    "required_labels", *SETTINGS,
)  # fmt: skip
WORKER = (*NODE, "min_workers", "max_workers", "use_spot", "fallback_to_ondemand")
RESOURCES = ("cpu", "gpu", "CPU", "GPU", "memory", "object_store_memory", "custom_resources")
WORDS: Mapping[str, str] = {
    "worker_nodes": "worker_node_types",
    "head_node": "head_node_type",
    "min_nodes": "min_workers",
    "max_nodes": "max_workers",
    "zones": "allowed_azs",
    "advanced_instance_config": "advanced_configurations_json",
}
"""Key of the current schema -> the older key, for messages about an older file."""
_WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")


@dataclass(slots=True)
class Upgraded:
    """The compute config in the current schema; limits are seconds, None where there is none."""

    root: Node
    providers: dict[Path, str] = field(default_factory=dict)
    idle_limit: float | None = None
    uptime_limit: float | None = None


def in_old_words(finding: Diagnostic) -> Diagnostic:
    """A finding about an upgraded file, in the words of that file."""

    def old(text: str) -> str:
        return _WORD.sub(lambda match: WORDS[match[0]], text)

    return replace(finding, message=old(finding.message), why=old(finding.why), help=old(finding.help))


def upgrade(root: Node, found: Diagnostics) -> Upgraded:
    """The compute config of the older schema in the current one; `found` takes in what is lost on the way."""
    draft = Draft(root)
    made_of = Upgraded(root)
    found.add(*_unknown(draft, TOP, ""))
    _cloud(draft, found)
    for key, why in (("region", "the region is that of the cloud"), ("max_workers", "use max_resources instead")):
        if draft.value(key) is not None:
            found.add(_no_effect(key, draft.where(key), why))
        draft.pop(key)
    _zones(draft, found)
    made_of.idle_limit = _minutes(draft, "idle_termination_minutes", IDLE_MINUTES, found)
    made_of.uptime_limit = _minutes(draft, "maximum_uptime_minutes", None, found)
    _settings(draft, (), made_of.providers, found)
    _head(draft, made_of.providers, found)
    _workers(draft, made_of.providers, found)
    for key in ("auto_select_worker_config", "flags"):
        if key in draft and draft.value(key) is None:
            draft.pop(key)
    made_of.root = draft.node()
    return made_of


def _unknown(draft: Draft, known: tuple[str, ...], place: str) -> Iterator[Diagnostic]:
    """Takes out the keys that the schema does not have, with a finding for each."""
    for key in [key for key in draft.items if key not in known]:
        _, where = draft.items.pop(key)
        yield _unknown_key(key, where, known, place)


CURRENT_WORDS: Mapping[str, str] = {
    **WORDS,
    "market_type": "use_spot and fallback_to_ondemand",
    "machine_type": "instance_type",
    "max_resources": "flags: {max_resources: ...}",
    "min_resources": "flags: {min_resources: ...}",
    "enable_cross_zone_scaling": "flags: {allow-cross-zone-autoscaling: ...}",
}
"""Key of the current schema (or of none) -> what it is in the older one."""


def _unknown_key(key: str, where: Span, known: tuple[str, ...], place: str) -> Diagnostic:
    name = f"{place}.{key}".lstrip(".")
    if key == "tpu_type" and place:
        why = "kinds of TPUs are chosen by required_labels and required_resources of the current schema"
        return _no_effect(name, where, why)
    if key == "deployment_configs":
        message = "cannot read deployment_configs: that is a form of one hosted service"
        return error("BND715", where, message, fix="write `configs` with compute configs of the current schema")
    if key == "allowed_azs":
        message = f"cannot read {name}: zones hold for the whole cluster"
        return error("BND715", where, message, fix="write allowed_azs at the top")
    if old := CURRENT_WORDS.get(key):
        message = f"cannot read {name} in the older schema: it is called {old.split(':')[0]} there"
        why = "head_node_type and worker_node_types are the older schema, head_node and worker_nodes the current one"
        return error("BND714", where, message, why=why, fix=f"write {old}, or use the current schema throughout")
    near = did_you_mean(key, known)
    fix = f"did you mean `{near}`?" if near else f"remove it; known here: {', '.join(sorted(known))}"
    return error("BND201", where, f"cannot read {name}: there is no such key", fix=fix)


def _no_effect(name: str, where: Span, why: str) -> Diagnostic:
    message = f"cannot use {name}: it has no effect any more"
    return warning("BND718", where, message, why=why, fix="remove it")


def _cloud(draft: Draft, found: Diagnostics) -> None:
    given = [key for key in ("cloud", "cloud_id") if draft.value(key) is not None]
    if len(given) == 2:
        message = "cannot use both cloud and cloud_id: one of them names the cloud"
        found.add(error("BND717", draft.where("cloud_id"), message, fix="keep one of them"))
    elif not given:
        place = next((draft.where(k) for k in ("cloud_id", "cloud", "head_node_type") if k in draft), draft.span)
        message = "cannot read the older schema without cloud or cloud_id: exactly one of them is needed"
        fix = "add `cloud: NAME`, or use the current schema (head_node, worker_nodes), where it may be left out"
        found.add(error("BND717", place, message, fix=fix))
    for key in ("cloud", "cloud_id"):
        if key in draft and key not in given:
            draft.pop(key)
    draft.rename("cloud_id", "cloud")
    draft.pop("cloud_id")


def _zones(draft: Draft, found: Diagnostics) -> None:
    zones = draft.value("allowed_azs")
    if isinstance(zones, list) and "any" in zones and len(zones) > 1:
        message = "cannot allow any zone beside certain ones: `any` stands alone"
        found.add(error("BND735", draft.where("allowed_azs"), message, fix="remove `any`, or the others"))
    if zones in (None, [], ["any"]) or (isinstance(zones, list) and "any" in zones):
        draft.pop("allowed_azs")
    draft.rename("allowed_azs", "zones")


def _minutes(draft: Draft, key: str, default: int | None, found: Diagnostics) -> float | None:
    taken = draft.pop(key)
    value = default if taken is None or taken[0].value is None else taken[0].value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        assert taken is not None
        message = f"cannot take {shown(value)} as {key}: a whole number of minutes is expected"
        found.add(error("BND203", taken[0].span, message, fix="write a number such as 120, or 0 for never"))
        return None
    return value * 60.0 or None


def _settings(draft: Draft, path: Path, providers: dict[Path, str], found: Diagnostics) -> None:
    """The one setting of a provider that stands in a mapping; further ones have no effect."""
    kept = False
    for key, provider in SETTINGS.items():
        taken = draft.pop(key)
        if taken is None or taken[0].value is None:
            continue
        if provider == "azure":
            found.add(_no_effect(key, taken[1], "no target of bandari reads settings of Azure"))
        elif kept:
            found.add(_no_effect(key, taken[1], "another key gives the settings of a provider already"))
        else:
            kept = True
            draft.put("advanced_instance_config", *taken)
            providers[(*path, "advanced_instance_config")] = provider


def _head(draft: Draft, providers: dict[Path, str], found: Diagnostics) -> None:
    if draft.value("head_node_type") is None:
        message = "cannot read the file: `head_node_type` is missing"
        found.add(error("BND202", draft.where("head_node_type"), message, fix="add head_node_type with instance_type"))
        draft.pop("head_node_type")
        return
    node, place = draft.items["head_node_type"]
    if isinstance(node.value, dict):
        inner = Draft(node)
        found.add(*_unknown(inner, NODE, "head_node_type"))
        if name := inner.pop("name"):
            _dropped_name(name, found)
        _node(inner, ("head_node",), providers, found)
        draft.put("head_node_type", inner.node(), place)
    draft.rename("head_node_type", "head_node")


def _dropped_name(name: tuple[Node, Span], found: Diagnostics) -> None:
    if name[0].value not in (None, "head", "head_node", "head-node"):
        found.add(_no_effect("head_node_type.name", name[1], "the head is always called head"))


def _workers(draft: Draft, providers: dict[Path, str], found: Diagnostics) -> None:
    absent = draft.value("worker_node_types") is None
    if absent:
        if draft.value("auto_select_worker_config") is not True:
            message = "cannot read the file: `worker_node_types` is missing"
            fix = "add `worker_node_types: []` for a head only, or list groups"
            found.add(error("BND202", draft.where("worker_node_types"), message, fix=fix))
        draft.pop("worker_node_types")
        return
    node, place = draft.items["worker_node_types"]
    if node.value == [] and draft.value("auto_select_worker_config") is True:
        draft.pop("worker_node_types")
        return
    if isinstance(node.value, list):
        groups = [
            _worker(child, index, providers, found) if isinstance(child.value, dict) else child
            for index, child in enumerate(node.children.values())
        ]
        draft.put("worker_node_types", sequence(groups, node), place)
    draft.rename("worker_node_types", "worker_nodes")


def _worker(node: Node, index: int, providers: dict[Path, str], found: Diagnostics) -> Node:
    draft = Draft(node)
    found.add(*_unknown(draft, WORKER, f"worker_node_types[{index}]"))
    _node(draft, ("worker_nodes", index), providers, found)
    for old, new in (("min_workers", "min_nodes"), ("max_workers", "max_nodes")):
        if old in draft and draft.value(old) is None:
            draft.pop(old)
        draft.rename(old, new)
    _market(draft, found)
    return draft.node()


def _market(draft: Draft, found: Diagnostics) -> None:
    pair = {key: draft.pop(key) for key in ("use_spot", "fallback_to_ondemand")}
    values = {key: taken[0].value if taken else None for key, taken in pair.items()}
    for key, taken in pair.items():
        if taken and not isinstance(values[key], bool | None):
            message = f"cannot take {shown(values[key])} as {key}: true or false is expected"
            found.add(error("BND203", taken[0].span, message, fix="write true or false"))
    spot, fallback = (values[key] is True for key in pair)
    if fallback and not spot and pair["fallback_to_ondemand"]:
        where = pair["fallback_to_ondemand"][1]
        found.add(_no_effect("fallback_to_ondemand", where, "use_spot is not true, so all nodes are on-demand"))
    if spot and (taken := pair["use_spot"]):
        market = "PREFER_SPOT" if fallback else "SPOT"
        draft.put("market_type", made(market, taken[1]), taken[1])


def _node(draft: Draft, path: Path, providers: dict[Path, str], found: Diagnostics) -> None:
    """What head and groups have in common."""
    _settings(draft, path, providers, found)
    if draft.value("required_resources") is None:
        draft.pop("required_resources")
        draft.rename("physical_resources", "required_resources")
    for key in [key for key in draft.items if draft.value(key) is None]:
        if key not in ("min_workers", "max_workers", "use_spot", "fallback_to_ondemand"):
            draft.pop(key)
    if isinstance(draft.value("resources"), dict):
        node, place = draft.items["resources"]
        draft.put("resources", _resources(node, found), place)
        if not draft.value("resources"):
            draft.pop("resources")


def _resources(node: Node, found: Diagnostics) -> Node:
    """`cpu` and `gpu` in upper case, custom resources beside them; null is "what the machine has"."""
    draft = Draft(node)
    for key in [key for key in draft.items if draft.value(key) is None]:
        draft.pop(key)
    draft.rename("cpu", "CPU")
    draft.rename("gpu", "GPU")
    for key in ("cpu", "gpu"):
        if taken := draft.pop(key):
            found.add(_no_effect(f"resources.{key}", taken[1], f"resources.{key.upper()} stands beside it"))
    custom = draft.pop("custom_resources")
    if custom and not isinstance(custom[0].value, dict):
        message = f"cannot take {shown(custom[0].value)} as custom_resources: a mapping is expected"
        found.add(error("BND203", custom[0].span, message, fix="write `name: number` lines below it"))
    elif custom:
        for key, (child, place) in Draft(custom[0]).items.items():
            _custom(draft, key, child, place, found)
    return draft.node()


def _custom(draft: Draft, key: str, child: Node, place: Span, found: Diagnostics) -> None:
    if key in draft:
        message = f"cannot count {key!r} twice: it stands in resources and in custom_resources"
        found.add(error("BND713", place, message, fix="keep one of them"))
    elif child.value is not None:
        draft.put(key, child, place)


def is_kuberay(value: Mapping[str, Any]) -> bool:
    """Whether node types hold KubeRay's resources (`limits`, `requests`), or the file an autoscaler version."""
    if value.keys() & {"autoscaler_version", "autoscalerVersion"}:
        return True
    workers = value.get("worker_node_types")
    nodes = [value.get("head_node_type"), *(workers if isinstance(workers, list) else ())]
    resources = [node.get("resources") for node in nodes if isinstance(node, dict)]
    return any(isinstance(r, dict) and bool(r.keys() & {"limits", "requests"}) for r in resources)
