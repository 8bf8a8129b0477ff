"""The models -> JSON Schema (draft 2020-12) for editors: it accepts every file that `read` accepts, and refuses what a
schema can refuse. Numbers may be quoted and text may be a number, as `read` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bandari.specs.file import FileSpec
from bandari.specs.meaning.choices import HANDLERS, SOURCES, VOLUME_KINDS
from bandari.specs.meaning.required import CLUSTER_KEYS, NODE_KEYS
from bandari.specs.targets import SECTIONS
from bandari.specs.triggers import KNOWN_TYPES

_Schema = dict[str, Any]
_WORDS = ("true", "t", "yes", "y", "on", "1", "false", "f", "no", "n", "off", "0")
"""Text that is taken for true or false, in upper or lower case."""
_ANY_CASE = "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word) for word in _WORDS)
_TYPES: Mapping[str, _Schema] = {
    "string": {"type": ["string", "number"]},
    "integer": {"type": ["integer", "string"], "pattern": r"^\s*[+-]?\d+(_\d+)*(\.0*)?\s*$"},
    "boolean": {"type": ["boolean", "string", "integer"], "pattern": f"^({_ANY_CASE})$", "minimum": 0, "maximum": 1},
    "array": {"type": ["array", "null"]},
}
"""What stands for a plain type, so that all that is accepted passes; keywords hold for values of their type alone."""
_EXAMPLE = {
    "version": "1.3",
    "local": {
        "cluster": {"name": "demo"},
        "modelGroups": [
            {
                "name": "chat",
                "minInstances": 1,
                "maxInstances": 2,
                "runtime": {"image": "ghcr.io/ggml-org/llama.cpp:server"},
                "model": {"source": "builtin:tiny"},
            }
        ],
    },
}


def schema() -> dict[str, Any]:
    """The JSON Schema of the cluster file."""
    made = FileSpec.model_json_schema(by_alias=True)
    parts: _Schema = {name: _widened(part) for name, part in made.pop("$defs").items()}
    _choices(parts)
    root = _widened(made)
    root["properties"]["aws"] = _on_a_cloud(root["properties"]["aws"])
    root["properties"]["gcp"] = _on_a_cloud(root["properties"]["gcp"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bandari cluster file",
        **root,
        "oneOf": [*({"required": [key]} for key in ("aws", "gcp")), *map(_holds_cluster, ("kubernetes", "local"))],
        "examples": [_EXAMPLE],
        "$defs": parts,
    }


def _widened(part: Any) -> Any:
    """The schema without pydantic's titles and our notes, with the types that are accepted."""
    if isinstance(part, list):
        return [_widened(child) for child in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if key not in ("title", "x-notes", "x-kind")}
    if "properties" in kept:
        kept["properties"] = {key: _widened(value) for key, value in kept["properties"].items()}
    if "patternProperties" in kept:
        kept = {**kept, "additionalProperties": False}
    made = {key: value if key in _VERBATIM else _widened(value) for key, value in kept.items()}
    return _typed(made)


_VERBATIM = frozenset({"properties", "default", "examples", "enum", "required", "description"})


def _typed(part: _Schema) -> _Schema:
    kind = part.get("type")
    if not isinstance(kind, str) or "enum" in part or "const" in part or kind not in _TYPES:
        return part
    if kind == "array" and part.get("minItems"):
        return part
    return {**part, **{key: value for key, value in _TYPES[kind].items() if key == "type" or key not in part}}


def _choices(parts: _Schema) -> None:
    """Rules about several keys that a schema can say."""
    parts["ProbeSpec"]["oneOf"] = _exactly_one(HANDLERS)
    parts["ValueFrom"]["oneOf"] = _exactly_one(SOURCES)
    parts["VolumeSpec"]["oneOf"] = _exactly_one(VOLUME_KINDS)
    parts["ModelSpec"]["not"] = {"required": ["hfRepoId", "source"]}
    parts["TriggerSpec"]["properties"]["type"]["enum"] = sorted(KNOWN_TYPES)
    for name in ("KubernetesTargetSpec", "LocalTargetSpec"):
        part = parts[name]
        del part["required"]
        part["dependentRequired"] = {section: ["cluster"] for section in sorted(SECTIONS - {"cluster"})}


def _exactly_one(keys: Iterable[str]) -> list[_Schema]:
    return [{"required": [key]} for key in keys]


def _holds_cluster(key: str) -> _Schema:
    return {"required": [key], "properties": {key: {"required": ["cluster"]}}}


def _on_a_cloud(part: _Schema) -> _Schema:
    """The target, with the keys that a cloud needs."""
    nodes = {"required": list(NODE_KEYS)}
    needs = {
        "cluster": {"required": list(CLUSTER_KEYS)},
        "modelGroups": {"items": nodes},
        "mixedModelGroups": {"items": nodes},
        "vectorStore": nodes,
    }
    return {**part, "properties": needs}
