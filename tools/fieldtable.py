"""Writes the tables of every field into docs/cluster-file.md and docs/compute-config.md, from the models themselves.

`python tools/fieldtable.py` rewrites the pages between their two marks; a test holds pages and models equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bandari.specs.cluster import KubernetesOptionsSpec, LocalOptionsSpec
from bandari.specs.fields import LARGEST, Spec
from bandari.specs.file import FileSpec
from bandari.specs.groups import (
    Described,
    GroupSpec,
    MixedModelGroupSpec,
    ModelGroupSpec,
    NodeGroupSpec,
    ResourceRequestSpec,
)
from bandari.specs.kubernetes import ProbeSpec
from bandari.specs.ray.compute import (
    CloudDeploymentSpec,
    ComputeConfigSpec,
    HeadSpec,
    MultiResourceSpec,
    NodeSpec,
    RequiredResourcesSpec,
    WorkerSpec,
)
from bandari.specs.ray.flags import CAPS, FLAGS, MOVED
from bandari.specs.ray_clusters import RayClusterSpec
from bandari.specs.shape import model_at
from bandari.specs.triggers import SETTINGS

PAGE = Path(__file__).parent.parent / "docs" / "cluster-file.md"
COMPUTE_PAGE = PAGE.with_name("compute-config.md")
BEGIN, END = "<!-- fields: begin -->", "<!-- fields: end -->"
COUNT = "whole number"
TARGETS = ("local", "kubernetes", "aws", "gcp")
SECTIONS: tuple[tuple[str, str, type[Spec], tuple[type[Spec], ...]], ...] = (
    ("The file", "", FileSpec, ()),
    ("The target", "`aws`, `gcp`, `kubernetes` or `local`", model_at(FileSpec, ("aws",)), ()),
    ("The cluster", "`cluster`", model_at(FileSpec, ("aws", "cluster")), ()),
    ("Model groups, plain and mixed", "`modelGroups[]`, `mixedModelGroups[]`", GroupSpec, ()),
    ("Plain groups also have", "`modelGroups[]`", ModelGroupSpec, (GroupSpec,)),
    ("Mixed groups also have", "`mixedModelGroups[]`", MixedModelGroupSpec, (GroupSpec,)),
    ("Resource requests", "`resourceRequest` of a group or of the vector store", ResourceRequestSpec, ()),
    ("Probes", "`runtime.readinessProbe`, `runtime.livenessProbe`", ProbeSpec, ()),
    ("Node groups", "`function.nodeGroups[]`, `job.nodeGroups[]`", NodeGroupSpec, ()),
    ("Ray clusters", "`rayClusters[]`", RayClusterSpec, ()),
    ("Options of this machine", "`local`", LocalOptionsSpec, ()),
    ("Options of a Kubernetes cluster", "`kubernetes`", KubernetesOptionsSpec, ()),
)
"""Heading, where the mapping stands, its model, and models whose fields stand in another table."""
ELSEWHERE = frozenset({"aws", "gcp", "kubernetes", "cluster", "modelGroups", "mixedModelGroups", "rayClusters"})
"""Mappings with a table of their own, where they stand in the file or in the target."""
COMPUTE_SECTIONS: tuple[tuple[str, str, type[Spec], tuple[type[Spec], ...]], ...] = (
    ("The compute config", "", ComputeConfigSpec, ()),
    ("The head and the groups", "`head_node`, `worker_nodes[]`", NodeSpec, ()),
    ("Groups also have", "`worker_nodes[]`", WorkerSpec, (NodeSpec,)),
    ("Physical shapes", "`required_resources` of the head or of a group", RequiredResourcesSpec, ()),
    ("Machine pools", "`cloud_deployment` of the head or of a group", CloudDeploymentSpec, ()),
    ("Several configs", "a file with `configs`", MultiResourceSpec, ()),
)
SHARED = (
    *(ResourceRequestSpec, ProbeSpec, NodeGroupSpec),
    *(HeadSpec, WorkerSpec, RequiredResourcesSpec, CloudDeploymentSpec, ComputeConfigSpec),
)
"""Models with a table of their own wherever they stand."""


def tables() -> str:
    """All tables, as Markdown."""
    return "\n".join("\n".join(lines) for lines in (*(_table(*section) for section in SECTIONS), _settings()))


def compute_tables() -> str:
    """The tables of compute configs, as Markdown."""
    return "\n".join("\n".join(lines) for lines in (*(_table(*section) for section in COMPUTE_SECTIONS), _flags()))


def _flags() -> Iterator[str]:
    yield "### Flags\n"
    yield "Where: `flags`; durations are written as `1h30m`, `15m` or `30s`.\n"
    yield "| flag | of | meaning |"
    yield "| --- | --- | --- |"
    words = {"cluster": "the cluster", "node": "a node", "multi": "`configs`"}
    for name, flag in FLAGS.items():
        yield f"| `{name}` | {', '.join(words[scope] for scope in sorted(flag.scopes))} | {flag.meaning} |"
    for name, field in MOVED.items():
        yield f"| `{name}` | the cluster | an older spelling of `{field}` |"
    for name, resource in CAPS.items():
        yield f"| `{name}` | the cluster | an older spelling of `max_resources.{resource}` |"
    yield ""


def _settings() -> Iterator[str]:
    yield "### Settings of triggers\n"
    yield "Where: `autoScaleTriggers[].metadata`, by type; other types of KEDA have their own settings.\n"
    yield "| type | setting | required | meaning |"
    yield "| --- | --- | --- | --- |"
    for kind, settings in SETTINGS.items():
        for key, setting in settings.items():
            yield f"| {kind} | {key} | {'required' if setting.required else ''} | {setting.meaning} |"
    yield ""


def _table(heading: str, where: str, model: type[Spec], without: tuple[type[Spec], ...]) -> Iterator[str]:
    yield f"### {heading}\n"
    if where:
        yield f"Where: {where}.\n"
    yield f"| field | type | default | rules | {' | '.join(TARGETS)} |"
    yield f"|{' --- |' * (4 + len(TARGETS))}"
    hidden = {key for other in (*without, *((Described,) if model is not FileSpec else ())) for key in _keys(other)}
    for key, row in _rows(model, "", model.model_json_schema(by_alias=True)):
        if key.split(".")[0].removesuffix("[]") not in hidden:
            yield row
    yield ""


def _keys(model: type[Spec]) -> Iterator[str]:
    return (field.alias or name for name, field in model.model_fields.items())


def _rows(model: type[Spec], before: str, whole: dict[str, Any]) -> Iterator[tuple[str, str]]:
    part = whole if not before else whole["$defs"][model.__name__]
    for key, field in part["properties"].items():
        if key == "description" and (before or model is not FileSpec):
            continue
        found, listed = _core(field)
        path = f"{before}{key}"
        yield path, _row(path, field, _type(found, listed=listed), required=key in part.get("required", ()))
        below = model_at(model, (key,))
        if "$ref" in found and below not in SHARED and not _has_table(model, key):
            yield from _rows(below, f"{path}{'[]' if listed else ''}.", whole)


def _has_table(model: type[Spec], key: str) -> bool:
    return (key in ELSEWHERE and not issubclass(model, GroupSpec)) or (model is FileSpec and key == "local")


def _core(field: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema of a value without null, and of its items when it is a list."""
    for option in field.get("anyOf", ()):
        if option != {"type": "null"}:
            return _core({**option, **{k: v for k, v in field.items() if k.startswith("x-") and k != "x-notes"}})
    if field.get("type") == "array":
        return _core(field["items"])[0], True
    return field, False


