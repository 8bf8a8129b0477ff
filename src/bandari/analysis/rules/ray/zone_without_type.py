"""A zone that does not offer a machine type of the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import nodes
from bandari.analysis.ray_shapes import ResolvedRay
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND772"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Only where the catalog knows the region; letters of AWS zones differ between accounts, so it is a warning."""
    for resolved in subject.rays():
        for index, zone in enumerate(resolved.cluster.zones):
            if lacking := _lacking(resolved, zone):
                others = "one zone" if len(resolved.cluster.zones) == 1 else "the other zones"
                yield warning(
                    CODE,
                    resolved.cluster.origin.at("zones", index),
                    f"cannot find {', '.join(lacking)} in {zone}: the catalog has it in others of the region",
                    why=f"nodes of it start in {others} alone, if at all; on AWS zones of accounts have other letters",
                    fix="leave the zone out, or use a machine type that it has",
                )


def _lacking(resolved: ResolvedRay, zone: str) -> list[str]:
    machines = [resolved.node(kind).hardware for kind in nodes(resolved.cluster)]
    return list(dict.fromkeys(m.name for m in machines if m and m.offered_in(zone) is False))
