"""Why something waits in a Ray cluster: the demand, the groups that could take it, and what holds each back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bandari.diagnostics import did_you_mean
from bandari.serving.ray.limits import GRAIN, room

Label = tuple[str, str, tuple[str, ...]]
"""Key, `in` or `not in`, values."""


@dataclass(frozen=True, slots=True)
class Demand:
    """`count` times the same that waits for a place."""

    resources: Mapping[str, float]
    count: int = 1
    labels: tuple[Label, ...] = ()
    gang: str = ""
    """The strategy of a placement group that it is a bundle of."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A worker group, or the head, as a place for demands. `resources` and `labels` are those of one node to Ray."""

    group: str
    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    counted: Mapping[str, float] = field(default_factory=dict)
    """What one node counts against the cap."""
    nodes: int = 0
    starting: int = 0
    max: int = 0
    fixed: bool = False
    held: str = ""
    """What the market or the last launch says against a further node; empty: nothing."""


def lines(
    demands: Iterable[Demand],
    candidates: Sequence[Candidate],
    *,
    nodes: Sequence[Mapping[str, float]],
    maximum: Mapping[str, float],
) -> tuple[str, ...]:
    """A line for each demand and each group that could take it. `nodes`: what counts against `maximum` now."""
    found: list[str] = []
    for demand in demands:
        fitting = [one for one in candidates if not misfit(demand, one)]
        if fitting:
            found += [f"{words(demand)}: {_held(one, nodes, maximum)}" for one in fitting]
        else:
            found.append(f"{words(demand)}: {_nobody(demand, candidates)}")
    return tuple(found)


def words(demand: Demand) -> str:
    """`3 x {1 CPU, 1 widget} with team in red`."""
    parts = ", ".join(f"{amount:g} {name}" for name, amount in sorted(demand.resources.items())) or "nothing"
    labels = "".join(f" with {key} {operator} {'/'.join(values)}" for key, operator, values in demand.labels)
    gang = f" ({demand.gang})" if demand.gang else ""
    return f"{demand.count} x {{{parts}}}{labels}{gang}"


def misfit(demand: Demand, place: Candidate) -> str:
    """Why one node of a group could never take the demand, even when it is empty; empty when it could."""
    for name, amount in sorted(demand.resources.items()):
        has = place.resources.get(name, 0.0)
        if _grains(has) < _grains(amount):
            return f"a node has {has:g} {name}" if has else f"a node has no {name}"
    for label in demand.labels:
        if not _matches(label, place.labels):
            key = label[0]
            return f'its label {key} is "{place.labels[key]}"' if key in place.labels else f"it has no label {key}"
    return ""


def _matches(label: Label, labels: Mapping[str, str]) -> bool:
    key, operator, values = label
    return (labels.get(key) in values) == (operator == "in")


def _held(place: Candidate, nodes: Sequence[Mapping[str, float]], maximum: Mapping[str, float]) -> str:
    name = f'group "{place.group}"'
    if place.starting:
        return f"{name} could take it: {place.starting} of its nodes start"
    if place.fixed:
        return f"{name} could take it: its {place.nodes} nodes are busy, and its size is fixed"
    if place.nodes >= place.max:
        return f"{name} could take it: it has all of its at most {place.max} nodes"
    space = room(nodes, place.counted, maximum)
    if not space:
        return f"{name} could take it: {space.reason}"
    if place.held:
        return f"{name} could take it: {place.held}"
    return f"{name} could take it: {place.nodes} of at most {place.max} nodes; the autoscaler may start another"


def _nobody(demand: Demand, candidates: Sequence[Candidate]) -> str:
    for name, amount in sorted(demand.resources.items()):
        most = max((one.resources.get(name, 0.0) for one in candidates), default=0.0)
        if not most:
            known = {known for one in candidates for known in one.resources}
            near = did_you_mean(name, tuple(known))
            return f'no node has the resource "{name}"' + (f'; "{near}"?' if near else "")
        if _grains(most) < _grains(amount):
            return f"no node has more than {most:g} {name}"
    for label in demand.labels:
        if not any(_matches(label, one.labels) for one in candidates):
            key, operator, values = label
            return f"no node has a label {key} {operator} {'/'.join(values)}"
    against = "; ".join(f'group "{one.group}": {misfit(demand, one)}' for one in candidates)
    return f"no group has all of it: {against}"


def _grains(amount: float) -> int:
    return round(amount * GRAIN)
