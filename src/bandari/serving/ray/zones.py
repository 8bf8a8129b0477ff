"""In which zone a node is to start: balanced over all of them, or all together in one. Pure.

Here a zone is a label; on a cloud it is a place. Both get the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ZONE_LABEL = "ray.io/availability-zone"
REGION_LABEL = "ray.io/region"
MARKET_LABEL = "ray.io/market-type"
AVOIDED = 0.5
"""A zone whose remembered failures weigh this much is taken only when all others are as bad."""


def available(zones: Sequence[str], region: str) -> tuple[str, ...]:
    """The zones to choose from: those of the file, else the three that a region is taken to have."""
    if zones:
        return tuple(dict.fromkeys(zones))
    dash = "" if region[-1:].isdigit() else "-"
    return tuple(f"{region}{dash}{letter}" for letter in "abc")


def place(
    count: int,
    zones: Sequence[str],
    *,
    existing: Mapping[str, int],
    failed: Mapping[str, float],
    cross_zone: bool,
) -> tuple[str, ...]:
    """A zone for each of `count` new nodes, of `zones` (at least one).

    `existing`: workers of the cluster that exist or start, by zone. `failed`: what is remembered of failed launches and
    losses (`spot.Memory.weights`); a name that is missing never failed.

    Across zones each node goes where fewest are, zones that failed lately left out while there are others. Otherwise
    all go where most of the cluster's workers are already; the first ones to the zone that failed least.
    """
    if cross_zone:
        return _balanced(count, zones, existing, failed)
    home = min(together(zones, existing=existing, failed=failed), key=lambda zone: failed.get(zone, 0.0))
    return (home,) * count


def together(zones: Sequence[str], *, existing: Mapping[str, int], failed: Mapping[str, float]) -> tuple[str, ...]:
    """Where a cluster that keeps to one zone may go: to the zone of most of its workers, and while it has none to any,
    the one that failed least first.
    """
    home = max(zones, key=lambda zone: existing.get(zone, 0))
    if existing.get(home):
        return (home,)
    return tuple(sorted(zones, key=lambda zone: failed.get(zone, 0.0)))


def open_zones(zones: Sequence[str], failed: Mapping[str, float]) -> tuple[str, ...]:
    """The zones that did not fail lately; all of them when each did."""
    return tuple(zone for zone in zones if failed.get(zone, 0.0) < AVOIDED) or tuple(zones)


def _balanced(
    count: int, zones: Sequence[str], existing: Mapping[str, int], failed: Mapping[str, float]
) -> tuple[str, ...]:
    choice = open_zones(zones, failed)
    loads = {zone: existing.get(zone, 0) for zone in choice}
    placed: list[str] = []
    for _ in range(count):
        zone = min(choice, key=lambda name: (loads[name], failed.get(name, 0.0)))
        loads[zone] += 1
        placed.append(zone)
    return tuple(placed)
