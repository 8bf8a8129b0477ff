"""Older spellings inside the current schema, moved to where they belong before the shapes are checked. Pure.

Flags that are fields, aliases of `required_resources`, feature tags in the provider's settings: all end in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandari.diagnostics import Diagnostic, Diagnostics, error, warning
from bandari.document.tree import Node
from bandari.specs.ray import features, flags, passthrough
from bandari.specs.ray.tree import Draft, made, sequence

ALIASES: Mapping[str, str] = {
    "cpu": "CPU",
    "gpu": "GPU",
    "tpu": "TPU",
    "Memory": "memory",
    "anyscale_tpu_hosts": "tpu_hosts",
}


def config(root: Node, found: Diagnostics, providers: Mapping[tuple[str | int, ...], str]) -> Node:
    """A compute config with every setting in its field; `providers` names those of settings where they are known."""
    draft = Draft(root)
    _settings(draft, found, providers.get(("advanced_instance_config",), ""), cluster=True)
    _flags(draft, found)
    if isinstance(draft.value("head_node"), dict):
        child, place = draft.items["head_node"]
        provider = providers.get(("head_node", "advanced_instance_config"), "")
        draft.put("head_node", _node(child, found, provider, draft), place)
    if isinstance(draft.value("worker_nodes"), list):
        child, place = draft.items["worker_nodes"]
        groups = [
            _node(group, found, providers.get(("worker_nodes", n, "advanced_instance_config"), ""), draft)
            if isinstance(group.value, dict)
            else group
            for n, group in enumerate(child.children.values())
        ]
        draft.put("worker_nodes", sequence(groups, child), place)
    return draft.node()


def _node(node: Node, found: Diagnostics, provider: str, cluster: Draft) -> Node:
    draft = Draft(node)
    if renamed := draft.pop("physical_resources"):
        found.add(*_renamed(renamed[0], renamed[1]))
        if renamed[0].value is not None and "required_resources" not in draft:
            draft.put("required_resources", *renamed)
    if isinstance(draft.value("required_resources"), dict):
        child, place = draft.items["required_resources"]
        shape = Draft(child)
        for old, new in ALIASES.items():
            shape.rename(old, new)
        draft.put("required_resources", shape.node(), place)
    _deployment(draft, found)
    _settings(draft, found, provider, cluster=False, above=cluster)
    return draft.node()


def _renamed(node: Node, place: Any) -> list[Diagnostic]:
    if node.value is None:
        return []
    message = "cannot read physical_resources: it is called required_resources now"
    return [error("BND713", place, message, fix="write required_resources")]


def _deployment(draft: Draft, found: Diagnostics) -> None:
    """`flags.cloud_deployment` is the field of that name."""
    if not isinstance(draft.value("flags"), dict) or "cloud_deployment" not in draft.value("flags"):
        return
    child, place = draft.items["flags"]
    inner = Draft(child)
    _move(inner, "cloud_deployment", draft, "cloud_deployment", found)
    draft.put("flags", inner.node(), place)


def _move(inner: Draft, flag: str, draft: Draft, field: str, found: Diagnostics) -> None:
    taken = inner.pop(flag)
    if taken is None:
        return
    if draft.value(field) is not None:
        if draft.value(field) != taken[0].value:
            message = f"cannot use the flag {flag!r}: the field {field} says otherwise, and wins"
            found.add(warning("BND727", taken[1], message, fix=f"remove the flag, and keep {field}"))
        return
    draft.put(field, *taken)


def _flags(draft: Draft, found: Diagnostics) -> None:
    if not isinstance(draft.value("flags"), dict):
        return
    child, place = draft.items["flags"]
    inner = Draft(child)
    for flag, field in flags.MOVED.items():
        _move(inner, flag, draft, field, found)
    for flag, resource in flags.CAPS.items():
        _cap(inner, flag, draft, resource, found)
    draft.put("flags", inner.node(), place)


def _cap(inner: Draft, flag: str, draft: Draft, resource: str, found: Diagnostics) -> None:
    caps = draft.items.get("max_resources")
    if flag not in inner or (caps and not isinstance(caps[0].value, dict | None)):
        return
    below = Draft(caps[0]) if caps and caps[0].value is not None else Draft(made({}, inner.where(flag)))
    place = caps[1] if caps else inner.where(flag)
    _move(inner, flag, below, resource, found)
    draft.put("max_resources", below.node(), place)


def _settings(draft: Draft, found: Diagnostics, provider: str, *, cluster: bool, above: Draft | None = None) -> None:
    """The provider's settings in their shape, and feature tags in them as the fields and flags that replaced them."""
    if not isinstance(draft.value("advanced_instance_config"), dict):
        return
    child, place = draft.items["advanced_instance_config"]
    body, said, known = passthrough.shaped(child, place if child.at_key else child.span, provider)
    body, tags = features.taken_out(body, known)
    found.add(*said)
    draft.put("advanced_instance_config", body, place)
    for feature in tags:
        _feature(feature, draft if cluster else above or draft, found)


def _feature(feature: features.Feature, draft: Draft, found: Diagnostics) -> None:
    field, key = feature.becomes
    fix = f"write {'.'.join(filter(None, (field, key)))}"
    message = f"cannot keep the tag {feature.tag!r} among settings of a provider: it is read as {fix[6:]}"
    found.add(warning("BND721", feature.place, message, why="feature tags are an older spelling", fix=fix))
    node = made(feature.value, feature.place)
    if not key:
        if draft.value(field) is None:
            draft.put(field, node, feature.place)
        return
    if not isinstance(draft.value(field), dict | None):
        return
    holder, place = draft.items.get(field) or (made({}, feature.place), feature.place)
    inner = Draft(holder if holder.value is not None else made({}, feature.place))
    if key not in inner:
        inner.put(key, node, feature.place)
    draft.put(field, inner.node(), place)
