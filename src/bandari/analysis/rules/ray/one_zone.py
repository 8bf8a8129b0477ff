"""A placement group or EFA in a cluster that is not bound to exactly one zone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from bandari.analysis.rules.ray.network import bound, efa_flag
from bandari.analysis.subject import Subject
from bandari.diagnostics import Diagnostic, warning

CODE = "BND773"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Where nodes spread over zones, `cross_zone` speaks; of the flag and several zones, whoever reads the file."""
    for cluster in subject.state.ray_clusters():
        if len(cluster.zones) == 1 or cluster.cross_zone:
            continue
        many = f"{len(cluster.zones)} zones are named" if cluster.zones else "no zone is named"
        flagged = () if cluster.zones else efa_flag(cluster)
        for words, span in chain(bound(cluster), flagged):
            yield warning(
                CODE,
                span,
                f"cannot keep {words} in one zone: {many}",
                why="its network spans one zone; nodes of another zone cannot join it",
                fix="name exactly one zone in zones",
            )
