"""What a service of a constant number of nodes costs one who knows the whole spot trace: a minimum-cost flow. Pure.

Each node is a unit of flow from the first tick to the last through the zones and on-demand. A zone holds in a tick what
it has in this tick and had in the last one; a start is paid a tick before it is of use, also the one before the trace.
Units are added along the cheapest way one by one (successive shortest paths), as many at once as the way holds.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from benchmarks.spot_replay import Trace

_FINE = 10_000
"""Costs are whole numbers, so that no rounding disturbs the search."""
_FAR = 1 << 60


@dataclass(slots=True)
class _Network:
    """Arcs in pairs, `number ^ 1` being the way back; vertices are numbered in the order of time."""

    heads: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    costs: list[int] = field(default_factory=list)
    out: list[list[int]] = field(default_factory=list)

    def vertex(self) -> int:
        self.out.append([])
        return len(self.out) - 1

    def arc(self, start: int, end: int, room: int, cost: int) -> None:
        for tail, head, free, price in ((start, end, room, cost), (end, start, 0, -cost)):
            self.out[tail].append(len(self.heads))
            self.heads.append(head)
            self.left.append(free)
            self.costs.append(price)


def optimum(trace: Trace, wanted: int, price: float) -> float:
    """Node-hours on demand of the cheapest way to have `wanted` nodes ready in every tick."""
    network, source, sink = _network(trace, wanted, round(price * _FINE))
    potentials = _in_order(network, source)
    total, sent = 0, 0
    while sent < wanted:
        distances, arcs = _cheapest(network, source, potentials)
        potentials = [p + d if d < _FAR and p < _FAR else p for p, d in zip(potentials, distances, strict=True)]
        sent, total = _send(network, arcs, source=source, sink=sink, wanted=wanted, sent=sent, total=total)
    return total / _FINE * trace.gap / 3600.0


def _network(trace: Trace, wanted: int, spot: int) -> tuple[_Network, int, int]:
    network = _Network()
    source = network.vertex()
    before: tuple[int, ...] = trace.ticks[0]
    ends: list[int] = []
    for now in trace.ticks:
        rooms = [*(min(a, b, wanted) for a, b in zip(now, before, strict=True)), wanted]
        ends = _tick(network, rooms, spot, ends or [], source if not ends else -1)
        before = now
    sink = network.vertex()
    for end in ends:
        if end >= 0:
            network.arc(end, sink, wanted, 0)
    return network, source, sink


def _tick(network: _Network, rooms: list[int], spot: int, ends: list[int], hub: int) -> list[int]:
    """Adds a tick after the vertices `ends` (-1: a zone that had nothing); returns its own."""
    wanted = rooms[-1]
    if hub < 0:
        hub = network.vertex()
        for end in ends:
            if end >= 0:
                network.arc(end, hub, wanted, 0)
    found = []
    for place, room in enumerate(rooms):
        cost = spot if place < len(rooms) - 1 else _FINE
        if not room:
            found.append(-1)
            continue
        enter, leave = network.vertex(), network.vertex()
        network.arc(hub, enter, room, cost)
        if ends and ends[place] >= 0:
            network.arc(ends[place], enter, room, 0)
        network.arc(enter, leave, room, cost)
        found.append(leave)
    return found


def _in_order(network: _Network, source: int) -> list[int]:
    """Distances from the source before anything flows: vertices stand in the order of time."""
    distances = [_FAR] * len(network.out)
    distances[source] = 0
    for vertex, arcs in enumerate(network.out):
        for arc in arcs:
            if network.left[arc] and distances[vertex] + network.costs[arc] < distances[network.heads[arc]]:
                distances[network.heads[arc]] = distances[vertex] + network.costs[arc]
    return distances


def _cheapest(network: _Network, source: int, potentials: list[int]) -> tuple[list[int], list[int]]:
    """Dijkstra over reduced costs: distances, and the arc by which each vertex is reached."""
    heads, left, costs, out = network.heads, network.left, network.costs, network.out
    distances, by = [_FAR] * len(out), [-1] * len(out)
    distances[source] = 0
    queue = [(0, source)]
    while queue:
        distance, vertex = heapq.heappop(queue)
        if distance > distances[vertex]:
            continue
        base = distance + potentials[vertex]
        for arc in out[vertex]:
            if left[arc] and (there := base + costs[arc] - potentials[heads[arc]]) < distances[heads[arc]]:
                distances[heads[arc]] = there
                by[heads[arc]] = arc
                heapq.heappush(queue, (there, heads[arc]))
    return distances, by


def _send(
    network: _Network, by: list[int], *, source: int, sink: int, wanted: int, sent: int, total: int
) -> tuple[int, int]:
    way = []
    vertex = sink
    while vertex != source:
        way.append(by[vertex])
        vertex = network.heads[by[vertex] ^ 1]
    count = min(wanted - sent, *(network.left[arc] for arc in way))
    for arc in way:
        network.left[arc] -= count
        network.left[arc ^ 1] += count
    return sent + count, total + count * sum(network.costs[arc] for arc in way)
