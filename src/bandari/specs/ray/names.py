"""Names of worker groups: given, taken from the machine type, or made from the shape that is asked for. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from bandari.diagnostics import Diagnostic, Related, error
from bandari.document import Document
from bandari.units import Memory

_ACCELERATOR = "ray.io/accelerator-type"
HEAD = "head"


def name_of(group: Mapping[str, Any]) -> tuple[str, str]:
    """The name of a group, and where it comes from; empty where it cannot be told."""
    given, kind, shape = group.get("name"), group.get("instance_type"), group.get("required_resources")
    if isinstance(given, str) and given:
        return given, "given"
    if isinstance(shape, dict):
        return _generated(shape, group), "made from its shape"
    return (kind, "its instance_type") if isinstance(kind, str) and kind else ("", "")


def _generated(shape: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    """`FP-8CPU-32GB-1GPU-T4`; equal shapes give equal names, and memory is floored to GiB."""
    parts = [f"FP-{_count(shape.get('CPU'))}CPU", f"{_gib(shape.get('memory'))}GB"]
    kind = accelerator(shape, group)
    if chips := _count(shape.get("TPU")):
        parts += [f"{chips}TPU", f"{_count(shape.get('tpu_hosts'))}TPUHost", *filter(None, [kind])]
    elif gpus := _count(shape.get("GPU")):
        parts += [f"{gpus}GPU", *filter(None, [kind])]
    if shape.get("cpu_architecture") == "arm64":
        parts.append("ARM64")
    return "-".join(parts)


def accelerator(shape: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    """The kind of GPU or TPU: from the shape, else from required_labels, else from labels."""
    labels = [
        part.get(_ACCELERATOR) for name in ("required_labels", "labels") if isinstance(part := group.get(name), dict)
    ]
    return next((kind for kind in (shape.get("accelerator"), *labels) if isinstance(kind, str) and kind), "")


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int) else 0


def _gib(value: Any) -> int:
    try:
        return Memory.parse(str(value)).bytes // 2**30
    except ValueError:
        return 0


def findings(document: Document) -> Iterator[Diagnostic]:
    """Groups that would have one name."""
    groups = document.value.get("worker_nodes")
    taken: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for index, group in enumerate(groups if isinstance(groups, list) else ()):
        name, source = name_of(group) if isinstance(group, dict) else ("", "")
        taken[name].append((index, source))
    taken.pop("", None)
    for name, places in taken.items():
        if len(places) > 1:
            yield _twice(document, name, places)
    for index, _ in taken.get(HEAD, ()):
        message = f"cannot call a group {HEAD!r}: that is the name of the head"
        why = "Ray's label ray.io/node-group tells groups apart"
        yield error("BND708", _place(document, index), message, why=why, fix="give it another name")


def _twice(document: Document, name: str, places: list[tuple[int, str]]) -> Diagnostic:
    said = ", ".join(f"worker_nodes[{index}] ({source})" for index, source in places)
    last, others = places[-1][0], places[:-1]
    return error(
        "BND708",
        _place(document, last),
        f"cannot have {len(places)} groups of the name {name!r}: {said}",
        why="a group without a name is called after its machine type or its shape",
        fix="give each of them a `name` of its own",
        related=[Related(_place(document, index), f"{source}: {name}") for index, source in others],
    )


def _place(document: Document, index: int) -> Any:
    path = ("worker_nodes", index)
    return document.span((*path, "name")) if "name" in document.value["worker_nodes"][index] else document.span(path)
