"""A mapping of a file -> typed compute configs, and everything that is wrong with them at once. Pure.

The order: which schema; the older one upgraded; older spellings moved to their fields; shapes; rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bandari.diagnostics import Diagnostic, Diagnostics, Related, error
from bandari.document import Document, Path
from bandari.specs import shape
from bandari.specs.ray import canonical, flags, legacy, renamed, rules
from bandari.specs.ray.compute import ComputeConfigSpec, MultiResourceSpec
from bandari.specs.ray.fields import RaySpec
from bandari.specs.ray.tree import Draft, of, part
from bandari.specs.shape import shown

LEGACY = frozenset({"head_node_type", "worker_node_types"})
CURRENT = frozenset({"head_node", "worker_nodes"})


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """One compute config that is valid: its form, the document it stands in after the upgrade, and the providers that
    the older schema named for settings. Limits of the older schema are seconds.
    """

    spec: ComputeConfigSpec
    document: Document
    providers: dict[Path, str]
    idle_limit: float | None = None
    uptime_limit: float | None = None


def read_configs(document: Document, path: Path) -> tuple[tuple[ReadConfig, ...], Diagnostics]:
    """The compute config at a path, or those of its multi-resource form; none when there is an error."""
    found = Diagnostics()
    here = part(document, path)
    if not isinstance(here.value, dict):
        message = f"cannot take {shown(here.value)} as a compute config: a mapping is expected"
        found.add(error("BND203", document.span(path), message, fix="write head_node and worker_nodes below it"))
        return (), found
    read = _several(here, found) if "configs" in here.value else [_one(here, found)]
    return (() if found.errors else tuple(one for one in read if one)), found


def is_legacy(value: dict[str, Any]) -> bool:
    """Whether a mapping is written in the older schema; one with keys of both is in the schema of its current keys."""
    return bool(LEGACY & value.keys()) and not CURRENT & value.keys()


def _one(document: Document, found: Diagnostics) -> ReadConfig | None:
    old = is_legacy(document.value)
    upgraded = legacy.upgrade(document.root, found) if old else legacy.Upgraded(document.root)
    said = Diagnostics()
    document = of(document, canonical.config(upgraded.root, said, upgraded.providers))
    spec = _validated(document, ComputeConfigSpec, said)
    said.add(*(f for f in rules.findings(document) if not _doubled(f, said)))
    places = {finding.span for finding in found.errors}
    found.add(*(f for f in (map(legacy.in_old_words, said) if old else said) if f.span not in places))
    return ReadConfig(spec, document, upgraded.providers, upgraded.idle_limit, upgraded.uptime_limit) if spec else None


def _doubled(finding: Diagnostic, said: Diagnostics) -> bool:
    return any(other.span == finding.span and other.code[:4] == "BND2" for other in said)


def _validated(document: Document, model: type[RaySpec], found: Diagnostics) -> Any:
    try:
        return model.model_validate(document.value)
    except ValidationError as failure:
        said = {finding.span for finding in found.errors}
        found.add(*(f for f in _shape(document, model, failure) if f.span not in said))
        return None


def _shape(document: Document, model: type[RaySpec], failure: ValidationError) -> Iterator[Diagnostic]:
    unknown = {item["loc"] for item in failure.errors(include_url=False) if item["type"] == "extra_forbidden"}
    named = {loc: said for loc in unknown if (said := renamed.finding(document, loc))}
    yield from named.values()
    places = {document.key_span(loc) for loc in named}
    yield from (f for f in shape.findings(document, (), model, failure) if f.code != "BND201" or f.span not in places)


def _several(document: Document, found: Diagnostics) -> list[ReadConfig | None]:
    """The multi-resource form: the flags of the whole are the base of each config's own."""
    configs = document.value["configs"]
    for key in document.value:
        if key not in ("cloud", "configs", "flags"):
            found.add(shape.unknown_key(document, (key,), MultiResourceSpec))
    if not isinstance(configs, list) or not configs:
        fix = "list compute configs below it, or write one without `configs`"
        message = f"cannot take {shown(configs)} as configs: a list of at least one is expected"
        found.add(error("BND214" if configs == [] else "BND203", document.key_span(("configs",)), message, fix=fix))
        return []
    found.add(*flags.findings(document, ("flags",), "multi"), *_alike(document))
    read: list[ReadConfig | None] = []
    for index, config in enumerate(configs):
        if isinstance(config, dict) and "configs" not in config:
            read.append(_one(_with_base(document, index), found))
        else:
            message = f"cannot take {shown(config)} as configs[{index}]: one compute config is expected"
            fix = "write head_node and worker_nodes below it"
            found.add(error("BND203", document.span(("configs", index)), message, fix=fix))
    return read


def _with_base(document: Document, index: int) -> Document:
    inner = part(document, ("configs", index))
    draft, above = Draft(inner.root), Draft(document.root)
    if draft.value("cloud") is None and above.value("cloud") is not None:
        draft.put("cloud", *above.items["cloud"])
    if isinstance(above.value("flags"), dict) and isinstance(draft.value("flags"), dict | None):
        base = Draft(above.items["flags"][0])
        own = Draft(draft.items["flags"][0]) if draft.value("flags") is not None else None
        for key, item in own.items.items() if own else ():
            base.put(key, *item)
        draft.put("flags", base.node(), draft.where("flags") if own else above.where("flags"))
    return of(document, draft.node())


def _alike(document: Document) -> Iterator[Diagnostic]:
    configs = [(n, c) for n, c in enumerate(document.value["configs"]) if isinstance(c, dict)]
    seen: dict[Any, int] = {}
    for index, config in configs:
        name = config.get("cloud_resource")
        if not isinstance(name, str | None):
            continue
        if name in seen:
            said = f"the cloud_resource {name!r}" if name else "no cloud_resource"
            yield error(
                "BND716",
                document.span(("configs", index, "cloud_resource")),
                f"cannot tell two configs apart: configs[{seen[name]}] and configs[{index}] have {said}",
                why="each config is for one resource of the cloud",
                fix="give each its own cloud_resource",
                related=[Related(document.span(("configs", seen[name])), "the first one")],
            )
        seen.setdefault(name, index)
    clouds = {c["cloud"]: n for n, c in reversed(configs) if isinstance(c.get("cloud"), str)}
    top = document.value.get("cloud")
    names = [*([top] if isinstance(top, str) else []), *(c for c in sorted(clouds) if c != top)]
    if len(names) > 1:
        last = max((clouds[name], name) for name in names if name in clouds)
        message = f"cannot use more than one cloud: {', '.join(names)}"
        yield error("BND716", document.span(("configs", last[0], "cloud")), message, fix=f"keep {names[0]}")
