"""Feature tags: settings that were once tags or labels of machines, and the fields that replaced them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bandari.diagnostics import Span
from bandari.document.tree import Node
from bandari.specs.ray.passthrough import snake
from bandari.specs.ray.tree import Draft, sequence


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature tag: what it is called, and the field (and key in it) that replaced it."""

    tag: str
    place: Span
    becomes: tuple[str, str]
    value: Any


_PREFIX = "as-feature-"
_FEATURES: Mapping[str, tuple[str, str]] = {
    "multi-zone": ("enable_cross_zone_scaling", ""),
    "enable-multi-az-serve": ("flags", "enable_multi_az_serve"),
    "idle-terminate-second": ("flags", "idle_termination_seconds"),
    "disable-nfs-mount": ("flags", "disable_nfs_mount"),
}
_LIMITS: Mapping[str, str] = {
    "cross-group-min-count-": "min_resources",
    "cross-group-max-count-": "max_resources",
}


def _feature(tag: Any, place: Span, value: Any) -> Feature | None:
    if not isinstance(tag, str) or not tag.startswith(_PREFIX):
        return None
    rest = tag.removeprefix(_PREFIX)
    if becomes := _FEATURES.get(rest):
        return Feature(tag, place, becomes, _value(value))
    for prefix, name in _LIMITS.items():
        if rest.startswith(prefix) and (resource := rest.removeprefix(prefix)):
            return Feature(tag, place, (name, _resource(resource)), _value(value))
    return None


def _value(value: Any) -> Any:
    words = {"true": True, "false": False}
    if isinstance(value, str):
        return words.get(value.strip().lower(), int(value) if re.fullmatch(r"\d{1,18}", value) else value)
    return value


def _resource(name: str) -> str:
    """Labels of machines are in lower case: `cpu` was Ray's CPU."""
    return name.upper() if name.lower() in ("cpu", "gpu") else name


def _tags_of_aws(node: Node, features: list[Feature]) -> Node:
    draft = Draft(node)
    if not isinstance(draft.value("TagSpecifications"), list):
        return node
    child, place = draft.items["TagSpecifications"]
    kept = [made for spec in child.children.values() if (made := _specification(spec, features)) is not None]
    if not features:
        return node
    draft.put("TagSpecifications", sequence(kept, child), place)
    if not kept:
        draft.pop("TagSpecifications")
    return draft.node()


def _specification(spec: Node, features: list[Feature]) -> Node | None:
    if not isinstance(spec.value, dict) or spec.value.get("ResourceType") != "instance":
        return spec
    draft = Draft(spec)
    if not isinstance(draft.value("Tags"), list):
        return spec
    tags, place = draft.items["Tags"]
    kept = []
    for tag in tags.children.values():
        value = tag.value if isinstance(tag.value, dict) else {}
        if feature := _feature(value.get("Key"), tag.span, value.get("Value")):
            features.append(feature)
        else:
            kept.append(tag)
    draft.put("Tags", sequence(kept, tags), place)
    return draft.node() if kept or not tags.value else None


def _labels_of_gcp(node: Node, features: list[Feature]) -> Node:
    draft = Draft(node)
    for key in [key for key in draft.items if snake(key) == "instance_properties"]:
        child, place = draft.items[key]
        properties = Draft(child)
        if not isinstance(properties.value("labels"), dict):
            continue
        labels, at = properties.items["labels"]
        inner = Draft(labels)
        for tag in list(inner.items):
            if feature := _feature(tag, inner.where(tag), inner.value(tag)):
                features.append(feature)
                inner.pop(tag)
        properties.put("labels", inner.node(), at)
        if not inner.items and labels.value:
            properties.pop("labels")
        draft.put(key, properties.node(), place)
        if not properties.items:
            draft.pop(key)
    return draft.node() if features else node


_TAGS = {"aws": _tags_of_aws, "gcp": _labels_of_gcp}


def taken_out(node: Node, provider: str) -> tuple[Node, tuple[Feature, ...]]:
    """Settings without the feature tags in them, and these."""
    features: list[Feature] = []
    if provider in _TAGS and isinstance(node.value, dict):
        node = _TAGS[provider](node, features)
    return node, tuple(features)
