"""Accelerators of a node: which kinds there are, and what a GPU or a slice of TPUs needs beside its name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bandari.diagnostics import Diagnostic, Related, did_you_mean, error, warning
from bandari.document import Document, Path
from bandari.specs.ray.tree import at, where_of
from bandari.units import Memory

ACCELERATOR = "ray.io/accelerator-type"
TOPOLOGY = "ray.io/tpu-topology"
_GKE_TPU = ("cloud.google.com/gke-tpu-topology", "cloud.google.com/gke-tpu-accelerator")
_GKE_GPU = "cloud.google.com/gke-accelerator"
KINDS = (
    *("V100", "P100", "T4", "P4", "K80", "A10G", "L4", "L40S", "A100", "A100-40G", "A100-80G", "H100", "H200", "H20"),
    *("B200", "B300", "GB200", "GB300", "RTX-PRO-6000", "Intel-GPU-Max-1550", "Intel-GPU-Max-1100", "Intel-GAUDI"),
    *("AMD-Instinct-MI100", "AMD-Instinct-MI250X-MI250", "AMD-Instinct-MI210", "AMD-Instinct-MI300A"),
    *("AMD-Radeon-R9-200-HD-7900", "AMD-Radeon-HD-7900", "aws-neuron-core", "Ascend910B", "Ascend910B4"),
    *("TPU-V2", "TPU-V3", "TPU-V4", "TPU-V5P", "TPU-V5LITEPOD", "TPU-V6E", "TPU-V7X"),
)
"""Names of accelerators, as ray.util.accelerators of Ray 2.60 has them."""


def findings(document: Document, path: Path) -> Iterator[Diagnostic]:
    """What is wrong with the accelerators of a head or a group."""
    yield from _kinds(document, path)
    yield from _accelerator(document, path)
    yield from _other_gpu(document, path)
    yield from _tpu(document, path)


def _named(document: Document, path: Path) -> Iterator[tuple[Path, Any]]:
    required, labels = at(document, (*path, "required_resources")), at(document, (*path, "required_labels"))
    yield (*path, "required_resources", "accelerator"), required.get("accelerator")
    yield (*path, "required_labels", ACCELERATOR), labels.get(ACCELERATOR)


def _kinds(document: Document, path: Path) -> Iterator[Diagnostic]:
    for place, kind in _named(document, path):
        if not isinstance(kind, str) or not kind or kind in KINDS:
            continue
        near = did_you_mean(kind, KINDS)
        fix = f"did you mean {near}?" if near else f"write one such as {', '.join(KINDS[2:12:3])}"
        message = f"cannot find the accelerator {kind!r}"
        say = error if place[-1] == "accelerator" else warning
        yield say("BND710", document.span(place), message, why="Ray has another name for it, or none", fix=fix)


def _other_gpu(document: Document, path: Path) -> Iterator[Diagnostic]:
    """GKE's selector and Ray's label are two names of one thing, so one holds the other: `nvidia-tesla-t4`, `T4`."""
    selector = at(document, (*path, "advanced_instance_config", "spec", "nodeSelector")).get(_GKE_GPU)
    kind = at(document, (*path, "required_labels")).get(ACCELERATOR)
    if not isinstance(selector, str) or not isinstance(kind, str) or not kind:
        return
    if kind.split("-")[0].lower() not in selector.lower():
        yield warning(
            "BND711",
            document.span((*path, "advanced_instance_config", "spec", "nodeSelector", _GKE_GPU)),
            f"cannot have both {selector!r} and {kind!r}: they are two kinds of GPU",
            why="the selector and the label choose the node together",
            fix=f"keep {ACCELERATOR}, and remove the selector",
            related=[Related(document.span((*path, "required_labels", ACCELERATOR)), "the label")],
        )


def _accelerator(document: Document, path: Path) -> Iterator[Diagnostic]:
    required = at(document, (*path, "required_resources"))
    for place, kind in _named(document, path):
        if not isinstance(kind, str) or kind.upper().startswith("TPU") or amount(required.get("GPU")) > 0:
            continue
        by_type = "" if required else "; with an instance_type the machine says which GPU it has"
        yield error(
            "BND705",
            document.key_span(place),
            f"cannot ask for the accelerator {kind!r} without a number of GPUs",
            why=f"how many of them a node has is not said{by_type}",
            fix="add `GPU: 1` to required_resources" if required else "remove it, or write required_resources with GPU",
        )


def _tpu(document: Document, path: Path) -> Iterator[Diagnostic]:
    required = at(document, (*path, "required_resources"))
    labels = {name: at(document, (*path, name)) for name in ("labels", "required_labels")}
    yield from _tpu_labels_twice(document, path, labels)
    merged = {**labels["labels"], **labels["required_labels"]}
    kind = merged.get(ACCELERATOR)
    by_label = isinstance(labels["required_labels"].get(ACCELERATOR), str) and str(kind).upper().startswith("TPU")
    asked = str(required.get("accelerator")).upper().startswith("TPU") or amount(required.get("tpu_hosts"))
    if not (amount(required.get("TPU")) or by_label or asked):
        return
    selectors = at(document, (*path, "advanced_instance_config", "spec", "nodeSelector"))
    placed = all(key in selectors for key in _GKE_TPU) or (
        isinstance(kind, str) and kind.upper().startswith("TPU") and TOPOLOGY in merged
    )
    parts = {
        "required_resources.TPU": bool(amount(required.get("TPU"))),
        "required_resources.tpu_hosts": bool(amount(required.get("tpu_hosts"))),
        f"{ACCELERATOR}: TPU-... and {TOPOLOGY} in required_labels": placed,
    }
    if missing := [name for name, there in parts.items() if not there]:
        yield error(
            "BND706",
            document.key_span((*path, "required_resources", "TPU")),
            f"cannot place the TPUs of {where_of(path)}, which lacks {', '.join(missing)}",
            why="a slice of TPUs has chips, hosts, a kind and a topology",
            fix=f"add {missing[0]}",
        )


def _tpu_labels_twice(document: Document, path: Path, labels: Mapping[str, Mapping[str, Any]]) -> Iterator[Diagnostic]:
    for key in (ACCELERATOR, TOPOLOGY):
        if all(key in part for part in labels.values()) and (key == TOPOLOGY or _is_tpu(labels)):
            yield error(
                "BND707",
                document.key_span((*path, "labels", key)),
                f"cannot take {key} from both labels and required_labels",
                why="which of them selects the TPUs is not clear",
                fix="keep the one in required_labels",
                related=[Related(document.key_span((*path, "required_labels", key)), "the other one")],
            )


def _is_tpu(labels: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(str(part.get(ACCELERATOR)).upper().startswith("TPU") for part in labels.values())


def amount(value: Any) -> float:
    """A number, or the bytes of a size; 0 for what is neither."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, str):
        try:
            return Memory.parse(value).bytes
        except ValueError:
            return 0
    return float(value) if isinstance(value, int | float) and abs(value) < 2.0**62 else 0
