"""A Ray cluster for people: what its nodes stand for, what Ray counts on them, how they are bought, what they get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from bandari.analysis.ray_nodes import Node, nodes
from bandari.analysis.ray_shapes import RayNode, ResolvedRay
from bandari.analysis.words import amounts, size
from bandari.desired.ray import MarketType

MARKETS = {MarketType.ON_DEMAND: "on demand", MarketType.SPOT: "spot only", MarketType.PREFER_SPOT: "spot first"}
IDLE_SECONDS = 60.0
SHOWN_GROUPS = 24
"""Of more groups the first ones are shown; they are said to be more."""


def ray_lines(resolved: ResolvedRay) -> Iterator[str]:
    """The table of its nodes, and what holds for all of them; without what is here where nothing was scaled."""
    cluster = resolved.cluster
    yield f"Ray cluster {click.style(cluster.name, bold=True)}{_ray(resolved)}"
    kinds = list(nodes(cluster))
    rows = [_row(kind, resolved) for kind in kinds[: SHOWN_GROUPS + 1]]
    here = ("here",) if resolved.factor else ()
    header = ("node", "count", "market", "stands for", "Ray counts", "memory + object store", *here)
    yield from _table([header, *rows])
    if len(kinds) > SHOWN_GROUPS + 1:
        yield f"  and {len(kinds) - SHOWN_GROUPS - 1} more groups"
    yield from (f"  {click.style(f'{name:<8}', dim=True)} {words}" for name, words in _notes(resolved))


def _ray(resolved: ResolvedRay) -> str:
    image = resolved.cluster.image
    named = image.uri or image.containerfile or (f"Ray {image.ray_version}" if image.ray_version else "")
    return f", {named}" if named else f", Ray {resolved.own_ray} of this environment" if resolved.own_ray else ""


def _row(kind: Node, resolved: ResolvedRay) -> tuple[str, ...]:
    node = resolved.node(kind)
    if kind.group:
        count, market = _count(kind.group.nodes.min, kind.group.nodes.max), MARKETS[kind.group.market]
    else:
        count, market = "1", MARKETS[MarketType.ON_DEMAND]
    here = (_bytes(node, node.scale),) if resolved.factor else ()
    return (kind.name, count, market, _stands_for(node), _counts(node), _bytes(node, 1.0), *here)


def _count(low: int, high: int) -> str:
    return f"{low}, fixed" if low == high else f"{low} to {high}"


def _stands_for(node: RayNode) -> str:
    physical = node.physical or "not known"
    like = f", such as {node.like[0]}" if node.like else ""
    return f"{node.machine}: {physical}{like}"


def _counts(node: RayNode) -> str:
    named = {name: value for name, value in node.resources.items() if not name.startswith("accelerator_type:")}
    return amounts(named) if any(node.resources.values()) else "no tasks"


def _bytes(node: RayNode, scale: float) -> str:
    """`44.8 + 19.2 GiB`; each with its unit where they differ, `-` for what is not known."""
    if not node.memory and not node.object_store:
        return "-"
    memory, store = size(node.memory * scale), size(node.object_store * scale)
    amount, _, unit = memory.partition(" ")
    return f"{amount} + {store}" if store.endswith(f" {unit}") else f"{memory} + {store}"


def _notes(resolved: ResolvedRay) -> Iterator[tuple[str, str]]:
    cluster = resolved.cluster
    if cluster.auto_select:
        yield "groups", "chosen for the file (auto_select_worker_config), the cheapest first"
    if cluster.min_resources or cluster.max_resources:
        floor = f"at least {amounts(cluster.min_resources)}" if cluster.min_resources else ""
        cap = f"at most {amounts(cluster.max_resources)}" if cluster.max_resources else ""
        yield "limits", ", ".join(part for part in (floor, cap) if part)
    if cluster.zones:
        how = "spread over all of them" if cluster.cross_zone else "all workers in one of them"
        yield "zones", f"{', '.join(cluster.zones)}: {how}"
    elif cluster.cross_zone:
        yield "zones", "spread over all zones of the region"
    yield "idle", _idle(resolved)
    if resolved.factor and resolved.factor < 1:
        yield "scale", _scale(resolved)
    yield from _price(resolved)


def _idle(resolved: ResolvedRay) -> str:
    cluster = resolved.cluster
    if not cluster.groups:
        said = "head only"
    elif cluster.autoscaled:
        seconds = IDLE_SECONDS if cluster.idle_termination is None else cluster.idle_termination
        said = f"a worker above the minimum goes after {seconds:g} s without work"
    else:
        said = "a fixed size: no worker is added and none goes"
    limits = [
        f"{words} {seconds / 60:g} min"
        for words, seconds in (
            ("the cluster goes after idle", cluster.cluster_idle_limit),
            ("and in any case after", cluster.uptime_limit),
        )
        if seconds
    ]
    return "; ".join([said, *limits])


def _scale(resolved: ResolvedRay) -> str:
    most = resolved.nodes_at_maximum
    fits = f"all {most} nodes fit" if most > 1 else "it fits"
    why = f"so that {fits} on this machine" if resolved.fits else f"and {most} nodes still do not fit on this machine"
    return f"bytes x 1/{round(1 / resolved.factor)}, {why}; CPUs, GPUs and custom resources stay as declared"


def _price(resolved: ResolvedRay) -> Iterator[tuple[str, str]]:
    """On demand, with the date of the list; without one where a price is not known."""
    low, high = resolved.usd_at_minimum, resolved.usd_at_maximum
    lists = " and ".join(f"in {price.region}, prices of {price.date}" for price in resolved.prices)
    if low is None or high is None:
        unknown = [n.machine for n in (resolved.head, *resolved.groups.values()) if n.price is None and n.hardware]
        if resolved.prices and unknown:
            yield "price", f"not known: no price of {', '.join(dict.fromkeys(unknown))}"
        return
    floor = " (the floor takes more)" if resolved.cluster.min_resources else ""
    grows = f"{high:.2f}" != f"{low:.2f}"
    least = f"${low:.2f} an hour" + (f" at min_nodes{floor}" if grows else "")
    most = f", ${high:.2f} at most" if grows else ""
    spot = "; spot costs less" if any(g.market is not MarketType.ON_DEMAND for g in resolved.cluster.groups) else ""
    yield "price", f"{least}{most}: on demand {lists}{spot}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        yield "  " + (click.style(line, dim=True) if number == 0 else line)
