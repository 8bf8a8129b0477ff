"""A placement group or EFA in a cluster whose nodes spread over zones."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.rules.ray.network import bound
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, Related, warning

CODE = "BND774"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """For the flag `efa_config` it is an error, said where the file is read."""
    for cluster in subject.state.ray_clusters():
        if not cluster.cross_zone:
            continue
        for words, span in bound(cluster):
            yield warning(
                CODE,
                span,
                f"cannot spread nodes with {words} over zones",
                why="its network spans one zone, and enable_cross_zone_scaling starts nodes in several",
                fix="leave enable_cross_zone_scaling out, and name one zone",
                related=[Related(cluster.origin.at("enable_cross_zone_scaling"), "nodes spread over zones")],
            )
