"""The models of compute configs -> JSON Schema (draft 2020-12): it accepts every file that `read` accepts as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bandari.specs.ray.canonical import ALIASES
from bandari.specs.ray.compute import MultiResourceSpec
from bandari.specs.ray.legacy import TOP

_Schema = dict[str, Any]
_NOTES = frozenset({"title", "x-notes", "x-kind"})
_EXAMPLES = [
    {},
    {
        "head_node": {"instance_type": "m5.2xlarge"},
        "worker_nodes": [{"instance_type": "g5.xlarge", "max_nodes": 4, "market_type": "PREFER_SPOT"}],
    },
]


def schema() -> _Schema:
    """The JSON Schema of compute configs: the current schema, its form with several configs, and the older one."""
    made = MultiResourceSpec.model_json_schema(by_alias=True)
    parts: _Schema = {name: _clean(part) for name, part in made.pop("$defs").items()}
    several = _clean(made)
    parts["OlderConfig"] = _older()
    one = [{"$ref": "#/$defs/ComputeConfigSpec"}, {"$ref": "#/$defs/OlderConfig"}]
    several["properties"]["configs"] = {"type": "array", "minItems": 1, "items": {"anyOf": one}}
    for name in ("HeadSpec", "WorkerSpec"):
        parts[name]["anyOf"] = [{"required": ["instance_type"]}, {"required": ["required_resources"]}]
        parts[name]["properties"]["physical_resources"] = {"type": "null"}
    _aliases(parts["RequiredResourcesSpec"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bandari compute config",
        "anyOf": [*one, several],
        "examples": _EXAMPLES,
        "$defs": parts,
    }


def _clean(part: Any) -> Any:
    """The schema without pydantic's titles and our notes; names of properties are left alone."""
    if isinstance(part, list):
        return [_clean(child) for child in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _clean(value) for key, value in part.items() if key not in _NOTES and key != "properties"}
    if isinstance(properties := part.get("properties"), Mapping):
        kept["properties"] = {key: _clean(value) for key, value in properties.items()}
    return kept


def _aliases(part: _Schema) -> None:
    """Other spellings of keys of `required_resources`."""
    spelt = {new: old for old, new in ALIASES.items()}
    part["properties"].update({old: part["properties"][new] for old, new in ALIASES.items()})
    part["allOf"] = [{"anyOf": [{"required": [key]}, {"required": [spelt[key]]}]} for key in part.pop("required")]


def _older() -> _Schema:
    """The older schema, by its keys alone: `read` upgrades it and says the rest."""
    node = {"type": "object", "properties": {"instance_type": {"type": ["string", "null"]}}}
    known: _Schema = dict.fromkeys(TOP, True)
    groups = {"type": ["array", "null"], "items": node}
    return {
        "type": "object",
        "properties": {**known, "head_node_type": node, "worker_node_types": groups},
        "required": ["head_node_type"],
        "additionalProperties": False,
    }
