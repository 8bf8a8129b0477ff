"""Which replica gets the next request: least outstanding requests; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Candidate(Protocol):
    """What is asked of a replica: whether it may get a request, how many it has, how many it serves at once."""

    @property
    def usable(self) -> bool: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def slots(self) -> int: ...


C = TypeVar("C", bound=Candidate)


def pick(candidates: Sequence[C], turn: int) -> C | None:
    """The usable candidate with the fewest outstanding requests, one with a free slot before one without; None when
    none is usable. Among equals the first from `turn` on, so a `turn` that grows by one goes round.
    """
    best: C | None = None
    least = (True, 0)
    count = len(candidates)
    for offset in range(count):
        candidate = candidates[(turn + offset) % count]
        if not candidate.usable:
            continue
        load = (candidate.in_flight >= candidate.slots, candidate.in_flight)
        if best is None or load < least:
            best, least = candidate, load
    return best
