"""What does not fit together in a compute config whose values have their shapes. Pure; every rule says all it finds.

Rules read the values themselves, so they speak even where another part of the file has no shape.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from bandari.diagnostics import Diagnostic, Related, did_you_mean, error, warning
from bandari.document import Document, Path
from bandari.specs.ray import accelerators, flags, names
from bandari.specs.ray.accelerators import ACCELERATOR, TOPOLOGY, amount
from bandari.specs.ray.compute import CUSTOM, DEFAULT_MAX_NODES
from bandari.specs.ray.tree import at, where_of
from bandari.units import Memory

_TYPED = ("CPU", "GPU", "memory", "object_store_memory", "system_reserved_cpu_millicpu", "system_reserved_memory_bytes")
"""Keys of `resources` that Ray knows; every other key is a custom resource."""


def findings(document: Document) -> Iterator[Diagnostic]:
    """What is wrong with one compute config of the current schema."""
    value = document.value
    yield from flags.findings(document, ("flags",), "cluster")
    for path in node_paths(document):
        yield from _node(document, path)
    yield from _replaced(document)
    yield from _auto_select(document)
    yield from _no_workers(document)
    yield from names.findings(document)
    yield from _efa(document)
    yield from _order(document)
    for key in ("min_resources", "max_resources"):
        yield from _lower_case(document, (key,))
    if isinstance(value.get("zones"), list):
        yield from _zones_twice(document)


def node_paths(document: Document) -> Iterator[Path]:
    """Where the head and each group stand."""
    if isinstance(document.value.get("head_node"), dict):
        yield ("head_node",)
    workers = document.value.get("worker_nodes")
    for index, worker in enumerate(workers if isinstance(workers, list) else ()):
        if isinstance(worker, dict):
            yield ("worker_nodes", index)


def _node(document: Document, path: Path) -> Iterator[Diagnostic]:
    yield from _one_shape(document, path)
    yield from _within(document, path)
    yield from accelerators.findings(document, path)
    yield from _required_labels(document, path)
    yield from _bounds(document, path)
    yield from _lower_case(document, (*path, "resources"))
    yield from flags.findings(document, (*path, "flags"), "node")


def _one_shape(document: Document, path: Path) -> Iterator[Diagnostic]:
    node = at(document, path)
    kind, required = node.get("instance_type"), node.get("required_resources")
    where = where_of(path)
    if kind is not None and kind != CUSTOM and required is not None:
        yield error(
            "BND700",
            document.key_span((*path, "instance_type")),
            f"cannot take both instance_type and required_resources for {where}",
            why="one names a machine, the other asks for a shape",
            fix=f"keep `instance_type: {kind}`, or `required_resources: {{CPU: 8, memory: 32Gi}}` alone",
            related=[Related(document.key_span((*path, "required_resources")), "the shape")],
        )
    if kind is None and required is None:
        yield error(
            "BND701",
            document.key_span(path),
            f"cannot tell the shape of {where}: it has neither instance_type nor required_resources",
            fix="add `instance_type: m5.2xlarge`, or `required_resources: {CPU: 8, memory: 32Gi}`",
        )


def _within(document: Document, path: Path) -> Iterator[Diagnostic]:
    logical, physical = at(document, (*path, "resources")), at(document, (*path, "required_resources"))
    for key in ("CPU", "GPU", "memory"):
        has, asked = amount(physical.get(key)), amount(logical.get(key))
        if has and asked and asked > has:
            yield error(
                "BND702",
                document.key_span((*path, "resources", key)),
                f"cannot give Ray {_said(key, asked)} of {key}: the node has {_said(key, has)}",
                why="resources are logical, required_resources is the machine",
                fix=f"write {_said(key, has, exact=True)} or less, or ask for a larger machine",
                related=[Related(document.key_span((*path, "required_resources", key)), "the machine")],
            )


def _said(key: str, amount: float, *, exact: bool = False) -> str:
    return (
        str(Memory(int(amount)))
        if key == "memory" and not exact
        else f"{amount:g}"
        if amount < 1e6
        else str(int(amount))
    )


def _required_labels(document: Document, path: Path) -> Iterator[Diagnostic]:
    for key in at(document, (*path, "required_labels")):
        if key not in (ACCELERATOR, TOPOLOGY):
            yield warning(
                "BND732",
                document.key_span((*path, "required_labels", key)),
                f"cannot select machines by the label {key!r}: it is kept, and selects nothing",
                why=f"{ACCELERATOR} and {TOPOLOGY} are those that providers know",
                fix="move it to labels, if tasks are to find it",
            )


def _bounds(document: Document, path: Path) -> Iterator[Diagnostic]:
    node = at(document, path)
    fewest, most = node.get("min_nodes", 0), node.get("max_nodes", DEFAULT_MAX_NODES)
    if not isinstance(fewest, int) or not isinstance(most, int) or most < 1 or fewest <= most:
        return
    default = "" if "max_nodes" in node else f", which is {DEFAULT_MAX_NODES} where it is not said"
    yield error(
        "BND709",
        document.key_span((*path, "min_nodes")),
        f"cannot keep {fewest} nodes where at most {most} are allowed",
        why=f"min_nodes is {fewest}; max_nodes is {most}{default}",
        fix=f"write max_nodes: {fewest}, or lower min_nodes",
        related=[Related(document.key_span((*path, "max_nodes")), "the maximum")] if "max_nodes" in node else [],
    )


def _lower_case(document: Document, path: Path) -> Iterator[Diagnostic]:
    folded = {name.lower(): name for name in _TYPED}
    for key in at(document, path):
        known = folded.get(str(key).lower())
        if known and known != key:
            yield warning(
                "BND726",
                document.key_span((*path, key)),
                f"cannot count {key!r} as {known}: keys are in upper and lower case, so it is a custom resource",
                why=f"Ray's own name is {known}",
                fix=f"write {known}",
            )


def _replaced(document: Document) -> Iterator[Diagnostic]:
    """Settings of the cluster that no node takes, because each has its own, which replaces and never merges."""
    value, paths = document.value, list(node_paths(document))
    own = [path for path in paths if at(document, path).get("advanced_instance_config") is not None]
    whole = value.get("advanced_instance_config")
    if not whole or own != paths or ("head_node",) not in own or value.get("auto_select_worker_config") is True:
        return
    yield warning(
        "BND734",
        document.key_span(("advanced_instance_config",)),
        "cannot use advanced_instance_config of the cluster: every node has its own",
        why="the settings of a node replace those of the cluster, and are never merged with them",
        fix="remove it, or that of a node",
        related=[Related(document.key_span((*own[0], "advanced_instance_config")), "one that replaces it")],
    )


def _auto_select(document: Document) -> Iterator[Diagnostic]:
    value = document.value
    if value.get("auto_select_worker_config") is not True or value.get("worker_nodes") is None:
        return
    yield error(
        "BND712",
        document.key_span(("auto_select_worker_config",)),
        "cannot choose worker groups where worker_nodes lists them",
        why="auto_select_worker_config needs worker_nodes absent, even an empty list is one too many",
        fix="remove auto_select_worker_config, or worker_nodes",
        related=[Related(document.key_span(("worker_nodes",)), "the groups")],
    )


def _no_workers(document: Document) -> Iterator[Diagnostic]:
    value = document.value
    if "worker_nodes" in value and value["worker_nodes"] is None and value.get("auto_select_worker_config") is not True:
        yield warning(
            "BND728",
            document.key_span(("worker_nodes",)),
            "cannot find a group below worker_nodes: the cluster has a head only",
            why="groups are chosen for you with `auto_select_worker_config: true` alone",
            fix="write `worker_nodes: []` for a head only, or list groups",
        )


def _efa(document: Document) -> Iterator[Diagnostic]:
    efa = at(document, ("flags", "efa_config"))
    if not efa or efa.get("device_count") == 0:
        return
    zones = document.value.get("zones")
    if document.value.get("enable_cross_zone_scaling") is True or (isinstance(zones, list) and len(zones) != 1):
        yield error(
            "BND738",
            document.key_span(("flags", "efa_config")),
            "cannot use EFA over several zones",
            why="its network spans one zone",
            fix="name one zone in zones, and leave enable_cross_zone_scaling out",
        )


def _zones_twice(document: Document) -> Iterator[Diagnostic]:
    seen: dict[str, list[int]] = defaultdict(list)
    for index, zone in enumerate(document.value["zones"]):
        if isinstance(zone, str):
            seen[zone].append(index)
    for zone, places in seen.items():
        for index in places[1:]:
            message = f"cannot use the zone {zone!r} twice: it counts once"
            yield warning("BND737", document.span(("zones", index)), message, fix="remove it")


def _order(document: Document) -> Iterator[Diagnostic]:
    """Ranked names that no group has; the halves of a PREFER_SPOT group are `x/spot` and `x/on-demand`."""
    groups = document.value.get("worker_nodes")
    known: set[str] = set()
    for group in groups if isinstance(groups, list) else ():
        name = names.name_of(group)[0] if isinstance(group, dict) else ""
        known.add(name)
        if isinstance(group, dict) and group.get("market_type") == "PREFER_SPOT":
            known |= {f"{name}/spot", f"{name}/on-demand"}
    for path, name in _ranked(document.value.get("flags")):
        if name not in known:
            near = did_you_mean(name, known - {""})
            fix = f"did you mean {near}?" if near else f"name groups of the file: {', '.join(sorted(known - {''}))}"
            message = f"cannot rank the group {name!r}: there is none of that name"
            yield error("BND739", document.span(("flags", *path)), message, fix=fix)


def _ranked(value: Any) -> Iterator[tuple[Path, str]]:
    """Each name in a group_order, and where it stands in the flags."""
    rankers = value.get("instance_ranking_strategy") if isinstance(value, dict) else None
    for index, ranker in enumerate(rankers if isinstance(rankers, list) else ()):
        config = ranker.get("ranker_config") if isinstance(ranker, dict) else None
        order = config.get("group_order") if isinstance(config, dict) else None
        base = ("instance_ranking_strategy", index, "ranker_config", "group_order")
        for place, item in enumerate(order if isinstance(order, list) else ()):
            if isinstance(item, str):
                yield (*base, place), item
            for inner, name in enumerate(item if isinstance(item, list) else ()):
                if isinstance(name, str):
                    yield (*base, place, inner), name
