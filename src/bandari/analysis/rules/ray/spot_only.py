"""A group that has a minimum, and only spot to keep it with."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.ray_nodes import groups
from bandari.analysis.subject import Subject
from bandari.desired.ray import MarketType
from bandari.diagnostics import Diagnostic, warning

CODE = "BND767"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A group without a minimum waits for spot, and that may well be meant."""
    for cluster in subject.state.ray_clusters():
        for kind in groups(cluster):
            assert kind.group
            if kind.group.market is not MarketType.SPOT or kind.group.nodes.min == 0:
                continue
            least = kind.group.nodes.min
            yield warning(
                CODE,
                kind.at("market_type"),
                f"cannot promise {least} node{'s' if least > 1 else ''} of {kind}: it is bought as spot alone",
                why="while there is no spot the group stands below its minimum, and so does all that needs it",
                fix="write market_type: PREFER_SPOT, which falls back on on-demand, or min_nodes: 0",
            )