def _type(found: dict[str, Any], *, listed: bool) -> str:
    names = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "mapping"}
    if "enum" in found:
        name = " or ".join(f"`{word}`" if word else "empty" for word in found["enum"])
    elif "$ref" in found:
        name = "mapping"
    else:
        name = str(found.get("x-kind") or names[found["type"]])
    return f"list of {name}" if listed else name


def _row(path: str, field: dict[str, Any], kind: str, *, required: bool) -> str:
    notes = field["x-notes"]
    found = _core(field)[0]
    limits = (
        [f">= {found['minimum']}"] if found.get("minimum") is not None and found.get("x-kind", COUNT) == COUNT else []
    )
    most = found.get("maximum")
    limits += [f"<= {most}"] if most not in (None, LARGEST) and "x-kind" not in found else []
    rules = "; ".join([field["description"].rstrip("."), *limits, *filter(None, [notes["rules"]])])
    default = "required" if required else _default(field.get("default"))
    cells = [f"`{path}`", kind, default, rules, *(notes[target] for target in TARGETS)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: Any) -> str:
    if value in (None, [], {}, ""):
        return ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value}`" if not isinstance(value, list) else f"`[{', '.join(repr(item) for item in value)}]`"


def page(text: str, made: str = "") -> str:
    """A page with its tables written anew: `made`, those of the cluster file by default."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{made or tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    COMPUTE_PAGE.write_text(page(COMPUTE_PAGE.read_text(), compute_tables()))
