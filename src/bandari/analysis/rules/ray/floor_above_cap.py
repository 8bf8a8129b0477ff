"""A floor of the cluster that stands above its cap."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.analysis.words import amount
from bandari.diagnostics import Diagnostic, Related, error

CODE = "BND764"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Resource by resource; one that only one of them names has no contradiction."""
    for cluster in subject.state.ray_clusters():
        for name, floor in cluster.min_resources.items():
            cap = cluster.max_resources.get(name, floor)
            if floor <= cap:
                continue
            yield error(
                CODE,
                cluster.origin.at("min_resources", name),
                f"cannot keep at least {amount(name, floor)} and at most {amount(name, cap)} {name}",
                why="no size of the cluster is within both",
                fix=f"lower min_resources.{name}, or raise max_resources.{name}",
                related=[Related(cluster.origin.at("max_resources", name), "the cap")],
            )
