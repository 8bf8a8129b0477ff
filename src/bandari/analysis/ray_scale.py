"""How far the bytes of a Ray cluster are scaled down so that all of its nodes fit on one machine. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bandari.units import Memory

SHARE = 0.5
"""Of a machine's memory that the declared bytes of all nodes may take; Ray's processes and the user's take the rest."""


_MOST_NODES = 1e9


@dataclass(frozen=True, slots=True)
class Size:
    """A group: most nodes, what one of them counts against caps, and what one is worth."""

    max: int
    unit: Mapping[str, float]
    value: float


def most(groups: Sequence[Size], caps: Mapping[str, float]) -> float:
    """The most that the values of nodes can sum to, within each group's maximum and the caps: an upper bound, exact for
    one cap alone up to the last node (the fractional knapsack of each cap, the least of them).
    """
    counts = [min([group.max, *_fitting(group.unit, caps)]) for group in groups]
    bounds = [math.fsum(count * group.value for count, group in zip(counts, groups, strict=True))]
    bounds += [_within(name, cap, groups, counts) for name, cap in caps.items()]
    return min(bounds)


def _fitting(unit: Mapping[str, float], caps: Mapping[str, float]) -> list[int]:
    shares = (cap / unit[name] for name, cap in caps.items() if unit.get(name))
    return [int(min(share, _MOST_NODES) + 1e-9) for share in shares]


def _within(name: str, cap: float, groups: Sequence[Size], counts: Sequence[int]) -> float:
    taking = [(g, n) for g, n in zip(groups, counts, strict=True) if g.unit.get(name)]
    free = math.fsum(n * g.value for g, n in zip(groups, counts, strict=True) if not g.unit.get(name))
    taking.sort(key=lambda pair: pair[0].value / pair[0].unit[name], reverse=True)
    found, left = free, cap
    for group, count in taking:
        taken = min(count, left / group.unit[name])
        found, left = found + taken * group.value, left - taken * group.unit[name]
    return found


def factor(total: float, memory: Memory) -> float:
    """Bytes here / bytes declared for a cluster of `total` declared bytes: 1, 1/2, 1/4... So a small change of one
    group or of the machine's memory changes nothing of the others.
    """
    if total <= 0 or memory.bytes <= 0:
        return 1.0
    return 2.0 ** math.floor(math.log2(min(1.0, SHARE * memory.bytes / total)))
