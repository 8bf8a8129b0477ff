"""A mixed group of which the spot market can take every replica at once."""

from __future__ import annotations

from collections.abc import Iterator

from bandari.analysis.subject import Subject
from bandari.desired.pools import CapacityType, NodePool
from bandari.diagnostics import Diagnostic, warning

CODE = "BND417"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Asked of groups that the public uses, and of those without any on-demand node to fall back on."""
    for server in subject.state.servers():
        pool = subject.state.pool(server.pool)
        if not server.mixed or pool is None:
            continue
        base, most = _on_demand(pool)
        if base or (most and not server.is_public):
            continue
        after = "until on-demand nodes have started" if most else "until spot nodes are for sale again"
        yield warning(
            CODE,
            server.origin.at("baseInstances"),
            f"cannot keep a replica of {server.name!r} when spot nodes are taken back: baseInstances is 0",
            why=f"the market often takes all spot nodes of a zone together; the group is away {after}",
            fix="set baseInstances: 1" if most else "set baseInstances: 1 and maxOnDemandInstances: 1",
        )


def _on_demand(pool: NodePool) -> tuple[int, int]:
    bounds = [capacity.nodes for capacity in pool.capacity if capacity.type is CapacityType.ON_DEMAND]
    return sum(b.min for b in bounds), sum(b.max for b in bounds)
